use std::sync::Arc;

use super::dialect::SQL;
use super::instance::Instance;
use super::read::{self, Reading};
use super::{DuckDb, ensure, failure, write};
use crate::backends::embedded::blocking;
use crate::backends::sql::pages::Pages;
use crate::backends::sql::{LookUpTexts, aggregate, estimate, select};
use crate::driver::{
    Aggregate, Description, Driver, Ensured, Group, Page, PageStream, Pushdown, RawAnswer, RawStatement, Reply, SubQuery, WriteBatch,
    WriteReport,
};
use crate::error::Result;
use crate::filter::Filter;
use crate::schema::{Naming, Part};
use crate::types::Id;

/// Rows by id up to this many are looked up one by one, whatever the size of the table; more are joined with it, which
/// reads the ids of all its rows.
const FEW_IDS: usize = 8;

/// The driver of [`DuckDb`]: what [`Driver::as_any`] gives for it.
///
/// [`with_connection`](DuckDbDriver::with_connection) and [`with_reader`](DuckDbDriver::with_reader) are the way to the
/// `duckdb` connections, for what HeavenBase does not say.
pub struct DuckDbDriver {
    description: Description,
    instance: Arc<Instance>,
    texts: LookUpTexts,
}

impl std::fmt::Debug for DuckDbDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DuckDbDriver").field("engine", &self.description.engine).finish_non_exhaustive()
    }
}

impl DuckDbDriver {
    pub(super) fn open(config: DuckDb) -> Result<Self> {
        let instance = Instance::open(&config)?;
        let version = instance.read(|connection| connection.version().map_err(failure::error))?;
        let description = Description {
            kind: "duckdb",
            engine: format!("DuckDB {}", version.trim_start_matches('v')),
            embedded: true,
            transactional: true,
            naming: Naming::QUOTED,
            max_ids: 100_000,
            max_batch: 1 << 20,
            max_k: 10_000,
        };
        Ok(DuckDbDriver { description, instance, texts: LookUpTexts::default() })
    }

    /// Runs something of yours on the connection that writes, while nobody else writes through HeavenBase. The names of
    /// tables and columns are those of the manifest (`_hb_manifest`). Do not call the workspace from within: it would wait
    /// for itself. A connection cloned from it keeps the file open for as long as it lives: drop it before the workspace.
    ///
    /// Do not keep a prepared statement that has no parameters: DuckDB 1.5 plans it once, with the least and greatest values
    /// of that moment, and reads rows with others wrongly. With parameters it plans anew at each run.
    ///
    /// # Errors
    /// What `run` returns; [`InvalidQuery`](crate::ErrorKind::InvalidQuery) when it leaves a transaction open, which is
    /// rolled back.
    pub fn with_connection<R>(&self, run: impl FnOnce(&duckdb::Connection) -> duckdb::Result<R>) -> Result<R> {
        self.instance.write(|connection| {
            let answer = run(connection).map_err(failure::error);
            // Without a transaction there is nothing to roll back, and DuckDB says so.
            if connection.execute_batch("ROLLBACK").is_err() {
                return answer;
            }
            let why = "a transaction was left open, and was rolled back: commit it before you return";
            answer.and_then(|_| Err(crate::Error::new(crate::ErrorKind::InvalidQuery, why)))
        })
    }

    /// Runs something of yours on a connection that HeavenBase reads with, beside everything else.
    ///
    /// # Errors
    /// What `run` returns.
    pub fn with_reader<R>(&self, run: impl FnOnce(&duckdb::Connection) -> duckdb::Result<R>) -> Result<R> {
        self.instance.read(|connection| {
            let answer = run(connection).map_err(failure::error);
            let _ = connection.execute_batch("ROLLBACK");
            answer
        })
    }

    /// Writes the rows of an entity that are kept here into a Parquet file, in the order of their ids: the id as `object_id`,
    /// then each field that lies here under its own name, with DuckDB's types. Gives how many rows it wrote. A file that is
    /// there is replaced when the new one is whole.
    ///
    /// `namespace` is the workspace's (`default` when it was opened without one), `entity` the entity's name.
    ///
    /// # Errors
    /// [`NotRegistered`](crate::ErrorKind::NotRegistered) when nothing of the entity is kept here,
    /// [`InvalidQuery`](crate::ErrorKind::InvalidQuery) for a path that is no Unicode,
    /// [`Storage`](crate::ErrorKind::Storage) when the file cannot be written.
    pub fn export_parquet(&self, namespace: &str, entity: &str, path: impl Into<std::path::PathBuf>) -> Reply<'static, usize> {
        let (instance, path) = (self.instance.clone(), path.into());
        let (namespace, entity) = (namespace.to_owned(), entity.to_owned());
        blocking::run(move || instance.read(|connection| super::parquet::export(connection, &namespace, &entity, &path)))
    }

    fn few(&self, part: &Arc<Part>, ids: &[Id], columns: &[usize]) -> Result<Page> {
        let text = self.texts.of(&SQL, part, columns)?;
        self.instance.read(|connection| read::one_by_one(connection, &text, part, ids, columns))
    }
}

impl Driver for DuckDbDriver {
    fn description(&self) -> &Description {
        &self.description
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        let (instance, part) = (self.instance.clone(), part.clone());
        blocking::run(move || instance.write(|connection| ensure::run(connection, &part)))
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        match batch.len() {
            0 => Reply::ready(Ok(WriteReport::default())),
            1 => Reply::ready(self.instance.write(|connection| write::one(connection, part, &batch))),
            _ => {
                let (instance, part) = (self.instance.clone(), part.clone());
                blocking::run(move || instance.write(|connection| write::many(connection, &part, &batch)))
            }
        }
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        if ids.len() <= FEW_IDS {
            return Reply::ready(self.few(part, ids, columns));
        }
        let statement = match select::fetch(&SQL, part, ids, columns) {
            Ok(statement) => statement,
            Err(error) => return Reply::ready(Err(error)),
        };
        let (instance, held, positions) = (self.instance.clone(), part.clone(), columns.to_vec());
        let found = blocking::run(move || instance.read(|connection| read::page(connection, &held, &statement, &positions, false)));
        match found {
            Reply::Ready(found) => Reply::Ready(found.map(|found| found.map(|page| page.arranged(ids)))),
            later => Reply::later(async move { Ok(later.await?.arranged(ids)) }),
        }
    }

    fn fetch_one<'a>(&'a self, part: &'a Arc<Part>, id: &'a Id, columns: &'a [usize]) -> Reply<'a, Page> {
        Reply::ready(self.few(part, std::slice::from_ref(id), columns))
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        select::plan(&SQL, part, wanted)
    }

    fn takes(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        select::takes(&SQL, part, wanted)
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        let reading = Reading { instance: self.instance.clone(), part: part.clone() };
        Ok(Box::new(Pages::new(Arc::new(reading), part, query)))
    }

    fn estimate<'a>(&'a self, part: &'a Arc<Part>, filter: &'a Filter, cap: usize) -> Reply<'a, Option<u64>> {
        let statement = match estimate::estimate(&SQL, part, filter, cap) {
            Ok(Some(statement)) => statement,
            Ok(None) => return Reply::ready(Ok(None)),
            Err(error) => return Reply::ready(Err(error)),
        };
        let instance = self.instance.clone();
        blocking::run(move || instance.read(|connection| read::count(connection, &statement)).map(Some))
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        aggregate::takes(&SQL, part, wanted)
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        let (instance, part, query) = (self.instance.clone(), part.clone(), query.clone());
        blocking::run(move || instance.read(|connection| read::groups(connection, &part, &query)))
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        self.texts.forget(part);
        let (instance, part) = (self.instance.clone(), part.clone());
        blocking::run(move || instance.write(|connection| ensure::drop_part(connection, &part)))
    }

    fn refresh<'a>(&'a self, _: &'a Arc<Part>) -> Reply<'a, ()> {
        // Every statement sees the last commit; a changed schema prepares statements anew by itself.
        Reply::ready(Ok(()))
    }

    fn health(&self) -> Reply<'_, ()> {
        Reply::ready(self.instance.read(|connection| connection.execute_batch("SELECT 1").map_err(failure::error)))
    }

    fn raw<'a>(&'a self, statement: &'a RawStatement) -> Reply<'a, RawAnswer> {
        super::raw::run(&self.instance, statement)
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
