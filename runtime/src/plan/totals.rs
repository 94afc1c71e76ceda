//! How many rows of the parts satisfy what was asked lately, as far as they were counted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::filter::{Condition, Filter, Test};
use crate::types::Value;

/// How long a count is believed. It decides how a query is run, not what it finds.
const BELIEVED: Duration = Duration::from_secs(60);
/// How many counts are remembered: those of the filters that come again and again.
const REMEMBERED: usize = 64;
/// Largest filter that is remembered, in bytes, roughly.
const LARGEST: usize = 4_096;

/// The last counts of an entity's parts.
#[derive(Debug, Default)]
pub struct Totals(Mutex<VecDeque<Total>>);

#[derive(Debug)]
struct Total {
    part: usize,
    filter: Filter,
    /// What was counted to.
    cap: usize,
    rows: u64,
    at: Instant,
}

impl Totals {
    /// How many rows of a part satisfy a filter, if they were counted lately, and as far as `cap`.
    pub fn known(&self, part: usize, filter: &Filter, cap: usize) -> Option<u64> {
        let all = self.0.lock();
        let total = all.iter().find(|total| total.part == part && total.filter == *filter)?;
        let complete = total.rows <= total.cap as u64 || total.cap >= cap;
        (complete && total.at.elapsed() < BELIEVED).then_some(total.rows)
    }

    /// Notes what counting to `cap` gave.
    pub fn note(&self, part: usize, filter: &Filter, cap: usize, rows: u64) {
        if weight(filter) > LARGEST {
            return;
        }
        let mut all = self.0.lock();
        all.retain(|total| total.part != part || total.filter != *filter);
        all.truncate(REMEMBERED - 1);
        all.push_front(Total { part, filter: filter.clone(), cap, rows, at: Instant::now() });
    }
}

/// Bytes that a filter takes, roughly.
fn weight(filter: &Filter) -> usize {
    use Condition as C;
    let mut bytes = 0;
    filter.for_each_test(&mut |test| {
        bytes += size_of::<Test>()
            + match &test.condition {
                C::IsNull | C::IsSome => 0,
                C::Eq(value) | C::Ne(value) | C::Lt(value) | C::Le(value) | C::Gt(value) | C::Ge(value) | C::Has(value) => value.weight(),
                C::Between(from, to) => from.weight() + to.weight(),
                C::In(values) | C::NotIn(values) | C::HasAny(values) | C::HasAll(values) => values.iter().map(Value::weight).sum(),
                C::Contains(text) | C::StartsWith(text) | C::EndsWith(text) | C::IContains(text) => text.len(),
                C::Like(text) | C::ILike(text) | C::Regex(text) | C::Matches(text) | C::Phrase(text) => text.len(),
            };
    });
    bytes
}

#[cfg(test)]
mod tests {
    use super::{REMEMBERED, Totals};
    use crate::filter::{Condition, Filter, Test};
    use crate::types::Value;

    fn equals(n: usize) -> Filter {
        Test::new("n", Condition::Eq(Value::Int(n as i64))).into()
    }

    #[test]
    fn a_count_that_stopped_says_nothing_of_more() {
        let (totals, all) = (Totals::default(), Filter::all());
        let known = |part, cap| totals.known(part, &all, cap);
        assert_eq!(known(0, 10), None);
        totals.note(0, &all, 10, 11);
        assert_eq!((known(0, 10), known(0, 5), known(0, 20), known(1, 10)), (Some(11), Some(11), None, None));
        totals.note(0, &all, 20, 15);
        assert_eq!((known(0, 10), known(0, 1_000), totals.known(0, &equals(1), 10)), (Some(15), Some(15), None));
    }

    #[test]
    fn the_oldest_counts_are_forgotten() {
        let totals = Totals::default();
        (0..=REMEMBERED).for_each(|n| totals.note(0, &equals(n), 10, 1));
        assert_eq!((totals.known(0, &equals(0), 10), totals.known(0, &equals(1), 10)), (None, Some(1)));
        let large = Filter::from(Test::new("n", Condition::In(vec![Value::Int(1); 1_000])));
        totals.note(0, &large, 10, 1);
        assert_eq!(totals.known(0, &large, 10), None);
    }
}
