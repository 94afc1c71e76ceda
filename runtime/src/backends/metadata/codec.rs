//! How a value lies in metadata: truth values, numbers, texts and lists of texts, under keys of its column.
//!
//! What orders is a whole number, cut in two where the store's numbers are too short for it. Floats become the whole
//! numbers that order as they do: JSON on the way and in the stores does not keep their last bit, nor the sign of zero.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::store::Dialect;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Column;
use crate::types::{Date, Decimal, Duration, Json, LogicalType, Timestamp, Uuid, Value};

/// The metadata of one record.
pub(crate) type Metadata = serde_json::Map<String, Json>;

/// The physical names of a row's columns that are null.
pub(super) const NULLS: &str = "_hb_null";
/// The beginning of the id as a number that orders by its bytes.
pub(super) const ORDER: &str = "_hb_order";
/// More than any decimal of 28 digits.
const DECIMAL_BOUND: i128 = 10i128.pow(28);
/// An item that every list has where a missing key may not be asked for.
const SENTINEL: &str = "!";

/// What kind of metadata holds a logical type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    Bool,
    /// A whole number; whether it is cut in two.
    Number {
        cut: bool,
    },
    Text,
    /// Texts, one an item.
    List,
    /// A text that is only read.
    Opaque,
}

impl Store {
    /// Where a logical type lies.
    pub(super) fn of(logical: &LogicalType, dialect: &Dialect) -> Store {
        let whole = |min: i64, max: i64| Store::Number { cut: !dialect.holds(min) || !dialect.holds(max) };
        match logical {
            LogicalType::Bool => Store::Bool,
            LogicalType::Int { min, max } => whole(*min, *max),
            LogicalType::Date => whole(i64::from(i32::MIN), i64::from(i32::MAX)),
            LogicalType::Timestamp | LogicalType::Duration | LogicalType::Float => whole(i64::MIN, i64::MAX),
            LogicalType::Decimal { .. } => Store::Number { cut: true },
            LogicalType::List(_) => Store::List,
            LogicalType::Json | LogicalType::Vector(_) => Store::Opaque,
            _ => Store::Text,
        }
    }
}

/// The key of the lower part of a number that is cut in two.
pub(super) fn low_key(column: &Column) -> String {
    format!("_hb_low_{}", column.physical)
}

/// The key of a list's length.
pub(super) fn length_key(column: &Column) -> String {
    format!("_hb_length_{}", column.physical)
}

/// The key of the items that are searched.
pub(super) fn items_key(column: &Column, dialect: &Dialect) -> String {
    if dialect.lists_are_kept { column.physical.clone() } else { format!("_hb_items_{}", column.physical) }
}

/// Every key that a column may have.
pub(super) fn keys(column: &Column, dialect: &Dialect) -> Vec<String> {
    let own = column.physical.clone();
    match Store::of(&column.logical, dialect) {
        Store::Number { cut: true } => vec![own, low_key(column)],
        Store::List => {
            let mut keys = vec![own, length_key(column), items_key(column, dialect)];
            keys.dedup();
            keys
        }
        _ => vec![own],
    }
}

/// An item as it is searched for.
pub(super) fn searched(item: String, dialect: &Dialect) -> String {
    if dialect.lists_are_kept { item } else { format!("={item}") }
}

/// Writes a value, which is not null, under its column's keys.
///
/// # Errors
/// [`ErrorKind::InvalidValue`] for a value of another family.
pub(super) fn encode(column: &Column, value: &Value, dialect: &Dialect, metadata: &mut Metadata) -> Result<()> {
    let unfit = || Error::new(ErrorKind::InvalidValue, format!("a value of type {} where the field is {}", value.family(), column.logical));
    let key = column.physical.clone();
    match Store::of(&column.logical, dialect) {
        Store::Bool => {
            let Value::Bool(b) = value else { return Err(unfit()) };
            metadata.insert(key, (*b).into());
        }
        Store::Number { cut } => {
            let (low, high) = number(&column.logical, value).ok_or_else(unfit)?;
            let exact = match value {
                Value::Float(n) => i128::from(float_key(*n)),
                _ if low == high => low,
                _ => return Err(Error::new(ErrorKind::InvalidValue, "a decimal that does not fit without rounding")),
            };
            let (head, tail) = if cut { dialect.cut(exact) } else { (exact, 0) };
            metadata.insert(key, whole(head));
            if cut {
                metadata.insert(low_key(column), whole(tail));
            }
        }
        Store::Text => {
            let text = item_text(&column.logical, value).ok_or_else(unfit)?;
            metadata.insert(key, text.into());
        }
        Store::Opaque => {
            metadata.insert(key, opaque(value).ok_or_else(unfit)?.into());
        }
        Store::List => {
            let (LogicalType::List(item), Value::List(values)) = (&column.logical, value) else { return Err(unfit()) };
            let items: Vec<String> = values.iter().map(|value| item_text(item, value).ok_or_else(unfit)).collect::<Result<_>>()?;
            metadata.insert(length_key(column), items.len().into());
            if dialect.lists_are_kept {
                // An empty list cannot be kept: its length says that it is there.
                if !items.is_empty() {
                    metadata.insert(key, items.into());
                }
            } else {
                metadata.insert(key, Json::from(items.clone()).to_string().into());
                let mut items: Vec<String> = items.into_iter().map(|item| searched(item, dialect)).collect();
                items.push(SENTINEL.to_owned());
                items.sort_unstable();
                items.dedup();
                metadata.insert(items_key(column, dialect), items.into());
            }
        }
    }
    Ok(())
}

/// The value that [`encode`] wrote.
///
/// # Errors
/// [`ErrorKind::Corrupt`] for anything else.
pub(super) fn decode(column: &Column, metadata: &Metadata, dialect: &Dialect) -> Result<Value> {
    let cell = metadata.get(&column.physical);
    let value = match Store::of(&column.logical, dialect) {
        Store::Bool => cell.and_then(Json::as_bool).map(Value::Bool),
        Store::Number { cut } => cell.and_then(integer).and_then(|head| {
            let whole = if cut { dialect.joined(head, metadata.get(&low_key(column)).and_then(integer)?)? } else { i128::from(head) };
            of_number(&column.logical, whole)
        }),
        Store::Text => cell.and_then(Json::as_str).and_then(|text| of_item(&column.logical, text)),
        Store::Opaque => cell.and_then(Json::as_str).and_then(|text| of_opaque(&column.logical, text)),
        Store::List => list(column, metadata, dialect),
    };
    value.ok_or_else(|| {
        let why = format!("what is stored is no {}: it was written by something else", column.logical);
        Error::new(ErrorKind::Corrupt, why).at_field(column.name)
    })
}

fn list(column: &Column, metadata: &Metadata, dialect: &Dialect) -> Option<Value> {
    let LogicalType::List(item) = &column.logical else { return None };
    let length = metadata.get(&length_key(column)).and_then(integer)?;
    let parsed: Json;
    let items = match metadata.get(&column.physical) {
        Some(Json::Array(items)) => items.as_slice(),
        Some(Json::String(text)) if !dialect.lists_are_kept => {
            parsed = serde_json::from_str(text).ok()?;
            parsed.as_array()?
        }
        None | Some(Json::Null) => &[],
        Some(_) => return None,
    };
    let items: Option<Vec<Value>> = items.iter().map(|text| of_item(item, text.as_str()?)).collect();
    items.filter(|items| i64::try_from(items.len()) == Ok(length)).map(|items| Value::List(items.into()))
}

/// The whole numbers between which a number of a column lies: `x < v` is `n < low`, `x <= v` is `n <= high`, `x == v` is
/// both at least `low` and at most `high`. They differ for zeros, and for decimals between two of the column's.
pub(super) fn number(logical: &LogicalType, value: &Value) -> Option<(i128, i128)> {
    let exact = |n: i64| Some((i128::from(n), i128::from(n)));
    match (logical, value) {
        (LogicalType::Int { .. }, Value::Int(n)) => exact(*n),
        (LogicalType::Timestamp, Value::Timestamp(t)) => exact(t.as_micros()),
        (LogicalType::Date, Value::Date(d)) => exact(i64::from(d.as_days())),
        (LogicalType::Duration, Value::Duration(d)) => exact(d.as_micros()),
        (LogicalType::Float, Value::Float(n)) if *n == 0.0 => Some((i128::from(float_key(-0.0)), i128::from(float_key(0.0)))),
        (LogicalType::Float, Value::Float(n)) if !n.is_nan() => exact(float_key(*n)),
        (LogicalType::Decimal { scale, .. }, Value::Decimal(n)) => Some(decimal_bounds(n, *scale)),
        _ => None,
    }
}

fn of_number(logical: &LogicalType, whole: i128) -> Option<Value> {
    let short = || i64::try_from(whole).ok();
    match logical {
        LogicalType::Int { .. } => short().map(Value::Int),
        LogicalType::Float => short().map(|n| Value::Float(float_of(n))),
        LogicalType::Timestamp => Timestamp::from_micros(short()?).ok().map(Value::Timestamp),
        LogicalType::Date => Date::from_days(i32::try_from(whole).ok()?).ok().map(Value::Date),
        LogicalType::Duration => short().map(|n| Value::Duration(Duration::from_micros(n))),
        LogicalType::Decimal { scale, .. } => {
            Decimal::try_from_i128_with_scale(whole, u32::from(*scale)).ok().map(|n| Value::Decimal(n.normalize()))
        }
        _ => None,
    }
}

/// The whole number that orders as a float does; -0.0 is right below 0.0.
fn float_key(n: f64) -> i64 {
    let bits = n.to_bits().cast_signed();
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

fn float_of(key: i64) -> f64 {
    f64::from_bits((if key < 0 { key ^ i64::MAX } else { key }).cast_unsigned())
}

/// The numbers of so many digits after the point between which `n` lies, without the point.
fn decimal_bounds(n: &Decimal, scale: u8) -> (i128, i128) {
    let n = n.normalize();
    let (mantissa, own, scale) = (n.mantissa(), n.scale(), u32::from(scale));
    let floor = if own <= scale {
        let scaled = 10i128.checked_pow(scale - own).and_then(|factor| mantissa.checked_mul(factor));
        match scaled.filter(|n| n.abs() < DECIMAL_BOUND) {
            Some(scaled) => return (scaled, scaled),
            None if mantissa < 0 => -DECIMAL_BOUND - 1,
            None => DECIMAL_BOUND,
        }
    } else {
        // A normalised number with more digits after the point is never whole at this scale.
        10i128.checked_pow(own - scale).map_or(if mantissa < 0 { -1 } else { 0 }, |factor| mantissa.div_euclid(factor))
    };
    (floor.clamp(-DECIMAL_BOUND - 1, DECIMAL_BOUND) + 1, floor.clamp(-DECIMAL_BOUND - 1, DECIMAL_BOUND))
}

/// A whole number as JSON. What is beyond the store's range is never asked for.
pub(super) fn whole(n: i128) -> Json {
    i64::try_from(n).unwrap_or(if n < 0 { i64::MIN } else { i64::MAX }).into()
}

/// A whole number of an answer; stores that have floats alone say `5.0`.
pub(super) fn integer(json: &Json) -> Option<i64> {
    json.as_i64().or_else(|| {
        let n = json.as_f64()?;
        (n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_992.0).then_some(n as i64)
    })
}

/// A value as the text that equals it, where there is one.
pub(super) fn item_text(logical: &LogicalType, value: &Value) -> Option<String> {
    Some(match (logical, value) {
        (LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_), Value::Text(text)) => text.clone(),
        (LogicalType::Uuid, Value::Uuid(u)) => u.hyphenated().to_string(),
        (LogicalType::Bytes, Value::Bytes(bytes)) => BASE64.encode(bytes),
        (LogicalType::Bool, Value::Bool(b)) => b.to_string(),
        (LogicalType::Float, Value::Float(n)) => format!("{n:?}"),
        (LogicalType::Decimal { .. }, Value::Decimal(n)) => n.normalize().to_string(),
        (LogicalType::Int { .. } | LogicalType::Timestamp | LogicalType::Date | LogicalType::Duration, _) => {
            number(logical, value)?.0.to_string()
        }
        (LogicalType::List(_) | LogicalType::Json | LogicalType::Vector(_), _) => opaque(value)?,
        _ => return None,
    })
}

fn of_item(logical: &LogicalType, text: &str) -> Option<Value> {
    match logical {
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) => Some(Value::Text(text.to_owned())),
        LogicalType::Uuid => Uuid::try_parse(text).ok().map(Value::Uuid),
        LogicalType::Bytes => BASE64.decode(text).ok().map(|bytes| Value::Bytes(bytes.into())),
        LogicalType::Bool => text.parse().ok().map(Value::Bool),
        LogicalType::Float => text.parse().ok().map(Value::Float),
        LogicalType::Decimal { .. } => text.parse().ok().map(Value::Decimal),
        LogicalType::Int { .. } | LogicalType::Timestamp | LogicalType::Date | LogicalType::Duration => {
            of_number(logical, text.parse().ok()?)
        }
        LogicalType::List(_) | LogicalType::Json | LogicalType::Vector(_) => of_opaque(logical, text),
    }
}

fn opaque(value: &Value) -> Option<String> {
    match value {
        Value::Json(json) => serde_json::to_string(json).ok(),
        Value::Vector(numbers) => {
            let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            Some(BASE64.encode(bytes))
        }
        Value::List(_) => serde_json::to_string(value).ok(),
        _ => None,
    }
}

fn of_opaque(logical: &LogicalType, text: &str) -> Option<Value> {
    match logical {
        LogicalType::Json => serde_json::from_str(text).ok().map(|json| Value::Json(Box::new(json))),
        LogicalType::Vector(length) => {
            let bytes = BASE64.decode(text).ok()?;
            let (numbers, rest) = bytes.as_chunks::<4>();
            let numbers: Vec<f32> = numbers.iter().map(|n| f32::from_le_bytes(*n)).collect();
            (rest.is_empty() && numbers.len() == *length as usize).then(|| Value::Vector(numbers.into()))
        }
        LogicalType::List(_) => serde_json::from_str(text).ok().filter(|v: &Value| v.as_list().is_some()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_order_as_their_keys() {
        let floats = [f64::MIN, -1e22, -1.0, -5e-324, -0.0, 0.0, 5e-324, 0.1, 1.0, f64::MAX, f64::INFINITY];
        for pair in floats.windows(2) {
            assert!(float_key(pair[0]) < float_key(pair[1]), "{pair:?}");
            assert_eq!(float_of(float_key(pair[0])).to_bits(), pair[0].to_bits());
        }
    }

    #[test]
    fn decimals_lie_between_their_bounds() {
        let bounds = |text: &str, scale| decimal_bounds(&text.parse().unwrap_or_default(), scale);
        assert_eq!(bounds("1.50", 2), (150, 150));
        assert_eq!(bounds("1.005", 2), (101, 100));
        assert_eq!(bounds("-1.005", 2), (-100, -101));
        assert_eq!(bounds("9999999999999999999999999999", 9), (DECIMAL_BOUND + 1, DECIMAL_BOUND));
    }

    #[test]
    fn a_number_cut_in_two_comes_together() {
        for dialect in [Dialect { whole_bits: 62, ..Dialect::TEST }, Dialect { whole_bits: 52, ..Dialect::TEST }] {
            for n in [0, -1, 1, i128::from(i64::MIN), i128::from(i64::MAX), DECIMAL_BOUND, -DECIMAL_BOUND] {
                let (head, tail) = dialect.cut(n);
                let short = |n: i128| i64::try_from(n).unwrap_or_default();
                assert_eq!(dialect.joined(short(head), short(tail)), Some(n));
                assert!(tail >= 0 && head.abs() < 1 << dialect.whole_bits);
            }
        }
    }
}
