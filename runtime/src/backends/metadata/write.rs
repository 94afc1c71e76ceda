//! Writing. Versions are read first, and what is newer is written then.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::driver::Inner;
use super::shape::{Row, Shape, version};
use super::store::{Depth, Moment, Record, Store};
use super::walk::Parted;
use crate::driver::{WriteBatch, WriteMode, WriteReport};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::filter::{Condition, Filter, Test};
use crate::schema::Part;
use crate::types::{Value, canonical_key};

impl<S: Store> Inner<S> {
    /// Writes a batch.
    pub(super) async fn write(&self, part: &Arc<Part>, batch: &WriteBatch) -> Result<WriteReport> {
        let turn = self.turn(&part.table);
        let _turn = turn.lock().await;
        let shape = self.shape(part).await?;
        let dialect = self.store.dialect();
        self.store.settle(&shape.spaces[..1], Moment::Decide).await?;
        let patches = batch.mode == WriteMode::Patch;
        let everything: Vec<usize> = (0..part.columns.len()).collect();
        let mut ids: Vec<String> = batch.ids.iter().map(|id| id.as_str().to_owned()).collect();
        ids.sort_unstable();
        let depth = if patches { shape.depth(&everything, dialect) } else { Depth::Metadata };
        let stored = self.rows(&shape, shape.first(), &ids, depth).await?;
        let place: HashMap<&str, &Record> = stored.iter().map(|record| (record.id.as_str(), record)).collect();
        let mut report = WriteReport::default();
        let mut rows = Vec::new();
        let mut gone = Vec::new();
        for (position, id) in batch.ids.iter().enumerate() {
            let there = place.get(id.as_str()).copied();
            match (batch.mode, there) {
                (WriteMode::Insert, Some(_)) => {
                    let why = "insert met an id that is there: use upsert to replace the row";
                    return Err(Error::new(ErrorKind::AlreadyExists, why).with("id", id));
                }
                (WriteMode::Patch | WriteMode::Delete, None) => {
                    report.missing.push(position);
                    continue;
                }
                (_, Some(record)) => {
                    let stored = version(record)?;
                    let unexpected = patches && batch.expected.get(position).is_some_and(|e| *e != stored);
                    if stored >= batch.version || unexpected {
                        report.stale.push((position, stored));
                        continue;
                    }
                }
                (_, None) => {}
            }
            if batch.mode == WriteMode::Delete {
                gone.push(id.as_str().to_owned());
                continue;
            }
            let mut values = match there {
                Some(record) if patches => shape.values(record, &everything, dialect)?,
                _ => vec![Value::Null; part.columns.len()],
            };
            for (column, value) in batch.columns.iter().zip(batch.row(position)) {
                values[*column] = value.clone();
            }
            rows.push(Row { id: id.as_str().to_owned(), version: batch.version, values });
        }
        if !rows.is_empty() && !part.unique_groups().is_empty() {
            self.check_unique(&shape, &rows).await?;
        }
        if batch.mode == WriteMode::Delete {
            // What decides goes first: a record that is left in another space is found out there. Ids that were not
            // there may be such ones.
            let absent = report.missing.iter().map(|&position| batch.ids[position].as_str().to_owned());
            let everywhere: Vec<String> = gone.iter().cloned().chain(absent).collect();
            for (number, space) in shape.spaces.iter().enumerate() {
                let ids = if number == 0 { &gone } else { &everywhere };
                for chunk in ids.chunks(self.most_ids) {
                    self.store.remove(space, chunk).await.map_err(|e| if number == 0 { e } else { half_done(e) })?;
                }
            }
        } else {
            self.put(&shape, &rows).await?;
        }
        Ok(report)
    }

    /// Writes whole rows: what searches first, what decides last, so that a write cut short is made again.
    pub(super) async fn put(&self, shape: &Shape, rows: &[Row]) -> Result<()> {
        let dialect = self.store.dialect();
        let mut written = false;
        let mut spaces = Vec::new();
        // All is encoded before the first byte is written.
        for space in shape.spaces.iter().rev() {
            let mut records = Vec::with_capacity(rows.len());
            let mut without = Vec::new();
            for row in rows {
                match shape.record(space, row, dialect)? {
                    Some(record) => {
                        self.store.fits(&record).map_err(|e| e.of_entity(shape.part.entity.name).with("id", &row.id))?;
                        records.push(record);
                    }
                    None => without.push(row.id.clone()),
                }
            }
            spaces.push((space, records, without));
        }
        for (space, records, _) in &spaces {
            if !records.is_empty() {
                self.store.put(space, records).await.map_err(|e| if written { half_done(e) } else { e })?;
                written = true;
            }
        }
        for (space, _, without) in &spaces {
            for chunk in without.chunks(self.most_ids) {
                self.store.remove(space, chunk).await.map_err(half_done)?;
            }
        }
        Ok(())
    }

    /// Refuses rows that would share unique values with each other or with rows that stay.
    async fn check_unique(&self, shape: &Shape, rows: &[Row]) -> Result<()> {
        let written: HashSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        let dialect = self.store.dialect();
        for group in shape.part.unique_groups() {
            let names: Vec<&str> = group.iter().map(|&c| shape.part.columns[c].name).collect();
            let violated = || {
                let why = format!("another row holds the same unique({})", names.join(", "));
                Error::new(ErrorKind::UniqueViolation, why).at_field(names.join(", "))
            };
            let mut seen = HashSet::new();
            let mut wanted = Vec::new();
            for row in rows {
                let values: Vec<&Value> = group.iter().map(|&c| &row.values[c]).collect();
                if values.iter().any(|value| value.is_null()) {
                    continue;
                }
                let mut key = Vec::new();
                values.iter().for_each(|value| canonical_key(value, &mut key));
                if !seen.insert(key) {
                    return Err(violated());
                }
                let test = |(&c, value): (&usize, &&Value)| Test::new(shape.part.columns[c].name, Condition::Eq((*value).clone())).into();
                wanted.push(Filter::And(group.iter().zip(&values).map(test).collect()));
            }
            for chunk in wanted.chunks((dialect.most_tests / (2 * group.len())).max(1)) {
                let parted = Parted::of(&shape.part, &Filter::Or(chunk.to_vec()), None, dialect)?;
                let Ok(filter) = parted.wanted.sent() else { continue };
                let found = self.store.matching(shape.first(), filter, Some(rows.len() + chunk.len() + 1), Depth::Ids).await?;
                if found.iter().any(|record| !written.contains(record.id.as_str())) {
                    return Err(violated());
                }
            }
        }
        Ok(())
    }
}

/// A failure after something was written: the same batch may be written again.
pub(super) fn half_done(error: Error) -> Error {
    error.with_status(Status::Unknown).with("written", "some of the batch")
}
