//! What batches of writes share over [`Session`](super::session::Session)s: attempts, the order of rows, which of them may be
//! written, and what a clash of keys means.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::time::Duration;

use super::{Dialect, ddl};
use crate::driver::{WriteBatch, WriteMode, WriteReport};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::schema::Part;
use crate::types::Id;

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

/// A batch that can be tried.
pub(crate) trait Attempt: Sync {
    /// One transaction.
    fn once(&self) -> impl Future<Output = Result<WriteReport, Failed>> + Send;
}

/// Tries until it is written, or refused.
///
/// # Errors
/// Those of the last attempt.
pub(crate) async fn attempted(batch: &impl Attempt) -> Result<WriteReport> {
    let mut attempt = 1;
    loop {
        match batch.once().await {
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
    pub(crate) fn new(part: &'a Part, batch: &'a WriteBatch) -> Result<Self> {
        let order = batch.in_key_order(part)?;
        Ok(Rows { part, batch, order, versioned: !part.is_mapped() })
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
