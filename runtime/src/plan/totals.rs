//! How many rows parts have, as far as somebody asked lately.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long a count is believed. It decides how a query is run, not what it finds.
const BELIEVED: Duration = Duration::from_secs(60);

/// The last counts of an entity's parts.
#[derive(Debug, Default)]
pub struct Totals(Mutex<Vec<(usize, Total)>>);

#[derive(Clone, Copy, Debug)]
struct Total {
    /// What was counted to.
    cap: usize,
    rows: u64,
    at: Instant,
}

impl Totals {
    /// How many rows a part has, if that was counted lately, and as far as `cap`.
    pub fn known(&self, part: usize, cap: usize) -> Option<u64> {
        let all = self.0.lock();
        let (_, total) = all.iter().find(|(of, _)| *of == part)?;
        let complete = total.rows <= total.cap as u64 || total.cap >= cap;
        (complete && total.at.elapsed() < BELIEVED).then_some(total.rows)
    }

    /// Notes what counting to `cap` gave.
    pub fn note(&self, part: usize, cap: usize, rows: u64) {
        let mut all = self.0.lock();
        all.retain(|(of, _)| *of != part);
        all.push((part, Total { cap, rows, at: Instant::now() }));
    }
}

#[cfg(test)]
mod tests {
    use super::Totals;

    #[test]
    fn a_count_that_stopped_says_nothing_of_more() {
        let totals = Totals::default();
        assert_eq!(totals.known(0, 10), None);
        totals.note(0, 10, 11);
        assert_eq!((totals.known(0, 10), totals.known(0, 5), totals.known(0, 20), totals.known(1, 10)), (Some(11), Some(11), None, None));
        totals.note(0, 20, 15);
        assert_eq!((totals.known(0, 10), totals.known(0, 1_000)), (Some(15), Some(15)));
    }
}
