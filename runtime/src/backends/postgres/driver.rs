use std::sync::Arc;

use sqlx::PgPool;

use super::core::Core;
use super::{codec, ensure, failure, vectors, write};
use crate::backends::network::Pages;
use crate::backends::network::failure::{Phase, caught};
use crate::backends::sql::{Dialect, LookUpTexts, aggregate, estimate, select};
use crate::driver::{
    Aggregate, Description, Driver, Ensured, Group, NearQuery, Page, PageStream, Pushdown, RawAnswer, RawStatement, Reply, SearchCosts,
    SubQuery, WriteBatch, WriteReport,
};
use crate::error::Result;
use crate::filter::Filter;
use crate::schema::{Naming, Part};
use crate::types::Id;

/// The driver of [`Postgres`](super::Postgres) and of `PgVector`: what [`Driver::as_any`] gives for them.
pub struct PostgresDriver {
    description: Description,
    core: Arc<Core>,
    texts: LookUpTexts,
}

impl std::fmt::Debug for PostgresDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresDriver").field("engine", &self.description.engine).finish_non_exhaustive()
    }
}

impl PostgresDriver {
    pub(super) fn new(core: Core, engine: String) -> Self {
        let description = Description {
            kind: core.dialect.kind(),
            engine,
            embedded: false,
            transactional: true,
            naming: Naming::QUOTED,
            // Ids are one array parameter, whatever their number.
            max_ids: 100_000,
            max_batch: 10_000,
            max_k: 10_000,
        };
        PostgresDriver { description, core: Arc::new(core), texts: LookUpTexts::default() }
    }

    /// The pool of connections, for what HeavenBase does not say. The names of tables and columns are those of the
    /// manifest (`_hb_manifest`).
    pub fn pool(&self) -> &PgPool {
        &self.core.pool
    }
}

impl Driver for PostgresDriver {
    fn description(&self) -> &Description {
        &self.description
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        Reply::later(caught(Phase::Write, ensure::ensure(&self.core, part)))
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        Reply::later(async move { caught(Phase::Write, write::write(&self.core, part, &batch)).await })
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        if ids.is_empty() {
            return Reply::ready(Ok(Page::new(columns.len())));
        }
        Reply::later(async move {
            let statement = select::fetch(&self.core.dialect, part, ids, columns)?;
            let page = self.core.page(part, &statement.text, &super::core::bound(&statement), columns, false).await?;
            Ok(page.arranged(ids))
        })
    }

    fn fetch_one<'a>(&'a self, part: &'a Arc<Part>, id: &'a Id, columns: &'a [usize]) -> Reply<'a, Page> {
        if super::nul::holds(id) {
            return Reply::ready(Ok(Page::new(columns.len())));
        }
        let Some(key) = part.key().kind.value(id) else { return Reply::ready(Ok(Page::new(columns.len()))) };
        Reply::later(async move {
            let text = self.texts.of(&self.core.dialect, part, columns)?;
            let parameters = [codec::parameter(&key)];
            self.core.one(part, &text, &parameters, columns).await
        })
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        let mut plan = select::plan(&self.core.dialect, part, wanted);
        if plan.near && wanted.near.is_some() {
            let how =
                if vectors::serves(part, wanted) { " -- by the vector index; exact where that finds fewer than k" } else { " -- exact" };
            plan.text.push_str(how);
        }
        plan
    }

    fn search_costs(&self, part: &Part, near: &NearQuery) -> SearchCosts {
        vectors::costs(part, near)
    }

    fn takes(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        select::takes(&self.core.dialect, part, wanted)
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        Ok(Box::new(Pages::new(self.core.clone(), part, query)))
    }

    fn estimate<'a>(&'a self, part: &'a Arc<Part>, filter: &'a Filter, cap: usize) -> Reply<'a, Option<u64>> {
        estimate::reply(&self.core.dialect, part, filter, cap, |statement| async move { self.core.count(&statement).await })
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        aggregate::takes(&self.core.dialect, part, wanted)
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        Reply::later(self.core.groups(part, query))
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        self.texts.forget(part);
        Reply::later(caught(Phase::Write, ensure::drop_part(&self.core, part)))
    }

    fn refresh<'a>(&'a self, _: &'a Arc<Part>) -> Reply<'a, ()> {
        // Every statement sees the last commit of every session.
        Reply::ready(Ok(()))
    }

    fn health(&self) -> Reply<'_, ()> {
        Reply::later(async move {
            let answer = self.core.rows("SELECT 1", &[]).await;
            answer.map(drop)
        })
    }

    fn raw<'a>(&'a self, statement: &'a RawStatement) -> Reply<'a, RawAnswer> {
        Reply::later(super::raw::run(&self.core, statement))
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// The text of a failure while connecting.
pub(super) fn cannot_connect(cause: sqlx::Error) -> crate::error::Error {
    failure::error(cause, Phase::Connect)
}
