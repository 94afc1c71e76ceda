use crate::error::{Error, ErrorKind, Result};
use crate::schema::{ID_COLUMN, KeyKind, Part};
use crate::types::{Id, Value};

/// How a batch changes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WriteMode {
    /// New rows; an id that is there fails the batch.
    Insert,
    /// Whole rows, new or replaced. A row that is there with a version not below the batch's stays, and is reported.
    Upsert,
    /// The named columns of rows that are there; others are reported missing. Guarded by version like `Upsert`.
    Patch,
    /// Rows to remove; absent ones are reported missing. Guarded by version like `Upsert`.
    Delete,
}

/// Rows for one part, all with one version. Validated: values fit their columns, ids are checked and differ.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteBatch {
    /// How.
    pub mode: WriteMode,
    /// The version the rows get; greater than any the writer has seen.
    pub version: i64,
    /// The rows' ids.
    pub ids: Vec<Id>,
    /// The columns given, as positions in `Part::columns`: all for `Insert` and `Upsert`, none for `Delete`.
    pub columns: Vec<usize>,
    /// `ids.len() * columns.len()` values, row after row.
    pub values: Vec<Value>,
    /// For `Patch`: the version each row must still have (the row was read before); else empty.
    pub expected: Vec<i64>,
}

impl WriteBatch {
    /// The values of a row.
    pub fn row(&self, row: usize) -> &[Value] {
        &self.values[row * self.columns.len()..(row + 1) * self.columns.len()]
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The rows in the order of their ids, in which every session then locks them. Of changes to an existing table those
    /// are left out whose id is the text of no key: there is no such row.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] for a new row of such an id.
    pub fn in_key_order(&self, part: &Part) -> Result<Vec<usize>> {
        let kind = part.key().kind;
        let mut order: Vec<usize> = (0..self.len()).filter(|&row| kind.value(&self.ids[row]).is_some()).collect();
        if order.len() < self.len() && matches!(self.mode, WriteMode::Insert | WriteMode::Upsert) {
            return Err(no_key(kind).of_entity(part.entity.name));
        }
        order.sort_unstable_by(|&a, &b| self.ids[a].cmp(&self.ids[b]));
        Ok(order)
    }
}

/// What a write did. Rows in neither list were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteReport {
    /// Rows not written because the stored version is not older (or not the expected one): position and stored version.
    pub stale: Vec<(usize, i64)>,
    /// Rows of a `Patch` or `Delete` that were not there: positions.
    pub missing: Vec<usize>,
}

/// The error of a new row whose id is the text of no key of an existing table.
pub fn no_key(kind: KeyKind) -> Error {
    let why = match kind {
        KeyKind::Int => "the table's key is a whole number of 64 bits: the id is one in decimal, without leading zeros or `+`",
        KeyKind::Uuid => "the table's key is a UUID: the id is one in small letters with hyphens",
        KeyKind::Text => "the table's key is text",
    };
    Error::new(ErrorKind::InvalidValue, why).at_field(ID_COLUMN)
}
