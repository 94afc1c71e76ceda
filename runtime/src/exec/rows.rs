//! Rows of a plan without search or aggregation: chooses how the groups and the order are put together, then streams.

use std::collections::VecDeque;

use super::assemble::{ResultPage, Shape};
use super::candidates::{Candidates, asks_owner, probe};
use super::ids::IdStream;
use super::part::{PartStream, cut};
use super::walk::{Walk, sorted_ids};
use super::{Bounds, Context};
use crate::driver::{OrderKey, Position, SortKey, SubQuery};
use crate::error::Result;
use crate::filter::Filter;
use crate::plan::{Group, Output, PlannedOrder, Purpose, Target, part_of};
use crate::types::Id;

/// Most ids gathered of a side when all rows are wanted in an order that another side has.
const SORTED_HERE: usize = 65_536;
/// How far sizes are wanted when sides are merged to their end.
const KNOWN: usize = 1 << 22;

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
    Probed(Walk),
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
        let Bounds { few, page, chunk, .. } = self.context.bounds;
        let start = if order.is_empty() { after.as_ref().map(|p| p.id.clone()) } else { None };
        let wanted = self.left.map(|l| l.saturating_add(self.skip));
        if let ([group], true) = (groups, order.is_empty()) {
            let batch = wanted.map_or(page, |w| w.clamp(1, page));
            let stream = IdStream::of_group(&self.context, group, start.as_ref(), wanted.map_or(chunk, |_| page));
            return Ok(Source::Ids { stream, ready: VecDeque::new(), batch });
        }
        let (cap, known) = match wanted {
            Some(wanted) => (wanted.saturating_mul(8).clamp(few.min(256), few), if order.is_empty() { few } else { 0 }),
            None if order.is_empty() => (few, KNOWN),
            None => (few.saturating_mul(SORTED_HERE / 4096), 0),
        };
        match probe(&self.context, groups, start.as_ref(), cap, known).await? {
            Candidates::Few(ids) if order.is_empty() => Ok(Source::Listed(ids.into())),
            Candidates::Few(ids) => self.sort_ids(ids, order, after).await,
            Candidates::Many(sides) if order.is_empty() => {
                let batch = wanted.map_or(page, |w| w.clamp(1, page));
                let stream = sides.stream(&self.context, groups, start.as_ref(), wanted.map_or(chunk, |_| page));
                Ok(Source::Ids { stream, ready: VecDeque::new(), batch })
            }
            Candidates::Many(_) => {
                let part = by.unwrap_or(Target::OWNER);
                let page_rows = wanted.map_or(page, |w| w.saturating_mul(4).clamp(64.min(page), page));
                let walk = Walk::open(&self.context, &self.shape, groups, order.to_vec(), after, part, page_rows).await?;
                Ok(Source::Probed(walk))
            }
        }
    }

    /// Order keys on several parts: all ids are gathered and sorted here.
    async fn sorted_here(&mut self, groups: &[Group], order: &[PlannedOrder], after: Option<Position>) -> Result<Source> {
        let chunk = self.context.bounds.chunk;
        let mut streams: Vec<IdStream> = groups.iter().map(|g| IdStream::of_group(&self.context, g, None, chunk)).collect();
        if streams.is_empty() {
            streams.push(IdStream::of_part(&self.context, Target::OWNER, Purpose::Filter, Filter::all(), None, chunk));
        }
        let (mut stream, mut ids) = (IdStream::intersection(streams), Vec::new());
        while let Some(more) = stream.next().await? {
            ids.extend(more);
        }
        self.sort_ids(ids, order, after).await
    }

    async fn sort_ids(&mut self, ids: Vec<Id>, order: &[PlannedOrder], after: Option<Position>) -> Result<Source> {
        let keep = self.left.map_or(usize::MAX, |l| l.saturating_add(self.skip));
        Ok(Source::Listed(sorted_ids(&self.context, ids, order, after.as_ref(), keep).await?))
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
        let wanted = self.left.map(|l| l.saturating_add(self.skip));
        if let Source::Probed(walk) = &mut self.source
            && let Some(wanted) = wanted
            && let Some(ids) = walk.given_up(&self.context, wanted).await?
        {
            self.source = Source::Listed(ids);
        }
        let (context, shape) = (&self.context, &self.shape);
        let page = context.bounds.page;
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
            Source::Listed(ids) => hydrate(context, shape, ids, wanted.map_or(page, |w| w.clamp(1, page))).await,
            Source::Probed(walk) => walk.next(context, shape, wanted).await,
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

pub(super) fn keys(order: &[PlannedOrder]) -> Vec<OrderKey> {
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
