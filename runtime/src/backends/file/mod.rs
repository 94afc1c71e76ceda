//! One file a row: `FileStore::dir("data")`, for records that people open and large values.
//!
//! Each part has a directory `<namespace>__<entity>.file/`; its `rows/` holds one JSON file a row, named after the id,
//! and long bytes in files beside it. `docs/decisions/0011-one-file-a-row.md` describes it.

mod format;
mod journal;
mod name;
mod store;

use std::path::PathBuf;
use std::sync::Arc;

use super::rows::RowDriver;
use crate::driver::Driver;
use crate::error::Result;
use store::RowFiles;

/// Rows in files of their own under one directory. Several processes may use it at once.
///
/// ```
/// let backend = heavenbase::backends::FileStore::dir("data");
/// ```
#[derive(Clone, Debug)]
pub struct FileStore {
    directory: PathBuf,
}

impl FileStore {
    /// The files in this directory, which is created when it is not there.
    pub fn dir(path: impl Into<PathBuf>) -> Self {
        FileStore { directory: path.into() }
    }
}

impl super::Connect for FileStore {
    /// `directory`: a path.
    fn from_options(_: &str, options: super::BackendOptions) -> Result<Self> {
        options.read::<super::rows::Directory>().map(|o| FileStore::dir(o.directory))
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        Ok(Arc::new(RowDriver::open(self.directory, RowFiles)?))
    }
}
