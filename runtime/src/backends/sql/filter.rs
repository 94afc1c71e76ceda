//! Filters as SQL. Negation is pushed down to the tests; see the room's notes on two-valued logic.

use super::{Comparison, HasTest, Sql, Term, TextTest};
use crate::error::Result;
use crate::filter::{Condition, Filter, Target, Test, compile_like, compile_regex};
use crate::schema::Part;
use crate::types::{LogicalType, Value, words};

/// Writes a condition on the row `t` that is TRUE exactly where the filter holds.
///
/// # Errors
/// [`InvalidQuery`](crate::ErrorKind::InvalidQuery) for an unknown field or a bad pattern,
/// [`Unsupported`](crate::ErrorKind::Unsupported) for a test that the dialect does not take.
pub fn write_filter(sql: &mut Sql<'_>, part: &Part, filter: &Filter) -> Result<()> {
    node(sql, part, filter, false)
}

fn node(sql: &mut Sql<'_>, part: &Part, filter: &Filter, negated: bool) -> Result<()> {
    match (filter, negated) {
        (Filter::And(parts), false) | (Filter::Or(parts), true) => join(sql, part, parts, negated, " AND ", true),
        (Filter::Or(parts), false) | (Filter::And(parts), true) => join(sql, part, parts, negated, " OR ", false),
        (Filter::Not(inner), _) => node(sql, part, inner, !negated),
        (Filter::Test(test), _) => test_node(sql, part, test, negated).map_err(|e| e.at_field(test.field.to_string())),
    }
}

fn join(sql: &mut Sql<'_>, part: &Part, parts: &[Filter], negated: bool, word: &'static str, empty: bool) -> Result<()> {
    match parts {
        [] => always(sql, empty),
        [only] => node(sql, part, only, negated),
        _ => {
            sql.push("(");
            sql.list(parts, word, |sql, inner| node(sql, part, inner, negated))?;
            sql.push(")");
            Ok(())
        }
    }
}

fn constant(sql: &mut Sql<'_>, holds: bool) {
    sql.push(if holds { "1 = 1" } else { "1 = 0" });
}

/// [`constant`], as the whole of a test.
fn always(sql: &mut Sql<'_>, holds: bool) -> Result<()> {
    constant(sql, holds);
    Ok(())
}

fn test_node(sql: &mut Sql<'_>, part: &Part, test: &Test, negated: bool) -> Result<()> {
    let term = Term::field(part, &test.field)?;
    match &test.target {
        Target::Value => value_test(sql, &term, &test.condition, negated),
        Target::Length => value_test(sql, &term.length(), &test.condition, negated),
        Target::Path(path) => {
            check_pattern(&test.condition)?;
            complement(sql, negated, |sql| sql.dialect().path_test(sql, &term, path, &test.condition))
        }
    }
}

/// Writes a test, or its exact complement: a `CASE` takes NULL for false.
fn complement<'d>(sql: &mut Sql<'d>, negated: bool, test: impl FnOnce(&mut Sql<'d>) -> Result<()>) -> Result<()> {
    if !negated {
        return test(sql);
    }
    sql.push("CASE WHEN ");
    test(sql)?;
    sql.push(" THEN 0 ELSE 1 END = 1");
    Ok(())
}

fn value_test(sql: &mut Sql<'_>, term: &Term<'_>, condition: &Condition, negated: bool) -> Result<()> {
    let text = |sql: &mut Sql<'_>, test: TextTest<'_>| complement(sql, negated, |sql| sql.dialect().text_test(sql, term, test));
    check_pattern(condition)?;
    match condition {
        Condition::Eq(value) => equal(sql, term, value, negated),
        Condition::Ne(value) => equal(sql, term, value, !negated),
        Condition::Lt(value) => ordered(sql, term, Comparison::Lt, value, negated),
        Condition::Le(value) => ordered(sql, term, Comparison::Le, value, negated),
        Condition::Gt(value) => ordered(sql, term, Comparison::Gt, value, negated),
        Condition::Ge(value) => ordered(sql, term, Comparison::Ge, value, negated),
        Condition::Between(low, high) => {
            sql.push("(");
            ordered(sql, term, Comparison::Ge, low, negated)?;
            sql.push(if negated { " OR " } else { " AND " });
            ordered(sql, term, Comparison::Le, high, negated)?;
            sql.push(")");
            Ok(())
        }
        Condition::IsNull => is_null(sql, term, !negated),
        Condition::IsSome => is_null(sql, term, negated),
        Condition::In(members) => member(sql, term, members, negated),
        Condition::NotIn(members) => member(sql, term, members, !negated),
        Condition::Contains(needle) => text(sql, TextTest::Contains(needle)),
        Condition::StartsWith(prefix) => text(sql, TextTest::StartsWith(prefix)),
        Condition::EndsWith(suffix) => text(sql, TextTest::EndsWith(suffix)),
        Condition::IContains(needle) => text(sql, TextTest::IContains(needle)),
        Condition::Like(pattern) => text(sql, TextTest::Like(pattern)),
        Condition::ILike(pattern) => text(sql, TextTest::ILike(pattern)),
        Condition::Regex(pattern) => text(sql, TextTest::Regex(pattern)),
        Condition::Matches(query) => words_test(sql, term, query, false, negated),
        Condition::Phrase(query) => words_test(sql, term, query, true, negated),
        Condition::Has(item) => has(sql, term, HasTest::Any, std::slice::from_ref(item), negated),
        Condition::HasAny(items) => has(sql, term, HasTest::Any, items, negated),
        Condition::HasAll(items) => has(sql, term, HasTest::All, items, negated),
    }
}

/// A pattern that does not compile is refused before anything runs, whatever the engine thinks of it.
fn check_pattern(condition: &Condition) -> Result<()> {
    match condition {
        Condition::Regex(pattern) => compile_regex(pattern).map(drop),
        Condition::Like(pattern) => compile_like(pattern, false).map(drop),
        Condition::ILike(pattern) => compile_like(pattern, true).map(drop),
        _ => Ok(()),
    }
}

fn is_null(sql: &mut Sql<'_>, term: &Term<'_>, wanted: bool) -> Result<()> {
    if !term.nullable() {
        constant(sql, !wanted);
        return Ok(());
    }
    term.write_column(sql);
    sql.push(if wanted { " IS NULL" } else { " IS NOT NULL" });
    Ok(())
}

fn equal(sql: &mut Sql<'_>, term: &Term<'_>, value: &Value, negated: bool) -> Result<()> {
    if value.is_null() {
        return is_null(sql, term, !negated);
    }
    if !fits(&term.logical(), value) || infinite(value).is_some() {
        constant(sql, negated);
        return Ok(());
    }
    match (term.logical(), value) {
        (LogicalType::Json, Value::Json(json)) => complement(sql, negated, |sql| sql.dialect().json_equal(sql, term, json)),
        (LogicalType::List(_), list) => complement(sql, negated, |sql| sql.dialect().list_equal(sql, term, list)),
        _ => compared(sql, term, Comparison::Eq, value, negated),
    }
}

fn ordered(sql: &mut Sql<'_>, term: &Term<'_>, how: Comparison, value: &Value, negated: bool) -> Result<()> {
    let orders = !matches!(term.logical(), LogicalType::List(_) | LogicalType::Vector(_));
    if !orders || !fits(&term.logical(), value) {
        constant(sql, negated);
        return Ok(());
    }
    if let Some(number) = infinite(value) {
        let below = matches!(how, Comparison::Lt | Comparison::Le);
        // Every stored float is finite: it is below infinity and above its negative; NaN compares with nothing.
        let holds = if below { number > 0.0 } else { number < 0.0 };
        return if holds { is_null(sql, term, negated) } else { always(sql, negated) };
    }
    compared(sql, term, how, value, negated)
}

fn compared(sql: &mut Sql<'_>, term: &Term<'_>, how: Comparison, value: &Value, negated: bool) -> Result<()> {
    if !negated {
        return compare(sql, term, how, value);
    }
    let or_null = term.nullable();
    if or_null {
        sql.push("(");
    }
    compare(sql, term, how.complement(), value)?;
    if or_null {
        sql.push(" OR ");
        term.write_column(sql);
        sql.push(" IS NULL)");
    }
    Ok(())
}

/// Compares a plain term with a value; an id whose key is a number or a UUID by that key where it means the same, so that
/// the key's index serves.
///
/// # Errors
/// As [`Dialect::compare`](super::Dialect::compare).
pub fn compare(sql: &mut Sql<'_>, term: &Term<'_>, how: Comparison, value: &Value) -> Result<()> {
    if !term.is_derived_id() {
        return sql.dialect().compare(sql, term, how, value);
    }
    let kind = term.part.key().kind;
    let by_key = kind.sorts_as_text() && sql.dialect().sorts_uuids_by_bytes();
    match (how, value.as_text().and_then(|id| kind.value(id))) {
        (Comparison::Eq, None) => always(sql, false),
        (Comparison::Ne, None) => always(sql, true),
        (how, Some(key)) if by_key || matches!(how, Comparison::Eq | Comparison::Ne) => {
            sql.dialect().compare(sql, &Term::key(term.part), how, &key)
        }
        _ => sql.dialect().compare(sql, term, how, value),
    }
}

fn is_member(sql: &mut Sql<'_>, term: &Term<'_>, members: &[Value]) -> Result<()> {
    if !term.is_derived_id() {
        return sql.dialect().is_member(sql, term, members);
    }
    let kind = term.part.key().kind;
    let keys: Vec<Value> = members.iter().filter_map(Value::as_text).filter_map(|id| kind.value(id)).collect();
    if keys.is_empty() { always(sql, false) } else { sql.dialect().is_member(sql, &Term::key(term.part), &keys) }
}

fn member(sql: &mut Sql<'_>, term: &Term<'_>, members: &[Value], negated: bool) -> Result<()> {
    let logical = term.logical();
    let with_null = members.iter().any(Value::is_null) && term.nullable();
    let values: Vec<Value> = members.iter().filter(|m| !m.is_null() && fits(&logical, m) && infinite(m).is_none()).cloned().collect();
    let plain = !matches!(logical, LogicalType::Json | LogicalType::List(_));
    if plain && !values.is_empty() && !with_null && !negated {
        return is_member(sql, term, &values);
    }
    complement(sql, negated, |sql| {
        sql.push("(");
        constant(sql, false);
        if with_null {
            sql.push(" OR ");
            is_null(sql, term, true)?;
        }
        if plain && !values.is_empty() {
            sql.push(" OR ");
            is_member(sql, term, &values)?;
        } else {
            for value in &values {
                sql.push(" OR ");
                equal(sql, term, value, false)?;
            }
        }
        sql.push(")");
        Ok(())
    })
}

fn words_test(sql: &mut Sql<'_>, term: &Term<'_>, query: &str, phrase: bool, negated: bool) -> Result<()> {
    let wanted: Vec<String> = words(query).collect();
    if wanted.is_empty() {
        return is_null(sql, term, negated);
    }
    complement(sql, negated, |sql| sql.dialect().words_test(sql, term, &wanted, phrase))
}

fn has(sql: &mut Sql<'_>, term: &Term<'_>, test: HasTest, items: &[Value], negated: bool) -> Result<()> {
    let LogicalType::List(item) = term.logical() else {
        constant(sql, negated);
        return Ok(());
    };
    let possible: Vec<Value> = items.iter().filter(|i| fits(item, i) && infinite(i).is_none()).cloned().collect();
    match test {
        HasTest::All if items.is_empty() => is_null(sql, term, negated),
        HasTest::All if possible.len() < items.len() => always(sql, negated),
        HasTest::Any if possible.is_empty() => always(sql, negated),
        _ => complement(sql, negated, |sql| sql.dialect().list_test(sql, term, test, &possible)),
    }
}

/// The float, when it is infinite or NaN: no stored value equals it.
fn infinite(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) if !number.is_finite() => Some(*number),
        _ => None,
    }
}

/// Whether a value is of a type's family: values of another family equal nothing and compare with nothing.
pub fn fits(logical: &LogicalType, value: &Value) -> bool {
    match (logical, value) {
        (LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_), Value::Text(_))
        | (LogicalType::Bool, Value::Bool(_))
        | (LogicalType::Int { .. }, Value::Int(_))
        | (LogicalType::Float, Value::Float(_))
        | (LogicalType::Decimal { .. }, Value::Decimal(_))
        | (LogicalType::Bytes, Value::Bytes(_))
        | (LogicalType::Timestamp, Value::Timestamp(_))
        | (LogicalType::Date, Value::Date(_))
        | (LogicalType::Duration, Value::Duration(_))
        | (LogicalType::Uuid, Value::Uuid(_))
        | (LogicalType::Json, Value::Json(_)) => true,
        (LogicalType::List(item), Value::List(items)) => items.iter().all(|i| fits(item, i) && infinite(i).is_none()),
        (LogicalType::Vector(n), Value::Vector(numbers)) => numbers.len() == *n as usize,
        _ => false,
    }
}
