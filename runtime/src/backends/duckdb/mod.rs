//! DuckDB in this process: columns, a file or memory, one writer, several readers.
//!
//! - A file belongs to one process at a time: DuckDB locks it. Within a process, workspaces over one file share it.
//! - Lists, decimals, times, UUIDs and JSON have DuckDB's own types, so that SQL of yours reads them as they are; vectors
//!   are arrays of `FLOAT`. Where DuckDB's functions mean something else than we do, the statement calls functions of ours
//!   (see [`functions`]).
//! - Rows by id and single rows run on the caller's thread, everything longer on one for blocking work.
//! - A commit is on the disk before the call returns.

mod bind;
mod decode;
mod dialect;
mod driver;
mod encode;
mod ensure;
mod existing;
mod failure;
pub mod functions;
mod instance;
mod parquet;
mod raw;
mod read;
mod words;
mod write;

pub use driver::DuckDbDriver;

use std::path::PathBuf;
use std::sync::Arc;

use crate::driver::Driver;
use crate::error::Result;

/// A DuckDB database.
///
/// ```
/// use heavenbase::backends::DuckDb;
/// let shop = DuckDb::file("shop.duckdb").readers(4).memory_limit_mb(2_000);
/// let scratch = DuckDb::memory();
/// # let _ = (shop, scratch);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuckDb {
    path: Option<PathBuf>,
    readers: usize,
    settings: Settings,
}

/// What holds for the database as a whole, whoever opened it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Settings {
    threads: Option<usize>,
    memory_limit_mb: Option<usize>,
}

impl DuckDb {
    /// A database in a file, created if it is not there. Its directory must exist. One process at a time can open it;
    /// within a process it is opened once and shared.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        DuckDb { path: Some(path.into()), ..DuckDb::memory() }
    }

    /// A database in memory, gone when the last workspace over it closes.
    pub fn memory() -> Self {
        let readers = std::thread::available_parallelism().map_or(4, usize::from).clamp(2, 16);
        DuckDb { path: None, readers, settings: Settings::default() }
    }

    /// How many connections read at the same time, at least one. As many as the machine has cores when not said.
    #[must_use]
    pub fn readers(self, readers: usize) -> Self {
        DuckDb { readers: readers.max(1), ..self }
    }

    /// How many threads DuckDB computes with; as many as the machine has cores when not said.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.settings.threads = Some(threads.max(1));
        self
    }

    /// How much memory DuckDB takes before it uses the disk, in megabytes; four fifths of the machine's when not said.
    #[must_use]
    pub fn memory_limit_mb(mut self, megabytes: usize) -> Self {
        self.settings.memory_limit_mb = Some(megabytes.max(1));
        self
    }
}

#[diagnostic::do_not_recommend]
impl super::MapsTables for DuckDb {}
#[diagnostic::do_not_recommend]
impl super::RunsSql for DuckDb {}

#[diagnostic::do_not_recommend]
impl super::Native for DuckDb {
    /// The driver, which lends its connections.
    type Handle<'w> = &'w DuckDbDriver;

    fn handle(driver: &dyn Driver) -> Option<&DuckDbDriver> {
        driver.as_any().downcast_ref()
    }
}

impl super::Connect for DuckDb {
    /// `database`: a path, or `:memory:`; `threads` and `memory_limit_mb`, where they are wanted.
    fn from_options(_: &str, options: super::BackendOptions) -> Result<Self> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Options {
            database: String,
            threads: Option<usize>,
            memory_limit_mb: Option<usize>,
        }
        let Options { database, threads, memory_limit_mb } = options.read()?;
        let described = if database == ":memory:" { DuckDb::memory() } else { DuckDb::file(database) };
        Ok(DuckDb { settings: Settings { threads, memory_limit_mb }, ..described })
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        // Replays the log of a file that was not closed: not for an async caller's thread.
        let driver = super::embedded::blocking::run(move || DuckDbDriver::open(self)).await?;
        Ok(Arc::new(driver))
    }
}
