//! Values between the client and the fields: what is bound, and what is read.

use std::str::FromStr;

use jiff::tz::Offset;
use oracledb::{DbType, OracleNumber, OracleTimestamp, ToDbValue, Vector, VectorData};

use super::text;
use crate::backends::sql::forms::{corrupt, decimal};
use crate::backends::sql::list;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Date, Duration, LogicalType, Timestamp, Uuid, Value};

/// The type of a null whose column no other row says the type of: the server turns it into any.
const ANY: &DbType = oracledb::DB_TYPE_VARCHAR;

/// The client's type of a value; `None` for null.
fn type_of(value: &Value) -> Option<&'static DbType> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) | Value::Int(_) | Value::Decimal(_) => oracledb::DB_TYPE_NUMBER,
        Value::Float(_) => oracledb::DB_TYPE_BINARY_DOUBLE,
        Value::Bytes(_) | Value::Uuid(_) => oracledb::DB_TYPE_RAW,
        Value::Timestamp(_) | Value::Date(_) => oracledb::DB_TYPE_TIMESTAMP,
        Value::Vector(_) => oracledb::DB_TYPE_VECTOR,
        _ => ANY,
    })
}

/// The types of the values at each place of some rows.
fn types(rows: &[Vec<Value>]) -> Vec<&'static DbType> {
    let width = rows.first().map_or(0, Vec::len);
    (0..width).map(|at| rows.iter().find_map(|row| row.get(at).and_then(type_of)).unwrap_or(ANY)).collect()
}

/// Rows of values in stored form, as the client binds them: at each place all of one type.
///
/// # Errors
/// [`ErrorKind::InvalidValue`] for a time outside of the server's calendar.
pub(super) fn bound(rows: Vec<Vec<Value>>) -> Result<Vec<Vec<Box<dyn ToDbValue>>>> {
    let types = types(&rows);
    let row = |row: Vec<Value>| row.into_iter().zip(&types).map(|(value, of)| one(value, of)).collect::<Result<Vec<_>>>();
    rows.into_iter().map(row).collect()
}

fn one(value: Value, of: &'static DbType) -> Result<Box<dyn ToDbValue>> {
    Ok(match value {
        Value::Null => Box::new(of),
        Value::Bool(b) => Box::new(i64::from(b)),
        Value::Int(n) => Box::new(n),
        Value::Float(n) => Box::new(n),
        Value::Decimal(n) => Box::new(OracleNumber::from_str(&n.normalize().to_string()).map_err(|_| corrupt())?),
        Value::Text(text) => Box::new(text),
        Value::Bytes(bytes) => Box::new(bytes.into_vec()),
        Value::Uuid(uuid) => Box::new(uuid.as_bytes().to_vec()),
        Value::Timestamp(t) => Box::new(moment(t)?),
        Value::Date(d) => Box::new(moment(midnight(d)?)?),
        Value::Vector(numbers) => Box::new(Vector::Dense(VectorData::Float32(numbers.to_vec()))),
        // They become another form before they come here.
        Value::Duration(d) => Box::new(d.as_micros()),
        Value::Json(json) => Box::new(json.to_string()),
        Value::List(items) => Box::new(list::text(&items)),
    })
}

const DAY: i64 = 86_400_000_000;

fn outside() -> Error {
    Error::new(ErrorKind::InvalidValue, "a day before the year 1, which the table's column does not take")
}

fn midnight(day: Date) -> Result<Timestamp> {
    Timestamp::from_micros(i64::from(day.as_days()) * DAY).map_err(|_| outside())
}

/// A moment as the client has it, of the server's calendar from the year 1 on.
fn moment(t: Timestamp) -> Result<OracleTimestamp> {
    let micros = t.as_micros();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).map_err(|_| outside())?;
    let at = jiff::Timestamp::new(micros.div_euclid(1_000_000), nanos).map_err(|_| outside())?;
    let civil = Offset::UTC.to_datetime(at);
    let small = |n: i8| u8::try_from(n).map_err(|_| outside());
    if civil.year() < 1 {
        return Err(outside());
    }
    let nanos = u32::try_from(nanos).map_err(|_| outside())?;
    let (month, day) = (small(civil.month())?, small(civil.day())?);
    Ok(OracleTimestamp::new_timestamp(
        civil.year(),
        month,
        day,
        small(civil.hour())?,
        small(civil.minute())?,
        small(civil.second())?,
        nanos,
    ))
}

/// The moment that the client gives; none before the year 1, nor finer than microseconds.
fn found(t: &OracleTimestamp) -> Option<Timestamp> {
    let small = |n: u8| i8::try_from(n).ok();
    let (hour, minute, second) = (small(t.hour())?, small(t.minute())?, small(t.second())?);
    let civil = jiff::civil::DateTime::new(t.year(), small(t.month())?, small(t.day())?, hour, minute, second, 0).ok()?;
    if t.year() < 1 || !t.nanoseconds().is_multiple_of(1_000) {
        return None;
    }
    let seconds = Offset::UTC.to_timestamp(civil).ok()?.as_second();
    Timestamp::from_micros(seconds.checked_mul(1_000_000)?.checked_add(i64::from(t.nanoseconds() / 1_000))?).ok()
}

/// Whether the server's calendar has a moment or a day.
pub(super) fn in_calendar(value: &Value) -> bool {
    match value {
        Value::Timestamp(t) => moment(*t).is_ok(),
        Value::Date(d) => midnight(*d).and_then(moment).is_ok(),
        _ => true,
    }
}

/// A value as it came.
pub(super) fn value(row: &oracledb::Row, at: usize) -> Result<Value> {
    let Some(column) = row.columns().get(at) else { return Err(corrupt()) };
    let kind = column.db_type();
    // Their own texts may repeat the value.
    let unread = |_: oracledb::Error| corrupt();
    if kind == oracledb::DB_TYPE_NUMBER || kind == oracledb::DB_TYPE_BINARY_INTEGER {
        let found: Option<OracleNumber> = row.get(at).map_err(unread)?;
        return Ok(found.map_or(Value::Null, |n| number(&n.to_string())));
    }
    if kind == oracledb::DB_TYPE_BINARY_DOUBLE || kind == oracledb::DB_TYPE_BINARY_FLOAT {
        let found: Option<f64> = match kind == oracledb::DB_TYPE_BINARY_DOUBLE {
            true => row.get(at).map_err(unread)?,
            false => row.get::<Option<f32>>(at).map_err(unread)?.map(f64::from),
        };
        return Ok(found.map_or(Value::Null, Value::Float));
    }
    if kind.is_date_type() {
        return match row.get::<Option<OracleTimestamp>>(at).map_err(unread)? {
            None => Ok(Value::Null),
            Some(t) => found(&t).map(Value::Timestamp).ok_or_else(corrupt),
        };
    }
    if kind.is_binary_type() || kind == oracledb::DB_TYPE_BLOB {
        let found: Option<Vec<u8>> = row.get(at).map_err(unread)?;
        return Ok(found.map_or(Value::Null, |bytes| Value::Bytes(bytes.into())));
    }
    if kind == oracledb::DB_TYPE_BOOLEAN {
        return Ok(row.get::<Option<bool>>(at).map_err(unread)?.map_or(Value::Null, Value::Bool));
    }
    if kind == oracledb::DB_TYPE_VECTOR {
        return match row.get::<Option<Vector>>(at).map_err(unread)? {
            None => Ok(Value::Null),
            Some(Vector::Dense(VectorData::Float32(numbers))) => Ok(Value::Vector(numbers.into())),
            Some(_) => Err(corrupt()),
        };
    }
    Ok(row.get::<Option<String>>(at).map_err(unread)?.map_or(Value::Null, Value::Text))
}

/// A number of the server's: a whole one of 64 bits, else a decimal where ours have room for it, else its text.
fn number(text: &str) -> Value {
    if let Ok(whole) = text.parse() {
        return Value::Int(whole);
    }
    match decimal(text) {
        Some(number) => Value::Decimal(number),
        None => Value::Text(text.to_owned()),
    }
}

/// A stored value as one of the field's type. In a table of others nothing stands before a text.
pub(super) fn read(logical: &LogicalType, stored: Value, mapped: bool) -> Result<Value> {
    Ok(match (logical, stored) {
        (_, Value::Null) => Value::Null,
        (LogicalType::Id | LogicalType::Ref(_) | LogicalType::Category(_) | LogicalType::Text { .. }, Value::Text(found)) => {
            Value::Text(if mapped { found } else { text::plain(found) })
        }
        (LogicalType::Bytes, Value::Bytes(bytes)) => Value::Bytes(if mapped { bytes } else { text::plain_bytes(bytes) }),
        (LogicalType::Bool, Value::Bool(b)) => Value::Bool(b),
        (LogicalType::Bool, Value::Int(n @ (0 | 1))) => Value::Bool(n == 1),
        (LogicalType::Int { .. }, Value::Int(n)) => Value::Int(n),
        (LogicalType::Float, Value::Float(n)) => Value::Float(n),
        // `FLOAT` of the server's is a decimal number.
        (LogicalType::Float, Value::Int(n)) => Value::Float(n as f64),
        (LogicalType::Float, Value::Decimal(n)) => Value::Float(n.to_string().parse().map_err(|_| corrupt())?),
        (LogicalType::Float, Value::Text(n)) => Value::Float(n.parse().map_err(|_| corrupt())?),
        (LogicalType::Decimal { .. }, Value::Decimal(n)) => Value::Decimal(n),
        (LogicalType::Decimal { .. }, Value::Int(n)) => Value::Decimal(n.into()),
        (LogicalType::Timestamp, Value::Int(micros)) => Value::Timestamp(Timestamp::from_micros(micros).map_err(|_| corrupt())?),
        (LogicalType::Timestamp, Value::Timestamp(t)) => Value::Timestamp(t),
        (LogicalType::Date, Value::Int(days)) => {
            Value::Date(i32::try_from(days).ok().and_then(|days| Date::from_days(days).ok()).ok_or_else(corrupt)?)
        }
        // A time of day is none of a date's, and is not cut off.
        (LogicalType::Date, Value::Timestamp(t)) if t.as_micros().rem_euclid(DAY) == 0 => Value::Date(Date::of(t)),
        (LogicalType::Duration, Value::Int(micros)) => Value::Duration(Duration::from_micros(micros)),
        (LogicalType::Uuid, Value::Bytes(bytes)) => Value::Uuid(Uuid::from_slice(&bytes).map_err(|_| corrupt())?),
        (LogicalType::Json, Value::Text(text)) => Value::Json(Box::new(serde_json::from_str(&text).map_err(|_| corrupt())?)),
        (LogicalType::List(item), Value::Text(text)) => list::parse(item, text.as_bytes())?,
        (LogicalType::Vector(_), Value::Vector(numbers)) => Value::Vector(numbers),
        (LogicalType::Vector(_), Value::Bytes(bytes)) => {
            let number = |chunk: &[u8]| chunk.try_into().map(f32::from_le_bytes).map_err(|_| corrupt());
            Value::Vector(bytes.chunks(4).map(number).collect::<Result<Vec<f32>>>()?.into())
        }
        _ => return Err(corrupt()),
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
        for text in ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2024-02-29T23:59:59.999999Z", "9999-12-30T00:00:00.000001Z"] {
            let Ok(t) = text.parse::<Timestamp>() else { panic!("{text}") };
            assert_eq!(moment(t).ok().as_ref().and_then(found), Some(t), "{text}");
        }
        let before = "-000001-12-31T00:00:00Z".parse::<Timestamp>();
        assert!(before.is_ok_and(|t| !in_calendar(&Value::Timestamp(t))));
        assert_eq!(found(&OracleTimestamp::new_timestamp(2024, 1, 1, 0, 0, 0, 1)), None);
    }

    #[test]
    fn numbers_keep_every_digit() {
        assert_eq!(number("-9223372036854775808"), Value::Int(i64::MIN));
        assert_eq!(number("1.50"), Value::Decimal("1.5".parse().unwrap_or_default()));
        assert_eq!(number("99999999999999999999999999999999999999"), Value::Text("99999999999999999999999999999999999999".to_owned()));
        assert_eq!(OracleNumber::from_str("-1000.05").map(|n| n.to_string()).ok().as_deref(), Some("-1000.05"));
    }

    #[test]
    fn a_null_has_the_type_of_its_column() {
        let rows = vec![vec![Value::Null, Value::Null], vec![Value::Int(1), Value::Null]];
        assert_eq!(types(&rows), [oracledb::DB_TYPE_NUMBER, oracledb::DB_TYPE_VARCHAR]);
    }
}
