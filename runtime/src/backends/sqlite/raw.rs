//! Statements of the application's own.

use std::sync::Arc;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Statement};

use super::connection::Pool;
use super::{codec, failure};
use crate::backends::embedded::blocking;
use crate::driver::{RawAnswer, RawStatement, Reply};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{LogicalType, Value};

/// Runs a statement off the caller's thread: nobody knows how long it takes. On a reader if it only reads.
pub(super) fn run(pool: &Arc<Pool>, statement: &RawStatement) -> Reply<'static, RawAnswer> {
    let (pool, statement) = (pool.clone(), statement.clone());
    blocking::run(move || {
        let read = pool.read(|connection| {
            let mut prepared = prepare(connection, &statement)?;
            if !prepared.readonly() {
                return Ok(None);
            }
            let answer = answer(&mut prepared, &statement);
            drop(prepared);
            closed(connection, answer).map(Some)
        })?;
        match read {
            Some(answer) => Ok(answer),
            None => pool.write(|connection| {
                let before = connection.total_changes();
                let mut prepared = prepare(connection, &statement)?;
                let answer = answer(&mut prepared, &statement);
                drop(prepared);
                let changed = connection.total_changes().saturating_sub(before);
                closed(connection, answer.map(|answer| RawAnswer { changed, ..answer }))
            }),
        }
    })
}

/// A statement that begins a transaction would keep it for whoever comes next.
fn closed(connection: &Connection, answer: Result<RawAnswer>) -> Result<RawAnswer> {
    if connection.is_autocommit() {
        return answer;
    }
    connection.execute_batch("ROLLBACK").map_err(failure::error)?;
    let why = "a raw statement is a transaction by itself: for several in one use workspace.backend(…)?.with_connection";
    answer.and(Err(Error::new(ErrorKind::InvalidQuery, why)))
}

fn prepare<'c>(connection: &'c Connection, statement: &RawStatement) -> Result<Statement<'c>> {
    let prepared = connection.prepare(&statement.text).map_err(|cause| match cause {
        rusqlite::Error::MultipleStatement => {
            Error::new(ErrorKind::InvalidQuery, "several statements in one text: run them one by one, so that each has its values")
        }
        // SQLite's words here are about the text alone.
        rusqlite::Error::SqlInputError { ref msg, .. } => {
            let error = Error::new(ErrorKind::InvalidQuery, "SQLite does not take the statement").with("engine", msg);
            error.caused_by(cause)
        }
        cause => failure::error(cause),
    })?;
    statement.check_values(prepared.parameter_count())?;
    Ok(prepared)
}

fn answer(prepared: &mut Statement<'_>, statement: &RawStatement) -> Result<RawAnswer> {
    let names: Vec<String> = prepared.column_names().into_iter().map(str::to_owned).collect();
    let columns = statement.wanted.of(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    for (i, (_, value)) in statement.values.iter().enumerate() {
        prepared.raw_bind_parameter(i + 1, codec::to_sql(value)).map_err(failure::error)?;
    }
    let mut found = RawAnswer { names: columns.iter().map(|(at, _)| names[*at].clone()).collect(), ..RawAnswer::default() };
    let mut rows = prepared.raw_query();
    while let Some(row) = rows.next().map_err(failure::error)? {
        let mut values = Vec::with_capacity(columns.len());
        for (at, column) in &columns {
            let value = read(&column.logical, row.get_ref(*at).map_err(failure::error)?, &names[*at])?;
            RawAnswer::push(&mut values, &names[*at], column, value)?;
        }
        // Rows that nobody looks at are not kept.
        if !columns.is_empty() {
            found.rows.push(values);
        }
    }
    Ok(found)
}

fn read(logical: &LogicalType, stored: ValueRef<'_>, name: &str) -> Result<Value> {
    codec::from_sql(logical, stored).map_err(|_| RawAnswer::mismatch(name, &stored.data_type().to_string().to_lowercase(), logical))
}
