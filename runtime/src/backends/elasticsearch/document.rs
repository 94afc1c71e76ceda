//! Rows as documents, and documents as rows.

use serde::Deserialize;
use serde_json::{Map, json};

use super::{codec, text};
use crate::capability::Placement;
use crate::error::Result;
use crate::schema::{Column, Part};
use crate::types::{Id, Json, LogicalType, Value};

/// The field that holds a row's id as a keyword: `_id` itself neither sorts nor ranges.
pub(super) const ID: &str = "hb.id";
/// The field that holds a row's version.
pub(super) const VERSION: &str = "hb.version";

/// The field of a column in one of the groups that [`of_row`] fills.
pub(super) fn field(group: &str, column: &Column) -> String {
    format!("{group}.{}", column.physical)
}

/// The field of a further segment of a long text, from 1.
pub(super) fn segment_field(column: &Column, segment: usize) -> String {
    format!("s.{}_{segment}", column.physical)
}

/// Whether an index of a vector column is approximate, with an exact one beside it.
pub(super) fn is_approximate(column: &Column) -> bool {
    column.index.is_some_and(|index| index.method != "flat")
}

/// The document of a row.
///
/// `f` holds what is searched; `v` values that `f` does not give back; `n` a zero for each number that is there, so
/// that null has a rank of its own; `h`, `s` and `p` what long text needs; `w` words; `i` and `l` a list's items and
/// length; `e` vectors that are searched exactly.
pub(super) fn of_row(part: &Part, id: &Id, version: i64, values: &[Value]) -> Json {
    let mut groups: Map<String, Json> = Map::new();
    let mut put = |group: &str, name: String, json: Json| {
        if let Some(group) = groups.entry(group).or_insert_with(|| Json::Object(Map::new())).as_object_mut() {
            group.insert(name, json);
        }
    };
    for (column, value) in part.columns.iter().zip(values) {
        let name = || column.physical.clone();
        let Some(mut indexed) = codec::indexed(&column.logical, value) else { continue };
        if codec::is_numeric(&column.logical) {
            put("n", name(), 0.into());
        }
        match value {
            Value::Text(whole) => {
                if text::is_long(whole) {
                    put("h", name(), text::digest(whole).into());
                    put("p", name(), text::pieces(whole).into());
                    let ordered = text::further_segments(&column.logical);
                    for (number, segment) in text::segments(whole).into_iter().enumerate().skip(1).take(ordered) {
                        put("s", format!("{}_{number}", column.physical), segment.into());
                    }
                }
                if column.placement == Placement::InvertedIndex {
                    put("w", name(), text::tokens(whole).into());
                }
            }
            Value::List(items) => {
                put("i", name(), items.iter().map(codec::item_term).collect::<Vec<_>>().into());
                put("l", name(), items.len().into());
            }
            // Not searched: only whether it is there.
            Value::Vector(_) if column.placement != Placement::VectorIndex => indexed = 1.into(),
            Value::Vector(_) if is_approximate(column) => put("e", name(), indexed.clone()),
            _ => {}
        }
        let whole =
            !codec::kept_apart(&column.logical) && codec::read_indexed(&column.logical, &indexed).is_some_and(|v| identical(&v, value));
        if !whole {
            put("v", name(), codec::kept(value));
        }
        put("f", name(), indexed);
    }
    groups.insert("hb".into(), json!({ "id": id.as_str(), "version": version }));
    Json::Object(groups)
}

/// Whether two values are the same to the bit.
fn identical(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(x), Value::Float(y)) => x.to_bits() == y.to_bits(),
        _ => a == b,
    }
}

/// What of `_source` a row of these columns needs.
pub(super) fn source_of(part: &Part, columns: &[usize]) -> Vec<String> {
    let mut paths = vec![VERSION.to_owned()];
    for column in columns.iter().filter_map(|c| part.columns.get(*c)) {
        paths.push(field("v", column));
        if !codec::kept_apart(&column.logical) {
            paths.push(field("f", column));
        }
    }
    paths
}

/// `_source` of a document, as far as it was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Source {
    pub(super) hb: Header,
    v: Map<String, Json>,
    f: Map<String, Json>,
}

/// What every document says of its row.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Header {
    pub(super) version: i64,
}

impl Source {
    /// The value of a column.
    pub(super) fn value(&self, column: &Column) -> Result<Value> {
        let name = column.physical.as_str();
        codec::read(&column.logical, self.v.get(name), self.f.get(name)).map_err(|e| e.at_field(column.name))
    }

    /// The values of columns.
    pub(super) fn values(&self, part: &Part, columns: &[usize]) -> Result<Vec<Value>> {
        columns.iter().filter_map(|c| part.columns.get(*c)).map(|column| self.value(column)).collect()
    }
}

/// The mapping of a column: which fields it has, and how each is indexed.
pub(super) fn mapping_of(column: &Column) -> Vec<(&'static str, String, Json)> {
    use LogicalType as T;
    let name = || column.physical.clone();
    let keyword = || json!({ "type": "keyword" });
    // Searched, but neither sorted nor grouped by.
    let term = || json!({ "type": "keyword", "doc_values": false });
    let mut fields = Vec::new();
    let main = match &column.logical {
        T::Bool => json!({ "type": "byte" }),
        T::Int { .. } | T::Timestamp | T::Date | T::Duration => json!({ "type": "long" }),
        T::Float => json!({ "type": "double" }),
        T::Bytes | T::Json | T::List(_) => term(),
        T::Vector(length) if column.placement == Placement::VectorIndex => {
            let similarity = match column.metric.unwrap_or_default() {
                crate::types::Metric::Cosine => "cosine",
                crate::types::Metric::L2 => "l2_norm",
                crate::types::Metric::Dot => "max_inner_product",
            };
            let vector = |options: Json| json!({ "type": "dense_vector", "dims": length, "index": true, "similarity": similarity, "index_options": options });
            let flat = json!({ "type": "flat" });
            if is_approximate(column) {
                fields.push(("e", name(), vector(flat)));
                let parameter = |name: &str, usual: i64| {
                    let given = column.index.and_then(|index| index.parameters.iter().find(|(n, _)| *n == name));
                    given.map_or(usual, |(_, value)| *value)
                };
                vector(json!({ "type": "hnsw", "m": parameter("m", 16), "ef_construction": parameter("ef_construction", 100) }))
            } else {
                vector(flat)
            }
        }
        T::Vector(_) => json!({ "type": "byte" }),
        _ => keyword(),
    };
    fields.push(("f", name(), main));
    if codec::is_numeric(&column.logical) {
        fields.push(("n", name(), json!({ "type": "byte", "index": false })));
    }
    if let T::Text { max } = column.logical {
        if text::is_tall(max) {
            fields.push(("h", name(), term()));
            fields.push(("p", name(), term()));
            for number in 1..=text::further_segments(&column.logical) {
                fields.push(("s", format!("{}_{number}", column.physical), json!({ "type": "keyword", "index": false })));
            }
        }
        if column.placement == Placement::InvertedIndex {
            fields.push(("w", name(), json!({ "type": "text", "analyzer": "whitespace", "norms": false })));
        }
    }
    if let T::List(_) = column.logical {
        fields.push(("i", name(), term()));
        fields.push(("l", name(), json!({ "type": "integer" })));
    }
    fields
}

/// The mapping of an index's fields for these columns.
pub(super) fn properties<'a>(columns: impl Iterator<Item = &'a Column>) -> Json {
    let mut groups: Map<String, Json> = Map::new();
    for (group, name, mapping) in columns.flat_map(mapping_of) {
        let group = groups.entry(group).or_insert_with(|| json!({ "type": "object", "dynamic": "strict", "properties": {} }));
        group["properties"][name] = mapping;
    }
    groups.insert("v".into(), json!({ "type": "object", "enabled": false }));
    let header = json!({ "id": { "type": "keyword" }, "version": { "type": "long" } });
    groups.insert("hb".into(), json!({ "type": "object", "dynamic": "strict", "properties": header }));
    Json::Object(groups)
}
