//! What the room of sessions asks of this driver: how its values are read.

use super::codec;
use super::dialect::OracleDialect;
use crate::backends::sql::core::Lies;
use crate::error::Result;
use crate::schema::Part;
use crate::types::{LogicalType, Value};

/// What the driver and its page streams share.
pub(super) type Core = crate::backends::sql::core::Core<OracleDialect>;

impl Lies for OracleDialect {
    fn read(&self, part: &Part, logical: &LogicalType, stored: Value) -> Result<Value> {
        codec::read(logical, stored, part.is_mapped())
    }
}
