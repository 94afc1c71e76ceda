//! Rows of a plan without search or aggregation: chooses how the groups and the order are put together, then streams.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::Context;
use super::assemble::{ResultPage, Shape, key_values};
use super::candidates::{Candidates, asks_owner, probe, restrict_all};
use super::ids::IdStream;
use super::part::{PartStream, cut, is_after, key_order};
use crate::driver::{OrderKey, Page, Position, SortKey, SubQuery};
use crate::error::Result;
use crate::filter::Filter;
use crate::plan::{Group, Output, PlannedOrder, Purpose, Target, part_of};
use crate::types::{Id, Value};

/// Most ids that a side may have to be pushed to the others.
const CAP: usize = 4096;
/// Rows hydrated at a time.
const BATCH: usize = 1024;

/// The rows of a plan, page by page. Dropping it stops the work.
pub struct RowStream {
    context: Context,
    shape: Shape,
    source: Source,
    skip: usize,
    left: Option<usize>,
}

// One a query: its size does not matter.
#[allow(clippy::large_enum_variant)]
enum Source {
    /// One part decides rows and order; its pages have the columns that the shape wants of it.
    One { part: usize, stream: PartStream },
    /// Ids from several parts, in id order.
    Ids { stream: IdStream, ready: VecDeque<Id>, batch: usize },
    /// One part decides the order, the others are probed page by page.
    Probed { stream: PartStream, part: usize, others: Vec<Group> },
    /// Ids in their final order.
    Listed(VecDeque<Id>),
}

impl std::fmt::Debug for RowStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowStream").field("skip", &self.skip).field("left", &self.left).finish_non_exhaustive()
    }
}

impl RowStream {
    /// Starts a plan that neither searches nor aggregates.
    ///
    /// # Errors
    /// What the backends say.
    pub async fn open(context: Context) -> Result<Self> {
        let plan = context.plan.clone();
        let shape = Shape::new(&plan.outputs);
        let (order, after) = normalised(&plan.order, plan.after.clone());
        let mut stream = RowStream { shape, source: Source::Listed(VecDeque::new()), skip: plan.offset, left: plan.limit, context };
        if plan.is_empty() {
            return Ok(stream);
        }
        let mut order_parts: Vec<usize> = order.iter().filter_map(|o| part_of(o.key)).collect();
        order_parts.sort_unstable();
        order_parts.dedup();
        stream.source = match (plan.groups.as_slice(), order_parts.as_slice()) {
            (_, [_, _, ..]) => stream.sorted_here(&plan.groups, &order, after).await?,
            ([], parts) => {
                let part = parts.first().copied().unwrap_or(Target::OWNER);
                stream.one(part, Filter::all(), &order, after).await?
            }
            ([Group::Part { part, filter }], []) => stream.one(*part, filter.clone(), &order, after).await?,
            ([Group::Part { part, filter }], [by]) if part == by => stream.one(*part, filter.clone(), &order, after).await?,
            (groups, parts) => stream.several(groups, &order, after, parts.first().copied()).await?,
        };
        Ok(stream)
    }

    async fn one(&mut self, part: usize, filter: Filter, order: &[PlannedOrder], after: Option<Position>) -> Result<Source> {
        let wanted = self.left.map(|l| l.saturating_add(self.skip));
        let mut query = SubQuery { filter, columns: self.shape.columns(part), order: keys(order), after, ..SubQuery::default() };
        // Only the owner's rows are sure to be rows: elsewhere one more may be needed for each that is not.
        if part == Target::OWNER {
            (query.limit, query.offset) = (self.left.take(), std::mem::take(&mut self.skip));
        }
        query.page_rows = wanted.map_or(self.context.page_rows(), |w| w.clamp(1, self.context.page_rows().max(8192)));
        Ok(Source::One { part, stream: PartStream::open(&self.context, part, Purpose::of(order), query).await? })
    }

    async fn several(&mut self, groups: &[Group], order: &[PlannedOrder], after: Option<Position>, by: Option<usize>) -> Result<Source> {
        let start = if order.is_empty() { after.as_ref().map(|p| p.id.clone()) } else { None };
        let cap = self.left.map_or(CAP, |l| l.saturating_add(self.skip).saturating_mul(8).clamp(256, CAP));
        // A side that shares the order's part is read in order anyway; probing it would read it twice.
        match probe(&self.context, groups, start.as_ref(), cap).await? {
            Candidates::Few(ids) if order.is_empty() => Ok(Source::Listed(ids.into())),
            Candidates::Few(ids) => self.sort_ids(ids, order, after).await,
            Candidates::Many(streams) if order.is_empty() => {
                let batch = self.left.map_or(BATCH, |l| l.saturating_add(self.skip).clamp(1, BATCH));
                Ok(Source::Ids { stream: IdStream::intersection(streams), ready: VecDeque::new(), batch })
            }
            Candidates::Many(_) => {
                let part = by.unwrap_or(Target::OWNER);
                let own = |g: &&Group| matches!(g, Group::Part { part: p, .. } if *p == part);
                let filter = match groups.iter().find(own) {
                    Some(Group::Part { filter, .. }) => filter.clone(),
                    _ => Filter::all(),
                };
                let others: Vec<Group> = groups.iter().filter(|g| !own(g)).cloned().collect();
                let page_rows = self.left.map_or(BATCH, |l| l.saturating_add(self.skip).saturating_mul(4).clamp(64, BATCH));
                let query =
                    SubQuery { filter, columns: self.shape.columns(part), order: keys(order), after, page_rows, ..SubQuery::default() };
                let stream = PartStream::open(&self.context, part, Purpose::Order, query).await?;
                Ok(Source::Probed { stream, part, others })
            }
        }
    }

    /// Order keys on several parts: all ids are gathered and sorted here.
    async fn sorted_here(&mut self, groups: &[Group], order: &[PlannedOrder], after: Option<Position>) -> Result<Source> {
        let mut streams: Vec<IdStream> = groups.iter().map(|g| IdStream::of_group(&self.context, g, None, BATCH)).collect();
        if streams.is_empty() {
            streams.push(IdStream::of_part(&self.context, Target::OWNER, Purpose::Filter, Filter::all(), None, 8192));
        }
        let (mut stream, mut ids) = (IdStream::intersection(streams), Vec::new());
        while let Some(more) = stream.next().await? {
            ids.extend(more);
        }
        self.sort_ids(ids, order, after).await
    }

    async fn sort_ids(&mut self, ids: Vec<Id>, order: &[PlannedOrder], after: Option<Position>) -> Result<Source> {
        let by: Vec<OrderKey> = keys(order);
        let columns: Vec<Output> = order.iter().map(|o| o.key).filter(|k| *k != Output::Id).collect();
        let mut page = key_values(&self.context, ids, &columns).await?;
        let mut rows: Vec<(Id, Vec<Value>)> = Vec::with_capacity(page.len());
        for row in 0..page.len() {
            let id = std::mem::take(&mut page.ids[row]);
            let values: Vec<Value> = page.row_mut(row).iter_mut().map(Value::take).collect();
            if after.as_ref().is_none_or(|a| is_after(&by, a, &id, &values)) {
                rows.push((id, values));
            }
        }
        let compare = |a: &(Id, Vec<Value>), b: &(Id, Vec<Value>)| -> Ordering { key_order(&by, (&a.0, &a.1), (&b.0, &b.1)) };
        rows.sort_unstable_by(compare);
        let keep = self.left.map_or(usize::MAX, |l| l.saturating_add(self.skip));
        Ok(Source::Listed(rows.into_iter().take(keep).map(|(id, _)| id).collect()))
    }

    /// The next rows, not empty; `None` at the end.
    ///
    /// # Errors
    /// What the backends say; [`FracturedRow`](crate::ErrorKind::FracturedRow) for rows whose parts do not agree.
    pub async fn next(&mut self) -> Result<Option<ResultPage>> {
        while self.left != Some(0) {
            let Some(ResultPage(page)) = self.produce().await? else { return Ok(None) };
            let page = cut(page, &mut self.skip, &mut self.left);
            if !page.is_empty() {
                return Ok(Some(ResultPage(page)));
            }
        }
        Ok(None)
    }

    async fn produce(&mut self) -> Result<Option<ResultPage>> {
        let (context, shape) = (&self.context, &self.shape);
        match &mut self.source {
            Source::One { part, stream } => match stream.next().await? {
                Some(page) => shape.complete(context, *part, page).await.map(Some),
                None => Ok(None),
            },
            Source::Ids { stream, ready, batch } => {
                while ready.len() < *batch {
                    match stream.next().await? {
                        Some(ids) => ready.extend(ids),
                        None => break,
                    }
                }
                hydrate(context, shape, ready, *batch).await
            }
            Source::Listed(ids) => {
                let batch = self.left.map_or(BATCH, |l| l.saturating_add(self.skip).clamp(1, BATCH));
                hydrate(context, shape, ids, batch).await
            }
            Source::Probed { stream, part, others } => loop {
                let Some(page) = stream.next().await? else { return Ok(None) };
                let mut sorted = page.ids.clone();
                sorted.sort_unstable();
                let kept = restrict_all(context, others, sorted).await?;
                let page = keep_only(page, &kept);
                if !page.is_empty() {
                    return shape.complete(context, *part, page).await.map(Some);
                }
            },
        }
    }
}

async fn hydrate(context: &Context, shape: &Shape, ids: &mut VecDeque<Id>, batch: usize) -> Result<Option<ResultPage>> {
    if ids.is_empty() {
        return Ok(None);
    }
    let some: Vec<Id> = ids.drain(..batch.min(ids.len())).collect();
    shape.fetch(context, some, Vec::new(), asks_owner(&context.plan.groups)).await.map(Some)
}

/// The rows of a page whose ids are among the sorted `kept`, in the page's order.
fn keep_only(mut page: Page, kept: &[Id]) -> Page {
    let mut left = Page::new(page.width);
    for row in 0..page.len() {
        if kept.binary_search(&page.ids[row]).is_ok() {
            let (id, version) = (std::mem::take(&mut page.ids[row]), page.versions[row]);
            left.push(id, version, page.row_mut(row).iter_mut().map(Value::take).collect::<Vec<_>>());
        }
    }
    left
}

/// Order by id alone is the natural order; keys after the id decide nothing.
fn normalised(order: &[PlannedOrder], after: Option<Position>) -> (Vec<PlannedOrder>, Option<Position>) {
    let id = order.iter().position(|o| o.key == Output::Id);
    let keep = match id {
        Some(at) if order[at].descending => at + 1,
        Some(at) => at,
        None => order.len(),
    };
    let after = after.map(|mut position| {
        position.keys.truncate(keep);
        position
    });
    (order[..keep].to_vec(), after)
}

fn keys(order: &[PlannedOrder]) -> Vec<OrderKey> {
    let key = |key| match key {
        Output::Id => SortKey::Id,
        Output::Column { column, .. } => SortKey::Column(column),
    };
    order.iter().map(|o| OrderKey { key: key(o.key), descending: o.descending }).collect()
}

impl Purpose {
    fn of(order: &[PlannedOrder]) -> Purpose {
        if order.is_empty() { Purpose::Filter } else { Purpose::Order }
    }
}
