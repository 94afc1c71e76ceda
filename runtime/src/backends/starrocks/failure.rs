//! What a statement failed of. Most numbers are MySQL's; StarRocks says 1064 of whatever its analysis or its backends refuse.

use crate::backends::mysql::failure;
use crate::backends::sql::session::Phase;
use crate::error::{Error, ErrorKind, Status};

/// What the words of an error of number 1064 tell, as far as they are the same in every version. The words themselves are never
/// shown: they repeat values.
fn told(message: &str) -> Option<(ErrorKind, &'static str, Status)> {
    use Status::{Permanent, Temporary};
    let message = message.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    Some(match () {
        () if has(&["query timeout", "exec timeout", "timeout during", "reached timeout"]) => {
            (ErrorKind::Timeout, "the server stopped the statement: raise the statement timeout, or ask for less", Temporary)
        }
        () if has(&["memory of process exceed limit", "memory exceed limit", "mem usage has exceed", "memory limit"]) => {
            (ErrorKind::LimitExceeded, "the server has no memory for the statement now", Temporary)
        }
        () if has(&["too many versions", "too many tablet versions"]) => (
            ErrorKind::LimitExceeded,
            "the table has too many versions that are not yet merged: write larger batches, less often",
            Temporary,
        ),
        () if has(&["backend node not found", "no alive backend", "compute node not found", "not alive", "no queryable replica"]) => {
            (ErrorKind::Unavailable, "the cluster lost a node that it needs", Temporary)
        }
        () if has(&["access denied", "denied; you need"]) => {
            (ErrorKind::PermissionDenied, "the user lacks a privilege: have it granted", Permanent)
        }
        () if has(&["unknown table", "cannot be resolved", "does not exist"]) => {
            (ErrorKind::SchemaMismatch, "a table or column is gone: register the entity again", Permanent)
        }
        () if has(&["filtered data in strict mode", "too many filtered rows"]) => {
            (ErrorKind::InvalidValue, "a value that the table's column does not take", Permanent)
        }
        () => return None,
    })
}

/// Whether what refused a statement had no hand in running it.
fn nothing_ran(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::SchemaMismatch | ErrorKind::InvalidValue)
}

/// The error of a statement that had come so far; [`Phase::Commit`] for one that writes.
pub(super) fn error(cause: sqlx::Error, phase: Phase) -> Error {
    let told = cause.as_database_error().filter(|_| matches!(failure::number(&cause), 1064 | 1105)).and_then(|cause| told(cause.message()));
    let error = failure::error(cause, phase);
    let Some((kind, why, status)) = told else { return error };
    let found = Error::new(kind, why).with_status(status);
    // A write that ran out of time may be published later.
    if phase == Phase::Commit && kind == ErrorKind::Timeout && !nothing_ran(&found) { found.with_status(Status::Unknown) } else { found }
}

/// The same for what a statement failed of in time.
pub(super) fn late(phase: Phase) -> Error {
    let status = if phase == Phase::Commit { Status::Unknown } else { Status::Temporary };
    Error::new(ErrorKind::Timeout, "the server did not answer in time: raise the statement timeout, or ask for less").with_status(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell_what_a_number_does_not() {
        for (message, kind) in [
            ("Query reached its timeout of 300 seconds, reached timeout", ErrorKind::Timeout),
            ("Memory of process exceed limit. Used: 1, Limit: 1", ErrorKind::LimitExceeded),
            ("Getting analyzing error. Detail message: Unknown table 'shop.t'.", ErrorKind::SchemaMismatch),
            ("Column '`x`' cannot be resolved.", ErrorKind::SchemaMismatch),
            ("Insert has filtered data in strict mode, txn_id = 1", ErrorKind::InvalidValue),
            ("Access denied; you need (at least one of) the INSERT privilege(s)", ErrorKind::PermissionDenied),
        ] {
            assert_eq!(told(message).map(|(kind, ..)| kind), Some(kind), "{message}");
        }
        assert_eq!(told("Getting syntax error at line 1, column 7."), None);
    }
}
