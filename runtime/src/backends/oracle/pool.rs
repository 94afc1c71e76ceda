//! Connections: made when they are needed, kept for the next, thrown away when anything is left in the midst.

use std::sync::Arc;
use std::time::Duration;

use oracledb::{BindParameters, Config, Connection, ToDbValue};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::thread::{self, Worker};
use super::{codec, failure};
use crate::backends::network::{PoolSettings, Shelf, TRUSTED};
use crate::backends::sql::Statement;
use crate::backends::sql::session::{Answer, Phase, Running, Session, Sessions};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::types::Value;

/// What every session is set to: text compares by bytes and numbers have a point, times are in UTC, and a definition waits for
/// locks as a row does.
const SESSION: [&str; 3] = [
    "ALTER SESSION SET NLS_COMP = 'BINARY' NLS_SORT = 'BINARY' NLS_NUMERIC_CHARACTERS = '.,'",
    "ALTER SESSION SET TIME_ZONE = '+00:00'",
    "ALTER SESSION SET DDL_LOCK_TIMEOUT = 60",
];

/// Rows that come at once.
const FETCHED: u32 = 1_000;

/// Rows of values that go at once.
const SENT: usize = 1_000;

/// Where connections come from.
pub(super) struct Pool {
    config: Config,
    encrypted: bool,
    settings: PoolSettings,
    shelf: Shelf<Worker>,
}

/// How a job on a connection failed.
pub(super) enum Cause {
    Client(oracledb::Error),
    Ours(Error),
}

impl From<oracledb::Error> for Cause {
    fn from(cause: oracledb::Error) -> Self {
        Cause::Client(cause)
    }
}

impl From<Error> for Cause {
    fn from(error: Error) -> Self {
        Cause::Ours(error)
    }
}

impl Pool {
    pub(super) fn new(config: Config, encrypted: bool, settings: PoolSettings) -> Arc<Self> {
        Arc::new(Pool { config, encrypted, shelf: Shelf::new(&settings), settings })
    }

    /// A new connection, set up.
    pub(super) async fn connect(&self) -> Result<Connection> {
        let patience = self.shelf.acquire.max(Duration::from_secs(1));
        let late = |_| Error::new(ErrorKind::Unavailable, "the server does not answer");
        let connection = match timeout(patience, thread::connect(self.config.clone())).await.map_err(late)?? {
            Some(made) => made.map_err(|cause| failure::error(cause, Phase::Connect))?,
            None => return Err(failure::ended(self.encrypted)),
        };
        let limit = Some(self.settings.statement_timeout).filter(|limit| !limit.is_zero());
        let connected = |cause| failure::error(cause, Phase::Connect);
        connection.set_call_timeout(limit).map_err(connected)?;
        Ok(connection)
    }

    async fn worker(&self, phase: Phase) -> Result<Worker> {
        let made = async {
            let worker = Worker::of(self.connect().await?)?;
            let set = worker.run(|connection| SESSION.iter().try_for_each(|text| connection.execute(text, &[]).map(drop))).await;
            match set {
                Some(Ok(())) => Ok(worker),
                Some(Err(cause)) => Err(failure::error(cause, Phase::Connect)),
                None => Err(failure::ended(false)),
            }
        };
        made.await.map_err(|error: Error| match phase {
            Phase::Connect => error,
            _ if error.kind() == ErrorKind::Unavailable => error.with_status(Status::Temporary),
            _ => error,
        })
    }

    /// A connection that nobody else has; one that was idle for long is asked whether it lives. For [`Phase::Connect`] it is one
    /// beside all others, which does not count among them.
    pub(super) async fn take(self: &Arc<Self>, phase: Phase) -> Result<ThreadSession> {
        let session = |worker, permit| ThreadSession { worker: Some(worker), pool: self.clone(), permit, clean: true, open: false };
        if phase == Phase::Connect {
            return Ok(session(self.worker(phase).await?, None));
        }
        let permit = self.shelf.permit().await?;
        while let Some((worker, trusted)) = self.shelf.take() {
            if trusted || matches!(timeout(TRUSTED, worker.run(Connection::ping)).await, Ok(Some(Ok(())))) {
                return Ok(session(worker, Some(permit)));
            }
        }
        Ok(session(self.worker(phase).await?, Some(permit)))
    }
}

impl Sessions for Arc<Pool> {
    fn session(&self, phase: Phase) -> Running<'_, Box<dyn Session>> {
        Box::pin(async move {
            let session: Box<dyn Session> = Box::new(self.take(phase).await?);
            Ok(session)
        })
    }
}

/// A connection of the pool's. It goes back when it is dropped between statements, outside of a transaction.
pub(super) struct ThreadSession {
    worker: Option<Worker>,
    pool: Arc<Pool>,
    permit: Option<OwnedSemaphorePermit>,
    clean: bool,
    open: bool,
}

impl Drop for ThreadSession {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take().filter(|_| self.clean && !self.open && self.permit.is_some()) {
            self.pool.shelf.put(worker);
        }
    }
}

/// The values of one row, as the client takes them.
fn refs(row: &[Box<dyn ToDbValue>]) -> Vec<&dyn ToDbValue> {
    row.iter().map(|value| &**value).collect()
}

/// Whether a statement gives rows.
pub(super) fn is_query(text: &str) -> bool {
    let word: String =
        text.trim_start_matches(|c: char| c.is_whitespace() || c == '(').chars().take_while(char::is_ascii_alphabetic).collect();
    word.eq_ignore_ascii_case("select") || word.eq_ignore_ascii_case("with")
}

/// Runs one statement, on its connection's thread: the names of its columns, and what it gave.
pub(super) fn execute(connection: &Connection, statement: Statement) -> Result<(Vec<String>, Answer), Cause> {
    let bound = codec::bound(vec![statement.values])?;
    let values = bound.first().map(|row| refs(row)).unwrap_or_default();
    if !is_query(&statement.text) {
        let changed = connection.execute(&statement.text, &values)?.rows_affected();
        return Ok((Vec::new(), Answer { rows: Vec::new(), changed }));
    }
    let prepared = connection.statement(&statement.text)?.fetch_array_size(FETCHED).prefetch_rows(FETCHED).build()?;
    let cursor = prepared.query(&values)?;
    let names: Vec<String> = cursor.columns().iter().map(|column| column.name().to_owned()).collect();
    let mut rows = Vec::new();
    for row in cursor {
        let row = row?;
        rows.push((0..names.len()).map(|at| codec::value(&row, at)).collect::<Result<Vec<Value>>>()?);
    }
    Ok((names, Answer { rows, changed: 0 }))
}

/// Runs one text for many rows of values: arrays of them.
fn execute_each(connection: &Connection, text: &str, rows: Vec<Vec<Value>>) -> Result<u64, Cause> {
    let mut changed = 0;
    let bound = codec::bound(rows)?;
    for chunk in bound.chunks(SENT) {
        let values: Vec<Vec<&dyn ToDbValue>> = chunk.iter().map(|row| refs(row)).collect();
        let values: Vec<&[&dyn ToDbValue]> = values.iter().map(Vec::as_slice).collect();
        changed += connection.execute_batch(text, BindParameters::Slice(&values))?.rows_affected();
    }
    Ok(changed)
}

impl ThreadSession {
    /// The thread, which does not go back.
    pub(super) fn into_own(mut self) -> Option<(Worker, ThreadSession)> {
        self.worker.take().map(|worker| (worker, self))
    }

    /// The server's version.
    pub(super) async fn version(&mut self) -> Result<oracledb::OracleVersion> {
        self.job(Phase::Read, |connection| Ok(connection.version()?)).await
    }

    async fn job<T: Send + 'static>(
        &mut self,
        phase: Phase,
        job: impl FnOnce(&Connection) -> Result<T, Cause> + Send + 'static,
    ) -> Result<T> {
        if !std::mem::replace(&mut self.clean, false) {
            return Err(failure::gone(phase));
        }
        let worker = self.worker.as_ref().ok_or_else(|| failure::gone(phase))?;
        match worker.run(job).await {
            Some(Ok(done)) => {
                self.clean = true;
                Ok(done)
            }
            Some(Err(Cause::Client(cause))) => {
                self.clean = !failure::is_lost(&cause);
                Err(failure::error(cause, phase))
            }
            // Rows may still be on their way: the connection is not used again.
            Some(Err(Cause::Ours(error))) => Err(error),
            None => Err(failure::gone(phase)),
        }
    }
}

impl Session for ThreadSession {
    fn run<'s>(&'s mut self, statement: &'s Statement, phase: Phase) -> Running<'s, Answer> {
        Box::pin(async move {
            match statement.text.as_str() {
                "COMMIT" => self.job(phase, |connection| Ok(connection.commit()?)).await?,
                "ROLLBACK" => self.job(phase, |connection| Ok(connection.rollback()?)).await?,
                _ => {
                    self.open |= phase != Phase::Read;
                    let statement = statement.clone();
                    return self.job(phase, |connection| execute(connection, statement).map(|(_, answer)| answer)).await;
                }
            }
            self.open = false;
            Ok(Answer::default())
        })
    }

    fn run_each<'s>(&'s mut self, text: &'s str, rows: Vec<Vec<Value>>, phase: Phase) -> Running<'s, u64> {
        Box::pin(async move {
            self.open = true;
            let text = text.to_owned();
            self.job(phase, move |connection| execute_each(connection, &text, rows)).await
        })
    }
}
