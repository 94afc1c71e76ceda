//! A connection on a thread of its own: the client blocks, and a runtime's threads must not.

use std::sync::mpsc;

use oracledb::{Config, Connection};
use tokio::sync::oneshot;

use crate::error::{Error, ErrorKind, Result};

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// A thread that has a connection, and does one job after another. Dropped, it finishes the one under way, and the server undoes
/// what was not committed.
pub(super) struct Worker {
    jobs: mpsc::Sender<Job>,
}

/// The error of a thread that could not be started.
fn no_thread(cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "no thread could be started for a connection").caused_by(cause)
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<()> {
    std::thread::Builder::new().name("heavenbase-oracle".to_owned()).spawn(work).map(drop).map_err(no_thread)
}

/// Connects, on a thread that then ends. `None` when the client came to an end of its own instead.
pub(super) async fn connect(config: Config) -> Result<Option<Result<Connection, oracledb::Error>>> {
    let (answer, made) = oneshot::channel();
    spawn(move || drop(answer.send(oracledb::connect(config))))?;
    Ok(made.await.ok())
}

impl Worker {
    /// Gives a connection a thread.
    pub(super) fn of(connection: Connection) -> Result<Self> {
        let (jobs, work) = mpsc::channel::<Job>();
        spawn(move || work.into_iter().for_each(|job| job(&connection)))?;
        Ok(Worker { jobs })
    }

    /// Does a job. `None` when the thread is gone: it ends where the client gives up on itself.
    pub(super) async fn run<T: Send + 'static>(&self, job: impl FnOnce(&Connection) -> T + Send + 'static) -> Option<T> {
        let (answer, done) = oneshot::channel();
        self.jobs.send(Box::new(move |connection| drop(answer.send(job(connection))))).ok()?;
        done.await.ok()
    }
}
