//! A driver that is the reference itself, and ways to break it: what the suite is tested with.
//!
//! [`Simple::new`] must pass every case. Each [`Bug`] is one mistake that real drivers make; with it some case must fail.

mod bugs;
mod read;
mod write;

pub use bugs::Bug;

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heavenbase::driver::{
    Aggregate, Description, Driver, Ensured, Group, Page, PageStream, PageVec, Pushdown, Reply, SubQuery, WriteBatch, WriteReport,
};
use heavenbase::filter::Filter;
use heavenbase::schema::{Naming, Part};
use heavenbase::types::{Id, Value};
use heavenbase::{Error, ErrorKind, Result};

use crate::reference::{Row, Table};

#[derive(Default)]
struct Stored {
    shape: Vec<String>,
    owner: String,
    table: Table,
}

/// The reference as a driver, with a bug or none.
pub struct Simple {
    description: Description,
    bug: Option<Bug>,
    partial: bool,
    parts: Mutex<BTreeMap<String, Stored>>,
}

impl std::fmt::Debug for Simple {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Simple({:?})", self.bug)
    }
}

impl Simple {
    /// The right one. Stands for any kind.
    pub fn new(kind: &'static str) -> Self {
        let description = Description {
            kind,
            engine: "the reference".into(),
            embedded: true,
            transactional: true,
            naming: Naming::QUOTED,
            max_ids: 1000,
            max_batch: 500,
            max_k: 10_000,
        };
        Simple { description, bug: None, partial: false, parts: Mutex::default() }
    }

    /// A broken one.
    #[must_use]
    pub fn with_bug(self, bug: Bug) -> Self {
        Simple { bug: Some(bug), ..self }
    }

    /// One that leaves every Or and Not to the caller.
    #[must_use]
    pub fn partial(self) -> Self {
        Simple { partial: true, ..self }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, part: &Part) -> String {
        if self.has(Bug::OneNamespace) { part.entity.name.to_owned() } else { part.table.clone() }
    }

    fn with<T>(&self, part: &Part, act: impl FnOnce(&mut Stored) -> Result<T>) -> Result<T> {
        match self.lock().get_mut(&self.key(part)) {
            Some(stored) => act(stored),
            None => Err(Error::new(ErrorKind::SchemaMismatch, "the part is not there: ensure it first")),
        }
    }

    fn ensure_now(&self, part: &Part) -> Result<Ensured> {
        let shape: Vec<String> = part.columns.iter().map(|c| format!("{} {} {} {}", c.name, c.logical, c.nullable, c.placement)).collect();
        let owner = format!("{} {}", part.namespace, part.entity.name);
        let mut parts = self.lock();
        let Some(stored) = parts.get_mut(&self.key(part)) else {
            parts.insert(self.key(part), Stored { shape, owner, table: Table::default() });
            return Ok(Ensured { created: true, ..Ensured::default() });
        };
        if self.has(Bug::EnsureTruncates) {
            stored.table = Table::default();
        }
        let mismatch = |what: &str| Err(Error::new(ErrorKind::SchemaMismatch, format!("what is stored differs: {what}")));
        if !self.has(Bug::NoMismatch) && !self.has(Bug::OneNamespace) {
            if stored.owner != owner {
                return mismatch("it belongs to another entity");
            }
            if let Some(gone) = stored.shape.iter().find(|column| !shape.contains(column)) {
                return mismatch(gone);
            }
        }
        let mut added = Vec::new();
        let mut rows: Vec<Row> = stored.table.rows.values().cloned().collect();
        rows.iter_mut().for_each(|row| row.values = vec![Value::Null; part.columns.len()]);
        for (position, column) in part.columns.iter().enumerate() {
            match stored.shape.iter().position(|old| *old == shape[position]) {
                Some(before) => rows.iter_mut().for_each(|row| row.values[position] = stored.table.rows[&row.id].values[before].clone()),
                None if !column.nullable && column.default.is_none() && !self.has(Bug::NoMismatch) => {
                    return mismatch("a new field without a default");
                }
                None => {
                    added.push(column.name.to_owned());
                    if let (Some(default), false) = (column.default, self.has(Bug::NoDefault)) {
                        rows.iter_mut().for_each(|row| row.values[position] = default());
                    }
                }
            }
        }
        stored.shape = shape;
        stored.table.rows = rows.into_iter().map(|row| (row.id.clone(), row)).collect();
        Ok(Ensured { added, ..Ensured::default() })
    }
}

impl Driver for Simple {
    fn description(&self) -> &Description {
        &self.description
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        Reply::ready(self.ensure_now(part))
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        Reply::ready(self.write_now(part, &batch))
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        Reply::ready(self.with(part, |stored| {
            let mut found = Page::new(columns.len());
            let mut ids = ids.to_vec();
            if self.has(Bug::FetchSorted) {
                ids.sort();
            }
            for id in ids {
                match stored.table.rows.get(id.as_str()) {
                    Some(row) => found.push(id, row.version, columns.iter().map(|c| row.values[*c].clone())),
                    None if self.has(Bug::FetchInvents) => found.push(id, 0, columns.iter().map(|_| Value::Null)),
                    None => {}
                }
            }
            Ok(found)
        }))
    }

    fn plan(&self, _: &Part, wanted: &SubQuery) -> Pushdown {
        let takes = |filter: &Filter| {
            !(self.partial || self.has(Bug::EarlyLimit) || self.has(Bug::DropsRemainder)) || matches!(filter, Filter::Test(_))
        };
        let mut plan = Pushdown::of_filter(wanted, &takes, "the reference");
        if self.has(Bug::EarlyLimit) {
            (plan.order, plan.limit, plan.near) = (true, true, true);
        }
        if self.has(Bug::DropsRemainder) {
            plan = Pushdown { taken: plan.taken, ..Pushdown::everything(wanted, "the reference") };
        }
        plan
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        let page = self.rows(&part, &query)?;
        Ok(Box::new(PageVec::new(vec![page])))
    }

    fn estimate<'a>(&'a self, part: &'a Arc<Part>, filter: &'a Filter, _: usize) -> Reply<'a, Option<u64>> {
        let count = self.with(part, |stored| Ok(stored.table.matching(part, filter, None).len() as u64));
        let less = u64::from(self.has(Bug::EstimatesTooLittle));
        Reply::ready(count.map(|count| Some(count.saturating_sub(less))))
    }

    fn plans_aggregate(&self, _: &Part, _: &Aggregate) -> bool {
        true
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        Reply::ready(self.aggregate_now(part, query))
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        let mut parts = self.lock();
        let there = parts.remove(&self.key(part)).is_some();
        if self.has(Bug::DropsAll) {
            parts.clear();
        }
        Reply::ready(Ok(there))
    }

    fn refresh<'a>(&'a self, _: &'a Arc<Part>) -> Reply<'a, ()> {
        Reply::ready(Ok(()))
    }

    fn health(&self) -> Reply<'_, ()> {
        Reply::ready(Ok(()))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
