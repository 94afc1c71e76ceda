use std::path::PathBuf;
use std::time::Duration;

/// Datasets in the Lance format under one directory. Several processes may use it at once.
///
/// ```
/// use heavenbase::backends::Lance;
/// use std::time::Duration;
/// let vectors = Lance::dir("shop.lance").keep_versions(Duration::from_secs(3_600));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lance {
    pub(super) directory: PathBuf,
    pub(super) keep_versions: Duration,
    pub(super) index_rows: usize,
    pub(super) upkeep: bool,
    pub(super) synchronous: bool,
}

impl Lance {
    /// The datasets in this directory, which is created when it is not there. It must be on a file system of this
    /// machine: processes take turns by locking files.
    pub fn dir(path: impl Into<PathBuf>) -> Self {
        Lance { directory: path.into(), keep_versions: Duration::from_secs(600), index_rows: 5_000, upkeep: true, synchronous: true }
    }

    /// How long versions that were written over are kept: 10 minutes when not said. A read that is under way longer may
    /// fail, and has to be started again.
    #[must_use]
    pub fn keep_versions(mut self, time: Duration) -> Self {
        self.keep_versions = time;
        self
    }

    /// From how many rows on indexes are built: 5,000 when not said. With fewer, reading them is quicker,
    /// and a vector search is exact.
    #[must_use]
    pub fn index_from(mut self, rows: usize) -> Self {
        self.index_rows = rows.max(1);
        self
    }

    /// Whether writes merge small files, build indexes and remove old versions as they go: yes when not said. Otherwise
    /// only [`LanceDriver::maintain`](super::LanceDriver::maintain) does.
    #[must_use]
    pub fn upkeep(mut self, automatic: bool) -> Self {
        self.upkeep = automatic;
        self
    }

    /// Whether a write is on the disk when it returns: yes when not said. Otherwise a crash of the machine (not of the
    /// program) may lose the last writes, or leave a dataset whose last version has to be removed by hand.
    #[must_use]
    pub fn synchronous(mut self, synchronous: bool) -> Self {
        self.synchronous = synchronous;
        self
    }
}
