//! Statements of the application's own.

use std::sync::Arc;

use duckdb::Connection;
use duckdb::arrow::array::{Array, StructArray};
use duckdb::arrow::datatypes::{DataType, TimeUnit};

use super::instance::Instance;
use super::{decode, failure, read};
use crate::backends::embedded::blocking;
use crate::backends::sql::lexed::{Lexis, is_one_statement};
use crate::driver::{RawAnswer, RawColumn, RawStatement, Reply};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{LogicalType, Value};

/// Runs a statement off the caller's thread: nobody knows how long it takes. On a reader if it only reads, which a transaction
/// that may only read finds out before anything is changed.
pub(super) fn run(instance: &Arc<Instance>, statement: &RawStatement) -> Reply<'static, RawAnswer> {
    // The client would run all but the last of several while it prepares the text.
    if !is_one_statement(&statement.text, Lexis { brackets: false, postgres: true }) {
        let why = "several statements in one text: run them one by one, so that each has its values";
        return Reply::ready(Err(Error::new(ErrorKind::InvalidQuery, why)));
    }
    let (instance, statement) = (instance.clone(), statement.clone());
    blocking::run(move || {
        let read = instance.read(|connection| match transaction(connection, "BEGIN TRANSACTION READ ONLY", &statement) {
            Err(Failed::Writes) => Ok(None),
            Err(Failed::With(error)) => Err(error),
            Ok(answer) => Ok(Some(answer)),
        })?;
        match read {
            Some(answer) => Ok(answer),
            None => instance.write(|connection| transaction(connection, "BEGIN", &statement).map_err(Error::from)),
        }
    })
}

/// Why a statement did not run.
enum Failed {
    /// It changes something, where that is not allowed.
    Writes,
    With(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::With(error)
    }
}

impl From<duckdb::Error> for Failed {
    fn from(cause: duckdb::Error) -> Self {
        if failure::is_read_only(&cause) { Failed::Writes } else { Failed::With(failure::raw_error(cause)) }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Writes => Error::new(ErrorKind::PermissionDenied, "the database is only read"),
            Failed::With(error) => error,
        }
    }
}

/// Runs the statement as one transaction.
fn transaction(connection: &Connection, begin: &'static str, statement: &RawStatement) -> Result<RawAnswer, Failed> {
    connection.execute_batch(begin).map_err(failure::error)?;
    let answer = answer(connection, statement);
    let end = if answer.is_ok() { "COMMIT" } else { "ROLLBACK" };
    match connection.execute_batch(end) {
        Ok(()) => answer,
        // A failure may have ended it.
        Err(_) if answer.is_err() => answer,
        Err(cause) if failure::is_not_begun(&cause) => {
            let why = "a raw statement is a transaction by itself: for several in one use workspace.backend(…)?.with_connection";
            Err(Error::new(ErrorKind::InvalidQuery, why).into())
        }
        Err(cause) => Err(Failed::With(failure::error(cause))),
    }
}

fn answer(connection: &Connection, statement: &RawStatement) -> Result<RawAnswer, Failed> {
    // Not kept: without parameters DuckDB must not run one twice.
    let mut prepared = connection.prepare(&statement.text)?;
    statement.check_values(prepared.parameter_count())?;
    let values: Vec<Value> = statement.values.iter().map(|(_, value)| value.clone()).collect();
    let changed = read::run(&mut prepared, &values)? as u64;
    let schema = prepared.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let columns = statement.wanted.of(&names)?;
    for (at, column) in &columns {
        let there = schema.field(*at).data_type();
        if !reads(&column.logical, there) {
            return Err(RawAnswer::mismatch(names[*at], &there.to_string(), &column.logical).into());
        }
    }
    let mut found = RawAnswer { names: columns.iter().map(|(at, _)| names[*at].to_owned()).collect(), changed, ..RawAnswer::default() };
    // Rows that nobody looks at are not kept.
    while let Some(batch) = prepared.step()?.filter(|_| !columns.is_empty()) {
        rows(&batch, &columns, &mut found)?;
    }
    Ok(found)
}

/// Adds the rows of a piece of an answer.
fn rows(batch: &StructArray, columns: &[(usize, RawColumn)], found: &mut RawAnswer) -> Result<()> {
    let before = found.rows.len();
    found.rows.resize_with(before + batch.len(), || Vec::with_capacity(columns.len()));
    let RawAnswer { names, rows, .. } = found;
    for (name, (at, column)) in names.iter().zip(columns) {
        let mut new = rows.iter_mut().skip(before);
        let mut pushed = Ok(());
        let array = batch.column(*at);
        let read = decode::values(&column.logical, array, |value| {
            if let (Ok(()), Some(row)) = (&pushed, new.next()) {
                pushed = RawAnswer::push(row, name, column, value);
            }
        });
        // Of the right type, and beyond what is read of it.
        read.map_err(|_| RawAnswer::mismatch(name, &array.data_type().to_string(), &column.logical))?;
        pushed?;
    }
    Ok(())
}

/// Whether a column of DuckDB's is read as a logical type, without anything of it lost.
fn reads(logical: &LogicalType, there: &DataType) -> bool {
    let is_text = match there {
        DataType::Dictionary(_, values) => **values == DataType::Utf8,
        there => *there == DataType::Utf8,
    };
    match logical {
        _ if *there == DataType::Null => true,
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) => is_text,
        LogicalType::Json | LogicalType::Uuid => is_text,
        LogicalType::Bool => *there == DataType::Boolean,
        LogicalType::Int { .. } | LogicalType::Duration => there.is_integer() || matches!(there, DataType::Decimal128(_, 0)),
        LogicalType::Float => matches!(there, DataType::Float32 | DataType::Float64),
        LogicalType::Decimal { .. } => matches!(there, DataType::Decimal128(..)),
        LogicalType::Bytes => *there == DataType::Binary,
        LogicalType::Timestamp => matches!(there, DataType::Timestamp(unit, _) if *unit != TimeUnit::Nanosecond),
        LogicalType::Date => *there == DataType::Date32,
        LogicalType::List(item) => matches!(there, DataType::List(field) if reads(item, field.data_type())),
        LogicalType::Vector(length) => {
            matches!(there, DataType::FixedSizeList(field, size) if *size == *length as i32 && *field.data_type() == DataType::Float32)
        }
    }
}
