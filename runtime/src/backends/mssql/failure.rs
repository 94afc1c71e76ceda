//! The numbers of SQL Server's errors as kinds of errors.

use tiberius::error::Error as Cause;

use crate::backends::network::meaning::Meaning;
use crate::backends::sql::session::Phase;
use crate::error::{Error, ErrorKind, Status};

/// Whether the connection is of no use any more.
pub(super) fn is_lost(cause: &Cause) -> bool {
    match cause {
        Cause::Server(token) => token.class() >= 20 || meaning(token.code()).lost,
        _ => true,
    }
}

/// What an error comes down to.
fn meaning(number: u32) -> Meaning {
    let (plain, shown, passing) = (Meaning::plain, Meaning::shown, Meaning::passing);
    match number {
        596 | 6005 | 17142 | 18401 | 40197 | 40501 | 40613 | 49918..=49920 => {
            Meaning { lost: true, ..passing(ErrorKind::Unavailable, "the server ended the connection, or is starting or stopping") }
        }
        1222 => passing(ErrorKind::Timeout, "another session held a lock for too long"),
        1204 | 701 | 802 | 8645 | 8651 | 10928 | 10929 => {
            passing(ErrorKind::LimitExceeded, "the server ran out of memory, locks or workers")
        }
        1205 | 3960 | 3961 | 41302 | 41305 | 41325 => {
            passing(ErrorKind::Conflict, "another session wrote the same rows at the same time: try again")
        }
        1101 | 1105 | 9002 | 823..=825 => passing(ErrorKind::Storage, "the server's disk is full or failing"),
        17809 | 10936 => {
            passing(ErrorKind::Unavailable, "the server takes no more connections: lower max_connections, or raise the server's")
        }
        2601 | 2627 => plain(ErrorKind::UniqueViolation, "another row already holds this value"),
        515 => plain(ErrorKind::InvalidValue, "null in a column that takes none"),
        547 => plain(ErrorKind::InvalidValue, "a constraint of the table refuses the row"),
        220 | 241 | 242 | 245 | 248 | 295 | 8114 | 8152 | 2628 => {
            plain(ErrorKind::InvalidValue, "a value that the table's column does not take")
        }
        8115 => plain(ErrorKind::LimitExceeded, "the sum overflows the field's type: filter to fewer rows, or sum in the application"),
        1701 | 1702 | 1904 | 1919 | 1946 | 511 | 8003 | 8623 | 8632 => shown(ErrorKind::LimitExceeded, "a limit of the server was reached"),
        18456 | 18452 | 18486 | 18487 | 18488 => {
            plain(ErrorKind::PermissionDenied, "the server refuses this user: check user and password")
        }
        229 | 230 | 262 | 297 | 300 | 1088 | 3701 | 15247 => {
            shown(ErrorKind::PermissionDenied, "the user lacks a permission, or the object is gone: have it granted")
        }
        3906 | 3908 => plain(ErrorKind::PermissionDenied, "the database is read-only"),
        4060 | 911 => {
            plain(ErrorKind::InvalidSchema, "there is no such database, or this user may not open it: create it, or correct the address")
        }
        207 | 208 | 4902 => shown(ErrorKind::SchemaMismatch, "a table or column is gone: register the entity again"),
        102 | 105 | 156 | 170 | 195 | 4104 | 137 | 319 => shown(ErrorKind::Backend, "the server does not take the statement"),
        _ => plain(ErrorKind::Backend, "the server answered with an error"),
    }
}

/// The error of a number of the server's, with its words.
pub(super) fn of_server(number: u32, words: &str) -> Error {
    let meaning = meaning(number);
    let mut found = meaning.error().with("number", number);
    if let Some(key) = clashing_key(number, words) {
        found = found.with("key", key);
    }
    if meaning.quotable {
        found = found.with("server", words);
    }
    found
}

/// The error of an operation that had come so far, without any bound value or credential.
pub(super) fn error(cause: Cause, phase: Phase) -> Error {
    let lost = is_lost(&cause);
    let found = match cause {
        Cause::Server(token) => of_server(token.code(), token.message()),
        Cause::Io { kind: std::io::ErrorKind::TimedOut, .. } if phase != Phase::Connect => {
            Error::new(ErrorKind::Timeout, "the server did not answer in time: raise the statement timeout, or ask for less")
        }
        Cause::Io { kind, .. } => Error::new(ErrorKind::Unavailable, "the connection to the server failed").with("cause", kind),
        Cause::Tls(_) => Error::new(ErrorKind::Unavailable, "no encrypted connection to the server: check the TLS options"),
        // Their texts may repeat what was being read.
        _ if phase == Phase::Connect => {
            Error::new(ErrorKind::Unavailable, "what answers is no SQL Server, or none that this client speaks to")
        }
        _ => Error::new(ErrorKind::Unavailable, "the server's answer cannot be read"),
    };
    match phase {
        Phase::Commit if lost => found.with_status(Status::Unknown),
        _ if lost => found.with_status(Status::Temporary),
        _ => found,
    }
}

/// The name of the index that a row clashed with: quoted in the server's words, before the value. Sessions speak English.
fn clashing_key(number: u32, message: &str) -> Option<String> {
    let place = match number {
        2627 => 1,
        2601 => 3,
        _ => return None,
    };
    message.split('\'').nth(place).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_found_and_the_value_is_not() {
        let row = "Cannot insert duplicate key row in object 'dbo.t' with unique index 'shop__t__name__unique'. The duplicate key value is (it's).";
        assert_eq!(clashing_key(2601, row).as_deref(), Some("shop__t__name__unique"));
        let key = "Violation of PRIMARY KEY constraint 'PK__t__1'. Cannot insert duplicate key in object 'dbo.t'. The duplicate key value is (0x61).";
        assert_eq!(clashing_key(2627, key).as_deref(), Some("PK__t__1"));
        assert_eq!(clashing_key(2627, "?"), None);
    }
}
