//! The measuring side of the benchmarks: contenders take turns, medians are compared, nothing is asserted about time.
#![allow(clippy::print_stdout)]

mod both;
mod turns;

pub use both::{Both, beside};
pub use turns::{Candidate, Clock, compare};

use std::future::Future;
use std::time::Duration;

/// A generator of numbers that is the same on every run (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 up to and without 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.bits() % n.max(1)
    }
}

/// The median of some times.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Two contenders take turns, `rounds` times each, in changing order; gives the medians of the time each was running.
pub async fn versus<A, B, FA, FB>(rounds: usize, mut ours: A, mut raw: B) -> (Duration, Duration)
where
    A: FnMut() -> FA,
    B: FnMut() -> FB,
    FA: Future,
    FB: Future,
{
    let (mut a, mut b) = (Vec::with_capacity(rounds), Vec::with_capacity(rounds));
    for round in 0..rounds + 2 {
        let ours_first = round % 2 == 0;
        let (mut time_a, mut time_b) = (Duration::ZERO, Duration::ZERO);
        for turn in 0..2 {
            let started = Clock::now();
            if (turn == 0) == ours_first {
                ours().await;
                time_a = started.elapsed();
            } else {
                raw().await;
                time_b = started.elapsed();
            }
        }
        // The first two rounds warm up.
        if round >= 2 {
            a.push(time_a);
            b.push(time_b);
        }
    }
    (median(a), median(b))
}

/// Prints one line: what, ours, the other, and the ratio.
pub fn report(case: &str, ours: Duration, raw: Duration, per: usize) {
    let each = |d: Duration| d.as_secs_f64() * 1e6 / per.max(1) as f64;
    println!("{case:<58} ours {:>11.3} µs   raw {:>11.3} µs   ratio {:.3}", each(ours), each(raw), each(ours) / each(raw));
}
