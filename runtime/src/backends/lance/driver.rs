use std::sync::Arc;

use super::config::Lance;
use super::near::{self, Nearest};
use super::store::Store;
use super::walk::Walk;
use super::{aggregate, ensure, maintain, read, runtime, write};
use crate::backends::disk;
use crate::capability::{Operation, Support, questions};
use crate::driver::{
    Aggregate, AggregateFunction, Description, Driver, Ensured, Group, NearQuery, Page, PageStream, Pushdown, Reply, SearchCosts, SortKey,
    SubQuery, WriteBatch, WriteReport, native_only,
};
use crate::error::Result;
use crate::schema::{Naming, Part};
use crate::types::Id;

/// The driver of Lance. Made by [`Connect::connect`](crate::backends::Connect::connect).
pub struct LanceDriver {
    store: Arc<Store>,
    description: Description,
}

impl std::fmt::Debug for LanceDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LanceDriver").field("directory", &self.store.config.directory).finish_non_exhaustive()
    }
}

impl LanceDriver {
    pub(super) fn open(config: Lance) -> Result<Self> {
        disk::create_directory(&config.directory)?;
        let description = Description {
            kind: "lance",
            engine: "Lance 14".to_owned(),
            embedded: true,
            transactional: true,
            naming: Naming::PLAIN,
            max_ids: read::MAX_IDS,
            max_batch: write::MAX_BATCH,
            max_k: near::MAX_K,
        };
        Ok(LanceDriver { store: Store::new(config), description })
    }

    /// Merges small files, builds the indexes that are due or brings them up to date, and removes versions older than
    /// [`Lance::keep_versions`]: after a load of many rows, instead of along with the next writes. Reads and writes go on
    /// meanwhile, but for writes while files are merged. Reached through [`Driver::as_any`].
    ///
    /// # Errors
    /// What Lance says; what was done until then stays.
    pub async fn maintain(&self, part: &Arc<Part>) -> Result<()> {
        let (store, part) = (self.store.clone(), part.clone());
        runtime::change(async move { maintain::run(&store, &part).await.map_err(|e| e.of_entity(part.entity.name)) }).await
    }
}

/// Whether the table lets the part's kind run an operation on a column.
fn native(part: &Part, column: usize, operation: Operation) -> bool {
    part.columns.get(column).is_some_and(|c| questions::support(part.kind, operation, c.logical.class(), c.placement) == Support::Native)
}

impl Driver for LanceDriver {
    fn description(&self) -> &Description {
        &self.description
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        let (store, part) = (self.store.clone(), part.clone());
        Reply::later(runtime::change(async move {
            let ensured = ensure::run(&store, &part).await.map_err(|e| e.of_entity(part.entity.name))?;
            maintain::after_ensure(&store, &part).await;
            Ok(ensured)
        }))
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        let (store, part) = (self.store.clone(), part.clone());
        Reply::later(runtime::change(async move {
            let report = write::run(&store, &part, &batch).await.map_err(|e| e.of_entity(part.entity.name))?;
            maintain::after_write(&store, &part);
            Ok(report)
        }))
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        let (store, part, ids, columns) = (self.store.clone(), part.clone(), ids.to_vec(), columns.to_vec());
        Reply::later(runtime::read(
            async move { read::by_ids(&store, &part, &ids, &columns).await.map_err(|e| e.of_entity(part.entity.name)) },
        ))
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        let how = match (&wanted.near, &wanted.ids) {
            (Some(search), _) => near::described(part, search, !wanted.filter.is_all() || wanted.ids.is_some()),
            (None, Some(_)) => "look-up by id".to_owned(),
            (None, None) => "scan".to_owned(),
        };
        let text = format!("lance: {how} in the dataset `{}`", part.table);
        let mut plan = Pushdown::of_filter(wanted, &|filter| filter.all_tests(|test| native_only(part, test)), text);
        let whole = plan.remainder.is_all();
        let sorts = wanted.order.iter().all(|key| match key.key {
            SortKey::Id => true,
            SortKey::Column(column) => native(part, column, Operation::Sort),
        });
        let ranks = wanted.near.as_ref().is_none_or(|near| native(part, near.column, Operation::Near));
        plan.order = whole && sorts;
        plan.near = whole && ranks;
        plan.limit = whole && sorts && ranks;
        plan
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        if query.near.is_some() {
            return Ok(Box::new(Nearest::new(self.store.clone(), part, query)));
        }
        Ok(Box::new(Walk::new(self.store.clone(), part, query)?))
    }

    fn search_costs(&self, part: &Part, near: &NearQuery) -> SearchCosts {
        near::costs(part, near)
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        wanted.filter.all_tests(|test| native_only(part, test))
            && wanted.keys.iter().all(|column| native(part, *column, Operation::GroupBy))
            && wanted.measures.iter().all(|measure| {
                let operation = match measure.function {
                    AggregateFunction::Count => Operation::IsNull,
                    AggregateFunction::CountDistinct => Operation::GroupBy,
                    AggregateFunction::Sum | AggregateFunction::Avg => Operation::Sum,
                    AggregateFunction::Min | AggregateFunction::Max => Operation::MinMax,
                };
                measure.column.is_none_or(|column| native(part, column, operation))
            })
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        let (store, part, query) = (self.store.clone(), part.clone(), query.clone());
        Reply::later(runtime::read(async move { aggregate::run(&store, &part, &query).await.map_err(|e| e.of_entity(part.entity.name)) }))
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        let (store, part) = (self.store.clone(), part.clone());
        Reply::later(runtime::change(async move { ensure::drop_part(&store, &part).await.map_err(|e| e.of_entity(part.entity.name)) }))
    }

    fn refresh<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, ()> {
        // Every read looks for the newest version by itself.
        self.store.forget(part);
        Reply::ready(Ok(()))
    }

    fn health(&self) -> Reply<'_, ()> {
        let directory = &self.store.config.directory;
        Reply::ready(std::fs::read_dir(directory).map(drop).map_err(|e| disk::io_error(e, "read the directory", directory)))
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
