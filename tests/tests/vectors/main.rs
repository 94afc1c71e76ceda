//! What every backend that searches vectors must show, on each of them: recall under filters on real data, scores that mean
//! the same, nothing cut, rows of every shape. One test a backend and matter: `cargo test --test vectors -- chroma::recall`.
//!
//! Takes many minutes, so it runs where `HEAVENBASE_TEST_VECTORS` is set, by hand; else that it did not run is said.
//!
//! `HEAVENBASE_TEST_SYNSETS` names the embeddings to search (float32 `.npy`, 384 numbers a row); without it fewer, made-up
//! ones are searched, which is said. `HEAVENBASE_TEST_ROUNDS` (percent) makes it longer.

mod data;
mod metrics;
mod recall;
mod whole;

use heavenbase::capability::table::TABLE;
use heavenbase_tests::backends::{Tested, all};
use libtest_mimic::{Arguments, Trial};

pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn ranks(tested: &Tested) -> bool {
    TABLE.iter().any(|rows| rows.backend == tested.kind && !rows.metrics.is_empty())
}

fn main() {
    let arguments = Arguments::from_args();
    if std::env::var_os("HEAVENBASE_TEST_VECTORS").is_none() {
        eprintln!("not run: recall, scores, whole batches of every driver that searches vectors (HEAVENBASE_TEST_VECTORS is not set)");
        libtest_mimic::run(&arguments, Vec::new()).exit();
    }
    let mut trials = Vec::new();
    let mut add = |name: String, run: fn(Tested, Option<recall::Variant>) -> Outcome, tested: Tested, variant| {
        trials.push(Trial::test(name, move || run(tested, variant).map_err(|error| error.to_string().into())));
    };
    for tested in all().into_iter().filter(ranks) {
        if let Some(variable) = tested.variable.filter(|variable| std::env::var_os(variable).is_none()) {
            eprintln!("not run: {} ({variable} is not set)", tested.name);
            if std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_some() {
                add(format!("{}::is_up", tested.name), |tested, _| Err(format!("{:?} is not set", tested.variable).into()), tested, None);
            }
            continue;
        }
        if tested.rounds < 100 {
            eprintln!("not run: {} (its statements are slow)", tested.name);
            continue;
        }
        add(format!("{}::scores", tested.name), |tested, _| block(metrics::scores(tested)), tested, None);
        add(format!("{}::mixed_batch", tested.name), |tested, _| block(whole::mixed(tested)), tested, None);
        add(format!("{}::thirty_thousand", tested.name), |tested, _| block(whole::thirty_thousand(tested)), tested, None);
        for variant in recall::variants(tested.kind) {
            let run = |tested, variant: Option<recall::Variant>| match variant {
                Some(variant) => block(recall::measure(tested, variant)),
                None => Ok(()),
            };
            add(format!("{}::recall_{}", tested.name, variant.name), run, tested, Some(variant));
        }
    }
    eprintln!("seed {} (HEAVENBASE_TEST_SEED)", heavenbase_tests::random::seed());
    libtest_mimic::run(&arguments, trials).exit();
}

fn block<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(work)
}
