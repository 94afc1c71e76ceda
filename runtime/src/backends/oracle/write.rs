//! Batches: rows are locked by id and looked at, then written as arrays of rows, in one transaction.
//!
//! Not `MERGE`: it does not look again at a row that another session changed under it, as `UPDATE` does, and takes no value of
//! more than 4,000 bytes. Where columns are unique, rows are removed before the first one comes, so that rows of one batch may
//! swap values.

use std::collections::HashMap;

use super::columns::{self, Beside};
use super::core::Core;
use super::dialect::OracleDialect;
use crate::backends::sql::batch::{self, Attempt, Found, Given, attempted, overtaken};
use crate::backends::sql::session::{Phase, Session};
use crate::backends::sql::{Dialect, Sql, Statement, Term, children};
use crate::driver::{WriteBatch, WriteMode, WriteReport};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Part, VERSION_COLUMN};
use crate::types::{LogicalType, Value};

/// Most ids of one statement.
const IDS: usize = 1_000;

/// A batch with what is needed to write it.
type Writing<'a> = batch::Writing<'a, OracleDialect, Beside>;

/// Writes a batch.
pub(super) async fn write(core: &Core, part: &Part, batch: &WriteBatch) -> Result<WriteReport> {
    if batch.is_empty() {
        return Ok(WriteReport::default());
    }
    let beside = |position| columns::beside(&core.dialect, part, position);
    attempted(&Writing::new(core, part, batch, beside)?).await
}

impl Attempt for Writing<'_> {
    const BEGIN: Option<&'static str> = None;
    const COMMIT: &'static str = "COMMIT";
    const ROLLBACK: &'static str = "ROLLBACK";

    async fn apply(&self, session: &mut dyn Session) -> Result<WriteReport> {
        if self.batch.mode == WriteMode::Insert {
            self.insert(session, &self.order).await?;
            self.children(session, &self.order).await?;
            return Ok(WriteReport::default());
        }
        let there = self.versions(session, &self.order, " FOR UPDATE WAIT 30").await?;
        let Found { report, mut present, absent } = self.found(&there);
        match self.batch.mode {
            WriteMode::Delete => self.remove(session, &present).await?,
            WriteMode::Patch => self.update(session, &present).await?,
            _ if self.versioned && present.len() + absent.len() > 1 && !self.part.unique_groups().is_empty() => {
                self.remove(session, &present).await?;
                self.insert(session, &present).await?;
                self.insert(session, &absent).await?;
            }
            _ => {
                self.update(session, &present).await?;
                self.insert(session, &absent).await?;
            }
        }
        if self.batch.mode == WriteMode::Upsert {
            present.extend(absent);
        }
        self.children(session, &present).await?;
        Ok(report)
    }

    async fn look(&self, session: &mut dyn Session) -> Result<HashMap<String, i64>> {
        let there = self.versions(session, &self.order, "").await?;
        self.run(session, Statement::plain(Self::ROLLBACK)).await?;
        Ok(there)
    }
}

impl Writing<'_> {
    /// Runs a text for each of some rows, which all are written.
    async fn each(&self, session: &mut dyn Session, text: &str, rows: Vec<Vec<Value>>) -> Result<()> {
        let wanted = rows.len() as u64;
        if wanted == 0 {
            return Ok(());
        }
        match session.run_each(text, rows, Phase::Write).await.map_err(|error| self.entity(error))? {
            changed if changed == wanted => Ok(()),
            _ => Err(self.entity(overtaken())),
        }
    }

    /// The key of a row as it is bound.
    fn key(&self, row: usize) -> Value {
        let kind = self.part.key().kind;
        let key = kind.value(&self.batch.ids[row]).unwrap_or_default();
        if self.part.is_mapped() { columns::mapped(&key).unwrap_or_default() } else { columns::stored(&kind.logical(), key) }
    }

    fn value(&self, row: usize, given: &Given<'_, Beside>) -> Result<Value> {
        let value = &self.batch.row(row)[given.place];
        if value.is_null() {
            // A null of text becomes any other, but for bytes. Bytes without any are null.
            let bytes = matches!(given.column.logical, LogicalType::Bytes | LogicalType::Uuid | LogicalType::Vector(_));
            let bytes = given.beside.map_or(bytes, |what| what == Beside::Digest);
            return Ok(if bytes { Value::Bytes(Box::default()) } else { Value::Null });
        }
        if let Some(what) = given.beside {
            return Ok(what.value(value));
        }
        if !self.part.is_mapped() {
            return Ok(columns::stored(&given.column.logical, value.clone()));
        }
        columns::mapped(value).ok_or_else(|| {
            let why = "a value that the table cannot hold: Oracle takes what is empty for null, and its calendar begins in the year 1";
            self.entity(Error::new(ErrorKind::InvalidValue, why).at_field(given.column.name))
        })
    }

    fn values(&self, row: usize) -> Result<Vec<Value>> {
        self.given.iter().map(|given| self.value(row, given)).collect()
    }

    async fn insert(&self, session: &mut dyn Session, rows: &[usize]) -> Result<()> {
        let mut sql = Sql::new(&self.core.dialect);
        sql.push("INSERT INTO ").table(self.part).push(" (").name(self.part.id_column());
        if self.versioned {
            sql.push(", ").name(VERSION_COLUMN);
        }
        for given in &self.given {
            sql.push(", ").name(&given.name);
        }
        sql.push(") VALUES (");
        children::placeholders(&mut sql, self.given.len() + 1 + usize::from(self.versioned));
        sql.push(")");
        let row = |&row: &usize| {
            let version = self.versioned.then_some(Value::Int(self.batch.version));
            let head = std::iter::once(self.key(row)).chain(version);
            Ok(head.chain(self.values(row)?).collect())
        };
        self.each(session, &sql.finish().text, rows.iter().map(row).collect::<Result<_>>()?).await
    }

    /// Changes rows that are there, and locked.
    async fn update(&self, session: &mut dyn Session, rows: &[usize]) -> Result<()> {
        let mut sql = Sql::new(&self.core.dialect);
        sql.push("UPDATE ").table(self.part).push(" t SET ");
        let names = self.versioned.then_some(VERSION_COLUMN).into_iter().chain(self.given.iter().map(|given| given.name.as_str()));
        let names: Vec<&str> = names.collect();
        if names.is_empty() {
            return Ok(());
        }
        sql.list(&names, ", ", |sql, name| {
            sql.push("t.").name(name).push(" = ").bind(Value::Null);
            Ok(())
        })?;
        sql.push(" WHERE ");
        Term::key(self.part).write_column(&mut sql);
        sql.push(" = ").bind(Value::Null);
        if self.versioned {
            sql.push(" AND t.").name(VERSION_COLUMN).push(" < ").bind(Value::Int(self.batch.version));
        }
        let row = |&row: &usize| {
            let version = self.versioned.then_some(Value::Int(self.batch.version));
            let tail = std::iter::once(self.key(row)).chain(version.clone());
            Ok(version.into_iter().chain(self.values(row)?).chain(tail).collect())
        };
        self.each(session, &sql.finish().text, rows.iter().map(row).collect::<Result<_>>()?).await
    }

    async fn remove(&self, session: &mut dyn Session, rows: &[usize]) -> Result<()> {
        for piece in rows.chunks(IDS) {
            let mut sql = Sql::new(&self.core.dialect);
            sql.push("DELETE FROM ").table(self.part).push(" t WHERE ");
            self.core.dialect.id_is_one_of(&mut sql, self.part, &self.ids(piece))?;
            self.run(session, sql.finish()).await?;
        }
        Ok(())
    }

    /// The rows that are there, each with its version; `lock` stands at the end.
    async fn versions(&self, session: &mut dyn Session, rows: &[usize], lock: &'static str) -> Result<HashMap<String, i64>> {
        let mut there = HashMap::new();
        for piece in rows.chunks(IDS) {
            let statement = self.select_versions(&self.core.dialect, piece, "", lock)?;
            self.read_versions(self.core, self.run(session, statement).await?, &mut there)?;
        }
        Ok(there)
    }

    /// Makes the tables beside the part's say of the rows what their columns say.
    async fn children(&self, session: &mut dyn Session, rows: &[usize]) -> Result<()> {
        for (column, place) in self.rows.children().filter(|_| !rows.is_empty()) {
            let child = children::table(&self.core.dialect, self.part, column);
            if self.batch.mode != WriteMode::Insert {
                let mut sql = Sql::new(&self.core.dialect);
                sql.push("DELETE FROM ").name(&child).push(" WHERE \"owner\" = ").bind(Value::Null);
                let owners = rows.iter().map(|&row| vec![self.key(row)]).collect();
                let done = session.run_each(&sql.finish().text, owners, Phase::Write).await;
                done.map_err(|error| self.entity(error))?;
            }
            let Some(place) = place else { continue };
            let items = self.items(rows, place).into_iter().map(|(item, row, position)| vec![item, self.key(row), position]);
            self.each(session, &children::insert(&self.core.dialect, &child, 1), items.collect()).await?;
        }
        Ok(())
    }
}
