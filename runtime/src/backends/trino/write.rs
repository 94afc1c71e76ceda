//! Batches as one `MERGE` each, which Iceberg commits wholly or not at all. Every row says which write it is from, so that
//! what a `MERGE` left alone, and what one did whose answer was lost, can be read.

use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::batch::Rows;
use super::client::{Failed, Intent};
use super::core::Core;

use super::{decode, failure};
use crate::backends::sql::{Dialect, Sql, Term};
use crate::driver::{WriteBatch, WriteMode, WriteReport, no_key};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::schema::{Part, VERSION_COLUMN};
use crate::types::{Uuid, Value};

/// Most attempts of a commit that other writers overtake.
const ATTEMPTS: u32 = 20;
/// Most ids that one look at the rows asks for.
pub(super) const MOST_IDS: usize = 1_500;
/// How long to look for the rows of a write whose answer was lost.
const SETTLE: Duration = Duration::from_secs(5);

/// The column that says which write a row is from, so that what a write did can be told after its answer was lost, and which
/// rows it left alone.
pub(super) const WRITTEN: &str = "_hb_written";

/// A row as it is in the table.
struct There {
    version: i64,
    ours: bool,
}

/// A write under way.
struct Write<'a> {
    core: &'a Core,
    part: &'a Part,
    batch: &'a WriteBatch,
    rows: Rows,
    /// What the rows say of the write that they are from.
    token: String,
    deadline: Instant,
}

/// Writes a batch.
pub(super) async fn write(core: &Core, part: &Part, batch: &WriteBatch) -> Result<WriteReport> {
    if !core.writable || part.entity.read_only {
        return Err(Error::new(ErrorKind::Unsupported, "this table is only read").of_entity(part.entity.name));
    }
    let kind = part.key().kind;
    let fresh = matches!(batch.mode, WriteMode::Insert | WriteMode::Upsert);
    if fresh && batch.ids.iter().any(|id| kind.value(id).is_none()) {
        return Err(no_key(kind).of_entity(part.entity.name));
    }
    let rows = Rows::new(&core.dialect, part, batch)?;
    let deadline = core.http.deadline();
    let turn = core.turns.lock().entry(part.table.clone()).or_default().clone();
    let busy = || Error::new(ErrorKind::Timeout, "other writes of this process to the table took all the time there was");
    let _turn = tokio::time::timeout(deadline.saturating_duration_since(Instant::now()), turn.lock()).await.map_err(|_| busy())?;
    let write = Write { core, part, batch, rows, token: Uuid::now_v7().simple().to_string(), deadline };
    write.run().await.map_err(|error| error.of_entity(part.entity.name))
}

impl Write<'_> {
    async fn run(&self) -> Result<WriteReport> {
        let pieces = self.rows.pieces();
        if self.batch.mode == WriteMode::Insert && pieces.len() > 1 {
            // One statement sees by itself that a row is there; several must know before the first.
            let there = self.there(0..self.batch.len(), self.deadline).await?;
            if let Some(row) = (0..self.batch.len()).find(|row| there.contains_key(self.id(*row))) {
                return Err(self.present(row));
            }
        }
        let mut report = WriteReport::default();
        let mut written = 0;
        for piece in pieces {
            let outcome = match self.batch.mode {
                WriteMode::Delete => self.delete(piece.clone()).await,
                _ => self.put(piece.clone()).await,
            };
            match outcome {
                Ok(mut more) => {
                    report.stale.append(&mut more.stale);
                    report.missing.append(&mut more.missing);
                    written += piece.len();
                }
                Err(error) if written == 0 => return Err(error),
                Err(error) => return Err(self.broken_off(error, written).await),
            }
        }
        Ok(report)
    }

    /// A piece failed after others were written: an insert takes them back, the others may be repeated as they are.
    async fn broken_off(&self, error: Error, written: usize) -> Error {
        if self.batch.mode == WriteMode::Insert && !self.part.is_mapped() {
            let mut sql = Sql::new(&self.core.dialect);
            sql.push("DELETE FROM ").table(self.part).push(" WHERE ").name(WRITTEN).push(" = ");
            sql.bind(Value::Text(self.token.clone()));
            if self.commit(&sql.finish().text).await.is_ok() {
                return error;
            }
        }
        error.with_status(Status::Unknown).with("rows_written", written)
    }

    fn id(&self, row: usize) -> &str {
        self.batch.ids[row].as_str()
    }

    fn present(&self, row: usize) -> Error {
        let error = Error::new(ErrorKind::AlreadyExists, "a row with this id is there already: use upsert to replace it");
        error.with("id", self.id(row))
    }

    /// Runs a statement that changes rows, anew where another writer's commit came first. How many it changed.
    async fn commit(&self, text: &str) -> Result<usize, Failed> {
        let mut attempt = 1;
        loop {
            match self.core.run(text, Intent::Writes, self.deadline).await {
                Ok(finished) => return Ok(finished.changed.and_then(|n| usize::try_from(n).ok()).unwrap_or_default()),
                Err(failed) if failed.code == failure::COMMIT && attempt < ATTEMPTS => {
                    // Let the other finish, and do not come back in step with it.
                    let pause = Duration::from_millis(u64::from(attempt) * 20 + u64::from(Uuid::now_v7().as_bytes()[15]));
                    if Instant::now() + pause >= self.deadline {
                        return Err(failed);
                    }
                    tokio::time::sleep(pause).await;
                    attempt += 1;
                }
                Err(failed) => return Err(failed),
            }
        }
    }

    /// Inserts, replaces or patches.
    async fn put(&self, piece: Range<usize>) -> Result<WriteReport> {
        match self.commit(&self.merge(piece.clone())).await {
            Ok(changed) if changed == piece.len() => Ok(WriteReport::default()),
            Ok(_) => {
                let there = self.there(piece.clone(), self.deadline).await?;
                Ok(self.report(piece, &there))
            }
            Err(failed) if self.batch.mode == WriteMode::Insert && failed.code == failure::PRESENT => {
                let there = self.there(piece.clone(), self.deadline).await?;
                let row = piece.clone().find(|row| there.contains_key(self.id(*row)));
                Err(self.present(row.unwrap_or(piece.start)))
            }
            Err(failed) if failed.error.status() == Status::Unknown && !self.part.is_mapped() => {
                let Ok(there) = self.there(piece.clone(), Instant::now() + SETTLE).await else { return Err(failed.error) };
                let report = self.report(piece.clone(), &there);
                // Rows that are neither ours nor newer may still become ours.
                let settled = piece.clone().any(|row| there.get(self.id(row)).is_some_and(|row| row.ours));
                if settled && (self.batch.mode != WriteMode::Insert || report == WriteReport::default()) {
                    Ok(report)
                } else {
                    Err(failed.error)
                }
            }
            Err(failed) => Err(failed.error),
        }
    }

    /// What became of the rows of a piece.
    fn report(&self, piece: Range<usize>, there: &HashMap<String, There>) -> WriteReport {
        let mut report = WriteReport::default();
        for row in piece {
            match there.get(self.id(row)) {
                Some(found) if found.ours || self.part.is_mapped() => {}
                Some(found) => report.stale.push((row, found.version)),
                None => report.missing.push(row),
            }
        }
        report
    }

    /// Deletes. What was there before must be known, because nothing of a row tells afterwards who removed it.
    async fn delete(&self, piece: Range<usize>) -> Result<WriteReport> {
        let before = if piece.len() > 1 { Some(self.there(piece.clone(), self.deadline).await?) } else { None };
        let goes = |found: &There| self.part.is_mapped() || found.version < self.batch.version;
        if before.as_ref().is_some_and(|before| !before.values().any(goes)) {
            return Ok(self.report(piece, &before.unwrap_or_default()));
        }
        let changed = self.commit(&self.merge(piece.clone())).await.map_err(|failed| failed.error)?;
        let mut report = WriteReport::default();
        match before {
            Some(before) => {
                let expected = before.values().filter(|found| goes(found)).count();
                // Another writer came between: what is there now and was not removed, stays.
                let after = if changed == expected { HashMap::new() } else { self.there(piece.clone(), self.deadline).await? };
                for row in piece {
                    match (before.get(self.id(row)), after.get(self.id(row))) {
                        (_, Some(stays)) => report.stale.push((row, stays.version)),
                        (Some(found), None) if goes(found) => {}
                        (Some(found), None) if changed == expected => report.stale.push((row, found.version)),
                        _ => report.missing.push(row),
                    }
                }
            }
            None if changed == 0 => {
                let after = self.there(piece.clone(), self.deadline).await?;
                report = self.report(piece, &after);
            }
            None => {}
        }
        Ok(report)
    }

    /// The rows of a piece that are there.
    async fn there(&self, piece: Range<usize>, deadline: Instant) -> Result<HashMap<String, There>> {
        let mut there = HashMap::with_capacity(piece.len());
        for ids in self.batch.ids[piece].chunks(MOST_IDS) {
            let mut sql = Sql::new(&self.core.dialect);
            sql.push("SELECT ");
            Term::key(self.part).write_column(&mut sql);
            if self.part.is_mapped() {
                sql.push(", 0, FALSE");
            } else {
                sql.push(", t.").name(VERSION_COLUMN).push(", COALESCE(t.").name(WRITTEN).push(" = ");
                sql.bind(Value::Text(self.token.clone())).push(", FALSE)");
            }
            sql.push(" FROM ").table(self.part).push(" t WHERE ");
            self.core.dialect.id_is_one_of(&mut sql, self.part, ids)?;
            for mut row in self.core.rows(&sql.finish().text, deadline).await? {
                let [id, version, ours] = row.as_mut_slice() else { continue };
                let found = There { version: decode::whole(version)?, ours: ours.as_bool().unwrap_or_default() };
                there.insert(decode::id(id, self.part)?.into_string(), found);
            }
        }
        Ok(there)
    }

    /// The `MERGE` of a piece.
    fn merge(&self, piece: Range<usize>) -> String {
        let (part, mode) = (self.part, self.batch.mode);
        let versioned = !part.is_mapped();
        let mut sql = Sql::new(&self.core.dialect);
        sql.push("MERGE INTO ").table(part).push(" AS t USING ");
        self.rows.source(&mut sql, piece);
        sql.push(" ON t.").name(part.id_column()).push(" = s.c0");
        if mode == WriteMode::Insert {
            // A row that is there must fail the whole statement: only then is anything divided.
            sql.push(" WHEN MATCHED THEN UPDATE SET ").name(part.id_column());
            sql.push(" = IF(1 / (cardinality(ARRAY[s.c0]) - 1) = 1, s.c0)");
        } else if versioned || !self.rows.columns.is_empty() || mode == WriteMode::Delete {
            sql.push(" WHEN MATCHED");
            if versioned {
                sql.push(" AND t.").name(VERSION_COLUMN).push(" < ").bind(Value::Int(self.batch.version));
                if self.rows.expected {
                    sql.push(" AND t.").name(VERSION_COLUMN).push(" = s.c").number(self.rows.columns.len() + 1);
                }
            }
            if mode == WriteMode::Delete {
                sql.push(" THEN DELETE");
            } else {
                sql.push(" THEN UPDATE SET ");
                if versioned {
                    sql.name(VERSION_COLUMN).push(" = ").bind(Value::Int(self.batch.version)).push(", ");
                    sql.name(WRITTEN).push(" = ").bind(Value::Text(self.token.clone()));
                }
                for (i, column) in self.rows.columns.iter().enumerate() {
                    sql.push(if i > 0 || versioned { ", " } else { "" }).name(&column.physical).push(" = s.c").number(i + 1);
                }
            }
        }
        if matches!(mode, WriteMode::Insert | WriteMode::Upsert) {
            sql.push(" WHEN NOT MATCHED THEN INSERT (").name(part.id_column());
            if versioned {
                sql.push(", ").name(VERSION_COLUMN).push(", ").name(WRITTEN);
            }
            for column in &self.rows.columns {
                sql.push(", ").name(&column.physical);
            }
            sql.push(") VALUES (s.c0");
            if versioned {
                sql.push(", ").bind(Value::Int(self.batch.version)).push(", ").bind(Value::Text(self.token.clone()));
            }
            for i in 0..self.rows.columns.len() {
                sql.push(", s.c").number(i + 1);
            }
            sql.push(")");
        }
        sql.finish().text
    }
}
