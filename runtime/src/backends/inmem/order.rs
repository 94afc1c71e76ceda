//! Rows in the order asked for: by walking a sorted sequence where there is one, else by sorting the selected rows.

use std::cmp::Ordering;

use super::column::Data;
use super::mask::CHUNK;
use super::select::Selection;
use super::table::{Sorted, Table, compare_rows};
use super::tree::{Place, Tree};
use crate::driver::{Position, SortKey};
use crate::types::{Id, Value};

/// One key of an order, in the table's columns; `None` is the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) column: Option<usize>,
    pub(super) descending: bool,
}

impl Key {
    pub(super) fn of(key: SortKey, descending: bool, columns: &[usize]) -> Key {
        let column = match key {
            SortKey::Column(column) => columns.get(column).copied(),
            SortKey::Id => None,
        };
        Key { column, descending }
    }
}

/// A walk along a sorted sequence.
#[derive(Debug)]
pub(super) struct Walk {
    /// Which sequence: the ids', or one of [`Table::sorted`].
    sorted: Option<usize>,
    next: Place,
    /// Where the current stretch ends.
    stop: Place,
    /// When descending: what is left before the current stretch, and what comes last.
    descending: Option<(Place, Place)>,
}

impl Walk {
    /// The walk that yields an order, after a position, if there is a sequence for it.
    pub(super) fn new(table: &Table, keys: &[Key], after: Option<&Position>) -> Option<Walk> {
        let descending = keys.first().is_some_and(|key| key.descending);
        let by_id = keys.first().is_none_or(|key| key.column.is_none());
        if by_id {
            let tree = &table.in_id_order;
            // A position may name a key that differs from its id, as one that no row has.
            let place = |after: &Position, own: Ordering| {
                let key = after.keys.first().and_then(Value::as_text).unwrap_or(&after.id);
                let equal = if key > after.id.as_str() { own.reverse() } else { own };
                tree.seek(|row| table.id(row).as_bytes().cmp(key.as_bytes()).then(equal))
            };
            return Some(if descending {
                let end = after.map_or(tree.end(), |after| place(after, Ordering::Greater));
                // Each stretch is one row: ids differ.
                Walk { sorted: None, next: end, stop: end, descending: Some((end, tree.end())) }
            } else {
                let next = after.map_or(tree.start(), |after| place(after, Ordering::Less));
                Walk { sorted: None, next, stop: tree.end(), descending: None }
            });
        }
        let columns: Vec<usize> = keys.iter().map_while(|key| key.column).collect();
        if keys.len() > columns.len() || keys.iter().any(|key| key.descending != descending) || descending && keys.len() > 1 {
            return None;
        }
        let index = table.sorted_by(&columns)?;
        let Sorted { columns, tree } = &table.sorted[index];
        let values: Option<Vec<&Value>> = after.map(|after| after.keys.iter().take(columns.len()).collect());
        let by_position = |row: u32| match (&values, after) {
            (Some(values), Some(after)) => {
                let by_key = table.compare_key(columns, row, values);
                by_key.then_with(|| table.id(row).as_bytes().cmp(after.id.as_bytes())).then(Ordering::Less)
            }
            _ => Ordering::Greater,
        };
        let next = tree.seek(by_position);
        if !descending {
            return Some(Walk { sorted: Some(index), next, stop: tree.end(), descending: None });
        }
        let nulls = tree.seek(|row| if table.is_null(row, columns[0]) { Ordering::Greater } else { Ordering::Less });
        Some(match values.as_deref() {
            // Among the nulls already.
            Some([value, ..]) if value.is_null() => {
                Walk { sorted: Some(index), next, stop: tree.end(), descending: Some((tree.start(), tree.end())) }
            }
            // In the middle of a stretch of equal values.
            Some(values) => {
                let start = tree.seek(|row| table.compare_key(columns, row, values));
                let stop = tree.seek(|row| table.compare_key(columns, row, values).then(Ordering::Less));
                Walk { sorted: Some(index), next, stop, descending: Some((start, nulls)) }
            }
            None => Walk { sorted: Some(index), next: nulls, stop: nulls, descending: Some((nulls, nulls)) },
        })
    }

    fn tree<'a>(&self, table: &'a Table) -> &'a Tree {
        self.sorted.map_or(&table.in_id_order, |index| &table.sorted[index].tree)
    }

    /// The next row.
    pub(super) fn next(&mut self, table: &Table) -> Option<u32> {
        let tree = self.tree(table);
        if self.next >= self.stop {
            let (left, nulls) = self.descending?;
            if left > tree.start() {
                self.stop = left;
                self.next = self.stretch(table, tree, left)?;
                self.descending = Some((self.next, nulls));
            } else if nulls < tree.end() {
                (self.next, self.stop) = (nulls, tree.end());
                self.descending = Some((left, tree.end()));
            } else {
                return None;
            }
        }
        let row = tree.get(self.next)?;
        self.next = tree.after(self.next);
        Some(row)
    }

    /// Where the stretch of equal values that ends at `end` starts.
    fn stretch(&self, table: &Table, tree: &Tree, end: Place) -> Option<Place> {
        let mut start = tree.before(end)?;
        let Some(columns) = self.sorted.map(|index| &table.sorted[index].columns) else { return Some(start) };
        let last = tree.get(start)?;
        for _ in 0..8 {
            let Some(before) = tree.before(start) else { return Some(start) };
            let row = tree.get(before)?;
            if compare_rows(&table.chunks, &table.shape, columns, row, last).is_ne() {
                return Some(start);
            }
            start = before;
        }
        Some(tree.seek(|row| compare_rows(&table.chunks, &table.shape, columns, row, last)))
    }
}

/// The selected rows in order, after a position: the first `limit` of them.
pub(super) fn sort(table: &Table, keys: &[Key], after: Option<&Position>, selection: Option<&Selection>, limit: Option<usize>) -> Vec<u32> {
    let whole: Selection;
    let selection = match selection {
        Some(selection) => selection,
        None => {
            whole = Selection::of_all(table);
            &whole
        }
    };
    let limit = limit.unwrap_or(usize::MAX);
    if let ([Key { column: Some(column), descending }], None) = (keys, after)
        && let Some(sorted) = sort_by_number(table, *column, *descending, selection, limit)
    {
        return sorted;
    }
    let mut rows: Vec<u32> = selection.rows().collect();
    if let Some(after) = after {
        rows.retain(|row| compare_position(table, keys, *row, after).is_gt());
    }
    if keys.iter().all(|key| key.column.is_none() && !key.descending) {
        return sort_by_id(table, rows, limit);
    }
    let compare = |a: &u32, b: &u32| compare_by_keys(table, keys, *a, *b);
    first(&mut rows, limit, compare);
    rows.sort_unstable_by(compare);
    rows
}

/// Leaves the least `limit` items, in any order.
fn first<T>(items: &mut Vec<T>, limit: usize, compare: impl FnMut(&T, &T) -> Ordering) {
    if limit < items.len() {
        if limit > 0 {
            items.select_nth_unstable_by(limit - 1, compare);
        }
        items.truncate(limit);
    }
}

/// Sorts by id. The eight bytes after what all ids begin with are read once a row: mostly they decide.
fn sort_by_id(table: &Table, rows: Vec<u32>, limit: usize) -> Vec<u32> {
    let tree = &table.in_id_order;
    let last = tree.before(tree.end()).and_then(|place| tree.get(place));
    let alike = |a: &str, b: &str| a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let skip = tree.get(tree.start()).zip(last).map_or(0, |(first, last)| alike(table.id(first), table.id(last)));
    let mut keyed: Vec<(u64, u32)> = rows.into_iter().map(|row| (Id::key_of(table.id(row).as_bytes(), skip), row)).collect();
    let compare = |a: &(u64, u32), b: &(u64, u32)| a.0.cmp(&b.0).then_with(|| table.id(a.1).as_bytes().cmp(table.id(b.1).as_bytes()));
    first(&mut keyed, limit, compare);
    keyed.sort_unstable_by(compare);
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// Sorts by one column of integers or floats as unsigned numbers of the same order.
fn sort_by_number(table: &Table, column: usize, descending: bool, selection: &Selection, limit: usize) -> Option<Vec<u32>> {
    let compare = |a: &(bool, u64, u32), b: &(bool, u64, u32)| {
        (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| table.id(a.2).as_bytes().cmp(table.id(b.2).as_bytes()))
    };
    // Twice as many as are wanted are gathered before the worse half goes: each row is then looked at about once.
    let room = limit.saturating_mul(2).saturating_add(512).min(selection.count);
    let mut best: Vec<(bool, u64, u32)> = Vec::with_capacity(room);
    let mut worst = (true, u64::MAX);
    for (index, mask) in &selection.chunks {
        let cells = &*table.chunks.get(*index).columns[column];
        let number: &dyn Fn(usize) -> u64 = match &cells.data {
            Data::Whole(values) => &|place| values[place] as u64 ^ 1 << 63,
            Data::Float(values) => &|place| {
                // Adding zero makes -0.0 equal to 0.0, as it compares.
                let bits = (values[place] + 0.0).to_bits();
                if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
            },
            _ => return None,
        };
        for place in mask.rows() {
            let key = match (cells.valid.get(place), descending) {
                (true, false) => (false, number(place)),
                (true, true) => (false, !number(place)),
                (false, _) => (true, 0),
            };
            if key > worst {
                continue;
            }
            best.push((key.0, key.1, (index * CHUNK + place) as u32));
            if best.len() >= room && limit < room {
                first(&mut best, limit, compare);
                worst = best.iter().map(|(null, number, _)| (*null, *number)).max().unwrap_or(worst);
            }
        }
    }
    first(&mut best, limit, compare);
    best.sort_unstable_by(compare);
    Some(best.into_iter().map(|(_, _, row)| row).collect())
}

fn compare_by_keys(table: &Table, keys: &[Key], a: u32, b: u32) -> Ordering {
    for key in keys {
        let order = match key.column {
            None => flip(table.id(a).as_bytes().cmp(table.id(b).as_bytes()), key.descending),
            Some(column) => {
                let order = compare_rows(&table.chunks, &table.shape, &[column], a, b);
                let nulls = table.is_null(a, column) || table.is_null(b, column);
                flip(order, key.descending && !nulls)
            }
        };
        if order.is_ne() {
            return order;
        }
    }
    table.id(a).as_bytes().cmp(table.id(b).as_bytes())
}

fn compare_position(table: &Table, keys: &[Key], row: u32, position: &Position) -> Ordering {
    for (key, value) in keys.iter().zip(&position.keys) {
        let order = match key.column {
            None => flip(table.id(row).as_bytes().cmp(value.as_text().unwrap_or("").as_bytes()), key.descending),
            Some(column) => {
                let order = table.compare_key(&[column], row, &[value]);
                flip(order, key.descending && !value.is_null() && !table.is_null(row, column))
            }
        };
        if order.is_ne() {
            return order;
        }
    }
    table.id(row).as_bytes().cmp(position.id.as_bytes())
}

fn flip(order: Ordering, descending: bool) -> Ordering {
    if descending { order.reverse() } else { order }
}
