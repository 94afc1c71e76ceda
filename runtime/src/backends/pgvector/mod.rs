//! PostgreSQL with the extension pgvector: the driver of [`postgres`](super::postgres), with vector columns and search.
//!
//! A field without an index is searched exactly. `index = hnsw(m = 16, ef_construction = 64)` and
//! `index = ivfflat(lists = 100)` make the search approximate; `half = 1` among the parameters lets the index keep
//! 16-bit numbers (the column keeps all 32 bits, and scores come from it), which it does by itself above 2,000
//! dimensions. An `ivfflat` index knows the vectors it was built over: create it over rows that are there.
//!
//! An `hnsw` index is walked until `k` rows that match the filter are found (`iterative_scan`); where it ends with fewer, the
//! search runs again without it. A search with a filter never uses `ivfflat`, and `exact()` uses neither.

use std::sync::Arc;

use super::network::{Options, connection_options};
use super::postgres::open;
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};

/// Connects to PostgreSQL with pgvector 0.8 or later. Nothing secret in it ever prints.
///
/// ```no_run
/// use heavenbase::backends::PgVector;
/// let vectors = PgVector::url("postgres://user:password@db.example/shop").ef_search(400);
/// ```
#[derive(Clone, Debug)]
pub struct PgVector {
    options: Options,
    ef_search: u32,
    probes: u32,
    max_scan_tuples: u32,
}

impl From<Options> for PgVector {
    fn from(options: Options) -> Self {
        PgVector { options, ef_search: 200, probes: 10, max_scan_tuples: 20_000 }
    }
}

connection_options!(
    PgVector,
    "A database at an address: `postgres://user:password@host:port/database`, with the options that `libpq` knows (`?sslmode=verify-full`)."
);

impl PgVector {
    /// How many candidates a search over `hnsw` keeps, 1 to 1,000: 200 when not said. More find more of the nearest.
    #[must_use]
    pub fn ef_search(mut self, candidates: u32) -> Self {
        self.ef_search = candidates;
        self
    }

    /// How many lists a search over `ivfflat` looks into at first: 10 when not said.
    #[must_use]
    pub fn probes(mut self, lists: u32) -> Self {
        self.probes = lists;
        self
    }

    /// How many rows a filtered search over `hnsw` visits before it gives up and runs exactly: 20,000 when not said.
    #[must_use]
    pub fn max_scan_tuples(mut self, rows: u32) -> Self {
        self.max_scan_tuples = rows;
        self
    }
}

#[diagnostic::do_not_recommend]
impl super::MapsTables for PgVector {}
#[diagnostic::do_not_recommend]
impl super::RunsSql for PgVector {}

#[diagnostic::do_not_recommend]
impl super::Native for PgVector {
    /// The pool of connections.
    type Handle<'w> = &'w sqlx::PgPool;

    fn handle(driver: &dyn Driver) -> Option<&sqlx::PgPool> {
        driver
            .as_any()
            .downcast_ref::<super::postgres::PostgresDriver>()
            .filter(|driver| driver.description().kind == "pgvector")
            .map(super::postgres::PostgresDriver::pool)
    }
}

impl super::Connect for PgVector {
    fn from_options(_: &str, mut options: super::BackendOptions) -> Result<Self> {
        let mut described = PgVector::from(Options::described(&mut options)?);
        described.ef_search = options.take("ef_search")?.unwrap_or(described.ef_search);
        described.probes = options.take("probes")?.unwrap_or(described.probes);
        described.max_scan_tuples = options.take("max_scan_tuples")?.unwrap_or(described.max_scan_tuples);
        options.finish()?;
        Ok(described)
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        let refuse = |what: &str, most: u32| Err(Error::new(ErrorKind::InvalidSchema, format!("{what} is 1 to {most}")));
        if !(1..=1_000).contains(&self.ef_search) {
            return refuse("ef_search", 1_000);
        }
        if !(1..=32_768).contains(&self.probes) {
            return refuse("probes", 32_768);
        }
        if !(1..=i32::MAX as u32).contains(&self.max_scan_tuples) {
            return refuse("max_scan_tuples", i32::MAX as u32);
        }
        let settings = [
            // In strict order a row that is met after a farther one was handed out is dropped: behind a filter that keeps the rows farthest
            // away, 0.97 of the ten nearest were found instead of 0.99, in the same time. Hits are ranked when they are here.
            ("hnsw.iterative_scan", "relaxed_order".to_owned()),
            ("ivfflat.iterative_scan", "relaxed_order".to_owned()),
            ("hnsw.ef_search", self.ef_search.to_string()),
            ("hnsw.max_scan_tuples", self.max_scan_tuples.to_string()),
            ("ivfflat.probes", self.probes.to_string()),
        ];
        open(self.options, true, &settings).await
    }
}
