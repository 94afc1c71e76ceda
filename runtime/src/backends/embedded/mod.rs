//! What the drivers of engines inside this process share: long work off the caller's thread, JSON paths for functions of
//! ours inside SQL, names of database files.

pub(crate) mod blocking;
pub(crate) mod json_path;

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// Checks that a path is a file's name to an engine: some names mean a database that is gone with its connection.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] for a path that is empty, `:memory:`, or holds a NUL.
pub(crate) fn names_a_file(path: &Path) -> Result<()> {
    let invalid = |why: &'static str| Err(Error::new(ErrorKind::InvalidSchema, why).with("path", path.display()));
    match path.as_os_str().as_encoded_bytes() {
        b"" => invalid("the path of the database's file is empty: name a file, or take ::memory()"),
        b":memory:" => invalid("`:memory:` is no file: take ::memory()"),
        bytes if bytes.contains(&0) => invalid("the path of the database's file holds a NUL, which no file system takes"),
        _ => Ok(()),
    }
}
