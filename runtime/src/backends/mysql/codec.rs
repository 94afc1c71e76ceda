//! Values on MySQL's wire: what is bound, and what is read.

use sqlx::mysql::{MySqlArguments, MySqlRow, MySqlValueRef};
use sqlx::{Arguments, Decode, MySql, Row, ValueRef};

use super::json;
pub(super) use crate::backends::network::answer::{Cells, read_id, read_text, read_whole};
pub(super) use crate::backends::sql::forms::{corrupt, decimal};
use crate::backends::sql::list;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Date, Duration, LogicalType, Timestamp, Uuid, Value};

/// Binds a value, already in stored form, to the next placeholder.
pub(super) fn bind(arguments: &mut MySqlArguments, value: &Value) -> Result<()> {
    let bound = match value {
        Value::Null => arguments.add(None::<&str>),
        Value::Bool(b) => arguments.add(i64::from(*b)),
        Value::Int(n) => arguments.add(*n),
        Value::Float(n) => arguments.add(*n),
        Value::Text(text) => arguments.add(text.as_str()),
        Value::Bytes(data) => arguments.add(&**data),
        Value::Decimal(n) => arguments.add(n.to_string()),
        Value::Timestamp(t) => arguments.add(t.as_micros()),
        Value::Date(d) => arguments.add(i64::from(d.as_days())),
        Value::Duration(d) => arguments.add(d.as_micros()),
        Value::Uuid(u) => arguments.add(u.as_bytes().as_slice()),
        Value::Json(value) => arguments.add(json::text(value)),
        Value::List(items) => arguments.add(list::text(items)),
        Value::Vector(numbers) => arguments.add(vector_bytes(numbers)),
    };
    bound.map_err(|cause| Error::new(ErrorKind::LimitExceeded, "a value too large for one statement").caused_by(cause))
}

/// Binds bytes to the next placeholder.
pub(super) fn bind_bytes(arguments: &mut MySqlArguments, bytes: &[u8]) -> Result<()> {
    let bound = arguments.add(bytes);
    bound.map_err(|cause| Error::new(ErrorKind::LimitExceeded, "a value too large for one statement").caused_by(cause))
}

/// Binds values in order.
pub(super) fn arguments(values: &[Value]) -> Result<MySqlArguments> {
    let mut arguments = MySqlArguments::default();
    values.iter().try_for_each(|value| bind(&mut arguments, value))?;
    Ok(arguments)
}

/// The numbers of a vector, lowest byte first.
fn vector_bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A moment as the server's own type is told of it, for tables that HeavenBase did not create; `None` outside of its range.
pub(super) fn moment(timestamp: Timestamp) -> Option<String> {
    let text = timestamp.to_string();
    (!text.starts_with('-')).then(|| text.trim_end_matches('Z').replace('T', " "))
}

/// A day as the server's own type is told of it; `None` outside of its range.
pub(super) fn day(date: Date) -> Option<String> {
    let text = date.to_string();
    (!text.starts_with('-')).then_some(text)
}

fn bytes<'r>(raw: MySqlValueRef<'r>) -> Result<&'r [u8]> {
    <&[u8] as Decode<'r, MySql>>::decode(raw).map_err(|_| corrupt())
}

fn text<'r>(raw: MySqlValueRef<'r>) -> Result<&'r str> {
    std::str::from_utf8(bytes(raw)?).map_err(|_| corrupt())
}

fn whole(raw: MySqlValueRef<'_>) -> Result<i64> {
    <i64 as Decode<MySql>>::decode(raw).map_err(|_| corrupt())
}

/// Days and microseconds of a `DATE`, `DATETIME` or `TIMESTAMP` in binary: year, month, day, hour, minute, second, micros.
fn calendar(bytes: &[u8]) -> Result<(Date, i64)> {
    // The first byte is the length of what follows, where sqlx leaves it on.
    let fields = match bytes {
        [length, rest @ ..] if usize::from(*length) == rest.len() && matches!(rest.len(), 0 | 4 | 7 | 11) => rest,
        other => other,
    };
    let at = |i: usize| i64::from(fields.get(i).copied().unwrap_or_default());
    let year = i16::try_from(at(0) | at(1) << 8).map_err(|_| corrupt())?;
    let day = Date::new(year, at(2) as i8, at(3) as i8).map_err(|_| corrupt())?;
    let micros = at(7) | at(8) << 8 | at(9) << 16 | at(10) << 24;
    Ok((day, ((at(4) * 60 + at(5)) * 60 + at(6)) * 1_000_000 + micros))
}

fn vector(length: u32, bytes: &[u8]) -> Result<Value> {
    if bytes.len() == length as usize * 4 {
        let number = |chunk: &[u8]| chunk.try_into().map(f32::from_le_bytes).map_err(|_| corrupt());
        return bytes.chunks_exact(4).map(number).collect::<Result<Vec<f32>>>().map(|numbers| Value::Vector(numbers.into()));
    }
    Err(corrupt())
}

fn value(logical: &LogicalType, mapped: bool, raw: MySqlValueRef<'_>) -> Result<Value> {
    Ok(match logical {
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) => Value::Text(text(raw)?.to_owned()),
        LogicalType::Bool => Value::Bool(whole(raw)? != 0),
        LogicalType::Int { .. } => Value::Int(whole(raw)?),
        LogicalType::Float => Value::Float(<f64 as Decode<MySql>>::decode(raw).map_err(|_| corrupt())?),
        LogicalType::Decimal { .. } => Value::Decimal(decimal(text(raw)?).ok_or_else(corrupt)?),
        LogicalType::Bytes => Value::Bytes(bytes(raw)?.into()),
        LogicalType::Timestamp if mapped => {
            let (day, micros) = calendar(bytes(raw)?)?;
            let micros = i64::from(day.as_days()) * 86_400_000_000 + micros;
            Value::Timestamp(Timestamp::from_micros(micros).map_err(|_| corrupt())?)
        }
        LogicalType::Date if mapped => Value::Date(calendar(bytes(raw)?)?.0),
        LogicalType::Timestamp => Value::Timestamp(Timestamp::from_micros(whole(raw)?).map_err(|_| corrupt())?),
        LogicalType::Date => {
            let days = i32::try_from(whole(raw)?).map_err(|_| corrupt())?;
            Value::Date(Date::from_days(days).map_err(|_| corrupt())?)
        }
        LogicalType::Duration => Value::Duration(Duration::from_micros(whole(raw)?)),
        LogicalType::Uuid => Value::Uuid(Uuid::from_slice(bytes(raw)?).map_err(|_| corrupt())?),
        LogicalType::Json => Value::Json(Box::new(serde_json::from_slice(bytes(raw)?).map_err(|_| corrupt())?)),
        LogicalType::List(item) => list::parse(item, bytes(raw)?)?,
        LogicalType::Vector(length) => vector(*length, bytes(raw)?)?,
    })
}

impl Cells for MySqlRow {
    fn cell(&self, position: usize, logical: &LogicalType, mapped: bool) -> Result<Value> {
        let raw = self.try_get_raw(position).map_err(|_| corrupt())?;
        if raw.is_null() { Ok(Value::Null) } else { value(logical, mapped, raw) }
    }

    fn text(&self, position: usize) -> Result<&str> {
        text(self.try_get_raw(position).map_err(|_| corrupt())?)
    }
}
