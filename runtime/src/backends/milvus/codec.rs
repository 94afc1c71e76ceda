//! How a value lies in Milvus, which has truth values, 64-bit integers, doubles and text, and no null.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::{Error, ErrorKind, Result};
use crate::types::{Date, Decimal, Duration, LogicalType, Timestamp, Uuid, Value};

/// Longest text that a field of Milvus holds, in bytes.
pub(super) const MAX_TEXT: usize = 65_535;
/// A longer text is cut: this much of it lies in its own field, the rest in pieces in [`MORE`](super::shape::MORE).
pub(super) const HEAD: usize = 60_000;
/// A text below this compares with the head of a longer one as with the whole.
pub(super) const COMPARABLE: usize = 59_000;
/// Most pieces of one row.
pub(super) const MAX_PIECES: usize = 4_096;
/// Half of the span of a decimal's key: more than any number of 28 digits.
const DECIMAL_SPAN: i128 = 10i128.pow(28);

/// What kind of Milvus field holds a logical type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    Bool,
    Int,
    Double,
    Text,
}

/// A value as it lies.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(String),
}

impl Store {
    /// Where a logical type lies.
    pub(super) fn of(logical: &LogicalType) -> Store {
        match logical {
            LogicalType::Bool => Store::Bool,
            LogicalType::Int { .. } | LogicalType::Timestamp | LogicalType::Date | LogicalType::Duration => Store::Int,
            LogicalType::Float => Store::Double,
            _ => Store::Text,
        }
    }

    /// What stands in the field of a row that has no value.
    pub(super) fn placeholder(self) -> Cell {
        match self {
            Store::Bool => Cell::Bool(false),
            Store::Int => Cell::Int(0),
            Store::Double => Cell::Double(0.0),
            Store::Text => Cell::Text(String::new()),
        }
    }
}

/// A value as it lies; never null.
///
/// # Errors
/// [`ErrorKind::InvalidValue`] for a value of another family.
pub(super) fn encode(logical: &LogicalType, value: &Value) -> Result<Cell> {
    Ok(match (logical, value) {
        (_, Value::Bool(b)) => Cell::Bool(*b),
        (_, Value::Int(n)) => Cell::Int(*n),
        (_, Value::Float(n)) => Cell::Double(*n),
        (_, Value::Timestamp(t)) => Cell::Int(t.as_micros()),
        (_, Value::Date(d)) => Cell::Int(i64::from(d.as_days())),
        (_, Value::Duration(d)) => Cell::Int(d.as_micros()),
        (LogicalType::Decimal { scale, .. }, Value::Decimal(n)) => match decimal_floor(n, *scale) {
            (floor, true) => Cell::Text(decimal_key(floor)),
            (_, false) => return Err(Error::new(ErrorKind::InvalidValue, "a decimal that does not fit without rounding")),
        },
        (_, Value::Text(text)) => Cell::Text(text.clone()),
        (_, Value::Bytes(bytes)) => Cell::Text(BASE64.encode(bytes)),
        (_, Value::Uuid(u)) => Cell::Text(u.hyphenated().to_string()),
        (_, Value::Vector(numbers)) => {
            let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            Cell::Text(BASE64.encode(&bytes))
        }
        (_, Value::Json(_) | Value::List(_)) => {
            let text = match value {
                Value::Json(json) => serde_json::to_string(json),
                other => serde_json::to_string(other),
            };
            Cell::Text(text.map_err(|cause| Error::new(ErrorKind::Internal, "a value cannot be written as JSON").caused_by(cause))?)
        }
        (expected, found) => {
            let why = format!("a value of type {} where the field is {expected}", found.family());
            return Err(Error::new(ErrorKind::InvalidValue, why));
        }
    })
}

/// Cuts a text that is too long for a field: what stays, and the pieces of the rest in their order.
pub(super) fn cut(text: &mut String) -> Vec<String> {
    let mut pieces = Vec::new();
    if text.len() > HEAD {
        let rest = text.split_off(text.floor_char_boundary(HEAD));
        let mut rest = rest.as_str();
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(rest.floor_char_boundary(HEAD));
            pieces.push(piece.to_owned());
            rest = later;
        }
    }
    pieces
}

/// The value that [`encode`] wrote.
///
/// # Errors
/// [`ErrorKind::Corrupt`] for anything else.
pub(super) fn decode(logical: &LogicalType, cell: Cell) -> Result<Value> {
    let value = match (logical, cell) {
        (LogicalType::Bool, Cell::Bool(b)) => Some(Value::Bool(b)),
        (LogicalType::Int { .. }, Cell::Int(n)) => Some(Value::Int(n)),
        (LogicalType::Float, Cell::Double(n)) => Some(Value::Float(n)),
        (LogicalType::Timestamp, Cell::Int(n)) => Timestamp::from_micros(n).ok().map(Value::Timestamp),
        (LogicalType::Date, Cell::Int(n)) => i32::try_from(n).ok().and_then(|n| Date::from_days(n).ok()).map(Value::Date),
        (LogicalType::Duration, Cell::Int(n)) => Some(Value::Duration(Duration::from_micros(n))),
        (LogicalType::Decimal { scale, .. }, Cell::Text(text)) => text
            .parse::<i128>()
            .ok()
            .and_then(|n| Decimal::try_from_i128_with_scale(n.checked_sub(DECIMAL_SPAN)?, u32::from(*scale)).ok())
            .map(|n| Value::Decimal(n.normalize())),
        (LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_), Cell::Text(text)) => {
            Some(Value::Text(text))
        }
        (LogicalType::Bytes, Cell::Text(text)) => BASE64.decode(text).ok().map(|bytes| Value::Bytes(bytes.into())),
        (LogicalType::Uuid, Cell::Text(text)) => Uuid::try_parse(&text).ok().map(Value::Uuid),
        (LogicalType::Json, Cell::Text(text)) => serde_json::from_str(&text).ok().map(|json| Value::Json(Box::new(json))),
        (LogicalType::List(_), Cell::Text(text)) => serde_json::from_str(&text).ok().filter(|v: &Value| v.as_list().is_some()),
        (LogicalType::Vector(length), Cell::Text(text)) => BASE64.decode(text).ok().and_then(|bytes| {
            let (numbers, rest) = bytes.as_chunks::<4>();
            let numbers: Vec<f32> = numbers.iter().map(|n| f32::from_le_bytes(*n)).collect();
            (rest.is_empty() && numbers.len() == *length as usize).then(|| Value::Vector(numbers.into()))
        }),
        _ => None,
    };
    value.ok_or_else(|| Error::new(ErrorKind::Corrupt, format!("what is stored is no {logical}: it was written by something else")))
}

/// The greatest number of so many digits after the point that is not above `n`, without the point, and whether it is
/// `n`. What is out of every field's range comes down to its edge.
pub(super) fn decimal_floor(n: &Decimal, scale: u8) -> (i128, bool) {
    let n = n.normalize();
    let (mantissa, own, scale) = (n.mantissa(), n.scale(), u32::from(scale));
    if own <= scale {
        let scaled = 10i128.checked_pow(scale - own).and_then(|factor| mantissa.checked_mul(factor));
        match scaled.filter(|n| n.abs() < DECIMAL_SPAN) {
            Some(scaled) => (scaled, true),
            None if mantissa < 0 => (-DECIMAL_SPAN, false),
            None => (DECIMAL_SPAN - 1, false),
        }
    } else {
        // A normalised number with more digits after the point is never whole at this scale.
        let floor = 10i128.checked_pow(own - scale).map_or(if mantissa < 0 { -1 } else { 0 }, |factor| mantissa.div_euclid(factor));
        (floor.clamp(-DECIMAL_SPAN, DECIMAL_SPAN - 1), false)
    }
}

/// Text of one length that orders by bytes as the numbers do.
pub(super) fn decimal_key(scaled: i128) -> String {
    format!("{:029}", scaled + DECIMAL_SPAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn decimals_order_as_their_keys() {
        let numbers = ["-9999999999999999999999999999", "-1.5", "-1", "-0.01", "0", "0.01", "1", "1.5", "9999999999999999999999999999"];
        let scale = |text: &str| if text.len() > 20 { 0 } else { 2 };
        for pair in numbers.windows(2).filter(|pair| scale(pair[0]) == scale(pair[1])) {
            let key = |text: &str| decimal_key(decimal_floor(&decimal(text), scale(text)).0);
            assert!(key(pair[0]) < key(pair[1]), "{pair:?}");
        }
        assert_eq!(decimal_floor(&decimal("1.005"), 2), (100, false));
        assert_eq!(decimal_floor(&decimal("-1.005"), 2), (-101, false));
        assert_eq!(decimal_floor(&decimal("1.50"), 1), (15, true));
        assert_eq!(decimal_floor(&decimal("9999999999999999999999999999"), 9), (DECIMAL_SPAN - 1, false));
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_nothing_is_lost() {
        for text in ["x".repeat(HEAD), "\u{1f600}".repeat(65_535), format!("a{}", "\u{e9}".repeat(100_000))] {
            let mut head = text.clone();
            let pieces = cut(&mut head);
            assert!(head.len() <= HEAD && pieces.iter().all(|piece| piece.len() <= HEAD));
            assert!(pieces.is_empty() || head.len() > COMPARABLE);
            assert_eq!(head + &pieces.concat(), text);
        }
    }

    #[test]
    fn garbage_is_corrupt() {
        for (logical, cell) in [
            (LogicalType::Uuid, Cell::Text("no".into())),
            (LogicalType::Json, Cell::Text("{".into())),
            (LogicalType::Vector(2), Cell::Text("AAAA".into())),
            (LogicalType::DECIMAL, Cell::Text("x".into())),
            (LogicalType::Bool, Cell::Int(1)),
            (LogicalType::Date, Cell::Int(i64::MAX)),
        ] {
            assert!(decode(&logical, cell).is_err_and(|e| e.kind() == ErrorKind::Corrupt), "{logical}");
        }
    }
}
