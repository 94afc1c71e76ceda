//! SQLite's errors as ours.

use rusqlite::ffi::{self, ErrorCode};

use crate::error::{Error, ErrorKind, Status};
use crate::schema::Part;

/// What an error of SQLite means. Its own text, kept as the source, names tables and columns but never a bound value.
pub(super) fn error(cause: rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(code, _) = &cause else {
        return Error::new(ErrorKind::Backend, "SQLite's answer is not what was asked for").caused_by(cause);
    };
    let (kind, status, why) = match code.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (
            ErrorKind::Unavailable,
            Status::Temporary,
            "another connection holds the database longer than the busy timeout: try again, or raise it with .busy_timeout(…)",
        ),
        ErrorCode::DiskFull => (ErrorKind::Storage, Status::Temporary, "no room left on the disk of the database"),
        ErrorCode::ReadOnly => (ErrorKind::Storage, Status::Permanent, "the database's file or directory is not writable"),
        ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            (ErrorKind::Storage, Status::Permanent, "the database's file cannot be opened: check that its directory exists and is writable")
        }
        ErrorCode::SystemIoFailure => (ErrorKind::Storage, Status::Unknown, "reading or writing the database's file failed"),
        ErrorCode::DatabaseCorrupt => (ErrorKind::Corrupt, Status::Permanent, "the database's file is damaged: restore it from a backup"),
        ErrorCode::NotADatabase => (ErrorKind::Corrupt, Status::Permanent, "the file is not an SQLite database"),
        ErrorCode::TooBig => (ErrorKind::LimitExceeded, Status::Permanent, "a value or statement larger than SQLite takes"),
        ErrorCode::OutOfMemory => (ErrorKind::LimitExceeded, Status::Temporary, "SQLite ran out of memory"),
        ErrorCode::OperationInterrupted => (ErrorKind::Timeout, Status::Temporary, "the statement was interrupted"),
        ErrorCode::SchemaChanged | ErrorCode::OperationAborted | ErrorCode::FileLockingProtocolFailed => {
            (ErrorKind::Unavailable, Status::Temporary, "the database changed under the statement: try again")
        }
        ErrorCode::ConstraintViolation => {
            (ErrorKind::SchemaMismatch, Status::Permanent, "the table refused a value: it is not the table the entity describes")
        }
        _ if code.extended_code == ffi::SQLITE_ERROR => {
            (ErrorKind::Backend, Status::Permanent, "SQLite refused the statement: was the table changed by other means?")
        }
        _ => (ErrorKind::Backend, Status::Permanent, "SQLite answered with an error"),
    };
    Error::new(kind, why).with_status(status).with("code", code.extended_code).caused_by(cause)
}

/// As [`error`], for the write of one row: conflicts name the id or the field.
pub(super) fn write_error(cause: rusqlite::Error, part: &Part, id: &str) -> Error {
    let rusqlite::Error::SqliteFailure(code, Some(message)) = &cause else { return error(cause) };
    let unique = [ffi::SQLITE_CONSTRAINT_PRIMARYKEY, ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_CONSTRAINT_ROWID];
    if !unique.contains(&code.extended_code) {
        return error(cause);
    }
    let named = message.rsplit_once(": ").map_or(message.as_str(), |(_, columns)| columns);
    let table = part.path().last().unwrap_or_default();
    let column = |physical: &str| format!("{table}.{physical}");
    if named == column(part.id_column()) {
        return already_exists(id);
    }
    for group in part.unique_groups() {
        let columns: Vec<_> = group.iter().filter_map(|&i| part.columns.get(i)).collect();
        if columns.iter().map(|c| column(&c.physical)).collect::<Vec<_>>().join(", ") == named {
            let fields = columns.iter().map(|c| c.name).collect::<Vec<_>>().join(", ");
            let why = if columns.len() > 1 {
                format!("another row holds the same values of ({fields}), which are unique together")
            } else {
                "another row holds the same value of a unique field".to_owned()
            };
            return Error::new(ErrorKind::UniqueViolation, why).at_field(fields).with("id", id);
        }
    }
    Error::new(ErrorKind::UniqueViolation, "another row holds the same value of a column that the table keeps unique").with("id", id)
}

/// The error of an `insert` of an id that is there.
pub(super) fn already_exists(id: &str) -> Error {
    let why = "a row with this id exists already: use upsert to replace it";
    Error::new(ErrorKind::AlreadyExists, why).at_field("object_id").with("id", id)
}
