//! Databases that are open in this process, and their connections.

use std::cell::Cell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Weak};

use duckdb::{Config, Connection};
use parking_lot::{Condvar, Mutex};

use super::{DuckDb, Settings, failure, functions};
use crate::error::{Error, ErrorKind, Result};

/// Prepared statements kept a connection.
const STATEMENTS: usize = 128;

/// The files that are open. DuckDB's lock holds between processes, not within one: a second instance over the same file
/// would damage it. An entry without an instance is one being opened or closed.
static OPEN: LazyLock<Mutex<HashMap<PathBuf, Weak<Instance>>>> = LazyLock::new(Mutex::default);
static CHANGED: Condvar = Condvar::new();

/// One open database: a connection that writes, some that read.
pub(super) struct Instance {
    file: Option<PathBuf>,
    settings: Settings,
    connections: Option<Connections>,
}

struct Connections {
    /// What the others are cloned from.
    root: Mutex<Connection>,
    writer: Mutex<Connection>,
    /// Opened at their first use.
    readers: Vec<Mutex<Option<Connection>>>,
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Each thread prefers a reader of its own, whose statements it has prepared.
    static PREFERRED: Cell<usize> = Cell::new(THREADS.fetch_add(1, Ordering::Relaxed));
}

impl Instance {
    /// Opens a database, or shares the one that is open in this process.
    pub(super) fn open(config: &DuckDb) -> Result<Arc<Self>> {
        let Some(path) = &config.path else { return Ok(Arc::new(Instance::new(config, None)?)) };
        crate::backends::embedded::names_a_file(path)?;
        let file = canonical(path)?;
        let mut open = OPEN.lock();
        while let Some(entry) = open.get(&file) {
            let Some(shared) = entry.upgrade() else {
                CHANGED.wait(&mut open);
                continue;
            };
            // Before the instance may be dropped: that takes the lock itself.
            drop(open);
            if shared.settings != config.settings {
                let why = "the database is open in this process with other settings: open it with the same ones";
                return Err(Error::new(ErrorKind::InvalidSchema, why).with("file", file.display()));
            }
            return Ok(shared);
        }
        open.insert(file.clone(), Weak::new());
        drop(open);
        let instance = Instance::new(config, Some(file.clone())).map(Arc::new);
        let mut open = OPEN.lock();
        match &instance {
            Ok(instance) => drop(open.insert(file, Arc::downgrade(instance))),
            Err(_) => drop(open.remove(&file)),
        }
        CHANGED.notify_all();
        drop(open);
        instance
    }

    fn new(config: &DuckDb, file: Option<PathBuf>) -> Result<Self> {
        let failed = |cause| failure::open_error(cause, file.as_deref());
        let root = open(&config.settings, file.as_deref()).map_err(failed)?;
        functions::register(&root).map_err(failed)?;
        let writer = root.try_clone().map_err(failed)?;
        prepare(&writer);
        let readers = (0..config.readers).map(|_| Mutex::new(None)).collect();
        let connections = Connections { root: Mutex::new(root), writer: Mutex::new(writer), readers };
        Ok(Instance { file, settings: config.settings.clone(), connections: Some(connections) })
    }

    fn connections(&self) -> Result<&Connections> {
        self.connections.as_ref().ok_or_else(|| Error::new(ErrorKind::Unavailable, "the database is closed"))
    }

    /// Runs on the writing connection, while nobody else writes.
    pub(super) fn write<R>(&self, run: impl FnOnce(&Connection) -> Result<R>) -> Result<R> {
        run(&self.connections()?.writer.lock())
    }

    /// Runs on a reading connection: the thread's own, else one that is free, else the thread's own when it is.
    pub(super) fn read<R>(&self, run: impl FnOnce(&Connection) -> Result<R>) -> Result<R> {
        let connections = self.connections()?;
        let (readers, preferred) = (&connections.readers, PREFERRED.get());
        let count = readers.len().max(1);
        let free = (0..count).find_map(|i| readers.get((preferred + i) % count)?.try_lock());
        let Some(mut reader) = free.or_else(|| readers.get(preferred % count).map(Mutex::lock)) else {
            return self.write(run);
        };
        match &mut *reader {
            Some(connection) => run(connection),
            empty => {
                let connection = connections.root.lock().try_clone().map_err(failure::error)?;
                prepare(&connection);
                run(empty.insert(connection))
            }
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let Some(file) = &self.file else { return };
        // Closed first, under the lock: whoever waits to open the file must not find it half closed.
        let mut open = OPEN.lock();
        drop(self.connections.take());
        open.remove(file);
        CHANGED.notify_all();
    }
}

fn prepare(connection: &Connection) {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
}

fn open(settings: &Settings, file: Option<&Path>) -> duckdb::Result<Connection> {
    // Nothing is fetched from the network unasked.
    let mut config = Config::default().enable_autoload_extension(false)?;
    if let Some(threads) = settings.threads {
        config = config.threads(i64::try_from(threads).unwrap_or(i64::MAX))?;
    }
    if let Some(megabytes) = settings.memory_limit_mb {
        config = config.max_memory(&format!("{megabytes}MB"))?;
    }
    match file {
        Some(file) => Connection::open_with_flags(file, config),
        None => Connection::open_in_memory_with_flags(config),
    }
}

/// The one path of a file, however it was named.
fn canonical(path: &Path) -> Result<PathBuf> {
    let failed = |cause: std::io::Error| {
        let why = "the database's file cannot be opened: check that its directory exists and is readable";
        Error::new(ErrorKind::Storage, why).with("file", path.display()).caused_by(cause)
    };
    match path.canonicalize() {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
        found => return found.map_err(failed),
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| failed(std::io::ErrorKind::InvalidInput.into()))?;
    Ok(directory.canonicalize().map_err(failed)?.join(name))
}

/// A transaction of the writing connection: rolled back unless committed.
pub(super) struct Transaction<'c> {
    connection: &'c Connection,
    open: bool,
}

impl<'c> Transaction<'c> {
    /// Begins one.
    pub(super) fn begin(connection: &'c Connection) -> Result<Self> {
        connection.execute_batch("BEGIN").map_err(failure::error)?;
        Ok(Transaction { connection, open: true })
    }

    pub(super) fn commit(mut self) -> Result<()> {
        self.open = false;
        self.connection.execute_batch("COMMIT").map_err(failure::error)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open {
            // A transaction that failed is gone already; any other failure ends with the connection.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}
