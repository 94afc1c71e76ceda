//! An order of one part, walked while the other parts are asked about each page; and the way out when that finds too
//! little.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::Context;
use super::assemble::{ResultPage, Shape, key_values};
use super::candidates::{Candidates, asks_owner, probe, restrict_all};
use super::part::{PartStream, is_after, key_order};
use super::rows::keys;
use super::sizes::{embedded, sizes};
use crate::driver::{OrderKey, Page, Position, SubQuery};
use crate::error::Result;
use crate::filter::Filter;
use crate::plan::{Group, Output, PlannedOrder, Purpose, Target};
use crate::schema::Part;
use crate::types::{Id, LogicalType, Value};

/// Rows walked before it is asked whether the other way is shorter.
const PATIENCE: usize = 256;
/// Fewest rows that the others are asked about at a time.
const FEWEST: usize = 16;

/// A walk along an order.
pub(super) struct Walk {
    stream: PartStream,
    /// What is read and not yet walked.
    ahead: Page,
    part: usize,
    order: Vec<PlannedOrder>,
    /// All groups; those of other parts.
    groups: Vec<Group>,
    others: Vec<Group>,
    /// Whether the pages have the columns that the result wants of the part.
    carries: bool,
    /// Whether asking the others costs no round trip, so that they are asked about no more rows than seem needed.
    near: bool,
    walked: usize,
    found: usize,
    last: Option<Id>,
    /// How many rows are walked when it is next asked whether to go on.
    patience: usize,
}

impl Walk {
    /// Starts a walk after a position.
    pub(super) async fn open(
        context: &Context,
        shape: &Shape,
        groups: &[Group],
        order: Vec<PlannedOrder>,
        after: Option<Position>,
        part: usize,
        page_rows: usize,
    ) -> Result<Walk> {
        let own = |g: &&Group| matches!(g, Group::Part { part: p, .. } if *p == part);
        let filter = match groups.iter().find(own) {
            Some(Group::Part { filter, .. }) => filter.clone(),
            _ => Filter::all(),
        };
        let others: Vec<Group> = groups.iter().filter(|g| !own(g)).cloned().collect();
        // Most rows walked may be dropped: only columns that weigh little are read before that is known.
        let columns = shape.columns(part);
        let carries = columns.iter().all(|column| is_light(context.target.part(part), *column));
        let columns = if carries { columns } else { Vec::new() };
        let query = SubQuery { filter, columns, order: keys(&order), after, page_rows, ..SubQuery::default() };
        let stream = PartStream::open(context, part, Purpose::Order, query).await?;
        let patience = PATIENCE.min(context.bounds.page);
        let near = others.iter().all(|group| embedded(context, group));
        let (ahead, groups) = (Page::default(), groups.to_vec());
        Ok(Walk { stream, ahead, part, order, groups, others, carries, near, walked: 0, found: 0, last: None, patience })
    }

    /// How many more rows to walk for so many that are wanted: what was found so far says it, but not much at first, so never
    /// more than have been walked already.
    fn stride(&self, wanted: usize) -> usize {
        let guess = match self.found {
            0 => self.walked,
            found => self.walked.saturating_mul(wanted) / found,
        };
        // Beyond so many rows one more question costs less than rows asked about in vain.
        let guess = if guess > PATIENCE { guess / 2 } else { guess.saturating_add(guess / 8) };
        guess.min(self.walked.max(wanted.saturating_mul(2))).max(FEWEST)
    }

    /// The next rows that satisfy all groups, perhaps none; `None` at the end.
    pub(super) async fn next(&mut self, context: &Context, shape: &Shape, wanted: Option<usize>) -> Result<Option<ResultPage>> {
        if self.ahead.is_empty() {
            let Some(page) = self.stream.next().await? else { return Ok(None) };
            self.ahead = page;
        }
        let stride = match wanted {
            Some(wanted) if self.near => self.stride(wanted),
            _ => usize::MAX,
        };
        let rest = self.ahead.split_off(stride);
        let page = std::mem::replace(&mut self.ahead, rest);
        self.walked += page.len();
        self.last.clone_from(&page.ids.last().cloned());
        let mut sorted = page.ids.clone();
        sorted.sort_unstable();
        let kept = restrict_all(context, &self.others, sorted).await?;
        self.found += kept.len();
        let page = keep_only(page, &kept);
        if self.carries {
            return shape.complete(context, self.part, page).await.map(Some);
        }
        let sure = self.part == Target::OWNER || asks_owner(&self.groups);
        shape.fetch(context, page.ids, Vec::new(), sure).await.map(Some)
    }

    /// The rest of the rows, in order, when the walk has found so little that gathering the smallest side and sorting it is
    /// the shorter way; `wanted` rows are still wanted. Asked ever more rarely, so that both ways together cost little more
    /// than the better one.
    pub(super) async fn given_up(&mut self, context: &Context, wanted: usize) -> Result<Option<VecDeque<Id>>> {
        if self.walked < self.patience {
            return Ok(None);
        }
        self.patience = self.walked.saturating_mul(2);
        let Some(last) = self.last.clone() else { return Ok(None) };
        // With what was found so far, the walk goes on for so many rows; finding nothing says no more than as far again.
        let ahead = self.walked.saturating_mul(wanted).checked_div(self.found).unwrap_or(self.walked);
        let cap = ahead;
        let sizes = sizes(context, &self.others, cap).await?;
        let Some(size) = sizes.iter().filter_map(|size| size.bound()).min() else { return Ok(None) };
        let mut at = key_values(context, vec![last.clone()], &self.order.iter().map(|o| o.key).collect::<Vec<_>>()).await?;
        if at.is_empty() {
            return Ok(None);
        }
        let position = Position { keys: at.row_mut(0).iter_mut().map(Value::take).collect(), id: last };
        match probe(context, &self.groups, None, size.max(1), 0).await? {
            Candidates::Few(ids) => sorted_ids(context, ids, &self.order, Some(&position), wanted).await.map(Some),
            Candidates::Many(_) => Ok(None),
        }
    }
}

/// Whether a column's values weigh next to nothing beside the id.
fn is_light(part: &Part, column: usize) -> bool {
    part.columns.get(column).is_some_and(|column| match column.logical {
        LogicalType::Text { max } => max <= 64,
        LogicalType::Bytes | LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_) => false,
        _ => true,
    })
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

/// Ids in an order, those after a position, the first `keep` of them.
pub(super) async fn sorted_ids(
    context: &Context,
    ids: Vec<Id>,
    order: &[PlannedOrder],
    after: Option<&Position>,
    keep: usize,
) -> Result<VecDeque<Id>> {
    let by: Vec<OrderKey> = keys(order);
    let columns: Vec<Output> = order.iter().map(|o| o.key).filter(|k| *k != Output::Id).collect();
    let mut page = key_values(context, ids, &columns).await?;
    let mut rows: Vec<(Id, Vec<Value>)> = Vec::with_capacity(page.len());
    for row in 0..page.len() {
        let id = std::mem::take(&mut page.ids[row]);
        let values: Vec<Value> = page.row_mut(row).iter_mut().map(Value::take).collect();
        if after.is_none_or(|a| is_after(&by, a, &id, &values)) {
            rows.push((id, values));
        }
    }
    let compare = |a: &(Id, Vec<Value>), b: &(Id, Vec<Value>)| -> Ordering { key_order(&by, (&a.0, &a.1), (&b.0, &b.1)) };
    if keep < rows.len() {
        if keep > 0 {
            rows.select_nth_unstable_by(keep - 1, compare);
        }
        rows.truncate(keep);
    }
    rows.sort_unstable_by(compare);
    Ok(rows.into_iter().map(|(id, _)| id).collect())
}
