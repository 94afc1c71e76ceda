//! Sub-queries as searches: the body, the order, and pages past the server's result window.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use super::api::{Found, Point};
use super::document::{ID, field, segment_field};
use super::driver::Shared;
use super::fields::Origin;
use super::{codec, near, query, text};
use crate::backends::fewer::fewer;
use crate::driver::{NearQuery, OrderKey, Page, PageStream, Position, Reply, SortKey, SubQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Filter;
use crate::schema::{Column, Part};
use crate::types::{Id, Json, LogicalType, Value};

/// How many bytes of documents a page aims at.
const PAGE_BYTES: usize = 8 << 20;
/// So many rows of a larger page are asked for before it is known whether there are more: fewer are all there are, in one request
/// instead of the three that a point in time makes of it.
const FEW: usize = 256;

/// The query of a filter and ids, within the bounds of the part's index.
pub(super) fn matching(shared: &Shared, part: &Part, filter: &Filter, ids: Option<&[Id]>) -> Result<Json> {
    let filter = query::of_filter(part, filter).ok_or_else(|| Error::new(ErrorKind::Internal, "a filter was given that was not taken"))?;
    Ok(shared.limits(part).split(match ids {
        None => filter,
        Some(ids) => query::every(vec![query::of_ids(ids.iter().map(|id| id.as_str())), filter]),
    }))
}

/// Whether the server can order by a column.
pub(super) fn sorts(column: &Column) -> bool {
    match column.logical {
        LogicalType::Text { max } => text::segments_of(max) <= text::MOST_SEGMENTS,
        LogicalType::Bytes | LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_) => false,
        _ => true,
    }
}

/// The fields that order rows by a column, nulls last, as `sort` takes them.
pub(super) fn sort_of(column: &Column, descending: bool) -> Vec<Json> {
    let order = if descending { "desc" } else { "asc" };
    let key = |field: String, missing: Json| json!({ field: { "order": order, "missing": missing } });
    if codec::is_numeric(&column.logical) {
        // A missing number would rank like the greatest: the marker ranks first, and the missing number does not matter.
        let there = json!({ field("n", column): { "order": "asc", "missing": 1 } });
        return vec![there, key(field("f", column), 0.into())];
    }
    let mut keys = vec![key(field("f", column), "_last".into())];
    if let LogicalType::Text { max } = column.logical {
        // A text that ends here is less than one that goes on.
        let missing = if descending { "_last" } else { "_first" };
        keys.extend((1..text::segments_of(max)).map(|number| key(segment_field(column, number), missing.into())));
    }
    keys
}

/// A value's place in the order that [`sort_of`] describes.
fn place_of(column: &Column, value: &Value, place: &mut Vec<Json>) {
    let indexed = codec::indexed(&column.logical, value);
    if codec::is_numeric(&column.logical) {
        place.push(u8::from(indexed.is_none()).into());
        place.push(indexed.unwrap_or_else(|| 0.into()));
        return;
    }
    place.push(indexed.unwrap_or_default());
    if let LogicalType::Text { max } = column.logical {
        let segments = value.as_text().map(text::segments).unwrap_or_default();
        place.extend((1..text::segments_of(max)).map(|number| segments.get(number).map_or(Json::Null, |s| Json::from(*s))));
    }
}

/// The order of a sub-query as `sort` takes it.
fn sort(part: &Part, order: &[OrderKey]) -> Vec<Json> {
    let mut keys = Vec::new();
    for key in order {
        match key.key {
            SortKey::Column(column) => keys.extend(part.columns.get(column).map(|c| sort_of(c, key.descending)).unwrap_or_default()),
            SortKey::Id => keys.push(json!({ ID: if key.descending { "desc" } else { "asc" } })),
        }
    }
    keys.push(json!({ ID: "asc" }));
    keys
}

/// A position as `search_after` takes it.
fn search_after(part: &Part, order: &[OrderKey], position: &Position) -> Vec<Json> {
    let mut place = Vec::new();
    for (key, value) in order.iter().zip(&position.keys) {
        match key.key {
            SortKey::Column(column) => {
                if let Some(column) = part.columns.get(column) {
                    place_of(column, value, &mut place);
                }
            }
            SortKey::Id => place.push(value.as_text().into()),
        }
    }
    place.push(position.id.as_str().into());
    place
}

/// How many rows fit a page, where so many take so many bytes.
fn fitting(bytes: usize, rows: usize) -> usize {
    (PAGE_BYTES / (bytes / rows.max(1)).max(1)).max(1)
}

/// The pages of one sub-query.
pub(super) struct Stream {
    shared: Arc<Shared>,
    part: Arc<Part>,
    query: Arc<SubQuery>,
    /// The columns asked for, and behind them those of the order that are not among them.
    columns: Vec<usize>,
    /// Whether a long text was met: documents are read from then on.
    whole: bool,
    /// Whether there are more rows than [`FEW`].
    many: bool,
    point: Option<Point>,
    after: Option<Position>,
    /// Rows still to be left out, and still to be given.
    skip: usize,
    left: usize,
    rows: usize,
    /// Most rows of a page.
    most: usize,
    /// Rows that the last search asked for.
    asked: usize,
    done: bool,
}

impl Stream {
    pub(super) fn new(shared: Arc<Shared>, part: Arc<Part>, query: Arc<SubQuery>) -> Self {
        let mut columns = query.columns.clone();
        for key in &query.order {
            if let SortKey::Column(column) = key.key
                && !columns.contains(&column)
            {
                columns.push(column);
            }
        }
        let most = shared.limits(&part).rows;
        Stream {
            columns,
            whole: false,
            many: false,
            point: None,
            after: query.after.clone(),
            skip: query.offset,
            left: query.limit.unwrap_or(usize::MAX),
            rows: query.page_rows.clamp(1, most),
            most,
            asked: 0,
            done: false,
            shared,
            part,
            query,
        }
    }

    /// The vector search that the sub-query asks for, as the only page.
    async fn nearest(&mut self, near: NearQuery) -> Result<Option<Page>> {
        self.done = true;
        let page = near::search(&self.shared, &self.part, &self.query, &near).await?;
        Ok((!page.is_empty()).then_some(page))
    }

    async fn next(&mut self) -> Result<Option<Page>> {
        if self.done || self.left == 0 {
            return Ok(None);
        }
        let deadline = self.shared.api.http.deadline();
        self.shared.before_search(&self.part.table, deadline).await?;
        if let Some(near) = self.query.near.clone() {
            return self.nearest(near).await;
        }
        loop {
            // Rows that are left out are walked over too: `from` ends at the result window.
            let page = match self.page(self.shared.api.http.deadline()).await {
                Ok(page) => page,
                Err(error) => {
                    self.most = fewer(error, self.asked)?;
                    continue;
                }
            };
            if page.len() < self.asked {
                self.done = true;
                self.point = None;
            }
            if let Some(last) = page.len().checked_sub(1) {
                let row = page.row(last);
                let value = |column| self.columns.iter().position(|c| *c == column).and_then(|at| row.get(at)).cloned().unwrap_or_default();
                let keys = self.query.order.iter().map(|key| match key.key {
                    SortKey::Column(column) => value(column),
                    SortKey::Id => Value::Text(page.ids[last].as_str().to_owned()),
                });
                self.after = Some(Position { keys: keys.collect(), id: page.ids[last].clone() });
                self.rows = fitting(page.weight(), page.len()).min(self.rows.saturating_mul(2));
            }
            let given = self.cut(page);
            if self.left == 0 {
                self.done = true;
                self.point = None;
            }
            if !given.is_empty() || self.done {
                return Ok((!given.is_empty()).then_some(given));
            }
        }
    }

    /// Keeps of a page what the offset, the limit and the columns leave.
    fn cut(&mut self, mut page: Page) -> Page {
        let skipped = self.skip.min(page.len());
        self.skip -= skipped;
        let width = self.query.columns.len();
        if skipped == 0 && page.len() <= self.left && width == page.width {
            self.left -= page.len();
            return page;
        }
        let mut kept = Page::new(width);
        for row in skipped..page.len() {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            let (id, version) = (std::mem::take(&mut page.ids[row]), page.versions[row]);
            kept.push(id, version, page.row_mut(row)[..width].iter_mut().map(Value::take));
        }
        kept
    }

    /// How many rows the next page may have.
    fn wanted(&self) -> usize {
        self.rows.min(self.left.saturating_add(self.skip)).min(self.most)
    }

    /// The next page. The last one has fewer rows than were asked for.
    async fn page(&mut self, deadline: Instant) -> Result<Page> {
        let mut body = json!({
            "query": matching(&self.shared, &self.part, &self.query.filter, self.query.ids.as_deref())?,
            "sort": sort(&self.part, &self.query.order),
            "track_total_hits": false,
        });
        if let Some(after) = &self.after {
            body["search_after"] = search_after(&self.part, &self.query.order, after).into();
        }
        loop {
            let origin = if self.whole { Origin::Source } else { self.origin() };
            origin.ask(&self.part, &self.columns, &mut body);
            let found = self.found(&mut body, deadline).await?;
            if let Some(page) = self.read(found, origin)? {
                self.shared.lengths.note(&self.part, &self.columns, page.values.chunks_exact(page.width.max(1)));
                return Ok(page);
            }
            self.whole = true;
        }
    }

    fn origin(&self) -> Origin {
        Origin::of(&self.part, &self.columns, &self.shared.limits(&self.part), &self.shared.lengths)
    }

    /// The answer to a search for the next page, in a point in time if there is more than one.
    async fn found(&mut self, body: &mut Json, deadline: Instant) -> Result<Found> {
        let api = &self.shared.api;
        self.asked = self.wanted();
        body["size"] = self.asked.into();
        // One page is one search; only what goes on needs a point in time, which costs two requests more.
        if self.point.is_none() && self.left.saturating_add(self.skip) <= self.asked {
            return api.search(&self.part.table, body, deadline).await;
        }
        if !self.many && self.asked >= FEW {
            self.asked = FEW;
            body["size"] = FEW.into();
            let found = api.search(&self.part.table, body, deadline).await?;
            if found.hits.hits.len() < FEW {
                return Ok(found);
            }
            // All pages are of one point in time, this one too; but now it is known how long rows are.
            self.many = true;
            self.rows = self.rows.min(fitting(found.bytes, FEW));
            self.asked = self.wanted();
            body["size"] = self.asked.into();
        }
        let point = match &mut self.point {
            Some(point) => point,
            none => none.insert(api.open_point(&self.part.table, deadline).await?),
        };
        match point.search(body.clone(), deadline).await {
            // The reader was slower than the point's life. The position says where to go on.
            Err(error) if error.detail("code") == Some("search_context_missing_exception") => {
                let point = self.point.insert(api.open_point(&self.part.table, deadline).await?);
                point.search(body.clone(), deadline).await
            }
            found => found,
        }
    }

    /// The rows of an answer. `None` where a text among them may be cut.
    fn read(&self, found: Found, origin: Origin) -> Result<Option<Page>> {
        let mut page = Page::new(self.columns.len());
        for hit in found.hits.hits {
            match origin.row(&self.part, &self.columns, hit)? {
                Some(row) => page.push(row.id, row.version, row.values),
                None => return Ok(None),
            }
        }
        Ok(Some(page))
    }
}

impl PageStream for Stream {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::later(self.next())
    }
}
