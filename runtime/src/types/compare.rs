use std::cmp::Ordering;

use super::{Json, Value};

/// Whether two values are the same, as `eq` means it: null equals null, `-0.0` equals `0.0`, JSON `1` equals `1.0`.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Json(x), Value::Json(y)) => json_equal(x, y),
        (Value::List(x), Value::List(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| equal(x, y)),
        _ => a == b,
    }
}

/// How two values of one family order: text by bytes, `false` before `true`, decimals by number. `None` when either is
/// null, when the families differ or have no order (bytes and UUIDs order as bytes; lists, vectors and objects do not).
/// JSON orders within one kind: numbers by number, strings by bytes, booleans.
pub fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(x), Value::Bool(y)) => Some(x.cmp(y)),
        (Value::Int(x), Value::Int(y)) => Some(x.cmp(y)),
        (Value::Float(x), Value::Float(y)) => x.partial_cmp(y),
        (Value::Decimal(x), Value::Decimal(y)) => Some(x.cmp(y)),
        (Value::Text(x), Value::Text(y)) => Some(x.as_bytes().cmp(y.as_bytes())),
        (Value::Bytes(x), Value::Bytes(y)) => Some(x.cmp(y)),
        (Value::Timestamp(x), Value::Timestamp(y)) => Some(x.cmp(y)),
        (Value::Date(x), Value::Date(y)) => Some(x.cmp(y)),
        (Value::Duration(x), Value::Duration(y)) => Some(x.cmp(y)),
        (Value::Uuid(x), Value::Uuid(y)) => Some(x.cmp(y)),
        (Value::Json(x), Value::Json(y)) => json_compare(x, y),
        _ => None,
    }
}

/// The order of `order_by`: as [`compare`], with nulls (and what has no order) last in both directions.
pub fn sort_order(a: &Value, b: &Value, descending: bool) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let order = compare(a, b).unwrap_or(Ordering::Equal);
            if descending { order.reverse() } else { order }
        }
    }
}

fn json_compare(a: &Json, b: &Json) -> Option<Ordering> {
    match (a, b) {
        (Json::Number(x), Json::Number(y)) => number_compare(x, y),
        (Json::String(x), Json::String(y)) => Some(x.as_bytes().cmp(y.as_bytes())),
        (Json::Bool(x), Json::Bool(y)) => Some(x.cmp(y)),
        _ => None,
    }
}

/// JSON equality: kinds are strict (`1`, `"1"` and `true` differ), numbers compare by value (`1 == 1.0`).
pub fn json_equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(x), Json::Number(y)) => number_compare(x, y) == Some(Ordering::Equal),
        (Json::Array(x), Json::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| json_equal(x, y)),
        (Json::Object(x), Json::Object(y)) => x.len() == y.len() && x.iter().all(|(k, v)| y.get(k).is_some_and(|w| json_equal(v, w))),
        _ => a == b,
    }
}

fn number_compare(a: &serde_json::Number, b: &serde_json::Number) -> Option<Ordering> {
    let whole = |n: &serde_json::Number| n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from));
    match (whole(a), whole(b)) {
        (Some(x), Some(y)) => Some(x.cmp(&y)),
        (Some(x), None) => whole_float(x, b.as_f64()?),
        (None, Some(y)) => whole_float(y, a.as_f64()?).map(Ordering::reverse),
        (None, None) => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

/// Compares an integer of 64 bits with a finite float exactly, where going through `f64` would round the integer.
fn whole_float(x: i128, y: f64) -> Option<Ordering> {
    if y.abs() >= 2f64.powi(65) {
        return Some(if y > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    let floor = y.floor();
    let order = x.cmp(&(floor as i128));
    Some(if order == Ordering::Equal && y > floor { Ordering::Less } else { order })
}

/// Bytes that are equal exactly when two values are [`equal`]: the key for grouping, distinct counts and derived ids.
pub fn canonical_key(value: &Value, key: &mut Vec<u8>) {
    let mut tagged = |tag: u8, bytes: &[u8]| {
        key.push(tag);
        key.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        key.extend_from_slice(bytes);
    };
    match value {
        Value::Null => key.push(0),
        Value::Bool(b) => tagged(1, &[u8::from(*b)]),
        Value::Int(n) => tagged(2, &n.to_le_bytes()),
        // Adding zero turns -0.0 into 0.0, which equals it.
        Value::Float(n) => tagged(3, &(n + 0.0).to_bits().to_le_bytes()),
        Value::Decimal(n) => tagged(4, &n.normalize().serialize()),
        Value::Text(text) => tagged(5, text.as_bytes()),
        Value::Bytes(bytes) => tagged(6, bytes),
        Value::Timestamp(t) => tagged(7, &t.as_micros().to_le_bytes()),
        Value::Date(d) => tagged(8, &d.as_days().to_le_bytes()),
        Value::Duration(d) => tagged(9, &d.as_micros().to_le_bytes()),
        Value::Uuid(u) => tagged(10, u.as_bytes()),
        Value::Json(json) => {
            key.push(11);
            json_key(json, key);
        }
        Value::List(items) => {
            key.push(12);
            key.extend_from_slice(&(items.len() as u64).to_le_bytes());
            items.iter().for_each(|item| canonical_key(item, key));
        }
        Value::Vector(numbers) => {
            key.push(13);
            key.extend_from_slice(&(numbers.len() as u64).to_le_bytes());
            numbers.iter().for_each(|n| key.extend_from_slice(&(n + 0.0).to_bits().to_le_bytes()));
        }
    }
}

fn json_key(json: &Json, key: &mut Vec<u8>) {
    match json {
        Json::Null => key.push(0),
        Json::Bool(b) => key.extend_from_slice(&[1, u8::from(*b)]),
        Json::Number(n) => {
            key.push(2);
            let whole = n.as_i64().map(i128::from).or_else(|| n.as_u64().map(i128::from));
            // A float that is a whole number of 64 bits has the key of that number.
            let whole = whole.or_else(|| n.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 2f64.powi(64)).map(|f| f as i128));
            match whole {
                Some(n) => {
                    key.push(0);
                    key.extend_from_slice(&n.to_le_bytes());
                }
                None => {
                    key.push(1);
                    key.extend_from_slice(&n.as_f64().unwrap_or(f64::NAN).to_bits().to_le_bytes());
                }
            }
        }
        Json::String(text) => {
            key.push(3);
            key.extend_from_slice(&(text.len() as u64).to_le_bytes());
            key.extend_from_slice(text.as_bytes());
        }
        Json::Array(items) => {
            key.push(4);
            key.extend_from_slice(&(items.len() as u64).to_le_bytes());
            items.iter().for_each(|item| json_key(item, key));
        }
        Json::Object(map) => {
            key.push(5);
            key.extend_from_slice(&(map.len() as u64).to_le_bytes());
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(k, _)| *k);
            for (name, value) in entries {
                key.extend_from_slice(&(name.len() as u64).to_le_bytes());
                key.extend_from_slice(name.as_bytes());
                json_key(value, key);
            }
        }
    }
}
