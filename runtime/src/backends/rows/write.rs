use std::sync::Arc;

use super::{Change, Contents, Row};
use crate::driver::{WriteBatch, WriteMode, WriteReport};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::Value;

/// What a batch changes in these rows, and what its guards held back. Nothing is changed yet.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`]; [`ErrorKind::Corrupt`] for a patch of a damaged row.
pub(crate) fn changes(part: &Part, contents: &Contents, batch: &WriteBatch) -> Result<(Vec<Change>, WriteReport)> {
    let mut changes = Vec::with_capacity(batch.len());
    let mut report = WriteReport::default();
    for (at, id) in batch.ids.iter().enumerate() {
        let found = contents.rows.get(id);
        let damage = contents.damaged.get(id.as_str());
        if batch.mode == WriteMode::Insert {
            if found.is_some() || damage.is_some() {
                let error = Error::new(ErrorKind::AlreadyExists, "a row with this id is there already: nothing was written");
                let error = error.with("object_id", id);
                return Err(match damage {
                    Some(damage) => error.with("damaged_in", &damage.file).with("place", &damage.place),
                    None => error,
                });
            }
        } else if let Some(row) = found {
            let is_expected = batch.expected.get(at).is_none_or(|expected| row.version == *expected);
            if !is_expected || row.version >= batch.version {
                report.stale.push((at, row.version));
                continue;
            }
        }
        changes.push(match (batch.mode, found, damage) {
            (WriteMode::Insert | WriteMode::Upsert, ..) => Change::Put(Arc::new(whole_row(part, batch, at))),
            (WriteMode::Patch, Some(row), _) => Change::Put(Arc::new(patched_row(row, batch, at))),
            (WriteMode::Patch, None, Some(damage)) => return Err(damage.error(Some(id))),
            // The bytes of a damaged row are kept aside when it goes.
            (WriteMode::Delete, Some(_), _) | (WriteMode::Delete, None, Some(_)) => Change::Delete(id.clone()),
            (WriteMode::Patch | WriteMode::Delete, None, None) => {
                report.missing.push(at);
                continue;
            }
        });
    }
    Ok((changes, report))
}

fn whole_row(part: &Part, batch: &WriteBatch, at: usize) -> Row {
    let mut values = vec![Value::Null; part.columns.len()];
    for (column, value) in batch.columns.iter().zip(batch.row(at)) {
        values[*column] = value.clone();
    }
    Row::new(&batch.ids[at], batch.version, values)
}

fn patched_row(row: &Row, batch: &WriteBatch, at: usize) -> Row {
    let mut values = row.columns().to_vec();
    for (column, value) in batch.columns.iter().zip(batch.row(at)) {
        values[*column] = value.clone();
    }
    Row::new(row.id(), batch.version, values)
}
