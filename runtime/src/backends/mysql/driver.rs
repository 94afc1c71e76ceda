use std::sync::Arc;

use sqlx::MySqlPool;

use super::core::Core;
use super::dialect::{SORTED, Vectors};
use super::server::SORT_BUFFER;
use super::{children, ensure, write};
use crate::backends::network::Pages;
use crate::backends::sql::{Dialect, LookUpTexts, aggregate, estimate, select};
use crate::driver::{
    Aggregate, Description, Driver, Ensured, Group, NearQuery, Page, PageStream, Pushdown, RawAnswer, RawStatement, Reply, SearchCosts,
    SortKey, SubQuery, WriteBatch, WriteReport,
};
use crate::error::Result;
use crate::filter::Filter;
use crate::schema::{Naming, Part};
use crate::types::{Id, LogicalType};

/// The driver of [`MySql`](super::MySql) and of `OceanBase`: what [`Driver::as_any`] gives for them.
pub struct MySqlDriver {
    description: Description,
    core: Arc<Core>,
    texts: LookUpTexts,
}

impl std::fmt::Debug for MySqlDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MySqlDriver").field("engine", &self.description.engine).finish_non_exhaustive()
    }
}

impl MySqlDriver {
    pub(super) fn new(core: Core, engine: String) -> Self {
        let description = Description {
            kind: core.dialect.kind(),
            engine,
            embedded: false,
            transactional: true,
            naming: Naming::QUOTED,
            // A placeholder each, of 65,535; a filter beside them has its own.
            max_ids: 10_000,
            max_batch: 10_000,
            max_k: 10_000,
        };
        MySqlDriver { description, core: Arc::new(core), texts: LookUpTexts::default() }
    }

    /// The pool of connections, for what HeavenBase does not say. The names of tables and columns are those of the
    /// manifest (`_hb_manifest`). Its sessions have strict modes, UTC and `READ COMMITTED`.
    pub fn pool(&self) -> &MySqlPool {
        &self.core.pool
    }

    /// Whether the server compares values of these columns to their end when it sorts, and has room for fifteen rows of
    /// such keys, without which it gives up.
    fn sorts(part: &Part, positions: impl Iterator<Item = usize>) -> bool {
        let bytes = positions.filter_map(|position| part.columns.get(position)).try_fold(0u32, |sum, column| match column.logical {
            LogicalType::Text { max } if max > SORTED => None,
            LogicalType::Text { max } => Some(sum + max * 4),
            _ => Some(sum),
        });
        // What is left holds the id and the short keys.
        bytes.is_some_and(|bytes| bytes <= SORT_BUFFER / 15 - 16_384)
    }
}

impl Driver for MySqlDriver {
    fn description(&self) -> &Description {
        &self.description
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        Reply::later(ensure::ensure(&self.core, part))
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        Reply::later(async move { write::write(&self.core, part, &batch).await })
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        if ids.is_empty() {
            return Reply::ready(Ok(Page::new(columns.len())));
        }
        Reply::later(async move {
            let statement = select::fetch(&self.core.dialect, part, ids, columns)?;
            let page = self.core.page(part, &statement.text, &statement.values, columns, false).await?;
            Ok(page.arranged(ids))
        })
    }

    fn fetch_one<'a>(&'a self, part: &'a Arc<Part>, id: &'a Id, columns: &'a [usize]) -> Reply<'a, Page> {
        let key = part.key().kind;
        let Some(value) = key.value(id) else { return Reply::ready(Ok(Page::new(columns.len()))) };
        Reply::later(async move {
            let text = self.texts.of(&self.core.dialect, part, columns)?;
            let values = [self.core.dialect.stored(&key.logical(), value)];
            let page = self.core.page(part, &text, &values, columns, false).await?;
            // A table of others may compare its ids in its own way.
            Ok(if part.is_mapped() { page.arranged(std::slice::from_ref(id)) } else { page })
        })
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        let mut plan = children::plan(&self.core.dialect, part, wanted);
        let columns = wanted.order.iter().filter_map(|key| if let SortKey::Column(position) = key.key { Some(position) } else { None });
        let sorts = Self::sorts(part, columns);
        if plan.order && !sorts {
            let unordered = SubQuery { order: Vec::new(), limit: None, offset: 0, ..wanted.clone() };
            plan = Pushdown { order: false, limit: false, ..select::plan(&self.core.dialect, part, &unordered) };
        }
        if let (true, Some(near), Some(vectors)) = (plan.near, &wanted.near, self.core.dialect.vectors) {
            let indexed = part.columns.get(near.column).is_some_and(|column| vectors.is_indexed(column));
            let how = if indexed && !near.exact && wanted.ids.is_none() {
                " -- by the vector index; exact where that finds fewer than k"
            } else {
                " -- exact"
            };
            plan.text.push_str(how);
        }
        plan
    }

    fn search_costs(&self, part: &Part, near: &NearQuery) -> SearchCosts {
        let costs = SearchCosts::of_server(near.vector.len());
        let indexed = |vectors: &dyn Vectors| part.columns.get(near.column).is_some_and(|column| vectors.is_indexed(column));
        if !near.exact && self.core.dialect.vectors.is_some_and(indexed) { costs.indexed(12_000) } else { costs }
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
        // Measures are compared one by one.
        let sorts = Self::sorts(part, wanted.keys.iter().copied())
            && wanted.measures.iter().filter_map(|m| m.column).all(|at| Self::sorts(part, std::iter::once(at)));
        sorts && children::fit(part, &wanted.filter) && aggregate::takes(&self.core.dialect, part, wanted)
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        Reply::later(self.core.groups(part, query))
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        self.texts.forget(part);
        Reply::later(ensure::drop_part(&self.core, part))
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
