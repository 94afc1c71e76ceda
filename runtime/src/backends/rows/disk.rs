use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use crate::backends::disk::*;
use crate::error::Result;
use crate::schema::Part;

/// Where a part lies: its directory, which holds nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The directory.
    pub directory: PathBuf,
    /// The part.
    pub part: Arc<Part>,
}

/// The file that writers lock. It is written to with every commit: its time and length tell readers whether there was one.
const LOCK: &str = "lock";

impl Place {
    /// The file that writers lock.
    pub fn lock_path(&self) -> PathBuf {
        self.directory.join(LOCK)
    }

    /// What has been noted of commits: one look at the directory, no lock. `None` when the part is gone.
    pub fn noted(&self) -> Option<Stamp> {
        stamp(&self.lock_path()).ok().flatten()
    }

    /// Waits for the lock, alone (to write) or beside other readers.
    ///
    /// # Errors
    /// [`Timeout`](crate::ErrorKind::Timeout) when another process keeps it for a minute.
    pub fn lock(&self, alone: bool) -> Result<File> {
        lock_file(&self.lock_path(), alone)
    }
}
