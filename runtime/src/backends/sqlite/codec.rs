//! How values lie in SQLite, and how they are read back.
//!
//! Integers, truth values, times and spans as INTEGER; floats as REAL in `ANY` columns (a column of type REAL would
//! store -0.0 as the integer 0); decimals as ordered text; text, JSON and lists as TEXT; bytes, UUIDs and vectors
//! (little-endian `f32`) as BLOB.

use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};

use super::decimal;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::KeyKind;
use crate::types::{Date, Decimal, Duration, Id, Json, LogicalType, Timestamp, Uuid, Value};

/// A value as SQLite takes it.
pub(super) fn to_sql(value: &Value) -> ToSqlOutput<'_> {
    let borrowed = ToSqlOutput::Borrowed;
    match value {
        Value::Null => borrowed(ValueRef::Null),
        Value::Bool(b) => borrowed(ValueRef::Integer(i64::from(*b))),
        Value::Int(n) => borrowed(ValueRef::Integer(*n)),
        Value::Float(n) => borrowed(ValueRef::Real(*n)),
        Value::Decimal(n) => ToSqlOutput::Owned(Owned::Text(decimal::ordered_text(*n))),
        Value::Text(text) => borrowed(ValueRef::Text(text.as_bytes())),
        Value::Bytes(bytes) => borrowed(ValueRef::Blob(bytes)),
        Value::Timestamp(t) => borrowed(ValueRef::Integer(t.as_micros())),
        Value::Date(d) => borrowed(ValueRef::Integer(i64::from(d.as_days()))),
        Value::Duration(d) => borrowed(ValueRef::Integer(d.as_micros())),
        Value::Uuid(uuid) => borrowed(ValueRef::Blob(uuid.as_bytes())),
        Value::Json(json) => ToSqlOutput::Owned(Owned::Text(json.to_string())),
        Value::List(items) => ToSqlOutput::Owned(Owned::Text(list_json(items).to_string())),
        Value::Vector(numbers) => ToSqlOutput::Owned(Owned::Blob(numbers.iter().flat_map(|n| n.to_le_bytes()).collect())),
    }
}

/// The key of the row with an id; `None` where no key has this text.
pub(super) fn key(kind: KeyKind, id: &Id) -> Option<ToSqlOutput<'_>> {
    if kind == KeyKind::Text {
        return Some(ToSqlOutput::Borrowed(ValueRef::Text(id.as_bytes())));
    }
    match kind.value(id)? {
        Value::Int(number) => Some(ToSqlOutput::Owned(Owned::Integer(number))),
        Value::Uuid(uuid) => Some(ToSqlOutput::Owned(Owned::Blob(uuid.as_bytes().to_vec()))),
        // Keys are of these three kinds.
        _ => None,
    }
}

/// A list as the JSON array that lies in its column.
pub(super) fn list_json(items: &[Value]) -> Json {
    Json::Array(items.iter().map(item_json).collect())
}

fn item_json(item: &Value) -> Json {
    match item {
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => (*n).into(),
        Value::Float(n) => (*n).into(),
        Value::Decimal(n) => decimal::ordered_text(*n).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Timestamp(t) => t.as_micros().into(),
        Value::Date(d) => d.as_days().into(),
        Value::Duration(d) => d.as_micros().into(),
        Value::Uuid(uuid) => uuid.to_string().into(),
        // Lists hold nothing else: the type check refuses it before.
        _ => Json::Null,
    }
}

/// Reads a value of a logical type.
///
/// # Errors
/// [`ErrorKind::Corrupt`] when something else is stored.
pub(super) fn from_sql(logical: &LogicalType, stored: ValueRef<'_>) -> Result<Value> {
    let found = match stored {
        ValueRef::Null => return Ok(Value::Null),
        ValueRef::Integer(n) => match logical {
            LogicalType::Int { .. } => Some(Value::Int(n)),
            LogicalType::Bool => (n == 0 || n == 1).then_some(Value::Bool(n == 1)),
            LogicalType::Float => Some(Value::Float(n as f64)),
            LogicalType::Timestamp => Timestamp::from_micros(n).ok().map(Value::Timestamp),
            LogicalType::Date => date(n),
            LogicalType::Duration => Some(Value::Duration(Duration::from_micros(n))),
            _ => None,
        },
        ValueRef::Real(n) => (*logical == LogicalType::Float).then_some(Value::Float(n)),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().and_then(|text| from_text(logical, text)),
        ValueRef::Blob(bytes) => match logical {
            LogicalType::Bytes => Some(Value::Bytes(bytes.into())),
            LogicalType::Uuid => Uuid::from_slice(bytes).ok().map(Value::Uuid),
            LogicalType::Vector(n) if bytes.len() == *n as usize * 4 => {
                Some(Value::Vector(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()))
            }
            _ => None,
        },
    };
    found.ok_or_else(|| {
        let why = format!("a stored {} that is no {logical}: something else wrote it", stored.data_type());
        Error::new(ErrorKind::Corrupt, why)
    })
}

fn date(days: i64) -> Option<Value> {
    i32::try_from(days).ok().and_then(|days| Date::from_days(days).ok()).map(Value::Date)
}

fn from_text(logical: &LogicalType, text: &str) -> Option<Value> {
    match logical {
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) => Some(Value::Text(text.to_owned())),
        LogicalType::Decimal { .. } => read_decimal(text).map(Value::Decimal),
        LogicalType::Json => serde_json::from_str(text).ok().map(|json| Value::Json(Box::new(json))),
        LogicalType::List(item) => {
            let items: Vec<Json> = serde_json::from_str(text).ok()?;
            items.into_iter().map(|json| from_item(item, json)).collect::<Option<Vec<_>>>().map(|items| Value::List(items.into()))
        }
        LogicalType::Uuid => text.parse().ok().map(Value::Uuid),
        _ => None,
    }
}

fn read_decimal(text: &str) -> Option<Decimal> {
    decimal::read_ordered(text)
}

fn from_item(logical: &LogicalType, json: Json) -> Option<Value> {
    match (logical, json) {
        (LogicalType::Bool, Json::Bool(b)) => Some(Value::Bool(b)),
        (LogicalType::Int { .. }, Json::Number(n)) => n.as_i64().map(Value::Int),
        (LogicalType::Float, Json::Number(n)) => n.as_f64().map(Value::Float),
        (LogicalType::Timestamp, Json::Number(n)) => Timestamp::from_micros(n.as_i64()?).ok().map(Value::Timestamp),
        (LogicalType::Date, Json::Number(n)) => date(n.as_i64()?),
        (LogicalType::Duration, Json::Number(n)) => n.as_i64().map(|n| Value::Duration(Duration::from_micros(n))),
        (LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_), Json::String(text)) => {
            Some(Value::Text(text))
        }
        (logical, Json::String(text)) => from_text(logical, &text),
        _ => None,
    }
}
