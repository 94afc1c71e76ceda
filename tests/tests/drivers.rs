//! The behaviour suite on every driver that is compiled in, one test a driver and case: `cargo test -p heavenbase-tests
//! --test drivers -- sqlite::writes`. What is not run is said aloud.

use heavenbase_tests::backends::{Place, Tested};
use heavenbase_tests::conformance::{Case, DriverSetup, cases, reopened};
use heavenbase_tests::running;
use libtest_mimic::Trial;

fn main() {
    running::run(
        |_| true,
        |tested, trials| {
            if tested.rounds < 100 {
                eprintln!(
                    "{}: {} percent of the repetitions of each case (HEAVENBASE_TEST_ROUNDS={} runs all)",
                    tested.name,
                    tested.rounds,
                    10_000 / tested.rounds.max(1)
                );
            }
            for case in cases().into_iter().filter(|case| case.applies_to(tested.kind)) {
                trials.push(Trial::test(format!("{}::{}", tested.name, case.name), move || Ok(run(tested, Some(&case))?)));
            }
            if tested.durable {
                trials.push(Trial::test(format!("{}::durable::reopened", tested.name), move || Ok(run(tested, None)?)));
            }
        },
    )
}

/// Runs a case, or without one the closing and opening again.
fn run(tested: Tested, case: Option<&Case>) -> Result<(), String> {
    running::block_on(async {
        let place = Place::new(tested.variable).map_err(|cause| format!("no directory: {cause}"))?;
        let driver = (tested.open)(place.clone()).await.map_err(|error| format!("cannot connect: {error:?}"))?;
        let setup = DriverSetup { manners: tested.manners, rounds: tested.rounds, ..DriverSetup::new(tested.kind, driver) };
        match case {
            Some(case) => case.run(setup).await,
            None => reopened(setup, &|| (tested.open)(place.clone())).await,
        }
    })
}
