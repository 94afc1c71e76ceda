//! DuckDB's errors as ours. Its own text may hold values (`Duplicate key "id: e1"`), so it is read and never handed on.

use std::path::Path;

use duckdb::Error as Cause;

use crate::error::{Error, ErrorKind, Status};
use crate::schema::{Column, Part};

/// DuckDB's text, for looking into.
fn text(cause: &Cause) -> &str {
    match cause {
        Cause::DuckDBFailure(_, Some(text)) => text,
        _ => "",
    }
}

/// The sort of error that DuckDB names before the colon.
fn sort(text: &str) -> &str {
    let name = text.split_once(':').map_or("", |(name, _)| name);
    if name.len() < 40 && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b' ') { name } else { "" }
}

/// What an error of DuckDB means.
pub(super) fn error(cause: Cause) -> Error {
    let text = text(&cause);
    let sort = sort(text);
    let (kind, status, why) = match sort {
        "IO Error" if text.contains("No space left") => (ErrorKind::Storage, Status::Temporary, "no room left on the disk of the database"),
        "IO Error" => (ErrorKind::Storage, Status::Unknown, "reading or writing the database's file failed"),
        "Out of Memory Error" => {
            (ErrorKind::LimitExceeded, Status::Temporary, "DuckDB ran out of memory: ask for less at once, or raise .memory_limit_mb(…)")
        }
        "TransactionContext Error" | "Transaction Error" => {
            (ErrorKind::Conflict, Status::Temporary, "another connection changed the same rows or tables at the same time: try again")
        }
        "Constraint Error" => {
            (ErrorKind::SchemaMismatch, Status::Permanent, "the table refused a value: it is not the table the entity describes")
        }
        "Out of Range Error" => (ErrorKind::LimitExceeded, Status::Permanent, "a number beyond what its type holds"),
        "INTERRUPT Error" => (ErrorKind::Timeout, Status::Temporary, "the statement was interrupted"),
        "Permission Error" => (ErrorKind::PermissionDenied, Status::Permanent, "DuckDB does not allow this"),
        "FATAL Error" | "INTERNAL Error" => {
            (ErrorKind::Unavailable, Status::Unknown, "DuckDB gave up on the database: close every workspace over it and open it again")
        }
        "Catalog Error" | "Binder Error" | "Parser Error" | "Invalid Input Error" | "Conversion Error" => {
            (ErrorKind::Backend, Status::Permanent, "DuckDB refused the statement: was the table changed by other means?")
        }
        _ => (ErrorKind::Backend, Status::Permanent, "DuckDB answered with an error"),
    };
    let error = Error::new(kind, why).with_status(status);
    if sort.is_empty() { error } else { error.with("sort", sort) }
}

/// As [`error`], while a database is opened; names its file.
pub(super) fn open_error(cause: Cause, path: Option<&Path>) -> Error {
    let Some(path) = path else { return error(cause) };
    let text = text(&cause);
    let error = match sort(text) {
        "IO Error" if text.contains("Could not set lock") || text.contains("Conflicting lock") => {
            let why = "another process has the database's file open, and DuckDB lets in one at a time: close it there first";
            Error::new(ErrorKind::Unavailable, why)
        }
        "IO Error" if text.contains("not a valid DuckDB database") => Error::new(ErrorKind::Corrupt, "the file is not a DuckDB database"),
        "IO Error" => {
            let why = "the database's file cannot be opened: check that it is a file, and that its directory exists and is writable";
            Error::new(ErrorKind::Storage, why)
        }
        "Serialization Error" | "FATAL Error" | "INTERNAL Error" => {
            Error::new(ErrorKind::Corrupt, "the database's file is damaged, or of a version that this DuckDB cannot read")
        }
        _ => error(cause),
    };
    error.with("file", path.display())
}

/// Whether a statement was refused because a key is there already.
pub(super) fn is_duplicate(cause: &Cause) -> bool {
    let text = text(cause);
    sort(text) == "Constraint Error" && (text.contains("uplicate key") || text.contains("unique constraint"))
}

/// As [`error`], of a statement of the application's own: what DuckDB says of such a text is about the text alone.
pub(super) fn raw_error(cause: Cause) -> Error {
    let said = text(&cause).to_owned();
    match sort(&said) {
        "TransactionContext Error" if said.contains("within a transaction") => {
            Error::new(ErrorKind::InvalidQuery, "a raw statement is a transaction by itself, and begins none")
        }
        "Parser Error" | "Binder Error" | "Catalog Error" => {
            Error::new(ErrorKind::InvalidQuery, "DuckDB does not take the statement").with("engine", said)
        }
        _ => error(cause),
    }
}

/// Whether a statement was refused because it changes something.
pub(super) fn is_read_only(cause: &Cause) -> bool {
    text(cause).contains("read-only mode")
}

/// Whether there was no transaction to end.
pub(super) fn is_not_begun(cause: &Cause) -> bool {
    text(cause).contains("no transaction is active")
}

/// Whether an addition left the range of its type.
pub(super) fn is_overflow(cause: &Cause) -> bool {
    sort(text(cause)) == "Out of Range Error"
}

/// The unique group that a refused row clashed in, as DuckDB's text names it: `Duplicate key "code: x, number: 2" …`.
pub(super) fn clashed<'p>(cause: &Cause, part: &'p Part) -> Option<Vec<&'p Column>> {
    let named = text(cause).split_once("uplicate key \"")?.1;
    let columns = |group: Vec<usize>| group.into_iter().filter_map(|i| part.columns.get(i)).collect::<Vec<&Column>>();
    let mut groups: Vec<Vec<&Column>> = part.unique_groups().into_iter().map(columns).collect();
    // Of groups that begin alike, the longest that fits.
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups.into_iter().find(|group| {
        let mut rest = named;
        group.iter().all(|column| {
            match rest.find(&format!("{}: ", column.physical)).or_else(|| rest.find(&format!("{}): ", column.physical))) {
                Some(at) => {
                    rest = &rest[at..];
                    true
                }
                None => false,
            }
        })
    })
}

/// The error of a row whose unique values another row holds.
pub(super) fn not_unique(group: Option<Vec<&Column>>) -> Error {
    let Some(group) = group else {
        return Error::new(ErrorKind::UniqueViolation, "another row holds the same value of a unique field");
    };
    let fields = group.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
    let why = if group.len() > 1 {
        format!("another row holds the same values of ({fields}), which are unique together")
    } else {
        "another row holds the same value of a unique field".to_owned()
    };
    Error::new(ErrorKind::UniqueViolation, why).at_field(fields)
}

/// The error of an `insert` of an id that is there.
pub(super) fn already_exists(id: &str) -> Error {
    let why = "a row with this id exists already: use upsert to replace it";
    Error::new(ErrorKind::AlreadyExists, why).at_field("object_id").with("id", id)
}
