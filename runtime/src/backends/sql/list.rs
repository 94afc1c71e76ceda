//! Lists as JSON arrays in one form only, so that equal lists are equal texts and an item is found as a piece of text.
//!
//! Integers, floats and truth values stand as they are, everything else as a string. A comma within a string is written
//! `\u002c`: so a comma always stands between two items, and `,"red",` within `,"blue","red",` is an item, whatever the
//! strings hold.

use std::fmt::Write;

use super::forms::{corrupt, decimal, float};
use super::{HasTest, Sql};
use crate::error::Result;
#[cfg(any(feature = "mssql", feature = "oracle"))]
use crate::filter::Condition;
use crate::types::{Date, Duration, Json, LogicalType, Timestamp, Uuid, Value};

/// A string as JSON, without a comma.
fn quoted(text: &str, into: &mut String) {
    // A string can always be written.
    let json = serde_json::to_string(text).unwrap_or_default();
    into.push_str(&json.replace(',', "\\u002c"));
}

/// An item as it stands in a list.
pub(crate) fn item(value: &Value, text: &mut String) {
    match value {
        Value::Bool(b) => text.push_str(if *b { "true" } else { "false" }),
        Value::Int(n) => {
            let _ = write!(text, "{n}");
        }
        Value::Float(n) => text.push_str(&float(*n)),
        Value::Decimal(n) => quoted(&n.normalize().to_string(), text),
        Value::Text(t) => quoted(t, text),
        Value::Bytes(bytes) => {
            text.push('"');
            bytes.iter().for_each(|byte| {
                let _ = write!(text, "{byte:02x}");
            });
            text.push('"');
        }
        Value::Timestamp(t) => {
            let _ = write!(text, "{}", t.as_micros());
        }
        Value::Date(d) => {
            let _ = write!(text, "{}", d.as_days());
        }
        Value::Duration(d) => {
            let _ = write!(text, "{}", d.as_micros());
        }
        Value::Uuid(u) => quoted(&u.to_string(), text),
        // Lists hold nothing else.
        Value::Null | Value::Json(_) | Value::List(_) | Value::Vector(_) => text.push_str("null"),
    }
}

/// A list as it is stored.
pub(crate) fn text(items: &[Value]) -> String {
    let mut text = String::from("[");
    for (i, value) in items.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        item(value, &mut text);
    }
    text.push(']');
    text
}

/// The pieces of text that stand for an item: two for a float that is zero, which has two signs.
pub(crate) fn pieces(value: &Value) -> Vec<String> {
    let piece = |value: &Value| {
        let mut text = String::from(",");
        item(value, &mut text);
        text + ","
    };
    match value {
        Value::Float(n) if *n == 0.0 => vec![piece(&Value::Float(0.0)), piece(&Value::Float(-0.0))],
        other => vec![piece(other)],
    }
}

/// Writes whether a list, as it is stored, holds one or all of some items; `has` writes whether a piece of text stands in it.
///
/// # Errors
/// None of its own.
pub(crate) fn holds(sql: &mut Sql<'_>, test: HasTest, items: &[Value], has: impl Fn(&mut Sql<'_>, String)) -> Result<()> {
    sql.push("(");
    sql.list(items, if test == HasTest::Any { " OR " } else { " AND " }, |sql, item| {
        sql.push("(");
        sql.list(pieces(item), " OR ", |sql, piece| {
            has(sql, piece);
            Ok(())
        })?;
        sql.push(")");
        Ok(())
    })?;
    sql.push(")");
    Ok(())
}

/// Whether a test asks for at most so many items, each of whose pieces the engine can look for.
#[cfg(any(feature = "mssql", feature = "oracle"))]
pub(crate) fn takes(condition: &Condition, most: usize, short: impl Fn(&str) -> bool) -> bool {
    let short = |item: &Value| pieces(item).iter().all(|piece| short(piece));
    match condition {
        Condition::Has(item) => short(item),
        Condition::HasAny(items) | Condition::HasAll(items) => items.len() <= most && items.iter().all(short),
        _ => false,
    }
}

/// Writes whether a piece of text that begins and ends with a comma stands in a list as it is stored, in functions that MySQL has
/// and those that speak as it does.
#[cfg(feature = "mysql")]
pub(crate) fn has_piece(sql: &mut Sql<'_>, column: &dyn Fn(&mut Sql<'_>), piece: String) {
    sql.push("LOCATE(").bind(Value::Text(piece)).push(", CONCAT(',', SUBSTR(");
    column(sql);
    sql.push(", 2, CHAR_LENGTH(");
    column(sql);
    sql.push(") - 2), ',')) > 0");
}

/// Writes whether a list, as it is stored, has exactly these items: in functions as [`has_piece`]'s.
#[cfg(feature = "mysql")]
pub(crate) fn equals(sql: &mut Sql<'_>, column: &dyn Fn(&mut Sql<'_>), logical: &LogicalType, items: &Value) {
    let wanted = text(items.as_list().unwrap_or_default());
    if !matches!(logical, LogicalType::List(LogicalType::Float)) {
        column(sql);
        sql.push(" = ").bind(Value::Text(wanted));
        return;
    }
    // Zero has two signs, and both are equal.
    let unsigned = wanted.replace(['[', ']'], ",").replace(',', ",,").replace(",-0.0,", ",0.0,");
    sql.push("REPLACE(REPLACE(REPLACE(REPLACE(");
    column(sql);
    sql.push(", '[', ','), ']', ','), ',', ',,'), ',-0.0,', ',0.0,') = ").bind(Value::Text(unsigned));
}

/// Reads a list.
pub(crate) fn parse(logical: &LogicalType, bytes: &[u8]) -> Result<Value> {
    let items: Vec<Json> = serde_json::from_slice(bytes).map_err(|_| corrupt())?;
    items.into_iter().map(|json| read(logical, json)).collect::<Option<Box<[Value]>>>().map(Value::List).ok_or_else(corrupt)
}

fn read(logical: &LogicalType, json: Json) -> Option<Value> {
    Some(match (logical, json) {
        (LogicalType::Bool, Json::Bool(b)) => Value::Bool(b),
        (LogicalType::Int { .. }, Json::Number(n)) => Value::Int(n.as_i64()?),
        (LogicalType::Float, Json::Number(n)) => Value::Float(n.as_f64()?),
        (LogicalType::Timestamp, Json::Number(n)) => Value::Timestamp(Timestamp::from_micros(n.as_i64()?).ok()?),
        (LogicalType::Date, Json::Number(n)) => Value::Date(Date::from_days(i32::try_from(n.as_i64()?).ok()?).ok()?),
        (LogicalType::Duration, Json::Number(n)) => Value::Duration(Duration::from_micros(n.as_i64()?)),
        (LogicalType::Decimal { .. }, Json::String(text)) => Value::Decimal(decimal(&text)?),
        (LogicalType::Uuid, Json::String(text)) => Value::Uuid(Uuid::parse_str(&text).ok()?),
        (LogicalType::Bytes, Json::String(text)) => Value::Bytes(unhex(&text)?.into()),
        (LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_), Json::String(text)) => {
            Value::Text(text)
        }
        _ => return None,
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_found_only_where_it_is_one() {
        let list = |items: &[&str]| items.iter().map(|t| Value::Text((*t).to_owned())).collect::<Vec<_>>();
        let holds = |items: &[&str], wanted: &str| {
            let text = text(&list(items));
            format!(",{},", &text[1..text.len() - 1]).contains(&pieces(&Value::Text(wanted.to_owned()))[0])
        };
        assert!(!holds(&["a,", ",z"], ","));
        assert!(!holds(&["a\",\"b"], "b"));
        assert!(!holds(&["ab"], "b"));
        assert!(holds(&["x", "a,\"\\", "y"], "a,\"\\"));
        assert!(holds(&[""], "") && !holds(&[], ""));
    }

    #[test]
    fn what_was_written_is_read() {
        let lists: [(&LogicalType, Vec<Value>); 3] = [
            (&LogicalType::TEXT, vec![Value::Text("a,\u{0}\"\\".into()), Value::Text(String::new())]),
            (&LogicalType::Float, vec![Value::Float(-0.0), Value::Float(1e300), Value::Float(5e-324), Value::Float(0.1)]),
            (&LogicalType::Bytes, vec![Value::Bytes(Box::from([0u8, 255, 10]))]),
        ];
        for (logical, items) in lists {
            let Ok(Value::List(read)) = parse(logical, text(&items).as_bytes()) else { panic!("{items:?}") };
            assert_eq!(format!("{read:?}"), format!("{items:?}"));
        }
    }
}
