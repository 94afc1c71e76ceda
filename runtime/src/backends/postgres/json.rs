//! JSON as `jsonb` keeps it, and tests of what lies at a path.

use serde::Serialize;

use super::dialect::text_test;
use super::nul;
use crate::backends::sql::{Comparison, Sql, Term, TextTest, unsupported};
use crate::error::Result;
use crate::filter::{Condition, Segment};
use crate::types::{Json, Value};

/// `jsonb` keeps numbers as decimals with the digits they are written with. A float that is a whole number is written
/// out with all its digits and `.0`, so that it stays a float and compares with integers exactly. (`-0.0` loses its sign.)
struct Exact;

impl serde_json::ser::Formatter for Exact {
    fn write_f64<W: std::io::Write + ?Sized>(&mut self, writer: &mut W, number: f64) -> std::io::Result<()> {
        if number.fract() == 0.0 { write!(writer, "{number:.1}") } else { write!(writer, "{number}") }
    }
}

/// The text of a JSON value as it is sent.
pub(super) fn text(json: &Json) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Exact);
    // Writing a JSON value into memory cannot fail.
    let _ = json.serialize(&mut serializer);
    String::from_utf8(bytes).unwrap_or_default()
}

/// Whether a JSON value holds U+0000, in a string or a key.
pub(super) fn holds_nul(json: &Json) -> bool {
    match json {
        Json::String(text) => nul::holds(text),
        Json::Array(items) => items.iter().any(holds_nul),
        Json::Object(map) => map.iter().any(|(key, value)| nul::holds(key) || holds_nul(value)),
        _ => false,
    }
}

/// Writes the value at a path. `->` with a number would look into a scalar at the top, so arrays are asked for first.
fn at(sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment]) -> Result<()> {
    let Some((last, before)) = path.split_last() else {
        term.write_column(sql);
        // A column of type `json` has none of the operators.
        sql.push(if term.part.is_mapped() { "::jsonb" } else { "" });
        return Ok(());
    };
    match last {
        Segment::Key(key) => {
            sql.push("(");
            at(sql, term, before)?;
            // No stored key holds U+0000: nothing is found at such a key.
            if nul::holds(key) {
                sql.push(" -> NULL::text)");
            } else {
                sql.push(" -> ").bind(Value::Text(key.to_string())).push(")");
            }
        }
        Segment::Index(index) => {
            sql.push("CASE jsonb_typeof(");
            at(sql, term, before)?;
            sql.push(") WHEN 'array' THEN ");
            at(sql, term, before)?;
            // Beyond the greatest index there is nothing.
            sql.push(" -> ").number((*index as usize).min(i32::MAX as usize)).push(" END");
        }
    }
    Ok(())
}

fn value_at(sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment]) -> Result<()> {
    sql.push("(");
    at(sql, term, path)?;
    sql.push(")");
    Ok(())
}

/// Whether a value is of a kind, then a test of it; a `CASE`, because `AND` may be evaluated in either order.
fn of_kind<'d>(
    sql: &mut Sql<'d>,
    term: &Term<'_>,
    path: &[Segment],
    kind: &'static str,
    test: impl FnOnce(&mut Sql<'d>) -> Result<()>,
) -> Result<()> {
    sql.push("CASE WHEN jsonb_typeof(");
    value_at(sql, term, path)?;
    sql.push(") = ").push(kind).push(" THEN ");
    test(sql)?;
    sql.push(" END");
    Ok(())
}

fn text_at(sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment]) -> Result<()> {
    sql.push("(");
    value_at(sql, term, path)?;
    sql.push(" #>> '{}'::text[]) COLLATE \"C\"");
    Ok(())
}

fn is_null(sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment]) -> Result<()> {
    sql.push("COALESCE(jsonb_typeof(");
    value_at(sql, term, path)?;
    sql.push("), 'null') = 'null'");
    Ok(())
}

fn never(sql: &mut Sql<'_>) -> Result<()> {
    sql.push("1 = 0");
    Ok(())
}

fn equal(sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment], value: &Value) -> Result<()> {
    match value {
        Value::Null => is_null(sql, term, path),
        // What lies at a path is never JSON null: that is null there.
        Value::Json(json) if json.is_null() || holds_nul(json) => never(sql),
        Value::Json(_) => {
            value_at(sql, term, path)?;
            sql.push(" = ").bind(value.clone());
            Ok(())
        }
        _ => never(sql),
    }
}

fn ordered(sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment], how: Comparison, value: &Value) -> Result<()> {
    let Value::Json(json) = value else { return never(sql) };
    match &**json {
        Json::Number(_) | Json::Bool(_) => {
            let kind = if json.is_boolean() { "'boolean'" } else { "'number'" };
            of_kind(sql, term, path, kind, |sql| {
                value_at(sql, term, path)?;
                sql.push(how.text()).bind(value.clone());
                Ok(())
            })
        }
        Json::String(text) => of_kind(sql, term, path, "'string'", |sql| {
            let (how, text) = nul::compared(how, text);
            text_at(sql, term, path)?;
            sql.push(how.text()).bind(Value::Text(text.to_owned()));
            Ok(())
        }),
        _ => never(sql),
    }
}

/// Tests what lies at a path, as [`Dialect::path_test`](crate::backends::sql::Dialect::path_test) asks.
pub(super) fn path_test(sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment], condition: &Condition) -> Result<()> {
    let complement = |sql: &mut Sql<'_>, test: &dyn Fn(&mut Sql<'_>) -> Result<()>| {
        sql.push("CASE WHEN ");
        test(sql)?;
        sql.push(" THEN 0 ELSE 1 END = 1");
        Ok(())
    };
    let any = |sql: &mut Sql<'_>, members: &[Value]| {
        sql.push("(");
        never(sql)?;
        for member in members {
            sql.push(" OR ");
            equal(sql, term, path, member)?;
        }
        sql.push(")");
        Ok(())
    };
    let text = |sql: &mut Sql<'_>, test: TextTest<'_>| {
        of_kind(sql, term, path, "'string'", |sql| text_test(sql, &|sql| text_at(sql, term, path), test, term))
    };
    match condition {
        Condition::Eq(value) => equal(sql, term, path, value),
        Condition::Ne(value) => complement(sql, &|sql| equal(sql, term, path, value)),
        Condition::Lt(value) => ordered(sql, term, path, Comparison::Lt, value),
        Condition::Le(value) => ordered(sql, term, path, Comparison::Le, value),
        Condition::Gt(value) => ordered(sql, term, path, Comparison::Gt, value),
        Condition::Ge(value) => ordered(sql, term, path, Comparison::Ge, value),
        Condition::Between(low, high) => {
            sql.push("(");
            ordered(sql, term, path, Comparison::Ge, low)?;
            sql.push(" AND ");
            ordered(sql, term, path, Comparison::Le, high)?;
            sql.push(")");
            Ok(())
        }
        Condition::IsNull => is_null(sql, term, path),
        Condition::IsSome => complement(sql, &|sql| is_null(sql, term, path)),
        Condition::In(members) => any(sql, members),
        Condition::NotIn(members) => complement(sql, &|sql| any(sql, members)),
        Condition::Contains(needle) => text(sql, TextTest::Contains(needle)),
        Condition::StartsWith(prefix) => text(sql, TextTest::StartsWith(prefix)),
        Condition::EndsWith(suffix) => text(sql, TextTest::EndsWith(suffix)),
        Condition::IContains(needle) => text(sql, TextTest::IContains(needle)),
        Condition::Like(pattern) => text(sql, TextTest::Like(pattern)),
        Condition::ILike(pattern) => text(sql, TextTest::ILike(pattern)),
        Condition::Regex(pattern) => text(sql, TextTest::Regex(pattern)),
        Condition::Matches(_) | Condition::Phrase(_) => Err(unsupported(sql.dialect().kind(), "a word search in JSON", term)),
        // What lies at a path is JSON, never a list field.
        Condition::Has(_) | Condition::HasAny(_) | Condition::HasAll(_) => never(sql),
    }
}
