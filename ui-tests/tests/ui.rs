//! Compiles every case. The messages are those of the pinned compiler: `TRYBUILD=overwrite cargo test -p heavenbase-ui-tests`
//! writes them anew after a change, to be read before they are committed.
#![allow(clippy::unwrap_used)]

#[test]
fn cases() {
    let cases = trybuild::TestCases::new();
    cases.pass("pass/*.rs");
    cases.compile_fail("fail/*.rs");
}

/// Lines of each message about a capability, blank ones and warnings apart.
fn lines_of_capability_errors() -> Vec<(String, usize)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fail");
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "stderr") {
            continue;
        }
        for message in std::fs::read_to_string(&path).unwrap().split("\n\n") {
            let about = ["cannot run `Op", "cannot store a `", "has no vector search by"];
            if message.lines().next().is_some_and(|first| about.iter().any(|text| first.contains(text))) {
                lines.push((path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), message.trim_end().lines().count()));
            }
        }
    }
    lines.sort_by_key(|(_, lines)| *lines);
    lines
}

#[test]
fn the_median_capability_error_has_at_most_twelve_lines() {
    let lines = lines_of_capability_errors();
    assert!(lines.len() >= 25, "only {} messages found", lines.len());
    let median = lines[lines.len() / 2].1;
    let (worst, most) = lines.last().unwrap();
    println!("{} capability errors: {} to {most} lines ({worst}), median {median}", lines.len(), lines[0].1);
    assert!(median <= 12, "the median capability error has {median} lines");
    assert!(*most <= 18, "{worst} has {most} lines");
}
