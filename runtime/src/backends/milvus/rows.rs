//! Rows as columns of fields, in both directions.

use std::collections::HashMap;

use super::codec::{self, Cell, Store};
use super::proto::{
    ArrayArray, BoolArray, DoubleArray, FieldData, FloatArray, LongArray, ScalarField, Scalars, StringArray, VectorField, data_type,
};
use super::shape::{Collection, MORE, NO_VECTOR, NO_VECTOR_LENGTH, Shape, has_field, length, value_field};
use crate::capability::Placement;
use crate::driver::Page;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{ID_COLUMN, VERSION_COLUMN};
use crate::types::{Id, LogicalType, Value};

/// A whole row to write: every column of the part.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub id: Id,
    pub version: i64,
    pub values: Vec<Value>,
}

impl Row {
    /// Bytes the row takes on the way, roughly.
    pub(super) fn weight(&self) -> usize {
        self.values.iter().map(Value::weight).sum::<usize>() * 2 + 300
    }
}

/// Rows as the fields of one of the part's collections.
///
/// # Errors
/// [`ErrorKind::InvalidValue`] for a value that does not fit, naming the field.
pub(super) fn to_fields(shape: &Shape, collection: &Collection, rows: &[Row]) -> Result<Vec<FieldData>> {
    let mut fields = vec![
        cells(ID_COLUMN.to_owned(), Store::Text, rows.iter().map(|row| Cell::Text(row.id.as_str().to_owned()))),
        cells(VERSION_COLUMN.to_owned(), Store::Int, rows.iter().map(|row| Cell::Int(row.version))),
    ];
    let first = collection.name == shape.first().name;
    let mut more: Vec<Vec<String>> = vec![Vec::new(); rows.len()];
    for (position, column) in shape.part.columns.iter().enumerate() {
        let values = || rows.iter().map(|row| row.values.get(position).unwrap_or(&Value::Null));
        if column.nullable {
            fields.push(cells(has_field(column), Store::Bool, values().map(|value| Cell::Bool(!value.is_null()))));
        }
        let indexed = column.placement == Placement::VectorIndex;
        if indexed && collection.vector == Some(position) {
            let length = length(column);
            let numbers = values().flat_map(|value| match value {
                Value::Vector(numbers) if numbers.len() == length as usize => numbers.to_vec(),
                // A vector that every metric can handle, and that no search returns: the flag says that there is none.
                _ => (0..length).map(|i| if i == 0 { 1.0 } else { 0.0 }).collect(),
            });
            fields.push(vectors(value_field(column), length, numbers.collect()));
        } else if !indexed || first {
            let store = Store::of(&column.logical);
            let encoded =
                values().map(|value| if value.is_null() { Ok(store.placeholder()) } else { codec::encode(&column.logical, value) });
            let mut encoded =
                encoded.collect::<Result<Vec<Cell>>>().map_err(|e| e.at_field(column.name).of_entity(shape.part.entity.name))?;
            let name = if indexed { shape.field(position) } else { value_field(column) };
            for (cell, more) in encoded.iter_mut().zip(&mut more) {
                if let Cell::Text(text) = cell {
                    more.extend(codec::cut(text).into_iter().map(|piece| format!("{name}:{piece}")));
                }
            }
            fields.push(cells(name, store, encoded.into_iter()));
        }
    }
    if more.iter().any(|pieces| pieces.len() > codec::MAX_PIECES) {
        let why = "the values of a row are longer together than Milvus keeps: store some of them on another backend";
        return Err(Error::new(ErrorKind::InvalidValue, why).of_entity(shape.part.entity.name));
    }
    if shape.has_more(collection) {
        let array = |data| ScalarField { data: Some(Scalars::Text(StringArray { data })) };
        let data = Scalars::Array(ArrayArray { data: more.into_iter().map(array).collect(), element_type: data_type::VARCHAR });
        let scalars = Some(ScalarField { data: Some(data) });
        fields.push(FieldData { data_type: data_type::ARRAY, field_name: MORE.to_owned(), scalars, vectors: None });
    }
    if collection.vector.is_none() {
        let numbers = rows.iter().flat_map(|_| [1.0, 0.0]).collect();
        fields.push(vectors(NO_VECTOR.to_owned(), NO_VECTOR_LENGTH, numbers));
    }
    Ok(fields)
}

fn vectors(name: String, length: u32, data: Vec<f32>) -> FieldData {
    let vectors = Some(VectorField { dim: i64::from(length), float_vector: Some(FloatArray { data }) });
    FieldData { data_type: data_type::FLOAT_VECTOR, field_name: name, scalars: None, vectors }
}

fn cells(name: String, store: Store, cells: impl Iterator<Item = Cell>) -> FieldData {
    macro_rules! gather {
        ($variant:ident) => {
            cells.filter_map(|cell| if let Cell::$variant(value) = cell { Some(value) } else { None }).collect()
        };
    }
    let (data_type, data) = match store {
        Store::Bool => (data_type::BOOL, Scalars::Bool(BoolArray { data: gather!(Bool) })),
        Store::Int => (data_type::INT64, Scalars::Long(LongArray { data: gather!(Int) })),
        Store::Double => (data_type::DOUBLE, Scalars::Double(DoubleArray { data: gather!(Double) })),
        Store::Text => (data_type::VARCHAR, Scalars::Text(StringArray { data: gather!(Text) })),
    };
    FieldData { data_type, field_name: name, scalars: Some(ScalarField { data: Some(data) }), vectors: None }
}

/// The field of an answer that holds a count, and what asks for it. It comes without ids.
pub(super) const COUNT: &str = "count(*)";

/// A column of an answer.
enum Data {
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Double(Vec<f64>),
    Text(Vec<String>),
    Lists(Vec<Vec<String>>),
    Vector(Vec<f32>, usize),
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Data::Bool(data) => data.len(),
            Data::Int(data) => data.len(),
            Data::Double(data) => data.len(),
            Data::Text(data) => data.len(),
            Data::Lists(data) => data.len(),
            Data::Vector(data, length) => data.len() / (*length).max(1),
        }
    }

    /// A copy, for a column may be asked for twice.
    fn cell(&self, row: usize) -> Option<Cell> {
        match self {
            Data::Bool(data) => data.get(row).copied().map(Cell::Bool),
            Data::Int(data) => data.get(row).copied().map(Cell::Int),
            Data::Double(data) => data.get(row).copied().map(Cell::Double),
            Data::Text(data) => data.get(row).cloned().map(Cell::Text),
            Data::Lists(_) | Data::Vector(..) => None,
        }
    }
}

/// The fields of an answer by name.
pub(super) struct Fields {
    fields: HashMap<String, Data>,
    rows: usize,
}

fn texts(list: ScalarField) -> Vec<String> {
    match list.data {
        Some(Scalars::Text(array)) => array.data,
        _ => Vec::new(),
    }
}

/// Vectors of one length. A number that is none would be the best of all scores.
fn vector(numbers: Vec<f32>, dim: i64) -> Result<Data> {
    let length = usize::try_from(dim).unwrap_or_default();
    if !numbers.len().is_multiple_of(length) || numbers.iter().any(|number| !number.is_finite()) {
        return Err(garbled("whole vectors of numbers"));
    }
    Ok(Data::Vector(numbers, length))
}

pub(super) fn garbled(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("Milvus answered without {what}: the collection was changed by something else"))
}

impl Fields {
    /// Takes an answer apart; `ids` where they come apart from the fields.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when the fields are of different lengths.
    pub(super) fn new(answer: Vec<FieldData>, ids: Option<Vec<String>>) -> Result<Self> {
        let mut fields = HashMap::new();
        for field in answer {
            let data = match (field.scalars.and_then(|s| s.data), field.vectors) {
                (Some(Scalars::Bool(array)), _) => Data::Bool(array.data),
                (Some(Scalars::Long(array)), _) => Data::Int(array.data),
                (Some(Scalars::Double(array)), _) => Data::Double(array.data),
                (Some(Scalars::Text(array)), _) => Data::Text(array.data),
                (Some(Scalars::Array(array)), _) => Data::Lists(array.data.into_iter().map(texts).collect()),
                (Some(Scalars::Ints(other) | Scalars::Floats(other) | Scalars::Bytes(other) | Scalars::Json(other)), _) => {
                    if other.is_empty() {
                        continue;
                    }
                    return Err(garbled("values of the types that were written"));
                }
                (None, Some(VectorField { dim, float_vector: Some(array) })) => vector(array.data, dim)?,
                (None, _) => continue,
            };
            fields.insert(field.field_name, data);
        }
        if let Some(ids) = ids {
            fields.insert(ID_COLUMN.to_owned(), Data::Text(ids));
        }
        // Values without ids are not no rows.
        let ids = fields.get(ID_COLUMN);
        let rows = ids.map_or(0, Data::len);
        if fields.iter().any(|(name, data)| name != COUNT && data.len() != rows) {
            return Err(garbled(if ids.is_some() { "a value for each row" } else { "the ids of rows" }));
        }
        Ok(Fields { fields, rows })
    }

    /// The answer of `count(*)`.
    pub(super) fn count(&self) -> Result<i64> {
        match self.fields.get(COUNT) {
            Some(Data::Int(data)) => data.first().copied().filter(|count| *count >= 0).ok_or_else(|| garbled("a count")),
            _ => Err(garbled("a count")),
        }
    }

    fn cell(&self, name: &str, row: usize) -> Result<Cell> {
        self.fields.get(name).and_then(|data| data.cell(row)).ok_or_else(|| garbled("a field that was asked for"))
    }

    /// A cell, with the pieces of a text that was cut.
    fn whole(&self, name: &str, row: usize) -> Result<Cell> {
        let mut cell = self.cell(name, row)?;
        if let (Cell::Text(text), Some(Data::Lists(more))) = (&mut cell, self.fields.get(MORE)) {
            let pieces = more.get(row).into_iter().flatten();
            pieces.filter_map(|piece| piece.strip_prefix(name)?.strip_prefix(':')).for_each(|piece| text.push_str(piece));
        }
        Ok(cell)
    }

    /// The vectors of a field, row after row.
    pub(super) fn vectors(&mut self, name: &str, length: u32) -> Result<Vec<f32>> {
        if self.rows == 0 {
            return Ok(Vec::new());
        }
        match self.fields.remove(name) {
            Some(Data::Vector(numbers, of)) if of == length as usize => Ok(numbers),
            _ => Err(garbled("the vectors that were asked for")),
        }
    }

    /// The rows with these columns of the part, as the first collection holds them.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for what this driver did not write.
    pub(super) fn into_page(self, shape: &Shape, columns: &[usize]) -> Result<Page> {
        let mut page = Page::new(columns.len());
        let described: Vec<_> = columns
            .iter()
            .map(|&position| {
                let column = &shape.part.columns[position];
                (column, shape.field(position), column.nullable.then(|| has_field(column)))
            })
            .collect();
        for row in 0..self.rows {
            let (Cell::Text(id), Cell::Int(version)) = (self.cell(ID_COLUMN, row)?, self.cell(VERSION_COLUMN, row)?) else {
                return Err(garbled("ids and versions"));
            };
            let mut values = Vec::with_capacity(columns.len());
            for (column, field, flag) in &described {
                if let Some(flag) = flag {
                    match self.cell(flag, row)? {
                        Cell::Bool(true) => {}
                        Cell::Bool(false) => {
                            values.push(Value::Null);
                            continue;
                        }
                        _ => return Err(garbled("whether a value is there")),
                    }
                }
                let value = match (self.fields.get(field.as_str()), &column.logical) {
                    (Some(Data::Vector(numbers, of)), LogicalType::Vector(length)) if of == &(*length as usize) => numbers
                        .get(row * of..(row + 1) * of)
                        .map(|numbers| Value::Vector(numbers.into()))
                        .ok_or_else(|| garbled("a vector")),
                    _ => self.whole(field, row).and_then(|cell| codec::decode(&column.logical, cell)),
                };
                values.push(value.map_err(|e| e.at_field(column.name).of_entity(shape.part.entity.name))?);
            }
            page.push(Id::from(id), version, values);
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(name: &str, values: &[&str]) -> FieldData {
        cells(name.to_owned(), Store::Text, values.iter().map(|text| Cell::Text((*text).to_owned())))
    }

    fn rows(answer: Vec<FieldData>, ids: Option<Vec<String>>) -> Result<usize, ErrorKind> {
        Fields::new(answer, ids).map(|fields| fields.rows).map_err(|e| e.kind())
    }

    #[test]
    fn values_without_ids_are_not_taken_for_no_rows() {
        let bare = FieldData { data_type: data_type::VARCHAR, field_name: ID_COLUMN.to_owned(), scalars: None, vectors: None };
        let numbers = || vectors("near".to_owned(), 2, vec![1.0, 2.0]);
        assert_eq!(rows(vec![texts("name", &["a"])], None), Err(ErrorKind::Corrupt));
        assert_eq!(rows(vec![numbers()], None), Err(ErrorKind::Corrupt));
        assert_eq!(rows(vec![bare.clone(), texts("name", &["a"])], None), Err(ErrorKind::Corrupt));
        assert_eq!(rows(vec![texts(ID_COLUMN, &[]), texts("name", &["a"])], None), Err(ErrorKind::Corrupt));
        assert_eq!(rows(vec![texts("name", &["a"])], Some(Vec::new())), Err(ErrorKind::Corrupt), "of a search");
        assert_eq!(rows(vec![texts(ID_COLUMN, &["x", "y"]), texts("name", &["a"])], None), Err(ErrorKind::Corrupt));
        assert_eq!(rows(vec![texts(ID_COLUMN, &["x"]), texts("name", &["a"]), numbers()], None), Ok(1));
        for empty in [vec![], vec![bare], vec![texts("name", &[])], vec![texts(ID_COLUMN, &[]), texts("name", &[])]] {
            assert_eq!(rows(empty, None), Ok(0));
        }
        assert_eq!(rows(vec![], Some(Vec::new())), Ok(0), "a search that found nothing");
    }

    #[test]
    fn a_count_has_no_ids() {
        let count = cells(COUNT.to_owned(), Store::Int, [Cell::Int(7)].into_iter());
        let counted = Fields::new(vec![count], None).and_then(|fields| fields.count());
        assert_eq!(counted.map_err(|e| e.kind()), Ok(7));
    }
}
