//! Compiles every case. The messages are those of the pinned compiler: `TRYBUILD=overwrite cargo test -p heavenbase-ui-tests`
//! writes them anew after a change, to be read before they are committed.

#[test]
fn cases() {
    let cases = trybuild::TestCases::new();
    cases.pass("pass/*.rs");
    cases.compile_fail("fail/*.rs");
}
