//! Rows in JSON files that people and other programs read: `JsonFile::dir("data")`.
//!
//! Each part has a directory `<namespace>__<entity>.json/` of segments. Every segment is one JSON document with one row
//! a line; `docs/decisions/0010-files-as-segments.md` describes it.

mod codec;

use std::path::PathBuf;
use std::sync::Arc;

use super::rows::{RowDriver, Segments};
use crate::driver::Driver;
use crate::error::Result;
use codec::JsonCodec;

/// Rows in JSON files under one directory. Several processes may use it at once.
///
/// ```
/// let backend = heavenbase::backends::JsonFile::dir("data");
/// ```
#[derive(Clone, Debug)]
pub struct JsonFile {
    directory: PathBuf,
}

impl JsonFile {
    /// The files in this directory, which is created when it is not there.
    pub fn dir(path: impl Into<PathBuf>) -> Self {
        JsonFile { directory: path.into() }
    }
}

impl super::Connect for JsonFile {
    /// `directory`: a path.
    fn from_options(_: &str, options: super::BackendOptions) -> Result<Self> {
        options.read::<super::rows::Directory>().map(|o| JsonFile::dir(o.directory))
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        Ok(Arc::new(RowDriver::open(self.directory, Segments::<JsonCodec>::new())?))
    }
}
