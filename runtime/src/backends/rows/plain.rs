//! Rows as plain data, the same for every file format: what Python's `json` and `pickle` read as `dict`, `list`,
//! `str`, `int`, `float`, `bool`, `None` and `bytes`. `docs/decisions/0010-files-as-segments.md` has the list of forms.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::Row;
use crate::schema::{Column, ID_COLUMN, Part, VERSION_COLUMN};
use crate::types::{Json, LogicalType, Uuid, Value};

/// The key that marks a JSON value which would otherwise be read as something else.
const JSON_MARK: &str = "$json";

/// Plain data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plain {
    None,
    Bool(bool),
    Int(i64),
    /// An integer above those of `Int`: only within JSON values.
    UInt(u64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Plain>),
    Map(Vec<(String, Plain)>),
}

impl Plain {
    /// The entries, if this is a map.
    pub fn into_map(self) -> Result<Vec<(String, Plain)>, String> {
        match self {
            Plain::Map(entries) => Ok(entries),
            other => Err(format!("{} where a map is needed", other.name())),
        }
    }

    /// The items, if this is a list.
    #[cfg(any(feature = "json", feature = "pickle"))]
    pub fn into_list(self) -> Result<Vec<Plain>, String> {
        match self {
            Plain::List(items) => Ok(items),
            other => Err(format!("{} where a list is needed", other.name())),
        }
    }

    /// What it is, for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Plain::None => "nothing",
            Plain::Bool(_) => "a truth value",
            Plain::Int(_) | Plain::UInt(_) => "an integer",
            Plain::Float(_) => "a float",
            Plain::Text(_) => "text",
            Plain::Bytes(_) => "bytes",
            Plain::List(_) => "a list",
            Plain::Map(_) => "a map",
        }
    }
}

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Plain::None => serializer.serialize_unit(),
            Plain::Bool(b) => serializer.serialize_bool(*b),
            Plain::Int(n) => serializer.serialize_i64(*n),
            Plain::UInt(n) => serializer.serialize_u64(*n),
            Plain::Float(n) => serializer.serialize_f64(*n),
            Plain::Text(text) => serializer.serialize_str(text),
            Plain::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Plain::List(items) => serializer.collect_seq(items),
            Plain::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("plain data")
    }
    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain::None)
    }
    fn visit_none<E>(self) -> Result<Plain, E> {
        Ok(Plain::None)
    }
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Plain, D::Error> {
        Plain::deserialize(inner)
    }
    fn visit_bool<E>(self, b: bool) -> Result<Plain, E> {
        Ok(Plain::Bool(b))
    }
    fn visit_i64<E>(self, n: i64) -> Result<Plain, E> {
        Ok(Plain::Int(n))
    }
    fn visit_u64<E>(self, n: u64) -> Result<Plain, E> {
        Ok(i64::try_from(n).map_or(Plain::UInt(n), Plain::Int))
    }
    fn visit_f64<E>(self, n: f64) -> Result<Plain, E> {
        Ok(Plain::Float(n))
    }
    fn visit_str<E>(self, text: &str) -> Result<Plain, E> {
        Ok(Plain::Text(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Plain, E> {
        Ok(Plain::Text(text))
    }
    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Plain, E> {
        Ok(Plain::Bytes(bytes.to_vec()))
    }
    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Plain, E> {
        Ok(Plain::Bytes(bytes))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Plain, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Plain::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Plain, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Plain::Map(map))
    }
}

/// A row as plain data: version, columns by stored name, and the id at the end.
pub(crate) fn row_to_plain(part: &Part, row: &Row) -> Plain {
    let version = (VERSION_COLUMN.to_owned(), Plain::Int(row.version));
    let columns = part.columns.iter().zip(row.columns()).map(|(column, value)| (column.physical.clone(), to_plain(value)));
    let id = (ID_COLUMN.to_owned(), Plain::Text(row.id().to_owned()));
    Plain::Map(std::iter::once(version).chain(columns).chain(std::iter::once(id)).collect())
}

/// Reads a row back. A field that is not there has its default; one that the part lacks is damage, for nobody knows
/// what it means. No stored value is in the message.
pub(crate) fn row_from_plain(part: &Part, id: &str, plain: Plain) -> Result<Row, String> {
    crate::types::Id::from(id).check().map_err(|e| e.message().to_owned())?;
    let mut version = 0;
    let mut values: Vec<Option<Value>> = vec![None; part.columns.len()];
    for (name, plain) in plain.into_map()? {
        match name.as_str() {
            ID_COLUMN if plain == Plain::Text(id.to_owned()) => {}
            ID_COLUMN => return Err("the row's object_id is not the id it is stored under".into()),
            VERSION_COLUMN => match plain {
                Plain::Int(n) => version = n,
                other => return Err(format!("the version is {}", other.name())),
            },
            _ => {
                let at = part.columns.iter().position(|c| c.physical == name).ok_or("a field that the entity does not have")?;
                let column = &part.columns[at];
                let value = from_plain(&column.logical, plain).map_err(|why| format!("field `{}`: {why}", column.name))?;
                column.logical.check(&value).map_err(|e| format!("field `{}`: {}", column.name, e.message()))?;
                values[at] = Some(value);
            }
        }
    }
    let value_of = |(column, value): (&Column, Option<Value>)| match value.unwrap_or_else(|| column.default.map_or(Value::Null, |f| f())) {
        Value::Null if !column.nullable => Err(format!("field `{}` has no value and may not be null", column.name)),
        value => Ok(value),
    };
    let values = part.columns.iter().zip(values).map(value_of).collect::<Result<Vec<_>, _>>()?;
    Ok(Row::new(id, version, values))
}

/// A value as plain data.
pub(crate) fn to_plain(value: &Value) -> Plain {
    match value {
        Value::Null => Plain::None,
        Value::Bool(b) => Plain::Bool(*b),
        Value::Int(n) => Plain::Int(*n),
        Value::Float(n) => Plain::Float(*n),
        Value::Decimal(n) => Plain::Text(n.to_string()),
        Value::Text(text) => Plain::Text(text.clone()),
        Value::Bytes(bytes) => Plain::Bytes(bytes.to_vec()),
        Value::Timestamp(moment) => Plain::Text(moment.to_string()),
        Value::Date(day) => Plain::Text(day.to_string()),
        Value::Duration(span) => Plain::Int(span.as_micros()),
        Value::Uuid(uuid) => Plain::Text(uuid.to_string()),
        // A JSON null is a value, nothing is not; and what looks like the mark is marked itself.
        Value::Json(json) if json.is_null() || is_marked(json) => Plain::Map(vec![(JSON_MARK.to_owned(), json_to_plain(json))]),
        Value::Json(json) => json_to_plain(json),
        Value::List(items) => Plain::List(items.iter().map(to_plain).collect()),
        Value::Vector(numbers) => Plain::List(numbers.iter().map(|n| Plain::Float(f64::from(*n))).collect()),
    }
}

/// Reads a value of a type back.
pub(crate) fn from_plain(logical: &LogicalType, plain: Plain) -> Result<Value, String> {
    let parsed = |why: crate::Error| why.message().to_owned();
    Ok(match (logical, plain) {
        (_, Plain::None) => Value::Null,
        (LogicalType::Json, plain) => Value::Json(Box::new(json_from_plain(plain)?)),
        (LogicalType::Bool, Plain::Bool(b)) => Value::Bool(b),
        (LogicalType::Int { .. }, Plain::Int(n)) => Value::Int(n),
        (LogicalType::Duration, Plain::Int(n)) => Value::Duration(crate::types::Duration::from_micros(n)),
        (LogicalType::Float, Plain::Float(n)) => Value::Float(n),
        // Python writes a whole number without a point as an integer.
        (LogicalType::Float, Plain::Int(n)) if (n as f64) as i128 == i128::from(n) => Value::Float(n as f64),
        (LogicalType::Decimal { .. }, Plain::Text(text)) => Value::Decimal(text.parse().map_err(|_| "not a decimal number")?),
        (LogicalType::Decimal { .. }, Plain::Int(n)) => Value::Decimal(n.into()),
        (LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_), Plain::Text(text)) => {
            Value::Text(text)
        }
        (LogicalType::Bytes, Plain::Bytes(bytes)) => Value::Bytes(bytes.into()),
        (LogicalType::Bytes, Plain::Text(hex)) => Value::Bytes(hex_to_bytes(&hex)?.into()),
        (LogicalType::Timestamp, Plain::Text(text)) => Value::Timestamp(text.parse().map_err(parsed)?),
        (LogicalType::Date, Plain::Text(text)) => Value::Date(text.parse().map_err(parsed)?),
        (LogicalType::Uuid, Plain::Text(text)) => Value::Uuid(Uuid::parse_str(&text).map_err(|_| "not a UUID")?),
        (LogicalType::List(item), Plain::List(items)) => {
            Value::List(items.into_iter().map(|plain| from_plain(item, plain)).collect::<Result<_, _>>()?)
        }
        (LogicalType::Vector(_), Plain::List(items)) => Value::Vector(items.into_iter().map(number).collect::<Result<Arc<[f32]>, _>>()?),
        (logical, plain) => return Err(format!("{} where the field is {logical}", plain.name())),
    })
}

fn number(plain: Plain) -> Result<f32, String> {
    match plain {
        Plain::Float(n) => Ok(n as f32),
        Plain::Int(n) => Ok(n as f32),
        other => Err(format!("{} in a vector", other.name())),
    }
}

fn is_marked(json: &Json) -> bool {
    json.as_object().is_some_and(|map| map.len() == 1 && map.contains_key(JSON_MARK))
}

fn json_to_plain(json: &Json) -> Plain {
    match json {
        Json::Null => Plain::None,
        Json::Bool(b) => Plain::Bool(*b),
        Json::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(n), _) => Plain::Int(n),
            (None, Some(n)) => Plain::UInt(n),
            (None, None) => Plain::Float(n.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Plain::Text(text.clone()),
        Json::Array(items) => Plain::List(items.iter().map(json_to_plain).collect()),
        Json::Object(map) => Plain::Map(map.iter().map(|(key, value)| (key.clone(), json_to_plain(value))).collect()),
    }
}

fn json_from_plain(plain: Plain) -> Result<Json, String> {
    match plain {
        Plain::Map(mut entries) if entries.len() == 1 && entries[0].0 == JSON_MARK => unmarked(entries.remove(0).1),
        other => unmarked(other),
    }
}

fn unmarked(plain: Plain) -> Result<Json, String> {
    Ok(match plain {
        Plain::None => Json::Null,
        Plain::Bool(b) => Json::Bool(b),
        Plain::Int(n) => Json::from(n),
        Plain::UInt(n) => Json::from(n),
        Plain::Float(n) => Json::Number(serde_json::Number::from_f64(n).ok_or("a float that is not finite in a JSON value")?),
        Plain::Text(text) => Json::String(text),
        Plain::Bytes(_) => return Err("bytes in a JSON value".into()),
        Plain::List(items) => Json::Array(items.into_iter().map(unmarked).collect::<Result<_, _>>()?),
        Plain::Map(entries) => {
            let entries = entries.into_iter().map(|(key, value)| Ok((key, unmarked(value)?)));
            Json::Object(entries.collect::<Result<_, String>>()?)
        }
    })
}

/// A row for JSON, which has no bytes: hexadecimal text instead. Only fields of their own hold bytes.
#[cfg(any(feature = "json", feature = "file"))]
pub(crate) fn without_bytes(row: Plain) -> Plain {
    match row {
        Plain::Map(entries) => Plain::Map(entries.into_iter().map(|(name, plain)| (name, without_bytes(plain))).collect()),
        Plain::Bytes(bytes) => Plain::Text(bytes_to_hex(&bytes)),
        other => other,
    }
}

/// Two hexadecimal digits a byte, as Python's `bytes.fromhex` reads.
#[cfg(any(feature = "json", feature = "file"))]
fn bytes_to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).map(char::from).collect()
}

fn hex_to_bytes(hex: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()),
        _ => Err("bytes are written as pairs of hexadecimal digits".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_null_and_the_mark_itself_come_back_as_they_were() {
        for text in ["null", r#"{"$json":1}"#, r#"{"$json":{"$json":null}}"#, r#"{"a":null}"#, "18446744073709551615", "1.0", "\"1\""] {
            let value = Value::Json(Box::new(text.parse().unwrap_or_default()));
            assert_eq!(from_plain(&LogicalType::Json, to_plain(&value)), Ok(value), "{text}");
        }
    }

    #[test]
    #[cfg(any(feature = "json", feature = "file"))]
    fn bytes_are_hex_in_text() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(hex_to_bytes(&bytes_to_hex(&all)), Ok(all));
        assert!(hex_to_bytes("abc").is_err() && hex_to_bytes("zz").is_err() && hex_to_bytes("é").is_err());
    }
}
