//! How a part lies in a store whose spaces (collections, namespaces) have one vector each.
//!
//! The first space decides what is there and holds every value. It has the vectors of one column, or ones that mean
//! nothing; each further vector column has a space of its own, with the values beside it, so that its searches filter
//! there, too. What such a search finds is believed only where the first space agrees.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::codec::{self, Metadata, NULLS, ORDER};
use super::store::{Depth, Dialect, Record};
use crate::capability::Placement;
use crate::driver::Manifest;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Index, Part, VERSION_COLUMN};
use crate::types::{Json, LogicalType, Metric, Value};

/// The length of vectors that mean nothing.
const NO_VECTOR_LENGTH: u32 = 2;
/// The key of a vector that is zero, where the store takes none.
pub(super) const ZERO: &str = "_hb_zero";

/// What of a layout cannot be told from the part: it was decided when the part was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layout {
    /// The physical name of the column whose vectors the first space has.
    pub first: Option<String>,
}

impl Layout {
    /// The layout of a new part: the first vector by name.
    pub(super) fn new(part: &Part) -> Layout {
        Layout { first: vectors(part).first().map(|&i| part.columns[i].physical.clone()) }
    }
}

/// One space of a part.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Space {
    /// The table's name, with an ending for spaces after the first.
    pub name: String,
    /// The column whose vectors it has.
    pub vector: Option<usize>,
    pub length: u32,
    pub metric: Metric,
    /// The index that the column asks for.
    pub index: Option<Index>,
}

/// A part laid out.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub part: Arc<Part>,
    pub layout: Layout,
    /// The first decides.
    pub spaces: Vec<Space>,
}

fn vectors(part: &Part) -> Vec<usize> {
    let mut vectors: Vec<usize> = (0..part.columns.len()).filter(|&i| part.columns[i].placement == Placement::VectorIndex).collect();
    vectors.sort_by_key(|&i| part.columns[i].physical.as_str());
    vectors
}

impl Shape {
    /// Lays a part out.
    pub(super) fn of(part: &Arc<Part>, layout: &Layout) -> Shape {
        let space = |name: String, vector: Option<usize>| {
            let column = vector.map(|i| &part.columns[i]);
            Space {
                name,
                vector,
                length: column.map_or(NO_VECTOR_LENGTH, length),
                metric: column.and_then(|c| c.metric).unwrap_or_default(),
                index: column.and_then(|c| c.index),
            }
        };
        let (first, further): (Vec<usize>, Vec<usize>) =
            vectors(part).into_iter().partition(|&i| Some(&part.columns[i].physical) == layout.first.as_ref());
        let spaces = std::iter::once(space(part.table.clone(), first.first().copied()))
            .chain(further.into_iter().map(|i| space(further_name(&part.table, &part.columns[i].physical), Some(i))));
        Shape { spaces: spaces.collect(), part: part.clone(), layout: layout.clone() }
    }

    /// The space that decides.
    pub(super) fn first(&self) -> &Space {
        &self.spaces[0]
    }

    /// The space that searches a vector column.
    pub(super) fn searching(&self, column: usize) -> Option<&Space> {
        self.spaces.iter().find(|space| space.vector == Some(column))
    }

    /// A row as a record of one of the spaces; `None` where the space has no place for it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] for a value that does not fit, naming the field.
    pub(super) fn record(&self, space: &Space, row: &Row, dialect: &Dialect) -> Result<Option<Record>> {
        let first = space.name == self.first().name;
        let mut metadata = Metadata::new();
        // What is not there is taken away from an older record.
        for column in &self.part.columns {
            codec::keys(column, dialect).into_iter().for_each(|key| drop(metadata.insert(key, Json::Null)));
        }
        metadata.insert(VERSION_COLUMN.into(), row.version.to_string().into());
        metadata.insert(ORDER.into(), dialect.order_key(&row.id).into());
        let mut nulls: Vec<&str> = Vec::new();
        let mut vector = None;
        for (position, (column, value)) in self.part.columns.iter().zip(&row.values).enumerate() {
            let indexed = column.placement == Placement::VectorIndex;
            if value.is_null() {
                nulls.push(&column.physical);
            }
            if indexed && space.vector == Some(position) {
                let Value::Vector(numbers) = value else { continue };
                vector = Some(numbers.to_vec());
            }
            if !value.is_null() && (!indexed || first && !self.reads_vector(position, dialect)) {
                codec::encode(column, value, dialect, &mut metadata)
                    .map_err(|e| e.at_field(column.name).of_entity(self.part.entity.name))?;
            }
        }
        // A key that is always there can be asked for in any store.
        if !dialect.lists_are_kept {
            nulls.push("");
        }
        metadata.insert(NULLS.into(), if nulls.is_empty() { Json::Null } else { nulls.into() });
        let vector = match vector {
            Some(vector) => vector,
            None if first => nothing(&row.id, space.length),
            None => return Ok(None),
        };
        metadata.insert(ZERO.into(), Json::Null);
        let mut record = Record { id: row.id.clone(), metadata, vector };
        if !dialect.lists_are_kept && record.vector.iter().all(|n| *n == 0.0) {
            // So close to zero that no score tells the difference.
            record.vector[0] = 1e-30;
            record.metadata.insert(ZERO.into(), true.into());
        }
        Ok(Some(record))
    }

    /// The row that a record of the first space holds: these columns of it.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for what this driver did not write.
    pub(super) fn values(&self, record: &Record, columns: &[usize], dialect: &Dialect) -> Result<Vec<Value>> {
        let of_entity = |e: Error| e.of_entity(self.part.entity.name);
        let value = |&position: &usize| {
            let column = &self.part.columns[position];
            if is_null(column, &record.metadata) {
                return Ok(Value::Null);
            }
            if self.reads_vector(position, dialect) {
                if record.vector.len() != self.first().length as usize {
                    let why =
                        format!("{} gave a vector of {} numbers: it was written by something else", dialect.service, record.vector.len());
                    return Err(Error::new(ErrorKind::Corrupt, why).at_field(column.name));
                }
                let zero = record.metadata.get(ZERO) == Some(&Json::Bool(true));
                return Ok(Value::Vector(if zero { vec![0.0; record.vector.len()].into() } else { record.vector.as_slice().into() }));
            }
            codec::decode(column, &record.metadata, dialect)
        };
        columns.iter().map(value).collect::<Result<_>>().map_err(of_entity)
    }

    /// Whether a column's value is the vector of the first space's record; else it stands in the metadata.
    fn reads_vector(&self, position: usize, dialect: &Dialect) -> bool {
        self.first().vector == Some(position) && !(dialect.rescales_cosine && self.first().metric == Metric::Cosine)
    }

    /// How much of a record of the first space these columns need.
    pub(super) fn depth(&self, columns: &[usize], dialect: &Dialect) -> Depth {
        if columns.iter().any(|&position| self.reads_vector(position, dialect)) { Depth::Vectors } else { Depth::Metadata }
    }
}

/// Whether a row has no value in a column.
pub(super) fn is_null(column: &Column, metadata: &Metadata) -> bool {
    let listed = |json: &Json| json.as_array().is_some_and(|names| names.iter().any(|name| name.as_str() == Some(&column.physical)));
    metadata.get(NULLS).is_some_and(listed)
}

/// A record's version.
///
/// # Errors
/// [`ErrorKind::Corrupt`] when it has none.
pub(super) fn version(record: &Record) -> Result<i64> {
    let text = record.metadata.get(VERSION_COLUMN).and_then(Json::as_str);
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, "a record without a version: it was written by something else"))
}

/// The spaces that a manifest speaks of, the deciding one first.
pub(super) fn spaces_of(table: &str, manifest: &Manifest, layout: &Layout) -> Vec<Space> {
    let further = manifest.columns.iter().filter(|c| c.placement == Placement::VectorIndex && Some(&c.physical) != layout.first.as_ref());
    let first = manifest.columns.iter().find(|c| Some(&c.physical) == layout.first.as_ref());
    let space = |name: String, column: Option<&crate::driver::ManifestColumn>| Space {
        name,
        vector: None,
        length: column.and_then(|c| c.logical.strip_prefix("vector(")?.strip_suffix(')')?.parse().ok()).unwrap_or(NO_VECTOR_LENGTH),
        metric: column.and_then(|c| c.metric).unwrap_or_default(),
        index: None,
    };
    std::iter::once(space(table.to_owned(), first)).chain(further.map(|c| space(further_name(table, &c.physical), Some(c)))).collect()
}

/// The name of the space that searches a further vector. No table has such a name: `_hb_` is ours.
fn further_name(table: &str, physical: &str) -> String {
    format!("{table}_hb_{physical}_vector")
}

fn length(column: &Column) -> u32 {
    match column.logical {
        LogicalType::Vector(length) => length,
        _ => NO_VECTOR_LENGTH,
    }
}

/// The vector of a row that has none. Spread by the id: a graph over many equal points is a bad one.
fn nothing(id: &str, length: u32) -> Vec<f32> {
    let mut bytes = blake3::Hasher::new().update(id.as_bytes()).finalize_xof();
    (0..length)
        .map(|_| {
            let mut two = [0; 2];
            bytes.fill(&mut two);
            (f32::from(u16::from_le_bytes(two)) + 1.0) / 32_768.0 - 1.0
        })
        .collect()
}

/// A whole row to write: every column of the part.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub id: String,
    pub version: i64,
    pub values: Vec<Value>,
}
