//! The exact vector search: single precision decides who is looked at twice, double precision who wins.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::column::Data;
use super::mask::Mask;
use super::select::Selection;
use super::table::{Chunk, Table};
use super::vector::{Vectors, dot, norm, squared_distance};
use crate::driver::NearQuery;
use crate::types::Metric;

/// The nearest rows, best first, ties by id: exactly those that [`Metric::score`] puts first.
pub(super) fn search(table: &Table, column: usize, near: &NearQuery, selection: Option<&Selection>, k: usize) -> Vec<(u32, f64)> {
    if k == 0 {
        return Vec::new();
    }
    let mut scan = Scan::new(near, k);
    match selection {
        Some(selection) => selection.chunks.iter().for_each(|(index, mask)| scan.chunk(*index, table.chunks.get(*index), column, mask)),
        None => table.chunks.iter().enumerate().for_each(|(index, chunk)| scan.chunk(index, chunk, column, &chunk.live)),
    }
    scan.prune();
    let mut scored: Vec<(u32, f64)> = scan.candidates.iter().map(|(row, _)| (*row, exact(table, column, near, *row))).collect();
    let better = |a: &(u32, f64), b: &(u32, f64)| {
        b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal).then_with(|| table.id(a.0).as_bytes().cmp(table.id(b.0).as_bytes()))
    };
    if k < scored.len() {
        scored.select_nth_unstable_by(k - 1, better);
        scored.truncate(k);
    }
    scored.sort_unstable_by(better);
    scored
}

fn exact(table: &Table, column: usize, near: &NearQuery, row: u32) -> f64 {
    let (cells, place) = table.cells(row, column);
    match &cells.data {
        Data::Vector(vectors) => near.metric.score(&near.vector, vectors.get(place)),
        _ => f64::NEG_INFINITY,
    }
}

/// A search under way. Each row's estimate has a bound for its error; a row stays a candidate while its best case
/// reaches the worst case of the k best so far.
struct Scan<'a> {
    near: &'a NearQuery,
    norm: f32,
    /// Relative error of a sum of so many terms in sixteen lanes.
    error: f64,
    k: usize,
    /// The worst cases of the k best rows, the least on top.
    best: BinaryHeap<Reverse<Bound>>,
    least: f64,
    candidates: Vec<(u32, f64)>,
}

#[derive(PartialEq)]
struct Bound(f64);

impl Eq for Bound {}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bound {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl<'a> Scan<'a> {
    fn new(near: &'a NearQuery, k: usize) -> Self {
        let terms = near.vector.len() as f64 / 16.0 + 24.0;
        Scan {
            near,
            norm: norm(&near.vector),
            error: terms * f64::from(f32::EPSILON),
            k,
            best: BinaryHeap::with_capacity(k.min(1 << 16) + 1),
            least: f64::NEG_INFINITY,
            candidates: Vec::new(),
        }
    }

    fn chunk(&mut self, index: usize, chunk: &Chunk, column: usize, within: &Mask) {
        let cells = &*chunk.columns[column];
        let Data::Vector(vectors) = &cells.data else { return };
        let rows = within.and(&cells.valid);
        let first = (index * super::mask::CHUNK) as u32;
        for place in rows.rows() {
            let (estimate, error) = self.estimate(vectors, place);
            if estimate + error >= self.least {
                self.keep(first + place as u32, estimate - error, estimate + error);
            }
        }
    }

    /// A number that orders rows as their scores do, and how far it may be off.
    #[inline]
    fn estimate(&self, vectors: &Vectors, place: usize) -> (f64, f64) {
        let (query, numbers, norm) = (&*self.near.vector, vectors.get(place), vectors.norm(place));
        if norm.is_nan() || self.norm.is_nan() {
            let score = self.near.metric.score(query, numbers);
            return if self.near.metric == Metric::L2 { (-score * score, 0.0) } else { (score, 0.0) };
        }
        match self.near.metric {
            Metric::Cosine => (f64::from(dot(query, numbers) / (norm * self.norm)), self.error),
            Metric::Dot => (f64::from(dot(query, numbers)), self.error * f64::from(norm) * f64::from(self.norm)),
            Metric::L2 => {
                let squared = f64::from(squared_distance(query, numbers));
                (-squared, squared * self.error + 1e-35)
            }
        }
    }

    #[cold]
    fn keep(&mut self, row: u32, worst: f64, best: f64) {
        self.candidates.push((row, best));
        if self.best.len() < self.k || worst > self.least {
            self.best.push(Reverse(Bound(worst)));
            if self.best.len() > self.k {
                self.best.pop();
            }
            if self.best.len() == self.k {
                self.least = self.best.peek().map_or(f64::NEG_INFINITY, |bound| bound.0.0);
            }
        }
        if self.candidates.len() > 4 * self.k + 4096 {
            self.prune();
        }
    }

    /// Drops the candidates that can no longer be among the best.
    fn prune(&mut self) {
        let least = self.least;
        self.candidates.retain(|(_, best)| *best >= least);
    }
}
