//! The differential test over servers: one backend alone, paired with memory and paired with SQLite, random queries, one
//! answer: `cargo test -p heavenbase-tests --features postgres --test servers -- postgres`.
//!
//! Memory, SQLite and the files are compared in `split.rs`, among each other. `HEAVENBASE_TEST_SEED` replays,
//! `HEAVENBASE_TEST_ROUNDS` (percent) makes it longer. What is not run, or runs shorter, is said aloud.

use heavenbase_tests::backends::{Tested, all};
use heavenbase_tests::random::seed;
use heavenbase_tests::split::compare_beside;
use libtest_mimic::{Arguments, Trial};

/// Queries a backend; each runs on five placements.
const QUERIES: usize = 400;

fn main() {
    let arguments = Arguments::from_args();
    let rounds = std::env::var("HEAVENBASE_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(100usize);
    let embedded = ["inmem", "sqlite", "json", "pickle", "file"];
    let mut trials = Vec::new();
    for tested in all().into_iter().filter(|tested| !embedded.contains(&tested.kind)) {
        if let Some(variable) = tested.variable.filter(|variable| std::env::var_os(variable).is_none()) {
            eprintln!("not run: {} ({variable} is not set)", tested.name);
            // Where engines are there to be had, one that is missing is a failure.
            if std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_some() {
                trials.push(Trial::test(format!("{}::is_up", tested.name), move || Err(format!("{variable} is not set").into())));
            }
            continue;
        }
        let queries = (QUERIES * tested.rounds * rounds / 10_000).max(1);
        if tested.rounds < 100 {
            eprintln!("{}: {queries} queries instead of {}", tested.name, QUERIES * rounds / 100);
        }
        trials.push(Trial::test(format!("{}::alone_and_beside_memory_and_sqlite", tested.name), move || Ok(run(&tested, queries)?)));
    }
    eprintln!("seed {} (HEAVENBASE_TEST_SEED)", seed());
    libtest_mimic::run(&arguments, trials).exit();
}

fn run(tested: &Tested, queries: usize) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|cause| format!("no runtime: {cause}"))?;
    let pairs = runtime.block_on(compare_beside(tested, seed(), queries))?;
    eprintln!("{}: {pairs} pairs of query and placement agree", tested.name);
    Ok(())
}
