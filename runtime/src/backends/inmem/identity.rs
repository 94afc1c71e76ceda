//! From an id to its row: a hash table in shards, so that a change copies one shard at most.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::spine::Spine;

/// Rows of a shard, on average at most, before the number of shards doubles.
const SHARD: usize = 1024;

#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    shards: Spine<HashTable<u32>>,
    hasher: DefaultHashBuilder,
    len: usize,
}

impl Identity {
    pub(super) fn hash(&self, id: &str) -> u64 {
        self.hasher.hash_one(id.as_bytes())
    }

    /// The table uses the lowest and the highest bits of a hash, the shards those between.
    fn shard(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.shards.len() - 1)
    }

    /// The row of an id, whose `hash` is known; `is` says whether a row has that id.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        if self.shards.len() == 0 {
            return None;
        }
        self.shards.get(self.shard(hash)).find(hash, |row| is(*row)).copied()
    }

    /// Adds a row that is not there; `hash_of` gives the hash of a row's id.
    pub(super) fn insert(&mut self, hash: u64, row: u32, hash_of: impl Fn(&DefaultHashBuilder, u32) -> u64) {
        if self.shards.len() == 0 {
            self.shards.push(HashTable::new());
        }
        if self.len >= self.shards.len() * SHARD * 3 / 4 && self.shards.len() < 1 << 22 {
            self.double(&hash_of);
        }
        let shard = self.shard(hash);
        let hasher = &self.hasher;
        self.shards.get_mut(shard).insert_unique(hash, row, |row| hash_of(hasher, *row));
        self.len += 1;
    }

    pub(super) fn remove(&mut self, hash: u64, row: u32) {
        if self.shards.len() == 0 {
            return;
        }
        let shard = self.shard(hash);
        if let Ok(entry) = self.shards.get_mut(shard).find_entry(hash, |found| *found == row) {
            entry.remove();
            self.len -= 1;
        }
    }

    fn double(&mut self, hash_of: &impl Fn(&DefaultHashBuilder, u32) -> u64) {
        let old = std::mem::take(&mut self.shards);
        let mut tables: Vec<HashTable<u32>> = Vec::new();
        // What a table of 512 places holds, and a little more than the rows each gets: it doubles when it fills.
        tables.resize_with(old.len() * 2, || HashTable::with_capacity(SHARD * 7 / 16));
        for row in old.iter().flat_map(HashTable::iter) {
            let hash = hash_of(&self.hasher, *row);
            let shard = (hash >> 32) as usize & (tables.len() - 1);
            let hasher = &self.hasher;
            tables[shard].insert_unique(hash, *row, |row| hash_of(hasher, *row));
        }
        tables.into_iter().for_each(|table| self.shards.push(table));
    }
}
