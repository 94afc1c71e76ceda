//! Vector search: the store's own, believed where it found `k` or all there are; else rows are compared here, in 64 bits.

use std::collections::HashMap;
use std::sync::Arc;

use super::driver::{Inner, page};
use super::filter::{self, Where};
use super::shape::{Shape, Space, is_null, version};
use super::store::{Depth, Moment, Record, Store};
use super::walk::{Parted, Walk};
use crate::driver::{NearQuery, Page, PageStream, Reply, SubQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::{Id, Metric, Value};

/// A row that a search found, with its score.
type Hit = (Record, f64);

/// A search under way: one page, computed when asked for.
pub(super) struct Nearest<S> {
    pub inner: Arc<Inner<S>>,
    pub part: Arc<Part>,
    pub query: Arc<SubQuery>,
    pub parted: Parted,
    pub done: bool,
}

impl<S: Store> PageStream for Nearest<S> {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::later(async move {
            if std::mem::replace(&mut self.done, true) {
                return Ok(None);
            }
            let page = self.run().await.map_err(|error| self.inner.failed(&self.part, error))?;
            Ok(Some(page).filter(|page| !page.is_empty()))
        })
    }
}

/// The score of a vector; `-0.0` is `0.0`, or ties would not be ties.
fn score(near: &NearQuery, vector: &[f32]) -> f64 {
    near.metric.score(&near.vector, vector) + 0.0
}

/// Best first, then by id.
fn rank(hits: &mut Vec<(String, f64)>, k: usize) {
    hits.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    hits.truncate(k);
}

impl<S: Store> Nearest<S> {
    async fn run(&self) -> Result<Page> {
        let empty = Page::new(self.query.columns.len());
        let Some(near) = &self.query.near else { return Ok(empty) };
        let dialect = self.inner.store.dialect();
        let column = &self.part.columns[near.column];
        if near.k > dialect.most_hits {
            let why = format!("{} hits asked for: {} searches for at most {}", near.k, dialect.service, dialect.most_hits);
            return Err(Error::new(ErrorKind::LimitExceeded, why).at_field(column.name));
        }
        let k = near.k.min(self.query.limit.unwrap_or(usize::MAX));
        if k == 0 || self.parted.wanted == Where::Never || self.parted.ids.as_ref().is_some_and(Vec::is_empty) {
            return Ok(empty);
        }
        let shape = self.inner.shape(&self.part).await?;
        self.inner.store.settle(&shape.spaces, Moment::Read).await?;
        let Some(space) = shape.searching(near.column) else { return Ok(empty) };
        if !near.exact
            && let Some(hits) = self.searched(near, k, &shape, space).await?
            && let Some(page) = self.complete(&shape, space, hits).await?
        {
            return Ok(page);
        }
        self.compared(near, k, &shape).await
    }

    /// The nearest by the store's search; `None` when it cannot be sure that there are no more.
    async fn searched(&self, near: &NearQuery, k: usize, shape: &Shape, space: &Space) -> Result<Option<Vec<Hit>>> {
        let dialect = self.inner.store.dialect();
        let column = &self.part.columns[near.column];
        // Rows without a vector have one in the first space, which is passed over here: cheaper than a test on each row.
        let spare = if column.nullable && space.name == shape.first().name { (k / 4).max(8) } else { 0 };
        let asked = (k + spare).min(dialect.most_hits);
        let depth = if space.name == shape.first().name { shape.depth(&self.query.columns, dialect) } else { Depth::Metadata };
        // Stores add up in 32 bits. A cosine comes out well; what cancels out in a product or a distance does not.
        let again = near.metric != Metric::Cosine;
        let depth = match depth {
            _ if again => Depth::Vectors,
            // What a row's metadata says is not asked for: with cosines its vector is among it.
            Depth::Metadata if self.wants_ids_alone(shape, space) => Depth::Ids,
            depth => depth,
        };
        let some = || self.parted.wanted.clone().and(filter::some(column, dialect));
        let mut wanted = self.parted.wanted.clone();
        for attempt in 0..2 {
            let Ok(filter) = wanted.sent() else { return Ok(Some(Vec::new())) };
            let ids = self.parted.ids.as_deref();
            let found = match self.inner.store.nearest(space, &near.vector, asked, filter, ids, depth).await {
                // Too large an answer: read in pages instead.
                Err(error) if error.kind() == ErrorKind::LimitExceeded => return Ok(None),
                other => other?,
            };
            let Some(found) = found else { return Ok(None) };
            let all = found.len() < asked;
            let mut hits: Vec<Hit> = found.into_iter().filter(|(record, _)| !is_null(column, &record.metadata)).collect();
            if again {
                for (record, told) in &mut hits {
                    // What is compared of a part of a vector, or of none, may come out as near as can be.
                    if record.vector.len() != near.vector.len() {
                        let why = format!("{} answered with a hit whose vector is missing, or of another length", dialect.service);
                        return Err(Error::new(ErrorKind::Backend, why).at_field(column.name).with("numbers", record.vector.len()));
                    }
                    *told = score(near, &record.vector);
                }
            }
            if hits.len() >= k {
                // The store breaks ties as it likes.
                hits.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.id.cmp(&b.0.id)));
                hits.truncate(k);
                return Ok(Some(hits));
            }
            if all || attempt > 0 || spare == 0 {
                break;
            }
            wanted = some();
        }
        Ok(None)
    }

    /// Whether a hit's id is all that is looked at: neither its version, nor whether it has a vector at all.
    fn wants_ids_alone(&self, shape: &Shape, space: &Space) -> bool {
        let searched = self.query.near.as_ref().and_then(|near| self.part.columns.get(near.column));
        let filled = searched.is_some_and(|column| !column.nullable);
        self.query.ids_only && self.query.columns.is_empty() && filled && space.name == shape.first().name
    }

    /// The nearest by comparing with every matching row: exact.
    async fn compared(&self, near: &NearQuery, k: usize, shape: &Shape) -> Result<Page> {
        let dialect = self.inner.store.dialect();
        let mut parted = Parted::of(&self.part, &self.query.filter, self.query.ids.as_deref(), dialect)?;
        parted.wanted = parted.wanted.and(filter::some(&self.part.columns[near.column], dialect));
        let mut walk = Walk::all(self.inner.clone(), self.part.clone(), parted, vec![near.column]);
        let mut hits: Vec<(String, f64)> = Vec::new();
        while let Some(page) = walk.next().await? {
            let scored = page.ids.into_iter().zip(page.values);
            hits.extend(scored.filter_map(|(id, value)| match value {
                Value::Vector(vector) => Some((id.as_str().to_owned(), score(near, &vector))),
                _ => None,
            }));
            if hits.len() > 4 * k + 10_000 {
                rank(&mut hits, k);
            }
        }
        rank(&mut hits, k);
        let mut ids: Vec<String> = hits.iter().map(|hit| hit.0.clone()).collect();
        let order: Vec<Id> = ids.iter().map(|id| Id::from(id.as_str())).collect();
        ids.sort_unstable();
        let rows = self.inner.rows(shape, shape.first(), &ids, shape.depth(&self.query.columns, dialect)).await?;
        // Rows that went in between are left out.
        let mut page = page(shape, &rows, &self.query.columns, dialect)?.arranged(&order);
        let scores: HashMap<&str, f64> = hits.iter().map(|hit| (hit.0.as_str(), hit.1)).collect();
        page.scores = page.ids.iter().map(|id| scores.get(id.as_str()).copied().unwrap_or(f64::NEG_INFINITY)).collect();
        Ok(page)
    }

    /// The hits' rows as the first space has them. `None` when one is of another version there: then a write is half done,
    /// and only the first space says what is.
    async fn complete(&self, shape: &Shape, space: &Space, hits: Vec<Hit>) -> Result<Option<Page>> {
        let dialect = self.inner.store.dialect();
        let (records, scores): (Vec<Record>, Vec<f64>) = hits.into_iter().unzip();
        if space.name == shape.first().name {
            let mut page = if self.wants_ids_alone(shape, space) {
                let mut ids = Page::new(0);
                records.iter().for_each(|record| ids.push(Id::from(record.id.as_str()), 0, []));
                ids
            } else {
                page(shape, &records, &self.query.columns, dialect)?
            };
            page.scores = scores;
            return Ok(Some(page));
        }
        let mut ids: Vec<String> = records.iter().map(|record| record.id.clone()).collect();
        let order: Vec<Id> = ids.iter().map(|id| Id::from(id.as_str())).collect();
        ids.sort_unstable();
        let rows = self.inner.rows(shape, shape.first(), &ids, shape.depth(&self.query.columns, dialect)).await?;
        let mut page = page(shape, &rows, &self.query.columns, dialect)?.arranged(&order);
        for (at, record) in records.iter().enumerate() {
            if page.ids.get(at).is_none_or(|id| id.as_str() != record.id) || page.versions[at] != version(record)? {
                return Ok(None);
            }
        }
        page.scores = scores;
        Ok(Some(page))
    }
}
