//! What batches of writes share over [`Session`]s: attempts and their transaction, the order of rows, which of them may be
//! written, and what a clash of keys means.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::ops::Deref;
use std::time::Duration;

use super::core::{Core, Lies, whole};
use super::session::{Answer, Phase, Session};
use super::{Dialect, Sql, Statement, children, ddl};
use crate::driver::{WriteBatch, WriteMode, WriteReport};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::schema::{Column, Part};
use crate::types::{Id, Value};

/// Most attempts when another session wrote the same rows at the same time, or a connection was gone.
const ATTEMPTS: u32 = 12;

/// How one attempt failed.
pub(crate) enum Failed {
    /// The server undid it, or nothing was begun: another attempt may do.
    Again(Error),
    /// For good.
    Final(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let again = error.status() == Status::Temporary && matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Unavailable);
        if again { Failed::Again(error) } else { Failed::Final(error) }
    }
}

/// How one engine writes a [`Writing`] of its own.
pub(crate) trait Attempt: Sync {
    /// What begins a transaction, where a statement does.
    const BEGIN: Option<&'static str>;
    /// What ends it.
    const COMMIT: &'static str;
    /// What undoes it.
    const ROLLBACK: &'static str;

    /// Writes the rows within a transaction that is begun.
    fn apply(&self, session: &mut dyn Session) -> impl Future<Output = Result<WriteReport>> + Send;

    /// The rows that are there, each with its version. It leaves no transaction behind.
    fn look(&self, session: &mut dyn Session) -> impl Future<Output = Result<HashMap<String, i64>>> + Send;
}

/// One transaction.
async fn once<'a, D: Lies, B>(attempt: &Writing<'a, D, B>) -> Result<WriteReport, Failed>
where
    Writing<'a, D, B>: Attempt,
{
    let mut session = attempt.core.sessions.session(Phase::Write).await?;
    if let Some(begin) = Writing::<'a, D, B>::BEGIN {
        session.run(&Statement::plain(begin), Phase::Write).await?;
    }
    match attempt.apply(&mut *session).await {
        Ok(report) => match session.run(&Statement::plain(Writing::<'a, D, B>::COMMIT), Phase::Commit).await {
            Ok(_) => Ok(report),
            // Whether it took place is not known: never again.
            Err(error) => Err(Failed::Final(attempt.entity(error))),
        },
        Err(error) => {
            // What cannot be undone here, the server undoes when the connection ends.
            let _ = session.run(&Statement::plain(Writing::<'a, D, B>::ROLLBACK), Phase::Write).await;
            Err(refused(attempt, &mut *session, error).await)
        }
    }
}

/// What the server said of a statement, with the id or the field it is about.
async fn refused<'a, D: Lies, B>(attempt: &Writing<'a, D, B>, session: &mut dyn Session, error: Error) -> Failed
where
    Writing<'a, D, B>: Attempt,
{
    if error.kind() != ErrorKind::UniqueViolation {
        return error.into();
    }
    // The id counts first, whichever key the server met.
    if attempt.batch.mode == WriteMode::Insert {
        match attempt.look(session).await {
            Ok(there) => {
                if let Some(taken) = attempt.taken(&there) {
                    return Failed::Final(taken);
                }
            }
            Err(error) => return error.into(),
        }
    }
    attempt.clash(&attempt.core.dialect, error)
}

/// Writes a batch: tries until it is written, or refused.
///
/// # Errors
/// Those of the last attempt.
pub(crate) async fn attempted<'a, D: Lies, B>(batch: &Writing<'a, D, B>) -> Result<WriteReport>
where
    Writing<'a, D, B>: Attempt,
{
    let mut attempt = 1;
    loop {
        match once(batch).await {
            Ok(report) => return Ok(report),
            Err(Failed::Final(error)) => return Err(error),
            Err(Failed::Again(error)) if attempt >= ATTEMPTS => return Err(error),
            Err(Failed::Again(error)) => {
                if error.kind() == ErrorKind::Conflict {
                    // Let the other session finish first, and do not come back in step with it.
                    tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 5)).await;
                }
                attempt += 1;
            }
        }
    }
}

/// The error of rows that another session wrote meanwhile.
pub(crate) fn overtaken() -> Error {
    let why = "another session wrote the same rows at the same time: try again";
    Error::new(ErrorKind::Conflict, why).with_status(Status::Temporary)
}

/// What a column of the table gets of a row: the value at a place of it, or what lies beside that.
pub(crate) struct Given<'p, B> {
    pub(crate) name: String,
    pub(crate) place: usize,
    pub(crate) column: &'p Column,
    pub(crate) beside: Option<B>,
}

/// A batch with what is needed to write it: what lies beside a column is the engine's.
pub(crate) struct Writing<'a, D, B> {
    pub(crate) core: &'a Core<D>,
    pub(crate) rows: Rows<'a>,
    pub(crate) given: Vec<Given<'a, B>>,
}

impl<'a, D, B> Deref for Writing<'a, D, B> {
    type Target = Rows<'a>;

    fn deref(&self) -> &Rows<'a> {
        &self.rows
    }
}

impl<'a, D, B> Writing<'a, D, B> {
    /// The rows and the columns of a batch; `beside` says what lies beside one of the part's.
    ///
    /// # Errors
    /// As [`WriteBatch::in_key_order`], and [`ErrorKind::Internal`] for a batch of another part.
    pub(crate) fn new(
        core: &'a Core<D>,
        part: &'a Part,
        batch: &'a WriteBatch,
        beside: impl Fn(usize) -> Vec<(B, String)>,
    ) -> Result<Self> {
        let rows = Rows::new(part, batch)?;
        let given = rows.given(beside)?;
        Ok(Writing { core, rows, given })
    }
}

/// The rows of a batch.
pub(crate) struct Rows<'a> {
    pub(crate) part: &'a Part,
    pub(crate) batch: &'a WriteBatch,
    /// In the order of their ids: every session then locks rows in the same order.
    pub(crate) order: Vec<usize>,
    pub(crate) versioned: bool,
}

/// Rows that are there, and what is to be done with them.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) report: WriteReport,
    pub(crate) present: Vec<usize>,
    pub(crate) absent: Vec<usize>,
}

impl<'a> Rows<'a> {
    /// The rows whose ids are keys of the part.
    ///
    /// # Errors
    /// As [`WriteBatch::in_key_order`].
    fn new(part: &'a Part, batch: &'a WriteBatch) -> Result<Self> {
        let order = batch.in_key_order(part)?;
        Ok(Rows { part, batch, order, versioned: !part.is_mapped() })
    }

    /// The columns of the table that the batch writes; `beside` says what lies beside one of the part's.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] for a batch of another part.
    fn given<B>(&self, beside: impl Fn(usize) -> Vec<(B, String)>) -> Result<Vec<Given<'a, B>>> {
        let mut given = Vec::with_capacity(self.batch.columns.len());
        for (place, &position) in self.batch.columns.iter().enumerate() {
            let column = self.part.columns.get(position);
            let column = column.ok_or_else(|| Error::new(ErrorKind::Internal, "a column position outside of the part"))?;
            given.push(Given { name: column.physical.clone(), place, column, beside: None });
            given.extend(beside(position).into_iter().map(|(what, name)| Given { name, place, column, beside: Some(what) }));
        }
        Ok(given)
    }

    /// The columns with a table of words or items that the batch changes, each with its place in a row; none where rows go.
    pub(crate) fn children(&self) -> impl Iterator<Item = (&'a Column, Option<usize>)> {
        let columns = if self.part.is_mapped() { &[][..] } else { &self.part.columns[..] };
        let with_table = columns.iter().enumerate().filter(|(_, column)| children::has_child(column));
        let place = |position| self.batch.columns.iter().position(|&written| written == position);
        let changed = with_table.map(move |(position, column)| (column, place(position)));
        changed.filter(|(_, place)| place.is_some() || self.batch.mode == WriteMode::Delete)
    }

    /// What some rows put into such a table: each item with its row and its position.
    pub(crate) fn items(&self, rows: &[usize], place: usize) -> Vec<(Value, usize, Value)> {
        let of = |&row: &usize| {
            let numbered = (0i64..).map(Value::Int);
            children::items(&self.batch.row(row)[place]).into_iter().zip(numbered).map(move |(item, at)| (item, row, at))
        };
        rows.iter().flat_map(of).collect()
    }

    /// Runs a statement of the batch.
    ///
    /// # Errors
    /// The server's, with the entity's name.
    pub(crate) async fn run(&self, session: &mut dyn Session, statement: Statement) -> Result<Answer> {
        session.run(&statement, Phase::Write).await.map_err(|error| self.entity(error))
    }

    /// The select of the keys and versions of those of some rows that are there; `hint` stands behind the table's name, `lock` at
    /// the end.
    ///
    /// # Errors
    /// Of more rows than one statement takes.
    pub(crate) fn select_versions(
        &self,
        dialect: &dyn Dialect,
        rows: &[usize],
        hint: &'static str,
        lock: &'static str,
    ) -> Result<Statement> {
        let mut sql = Sql::new(dialect);
        sql.push("SELECT t.").name(self.part.id_column());
        match self.part.version() {
            Some(version) => sql.push(", t.").name(version),
            None => sql.push(", 0"),
        };
        sql.push(" FROM ").table(self.part).push(" t").push(hint).push(" WHERE ");
        dialect.id_is_one_of(&mut sql, self.part, &self.ids(rows))?;
        sql.push(lock);
        Ok(sql.finish())
    }

    /// The answer to it.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for what are no keys and versions.
    pub(crate) fn read_versions<D: Lies>(&self, core: &Core<D>, answer: Answer, into: &mut HashMap<String, i64>) -> Result<()> {
        for row in answer.rows {
            let version = whole(row.get(1))?;
            into.insert(core.id(self.part, row.into_iter().next().unwrap_or_default())?.into_string(), version);
        }
        Ok(())
    }

    /// Names the entity.
    pub(crate) fn entity(&self, error: Error) -> Error {
        error.of_entity(self.part.entity.name)
    }

    /// The ids of some rows.
    pub(crate) fn ids(&self, rows: &[usize]) -> Vec<Id> {
        rows.iter().map(|&row| self.batch.ids[row].clone()).collect()
    }

    /// Whether rows must have the version that they were read with.
    pub(crate) fn expects(&self) -> bool {
        self.batch.mode == WriteMode::Patch && !self.batch.expected.is_empty()
    }

    /// The version that a row must have.
    pub(crate) fn expected(&self, row: usize) -> i64 {
        self.batch.expected.get(row).copied().unwrap_or_default()
    }

    /// Sorts out which rows may be written, by the versions of those that are there.
    pub(crate) fn found(&self, there: &HashMap<String, i64>) -> Found {
        let mut found = Found::default();
        for &row in &self.order {
            match there.get(self.batch.ids[row].as_str()) {
                None => found.absent.push(row),
                Some(version) if self.versioned && (*version >= self.batch.version || self.expects() && *version != self.expected(row)) => {
                    found.report.stale.push((row, *version));
                }
                Some(_) => found.present.push(row),
            }
        }
        if matches!(self.batch.mode, WriteMode::Patch | WriteMode::Delete) {
            let there: HashSet<usize> = found.present.iter().copied().chain(found.report.stale.iter().map(|(row, _)| *row)).collect();
            found.report.missing = (0..self.batch.len()).filter(|row| !there.contains(row)).collect();
        }
        found.report.stale.sort_unstable();
        found
    }

    /// The first row of an insert that is there already.
    pub(crate) fn taken(&self, there: &HashMap<String, i64>) -> Option<Error> {
        let row = (0..self.batch.len()).find(|&row| there.contains_key(self.batch.ids[row].as_str()))?;
        let why = "a row with this id is there already: use upsert to replace it";
        Some(self.entity(Error::new(ErrorKind::AlreadyExists, why).with("id", self.batch.ids[row].as_str())))
    }

    /// What a clash means whose error names the key: which fields, or a row that was not there a moment ago.
    pub(crate) fn clash(&self, dialect: &dyn Dialect, error: Error) -> Failed {
        match ddl::unique_fields(dialect, self.part, error.detail("key").unwrap_or_default()) {
            Some(fields) => Failed::Final(error.at_field(fields)),
            None if self.versioned => Failed::Again(self.entity(overtaken())),
            None => Failed::Final(error),
        }
    }
}
