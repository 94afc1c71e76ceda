//! The README is true: its matrix is the table's, its code runs.

use heavenbase::capability::matrix;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");

#[test]
fn the_matrix_is_the_tables() -> std::io::Result<()> {
    let readme = std::fs::read_to_string(README)?;
    let Some((before, rest)) = readme.split_once("<!-- matrix:") else { panic!("no matrix in the README") };
    let Some((marker, rest)) = rest.split_once("-->\n") else { panic!("the marker does not end") };
    let Some((_, after)) = rest.split_once("<!-- /matrix -->") else { panic!("the matrix does not end") };
    let written = format!("{before}<!-- matrix:{marker}-->\n{}<!-- /matrix -->{after}", matrix::markdown());
    if std::env::var_os("HEAVENBASE_BLESS").is_some() {
        return std::fs::write(README, written);
    }
    assert_eq!(readme, written, "the matrix is out of date: run with HEAVENBASE_BLESS=1");
    Ok(())
}
