//! What a driver asks of a connection, small enough that a sheet of paper can stand in for a server: see
//! [`paper`](crate::backends) and `tests/src/judged`. For drivers whose client gives values one by one; those over `sqlx`
//! decode its rows themselves.

use std::future::Future;
use std::pin::Pin;

use super::Statement;
use crate::error::Result;
#[cfg(any(feature = "mssql", feature = "oracle", feature = "starrocks"))]
use crate::error::{Error, ErrorKind};
use crate::types::Value;

/// How far an operation had come: what is known of the outcome when its connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Connecting.
    Connect,
    /// Reading: nothing can have changed.
    Read,
    /// Writing, before the commit was sent: the server undoes what was done.
    Write,
    /// The commit was sent.
    Commit,
}

/// What a statement gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Its rows, each value in the form in which it lies in its column.
    pub rows: Vec<Vec<Value>>,
    /// How many rows it inserted, updated or deleted.
    pub changed: u64,
}

/// Work under way.
pub type Running<'s, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 's>>;

/// One connection. Dropped in the midst of a statement or a transaction it must not be used again by anybody.
pub trait Session: Send {
    /// Runs one statement with its values.
    fn run<'s>(&'s mut self, statement: &'s Statement, phase: Phase) -> Running<'s, Answer>;

    /// Runs one text for each of many rows of values, and says how many rows it changed. One after another, where the client
    /// knows no better way.
    fn run_each<'s>(&'s mut self, text: &'s str, rows: Vec<Vec<Value>>, phase: Phase) -> Running<'s, u64> {
        Box::pin(async move {
            let mut changed = 0;
            for values in rows {
                let statement = Statement { text: text.to_owned(), values };
                changed += self.run(&statement, phase).await?.changed;
            }
            Ok(changed)
        })
    }
}

/// What a driver without a server says of native connections.
#[cfg(any(feature = "mssql", feature = "oracle", feature = "starrocks"))]
pub(crate) fn no_server() -> Error {
    Error::new(ErrorKind::Unsupported, "there is no server behind this driver")
}

/// Where connections come from.
pub trait Sessions: Send + Sync + 'static {
    /// A connection that nobody else has.
    fn session(&self, phase: Phase) -> Running<'_, Box<dyn Session>>;
}
