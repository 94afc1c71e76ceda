//! Answers that are too large to be read at once.

use crate::error::{Error, ErrorKind, Result};

/// How many rows to ask for where the answer of so many was too large: half of them.
///
/// # Errors
/// The error itself, where it says something else, or one row alone is too large.
pub(super) fn fewer(error: Error, asked: usize) -> Result<usize> {
    if error.kind() == ErrorKind::LimitExceeded && asked > 1 { Ok(asked / 2) } else { Err(error) }
}
