//! Values as Arrow columns, in both directions.

use std::sync::Arc;

use lance::deps::datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray, FixedSizeBinaryArray,
    FixedSizeListArray, Float32Array, Float64Array, Int64Array, LargeBinaryArray, LargeStringArray, ListArray, StringArray,
    TimestampMicrosecondArray,
};
use lance::deps::datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use lance::deps::datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Field, Float32Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};

use super::failure;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Date, Decimal, Duration, LogicalType, Timestamp, Uuid, Value};

/// Longest text whose column has offsets of 32 bits: a page of longer ones could overflow them.
const SHORT: u32 = 4_095;

/// The Arrow type that a logical type lies in.
pub(super) fn data_type(logical: &LogicalType) -> DataType {
    match logical {
        LogicalType::Text { max } if *max > SHORT => DataType::LargeUtf8,
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Category(_) | LogicalType::Text { .. } => DataType::Utf8,
        LogicalType::Json => DataType::LargeUtf8,
        LogicalType::Bytes => DataType::LargeBinary,
        LogicalType::Bool => DataType::Boolean,
        LogicalType::Int { .. } => DataType::Int64,
        LogicalType::Float => DataType::Float64,
        LogicalType::Decimal { precision, scale } => DataType::Decimal128((*precision).max(1), *scale as i8),
        LogicalType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        LogicalType::Date => DataType::Date32,
        LogicalType::Duration => DataType::Duration(TimeUnit::Microsecond),
        LogicalType::Uuid => DataType::FixedSizeBinary(16),
        LogicalType::List(item) => DataType::List(Arc::new(item_field(&item_type(item)))),
        LogicalType::Vector(length) => {
            DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Float32, true)), i32::try_from(*length).unwrap_or(i32::MAX))
        }
    }
}

/// What the items of a list lie as: text with short offsets, which Lance's indexes of lists know.
pub(super) fn item_type(item: &LogicalType) -> LogicalType {
    match item {
        LogicalType::Text { max } => LogicalType::Text { max: *max.min(&SHORT) },
        other => *other,
    }
}

/// The items of a list; never null, and said to be nullable as every other writer of lists says.
fn item_field(item: &LogicalType) -> Field {
    Field::new("item", data_type(item), true)
}

/// A decimal as a whole number of its field's smallest unit; `None` where it does not fit.
pub(super) fn decimal_units(n: &Decimal, scale: u8) -> Option<i128> {
    let n = n.normalize();
    let factor = 10i128.checked_pow(u32::from(scale).checked_sub(n.scale())?)?;
    n.mantissa().checked_mul(factor)
}

fn unfit(logical: &LogicalType, value: &Value) -> Error {
    Error::new(ErrorKind::InvalidValue, format!("a value of type {} where the field is {logical}", value.family()))
}

/// One column of values.
///
/// # Errors
/// [`ErrorKind::InvalidValue`] for a value of another type, which validation keeps away.
pub(super) fn column<'a>(logical: &LogicalType, values: impl Iterator<Item = &'a Value>) -> Result<ArrayRef> {
    macro_rules! gather {
        ($pattern:pat => $found:expr) => {
            values
                .map(|value| match value {
                    Value::Null => Ok(None),
                    $pattern => Ok(Some($found)),
                    other => Err(unfit(logical, other)),
                })
                .collect::<Result<Vec<_>>>()?
        };
    }
    Ok(match logical {
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Category(_) | LogicalType::Text { .. } => {
            let texts = gather!(Value::Text(text) => text.as_str());
            if data_type(logical) == DataType::Utf8 { Arc::new(StringArray::from(texts)) } else { Arc::new(LargeStringArray::from(texts)) }
        }
        LogicalType::Json => Arc::new(LargeStringArray::from(gather!(Value::Json(json) => json.to_string()))),
        LogicalType::Bytes => Arc::new(LargeBinaryArray::from_iter(gather!(Value::Bytes(bytes) => &bytes[..]))),
        LogicalType::Bool => Arc::new(BooleanArray::from(gather!(Value::Bool(b) => *b))),
        LogicalType::Int { .. } => Arc::new(Int64Array::from(gather!(Value::Int(n) => *n))),
        LogicalType::Float => Arc::new(Float64Array::from(gather!(Value::Float(n) => *n))),
        LogicalType::Decimal { scale, .. } => {
            let numbers = gather!(Value::Decimal(n) => decimal_units(n, *scale).ok_or_else(|| unfit(logical, &Value::Decimal(*n)))?);
            Arc::new(Decimal128Array::from(numbers).with_data_type(data_type(logical)))
        }
        LogicalType::Timestamp => {
            let moments = gather!(Value::Timestamp(t) => t.as_micros());
            Arc::new(TimestampMicrosecondArray::from(moments).with_data_type(data_type(logical)))
        }
        LogicalType::Date => Arc::new(Date32Array::from(gather!(Value::Date(d) => d.as_days()))),
        LogicalType::Duration => Arc::new(DurationMicrosecondArray::from(gather!(Value::Duration(d) => d.as_micros()))),
        LogicalType::Uuid => {
            let ids = gather!(Value::Uuid(id) => id.into_bytes());
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(ids.into_iter(), 16).map_err(failure::arrow)?)
        }
        LogicalType::List(item) => {
            let lists = gather!(Value::List(items) => &items[..]);
            let present = NullBuffer::from_iter(lists.iter().map(Option::is_some));
            let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.map_or(0, <[Value]>::len)));
            let item = item_type(item);
            let items = column(&item, &mut lists.iter().flatten().flat_map(|list| list.iter()) as &mut dyn Iterator<Item = &Value>)?;
            Arc::new(ListArray::try_new(Arc::new(item_field(&item)), offsets, items, Some(present)).map_err(failure::arrow)?)
        }
        LogicalType::Vector(length) => {
            let vectors = gather!(Value::Vector(numbers) => numbers);
            let present = NullBuffer::from_iter(vectors.iter().map(Option::is_some));
            let mut numbers = Vec::with_capacity(vectors.len() * *length as usize);
            for vector in &vectors {
                match vector {
                    Some(vector) if vector.len() == *length as usize => numbers.extend_from_slice(vector),
                    Some(vector) => return Err(unfit(logical, &Value::Vector(Arc::clone(vector)))),
                    None => numbers.resize(numbers.len() + *length as usize, 0.0),
                }
            }
            let DataType::FixedSizeList(item, size) = data_type(logical) else { return Err(unfit(logical, &Value::Null)) };
            let numbers = Arc::new(Float32Array::from(numbers));
            Arc::new(FixedSizeListArray::try_new(item, size, numbers, Some(present)).map_err(failure::arrow)?)
        }
    })
}

/// The texts of a column of either width.
pub(super) enum Texts<'a> {
    Short(&'a StringArray),
    Long(&'a LargeStringArray),
}

impl<'a> Texts<'a> {
    /// The texts of a column, if it holds text.
    pub(super) fn of(array: &'a dyn Array) -> Option<Self> {
        match array.data_type() {
            DataType::Utf8 => array.as_string_opt().map(Texts::Short),
            DataType::LargeUtf8 => array.as_string_opt().map(Texts::Long),
            _ => None,
        }
    }

    /// The text of a row, which is not null.
    pub(super) fn get(&self, row: usize) -> &'a str {
        match self {
            Texts::Short(array) => array.value(row),
            Texts::Long(array) => array.value(row),
        }
    }
}

fn damaged(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what)
}

/// The values of a column.
///
/// # Errors
/// [`ErrorKind::Corrupt`] for what this driver did not write.
pub(super) fn values(logical: &LogicalType, array: &dyn Array) -> Result<Vec<Value>> {
    let other = || damaged("a column of the dataset has another type than was written: it was changed by something else");
    macro_rules! read {
        ($rows:expr, $row:ident => $value:expr) => {{
            let rows = $rows.ok_or_else(other)?;
            let value = |$row: usize| -> Result<Value> {
                let found = rows.value($row);
                #[allow(clippy::redundant_closure_call)]
                ($value)(found)
            };
            (0..array.len()).map(|row| if array.is_null(row) { Ok(Value::Null) } else { value(row) }).collect()
        }};
    }
    if *array.data_type() == DataType::Null {
        return Ok(vec![Value::Null; array.len()]);
    }
    match logical {
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Category(_) | LogicalType::Text { .. } => {
            let texts = Texts::of(array).ok_or_else(other)?;
            let value = |row: usize| if array.is_null(row) { Value::Null } else { Value::Text(texts.get(row).to_owned()) };
            Ok((0..array.len()).map(value).collect())
        }
        LogicalType::Json => {
            let texts = Texts::of(array).ok_or_else(other)?;
            let parse = |text: &str| serde_json::from_str(text).map_err(|_| damaged("a JSON value cannot be read"));
            let value = |row: usize| if array.is_null(row) { Ok(Value::Null) } else { Ok(Value::Json(Box::new(parse(texts.get(row))?))) };
            (0..array.len()).map(value).collect()
        }
        LogicalType::Bytes => read!(array.as_binary_opt::<i64>(), row => |bytes: &[u8]| Ok(Value::Bytes(bytes.into()))),
        LogicalType::Bool => read!(array.as_boolean_opt(), row => |b| Ok(Value::Bool(b))),
        LogicalType::Int { .. } => read!(array.as_primitive_opt::<Int64Type>(), row => |n| Ok(Value::Int(n))),
        LogicalType::Float => read!(array.as_primitive_opt::<Float64Type>(), row => |n| Ok(Value::Float(n))),
        LogicalType::Decimal { scale, .. } => {
            let decimal = |n: i128| Decimal::try_from_i128_with_scale(n, u32::from(*scale)).map_err(|_| damaged("a decimal is too long"));
            read!(array.as_primitive_opt::<Decimal128Type>(), row => |n| Ok(Value::Decimal(decimal(n)?)))
        }
        LogicalType::Timestamp => {
            read!(array.as_primitive_opt::<TimestampMicrosecondType>(), row => |n| Ok(Value::Timestamp(Timestamp::from_micros(n)?)))
        }
        LogicalType::Date => read!(array.as_primitive_opt::<Date32Type>(), row => |n| Ok(Value::Date(Date::from_days(n)?))),
        LogicalType::Duration => {
            read!(array.as_primitive_opt::<DurationMicrosecondType>(), row => |n| Ok(Value::Duration(Duration::from_micros(n))))
        }
        LogicalType::Uuid => read!(array.as_fixed_size_binary_opt(), row => |bytes: &[u8]| {
            Uuid::from_slice(bytes).map(Value::Uuid).map_err(|_| damaged("a UUID is not of 16 bytes"))
        }),
        LogicalType::List(item) => {
            let item = item_type(item);
            read!(array.as_list_opt::<i32>(), row => |items: ArrayRef| Ok(Value::List(values(&item, &items)?.into())))
        }
        LogicalType::Vector(length) => {
            let vectors = array.as_fixed_size_list_opt().filter(|v| v.value_length() as u32 == *length).ok_or_else(other)?;
            let numbers = vectors.values().as_primitive_opt::<Float32Type>().ok_or_else(other)?;
            let of = |row: usize| {
                let start = vectors.value_offset(row) as usize;
                numbers.values().get(start..start + *length as usize)
            };
            let value = |row: usize| match of(row) {
                _ if array.is_null(row) => Ok(Value::Null),
                Some(numbers) => Ok(Value::Vector(numbers.into())),
                None => Err(other()),
            };
            (0..array.len()).map(value).collect()
        }
    }
}
