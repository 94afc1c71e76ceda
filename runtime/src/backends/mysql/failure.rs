//! The numbers of MySQL's errors as kinds of errors; MariaDB's and OceanBase's own among them.

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;

use crate::backends::network::failure::{self, Meaning, Phase};
use crate::error::{Error, ErrorKind};

fn number_of(cause: &dyn DatabaseError) -> u16 {
    cause.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number)
}

/// What an error comes down to.
fn codes(cause: &dyn DatabaseError) -> Meaning {
    let (plain, shown, passing) = (Meaning::plain, Meaning::shown, Meaning::passing);
    match number_of(cause) {
        // 1927 is MariaDB's for a killed session, 4031 MySQL's for one that was idle for too long, 5066 OceanBase's.
        1053 | 1077 | 1078 | 1079 | 1152 | 1158..=1161 | 1184 | 1927 | 3169 | 4031 | 5066 => {
            Meaning { lost: true, ..passing(ErrorKind::Unavailable, "the server ended the connection, or is starting or stopping") }
        }
        1317 | 1969 | 3024 | 4012 | 5065 | 6224 => {
            passing(ErrorKind::Timeout, "the server stopped the statement: raise the statement timeout, or ask for less")
        }
        1205 => passing(ErrorKind::Timeout, "another session held a lock for too long"),
        1020 | 1213 | 1412 | 3572 | 6001 | 6002 | 6003 | 6005 => {
            passing(ErrorKind::Conflict, "another session wrote the same rows at the same time: try again")
        }
        1040 | 1203 | 1226 => {
            passing(ErrorKind::Unavailable, "the server takes no more connections: lower max_connections, or raise the server's")
        }
        1021 | 1026 | 1030 | 1114 | 1180 | 3675 | 4184 => passing(ErrorKind::Storage, "the server's disk is full or failing"),
        1037 | 1038 | 1041 | 1461 | 4013 | 5930 => {
            passing(ErrorKind::LimitExceeded, "the server ran out of memory or reached a configured limit")
        }
        1153 | 1301 => {
            plain(ErrorKind::LimitExceeded, "the server takes no packet so large: raise its max_allowed_packet, or write smaller values")
        }
        1059 | 1069..=1071 | 1074 | 1116 | 1117 | 1118 | 1390 | 1436 | 3170 => {
            shown(ErrorKind::LimitExceeded, "a limit of the server was reached")
        }
        1690 => plain(ErrorKind::LimitExceeded, "the sum overflows the field's type: filter to fewer rows, or sum in the application"),
        1022 | 1062 | 1169 | 1586 | 1859 => plain(ErrorKind::UniqueViolation, "another row already holds this value"),
        1048 | 1364 => plain(ErrorKind::InvalidValue, "null in a column that takes none"),
        1216 | 1217 | 1451 | 1452 | 3819 | 4025 => plain(ErrorKind::InvalidValue, "a constraint of the table refuses the row"),
        1264 | 1265 | 1292 | 1366 | 1406 | 3140 => plain(ErrorKind::InvalidValue, "a value that the table's column does not take"),
        1045 | 1251 | 1698 | 2054 => plain(ErrorKind::PermissionDenied, "the server refuses this user: check user and password"),
        1044 | 1142 | 1143 | 1227 | 1370 => shown(ErrorKind::PermissionDenied, "the user lacks a permission: have it granted"),
        1290 | 1792 | 1836 => plain(ErrorKind::PermissionDenied, "the server or session is read-only"),
        1049 => plain(ErrorKind::InvalidSchema, "there is no such database: create it, or correct the address"),
        1046 => plain(ErrorKind::InvalidSchema, "the address names no database: write it after the port, as in mysql://host:3306/shop"),
        1051 | 1054 | 1091 | 1146 => shown(ErrorKind::SchemaMismatch, "a table or column is gone: register the entity again"),
        1064 | 1149 | 1235 | 1305 | 1583 => shown(ErrorKind::Backend, "the server does not take the statement"),
        _ => plain(ErrorKind::Backend, "the server answered with an error"),
    }
}

/// The error of an operation that had come so far.
pub(in crate::backends) fn error(cause: sqlx::Error, phase: Phase) -> Error {
    let number = number(&cause);
    let error = failure::error(cause, phase, codes);
    match number {
        0 => error,
        number => error.with("number", number),
    }
}

/// Whether another connection may do.
pub(super) fn is_lost(cause: &sqlx::Error) -> bool {
    failure::is_lost(cause, codes)
}

/// The number of a database's error; 0 for others.
pub(in crate::backends) fn number(cause: &sqlx::Error) -> u16 {
    cause.as_database_error().map_or(0, number_of)
}

/// Whether another session stood in the way, and the same may work now.
pub(super) fn is_conflict(cause: &sqlx::Error) -> bool {
    matches!(number(cause), 1020 | 1213 | 1412 | 3572 | 6001 | 6002 | 6003 | 6005)
}

/// Whether the session's prepared statement is gone or no longer fits the table, and one prepared anew will.
pub(super) fn is_stale_plan(cause: &sqlx::Error) -> bool {
    matches!(number(cause), 1243 | 1615 | 8002)
}

/// The name of the key that a row clashed with: what stands last in the server's message, after what may be a value.
pub(super) fn clashing_key(cause: &sqlx::Error) -> Option<String> {
    let message = cause.as_database_error()?.message();
    let (_, key) = message.rsplit_once("for key '")?;
    let key = key.strip_suffix('\'').unwrap_or(key);
    // MySQL says `table.key`, the others the key alone.
    Some(key.rsplit_once('.').map_or(key, |(_, key)| key).to_owned())
}
