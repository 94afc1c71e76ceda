//! JSON as it is stored, a digest beside it for equality, and tests of what lies at a path.
//!
//! The servers' own equality of JSON goes through doubles, and loses the last digits of long integers. So a column beside
//! each JSON column keeps a digest of the value's canonical form; and at a path, integers compare as decimals and floats as
//! doubles, each with an operand that was made for its kind.

use serde::Serialize;

use super::dialect::{MySqlDialect, text_test};
use crate::backends::sql::forms::float;
use crate::backends::sql::{Comparison, Sql, Term, TextTest, ddl, shadow, unsupported};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Condition, Segment};
use crate::schema::Column;
use crate::types::{Json, Value};

struct WithPoints;

impl serde_json::ser::Formatter for WithPoints {
    fn write_f64<W: std::io::Write + ?Sized>(&mut self, writer: &mut W, number: f64) -> std::io::Result<()> {
        writer.write_all(float(number).as_bytes())
    }
}

/// A JSON value as it is stored.
pub(super) fn text(json: &Json) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, WithPoints);
    // Writing a JSON value into memory cannot fail.
    let _ = json.serialize(&mut serializer);
    String::from_utf8(bytes).unwrap_or_default()
}

/// The name of the column that holds the digest. No field's column has such a name.
pub(super) fn digest_name(column: &Column) -> String {
    ddl::beside_name(column, "json")
}

/// What equals only for equal JSON values.
pub(super) fn digest(json: &Json) -> Value {
    shadow::digest_bytes(&Value::Json(Box::new(json.clone())))
}

fn depth(json: &Json) -> usize {
    match json {
        Json::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Json::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 1,
    }
}

/// Refuses a value that nests deeper than the server reads.
pub(super) fn check(dialect: &MySqlDialect, value: &Value, field: &'static str) -> Result<()> {
    let most = dialect.server.json_depth();
    if let Value::Json(json) = value
        && depth(json) > most
    {
        let why = format!(
            "a JSON value of more than {most} levels, which {} cannot look into: store it flatter, or as Text",
            dialect.server.name()
        );
        return Err(Error::new(ErrorKind::InvalidValue, why).at_field(field));
    }
    Ok(())
}

/// Largest index that is asked for: no value of the server's holds so many items.
const MOST_ITEMS: u32 = 1 << 30;

/// Whether a path can be said in the servers' path language.
pub(super) fn takes_path(path: &[Segment]) -> bool {
    path.iter().all(|segment| match segment {
        Segment::Key(key) => !key.chars().any(char::is_control),
        Segment::Index(_) => true,
    })
}

/// Whether an operand can be compared at a path: of arrays and objects only whole columns have digests.
pub(super) fn takes_operands(condition: &Condition) -> bool {
    let scalar = |value: &Value| !matches!(value, Value::Json(json) if json.is_array() || json.is_object());
    match condition {
        Condition::Eq(value) | Condition::Ne(value) => scalar(value),
        Condition::In(members) | Condition::NotIn(members) => members.iter().all(scalar),
        _ => true,
    }
}

fn path_text(path: &[Segment]) -> String {
    path.iter().fold(String::from("$"), |text, segment| match segment {
        // A string can always be written.
        Segment::Key(key) => text + "." + &serde_json::to_string(key).unwrap_or_default(),
        Segment::Index(index) => text + &format!("[{index}]"),
    })
}

fn extract(sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment]) {
    if path.is_empty() {
        term.write_column(sql);
        return;
    }
    sql.push("JSON_EXTRACT(");
    term.write_column(sql);
    sql.push(", ").bind(Value::Text(path_text(path))).push(")");
}

/// Writes the value at a path; null where nothing is.
fn value_at(sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment]) {
    let indexes: Vec<usize> = (0..path.len()).filter(|&i| matches!(path[i], Segment::Index(_))).collect();
    if path.iter().any(|segment| matches!(segment, Segment::Index(index) if *index > MOST_ITEMS)) {
        sql.push("NULL");
        return;
    }
    if indexes.is_empty() {
        return extract(sql, term, path);
    }
    // To the servers, `[0]` of what is no array is the thing itself.
    sql.push("CASE WHEN ");
    for (i, &at) in indexes.iter().enumerate() {
        sql.push(if i > 0 { " AND CAST(JSON_TYPE(" } else { "CAST(JSON_TYPE(" });
        extract(sql, term, &path[..at]);
        sql.push(") AS CHAR) = 'ARRAY'");
    }
    sql.push(" THEN ");
    extract(sql, term, path);
    sql.push(" END");
}

fn text_at(sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment]) -> Result<()> {
    sql.push("JSON_UNQUOTE(");
    value_at(sql, term, path);
    sql.push(")");
    Ok(())
}

/// Opens a choice by the kind of the value; a `CAST`, because MySQL does not compare its collation with that of our words.
fn kind(sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment]) {
    sql.push("CASE CAST(JSON_TYPE(");
    value_at(sql, term, path);
    sql.push(") AS CHAR)");
}

fn is_null(sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment]) -> Result<()> {
    sql.push("COALESCE(CAST(JSON_TYPE(");
    value_at(sql, term, path);
    sql.push(") AS CHAR), 'NULL') = 'NULL'");
    Ok(())
}

fn never(sql: &mut Sql<'_>) -> Result<()> {
    sql.push("1 = 0");
    Ok(())
}

/// What a number is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound<T> {
    Never,
    Always,
    With(Comparison, T),
}

/// Beyond, a float is greater than every integer of 64 bits.
const FAR: f64 = (1u128 << 70) as f64;

/// An integer against an operand.
fn whole_bound(how: Comparison, operand: &serde_json::Number) -> Bound<i128> {
    let whole = operand.as_i64().map(i128::from).or_else(|| operand.as_u64().map(i128::from));
    if let Some(whole) = whole {
        return Bound::With(how, whole);
    }
    let Some(float) = operand.as_f64() else { return Bound::Never };
    let below = matches!(how, Comparison::Lt | Comparison::Le);
    if float.abs() >= FAR {
        return if how != Comparison::Eq && below == (float > 0.0) { Bound::Always } else { Bound::Never };
    }
    let floor = float.floor() as i128;
    match how {
        _ if float.fract() == 0.0 => Bound::With(how, floor),
        Comparison::Lt | Comparison::Le => Bound::With(Comparison::Le, floor),
        Comparison::Gt | Comparison::Ge => Bound::With(Comparison::Gt, floor),
        _ => Bound::Never,
    }
}

/// A float against an operand: an integer between two floats becomes the nearer, with the comparison that then holds.
fn float_bound(how: Comparison, operand: &serde_json::Number) -> Bound<f64> {
    let whole = operand.as_i64().map(i128::from).or_else(|| operand.as_u64().map(i128::from));
    let Some(whole) = whole else {
        return operand.as_f64().map_or(Bound::Never, |float| Bound::With(how, float));
    };
    let near = whole as f64;
    match ((near as i128).cmp(&whole), how) {
        (std::cmp::Ordering::Equal, _) => Bound::With(how, near),
        (_, Comparison::Eq) => Bound::Never,
        (std::cmp::Ordering::Greater, Comparison::Lt | Comparison::Le) => Bound::With(Comparison::Lt, near),
        (std::cmp::Ordering::Greater, _) => Bound::With(Comparison::Ge, near),
        (std::cmp::Ordering::Less, Comparison::Lt | Comparison::Le) => Bound::With(Comparison::Le, near),
        (std::cmp::Ordering::Less, _) => Bound::With(Comparison::Gt, near),
    }
}

fn bounded<T>(sql: &mut Sql<'_>, bound: Bound<T>, test: impl FnOnce(&mut Sql<'_>, &'static str, T)) {
    match bound {
        Bound::Never => drop(sql.push("1 = 0")),
        Bound::Always => drop(sql.push("1 = 1")),
        Bound::With(how, operand) => test(sql, how.text(), operand),
    }
}

fn number(sql: &mut Sql<'_>, term: &Term<'_>, path: &[Segment], how: Comparison, operand: &serde_json::Number) {
    let whole = |sql: &mut Sql<'_>| {
        bounded(sql, whole_bound(how, operand), |sql, operator, operand| {
            // From its text: MySQL turns JSON numbers of 2^63 and more into negative decimals.
            sql.push("CAST(JSON_UNQUOTE(");
            value_at(sql, term, path);
            sql.push(") AS DECIMAL(65, 0))")
                .push(operator)
                .push("CAST(")
                .bind(Value::Text(operand.to_string()))
                .push(" AS DECIMAL(65, 0))");
        });
    };
    let float = |sql: &mut Sql<'_>| {
        bounded(sql, float_bound(how, operand), |sql, operator, operand| {
            sql.push("(");
            value_at(sql, term, path);
            sql.push(" + 0e0)").push(operator).bind(Value::Float(operand));
        });
    };
    kind(sql, term, path);
    for name in [" WHEN 'INTEGER' THEN ", " WHEN 'UNSIGNED INTEGER' THEN "] {
        sql.push(name);
        whole(sql);
    }
    for name in [" WHEN 'DOUBLE' THEN ", " WHEN 'DECIMAL' THEN "] {
        sql.push(name);
        float(sql);
    }
    sql.push(" END");
}

fn compared(sql: &mut Sql<'_>, dialect: &MySqlDialect, term: &Term<'_>, path: &[Segment], how: Comparison, value: &Value) -> Result<()> {
    let Value::Json(json) = value else { return never(sql) };
    match &**json {
        Json::Number(operand) => number(sql, term, path, how, operand),
        Json::Bool(operand) => {
            // The words `false` and `true` order as what they stand for.
            kind(sql, term, path);
            sql.push(" WHEN 'BOOLEAN' THEN ");
            dialect.by_bytes(sql, &|sql| text_at(sql, term, path))?;
            sql.push(how.text()).push(if *operand { "'true' END" } else { "'false' END" });
        }
        Json::String(operand) => {
            kind(sql, term, path);
            sql.push(" WHEN 'STRING' THEN ");
            dialect.by_bytes(sql, &|sql| text_at(sql, term, path))?;
            sql.push(how.text());
            dialect.bind_text(sql, operand);
            sql.push(" END");
        }
        // What lies at a path is never JSON null: that is null there. Arrays and objects are not taken.
        _ => return never(sql),
    }
    Ok(())
}

fn equal(sql: &mut Sql<'_>, dialect: &MySqlDialect, term: &Term<'_>, path: &[Segment], value: &Value) -> Result<()> {
    match value {
        Value::Null => is_null(sql, term, path),
        _ => compared(sql, dialect, term, path, Comparison::Eq, value),
    }
}

/// Tests what lies at a path, as [`Dialect::path_test`](crate::backends::sql::Dialect::path_test) asks.
pub(super) fn path_test(sql: &mut Sql<'_>, dialect: &MySqlDialect, term: &Term<'_>, path: &[Segment], condition: &Condition) -> Result<()> {
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
            equal(sql, dialect, term, path, member)?;
        }
        sql.push(")");
        Ok(())
    };
    let text = |sql: &mut Sql<'_>, test: TextTest<'_>| {
        kind(sql, term, path);
        sql.push(" WHEN 'STRING' THEN ");
        text_test(sql, dialect, &|sql| text_at(sql, term, path), false, test)?;
        sql.push(" END");
        Ok(())
    };
    match condition {
        Condition::Eq(value) => equal(sql, dialect, term, path, value),
        Condition::Ne(value) => complement(sql, &|sql| equal(sql, dialect, term, path, value)),
        Condition::Lt(value) => compared(sql, dialect, term, path, Comparison::Lt, value),
        Condition::Le(value) => compared(sql, dialect, term, path, Comparison::Le, value),
        Condition::Gt(value) => compared(sql, dialect, term, path, Comparison::Gt, value),
        Condition::Ge(value) => compared(sql, dialect, term, path, Comparison::Ge, value),
        Condition::Between(low, high) => {
            sql.push("(");
            compared(sql, dialect, term, path, Comparison::Ge, low)?;
            sql.push(" AND ");
            compared(sql, dialect, term, path, Comparison::Le, high)?;
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
        Condition::Regex(_) => Err(unsupported(dialect.kind, "a regular expression in JSON", term)),
        Condition::Matches(_) | Condition::Phrase(_) => Err(unsupported(dialect.kind, "a word search in JSON", term)),
        // What lies at a path is JSON, never a list field.
        Condition::Has(_) | Condition::HasAny(_) | Condition::HasAll(_) => never(sql),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_have_a_point_and_read_back() {
        for number in [0.0, -0.0, 1.0, 1e21, 5e-324, f64::MAX, -2.25, 1e16, 0.1] {
            let text = float(number);
            assert!(text.contains('.'), "{text}");
            assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(number.to_bits()), "{text}");
        }
    }

    #[test]
    fn integers_and_floats_compare_exactly() {
        let number = |text: &str| serde_json::from_str::<serde_json::Number>(text).unwrap_or_else(|_| 0.into());
        let big = number("9007199254740993");
        // 2^53 + 1 lies between two floats; the nearer is 2^53.
        assert_eq!(float_bound(Comparison::Eq, &big), Bound::Never);
        assert_eq!(float_bound(Comparison::Lt, &big), Bound::With(Comparison::Le, 9007199254740992.0));
        assert_eq!(float_bound(Comparison::Ge, &big), Bound::With(Comparison::Gt, 9007199254740992.0));
        assert_eq!(float_bound(Comparison::Le, &number("18446744073709551615")), Bound::With(Comparison::Lt, 18446744073709551616.0));
        assert_eq!(whole_bound(Comparison::Lt, &number("0.5")), Bound::With(Comparison::Le, 0));
        assert_eq!(whole_bound(Comparison::Ge, &number("-0.5")), Bound::With(Comparison::Gt, -1));
        assert_eq!(whole_bound(Comparison::Eq, &number("2.0")), Bound::With(Comparison::Eq, 2));
        assert_eq!(whole_bound(Comparison::Lt, &number("1e300")), Bound::Always);
        assert_eq!(whole_bound(Comparison::Lt, &number("-1e300")), Bound::Never);
    }
}
