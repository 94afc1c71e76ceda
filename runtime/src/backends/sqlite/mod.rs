//! SQLite in this process: one file (or memory), one writer, several readers, everything on the caller's thread.
//!
//! - The file is in WAL mode: reads run beside a write. Writes take turns, over processes too (`BEGIN IMMEDIATE` and the
//!   busy timeout).
//! - Tables are `STRICT` and `WITHOUT ROWID`, clustered by id: a row by id is one descent, a stream in id order one pass.
//!   Long columns lie last in the row, vectors in a table of their own (see `vectors`).
//! - Where SQLite's own functions mean something else than we do (`LIKE` ignores ASCII case, JSON compares loosely), the
//!   statement calls functions of ours inside SQL; see [`functions`].
//! - A commit is on the disk before the call returns ([`Synchronous::Full`]), which costs an fsync.

mod codec;
mod connection;
mod decimal;
mod dialect;
mod driver;
mod ensure;
mod existing;
mod failure;
pub mod functions;
mod lookups;
mod raw;
mod read;
mod stream;
#[cfg(test)]
mod tests;
mod vectors;
mod words;
mod write;

pub use dialect::SqliteDialect;
pub use driver::SqliteDriver;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::driver::Driver;
use crate::error::Result;

/// When a commit counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// When it is on the disk. A crash of the machine loses nothing.
    #[default]
    Full,
    /// When the system has it. A crash of the program loses nothing, one of the machine may lose the last commits, and
    /// with them the agreement between backends that `repair` then restores.
    Normal,
}

/// An SQLite database.
///
/// ```
/// use heavenbase::backends::Sqlite;
/// use std::time::Duration;
/// let shop = Sqlite::file("shop.db").readers(4).busy_timeout(Duration::from_secs(10));
/// let scratch = Sqlite::memory();
/// # let _ = (shop, scratch);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sqlite {
    path: Option<PathBuf>,
    readers: usize,
    busy_timeout: Duration,
    synchronous: Synchronous,
}

impl Sqlite {
    /// A database in a file, created if it is not there. Its directory must exist.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let readers = std::thread::available_parallelism().map_or(4, usize::from).clamp(2, 16);
        Sqlite { path: Some(path.into()), readers, busy_timeout: Duration::from_secs(5), synchronous: Synchronous::default() }
    }

    /// A database in memory, gone when the last workspace over it closes. One connection serves reads and writes.
    pub fn memory() -> Self {
        Sqlite { path: None, readers: 0, busy_timeout: Duration::from_secs(5), synchronous: Synchronous::Normal }
    }

    /// How many connections read at the same time, at least one. As many as the machine has cores when not said.
    #[must_use]
    pub fn readers(self, readers: usize) -> Self {
        Sqlite { readers: if self.path.is_some() { readers.max(1) } else { 0 }, ..self }
    }

    /// How long a write waits for another process's write; 5 seconds when not said.
    #[must_use]
    pub fn busy_timeout(self, busy_timeout: Duration) -> Self {
        Sqlite { busy_timeout, ..self }
    }

    /// When a commit counts as done; [`Synchronous::Full`] when not said.
    #[must_use]
    pub fn synchronous(self, synchronous: Synchronous) -> Self {
        Sqlite { synchronous, ..self }
    }
}

#[diagnostic::do_not_recommend]
impl super::MapsTables for Sqlite {}
#[diagnostic::do_not_recommend]
impl super::RunsSql for Sqlite {}

#[diagnostic::do_not_recommend]
impl super::Native for Sqlite {
    /// The driver, which lends its connections.
    type Handle<'w> = &'w SqliteDriver;

    fn handle(driver: &dyn Driver) -> Option<&SqliteDriver> {
        driver.as_any().downcast_ref()
    }
}

impl super::Connect for Sqlite {
    /// `database`: a path, or `:memory:`.
    fn from_options(_: &str, options: super::BackendOptions) -> Result<Self> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Options {
            database: String,
        }
        let Options { database } = options.read()?;
        Ok(if database == ":memory:" { Sqlite::memory() } else { Sqlite::file(database) })
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        Ok(Arc::new(SqliteDriver::open(self)?))
    }
}
