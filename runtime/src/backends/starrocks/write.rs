//! Batches. StarRocks has neither transactions over several statements nor conditions that a statement is held to when it is
//! committed, but for one: a load leaves a row alone that has a greater value in its `merge_condition`. So
//!
//! - the rows that are there are read first; what is newer, missing or unexpected is reported and not written;
//! - where loads are possible, the others are loaded with the version as that condition: a newer row stays, whoever wrote it and
//!   whenever. Without them rows are inserted, and updated by statements whose `WHERE` looks at the version;
//! - then the rows are read until they are seen, and one that another writer overtook is reported;
//! - writers of one process take turns at a table.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::columns::{self, KEY_COLUMN, Piece};
use super::core::Core;
use super::dialect::MEMBERS;
use super::load::{LARGEST, Load};
use super::{codec, rows};
use crate::backends::sql::{Dialect, Sql, Statement, select};
use crate::driver::{WriteBatch, WriteMode, WriteReport, no_key};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::schema::{Column, Part, VERSION_COLUMN};
use crate::types::{Id, Uuid, Value};

/// Most rows of one statement.
const ROWS: usize = 1_000;

/// Most rows whose values one `UPDATE` tells apart.
const TOLD_APART: usize = 200;

/// How often a load whose answer was lost is sent again.
const ATTEMPTS: u32 = 3;

/// How long to look for the rows of a write that may have failed.
const SETTLE: Duration = Duration::from_secs(3);

/// What a column of the table gets of a row.
pub(super) struct Given<'p> {
    pub(super) name: String,
    pub(super) piece: Piece,
    pub(super) place: usize,
    pub(super) column: &'p Column,
}

/// A batch with what is needed to write it.
struct Writing<'a> {
    core: &'a Core,
    part: &'a Part,
    batch: &'a WriteBatch,
    given: Vec<Given<'a>>,
    /// A row's values in the order of `given`.
    values: Vec<Vec<Value>>,
    versioned: bool,
    deadline: Instant,
}

/// Rows that are there, and what is to be done with them.
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
    let named = |error: Error| error.of_entity(part.entity.name);
    let writing = Writing::new(core, part, batch).map_err(named)?;
    let turn = core.turn(&part.table);
    let busy = || named(Error::new(ErrorKind::Timeout, "other writes of this process to the table took all the time there was"));
    let left = writing.deadline.saturating_duration_since(Instant::now());
    let _turn = tokio::time::timeout(left, turn.lock()).await.map_err(|_| busy())?;
    writing.run().await.map_err(named)
}

impl<'a> Writing<'a> {
    fn new(core: &'a Core, part: &'a Part, batch: &'a WriteBatch) -> Result<Self> {
        let kind = part.key().kind;
        let fresh = matches!(batch.mode, WriteMode::Insert | WriteMode::Upsert);
        if fresh && batch.ids.iter().any(|id| kind.value(id).is_none()) {
            return Err(no_key(kind));
        }
        let mut given = Vec::with_capacity(batch.columns.len());
        for (place, &position) in batch.columns.iter().enumerate() {
            let column = part.columns.get(position);
            let column = column.ok_or_else(|| Error::new(ErrorKind::Internal, "a column position outside of the part"))?;
            let pieces = columns::pieces(part, column).into_iter();
            given.extend(pieces.map(|(piece, name)| Given { name, piece, place, column }));
        }
        let of_row = |row: usize| {
            let values = batch.row(row);
            given.iter().map(|given| given.piece.value(part, given.column, &values[given.place])).collect::<Result<Vec<Value>>>()
        };
        let values = (0..batch.len()).map(of_row).collect::<Result<_>>()?;
        Ok(Writing { core, part, batch, given, values, versioned: !part.is_mapped(), deadline: core.deadline() })
    }

    async fn run(&self) -> Result<WriteReport> {
        let found = self.find().await?;
        let mut report = found.report;
        match self.batch.mode {
            WriteMode::Insert => {
                if let Some(row) = found.present.iter().chain(report.stale.iter().map(|(row, _)| row)).min() {
                    let why = "a row with this id is there already: use upsert to replace it";
                    return Err(Error::new(ErrorKind::AlreadyExists, why).with("id", self.batch.ids[*row].as_str()));
                }
                self.put(&found.absent, &mut report).await?;
            }
            WriteMode::Upsert if self.versioned => {
                let mut rows = [found.present, found.absent].concat();
                rows.sort_unstable();
                self.put(&rows, &mut report).await?;
            }
            WriteMode::Upsert => {
                // What the entity does not map keeps its value in a row that is there.
                self.patch(&found.present, &mut report).await?;
                self.put(&found.absent, &mut report).await?;
            }
            WriteMode::Patch => self.patch(&found.present, &mut report).await?,
            WriteMode::Delete => self.delete(&found.present).await?,
        }
        report.stale.sort_unstable();
        report.missing.sort_unstable();
        Ok(report)
    }

    fn id(&self, row: usize) -> &str {
        self.batch.ids[row].as_str()
    }

    /// The key of a row as a literal writes it.
    fn key(&self, row: usize) -> Value {
        if self.versioned {
            return Value::Text(columns::key_of(self.id(row)));
        }
        self.part.key().kind.value(self.id(row)).unwrap_or_default()
    }

    fn key_column(&self) -> &'static str {
        if self.versioned { KEY_COLUMN } else { self.part.id_column() }
    }

    fn ids(&self, rows: &[usize]) -> Vec<Id> {
        rows.iter().map(|&row| self.batch.ids[row].clone()).collect()
    }

    /// Sorts out which rows may be written.
    async fn find(&self) -> Result<Found> {
        let mut found = Found::default();
        let mut there: HashMap<String, i64> = HashMap::with_capacity(self.batch.len());
        for ids in self.batch.ids.chunks(MEMBERS) {
            if self.part.key().values(ids).is_empty() {
                continue;
            }
            let statement = select::fetch(&self.core.dialect, self.part, ids, &[])?;
            self.note(&statement, &mut there).await?;
        }
        for row in 0..self.batch.len() {
            match there.get(self.id(row)) {
                None => found.absent.push(row),
                Some(version) if self.versioned && *version >= self.batch.version || self.is_unexpected(row, *version) => {
                    found.report.stale.push((row, *version));
                }
                Some(_) => found.present.push(row),
            }
        }
        if matches!(self.batch.mode, WriteMode::Patch | WriteMode::Delete) {
            found.report.missing.clone_from(&found.absent);
        }
        Ok(found)
    }

    fn is_unexpected(&self, row: usize, version: i64) -> bool {
        self.versioned && self.batch.mode == WriteMode::Patch && self.batch.expected.get(row).is_some_and(|expected| *expected != version)
    }

    /// Notes the ids and versions that a statement gives.
    async fn note(&self, statement: &Statement, there: &mut HashMap<String, i64>) -> Result<()> {
        for row in self.core.read_rows(statement).await?.rows {
            let version = codec::whole(row.get(1))?;
            there.insert(self.core.id(self.part, row.into_iter().next().unwrap_or_default())?.into_string(), version);
        }
        Ok(())
    }

    /// Writes whole rows, new or in the place of older ones.
    async fn put(&self, rows: &[usize], report: &mut WriteReport) -> Result<()> {
        if self.core.loader.is_some() && self.versioned {
            return self.load(rows, None, report).await;
        }
        let tuples: Vec<String> = rows.iter().map(|&row| self.tuple(row)).collect();
        let room = self.core.packet / 2;
        for piece in rows::pieces(&tuples.iter().map(String::len).collect::<Vec<_>>(), room, ROWS) {
            if piece.len() == 1 && tuples[piece.start].len() > room {
                let why = format!("a row of more than {room} bytes, which is the most that one statement has room for");
                return Err(self.broken_off(Error::new(ErrorKind::LimitExceeded, why).with("id", self.id(rows[piece.start])), piece.start));
            }
            let mut sql = Sql::new(&self.core.dialect);
            sql.push("INSERT INTO ").table(self.part).push(" (").name(self.key_column());
            if self.versioned {
                sql.push(", ").name(self.part.id_column()).push(", ").name(VERSION_COLUMN);
            }
            for given in &self.given {
                sql.push(", ").name(&given.name);
            }
            sql.push(") VALUES ").push_type(&tuples[piece.clone()].join(", "));
            let outcome = self.core.run(&sql.finish()).await;
            self.settled(outcome.map(drop), &rows[piece.clone()], report, SETTLE)
                .await
                .map_err(|error| self.broken_off(error, piece.start))?;
        }
        Ok(())
    }

    /// A row as it stands behind `VALUES`.
    fn tuple(&self, row: usize) -> String {
        let mut sql = Sql::new(&self.core.dialect);
        sql.push("(").bind(self.key(row));
        if self.versioned {
            sql.push(", ").bind(Value::Text(self.id(row).to_owned())).push(", ").bind(Value::Int(self.batch.version));
        }
        for value in &self.values[row] {
            sql.push(", ").bind(value.clone());
        }
        sql.push(")");
        sql.finish().text
    }

    /// A piece failed after others were written.
    fn broken_off(&self, error: Error, written: usize) -> Error {
        if written == 0 { error } else { error.with_status(Status::Unknown).with("rows_written", written) }
    }

    /// Loads rows, whole ones or (`partial`) the columns of rows that are there.
    async fn load(&self, rows: &[usize], partial: Option<String>, report: &mut WriteReport) -> Result<()> {
        let Some(loader) = &self.core.loader else { return Ok(()) };
        let objects: Vec<String> = rows
            .iter()
            .map(|&row| rows::object(&self.key(row), self.id(row), self.batch.version, &self.given, &self.values[row]))
            .collect();
        for piece in rows::pieces(&objects.iter().map(String::len).collect::<Vec<_>>(), LARGEST, usize::MAX) {
            let body = format!("[{}]", objects[piece.clone()].join(",")).into();
            let label = format!("hb_{}", Uuid::now_v7().simple());
            let load = Load {
                table: &self.part.table,
                label: &label,
                rows: piece.len(),
                merge_condition: VERSION_COLUMN,
                partial: partial.clone(),
                body,
            };
            let mut attempt = 1;
            loop {
                let outcome = loader.load(&load, self.deadline).await;
                let lost = outcome.as_ref().is_err_and(|error| error.status() == Status::Unknown);
                let again = lost && attempt < ATTEMPTS && Instant::now() + SETTLE < self.deadline;
                match self.settled(outcome.map(drop), &rows[piece.clone()], report, if again { Duration::ZERO } else { SETTLE }).await {
                    Ok(()) => break,
                    // The same load again: its label lets it take place once.
                    Err(_) if again => attempt += 1,
                    Err(error) => return Err(self.broken_off(error, piece.start)),
                }
            }
        }
        Ok(())
    }

    /// Waits until what was written is seen, and reports what another writer overtook. What may have failed is looked for so long.
    async fn settled(&self, outcome: Result<()>, rows: &[usize], report: &mut WriteReport, patience: Duration) -> Result<()> {
        let unknown = match outcome {
            Err(error) if error.status() != Status::Unknown || !self.versioned => return Err(error),
            outcome => outcome.err(),
        };
        if !self.versioned {
            return Ok(());
        }
        let mut pause = Duration::from_millis(20);
        let until = if unknown.is_some() { (Instant::now() + patience).min(self.deadline) } else { self.deadline };
        loop {
            match self.overtaken(rows).await {
                Ok(Some(stale)) => {
                    report.stale.extend(stale);
                    return Ok(());
                }
                Ok(None) if Instant::now() + pause < until => {}
                // Whoever cannot look either knows no more.
                Ok(None) | Err(_) => return Err(unknown.unwrap_or_else(unseen)),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// The rows that another writer overtook; `None` while some are not seen.
    async fn overtaken(&self, rows: &[usize]) -> Result<Option<Vec<(usize, i64)>>> {
        let mut there: HashMap<String, i64> = HashMap::with_capacity(rows.len());
        let deletes = self.batch.mode == WriteMode::Delete;
        for piece in rows.chunks(MEMBERS) {
            let mut statement = select::fetch(&self.core.dialect, self.part, &self.ids(piece), &[])?;
            let mut sql = Sql::new(&self.core.dialect);
            // Of what was deleted nothing older may be left; of what was written all must be as new.
            sql.push(" AND t.").name(VERSION_COLUMN).push(if deletes { " < " } else { " >= " }).bind(Value::Int(self.batch.version));
            statement.text.push_str(&sql.finish().text);
            self.note(&statement, &mut there).await?;
        }
        if deletes {
            return Ok(there.is_empty().then(Vec::new));
        }
        let mut stale = Vec::new();
        for &row in rows {
            match there.get(self.id(row)) {
                None => return Ok(None),
                Some(version) if *version > self.batch.version => stale.push((row, *version)),
                Some(_) => {}
            }
        }
        Ok(Some(stale))
    }

    /// Changes columns of rows that are there.
    async fn patch(&self, rows: &[usize], report: &mut WriteReport) -> Result<()> {
        if rows.is_empty() || self.given.is_empty() && !self.versioned {
            return Ok(());
        }
        if self.core.loader.is_some() && self.versioned {
            return self.load(rows, Some(self.written_columns()), report).await;
        }
        // An array has no place in a `CASE`.
        let apart = self.given.iter().any(|given| given.piece == Piece::Searched);
        let sizes: Vec<usize> = rows.iter().map(|&row| self.tuple(row).len() + 64 * (self.given.len() + 1)).collect();
        for piece in rows::pieces(&sizes, self.core.packet / 2, if apart { 1 } else { TOLD_APART }) {
            let outcome = self.core.run(&self.update(&rows[piece.clone()])?).await;
            self.settled(outcome.map(drop), &rows[piece.clone()], report, SETTLE)
                .await
                .map_err(|error| self.broken_off(error, piece.start))?;
        }
        Ok(())
    }

    /// The columns of a load that leaves others as they are.
    fn written_columns(&self) -> String {
        let names =
            [KEY_COLUMN, self.part.id_column(), VERSION_COLUMN].into_iter().chain(self.given.iter().map(|given| given.name.as_str()));
        let mut text = String::new();
        for (i, name) in names.enumerate() {
            text.push_str(if i > 0 { "," } else { "" });
            self.core.dialect.quote(name, &mut text);
        }
        text
    }

    fn update(&self, rows: &[usize]) -> Result<Statement> {
        let mut sql = Sql::new(&self.core.dialect);
        sql.push("UPDATE ").table(self.part).push(" SET ");
        if self.versioned {
            sql.name(VERSION_COLUMN).push(" = ").bind(Value::Int(self.batch.version));
        }
        for (i, given) in self.given.iter().enumerate() {
            sql.push(if i > 0 || self.versioned { ", " } else { "" }).name(&given.name).push(" = ");
            if let [row] = rows {
                sql.bind(self.values[*row][i].clone());
                continue;
            }
            sql.push("CASE ").name(self.key_column());
            for &row in rows {
                sql.push(" WHEN ").bind(self.key(row)).push(" THEN ").bind(self.values[row][i].clone());
            }
            sql.push(" END");
        }
        sql.push(" WHERE ");
        self.among(&mut sql, rows)?;
        Ok(sql.finish())
    }

    /// Those of these rows that are older.
    fn among(&self, sql: &mut Sql<'_>, rows: &[usize]) -> Result<()> {
        sql.name(self.key_column()).push(" IN (");
        sql.list(rows, ", ", |sql, &row| {
            sql.bind(self.key(row));
            Ok(())
        })?;
        sql.push(")");
        if self.versioned {
            sql.push(" AND ").name(VERSION_COLUMN).push(" < ").bind(Value::Int(self.batch.version));
        }
        Ok(())
    }

    async fn delete(&self, rows: &[usize]) -> Result<()> {
        for (number, piece) in rows.chunks(ROWS).enumerate() {
            let mut sql = Sql::new(&self.core.dialect);
            sql.push("DELETE FROM ").table(self.part).push(" WHERE ");
            self.among(&mut sql, piece)?;
            let outcome = self.core.run(&sql.finish()).await;
            let seen = self.settled(outcome.map(drop), piece, &mut WriteReport::default(), SETTLE).await;
            seen.map_err(|error| self.broken_off(error, number * ROWS))?;
        }
        Ok(())
    }
}

/// The error of a write that took place, and is not seen.
fn unseen() -> Error {
    let why = "the write is accepted, and its rows are not to be seen yet: the server publishes them later";
    Error::new(ErrorKind::Timeout, why).with_status(Status::Unknown)
}
