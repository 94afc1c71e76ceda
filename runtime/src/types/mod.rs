//! Logical types and values: what can be stored, and how two values compare.

mod compare;
mod decimal;
mod id;
mod logical;
mod logical_type;
mod operand;
mod time;
mod value;
mod vector;
mod words;

pub use compare::{canonical_key, compare, equal, json_equal, sort_order};
pub use decimal::Decimal;
pub use id::{Id, Ref};
pub use logical::{FieldType, ListItem, Logical, Mismatch, Named};
pub use logical_type::{DEFAULT_TEXT_MAX, JSON_LEVELS, LogicalType};
pub use operand::Operand;
pub use time::{Date, Duration, Timestamp};
pub use value::{Bytes, Value};
pub use vector::{Metric, Vector};
pub use words::{lower_simple, words};

/// Any JSON value. A JSON string stays a string; object keys have no order; numbers keep `i64`, `u64` and `f64`.
pub type Json = serde_json::Value;
/// A 128-bit universally unique identifier.
pub type Uuid = uuid::Uuid;
