//! Values on the wire: what is bound, and what is read.

use std::borrow::Cow;

use tiberius::numeric::Numeric;
use tiberius::{ColumnData, IntoSql, Row};

use crate::backends::sql::forms::corrupt;
use crate::backends::sql::list;
use crate::error::Result;
use crate::types::{Date, Decimal, Duration, LogicalType, Timestamp, Uuid, Value};

/// A value in stored form, as a parameter.
pub(super) struct Bound<'v>(pub(super) &'v Value);

impl<'v> IntoSql<'v> for Bound<'v> {
    fn into_sql(self) -> ColumnData<'v> {
        match self.0 {
            Value::Bool(b) => ColumnData::Bit(Some(*b)),
            Value::Int(n) => ColumnData::I64(Some(*n)),
            Value::Float(n) => ColumnData::F64(Some(*n)),
            Value::Text(text) => ColumnData::String(Some(Cow::Borrowed(text))),
            Value::Bytes(bytes) => ColumnData::Binary(Some(Cow::Borrowed(bytes))),
            Value::Decimal(n) => ColumnData::Numeric(Some(Numeric::new_with_scale(n.mantissa(), n.scale() as u8))),
            Value::Uuid(uuid) => ColumnData::Guid(Some(*uuid)),
            // Nothing else has a stored form of its own; a null of text is cast by the statement.
            Value::Null
            | Value::Timestamp(_)
            | Value::Date(_)
            | Value::Duration(_)
            | Value::Json(_)
            | Value::List(_)
            | Value::Vector(_) => ColumnData::String(None),
        }
    }
}

/// Days from 0001-01-01, where the server's calendar begins, to 1970-01-01.
const EPOCH: i64 = 719_162;
/// Days from 1900-01-01 to 1970-01-01.
const SINCE_1900: i64 = 25_567;
const DAY: i64 = 86_400_000_000;

fn moment(days: i64, micros: i64) -> Option<Value> {
    days.checked_mul(DAY)?.checked_add(micros).and_then(|micros| Timestamp::from_micros(micros).ok()).map(Value::Timestamp)
}

fn micros(increments: u64, scale: u8) -> i64 {
    let increments = i64::try_from(increments).unwrap_or(i64::MAX);
    if scale <= 6 {
        increments.saturating_mul(10i64.pow(u32::from(6 - scale)))
    } else {
        increments / 10i64.pow(u32::from(scale.min(9) - 6))
    }
}

/// A value as it came. What no field has becomes its text, or nothing that a field reads.
fn value(data: ColumnData<'static>) -> Option<Value> {
    Some(match data {
        ColumnData::U8(n) => n.map_or(Value::Null, |n| Value::Int(i64::from(n))),
        ColumnData::I16(n) => n.map_or(Value::Null, |n| Value::Int(i64::from(n))),
        ColumnData::I32(n) => n.map_or(Value::Null, |n| Value::Int(i64::from(n))),
        ColumnData::I64(n) => n.map_or(Value::Null, Value::Int),
        ColumnData::F32(n) => n.map_or(Value::Null, |n| Value::Float(f64::from(n))),
        ColumnData::F64(n) => n.map_or(Value::Null, Value::Float),
        ColumnData::Bit(b) => b.map_or(Value::Null, Value::Bool),
        ColumnData::String(text) => text.map_or(Value::Null, |text| Value::Text(text.into_owned())),
        ColumnData::Guid(uuid) => uuid.map_or(Value::Null, Value::Uuid),
        ColumnData::Binary(bytes) => bytes.map_or(Value::Null, |bytes| Value::Bytes(bytes.into_owned().into())),
        ColumnData::Xml(xml) => xml.map_or(Value::Null, |xml| Value::Text(xml.to_string())),
        ColumnData::Numeric(None)
        | ColumnData::DateTime(None)
        | ColumnData::SmallDateTime(None)
        | ColumnData::Date(None)
        | ColumnData::DateTime2(None)
        | ColumnData::DateTimeOffset(None)
        | ColumnData::Time(_) => Value::Null,
        ColumnData::Numeric(Some(n)) => number(n.value(), n.scale()),
        ColumnData::DateTime(Some(t)) => {
            // Three hundredths of a second.
            moment(i64::from(t.days()) - SINCE_1900, i64::from(t.seconds_fragments()) * 1_000_000 / 300)?
        }
        ColumnData::SmallDateTime(Some(t)) => moment(i64::from(t.days()) - SINCE_1900, i64::from(t.seconds_fragments()) * 60_000_000)?,
        ColumnData::Date(Some(d)) => Value::Date(Date::from_days(i32::try_from(i64::from(d.days()) - EPOCH).ok()?).ok()?),
        ColumnData::DateTime2(Some(t)) => moment(i64::from(t.date().days()) - EPOCH, micros(t.time().increments(), t.time().scale()))?,
        ColumnData::DateTimeOffset(Some(t)) => {
            // Its date and time are in UTC already.
            let t = t.datetime2();
            moment(i64::from(t.date().days()) - EPOCH, micros(t.time().increments(), t.time().scale()))?
        }
    })
}

/// A number of the server's, as a decimal where it has at most 28 digits, else as text.
fn number(mut mantissa: i128, scale: u8) -> Value {
    let mut scale = u32::from(scale);
    while scale > 0 && mantissa % 10 == 0 {
        mantissa /= 10;
        scale -= 1;
    }
    match Decimal::try_from_i128_with_scale(mantissa, scale) {
        Ok(number) => Value::Decimal(number),
        Err(_) => Value::Text(format!("{mantissa}e-{scale}")),
    }
}

/// A row as it came.
pub(super) fn row(row: Row) -> tiberius::Result<Vec<Value>> {
    let unreadable = || tiberius::error::Error::Conversion("a date outside of the calendar".into());
    row.into_token_row().into_iter().map(|data| value(data).ok_or_else(unreadable)).collect()
}

fn text(bytes: Box<[u8]>) -> Result<Value> {
    String::from_utf8(bytes.into_vec()).map(Value::Text).map_err(|_| corrupt())
}

/// A stored value as one of the field's type.
pub(super) fn read(logical: &LogicalType, stored: Value) -> Result<Value> {
    Ok(match (logical, stored) {
        (_, Value::Null) => Value::Null,
        (LogicalType::Id | LogicalType::Ref(_) | LogicalType::Category(_) | LogicalType::Text { .. }, stored) => match stored {
            Value::Bytes(bytes) => text(bytes)?,
            Value::Text(text) => Value::Text(text),
            _ => return Err(corrupt()),
        },
        (LogicalType::Timestamp, Value::Int(micros)) => Value::Timestamp(Timestamp::from_micros(micros).map_err(|_| corrupt())?),
        (LogicalType::Date, Value::Int(days)) => {
            Value::Date(i32::try_from(days).ok().and_then(|days| Date::from_days(days).ok()).ok_or_else(corrupt)?)
        }
        (LogicalType::Duration, Value::Int(micros)) => Value::Duration(Duration::from_micros(micros)),
        // The least and the greatest of the server's own type come as their text.
        (LogicalType::Uuid, Value::Bytes(bytes)) if bytes.len() == 36 => {
            Value::Uuid(std::str::from_utf8(&bytes).ok().and_then(|text| Uuid::parse_str(text).ok()).ok_or_else(corrupt)?)
        }
        (LogicalType::Uuid, Value::Bytes(bytes)) => Value::Uuid(Uuid::from_slice(&bytes).map_err(|_| corrupt())?),
        (LogicalType::Json, Value::Text(text)) => Value::Json(Box::new(serde_json::from_str(&text).map_err(|_| corrupt())?)),
        (LogicalType::List(item), Value::Text(text)) => list::parse(item, text.as_bytes())?,
        (LogicalType::Vector(_), Value::Bytes(bytes)) => {
            let number = |chunk: &[u8]| chunk.try_into().map(f32::from_le_bytes).map_err(|_| corrupt());
            Value::Vector(bytes.chunks(4).map(number).collect::<Result<Vec<f32>>>()?.into())
        }
        // Whole numbers may come as decimals without a fraction, from tables of others.
        (LogicalType::Int { .. }, Value::Decimal(n)) => Value::Int(i64::try_from(n).map_err(|_| corrupt())?),
        (logical, stored) => {
            let fits = matches!(
                (logical, &stored),
                (LogicalType::Bool, Value::Bool(_))
                    | (LogicalType::Int { .. }, Value::Int(_))
                    | (LogicalType::Float, Value::Float(_))
                    | (LogicalType::Decimal { .. }, Value::Decimal(_))
                    | (LogicalType::Bytes, Value::Bytes(_))
                    | (LogicalType::Timestamp, Value::Timestamp(_))
                    | (LogicalType::Date, Value::Date(_))
                    | (LogicalType::Uuid, Value::Uuid(_))
            );
            if fits { stored } else { return Err(corrupt()) }
        }
    })
}

/// The numbers of a vector, lowest byte first.
pub(super) fn vector_bytes(numbers: &[f32]) -> Value {
    Value::Bytes(numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendars_agree() {
        let day = Date::from_days(0).map(Value::Date).ok();
        assert_eq!(value(ColumnData::Date(Some(tiberius::time::Date::new(719_162)))), day);
        let epoch = Timestamp::from_micros(0).map(Value::Timestamp).ok();
        assert_eq!(value(ColumnData::DateTime(Some(tiberius::time::DateTime::new(25_567, 0)))), epoch);
        assert_eq!(micros(12_345_678, 7), 1_234_567);
        assert_eq!(number(1_500, 3), Value::Decimal(Decimal::new(15, 1)));
    }
}
