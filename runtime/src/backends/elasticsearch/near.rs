//! Vector search.
//!
//! A column without an index is searched exactly by the server (`flat`). A column with one has an exact twin beside it.
//! The server ranks by 32-bit scores and breaks ties by nothing that means anything; so more than `k` rows are asked
//! for, scored here from the vectors as they were written, and asked for again wider while the edge is a tie.
//! The vectors of a few hits are most of an answer, and reading them most of the server's work: where the server's own scores
//! are exact enough (a cosine's are), only the vectors of rows whose scores are close are asked for.

use std::cmp::Ordering;

use serde_json::json;

use super::document::{field, is_approximate, source_of};
use super::driver::Shared;
use super::fields::Origin;
use super::query::{every, exists, of_ids};
use super::search::matching;
use crate::backends::fewer::fewer;
use crate::driver::{self, NearQuery, Page, SubQuery, few_in_doubt};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};
use crate::types::{Id, Json, Metric, Value};

/// Most rows of one vector search: the server's bound on candidates.
pub(super) const MOST: usize = 10_000;
/// Most hits whose scores are likely to be apart, but for a few.
const FEW: usize = 100;
/// Rows a page of the walk over all vectors.
const WALK: usize = 1_000;
/// Candidates a shard keeps while it walks a graph, when the entity does not say.
const CANDIDATES: usize = 200;

/// Two scores of the server this close, relative to their size, may be in the wrong order.
const BLUR: f64 = 1e-5;

/// A row found, with its score as `docs/semantics.md` defines it.
struct Scored {
    id: Id,
    version: i64,
    score: f64,
    values: Vec<Value>,
}

fn best_first(a: &Scored, b: &Scored) -> Ordering {
    driver::best_first(a.score, b.score).then_with(|| a.id.cmp(&b.id))
}

/// The nearest rows of those that match, best first.
pub(super) async fn search(shared: &Shared, part: &Part, query: &SubQuery, near: &NearQuery) -> Result<Page> {
    let column = part.columns.get(near.column).ok_or_else(|| Error::new(ErrorKind::Internal, "a search of a column that is not there"))?;
    let k = near.k.min(query.limit.unwrap_or(usize::MAX));
    let mut found = Vec::new();
    if k > 0 {
        let filter = matching(shared, part, &query.filter, query.ids.as_deref())?;
        let exact_field = if is_approximate(column) { field("e", column) } else { field("f", column) };
        // A search among given rows is exact: a graph that is walked for them would lose some.
        let quick = is_approximate(column) && !near.exact && query.ids.is_none();
        let most = MOST.min(shared.limits(part).rows);
        if quick && k <= most {
            // A graph may lose sight of rows behind a filter: fewer than k are believed of the exact search only.
            match ask(shared, part, query, near, &filter, &field("f", column), k, (k + 16).min(most)).await {
                Err(error) if error.kind() == ErrorKind::LimitExceeded => {}
                hits => found = hits?.0,
            }
        }
        if found.len() < k {
            found = exactly(shared, part, query, near, &filter, &exact_field, k).await?;
        }
    }
    found.sort_by(best_first);
    found.truncate(k);
    let mut page = Page::new(query.columns.len());
    for row in found {
        page.push(row.id, row.version, row.values);
        page.scores.push(row.score);
    }
    Ok(page)
}

/// The exact search: widened until the edge is no tie, and by a walk over every vector when widening has an end.
async fn exactly(
    shared: &Shared,
    part: &Part,
    query: &SubQuery,
    near: &NearQuery,
    filter: &Json,
    at: &str,
    k: usize,
) -> Result<Vec<Scored>> {
    let mut size = k + k / 8 + 16;
    let most = MOST.min(shared.limits(part).rows);
    while size <= most {
        let (rows, scores) = match ask(shared, part, query, near, filter, at, k, size).await {
            // Too large an answer: read in pages instead.
            Err(error) if error.kind() == ErrorKind::LimitExceeded => break,
            hits => hits?,
        };
        if rows.len() < size {
            return Ok(rows);
        }
        let (kth, last) = (scores[k - 1], scores[size - 1]);
        if kth - last > BLUR * kth.abs() {
            return Ok(rows);
        }
        if size == most {
            break;
        }
        size = (size * 4).min(most);
    }
    walk(shared, part, query, near, filter, k).await
}

/// One search by the server for `size` rows of which the first `k` matter: the rows with their scores, and the server's scores
/// in its order.
#[allow(clippy::too_many_arguments, reason = "what a search is made of, and how far it goes")]
async fn ask(
    shared: &Shared,
    part: &Part,
    query: &SubQuery,
    near: &NearQuery,
    filter: &Json,
    at: &str,
    k: usize,
    size: usize,
) -> Result<(Vec<Scored>, Vec<f64>)> {
    let column = part.columns.get(near.column);
    let mut body = json!({
        "size": size,
        "knn": {
            "field": at,
            "query_vector": near.vector.iter().copied().collect::<Vec<f32>>(),
            "k": size,
            "num_candidates": size.max(candidates(column)).min(MOST),
            "filter": filter,
        },
        "track_total_hits": false,
    });
    let told = |hit: &super::api::Hit| hit.score.unwrap_or_default();
    if near.metric == Metric::Cosine && k <= FEW {
        let origin = Origin::of(part, &query.columns, &shared.limits(part), &shared.lengths);
        origin.ask(part, &query.columns, &mut body);
        let hits = shared.api.search(&part.table, &body, shared.api.http.deadline()).await?.hits.hits;
        let scores: Vec<f64> = hits.iter().map(told).collect();
        if let Some(doubtful) = few_in_doubt(&scores, k, size, blur_of_cosines(near.vector.len())) {
            let rows = hits.into_iter().map(|hit| by_told_cosine(part, query, origin, hit)).collect::<Result<Option<Vec<_>>>>()?;
            // A text that may be cut is read from the document, as the vectors are.
            if let Some(mut rows) = rows
                && (doubtful.is_empty() || settle(shared, part, near, &mut rows, &doubtful).await?)
            {
                note(shared, part, query, &rows);
                return Ok((rows, scores));
            }
        }
    }
    let columns = with_vector(query, near);
    Origin::Source.ask(part, &columns, &mut body);
    let hits = shared.api.search(&part.table, &body, shared.api.http.deadline()).await?.hits.hits;
    let scores = hits.iter().map(told).collect();
    let rows = hits.into_iter().map(|hit| scored(part, &columns, near, hit)).collect::<Result<Vec<_>>>()?;
    let rows: Vec<Scored> = rows.into_iter().flatten().collect();
    note(shared, part, query, &rows);
    Ok((rows, scores))
}

fn note(shared: &Shared, part: &Part, query: &SubQuery, rows: &[Scored]) {
    shared.lengths.note(part, &query.columns, rows.iter().map(|row| row.values.as_slice()));
}

/// Scores rows from their vectors, where the server's scores leave their order in doubt. `false` where that cannot be done because
/// a row is no longer what the search saw: the scores mean nothing then.
async fn settle(shared: &Shared, part: &Part, near: &NearQuery, rows: &mut [Scored], doubtful: &[usize]) -> Result<bool> {
    let columns = [near.column];
    let ids = of_ids(doubtful.iter().map(|at| rows[*at].id.as_str()));
    let mut body = json!({ "size": doubtful.len(), "query": shared.limits(part).split(ids), "track_total_hits": false });
    Origin::Source.ask(part, &columns, &mut body);
    let hits = shared.api.search(&part.table, &body, shared.api.http.deadline()).await?.hits.hits;
    let found = hits.into_iter().map(|hit| scored(part, &columns, near, hit)).collect::<Result<Vec<_>>>()?;
    for at in doubtful {
        let row = &mut rows[*at];
        let Some(now) = found.iter().flatten().find(|now| now.id == row.id) else { return Ok(false) };
        // A row that was deleted and came again may have the version it had. The server's score is half of the cosine's range.
        if now.version != row.version || (now.score - row.score).abs() > 2.0 * BLUR {
            return Ok(false);
        }
        row.score = now.score;
    }
    Ok(true)
}

/// A hit with the score that the server tells of it: half of one more than the cosine.
fn by_told_cosine(part: &Part, query: &SubQuery, origin: Origin, hit: super::api::Hit) -> Result<Option<Scored>> {
    let score = (hit.score.unwrap_or_default() * 2.0 - 1.0).clamp(-1.0, 1.0) + 0.0;
    let row = origin.row(part, &query.columns, hit)?;
    Ok(row.map(|row| Scored { id: row.id, version: row.version, score, values: row.values }))
}

/// How far apart two scores of cosines have to be for their order to be believed: the server adds up in 32 bits, and its error
/// grows with the vectors' length at worst. Of 384 numbers it was off by 1.2e-7 at most among 2,400 scores.
fn blur_of_cosines(length: usize) -> f64 {
    1e-6 * (length as f64 / 384.0).max(1.0)
}

/// How many candidates each shard keeps for a search.
fn candidates(column: Option<&Column>) -> usize {
    let given = column.and_then(|column| column.index).and_then(|index| index.parameters.iter().find(|(name, _)| *name == "ef"));
    given.and_then(|(_, value)| usize::try_from(*value).ok()).unwrap_or(CANDIDATES)
}

/// The columns asked for, and behind them the vector.
fn with_vector(query: &SubQuery, near: &NearQuery) -> Vec<usize> {
    let mut columns = query.columns.clone();
    columns.push(near.column);
    columns
}

/// A hit of these columns, the last of which is the vector, with the score of its vector.
fn scored(part: &Part, columns: &[usize], near: &NearQuery, hit: super::api::Hit) -> Result<Option<Scored>> {
    let mut values = hit.source.values(part, columns)?;
    let vector = values.pop().unwrap_or_default();
    Ok(vector.as_vector().map(|numbers| Scored {
        id: Id::from(hit.id),
        version: hit.source.hb.version,
        score: near.metric.score(&near.vector, numbers),
        values,
    }))
}

/// Every vector of the rows that match, scored here: what is left when more rows tie than the server returns at once.
/// Memory holds the best `k` and one page.
async fn walk(shared: &Shared, part: &Part, query: &SubQuery, near: &NearQuery, filter: &Json, k: usize) -> Result<Vec<Scored>> {
    let there = part.columns.get(near.column).map(|c| exists(&field("f", c)));
    let mut rows = WALK.min(shared.limits(part).rows);
    let columns = with_vector(query, near);
    let mut body = json!({
        "query": every(there.into_iter().chain([filter.clone()]).collect()),
        "sort": [{ super::document::ID: "asc" }],
        "_source": source_of(part, &columns),
        "track_total_hits": false,
    });
    let mut best: Vec<Scored> = Vec::new();
    let mut after: Option<String> = None;
    let api = &shared.api;
    let mut point = api.open_point(&part.table, api.http.deadline()).await?;
    loop {
        if let Some(after) = &after {
            body["search_after"] = json!([after]);
        }
        body["size"] = rows.into();
        let hits = match point.search(body.clone(), api.http.deadline()).await {
            Ok(found) => found.hits.hits,
            Err(error) => {
                rows = fewer(error, rows)?;
                continue;
            }
        };
        let count = hits.len();
        after = hits.last().map(|hit| hit.id.clone());
        for hit in hits {
            best.extend(scored(part, &columns, near, hit)?);
        }
        if best.len() > k {
            best.sort_by(best_first);
            best.truncate(k);
        }
        if count < rows {
            return Ok(best);
        }
    }
}
