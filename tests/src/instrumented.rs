//! Memory that can be slow, that can fail, and that remembers what it was asked: for tests of the workspace.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use heavenbase::backends::{Connect, InMem};
use heavenbase::capability::{Backend, Ranks, Runs, Stores, Writes};
use heavenbase::driver::{
    Aggregate, Description, Driver, Ensured, Group, Narrowed, NearQuery, Page, PageStream, Pushdown, Reply, SearchCosts, SubQuery,
    WriteBatch, WriteReport,
};
use heavenbase::filter::{Filter, Test};
use heavenbase::schema::Part;
use heavenbase::types::Id;
use heavenbase::{Error, ErrorKind, Result};

/// How far rough scores are off, at most.
pub const BLUR: f64 = 1e-3;

/// What a test sets and reads.
#[derive(Debug, Default)]
pub struct Controls {
    /// How long every request takes, in milliseconds.
    pub delay_millis: AtomicU64,
    /// Whether writes fail.
    pub refuse_writes: AtomicBool,
    /// Rows that are not taken: a write with one of them fails.
    pub refused: Mutex<HashSet<String>>,
    /// Rows whose values cannot be read, until they are written again.
    pub damaged: Mutex<HashSet<String>>,
    /// Whether searches may be rough: the scores are off by up to [`BLUR`] then, and the rows in their order.
    pub rough: AtomicBool,
    /// Rough searches so far.
    pub rough_searches: AtomicU64,
    /// Requests so far, writes included.
    pub requests: AtomicU64,
}

impl Controls {
    /// The rows that are not taken.
    pub fn refused(&self) -> MutexGuard<'_, HashSet<String>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows that cannot be read.
    pub fn damaged(&self) -> MutexGuard<'_, HashSet<String>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The requests since the last time this was called.
    pub fn taken(&self) -> u64 {
        self.requests.swap(0, Ordering::SeqCst)
    }
}

/// Memory with controls, as a kind of backend: what memory can do.
#[derive(Clone, Debug, Default)]
pub struct Instrumented {
    memory: InMem,
    controls: Arc<Controls>,
    narrowed: Vec<Narrowed>,
    max_batch: Option<usize>,
}

impl Instrumented {
    /// Memory that takes so many rows at once.
    #[must_use]
    pub fn batches_of(self, rows: usize) -> Self {
        Instrumented { max_batch: Some(rows), ..self }
    }

    /// New memory, and its controls.
    pub fn new() -> (Self, Arc<Controls>) {
        let backend = Instrumented::default();
        let controls = backend.controls.clone();
        (backend, controls)
    }

    /// Memory that turned out not to run these.
    #[must_use]
    pub fn narrowed(self, narrowed: Vec<Narrowed>) -> Self {
        Instrumented { narrowed, ..self }
    }
}

impl Backend for Instrumented {
    const KINDS: &'static [&'static str] = InMem::KINDS;
}

impl<O, C, P> Runs<O, C, P> for Instrumented where InMem: Runs<O, C, P> {}
impl<C, P> Stores<C, P> for Instrumented where InMem: Stores<C, P> {}
impl Writes for Instrumented {}
impl<M> Ranks<M> for Instrumented where InMem: Ranks<M> {}

impl Connect for Instrumented {
    async fn connect(self) -> Result<Arc<dyn Driver>> {
        let inner = self.memory.connect().await?;
        let max_batch = self.max_batch.unwrap_or(inner.description().max_batch);
        let description = Description { embedded: false, max_batch, ..inner.description().clone() };
        Ok(Arc::new(InstrumentedDriver { inner, description, controls: self.controls, narrowed: self.narrowed }))
    }
}

struct InstrumentedDriver {
    inner: Arc<dyn Driver>,
    description: Description,
    controls: Arc<Controls>,
    narrowed: Vec<Narrowed>,
}

async fn asked(controls: &Controls) {
    controls.requests.fetch_add(1, Ordering::SeqCst);
    let millis = controls.delay_millis.load(Ordering::SeqCst);
    if millis > 0 {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

impl Driver for InstrumentedDriver {
    fn description(&self) -> &Description {
        &self.description
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        self.inner.ensure(part)
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        Reply::later(async move {
            asked(&self.controls).await;
            if self.controls.refuse_writes.load(Ordering::SeqCst) {
                return Err(Error::new(ErrorKind::Unavailable, "refused by the test"));
            }
            if batch.ids.iter().any(|id| self.controls.refused().contains(id.as_str())) {
                return Err(Error::new(ErrorKind::InvalidValue, "a row is not taken"));
            }
            self.controls.damaged().retain(|damaged| !batch.ids.iter().any(|id| id.as_str() == damaged));
            self.inner.write(part, batch).await
        })
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        Reply::later(async move {
            asked(&self.controls).await;
            if !columns.is_empty() && ids.iter().any(|id| self.controls.damaged().contains(id.as_str())) {
                return Err(Error::new(ErrorKind::Corrupt, "damaged by the test"));
            }
            self.inner.fetch(part, ids, columns).await
        })
    }

    fn narrowed(&self) -> &[Narrowed] {
        &self.narrowed
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        let runs = |test: &Test| {
            let column = part.column(&test.field).map(|(_, column)| column);
            column.is_none_or(|c| Narrowed::find(&self.narrowed, test.operation(), c.logical.class(), c.placement).is_none())
        };
        if wanted.filter.all_tests(runs) {
            return self.inner.plan(part, wanted);
        }
        Pushdown::of_filter(wanted, &|filter| filter.all_tests(runs), "without what it does not run")
    }

    fn takes(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        if self.narrowed.is_empty() { self.inner.takes(part, wanted) } else { self.plan(part, wanted) }
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        let mut rough = None;
        let mut asked = query.clone();
        if let Some(near) = query.near.as_ref().filter(|near| query.rough && !near.exact) {
            self.controls.rough_searches.fetch_add(1, Ordering::SeqCst);
            rough = Some(near.k);
            // What ranks by rough scores finds others at the edge.
            let near = Some(NearQuery { k: near.k + 32, ..near.clone() });
            asked = Arc::new(SubQuery { near, page_rows: query.page_rows + 32, ..(*query).clone() });
        }
        let inner = self.inner.open(part, asked)?;
        Ok(Box::new(SlowStream { inner, controls: self.controls.clone(), rough }))
    }

    fn search_costs(&self, part: &Part, near: &NearQuery) -> SearchCosts {
        let costs = self.inner.search_costs(part, near);
        if !self.controls.rough.load(Ordering::SeqCst) {
            return costs;
        }
        // Candidates cost so much that hits are looked up instead.
        SearchCosts { candidate: 1_000_000, rough: Some(BLUR), ..costs.indexed(0) }
    }

    fn estimate<'a>(&'a self, part: &'a Arc<Part>, filter: &'a Filter, cap: usize) -> Reply<'a, Option<u64>> {
        Reply::later(async move {
            asked(&self.controls).await;
            self.inner.estimate(part, filter, cap).await
        })
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        self.inner.plans_aggregate(part, wanted)
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        Reply::later(async move {
            asked(&self.controls).await;
            self.inner.aggregate(part, query).await
        })
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

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

struct SlowStream {
    inner: Box<dyn PageStream>,
    controls: Arc<Controls>,
    /// How many hits are wanted of a rough search.
    rough: Option<usize>,
}

/// The best `k` hits by scores that are off, each by as much every time.
fn blurred(page: Page, k: usize) -> Page {
    let off =
        |id: &Id| f64::from(id.bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 1_000) / 1_000.0 - 0.5;
    let mut hits: Vec<(f64, usize)> = page.ids.iter().zip(&page.scores).map(|(id, score)| score + off(id) * BLUR).zip(0..).collect();
    hits.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut blurred = Page::new(0);
    for (score, row) in hits.into_iter().take(k) {
        blurred.push(page.ids[row].clone(), page.versions[row], []);
        blurred.scores.push(score);
    }
    blurred
}

impl PageStream for SlowStream {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::later(async move {
            asked(&self.controls).await;
            let page = self.inner.next_page().await?;
            Ok(match self.rough {
                Some(k) => page.map(|page| blurred(page, k)),
                None => page,
            })
        })
    }
}
