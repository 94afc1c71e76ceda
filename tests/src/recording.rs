//! A driver that remembers which cells of the capability table it was asked, by cases of the suite.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use heavenbase::Result;
use heavenbase::capability::Operation;
use heavenbase::driver::{
    Aggregate, AggregateFunction, Description, Driver, Ensured, Group, Page, PageStream, Pushdown, Reply, SortKey, SubQuery, WriteBatch,
    WriteReport,
};
use heavenbase::filter::Filter;
use heavenbase::schema::{ID_COLUMN, Part};
use heavenbase::types::Id;

/// An operation, a class and a placement, and for searches the metric: by their names.
pub type Cell = (&'static str, &'static str, &'static str, &'static str);

/// A driver, and what it was asked to answer.
#[derive(Debug)]
pub struct Recording<D> {
    inner: D,
    asked: Mutex<BTreeSet<Cell>>,
}

impl<D> Recording<D> {
    /// Records what this driver is asked.
    pub fn new(inner: D) -> Self {
        Recording { inner, asked: Mutex::default() }
    }

    /// The cells that were asked.
    pub fn asked(&self) -> BTreeSet<Cell> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self, part: &Part, column: usize, operation: Operation, metric: &'static str) {
        let Some(column) = part.columns.get(column) else { return };
        let cell = (operation.name(), column.logical.class(), column.placement.name(), metric);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(cell);
    }

    fn record_filter(&self, part: &Part, filter: &Filter) {
        filter.for_each_test(&mut |test| {
            if test.field != ID_COLUMN
                && let Some((column, _)) = part.column(&test.field)
            {
                self.record(part, column, test.operation(), "");
            }
        });
    }
}

impl<D: Driver> Driver for Recording<D> {
    fn description(&self) -> &Description {
        self.inner.description()
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        self.inner.ensure(part)
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        self.inner.write(part, batch)
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        self.inner.fetch(part, ids, columns)
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        self.inner.plan(part, wanted)
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        self.record_filter(&part, &query.filter);
        for key in &query.order {
            if let SortKey::Column(column) = key.key {
                self.record(&part, column, Operation::Sort, "");
            }
        }
        if let Some(near) = &query.near {
            self.record(&part, near.column, Operation::Near, near.metric.name());
        }
        self.inner.open(part, query)
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        self.inner.plans_aggregate(part, wanted)
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        self.record_filter(part, &query.filter);
        query.keys.iter().for_each(|key| self.record(part, *key, Operation::GroupBy, ""));
        for measure in &query.measures {
            let Some(column) = measure.column else { continue };
            let operation = match measure.function {
                AggregateFunction::Count => Operation::IsNull,
                AggregateFunction::CountDistinct => Operation::GroupBy,
                AggregateFunction::Sum | AggregateFunction::Avg => Operation::Sum,
                AggregateFunction::Min | AggregateFunction::Max => Operation::MinMax,
            };
            self.record(part, column, operation, "");
        }
        self.inner.aggregate(part, query)
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        self.inner.drop_part(part)
    }

    fn refresh<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, ()> {
        self.inner.refresh(part)
    }

    fn health(&self) -> Reply<'_, ()> {
        self.inner.health()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
