//! Connections: one that writes, some that read, each behind its own lock.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{Sqlite, Synchronous, failure, functions};
use crate::backends::embedded::names_a_file;
use crate::error::Result;

/// Prepared statements kept a connection.
const STATEMENTS: usize = 256;

pub(super) struct Pool {
    config: Sqlite,
    writer: Mutex<Connection>,
    /// Opened at their first use. None for a database in memory: its writer reads.
    readers: Vec<Mutex<Option<Connection>>>,
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Each thread prefers a reader of its own, whose statements it has prepared.
    static PREFERRED: Cell<usize> = Cell::new(THREADS.fetch_add(1, Ordering::Relaxed));
}

impl Pool {
    pub(super) fn open(config: Sqlite) -> Result<Self> {
        config.path.as_deref().map_or(Ok(()), names_a_file)?;
        let writer = connect(&config, false)?;
        let readers = (0..config.readers).map(|_| Mutex::new(None)).collect();
        Ok(Pool { config, writer: Mutex::new(writer), readers })
    }

    /// Runs on the writing connection.
    pub(super) fn write<R>(&self, run: impl FnOnce(&Connection) -> Result<R>) -> Result<R> {
        run(&self.writer.lock())
    }

    /// Runs on a reading connection: the thread's own, else one that is free, else the thread's own when it is.
    pub(super) fn read<R>(&self, run: impl FnOnce(&Connection) -> Result<R>) -> Result<R> {
        if self.readers.is_empty() {
            return run(&self.writer.lock());
        }
        let count = self.readers.len();
        let preferred = PREFERRED.get();
        let free = (0..count).find_map(|i| self.readers[(preferred + i) % count].try_lock());
        let reader = free.unwrap_or_else(|| self.readers[preferred % count].lock());
        self.with_opened(reader, run)
    }

    fn with_opened<R>(&self, mut reader: MutexGuard<'_, Option<Connection>>, run: impl FnOnce(&Connection) -> Result<R>) -> Result<R> {
        match &mut *reader {
            Some(connection) => run(connection),
            empty => run(empty.insert(connect(&self.config, true)?)),
        }
    }
}

fn connect(config: &Sqlite, reader: bool) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = match &config.path {
        Some(path) => Connection::open_with_flags(path, flags),
        None => Connection::open_in_memory_with_flags(flags),
    };
    let prepared = opened.and_then(|connection| prepare(&connection, config, reader).map(|()| connection));
    prepared.map_err(|cause| {
        let error = failure::error(cause);
        match &config.path {
            Some(path) => error.with("path", path.display()),
            None => error,
        }
    })
}

fn prepare(connection: &Connection, config: &Sqlite, reader: bool) -> rusqlite::Result<()> {
    connection.busy_timeout(config.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    if config.path.is_some() && !reader {
        write_ahead(connection, config.busy_timeout)?;
    }
    let synchronous = match config.synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // Temporary sorts in memory; a larger page cache for scans (KiB, negative by SQLite's convention).
    connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;")?;
    // A name in double quotes that is no column is an error, not a string.
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    // Else SQLite looks at the value bound to LIMIT when it plans, and plans anew at each run: 9 µs, more than ten rows take.
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if reader {
        connection.pragma_update(None, "query_only", true)?;
    }
    functions::register(connection)
}

/// Switches the file to WAL. The pragma answers with the mode that holds: `wal`, or what the file system can. It does not
/// wait for another process that switches at the same time, so we do.
fn write_ahead(connection: &Connection, patience: Duration) -> rusqlite::Result<()> {
    let begun = Instant::now();
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
            Err(rusqlite::Error::SqliteFailure(code, _)) if code.code == ErrorCode::DatabaseBusy && begun.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(5));
            }
            answer => return answer,
        }
    }
}

/// A transaction of the writing connection: rolled back unless committed.
pub(super) struct Transaction<'c> {
    connection: &'c Connection,
    open: bool,
}

impl<'c> Transaction<'c> {
    /// Begins one, waiting for other processes' writes.
    pub(super) fn begin(connection: &'c Connection) -> Result<Self> {
        run(connection, "BEGIN IMMEDIATE").map_err(failure::error)?;
        Ok(Transaction { connection, open: true })
    }

    /// Begins one that sees one state of the database throughout.
    pub(super) fn read(connection: &'c Connection) -> Result<Self> {
        run(connection, "BEGIN").map_err(failure::error)?;
        Ok(Transaction { connection, open: true })
    }

    pub(super) fn commit(mut self) -> Result<()> {
        run(self.connection, "COMMIT").map_err(failure::error)?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open && !self.connection.is_autocommit() {
            // Nothing can be done about a failure here: SQLite rolls back when the connection closes.
            let _ = run(self.connection, "ROLLBACK");
        }
    }
}

fn run(connection: &Connection, text: &'static str) -> rusqlite::Result<()> {
    connection.prepare_cached(text)?.execute([]).map(drop)
}
