//! Which rows a sub-query is about: by ids, by a sorted column, or by reading columns.

use std::cmp::Ordering;

use super::column::Kind;
use super::filter::{self, Node};
use super::mask::Mask;
use super::store::View;
use super::table::{Sorted, Table, split};
use crate::error::Result;
use crate::filter::{Condition, Filter, Target, Test};
use crate::schema::ID_COLUMN;
use crate::types::{Id, Value};

/// Rows of some chunks, ascending.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) chunks: Vec<(usize, Mask)>,
    pub(super) count: usize,
}

impl Selection {
    fn of_rows(mut rows: Vec<u32>) -> Selection {
        rows.sort_unstable();
        let mut chunks: Vec<(usize, Mask)> = Vec::new();
        for row in rows {
            let (chunk, place) = split(row);
            match chunks.last_mut() {
                Some((last, mask)) if *last == chunk => mask.set(place, true),
                _ => {
                    let mut mask = Mask::EMPTY;
                    mask.set(place, true);
                    chunks.push((chunk, mask));
                }
            }
        }
        let count = chunks.iter().map(|(_, mask)| mask.count()).sum();
        Selection { chunks, count }
    }

    /// Every row.
    pub(super) fn of_all(table: &Table) -> Selection {
        let chunks = table.chunks.iter().enumerate().map(|(index, chunk)| (index, chunk.live)).collect();
        Selection { chunks, count: table.len() }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = u32> + '_ {
        self.chunks.iter().flat_map(|(chunk, mask)| mask.rows().map(move |place| (chunk * super::mask::CHUNK + place) as u32))
    }

    pub(super) fn contains(&self, row: u32) -> bool {
        let (chunk, place) = split(row);
        // Mostly every chunk has rows, and the list's place is the chunk's number.
        let found = match self.chunks.get(chunk) {
            Some((number, mask)) if *number == chunk => Some(mask),
            _ => self.chunks.binary_search_by_key(&chunk, |(number, _)| *number).ok().map(|at| &self.chunks[at].1),
        };
        found.is_some_and(|mask| mask.get(place))
    }
}

/// The rows that a filter and a list of ids leave; `None` for all rows.
pub(super) fn select(table: &Table, view: &View, filter: &Filter, ids: Option<&[Id]>) -> Result<Option<Selection>> {
    let column = |field: &str| view.part.column(field).and_then(|(position, _)| view.columns.get(position).copied());
    let node = filter::prepare(filter, &table.shape, &column)?;
    if let Some(ids) = ids {
        let rows = ids.iter().filter_map(|id| table.find(id)).collect();
        return Ok(Some(narrow(table, &node, Selection::of_rows(rows))));
    }
    if filter.is_all() {
        return Ok(None);
    }
    let candidates = best_candidates(table, &column, filter);
    let candidates = candidates.map_or_else(|| Selection::of_all(table), Selection::of_rows);
    Ok(Some(narrow(table, &node, candidates)))
}

/// The rows of some ids that satisfy a filter, in the order of the ids.
pub(super) fn among(table: &Table, view: &View, filter: &Filter, ids: &[Id]) -> Result<Vec<u32>> {
    let mut rows: Vec<u32> = ids.iter().filter_map(|id| table.find(id)).collect();
    let column = |field: &str| view.part.column(field).and_then(|(position, _)| view.columns.get(position).copied());
    let node = filter::prepare(filter, &table.shape, &column)?;
    if !filter.is_all() {
        let selection = narrow(table, &node, Selection::of_rows(rows.clone()));
        rows.retain(|row| selection.contains(*row));
    }
    Ok(rows)
}

fn narrow(table: &Table, node: &Node, mut selection: Selection) -> Selection {
    selection.count = 0;
    for (index, mask) in &mut selection.chunks {
        *mask = node.run(table.chunks.get(*index), mask);
        selection.count += mask.count();
    }
    // A list in which chunks are missing is searched; one of nearly all stays as it is.
    if selection.count < selection.chunks.len() {
        selection.chunks.retain(|(_, mask)| !mask.is_empty());
    }
    selection
}

/// How many rows a filter leaves at most: what indexes know of the tests that must all hold, else a count over columns
/// where that is cheaper than reading the ids of `cap` rows. It is the number itself when the filter is one test.
pub(super) fn estimate(table: &Table, view: &View, filter: &Filter, cap: usize) -> Result<Option<u64>> {
    let column = |field: &str| view.part.column(field).and_then(|(position, _)| view.columns.get(position).copied());
    if filter.is_all() {
        return Ok(Some(table.len() as u64));
    }
    let known = tests_of(filter).into_iter().filter_map(|test| known_count(table, &column, test)).min();
    if known.is_some() {
        return Ok(known.map(|count| count as u64));
    }
    let node = filter::prepare(filter, &table.shape, &column)?;
    // Nanoseconds on both sides: an id that is read costs some 60.
    if node.cost().saturating_mul(table.len()) > cap.saturating_mul(60) {
        return Ok(None);
    }
    Ok(Some(narrow(table, &node, Selection::of_all(table)).count as u64))
}

/// How many rows satisfy a test, by an index that has the answer without reading them.
fn known_count(table: &Table, column: &dyn Fn(&str) -> Option<usize>, test: &Test) -> Option<usize> {
    if test.target != Target::Value {
        return None;
    }
    let Some(at) = column(&test.field) else {
        let mut rows = by_id(table, &test.condition)?;
        rows.sort_unstable();
        rows.dedup();
        return Some(rows.len());
    };
    let sorted = table.sorted.iter().find(|sorted| sorted.columns[0] == at)?;
    let (tree, first, kind) = (&sorted.tree, &sorted.columns[..1], &table.shape[at].kind);
    // Lists and JSON are sorted, though not by what their tests mean.
    if *kind == Kind::Packed {
        return None;
    }
    let usable = |value: &Value| !value.is_null() && kind.accepts(value) && !matches!(value, Value::Float(n) if n.is_nan());
    let below = |value: &Value| tree.seek(|row| table.compare_key(first, row, &[value]));
    let through = |value: &Value| tree.seek(|row| table.compare_key(first, row, &[value]).then(Ordering::Less));
    let nulls = || tree.seek(|row| if table.is_null(row, first[0]) { Ordering::Greater } else { Ordering::Less });
    let (from, to) = match &test.condition {
        Condition::Eq(value) if usable(value) => (below(value), through(value)),
        Condition::Lt(value) if usable(value) => (tree.start(), below(value)),
        Condition::Le(value) if usable(value) => (tree.start(), through(value)),
        Condition::Gt(value) if usable(value) => (through(value), nulls()),
        Condition::Ge(value) if usable(value) => (below(value), nulls()),
        Condition::Between(low, high) if usable(low) && usable(high) => (below(low), through(high)),
        Condition::In(values) if values.iter().all(usable) => {
            let mut ranges: Vec<_> = values.iter().map(|value| (below(value), through(value))).collect();
            ranges.sort_unstable();
            ranges.dedup();
            return Some(ranges.into_iter().map(|(from, to)| tree.distance(from, to)).sum());
        }
        Condition::IsNull => (nulls(), tree.end()),
        Condition::IsSome => (tree.start(), nulls()),
        _ => return None,
    };
    Some(if from < to { tree.distance(from, to) } else { 0 })
}

/// The tests that must all hold.
fn tests_of(filter: &Filter) -> Vec<&Test> {
    match filter {
        Filter::Test(test) => vec![test],
        Filter::And(parts) => parts.iter().filter_map(|part| if let Filter::Test(test) = part { Some(test) } else { None }).collect(),
        _ => Vec::new(),
    }
}

/// The fewest rows that one of the conjunction's tests leaves by an index, if they are few.
fn best_candidates(table: &Table, column: &dyn Fn(&str) -> Option<usize>, filter: &Filter) -> Option<Vec<u32>> {
    let mut best: Option<Vec<u32>> = None;
    for test in tests_of(filter).into_iter().filter(|test| test.target == Target::Value) {
        let cap = best.as_ref().map_or(table.len() / 8, Vec::len);
        let rows = if test.field == ID_COLUMN && column(&test.field).is_none() {
            by_id(table, &test.condition)
        } else {
            column(&test.field).and_then(|column| {
                let sorted = table.sorted.iter().find(|sorted| sorted.columns[0] == column)?;
                by_sorted(table, sorted, &table.shape[column].kind, &test.condition, cap)
            })
        };
        if let Some(rows) = rows.filter(|rows| best.as_ref().is_none_or(|best| rows.len() < best.len())) {
            best = Some(rows);
        }
    }
    best
}

fn by_id(table: &Table, condition: &Condition) -> Option<Vec<u32>> {
    match condition {
        Condition::Eq(value) => Some(value.as_text().and_then(|id| table.find(id)).into_iter().collect()),
        Condition::In(values) => Some(values.iter().filter_map(|value| table.find(value.as_text()?)).collect()),
        _ => None,
    }
}

/// The rows of a condition by a sorted sequence whose first column is tested: a superset is fine, too many are not.
fn by_sorted(table: &Table, sorted: &Sorted, kind: &Kind, condition: &Condition, cap: usize) -> Option<Vec<u32>> {
    let first = &sorted.columns[..1];
    let mut rows = Vec::new();
    let mut between = |low: Option<&Value>, high: &dyn Fn(u32) -> bool| {
        let start = low.map_or(sorted.tree.start(), |low| sorted.tree.seek(|row| table.compare_key(first, row, &[low])));
        for row in sorted.tree.from(start).take_while(|row| !table.is_null(*row, first[0]) && high(*row)) {
            if rows.len() >= cap {
                return None;
            }
            rows.push(row);
        }
        Some(())
    };
    let at_most = |value: &Value, row: u32| table.compare_key(first, row, &[value]).is_le();
    let usable = |value: &Value| !value.is_null() && kind.accepts(value) && !matches!(value, Value::Float(n) if n.is_nan());
    match condition {
        Condition::Eq(value) if usable(value) => between(Some(value), &|row| at_most(value, row))?,
        Condition::Lt(value) | Condition::Le(value) if usable(value) => between(None, &|row| at_most(value, row))?,
        Condition::Gt(value) | Condition::Ge(value) if usable(value) => between(Some(value), &|_| true)?,
        Condition::Between(low, high) if usable(low) && usable(high) => between(Some(low), &|row| at_most(high, row))?,
        Condition::In(values) if values.iter().all(usable) => {
            values.iter().try_for_each(|value| between(Some(value), &|row| at_most(value, row)))?;
        }
        Condition::StartsWith(prefix) if matches!(kind, Kind::Text { .. }) => {
            let low = Value::Text(prefix.clone());
            let starts = |row: u32| {
                let (cells, place) = table.cells(row, first[0]);
                cells.text(kind, place).is_some_and(|text| text.starts_with(prefix.as_str()))
            };
            between(Some(&low), &starts)?;
        }
        _ => return None,
    }
    Some(rows)
}
