//! What a database's own error comes down to.

use crate::error::{Error, ErrorKind, Status};

/// What a database's own error comes down to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meaning {
    /// The kind.
    pub kind: ErrorKind,
    /// What is wrong and the way out, free of values.
    pub message: &'static str,
    /// Whether the same call may succeed later.
    pub temporary: bool,
    /// Whether the connection is gone with it.
    pub lost: bool,
    /// Whether the server's own words may be shown: they hold no stored or bound value.
    pub quotable: bool,
}

impl Meaning {
    /// An error that will not pass, and whose words may hold a value.
    pub(crate) const fn plain(kind: ErrorKind, message: &'static str) -> Self {
        Meaning { kind, message, temporary: false, lost: false, quotable: false }
    }

    /// An error whose words hold no value.
    pub(crate) const fn shown(kind: ErrorKind, message: &'static str) -> Self {
        Meaning { quotable: true, ..Self::plain(kind, message) }
    }

    /// An error that passes.
    pub(crate) const fn passing(kind: ErrorKind, message: &'static str) -> Self {
        Meaning { temporary: true, ..Self::plain(kind, message) }
    }

    /// The error, without the server's words.
    pub(crate) fn error(&self) -> Error {
        let status = if self.temporary { Status::Temporary } else { Status::Permanent };
        Error::new(self.kind, self.message).with_status(status)
    }
}
