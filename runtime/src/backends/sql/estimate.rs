//! How many rows a filter leaves, counted in an index and no further than a bound.

use super::{Dialect, Sql, Statement, filter};
use crate::capability::Placement;
use crate::error::Result;
use crate::filter::{Condition, Filter, Target, Test};
use crate::schema::Part;
use crate::types::{LogicalType, Value};

/// The count of the rows that one indexed test of a conjunction leaves, or of all rows where all are wanted, up to one more
/// than `cap`: one number, at most so many rows satisfy the filter if it is not above `cap`. `None` when no test has an
/// index, where counting would read the table.
///
/// # Errors
/// As [`filter::write_filter`].
pub fn estimate(dialect: &dyn Dialect, part: &Part, filter: &Filter, cap: usize) -> Result<Option<Statement>> {
    let test = indexed_test(dialect, part, filter);
    if test.is_none() && !filter.is_all() {
        return Ok(None);
    }
    let mut sql = Sql::new(dialect);
    sql.push("SELECT COUNT(*) FROM (SELECT 1 AS ").name("one").push(" FROM ").table(part).push(" t");
    if let Some(test) = test {
        sql.push(" WHERE ");
        filter::write_filter(&mut sql, part, test)?;
    }
    dialect.limit_unordered(&mut sql, cap.saturating_add(1));
    sql.push(") ").name("counted");
    Ok(Some(sql.finish()))
}

/// What a driver over a network says when it is asked for an estimate; `count` runs the statement.
#[cfg(feature = "_network")]
pub(crate) fn reply<'a, F>(
    dialect: &dyn Dialect,
    part: &Part,
    filter: &Filter,
    cap: usize,
    count: impl FnOnce(Statement) -> F,
) -> crate::driver::Reply<'a, Option<u64>>
where
    F: Future<Output = Result<u64>> + Send + 'a,
{
    use crate::driver::Reply;
    match estimate(dialect, part, filter, cap) {
        Ok(Some(statement)) => {
            let counting = count(statement);
            Reply::later(async move { counting.await.map(Some) })
        }
        Ok(None) => Reply::ready(Ok(None)),
        Err(error) => Reply::ready(Err(error)),
    }
}

/// Whether an index of the part starts with a column.
pub fn has_index(part: &Part, position: usize) -> bool {
    let alone = part.columns.get(position).is_some_and(|column| column.index.is_some() || column.unique);
    alone || part.index_groups().iter().chain(&part.unique_groups()).any(|group| group.first() == Some(&position))
}

/// The test, among those that must all hold, that an index narrows most: an equality before a list, a list before a range.
fn indexed_test<'f>(dialect: &dyn Dialect, part: &Part, filter: &'f Filter) -> Option<&'f Filter> {
    let all = match filter {
        Filter::And(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    let ranked = all.iter().filter_map(|one| match one {
        Filter::Test(test) => Some((rank(part, test)?, one)).filter(|_| dialect.takes(part, test)),
        _ => None,
    });
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, test)| test)
}

fn rank(part: &Part, test: &Test) -> Option<usize> {
    let rank = match &test.condition {
        Condition::Eq(Value::Null) => return None,
        Condition::Eq(_) => 0,
        Condition::In(members) if !members.iter().any(Value::is_null) => 1,
        Condition::Between(..) | Condition::StartsWith(_) => 2,
        Condition::Lt(_) | Condition::Le(_) | Condition::Gt(_) | Condition::Ge(_) => 3,
        _ => return None,
    };
    let (position, column) = part.column(&test.field)?;
    let sorted = column.placement == Placement::InlineColumn && !matches!(column.logical, LogicalType::Json | LogicalType::List(_));
    (test.target == Target::Value && sorted && has_index(part, position)).then_some(rank)
}
