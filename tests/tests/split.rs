//! Split queries answer as the reference and as one SQLite with everything: random placements, rows and queries.
//!
//! Each test has a stream of its own, so that they run side by side; together they compare more than 20,000 pairs of
//! query and placement. `HEAVENBASE_TEST_SEED` replays, `HEAVENBASE_TEST_ROUNDS` (percent) makes it longer.

fn rounds(usual: usize) -> usize {
    let percent = heavenbase_tests::running::rounds();
    (usual * percent / 100).max(1)
}

async fn compare(stream: u64) {
    // The first stream is the seed itself, so that a printed seed replays as it is.
    let seed = heavenbase_tests::random::seed().wrapping_add(stream * 1_000_003);
    match heavenbase_tests::split::compare(seed, 13, rounds(400)).await {
        Ok(pairs) => eprintln!("{pairs} pairs of query and placement agree (seed {seed})"),
        Err(why) => panic!("{why}"),
    }
}

#[tokio::test]
async fn stream_1() {
    compare(0).await;
}

#[tokio::test]
async fn stream_2() {
    compare(1).await;
}

#[tokio::test]
async fn stream_3() {
    compare(2).await;
}

#[tokio::test]
async fn stream_4() {
    compare(3).await;
}
