use std::fmt;

use super::{Date, Json, Timestamp, Value};
use crate::error::{Error, ErrorKind, Result};

/// Characters a text field holds when it says nothing else (the seed's LongText).
pub const DEFAULT_TEXT_MAX: u32 = 65_535;

/// How deep arrays and objects of a JSON value lie within each other at most. Parsers stop at 128, some databases at 100, and
/// a backend may wrap the value once more.
pub const JSON_LEVELS: usize = 100;

/// The type of a field as every backend is told of it. Parameters included, nullability apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogicalType {
    /// Identity of a row: text of 1 to 255 bytes.
    Id,
    /// The id of a row of the named entity.
    Ref(&'static str),
    /// A truth value.
    Bool,
    /// Signed 64-bit integer, within the range of the Rust type of the field.
    Int {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// Finite 64-bit float.
    Float,
    /// Exact decimal number.
    Decimal {
        /// Significant digits, at most 28.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// Unicode text of at most `max` characters.
    Text {
        /// Longest text, in characters (Unicode scalar values).
        max: u32,
    },
    /// Binary data.
    Bytes,
    /// Moment in UTC, microseconds.
    Timestamp,
    /// Calendar day.
    Date,
    /// Span of time, microseconds.
    Duration,
    /// UUID.
    Uuid,
    /// One of these names, stored by name.
    Category(&'static [&'static str]),
    /// Any JSON value.
    Json,
    /// A list of items of one type, none of them null.
    List(&'static LogicalType),
    /// So many finite 32-bit floats.
    Vector(u32),
}

impl LogicalType {
    /// An integer field over all of `i64`.
    pub const INT: LogicalType = LogicalType::Int { min: i64::MIN, max: i64::MAX };
    /// A text field of the default length.
    pub const TEXT: LogicalType = LogicalType::Text { max: DEFAULT_TEXT_MAX };
    /// A decimal field with room for every [`Decimal`](super::Decimal) of nine digits after the point.
    pub const DECIMAL: LogicalType = LogicalType::Decimal { precision: 28, scale: 9 };

    /// The type with another length limit, where it is text (or a list of text).
    #[must_use]
    pub const fn with_text_max(self, max: u32) -> Self {
        match self {
            LogicalType::Text { .. } => LogicalType::Text { max },
            other => other,
        }
    }

    /// The type with other digits, where it is decimal.
    #[must_use]
    pub const fn with_decimal(self, precision: u8, scale: u8) -> Self {
        match self {
            LogicalType::Decimal { .. } => LogicalType::Decimal { precision, scale },
            other => other,
        }
    }

    /// The class that the capability table speaks of.
    pub const fn class(&self) -> &'static str {
        match self {
            LogicalType::Id => "Id",
            LogicalType::Ref(_) => "Ref",
            LogicalType::Bool => "Bool",
            LogicalType::Int { .. } => "Int",
            LogicalType::Float => "Float",
            LogicalType::Decimal { .. } => "Decimal",
            LogicalType::Text { .. } => "Text",
            LogicalType::Bytes => "Bytes",
            LogicalType::Timestamp | LogicalType::Date | LogicalType::Duration => "Time",
            LogicalType::Uuid => "Uuid",
            LogicalType::Category(_) => "Category",
            LogicalType::Json => "Json",
            LogicalType::List(_) => "List",
            LogicalType::Vector(_) => "Vector",
        }
    }

    /// Checks that a value may be stored in a field of this type. Null is checked elsewhere.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`], saying what does not fit (never the value itself).
    pub fn check(&self, value: &Value) -> Result<()> {
        let refuse = |why: String| Err(Error::new(ErrorKind::InvalidValue, why));
        match (self, value) {
            (_, Value::Null) | (LogicalType::Bool, Value::Bool(_)) | (LogicalType::Bytes, Value::Bytes(_)) => Ok(()),
            (LogicalType::Id | LogicalType::Ref(_), Value::Text(text)) => super::Id::check_text(text),
            (LogicalType::Int { min, max }, Value::Int(n)) if n < min || n > max => refuse(format!("an integer outside of {min} to {max}")),
            (LogicalType::Int { .. }, Value::Int(_)) => Ok(()),
            (LogicalType::Float, Value::Float(n)) if !n.is_finite() => {
                refuse("a float that is not finite: NaN and infinities cannot be stored, use None for a missing number".into())
            }
            (LogicalType::Float, Value::Float(_)) => Ok(()),
            (LogicalType::Decimal { precision, scale }, Value::Decimal(n)) => {
                let n = n.normalize();
                let whole = digits(n.trunc().mantissa());
                if n.scale() > u32::from(*scale) || whole > u32::from(precision.saturating_sub(*scale)) {
                    refuse(format!("a decimal that does not fit ({precision}, {scale}) without rounding"))
                } else {
                    Ok(())
                }
            }
            (LogicalType::Text { max }, Value::Text(text)) => {
                let long = text.len() > *max as usize && text.chars().count() > *max as usize;
                if long { refuse(format!("a text longer than {max} characters: raise the limit with #[text(max = …)]")) } else { Ok(()) }
            }
            (LogicalType::Timestamp, Value::Timestamp(t)) => Timestamp::from_micros(t.as_micros()).map(drop),
            (LogicalType::Date, Value::Date(d)) => Date::from_days(d.as_days()).map(drop),
            (LogicalType::Duration, Value::Duration(_)) | (LogicalType::Uuid, Value::Uuid(_)) => Ok(()),
            (LogicalType::Json, Value::Json(json)) if !nests_within(json, JSON_LEVELS) => {
                refuse(format!("a JSON value nested deeper than {JSON_LEVELS} levels: what is written there could not be read back"))
            }
            (LogicalType::Json, Value::Json(_)) => Ok(()),
            (LogicalType::Category(names), Value::Text(name)) => {
                if names.contains(&name.as_str()) {
                    Ok(())
                } else {
                    refuse(format!("a category that is none of: {}", names.join(", ")))
                }
            }
            (LogicalType::List(item), Value::List(items)) => items.iter().enumerate().try_for_each(|(i, value)| {
                if value.is_null() {
                    return refuse(format!("a null at position {i} of a list: list items are never null"));
                }
                item.check(value).map_err(|e| e.with("position", i))
            }),
            (LogicalType::Vector(n), Value::Vector(numbers)) => {
                if numbers.len() != *n as usize {
                    refuse(format!("a vector of {} numbers where the field has {n}", numbers.len()))
                } else if numbers.iter().any(|x| !x.is_finite()) {
                    refuse("a vector with a number that is not finite".into())
                } else {
                    Ok(())
                }
            }
            (expected, found) => refuse(format!("a value of type {} where the field is {expected}", found.family())),
        }
    }
}

/// Whether arrays and objects lie within each other at most `levels` deep.
fn nests_within(json: &Json, levels: usize) -> bool {
    let inner = |json: &Json| levels > 0 && nests_within(json, levels - 1);
    match json {
        Json::Array(items) => levels > 0 && items.iter().all(inner),
        Json::Object(map) => levels > 0 && map.values().all(inner),
        _ => true,
    }
}

fn digits(n: i128) -> u32 {
    n.unsigned_abs().checked_ilog10().map_or(0, |d| d + 1)
}

impl fmt::Display for LogicalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogicalType::Id => f.write_str("id"),
            LogicalType::Ref(entity) => write!(f, "ref({entity})"),
            LogicalType::Bool => f.write_str("bool"),
            LogicalType::Int { min: i64::MIN, max: i64::MAX } => f.write_str("int"),
            LogicalType::Int { min, max } => write!(f, "int({min}..={max})"),
            LogicalType::Float => f.write_str("float"),
            LogicalType::Decimal { precision, scale } => write!(f, "decimal({precision}, {scale})"),
            LogicalType::Text { max } => write!(f, "text({max})"),
            LogicalType::Bytes => f.write_str("bytes"),
            LogicalType::Timestamp => f.write_str("timestamp"),
            LogicalType::Date => f.write_str("date"),
            LogicalType::Duration => f.write_str("duration"),
            LogicalType::Uuid => f.write_str("uuid"),
            LogicalType::Category(names) => write!(f, "category({})", names.join(", ")),
            LogicalType::Json => f.write_str("json"),
            LogicalType::List(item) => write!(f, "list({item})"),
            LogicalType::Vector(n) => write!(f, "vector({n})"),
        }
    }
}
