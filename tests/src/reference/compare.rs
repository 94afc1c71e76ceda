//! Equality and order of values.

use std::cmp::Ordering;

use heavenbase::types::{Json, Value};

/// `eq`: null equals null, `-0.0` equals `0.0`, JSON kinds are strict but `1 == 1.0`.
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Json(x), Value::Json(y)) => json_equal(x, y),
        (Value::List(x), Value::List(y)) => x.len() == y.len() && (0..x.len()).all(|i| equal(&x[i], &y[i])),
        (Value::Vector(x), Value::Vector(y)) => x[..] == y[..],
        (Value::Float(x), Value::Float(y)) => x == y,
        (Value::Decimal(x), Value::Decimal(y)) => x == y,
        _ => order(a, b) == Some(Ordering::Equal),
    }
}

/// `lt le gt ge`: `None` where no comparison can match (a null, or two values without an order).
pub fn order(a: &Value, b: &Value) -> Option<Ordering> {
    Some(match (a, b) {
        (Value::Bool(x), Value::Bool(y)) => u8::from(*x).cmp(&u8::from(*y)),
        (Value::Int(x), Value::Int(y)) => x.cmp(y),
        (Value::Float(x), Value::Float(y)) => return x.partial_cmp(y),
        (Value::Decimal(x), Value::Decimal(y)) => x.cmp(y),
        (Value::Text(x), Value::Text(y)) => x.bytes().cmp(y.bytes()),
        (Value::Bytes(x), Value::Bytes(y)) => x.iter().cmp(y.iter()),
        (Value::Timestamp(x), Value::Timestamp(y)) => x.as_micros().cmp(&y.as_micros()),
        (Value::Date(x), Value::Date(y)) => x.as_days().cmp(&y.as_days()),
        (Value::Duration(x), Value::Duration(y)) => x.as_micros().cmp(&y.as_micros()),
        (Value::Uuid(x), Value::Uuid(y)) => x.as_bytes().iter().cmp(y.as_bytes().iter()),
        (Value::Json(x), Value::Json(y)) => match (&**x, &**y) {
            (Json::Number(_), Json::Number(_)) => return number_order(x, y),
            (Json::String(x), Json::String(y)) => x.bytes().cmp(y.bytes()),
            (Json::Bool(x), Json::Bool(y)) => x.cmp(y),
            _ => return None,
        },
        _ => return None,
    })
}

/// `order_by`: nulls last in both directions.
pub fn sort_order(a: &Value, b: &Value, descending: bool) -> Ordering {
    if a.is_null() || b.is_null() {
        return a.is_null().cmp(&b.is_null());
    }
    let ascending = order(a, b).unwrap_or(Ordering::Equal);
    if descending { ascending.reverse() } else { ascending }
}

/// Whether a value came back as it was written: as [`equal`], but JSON numbers keep their kind and vectors their bits.
pub fn same(wrote: &Value, read: &Value) -> bool {
    match (wrote, read) {
        (Value::Json(x), Value::Json(y)) => x == y,
        (Value::Vector(x), Value::Vector(y)) => x.len() == y.len() && x.iter().zip(y.iter()).all(|(x, y)| x == y),
        _ => equal(wrote, read),
    }
}

fn json_equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Null, Json::Null) => true,
        (Json::Bool(x), Json::Bool(y)) => x == y,
        (Json::Number(_), Json::Number(_)) => number_order(a, b) == Some(Ordering::Equal),
        (Json::String(x), Json::String(y)) => x == y,
        (Json::Array(x), Json::Array(y)) => x.len() == y.len() && (0..x.len()).all(|i| json_equal(&x[i], &y[i])),
        (Json::Object(x), Json::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, value)| y.get(key).is_some_and(|other| json_equal(value, other)))
        }
        _ => false,
    }
}

/// Numbers by value, exactly: an integer is never rounded to a float to be compared with one.
fn number_order(a: &Json, b: &Json) -> Option<Ordering> {
    enum Number {
        Whole(i128),
        Real(f64),
    }
    let read = |json: &Json| match (json.as_i64(), json.as_u64()) {
        (Some(n), _) => Some(Number::Whole(n.into())),
        (None, Some(n)) => Some(Number::Whole(n.into())),
        (None, None) => json.as_f64().map(Number::Real),
    };
    let against = |whole: i128, real: f64| {
        // Every whole number here lies within 65 bits; so does a float near it, and its whole part is exact.
        if real >= 4e19 {
            Ordering::Less
        } else if real <= -4e19 {
            Ordering::Greater
        } else {
            let below = real.floor() as i128;
            if whole != below {
                whole.cmp(&below)
            } else if real > real.floor() {
                Ordering::Less
            } else {
                Ordering::Equal
            }
        }
    };
    match (read(a)?, read(b)?) {
        (Number::Whole(x), Number::Whole(y)) => Some(x.cmp(&y)),
        (Number::Whole(x), Number::Real(y)) => Some(against(x, y)),
        (Number::Real(x), Number::Whole(y)) => Some(against(y, x).reverse()),
        (Number::Real(x), Number::Real(y)) => x.partial_cmp(&y),
    }
}
