//! The differential test over servers: one backend alone, paired with memory and paired with SQLite, random queries, one
//! answer: `cargo test -p heavenbase-tests --features postgres --test servers -- postgres`.
//!
//! Memory, SQLite and the files are compared in `split.rs`, among each other. `HEAVENBASE_TEST_SEED` replays,
//! `HEAVENBASE_TEST_ROUNDS` (percent) makes it longer. What is not run, or runs shorter, is said aloud.

use heavenbase_tests::backends::Tested;
use heavenbase_tests::random::seed;
use heavenbase_tests::running;
use heavenbase_tests::split::compare_beside;
use libtest_mimic::Trial;

/// Queries a backend; each runs on five placements.
const QUERIES: usize = 400;

fn main() {
    let rounds = running::rounds();
    let embedded = ["inmem", "sqlite", "json", "pickle", "file"];
    running::run(
        |tested| !embedded.contains(&tested.kind),
        |tested, trials| {
            // What is slow there is mostly writing and making tables, of which there is little here.
            let share = (tested.rounds * 4).min(100);
            let queries = (QUERIES * share * rounds / 10_000).max(1);
            if share < 100 {
                eprintln!("{}: {queries} queries instead of {}", tested.name, QUERIES * rounds / 100);
            }
            trials.push(Trial::test(format!("{}::alone_and_beside_memory_and_sqlite", tested.name), move || Ok(run(&tested, queries)?)));
        },
    )
}

fn run(tested: &Tested, queries: usize) -> Result<(), String> {
    let pairs = running::block_on(compare_beside(tested, seed(), queries))?;
    eprintln!("{}: {pairs} pairs of query and placement agree", tested.name);
    Ok(())
}
