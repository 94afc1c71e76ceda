//! How large the sides of an AND are, before any of them is read: by the drivers' estimates, which stop soon.

use futures_util::future::try_join_all;

use super::Context;
use crate::error::Result;
use crate::filter::{Condition, Filter, Test};
use crate::plan::{Group, Purpose, Target, Tree};
use crate::schema::ID_COLUMN;
use crate::types::Value;

/// Probing a part for one id costs about as much as reading so many of its ids.
pub(super) const PROBE_COST: usize = 3;

/// How far the others are counted once a small side is known: sides up to there are read rather than asked id by id. Not
/// as far as that would pay, for counting costs a quarter of reading.
pub(super) fn alike(least: usize) -> usize {
    least.saturating_add(least / 2)
}

/// What the first question about a side in this process counts to.
const FIRST: usize = 256;
/// So few ids are pushed in the time that it takes to ask one more driver about its side.
const TINY: usize = 16;
/// What it counts to on the network: counting so far takes a server no longer than the way there.
const FAR: usize = 16_384;

/// What is known of how many ids a side has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    /// What the last question counted to.
    asked: usize,
    /// The answer; up to `asked` it is a bound.
    answer: Option<u64>,
}

impl Size {
    /// At most so many ids, if that is known.
    pub(super) fn bound(self) -> Option<usize> {
        self.answer.and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= self.asked)
    }

    /// Whether anything is known.
    pub(super) fn is_known(self) -> bool {
        self.answer.is_some()
    }

    /// Whether the side is known to be large, beyond what was asked.
    pub(super) fn is_large(self) -> bool {
        self.answer.is_some() && self.bound().is_none()
    }
}

/// The sizes of some groups, as far as needed to see which is the smallest: up to `cap`, and of the others only whether
/// they are some times larger. Sides in this process are asked one after the other, counting further each round; those
/// on the network at once.
pub(super) async fn sizes(context: &Context, groups: &[Group], cap: usize) -> Result<Vec<Size>> {
    let mut sizes = vec![Size::default(); groups.len()];
    let (near, far): (Vec<usize>, Vec<usize>) = (0..groups.len()).partition(|i| embedded(context, &groups[*i]));
    let mut least = usize::MAX;
    let mut round = FIRST.min(cap);
    loop {
        // Once a small side is known, the others are asked whether they are not much larger.
        for second in [false, true] {
            for &i in &near {
                if least <= TINY {
                    return Ok(sizes);
                }
                let upto = if least == usize::MAX { round } else { alike(least).min(cap) };
                if sizes[i].bound().is_some() || sizes[i].asked >= upto.max(1) || second && least == usize::MAX {
                    continue;
                }
                sizes[i] = Size { asked: upto.max(1), answer: of_group(context, &groups[i], upto).await? };
                least = sizes[i].bound().map_or(least, |n| least.min(n));
            }
        }
        if least != usize::MAX || near.is_empty() || round >= cap {
            break;
        }
        round = round.saturating_mul(8).min(cap);
    }
    // A few ids are pushed sooner than it takes to ask whether another side is smaller still.
    if far.is_empty() || least <= FIRST {
        return Ok(sizes);
    }
    let upto = if least == usize::MAX { FAR.min(cap) } else { alike(least).min(cap) };
    for upto in [upto, cap] {
        let answers = try_join_all(far.iter().map(|i| of_group(context, &groups[*i], upto))).await?;
        far.iter().zip(answers).for_each(|(i, answer)| sizes[*i] = Size { asked: upto, answer });
        if least != usize::MAX || upto == cap || far.iter().any(|i| !sizes[*i].is_large()) {
            break;
        }
    }
    Ok(sizes)
}

async fn of_group(context: &Context, group: &Group, cap: usize) -> Result<Option<u64>> {
    match group {
        Group::Part { part, filter } => of_part(context, *part, filter, cap).await,
        Group::Tree(tree) => of_tree(context, tree, cap).await,
    }
}

async fn of_tree(context: &Context, tree: &Tree, cap: usize) -> Result<Option<u64>> {
    match tree {
        Tree::Leaf { part, filter } => of_part(context, *part, filter, cap).await,
        Tree::Not(_) => Ok(None),
        Tree::And(trees) => {
            let mut least: Option<u64> = None;
            for tree in trees {
                let size = Box::pin(of_tree(context, tree, cap)).await?;
                least = match (least, size) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            Ok(least)
        }
        Tree::Or(trees) => {
            let mut sum = 0u64;
            for tree in trees {
                match Box::pin(of_tree(context, tree, cap)).await? {
                    Some(size) if sum <= cap as u64 => sum = sum.saturating_add(size),
                    Some(_) => return Ok(Some(sum)),
                    None => return Ok(None),
                }
            }
            Ok(Some(sum))
        }
    }
}

/// How many rows of a part satisfy a filter, up to a cap, if its driver knows.
pub(super) async fn of_part(context: &Context, part: usize, filter: &Filter, cap: usize) -> Result<Option<u64>> {
    if let Some(named) = named_ids(filter) {
        return Ok(Some(named as u64));
    }
    let started = context.clock();
    let (held, driver) = (context.target.part(part), context.target.driver(part));
    let size = context.blame(part, driver.estimate(held, filter, cap).await)?;
    if size.is_some() {
        context.count(part, Purpose::Estimate, started, 0, || (1, 8));
    }
    Ok(size)
}

/// How many ids a filter names, if it names them.
fn named_ids(filter: &Filter) -> Option<usize> {
    match filter {
        Filter::And(all) => all.iter().filter_map(named_ids).min(),
        Filter::Test(Test { field, condition, .. }) if field == ID_COLUMN => match condition {
            Condition::Eq(Value::Text(_)) => Some(1),
            Condition::In(ids) => Some(ids.len()),
            _ => None,
        },
        _ => None,
    }
}

/// Whether all that a group asks is in this process.
pub(super) fn embedded(context: &Context, group: &Group) -> bool {
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
