use std::sync::Arc;

use super::connection::Pool;
use super::dialect::SQL;
use super::lookups::{self, LookUps};
use super::stream::Stream;
use super::{Sqlite, ensure, failure, raw, read, write};
use crate::backends::embedded::blocking;
use crate::backends::sql::{LookUpTexts, aggregate, estimate, select};
use crate::driver::{
    Aggregate, Description, Driver, Ensured, Group, Page, PageStream, Pushdown, RawAnswer, RawStatement, Reply, SubQuery, WriteBatch,
    WriteReport,
};
use crate::error::Result;
use crate::filter::Filter;
use crate::schema::{Naming, Part};
use crate::types::Id;

/// Batches from this many rows on leave an async caller's thread: they take milliseconds, the hop takes microseconds.
const LONG_BATCH: usize = 512;

/// The driver of [`Sqlite`]: what [`Driver::as_any`] gives for it.
///
/// [`with_connection`](SqliteDriver::with_connection) and [`with_reader`](SqliteDriver::with_reader) are the way to the
/// `rusqlite` connections, for what HeavenBase does not say.
pub struct SqliteDriver {
    description: Description,
    pool: Arc<Pool>,
    texts: LookUpTexts,
}

impl std::fmt::Debug for SqliteDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteDriver").field("engine", &self.description.engine).finish_non_exhaustive()
    }
}

impl SqliteDriver {
    pub(super) fn open(config: Sqlite) -> Result<Self> {
        let description = Description {
            kind: "sqlite",
            engine: format!("SQLite {}", rusqlite::version()),
            embedded: true,
            transactional: true,
            naming: Naming::QUOTED,
            max_ids: 32_768,
            max_batch: 1 << 20,
            max_k: 10_000,
        };
        let pool = Arc::new(Pool::open(config)?);
        Ok(SqliteDriver { description, pool, texts: LookUpTexts::default() })
    }

    /// Runs something of yours on the connection that writes, while nobody else writes. The names of tables and columns
    /// are those of the manifest (`_hb_manifest`). Do not call the workspace from within: it would wait for itself.
    ///
    /// # Errors
    /// What `run` returns; [`InvalidQuery`](crate::ErrorKind::InvalidQuery) when it leaves a transaction open, which is
    /// rolled back.
    pub fn with_connection<R>(&self, run: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<R>) -> Result<R> {
        self.pool.write(|connection| {
            let answer = run(connection).map_err(failure::error);
            if connection.is_autocommit() {
                return answer;
            }
            connection.execute_batch("ROLLBACK").map_err(failure::error)?;
            let why = "a transaction was left open, and was rolled back: commit it before you return";
            answer.and_then(|_| Err(crate::Error::new(crate::ErrorKind::InvalidQuery, why)))
        })
    }

    /// Runs something of yours on a connection that only reads, beside everything else.
    ///
    /// # Errors
    /// What `run` returns.
    pub fn with_reader<R>(&self, run: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<R>) -> Result<R> {
        self.pool.read(|connection| run(connection).map_err(failure::error))
    }

    fn rows(&self, part: &Arc<Part>, ids: &[Id], columns: &[usize]) -> Result<Page> {
        let text = self.texts.of(&SQL, part, columns)?;
        self.pool.read(|connection| read::fetch(connection, &text, part, ids, columns))
    }
}

impl Driver for SqliteDriver {
    fn description(&self) -> &Description {
        &self.description
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        Reply::ready(self.pool.write(|connection| ensure::run(connection, part)))
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        if batch.is_empty() {
            return Reply::ready(Ok(WriteReport::default()));
        }
        if batch.len() >= LONG_BATCH {
            let (pool, part) = (self.pool.clone(), part.clone());
            return blocking::run(move || pool.write(|connection| write::run(connection, &part, &batch)));
        }
        Reply::ready(self.pool.write(|connection| write::run(connection, part, &batch)))
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        Reply::ready(self.rows(part, ids, columns))
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        select::plan(&SQL, part, wanted)
    }

    fn takes(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        select::takes(&SQL, part, wanted)
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        if lookups::suits(&part, &query) {
            return Ok(Box::new(LookUps::new(self.pool.clone(), part, query)?));
        }
        Ok(Box::new(Stream::new(self.pool.clone(), part, query)?))
    }

    fn estimate<'a>(&'a self, part: &'a Arc<Part>, filter: &'a Filter, cap: usize) -> Reply<'a, Option<u64>> {
        let count = |statement| self.pool.read(|connection| read::count(connection, &statement));
        Reply::ready(estimate::estimate(&SQL, part, filter, cap).and_then(|statement| statement.map(count).transpose()))
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        aggregate::takes(&SQL, part, wanted)
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        Reply::ready(self.pool.read(|connection| read::groups(connection, part, query)))
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        self.texts.forget(part);
        Reply::ready(self.pool.write(|connection| ensure::drop_part(connection, part)))
    }

    fn refresh<'a>(&'a self, _: &'a Arc<Part>) -> Reply<'a, ()> {
        // Every statement sees the last commit of every process; a changed schema prepares statements anew by itself.
        Reply::ready(Ok(()))
    }

    fn health(&self) -> Reply<'_, ()> {
        let look = |connection: &rusqlite::Connection| {
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failure::error)
        };
        Reply::ready(self.pool.read(look))
    }

    fn raw<'a>(&'a self, statement: &'a RawStatement) -> Reply<'a, RawAnswer> {
        raw::run(&self.pool, statement)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
