//! Sub-queries of one part, made whole: what the driver hands back is done here, so that the rest of the executor can
//! rely on filter, order, limit and search being kept.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Context;
use crate::driver::{NearQuery, OrderKey, Page, PageStream, Position, SortKey, SubQuery, best_first};
use crate::error::Result;
use crate::filter::{Filter, Program};
use crate::plan::Purpose;
use crate::schema::{ID_COLUMN, Part};
use crate::types::{Id, Value, sort_order};

/// A sub-query under way.
pub(super) struct PartStream {
    context: Context,
    part: usize,
    purpose: Purpose,
    source: Source,
}

enum Source {
    /// The driver does everything.
    Native { stream: Box<dyn PageStream>, ids: usize },
    /// Conditions are checked here; order and limit are not at stake or kept by counting.
    Checked { stream: Box<dyn PageStream>, check: RowCheck, left: Option<usize>, skip: usize },
    /// Already here.
    Done(Option<Page>),
}

/// Conditions over rows of a page that has more columns than wanted.
struct RowCheck {
    program: Program,
    /// How many leading columns are wanted.
    wanted: usize,
    /// Where the program's positions are: the position after all columns stands for the id.
    id_position: usize,
}

impl RowCheck {
    fn new(remainder: &Filter, part: &Part, columns: &mut Vec<usize>) -> Result<Self> {
        let wanted = columns.len();
        remainder.for_each_test(&mut |test| {
            if let Some((column, _)) = part.column(&test.field)
                && !columns.contains(&column)
            {
                columns.push(column);
            }
        });
        let id_position = columns.len();
        let program = Program::new(remainder, &|name| {
            if name == ID_COLUMN {
                return Some(id_position);
            }
            let (column, _) = part.column(name)?;
            columns.iter().position(|c| *c == column)
        })?;
        Ok(RowCheck { program, wanted, id_position })
    }

    /// Keeps the rows that satisfy the conditions, with the wanted columns.
    fn apply(&self, mut page: Page) -> Page {
        let mut kept = Page::new(self.wanted);
        for row in 0..page.len() {
            let id = Value::Text(page.ids[row].as_str().to_owned());
            let values = page.row(row);
            if !self.program.holds(&|position| if position == self.id_position { &id } else { &values[position] }) {
                continue;
            }
            let id = std::mem::take(&mut page.ids[row]);
            let version = page.versions[row];
            if let Some(score) = page.scores.get(row) {
                kept.scores.push(*score);
            }
            let wanted = self.wanted;
            kept.push(id, version, page.row_mut(row)[..wanted].iter_mut().map(Value::take));
        }
        kept
    }
}

impl PartStream {
    /// Starts a sub-query on a part.
    pub(super) async fn open(context: &Context, part: usize, purpose: Purpose, query: SubQuery) -> Result<Self> {
        let opened = Self::start(context, part, purpose, query).await;
        context.blame(part, opened)
    }

    async fn start(context: &Context, part: usize, purpose: Purpose, query: SubQuery) -> Result<Self> {
        let target = &context.target;
        let (held, driver) = (target.part(part), target.driver(part));
        let this = |source| PartStream { context: context.clone(), part, purpose, source };
        if query.filter.is_none() || query.limit == Some(0) {
            return Ok(this(Source::Done(None)));
        }
        let ids = query.ids.as_ref().map_or(0, |ids| ids.len());
        let taken = driver.takes(held, &query);
        let bounded = query.limit.is_some() || query.offset > 0;
        let whole = taken.remainder.is_all();
        let ordered = query.order.is_empty() || taken.order;
        if whole && ordered && (query.near.is_none() || taken.near) && (!bounded || taken.limit) {
            let stream = driver.open(held.clone(), Arc::new(query))?;
            return Ok(this(Source::Native { stream, ids }));
        }
        let mut columns = query.columns.clone();
        let check = RowCheck::new(&taken.remainder, held, &mut columns)?;
        if ordered && query.near.is_none() {
            let (left, skip) = (query.limit, query.offset);
            let ids_only = query.ids_only && columns.is_empty();
            let asked = SubQuery { filter: taken.taken, columns, limit: None, offset: 0, ids_only, expected: None, ..query };
            let stream = driver.open(held.clone(), Arc::new(asked))?;
            return Ok(this(Source::Checked { stream, check, left, skip }));
        }
        // The driver gives rows by id; ranking and sorting are done here, over rows that pass.
        let extra = match &query.near {
            Some(near) => vec![near.column],
            None => query.order.iter().filter_map(|o| column_of(o.key)).collect(),
        };
        let mut wanted = query.columns.clone();
        wanted.extend(extra);
        let gathered = SubQuery {
            filter: query.filter.clone(),
            columns: wanted,
            order: Vec::new(),
            after: None,
            limit: None,
            offset: 0,
            near: None,
            ids: query.ids.clone(),
            page_rows: 8192,
            ids_only: false,
            rough: false,
            expected: None,
        };
        let mut rows = Box::pin(Self::start(context, part, purpose, gathered)).await?;
        let page = match &query.near {
            Some(near) => nearest(&mut rows, near, query.columns.len()).await?,
            None => sorted(&mut rows, &query).await?,
        };
        Ok(this(Source::Done(Some(page))))
    }

    /// The next page, not empty; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Page>> {
        let next = self.advance().await;
        self.context.blame(self.part, next)
    }

    async fn advance(&mut self) -> Result<Option<Page>> {
        let (context, part, purpose) = (&self.context, self.part, self.purpose);
        match &mut self.source {
            Source::Done(page) => Ok(page.take().filter(|p| !p.is_empty())),
            Source::Native { stream, ids } => {
                let started = context.clock();
                let page = stream.next_page().await?;
                context.count(part, purpose, started, std::mem::take(ids), || page.as_ref().map_or((0, 0), |p| (p.len(), p.weight())));
                Ok(page)
            }
            Source::Checked { stream, check, left, skip } => loop {
                if *left == Some(0) {
                    return Ok(None);
                }
                let started = context.clock();
                let Some(page) = stream.next_page().await? else { return Ok(None) };
                context.count(part, purpose, started, 0, || (page.len(), page.weight()));
                let page = cut(check.apply(page), skip, left);
                if !page.is_empty() {
                    return Ok(Some(page));
                }
            },
        }
    }

    /// All rows in one page.
    pub(super) async fn collect(mut self, width: usize) -> Result<Page> {
        let mut all = Page::new(width);
        while let Some(page) = self.next().await? {
            all.append(page);
        }
        Ok(all)
    }
}

/// Applies offset and limit to a page, and counts them down.
pub(super) fn cut(page: Page, skip: &mut usize, left: &mut Option<usize>) -> Page {
    let from = (*skip).min(page.len());
    *skip -= from;
    let keep = left.map_or(page.len() - from, |l| l.min(page.len() - from));
    if let Some(left) = left {
        *left -= keep;
    }
    page.slice(from, keep)
}

fn column_of(key: SortKey) -> Option<usize> {
    match key {
        SortKey::Column(column) => Some(column),
        SortKey::Id => None,
    }
}

/// Ranks rows whose last column is the vector; keeps `k`, with the first `width` columns.
async fn nearest(rows: &mut PartStream, near: &NearQuery, width: usize) -> Result<Page> {
    let mut best: Vec<(f64, Id, i64, Vec<Value>)> = Vec::new();
    let rank = |a: &(f64, Id, i64, Vec<Value>), b: &(f64, Id, i64, Vec<Value>)| best_first(a.0, b.0).then_with(|| a.1.cmp(&b.1));
    while let Some(mut page) = Box::pin(rows.next()).await? {
        for row in 0..page.len() {
            let Some(vector) = page.row(row)[width].as_vector() else { continue };
            let score = near.metric.score(&near.vector, vector);
            let (id, version) = (std::mem::take(&mut page.ids[row]), page.versions[row]);
            best.push((score, id, version, page.row_mut(row)[..width].iter_mut().map(Value::take).collect()));
        }
        if best.len() > 2 * near.k.max(1024) {
            best.sort_unstable_by(rank);
            best.truncate(near.k);
        }
    }
    best.sort_unstable_by(rank);
    best.truncate(near.k);
    let mut page = Page::new(width);
    for (score, id, version, values) in best {
        page.push(id, version, values);
        page.scores.push(score);
    }
    Ok(page)
}

/// Sorts rows whose columns after the wanted ones are the order keys; applies position, offset and limit.
async fn sorted(rows: &mut PartStream, query: &SubQuery) -> Result<Page> {
    let width = query.columns.len();
    let mut all: Vec<(Id, i64, Vec<Value>)> = Vec::new();
    let keep = query.limit.map(|l| l.saturating_add(query.offset));
    let order =
        |a: &(Id, i64, Vec<Value>), b: &(Id, i64, Vec<Value>)| key_order(&query.order, (&a.0, &a.2[width..]), (&b.0, &b.2[width..]));
    while let Some(mut page) = Box::pin(rows.next()).await? {
        for row in 0..page.len() {
            let (id, version) = (std::mem::take(&mut page.ids[row]), page.versions[row]);
            let values: Vec<Value> = page.row_mut(row).iter_mut().map(Value::take).collect();
            if query.after.as_ref().is_some_and(|after| !is_after(&query.order, after, &id, &values[width..])) {
                continue;
            }
            all.push((id, version, values));
        }
        if let Some(keep) = keep
            && all.len() > 2 * keep.max(1024)
        {
            all.sort_unstable_by(order);
            all.truncate(keep);
        }
    }
    all.sort_unstable_by(order);
    let mut page = Page::new(width);
    for (id, version, mut values) in all.into_iter().skip(query.offset).take(query.limit.unwrap_or(usize::MAX)) {
        values.truncate(width);
        page.push(id, version, values);
    }
    Ok(page)
}

/// The order of two rows by keys, then id. A row's `keys` hold one value for each key that is not the id.
pub(super) fn key_order(order: &[OrderKey], a: (&Id, &[Value]), b: (&Id, &[Value])) -> Ordering {
    let mut at = 0;
    for key in order {
        let ordering = match key.key {
            SortKey::Id if key.descending => b.0.cmp(a.0),
            SortKey::Id => a.0.cmp(b.0),
            SortKey::Column(_) => {
                at += 1;
                sort_order(&a.1[at - 1], &b.1[at - 1], key.descending)
            }
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    a.0.cmp(b.0)
}

/// Whether a row comes after a position. The position has a value for every key, the id's included.
pub(super) fn is_after(order: &[OrderKey], after: &Position, id: &Id, keys: &[Value]) -> bool {
    let before: Vec<Value> =
        order.iter().zip(&after.keys).filter(|(o, _)| matches!(o.key, SortKey::Column(_))).map(|(_, v)| v.clone()).collect();
    key_order(order, (id, keys), (&after.id, &before)) == Ordering::Greater
}
