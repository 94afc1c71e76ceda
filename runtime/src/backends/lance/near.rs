//! Vector search. Lance ranks in 32 bits and leaves ties open, so it is asked for some more than `k`, scores are computed
//! again from the vectors found, and where the edge could be a tie, for more still.

use std::sync::Arc;

use lance::Dataset;
use lance::deps::datafusion::arrow::array::Float32Array;

use super::filter::Truth;
use super::index::{VectorMethod, Wanted, distance, vector_method};
use super::read::{self, Trouble};
use super::store::Store;
use super::{aggregate, built, runtime, shape};
use crate::driver::{NearQuery, Page, PageStream, Reply, SearchCosts, SubQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};
use crate::types::{Metric, Value};

/// Most hits of one search.
pub(super) const MAX_K: usize = 10_000;
/// So few matching rows are compared one by one, whatever index there is; or one in so many of all.
const FEW: i64 = 2_000;
const FEW_OF: i64 = 25;

/// A search under way: one page, computed when asked for.
pub(super) struct Nearest {
    store: Arc<Store>,
    part: Arc<Part>,
    query: Arc<SubQuery>,
    done: bool,
}

impl Nearest {
    pub(super) fn new(store: Arc<Store>, part: Arc<Part>, query: Arc<SubQuery>) -> Self {
        Nearest { store, part, query, done: false }
    }
}

impl PageStream for Nearest {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        if self.done {
            return Reply::ready(Ok(None));
        }
        let (store, part, query) = (self.store.clone(), self.part.clone(), self.query.clone());
        Reply::later(async move {
            let page = runtime::read(async move { run(&store, &part, &query).await.map_err(|e| e.of_entity(part.entity.name)) }).await?;
            self.done = true;
            Ok(Some(page).filter(|page| !page.is_empty()))
        })
    }
}

/// What is asked of one version of the dataset.
struct Search<'a> {
    store: &'a Store,
    dataset: Arc<Dataset>,
    part: &'a Part,
    near: &'a NearQuery,
    columns: &'a [usize],
    k: usize,
    condition: Truth,
}

async fn run(store: &Arc<Store>, part: &Arc<Part>, query: &SubQuery) -> Result<Page> {
    let Some(near) = &query.near else { return Ok(Page::default()) };
    let column =
        part.columns.get(near.column).ok_or_else(|| Error::new(ErrorKind::Internal, "a search in a column that the part lacks"))?;
    if near.k > MAX_K {
        let why = format!("{} hits asked for: Lance searches for at most {MAX_K}", near.k);
        return Err(Error::new(ErrorKind::LimitExceeded, why).at_field(column.name));
    }
    let k = near.k.min(query.limit.unwrap_or(usize::MAX));
    let condition = read::condition(part, &query.filter, query.ids.as_deref())?;
    if k == 0 || matches!(condition, Truth::Never) {
        return Ok(Page::new(query.columns.len()));
    }
    read::settled(store, part, |dataset| {
        let search = Search { store, dataset, part, near, columns: &query.columns, k, condition: condition.clone() };
        async move { search.run(column).await }
    })
    .await
}

impl Search<'_> {
    async fn run(&self, column: &Column) -> Result<Page, Trouble> {
        if !self.near.exact
            && let Some(method) = vector_method(column)
            && let Some(page) = self.approximate(column, method).await?
        {
            return Ok(page);
        }
        self.exact(column).await
    }

    /// The nearest by the index; `None` where it is not there, does not pay, or cannot be believed.
    async fn approximate(&self, column: &Column, method: VectorMethod) -> Result<Option<Page>, Trouble> {
        // One that was built as something else would be searched with settings that are not its own.
        let Some(lists) = built::lists(&self.dataset, &Wanted::of_vectors(column, method)).await? else { return Ok(None) };
        let rows = i64::try_from(self.dataset.count_rows(None).await?).unwrap_or(i64::MAX);
        let filtered = matches!(self.condition, Truth::When(_));
        if filtered && !method.serves_filters() {
            return Ok(None);
        }
        if filtered && !method.finds_few() {
            let matching = self.matching().await?;
            if matching <= FEW.max(rows / FEW_OF) {
                return Ok(None);
            }
        }
        if self.k as i64 * 4 > rows {
            return Ok(None);
        }
        let found = self.ask(column, self.k, Some((method, method.probes(lists, filtered)))).await?;
        Ok((found.len() == self.k).then_some(found))
    }

    /// How many rows match: a filter mostly comes again, with another vector.
    async fn matching(&self) -> Result<i64, Trouble> {
        let Truth::When(condition) = &self.condition else { return aggregate::count(&self.dataset, &self.condition).await };
        if let Some(rows) = self.store.counted(self.part, &self.dataset, condition) {
            return Ok(rows);
        }
        let rows = aggregate::count(&self.dataset, &self.condition).await?;
        self.store.note_count(self.part, &self.dataset, condition.clone(), rows);
        Ok(rows)
    }

    /// The nearest by comparing all that match.
    async fn exact(&self, column: &Column) -> Result<Page, Trouble> {
        let mut asked = self.k + (self.k / 8).max(16);
        loop {
            let found = self.ask(column, asked, None).await?;
            let settled = found.len() < asked
                || found.scores.get(self.k - 1).zip(found.scores.last()).is_none_or(|(last, worst)| {
                    // Beyond the hits nothing can tie with the last one, as far as 32 bits can tell.
                    last - worst > slack(self.near, *last)
                });
            if settled {
                return Ok(first(found, self.k));
            }
            asked = asked.saturating_mul(4);
        }
    }

    /// One search, its hits scored again and ranked.
    async fn ask(&self, column: &Column, k: usize, index: Option<(VectorMethod, usize)>) -> Result<Page, Trouble> {
        let mut columns = self.columns.to_vec();
        columns.push(self.near.column);
        let names = read::names(self.part, &columns);
        let Some(mut scanner) = read::scanner(&self.dataset, &self.condition, &names)? else { return Ok(Page::new(self.columns.len())) };
        let vector = Float32Array::from(self.near.vector.to_vec());
        scanner.nearest(&shape::column_name(column), &vector, k)?;
        scanner.distance_metric(distance(self.near.metric)).prefilter(true).use_index(index.is_some());
        scanner.disable_scoring_autoprojection();
        if let Some((method, probes)) = index {
            // Further lists are searched as long as fewer than `k` were found.
            scanner.minimum_nprobes(probes);
            if let Some(factor) = method.refine() {
                scanner.refine(factor);
            }
            if let Some(ef) = method.ef(k) {
                scanner.ef(ef);
            }
        }
        let mut page = Page::new(columns.len());
        read::each(&scanner, |batch| {
            page.append(read::page(self.part, &columns, &batch)?);
            Ok(())
        })
        .await?;
        Ok(ranked(page, self.near))
    }
}

/// Rows whose last value is their vector, scored and ranked: best first, then by id. Rows without a vector are left out,
/// and the vector is taken away.
fn ranked(mut found: Page, near: &NearQuery) -> Page {
    let width = found.width;
    // `-0.0` is `0.0`, or ties would not be ties.
    let score = |row: usize| match found.row(row).last() {
        Some(Value::Vector(vector)) => Some(near.metric.score(&near.vector, vector) + 0.0),
        _ => None,
    };
    let mut hits: Vec<(f64, usize)> = (0..found.len()).filter_map(|row| Some((score(row)?, row))).collect();
    hits.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| found.ids[a.1].cmp(&found.ids[b.1])));
    let mut page = Page::new(width - 1);
    for (score, row) in hits {
        let id = std::mem::take(&mut found.ids[row]);
        let version = found.versions[row];
        page.push(id, version, found.row_mut(row)[..width - 1].iter_mut().map(Value::take));
        page.scores.push(score);
    }
    page
}

/// The first rows of a page.
fn first(mut page: Page, rows: usize) -> Page {
    page.ids.truncate(rows);
    page.versions.truncate(rows);
    page.scores.truncate(rows);
    page.values.truncate(page.ids.len() * page.width);
    page
}

/// How far a score of Lance may be off, by the rounding of 32 bits.
fn slack(near: &NearQuery, score: f64) -> f64 {
    const ROUNDING: f64 = 4e-6;
    let norm = near.vector.iter().map(|n| f64::from(*n).powi(2)).sum::<f64>().sqrt();
    match near.metric {
        Metric::Cosine => ROUNDING,
        Metric::Dot => ROUNDING * (score.abs() + norm * (1.0 + norm)),
        // The squares of nearly equal numbers cancel: near zero the error is that of the numbers.
        Metric::L2 => ROUNDING * (score.abs() + 1e-3 * norm),
    }
}

/// What a search costs: measured over 20,000 vectors of 384 numbers.
pub(super) fn costs(part: &Part, near: &NearQuery) -> SearchCosts {
    let method = part.columns.get(near.column).and_then(vector_method).filter(|_| !near.exact);
    // Rows that are not asked for by their place are read one by one; ids are compared with a list.
    let costs = SearchCosts {
        candidate: 25_000,
        row: 50 + 2 * near.vector.len() as u64,
        hit: 60_000,
        searches_among: None,
        rough: None,
        // What lies far down is in lists that are not looked into.
        finds_far: method.is_none_or(|method| method.is_one_graph()),
    };
    if method.is_some() { costs.indexed(costs.hit) } else { costs }
}

/// How a search would run, for `explain`.
pub(super) fn described(part: &Part, near: &NearQuery, filtered: bool) -> String {
    let method = part.columns.get(near.column).and_then(vector_method);
    match method.filter(|method| !near.exact && (!filtered || method.serves_filters())) {
        Some(method) => format!("{} search (exact where few rows match)", method.name()),
        None => "exact search".to_owned(),
    }
}
