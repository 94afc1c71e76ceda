//! What the server's errors mean. Its texts are never repeated: they may hold values.

use serde::Deserialize;

use super::client::Intent;
use crate::error::{Error, ErrorKind, Status};

/// An error as the server reports it.
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    /// Its name: `SYNTAX_ERROR`.
    #[serde(rename = "errorName", default)]
    pub(super) name: String,
    /// Whose fault: `USER_ERROR`, `INTERNAL_ERROR`, `INSUFFICIENT_RESOURCES` or `EXTERNAL`.
    #[serde(rename = "errorType", default)]
    kind: String,
}

/// A commit that another writer overtook.
pub(super) const COMMIT: &str = "ICEBERG_COMMIT_ERROR";
/// The server stopped waiting for its client.
pub(super) const ABANDONED: &str = "ABANDONED_QUERY";
/// What an insert of an id that is there raises, by our own doing.
pub(super) const PRESENT: &str = "DIVISION_BY_ZERO";
/// A table that is there already, and one that is not.
pub(super) const TABLE_THERE: &str = "TABLE_ALREADY_EXISTS";

/// The error.
pub(super) fn error(problem: &Problem, intent: Intent) -> Error {
    let (kind, message, status) = meaning(problem, intent);
    let named = |text: &str| text.len() <= 80 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let mut error = Error::new(kind, message).with_status(status);
    for (key, text) in [("code", &problem.name), ("type", &problem.kind)] {
        if named(text) && !text.is_empty() {
            error = error.with(key, text.clone());
        }
    }
    error
}

fn meaning(problem: &Problem, intent: Intent) -> (ErrorKind, &'static str, Status) {
    use ErrorKind as K;
    use Status::{Permanent, Temporary, Unknown};
    match problem.name.as_str() {
        "PERMISSION_DENIED" => return (K::PermissionDenied, "Trino refuses this to the user", Permanent),
        "TABLE_NOT_FOUND"
        | "COLUMN_NOT_FOUND"
        | "SCHEMA_NOT_FOUND"
        | "CATALOG_NOT_FOUND"
        | "MISSING_CATALOG_NAME"
        | "MISSING_SCHEMA_NAME" => {
            return (
                K::SchemaMismatch,
                "a table or column is not there: it was dropped or changed outside, or was never registered",
                Permanent,
            );
        }
        "NOT_SUPPORTED" | "INCOMPATIBLE_CLIENT" => {
            return (K::Unsupported, "the catalog's connector, or this way of speaking to Trino, cannot do this", Permanent);
        }
        "QUERY_TEXT_TOO_LARGE" => {
            return (K::LimitExceeded, "the statement is longer than the server takes: ask for or write less at once", Permanent);
        }
        "EXCEEDED_TIME_LIMIT" | "EXCEEDED_CPU_LIMIT" => return (K::Timeout, "the statement took longer than the server allows", Temporary),
        "NUMERIC_VALUE_OUT_OF_RANGE" => return (K::LimitExceeded, "a number left the range of its type", Permanent),
        "TRANSACTION_CONFLICT" | COMMIT => return (K::Conflict, "another writer changed the table meanwhile", Temporary),
        "USER_CANCELED" | "ADMINISTRATIVELY_KILLED" | "ADMINISTRATIVELY_PREEMPTED" | ABANDONED => {
            return (K::Unavailable, "the statement was cancelled on the server", Temporary);
        }
        _ => {}
    }
    match problem.kind.as_str() {
        "USER_ERROR" => (K::Backend, "Trino refuses the statement", Permanent),
        "INSUFFICIENT_RESOURCES" => (K::LimitExceeded, "the cluster has no room for the statement now", Temporary),
        // What lies behind the catalog failed: only a reader knows that nothing was changed.
        "EXTERNAL" if intent == Intent::Writes => (K::Backend, "what lies behind the catalog failed", Unknown),
        "EXTERNAL" => (K::Backend, "what lies behind the catalog failed", Temporary),
        _ => match problem.name.as_str() {
            "SERVER_SHUTTING_DOWN"
            | "SERVER_STARTING_UP"
            | "NO_NODES_AVAILABLE"
            | "REMOTE_TASK_ERROR"
            | "REMOTE_HOST_GONE"
            | "PAGE_TRANSPORT_ERROR"
            | "PAGE_TRANSPORT_TIMEOUT"
            | "REMOTE_TASK_MISMATCH"
            | "TOO_MANY_REQUESTS_FAILED" => (K::Unavailable, "the cluster lost a node while it worked", Temporary),
            _ => (K::Backend, "Trino failed", if intent == Intent::Writes { Unknown } else { Permanent }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_fault_it_is_decides_what_is_known() {
        for (name, kind, intent, expected, status) in [
            ("SYNTAX_ERROR", "USER_ERROR", Intent::Reads, ErrorKind::Backend, Status::Permanent),
            ("TABLE_NOT_FOUND", "USER_ERROR", Intent::Reads, ErrorKind::SchemaMismatch, Status::Permanent),
            ("EXCEEDED_GLOBAL_MEMORY_LIMIT", "INSUFFICIENT_RESOURCES", Intent::Writes, ErrorKind::LimitExceeded, Status::Temporary),
            ("ICEBERG_COMMIT_ERROR", "EXTERNAL", Intent::Writes, ErrorKind::Conflict, Status::Temporary),
            ("ICEBERG_FILESYSTEM_ERROR", "EXTERNAL", Intent::Writes, ErrorKind::Backend, Status::Unknown),
            ("NO_NODES_AVAILABLE", "INTERNAL_ERROR", Intent::Reads, ErrorKind::Unavailable, Status::Temporary),
            ("GENERIC_INTERNAL_ERROR", "INTERNAL_ERROR", Intent::Writes, ErrorKind::Backend, Status::Unknown),
        ] {
            let error = error(&Problem { name: name.into(), kind: kind.into() }, intent);
            assert_eq!((error.kind(), error.status()), (expected, status), "{name}");
        }
    }
}
