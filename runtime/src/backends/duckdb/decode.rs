//! Columns of Arrow, as DuckDB answers, as values.

use duckdb::arrow::array::{Array, ArrayRef, AsArray, StructArray};
use duckdb::arrow::compute::{CastOptions, cast_with_options};
use duckdb::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use std::sync::Arc;

use crate::driver::Page;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::{Date, Decimal, Duration, LogicalType, Timestamp, Uuid, Value};

fn corrupt(logical: &LogicalType, found: &DataType) -> Error {
    Error::new(ErrorKind::Corrupt, format!("a stored {found} that is no {logical}: something else wrote it"))
}

/// The Arrow type in which values of a logical type are read.
fn read_as(logical: &LogicalType) -> DataType {
    match logical {
        LogicalType::Uuid => DataType::Utf8,
        LogicalType::List(item) => DataType::List(Arc::new(Field::new("item", read_as(item), true))),
        LogicalType::Vector(length) => DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Float32, true)), *length as i32),
        LogicalType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        other => super::encode::data_type(other),
    }
}

/// Whether an array is read as it is. Decimals are, whatever their digits, and lists whose items are.
fn is_plain(found: &DataType, wanted: &DataType) -> bool {
    match (found, wanted) {
        (DataType::Decimal128(..), DataType::Decimal128(..)) => true,
        // A zone says how a moment is shown, and not which one it is.
        (DataType::Timestamp(found, _), DataType::Timestamp(wanted, _)) => found == wanted,
        (DataType::List(found), DataType::List(wanted)) => is_plain(found.data_type(), wanted.data_type()),
        (DataType::FixedSizeList(found, n), DataType::FixedSizeList(wanted, m)) => {
            n == m && is_plain(found.data_type(), wanted.data_type())
        }
        _ => found == wanted,
    }
}

/// The values of an array, each handed to `each`, nulls as null.
pub(super) fn values(logical: &LogicalType, array: &ArrayRef, mut each: impl FnMut(Value)) -> Result<()> {
    let wanted = read_as(logical);
    let cast;
    let array = if is_plain(array.data_type(), &wanted) {
        array
    } else {
        // A table that HeavenBase did not create may hold a narrower type.
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast = cast_with_options(array, &wanted, &options).map_err(|_| corrupt(logical, array.data_type()))?;
        &cast
    };
    let refused = || corrupt(logical, array.data_type());
    macro_rules! all {
        ($typed:expr, $get:expr) => {{
            let typed = $typed.ok_or_else(refused)?;
            for row in 0..typed.len() {
                each(if typed.is_null(row) { Value::Null } else { $get(typed, row)? });
            }
        }};
    }
    match logical {
        LogicalType::Bool => {
            all!(array.as_boolean_opt(), |a: &duckdb::arrow::array::BooleanArray, row| Ok::<_, Error>(Value::Bool(a.value(row))))
        }
        LogicalType::Int { .. } => all!(array.as_primitive_opt::<Int64Type>(), |a: &duckdb::arrow::array::Int64Array, row| {
            Ok::<_, Error>(Value::Int(a.value(row)))
        }),
        LogicalType::Duration => all!(array.as_primitive_opt::<Int64Type>(), |a: &duckdb::arrow::array::Int64Array, row| {
            Ok::<_, Error>(Value::Duration(Duration::from_micros(a.value(row))))
        }),
        LogicalType::Float => all!(array.as_primitive_opt::<Float64Type>(), |a: &duckdb::arrow::array::Float64Array, row| {
            Ok::<_, Error>(Value::Float(a.value(row)))
        }),
        LogicalType::Decimal { .. } => {
            all!(array.as_primitive_opt::<Decimal128Type>(), |a: &duckdb::arrow::array::Decimal128Array, row| {
                let scale = u32::try_from(a.scale()).map_err(|_| refused())?;
                Decimal::try_from_i128_with_scale(a.value(row), scale).map(|n| Value::Decimal(n.normalize())).map_err(|_| refused())
            })
        }
        LogicalType::Bytes => all!(array.as_binary_opt::<i32>(), |a: &duckdb::arrow::array::BinaryArray, row| {
            Ok::<_, Error>(Value::Bytes(a.value(row).into()))
        }),
        LogicalType::Timestamp => {
            all!(array.as_primitive_opt::<TimestampMicrosecondType>(), |a: &duckdb::arrow::array::TimestampMicrosecondArray, row| {
                Timestamp::from_micros(a.value(row)).map(Value::Timestamp)
            })
        }
        LogicalType::Date => all!(array.as_primitive_opt::<Date32Type>(), |a: &duckdb::arrow::array::Date32Array, row| {
            Date::from_days(a.value(row)).map(Value::Date)
        }),
        LogicalType::Uuid => all!(array.as_string_opt::<i32>(), |a: &duckdb::arrow::array::StringArray, row| {
            Uuid::try_parse(a.value(row)).map(Value::Uuid).map_err(|_| refused())
        }),
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) => {
            all!(array.as_string_opt::<i32>(), |a: &duckdb::arrow::array::StringArray, row| {
                Ok::<_, Error>(Value::Text(a.value(row).to_owned()))
            });
        }
        LogicalType::Json => all!(array.as_string_opt::<i32>(), |a: &duckdb::arrow::array::StringArray, row| {
            serde_json::from_str(a.value(row)).map(|json| Value::Json(Box::new(json))).map_err(|_| refused())
        }),
        LogicalType::List(item) => all!(array.as_list_opt::<i32>(), |a: &duckdb::arrow::array::ListArray, row| {
            let mut items = Vec::with_capacity(a.value_length(row) as usize);
            values_within(item, &a.value(row), &mut items)?;
            Ok::<_, Error>(Value::List(items.into()))
        }),
        LogicalType::Vector(_) => all!(array.as_fixed_size_list_opt(), |a: &duckdb::arrow::array::FixedSizeListArray, row| {
            let numbers = a.value(row);
            let numbers = numbers.as_primitive_opt::<Float32Type>().ok_or_else(refused)?;
            Ok::<_, Error>(Value::Vector(numbers.values().to_vec().into()))
        }),
    }
    Ok(())
}

/// The items of one list.
fn values_within(item: &LogicalType, array: &ArrayRef, items: &mut Vec<Value>) -> Result<()> {
    let each: &mut dyn FnMut(Value) = &mut |value| items.push(value);
    values(item, array, each)
}

fn column(batch: &StructArray, at: usize) -> Result<&ArrayRef> {
    batch.columns().get(at).ok_or_else(|| Error::new(ErrorKind::Internal, "an answer with fewer columns than were asked for"))
}

/// Adds rows that begin with id and version, then have these columns, and a score where the page has scores.
pub(super) fn rows(page: &mut Page, batch: &StructArray, part: &Part, columns: &[usize], scored: bool) -> Result<()> {
    let (before, width) = (page.ids.len(), columns.len());
    let kind = part.key().kind;
    let mut whole = true;
    values(&kind.logical(), column(batch, 0)?, |key| match kind.id(key) {
        Some(id) => page.ids.push(id),
        None => whole = false,
    })?;
    if !whole {
        let why = format!("a stored id that is no {}: something else wrote it", kind.logical());
        return Err(Error::new(ErrorKind::Corrupt, why).at_field(crate::schema::ID_COLUMN).of_entity(part.entity.name));
    }
    values(&LogicalType::INT, column(batch, 1)?, |version| page.versions.push(if let Value::Int(n) = version { n } else { 0 }))?;
    page.values.resize(page.ids.len() * width, Value::Null);
    for (i, &position) in columns.iter().enumerate() {
        let held = part.columns.get(position).ok_or_else(|| Error::new(ErrorKind::Internal, "a column outside of the part"))?;
        let mut at = before * width + i;
        values(&held.logical, column(batch, i + 2)?, |value| {
            if let Some(place) = page.values.get_mut(at) {
                *place = value;
            }
            at += width;
        })
        .map_err(|e| e.at_field(held.name).of_entity(part.entity.name))?;
    }
    if scored {
        values(&LogicalType::Float, column(batch, width + 2)?, |score| {
            page.scores.push(if let Value::Float(n) = score { n } else { 0.0 })
        })?;
    }
    Ok(())
}
