//! Reading: rows by id, pages, groups.

use std::sync::Arc;

use duckdb::arrow::array::{Array, StructArray};
use duckdb::{Connection, Statement};

use super::bind::Parameter;
use super::dialect::SQL;
use super::instance::{Instance, Transaction};
use super::{decode, failure};
use crate::backends::embedded::blocking;
use crate::backends::sql::pages::Reader;
use crate::backends::sql::{self, Dialect, aggregate, select};
use crate::driver::{Aggregate, AggregateFunction, Group, Page, SubQuery, sum_overflow};
use crate::error::{Error, Result};
use crate::schema::Part;
use crate::types::{Id, LogicalType, Value};

/// Binds values and runs a statement: how many rows it changed. Its answer is read with `step`.
pub(super) fn run(prepared: &mut Statement<'_>, values: &[Value]) -> duckdb::Result<usize> {
    for (i, value) in values.iter().enumerate() {
        prepared.raw_bind_parameter(i + 1, Parameter(value))?;
    }
    prepared.raw_execute()
}

/// Runs a statement that only reads, and hands on its answer piece by piece.
fn answer(
    connection: &Connection,
    statement: &sql::Statement,
    failed: impl Fn(duckdb::Error) -> Error,
    mut each: impl FnMut(&StructArray) -> Result<()>,
) -> Result<()> {
    if !statement.values.is_empty() {
        let mut prepared = connection.prepare_cached(&statement.text).map_err(&failed)?;
        run(&mut prepared, &statement.values).map_err(&failed)?;
        while let Some(batch) = prepared.step().map_err(&failed)? {
            each(&batch)?;
        }
        return Ok(());
    }
    // With parameters DuckDB plans anew at each run. Without, it keeps its plan, which holds the least and greatest values
    // of the columns when it was made, and reads later rows wrongly: so plan and run see one state of the table.
    let transaction = Transaction::begin(connection)?;
    let mut prepared = connection.prepare(&statement.text).map_err(&failed)?;
    prepared.raw_execute().map_err(&failed)?;
    while let Some(batch) = prepared.step().map_err(&failed)? {
        each(&batch)?;
    }
    drop(prepared);
    transaction.commit()
}

/// Runs a select of id, version, columns, and a score when `scored`.
pub(super) fn page(connection: &Connection, part: &Part, statement: &sql::Statement, columns: &[usize], scored: bool) -> Result<Page> {
    let mut page = Page::new(columns.len());
    answer(connection, statement, failure::error, |batch| decode::rows(&mut page, batch, part, columns, scored))?;
    Ok(page)
}

/// The one number that a statement gives.
pub(super) fn count(connection: &Connection, statement: &sql::Statement) -> Result<u64> {
    let mut count = 0;
    answer(connection, statement, failure::error, |batch| {
        batch.columns().first().map_or(Ok(()), |array| {
            decode::values(&LogicalType::INT, array, |value| {
                if let Value::Int(n) = value {
                    count = n;
                }
            })
        })
    })?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Rows by id, one after another, with a text of [`fetch_one`](select::fetch_one), in the order asked for.
pub(super) fn one_by_one(connection: &Connection, text: &str, part: &Part, ids: &[Id], columns: &[usize]) -> Result<Page> {
    let mut page = Page::new(columns.len());
    let mut prepared = connection.prepare_cached(text).map_err(failure::error)?;
    for id in ids {
        let Some(key) = part.key().kind.value(id) else { continue };
        run(&mut prepared, std::slice::from_ref(&key)).map_err(failure::error)?;
        while let Some(batch) = prepared.step().map_err(failure::error)? {
            decode::rows(&mut page, &batch, part, columns, false)?;
        }
    }
    Ok(page)
}

/// Runs an aggregation.
pub(super) fn groups(connection: &Connection, part: &Part, query: &Aggregate) -> Result<Vec<Group>> {
    let statement = aggregate::aggregate(&SQL, part, query)?;
    let logical = |position: usize| part.columns.get(position).map_or(LogicalType::INT, |column| column.logical);
    let failed = |cause| if failure::is_overflow(&cause) { sum_overflow() } else { failure::error(cause) };
    let mut groups: Vec<Group> = Vec::new();
    answer(connection, &statement, failed, |batch| {
        let before = groups.len();
        groups.resize_with(before + batch.len(), || Group { keys: Vec::new(), measures: Vec::new() });
        let Some(new) = groups.get_mut(before..) else { return Ok(()) };
        for (i, array) in batch.columns().iter().enumerate() {
            let key = query.keys.get(i);
            let measure = i.checked_sub(query.keys.len()).and_then(|i| query.measures.get(i));
            let of = measure.and_then(|measure| measure.column).map_or(LogicalType::INT, logical);
            let (read_as, summed) = match (key, measure.map(|measure| measure.function)) {
                (Some(&key), _) => (logical(key), false),
                (_, Some(AggregateFunction::Avg)) => (LogicalType::Float, false),
                (_, Some(AggregateFunction::Min | AggregateFunction::Max)) => (of, false),
                (_, Some(AggregateFunction::Sum)) if !matches!(of, LogicalType::Float) => (LogicalType::DECIMAL, true),
                (_, Some(AggregateFunction::Sum)) => (LogicalType::Float, false),
                _ => (LogicalType::INT, false),
            };
            let mut rows = new.iter_mut();
            let mut failed = None;
            let mut put = |value: Value| {
                let value = if measure.is_some() { checked(value, &of, summed) } else { Ok(value) };
                match (value, rows.next()) {
                    (Ok(value), Some(group)) if key.is_some() => group.keys.push(value),
                    (Ok(value), Some(group)) if measure.is_some() => group.measures.push(value),
                    (Err(error), _) => failed = Some(error),
                    _ => {}
                }
            };
            let read = decode::values(&read_as, array, &mut put);
            // A sum too long for a decimal is read as damage.
            read.map_err(|error| if summed { sum_overflow() } else { error })?;
            failed.map_or(Ok(()), Err)?;
        }
        Ok(())
    })?;
    Ok(groups)
}

/// A measure as a value of its column's type: sums of whole numbers come as decimals of any length.
fn checked(value: Value, of: &LogicalType, summed: bool) -> Result<Value> {
    match value {
        Value::Decimal(n) if summed && matches!(of, LogicalType::Int { .. }) => {
            i64::try_from(n.mantissa()).map(Value::Int).map_err(|_| sum_overflow())
        }
        Value::Float(n) if !n.is_finite() => Err(sum_overflow()),
        value => Ok(value),
    }
}

/// What the pages of one sub-query are read with.
pub(super) struct Reading {
    pub(super) instance: Arc<Instance>,
    pub(super) part: Arc<Part>,
}

impl Reading {
    async fn read_blocking(&self, statement: sql::Statement, columns: &[usize], scored: bool) -> Result<Page> {
        let (instance, part, columns) = (self.instance.clone(), self.part.clone(), columns.to_vec());
        blocking::run(move || instance.read(|connection| page(connection, &part, &statement, &columns, scored))).await
    }
}

impl Reader for Reading {
    // Each page reads the columns of the filter again: there should be few of them.
    const MOST_ROWS: usize = 65_536;
    const GROWTH: usize = 8;

    fn dialect(&self) -> &dyn Dialect {
        &SQL
    }

    async fn read(&self, _: &Part, statement: sql::Statement, columns: &[usize], scored: bool) -> Result<Page> {
        self.read_blocking(statement, columns, scored).await
    }

    async fn search(&self, part: &Part, query: &SubQuery) -> Result<Page> {
        let statement = select::select(&SQL, part, query, None, query.limit, 0)?;
        self.read_blocking(statement, &select::selected_columns(query), true).await
    }
}
