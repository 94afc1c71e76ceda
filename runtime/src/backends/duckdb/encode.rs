//! Values as columns of Arrow: the way of batches.

use std::collections::HashMap;
use std::sync::Arc;

use duckdb::arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Array, FixedSizeBinaryBuilder, FixedSizeListArray, Float32Array,
    Float64Builder, Int64Builder, ListArray, StringBuilder, TimestampMicrosecondBuilder,
};
use duckdb::arrow::buffer::{NullBuffer, OffsetBuffer};
use duckdb::arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use duckdb::arrow::error::ArrowError;

use crate::error::{Error, ErrorKind, Result};
use crate::types::{LogicalType, Value};

/// The Arrow field of a column.
pub(super) fn field(name: &str, logical: &LogicalType) -> Field {
    let field = Field::new(name, data_type(logical), true);
    match logical {
        // How Arrow says that sixteen bytes are a UUID.
        LogicalType::Uuid => field.with_metadata(HashMap::from([("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned())])),
        _ => field,
    }
}

/// The Arrow type of a column's values.
pub(super) fn data_type(logical: &LogicalType) -> DataType {
    match logical {
        LogicalType::Bool => DataType::Boolean,
        LogicalType::Int { .. } | LogicalType::Duration => DataType::Int64,
        LogicalType::Float => DataType::Float64,
        LogicalType::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale as i8),
        LogicalType::Bytes => DataType::Binary,
        LogicalType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        LogicalType::Date => DataType::Date32,
        LogicalType::Uuid => DataType::FixedSizeBinary(16),
        LogicalType::List(item) => DataType::List(item_field(item)),
        LogicalType::Vector(length) => DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Float32, true)), *length as i32),
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) | LogicalType::Json => DataType::Utf8,
    }
}

fn item_field(item: &LogicalType) -> FieldRef {
    Arc::new(field("item", item))
}

fn failed(cause: ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "a column of values could not be laid out").caused_by(cause)
}

/// The values of one column; one of another family than the column's is null.
pub(super) fn array<'v>(logical: &LogicalType, values: impl Iterator<Item = &'v Value> + Clone) -> Result<ArrayRef> {
    macro_rules! built {
        ($builder:expr, $pattern:pat => $value:expr) => {{
            let mut builder = $builder;
            for value in values {
                match value {
                    $pattern => builder.append_value($value),
                    _ => builder.append_null(),
                }
            }
            Arc::new(builder.finish()) as ArrayRef
        }};
    }
    Ok(match logical {
        LogicalType::Bool => built!(BooleanBuilder::new(), Value::Bool(b) => *b),
        LogicalType::Int { .. } => built!(Int64Builder::new(), Value::Int(n) => *n),
        LogicalType::Duration => built!(Int64Builder::new(), Value::Duration(d) => d.as_micros()),
        LogicalType::Float => built!(Float64Builder::new(), Value::Float(n) => *n),
        LogicalType::Bytes => built!(BinaryBuilder::new(), Value::Bytes(bytes) => bytes),
        LogicalType::Timestamp => built!(TimestampMicrosecondBuilder::new(), Value::Timestamp(t) => t.as_micros()),
        LogicalType::Date => built!(Date32Builder::new(), Value::Date(d) => d.as_days()),
        LogicalType::Json => built!(StringBuilder::new(), Value::Json(json) => json.to_string()),
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) => {
            built!(StringBuilder::new(), Value::Text(text) => text)
        }
        LogicalType::Decimal { precision, scale } => {
            let wanted = u32::from(*scale);
            let scaled = |value: &Value| match value {
                Value::Decimal(n) => 10i128.checked_pow(wanted.checked_sub(n.normalize().scale())?)?.checked_mul(n.normalize().mantissa()),
                _ => None,
            };
            let numbers: Decimal128Array = values.map(scaled).collect();
            Arc::new(numbers.with_precision_and_scale(*precision, *scale as i8).map_err(failed)?)
        }
        LogicalType::Uuid => {
            let mut builder = FixedSizeBinaryBuilder::new(16);
            for value in values {
                match value {
                    Value::Uuid(uuid) => builder.append_value(uuid.as_bytes()).map_err(failed)?,
                    _ => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
        LogicalType::List(item) => {
            let lengths = values.clone().map(|list| list.as_list().map_or(0, <[Value]>::len));
            let offsets = OffsetBuffer::from_lengths(lengths);
            let there: Vec<bool> = values.clone().map(|list| list.as_list().is_some()).collect();
            let items: Vec<&Value> = values.flat_map(|list| list.as_list().unwrap_or_default()).collect();
            let items = array(item, items.into_iter())?;
            Arc::new(ListArray::try_new(item_field(item), offsets, items, Some(NullBuffer::from(there))).map_err(failed)?)
        }
        LogicalType::Vector(length) => {
            let length = *length as usize;
            let (mut numbers, mut there) = (Vec::new(), Vec::new());
            for value in values {
                let vector = value.as_vector().filter(|vector| vector.len() == length);
                there.push(vector.is_some());
                match vector {
                    Some(vector) => numbers.extend_from_slice(vector),
                    None => numbers.resize(numbers.len() + length, 0.0),
                }
            }
            let DataType::FixedSizeList(field, size) = data_type(logical) else {
                return Err(Error::new(ErrorKind::Internal, "a vector that is no list of one size"));
            };
            let numbers = Arc::new(Float32Array::from(numbers));
            Arc::new(FixedSizeListArray::try_new(field, size, numbers, Some(NullBuffer::from(there))).map_err(failed)?)
        }
    })
}
