//! Columns of ours beside those of the fields, in engines where all that is known of a row lies in it: what a field is
//! searched by.

#[cfg(any(feature = "trino", feature = "starrocks"))]
use super::ddl;
#[cfg(any(feature = "trino", feature = "starrocks"))]
use crate::capability::Placement;
#[cfg(any(feature = "trino", feature = "starrocks"))]
use crate::schema::{Column, Part};
#[cfg(any(feature = "trino", feature = "starrocks"))]
use crate::types::{LogicalType, words};
use crate::types::{Value, canonical_key};

/// What a shadow column is for.
#[cfg(any(feature = "trino", feature = "starrocks"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shadow {
    /// The words of a text, in their order: a list of texts.
    Words,
    /// A digest that two JSON values share exactly when they are equal: a text.
    JsonKey,
}

#[cfg(any(feature = "trino", feature = "starrocks"))]
impl Shadow {
    /// The shadow of a column, if it has one. Tables that HeavenBase did not create have none.
    pub(crate) fn of(part: &Part, column: &Column) -> Option<Shadow> {
        match (&column.logical, column.placement) {
            _ if part.is_mapped() => None,
            (LogicalType::Text { .. }, Placement::InvertedIndex) => Some(Shadow::Words),
            (LogicalType::Json, _) => Some(Shadow::JsonKey),
            _ => None,
        }
    }

    /// The name. No field's column has such a name.
    pub(crate) fn name(self, column: &Column) -> String {
        ddl::beside_name(column, if self == Shadow::Words { "words" } else { "key" })
    }

    /// The logical type that its values are carried as.
    #[cfg(feature = "trino")]
    pub(crate) fn logical(self) -> LogicalType {
        match self {
            Shadow::Words => LogicalType::List(&LogicalType::TEXT),
            Shadow::JsonKey => LogicalType::TEXT,
        }
    }

    /// The value beside a field's value.
    pub(crate) fn value(self, value: &Value) -> Value {
        match (self, value) {
            (Shadow::Words, Value::Text(text)) => Value::List(words(text).map(Value::Text).collect()),
            (Shadow::JsonKey, Value::Json(_)) => Value::Text(digest(value)),
            _ => Value::Null,
        }
    }
}

/// What two values share exactly when they are equal.
fn hash(value: &Value) -> blake3::Hash {
    let mut key = Vec::new();
    canonical_key(value, &mut key);
    blake3::hash(&key)
}

/// The digest of a value, as text.
#[cfg(any(feature = "trino", feature = "starrocks"))]
pub(crate) fn digest(value: &Value) -> String {
    hash(value).to_hex().to_string()
}

/// The digest of a value, as bytes.
#[cfg(any(feature = "mysql", feature = "mssql", feature = "oracle"))]
pub(crate) fn digest_bytes(value: &Value) -> Value {
    Value::Bytes(Box::from(*hash(value).as_bytes()))
}
