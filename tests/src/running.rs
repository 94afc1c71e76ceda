//! What the tests on every driver share: which of them run, and a runtime for one test.

use std::future::Future;

use libtest_mimic::{Arguments, Trial};

use crate::backends::{Tested, all};

/// The share of the repetitions that the surroundings ask for, in percent: `HEAVENBASE_TEST_ROUNDS`.
pub fn rounds() -> usize {
    std::env::var("HEAVENBASE_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(100)
}

/// Runs the tests of every driver that is there, and says which is not. Where engines are there to be had
/// (`HEAVENBASE_TEST_REQUIRED`), one that is missing is a failure.
pub fn run(wanted: impl Fn(&Tested) -> bool, tests: impl Fn(Tested, &mut Vec<Trial>)) -> ! {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for tested in all().into_iter().filter(wanted) {
        match tested.variable.filter(|variable| std::env::var_os(variable).is_none()) {
            None => tests(tested, &mut trials),
            Some(variable) => {
                eprintln!("not run: {} ({variable} is not set)", tested.name);
                if std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_some() {
                    trials.push(Trial::test(format!("{}::is_up", tested.name), move || Err(format!("{variable} is not set").into())));
                }
            }
        }
    }
    eprintln!("seed {} (HEAVENBASE_TEST_SEED)", crate::random::seed());
    libtest_mimic::run(&arguments, trials).exit()
}

/// Runs one test on a runtime of its own.
///
/// # Errors
/// What the test says.
pub fn block_on<T>(test: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|cause| format!("no runtime: {cause}"))?.block_on(test)
}
