//! The nearest vectors with filters wherever they live: candidates whose ids are pushed, or hits of which those are kept that
//! satisfy the filters, more and more of them.

use std::collections::HashMap;
use std::sync::Arc;

use super::Context;
use super::candidates::{Candidates, among, asks_owner, probe, restrict_all};
use super::ids::IdStream;
use super::part::PartStream;
use super::search::{Ranking, sort};
use super::sizes::{of_part as count_of, sizes};
use crate::driver::{NearQuery, SearchCosts, SubQuery, in_doubt};
use crate::error::Result;
use crate::filter::Filter;
use crate::plan::{Group, Purpose, Target};
use crate::types::Id;

/// Candidates that take no longer than this are compared one by one, whatever it is that they are chosen from. In nanoseconds,
/// as all costs of searches.
const SURELY_LITTLE: u64 = 600_000;
/// What asking another backend about the id of a hit costs.
const PROBE: u64 = 1_000;
/// How far all rows are counted at most.
const MOST_COUNTED: usize = 4_000_000;

/// The nearest rows of a part that satisfy every group of the plan.
pub(super) async fn nearest(context: &Context, part: usize, near: NearQuery) -> Result<Ranking> {
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

/// The nearest of candidates: each chunk of ids gives its best, the best of all are kept. Exact, but where the backend's own
/// search among so many ids is as good.
async fn over_candidates(context: &Context, part: usize, near: &NearQuery, filter: &Filter, ids: &[Id]) -> Result<Ranking> {
    let chunk = context.target.describe(part).max_ids.max(1);
    let mut ranking = Ranking::new();
    let among = costs(context, part, near).searches_among;
    for ids in ids.chunks(chunk) {
        let near = NearQuery { exact: near.exact || among.is_none_or(|least| ids.len() < least), ..near.clone() };
        let query = SubQuery { filter: filter.clone(), ids: Some(Arc::from(ids)), near: Some(near), ids_only: true, ..SubQuery::default() };
        let page = PartStream::open(context, part, Purpose::Near, query).await?.collect(0).await?;
        ranking.extend(page.ids.into_iter().zip(page.scores));
    }
    sort(&mut ranking, near.k);
    Ok(ranking)
}

fn costs(context: &Context, part: usize, near: &NearQuery) -> SearchCosts {
    context.target.driver(part).search_costs(context.target.part(part), near)
}

/// Whether so many rows satisfy the other groups that searching all and asking which of the nearest satisfy them costs less
/// than comparing those one by one; then, for how many to ask first.
async fn dense(context: &Context, part: usize, near: &NearQuery, others: &[Group]) -> Result<Option<usize>> {
    let Some(matching) = matching(context, others).await? else { return Ok(None) };
    let costs = costs(context, part, near);
    let candidates = (matching as u64).saturating_mul(costs.candidate);
    if candidates <= SURELY_LITTLE {
        return Ok(None);
    }
    // To look at more rows than that takes longer; where an index leads to them, the count is what takes long.
    let most = usize::try_from(candidates.checked_div(costs.row).unwrap_or(u64::MAX)).unwrap_or(usize::MAX).min(MOST_COUNTED);
    let Some(all) = total(context, part, most).await? else { return Ok(None) };
    if all > most as u64 && costs.row > 0 {
        return Ok(None);
    }
    // A half more than chance lets through, so that asking once is mostly enough.
    let first = (near.k as u64).saturating_mul(all).saturating_mul(3) / (2 * matching as u64) + 16;
    let search = all.saturating_mul(costs.row).saturating_add(first.saturating_mul(costs.hit + PROBE));
    let first = rounded(usize::try_from(first).unwrap_or(usize::MAX));
    Ok((search < candidates && first <= context.target.describe(part).max_k).then_some(first))
}

/// The next number of the form 2^n or 3 * 2^n: statements that say how many they want are few then.
fn rounded(n: usize) -> usize {
    let power = n.checked_next_power_of_two().unwrap_or(usize::MAX);
    let less = power / 4 * 3;
    if less >= n { less } else { power }
}

/// At most how many rows satisfy the other groups, if that is known, as far as candidates are gathered.
async fn matching(context: &Context, others: &[Group]) -> Result<Option<usize>> {
    let (cap, totals) = (context.bounds.candidates, &context.target.totals);
    if let [Group::Part { part, filter }] = others {
        if let Some(rows) = totals.known(*part, filter, cap) {
            return Ok(usize::try_from(rows).ok().filter(|rows| *rows <= cap));
        }
        let rows = sizes(context, others, cap).await?.first().and_then(|size| size.bound());
        totals.note(*part, filter, cap, rows.map_or(u64::MAX, |rows| rows as u64));
        return Ok(rows);
    }
    Ok(sizes(context, others, cap).await?.iter().filter_map(|size| size.bound()).min())
}

/// How many rows there are, roughly and as far as `cap`: of the owner where it is in this process, for counting costs least there.
async fn total(context: &Context, part: usize, cap: usize) -> Result<Option<u64>> {
    let near = context.target.describe(Target::OWNER).embedded;
    for of in if near { [Target::OWNER, part] } else { [part, Target::OWNER] } {
        let (totals, all) = (&context.target.totals, Filter::all());
        if let Some(known) = totals.known(of, &all, cap) {
            return Ok(Some(known));
        }
        if let Some(rows) = count_of(context, of, &all, cap).await? {
            totals.note(of, &all, cap, rows);
            return Ok(Some(rows));
        }
    }
    Ok(None)
}

/// Asks for more and more until `k` rows satisfy the other groups too, or there are no more.
async fn widened(context: &Context, part: usize, near: NearQuery, filter: Filter, others: &[Group], first: usize) -> Result<Ranking> {
    let most = context.target.describe(part).max_k.max(1);
    let sure = others.is_empty() && part == Target::OWNER;
    let costs = costs(context, part, &near);
    // What satisfies the others may lie far down.
    let exact = near.exact || !others.is_empty() && !costs.finds_far;
    // Of many hits few are kept: only their places matter.
    let mut rough = costs.rough.filter(|_| !others.is_empty());
    let mut k = first;
    loop {
        let asked = k.min(most);
        let query = SubQuery {
            filter: filter.clone(),
            near: Some(NearQuery { k: asked, exact, ..near.clone() }),
            page_rows: asked,
            ids_only: true,
            rough: rough.is_some(),
            ..SubQuery::default()
        };
        let page = PartStream::open(context, part, Purpose::Near, query).await?.collect(0).await?;
        let exhausted = page.len() < asked;
        let worst = page.scores.iter().copied().fold(f64::INFINITY, f64::min);
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
            if let Some(blur) = rough {
                let behind = if exhausted { f64::NEG_INFINITY } else { worst + 2.0 * blur };
                if !settled(context, part, &near, &mut ranking, blur, behind).await? {
                    rough = None;
                    continue;
                }
            }
            sort(&mut ranking, near.k);
            return Ok(ranking);
        }
        if asked == most || asked >= context.bounds.candidates {
            return everything(context, part, &near, &filter, others).await;
        }
        k = asked.saturating_mul(4);
    }
}

/// Gives those of the first `k` rows true scores whose places rough ones leave in doubt. Rows that were not found score at most
/// `behind`. `false` where all are to be asked for again: one of those may belong among the first, or a row has changed.
async fn settled(context: &Context, part: usize, near: &NearQuery, ranking: &mut Ranking, blur: f64, behind: f64) -> Result<bool> {
    let all = ranking.len();
    sort(ranking, all);
    let scores: Vec<f64> = ranking.iter().map(|(_, score)| *score).collect();
    let last = scores.get(near.k.saturating_sub(1)).or(scores.last());
    let Some(doubtful) = in_doubt(&scores, near.k, all + 1, blur).filter(|_| last.is_none_or(|last| *last > behind)) else {
        return Ok(false);
    };
    let mut ids: Vec<Id> = doubtful.iter().map(|at| ranking[*at].0.clone()).collect();
    ids.sort_unstable();
    let exactly = NearQuery { k: ids.len(), exact: true, ..near.clone() };
    let scores: HashMap<Id, f64> = over_candidates(context, part, &exactly, &Filter::all(), &ids).await?.into_iter().collect();
    for at in doubtful {
        let (id, score) = &mut ranking[at];
        match scores.get(id).filter(|now| (**now - *score).abs() <= blur) {
            Some(now) => *score = *now,
            None => return Ok(false),
        }
    }
    Ok(true)
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

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn numbers_are_rounded_up() {
        assert_eq!([1, 16, 17, 24, 25, 46, 166, usize::MAX].map(rounded), [1, 16, 24, 24, 32, 48, 192, usize::MAX]);
    }
}
