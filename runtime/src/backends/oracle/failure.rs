//! The numbers of Oracle's errors as kinds of errors.

use oracledb::{Error as Client, ErrorKind as Kind};

use crate::backends::network::meaning::Meaning;
use crate::backends::sql::session::Phase;
use crate::error::{Error, ErrorKind, Status};

/// What an error comes down to.
fn meaning(code: usize) -> Meaning {
    let (plain, shown, passing) = (Meaning::plain, Meaning::shown, Meaning::passing);
    match code {
        28
        | 1012
        | 1033..=1035
        | 1089..=1092
        | 2396
        | 2399
        | 3113
        | 3114
        | 3135
        | 12153
        | 12170
        | 12514
        | 12521
        | 12528
        | 12537
        | 12541
        | 12543
        | 12545
        | 12547
        | 12571
        | 25401..=25409 => {
            Meaning { lost: true, ..passing(ErrorKind::Unavailable, "the server ended the connection, or is starting or stopping") }
        }
        18 | 20 | 12516 | 12518..=12520 => {
            passing(ErrorKind::Unavailable, "the server takes no more connections: lower max_connections, or raise the server's")
        }
        54 | 4021 | 30006 => passing(ErrorKind::Timeout, "another session held a lock for too long"),
        1013 | 3156 => passing(ErrorKind::Timeout, "the statement took too long: raise the statement timeout, or ask for less"),
        60 | 4020 | 8177 | 8176 | 1555 => passing(ErrorKind::Conflict, "another session wrote the same rows at the same time: try again"),
        4030 | 4031 | 4036 | 1652 | 55 => passing(ErrorKind::LimitExceeded, "the server ran out of memory, locks or room to sort"),
        257 | 1536 | 1628..=1632 | 1653..=1659 | 1691..=1693 | 19_502 | 19_504 | 19_809 | 19_815 | 27_061 | 27_063 | 27_072 | 30_036 => {
            passing(ErrorKind::Storage, "the server's disk, a tablespace or the user's share of it is full or failing")
        }
        1 => plain(ErrorKind::UniqueViolation, "another row already holds this value"),
        955 | 1408 | 1430 => plain(ErrorKind::AlreadyExists, "a table, column or index of this name is there already"),
        1400 | 1407 => plain(ErrorKind::InvalidValue, "null in a column that takes none"),
        2290..=2292 => plain(ErrorKind::InvalidValue, "a constraint of the table refuses the row"),
        1401 | 1426 | 1438 | 1461 | 1465 | 1722 | 1830..=1866 | 12_899 => {
            plain(ErrorKind::InvalidValue, "a value that the table's column does not take")
        }
        1450 | 1467 | 1485 | 1489 | 1792 | 1793 | 1795 | 910 | 972 | 6502 => {
            shown(ErrorKind::LimitExceeded, "a limit of the server was reached")
        }
        1005 | 1017 | 1045 | 28_000..=28_002 => plain(ErrorKind::PermissionDenied, "the server refuses this user: check user and password"),
        1031 | 1950 | 41_900 => shown(ErrorKind::PermissionDenied, "the user lacks a permission: have it granted"),
        1456 | 16_000 => plain(ErrorKind::PermissionDenied, "the database is read-only"),
        904 | 942 | 1418 | 4043 => shown(ErrorKind::SchemaMismatch, "a table or column is gone: register the entity again"),
        900..=999 | 1003 | 1006 | 1008 | 1036 | 1745 | 1756 => shown(ErrorKind::Backend, "the server does not take the statement"),
        _ => plain(ErrorKind::Backend, "the server answered with an error"),
    }
}

/// Whether the connection is of no use any more.
pub(super) fn is_lost(cause: &Client) -> bool {
    match cause.kind() {
        Kind::DbError(error) => meaning(error.code()).lost,
        // Refused before anything was sent.
        Kind::WrongNumPositionalBinds(..) | Kind::DifferentTypes(..) | Kind::InvalidOracleNumber(_) | Kind::ParseError(..) => false,
        _ => true,
    }
}

/// The error of a connection that is gone.
pub(super) fn gone(phase: Phase) -> Error {
    let status = if phase == Phase::Commit { Status::Unknown } else { Status::Temporary };
    Error::new(ErrorKind::Unavailable, "the connection to the server broke").with_status(status)
}

/// The error of a client that ended itself while it connected.
pub(super) fn ended(encrypted: bool) -> Error {
    let why = if encrypted {
        "the client gave up on an encrypted connection: where the program has several of rustls's providers of cryptography, it must \
         choose one for all (CryptoProvider::install_default)"
    } else {
        "the client gave up on what the server answered"
    };
    Error::new(ErrorKind::Unavailable, why)
}

/// The error of one of the server's numbers, with its words.
pub(super) fn of_server(code: usize, words: &str) -> Error {
    let meaning = meaning(code);
    let mut found = meaning.error().with("code", format!("ORA-{code:05}"));
    if let Some(key) = clashing_key(code, words) {
        found = found.with("key", key);
    }
    if meaning.quotable {
        found = found.with("server", words);
    }
    found
}

/// The error of an operation that had come so far, without any bound value or credential.
pub(super) fn error(cause: Client, phase: Phase) -> Error {
    let lost = is_lost(&cause);
    let found = match cause.kind() {
        Kind::DbError(cause) => of_server(cause.code(), cause.message()),
        Kind::CallTimeoutExceeded if phase == Phase::Connect => Error::new(ErrorKind::Unavailable, "the server does not answer"),
        Kind::CallTimeoutExceeded | Kind::UnableToRecover => {
            Error::new(ErrorKind::Timeout, "the server did not answer in time: raise the statement timeout, or ask for less")
        }
        Kind::StreamOperation => {
            // The texts of the system hold no value.
            let refused = cause.to_string().contains("refused");
            let cause = if refused { "connection refused" } else { "the stream broke" };
            Error::new(ErrorKind::Unavailable, "the connection to the server failed").with("cause", cause)
        }
        Kind::TlsOperation | Kind::PemFileOperation => {
            Error::new(ErrorKind::Unavailable, "no encrypted connection to the server: check the TLS options")
        }
        Kind::WalletPasswordMissingOrInvalid(..) | Kind::WalletPrivateKeyInvalid(_) | Kind::WalletUnreadable(_) => {
            Error::new(ErrorKind::InvalidSchema, "the wallet cannot be read: it is a folder with `ewallet.pem` in it")
        }
        Kind::InvalidServiceName(..) | Kind::InvalidSid(..) => {
            Error::new(ErrorKind::InvalidSchema, "the server has no such service, or not yet: correct the address")
        }
        Kind::ListenerRefusedConnection(_, _, _, code) => {
            Error::new(ErrorKind::Unavailable, "the server's listener refused the connection").with("code", format!("ORA-{code:05}"))
        }
        Kind::NoCredentials => Error::new(ErrorKind::InvalidSchema, "the address names no user or no password"),
        Kind::InvalidConnectString(..) | Kind::ParseError(..) if phase == Phase::Connect => {
            Error::new(ErrorKind::InvalidSchema, "the address cannot be read: it has the form oracle://user:password@host:port/service")
        }
        Kind::ServerVersionNotSupported => Error::new(ErrorKind::InvalidSchema, "the server is older than Oracle Database 12"),
        Kind::WrongNumPositionalBinds(..) => Error::new(ErrorKind::InvalidQuery, "the statement takes another number of values"),
        Kind::ParseError(..) => Error::new(ErrorKind::InvalidQuery, "the statement has a quote or a comment without its end"),
        Kind::InvalidOracleNumber(_) => Error::new(ErrorKind::InvalidValue, "a number that the server has no room for"),
        Kind::DeadConnection | Kind::NotConnected => Error::new(ErrorKind::Unavailable, "the connection to the server broke"),
        // Their texts may repeat what was being read.
        _ if phase == Phase::Connect => {
            Error::new(ErrorKind::Unavailable, "what answers is no Oracle server, or none that this client speaks to")
        }
        _ => Error::new(ErrorKind::Unavailable, "the server's answer cannot be read"),
    };
    match phase {
        Phase::Commit if lost => found.with_status(Status::Unknown),
        Phase::Connect => found,
        _ if lost => found.with_status(Status::Temporary),
        _ => found,
    }
}

/// The name of the index that a row clashed with: `(SCHEMA.NAME)`, before any value.
fn clashing_key(code: usize, message: &str) -> Option<String> {
    if code != 1 {
        return None;
    }
    let (_, rest) = message.split_once('(')?;
    let (name, _) = rest.split_once(')')?;
    name.split_once('.').map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_found_and_the_value_is_not() {
        let old = "ORA-00001: unique constraint (SHOP.shop__t__name__unique) violated";
        assert_eq!(clashing_key(1, old).as_deref(), Some("shop__t__name__unique"));
        let new = "ORA-00001: unique constraint (SHOP.SYS_C007) violated on table SHOP.t columns (object_id)\nORA-03301: (ORA-00001 details) row \
                   with column values (object_id:it's) already exists";
        assert_eq!(clashing_key(1, new).as_deref(), Some("SYS_C007"));
        assert_eq!(clashing_key(1, "?"), None);
        assert_eq!(clashing_key(942, old), None);
    }

    #[test]
    fn what_passes_is_temporary_and_what_shows_holds_no_value() {
        for code in [60, 8177, 54, 3113, 12_514, 1653, 4031] {
            assert!(meaning(code).temporary, "{code}");
        }
        for code in [1, 1400, 12_899, 2291, 1722] {
            assert!(!meaning(code).quotable && !meaning(code).temporary, "{code}");
        }
        assert_eq!(gone(Phase::Commit).status(), Status::Unknown);
        assert_eq!(gone(Phase::Write).status(), Status::Temporary);
    }
}
