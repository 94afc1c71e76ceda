//! Memory as a [`Driver`].

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hashbrown::HashMap as FastMap;
use parking_lot::RwLock;

use super::aggregate::aggregate;
use super::select;
use super::store::{Store, View};
use super::stream::{self, push_row};
use crate::capability::{Operation, Support, questions};
use crate::driver::{
    Aggregate, AggregateFunction, Description, Driver, Ensured, Group, Page, PageStream, Pushdown, Reply, SortKey, SubQuery, WriteBatch,
    WriteReport, native_only,
};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Filter;
use crate::schema::{Naming, Part};
use crate::types::Id;

/// Registrations remembered by address, at most: beyond, they are looked up by name.
const REMEMBERED: usize = 1024;
/// Rows fetched from the writer's table without a snapshot, at most.
const FEW: usize = 16;

/// All parts that live under one memory, by table name.
#[derive(Debug, Default)]
pub(super) struct World {
    stores: RwLock<HashMap<String, Arc<Store>>>,
}

/// A connection to one memory.
#[derive(Debug)]
pub(super) struct MemoryDriver {
    world: Arc<World>,
    description: Description,
    /// Views by the address of the registered part, which the view keeps alive.
    views: ArcSwap<FastMap<usize, Arc<View>>>,
}

impl MemoryDriver {
    pub(super) fn new(world: Arc<World>) -> MemoryDriver {
        let description = Description {
            kind: "inmem",
            engine: concat!("HeavenBase memory ", env!("CARGO_PKG_VERSION")).to_owned(),
            embedded: true,
            transactional: true,
            naming: Naming::QUOTED,
            max_ids: 1 << 20,
            max_batch: 1 << 20,
            max_k: 10_000,
        };
        MemoryDriver { world, description, views: ArcSwap::default() }
    }

    /// Calls `run` with the view of a registered part.
    fn with_view<T>(&self, part: &Arc<Part>, run: impl FnOnce(&View) -> Result<T>) -> Result<T> {
        let views = self.views.load();
        match views.get(&(Arc::as_ptr(part) as usize)) {
            Some(view) if !view.store.is_dropped() => run(view),
            _ => run(&self.look_up(part)?),
        }
        .map_err(|error| error.of_entity(part.entity.name))
    }

    fn look_up(&self, part: &Arc<Part>) -> Result<View> {
        let store = self.world.stores.read().get(&part.table).cloned();
        let missing = || Error::new(ErrorKind::NotRegistered, "nothing is stored under this entity's name: register it first");
        store.ok_or_else(missing)?.view(part)
    }

    fn remember(&self, part: &Arc<Part>, view: View) {
        let view = Arc::new(view);
        self.views.rcu(|views| {
            let mut views = if views.len() < REMEMBERED { FastMap::clone(views) } else { FastMap::new() };
            views.retain(|_, view| !view.store.is_dropped());
            views.insert(Arc::as_ptr(part) as usize, view.clone());
            views
        });
    }

    fn ensure_now(&self, part: &Arc<Part>) -> Result<Ensured> {
        loop {
            let store = self.world.stores.write().entry(part.table.clone()).or_insert_with(|| Arc::new(Store::new(part))).clone();
            let ensured = store.ensure(part)?;
            // Dropped in between: the store is no longer the one that others find.
            if !store.is_dropped() {
                self.remember(part, store.view(part)?);
                return Ok(ensured);
            }
        }
    }

    fn fetch_rows(view: &View, ids: &[Id], columns: &[usize]) -> Result<Page> {
        view.check(columns)?;
        let read = |table: &super::table::Table| {
            let mut page = Page::new(columns.len());
            page.ids.reserve(ids.len());
            page.versions.reserve(ids.len());
            page.values.reserve(ids.len() * columns.len());
            ids.iter()
                .filter_map(|id| table.find(id))
                .for_each(|row| push_row(table, row, columns.iter().map(|column| view.columns[*column]), &mut page));
            page
        };
        Ok(if ids.len() <= FEW { view.store.read(read) } else { read(&view.store.snapshot()) })
    }
}

fn is_native(part: &Part, column: usize, operation: Operation) -> bool {
    part.columns
        .get(column)
        .is_some_and(|column| questions::support(part.kind, operation, column.logical.class(), column.placement) == Support::Native)
}

impl Driver for MemoryDriver {
    fn description(&self) -> &Description {
        &self.description
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        Reply::ready(self.ensure_now(part))
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        Reply::ready(self.with_view(part, |view| view.store.write(view, &batch)))
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        Reply::ready(self.with_view(part, |view| Self::fetch_rows(view, ids, columns)))
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        let mut pushdown = self.takes(part, wanted);
        pushdown.text = describe(part, wanted, &pushdown);
        pushdown
    }

    fn takes(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        // The kind of the part may be another backend's, which memory stands for in a rehearsal: no more than that one's
        // capabilities is taken.
        let takes = |filter: &Filter| filter.all_tests(|test| native_only(part, test));
        let mut pushdown = Pushdown::of_filter(wanted, &takes, "");
        let sorts = wanted.order.iter().all(|key| match key.key {
            SortKey::Id => true,
            SortKey::Column(column) => is_native(part, column, Operation::Sort),
        });
        pushdown.order &= sorts;
        pushdown.near &= wanted.near.as_ref().is_none_or(|near| is_native(part, near.column, Operation::Near));
        pushdown.limit &= pushdown.order && pushdown.near;
        pushdown
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        self.with_view(&part, |view| Ok(Box::new(stream::open(view, &query)?) as Box<dyn PageStream>))
    }

    fn estimate<'a>(&'a self, part: &'a Arc<Part>, filter: &'a Filter, cap: usize) -> Reply<'a, Option<u64>> {
        Reply::ready(self.with_view(part, |view| select::estimate(&view.store.snapshot(), view, filter, cap)))
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        let measured = |measure: &crate::driver::Measure| {
            measure.column.is_none_or(|column| match measure.function {
                AggregateFunction::Count => true,
                AggregateFunction::CountDistinct => is_native(part, column, Operation::GroupBy),
                AggregateFunction::Sum | AggregateFunction::Avg => is_native(part, column, Operation::Sum),
                AggregateFunction::Min | AggregateFunction::Max => is_native(part, column, Operation::MinMax),
            })
        };
        wanted.filter.all_tests(|test| native_only(part, test))
            && wanted.keys.iter().all(|key| is_native(part, *key, Operation::GroupBy))
            && wanted.measures.iter().all(measured)
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        Reply::ready(self.with_view(part, |view| aggregate(view, query)))
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        let mut stores = self.world.stores.write();
        let mine = stores.get(&part.table).is_some_and(|store| store.belongs_to(part));
        let dropped = mine && stores.remove(&part.table).is_some_and(|store| store.drop_now());
        drop(stores);
        self.views.rcu(|views| {
            let mut views = FastMap::clone(views);
            views.retain(|_, view| !view.store.is_dropped());
            views
        });
        Reply::ready(Ok(dropped))
    }

    fn refresh<'a>(&'a self, _: &'a Arc<Part>) -> Reply<'a, ()> {
        Reply::ready(Ok(()))
    }

    fn health(&self) -> Reply<'_, ()> {
        Reply::ready(Ok(()))
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// What `explain` shows: the parts of the query by name, without values.
fn describe(part: &Part, wanted: &SubQuery, taken: &Pushdown) -> String {
    let name = |column: usize| part.columns.get(column).map_or("?", |column| column.name);
    let mut text = format!("memory {}", part.table);
    let mut fields: Vec<&str> = Vec::new();
    taken.taken.for_each_test(&mut |test| {
        if !fields.contains(&&*test.field) {
            fields.push(&test.field);
        }
    });
    if !fields.is_empty() {
        text.push_str(&format!(" where [{}]", fields.join(", ")));
    }
    if let Some(near) = wanted.near.as_ref().filter(|_| taken.near) {
        text.push_str(&format!(" nearest by {} of {} exact, k {}", near.metric, name(near.column), near.k));
    }
    if taken.order && !wanted.order.is_empty() {
        let key = |key: &crate::driver::OrderKey| {
            let column = match key.key {
                SortKey::Id => "object_id",
                SortKey::Column(column) => name(column),
            };
            format!("{column}{}", if key.descending { " desc" } else { "" })
        };
        text.push_str(&format!(" order by {}", wanted.order.iter().map(key).collect::<Vec<_>>().join(", ")));
    }
    if let Some(limit) = wanted.limit.filter(|_| taken.limit) {
        text.push_str(&format!(" limit {limit}"));
    }
    text
}
