use std::collections::HashMap;

use super::{Change, Row, RowMap};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::{Id, canonical_key};

/// Which row holds which unique value. Kept by the writer, rebuilt when another process wrote.
#[derive(Debug, Default)]
pub(crate) struct UniqueIndex {
    /// The columns of each group, and who holds a key.
    groups: Vec<(Vec<usize>, Held)>,
}

type Held = HashMap<Vec<u8>, Id>;

impl UniqueIndex {
    /// The index of these rows.
    pub fn new(part: &Part, rows: &RowMap) -> Self {
        let mut groups: Vec<_> = part.unique_groups().into_iter().map(|columns| (columns, Held::new())).collect();
        for (columns, held) in &mut groups {
            for row in rows.iter() {
                if let Some(key) = key(columns, row) {
                    held.insert(key, Id::from(row.id()));
                }
            }
        }
        UniqueIndex { groups }
    }

    /// Whether the rows as they will be after the whole batch still differ in every group.
    ///
    /// # Errors
    /// [`ErrorKind::UniqueViolation`], naming fields and ids, not values.
    pub fn check(&self, part: &Part, changes: &[Change]) -> Result<()> {
        if self.groups.is_empty() {
            return Ok(());
        }
        let changed: HashMap<&str, &Change> = changes.iter().map(|change| (change.id(), change)).collect();
        for (columns, held) in &self.groups {
            let mut new: HashMap<Vec<u8>, &str> = HashMap::new();
            for change in changes {
                let Change::Put(row) = change else { continue };
                let Some(key) = key(columns, row) else { continue };
                // A holder that this batch changes too gives the value up, or asks for it again in this very loop.
                let holder = held.get(&key).map(Id::as_str).filter(|id| !changed.contains_key(id));
                if let Some(holder) = holder.or_else(|| new.get(&key).copied()) {
                    let names: Vec<_> = columns.iter().map(|c| part.columns[*c].name).collect();
                    return Err(Error::new(ErrorKind::UniqueViolation, "another row holds this value already: nothing was written")
                        .at_field(names.join(", "))
                        .with("object_id", row.id())
                        .with("held_by", holder));
                }
                new.insert(key, row.id());
            }
        }
        Ok(())
    }

    /// Takes changes over that were made durable.
    pub fn apply(&mut self, before: &RowMap, changes: &[Change]) {
        for (columns, held) in &mut self.groups {
            for change in changes {
                if let Some(key) = before.get(change.id()).and_then(|row| key(columns, row)) {
                    held.remove(&key);
                }
            }
            for change in changes {
                let Change::Put(row) = change else { continue };
                if let Some(key) = key(columns, row) {
                    held.insert(key, Id::from(row.id()));
                }
            }
        }
    }
}

/// The key of a row in a group; none where a value is null.
fn key(columns: &[usize], row: &Row) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for column in columns {
        let value = row.column(*column);
        if value.is_null() {
            return None;
        }
        canonical_key(value, &mut bytes);
    }
    Some(bytes)
}
