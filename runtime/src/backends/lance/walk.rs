//! Rows in order, page after page. One version of the dataset is read from the first page to the last.
//!
//! Lance keeps rows in the order of writing. So the ids (or the keys of the order) of the matching rows are read, the
//! first of them in order are kept, as many as memory is given for, and their rows are read page by page; then the next.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use lance::Dataset;

use super::filter::{self, Truth};
use super::read::{self, Trouble};
use super::runtime;
use super::store::Store;
use crate::driver::{OrderKey, Page, PageStream, Position, Reply, SortKey, SubQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::{Id, Value, sort_order};

/// Rows whose places are kept at once: at first, and at most.
const WINDOW: std::ops::RangeInclusive<usize> = 65_536..=1_048_576;
/// Most rows of a page, and most bytes, roughly.
const PAGE: usize = 4_096;
const PAGE_BYTES: usize = 32 << 20;
/// From how many wanted rows on narrow columns are read together with the ids.
const MANY: usize = 512;
/// How often a walk goes on with a newer version when its own was cleaned away.
const PATIENCE: usize = 8;

/// A row that matches: what it is ordered by, and where it lies.
struct Found {
    keys: Vec<Value>,
    id: Id,
    version: i64,
    place: u64,
    /// Its columns, where they were read already.
    values: Vec<Value>,
}

/// A walk under way.
pub(super) struct Walk(Option<Box<State>>);

struct State {
    store: Arc<Store>,
    part: Arc<Part>,
    query: Arc<SubQuery>,
    condition: Truth,
    dataset: Option<Arc<Dataset>>,
    after: Option<Position>,
    rows: VecDeque<Found>,
    /// Whether `rows` holds the last of all.
    last: bool,
    window: usize,
    page: usize,
    skip: usize,
    left: usize,
    eager: bool,
    lost: usize,
}

impl Walk {
    /// What a sub-query without a search asks for.
    pub(super) fn new(store: Arc<Store>, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Walk> {
        let condition = read::condition(&part, &query.filter, query.ids.as_deref())?;
        let left = query.limit.unwrap_or(usize::MAX);
        let narrow = query.columns.iter().filter_map(|&i| part.columns.get(i)).all(|c| read::is_narrow(&c.logical));
        let state = State {
            condition,
            dataset: None,
            after: query.after.clone(),
            rows: VecDeque::new(),
            last: left == 0,
            window: *WINDOW.start(),
            page: query.page_rows.clamp(1, PAGE),
            skip: query.offset,
            left,
            eager: query.columns.is_empty() || narrow && left > MANY,
            lost: 0,
            store,
            part,
            query,
        };
        Ok(Walk(Some(Box::new(state))))
    }
}

impl PageStream for Walk {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::later(async move {
            let Some(mut state) = self.0.take() else {
                // No end is made of it: rows would be missing.
                return Err(Error::new(ErrorKind::Unavailable, "an earlier page of this read was given up or failed: start it again"));
            };
            let (state, page) = runtime::read(async move {
                let page = state.next().await.map_err(|e| e.of_entity(state.part.entity.name))?;
                Ok((state, page))
            })
            .await?;
            self.0 = Some(state);
            Ok(page)
        })
    }
}

/// Where a row stands against a position in the order.
fn compare(order: &[OrderKey], a: (&[Value], &str), b: (&[Value], &str)) -> Ordering {
    let keys = order.iter().zip(a.0.iter().zip(b.0));
    let by_keys = keys.map(|(key, (a, b))| sort_order(a, b, key.descending)).find(|o| o.is_ne());
    by_keys.unwrap_or_else(|| a.1.as_bytes().cmp(b.1.as_bytes()))
}

impl State {
    async fn next(&mut self) -> Result<Option<Page>> {
        loop {
            match self.step().await {
                Ok(Some(page)) if page.is_empty() => {}
                Ok(page) => return Ok(page),
                Err(trouble) if self.lost < PATIENCE && (trouble.is_gone() || self.is_cleaned()) => {
                    // The version was cleaned away: on with the newest, after the last row that was handed out.
                    self.lost += 1;
                    self.store.forget(&self.part);
                    self.dataset = None;
                    self.rows.clear();
                    self.last = false;
                }
                Err(trouble) => return Err(trouble.into_error()),
            }
        }
    }

    fn is_cleaned(&self) -> bool {
        self.dataset.as_ref().is_some_and(|dataset| self.store.is_cleaned(&self.part, dataset))
    }

    async fn step(&mut self) -> Result<Option<Page>, Trouble> {
        if self.left == 0 {
            return Ok(None);
        }
        let dataset = match &self.dataset {
            Some(dataset) => dataset.clone(),
            None => {
                let dataset = self.store.open(&self.part).await?;
                self.dataset = Some(dataset.clone());
                dataset
            }
        };
        if self.rows.is_empty() {
            if self.last {
                return Ok(None);
            }
            self.fill(&dataset).await?;
        }
        let skipped = self.skip.min(self.rows.len());
        if skipped > 0 {
            self.skip -= skipped;
            self.after = self.rows.get(skipped - 1).map(|row| self.position(row));
            self.rows.drain(..skipped);
        }
        let count = self.rows.len().min(self.page).min(self.left);
        if count == 0 {
            return Ok(Some(Page::default()));
        }
        let page = self.hydrated(&dataset, count).await?;
        self.after = self.rows.get(count - 1).map(|row| self.position(row));
        self.rows.drain(..count);
        self.left -= count;
        let weight = page.weight();
        self.page = if weight > PAGE_BYTES { (self.page / 2).max(1) } else { (self.page * 2).min(PAGE) };
        Ok(Some(page))
    }

    fn position(&self, row: &Found) -> Position {
        Position { keys: row.keys.clone(), id: row.id.clone() }
    }

    /// The first rows that were found, with their columns.
    async fn hydrated(&mut self, dataset: &Arc<Dataset>, count: usize) -> Result<Page, Trouble> {
        if !self.eager {
            let places: Vec<u64> = self.rows.iter().take(count).map(|row| row.place).collect();
            return read::taken(dataset, &self.part, &places, &self.query.columns).await;
        }
        let mut page = Page::new(self.query.columns.len());
        for row in self.rows.iter_mut().take(count) {
            page.push(row.id.clone(), row.version, std::mem::take(&mut row.values));
        }
        Ok(page)
    }

    /// Finds the next rows in order.
    async fn fill(&mut self, dataset: &Arc<Dataset>) -> Result<(), Trouble> {
        let order = &self.query.order;
        let by_id = order.is_empty();
        let keys: Vec<usize> = order
            .iter()
            .filter_map(|key| match key.key {
                SortKey::Column(column) => Some(column),
                SortKey::Id => None,
            })
            .collect();
        let mut condition = self.condition.clone();
        if let (true, Some(after)) = (by_id, &self.after) {
            condition = condition.and(filter::after(after.id.as_str(), false));
        }
        let wanted = self.left.saturating_add(self.skip).min(self.window);
        let mut columns = keys.clone();
        if self.eager {
            columns.extend(&self.query.columns);
        }
        let mut found: Vec<Found> = Vec::new();
        let mut seen = 0usize;
        let before = |a: &Found, b: &Found| compare(order, (&a.keys, &a.id), (&b.keys, &b.id));
        if let Some(mut scanner) = read::scanner(dataset, &condition, &read::names(&self.part, &columns))? {
            scanner.with_row_id();
            let (part, after, eager) = (&self.part, &self.after, self.eager.then_some(&self.query.columns));
            read::each(&scanner, |batch| {
                let ids = read::ids(&batch)?;
                let (versions, places) = (read::versions(&batch)?, read::places(&batch)?);
                let mut key_values = read::values(part, &keys, &batch)?.into_iter();
                let mut key_columns: Vec<Option<Vec<Value>>> = Vec::with_capacity(order.len());
                for key in order {
                    key_columns.push(if matches!(key.key, SortKey::Column(_)) { key_values.next() } else { None });
                }
                let mut values = eager.map(|columns| read::values(part, columns, &batch)).transpose()?;
                for (row, id) in ids.into_iter().enumerate() {
                    let keys: Vec<Value> = key_columns
                        .iter_mut()
                        .map(|column| column.as_mut().map_or_else(|| Value::Text(id.as_str().to_owned()), |c| c[row].take()))
                        .collect();
                    let past = |after: &Position| compare(order, (&keys, &id), (&after.keys, &after.id)).is_gt();
                    if !by_id && !after.as_ref().is_none_or(past) {
                        continue;
                    }
                    seen += 1;
                    let values = values.as_mut().map_or_else(Vec::new, |v| v.iter_mut().map(|column| column[row].take()).collect());
                    found.push(Found { keys, id, version: versions[row], place: places[row], values });
                }
                if found.len() >= wanted.saturating_mul(2).max(1_024) {
                    found.select_nth_unstable_by(wanted, before);
                    found.truncate(wanted);
                }
                Ok(())
            })
            .await?;
        }
        found.sort_unstable_by(before);
        found.truncate(wanted);
        self.last = seen <= wanted;
        self.rows = found.into();
        self.window = (self.window * 4).min(*WINDOW.end());
        Ok(())
    }
}
