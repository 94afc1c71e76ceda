//! What the room of sessions asks of this driver: how its values are read.

use super::codec;
use super::dialect::MssqlDialect;
use crate::backends::sql::core::Lies;
use crate::backends::sql::forms::corrupt;
use crate::error::Result;
use crate::schema::Part;
use crate::types::{LogicalType, Value};

/// What the driver and its page streams share.
pub(super) type Core = crate::backends::sql::core::Core<MssqlDialect>;

impl Lies for MssqlDialect {
    fn read(&self, _: &Part, logical: &LogicalType, stored: Value) -> Result<Value> {
        codec::read(logical, stored)
    }

    fn read_key(&self, _: &Part, logical: &LogicalType, stored: Value) -> Result<Value> {
        codec::read(logical, ended(logical, stored)?)
    }
}

/// A text without the byte that stands behind it in a group's key.
fn ended(logical: &LogicalType, stored: Value) -> Result<Value> {
    match (logical, stored) {
        (LogicalType::Text { .. }, Value::Bytes(bytes)) => match bytes.split_last() {
            Some((1, text)) => Ok(Value::Bytes(text.into())),
            _ => Err(corrupt()),
        },
        (_, stored) => Ok(stored),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_lose_the_byte_behind_them() {
        assert_eq!(ended(&LogicalType::TEXT, Value::Bytes(Box::from(*b"a \x01"))).ok(), Some(Value::Bytes(Box::from(*b"a "))));
    }
}
