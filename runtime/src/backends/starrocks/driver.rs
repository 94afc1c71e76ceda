use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::MySqlPool;

use super::core::{Core, Reads};
use super::dialect::{MEMBERS, StarRocksDialect};
use super::load::Loader;
use super::pool::Pool;
use super::{ensure, raw, write};
use crate::backends::network::Pages;
use crate::backends::sql::session::{Sessions, no_server};
use crate::backends::sql::{Statement, aggregate, select};
#[cfg(feature = "_paper")]
use crate::capability::{Operation, Placement};
use crate::driver::{
    Aggregate, Description, Driver, Ensured, Group, Narrowed, Page, PageStream, Pushdown, RawAnswer, RawStatement, Reply, SubQuery,
    WriteBatch, WriteReport,
};
use crate::error::Result;
use crate::schema::{Naming, Part};
use crate::types::Id;

/// The driver of [`StarRocks`](super::StarRocks): what [`Driver::as_any`] gives for it.
pub struct StarRocksDriver {
    description: Description,
    narrowed: Vec<Narrowed>,
    core: Arc<Core>,
    /// The same dialect, for texts that somebody reads: without values.
    shown: StarRocksDialect,
    /// Where native connections come from; none on paper.
    pool: Option<Pool>,
}

impl std::fmt::Debug for StarRocksDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StarRocksDriver").field("engine", &self.description.engine).finish_non_exhaustive()
    }
}

impl StarRocksDriver {
    pub(super) fn new(sessions: Arc<dyn Sessions>, pool: Option<Pool>, dialect: StarRocksDialect, engine: String) -> Self {
        let description = Description {
            kind: "starrocks",
            engine,
            embedded: false,
            // Each load and each statement is, but a batch may take several.
            transactional: false,
            naming: Naming::QUOTED,
            max_ids: MEMBERS,
            max_batch: 10_000,
            max_k: 10_000,
        };
        let reads = Arc::new(Reads { sessions, dialect });
        let core = Core { reads, packet: 16 << 20, loader: None, patience: Duration::from_secs(60), turns: Mutex::new(HashMap::new()) };
        let shown = StarRocksDialect { shown: true, ..dialect };
        StarRocksDriver { description, narrowed: Vec::new(), core: Arc::new(core), shown, pool }
    }

    /// The same with a way to load rows, and what is known of the server's limits.
    pub(super) fn loading(self, loader: Option<Loader>, packet: usize, patience: Duration) -> Self {
        let core = Core { reads: self.core.reads.clone(), packet, loader, patience, turns: Mutex::new(HashMap::new()) };
        StarRocksDriver { core: Arc::new(core), ..self }
    }

    /// The same without vector search, for a server that stands in StarRocks's place.
    #[cfg(feature = "_paper")]
    pub(super) fn without_vectors(self) -> Self {
        let reason = "the server in StarRocks's place has no arrays".to_owned();
        let narrowed = Narrowed { class: "Vector", placement: Some(Placement::VectorIndex), operation: Operation::Near, reason };
        StarRocksDriver { narrowed: vec![narrowed], ..self }
    }

    /// The pool of connections, for what HeavenBase does not say; it takes no prepared statements but selects
    /// (`sqlx::raw_sql` sends text). The names of tables and columns are those of the manifest (`_hb_manifest`). None without a server.
    pub fn pool(&self) -> Option<&MySqlPool> {
        self.pool.as_ref().map(|pool| &pool.pool)
    }

    fn planned(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        let plan = select::plan(&self.shown, part, wanted);
        if wanted.near.is_some() && !self.narrowed.is_empty() {
            let kept = SubQuery { filter: plan.taken, near: None, order: Vec::new(), limit: None, offset: 0, ..wanted.clone() };
            let remainder = plan.remainder;
            return Pushdown { remainder, order: false, limit: false, near: false, ..select::plan(&self.shown, part, &kept) };
        }
        plan
    }
}

impl Driver for StarRocksDriver {
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
        Ok(Box::new(Pages::new(self.core.reads.clone(), part, query)))
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        aggregate::takes(&self.core.dialect, part, wanted)
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        Reply::later(self.core.groups(part, query))
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        Reply::later(ensure::drop_part(&self.core, part))
    }

    fn refresh<'a>(&'a self, _: &'a Arc<Part>) -> Reply<'a, ()> {
        // A write waits until its rows are seen; what other frontends have not heard of yet, no statement of this one hastens.
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
