//! Searches: nearest vectors with filters wherever they live, best texts, and both fused by reciprocal rank.

use std::collections::HashMap;

use futures_util::future::try_join_all;

use super::assemble::{ResultPage, Shape};
use super::nearest::nearest;
use super::part::cut;
use super::rows::RowStream;
use super::{Context, text_score};
use crate::driver::{NearQuery, best_first};
use crate::error::Result;
use crate::plan::{Group, Plan, PlannedSearch};
use crate::types::Id;

/// The constant of reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009).
const RANK_CONSTANT: f64 = 60.0;

/// Ids with their scores, best first, ties by id.
pub(super) type Ranking = Vec<(Id, f64)>;

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

/// Sorts, and keeps the first `k`.
pub(super) fn sort(ranking: &mut Ranking, k: usize) {
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
