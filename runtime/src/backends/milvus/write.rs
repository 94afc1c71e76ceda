//! Writing. Versions are read first, and what is newer is written then: exact among the writers of this process, which
//! take turns at a part, not against another process at the same moment, where the later write wins.

use std::collections::{HashMap, HashSet};

use prost::Message;

use super::config::Consistency;
use super::driver::Inner;
use super::expression::{self, Expression};
use super::proto::{Delete, Mutation, Upsert};
use super::rows::{Row, to_fields};
use super::shape::Shape;
use crate::driver::{Page, WriteBatch, WriteMode, WriteReport};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::filter::{Condition, Filter, Test};
use crate::types::{Id, Value, canonical_key};

/// Most rows of one batch.
pub(super) const MAX_BATCH: usize = 1_000;
/// Largest message: the server's usual limit is 64 MB.
const LARGEST_MESSAGE: usize = 16 << 20;

impl Inner {
    /// Writes a batch.
    pub(super) async fn write(&self, shape: &Shape, batch: &WriteBatch) -> Result<WriteReport> {
        if batch.is_empty() {
            return Ok(WriteReport::default());
        }
        let turn = self.turn(&shape.first().name);
        let _turn = turn.lock().await;
        let everything: Vec<usize> = (0..shape.part.columns.len()).collect();
        let uniques = !shape.part.unique_groups().is_empty();
        let whole = batch.mode == WriteMode::Patch;
        // Whatever other reads are content with: this one decides.
        let stored = self.by_ids(shape, &batch.ids, if whole { &everything } else { &[] }, Consistency::Strong).await?;
        let place: HashMap<&str, usize> = stored.ids.iter().enumerate().map(|(i, id)| (id.as_str(), i)).collect();
        let mut report = WriteReport::default();
        let mut rows = Vec::new();
        let mut gone = Vec::new();
        for (position, id) in batch.ids.iter().enumerate() {
            let there = place.get(id.as_str()).copied();
            match (batch.mode, there) {
                (WriteMode::Insert, Some(_)) => {
                    return Err(Error::new(ErrorKind::AlreadyExists, "insert met an id that is there: use upsert to replace the row")
                        .with("id", id));
                }
                (WriteMode::Patch | WriteMode::Delete, None) => {
                    report.missing.push(position);
                    continue;
                }
                (_, Some(row)) => {
                    let version = stored.versions[row];
                    let unexpected = batch.mode == WriteMode::Patch && batch.expected.get(position).is_some_and(|e| *e != version);
                    if version >= batch.version || unexpected {
                        report.stale.push((position, version));
                        continue;
                    }
                }
                (_, None) => {}
            }
            if batch.mode == WriteMode::Delete {
                gone.push(id.clone());
                continue;
            }
            let mut values = match there {
                Some(row) if whole => stored.row(row).to_vec(),
                _ => vec![Value::Null; shape.part.columns.len()],
            };
            for (column, value) in batch.columns.iter().zip(batch.row(position)) {
                values[*column] = value.clone();
            }
            rows.push(Row { id: id.clone(), version: batch.version, values });
        }
        if uniques && !rows.is_empty() {
            self.check_unique(shape, &rows).await?;
        }
        self.delete(shape, &gone).await?;
        self.put(shape, &rows).await?;
        Ok(report)
    }

    /// Writes whole rows: what searches first, what decides last, so that a write cut short is made again.
    pub(super) async fn put(&self, shape: &Shape, rows: &[Row]) -> Result<()> {
        let mut sent = 0;
        for collection in shape.collections.iter().rev() {
            let mut rest = rows;
            while !rest.is_empty() {
                let mut weight = 0;
                let fits = rest.iter().take_while(|row| {
                    weight += row.weight();
                    weight <= LARGEST_MESSAGE
                });
                let (now, later) = rest.split_at(fits.count().max(1));
                let request = Upsert {
                    db_name: self.client.database(),
                    collection_name: collection.name.clone(),
                    fields_data: to_fields(shape, collection, now).map_err(|error| partly(error, sent))?,
                    num_rows: u32::try_from(now.len()).unwrap_or(u32::MAX),
                };
                self.changed("Upsert", request, &mut sent).await?;
                rest = later;
            }
        }
        Ok(())
    }

    async fn delete(&self, shape: &Shape, ids: &[Id]) -> Result<()> {
        let Expression::Where(expr) = expression::of_ids(ids) else { return Ok(()) };
        let mut sent = 0;
        for collection in shape.collections.iter().rev() {
            let request = Delete {
                db_name: self.client.database(),
                collection_name: collection.name.clone(),
                expr: expr.clone(),
                consistency_level: Consistency::Strong.level(),
            };
            self.changed("Delete", request, &mut sent).await?;
        }
        Ok(())
    }

    /// One request of a batch that takes several, of which so many were taken.
    async fn changed<Q: Message + Clone + 'static>(&self, method: &'static str, request: Q, sent: &mut usize) -> Result<()> {
        let done: Mutation = self.client.change(method, request).await.map_err(|error| partly(error, *sent))?;
        if !done.err_index.is_empty() {
            let why = "Milvus wrote some of the rows and others not: write the batch again";
            return Err(partly(Error::new(ErrorKind::Backend, why), *sent).with_status(Status::Unknown));
        }
        *sent += 1;
        Ok(())
    }

    /// Refuses rows that would share unique values with each other or with rows that stay.
    async fn check_unique(&self, shape: &Shape, rows: &[Row]) -> Result<()> {
        let written: HashSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        for group in shape.part.unique_groups() {
            let names: Vec<&str> = group.iter().map(|&c| shape.part.columns[c].name).collect();
            let violated = || {
                let why = format!("another row holds the same unique({})", names.join(", "));
                Error::new(ErrorKind::UniqueViolation, why).at_field(names.join(", ")).of_entity(shape.part.entity.name)
            };
            let key = |values: &[&Value]| {
                let mut key = Vec::new();
                values.iter().for_each(|value| canonical_key(value, &mut key));
                key
            };
            let mut seen = HashSet::new();
            let mut wanted = Vec::new();
            for row in rows {
                let values: Vec<&Value> = group.iter().map(|&c| &row.values[c]).collect();
                if values.iter().any(|value| value.is_null()) {
                    continue;
                }
                if !seen.insert(key(&values)) {
                    return Err(violated());
                }
                let test = |(&c, value): (&usize, &&Value)| Test::new(shape.part.columns[c].name, Condition::Eq((*value).clone())).into();
                wanted.push(Filter::And(group.iter().zip(&values).map(test).collect()));
            }
            for chunk in wanted.chunks(50) {
                let condition = super::read::condition(&shape.part, &Filter::Or(chunk.to_vec()), None).map_err(|_| {
                    Error::new(ErrorKind::InvalidValue, "a unique value is too long to be compared on Milvus").at_field(names.join(", "))
                })?;
                let found: Page = self.least(shape, &condition, &[], rows.len() + chunk.len() + 1, Consistency::Strong).await?;
                if found.ids.iter().any(|id| !written.contains(id.as_str())) {
                    return Err(violated());
                }
            }
        }
        Ok(())
    }
}

/// The error of a request of a batch: whatever it says of itself, what was sent before it took place.
fn partly(error: Error, sent: usize) -> Error {
    match sent {
        0 => error,
        _ => error.with_status(Status::Unknown).with("requests written", sent),
    }
}
