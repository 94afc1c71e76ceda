//! Sorted lists of ids: what they have in common, and what one has alone.

use std::cmp::Ordering;

use crate::types::Id;

/// Ids whose keys are compared at a time: both sides' keys stay in the nearest cache.
const BLOCK: usize = 256;
/// A list that is so many times longer is leapt through rather than walked.
const LEAP: usize = 16;

/// The positions in `ids` of those that are in `other` too. Both are sorted by bytes, each id once.
///
/// ```
/// use heavenbase::{exec::common_ids, types::Id};
/// let ids = |names: &[&str]| names.iter().map(|n| Id::from(*n)).collect::<Vec<_>>();
/// assert_eq!(common_ids(&ids(&["a", "b", "d"]), &ids(&["b", "c", "d"])), [1, 2]);
/// ```
pub fn common_ids(ids: &[Id], other: &[Id]) -> Vec<usize> {
    if other.len() / LEAP > ids.len() {
        let mut at = 0;
        let found = |id: &Id| {
            at = gallop(other, at, id);
            other.get(at) == Some(id)
        };
        return ids.iter().map(found).enumerate().filter_map(|(i, found)| found.then_some(i)).collect();
    }
    if ids.len() / LEAP > other.len() {
        let mut at = 0;
        let place = |id: &Id| {
            at = gallop(ids, at, id);
            (ids.get(at) == Some(id)).then_some(at)
        };
        return other.iter().filter_map(place).collect();
    }
    walk(ids, other)
}

/// Walks both lists side by side. What all ids begin with is passed over; the eight bytes after it are compared as
/// numbers, without branches, and whole ids only where those are equal.
fn walk(ids: &[Id], other: &[Id]) -> Vec<usize> {
    let (Some(first), Some(last), Some(low), Some(high)) = (ids.first(), ids.last(), other.first(), other.last()) else {
        return Vec::new();
    };
    let alike = |a: &Id, b: &Id| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    // Sorted ids between two that begin alike begin like them.
    let skip = alike(first, last).min(alike(first, low)).min(alike(first, high));
    let (mut a, mut b) = (Block::new(ids, skip), Block::new(other, skip));
    let mut found = Vec::new();
    while a.len > 0 && b.len > 0 {
        if a.distinct && b.distinct {
            a.meet(&mut b, &mut found);
        } else {
            a.meet_whole(&mut b, &mut found);
        }
        a.advance();
        b.advance();
    }
    found
}

/// Some ids of a list with their keys.
struct Block<'a> {
    ids: &'a [Id],
    skip: usize,
    /// Where the block begins in the list, how long it is, and how far it has been walked.
    start: usize,
    len: usize,
    at: usize,
    /// Whether no two ids, the next block's first included, have one key.
    distinct: bool,
    keys: [u64; BLOCK],
}

impl<'a> Block<'a> {
    fn new(ids: &'a [Id], skip: usize) -> Self {
        let mut block = Block { ids, skip, start: 0, len: 0, at: 0, distinct: true, keys: [0; BLOCK] };
        block.fill();
        block
    }

    fn fill(&mut self) {
        let rest = &self.ids[self.start..];
        (self.len, self.at) = (rest.len().min(BLOCK), 0);
        self.keys.iter_mut().zip(rest).for_each(|(place, id)| *place = id.key(self.skip));
        let keys = &self.keys[..self.len];
        // No early end: the compiler makes vector code of it.
        let ascending = keys.windows(2).fold(true, |so_far, pair| so_far & (pair[0] < pair[1]));
        let next = rest.get(self.len).map(|id| id.key(self.skip));
        self.distinct = ascending && next.is_none_or(|next| keys.last().is_none_or(|last| *last < next));
    }

    /// The next block, if this one is walked to its end.
    fn advance(&mut self) {
        if self.at == self.len {
            self.start += self.len;
            self.fill();
        }
    }

    /// Walks two blocks by their keys to the end of one.
    fn meet(&mut self, other: &mut Block<'_>, found: &mut Vec<usize>) {
        let mut pairs = [(0u16, 0u16); BLOCK];
        let (mine, others) = (&self.keys[..self.len], &other.keys[..other.len]);
        let (mut i, mut j, mut met) = (self.at, other.at, 0);
        while i < mine.len() && j < others.len() {
            let (a, b) = (mine[i], others[j]);
            // Written always, kept when the keys meet: at most one a key, so `met` stays within the block.
            pairs[met % BLOCK] = (i as u16, j as u16);
            met += usize::from(a == b);
            i += usize::from(a <= b);
            j += usize::from(b <= a);
        }
        for (i, j) in &pairs[..met.min(BLOCK)] {
            let at = self.start + usize::from(*i);
            if self.ids[at] == other.ids[other.start + usize::from(*j)] {
                found.push(at);
            }
        }
        (self.at, other.at) = (i, j);
    }

    /// The same by whole ids, where keys repeat.
    fn meet_whole(&mut self, other: &mut Block<'_>, found: &mut Vec<usize>) {
        while self.at < self.len && other.at < other.len {
            let (mine, others) = (self.start + self.at, other.start + other.at);
            let order = self.keys[self.at].cmp(&other.keys[other.at]).then_with(|| self.ids[mine].cmp(&other.ids[others]));
            if order == Ordering::Equal {
                found.push(mine);
            }
            self.at += usize::from(order.is_le());
            other.at += usize::from(order.is_ge());
        }
    }
}

/// The first position from `start` on whose id is not below `id`: steps double, then bisect.
pub(super) fn gallop(ids: &[Id], start: usize, id: &Id) -> usize {
    let (mut low, mut step) = (start, 1);
    while low + step < ids.len() && ids[low + step] < *id {
        low += step;
        step *= 2;
    }
    let high = (low + step + 1).min(ids.len());
    low + ids[low.min(ids.len())..high].partition_point(|other| other < id)
}

/// The ids of `ids` that are in `other` too; both sorted.
pub(super) fn both(mut ids: Vec<Id>, other: &[Id]) -> Vec<Id> {
    common_ids(&ids, other).into_iter().map(|at| std::mem::take(&mut ids[at])).collect()
}

/// The ids of `ids` that are not in `not`; both sorted.
pub(super) fn difference(mut ids: Vec<Id>, not: &[Id]) -> Vec<Id> {
    let mut common = common_ids(&ids, not).into_iter().peekable();
    let mut at = 0;
    ids.retain(|_| {
        let known = common.next_if_eq(&at).is_some();
        at += 1;
        !known
    });
    ids
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn sorted(ids: impl Iterator<Item = String>) -> Vec<Id> {
        ids.collect::<BTreeSet<_>>().into_iter().map(Id::from).collect()
    }

    fn check(a: &[Id], b: &[Id]) {
        let expected: Vec<usize> = (0..a.len()).filter(|i| b.contains(&a[*i])).collect();
        assert_eq!(common_ids(a, b), expected);
        assert_eq!(walk(a, b), expected);
        let without: Vec<Id> = a.iter().filter(|id| !b.contains(id)).cloned().collect();
        assert_eq!(difference(a.to_vec(), b), without);
    }

    #[test]
    fn common_ids_are_those_in_both_whatever_they_begin_with() {
        let mut seed = 1u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        // Short and long, alike for more than eight bytes, with zeros at the end, ends at the borders of blocks.
        type Name = fn(u64) -> String;
        let names: [Name; 5] = [
            |n| format!("{n}"),
            |n| format!("item-{n:09}-of-a-shop"),
            |n| format!("{}{:03}", "x".repeat(n as usize % 3 * 9), n),
            |n| format!("same-{}{}", "\u{1}".repeat(n as usize % 4), n / 7),
            |n| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        ];
        for name in names {
            for (least, most) in [(0, 0), (0, 5), (1, 300), (255, 258), (511, 700), (3, 900)] {
                let a = sorted((0..least).map(|_| name(random(1000))));
                let b = sorted((0..most).map(|_| name(random(1000))));
                check(&a, &b);
                check(&b, &a);
            }
            let all = sorted((0..900).map(name));
            check(&all, &all);
            check(&all, &all[3..]);
        }
    }
}
