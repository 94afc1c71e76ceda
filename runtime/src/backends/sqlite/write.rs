//! Writing batches: prepared statements row by row inside one transaction.

use rusqlite::types::ToSqlOutput;
use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::connection::Transaction;
use super::dialect::SQL;
use super::{codec, failure, vectors, words};
use crate::backends::sql::{Dialect, ddl, write};
use crate::capability::Placement;
use crate::driver::no_key;
use crate::driver::{WriteBatch, WriteMode, WriteReport};
use crate::error::{ErrorKind, Result};
use crate::schema::{Column, Part};
use crate::types::{Id, Value};

/// Writes a batch, wholly or not at all.
pub(super) fn run(connection: &Connection, part: &Part, batch: &WriteBatch) -> Result<WriteReport> {
    let children = part.columns.iter().any(|column| Child::of(part, column).is_some());
    // One statement is a transaction of its own.
    if batch.len() == 1 && !children {
        return rows(connection, part, batch);
    }
    let transaction = Transaction::begin(connection)?;
    match rows(connection, part, batch) {
        Err(e) if e.kind() == ErrorKind::UniqueViolation && batch.len() > 1 && batch.mode == WriteMode::Upsert && !part.is_mapped() => {}
        report => return report.and_then(|report| transaction.commit().map(|()| report)),
    }
    drop(transaction);
    // SQLite looks at uniqueness row by row, and two rows may swap their values: what counts is how all will be after.
    let transaction = Transaction::begin(connection)?;
    give_up(connection, part, batch)?;
    let report = rows(connection, part, batch)?;
    transaction.commit()?;
    Ok(report)
}

/// Removes the rows that the batch is going to replace, within its transaction. Those that its guard holds back stay.
fn give_up(connection: &Connection, part: &Part, batch: &WriteBatch) -> Result<()> {
    let mut statement = connection.prepare_cached(&write::delete(&SQL, part)).map_err(failure::error)?;
    for id in &batch.ids {
        statement.execute((id.as_str(), batch.version)).map_err(failure::error)?;
    }
    Ok(())
}

fn rows(connection: &Connection, part: &Part, batch: &WriteBatch) -> Result<WriteReport> {
    let guarded = !part.is_mapped();
    let expected = !batch.expected.is_empty();
    let dialect = &SQL;
    // Positions among the batch's columns of those that lie in the row.
    let here: Vec<usize> =
        (0..batch.columns.len()).filter(|&i| !part.columns.get(batch.columns[i]).is_some_and(|c| SQL.lies_apart(part, c))).collect();
    let columns: Vec<usize> = here.iter().map(|&i| batch.columns[i]).collect();
    let text = match batch.mode {
        WriteMode::Insert => write::insert(dialect, part, &columns, 1)?,
        WriteMode::Upsert => write::upsert_on_conflict(dialect, part, &columns, 1)?,
        // Nothing to set: there is no version either on a mapped table.
        WriteMode::Patch if batch.columns.is_empty() && !guarded => return Ok(WriteReport::default()),
        WriteMode::Patch => write::patch(dialect, part, &columns, expected)?,
        WriteMode::Delete => write::delete(dialect, part),
    };
    let mut statement = connection.prepare_cached(&text).map_err(failure::error)?;
    let mut children = Children::new(connection, part, batch)?;
    let mut report = WriteReport::default();
    let kind = part.key().kind;
    for row in 0..batch.len() {
        let id = &batch.ids[row];
        let key = match (codec::key(kind, id), batch.mode) {
            (Some(key), _) => key,
            (None, WriteMode::Insert | WriteMode::Upsert) => return Err(no_key(kind)),
            (None, WriteMode::Patch | WriteMode::Delete) => {
                report.missing.push(row);
                continue;
            }
        };
        let changed = loop {
            let changed =
                one(&mut statement, batch, row, &key, &here, guarded).or_else(|e| refused(connection, part, batch.mode, id, e))?;
            if changed > 0 {
                break true;
            }
            match stored_version(connection, part, id)? {
                // Without a version or a field to write there is nothing that could differ.
                Some(_) if !guarded => break true,
                Some(version) => report.stale.push((row, version)),
                // Removed by another process between the two statements: the row is free now.
                None if batch.mode == WriteMode::Upsert && guarded => continue,
                None if batch.mode == WriteMode::Upsert => break true,
                None => report.missing.push(row),
            }
            break false;
        };
        if changed {
            children.put(connection, batch, row).map_err(failure::error)?;
        }
    }
    Ok(report)
}

/// Binds and runs one row: how many rows changed.
fn one(
    statement: &mut CachedStatement<'_>,
    batch: &WriteBatch,
    row: usize,
    key: &ToSqlOutput<'_>,
    here: &[usize],
    guarded: bool,
) -> rusqlite::Result<usize> {
    let values = batch.row(row);
    let mut next = 0;
    let mut position = || {
        next += 1;
        next
    };
    match batch.mode {
        WriteMode::Insert | WriteMode::Upsert => {
            statement.raw_bind_parameter(position(), key)?;
            if guarded {
                statement.raw_bind_parameter(position(), batch.version)?;
            }
            for &column in here {
                statement.raw_bind_parameter(position(), codec::to_sql(&values[column]))?;
            }
        }
        WriteMode::Patch => {
            if guarded {
                statement.raw_bind_parameter(position(), batch.version)?;
            }
            for &column in here {
                statement.raw_bind_parameter(position(), codec::to_sql(&values[column]))?;
            }
            statement.raw_bind_parameter(position(), key)?;
            if guarded {
                statement.raw_bind_parameter(position(), batch.version)?;
                if let Some(expected) = batch.expected.get(row) {
                    statement.raw_bind_parameter(position(), expected)?;
                }
            }
        }
        WriteMode::Delete => {
            statement.raw_bind_parameter(position(), key)?;
            if guarded {
                statement.raw_bind_parameter(position(), batch.version)?;
            }
        }
    }
    statement.raw_execute()
}

/// What a refused row means: of an id and a unique field that are both taken, the id is named.
fn refused(connection: &Connection, part: &Part, mode: WriteMode, id: &Id, cause: rusqlite::Error) -> Result<usize> {
    let error = failure::write_error(cause, part, id);
    if mode == WriteMode::Insert && error.kind() == ErrorKind::UniqueViolation && stored_version(connection, part, id)?.is_some() {
        return Err(failure::already_exists(id));
    }
    Err(error)
}

fn stored_version(connection: &Connection, part: &Part, id: &Id) -> Result<Option<i64>> {
    let text = crate::backends::sql::select::fetch_one(&SQL, part, &[])?;
    let mut statement = connection.prepare_cached(&text).map_err(failure::error)?;
    let Some(key) = codec::key(part.key().kind, id) else { return Ok(None) };
    statement.query_row([key], |row| row.get(1)).optional().map_err(failure::error)
}

/// What is kept in step with the rows beside the table, each with the position of its column among the batch's.
struct Children<'c>(Vec<(Option<usize>, ChildWriter<'c>)>);

/// What belongs to a column beside the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Child {
    /// The items of a list.
    Items,
    /// The index of words.
    Words,
    /// The vectors.
    Vectors,
}

impl Child {
    pub(super) fn of(part: &Part, column: &Column) -> Option<Child> {
        match column.placement {
            _ if SQL.lies_apart(part, column) => Some(Child::Vectors),
            Placement::SideTable => Some(Child::Items),
            Placement::InvertedIndex => Some(Child::Words),
            _ => None,
        }
    }
}

enum ChildWriter<'c> {
    Items { clear: CachedStatement<'c>, insert: CachedStatement<'c> },
    Words(Box<words::Writer<'c>>),
    Vectors { clear: CachedStatement<'c>, put: CachedStatement<'c> },
}

impl<'c> Children<'c> {
    /// Those that the batch concerns.
    fn new(connection: &'c Connection, part: &Part, batch: &WriteBatch) -> Result<Self> {
        let mut children = Vec::new();
        for (i, column) in part.columns.iter().enumerate() {
            let position = batch.columns.iter().position(|&c| c == i);
            if position.is_none() && batch.mode != WriteMode::Delete {
                continue;
            }
            if let Some(writer) = ChildWriter::new(connection, part, column).map_err(failure::error)? {
                children.push((position, writer));
            }
        }
        Ok(Children(children))
    }

    fn put(&mut self, connection: &Connection, batch: &WriteBatch, row: usize) -> rusqlite::Result<()> {
        let id = batch.ids[row].as_str();
        for (position, writer) in &mut self.0 {
            writer.put(connection, id, position.and_then(|i| batch.row(row).get(i)))?;
        }
        Ok(())
    }
}

impl<'c> ChildWriter<'c> {
    fn new(connection: &'c Connection, part: &Part, column: &Column) -> rusqlite::Result<Option<Self>> {
        let name = |purpose| ddl::child_name(&SQL, part, Some(column), purpose);
        Ok(match Child::of(part, column) {
            Some(Child::Items) => Some(ChildWriter::Items {
                clear: connection.prepare_cached(&write::clear_items(&SQL, &name("items")))?,
                insert: connection.prepare_cached(&write::insert_item(&SQL, &name("items")))?,
            }),
            Some(Child::Words) => Some(ChildWriter::Words(Box::new(words::Writer::new(connection, part, column)?))),
            Some(Child::Vectors) => Some(ChildWriter::Vectors {
                clear: connection.prepare_cached(&write::clear_items(&SQL, &name("vectors")))?,
                put: connection.prepare_cached(&vectors::put(&name("vectors")))?,
            }),
            None => None,
        })
    }

    /// Makes them say of a row what its column says; `None` and null for no value.
    fn put(&mut self, connection: &Connection, id: &str, value: Option<&Value>) -> rusqlite::Result<()> {
        match self {
            ChildWriter::Words(writer) => writer.put(connection, id, value)?,
            ChildWriter::Items { clear, insert } => {
                clear.execute([id])?;
                for (position, item) in value.and_then(Value::as_list).unwrap_or_default().iter().enumerate() {
                    insert.execute((id, position as i64, codec::to_sql(item)))?;
                }
            }
            ChildWriter::Vectors { clear, put } => match value {
                Some(vector) if !vector.is_null() => {
                    put.execute((id, codec::to_sql(vector)))?;
                }
                _ => {
                    clear.execute([id])?;
                }
            },
        }
        Ok(())
    }
}

/// Fills what belongs to a column that was added with a default, for the rows that are there.
pub(super) fn fill_children(connection: &Connection, part: &Part, column: &Column, default: &Value) -> Result<()> {
    let Some(mut writer) = ChildWriter::new(connection, part, column).map_err(failure::error)? else { return Ok(()) };
    let text = crate::backends::sql::select::fetch_ids(&SQL, part);
    let mut ids = connection.prepare(&text).map_err(failure::error)?;
    for id in ids.query_map([], |row| row.get::<_, String>(0)).map_err(failure::error)? {
        writer.put(connection, &id.map_err(failure::error)?, Some(default)).map_err(failure::error)?;
    }
    Ok(())
}
