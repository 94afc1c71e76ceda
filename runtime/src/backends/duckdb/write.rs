//! Writing: a single row with a prepared statement; batches through a temporary table that DuckDB's appender fills, then
//! one statement, in one transaction.

use std::borrow::Cow;
use std::sync::Arc;

use duckdb::Connection;
use duckdb::arrow::array::{ArrayRef, RecordBatch};
use duckdb::arrow::datatypes::{Field, Schema};

use super::bind::written;
use super::dialect::{SQL, type_of};
use super::instance::Transaction;
use super::{decode, encode, failure, read, words};
use crate::backends::sql::{Sql, select};
use crate::capability::Placement;
use crate::driver::{WriteBatch, WriteMode, WriteReport, no_key};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};
use crate::types::{LogicalType, Value, canonical_key};

/// The temporary table of batches. Only the writing connection has one, and one batch at a time.
const STAGED: &str = "_hb_batch";

/// Rows that are laid out for the appender at once.
const LAID_OUT: usize = 8_192;

/// A column that a batch writes: one of the part, or the words beside it.
struct Carried<'p> {
    column: &'p Column,
    /// The column's position among the batch's.
    at: usize,
    words: bool,
}

impl<'p> Carried<'p> {
    fn of(part: &'p Part, batch: &WriteBatch) -> Vec<Self> {
        let mut all = Vec::with_capacity(batch.columns.len());
        for (at, column) in batch.columns.iter().enumerate().filter_map(|(at, &i)| Some((at, part.columns.get(i)?))) {
            all.push(Carried { column, at, words: false });
            if column.placement == Placement::InvertedIndex {
                all.push(Carried { column, at, words: true });
            }
        }
        all
    }

    fn physical(&self) -> Cow<'p, str> {
        if self.words { words::name(self.column).into() } else { Cow::Borrowed(&self.column.physical) }
    }

    fn logical(&self) -> LogicalType {
        if self.words { LogicalType::TEXT } else { self.column.logical }
    }

    fn value<'v>(&self, row: &'v [Value]) -> Cow<'v, Value> {
        match row.get(self.at) {
            Some(value) if self.words => Cow::Owned(words::of(value)),
            Some(value) => Cow::Borrowed(value),
            None => Cow::Owned(Value::Null),
        }
    }
}

/// Where the rows of a statement come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// From values that are bound.
    Bound,
    /// From the temporary table, as `s`.
    Staged,
}

/// `INSERT INTO … ON CONFLICT …`. Binds the key where it is bound, the version, the columns where they are bound.
fn put(part: &Part, carried: &[Carried<'_>], replace: bool, source: Source) -> String {
    let mut sql = Sql::new(&SQL);
    sql.push("INSERT INTO ").table(part).push(" AS t (").name(part.id_column());
    if let Some(version) = part.version() {
        sql.push(", ").name(version);
    }
    for column in carried {
        sql.push(", ").name(&column.physical());
    }
    sql.push(if source == Source::Bound { ") VALUES (" } else { ") SELECT " });
    if source == Source::Bound {
        sql.bind(crate::backends::sql::write::any_key(part));
    } else {
        sql.push("s.id");
    }
    if part.version().is_some() {
        sql.push(", ").bind(Value::Int(0));
    }
    for (i, column) in carried.iter().enumerate() {
        sql.push(", ");
        item(&mut sql, column, i, source);
    }
    if source == Source::Bound {
        sql.push(")");
    } else {
        sql.push(" FROM temp.main.").name(STAGED).push(" s");
    }
    if !replace {
        return sql.finish().text;
    }
    sql.push(" ON CONFLICT (").name(part.id_column()).push(") DO ");
    let names: Vec<Cow<'_, str>> = part.version().map(Cow::Borrowed).into_iter().chain(carried.iter().map(Carried::physical)).collect();
    if names.is_empty() {
        sql.push("NOTHING");
        return sql.finish().text;
    }
    sql.push("UPDATE SET ");
    for (i, name) in names.iter().enumerate() {
        sql.push(if i > 0 { ", " } else { "" }).name(name).push(" = excluded.").name(name);
    }
    if let Some(version) = part.version() {
        sql.push(" WHERE t.").name(version).push(" < excluded.").name(version);
    }
    sql.finish().text
}

fn item(sql: &mut Sql<'_>, column: &Carried<'_>, i: usize, source: Source) {
    if source == Source::Staged {
        sql.push("s.c").number(i);
        return;
    }
    let (before, after) = written(&column.logical());
    let any = if matches!(column.logical(), LogicalType::Uuid) { Value::Uuid(crate::types::Uuid::nil()) } else { Value::Null };
    sql.push(before).bind(any).push_type(&after);
}

/// `UPDATE …` or, for no columns and no version, nothing that changes a row. Binds the version, the columns where they are
/// bound, the key where it is bound, the version again, the expected version where it is bound.
fn patch(part: &Part, carried: &[Carried<'_>], expected: bool, source: Source) -> String {
    let mut sql = Sql::new(&SQL);
    sql.push("UPDATE ").table(part).push(" AS t SET ");
    if let Some(version) = part.version() {
        sql.name(version).push(" = ").bind(Value::Int(0)).push(if carried.is_empty() { "" } else { ", " });
    }
    for (i, column) in carried.iter().enumerate() {
        sql.push(if i > 0 { ", " } else { "" }).name(&column.physical()).push(" = ");
        item(&mut sql, column, i, source);
    }
    if source == Source::Staged {
        sql.push(" FROM temp.main.").name(STAGED).push(" s");
    }
    guard(&mut sql, part, expected, source);
    sql.finish().text
}

/// `DELETE …`. Binds the key where it is bound, and the version.
fn delete(part: &Part, source: Source) -> String {
    let mut sql = Sql::new(&SQL);
    sql.push("DELETE FROM ").table(part).push(" AS t");
    if source == Source::Staged {
        sql.push(" USING temp.main.").name(STAGED).push(" s");
    }
    guard(&mut sql, part, false, source);
    sql.finish().text
}

fn guard(sql: &mut Sql<'_>, part: &Part, expected: bool, source: Source) {
    sql.push(" WHERE t.").name(part.id_column()).push(" = ");
    if source == Source::Bound {
        sql.bind(crate::backends::sql::write::any_key(part));
    } else {
        sql.push("s.id");
    }
    let Some(version) = part.version() else { return };
    sql.push(" AND t.").name(version).push(" < ").bind(Value::Int(0));
    if expected {
        sql.push(" AND t.").name(version).push(" = ");
        if source == Source::Bound {
            sql.bind(Value::Int(0));
        } else {
            sql.push("s.expected");
        }
    }
}

/// Writes a batch of one row.
pub(super) fn one(connection: &Connection, part: &Part, batch: &WriteBatch) -> Result<WriteReport> {
    let mut report = WriteReport::default();
    let (Some(id), row) = (batch.ids.first(), batch.row(0)) else { return Ok(report) };
    let Some(key) = part.key().kind.value(id) else {
        return match batch.mode {
            WriteMode::Insert | WriteMode::Upsert => Err(no_key(part.key().kind)),
            WriteMode::Patch | WriteMode::Delete => Ok(WriteReport { missing: vec![0], ..report }),
        };
    };
    let carried = Carried::of(part, batch);
    let versioned = part.version().is_some();
    let version = versioned.then_some(Value::Int(batch.version));
    let expected = batch.expected.first().filter(|_| versioned && batch.mode == WriteMode::Patch).map(|n| Value::Int(*n));
    let values = carried.iter().map(|column| column.value(row).into_owned());
    let (text, values): (String, Vec<Value>) = match batch.mode {
        WriteMode::Insert | WriteMode::Upsert => {
            let text = put(part, &carried, batch.mode == WriteMode::Upsert, Source::Bound);
            (text, std::iter::once(key.clone()).chain(version).chain(values).collect())
        }
        // Nothing to set: there is no version either.
        WriteMode::Patch if carried.is_empty() && !versioned => (String::new(), Vec::new()),
        WriteMode::Patch => {
            let text = patch(part, &carried, expected.is_some(), Source::Bound);
            (text, version.clone().into_iter().chain(values).chain([key.clone()]).chain(version).chain(expected).collect())
        }
        WriteMode::Delete => (delete(part, Source::Bound), std::iter::once(key.clone()).chain(version).collect()),
    };
    let changed = if text.is_empty() {
        0
    } else {
        let mut prepared = connection.prepare_cached(&text).map_err(failure::error)?;
        match read::run(&mut prepared, &values) {
            Ok(changed) => changed,
            Err(cause) if failure::is_duplicate(&cause) => {
                if batch.mode == WriteMode::Insert && stored_version(connection, part, &key)?.is_some() {
                    return Err(failure::already_exists(id));
                }
                return Err(failure::not_unique(failure::clashed(&cause, part)).with("id", id));
            }
            Err(cause) => return Err(failure::error(cause)),
        }
    };
    if changed == 0 {
        match stored_version(connection, part, &key)? {
            Some(version) if versioned => report.stale.push((0, version)),
            // There, and nothing to write.
            Some(_) => {}
            None if batch.mode == WriteMode::Upsert => {}
            None => report.missing.push(0),
        }
    }
    Ok(report)
}

fn stored_version(connection: &Connection, part: &Part, key: &Value) -> Result<Option<i64>> {
    let text = select::fetch_one(&SQL, part, &[])?;
    let mut prepared = connection.prepare_cached(&text).map_err(failure::error)?;
    read::run(&mut prepared, std::slice::from_ref(key)).map_err(failure::error)?;
    let mut page = crate::driver::Page::new(0);
    while let Some(found) = prepared.step().map_err(failure::error)? {
        decode::rows(&mut page, &found, part, &[], false)?;
    }
    Ok(page.versions.first().copied())
}

/// Writes a batch of several rows, wholly or not at all.
pub(super) fn many(connection: &Connection, part: &Part, batch: &WriteBatch) -> Result<WriteReport> {
    let kind = part.key().kind;
    let mut keys: Vec<(usize, Value)> = Vec::with_capacity(batch.len());
    let mut report = WriteReport::default();
    for (row, id) in batch.ids.iter().enumerate() {
        match (kind.value(id), batch.mode) {
            (Some(key), _) => keys.push((row, key)),
            (None, WriteMode::Insert | WriteMode::Upsert) => return Err(no_key(kind)),
            (None, WriteMode::Patch | WriteMode::Delete) => report.missing.push(row),
        }
    }
    let carried = Carried::of(part, batch);
    let version: Vec<Value> = part.version().map(|_| Value::Int(batch.version)).into_iter().collect();
    let staged = Staged::new(connection, part, batch, &carried, &keys)?;
    // Not kept: the temporary table is another one next time, and one without parameters must not run twice (see `read`).
    let execute = |text: &str, values: &[Value]| -> duckdb::Result<usize> { read::run(&mut connection.prepare(text)?, values) };
    match batch.mode {
        WriteMode::Insert | WriteMode::Upsert => {
            let text = put(part, &carried, batch.mode == WriteMode::Upsert, Source::Staged);
            let refused = |cause: duckdb::Error| {
                if failure::is_duplicate(&cause) { staged.refused(part, batch, &cause) } else { failure::error(cause) }
            };
            let transaction = Transaction::begin(connection)?;
            let written = match execute(&text, &version) {
                Ok(written) => written,
                Err(cause) => {
                    // What refused the row is looked for in the state before.
                    drop(transaction);
                    return Err(refused(cause));
                }
            };
            if written < keys.len() && part.version().is_some() {
                // Which rows were passed over can only be told from the state before.
                drop(transaction);
                let transaction = Transaction::begin(connection)?;
                staged.passed_over(part, batch, &mut report)?;
                execute(&text, &version).map_err(failure::error)?;
                transaction.commit()?;
            } else {
                transaction.commit()?;
            }
        }
        WriteMode::Patch | WriteMode::Delete => {
            let transaction = Transaction::begin(connection)?;
            staged.passed_over(part, batch, &mut report)?;
            let expected = staged.expected;
            let nothing = batch.mode == WriteMode::Patch && carried.is_empty() && version.is_empty();
            let (text, values) = match batch.mode {
                WriteMode::Patch => (patch(part, &carried, expected, Source::Staged), [&version[..], &version[..]].concat()),
                _ => (delete(part, Source::Staged), version),
            };
            if !nothing {
                execute(&text, &values).map_err(|cause| {
                    if failure::is_duplicate(&cause) { failure::not_unique(group_of(part, batch, &cause)) } else { failure::error(cause) }
                })?;
            }
            transaction.commit()?;
            report.stale.sort_unstable();
            report.missing.sort_unstable();
        }
    }
    Ok(report)
}

/// The group in which a row clashed: with a stored row, or with another of the batch, which DuckDB does not name.
fn group_of<'p>(part: &'p Part, batch: &WriteBatch, cause: &duckdb::Error) -> Option<Vec<&'p Column>> {
    let twice = || {
        part.unique_groups().into_iter().find(|group| {
            let at: Option<Vec<usize>> = group.iter().map(|i| batch.columns.iter().position(|c| c == i)).collect();
            let Some(at) = at else { return false };
            let mut seen = std::collections::HashSet::new();
            (0..batch.len()).any(|row| {
                let values = batch.row(row);
                let mut key = Vec::new();
                let whole = at.iter().all(|&i| {
                    values.get(i).is_some_and(|value| {
                        canonical_key(value, &mut key);
                        !value.is_null()
                    })
                });
                whole && !seen.insert(key)
            })
        })
    };
    let columns = |group: Vec<usize>| group.into_iter().filter_map(|i| part.columns.get(i)).collect();
    failure::clashed(cause, part).or_else(|| twice().map(columns))
}

/// The rows of a batch in the temporary table: `row`, `id`, `expected` where it is asked for, `c0`, `c1`, …
struct Staged<'c> {
    connection: &'c Connection,
    expected: bool,
}

impl<'c> Staged<'c> {
    fn new(connection: &'c Connection, part: &Part, batch: &WriteBatch, carried: &[Carried<'_>], keys: &[(usize, Value)]) -> Result<Self> {
        let expected = batch.mode == WriteMode::Patch && !batch.expected.is_empty() && part.version().is_some();
        let key = part.key().kind.logical();
        let mut sql = Sql::new(&SQL);
        sql.push("CREATE OR REPLACE TEMP TABLE ").name(STAGED).push(" (row BIGINT, id ").push_type(&type_of(&key));
        sql.push(if expected { ", expected BIGINT" } else { "" });
        let mut fields = vec![encode::field("row", &LogicalType::INT), encode::field("id", &key)];
        fields.extend(expected.then(|| encode::field("expected", &LogicalType::INT)));
        for (i, column) in carried.iter().enumerate() {
            let logical = column.logical();
            // JSON travels as its text.
            let lies = if matches!(logical, LogicalType::Json) { "VARCHAR".into() } else { type_of(&logical) };
            sql.push(", c").number(i).push(" ").push_type(&lies);
            fields.push(encode::field("c", &logical));
        }
        sql.push(")");
        connection.execute_batch(&sql.finish().text).map_err(failure::error)?;
        let staged = Staged { connection, expected };
        staged.fill(fields, batch, carried, keys)?;
        Ok(staged)
    }

    fn fill(&self, fields: Vec<Field>, batch: &WriteBatch, carried: &[Carried<'_>], keys: &[(usize, Value)]) -> Result<()> {
        let schema = Arc::new(Schema::new(fields));
        let internal = |cause| Error::new(ErrorKind::Internal, "a batch could not be laid out").caused_by(cause);
        let mut appender = self.connection.appender_to_catalog_and_db(STAGED, "temp", "main").map_err(failure::error)?;
        for keys in keys.chunks(LAID_OUT) {
            let rows: Vec<Value> = keys.iter().map(|(row, _)| Value::Int(*row as i64)).collect();
            let mut arrays: Vec<ArrayRef> = vec![encode::array(&LogicalType::INT, rows.iter())?];
            let key = keys.first().map_or(LogicalType::Id, |(_, key)| match key {
                Value::Int(_) => LogicalType::INT,
                Value::Uuid(_) => LogicalType::Uuid,
                _ => LogicalType::Id,
            });
            arrays.push(encode::array(&key, keys.iter().map(|(_, key)| key))?);
            if self.expected {
                let versions: Vec<Value> =
                    keys.iter().map(|(row, _)| batch.expected.get(*row).map_or(Value::Null, |n| Value::Int(*n))).collect();
                arrays.push(encode::array(&LogicalType::INT, versions.iter())?);
            }
            for column in carried {
                let null = Value::Null;
                arrays.push(if column.words {
                    let words: Vec<Value> = keys.iter().map(|(row, _)| column.value(batch.row(*row)).into_owned()).collect();
                    encode::array(&column.logical(), words.iter())?
                } else {
                    encode::array(&column.logical(), keys.iter().map(|(row, _)| batch.row(*row).get(column.at).unwrap_or(&null)))?
                });
            }
            let rows = RecordBatch::try_new(schema.clone(), arrays).map_err(internal)?;
            appender.append_record_batch(rows).map_err(failure::error)?;
        }
        appender.flush().map_err(failure::error)
    }

    /// Notes which rows are not there, or not to be changed.
    fn passed_over(&self, part: &Part, batch: &WriteBatch, report: &mut WriteReport) -> Result<()> {
        let mut sql = Sql::new(&SQL);
        sql.push("SELECT s.row, ");
        let Some(version) = part.version() else {
            sql.push("NULL FROM temp.main.").name(STAGED).push(" s WHERE s.id NOT IN (SELECT t.").name(part.id_column());
            sql.push(" FROM ").table(part).push(" t)");
            return self.note(&sql.finish().text, &[], report);
        };
        sql.push("t.").name(version).push(" FROM temp.main.").name(STAGED).push(" s LEFT JOIN ").table(part).push(" t ON t.");
        sql.name(part.id_column()).push(" = s.id WHERE t.").name(version).push(" IS NULL OR t.").name(version).push(" >= ");
        sql.bind(Value::Int(batch.version));
        if self.expected {
            sql.push(" OR t.").name(version).push(" <> s.expected");
        }
        let statement = sql.finish();
        let (mut found, insert) = (WriteReport::default(), matches!(batch.mode, WriteMode::Insert | WriteMode::Upsert));
        self.note(&statement.text, &statement.values, &mut found)?;
        report.stale.append(&mut found.stale);
        if !insert {
            report.missing.append(&mut found.missing);
        }
        report.stale.sort_unstable();
        Ok(())
    }

    fn note(&self, text: &str, values: &[Value], report: &mut WriteReport) -> Result<()> {
        let mut prepared = self.connection.prepare(text).map_err(failure::error)?;
        read::run(&mut prepared, values).map_err(failure::error)?;
        while let Some(found) = prepared.step().map_err(failure::error)? {
            let (mut rows, mut versions) = (Vec::new(), Vec::new());
            for (array, into) in found.columns().iter().zip([&mut rows, &mut versions]) {
                decode::values(&LogicalType::INT, array, |value| into.push(value))?;
            }
            for pair in rows.into_iter().zip(versions) {
                match pair {
                    (Value::Int(row), Value::Int(version)) => report.stale.push((row as usize, version)),
                    (Value::Int(row), _) => report.missing.push(row as usize),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// The error of a batch that a unique column refused.
    fn refused(&self, part: &Part, batch: &WriteBatch, cause: &duckdb::Error) -> Error {
        if batch.mode == WriteMode::Insert {
            let mut sql = Sql::new(&SQL);
            sql.push("SELECT min(s.row), NULL FROM temp.main.").name(STAGED).push(" s JOIN ").table(part).push(" t ON t.");
            sql.name(part.id_column()).push(" = s.id");
            let mut there = WriteReport::default();
            if self.note(&sql.finish().text, &[], &mut there).is_ok()
                && let Some(id) = there.missing.first().and_then(|&row| batch.ids.get(row))
            {
                return failure::already_exists(id);
            }
        }
        failure::not_unique(group_of(part, batch, cause))
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // Else it would hold its memory until the next batch; that one replaces it in any case.
        let _ = self.connection.execute_batch("DROP TABLE IF EXISTS temp.main._hb_batch");
    }
}
