//! Reading, with the mistakes of readers.

use heavenbase::driver::{Aggregate, Group, Page, SubQuery};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::Part;
use heavenbase::types::{Id, Value};
use heavenbase::{Error, ErrorKind, Result};

use super::{Bug, Simple};
use crate::reference::{Expected, Row, aggregate, near, page};

impl Simple {
    /// The filter as the bug has it.
    fn broken(&self, filter: &Filter) -> Filter {
        let parts = |parts: &[Filter]| parts.iter().map(|part| self.broken(part)).collect();
        match filter {
            Filter::And(inner) => Filter::And(parts(inner)),
            Filter::Or(inner) => Filter::Or(parts(inner)),
            Filter::Not(inner) => {
                let negated = Filter::Not(Box::new(self.broken(inner)));
                match &**inner {
                    Filter::Test(test) if self.has(Bug::NotSkipsNull) => negated.and(self.not_null(test)),
                    _ => negated,
                }
            }
            Filter::Test(test) => self.broken_test(test),
        }
    }

    fn not_null(&self, test: &Test) -> Filter {
        Test { condition: Condition::IsSome, ..test.clone() }.into()
    }

    fn broken_test(&self, test: &Test) -> Filter {
        let with = |condition: Condition| Filter::from(Test { condition, ..test.clone() });
        match (self.bug, test.condition.clone()) {
            (Some(Bug::NeSkipsNull), Condition::Ne(value)) if !value.is_null() => Filter::from(test.clone()).and(self.not_null(test)),
            (Some(Bug::NotInSkipsNull), Condition::NotIn(_)) => Filter::from(test.clone()).and(self.not_null(test)),
            (Some(Bug::InIgnoresNull), Condition::In(mut members)) => {
                members.retain(|member| !member.is_null());
                with(Condition::In(members))
            }
            (Some(Bug::OpenEnds), Condition::Le(value)) => with(Condition::Lt(value)),
            (Some(Bug::OpenEnds), Condition::Ge(value)) => with(Condition::Gt(value)),
            (Some(Bug::IContainsExact), Condition::IContains(text)) => with(Condition::Contains(text)),
            (Some(Bug::LikeWithoutEscape), Condition::Like(pattern)) => with(Condition::Like(pattern.replace('\\', ""))),
            (Some(Bug::PrefixAnywhere), Condition::StartsWith(text)) => with(Condition::Contains(text)),
            (Some(Bug::PhraseAsMatches), Condition::Phrase(text)) => with(Condition::Matches(text)),
            (Some(Bug::HasAllOfNothing), Condition::HasAll(items)) if items.is_empty() => Filter::none(),
            (Some(Bug::HasAnyAsAll), Condition::HasAny(items)) => with(Condition::HasAll(items)),
            _ => test.clone().into(),
        }
    }

    pub(super) fn rows(&self, part: &Part, query: &SubQuery) -> Result<Page> {
        let mut query = query.clone();
        query.filter = self.broken(&query.filter);
        if self.has(Bug::IdsIgnored) {
            query.ids = None;
        }
        if self.has(Bug::AlwaysAscending) {
            query.order.iter_mut().for_each(|key| key.descending = false);
        }
        if self.has(Bug::AfterByIdOnly) {
            query.after.iter_mut().for_each(|after| after.keys.clear());
        }
        if self.has(Bug::ZeroIsNoLimit) && query.limit == Some(0) {
            query.limit = None;
        }
        if self.has(Bug::ColumnsInPartOrder) {
            query.columns.sort_unstable();
        }
        self.with(part, |stored| {
            let mut found = Page::new(query.columns.len());
            let push = |found: &mut Page, row: &Row| {
                found.push(Id::from(row.id.as_str()), row.version, query.columns.iter().map(|c| row.values[*c].clone()));
            };
            let mut rows = stored.table.matching(part, &query.filter, query.ids.as_deref());
            if let Some(search) = &query.near {
                if self.has(Bug::NearThenFilter) {
                    rows = stored.table.rows.values().collect();
                }
                let all = rows.iter().map(|row| (row.id.as_str(), &row.values[search.column]));
                let mut hits = near(search.metric, &search.vector, search.k, all);
                if self.has(Bug::NearThenFilter) {
                    hits.retain(|(id, _)| stored.table.rows[*id].holds(part, &query.filter));
                }
                if self.has(Bug::NearTiesReversed) {
                    hits.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| b.0.cmp(a.0)));
                }
                for (id, score) in hits {
                    push(&mut found, &stored.table.rows[id]);
                    found.scores.push(if self.has(Bug::ScoreNegated) { -score } else { score });
                }
                return Ok(found);
            }
            let mut rows = match self.bug {
                Some(Bug::AfterIncluded) => {
                    let last = query.after.as_ref().and_then(|after| rows.iter().find(|row| row.id == after.id.as_str()).copied());
                    let mut again = page(rows, |row: &&Row| *row, &query);
                    if let (Some(last), Some(limit)) = (last, query.limit.filter(|limit| *limit > 0)) {
                        again.insert(0, last);
                        again.truncate(limit);
                    }
                    again
                }
                Some(Bug::OffsetAfterLimit) => {
                    let cut = SubQuery { offset: 0, ..query.clone() };
                    page(rows, |row: &&Row| *row, &cut).into_iter().skip(query.offset).collect()
                }
                Some(Bug::TiesReversed) if !query.order.is_empty() && query.after.is_none() => {
                    rows.reverse();
                    let keys = query.order.clone();
                    rows.sort_by(|a, b| {
                        let by_key = keys.iter().map(|key| crate::reference::sort_order(&a.key(key), &b.key(key), key.descending));
                        by_key.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
                    });
                    rows.into_iter().skip(query.offset).take(query.limit.unwrap_or(usize::MAX)).collect()
                }
                _ => page(rows, |row: &&Row| *row, &query),
            };
            if self.has(Bug::NullsFirst)
                && let Some(key) = query.order.first()
            {
                let (mut nulls, others): (Vec<&Row>, Vec<&Row>) = rows.into_iter().partition(|row| row.key(key).is_null());
                nulls.extend(others);
                rows = nulls;
            }
            if self.has(Bug::CutAtHundred) {
                rows.truncate(100);
            }
            rows.into_iter().for_each(|row| push(&mut found, row));
            Ok(found)
        })
    }

    pub(super) fn aggregate_now(&self, part: &Part, query: &Aggregate) -> Result<Vec<Group>> {
        let filter = if self.has(Bug::AggregatesAll) { Filter::all() } else { query.filter.clone() };
        let wanted = Aggregate { filter, ..query.clone() };
        self.with(part, |stored| {
            let mut groups = Vec::new();
            for (keys, measures) in aggregate(&stored.table, part, &wanted) {
                if self.has(Bug::NoNullGroup) && keys.iter().any(Value::is_null) {
                    continue;
                }
                let mut values = Vec::new();
                for (measure, spec) in measures.into_iter().zip(&query.measures) {
                    values.push(match measure {
                        Expected::Exactly(Value::Int(_))
                            if self.has(Bug::CountsNulls) && spec.function == heavenbase::driver::AggregateFunction::Count =>
                        {
                            let rows = stored.table.matching(part, &wanted.filter, wanted.ids.as_deref());
                            Value::Int(
                                rows.into_iter()
                                    .filter(|row| wanted.keys.iter().zip(&keys).all(|(c, k)| crate::reference::equal(&row.values[*c], k)))
                                    .count() as i64,
                            )
                        }
                        Expected::Exactly(Value::Null)
                            if self.has(Bug::EmptySumIsZero) && spec.function == heavenbase::driver::AggregateFunction::Sum =>
                        {
                            Value::Int(0)
                        }
                        Expected::Exactly(value) | Expected::OrOverflow(value) => value,
                        Expected::About(number, _) => Value::Float(number),
                        Expected::Overflow if self.has(Bug::SumWraps) => Value::Int(0),
                        Expected::Overflow | Expected::Anything => {
                            return Err(Error::new(ErrorKind::LimitExceeded, "the sum does not fit"));
                        }
                    });
                }
                groups.push(Group { keys, measures: values });
            }
            Ok(groups)
        })
    }
}
