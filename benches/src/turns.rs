//! Several candidates that take turns: one call each, within the same process.

use std::time::{Duration, Instant};

use crate::median;

/// How long a turn takes, at least.
const TURN: Duration = Duration::from_millis(60);

/// One thing to measure: its name, and what to run.
pub struct Candidate<'a> {
    name: String,
    run: Box<dyn FnMut() -> usize + 'a>,
    times: Vec<Duration>,
    repeats: u32,
}

impl<'a> Candidate<'a> {
    /// A candidate; `run` returns a number that depends on the work, so that none of it can be left out.
    pub fn new(name: impl Into<String>, run: impl FnMut() -> usize + 'a) -> Self {
        Candidate { name: name.into(), run: Box::new(run), times: Vec::new(), repeats: 1 }
    }
}

impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Candidate({})", self.name)
    }
}

/// Runs the candidates in turns, after one round that does not count, and prints each one's median, and the first one's
/// as a multiple of it.
pub fn compare(subject: &str, count: usize, candidates: &mut [Candidate<'_>]) -> Vec<Duration> {
    for round in 0..=count {
        for candidate in candidates.iter_mut() {
            let (start, wall) = (Clock::now(), Instant::now());
            for _ in 0..candidate.repeats {
                std::hint::black_box((candidate.run)());
            }
            if round > 0 {
                candidate.times.push(start.elapsed() / candidate.repeats);
            } else {
                candidate.repeats = (TURN.as_nanos() / wall.elapsed().as_nanos().max(1)).clamp(1, 1 << 20) as u32;
            }
        }
    }
    let medians: Vec<Duration> = candidates.iter().map(|candidate| median(candidate.times.clone())).collect();
    println!("{subject}");
    for (candidate, median) in candidates.iter().zip(&medians) {
        let least = candidate.times.iter().min().copied().unwrap_or_default();
        let ratio = medians[0].as_secs_f64() / median.as_secs_f64().max(1e-12);
        println!("  {:<44} {:>12.2?} (least {:>10.2?})  {ratio:>8.2} x", candidate.name, median, least);
    }
    medians
}

/// The time this process was running, all its threads together, where the system tells: others that want the processor do
/// not count. Else the time that passed.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Option<Duration>, Instant);

impl Clock {
    /// Now.
    pub fn now() -> Clock {
        Clock(running(), Instant::now())
    }

    /// What went by since.
    pub fn elapsed(&self) -> Duration {
        match (self.0, running()) {
            (Some(start), Some(end)) => end.saturating_sub(start),
            _ => self.1.elapsed(),
        }
    }
}

#[cfg(unix)]
fn running() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

#[cfg(not(unix))]
fn running() -> Option<Duration> {
    None
}
