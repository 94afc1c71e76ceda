//! Reading: pages in the order of ids, rows by id, counts.

use std::sync::Arc;

use super::config::Consistency;
use super::driver::Inner;
use super::expression::{self, Expression};
use super::options;
use super::proto::{KeyValuePair, Query, QueryResults};
use super::rows::{COUNT, Fields, garbled};
use super::shape::Shape;
use crate::backends::fewer::fewer;
use crate::driver::{OrderKey, Page, PageStream, Reply, SortKey, SubQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Filter;
use crate::schema::{ID_COLUMN, Part};
use crate::types::{Id, Value};

/// Most rows the server gives at once, and most of one search.
pub(super) const WINDOW: usize = 16_384;
/// Most ids in one expression.
pub(super) const MAX_IDS: usize = 1_000;
/// Fewest and most rows of a page: a round trip costs more than some rows.
const PAGE: std::ops::RangeInclusive<usize> = 64..=4_096;

/// Whether rows in the order of ids are in this order.
pub(super) fn in_id_order(order: &[OrderKey]) -> bool {
    matches!(order, [] | [OrderKey { key: SortKey::Id, descending: false }, ..])
}

/// What a sub-query restricts rows to, but for its position.
pub(super) fn condition(part: &Part, filter: &Filter, ids: Option<&[Id]>) -> Result<Expression> {
    let filter = expression::of_filter(part, filter)
        .ok_or_else(|| Error::new(ErrorKind::Internal, "a filter that was not taken is asked for: please report this"))?;
    Ok(match ids {
        Some(ids) => filter.and(expression::of_ids(ids)),
        None => filter,
    })
}

impl Inner {
    /// What reads of a part are sure to see.
    pub(super) fn usual(&self, shape: &Shape) -> Consistency {
        options::consistency(&shape.part).unwrap_or_else(|| self.client.consistency())
    }

    async fn query(
        &self,
        shape: &Shape,
        expr: String,
        output_fields: Vec<String>,
        limit: Option<usize>,
        consistency: Consistency,
    ) -> Result<Fields> {
        let mut query_params = Vec::new();
        if let Some(limit) = limit {
            query_params.push(KeyValuePair::new("limit", limit));
            // What the clients' iterators say: rows come by ascending key, and a limit keeps the least keys.
            query_params.push(KeyValuePair::new("iterator", "True"));
            query_params.push(KeyValuePair::new("reduce_stop_for_best", "False"));
        }
        let request = Query {
            db_name: self.client.database(),
            collection_name: shape.first().name.clone(),
            expr,
            output_fields,
            query_params,
            consistency_level: consistency.level(),
        };
        let answer: QueryResults = self.client.read("Query", request).await?;
        Fields::new(answer.fields_data, None)
    }

    /// At most so many rows that satisfy a condition, those with the least ids, in their order.
    pub(super) async fn least(
        &self,
        shape: &Shape,
        condition: &Expression,
        columns: &[usize],
        limit: usize,
        consistency: Consistency,
    ) -> Result<Page> {
        let Some(expr) = condition.text() else { return Ok(Page::new(columns.len())) };
        let fields = self.query(shape, expr, shape.output(columns), Some(limit), consistency).await?;
        let page = fields.into_page(shape, columns)?;
        // A page that is not full holds all there is, in whatever order; a full one must hold the least ids.
        if page.ids.is_sorted() {
            return Ok(page);
        }
        if page.len() < limit {
            let mut ids = page.ids.clone();
            ids.sort_unstable();
            return Ok(page.arranged(&ids));
        }
        Err(Error::new(ErrorKind::Unsupported, "this Milvus does not give rows in the order of their keys: use 2.3.5 or later"))
    }

    /// Rows by id, in the order asked for, absent ones left out.
    pub(super) async fn by_ids(&self, shape: &Shape, ids: &[Id], columns: &[usize], consistency: Consistency) -> Result<Page> {
        let mut found = Page::new(columns.len());
        for chunk in ids.chunks(MAX_IDS) {
            let mut left: Vec<Id> = chunk.to_vec();
            // Large rows may come in several pieces.
            while !left.is_empty() {
                let mut limit = left.len();
                let page = loop {
                    match self.least(shape, &expression::of_ids(&left), columns, limit, consistency).await {
                        Ok(page) => break page,
                        Err(error) => limit = fewer(error, limit)?,
                    }
                };
                let whole = page.len() < limit || limit == left.len();
                let before = left.len();
                if let Some(last) = page.ids.last() {
                    left.retain(|id| id > last);
                }
                found.append(page);
                if whole {
                    break;
                }
                // Asked again for the same it would say the same, for ever.
                if left.len() == before {
                    return Err(garbled("the rows that were asked for"));
                }
            }
        }
        Ok(found.arranged(ids))
    }

    /// How many rows satisfy a condition.
    pub(super) async fn count(&self, shape: &Shape, condition: &Expression) -> Result<i64> {
        let Some(expr) = condition.text() else { return Ok(0) };
        self.query(shape, expr, vec![COUNT.to_owned()], None, self.usual(shape)).await?.count()
    }

    /// How many rows satisfied a condition a short while ago: the last writes may be missing, and are not waited for.
    pub(super) async fn roughly(&self, shape: &Shape, condition: &Expression) -> Result<i64> {
        let Some(expr) = condition.text() else { return Ok(0) };
        self.query(shape, expr, vec![COUNT.to_owned()], None, Consistency::Eventually).await?.count()
    }
}

/// Rows of a part in the order of ids, read page after page: each goes on after the last id of the one before.
pub(super) struct Walk {
    pub inner: Arc<Inner>,
    pub shape: Arc<Shape>,
    pub condition: Expression,
    pub columns: Vec<usize>,
    after: Option<(String, bool)>,
    page: usize,
    most: usize,
    skip: usize,
    left: usize,
}

impl Walk {
    /// All rows that satisfy a condition.
    pub(super) fn all(inner: Arc<Inner>, shape: Arc<Shape>, condition: Expression, columns: Vec<usize>) -> Walk {
        Walk { inner, shape, condition, columns, after: None, page: 1_024, most: *PAGE.end(), skip: 0, left: usize::MAX }
    }

    /// All rows that satisfy a condition, so many at once.
    pub(super) fn by(inner: Arc<Inner>, shape: Arc<Shape>, condition: Expression, columns: Vec<usize>, rows: usize) -> Walk {
        Walk { page: rows, most: rows, ..Walk::all(inner, shape, condition, columns) }
    }

    /// What a sub-query without a search asks for.
    pub(super) fn of(inner: Arc<Inner>, shape: Arc<Shape>, query: &SubQuery) -> Result<Walk> {
        let condition = condition(&shape.part, &query.filter, query.ids.as_deref())?;
        let after = query.after.as_ref().map(|position| match (query.order.first(), position.keys.first()) {
            // The order names the id itself: the position is after that key, or at it and after the id.
            (Some(_), Some(Value::Text(key))) => (key.clone(), key.as_str() > position.id.as_str()),
            _ => (position.id.as_str().to_owned(), false),
        });
        let walk = Walk::all(inner, shape, condition, query.columns.clone());
        let page = query.page_rows.clamp(*PAGE.start(), *PAGE.end());
        Ok(Walk { after, page, skip: query.offset, left: query.limit.unwrap_or(usize::MAX), ..walk })
    }

    /// The next page; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Page>> {
        while self.left > 0 {
            let position = self.after.as_ref().map_or(Expression::Always, |(id, included)| expression::after(id, *included));
            let condition = self.condition.clone().and(position);
            let limit = self.page.min(self.left.saturating_add(self.skip)).min(WINDOW);
            let page = match self.inner.least(&self.shape, &condition, &self.columns, limit, self.inner.usual(&self.shape)).await {
                Ok(page) => page,
                Err(error) => {
                    self.page = fewer(error, limit)?;
                    self.most = self.page;
                    continue;
                }
            };
            // A server that begins anew would be read for ever.
            if let (Some(first), Some((after, included))) = (page.ids.first(), &self.after)
                && (first.as_str() < after.as_str() || first.as_str() == after.as_str() && !included)
            {
                return Err(garbled("the rows after those it gave"));
            }
            self.page = (self.page * 2).min(self.most);
            let full = page.len() >= limit;
            match page.ids.last() {
                Some(last) if full => self.after = Some((last.as_str().to_owned(), false)),
                _ => self.left = self.left.min(page.len().saturating_sub(self.skip)),
            }
            let page = self.cut(page);
            if !full {
                self.left = 0;
            }
            if !page.is_empty() {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    /// Keeps offset and limit.
    fn cut(&mut self, mut page: Page) -> Page {
        let skipped = self.skip.min(page.len());
        self.skip -= skipped;
        page.ids.drain(..skipped);
        page.versions.drain(..skipped);
        page.values.drain(..skipped * page.width);
        page.ids.truncate(self.left);
        page.versions.truncate(self.left);
        page.values.truncate(page.ids.len() * page.width);
        self.left -= page.ids.len();
        page
    }
}

impl PageStream for Walk {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::later(async move { self.next().await.map_err(|e| e.of_entity(self.shape.part.entity.name)) })
    }
}

/// The columns whose values `count(column)` counts, and whether an aggregation is counts alone.
pub(super) fn counts(query: &crate::driver::Aggregate) -> bool {
    query.keys.is_empty() && query.measures.iter().all(|m| m.function == crate::driver::AggregateFunction::Count)
}

/// An expression for `explain`: literals become question marks.
pub(super) fn masked(expression: &Expression) -> String {
    let Some(text) = expression.text() else { return "nothing matches".to_owned() };
    let mut masked = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let starts = matches!(before, ' ' | '[');
        if c == '"' {
            while let Some(inner) = chars.next() {
                match inner {
                    '\\' => drop(chars.next()),
                    '"' => break,
                    _ => {}
                }
            }
            masked.push('?');
        } else if starts && (c.is_ascii_digit() || c == '-') {
            while chars.next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).is_some() {}
            masked.push('?');
        } else {
            masked.push(c);
        }
        before = c;
    }
    if text.starts_with(ID_COLUMN) && *expression == Expression::Always { "every row".to_owned() } else { masked }
}
