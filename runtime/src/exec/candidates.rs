//! The semi-join: the smallest side is read, its ids are pushed to the other sides.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::Context;
use super::ids::IdStream;
use super::merge::{both, difference};
use super::part::PartStream;
use super::sizes::{PROBE_COST, Size, embedded, sizes};
use crate::driver::SubQuery;
use crate::error::Result;
use crate::filter::Filter;
use crate::plan::{Group, Purpose, Target, Tree};
use crate::types::Id;

/// What probing the groups gave.
pub(super) enum Candidates {
    /// All ids that satisfy every group, sorted: one side was small.
    Few(Vec<Id>),
    /// No side has at most the ids asked for.
    Many(Sides),
}

/// The sides of an AND of which none is small.
pub(super) struct Sides {
    sizes: Vec<Size>,
    /// What was read of each side while looking for a small one.
    read: Vec<Option<Side>>,
}

/// Finds a side of at most `cap` ids and pushes those to the others. Estimates come first; only sides of which no driver
/// knows the size are read to see whether they end below the cap. Sizes are wanted up to `known`, at least `cap`.
pub(super) async fn probe(context: &Context, groups: &[Group], after: Option<&Id>, cap: usize, known: usize) -> Result<Candidates> {
    let sizes = sizes(context, groups, known.max(cap)).await?;
    let small = |i: &usize| sizes[*i].bound().is_some_and(|n| n <= cap);
    let smallest = (0..groups.len()).filter(small).min_by_key(|i| sizes[*i].bound());
    let mut read: Vec<Option<Side>> = groups.iter().map(|_| None).collect();
    if let Some(smallest) = smallest {
        // Sides that are not much larger are read too: that costs less than asking them for each id.
        let alike_up_to = super::sizes::alike(sizes[smallest].bound().unwrap_or_default());
        let alike = |i: &usize| *i != smallest && sizes[*i].bound().is_some_and(|n| n <= alike_up_to);
        let mut chosen: Vec<usize> = std::iter::once(smallest).chain((0..groups.len()).filter(alike)).collect();
        if chosen.iter().all(|i| embedded(context, &groups[*i])) {
            let rows = sizes[smallest].bound().unwrap_or(cap);
            read[smallest] = Some(Side::read(context, &groups[smallest], after, rows, sizes[smallest].bound()).await?);
            if read[smallest].as_ref().is_some_and(|side| side.complete && side.ids.is_empty()) {
                return Ok(Candidates::Few(Vec::new()));
            }
            chosen.remove(0);
        }
        let sides = read_all(context, groups, &chosen, after, cap, &sizes).await?;
        chosen.into_iter().zip(sides).for_each(|(i, side)| read[i] = Some(side));
    } else {
        let unknown: Vec<usize> = (0..groups.len()).filter(|i| !sizes[*i].is_known()).collect();
        if unknown.iter().filter(|i| !embedded(context, &groups[**i])).count() > 1 {
            let sides = read_all(context, groups, &unknown, after, cap, &sizes).await?;
            unknown.into_iter().zip(sides).for_each(|(i, side)| read[i] = Some(side));
        } else {
            for i in unknown {
                let side = Side::read(context, &groups[i], after, cap, None).await?;
                let small = side.complete && side.ids.len() <= cap / 8;
                read[i] = Some(side);
                if small {
                    // Few enough that the other sides are best asked about just these.
                    break;
                }
            }
        }
    }
    // What a side has may have grown since it was counted.
    let complete = |side: &Option<Side>| side.as_ref().filter(|side| side.complete).map(|side| side.ids.len());
    let smallest = (0..groups.len()).filter(|i| complete(&read[*i]).is_some()).min_by_key(|i| complete(&read[*i]));
    let Some(smallest) = smallest else { return Ok(Candidates::Many(Sides { sizes, read })) };
    let mut ids = read[smallest].as_mut().map(|side| std::mem::take(&mut side.ids)).unwrap_or_default();
    let others = || (0..groups.len()).filter(|i| *i != smallest);
    for i in others() {
        if let Some(side) = read[i].as_ref().filter(|side| side.complete) {
            context.merges(&groups[smallest]);
            context.merges(&groups[i]);
            ids = both(ids, &side.ids);
        }
    }
    for i in others() {
        if !read[i].as_ref().is_some_and(|side| side.complete) {
            ids = restrict(context, &groups[i], ids).await?;
        }
    }
    Ok(Candidates::Few(ids))
}

/// Reads the beginnings of some sides, those of known size whole; at the same time where several are on the network.
async fn read_all(
    context: &Context,
    groups: &[Group],
    chosen: &[usize],
    after: Option<&Id>,
    cap: usize,
    sizes: &[Size],
) -> Result<Vec<Side>> {
    let reads = chosen.iter().map(|i| (&groups[*i], sizes[*i].bound()));
    if chosen.iter().filter(|i| !embedded(context, &groups[**i])).count() > 1 {
        let reads: Vec<_> = reads.map(|(group, known)| Side::read(context, group, after, known.unwrap_or(cap), known)).collect();
        return try_join_all(reads).await;
    }
    let mut sides = Vec::with_capacity(chosen.len());
    for (group, known) in reads.collect::<Vec<_>>() {
        sides.push(Side::read(context, group, after, known.unwrap_or(cap), known).await?);
    }
    Ok(sides)
}

impl Sides {
    /// The ids that satisfy every group, in id order and in bounded memory: sides of like size are merged, and what they
    /// have in common is pushed, chunk by chunk, to sides that are much larger.
    pub(super) fn stream(mut self, context: &Context, groups: &[Group], after: Option<&Id>, rows: usize) -> IdStream {
        let least = self.sizes.iter().filter_map(|size| size.bound()).min();
        let (mut merged, mut larger) = (Vec::new(), Vec::new());
        for (i, group) in groups.iter().enumerate() {
            let size = self.sizes[i];
            let much = |least: usize| size.bound().map_or(size.is_large(), |n| n > least.saturating_mul(PROBE_COST));
            if least.is_some_and(much) {
                larger.push(group.clone());
                continue;
            }
            merged.push(match self.read[i].take() {
                Some(side) => side.whole(),
                None => IdStream::of_group(context, group, after, rows).expecting(size.bound()),
            });
        }
        if merged.len() > 1 {
            groups.iter().filter(|group| !larger.contains(group)).for_each(|group| context.merges(group));
        }
        let merged = IdStream::intersection(merged);
        if larger.is_empty() { merged } else { merged.probed(context, larger) }
    }
}

struct Side {
    stream: IdStream,
    ids: Vec<Id>,
    complete: bool,
}

impl Side {
    /// Reads up to `cap` ids, and one more to see whether that was all.
    async fn read(context: &Context, group: &Group, after: Option<&Id>, cap: usize, known: Option<usize>) -> Result<Side> {
        let mut stream = IdStream::of_group(context, group, after, cap + 1).expecting(known);
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

    /// The side from its start.
    fn whole(mut self) -> IdStream {
        self.stream.put_back(std::mem::take(&mut self.ids));
        self.stream
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
        let query =
            SubQuery { filter: filter.clone(), ids: Some(Arc::from(ids)), page_rows: ids.len(), ids_only: true, ..SubQuery::default() };
        let rows = PartStream::open(context, part, purpose, query).await?.collect(0).await?;
        found.extend(rows.ids);
    }
    Ok(found)
}
