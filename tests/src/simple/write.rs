//! Writing, with the mistakes of writers.

use heavenbase::driver::{WriteBatch, WriteMode, WriteReport};
use heavenbase::schema::Part;
use heavenbase::types::{Id, LogicalType, Timestamp, Value};
use heavenbase::{Error, ErrorKind, Result};

use super::{Bug, Simple};
use crate::reference::Row;

impl Simple {
    pub(super) fn write_now(&self, part: &Part, batch: &WriteBatch) -> Result<WriteReport> {
        let mut batch = batch.clone();
        let mut part = part.clone();
        let width = batch.columns.len();
        for (at, value) in batch.values.iter_mut().enumerate() {
            *value = self.stored_value(&part.columns[batch.columns[at % width]].logical, value.clone());
        }
        if self.has(Bug::IdsFolded) {
            batch.ids = batch.ids.iter().map(|id| Id::from(id.to_ascii_lowercase())).collect();
        }
        if self.has(Bug::ExpectedIgnored) {
            batch.expected.clear();
        }
        if self.has(Bug::UniqueIgnored) {
            part.columns.iter_mut().for_each(|column| column.unique = false);
            part.entity = Box::leak(Box::new(heavenbase::schema::EntitySchema { uniques: &[], ..*part.entity }));
        }
        let batch = batch;
        self.with(&part, |stored| {
            let table = &mut stored.table;
            let before = table.clone();
            let old = |id: &Id| before.rows.get(id.as_str());
            let mut adjusted = batch.clone();
            match self.bug {
                Some(Bug::InsertReplaces) if batch.mode == WriteMode::Insert => adjusted.mode = WriteMode::Upsert,
                Some(Bug::PatchCreates) if batch.mode == WriteMode::Patch && batch.ids.iter().any(|id| old(id).is_none()) => {
                    for id in batch.ids.iter().filter(|id| old(id).is_none()) {
                        let row = Row { id: id.as_str().into(), version: i64::MIN, values: vec![Value::Null; part.columns.len()] };
                        table.rows.insert(id.as_str().into(), row);
                    }
                    adjusted.expected.clear();
                }
                Some(Bug::NoGuard | Bug::EqualVersionWins) => {
                    for id in &batch.ids {
                        if let Some(row) = table.rows.get_mut(id.as_str()) {
                            let lower = self.has(Bug::NoGuard) || row.version == batch.version;
                            row.version -= if lower { 1_000 } else { 0 };
                        }
                    }
                }
                Some(Bug::HalfBatch) => {
                    let mut written = 0;
                    for row in 0..batch.len() {
                        let one = WriteBatch {
                            ids: vec![batch.ids[row].clone()],
                            values: batch.row(row).to_vec(),
                            expected: batch.expected.get(row).copied().into_iter().collect(),
                            ..batch.clone()
                        };
                        if table.write(&part, &one).is_err() {
                            break;
                        }
                        written += 1;
                    }
                    if written == batch.len() {
                        *table = before.clone();
                    }
                }
                _ => {}
            }
            if self.has(Bug::UniqueNulls) && batch.mode != WriteMode::Delete {
                for group in part.unique_groups() {
                    let null = |row: usize| {
                        group.iter().all(|c| batch.columns.iter().position(|b| b == c).is_some_and(|at| batch.row(row)[at].is_null()))
                    };
                    if (0..batch.len()).filter(|row| null(*row)).count() > 1 {
                        return Err(Error::new(ErrorKind::UniqueViolation, "two nulls"));
                    }
                }
            }
            let mut report = table.write(&part, &adjusted).map_err(|kind| Error::new(kind, "refused, as it should be"))?;
            for (position, id) in batch.ids.iter().enumerate() {
                let Some(row) = table.rows.get_mut(id.as_str()) else { continue };
                let Some(earlier) = old(id) else { continue };
                if row.version != batch.version || report.stale.iter().any(|(at, _)| *at == position) {
                    continue;
                }
                match (self.bug, batch.mode) {
                    (Some(Bug::PatchClears), WriteMode::Patch) => {
                        (0..part.columns.len()).filter(|c| !batch.columns.contains(c)).for_each(|c| row.values[c] = Value::Null);
                    }
                    (Some(Bug::PatchKeepsVersion), WriteMode::Patch) => row.version = earlier.version,
                    (Some(Bug::UpsertMerges), WriteMode::Upsert) => {
                        for (value, old) in row.values.iter_mut().zip(&earlier.values).filter(|(value, _)| value.is_null()) {
                            *value = old.clone();
                        }
                    }
                    _ => {}
                }
            }
            if self.has(Bug::DeleteSilent) && batch.mode == WriteMode::Delete {
                report.missing.clear();
            }
            Ok(report)
        })
    }

    fn stored_value(&self, logical: &LogicalType, value: Value) -> Value {
        match (self.bug, value) {
            (Some(Bug::EmptyIsNull), Value::Text(text)) if text.is_empty() => Value::Null,
            (Some(Bug::Trimmed), Value::Text(text)) => Value::Text(text.trim_end().to_owned()),
            (Some(Bug::CutText), Value::Text(text)) => Value::Text(text.chars().take(255).collect()),
            (Some(Bug::IntAsFloat), Value::Int(n)) => Value::Int((n as f64) as i64),
            (Some(Bug::ShortFloat), Value::Float(n)) if n.abs() < 1e30 => Value::Float(f64::from(n as f32)),
            (Some(Bug::PositiveZero), Value::Float(n)) => Value::Float(n + 0.0),
            (Some(Bug::Millis), Value::Timestamp(t)) => {
                Timestamp::from_micros(t.as_micros().div_euclid(1000) * 1000).map_or(Value::Timestamp(t), Value::Timestamp)
            }
            (Some(Bug::ListDeduplicated), Value::List(items)) => {
                let mut kept: Vec<Value> = Vec::new();
                for item in items {
                    if !kept.contains(&item) {
                        kept.push(item);
                    }
                }
                Value::List(kept.into())
            }
            (Some(Bug::EmptyListIsNull), Value::List(items)) if items.is_empty() => Value::Null,
            (Some(Bug::JsonNullIsNull), Value::Json(json)) if json.is_null() => Value::Null,
            (Some(Bug::JsonFloatsToInts), Value::Json(json)) if *logical == LogicalType::Json => match json.as_f64() {
                Some(n) if json.is_f64() && n.fract() == 0.0 && n.abs() < 1e15 => Value::Json(Box::new((n as i64).into())),
                _ => Value::Json(json),
            },
            (_, value) => value,
        }
    }
}
