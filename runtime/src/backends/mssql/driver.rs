use std::sync::Arc;

use super::core::Core;
use super::dialect::MssqlDialect;
use super::pool::{Client, Pool};
use super::{ensure, raw, write};
use crate::backends::network::Pages;
use crate::backends::sql::session::{Sessions, no_server};
use crate::backends::sql::{Statement, aggregate, children, estimate, select};
use crate::capability::{Operation, Placement};
use crate::driver::{
    Aggregate, Description, Driver, Ensured, Group, Narrowed, Page, PageStream, Pushdown, RawAnswer, RawStatement, Reply, SubQuery,
    WriteBatch, WriteReport,
};
use crate::error::Result;
use crate::filter::Filter;
use crate::schema::{Naming, Part};
use crate::types::Id;

/// The driver of [`Mssql`](super::Mssql): what [`Driver::as_any`] gives for it.
pub struct MssqlDriver {
    description: Description,
    narrowed: Vec<Narrowed>,
    core: Arc<Core>,
    /// Where native connections come from; none on paper.
    pool: Option<Arc<Pool>>,
}

impl std::fmt::Debug for MssqlDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MssqlDriver").field("engine", &self.description.engine).finish_non_exhaustive()
    }
}

impl MssqlDriver {
    pub(super) fn new(sessions: impl Sessions, pool: Option<Arc<Pool>>, dialect: MssqlDialect, engine: String) -> Self {
        let description = Description {
            kind: "mssql",
            engine,
            embedded: false,
            transactional: true,
            naming: Naming::QUOTED,
            // One value, whatever their number.
            max_ids: 10_000,
            max_batch: 10_000,
            max_k: 10_000,
        };
        let reason = "the server has no type VECTOR: it comes with SQL Server 2025".to_owned();
        let no_vectors = Narrowed { class: "Vector", placement: Some(Placement::VectorIndex), operation: Operation::Near, reason };
        let narrowed = if dialect.vectors { Vec::new() } else { vec![no_vectors] };
        MssqlDriver { description, narrowed, core: Arc::new(Core { sessions: Arc::new(sessions), dialect }), pool }
    }

    /// A connection of your own, which HeavenBase neither uses nor takes back, for what it does not say. The names of tables and
    /// columns are those of the manifest (`_hb_manifest`).
    ///
    /// # Errors
    /// As [`connect`](crate::backends::Connect::connect).
    pub async fn connection(&self) -> Result<Client> {
        match &self.pool {
            Some(pool) => pool.connect().await,
            None => Err(no_server()),
        }
    }

    fn planned(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        let dialect = &self.core.dialect;
        let plan = children::plan(dialect, part, wanted);
        if wanted.near.is_some() && !dialect.vectors {
            let (taken, rest) = (plan.taken.clone(), plan.remainder.clone());
            let kept = SubQuery { filter: taken, near: None, order: Vec::new(), limit: None, offset: 0, ..wanted.clone() };
            return Pushdown { remainder: rest, order: false, limit: false, near: false, ..children::plan(dialect, part, &kept) };
        }
        plan
    }
}

impl Driver for MssqlDriver {
    fn description(&self) -> &Description {
        &self.description
    }

    fn narrowed(&self) -> &[Narrowed] {
        &self.narrowed
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        Reply::later(ensure::ensure(&self.core, part))
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        Reply::later(async move { write::write(&self.core, part, &batch).await })
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        if part.key().values(ids).is_empty() {
            return Reply::ready(Ok(Page::new(columns.len())));
        }
        Reply::later(async move {
            let statement = select::fetch(&self.core.dialect, part, ids, columns)?;
            Ok(self.core.page(part, &statement, columns, false).await?.arranged(ids))
        })
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        self.planned(part, wanted)
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        Ok(Box::new(Pages::new(self.core.clone(), part, query)))
    }

    fn estimate<'a>(&'a self, part: &'a Arc<Part>, filter: &'a Filter, cap: usize) -> Reply<'a, Option<u64>> {
        // What indexes a table of others has is not known here.
        if part.is_mapped() {
            return Reply::ready(Ok(None));
        }
        estimate::reply(&self.core.dialect, part, filter, cap, |statement| async move { self.core.count(&statement).await })
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        children::fit(part, &wanted.filter) && aggregate::takes(&self.core.dialect, part, wanted)
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        Reply::later(self.core.groups(part, query))
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        Reply::later(ensure::drop_part(&self.core, part))
    }

    fn refresh<'a>(&'a self, _: &'a Arc<Part>) -> Reply<'a, ()> {
        // Every statement sees the last commit of every session.
        Reply::ready(Ok(()))
    }

    fn health(&self) -> Reply<'_, ()> {
        Reply::later(async move { self.core.read_rows(&Statement::plain("SELECT 1")).await.map(drop) })
    }

    fn raw<'a>(&'a self, statement: &'a RawStatement) -> Reply<'a, RawAnswer> {
        match &self.pool {
            Some(pool) => Reply::later(raw::run(pool, statement)),
            None => Reply::ready(Err(no_server())),
        }
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
