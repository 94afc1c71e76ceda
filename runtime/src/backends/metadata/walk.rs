//! Reading in the order of ids, which the stores do not know: ids of matching records, sorted here, then their rows.

use std::collections::VecDeque;
use std::sync::Arc;

use super::driver::{Inner, batch_of, page};
use super::filter::{self, Where, ids_of, of_filter};
use super::shape::Shape;
use super::store::{Depth, Dialect, Moment, Record, Store};
use crate::backends::fewer::fewer;
use crate::driver::{OrderKey, Page, PageStream, Reply, SortKey, SubQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Filter, Program};
use crate::schema::Part;
use crate::types::{Id, Value};

/// Fewest and most rows of a page: a round trip costs more than some rows.
const PAGE: std::ops::RangeInclusive<usize> = 64..=1_024;

/// Whether rows in the order of ids are in this order.
pub(super) fn in_id_order(order: &[OrderKey]) -> bool {
    matches!(order, [] | [OrderKey { key: SortKey::Id, descending: false }, ..])
}

/// A filter taken apart: the ids it leaves, where it names them, and what it says of the rest of a row.
pub(super) struct Parted {
    /// Sorted.
    pub ids: Option<Vec<String>>,
    pub wanted: Where,
    /// The same as `wanted`, for rows that are here.
    program: Program,
    columns: Vec<usize>,
}

impl Parted {
    /// Takes a filter apart that was taken whole.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when it was not.
    pub(super) fn of(part: &Part, filter: &Filter, ids: Option<&[Id]>, dialect: &Dialect) -> Result<Parted> {
        let mut ids: Option<Vec<String>> = ids.map(|ids| ids.iter().map(|id| id.as_str().to_owned()).collect());
        let mut rest = Vec::new();
        for condition in filter.clone().into_conjuncts() {
            match ids_of(&condition) {
                Some(named) => {
                    ids = Some(match ids {
                        None => named,
                        Some(ids) => {
                            let named: std::collections::HashSet<String> = named.into_iter().collect();
                            ids.into_iter().filter(|id| named.contains(id)).collect()
                        }
                    });
                }
                None => rest.push(condition),
            }
        }
        if let Some(ids) = &mut ids {
            ids.sort_unstable();
            ids.dedup();
        }
        let rest = Filter::conjunction(rest);
        let internal = || Error::new(ErrorKind::Internal, "a filter that was not taken is asked for: please report this");
        let wanted = of_filter(part, &rest, dialect).ok_or_else(internal)?;
        let mut columns = Vec::new();
        rest.for_each_test(&mut |test| {
            if let Some((position, _)) = part.column(&test.field)
                && !columns.contains(&position)
            {
                columns.push(position);
            }
        });
        let place = |name: &str| columns.iter().position(|&c| part.columns[c].name == name);
        let program = Program::new(&rest, &place)?;
        Ok(Parted { ids, wanted, program, columns })
    }

    /// How much of a record must be here to say whether it matches.
    pub(super) fn depth(&self, shape: &Shape, dialect: &Dialect) -> Depth {
        shape.depth(&self.columns, dialect)
    }

    /// The records of the first space that match.
    pub(super) fn kept(&self, shape: &Shape, records: Vec<Record>, dialect: &Dialect) -> Result<Vec<Record>> {
        if self.columns.is_empty() {
            return Ok(if self.wanted == Where::Never { Vec::new() } else { records });
        }
        let mut kept = Vec::with_capacity(records.len());
        for record in records {
            let values: Vec<Value> = shape.values(&record, &self.columns, dialect)?;
            if self.program.holds_on(&values) {
                kept.push(record);
            }
        }
        Ok(kept)
    }
}

/// Rows of a part in the order of ids.
pub(super) struct Walk<S> {
    inner: Arc<Inner<S>>,
    part: Arc<Part>,
    shape: Option<Shape>,
    parted: Parted,
    columns: Vec<usize>,
    after: Option<(String, bool)>,
    page: usize,
    most: usize,
    skip: usize,
    left: usize,
    /// Records to give next, sorted by id; whole ones or ids alone.
    pending: VecDeque<Record>,
    whole: bool,
    /// The keys that were not asked for yet.
    range: Option<(i64, i64)>,
    /// How many of them are asked for at once.
    width: i64,
    started: bool,
}

impl<S: Store> Walk<S> {
    /// All rows that match, from the least id on.
    pub(super) fn all(inner: Arc<Inner<S>>, part: Arc<Part>, parted: Parted, columns: Vec<usize>) -> Walk<S> {
        Walk {
            inner,
            part,
            shape: None,
            parted,
            columns,
            after: None,
            page: *PAGE.end(),
            most: *PAGE.end(),
            skip: 0,
            left: usize::MAX,
            pending: VecDeque::new(),
            whole: false,
            range: None,
            width: i64::MAX,
            started: false,
        }
    }

    /// What a sub-query without a search asks for.
    pub(super) fn of(inner: Arc<Inner<S>>, part: Arc<Part>, query: &SubQuery, parted: Parted) -> Walk<S> {
        let after = query.after.as_ref().map(|position| match (query.order.first(), position.keys.first()) {
            // The order names the id itself: the position is after that key, or at it and after the id.
            (Some(_), Some(Value::Text(key))) => (key.clone(), key.as_str() > position.id.as_str()),
            _ => (position.id.as_str().to_owned(), false),
        });
        let walk = Walk::all(inner, part, parted, query.columns.clone());
        let page = query.page_rows.clamp(*PAGE.start(), *PAGE.end());
        Walk { after, page, skip: query.offset, left: query.limit.unwrap_or(usize::MAX), ..walk }
    }

    fn is_after(&self, id: &str) -> bool {
        self.after.as_ref().is_none_or(|(after, included)| id > after.as_str() || *included && id == after)
    }

    /// The next page with rows; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Page>> {
        if self.left == 0 {
            return Ok(None);
        }
        if !self.started {
            self.start().await?;
        }
        let Some(shape) = self.shape.clone() else { return Ok(None) };
        let dialect = self.inner.store.dialect();
        while self.left > 0 {
            if self.pending.is_empty() && !self.fill(&shape).await? {
                return Ok(None);
            }
            // Ids that were found by the filter are skipped without their rows.
            if self.parted.ids.is_none() {
                let skipped = self.skip.min(self.pending.len());
                self.pending.drain(..skipped);
                self.skip -= skipped;
            }
            let depth = shape.depth(&self.columns, dialect).max(self.parted.depth(&shape, dialect));
            let most = if self.whole { self.pending.len() } else { self.inner.most_ids.min(batch_of(&shape, depth)) };
            let now = self.pending.len().min(self.page.min(self.left.saturating_add(self.skip)).max(1)).min(most);
            let chunk: Vec<Record> = self.pending.drain(..now).collect();
            let mut rows = if self.whole {
                chunk
            } else {
                let ids: Vec<String> = chunk.into_iter().map(|record| record.id).collect();
                let rows = self.inner.rows(&shape, shape.first(), &ids, depth).await?;
                // They may have changed since their ids were found.
                self.parted.kept(&shape, rows, dialect)?
            };
            let skipped = self.skip.min(rows.len());
            rows.drain(..skipped);
            self.skip -= skipped;
            rows.truncate(self.left);
            self.left -= rows.len();
            self.page = (self.page * 2).min(self.most);
            if !rows.is_empty() {
                return page(&shape, &rows, &self.columns, dialect).map(Some);
            }
        }
        Ok(None)
    }

    async fn start(&mut self) -> Result<()> {
        self.started = true;
        let shape = self.inner.shape(&self.part).await?;
        self.inner.store.settle(&shape.spaces[..1], Moment::Read).await?;
        self.shape = Some(shape);
        if self.parted.wanted == Where::Never {
            return Ok(());
        }
        if let Some(ids) = self.parted.ids.clone() {
            let ids = ids.into_iter().filter(|id| self.is_after(id));
            self.pending = ids.map(|id| Record { id, ..Record::default() }).collect();
            return Ok(());
        }
        let dialect = self.inner.store.dialect();
        let from = self.after.as_ref().map_or_else(|| dialect.first_key(), |(id, _)| dialect.order_key(id));
        self.range = Some((from, dialect.last_key()));
        Ok(())
    }

    /// Finds the next records; says whether there are any.
    async fn fill(&mut self, shape: &Shape) -> Result<bool> {
        let dialect = self.inner.store.dialect();
        let depth = shape.depth(&self.columns, dialect);
        // A few rows come in one request; of more, the ids come first.
        let mut whole = true;
        let mut ask = self.page.min(batch_of(shape, depth)).min(dialect.window);
        let Some((from, last)) = self.range.take() else { return Ok(false) };
        let wide = |from: i64, width: i64| from.saturating_add(width).min(last);
        let (mut from, mut to) = (from, wide(from, self.width));
        loop {
            let wanted = self.parted.wanted.clone().and(filter::between(from, to, dialect));
            let Ok(filter) = wanted.sent() else { return Ok(false) };
            // Rows with one and the same key cannot be told apart by a range: all of them are asked for.
            let limit = (from != to).then_some(ask + 1);
            let asked = if whole { depth } else { Depth::Ids };
            let mut found = match self.inner.store.matching(shape.first(), filter, limit, asked).await {
                // Rows are long: fewer of them at once from now on, and their ids first.
                Err(error) if whole && dialect.ids_are_cheap => {
                    self.most = fewer(error, ask + 1)?;
                    self.page = self.page.min(self.most);
                    whole = false;
                    ask = dialect.window;
                    continue;
                }
                other => other?,
            };
            if limit.is_some() && found.len() > ask {
                if whole && dialect.ids_are_cheap {
                    whole = false;
                    ask = dialect.window;
                } else if ask < dialect.window {
                    ask = dialect.window;
                } else {
                    to = middle(&found, from, to, dialect);
                }
                continue;
            }
            found.retain(|record| self.is_after(&record.id));
            found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            found.dedup_by(|a, b| a.id == b.id);
            let more = to < last;
            // The next range is a little wider: ids lie as close there as here, more or less.
            self.width = if more { to.saturating_sub(from).saturating_mul(2).max(1) } else { self.width };
            if found.is_empty() && more {
                from = to + 1;
                to = wide(from, self.width);
                continue;
            }
            self.range = more.then(|| (to + 1, last));
            self.whole = whole;
            self.pending = found.into();
            return Ok(!self.pending.is_empty());
        }
    }
}

/// Where to end a range that holds too many records: so that about half of these lie before, and always earlier than it
/// did.
fn middle(found: &[Record], from: i64, to: i64, dialect: &Dialect) -> i64 {
    let mut keys: Vec<i64> = found.iter().map(|record| dialect.order_key(&record.id)).collect();
    let half = keys.len() / 2;
    let (_, median, _) = keys.select_nth_unstable(half);
    // The ids seen are some of all; but the range gets smaller each time, and the smallest one is a single key.
    (*median).clamp(from, to - 1)
}

impl<S: Store> PageStream for Walk<S> {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::later(async move {
            let part = self.part.clone();
            self.next().await.map_err(|error| self.inner.failed(&part, error))
        })
    }
}
