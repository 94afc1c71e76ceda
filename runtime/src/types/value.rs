use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Date, Decimal, Duration, Json, Timestamp, Uuid};

/// One value of any logical type, as drivers and the planner handle it. 24 bytes.
///
/// Each variant belongs to one family of [`LogicalType`](super::LogicalType): ids, references and categories are `Text`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// No value: `None`, or a field that was never written.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// A finite 64-bit float.
    Float(f64),
    /// An exact decimal number.
    Decimal(Decimal),
    /// Unicode text, an id, a reference or the name of a category.
    Text(String),
    /// Binary data.
    Bytes(Box<[u8]>),
    /// A moment in UTC, in microseconds.
    Timestamp(Timestamp),
    /// A calendar day.
    Date(Date),
    /// A span of time in microseconds.
    Duration(Duration),
    /// A UUID.
    Uuid(Uuid),
    /// Any JSON value, JSON `null` included (which is not [`Value::Null`]).
    Json(Box<Json>),
    /// A list of values of one type, in order, duplicates kept.
    List(Box<[Value]>),
    /// Finite 32-bit floats.
    Vector(Arc<[f32]>),
}

impl Value {
    /// Whether this is [`Value::Null`].
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The text, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The list's items, if this is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The vector's numbers, if this is one.
    pub fn as_vector(&self) -> Option<&[f32]> {
        match self {
            Value::Vector(numbers) => Some(numbers),
            _ => None,
        }
    }

    /// Takes the value out and leaves null.
    #[must_use]
    pub fn take(&mut self) -> Value {
        std::mem::take(self)
    }

    /// The family's name, for messages: `text`, `int`, …
    pub fn family(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Decimal(_) => "decimal",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
            Value::Timestamp(_) => "timestamp",
            Value::Date(_) => "date",
            Value::Duration(_) => "duration",
            Value::Uuid(_) => "uuid",
            Value::Json(_) => "json",
            Value::List(_) => "list",
            Value::Vector(_) => "vector",
        }
    }

    /// Bytes this value occupies in memory, roughly: for counters and budgets, not for accounting.
    pub fn weight(&self) -> usize {
        let heap = match self {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Json(json) => json_weight(json),
            Value::List(items) => items.iter().map(Value::weight).sum(),
            Value::Vector(numbers) => numbers.len() * 4,
            _ => 0,
        };
        heap + size_of::<Value>()
    }
}

fn json_weight(json: &Json) -> usize {
    match json {
        Json::String(text) => text.len() + size_of::<Json>(),
        Json::Array(items) => items.iter().map(json_weight).sum::<usize>() + size_of::<Json>(),
        Json::Object(map) => map.iter().map(|(k, v)| k.len() + json_weight(v)).sum::<usize>() + size_of::<Json>(),
        _ => size_of::<Json>(),
    }
}

/// Binary data of a field. (`Vec<u8>` would be a list of small integers.)
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({} bytes)", self.0.len())
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes(bytes)
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Bytes(bytes.to_vec())
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_three_words() {
        assert_eq!(size_of::<Value>(), 24);
    }
}
