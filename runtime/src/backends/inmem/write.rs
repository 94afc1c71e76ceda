//! Batches: decided wholly before the first change, then applied without a way to fail.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::column::Cells;
use super::mask::{CHUNK, Mask};
use super::store::View;
use super::table::{Chunk, Table, split};
use super::texts::{Texts, grown};
use crate::driver::{WriteBatch, WriteMode, WriteReport};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Value, canonical_key};

/// The table as its writer has it: with the rows that are free to be used again.
#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) table: Table,
    free: Vec<u32>,
}

/// A row of the batch that its guard lets through: its position, and where it is stored already.
struct Due {
    position: usize,
    row: Option<u32>,
}

impl Writer {
    /// Writes a batch, or nothing of it.
    pub(super) fn write(&mut self, view: &View, batch: &WriteBatch) -> Result<WriteReport> {
        let (report, due) = self.guard(view, batch)?;
        let targets: Vec<usize> = batch.columns.iter().filter_map(|column| view.columns.get(*column).copied()).collect();
        if batch.mode == WriteMode::Delete {
            self.delete(due.iter().filter_map(|due| due.row));
            return Ok(report);
        }
        self.check_values(view, &targets, batch, &due)?;
        for (index, names) in &view.uniques {
            self.check_unique(*index, names, &targets, batch, &due)?;
        }
        self.apply(view, &targets, batch, due)?;
        Ok(report)
    }

    fn guard(&self, view: &View, batch: &WriteBatch) -> Result<(WriteReport, Vec<Due>)> {
        let mut report = WriteReport::default();
        let mut due = Vec::with_capacity(batch.len());
        for (position, id) in batch.ids.iter().enumerate() {
            let row = self.table.find(id);
            match (row, batch.mode) {
                (Some(_), WriteMode::Insert) => {
                    return Err(Error::new(ErrorKind::AlreadyExists, "a row with this id is there already: use upsert to replace it")
                        .at_field("object_id")
                        .with("id", id));
                }
                (None, WriteMode::Patch | WriteMode::Delete) => report.missing.push(position),
                (None, _) => due.push(Due { position, row }),
                (Some(found), _) => {
                    let stored = self.table.version(found);
                    let expected = batch.expected.get(position).copied();
                    // A mapped table carries no versions: there is nothing to guard by.
                    let stale = stored >= batch.version || expected.is_some_and(|expected| expected != stored);
                    if stale && !view.mapped { report.stale.push((position, stored)) } else { due.push(Due { position, row }) }
                }
            }
        }
        Ok((report, due))
    }

    /// The caller has validated the batch; this keeps a defect there from becoming a wrong row here.
    fn check_values(&self, view: &View, targets: &[usize], batch: &WriteBatch, due: &[Due]) -> Result<()> {
        let width = batch.columns.len();
        if targets.len() != width || batch.values.len() != batch.len() * width {
            return Err(Error::new(ErrorKind::Internal, "a batch whose values do not fit its columns").of_entity(view.entity));
        }
        for (nth, target) in targets.iter().enumerate() {
            let shape = &self.table.shape[*target];
            for due in due {
                let value = &batch.values[due.position * width + nth];
                if !shape.kind.accepts(value) || value.is_null() && !shape.nullable {
                    let why = format!("a value of type {} where the field is {}", value.family(), shape.logical);
                    return Err(Error::new(ErrorKind::InvalidValue, why).of_entity(view.entity).at_field(shape.name));
                }
            }
        }
        Ok(())
    }

    /// Checks the rows as they will be: against each other, and against those that stay as they are.
    fn check_unique(&self, index: usize, names: &str, targets: &[usize], batch: &WriteBatch, due: &[Due]) -> Result<()> {
        let sorted = &self.table.sorted[index];
        let given: Vec<Option<usize>> = sorted.columns.iter().map(|column| targets.iter().position(|target| target == column)).collect();
        if batch.mode == WriteMode::Patch && given.iter().all(Option::is_none) {
            return Ok(());
        }
        let changing: HashSet<u32> = if due.len() > 1 { due.iter().filter_map(|due| due.row).collect() } else { HashSet::new() };
        let mut seen: HashSet<Vec<u8>> = HashSet::new();
        for due in due {
            let row = batch.row(due.position);
            let stored: Vec<Value> = match due.row {
                Some(stored) => sorted.columns.iter().map(|column| self.table.value(stored, *column)).collect(),
                None => vec![Value::Null; sorted.columns.len()],
            };
            let key: Vec<&Value> = given.iter().zip(&stored).map(|(given, stored)| given.map_or(stored, |nth| &row[nth])).collect();
            if key.iter().any(|value| value.is_null()) {
                continue;
            }
            let mut taken = self.table.equal_range(sorted, &key).any(|other| due.row != Some(other) && !changing.contains(&other));
            if batch.len() > 1 {
                let mut canonical = Vec::new();
                key.iter().for_each(|value| canonical_key(value, &mut canonical));
                taken |= !seen.insert(canonical);
            }
            if taken {
                let why = format!("another row has this value of unique({names}) already");
                let field = self.table.shape[sorted.columns[0]].name;
                return Err(Error::new(ErrorKind::UniqueViolation, why).at_field(field).with("id", &batch.ids[due.position]));
            }
        }
        Ok(())
    }

    fn apply(&mut self, view: &View, targets: &[usize], batch: &WriteBatch, due: Vec<Due>) -> Result<()> {
        // What new rows have in columns that this registration does not know.
        let unknown: Vec<usize> = (0..self.table.shape.len()).filter(|column| !view.columns.contains(column)).collect();
        let new = due.iter().filter(|due| due.row.is_none()).count();
        if self.table.chunks.len() * CHUNK + new > u32::MAX as usize - CHUNK {
            return Err(Error::new(ErrorKind::LimitExceeded, "a table in memory holds four thousand million rows").of_entity(view.entity));
        }
        let mut leaving: Vec<Vec<u32>> = vec![Vec::new(); self.table.sorted.len()];
        let mut entering: Vec<Vec<u32>> = vec![Vec::new(); self.table.sorted.len()];
        let mut placed: Vec<(u32, usize, bool)> = Vec::with_capacity(due.len());
        for Due { position, row } in due {
            let is_new = row.is_none();
            let row = row.unwrap_or_else(|| self.take_row());
            placed.push((row, position, is_new));
            for (index, sorted) in self.table.sorted.iter().enumerate() {
                let moves = |column: &usize| {
                    let Some(nth) = targets.iter().position(|target| target == column) else { return false };
                    let (cells, place) = self.table.cells(row, *column);
                    cells.compare_value(&self.table.shape[*column].kind, place, &batch.row(position)[nth]).is_ne()
                };
                if is_new {
                    entering[index].push(row);
                } else if sorted.columns.iter().any(moves) {
                    leaving[index].push(row);
                    entering[index].push(row);
                }
            }
        }
        for (index, rows) in leaving.iter().enumerate() {
            rows.iter().for_each(|row| self.table.leave_sorted(index, *row));
        }
        let version = if view.mapped { 0 } else { batch.version };
        for run in placed.chunk_by(|a, b| split(a.0).0 == split(b.0).0) {
            let index = split(run[0].0).0;
            let shape = self.table.shape.clone();
            let chunk = self.table.chunks.get_mut(index);
            // Whether the chunk has its last row now: what room it has left is given back.
            let filled = chunk.len == CHUNK && run.iter().any(|(row, _, is_new)| *is_new && split(*row).1 == CHUNK - 1);
            set_run(chunk, run, batch, version, filled);
            for (nth, target) in targets.iter().enumerate() {
                let cells = Arc::make_mut(&mut chunk.columns[*target]);
                cells.grow(chunk.len);
                let kind = &shape[*target].kind;
                run.iter().for_each(|(row, position, _)| cells.set(kind, split(*row).1, &batch.row(*position)[nth]));
                cells.settle(filled);
            }
            for column in &unknown {
                let cells = Arc::make_mut(&mut chunk.columns[*column]);
                cells.grow(chunk.len);
                for (row, _, _) in run.iter().filter(|(_, _, is_new)| *is_new) {
                    cells.set(&shape[*column].kind, split(*row).1, &shape[*column].default);
                }
            }
        }
        placed.iter().filter(|(_, _, is_new)| *is_new).for_each(|(row, _, _)| self.table.enter_id(*row));
        for (index, rows) in entering.iter().enumerate() {
            rows.iter().for_each(|row| self.table.enter_sorted(index, *row));
        }
        Ok(())
    }

    /// A free row, in a chunk that has its place.
    fn take_row(&mut self) -> u32 {
        if let Some(row) = self.free.pop() {
            return row;
        }
        let last = self.table.chunks.len();
        let full = last == 0 || self.table.chunks.get(last - 1).len == CHUNK;
        if full {
            let columns = self.table.shape.iter().map(|shape| Arc::new(Cells::new(&shape.kind))).collect();
            let (ids, versions) = (Arc::new(Texts::default()), Arc::new(Vec::new()));
            self.table.chunks.push(Chunk { live: Mask::EMPTY, len: 0, ids, versions, columns });
        }
        let index = self.table.chunks.len() - 1;
        let chunk = self.table.chunks.get_mut(index);
        chunk.len += 1;
        (index * CHUNK + chunk.len - 1) as u32
    }

    fn delete(&mut self, rows: impl Iterator<Item = u32>) {
        let rows: Vec<u32> = rows.collect();
        for index in 0..self.table.sorted.len() {
            rows.iter().for_each(|row| self.table.leave_sorted(index, *row));
        }
        for row in &rows {
            self.table.leave_id(*row);
            let (chunk, place) = split(*row);
            let shape = self.table.shape.clone();
            let chunk = self.table.chunks.get_mut(chunk);
            chunk.live.set(place, false);
            for (cells, shape) in chunk.columns.iter_mut().zip(shape.iter()) {
                if cells.valid.get(place) {
                    Arc::make_mut(cells).set(&shape.kind, place, &Value::Null);
                }
            }
        }
        self.free.extend(rows);
    }
}

/// Sets ids and versions of rows of one chunk.
fn set_run(chunk: &mut Chunk, run: &[(u32, usize, bool)], batch: &WriteBatch, version: i64, filled: bool) {
    let versions = Arc::make_mut(&mut chunk.versions);
    if versions.capacity() < chunk.len {
        let room = grown(versions.len()).max(chunk.len - versions.len());
        versions.reserve_exact(room);
    }
    versions.resize(chunk.len, 0);
    for (row, position, is_new) in run {
        let place = split(*row).1;
        versions[place] = version;
        if *is_new {
            let ids = Arc::make_mut(&mut chunk.ids);
            ids.grow(chunk.len);
            ids.set(place, &batch.ids[*position]);
            chunk.live.set(place, true);
        }
    }
    if filled {
        Arc::make_mut(&mut chunk.ids).shrink();
    }
}

/// Whether the rows that are there are unique by a sorted sequence's columns.
pub(super) fn is_unique(table: &Table, index: usize) -> bool {
    let sorted = &table.sorted[index];
    let mut seen: HashMap<Vec<u8>, ()> = HashMap::new();
    sorted.tree.from(sorted.tree.start()).all(|row| {
        let key: Vec<Value> = sorted.columns.iter().map(|column| table.value(row, *column)).collect();
        let mut canonical = Vec::new();
        key.iter().for_each(|value| canonical_key(value, &mut canonical));
        key.iter().any(Value::is_null) || seen.insert(canonical, ()).is_none()
    })
}
