//! The semi-join: find a side that is small by reading a bounded page of ids, push those ids to the other sides.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::Context;
use super::ids::{IdStream, both, difference};
use super::part::PartStream;
use crate::driver::SubQuery;
use crate::error::Result;
use crate::filter::Filter;
use crate::plan::{Group, Purpose, Target, Tree};
use crate::types::Id;

/// What probing the groups gave.
pub(super) enum Candidates {
    /// All ids that satisfy every group, sorted: one side was small.
    Few(Vec<Id>),
    /// No side was small: the groups' streams, from their start.
    Many(Vec<IdStream>),
}

/// Reads at most `cap` ids of every group, those on the network at the same time; the first side that ends below the
/// cap is pushed to the others.
pub(super) async fn probe(context: &Context, groups: &[Group], after: Option<&Id>, cap: usize) -> Result<Candidates> {
    let mut sides: Vec<Side> = Vec::with_capacity(groups.len());
    let remote = groups.iter().filter(|g| !embedded(context, g)).count() > 1;
    if remote {
        sides = try_join_all(groups.iter().map(|g| Side::read(context, g, after, cap))).await?;
    } else {
        for group in groups {
            let side = Side::read(context, group, after, cap).await?;
            let small = side.complete && side.ids.len() <= cap / 8;
            sides.push(side);
            if small {
                // Few enough that the other sides are best asked about just these.
                break;
            }
        }
    }
    let smallest = sides.iter().enumerate().filter(|(_, s)| s.complete).min_by_key(|(_, s)| s.ids.len()).map(|(i, _)| i);
    let Some(smallest) = smallest else {
        let whole = |mut side: Side| {
            side.stream.put_back(std::mem::take(&mut side.ids));
            side.stream
        };
        return Ok(Candidates::Many(sides.into_iter().map(whole).collect()));
    };
    let mut ids = std::mem::take(&mut sides[smallest].ids);
    for (i, group) in groups.iter().enumerate().filter(|(i, _)| *i != smallest) {
        ids = match sides.get(i) {
            Some(side) if side.complete => both(ids, &side.ids),
            _ => restrict(context, group, ids).await?,
        };
    }
    Ok(Candidates::Few(ids))
}

struct Side {
    stream: IdStream,
    ids: Vec<Id>,
    complete: bool,
}

impl Side {
    async fn read(context: &Context, group: &Group, after: Option<&Id>, cap: usize) -> Result<Side> {
        let mut stream = IdStream::of_group(context, group, after, cap + 1);
        let mut ids: Vec<Id> = Vec::new();
        while ids.len() <= cap {
            match stream.next().await? {
                Some(more) if ids.is_empty() => ids = more,
                Some(more) => ids.extend(more),
                None => return Ok(Side { stream, ids, complete: true }),
            }
        }
        Ok(Side { stream, ids, complete: false })
    }
}

fn embedded(context: &Context, group: &Group) -> bool {
    match group {
        Group::Part { part, .. } => context.target.describe(*part).embedded,
        Group::Tree(tree) => tree_embedded(context, tree),
    }
}

fn tree_embedded(context: &Context, tree: &Tree) -> bool {
    match tree {
        Tree::And(trees) | Tree::Or(trees) => trees.iter().all(|t| tree_embedded(context, t)),
        Tree::Not(inner) => context.target.describe(Target::OWNER).embedded && tree_embedded(context, inner),
        Tree::Leaf { part, .. } => context.target.describe(*part).embedded,
    }
}

/// Whether one of the groups only lets rows of the owner through.
pub(super) fn asks_owner(groups: &[Group]) -> bool {
    groups.iter().any(|g| matches!(g, Group::Part { part: Target::OWNER, .. }))
}

/// Which of some sorted ids satisfy every group.
pub(super) async fn restrict_all(context: &Context, groups: &[Group], mut ids: Vec<Id>) -> Result<Vec<Id>> {
    for group in groups {
        ids = restrict(context, group, ids).await?;
    }
    Ok(ids)
}

/// Which of some sorted ids satisfy a group.
pub(super) async fn restrict(context: &Context, group: &Group, ids: Vec<Id>) -> Result<Vec<Id>> {
    match group {
        Group::Part { part, filter } => among(context, *part, Purpose::Probe, filter, ids).await,
        Group::Tree(tree) => restrict_tree(context, tree, ids).await,
    }
}

async fn restrict_tree(context: &Context, tree: &Tree, mut ids: Vec<Id>) -> Result<Vec<Id>> {
    match tree {
        Tree::Leaf { part, filter } => among(context, *part, Purpose::Probe, filter, ids).await,
        Tree::And(trees) => {
            for tree in trees {
                ids = Box::pin(restrict_tree(context, tree, ids)).await?;
            }
            Ok(ids)
        }
        Tree::Or(trees) => {
            let (mut left, mut found) = (ids, Vec::new());
            for tree in trees {
                let more = Box::pin(restrict_tree(context, tree, left.clone())).await?;
                left = difference(left, &more);
                found.extend(more);
            }
            found.sort_unstable();
            Ok(found)
        }
        Tree::Not(inner) => {
            let not = Box::pin(restrict_tree(context, inner, ids.clone())).await?;
            Ok(difference(ids, &not))
        }
    }
}

/// Which of some sorted ids are rows of a part that satisfy a filter: by bound lists, in chunks of the driver's limit.
pub(super) async fn among(context: &Context, part: usize, purpose: Purpose, filter: &Filter, ids: Vec<Id>) -> Result<Vec<Id>> {
    let chunk = context.target.describe(part).max_ids.max(1);
    let mut found = Vec::new();
    for ids in ids.chunks(chunk) {
        let query = SubQuery { filter: filter.clone(), ids: Some(Arc::from(ids)), page_rows: ids.len(), ..SubQuery::default() };
        let rows = PartStream::open(context, part, purpose, query).await?.collect(0).await?;
        found.extend(rows.ids);
    }
    Ok(found)
}
