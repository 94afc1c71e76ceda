//! Reading: rows by id, groups, and how a row is read.

use rusqlite::{CachedStatement, Connection, Row, Rows};

use super::connection::Transaction;
use super::dialect::SQL;
use super::{codec, failure, functions};
use crate::backends::sql::{Statement, aggregate};
use crate::driver::{Aggregate, AggregateFunction, Group, Page, sum_overflow};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{KeyKind, Part};
use crate::types::{Id, LogicalType, Value};

/// Rows by id with a text of [`fetch_one`](crate::backends::sql::select::fetch_one), in the order asked for.
pub(super) fn fetch(connection: &Connection, text: &str, part: &Part, ids: &[Id], columns: &[usize]) -> Result<Page> {
    let mut page = Page::new(columns.len());
    let mut statement = connection.prepare_cached(text).map_err(failure::error)?;
    // Several look-ups share one transaction: one state of the database, and one lock of the file.
    let transaction = if ids.len() > 1 { Some(Transaction::read(connection)?) } else { None };
    let kind = part.key().kind;
    for id in ids {
        let Some(key) = codec::key(kind, id) else { continue };
        statement.raw_bind_parameter(1, key).map_err(failure::error)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(failure::error)? {
            // A table of others may compare its texts in its own way.
            if part.is_mapped() && read_id(row, part)? != *id {
                continue;
            }
            push_row(&mut page, row, part, columns)?;
            break;
        }
    }
    drop(statement);
    if let Some(transaction) = transaction {
        transaction.commit()?;
    }
    Ok(page)
}

/// Adds a row that begins with id, version and the columns.
pub(super) fn push_row(page: &mut Page, row: &Row<'_>, part: &Part, columns: &[usize]) -> Result<()> {
    push_known(page, read_id(row, part)?, row, part, columns)
}

/// The same of a row whose id is known.
pub(super) fn push_known(page: &mut Page, id: Id, row: &Row<'_>, part: &Part, columns: &[usize]) -> Result<()> {
    page.ids.push(id);
    page.versions.push(row.get_ref(1).and_then(|v| Ok(v.as_i64()?)).map_err(failure::error)?);
    for (i, &position) in columns.iter().enumerate() {
        page.values.push(read_column(row, i + 2, part, position)?);
    }
    Ok(())
}

fn read_id(row: &Row<'_>, part: &Part) -> Result<Id> {
    let stored = row.get_ref(0).map_err(failure::error)?;
    let kind = part.key().kind;
    let id = match kind {
        KeyKind::Text => stored.as_str().ok().map(Id::from),
        _ => codec::from_sql(&kind.logical(), stored).ok().and_then(|key| kind.id(key)),
    };
    id.ok_or_else(|| {
        let why = format!("a stored id that is no {}: something else wrote it", kind.logical());
        Error::new(ErrorKind::Corrupt, why).at_field("object_id").of_entity(part.entity.name)
    })
}

pub(super) fn read_column(row: &Row<'_>, at: usize, part: &Part, position: usize) -> Result<Value> {
    let column = part.columns.get(position).ok_or_else(|| Error::new(ErrorKind::Internal, "a column outside of the part"))?;
    let stored = row.get_ref(at).map_err(failure::error)?;
    codec::from_sql(&column.logical, stored).map_err(|e| e.at_field(column.name).of_entity(part.entity.name))
}

/// Binds a statement's values and begins it.
pub(super) fn bind<'s>(prepared: &'s mut CachedStatement<'_>, statement: &Statement) -> Result<Rows<'s>> {
    for (i, value) in statement.values.iter().enumerate() {
        prepared.raw_bind_parameter(i + 1, codec::to_sql(value)).map_err(failure::error)?;
    }
    Ok(prepared.raw_query())
}

/// The one number that a statement gives.
pub(super) fn count(connection: &Connection, statement: &Statement) -> Result<u64> {
    let mut prepared = connection.prepare_cached(&statement.text).map_err(failure::error)?;
    let mut found = bind(&mut prepared, statement)?;
    let row = found.next().map_err(failure::error)?;
    let count = row.map_or(Ok(0), |row| row.get::<_, i64>(0)).map_err(failure::error)?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Runs an aggregation.
pub(super) fn groups(connection: &Connection, part: &Part, query: &Aggregate) -> Result<Vec<Group>> {
    let statement = aggregate::aggregate(&SQL, part, query)?;
    let logical = |position: usize| part.columns.get(position).map_or(LogicalType::INT, |column| column.logical);
    let measures: Vec<LogicalType> = query
        .measures
        .iter()
        .map(|measure| match (measure.function, measure.column) {
            (AggregateFunction::Avg, _) => LogicalType::Float,
            (AggregateFunction::Sum | AggregateFunction::Min | AggregateFunction::Max, Some(column)) => logical(column),
            _ => LogicalType::INT,
        })
        .collect();
    let mut prepared = connection.prepare_cached(&statement.text).map_err(failure::error)?;
    let mut rows = bind(&mut prepared, &statement)?;
    let mut groups = Vec::new();
    while let Some(row) = rows.next().map_err(sum_error)? {
        let keys = query.keys.iter().enumerate().map(|(i, &key)| read_column(row, i, part, key)).collect::<Result<_>>()?;
        let measures = measures
            .iter()
            .enumerate()
            .map(|(i, logical)| {
                let value = codec::from_sql(logical, row.get_ref(query.keys.len() + i).map_err(failure::error)?)?;
                if matches!(value, Value::Float(n) if !n.is_finite()) { Err(sum_overflow()) } else { Ok(value) }
            })
            .collect::<Result<_>>()?;
        groups.push(Group { keys, measures });
    }
    Ok(groups)
}

fn sum_error(cause: rusqlite::Error) -> Error {
    match &cause {
        rusqlite::Error::SqliteFailure(_, Some(message)) if message.contains(functions::OVERFLOW) => sum_overflow(),
        _ => failure::error(cause),
    }
}
