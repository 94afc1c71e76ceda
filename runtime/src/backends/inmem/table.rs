//! The rows of one part at one moment. A clone is a snapshot: it copies pointers, and later changes leave it as it was.

use std::cmp::Ordering;
use std::sync::Arc;

use super::column::{Cells, Kind};
use super::identity::Identity;
use super::mask::{CHUNK, Mask};
use super::spine::Spine;
use super::texts::Texts;
use super::tree::Tree;
use crate::types::Value;

/// What a stored column is.
#[derive(Clone, Debug)]
pub(super) struct ColumnShape {
    /// The field's name, and its physical one, by which other registrations find it.
    pub(super) name: &'static str,
    pub(super) physical: String,
    pub(super) kind: Kind,
    /// The logical type as text: what another registration must say too.
    pub(super) logical: String,
    pub(super) nullable: bool,
    pub(super) placement: crate::capability::Placement,
    /// What rows have that were written without knowing of it.
    pub(super) default: Value,
}

/// Up to 1024 rows.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// Rows in use.
    pub(super) live: Mask,
    /// Rows ever used: the length of every column.
    pub(super) len: usize,
    pub(super) ids: Arc<Texts>,
    pub(super) versions: Arc<Vec<i64>>,
    pub(super) columns: Vec<Arc<Cells>>,
}

/// Rows sorted by the values of some columns (nulls last), then by id.
#[derive(Clone, Debug)]
pub(super) struct Sorted {
    pub(super) columns: Vec<usize>,
    pub(super) tree: Tree,
}

/// The rows of one part. A row is a number that stays with it while it lives: `chunk * CHUNK + place`.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) shape: Arc<Vec<ColumnShape>>,
    pub(super) chunks: Spine<Chunk>,
    pub(super) by_id: Identity,
    pub(super) in_id_order: Tree,
    pub(super) sorted: Vec<Sorted>,
}

/// The chunk of a row, and its place there.
pub(super) fn split(row: u32) -> (usize, usize) {
    (row as usize / CHUNK, row as usize % CHUNK)
}

impl Table {
    /// Rows in the table.
    pub(super) fn len(&self) -> usize {
        self.in_id_order.len()
    }

    pub(super) fn find(&self, id: &str) -> Option<u32> {
        self.by_id.find(self.by_id.hash(id), |row| self.id(row) == id)
    }

    pub(super) fn id(&self, row: u32) -> &str {
        id_in(&self.chunks, row)
    }

    pub(super) fn version(&self, row: u32) -> i64 {
        let (chunk, place) = split(row);
        self.chunks.get(chunk).versions[place]
    }

    pub(super) fn cells(&self, row: u32, column: usize) -> (&Cells, usize) {
        let (chunk, place) = split(row);
        (&self.chunks.get(chunk).columns[column], place)
    }

    pub(super) fn value(&self, row: u32, column: usize) -> Value {
        let (cells, place) = self.cells(row, column);
        cells.value(&self.shape[column].kind, place)
    }

    pub(super) fn is_null(&self, row: u32, column: usize) -> bool {
        let (cells, place) = self.cells(row, column);
        !cells.valid.get(place)
    }

    /// How a row stands to values of these columns; nulls last.
    pub(super) fn compare_key(&self, columns: &[usize], row: u32, key: &[&Value]) -> Ordering {
        let (chunk, place) = split(row);
        let chunk = self.chunks.get(chunk);
        columns.iter().zip(key).fold(Ordering::Equal, |order, (column, value)| {
            order.then_with(|| chunk.columns[*column].compare_value(&self.shape[*column].kind, place, value))
        })
    }

    /// Where a sorted sequence has the rows whose first columns have these values.
    pub(super) fn equal_range<'a>(&'a self, sorted: &'a Sorted, key: &'a [&'a Value]) -> impl Iterator<Item = u32> + 'a {
        let start = sorted.tree.seek(|row| self.compare_key(&sorted.columns, row, key));
        sorted.tree.from(start).take_while(move |row| self.compare_key(&sorted.columns, *row, key) == Ordering::Equal)
    }

    /// The number of the sorted sequence over exactly these columns.
    pub(super) fn sorted_by(&self, columns: &[usize]) -> Option<usize> {
        self.sorted.iter().position(|sorted| sorted.columns == columns)
    }

    /// Keeps the rows sorted by these columns from now on.
    pub(super) fn keep_sorted(&mut self, columns: Vec<usize>) -> usize {
        if let Some(position) = self.sorted_by(&columns) {
            return position;
        }
        // The id order is there: a stable sort by the columns leaves ties by id.
        let mut rows: Vec<u32> = self.in_id_order.from(self.in_id_order.start()).collect();
        rows.sort_by(|a, b| compare_rows(&self.chunks, &self.shape, &columns, *a, *b));
        self.sorted.push(Sorted { columns, tree: Tree::of_sorted(&rows) });
        self.sorted.len() - 1
    }

    /// Adds a column, with one value in the rows that are there.
    pub(super) fn add_column(&mut self, shape: ColumnShape, value: &Value) {
        for index in 0..self.chunks.len() {
            let chunk = self.chunks.get_mut(index);
            let mut cells = Cells::new(&shape.kind);
            cells.grow(chunk.len);
            if !value.is_null() {
                chunk.live.rows().for_each(|row| cells.set(&shape.kind, row, value));
            }
            cells.settle(chunk.len == CHUNK);
            chunk.columns.push(Arc::new(cells));
        }
        Arc::make_mut(&mut self.shape).push(shape);
    }

    /// Enters a row whose values are in place into one sorted sequence.
    pub(super) fn enter_sorted(&mut self, index: usize, row: u32) {
        let Sorted { columns, tree } = &mut self.sorted[index];
        tree.insert(row, |entry| {
            compare_rows(&self.chunks, &self.shape, columns, entry, row)
                .then_with(|| id_in(&self.chunks, entry).as_bytes().cmp(id_in(&self.chunks, row).as_bytes()))
        });
    }

    /// Takes a row, whose values are still those it was entered with, out of one sorted sequence.
    pub(super) fn leave_sorted(&mut self, index: usize, row: u32) {
        let Sorted { columns, tree } = &mut self.sorted[index];
        tree.remove(row, |entry| {
            compare_rows(&self.chunks, &self.shape, columns, entry, row)
                .then_with(|| id_in(&self.chunks, entry).as_bytes().cmp(id_in(&self.chunks, row).as_bytes()))
        });
    }

    /// Makes a row known by its id, which is in place.
    pub(super) fn enter_id(&mut self, row: u32) {
        let id = id_in(&self.chunks, row);
        let hash = self.by_id.hash(id);
        self.by_id.insert(hash, row, |hasher, row| std::hash::BuildHasher::hash_one(hasher, id_in(&self.chunks, row).as_bytes()));
        self.in_id_order.insert(row, |entry| id_in(&self.chunks, entry).as_bytes().cmp(id.as_bytes()));
    }

    /// Forgets a row's id, which is still in place.
    pub(super) fn leave_id(&mut self, row: u32) {
        let id = id_in(&self.chunks, row);
        self.by_id.remove(self.by_id.hash(id), row);
        self.in_id_order.remove(row, |entry| id_in(&self.chunks, entry).as_bytes().cmp(id.as_bytes()));
    }
}

fn id_in(chunks: &Spine<Chunk>, row: u32) -> &str {
    let (chunk, place) = split(row);
    chunks.get(chunk).ids.get(place)
}

/// How two rows stand by some columns; nulls last.
pub(super) fn compare_rows(chunks: &Spine<Chunk>, shape: &[ColumnShape], columns: &[usize], a: u32, b: u32) -> Ordering {
    let ((a_chunk, a_place), (b_chunk, b_place)) = (split(a), split(b));
    let (a_chunk, b_chunk) = (chunks.get(a_chunk), chunks.get(b_chunk));
    columns.iter().fold(Ordering::Equal, |order, column| {
        order.then_with(|| a_chunk.columns[*column].compare(&shape[*column].kind, a_place, &b_chunk.columns[*column], b_place))
    })
}
