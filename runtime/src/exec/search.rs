//! Searches: nearest vectors with filters wherever they live, best texts, and both fused by reciprocal rank.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::try_join_all;

use super::assemble::{ResultPage, Shape};
use super::candidates::{Candidates, among, asks_owner, probe, restrict_all};
use super::ids::IdStream;
use super::part::{PartStream, cut};
use super::rows::RowStream;
use super::sizes::{of_part as count_of, sizes};
use super::{Context, text_score};
use crate::driver::{NearQuery, SubQuery, best_first};
use crate::error::Result;
use crate::filter::Filter;
use crate::plan::{Group, Plan, PlannedSearch, Purpose, Target};
use crate::types::Id;

/// So many candidates are compared one by one whatever it is that they are chosen from.
const SURELY_FEW: usize = 1024;
/// What reading a candidate's id and finding its row costs; what looking at a vector costs, besides its numbers of which
/// four take one; and what asking about an id costs. In nanoseconds, roughly, of backends in this process.
const CANDIDATE: usize = 600;
const VECTOR: usize = 10;
const PROBE: usize = 1000;
/// The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009).
const RANK_CONSTANT: f64 = 60.0;

/// Ids with their scores, best first, ties by id.
type Ranking = Vec<(Id, f64)>;

/// The rows of a plan that searches, in one page, best first.
///
/// # Errors
/// What the backends say.
pub async fn run(context: &Context) -> Result<ResultPage> {
    let plan = &context.plan;
    let Some(search) = &plan.search else { return Ok(ResultPage::default()) };
    let ranking = rank(context, search).await?;
    let (ids, scores) = ranking.into_iter().unzip();
    let ResultPage(page) = Shape::new(&plan.outputs).fetch(context, ids, scores, true).await?;
    let (mut skip, mut left) = (plan.offset, plan.limit);
    Ok(ResultPage(cut(page, &mut skip, &mut left)))
}

async fn rank(context: &Context, search: &PlannedSearch) -> Result<Ranking> {
    match search {
        PlannedSearch::Near { part, column, vector, metric, k } => {
            let near = NearQuery { column: *column, vector: vector.clone(), metric: *metric, k: *k, exact: context.plan.exact };
            nearest(context, *part, near).await
        }
        PlannedSearch::Matches { groups, text, words, k } => best_texts(context, groups, *text, words, *k).await,
        PlannedSearch::Hybrid { searches, k } => {
            // Each asks for other rows, often another backend: together they take as long as the slowest.
            let lists = try_join_all(searches.iter().map(|search| Box::pin(rank(context, search)))).await?;
            Ok(fuse(lists, *k))
        }
    }
}

fn sort(ranking: &mut Ranking, k: usize) {
    ranking.sort_unstable_by(|a, b| best_first(a.1, b.1).then_with(|| a.0.cmp(&b.0)));
    ranking.truncate(k);
}

fn fuse(lists: Vec<Ranking>, k: usize) -> Ranking {
    let mut fused: HashMap<Id, f64> = HashMap::new();
    for list in lists {
        for (rank, (id, _)) in list.into_iter().enumerate() {
            *fused.entry(id).or_default() += 1.0 / (RANK_CONSTANT + rank as f64 + 1.0);
        }
    }
    let mut ranking: Ranking = fused.into_iter().collect();
    sort(&mut ranking, k);
    ranking
}

async fn nearest(context: &Context, part: usize, near: NearQuery) -> Result<Ranking> {
    if near.k == 0 || context.plan.groups.iter().any(|g| matches!(g, Group::Part { filter, .. } if filter.is_none())) {
        return Ok(Vec::new());
    }
    let own = |g: &&Group| matches!(g, Group::Part { part: p, .. } if *p == part);
    let filter = match context.plan.groups.iter().find(own) {
        Some(Group::Part { filter, .. }) => filter.clone(),
        _ => Filter::all(),
    };
    let others: Vec<Group> = context.plan.groups.iter().filter(|g| !own(g)).cloned().collect();
    if others.is_empty() {
        let first = near.k;
        return widened(context, part, near, filter, &[], first).await;
    }
    let candidates = context.bounds.candidates;
    if let Some(first) = dense(context, part, &near, &others).await? {
        return widened(context, part, near, filter, &others, first).await;
    }
    match probe(context, &others, None, candidates, 0).await? {
        Candidates::Few(ids) => {
            let ranking = over_candidates(context, part, &near, &filter, &ids).await?;
            if asks_owner(&others) {
                return Ok(ranking);
            }
            let found = ranking.len();
            let kept = existing(context, part, ranking).await?;
            if kept.len() == found {
                return Ok(kept);
            }
            // Orphans took places: without them there may be more rows.
            let ids = among(context, Target::OWNER, Purpose::Exists, &Filter::all(), ids).await?;
            over_candidates(context, part, &near, &filter, &ids).await
        }
        Candidates::Many(_) => {
            let first = near.k.saturating_mul(4);
            widened(context, part, near, filter, &others, first).await
        }
    }
}

/// Exact over candidates: each chunk of ids gives its best, the best of all are kept.
async fn over_candidates(context: &Context, part: usize, near: &NearQuery, filter: &Filter, ids: &[Id]) -> Result<Ranking> {
    let chunk = context.target.describe(part).max_ids.max(1);
    let mut ranking = Ranking::new();
    for ids in ids.chunks(chunk) {
        let near = NearQuery { exact: true, ..near.clone() };
        let query = SubQuery { filter: filter.clone(), ids: Some(Arc::from(ids)), near: Some(near), ..SubQuery::default() };
        let page = PartStream::open(context, part, Purpose::Near, query).await?.collect(0).await?;
        ranking.extend(page.ids.into_iter().zip(page.scores));
    }
    sort(&mut ranking, near.k);
    Ok(ranking)
}

/// Whether so many rows satisfy the other groups that searching all and asking which of the nearest satisfy them costs less
/// than comparing those one by one; then, for how many to ask first.
async fn dense(context: &Context, part: usize, near: &NearQuery, others: &[Group]) -> Result<Option<usize>> {
    let sizes = sizes(context, others, context.bounds.candidates).await?;
    let Some(matching) = sizes.iter().filter_map(|size| size.bound()).min().filter(|matching| *matching > SURELY_FEW) else {
        return Ok(None);
    };
    let most = matching.saturating_mul(CANDIDATE);
    let Some(all) = count_of(context, part, &Filter::all(), most).await?.filter(|all| *all <= most as u64) else { return Ok(None) };
    // A half more than chance lets through, so that asking once is mostly enough.
    let first = (near.k as u64 * all * 3 / 2 / matching as u64) as usize + 16;
    let search = all as usize * (VECTOR + near.vector.len() / 4) + first * PROBE;
    Ok((search < most).then_some(first))
}

/// Asks for more and more until `k` rows satisfy the other groups too, or there are no more.
async fn widened(context: &Context, part: usize, near: NearQuery, filter: Filter, others: &[Group], first: usize) -> Result<Ranking> {
    let most = context.target.describe(part).max_k.max(1);
    let sure = others.is_empty() && part == Target::OWNER;
    let mut k = first;
    loop {
        let asked = k.min(most);
        let query = SubQuery {
            filter: filter.clone(),
            near: Some(NearQuery { k: asked, ..near.clone() }),
            page_rows: asked,
            ..SubQuery::default()
        };
        let page = PartStream::open(context, part, Purpose::Near, query).await?.collect(0).await?;
        let exhausted = page.len() < asked;
        let mut ranking: Ranking = page.ids.into_iter().zip(page.scores).collect();
        if !sure {
            let mut ids: Vec<Id> = ranking.iter().map(|(id, _)| id.clone()).collect();
            ids.sort_unstable();
            let ids = restrict_all(context, others, ids).await?;
            ranking.retain(|(id, _)| ids.binary_search(id).is_ok());
            if !asks_owner(others) {
                ranking = existing(context, part, ranking).await?;
            }
        }
        if ranking.len() >= near.k || exhausted {
            sort(&mut ranking, near.k);
            return Ok(ranking);
        }
        if asked == most || asked >= context.bounds.candidates {
            return everything(context, part, &near, &filter, others).await;
        }
        k = asked.saturating_mul(4);
    }
}

/// Exact over all rows that satisfy the other groups, in chunks: the end of widening.
async fn everything(context: &Context, part: usize, near: &NearQuery, filter: &Filter, others: &[Group]) -> Result<Ranking> {
    let mut streams: Vec<IdStream> = others.iter().map(|g| IdStream::of_group(context, g, None, 8192)).collect();
    if streams.is_empty() {
        streams.push(IdStream::of_part(context, Target::OWNER, Purpose::Exists, Filter::all(), None, 8192));
    }
    let (mut stream, mut ranking) = (IdStream::intersection(streams), Ranking::new());
    while let Some(ids) = stream.next().await? {
        let ids = if others.is_empty() || asks_owner(others) {
            ids
        } else {
            among(context, Target::OWNER, Purpose::Exists, &Filter::all(), ids).await?
        };
        ranking.extend(over_candidates(context, part, near, filter, &ids).await?);
        sort(&mut ranking, near.k);
    }
    Ok(ranking)
}

/// Without the ids that have no row on the owner.
async fn existing(context: &Context, part: usize, mut ranking: Ranking) -> Result<Ranking> {
    if part == Target::OWNER || ranking.is_empty() {
        return Ok(ranking);
    }
    let mut ids: Vec<Id> = ranking.iter().map(|(id, _)| id.clone()).collect();
    ids.sort_unstable();
    let ids = among(context, Target::OWNER, Purpose::Exists, &Filter::all(), ids).await?;
    ranking.retain(|(id, _)| ids.binary_search(id).is_ok());
    Ok(ranking)
}

async fn best_texts(context: &Context, groups: &[Group], text: crate::plan::Output, words: &[String], k: usize) -> Result<Ranking> {
    if k == 0 {
        return Ok(Vec::new());
    }
    let plan = Plan {
        groups: groups.to_vec(),
        outputs: vec![text],
        order: Vec::new(),
        after: None,
        limit: None,
        offset: 0,
        search: None,
        exact: false,
        aggregate: None,
    };
    let mut rows = RowStream::open(context.with_plan(plan)).await?;
    let mut ranking = Ranking::new();
    while let Some(ResultPage(page)) = rows.next().await? {
        for row in 0..page.len() {
            let score = page.row(row)[0].as_text().map_or(0.0, |t| text_score(t, words));
            ranking.push((page.ids[row].clone(), score));
        }
        if ranking.len() > 2 * k.max(4096) {
            sort(&mut ranking, k);
        }
    }
    sort(&mut ranking, k);
    Ok(ranking)
}
