//! What a backend's driver does: small, plain, in terms of one part of one entity.
//!
//! A driver knows [`types`](crate::types), [`schema`](crate::schema), [`filter`](crate::filter) and this room, nothing
//! above. It answers with [`Reply`], which embedded drivers fill at once on the caller's thread and network drivers
//! later. Contract in `docs/decisions/0002-driver-trait.md`.

mod costs;
mod doubt;
mod manifest;
mod narrowed;
mod page;
mod pushdown;
mod raw;
mod reply;
mod subquery;
mod sum;
mod total;
mod wait;
mod write;

pub use costs::SearchCosts;
#[cfg(any(feature = "elasticsearch", feature = "milvus"))]
pub(crate) use doubt::few_in_doubt;
pub(crate) use doubt::in_doubt;
pub use manifest::{Manifest, ManifestColumn};
pub use narrowed::Narrowed;
pub use page::{IdLookup, Page, PageStream, PageVec};
pub use pushdown::{Pushdown, native_only, split_conjunction};
pub use raw::{RawAnswer, RawColumn, RawColumns, RawStatement, wrong_value};
pub use reply::Reply;
pub use subquery::{Aggregate, AggregateFunction, Group, Measure, NearQuery, OrderKey, Position, SortKey, SubQuery, best_first};
pub use sum::sum_overflow;
pub use total::Total;
pub(crate) use wait::{deadline_after, jittered};
pub use write::{WriteBatch, WriteMode, WriteReport, no_key};

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::filter::Filter;
use crate::schema::{Naming, Part};
use crate::types::Id;

/// What a driver is and what bounds it, known once it is connected.
#[derive(Clone, Debug)]
pub struct Description {
    /// The kind: `"sqlite"`.
    pub kind: &'static str,
    /// The engine with its version as it names itself: `SQLite 3.51.0`.
    pub engine: String,
    /// Whether it runs in this process: its replies are ready at once and cost no round trip.
    pub embedded: bool,
    /// Whether one [`WriteBatch`] takes place wholly or not at all.
    pub transactional: bool,
    /// What it demands of names.
    pub naming: Naming,
    /// Most ids in one [`SubQuery::ids`] or fetch; the caller chunks beyond.
    pub max_ids: usize,
    /// Most rows of one write; the caller chunks beyond.
    pub max_batch: usize,
    /// Most hits of one vector search, if it has one; the caller refuses beyond.
    pub max_k: usize,
}

/// What [`Driver::ensure`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ensured {
    /// Whether the part did not exist before.
    pub created: bool,
    /// Fields added to an existing part.
    pub added: Vec<String>,
    /// Operations that this server turned out not to run on the part's fields, although its kind does. Filled by
    /// [`register`](crate::Workspace::register) from [`Driver::narrowed`]; a driver adds what it finds out only here.
    pub narrowed: Vec<Narrowed>,
}

/// A connection to one backend. Cheap to share, safe to call from many threads at once.
pub trait Driver: Send + Sync + 'static {
    /// What this driver is.
    fn description(&self) -> &Description;

    /// Operations that this server turned out not to run when it was connected, although the table says that its kind does.
    /// Its plans hand them back.
    fn narrowed(&self) -> &[Narrowed] {
        &[]
    }

    /// Checks an option that an entity gives this backend: `#[entity(options(search(refresh = "immediate")))]`. A driver that has
    /// some reads them with [`Part::option`].
    ///
    /// # Errors
    /// [`InvalidSchema`](crate::ErrorKind::InvalidSchema) for an option that the backend does not have, or a value that it does
    /// not take: by default for all.
    fn check_option(&self, name: &str, value: &str) -> Result<()> {
        let _ = value;
        let why = format!("{} has no option `{name}` of an entity: leave it out", self.description().engine);
        Err(Error::new(ErrorKind::InvalidSchema, why))
    }

    /// Creates the part, or checks what is there against it; adds new nullable or defaulted fields. Safe to repeat.
    ///
    /// # Errors
    /// [`SchemaMismatch`](crate::ErrorKind::SchemaMismatch), saying what differs, for every other difference.
    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured>;

    /// Writes a batch: all rows that its guard lets through, or (where [`Description::transactional`]) none.
    /// Idempotent: the same batch again changes nothing.
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) and [`UniqueViolation`](crate::ErrorKind::UniqueViolation)
    /// name the id or field and leave nothing written.
    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport>;

    /// Rows by id, at most [`Description::max_ids`], in the order asked for, missing ones left out.
    /// `columns` are positions in [`Part::columns`].
    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page>;

    /// One row by id: the shortest way there is, for [`get`](crate::Workspace::get).
    fn fetch_one<'a>(&'a self, part: &'a Arc<Part>, id: &'a Id, columns: &'a [usize]) -> Reply<'a, Page> {
        self.fetch(part, std::slice::from_ref(id), columns)
    }

    /// Which of a sub-query this driver takes, and what remains for the caller; nothing runs.
    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown;

    /// As [`plan`](Driver::plan), for a run that nobody explains: the text may be empty.
    fn takes(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        self.plan(part, wanted)
    }

    /// Starts a sub-query that [`plan`](Driver::plan) took whole. Pages come in the order it asks for: its order keys
    /// then id, its score then id, else id.
    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>>;

    /// At most how many rows satisfy a filter, where finding out costs far less than reading their ids: an index knows, or
    /// counting stops soon after `cap`. `None` where it does not, which is what a driver says that does nothing about it.
    ///
    /// A number up to `cap` is never below the truth, and is the truth when the filter is one test. A greater number says
    /// no more than that there may be more rows than `cap`.
    fn estimate<'a>(&'a self, part: &'a Arc<Part>, filter: &'a Filter, cap: usize) -> Reply<'a, Option<u64>> {
        let _ = (part, filter, cap);
        Reply::ready(Ok(None))
    }

    /// What a vector search costs, for the planner to weigh with: by default that of a backend in this process which compares
    /// all rows.
    fn search_costs(&self, part: &Part, near: &NearQuery) -> SearchCosts {
        let _ = part;
        SearchCosts::in_process(near.vector.len())
    }

    /// Which part of an aggregation this driver takes: all of it or nothing.
    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool;

    /// Runs an aggregation that [`plans_aggregate`](Driver::plans_aggregate) took.
    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>>;

    /// Drops the part and all that belongs to it, and nothing else. Says whether it was there.
    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool>;

    /// Takes note of changes made outside: drops caches, waits until written rows are readable.
    fn refresh<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, ()>;

    /// Whether the backend answers.
    fn health(&self) -> Reply<'_, ()>;

    /// Runs a statement of the application's own. Those that have no SQL leave this as it is.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) by default.
    fn raw<'a>(&'a self, statement: &'a RawStatement) -> Reply<'a, RawAnswer> {
        let _ = statement;
        let why = format!("{} runs no SQL: ask by queries, or for the native connection", self.description().engine);
        Reply::ready(Err(Error::new(ErrorKind::Unsupported, why)))
    }

    /// The driver itself, for the escape hatch to native connections.
    fn as_any(&self) -> &dyn std::any::Any;
}
