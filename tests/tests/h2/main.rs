//! The behaviour suite, executed where it fits by H2 in place of servers that no test machine has. `HEAVENBASE_TEST_H2` says
//! where it is; `HEAVENBASE_TEST_H2_CASES` chooses cases by a part of their names.
#![cfg(any(feature = "mssql", feature = "oracle"))]
// A test that panics has failed, which is the point; helpers are outside of the tests that clippy allows it to.
#![allow(clippy::expect_used, clippy::print_stdout)]

#[cfg(feature = "mssql")]
mod mssql;
#[cfg(feature = "oracle")]
mod oracle;

use heavenbase_tests::conformance::{DriverSetup, cases};

/// Where H2 is, and the name of a database of its own.
fn stand() -> Option<(String, String)> {
    static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let Ok(address) = std::env::var("HEAVENBASE_TEST_H2") else {
        assert!(std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_none(), "HEAVENBASE_TEST_H2 is not set: tests/services up starts it");
        eprintln!("not run: HEAVENBASE_TEST_H2 is not set");
        return None;
    };
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    Some((address, format!("suite{}_{number}", std::process::id())))
}

/// Runs the suite, but for the cases whose names begin so; each with the reason.
async fn executed(setup: DriverSetup, out: &[(&str, &str)]) {
    let wanted = std::env::var("HEAVENBASE_TEST_H2_CASES").unwrap_or_default();
    let kind = setup.kind;
    let (mut ran, mut failed, mut left) = (0, Vec::new(), Vec::new());
    for case in cases().into_iter().filter(|case| case.applies_to(kind) && case.name.contains(&wanted)) {
        if out.iter().any(|(name, _)| case.name.starts_with(name)) {
            left.push(case.name.clone());
            continue;
        }
        ran += 1;
        if let Err(why) = case.run(setup.clone()).await {
            failed.push(format!("{}: {}", case.name, why.to_string().chars().take(1_500).collect::<String>()));
        }
    }
    println!("{kind}: {ran} cases ran, {} were left out: {left:?}", left.len());
    assert!(failed.is_empty(), "{} of {ran} cases failed:\n{}", failed.len(), failed.join("\n\n"));
}
