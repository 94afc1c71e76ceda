//! Rows as JSON, and rows in pieces that a statement or a load has room for.

use std::ops::Range;

use super::columns::KEY_COLUMN;
use super::write::Given;
use crate::schema::{ID_COLUMN, VERSION_COLUMN};
use crate::types::Value;

/// Pieces of at most so many bytes and rows; a row that is larger alone is a piece.
pub(super) fn pieces(sizes: &[usize], bytes: usize, rows: usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let (mut from, mut sum) = (0, 0);
    for (row, size) in sizes.iter().enumerate() {
        if row > from && (sum + size > bytes || row - from >= rows) {
            pieces.push(from..row);
            (from, sum) = (row, 0);
        }
        // What stands between two rows counts too.
        sum += size + 2;
    }
    if from < sizes.len() {
        pieces.push(from..sizes.len());
    }
    pieces
}

fn string(text: &str, json: &mut String) {
    // Writing a text into memory cannot fail.
    json.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Writes a value, in stored form, as JSON that its column takes as it is.
fn write(value: &Value, json: &mut String) {
    match value {
        Value::Null => json.push_str("null"),
        Value::Bool(truth) => json.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) => json.push_str(&number.to_string()),
        Value::Float(number) => json.push_str(&serde_json::to_string(number).unwrap_or_default()),
        // As text: a number would be read as a float.
        Value::Decimal(number) => string(&number.to_string(), json),
        Value::Text(text) => string(text, json),
        Value::Vector(numbers) => {
            let numbers: Vec<f64> = numbers.iter().map(|number| f64::from(*number)).collect();
            json.push_str(&serde_json::to_string(&numbers).unwrap_or_default());
        }
        // Nothing else has a stored form of its own.
        Value::Bytes(_) | Value::Timestamp(_) | Value::Date(_) | Value::Duration(_) | Value::Uuid(_) | Value::Json(_) | Value::List(_) => {
            json.push_str("null");
        }
    }
}

/// A row as an object of its columns.
pub(super) fn object(key: &Value, id: &str, version: i64, given: &[Given<'_>], values: &[Value]) -> String {
    let mut json = String::from("{");
    let mut pair = |name: &str, value: &Value| {
        if json.len() > 1 {
            json.push(',');
        }
        string(name, &mut json);
        json.push(':');
        write(value, &mut json);
    };
    pair(KEY_COLUMN, key);
    pair(ID_COLUMN, &Value::Text(id.to_owned()));
    pair(VERSION_COLUMN, &Value::Int(version));
    given.iter().zip(values).for_each(|(given, value)| pair(&given.name, value));
    json.push('}');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_keep_their_bounds() {
        assert!(pieces(&[], 10, 10).is_empty());
        assert_eq!(pieces(&[4, 4, 4], 10, 10), [0..2, 2..3]);
        assert_eq!(pieces(&[3, 3, 3], 13, 10).len(), 1);
        assert_eq!(pieces(&[1, 1, 1], 100, 2), [0..2, 2..3]);
        assert_eq!(pieces(&[200, 1], 100, 9), [0..1, 1..2]);
    }

    #[test]
    fn values_are_json_that_keeps_them() {
        let of = |value: Value| {
            let mut json = String::new();
            write(&value, &mut json);
            json
        };
        assert_eq!(of(Value::Int(i64::MIN)), "-9223372036854775808");
        assert_eq!(of(Value::Float(-0.0)), "-0.0");
        assert_eq!(of(Value::Float(5e-324)), "5e-324");
        assert_eq!(of(Value::Text("a\"\u{0}\n".into())), "\"a\\\"\\u0000\\n\"");
        assert_eq!(of(Value::Decimal("1.10".parse().unwrap_or_default())), "\"1.10\"");
        assert_eq!(of(Value::Vector([0.5f32, -2.0].into())), "[0.5,-2.0]");
    }
}
