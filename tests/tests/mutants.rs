//! The suite itself under test: the reference as a driver passes, and every broken one is caught.

use std::sync::Arc;

use heavenbase_tests::conformance::{DriverSetup, cases};
use heavenbase_tests::simple::{Bug, Simple};

const KINDS: &[&str] = &["inmem", "sqlite", "file"];

/// How long each case takes, for those who make it faster: `-- --ignored --nocapture`.
#[tokio::test]
#[ignore = "prints times"]
async fn times() {
    for case in cases().into_iter().filter(|case| case.applies_to("inmem")) {
        let start = std::time::Instant::now();
        let outcome = case.run(DriverSetup::new("inmem", Arc::new(Simple::new("inmem")))).await;
        eprintln!("{:>8} us {} {}", start.elapsed().as_micros(), case.name, outcome.err().unwrap_or_default());
    }
}

#[tokio::test]
async fn the_reference_passes_every_case() {
    for kind in KINDS {
        for seed in [1, 2] {
            let setup = DriverSetup { seed, ..DriverSetup::new(kind, Arc::new(Simple::new(kind))) };
            heavenbase_tests::conformance::run(setup).await;
        }
    }
}

#[tokio::test]
async fn a_driver_that_leaves_much_over_passes_too() {
    heavenbase_tests::conformance::run(DriverSetup::new("inmem", Arc::new(Simple::new("inmem").partial()))).await;
}

#[tokio::test]
async fn every_bug_is_caught() {
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let start = std::time::Instant::now();
        let mut caught = None;
        for case in cases().into_iter().filter(|case| case.applies_to("inmem")) {
            let driver = Arc::new(Simple::new("inmem").with_bug(*bug));
            if case.run(DriverSetup::new("inmem", driver)).await.is_err() {
                caught = Some(case.name);
                break;
            }
        }
        eprintln!("{bug:?}: {} in {} ms", caught.as_deref().unwrap_or("not seen"), start.elapsed().as_millis());
        if caught.is_none() {
            missed.push(bug);
        }
    }
    assert!(missed.is_empty(), "the suite cannot see: {missed:?}");
}
