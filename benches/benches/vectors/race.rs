//! Contenders that take turns, by the clock on the wall: most of what they wait for happens in another process.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use heavenbase_benches::median;

use crate::Failed;

/// What a contender found for the target of this number.
pub type Found<'a> = Pin<Box<dyn Future<Output = Result<Vec<String>, Failed>> + 'a>>;

/// What a contender does for the target of this number.
pub type Run<'a> = Box<dyn Fn(usize) -> Found<'a> + 'a>;

/// A contender: its name, and what it does.
pub struct Contender<'a> {
    pub name: &'a str,
    pub run: Run<'a>,
}

/// A contender's median, and the share of the best rows that it found.
pub struct Measured {
    pub median: Duration,
    pub recall: f64,
}

/// Runs each contender on every target, in changing order. The first two targets warm up. Recall counts what is in `best`
/// of each target; without a list there, it is 1.
pub async fn race(contenders: &[Contender<'_>], best: &[Vec<String>]) -> Result<Vec<Measured>, Failed> {
    let mut times = vec![Vec::new(); contenders.len()];
    let mut hits = vec![0; contenders.len()];
    for (at, best) in best.iter().enumerate() {
        for turn in 0..contenders.len() {
            let who = (turn + at) % contenders.len();
            let start = Instant::now();
            let found = (contenders[who].run)(at).await?;
            let took = start.elapsed();
            if at >= 2 {
                times[who].push(took);
            }
            hits[who] += found.iter().filter(|id| best.contains(id)).count();
        }
    }
    let wanted: usize = best.iter().map(Vec::len).sum();
    let recall = |hits: usize| if wanted == 0 { 1.0 } else { hits as f64 / wanted as f64 };
    Ok(times.into_iter().zip(hits).map(|(times, hits)| Measured { median: median(times), recall: recall(hits) }).collect())
}

/// Prints a line: each contender's median and recall, and the first one's time as a multiple of the others'.
pub fn tell(case: &str, contenders: &[Contender<'_>], runs: &[Measured]) {
    let mut line = format!("{case:<34}");
    for (contender, run) in contenders.iter().zip(runs) {
        line += &format!("  {} {:.2} ms (recall {:.3})", contender.name, run.median.as_secs_f64() * 1e3, run.recall);
    }
    for (contender, run) in contenders.iter().zip(runs).skip(1) {
        line += &format!("  {:.2} x {}", runs[0].median.as_secs_f64() / run.median.as_secs_f64(), contender.name);
    }
    println!("{line}");
}
