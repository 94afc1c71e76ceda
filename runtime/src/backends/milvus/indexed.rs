//! Whether a search under a filter may be left to the index.
//!
//! The server builds an index minutes after rows are written, and until it is loaded walks lists of its own, which lose what a
//! filter leaves. `GetQuerySegmentInfo` tells which sealed segments a search meets and which of them have their index. Rows that
//! are not sealed yet are in none: they are what a count knows beyond them, or what was written from here.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::driver::Inner;
use super::expression::Expression;
use super::proto::{OfSegments, Segments};
use super::shape::{Collection, Shape};
use crate::error::Result;
use crate::schema::Part;

/// How long an answer is believed: a search does not wait for one each time.
const FRESH: Duration = Duration::from_secs(5);
/// One row in so many may be without an index: of the nearest as many may be lost.
const ONE_IN: i64 = 50;

/// What is known of a collection.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    asked: Option<Instant>,
    /// Rows in sealed segments.
    sealed: i64,
    /// Rows in segments that have their index.
    indexed: i64,
    /// All rows; those that were written over may be missing.
    all: i64,
    /// Rows written from here that may not be sealed yet.
    written: i64,
}

impl Known {
    /// A newer look. Rows that were sealed since were the ones written first.
    fn seen(self, sealed: i64, indexed: i64, all: i64) -> Known {
        Known { asked: Some(Instant::now()), sealed, indexed, all, written: (self.written - (sealed - self.sealed).max(0)).max(0) }
    }

    fn holds(&self) -> bool {
        let apart = (self.all - self.indexed).max(self.sealed - self.indexed).max(self.written);
        self.indexed > 0 && apart.saturating_mul(ONE_IN) <= self.all
    }
}

/// What is known of the collections of a connection, each by its part's table and the vector's column.
#[derive(Debug, Default)]
pub(super) struct Indexed(Mutex<HashMap<(String, usize), Known>>);

impl Indexed {
    /// Notes that so many rows are written into the collections of a part.
    pub(super) fn note(&self, shape: &Shape, rows: usize) {
        let mut known = self.0.lock();
        for column in shape.collections.iter().filter_map(|collection| collection.vector) {
            let of = known.entry((shape.part.table.clone(), column)).or_default();
            of.written = of.written.saturating_add(i64::try_from(rows).unwrap_or(i64::MAX));
        }
    }

    /// Forgets the collections of a part.
    pub(super) fn forget(&self, part: &Part) {
        self.0.lock().retain(|(table, _), _| *table != part.table);
    }

    /// Whether nearly all rows had their index in a column when it was asked last.
    pub(super) fn last(&self, part: &Part, column: usize) -> bool {
        self.0.lock().get(&(part.table.clone(), column)).is_some_and(Known::holds)
    }
}

impl Inner {
    /// Whether nearly all rows have their index in a column of vectors, and it is loaded. `false` where the server does not tell.
    pub(super) async fn is_indexed(&self, shape: &Shape, column: usize) -> bool {
        let Some(collection) = shape.searching(column) else { return false };
        let key = (shape.part.table.clone(), column);
        let known = self.indexed.0.lock().get(&key).copied().unwrap_or_default();
        if known.asked.is_some_and(|asked| asked.elapsed() < FRESH) {
            return known.holds();
        }
        let Ok((sealed, indexed, all)) = self.look(shape, collection).await else { return false };
        let mut known = self.indexed.0.lock();
        let of = known.entry(key).or_default();
        *of = of.seen(sealed, indexed, all);
        of.holds()
    }

    /// The rows in sealed segments, those of them in segments with an index, and all.
    async fn look(&self, shape: &Shape, collection: &Collection) -> Result<(i64, i64, i64)> {
        let request = OfSegments { db_name: self.client.database(), collection_name: collection.name.clone() };
        let segments: Segments = self.client.read("GetQuerySegmentInfo", request).await?;
        let rows = |with_index: bool| {
            let of = segments.infos.iter().filter(|segment| !with_index || segment.index_id != 0);
            // None is less than no rows, whatever the server says.
            of.map(|segment| segment.num_rows.max(0)).fold(0i64, i64::saturating_add)
        };
        let (sealed, indexed) = (rows(false), rows(true));
        // What has no index is not counted further.
        let all = if indexed == 0 { sealed } else { self.roughly(shape, &Expression::Always).await? };
        Ok((sealed, indexed, all))
    }
}

#[cfg(test)]
mod tests {
    use super::Known;

    #[test]
    fn an_index_is_believed_when_it_has_nearly_all_rows() {
        let seen = |sealed, indexed, all, written| Known { written, ..Known::default() }.seen(sealed, indexed, all).holds();
        assert!(seen(20_000, 20_000, 20_000, 0));
        assert!(seen(20_000, 20_000, 20_400, 0), "one row in 51 is not sealed");
        assert!(!seen(20_000, 20_000, 20_500, 0), "one in 41");
        assert!(!seen(20_000, 0, 20_000, 0), "none is built");
        assert!(!seen(20_000, 12_000, 20_000, 0), "one segment of two");
        assert!(seen(21_000, 21_000, 20_000, 0), "rows that were written over are still there");
        assert!(!seen(0, 0, 0, 0));
    }

    #[test]
    fn rows_written_over_count_until_they_are_sealed() {
        let built = Known::default().seen(20_000, 20_000, 20_000);
        let written = Known { written: 5_000, ..built };
        assert!(!written.holds() && !written.seen(20_000, 20_000, 20_000).holds());
        assert!(!written.seen(24_000, 24_000, 20_000).holds(), "a thousand are left");
        assert!(written.seen(25_000, 25_000, 20_000).holds());
    }
}
