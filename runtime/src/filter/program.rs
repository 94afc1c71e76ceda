use std::cmp::Ordering;

use regex::Regex;

use super::{Condition, Filter, Segment, Target, Test, compile_like, compile_regex};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Json, Value, compare, equal, lower_simple, words};

/// A filter made ready to run over rows: fields resolved to positions, patterns compiled, query words split.
#[derive(Debug)]
pub struct Program(Node);

#[derive(Debug)]
enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    Test { position: usize, target: Target, check: Check },
}

#[derive(Debug)]
enum Check {
    Plain(Condition),
    /// The lowered needle.
    IContains(String),
    /// The pattern, and whether the text is lowered first.
    Regex(Regex, bool),
    /// The words, and whether they stand side by side in order.
    Words(Vec<String>, bool),
}

impl Program {
    /// Prepares a filter; `position` says where a row holds a field.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`] for an unknown field or a pattern that does not compile.
    pub fn new(filter: &Filter, position: &dyn Fn(&str) -> Option<usize>) -> Result<Self> {
        Ok(Program(node(filter, position)?))
    }

    /// Whether the filter holds on a row; `value` gives the value at a position.
    pub fn holds<'a>(&self, value: &dyn Fn(usize) -> &'a Value) -> bool {
        holds(&self.0, value)
    }

    /// Whether the filter holds on a row laid out as a slice.
    pub fn holds_on(&self, row: &[Value]) -> bool {
        holds(&self.0, &|position| &row[position])
    }
}

fn node(filter: &Filter, position: &dyn Fn(&str) -> Option<usize>) -> Result<Node> {
    let nodes = |parts: &[Filter]| parts.iter().map(|p| node(p, position)).collect::<Result<Vec<_>>>();
    Ok(match filter {
        Filter::And(parts) => Node::And(nodes(parts)?),
        Filter::Or(parts) => Node::Or(nodes(parts)?),
        Filter::Not(inner) => Node::Not(Box::new(node(inner, position)?)),
        Filter::Test(test) => test_node(test, position)?,
    })
}

fn test_node(test: &Test, position: &dyn Fn(&str) -> Option<usize>) -> Result<Node> {
    let named = |e: Error| e.at_field(test.field.to_string());
    let position = position(&test.field)
        .ok_or_else(|| named(Error::new(ErrorKind::InvalidQuery, "the entity has no such field, or it is not stored here")))?;
    let check = match &test.condition {
        Condition::IContains(needle) => Check::IContains(lower_simple(needle)),
        Condition::Like(pattern) => Check::Regex(compile_like(pattern, false).map_err(named)?, false),
        Condition::ILike(pattern) => Check::Regex(compile_like(pattern, true).map_err(named)?, true),
        Condition::Regex(pattern) => Check::Regex(compile_regex(pattern).map_err(named)?, false),
        Condition::Matches(text) => Check::Words(words(text).collect(), false),
        Condition::Phrase(text) => Check::Words(words(text).collect(), true),
        other => Check::Plain(other.clone()),
    };
    Ok(Node::Test { position, target: test.target.clone(), check })
}

fn holds<'a>(node: &Node, value: &dyn Fn(usize) -> &'a Value) -> bool {
    match node {
        Node::And(parts) => parts.iter().all(|p| holds(p, value)),
        Node::Or(parts) => parts.iter().any(|p| holds(p, value)),
        Node::Not(inner) => !holds(inner, value),
        Node::Test { position, target, check } => {
            let found = value(*position);
            match target {
                Target::Value => check.holds(found),
                Target::Length => check.holds(&found.as_list().map_or(Value::Null, |items| Value::Int(items.len() as i64))),
                Target::Path(path) => check.holds(&at_path(found, path)),
            }
        }
    }
}

/// What lies at a path: strings as text and everything else as JSON; null where nothing does.
fn at_path(value: &Value, path: &[Segment]) -> Value {
    let Value::Json(json) = value else { return Value::Null };
    let step = |json: &'_ Json, segment: &Segment| -> Option<Json> {
        match (json, segment) {
            (Json::Object(map), Segment::Key(key)) => map.get(key.as_ref()).cloned(),
            (Json::Array(items), Segment::Index(index)) => items.get(*index as usize).cloned(),
            _ => None,
        }
    };
    let mut found: Option<Json> = None;
    for segment in path {
        match step(found.as_ref().unwrap_or(json), segment) {
            Some(next) => found = Some(next),
            None => return Value::Null,
        }
    }
    match found.unwrap_or_else(|| (**json).clone()) {
        Json::Null => Value::Null,
        other => Value::Json(Box::new(other)),
    }
}

/// The text of a text value, or of a JSON string.
fn text(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Json(json) => json.as_str(),
        _ => None,
    }
}

impl Check {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Check::Plain(condition) => condition_holds(condition, value),
            Check::IContains(needle) => text(value).is_some_and(|t| lower_simple(t).contains(needle)),
            Check::Regex(pattern, false) => text(value).is_some_and(|t| pattern.is_match(t)),
            Check::Regex(pattern, true) => text(value).is_some_and(|t| pattern.is_match(&lower_simple(t))),
            Check::Words(wanted, false) => text(value).is_some_and(|t| {
                let found: std::collections::HashSet<String> = words(t).collect();
                wanted.iter().all(|w| found.contains(w))
            }),
            Check::Words(wanted, true) => text(value).is_some_and(|t| {
                let found: Vec<String> = words(t).collect();
                wanted.is_empty() || found.windows(wanted.len()).any(|w| w == wanted.as_slice())
            }),
        }
    }
}

fn condition_holds(condition: &Condition, value: &Value) -> bool {
    let order = |other: &Value| compare(value, other);
    let list = |test: &dyn Fn(&[Value]) -> bool| value.as_list().is_some_and(test);
    match condition {
        Condition::Eq(other) => equal(value, other),
        Condition::Ne(other) => !equal(value, other),
        Condition::Lt(other) => order(other) == Some(Ordering::Less),
        Condition::Le(other) => order(other).is_some_and(Ordering::is_le),
        Condition::Gt(other) => order(other) == Some(Ordering::Greater),
        Condition::Ge(other) => order(other).is_some_and(Ordering::is_ge),
        Condition::Between(low, high) => order(low).is_some_and(Ordering::is_ge) && order(high).is_some_and(Ordering::is_le),
        Condition::IsNull => value.is_null(),
        Condition::IsSome => !value.is_null(),
        Condition::In(members) => members.iter().any(|m| equal(value, m)),
        Condition::NotIn(members) => !members.iter().any(|m| equal(value, m)),
        Condition::Contains(needle) => text(value).is_some_and(|t| t.contains(needle.as_str())),
        Condition::StartsWith(prefix) => text(value).is_some_and(|t| t.starts_with(prefix.as_str())),
        Condition::EndsWith(suffix) => text(value).is_some_and(|t| t.ends_with(suffix.as_str())),
        Condition::Has(item) => list(&|items| items.iter().any(|i| equal(i, item))),
        Condition::HasAny(wanted) => list(&|items| wanted.iter().any(|w| items.iter().any(|i| equal(i, w)))),
        Condition::HasAll(wanted) => list(&|items| wanted.iter().all(|w| items.iter().any(|i| equal(i, w)))),
        // Compiled into their own checks before.
        Condition::IContains(_)
        | Condition::Like(_)
        | Condition::ILike(_)
        | Condition::Regex(_)
        | Condition::Matches(_)
        | Condition::Phrase(_) => false,
    }
}
