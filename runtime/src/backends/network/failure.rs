//! Errors of `sqlx` as ours: what kind, and what is known of the outcome.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::error::DatabaseError;

pub(crate) use super::meaning::Meaning;
pub(crate) use crate::backends::sql::session::Phase;
use crate::error::{Error, ErrorKind, Result, Status};

/// Reads a database's error codes.
pub(crate) type Codes = fn(&dyn DatabaseError) -> Meaning;

/// Whether the connection was lost, so that another one may do.
pub(crate) fn is_lost(cause: &sqlx::Error, codes: Codes) -> bool {
    match cause {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(cause) => codes(&**cause).lost,
        _ => false,
    }
}

/// The error, without any bound value or credential.
pub(crate) fn error(cause: sqlx::Error, phase: Phase, codes: Codes) -> Error {
    let lost = is_lost(&cause, codes);
    let found = match cause {
        sqlx::Error::Database(cause) => {
            let meaning = codes(&*cause);
            let mut found = meaning.error();
            if let Some(code) = cause.code() {
                found = found.with("code", code);
            }
            if meaning.quotable {
                found = found.with("server", cause.message());
            }
            found
        }
        // What is wrong with a certificate comes as data that cannot be read.
        sqlx::Error::Io(cause) if phase == Phase::Connect && cause.kind() == std::io::ErrorKind::InvalidData => {
            Error::new(ErrorKind::Unavailable, "no encrypted connection to the server: check the TLS options").caused_by(cause)
        }
        sqlx::Error::Io(cause) => Error::new(ErrorKind::Unavailable, "the connection to the server failed").caused_by(cause),
        sqlx::Error::Tls(cause) if phase == Phase::Connect => {
            Error::new(ErrorKind::Unavailable, "no encrypted connection to the server: check the TLS options").caused_by(cause)
        }
        // The client has no way of its own to hide it.
        sqlx::Error::Configuration(cause) if cause.to_string().contains("RSA") => {
            let why = "the server takes this user's password only over an encrypted connection: ask for TLS, such as .tls(Tls::Require)";
            Error::new(ErrorKind::PermissionDenied, why)
        }
        sqlx::Error::Configuration(_) => {
            Error::new(ErrorKind::InvalidSchema, "the address cannot be read: it has the form scheme://user:password@host:port/database")
        }
        sqlx::Error::PoolTimedOut => Error::new(
            ErrorKind::Unavailable,
            "no connection was free or could be made in time: the server is gone, or raise max_connections",
        ),
        sqlx::Error::PoolClosed => Error::new(ErrorKind::Unavailable, "the connections are closed"),
        _ if lost => Error::new(ErrorKind::Unavailable, "the connection to the server broke"),
        // Texts of these may repeat what was being read.
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            Error::new(ErrorKind::Corrupt, "the server's answer has another type than the field")
        }
        other => Error::new(ErrorKind::Backend, "the statement failed in the client").caused_by(other),
    };
    match phase {
        Phase::Commit if lost => found.with_status(Status::Unknown),
        _ if lost => found.with_status(Status::Temporary),
        _ => found,
    }
}

fn outcome(phase: Phase) -> Status {
    if phase == Phase::Commit { Status::Unknown } else { Status::Temporary }
}

fn no_answer(phase: Phase) -> Error {
    let why = "the server's answer is none of its protocol: something between changes it, or it is another server";
    Error::new(ErrorKind::Unavailable, why).with_status(outcome(phase))
}

/// Waits for a statement no longer than this: a server whose machine or network is gone closes no connection.
pub(crate) async fn within<T>(patience: Option<Duration>, phase: Phase, work: impl Future<Output = T>) -> Result<T> {
    let work = AssertUnwindSafe(work).catch_unwind();
    let done = match patience {
        None => work.await,
        Some(patience) => tokio::time::timeout(patience, work).await.map_err(|_| {
            let why = "the server did not answer in the time that a statement may take: it is gone, or raise the statement timeout";
            Error::new(ErrorKind::Timeout, why).with_status(outcome(phase))
        })?,
    };
    done.map_err(|_| no_answer(phase))
}

/// The client panics at messages that are shorter than they say. What it was at is dropped, its connection with it.
pub(crate) async fn caught<T>(phase: Phase, work: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| Err(no_answer(phase)))
}

/// The same for what is read from rows that have come.
pub(crate) fn read<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(no_answer(Phase::Read)))
}
