//! A sorted sequence of rows that is shared copy on write: three levels, of which a change copies one leaf and one
//! branch, and only those that a snapshot still holds. It holds row numbers; what they are sorted by, callers know.

use std::cmp::Ordering;
use std::sync::Arc;

const LEAF: usize = 256;
const BRANCH: usize = 128;

#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    branches: Vec<Arc<Vec<Arc<Vec<u32>>>>>,
    len: usize,
}

/// A place in a tree: before the entry there. Valid for the tree it was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    branch: usize,
    leaf: usize,
    entry: usize,
}

impl Tree {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn start(&self) -> Place {
        Place { branch: 0, leaf: 0, entry: 0 }
    }

    pub(super) fn end(&self) -> Place {
        Place { branch: self.branches.len(), leaf: 0, entry: 0 }
    }

    /// The entry at a place, if it is not the end.
    pub(super) fn get(&self, place: Place) -> Option<u32> {
        self.branches.get(place.branch)?.get(place.leaf)?.get(place.entry).copied()
    }

    /// The place after; the end stays.
    pub(super) fn after(&self, place: Place) -> Place {
        let Some(branch) = self.branches.get(place.branch) else { return self.end() };
        if place.entry + 1 < branch[place.leaf].len() {
            Place { entry: place.entry + 1, ..place }
        } else if place.leaf + 1 < branch.len() {
            Place { leaf: place.leaf + 1, entry: 0, ..place }
        } else {
            Place { branch: place.branch + 1, leaf: 0, entry: 0 }
        }
    }

    /// The place before; `None` at the start.
    pub(super) fn before(&self, place: Place) -> Option<Place> {
        if place.entry > 0 {
            Some(Place { entry: place.entry - 1, ..place })
        } else if place.leaf > 0 {
            let leaf = place.leaf - 1;
            Some(Place { leaf, entry: self.branches[place.branch][leaf].len() - 1, ..place })
        } else {
            let branch = place.branch.checked_sub(1)?;
            let leaf = self.branches[branch].len() - 1;
            Some(Place { branch, leaf, entry: self.branches[branch][leaf].len() - 1 })
        }
    }

    /// The first place whose entry is not `Less`; `compare` says how an entry stands to what is looked for.
    pub(super) fn seek(&self, compare: impl Fn(u32) -> Ordering) -> Place {
        let less = |entry: u32| compare(entry) == Ordering::Less;
        // The last branch and leaf that start below it: no branch and no leaf is ever empty.
        let branch = self.branches.partition_point(|branch| less(branch[0][0])).saturating_sub(1);
        let Some(leaves) = self.branches.get(branch) else { return self.end() };
        let leaf = leaves.partition_point(|leaf| less(leaf[0])).saturating_sub(1);
        let entry = leaves[leaf].partition_point(|entry| less(*entry));
        let place = Place { branch, leaf, entry };
        if entry < leaves[leaf].len() {
            place
        } else if leaf + 1 < leaves.len() {
            Place { leaf: leaf + 1, entry: 0, ..place }
        } else {
            Place { branch: branch + 1, leaf: 0, entry: 0 }
        }
    }

    /// How many entries lie from one place to another that does not come before it: whole leaves are counted by their
    /// lengths.
    pub(super) fn distance(&self, from: Place, to: Place) -> usize {
        let before = |place: Place| -> usize {
            let Some(branch) = self.branches.get(place.branch) else { return 0 };
            branch[..place.leaf].iter().map(|leaf| leaf.len()).sum::<usize>() + place.entry
        };
        let between = self.branches.get(from.branch..to.branch).unwrap_or_default();
        let branches: usize = between.iter().flat_map(|branch| branch.iter()).map(|leaf| leaf.len()).sum();
        (branches + before(to)).saturating_sub(before(from))
    }

    /// Puts a row where it belongs; `compare` says how an entry stands to it.
    pub(super) fn insert(&mut self, row: u32, compare: impl Fn(u32) -> Ordering) {
        self.len += 1;
        let last = self.branches.last().and_then(|branch| branch.last()).and_then(|leaf| leaf.last()).copied();
        let Some(last) = last else {
            self.branches.push(Arc::new(vec![Arc::new(vec![row])]));
            return;
        };
        let place = if compare(last) == Ordering::Less {
            let branch = self.branches.len() - 1;
            let leaf = self.branches[branch].len() - 1;
            Place { branch, leaf, entry: self.branches[branch][leaf].len() }
        } else {
            let less = |entry: u32| compare(entry) == Ordering::Less;
            let branch = self.branches.partition_point(|branch| less(branch[0][0])).saturating_sub(1);
            let leaf = self.branches[branch].partition_point(|leaf| less(leaf[0])).saturating_sub(1);
            Place { branch, leaf, entry: self.branches[branch][leaf].partition_point(|entry| less(*entry)) }
        };
        let leaves = Arc::make_mut(&mut self.branches[place.branch]);
        let leaf = Arc::make_mut(&mut leaves[place.leaf]);
        if leaf.len() < LEAF {
            if leaf.len() == leaf.capacity() {
                leaf.reserve_exact(leaf.len().min(LEAF - leaf.len()));
            }
            leaf.insert(place.entry, row);
            return;
        }
        // At the far end a new leaf starts, so that ascending loads leave full leaves behind; elsewhere halves.
        let at_end = place.leaf + 1 == leaves.len() && place.entry == LEAF;
        let leaf = Arc::make_mut(&mut leaves[place.leaf]);
        let mut right = if at_end { Vec::with_capacity(16) } else { leaf.split_off(LEAF / 2) };
        if at_end || place.entry > LEAF / 2 {
            right.insert(place.entry - leaf.len(), row);
        } else {
            leaf.shrink_to(LEAF * 3 / 4);
            leaf.insert(place.entry, row);
        }
        leaves.insert(place.leaf + 1, Arc::new(right));
        if leaves.len() > BRANCH {
            let at = if at_end { BRANCH } else { BRANCH / 2 };
            let right = leaves.split_off(at);
            self.branches.insert(place.branch + 1, Arc::new(right));
        }
    }

    /// Takes a row out; `compare` says how an entry stands to it. Says whether it was there.
    pub(super) fn remove(&mut self, row: u32, compare: impl Fn(u32) -> Ordering) -> bool {
        let place = self.seek(compare);
        if self.get(place) != Some(row) {
            return false;
        }
        self.len -= 1;
        let leaves = Arc::make_mut(&mut self.branches[place.branch]);
        let leaf = Arc::make_mut(&mut leaves[place.leaf]);
        leaf.remove(place.entry);
        if leaf.is_empty() {
            leaves.remove(place.leaf);
        } else if leaf.len() < LEAF / 4 && place.leaf + 1 < leaves.len() && leaves[place.leaf + 1].len() < LEAF / 2 {
            let next = leaves.remove(place.leaf + 1);
            Arc::make_mut(&mut leaves[place.leaf]).extend_from_slice(&next);
        }
        if leaves.is_empty() {
            self.branches.remove(place.branch);
        }
        true
    }

    /// The entries from a place on.
    pub(super) fn from(&self, place: Place) -> impl Iterator<Item = u32> + '_ {
        let mut place = place;
        std::iter::from_fn(move || {
            let row = self.get(place)?;
            place = self.after(place);
            Some(row)
        })
    }

    /// A tree of rows that are sorted already.
    pub(super) fn of_sorted(rows: &[u32]) -> Tree {
        let leaves: Vec<Arc<Vec<u32>>> = rows.chunks(LEAF * 3 / 4).map(|leaf| Arc::new(leaf.to_vec())).collect();
        Tree { branches: leaves.chunks(BRANCH * 3 / 4).map(|branch| Arc::new(branch.to_vec())).collect(), len: rows.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tree: &Tree, expected: &std::collections::BTreeSet<u32>) {
        assert_eq!(tree.len(), expected.len());
        assert!(tree.from(tree.start()).eq(expected.iter().copied()));
        let mut backwards = Vec::new();
        let mut place = tree.end();
        while let Some(before) = tree.before(place) {
            backwards.extend(tree.get(before));
            place = before;
        }
        assert!(backwards.into_iter().eq(expected.iter().rev().copied()));
        for probe in [0, 1, 500, 49_999, 70_000, u32::MAX] {
            let place = tree.seek(|entry| entry.cmp(&probe));
            assert_eq!(tree.distance(tree.start(), place), expected.range(..probe).count());
            assert_eq!(tree.distance(place, tree.end()), expected.range(probe..).count());
            let third = tree.seek(|entry| entry.cmp(&(probe / 3)));
            assert_eq!(tree.distance(third, place), expected.range(probe / 3..probe).count());
            assert_eq!(tree.get(tree.seek(|entry| entry.cmp(&probe))), expected.range(probe..).next().copied());
        }
    }

    #[test]
    fn a_tree_is_a_sorted_set_and_its_clones_stay_as_they_were() {
        let mut tree = Tree::default();
        let mut expected = std::collections::BTreeSet::new();
        check(&tree, &expected);
        let mut seed = 12_345u64;
        let mut random = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as u32 % 60_000
        };
        (60_000..80_000).for_each(|row| {
            tree.insert(row, |entry| entry.cmp(&row));
            expected.insert(row);
        });
        check(&tree, &expected);
        for round in 0..4 {
            let (kept, kept_expected) = (tree.clone(), expected.clone());
            for _ in 0..30_000 {
                let row = random();
                if expected.insert(row) {
                    tree.insert(row, |entry| entry.cmp(&row));
                }
                let row = if round == 3 { expected.first().copied().unwrap_or(0) } else { random() };
                assert_eq!(tree.remove(row, |entry| entry.cmp(&row)), expected.remove(&row));
            }
            check(&tree, &expected);
            check(&kept, &kept_expected);
        }
        let sorted: Vec<u32> = expected.iter().copied().collect();
        check(&Tree::of_sorted(&sorted), &expected);
    }
}
