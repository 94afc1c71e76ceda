//! The behaviour suite on every driver that is compiled in, one test a driver and case: `cargo test -p heavenbase-tests
//! --test drivers -- sqlite::writes`. What is not run is said aloud.

use heavenbase_tests::backends::{Place, Tested, all};
use heavenbase_tests::conformance::{Case, DriverSetup, cases, reopened};
use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for tested in all() {
        if let Some(variable) = tested.variable.filter(|variable| std::env::var_os(variable).is_none()) {
            eprintln!("not run: {} ({variable} is not set)", tested.name);
            // Where engines are there to be had, one that is missing is a failure.
            if std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_some() {
                trials.push(Trial::test(format!("{}::is_up", tested.name), move || Err(format!("{variable} is not set").into())));
            }
            continue;
        }
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
    }
    eprintln!("seed {} (HEAVENBASE_TEST_SEED)", heavenbase_tests::random::seed());
    libtest_mimic::run(&arguments, trials).exit();
}

/// Runs a case, or without one the closing and opening again.
fn run(tested: Tested, case: Option<&Case>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|cause| format!("no runtime: {cause}"))?;
    runtime.block_on(async {
        let place = Place::new(tested.variable).map_err(|cause| format!("no directory: {cause}"))?;
        let driver = (tested.open)(place.clone()).await.map_err(|error| format!("cannot connect: {error:?}"))?;
        let setup = DriverSetup { manners: tested.manners, rounds: tested.rounds, ..DriverSetup::new(tested.kind, driver) };
        match case {
            Some(case) => case.run(setup).await,
            None => reopened(setup, &|| (tested.open)(place.clone())).await,
        }
    })
}
