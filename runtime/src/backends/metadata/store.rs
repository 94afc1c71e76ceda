//! What a store of vectors with metadata does for the driver over it.

use std::future::Future;

use super::codec::Metadata;
use super::shape::{Layout, Shape, Space};
use crate::driver::Manifest;
use crate::error::Result;
use crate::schema::Naming;
use crate::types::Json;

/// What tells one store's metadata from another's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// The kind: the capability table's row.
    pub kind: &'static str,
    /// The service's name in errors.
    pub service: &'static str,
    /// Whole numbers of so many bits, with a sign, are kept exactly.
    pub whole_bits: u32,
    /// Whether a list of texts keeps order and duplicates, and may be asked for where it is missing.
    pub lists_are_kept: bool,
    /// The operators that find an item in a list, and that find lists without it.
    pub has: (&'static str, &'static str),
    /// Whether the operand of `has` is a list of one.
    pub has_takes_list: bool,
    /// Whether vectors that are searched by cosine come back scaled to length one and back again, not bit for bit.
    pub rescales_cosine: bool,
    /// Whether uniqueness can be decided: what was written is read at once.
    pub unique: bool,
    /// Most tests of one filter, and members of lists in it.
    pub most_tests: usize,
    /// Deepest nesting of a filter's JSON.
    pub most_levels: usize,
    /// Whether ids are cheaper to ask for than records.
    pub ids_are_cheap: bool,
    /// Most records of one answer that are asked for without knowing how many there are.
    pub window: usize,
    /// Most hits of one search.
    pub most_hits: usize,
    /// From how many ids on its own search among them costs less than comparing them here; `None`: it searches among all.
    pub searches_among: Option<usize>,
}

impl Dialect {
    /// Whether a number is kept whole.
    pub(super) fn holds(&self, n: i64) -> bool {
        self.whole_bits >= 62 || n.unsigned_abs() < 1 << self.whole_bits
    }

    /// A number in two: each is kept whole, and they order as the number does.
    pub(super) fn cut(&self, n: i128) -> (i128, i128) {
        let unit = 1i128 << self.whole_bits;
        (n.div_euclid(unit), n.rem_euclid(unit))
    }

    /// The number that was cut.
    pub(super) fn joined(&self, head: i64, tail: i64) -> Option<i128> {
        i128::from(head).checked_mul(1 << self.whole_bits)?.checked_add(i128::from(tail))
    }

    /// The beginning of an id as a number that is kept whole: it orders by bytes, as far as it reaches.
    pub(super) fn order_key(&self, id: &str) -> i64 {
        let bytes = if self.whole_bits >= 62 { 8 } else { 6 };
        let mut key = 0u64;
        for position in 0..bytes {
            key = key << 8 | u64::from(id.as_bytes().get(position).copied().unwrap_or_default());
        }
        // The first bit of 8 bytes is the sign: the least number is the least id.
        if bytes == 8 { (key ^ 1 << 63).cast_signed() } else { key.cast_signed() }
    }

    /// The least key there is.
    pub(super) fn first_key(&self) -> i64 {
        if self.whole_bits >= 62 { i64::MIN } else { 0 }
    }

    /// The greatest key there is.
    pub(super) fn last_key(&self) -> i64 {
        if self.whole_bits >= 62 { i64::MAX } else { (1 << 48) - 1 }
    }

    #[cfg(test)]
    pub(super) const TEST: Dialect = Dialect {
        kind: "chroma",
        service: "Chroma",
        whole_bits: 62,
        lists_are_kept: true,
        has: ("$contains", "$not_contains"),
        has_takes_list: false,
        rescales_cosine: true,
        unique: true,
        ids_are_cheap: true,
        most_tests: 200,
        most_levels: 100,
        window: 1_000,
        most_hits: 1_000,
        searches_among: Some(256),
    };
}

/// A record: an id, metadata, a vector (empty where it was not asked for).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub id: String,
    pub metadata: Metadata,
    pub vector: Vec<f32>,
}

/// How much of records is asked for. A store may give more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    Ids,
    Metadata,
    Vectors,
}

/// What rows are about to be read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// An answer to the caller: a store may be allowed to give an older one.
    Read,
    /// What is written next depends on it.
    Decide,
    /// The caller asked to wait: for what was written, not for what may have been.
    Asked,
}

/// What connecting found out.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The engine with its version.
    pub engine: String,
    /// What it demands of names.
    pub naming: Naming,
    /// Most ids of one request.
    pub most_ids: usize,
    /// Most records of one write.
    pub most_records: usize,
}

/// A store of records in spaces. Every method speaks of one space; a space that is not there is
/// [`NotRegistered`](crate::ErrorKind::NotRegistered).
pub(crate) trait Store: Send + Sync + 'static {
    /// Its manners.
    fn dialect(&self) -> &'static Dialect;

    /// Records by id, in any order, absent ones left out; at most [`Found::most_ids`].
    fn get(&self, space: &Space, ids: &[String], depth: Depth) -> impl Future<Output = Result<Vec<Record>>> + Send;

    /// At most so many of the records that satisfy a filter, in any order; all of them without a limit.
    fn matching(
        &self,
        space: &Space,
        filter: Option<&Json>,
        limit: Option<usize>,
        depth: Depth,
    ) -> impl Future<Output = Result<Vec<Record>>> + Send;

    /// How many records satisfy a filter.
    fn count(&self, space: &Space, filter: Option<&Json>) -> impl Future<Output = Result<usize>> + Send;

    /// The nearest records with their scores, best first; among these ids where the store can do that, else `None`.
    fn nearest(
        &self,
        space: &Space,
        vector: &[f32],
        k: usize,
        filter: Option<&Json>,
        ids: Option<&[String]>,
        depth: Depth,
    ) -> impl Future<Output = Result<Option<Vec<(Record, f64)>>>> + Send;

    /// Writes records, new or in the place of old ones. `Json::Null` in the metadata takes a key away.
    fn put(&self, space: &Space, records: &[Record]) -> impl Future<Output = Result<()>> + Send;

    /// Removes records; absent ones are passed over. At most [`Found::most_ids`].
    fn remove(&self, space: &Space, ids: &[String]) -> impl Future<Output = Result<()>> + Send;

    /// What was made under a table's name.
    fn manifest(&self, table: &str) -> impl Future<Output = Result<Option<(Manifest, Layout)>>> + Send;

    /// Says what was made. For a `new` part this makes its first space, after the others; where another process was faster,
    /// it is a [`Conflict`](crate::ErrorKind::Conflict).
    fn declare(&self, shape: &Shape, manifest: &Manifest, new: bool) -> impl Future<Output = Result<()>> + Send;

    /// Refuses an index that the store does not have, before anything is made.
    fn check(&self, space: &Space) -> Result<()>;

    /// Gives a space that is there the index that its column asks for now, or refuses what cannot be changed.
    fn adjust(&self, space: &Space) -> impl Future<Output = Result<()>> + Send;

    /// Makes an empty space.
    fn create(&self, space: &Space) -> impl Future<Output = Result<()>> + Send;

    /// Drops a space with what is in it; says whether it was there.
    fn drop_space(&self, space: &Space) -> impl Future<Output = Result<bool>> + Send;

    /// Takes back what [`Store::declare`] said, before the spaces go.
    fn retract(&self, shape: &Shape) -> impl Future<Output = Result<()>> + Send;

    /// Waits until what was written here is readable, as far as the moment asks for that.
    fn settle(&self, spaces: &[Space], moment: Moment) -> impl Future<Output = Result<()>> + Send;

    /// Refuses a record that is more than the store keeps, before anything is written.
    fn fits(&self, record: &Record) -> Result<()>;

    /// Whether the service answers.
    fn health(&self) -> impl Future<Output = Result<()>> + Send;
}
