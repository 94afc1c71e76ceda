//! Batches as statements of many rows, in one transaction.
//!
//! An upsert is one statement, `INSERT … ON DUPLICATE KEY UPDATE`, in which every assignment looks at the version first. A row
//! that stays as it is calls `LAST_INSERT_ID`, whose value comes back with the statement's outcome: so it costs nothing to
//! know that no row was stale, and when one was, the batch is undone and done again over locked rows. Where columns are
//! unique, rows are locked, removed and inserted instead: `ON DUPLICATE KEY` would take any unique key for the id.

use std::collections::HashMap;

use sqlx::Connection;
use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlQueryResult};

use super::batch::{Source, Writing, by_powers};
use super::core::{Core, run};
use super::{children, codec, failure, json};
use crate::backends::network::audited;
use crate::backends::network::failure::Phase;
use crate::backends::sql::{Sql, ddl, write};
use crate::driver::{WriteBatch, WriteMode, WriteReport};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part, VERSION_COLUMN};
use crate::types::{Id, Value};

/// Most attempts when another session wrote the same rows at the same time.
const CONFLICTS: u32 = 6;

/// How one attempt failed.
enum Failed {
    /// A row was newer: its rows must be locked first.
    Stale,
    /// Nothing was begun, or the server undid it and asks for another attempt.
    Again(Error),
    /// For good.
    Final(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Final(error)
    }
}

/// The rows that are there, by id, and what is to be done.
#[derive(Default)]
struct Found {
    report: WriteReport,
    present: Vec<usize>,
    absent: Vec<usize>,
}

/// Writes a batch.
pub(super) async fn write(core: &Core, part: &Part, batch: &WriteBatch) -> Result<WriteReport> {
    if batch.is_empty() {
        return Ok(WriteReport::default());
    }
    let mut writing = Writing::new(core, part, batch)?;
    let most = core.attempts().max(CONFLICTS);
    let mut attempt = 1;
    let mut locked = false;
    loop {
        match writing.once(locked).await {
            Ok(report) => return Ok(report),
            Err(Failed::Stale) if !locked => locked = true,
            Err(Failed::Stale) => {
                if attempt >= most {
                    let why = "another session wrote the same rows at the same time: try again";
                    return Err(Error::new(ErrorKind::Conflict, why).of_entity(part.entity.name));
                }
                attempt += 1;
            }
            Err(Failed::Final(error)) => return Err(error),
            Err(Failed::Again(error)) if attempt >= most => return Err(error),
            Err(Failed::Again(error)) => {
                if error.kind() == ErrorKind::Conflict {
                    // Let the other session finish first, and do not come back in step with it.
                    tokio::time::sleep(std::time::Duration::from_millis(u64::from(attempt) * 5)).await;
                }
                attempt += 1;
            }
        }
        writing.cached = false;
    }
}

impl Writing<'_> {
    async fn once(&self, locked: bool) -> Result<WriteReport, Failed> {
        let lost = |cause| {
            let lost = failure::is_lost(&cause);
            let error = failure::error(cause, Phase::Write);
            if lost { Failed::Again(error) } else { Failed::Final(error) }
        };
        let core = self.core;
        let mut work = core.work().await.map_err(lost)?;
        let mut transaction = core.waits(Phase::Write, work.connection().map_err(lost)?.begin()).await?.map_err(lost)?;
        let done = match self.apply(&mut transaction, locked).await {
            Ok(report) => {
                let committed = core.waits(Phase::Commit, transaction.commit()).await?;
                committed.map(|()| report).map_err(|cause| Failed::Final(failure::error(cause, Phase::Commit)))
            }
            // The server may not hear of it: the connection is closed.
            Err(Failed::Final(error)) if error.kind() == ErrorKind::Timeout => return Err(Failed::Final(error)),
            Err(failed) => {
                // What cannot be undone here, the server undoes when the connection ends.
                let _ = core.waits(Phase::Write, transaction.rollback()).await?;
                Err(failed)
            }
        };
        work.done();
        done
    }

    async fn apply(&self, connection: &mut MySqlConnection, locked: bool) -> Result<WriteReport, Failed> {
        let (report, written) = match self.batch.mode {
            WriteMode::Insert => {
                self.insert(connection, &self.order).await?;
                (WriteReport::default(), self.order.clone())
            }
            WriteMode::Upsert => self.upsert(connection, locked).await?,
            WriteMode::Patch => self.patch(connection).await?,
            WriteMode::Delete => self.delete(connection).await?,
        };
        self.children(connection, &written).await?;
        Ok(report)
    }

    /// Runs a statement with values that were bound already.
    async fn run(
        &self,
        connection: &mut MySqlConnection,
        text: String,
        arguments: MySqlArguments,
        rows: usize,
    ) -> Result<MySqlQueryResult, Failed> {
        let statement = sqlx::query_with(audited(text), arguments).persistent(self.keeps(rows));
        self.core.waits(Phase::Write, statement.execute(connection)).await?.map_err(|cause| self.refused(cause))
    }

    /// What the server said of a statement.
    fn refused(&self, cause: sqlx::Error) -> Failed {
        let again = failure::is_conflict(&cause) || failure::is_stale_plan(&cause);
        let key = if failure::number(&cause) == 1062 { failure::clashing_key(&cause) } else { None };
        let mut error = failure::error(cause, Phase::Write).of_entity(self.part.entity.name);
        let Some(key) = key else { return if again { Failed::Again(error) } else { Failed::Final(error) } };
        if key.eq_ignore_ascii_case("PRIMARY") && self.versioned {
            // A row that was not there a moment ago.
            let why = "another session wrote the same rows at the same time: try again";
            return Failed::Again(Error::new(ErrorKind::Conflict, why).of_entity(self.part.entity.name));
        }
        error = match ddl::unique_fields(&self.core.dialect, self.part, &key) {
            Some(fields) => error.at_field(fields),
            None => error.with("key", key),
        };
        Failed::Final(error)
    }

    async fn insert(&self, connection: &mut MySqlConnection, rows: &[usize]) -> Result<(), Failed> {
        for piece in self.pieces(rows, self.width()) {
            let (sql, arguments) = self.rows(piece, &self.columns)?;
            let statement = sqlx::query_with(audited(sql.finish().text), arguments).persistent(self.keeps(piece.len()));
            let Err(cause) = self.core.waits(Phase::Write, statement.execute(&mut *connection)).await? else { continue };
            if self.batch.mode == WriteMode::Insert && failure::number(&cause) == 1062 {
                // The id counts first, whichever key the server met.
                let there = self.versions(connection, piece, "").await?;
                let mut taken: Vec<usize> = piece.iter().copied().filter(|&row| there.contains_key(self.batch.ids[row].as_str())).collect();
                taken.sort_unstable();
                if let Some(&row) = taken.first() {
                    let error = Error::new(ErrorKind::AlreadyExists, "a row with this id is there already: use upsert to replace it");
                    return Err(error.of_entity(self.part.entity.name).with("id", self.batch.ids[row].as_str()).into());
                }
            }
            return Err(self.refused(cause));
        }
        Ok(())
    }

    async fn upsert(&self, connection: &mut MySqlConnection, locked: bool) -> Result<(WriteReport, Vec<usize>), Failed> {
        if !locked && self.versioned && !self.unique {
            self.put(connection, &self.order, &self.columns, &self.columns).await?;
            return Ok((WriteReport::default(), self.order.clone()));
        }
        let found = self.find(connection).await?;
        let mut written: Vec<usize> = found.present.iter().chain(&found.absent).copied().collect();
        written.sort_unstable_by(|&a, &b| self.batch.ids[a].cmp(&self.batch.ids[b]));
        if !self.versioned {
            self.update(connection, &found.present).await?;
            self.insert(connection, &found.absent).await?;
        } else if self.unique {
            // All of them go before the first one comes: they may swap values.
            self.remove(connection, &found.present).await?;
            self.insert(connection, &written).await?;
        } else {
            self.put(connection, &written, &self.columns, &self.columns).await?;
        }
        Ok((found.report, written))
    }

    /// Inserts rows with some columns, or changes some columns of those that are there and older.
    async fn put(
        &self,
        connection: &mut MySqlConnection,
        rows: &[usize],
        columns: &[(String, Source<'_>)],
        changed: &[(String, Source<'_>)],
    ) -> Result<(), Failed> {
        for piece in self.pieces(rows, columns.len() + 2) {
            let (mut sql, arguments) = self.rows(piece, columns)?;
            sql.push(" ON DUPLICATE KEY UPDATE ");
            for (name, _) in changed {
                sql.name(name).push(" = IF(").name(VERSION_COLUMN).push(" < VALUES(").name(VERSION_COLUMN).push("), VALUES(").name(name);
                sql.push("), ").name(name).push("), ");
            }
            // The last assignment: those before it compare with the version that was there.
            sql.name(VERSION_COLUMN).push(" = IF(").name(VERSION_COLUMN).push(" < VALUES(").name(VERSION_COLUMN).push("), VALUES(");
            sql.name(VERSION_COLUMN).push("), ").name(VERSION_COLUMN).push(" + 0 * LAST_INSERT_ID(1))");
            let done = self.run(connection, sql.finish().text, arguments, piece.len()).await?;
            if done.last_insert_id() != 0 {
                return Err(Failed::Stale);
            }
        }
        Ok(())
    }

    /// Changes rows that are there one by one.
    async fn update(&self, connection: &mut MySqlConnection, rows: &[usize]) -> Result<(), Failed> {
        if self.columns.is_empty() && !self.versioned {
            return Ok(());
        }
        for &row in rows {
            self.update_one(connection, row).await?;
        }
        Ok(())
    }

    async fn update_one(&self, connection: &mut MySqlConnection, row: usize) -> Result<u64, Failed> {
        let mut sql = Sql::new(&self.core.dialect);
        let mut arguments = MySqlArguments::default();
        sql.push("UPDATE ").table(self.part).push(" SET ");
        if self.versioned {
            sql.name(VERSION_COLUMN).push(" = ?").push(if self.columns.is_empty() { "" } else { ", " });
            codec::bind(&mut arguments, &Value::Int(self.batch.version))?;
        }
        for (i, (name, source)) in self.columns.iter().enumerate() {
            sql.push(if i > 0 { ", " } else { "" }).name(name).push(" = ?");
            self.bind(&mut arguments, row, *source)?;
        }
        sql.push(" WHERE ").name(self.part.id_column()).push(" = ?");
        self.bind_id(&mut arguments, row)?;
        if self.versioned {
            sql.push(" AND ").name(VERSION_COLUMN).push(" < ?");
            codec::bind(&mut arguments, &Value::Int(self.batch.version))?;
            if let Some(expected) = self.batch.expected.get(row) {
                sql.push(" AND ").name(VERSION_COLUMN).push(" = ?");
                codec::bind(&mut arguments, &Value::Int(*expected))?;
            }
        }
        Ok(self.run(connection, sql.finish().text, arguments, 1).await?.rows_affected())
    }

    async fn patch(&self, connection: &mut MySqlConnection) -> Result<(WriteReport, Vec<usize>), Failed> {
        // The server counts rows that were found, also where nothing of them changed.
        if let ([row], true) = (self.order.as_slice(), self.versioned)
            && self.update_one(connection, *row).await? == 1
        {
            return Ok((WriteReport::default(), vec![*row]));
        }
        let found = self.find(connection).await?;
        if self.unique || !self.versioned || found.present.len() < 2 {
            self.update(connection, &found.present).await?;
        } else {
            // The rows are there and locked: nothing is inserted, and what no null may stand in gets anything at all.
            let mut columns = self.columns.clone();
            let others = self.part.columns.iter().enumerate().filter(|(i, column)| !column.nullable && !self.batch.columns.contains(i));
            columns.extend(others.map(|(_, column)| (column.physical.clone(), Source::Anything(column))));
            self.put(connection, &found.present, &columns, &self.columns).await?;
        }
        Ok((found.report, found.present))
    }

    async fn delete(&self, connection: &mut MySqlConnection) -> Result<(WriteReport, Vec<usize>), Failed> {
        let found = self.find(connection).await?;
        self.remove(connection, &found.present).await?;
        Ok((found.report, found.present))
    }

    async fn remove(&self, connection: &mut MySqlConnection, rows: &[usize]) -> Result<(), Failed> {
        for piece in self.pieces(rows, 1) {
            let mut sql = Sql::new(&self.core.dialect);
            sql.push("DELETE FROM ").table(self.part).push(" WHERE ").name(self.part.id_column()).push(" IN (");
            children::placeholders(&mut sql, piece.len());
            sql.push(")");
            let mut arguments = MySqlArguments::default();
            piece.iter().try_for_each(|&row| self.bind_id(&mut arguments, row))?;
            self.run(connection, sql.finish().text, arguments, piece.len()).await?;
        }
        Ok(())
    }

    /// Locks the rows that are there, and sorts out which may be written.
    async fn find(&self, connection: &mut MySqlConnection) -> Result<Found, Failed> {
        let mut found = Found::default();
        for piece in self.pieces(&self.order, 1) {
            let there = self.versions(connection, piece, " FOR UPDATE").await?;
            for &row in piece {
                let Some(&version) = there.get(self.batch.ids[row].as_str()) else {
                    found.absent.push(row);
                    continue;
                };
                let unexpected = self.batch.mode == WriteMode::Patch && self.batch.expected.get(row).is_some_and(|e| *e != version);
                if self.versioned && (version >= self.batch.version || unexpected) {
                    found.report.stale.push((row, version));
                } else {
                    found.present.push(row);
                }
            }
        }
        if matches!(self.batch.mode, WriteMode::Patch | WriteMode::Delete) {
            found.report.missing = found.absent.clone();
            found.report.missing.extend(keyless(&self.order, self.batch.len()));
            found.report.missing.sort_unstable();
        }
        found.report.stale.sort_unstable();
        Ok(found)
    }

    async fn versions(
        &self,
        connection: &mut MySqlConnection,
        rows: &[usize],
        suffix: &'static str,
    ) -> Result<HashMap<String, i64>, Failed> {
        let ids: Vec<Id> = rows.iter().map(|&row| self.batch.ids[row].clone()).collect();
        let statement = write::versions(&self.core.dialect, self.part, &ids, suffix)?;
        let statement = super::core::query(&statement.text, &statement.values, self.keeps(rows.len()))?;
        let there = self.core.waits(Phase::Write, statement.fetch_all(connection)).await?.map_err(|cause| self.refused(cause))?;
        there.iter().map(|row| Ok((codec::read_id(row, 0, self.part)?.into_string(), codec::read_whole(row, 1)?))).collect()
    }

    /// Makes the tables beside the part's say of the rows what their columns say.
    async fn children(&self, connection: &mut MySqlConnection, rows: &[usize]) -> Result<(), Failed> {
        let deleting = self.batch.mode == WriteMode::Delete;
        for (position, column) in self.part.columns.iter().enumerate().filter(|(_, column)| children::has_child(column)) {
            let given = self.batch.columns.iter().position(|&c| c == position);
            if rows.is_empty() || given.is_none() && !deleting || self.part.is_mapped() {
                continue;
            }
            let child = children::table(&self.core.dialect, self.part, column);
            if self.batch.mode != WriteMode::Insert {
                for piece in by_powers(rows) {
                    let mut arguments = MySqlArguments::default();
                    piece.iter().try_for_each(|&row| self.bind_id(&mut arguments, row))?;
                    self.run(connection, children::clear(&self.core.dialect, &child, piece.len()), arguments, piece.len()).await?;
                }
            }
            let Some(given) = given else { continue };
            let items = rows.iter().flat_map(|&row| {
                let items = children::items(&self.batch.row(row)[given]);
                items.into_iter().enumerate().map(move |(position, item)| (item, row, position))
            });
            let mut items: Vec<(Value, usize, usize)> = items.collect();
            // In the order of the table's key, so that pages are written one after the other.
            items.sort_unstable_by(|a, b| match (&a.0, &b.0) {
                (Value::Bytes(x), Value::Bytes(y)) => x.cmp(y).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)),
                _ => std::cmp::Ordering::Equal,
            });
            for piece in by_powers(&items) {
                let mut arguments = MySqlArguments::default();
                for (item, row, position) in piece {
                    codec::bind(&mut arguments, item)?;
                    self.bind_id(&mut arguments, *row)?;
                    codec::bind(&mut arguments, &Value::Int(*position as i64))?;
                }
                self.run(connection, children::insert(&self.core.dialect, &child, piece.len()), arguments, piece.len()).await?;
            }
        }
        Ok(())
    }
}

/// The rows of so many that are not among those of the order: in tables of others, whose ids are no keys there.
fn keyless(order: &[usize], rows: usize) -> Vec<usize> {
    let mut keyed = vec![false; rows];
    for &row in order {
        if let Some(keyed) = keyed.get_mut(row) {
            *keyed = true;
        }
    }
    keyed.iter().enumerate().filter_map(|(row, keyed)| (!keyed).then_some(row)).collect()
}

/// Runs the statements that give rows written before a column existed its default.
pub(super) async fn fill(core: &Core, connection: &mut MySqlConnection, part: &Part, column: &Column) -> Result<()> {
    let Some((statement, value)) = super::table::fill(&core.dialect, part, column) else { return Ok(()) };
    json::check(&core.dialect, &value, column.name)?;
    run(connection, &statement).await?;
    if children::has_child(column) {
        for statement in children::fill(&core.dialect, part, column, &value) {
            run(connection, &statement).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::keyless;

    #[test]
    fn rows_without_a_key_are_found_in_one_go() {
        assert_eq!(keyless(&[4, 0, 2], 6), [1, 3, 5]);
        assert!(keyless(&[1, 0], 2).is_empty() && keyless(&[], 0).is_empty());
        // A row of a million at each step would take hours.
        let order: Vec<usize> = (0..1_000_000).rev().filter(|row| row % 2 == 0).collect();
        assert_eq!(keyless(&order, 1_000_000).len(), 500_000);
    }
}
