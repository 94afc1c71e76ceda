//! Aggregations as SQL.

use super::select::Conditions;
use super::{Dialect, Sql, Statement, Term, filter};
use crate::capability::Operation;
use crate::driver::{Aggregate, AggregateFunction};
use crate::error::Result;
use crate::schema::Part;

/// Whether a dialect takes an aggregation whole.
pub fn takes(dialect: &dyn Dialect, part: &Part, wanted: &Aggregate) -> bool {
    let native = |position: usize, operation: Operation| {
        part.columns.get(position).is_some_and(|column| dialect.aggregates(part, column, operation))
    };
    wanted.filter.all_tests(|test| dialect.takes(part, test))
        && wanted.keys.iter().all(|&key| native(key, Operation::GroupBy))
        && wanted.measures.iter().all(|measure| {
            measure.column.is_none_or(|column| {
                native(
                    column,
                    match measure.function {
                        AggregateFunction::Count => Operation::IsNull,
                        AggregateFunction::CountDistinct => Operation::GroupBy,
                        AggregateFunction::Sum | AggregateFunction::Avg => Operation::Sum,
                        AggregateFunction::Min | AggregateFunction::Max => Operation::MinMax,
                    },
                )
            })
        })
}

/// The aggregation: keys, then measures. Groups come in no order.
///
/// # Errors
/// As [`filter::write_filter`].
pub fn aggregate(dialect: &dyn Dialect, part: &Part, query: &Aggregate) -> Result<Statement> {
    let mut sql = Sql::new(dialect);
    sql.push("SELECT ");
    sql.list(&query.keys, ", ", |sql, &key| dialect.group_key(sql, &Term::column(part, key)?))?;
    if !query.keys.is_empty() && !query.measures.is_empty() {
        sql.push(", ");
    }
    sql.list(&query.measures, ", ", |sql, measure| {
        let term = measure.column.map(|column| Term::column(part, column)).transpose()?;
        dialect.measure(sql, measure.function, term.as_ref())
    })?;
    if query.keys.is_empty() && query.measures.is_empty() {
        sql.push("COUNT(*)");
    }
    sql.push(" FROM ").table(part).push(" t");
    let mut conditions = Conditions::default();
    if let Some(ids) = &query.ids {
        conditions.begin(&mut sql);
        dialect.id_is_one_of(&mut sql, part, ids)?;
    }
    if !query.filter.is_all() {
        conditions.begin(&mut sql);
        filter::write_filter(&mut sql, part, &query.filter)?;
    }
    if !query.keys.is_empty() {
        sql.push(" GROUP BY ");
        sql.list(&query.keys, ", ", |sql, &key| dialect.group_key(sql, &Term::column(part, key)?))?;
    }
    Ok(sql.finish())
}
