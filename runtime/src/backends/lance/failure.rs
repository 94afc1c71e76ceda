//! Lance's errors as ours. Their texts repeat expressions with values in them, so only those about files are kept.

use lance::Error as Lance;
use lance::deps::datafusion::arrow::error::ArrowError;
use lance::deps::datafusion::object_store::Error as FileError;

use crate::error::{Error, ErrorKind, Result};

/// The error itself, where several readers were told of it.
fn itself(mut error: &Lance) -> &Lance {
    while let Lance::Shared { source } = error {
        error = source;
    }
    error
}

/// Whether another writer got in between: decide anew on what is there now.
pub(super) fn is_conflict(error: &Lance) -> bool {
    matches!(
        itself(error),
        Lance::CommitConflict { .. }
            | Lance::RetryableCommitConflict { .. }
            | Lance::IncompatibleTransaction { .. }
            | Lance::TooMuchWriteContention { .. }
            | Lance::VersionConflict { .. }
    )
}

/// Whether files are gone: the version that was being read was cleaned away, or the dataset was dropped.
pub(super) fn is_gone(error: &Lance) -> bool {
    match itself(error) {
        Lance::NotFound { .. } | Lance::DatasetNotFound { .. } | Lance::VersionNotFound { .. } => true,
        // What a cache remembers of an error is its text.
        Lance::Cloned { message, .. } => message.to_ascii_lowercase().contains("not found"),
        other => chain(other).any(|cause| {
            cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound)
                || cause.downcast_ref::<FileError>().is_some_and(|e| matches!(e, FileError::NotFound { .. }))
                || cause.downcast_ref::<Lance>().is_some_and(|e| matches!(e, Lance::NotFound { .. }))
        }),
    }
}

fn chain<'a>(error: &'a (dyn std::error::Error + 'static)) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |cause| cause.source())
}

/// Lance's error as ours.
pub(super) fn error(error: Lance) -> Error {
    let io = |error: &Lance| chain(error).find_map(|cause| cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind));
    let (kind, why) = match itself(&error) {
        e if is_conflict(e) => (ErrorKind::Conflict, "another writer changed the dataset meanwhile: try again"),
        Lance::DatasetNotFound { .. } => {
            (ErrorKind::SchemaMismatch, "the dataset is not there, or was dropped meanwhile: register the entity again")
        }
        e if is_gone(e) => {
            (ErrorKind::Unavailable, "files of the dataset are gone: it was dropped, or cleaned by another program; try again")
        }
        Lance::CorruptFile { .. } => (ErrorKind::Corrupt, "a file of the dataset is damaged: restore it from a copy"),
        Lance::Timeout { .. } => (ErrorKind::Timeout, "Lance took too long"),
        Lance::DiskCapExceeded { .. } => (ErrorKind::Storage, "no room left for the temporary files of a sort: free some and try again"),
        Lance::NotSupported { .. } => {
            (ErrorKind::Unsupported, "this Lance cannot read or write the dataset: it was written by a newer one")
        }
        e => match io(e) {
            Some(std::io::ErrorKind::PermissionDenied) => {
                (ErrorKind::PermissionDenied, "not permitted: give this user the right to read and write the dataset's files")
            }
            Some(std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) => {
                (ErrorKind::Storage, "no room left: free some and try again")
            }
            Some(_) => (ErrorKind::Storage, "the dataset's files cannot be read or written"),
            None => (ErrorKind::Backend, "Lance refused"),
        },
    };
    let name = name(itself(&error));
    let found = Error::new(kind, why).with("lance", name);
    match error {
        // These speak of paths alone.
        Lance::IO { .. } | Lance::NotFound { .. } | Lance::DatasetNotFound { .. } | Lance::CorruptFile { .. } => {
            found.caused_by(error.to_string())
        }
        _ => found,
    }
}

/// What Lance calls it.
fn name(error: &Lance) -> String {
    let shown = format!("{error:?}");
    shown.chars().take_while(|c| c.is_ascii_alphanumeric()).collect()
}

/// An error of Arrow, which happens only where this driver builds columns wrongly.
pub(super) fn arrow(_: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "columns of a batch do not fit together: please report this")
}

/// `?` for Lance's results.
pub(super) trait Ours<T> {
    /// The same with our error.
    fn ours(self) -> Result<T>;
}

impl<T> Ours<T> for lance::Result<T> {
    fn ours(self) -> Result<T> {
        self.map_err(error)
    }
}
