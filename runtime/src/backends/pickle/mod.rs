//! Rows in Python pickles: `Pickle::dir("data")`. Pickles are read as data only: one that would import or call
//! anything is refused.
//!
//! Each part has a directory `<namespace>__<entity>.pickle/` of segments. A segment is one pickle that says which rows
//! follow, and one pickle a row; `docs/decisions/0010-files-as-segments.md` describes it.

mod codec;
mod machine;

use std::path::PathBuf;
use std::sync::Arc;

use super::rows::{RowDriver, Segments};
use crate::driver::Driver;
use crate::error::Result;
use codec::PickleCodec;

/// Rows in Python pickles under one directory. Several processes may use it at once.
///
/// ```
/// let backend = heavenbase::backends::Pickle::dir("data");
/// ```
#[derive(Clone, Debug)]
pub struct Pickle {
    directory: PathBuf,
}

impl Pickle {
    /// The files in this directory, which is created when it is not there.
    pub fn dir(path: impl Into<PathBuf>) -> Self {
        Pickle { directory: path.into() }
    }
}

impl super::Connect for Pickle {
    /// `directory`: a path.
    fn from_options(_: &str, options: super::BackendOptions) -> Result<Self> {
        options.read::<super::rows::Directory>().map(|o| Pickle::dir(o.directory))
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        Ok(Arc::new(RowDriver::open(self.directory, Segments::<PickleCodec>::new())?))
    }
}
