//! Values as parameters of a statement.

use std::fmt::Write;

use duckdb::types::{Decimal as Bound, TimeUnit, ToSql, ToSqlOutput, Value as Owned, ValueRef};

use crate::types::{Decimal, Json, LogicalType, Value};

/// A value that is bound: lists as JSON and vectors as text, which [`written`] turns into what they are.
pub(super) struct Parameter<'v>(pub(super) &'v Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> duckdb::Result<ToSqlOutput<'_>> {
        let borrowed = |value| Ok(ToSqlOutput::Borrowed(value));
        let text = |text: String| Ok(ToSqlOutput::Owned(Owned::Text(text)));
        match self.0 {
            Value::Null => borrowed(ValueRef::Null),
            Value::Bool(b) => borrowed(ValueRef::Boolean(*b)),
            Value::Int(n) => borrowed(ValueRef::BigInt(*n)),
            Value::Float(n) => borrowed(ValueRef::Double(*n)),
            Value::Decimal(n) => decimal(*n).map(|n| ToSqlOutput::Borrowed(ValueRef::Decimal(n))),
            Value::Text(text) => borrowed(ValueRef::Text(text.as_bytes())),
            Value::Bytes(bytes) => borrowed(ValueRef::Blob(bytes)),
            Value::Timestamp(t) => borrowed(ValueRef::Timestamp(TimeUnit::Microsecond, t.as_micros())),
            Value::Date(d) => borrowed(ValueRef::Date32(d.as_days())),
            Value::Duration(d) => borrowed(ValueRef::BigInt(d.as_micros())),
            Value::Uuid(uuid) => text(uuid.to_string()),
            Value::Json(json) => text(json.to_string()),
            Value::List(items) => text(list_text(items)),
            Value::Vector(numbers) => text(vector_text(numbers)),
        }
    }
}

fn decimal(number: Decimal) -> duckdb::Result<Bound> {
    let (mantissa, scale) = (number.mantissa(), u8::try_from(number.scale()).unwrap_or(u8::MAX));
    let digits = mantissa.unsigned_abs().checked_ilog10().map_or(1, |n| n as u8 + 1);
    Bound::new(digits.max(scale), scale, mantissa).map_err(|cause| duckdb::Error::ToSqlConversionFailure(Box::new(cause)))
}

/// A list as JSON.
pub(super) fn list_text(items: &[Value]) -> String {
    Json::Array(items.iter().map(item).collect()).to_string()
}

fn item(item: &Value) -> Json {
    match item {
        Value::Bool(b) => (*b).into(),
        Value::Int(n) => (*n).into(),
        Value::Float(n) => (*n).into(),
        Value::Decimal(n) => n.to_string().into(),
        Value::Text(text) => text.as_str().into(),
        Value::Timestamp(t) => t.as_micros().into(),
        Value::Date(d) => d.as_days().into(),
        Value::Duration(d) => d.as_micros().into(),
        Value::Uuid(uuid) => uuid.to_string().into(),
        // Lists hold nothing else: the type check refuses it before.
        _ => Json::Null,
    }
}

/// A vector as DuckDB reads an array, each number with all its digits.
pub(super) fn vector_text(numbers: &[f32]) -> String {
    let mut text = String::with_capacity(numbers.len() * 12 + 2);
    text.push('[');
    for (i, number) in numbers.iter().enumerate() {
        let _ = write!(text, "{}{number:?}", if i > 0 { "," } else { "" });
    }
    text.push(']');
    text
}

/// What stands before and after the placeholder of a column's value.
pub(super) fn written(logical: &LogicalType) -> (&'static str, String) {
    match logical {
        LogicalType::List(item) => written_items(item),
        _ => ("", String::new()),
    }
}

/// What stands before and after the placeholder of a list of such items.
pub(super) fn written_items(item: &LogicalType) -> (&'static str, String) {
    match item {
        LogicalType::Timestamp => ("list_transform(from_json(", ", '[\"BIGINT\"]'), lambda x: make_timestamp(x))".into()),
        LogicalType::Date => ("list_transform(from_json(", ", '[\"INTEGER\"]'), lambda x: DATE '1970-01-01' + x)".into()),
        item => ("from_json(", format!(", '[\"{}\"]')", super::dialect::type_of(item))),
    }
}
