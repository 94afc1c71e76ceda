//! How a part lies in a dataset: the names and types of its columns, and which indexes they ask for.

use std::collections::HashMap;
use std::sync::Arc;

use lance::deps::datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use lance::deps::datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::index::Method;
use super::{codec, failure};
use crate::capability::Placement;
use crate::driver::Manifest;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, ID_COLUMN, Part, VERSION_COLUMN};
use crate::types::{Id, LogicalType, Value, words};

/// The key of the schema's metadata under which the manifest lies.
pub(super) const MANIFEST: &str = "heavenbase";
/// The list of the words of a text lies in a column with this beginning.
const WORDS: &str = "_hb_words_";
/// A list of words, whatever the text's own length.
pub(super) const WORD_LIST: LogicalType = LogicalType::List(&LogicalType::Text { max: 255 });

/// The name of a field's column. Lance keeps names like `_rowid` for itself, so a name that begins with `_` is set
/// apart; and one that could be taken for such a name as well.
pub(super) fn name_of(physical: &str) -> String {
    if physical.starts_with('_') || physical.starts_with("u_") { format!("u_{physical}") } else { physical.to_owned() }
}

/// The column's name.
pub(super) fn column_name(column: &Column) -> String {
    name_of(&column.physical)
}

/// The name of the column that holds the words of a text, where there is one.
pub(super) fn words_name(column: &Column) -> Option<String> {
    (column.placement == Placement::InvertedIndex).then(|| format!("{WORDS}{}", column.physical))
}

/// The columns of the dataset that belong to a column of the part.
pub(super) fn fields_of(column: &Column) -> Vec<Field> {
    let own = Field::new(column_name(column), codec::data_type(&column.logical), column.nullable);
    let words = words_name(column).map(|name| Field::new(name, codec::data_type(&WORD_LIST), true));
    std::iter::once(own).chain(words).collect()
}

/// The schema of the dataset, without metadata.
pub(super) fn schema(part: &Part) -> Schema {
    let fixed = [Field::new(ID_COLUMN, DataType::Utf8, false), Field::new(VERSION_COLUMN, DataType::Int64, false)];
    let columns = part.columns.iter().flat_map(fields_of);
    Schema::new(fixed.into_iter().chain(columns).collect::<Vec<_>>())
}

/// The schema with the manifest: what a dataset is created with.
pub(super) fn schema_with_manifest(part: &Part) -> Result<SchemaRef> {
    let metadata = HashMap::from([(MANIFEST.to_owned(), Manifest::of(part).to_json()?)]);
    Ok(Arc::new(schema(part).with_metadata(metadata)))
}

/// The distinct words of a text as a value of [`WORD_LIST`].
pub(super) fn words_value(value: &Value) -> Value {
    let Some(text) = value.as_text() else { return Value::Null };
    let mut found: Vec<String> = words(text).collect();
    found.sort_unstable();
    found.dedup();
    Value::List(found.into_iter().map(Value::Text).collect())
}

/// The columns of the dataset for these values of one column of the part.
pub(super) fn arrays_of<'a>(column: &Column, values: impl Iterator<Item = &'a Value> + Clone) -> Result<Vec<ArrayRef>> {
    let named = |e: Error| e.at_field(column.name);
    let mut arrays = vec![codec::column(&column.logical, values.clone()).map_err(named)?];
    if words_name(column).is_some() {
        let words: Vec<Value> = values.map(words_value).collect();
        arrays.push(codec::column(&WORD_LIST, words.iter()).map_err(named)?);
    }
    Ok(arrays)
}

/// Whole rows as a batch.
pub(super) fn batch(part: &Part, version: i64, rows: &[(&Id, &[Value])]) -> Result<RecordBatch> {
    let mut arrays: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(id, _)| id.as_str()))),
        Arc::new(Int64Array::from(vec![version; rows.len()])),
    ];
    for (position, column) in part.columns.iter().enumerate() {
        let null = &Value::Null;
        arrays.extend(arrays_of(column, rows.iter().map(|(_, row)| row.get(position).unwrap_or(null)))?);
    }
    RecordBatch::try_new(Arc::new(schema(part)), arrays).map_err(failure::arrow)
}

/// Refuses what cannot work, before anything is made.
pub(super) fn check(part: &Part) -> Result<()> {
    if part.is_mapped() {
        let why = "a dataset that exists already cannot be mapped: leave `table` away and write the rows into a new one";
        return Err(Error::new(ErrorKind::Unsupported, why).of_entity(part.entity.name));
    }
    for column in &part.columns {
        Method::of(column).map_err(|e| e.of_entity(part.entity.name))?;
    }
    Ok(())
}
