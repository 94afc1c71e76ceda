//! Batches as statements of many rows, in one transaction.
//!
//! An upsert is one `MERGE` over rows of bound values, whose condition looks at the version; what it wrote, it says. Rows that
//! it does not name were newer: their versions are read and reported. Where columns are unique and a batch takes several
//! statements, rows are removed before the first one comes, so that rows of one batch may swap values.

use std::collections::{HashMap, HashSet};

use super::columns::{self, Beside, plain_type};
use super::core::Core;
use super::dialect::{MssqlDialect, PARAMETERS};
use super::text;
use crate::backends::sql::batch::{self, Attempt, Found, Given, attempted, overtaken};
use crate::backends::sql::session::{Answer, Session};
use crate::backends::sql::{Dialect, Sql, Statement, Term, children};
use crate::driver::{WriteBatch, WriteMode, WriteReport};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{KeyKind, Part, VERSION_COLUMN};
use crate::types::Value;

/// Most rows of one list of rows.
const ROWS: usize = 1_000;

/// A batch with what is needed to write it.
type Writing<'a> = batch::Writing<'a, MssqlDialect, Beside>;

/// Writes a batch.
pub(super) async fn write(core: &Core, part: &Part, batch: &WriteBatch) -> Result<WriteReport> {
    if batch.is_empty() {
        return Ok(WriteReport::default());
    }
    let beside = |position| columns::beside(&core.dialect, part, position);
    attempted(&Writing::new(core, part, batch, beside)?).await
}

impl Attempt for Writing<'_> {
    const BEGIN: Option<&'static str> = Some("BEGIN TRANSACTION");
    const COMMIT: &'static str = "COMMIT TRANSACTION";
    const ROLLBACK: &'static str = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION";

    async fn apply(&self, session: &mut dyn Session) -> Result<WriteReport> {
        let (report, written) = match self.batch.mode {
            WriteMode::Insert => {
                self.insert(session, &self.order).await?;
                (WriteReport::default(), self.order.clone())
            }
            WriteMode::Upsert => self.upsert(session).await?,
            WriteMode::Patch => self.patch(session).await?,
            WriteMode::Delete => self.delete(session).await?,
        };
        self.children(session, &written).await?;
        Ok(report)
    }

    async fn look(&self, session: &mut dyn Session) -> Result<HashMap<String, i64>> {
        self.versions(session, &self.order, "").await
    }
}

impl Writing<'_> {
    /// The key of a row as it is bound.
    fn key(&self, row: usize) -> Value {
        let kind = self.part.key().kind;
        let key = kind.value(&self.batch.ids[row]).unwrap_or_default();
        if self.part.is_mapped() { key } else { columns::stored(&kind.logical(), key) }
    }

    fn key_type(&self) -> &'static str {
        match self.part.key().kind {
            KeyKind::Text if self.part.is_mapped() => "NVARCHAR(MAX)",
            KeyKind::Text => "VARBINARY(255)",
            KeyKind::Int => "BIGINT",
            KeyKind::Uuid => "UNIQUEIDENTIFIER",
        }
    }

    fn value(&self, row: usize, given: &Given<'_, Beside>) -> Result<Value> {
        let value = &self.batch.row(row)[given.place];
        if let Some(what) = given.beside {
            return Ok(what.value(value));
        }
        if !self.part.is_mapped() {
            return Ok(columns::stored(&given.column.logical, value.clone()));
        }
        columns::mapped(value).ok_or_else(|| {
            let why = "a day before the year 1, which the table's column does not take";
            self.entity(Error::new(ErrorKind::InvalidValue, why).at_field(given.column.name))
        })
    }

    /// Rows in pieces that one statement takes.
    fn pieces<'r>(&self, rows: &'r [usize]) -> std::slice::Chunks<'r, usize> {
        rows.chunks(((PARAMETERS - 8) / (self.given.len() + 3)).clamp(1, ROWS))
    }

    /// `(VALUES (…), …) AS s ([k], [v], [c0], …)`: each value cast to its column's type, for a null has none.
    fn source(&self, sql: &mut Sql<'_>, rows: &[usize]) -> Result<()> {
        sql.push("(VALUES ");
        self.values(sql, rows, true)?;
        sql.push(") AS s ([k]");
        sql.push(if self.versioned { ", [v]" } else { "" }).push(if self.expects() { ", [e]" } else { "" });
        for i in 0..self.given.len() {
            sql.push(", [c").number(i).push("]");
        }
        sql.push(")");
        Ok(())
    }

    fn values(&self, sql: &mut Sql<'_>, rows: &[usize], expected: bool) -> Result<()> {
        let cast = |sql: &mut Sql<'_>, value: Value, type_name: &str| {
            sql.push("CAST(").bind(value).push(" AS ").push_type(type_name).push(")");
        };
        // What each value is cast to.
        let type_name = |given: &Given<'_, Beside>| match given.beside {
            Some(what) => what.type_name(given.column),
            None => plain_type(&given.column.logical, self.part.is_mapped()).into_owned(),
        };
        let types: Vec<String> = self.given.iter().map(type_name).collect();
        sql.list(rows, ", ", |sql, &row| {
            sql.push("(");
            cast(sql, self.key(row), self.key_type());
            if self.versioned {
                sql.push(", ");
                cast(sql, Value::Int(self.batch.version), "BIGINT");
            }
            if expected && self.expects() {
                sql.push(", ");
                cast(sql, Value::Int(self.expected(row)), "BIGINT");
            }
            for (given, type_name) in self.given.iter().zip(&types) {
                sql.push(", ");
                cast(sql, self.value(row, given)?, type_name);
            }
            sql.push(")");
            Ok(())
        })
    }

    /// `([key], [version], columns…)`.
    fn names(&self, sql: &mut Sql<'_>) {
        sql.push("(").name(self.part.id_column());
        if self.versioned {
            sql.push(", ").name(VERSION_COLUMN);
        }
        for given in &self.given {
            sql.push(", ").name(&given.name);
        }
        sql.push(")");
    }

    /// `[version] = s.[v], [column] = s.[c0], …`.
    fn assignments(&self, sql: &mut Sql<'_>) {
        let version = self.versioned.then_some((VERSION_COLUMN, None));
        let columns = self.given.iter().enumerate().map(|(i, given)| (given.name.as_str(), Some(i)));
        for (at, (name, place)) in version.into_iter().chain(columns).enumerate() {
            sql.push(if at > 0 { ", " } else { "" }).name(name).push(" = s.");
            match place {
                None => sql.push("[v]"),
                Some(i) => sql.push("[c").number(i).push("]"),
            };
        }
    }

    /// Whether a row is the one of `s`.
    fn same_key(&self, sql: &mut Sql<'_>) {
        let key = Term::key(self.part);
        key.write_column(sql);
        sql.push(" = s.[k]");
        if self.part.is_mapped() && self.part.key().kind == KeyKind::Text {
            // The column's own collation may call other texts equal.
            sql.push(" AND ");
            text::bytes(sql, &key);
            sql.push(" = ").push(text::OPEN).push("s.[k]").push(text::CLOSE);
        }
    }

    async fn insert(&self, session: &mut dyn Session, rows: &[usize]) -> Result<()> {
        for piece in self.pieces(rows) {
            let mut sql = Sql::new(&self.core.dialect);
            sql.push("INSERT INTO ").table(self.part).push(" ");
            self.names(&mut sql);
            sql.push(" VALUES ");
            self.values(&mut sql, piece, false)?;
            self.run(session, sql.finish()).await?;
        }
        Ok(())
    }

    async fn upsert(&self, session: &mut dyn Session) -> Result<(WriteReport, Vec<usize>)> {
        let several = self.pieces(&self.order).count() > 1;
        if self.versioned && several && !self.part.unique_groups().is_empty() {
            let found = self.find(session).await?;
            let mut written: Vec<usize> = found.present.iter().chain(&found.absent).copied().collect();
            written.sort_unstable_by(|&a, &b| self.batch.ids[a].cmp(&self.batch.ids[b]));
            self.remove(session, &found.present).await?;
            self.insert(session, &written).await?;
            return Ok((found.report, written));
        }
        let mut written = HashSet::new();
        for piece in self.pieces(&self.order) {
            let mut sql = Sql::new(&self.core.dialect);
            sql.push("MERGE INTO ").table(self.part).push(" WITH (HOLDLOCK) AS t USING ");
            self.source(&mut sql, piece)?;
            sql.push(" ON ");
            self.same_key(&mut sql);
            if self.versioned {
                sql.push(" WHEN MATCHED AND t.").name(VERSION_COLUMN).push(" < s.[v] THEN UPDATE SET ");
                self.assignments(&mut sql);
            } else if !self.given.is_empty() {
                sql.push(" WHEN MATCHED THEN UPDATE SET ");
                self.assignments(&mut sql);
            }
            sql.push(" WHEN NOT MATCHED BY TARGET THEN INSERT ");
            self.names(&mut sql);
            sql.push(" VALUES (s.[k]").push(if self.versioned { ", s.[v]" } else { "" });
            for i in 0..self.given.len() {
                sql.push(", s.[c").number(i).push("]");
            }
            sql.push(")");
            if self.versioned {
                sql.push(" OUTPUT inserted.").name(self.part.id_column());
            }
            sql.push(";");
            let answer = self.run(session, sql.finish()).await?;
            self.note(&mut written, answer)?;
        }
        if !self.versioned {
            return Ok((WriteReport::default(), self.order.clone()));
        }
        let report = self.others(session, &written).await?;
        if !report.missing.is_empty() {
            return Err(self.entity(overtaken()));
        }
        Ok((report, self.those(&written)))
    }

    async fn patch(&self, session: &mut dyn Session) -> Result<(WriteReport, Vec<usize>)> {
        if !self.versioned {
            let found = self.find(session).await?;
            if !self.given.is_empty() {
                self.update(session, &found.present, &mut HashSet::new()).await?;
            }
            return Ok((found.report, found.present));
        }
        let mut written = HashSet::new();
        self.update(session, &self.order, &mut written).await?;
        Ok((self.others(session, &written).await?, self.those(&written)))
    }

    /// Changes rows that are there, and older.
    async fn update(&self, session: &mut dyn Session, rows: &[usize], written: &mut HashSet<String>) -> Result<()> {
        for piece in self.pieces(rows) {
            let mut sql = Sql::new(&self.core.dialect);
            sql.push("UPDATE t SET ");
            self.assignments(&mut sql);
            if self.versioned {
                sql.push(" OUTPUT inserted.").name(self.part.id_column());
            }
            sql.push(" FROM ").table(self.part).push(" AS t INNER JOIN ");
            self.source(&mut sql, piece)?;
            sql.push(" ON ");
            self.same_key(&mut sql);
            if self.versioned {
                sql.push(" WHERE t.").name(VERSION_COLUMN).push(" < s.[v]");
            }
            if self.expects() {
                sql.push(" AND t.").name(VERSION_COLUMN).push(" = s.[e]");
            }
            let answer = self.run(session, sql.finish()).await?;
            self.note(written, answer)?;
        }
        Ok(())
    }

    async fn delete(&self, session: &mut dyn Session) -> Result<(WriteReport, Vec<usize>)> {
        if !self.versioned {
            let found = self.find(session).await?;
            self.remove(session, &found.present).await?;
            return Ok((found.report, found.present));
        }
        let mut sql = Sql::new(&self.core.dialect);
        sql.push("DELETE t OUTPUT deleted.").name(self.part.id_column()).push(" FROM ").table(self.part).push(" AS t WHERE ");
        self.core.dialect.id_is_one_of(&mut sql, self.part, &self.ids(&self.order))?;
        sql.push(" AND t.").name(VERSION_COLUMN).push(" < ").bind(Value::Int(self.batch.version));
        let mut written = HashSet::new();
        let answer = self.run(session, sql.finish()).await?;
        self.note(&mut written, answer)?;
        Ok((self.others(session, &written).await?, self.those(&written)))
    }

    async fn remove(&self, session: &mut dyn Session, rows: &[usize]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut sql = Sql::new(&self.core.dialect);
        sql.push("DELETE t FROM ").table(self.part).push(" AS t WHERE ");
        self.core.dialect.id_is_one_of(&mut sql, self.part, &self.ids(rows))?;
        self.run(session, sql.finish()).await.map(drop)
    }

    /// The ids that a statement says it wrote.
    fn note(&self, written: &mut HashSet<String>, answer: Answer) -> Result<()> {
        for row in answer.rows {
            written.insert(self.core.id(self.part, row.into_iter().next().unwrap_or_default())?.into_string());
        }
        Ok(())
    }

    fn those(&self, written: &HashSet<String>) -> Vec<usize> {
        self.order.iter().copied().filter(|&row| written.contains(self.batch.ids[row].as_str())).collect()
    }

    /// Why the others were not written: stale, or not there.
    async fn others(&self, session: &mut dyn Session, written: &HashSet<String>) -> Result<WriteReport> {
        let others: Vec<usize> = self.order.iter().copied().filter(|&row| !written.contains(self.batch.ids[row].as_str())).collect();
        let mut report = WriteReport::default();
        let there = self.versions(session, &others, "").await?;
        for row in others {
            match there.get(self.batch.ids[row].as_str()) {
                Some(version) => report.stale.push((row, *version)),
                None => report.missing.push(row),
            }
        }
        report.stale.sort_unstable();
        report.missing.sort_unstable();
        Ok(report)
    }

    /// Locks the rows that are there, and sorts out which may be written.
    async fn find(&self, session: &mut dyn Session) -> Result<Found> {
        let there = self.versions(session, &self.order, " WITH (UPDLOCK, HOLDLOCK)").await?;
        Ok(self.found(&there))
    }

    /// The rows that are there, each with its version; `hint` stands behind the table's name.
    async fn versions(&self, session: &mut dyn Session, rows: &[usize], hint: &'static str) -> Result<HashMap<String, i64>> {
        if rows.is_empty() {
            return Ok(HashMap::new());
        }
        let statement = self.select_versions(&self.core.dialect, rows, hint, "")?;
        let mut there = HashMap::new();
        self.read_versions(self.core, self.run(session, statement).await?, &mut there)?;
        Ok(there)
    }

    /// Makes the tables beside the part's say of the rows what their columns say.
    async fn children(&self, session: &mut dyn Session, rows: &[usize]) -> Result<()> {
        for (column, place) in self.rows.children().filter(|_| !rows.is_empty()) {
            let child = children::table(&self.core.dialect, self.part, column);
            if self.batch.mode != WriteMode::Insert {
                let mut sql = Sql::new(&self.core.dialect);
                let json = serde_json::to_string(&self.ids(rows)).unwrap_or_default();
                sql.push("DELETE FROM ")
                    .name(&child)
                    .push(" WHERE [owner] IN (SELECT ")
                    .push(text::OPEN)
                    .push("j.[value]")
                    .push(text::CLOSE);
                sql.push(" FROM OPENJSON(").bind(Value::Text(json)).push(") j)");
                self.run(session, sql.finish()).await?;
            }
            let Some(place) = place else { continue };
            for piece in self.items(rows, place).chunks(PARAMETERS / 3) {
                let mut values = Vec::with_capacity(piece.len() * 3);
                for (item, row, position) in piece {
                    values.extend([item.clone(), self.key(*row), position.clone()]);
                }
                self.run(session, Statement { text: children::insert(&self.core.dialect, &child, piece.len()), values }).await?;
            }
        }
        Ok(())
    }
}
