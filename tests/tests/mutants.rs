//! The suite itself under test: the reference as a driver passes, and every broken one is caught.

use std::sync::Arc;

use heavenbase::schema::Binding;
use heavenbase_tests::conformance::{DriverSetup, cases};
use heavenbase_tests::random::Random;
use heavenbase_tests::simple::{Bug, Simple};
use heavenbase_tests::split::{World, compare_in};

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

/// The comparison of splits over two drivers, one of them with a bug or both right.
async fn split_over(bug: Option<Bug>, seed: u64) -> Result<usize, String> {
    let mut random = Random::new(seed);
    let broken = bug.map_or_else(|| Simple::new("inmem"), |bug| Simple::new("inmem").with_bug(bug));
    let bindings = vec![
        Binding { name: "broken", kind: "inmem", driver: Arc::new(broken) },
        Binding { name: "right", kind: "sqlite", driver: Arc::new(Simple::new("sqlite").partial()) },
    ];
    let world = World::over(&mut random, bindings, Vec::new()).await.map_err(|error| format!("{error:?}"))?;
    compare_in(world, random, seed, 6, 250).await
}

#[tokio::test]
async fn a_split_over_a_broken_driver_is_caught() {
    assert_eq!(split_over(None, 1).await.map(|pairs| pairs > 1000), Ok(true));
    // Not among them: what the executor sorts or checks again whatever the driver says.
    let bugs = [
        Bug::NeSkipsNull,
        Bug::NotSkipsNull,
        Bug::InIgnoresNull,
        Bug::NullsFirst,
        Bug::TiesReversed,
        Bug::AlwaysAscending,
        Bug::OffsetAfterLimit,
        Bug::AfterByIdOnly,
        Bug::IdsIgnored,
        Bug::ColumnsInPartOrder,
        Bug::NearThenFilter,
        Bug::ScoreNegated,
        Bug::UpsertMerges,
        Bug::EmptyIsNull,
        Bug::CountsNulls,
        Bug::NoNullGroup,
        Bug::AggregatesAll,
    ];
    let mut missed = Vec::new();
    for bug in bugs {
        let outcome = split_over(Some(bug), 1).await;
        let why = outcome.as_ref().err().map_or("not seen", String::as_str);
        eprintln!("{bug:?}: {}", why.lines().next().unwrap_or_default().chars().take(150).collect::<String>());
        if outcome.is_ok() {
            missed.push(bug);
        }
    }
    assert!(missed.is_empty(), "the comparison of splits cannot see: {missed:?}");
}
