//! Values as Elasticsearch keeps them: the indexed form under `f`, and the value itself under `v` where the indexed
//! form does not give it back bit for bit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::text;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Date, Decimal, Duration, Json, LogicalType, Timestamp, Uuid, Value, canonical_key};

/// Whether the value itself is always kept beside its indexed form.
pub(super) fn kept_apart(logical: &LogicalType) -> bool {
    use LogicalType as T;
    matches!(logical, T::Decimal { .. } | T::Bytes | T::Json | T::List(_) | T::Vector(_))
}

/// Whether the indexed form is a number in doc values, whose missing value has a rank of its own only beside a marker.
pub(super) fn is_numeric(logical: &LogicalType) -> bool {
    use LogicalType as T;
    matches!(logical, T::Bool | T::Int { .. } | T::Float | T::Timestamp | T::Date | T::Duration)
}

/// The indexed form of a value of a type, with which equality is asked; `None` for null, a value of another family,
/// or one that no stored value can equal.
pub(super) fn indexed(logical: &LogicalType, value: &Value) -> Option<Json> {
    use LogicalType as T;
    Some(match (logical, value) {
        (T::Bool, Value::Bool(b)) => u8::from(*b).into(),
        (T::Int { .. }, Value::Int(n)) => (*n).into(),
        // Adding zero turns -0.0 into 0.0, which equals it.
        (T::Float, Value::Float(n)) => Json::from(n + 0.0),
        (T::Decimal { scale, .. }, Value::Decimal(n)) => match scaled(*n, *scale) {
            (mantissa, true) => decimal_term(mantissa).into(),
            _ => return None,
        },
        (T::Timestamp, Value::Timestamp(t)) => t.as_micros().into(),
        (T::Date, Value::Date(d)) => d.as_days().into(),
        (T::Duration, Value::Duration(d)) => d.as_micros().into(),
        (T::Uuid, Value::Uuid(u)) => u.simple().to_string().into(),
        (T::Id | T::Ref(_) | T::Category(_) | T::Text { .. }, Value::Text(t)) => text::term(t).into(),
        (T::Bytes, Value::Bytes(_)) | (T::Json, Value::Json(_)) | (T::List(_), Value::List(_)) => key_digest(value).into(),
        (T::Vector(_), Value::Vector(numbers)) => numbers.iter().copied().collect::<Vec<f32>>().into(),
        _ => return None,
    })
}

/// The digest of a value's canonical key: equal exactly for equal values.
fn key_digest(value: &Value) -> String {
    let mut key = Vec::new();
    canonical_key(value, &mut key);
    blake3::hash(&key).to_hex().to_string()
}

/// An item of a list as a term: the text itself where it is short, else a digest. The first letter keeps them apart.
pub(super) fn item_term(item: &Value) -> String {
    match item {
        Value::Text(t) if !text::is_long(t) => format!("t{t}"),
        Value::Int(n) => format!("i{n}"),
        other => format!("k{}", key_digest(other)),
    }
}

/// A decimal number as a whole number of its field's last digit, rounded down, and whether that is exact. What is
/// greater than any stored number stays so.
pub(super) fn scaled(n: Decimal, scale: u8) -> (i128, bool) {
    const BEYOND: i128 = 5 * 10_i128.pow(28);
    let n = n.normalize();
    let (mantissa, own, wanted) = (n.mantissa(), n.scale(), u32::from(scale));
    if own <= wanted {
        let all = 10_i128.checked_pow(wanted - own).and_then(|factor| mantissa.checked_mul(factor)).filter(|m| m.abs() < BEYOND);
        return all.map_or((if mantissa < 0 { -BEYOND } else { BEYOND }, false), |m| (m, true));
    }
    (mantissa.div_euclid(10_i128.pow(own - wanted)), false)
}

/// A whole number of at most 28 digits as text of 30 digits that orders as the number does.
pub(super) fn decimal_term(mantissa: i128) -> String {
    format!("{:030}", mantissa + 10_i128.pow(29))
}

/// The value as it is kept under `v`.
pub(super) fn kept(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => (*n).into(),
        // As text, because it must come back bit for bit.
        Value::Float(n) => format!("{n:?}").into(),
        Value::Decimal(n) => n.to_string().into(),
        Value::Text(t) => t.clone().into(),
        Value::Bytes(bytes) => STANDARD.encode(bytes).into(),
        Value::Timestamp(t) => t.as_micros().into(),
        Value::Date(d) => d.as_days().into(),
        Value::Duration(d) => d.as_micros().into(),
        Value::Uuid(u) => u.simple().to_string().into(),
        // As text, so that no server reads and prints its numbers and names anew.
        Value::Json(json) => json.to_string().into(),
        Value::List(items) => items.iter().map(kept).collect::<Vec<_>>().into(),
        Value::Vector(numbers) => STANDARD.encode(numbers.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>()).into(),
    }
}

/// Reads a value back: from `v` where it is kept there, else from its indexed form.
pub(super) fn read(logical: &LogicalType, kept: Option<&Json>, indexed: Option<&Json>) -> Result<Value> {
    let found = match (kept, indexed) {
        (None | Some(Json::Null), None | Some(Json::Null)) => return Ok(Value::Null),
        (Some(kept), _) if !kept.is_null() => read_kept(logical, kept),
        (_, Some(indexed)) if !kept_apart(logical) => read_indexed(logical, indexed),
        _ => None,
    };
    found.ok_or_else(|| Error::new(ErrorKind::Corrupt, format!("a stored document does not hold a value of type {logical}")))
}

/// Reads an indexed form back, where it says all of the value.
pub(super) fn read_indexed(logical: &LogicalType, json: &Json) -> Option<Value> {
    match logical {
        LogicalType::Bool => json.as_i64().map(|n| Value::Bool(n != 0)),
        LogicalType::Float => json.as_f64().map(Value::Float),
        LogicalType::Decimal { scale, .. } => {
            let mantissa = json.as_str()?.parse::<i128>().ok()? - 10_i128.pow(29);
            Decimal::try_from_i128_with_scale(mantissa, u32::from(*scale)).ok().map(|n| Value::Decimal(n.normalize()))
        }
        _ => read_kept(logical, json),
    }
}

fn read_kept(logical: &LogicalType, json: &Json) -> Option<Value> {
    use LogicalType as T;
    let text = || json.as_str();
    Some(match logical {
        T::Bool => Value::Bool(json.as_bool()?),
        T::Int { .. } => Value::Int(json.as_i64()?),
        T::Float => Value::Float(text()?.parse().ok()?),
        T::Decimal { .. } => Value::Decimal(text()?.parse().ok()?),
        T::Id | T::Ref(_) | T::Category(_) | T::Text { .. } => Value::Text(text()?.to_owned()),
        T::Bytes => Value::Bytes(STANDARD.decode(text()?).ok()?.into()),
        T::Timestamp => Value::Timestamp(Timestamp::from_micros(json.as_i64()?).ok()?),
        T::Date => Value::Date(Date::from_days(i32::try_from(json.as_i64()?).ok()?).ok()?),
        T::Duration => Value::Duration(Duration::from_micros(json.as_i64()?)),
        T::Uuid => Value::Uuid(Uuid::try_parse(text()?).ok()?),
        T::Json => Value::Json(Box::new(serde_json::from_str(text()?).ok()?)),
        T::List(item) => Value::List(json.as_array()?.iter().map(|json| read_kept(item, json)).collect::<Option<_>>()?),
        T::Vector(length) => {
            let bytes = STANDARD.decode(text()?).ok()?;
            let numbers: Vec<f32> = bytes.chunks_exact(4).filter_map(|b| Some(f32::from_le_bytes(b.try_into().ok()?))).collect();
            if numbers.len() != *length as usize || bytes.len() % 4 != 0 {
                return None;
            }
            Value::Vector(numbers.into())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_order_as_text_and_round_down() {
        let numbers = ["-9999999999999999999.999999999", "-1.5", "-0.000000001", "0", "0.1", "1", "9999999999999999999.999999999"];
        let terms: Vec<String> = numbers.iter().map(|n| decimal_term(scaled(n.parse().unwrap_or_default(), 9).0)).collect();
        assert!(terms.is_sorted() && terms.iter().all(|t| t.len() == 30));
        assert_eq!(scaled("-0.15".parse().unwrap_or_default(), 1), (-2, false));
        assert_eq!(scaled("0.15".parse().unwrap_or_default(), 1), (1, false));
        assert_eq!(scaled("1.50".parse().unwrap_or_default(), 1), (15, true));
        assert!(scaled(Decimal::MAX, 28).0 > 10_i128.pow(28) && scaled(Decimal::MIN, 28).0 < -(10_i128.pow(28)));
    }
}
