//! How a part lies in Milvus: which collections it has, and which fields they have.
//!
//! Milvus 2.3 takes exactly one vector field a collection. So a part has a first collection, which decides what is there
//! and answers every question but `near` on another vector: id, version, values, the first vector (or a vector that
//! means nothing), and the other vectors' numbers as text. Each further vector has a collection of its own with the
//! values beside it, so that its searches filter natively; what it finds is checked against the first collection.

use std::sync::Arc;

use super::codec::{HEAD, MAX_PIECES, MAX_TEXT, Store};
use super::options;
use super::proto::{FieldSchema, KeyValuePair, data_type};
use crate::capability::Placement;
use crate::driver::{Manifest, ManifestColumn};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, ID_COLUMN, Part, VERSION_COLUMN};
use crate::types::{Id, LogicalType, Metric};

/// Most fields of a collection, by the server's default.
const MAX_FIELDS: usize = 64;
/// Most candidates that a server keeps while it walks a graph.
const MAX_EF: usize = 32_768;
/// Most lists that an index may have.
const MAX_NLIST: usize = 65_536;
/// The vector field of a collection that has none of its own.
pub(super) const NO_VECTOR: &str = "_hb_vector";
/// The array of the pieces of texts that are too long for their fields: `field:piece`.
pub(super) const MORE: &str = "_hb_more";
/// Its length: nothing smaller is taken everywhere.
pub(super) const NO_VECTOR_LENGTH: u32 = 2;

/// A part laid out.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub part: Arc<Part>,
    /// The first decides; the others each search one vector.
    pub collections: Vec<Collection>,
}

/// One collection of a part.
#[derive(Clone, Debug)]
pub(super) struct Collection {
    pub name: String,
    /// The column whose vectors it searches.
    pub vector: Option<usize>,
}

impl Shape {
    /// Lays a part out.
    pub(super) fn of(part: &Arc<Part>) -> Shape {
        let indexed = |i: &usize| part.columns[*i].placement == Placement::VectorIndex;
        let mut vectors: Vec<usize> = (0..part.columns.len()).filter(indexed).collect();
        // By name, so that moving a field in the struct changes nothing.
        vectors.sort_by_key(|&i| part.columns[i].physical.as_str());
        let mut vectors = vectors.into_iter();
        let first = Collection { name: part.table.clone(), vector: vectors.next() };
        let further = vectors.map(|i| Collection { name: further_name(&part.table, &part.columns[i].physical), vector: Some(i) });
        Shape { collections: std::iter::once(first).chain(further).collect(), part: part.clone() }
    }

    /// The collection that decides.
    pub(super) fn first(&self) -> &Collection {
        &self.collections[0]
    }

    /// The collection that searches a vector column.
    pub(super) fn searching(&self, column: usize) -> Option<&Collection> {
        self.collections.iter().find(|c| c.vector == Some(column))
    }

    /// Where the first collection keeps a column's value.
    pub(super) fn field(&self, position: usize) -> String {
        let column = &self.part.columns[position];
        if column.placement == Placement::VectorIndex && self.first().vector != Some(position) {
            copy_field(column)
        } else {
            value_field(column)
        }
    }

    /// The fields to ask the first collection for, to read these columns.
    pub(super) fn output(&self, columns: &[usize]) -> Vec<String> {
        let mut fields = vec![ID_COLUMN.to_owned(), VERSION_COLUMN.to_owned()];
        for &position in columns {
            fields.push(self.field(position));
            let column = &self.part.columns[position];
            if column.nullable {
                fields.push(has_field(column));
            }
        }
        if columns.iter().any(|&position| self.is_long(position)) {
            fields.push(MORE.to_owned());
        }
        fields
    }

    /// Whether a column's values may be too long for the text field that they lie in.
    pub(super) fn is_long(&self, position: usize) -> bool {
        let column = &self.part.columns[position];
        match column.logical {
            LogicalType::Text { max } => max as usize * 4 > HEAD,
            LogicalType::Vector(_) if self.first().vector == Some(position) => false,
            LogicalType::Vector(length) => length as usize * 6 > HEAD,
            LogicalType::Bytes | LogicalType::Json | LogicalType::List(_) => true,
            _ => false,
        }
    }

    /// Whether a collection has the array of pieces.
    pub(super) fn has_more(&self, collection: &Collection) -> bool {
        collection.name == self.first().name && (0..self.part.columns.len()).any(|position| self.is_long(position))
    }

    /// The fields of a collection.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] when there are more than Milvus takes.
    pub(super) fn schema(&self, collection: &Collection) -> Result<Vec<FieldSchema>> {
        let text = |name: String, length: usize| field(name, data_type::VARCHAR, Some(("max_length", length)));
        let mut fields = vec![
            FieldSchema { is_primary_key: true, ..text(ID_COLUMN.to_owned(), Id::MAX_BYTES) },
            field(VERSION_COLUMN.to_owned(), data_type::INT64, None),
        ];
        for (position, column) in self.part.columns.iter().enumerate() {
            if column.nullable {
                fields.push(field(has_field(column), data_type::BOOL, None));
            }
            if column.placement == Placement::VectorIndex {
                if collection.vector == Some(position) {
                    fields.push(field(value_field(column), data_type::FLOAT_VECTOR, Some(("dim", length(column) as usize))));
                } else if collection.name == self.first().name {
                    fields.push(text(copy_field(column), MAX_TEXT));
                }
                continue;
            }
            fields.push(match Store::of(&column.logical) {
                Store::Bool => field(value_field(column), data_type::BOOL, None),
                Store::Int => field(value_field(column), data_type::INT64, None),
                Store::Double => field(value_field(column), data_type::DOUBLE, None),
                Store::Text => text(value_field(column), MAX_TEXT),
            });
        }
        if self.has_more(collection) {
            let mut more = text(MORE.to_owned(), MAX_TEXT);
            more.data_type = data_type::ARRAY;
            more.element_type = data_type::VARCHAR;
            more.type_params.push(KeyValuePair::new("max_capacity", MAX_PIECES));
            fields.push(more);
        }
        if collection.vector.is_none() {
            fields.push(field(NO_VECTOR.to_owned(), data_type::FLOAT_VECTOR, Some(("dim", NO_VECTOR_LENGTH as usize))));
        }
        if let Some(by) = options::partition_field(&self.part)? {
            fields.iter_mut().filter(|field| field.name == by).for_each(|field| field.is_partition_key = true);
        }
        if fields.len() > MAX_FIELDS {
            let why = format!(
                "{} fields in Milvus (an optional one takes two): a collection has at most {MAX_FIELDS}. Store some on another backend",
                fields.len()
            );
            return Err(Error::new(ErrorKind::InvalidSchema, why).of_entity(self.part.entity.name));
        }
        Ok(fields)
    }
}

/// The name of the collection that searches a further vector. No part has such a name: `_hb_` is ours.
pub(super) fn further_name(table: &str, physical: &str) -> String {
    format!("{table}_hb_vector_{physical}")
}

/// The names of the collections that a manifest speaks of, the deciding one last.
pub(super) fn collections_of(table: &str, manifest: &Manifest) -> Vec<String> {
    let indexed = |c: &&ManifestColumn| c.placement == Placement::VectorIndex;
    let mut vectors: Vec<&str> = manifest.columns.iter().filter(indexed).map(|c| c.physical.as_str()).collect();
    vectors.sort_unstable();
    vectors.into_iter().skip(1).map(|physical| further_name(table, physical)).chain([table.to_owned()]).collect()
}

fn field(name: String, data_type: i32, parameter: Option<(&str, usize)>) -> FieldSchema {
    let type_params = parameter.map(|(key, value)| KeyValuePair::new(key, value)).into_iter().collect();
    FieldSchema { name, is_primary_key: false, data_type, type_params, element_type: 0, is_partition_key: false }
}

/// The name of a column's field. A word of the expression language is set apart: expressions cannot quote names.
pub(super) fn value_field(column: &Column) -> String {
    const WORDS: &[&str] = &[
        "and",
        "or",
        "not",
        "in",
        "nin",
        "is",
        "null",
        "none",
        "like",
        "between",
        "exists",
        "true",
        "false",
        "meta",
        "interval",
        "iso",
        "random_sample",
        "element_filter",
        "empty",
    ];
    const BEGINNINGS: &[&str] = &["json_", "array_", "text_", "phrase_", "st_", "match_", "rowid", "timestamp"];
    let name = column.physical.to_ascii_lowercase();
    let word = WORDS.contains(&name.as_str()) || BEGINNINGS.iter().any(|b| name.starts_with(b)) || name == ID_COLUMN;
    if word { format!("_hb_field_{}", column.physical) } else { column.physical.clone() }
}

/// The name of the field that says whether a row has a value in the column.
pub(super) fn has_field(column: &Column) -> String {
    format!("_hb_has_{}", column.physical)
}

fn copy_field(column: &Column) -> String {
    format!("_hb_copy_{}", column.physical)
}

/// The length of a vector column.
pub(super) fn length(column: &Column) -> u32 {
    match column.logical {
        LogicalType::Vector(length) => length,
        _ => NO_VECTOR_LENGTH,
    }
}

/// For so many hits `nprobe` is meant: what lies further down is in more lists, so that many more hits take as many times more.
const PROBED: usize = 32;

/// The index of a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// Every vector is compared: exact.
    Flat,
    Hnsw {
        m: i64,
        ef_construction: i64,
        ef: i64,
    },
    IvfFlat {
        nlist: i64,
        nprobe: i64,
    },
}

impl Method {
    /// What a column asks for: `index` or `index = hnsw(m = 16, ef_construction = 200, ef = 200)`,
    /// `index = ivf_flat(nlist = 128, nprobe = 16)`, `index = flat`; without, every vector is compared.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] for another method or parameter.
    pub(super) fn of(column: &Column) -> Result<Method> {
        let Some(index) = column.index else { return Ok(Method::Flat) };
        let invalid = |why: String| Error::new(ErrorKind::InvalidSchema, why).at_field(column.name);
        let known: &[&str] = match index.method {
            "" | "hnsw" => &["m", "ef_construction", "ef"],
            "ivf_flat" => &["nlist", "nprobe"],
            "flat" => &[],
            other => return Err(invalid(format!("Milvus has no index `{other}` here: choose hnsw, ivf_flat or flat"))),
        };
        if let Some((name, _)) = index.parameters.iter().find(|(name, value)| !known.contains(name) || *value < 1) {
            return Err(invalid(format!("the index takes no such `{name}`: known, and at least 1, are: {}", known.join(", "))));
        }
        let parameter = |name: &str, usual: i64| index.parameters.iter().find(|(n, _)| *n == name).map_or(usual, |(_, v)| *v);
        Ok(match index.method {
            "flat" => Method::Flat,
            "ivf_flat" => Method::IvfFlat { nlist: parameter("nlist", 128), nprobe: parameter("nprobe", 16) },
            _ => Method::Hnsw { m: parameter("m", 16), ef_construction: parameter("ef_construction", 200), ef: parameter("ef", 200) },
        })
    }

    /// Whether it finds the true nearest.
    pub(super) fn is_exact(self) -> bool {
        self == Method::Flat
    }

    /// Type and parameters, as the server is told of them.
    pub(super) fn build(self) -> (&'static str, String) {
        match self {
            Method::Flat => ("FLAT", "{}".to_owned()),
            Method::Hnsw { m, ef_construction, .. } => ("HNSW", format!("{{\"M\": {m}, \"efConstruction\": {ef_construction}}}")),
            Method::IvfFlat { nlist, .. } => ("IVF_FLAT", format!("{{\"nlist\": {nlist}}}")),
        }
    }

    /// The parameters of a search for so many; `wide`: through the whole index, as far as servers go.
    pub(super) fn search(self, k: usize, wide: bool) -> String {
        match self {
            Method::Flat => "{}".to_owned(),
            Method::Hnsw { .. } if wide => format!("{{\"ef\": {MAX_EF}}}"),
            Method::IvfFlat { .. } if wide => format!("{{\"nprobe\": {MAX_NLIST}}}"),
            Method::Hnsw { ef, .. } => format!("{{\"ef\": {}}}", ef.max(i64::try_from(k).unwrap_or(i64::MAX))),
            Method::IvfFlat { nprobe, nlist } => {
                let times = i64::try_from(k.div_ceil(PROBED)).unwrap_or(i64::MAX);
                format!("{{\"nprobe\": {}}}", nprobe.saturating_mul(times).min(nlist))
            }
        }
    }
}

/// The metric as the server names it.
pub(super) fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Cosine => "COSINE",
        Metric::L2 => "L2",
        Metric::Dot => "IP",
    }
}
