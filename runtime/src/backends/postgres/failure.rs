//! Postgres' SQLSTATE codes as kinds of errors.

use sqlx::error::DatabaseError;

use crate::backends::network::failure::{self, Meaning, Phase};
use crate::error::{Error, ErrorKind};

/// What a code comes down to.
pub(super) fn codes(cause: &dyn DatabaseError) -> Meaning {
    let code = cause.code().unwrap_or_default();
    let (plain, shown, passing) = (Meaning::plain, Meaning::shown, Meaning::passing);
    match &*code {
        "57P01" | "57P02" | "57P03" => {
            Meaning { lost: true, ..passing(ErrorKind::Unavailable, "the server ended the connection, or is starting or stopping") }
        }
        code if code.starts_with("08") => Meaning { lost: true, ..passing(ErrorKind::Unavailable, "the connection failed") },
        "57014" => passing(ErrorKind::Timeout, "the server stopped the statement: raise the statement timeout, or ask for less"),
        "55P03" => passing(ErrorKind::Timeout, "another session held a lock for too long"),
        "40001" | "40P01" => passing(ErrorKind::Conflict, "another session wrote the same rows at the same time: try again"),
        "53300" => passing(ErrorKind::Unavailable, "the server takes no more connections: lower max_connections, or raise the server's"),
        "53100" | "58030" => passing(ErrorKind::Storage, "the server's disk is full or failing"),
        "53200" | "53400" => passing(ErrorKind::LimitExceeded, "the server ran out of memory or reached a configured limit"),
        "54000" | "54001" | "54011" => shown(ErrorKind::LimitExceeded, "a limit of the server was reached"),
        "22003" => plain(ErrorKind::LimitExceeded, "the sum overflows the field's type: filter to fewer rows, or sum in the application"),
        "23505" => plain(ErrorKind::UniqueViolation, "another row already holds this value"),
        "23502" => plain(ErrorKind::InvalidValue, "null in a column that takes none"),
        "23503" | "23514" | "23P01" => plain(ErrorKind::InvalidValue, "a constraint of the table refuses the row"),
        "28000" | "28P01" => plain(ErrorKind::PermissionDenied, "the server refuses this user: check user and password"),
        "42501" => shown(ErrorKind::PermissionDenied, "the user lacks a permission: have it granted"),
        "25006" => plain(ErrorKind::PermissionDenied, "the server or session is read-only"),
        "3D000" => plain(ErrorKind::InvalidSchema, "there is no such database: create it, or correct the address"),
        "42P01" | "42703" => shown(ErrorKind::SchemaMismatch, "a table or column is gone: register the entity again"),
        code if code.starts_with("42") => shown(ErrorKind::Backend, "the server does not take the statement"),
        _ => plain(ErrorKind::Backend, "the server answered with an error"),
    }
}

/// The error of an operation that had come so far.
pub(super) fn error(cause: sqlx::Error, phase: Phase) -> Error {
    failure::error(cause, phase, codes)
}

/// Whether another connection may do.
pub(super) fn is_lost(cause: &sqlx::Error) -> bool {
    failure::is_lost(cause, codes)
}

/// The code of a database's error.
pub(super) fn code(cause: &sqlx::Error) -> Option<String> {
    cause.as_database_error().and_then(DatabaseError::code).map(|code| code.into_owned())
}

/// Whether the session's prepared statement no longer fits the table, and one prepared anew will.
pub(super) fn is_stale_plan(cause: &sqlx::Error) -> bool {
    matches!(code(cause).as_deref(), Some("0A000" | "26000")) && cause.to_string().contains("plan must not change")
        || code(cause).as_deref() == Some("26000")
}
