//! Vector search. The server ranks in 32 bits and leaves ties open, so it is asked for some more than `k`. A cosine is told
//! by the server, which is exact enough where none are close; else scores are computed from the vectors it returns, which it
//! looks up in a second round. When it found too few, the matching rows are ranked here.
//!
//! Until an index is built over the rows and loaded, minutes after they are written, the server walks 16 of 128 lists whatever
//! it is told, and what a filter leaves lies in the others. So where a filter leaves few rows, they are all compared here then.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use prost::Message;

use super::driver::Inner;
use super::expression::{self, Expression};
use super::proto::{KeyValuePair, PlaceholderGroup, PlaceholderValue, Search, SearchResults, data_type};
use super::read::{WINDOW, Walk, condition};
use super::rows::{Fields, garbled};
use super::shape::{Collection, Method, Shape, length, metric_name, value_field};
use crate::driver::{NearQuery, Page, PageStream, Reply, SubQuery, few_in_doubt};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::VERSION_COLUMN;
use crate::types::{Id, Metric, Value};

/// Most hits of one search that a caller may ask for.
pub(super) const MAX_K: usize = 10_000;

/// Most hits whose scores are likely to be apart: of 200 most searches are. Their vectors take the server 85 ms to look up.
const FEW: usize = 400;
/// How far a cosine of the server may be off, by the rounding of 32 bits.
pub(super) const ROUNDING: f64 = 2e-6;
/// How many numbers are read, most, to compare all rows that a filter leaves: 10,000 rows of 384, in one message.
const COMPARED: usize = 4 << 20;

/// A row that a search found: its id, its version where it was found, its score.
type Hit = (Id, i64, f64);

/// What the server is asked for, however often: the nearest in one collection of the rows of a condition.
struct Asked<'a> {
    near: &'a NearQuery,
    k: usize,
    collection: &'a Collection,
    method: Method,
    wanted: &'a Expression,
    /// The condition as it is sent.
    expr: String,
}

/// A search under way: one page, computed when asked for.
pub(super) struct Nearest {
    pub inner: Arc<Inner>,
    pub shape: Arc<Shape>,
    pub query: Arc<SubQuery>,
    pub done: bool,
}

impl PageStream for Nearest {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::later(async move {
            if std::mem::replace(&mut self.done, true) {
                return Ok(None);
            }
            let page = self.run().await.map_err(|e| e.of_entity(self.shape.part.entity.name))?;
            Ok(Some(page).filter(|page| !page.is_empty()))
        })
    }
}

/// The score of a vector; `-0.0` is `0.0`, or ties would not be ties.
fn score(near: &NearQuery, vector: &[f32]) -> f64 {
    near.metric.score(&near.vector, vector) + 0.0
}

/// Best first, then by id.
fn rank(hits: &mut Vec<Hit>, k: usize) {
    hits.sort_unstable_by(|a, b| b.2.total_cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
    hits.truncate(k);
}

impl Nearest {
    async fn run(&self) -> Result<Page> {
        let Some(near) = &self.query.near else { return Ok(Page::default()) };
        let k = near.k.min(self.query.limit.unwrap_or(usize::MAX));
        let column = &self.shape.part.columns[near.column];
        if near.k > MAX_K {
            let why = format!("{} hits asked for: Milvus searches for at most {MAX_K}", near.k);
            return Err(Error::new(ErrorKind::LimitExceeded, why).at_field(column.name));
        }
        let wanted = condition(&self.shape.part, &self.query.filter, self.query.ids.as_deref())?.and(expression::has(column));
        let (Some(expr), Some(collection)) = (wanted.text(), self.shape.searching(near.column)) else { return Ok(self.empty()) };
        if k == 0 {
            return Ok(self.empty());
        }
        let method = Method::of(column)?;
        if (!near.exact || method.is_exact())
            && let Some(hits) = self.found(&Asked { near, k, collection, method, wanted: &wanted, expr }).await?
            && let Some(page) = self.complete(&hits, true).await?
        {
            return Ok(page);
        }
        let hits = self.compared(near, k, wanted).await?;
        let page = self.complete(&hits, false).await?;
        page.ok_or_else(|| Error::new(ErrorKind::Internal, "hits cannot be read: please report this"))
    }

    fn empty(&self) -> Page {
        Page::new(self.query.columns.len())
    }

    fn is_filtered(&self) -> bool {
        !self.query.filter.is_all() || self.query.ids.is_some()
    }

    /// Whether the whole index is walked: the embedded server walks as if there were no filter, and gives what is left of that.
    /// By the dot product no walk of its graph comes everywhere.
    fn is_wide(&self, near: &NearQuery) -> bool {
        self.inner.lite && self.is_filtered() && near.metric != Metric::Dot
    }

    /// The nearest by the server's search; `None` where all matching rows are to be compared instead.
    async fn found(&self, asked: &Asked<'_>) -> Result<Option<Vec<Hit>>> {
        let search = self.searched(asked);
        let trusted = asked.method.is_exact() || !self.is_filtered() || self.is_wide(asked.near);
        if trusted || self.inner.is_indexed(&self.shape, asked.near.column).await {
            return search.await;
        }
        // Counted beside the search, and without waiting for the last writes: it decides over the way alone.
        let most = COMPARED / asked.near.vector.len().max(1);
        let few = |count: &i64| usize::try_from(*count).is_ok_and(|count| count <= most);
        match select(pin!(self.inner.roughly(&self.shape, asked.wanted)), pin!(search)).await {
            Either::Left((Ok(count), _)) if few(&count) => Ok(None),
            Either::Left((_, search)) => search.await,
            Either::Right((found, count)) => {
                let found = found?;
                Ok(if count.await.as_ref().is_ok_and(few) { None } else { found })
            }
        }
    }

    /// The nearest by the server's search; `None` when it cannot be sure of them.
    async fn searched(&self, asked: &Asked<'_>) -> Result<Option<Vec<Hit>>> {
        let &Asked { near, k, method, wanted, .. } = asked;
        let rough = self.query.rough;
        // Some beyond `k`, to see whether there is doubt at its edge; of a rough search the caller sees to that.
        let more = if rough && !method.is_exact() { 0 } else { (k / 8).max(16) };
        let mut most = (k + more).min(WINDOW);
        let mut told = near.metric == Metric::Cosine && (k <= FEW || rough);
        loop {
            let mut hits = match self.ask(asked, most, told).await {
                // Too large an answer: read in pages instead.
                Err(error) if error.kind() == ErrorKind::LimitExceeded => return Ok(None),
                other => other?,
            };
            let settled = !told || if rough { hits.iter().all(|hit| hit.2.is_finite()) } else { self.settle(near, &mut hits, k).await? };
            if !settled {
                told = false;
                continue;
            }
            if hits.len() < most {
                // An index walked under a filter gives up early; so few are believed only when there are no more.
                let all = hits.len() >= k && !method.is_exact();
                if !all && self.inner.count(&self.shape, wanted).await? != i64::try_from(hits.len()).unwrap_or(i64::MAX) {
                    return Ok(None);
                }
                rank(&mut hits, k);
                return Ok(Some(hits));
            }
            let worst = hits.iter().map(|hit| hit.2).fold(f64::INFINITY, f64::min);
            rank(&mut hits, k);
            let last = hits.last().map_or(0.0, |hit| hit.2);
            // Beyond the hits nothing can tie with the last one, as far as 32 bits can tell.
            if !method.is_exact() || last > worst + slack(near, last) {
                return Ok(Some(hits));
            }
            if most >= WINDOW {
                return Ok(None);
            }
            most = (most * 4).min(WINDOW);
        }
    }

    /// Sorts hits by the scores that the server told, and scores those again, from their vectors, whose order that leaves in doubt
    /// among the first `k`. `false` where all are to be: too many are, or one is no longer what the search saw.
    async fn settle(&self, near: &NearQuery, hits: &mut [Hit], k: usize) -> Result<bool> {
        hits.sort_unstable_by(|a, b| b.2.total_cmp(&a.2));
        if hits.iter().any(|hit| !hit.2.is_finite()) {
            return Ok(false);
        }
        let scores: Vec<f64> = hits.iter().map(|hit| hit.2).collect();
        // The slack of cosines, which alone are told, is the same for every score.
        let Some(doubtful) = few_in_doubt(&scores, k, hits.len(), slack(near, 1.0)) else { return Ok(false) };
        if doubtful.is_empty() {
            return Ok(true);
        }
        let ids: Vec<Id> = doubtful.iter().map(|at| hits[*at].0.clone()).collect();
        let mut found = self.inner.by_ids(&self.shape, &ids, &[near.column], self.inner.usual(&self.shape)).await?;
        if found.len() != ids.len() {
            return Ok(false);
        }
        for (row, at) in doubtful.into_iter().enumerate() {
            let hit = &mut hits[at];
            let Some(Value::Vector(vector)) = found.row_mut(row).first() else { return Ok(false) };
            let now = score(near, vector);
            if found.versions[row] != hit.1 || (now - hit.2).abs() > slack(near, now) {
                return Ok(false);
            }
            hit.2 = now;
        }
        Ok(true)
    }

    /// One search by the server for so many; `told`: with the scores that it tells, instead of those of the vectors it returns.
    async fn ask(&self, asked: &Asked<'_>, most: usize, told: bool) -> Result<Vec<Hit>> {
        let &Asked { near, collection, method, .. } = asked;
        let column = &self.shape.part.columns[near.column];
        let vector: Vec<u8> = near.vector.iter().flat_map(|n| n.to_le_bytes()).collect();
        let placeholder = PlaceholderValue { tag: "$0".to_owned(), data_type: data_type::FLOAT_VECTOR, values: vec![vector] };
        let field = value_field(column);
        let wide = self.is_wide(near);
        let request = Search {
            db_name: self.inner.client.database(),
            collection_name: collection.name.clone(),
            dsl: asked.expr.clone(),
            placeholder_group: PlaceholderGroup { placeholders: vec![placeholder] }.encode_to_vec(),
            dsl_type: 1,
            output_fields: std::iter::once(VERSION_COLUMN.to_owned()).chain((!told).then(|| field.clone())).collect(),
            search_params: vec![
                KeyValuePair::new("anns_field", &field),
                KeyValuePair::new("topk", most),
                KeyValuePair::new("metric_type", metric_name(near.metric)),
                KeyValuePair::new("params", method.search(most, wide)),
                KeyValuePair::new("round_decimal", -1),
                KeyValuePair::new("offset", 0),
            ],
            nq: 1,
            consistency_level: self.inner.usual(&self.shape).level(),
        };
        let answer: SearchResults = self.inner.client.read("Search", request).await?;
        let Some(results) = answer.results else { return Ok(Vec::new()) };
        let ids = results.ids.unwrap_or_default();
        if ids.int_id.is_some_and(|ids| !ids.data.is_empty()) {
            return Err(garbled("ids that are texts"));
        }
        let ids = ids.str_id.map(|ids| ids.data).unwrap_or_default();
        let mut fields = Fields::new(results.fields_data, Some(ids))?;
        let scores: Vec<f64> = if told {
            // One that is no number stays none: it is not believed.
            let cosine = |score: f64| if score.is_finite() { score.clamp(-1.0, 1.0) + 0.0 } else { f64::NAN };
            results.scores.iter().map(|score| cosine(f64::from(*score))).collect()
        } else {
            let length = length(column);
            let vectors = fields.vectors(&field, length)?;
            vectors.chunks_exact((length as usize).max(1)).map(|vector| score(near, vector)).collect()
        };
        let found = fields.into_page(&self.shape, &[])?;
        if found.len() != scores.len() {
            return Err(garbled("a score for each row"));
        }
        let mut hits: Vec<Hit> =
            found.ids.into_iter().zip(found.versions).zip(scores).map(|((id, version), score)| (id, version, score)).collect();
        hits.sort_by(|a, b| a.0.cmp(&b.0));
        hits.dedup_by(|a, b| a.0 == b.0);
        Ok(hits)
    }

    /// The nearest by comparing with every matching row: exact.
    async fn compared(&self, near: &NearQuery, k: usize, wanted: Expression) -> Result<Vec<Hit>> {
        let rows = (COMPARED / near.vector.len().max(1)).clamp(1_024, WINDOW);
        let mut walk = Walk::by(self.inner.clone(), self.shape.clone(), wanted, vec![near.column], rows);
        let mut hits: Vec<Hit> = Vec::new();
        while let Some(page) = walk.next().await? {
            let scored = page.ids.into_iter().zip(page.versions).zip(page.values);
            hits.extend(scored.filter_map(|((id, version), value)| match value {
                Value::Vector(vector) => Some((id, version, score(near, &vector))),
                _ => None,
            }));
            if hits.len() > 4 * k + 10_000 {
                rank(&mut hits, k);
            }
        }
        rank(&mut hits, k);
        Ok(hits)
    }

    /// The hits' rows from the first collection, in the hits' order. `None` when one is of another version there: then
    /// a write is half done, and only the first collection says what is.
    async fn complete(&self, hits: &[Hit], strict: bool) -> Result<Option<Page>> {
        let near = self.query.near.as_ref().map_or(0, |near| near.column);
        let elsewhere = self.shape.first().vector != Some(near);
        if self.query.columns.is_empty() && !(elsewhere && strict) {
            let mut page = Page::new(0);
            for (id, version, score) in hits {
                page.push(id.clone(), *version, []);
                page.scores.push(*score);
            }
            return Ok(Some(page));
        }
        let ids: Vec<Id> = hits.iter().map(|hit| hit.0.clone()).collect();
        let mut page = self.inner.by_ids(&self.shape, &ids, &self.query.columns, self.inner.usual(&self.shape)).await?;
        let same = page.len() == hits.len() && page.versions.iter().zip(hits).all(|(version, hit)| *version == hit.1);
        if !same && strict {
            return Ok(None);
        }
        // Rows that went in between are left out.
        let scores: std::collections::HashMap<&str, f64> = hits.iter().map(|hit| (hit.0.as_str(), hit.2)).collect();
        page.scores = page.ids.iter().map(|id| scores.get(id.as_str()).copied().unwrap_or(f64::NEG_INFINITY)).collect();
        Ok(Some(page))
    }
}

/// How far a score of the server may be off, by the rounding of 32 bits.
fn slack(near: &NearQuery, score: f64) -> f64 {
    let norm = near.vector.iter().map(|n| f64::from(*n).powi(2)).sum::<f64>().sqrt();
    match near.metric {
        Metric::Cosine => ROUNDING,
        Metric::Dot => ROUNDING * (score.abs() + norm * (1.0 + norm)),
        Metric::L2 => ROUNDING * score.abs(),
    }
}
