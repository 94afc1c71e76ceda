//! Writing batches: prepared statements row by row inside one transaction.

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::connection::Transaction;
use super::dialect::SqliteDialect;
use super::{codec, failure, words};
use crate::backends::sql::{ddl, write};
use crate::driver::{WriteBatch, WriteMode, WriteReport};
use crate::error::{ErrorKind, Result};
use crate::schema::{Column, Part};
use crate::types::Value;

/// Writes a batch, wholly or not at all.
pub(super) fn run(connection: &Connection, part: &Part, batch: &WriteBatch) -> Result<WriteReport> {
    let children = words::columns(part).next().is_some() || ddl::side_columns(part).next().is_some();
    // One statement is a transaction of its own.
    if batch.len() == 1 && !children {
        return rows(connection, part, batch);
    }
    let transaction = Transaction::begin(connection)?;
    let report = rows(connection, part, batch)?;
    transaction.commit()?;
    Ok(report)
}

fn rows(connection: &Connection, part: &Part, batch: &WriteBatch) -> Result<WriteReport> {
    let guarded = !part.is_mapped();
    let expected = !batch.expected.is_empty();
    let dialect = &SqliteDialect;
    let text = match batch.mode {
        WriteMode::Insert => write::insert(dialect, part, &batch.columns, 1)?,
        WriteMode::Upsert => write::upsert_on_conflict(dialect, part, &batch.columns, 1)?,
        // Nothing to set: there is no version either on a mapped table.
        WriteMode::Patch if batch.columns.is_empty() && !guarded => return Ok(WriteReport::default()),
        WriteMode::Patch => write::patch(dialect, part, &batch.columns, expected)?,
        WriteMode::Delete => write::delete(dialect, part),
    };
    let mut statement = connection.prepare_cached(&text).map_err(failure::error)?;
    let mut children = Children::new(connection, part, batch)?;
    let mut report = WriteReport::default();
    for row in 0..batch.len() {
        let id = batch.ids[row].as_str();
        let changed = loop {
            let changed = one(&mut statement, batch, row, guarded).or_else(|e| refused(connection, part, batch.mode, id, e))?;
            if changed > 0 {
                break true;
            }
            match stored_version(connection, part, id)? {
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
fn one(statement: &mut CachedStatement<'_>, batch: &WriteBatch, row: usize, guarded: bool) -> rusqlite::Result<usize> {
    let id = batch.ids[row].as_str();
    let mut next = 0;
    let mut position = || {
        next += 1;
        next
    };
    match batch.mode {
        WriteMode::Insert | WriteMode::Upsert => {
            statement.raw_bind_parameter(position(), id)?;
            if guarded {
                statement.raw_bind_parameter(position(), batch.version)?;
            }
            for value in batch.row(row) {
                statement.raw_bind_parameter(position(), codec::to_sql(value))?;
            }
        }
        WriteMode::Patch => {
            if guarded {
                statement.raw_bind_parameter(position(), batch.version)?;
            }
            for value in batch.row(row) {
                statement.raw_bind_parameter(position(), codec::to_sql(value))?;
            }
            statement.raw_bind_parameter(position(), id)?;
            if guarded {
                statement.raw_bind_parameter(position(), batch.version)?;
                if let Some(expected) = batch.expected.get(row) {
                    statement.raw_bind_parameter(position(), expected)?;
                }
            }
        }
        WriteMode::Delete => {
            statement.raw_bind_parameter(position(), id)?;
            if guarded {
                statement.raw_bind_parameter(position(), batch.version)?;
            }
        }
    }
    statement.raw_execute()
}

/// What a refused row means: of an id and a unique field that are both taken, the id is named.
fn refused(connection: &Connection, part: &Part, mode: WriteMode, id: &str, cause: rusqlite::Error) -> Result<usize> {
    let error = failure::write_error(cause, part, id);
    if mode == WriteMode::Insert && error.kind() == ErrorKind::UniqueViolation && stored_version(connection, part, id)?.is_some() {
        return Err(failure::already_exists(id));
    }
    Err(error)
}

fn stored_version(connection: &Connection, part: &Part, id: &str) -> Result<Option<i64>> {
    let text = crate::backends::sql::select::fetch_one(&SqliteDialect, part, &[])?;
    let mut statement = connection.prepare_cached(&text).map_err(failure::error)?;
    statement.query_row([id], |row| row.get(1)).optional().map_err(failure::error)
}

/// What is kept in step with the rows beside the table: indexes of words, and child tables of lists.
struct Children<'c> {
    words: Vec<(Option<usize>, words::Writer<'c>)>,
    items: Vec<(Option<usize>, Items<'c>)>,
}

/// The statements of one child table.
struct Items<'c> {
    clear: CachedStatement<'c>,
    insert: CachedStatement<'c>,
}

impl<'c> Children<'c> {
    /// Those that the batch concerns, each with the position of its column among the batch's.
    fn new(connection: &'c Connection, part: &Part, batch: &WriteBatch) -> Result<Self> {
        let position = |column: usize| batch.columns.iter().position(|&c| c == column);
        let concerned = |column: usize| batch.mode == WriteMode::Delete || position(column).is_some();
        let words = words::columns(part)
            .filter(|(i, _)| concerned(*i))
            .map(|(i, column)| Ok((position(i), words::Writer::new(connection, part, column)?)))
            .collect::<rusqlite::Result<_>>()
            .map_err(failure::error)?;
        let items = ddl::side_columns(part)
            .filter(|(i, _)| concerned(*i))
            .map(|(i, column)| Ok((position(i), Items::new(connection, part, column)?)))
            .collect::<rusqlite::Result<_>>()
            .map_err(failure::error)?;
        Ok(Children { words, items })
    }

    fn put(&mut self, connection: &Connection, batch: &WriteBatch, row: usize) -> rusqlite::Result<()> {
        let id = batch.ids[row].as_str();
        let value = |position: &Option<usize>| position.and_then(|i| batch.row(row).get(i));
        for (position, writer) in &mut self.words {
            writer.put(connection, id, value(position))?;
        }
        for (position, items) in &mut self.items {
            items.put(id, value(position))?;
        }
        Ok(())
    }
}

impl<'c> Items<'c> {
    fn new(connection: &'c Connection, part: &Part, column: &Column) -> rusqlite::Result<Self> {
        let child = ddl::child_name(&SqliteDialect, part, Some(column), "items");
        Ok(Items {
            clear: connection.prepare_cached(&write::clear_items(&SqliteDialect, &child))?,
            insert: connection.prepare_cached(&write::insert_item(&SqliteDialect, &child))?,
        })
    }

    fn put(&mut self, id: &str, list: Option<&Value>) -> rusqlite::Result<()> {
        self.clear.execute([id])?;
        for (position, item) in list.and_then(Value::as_list).unwrap_or_default().iter().enumerate() {
            self.insert.execute((id, position as i64, codec::to_sql(item)))?;
        }
        Ok(())
    }
}

/// Fills what belongs to a column that was added with a default, for the rows that are there.
pub(super) fn fill_children(connection: &Connection, part: &Part, column: &Column, default: &Value) -> Result<()> {
    let text = crate::backends::sql::select::fetch_ids(&SqliteDialect, part);
    let mut ids = connection.prepare(&text).map_err(failure::error)?;
    let ids = ids.query_map([], |row| row.get::<_, String>(0)).map_err(failure::error)?;
    let is_list = column.placement == crate::capability::Placement::SideTable;
    let mut items = is_list.then(|| Items::new(connection, part, column)).transpose().map_err(failure::error)?;
    let mut words = (!is_list).then(|| words::Writer::new(connection, part, column)).transpose().map_err(failure::error)?;
    for id in ids {
        let id = id.map_err(failure::error)?;
        if let Some(items) = &mut items {
            items.put(&id, Some(default)).map_err(failure::error)?;
        }
        if let Some(words) = &mut words {
            words.put(connection, &id, Some(default)).map_err(failure::error)?;
        }
    }
    Ok(())
}
