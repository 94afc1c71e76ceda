//! Filters: two-valued, over a row of values.

use std::cell::RefCell;
use std::cmp::Ordering::{Equal, Greater, Less};
use std::collections::HashMap;

use heavenbase::filter::{Condition, Filter, Segment, Target};
use heavenbase::types::{Json, Value};

use super::compare::{equal, order};
use super::text::{holds_part, like, lower, words};

/// Whether a filter holds; `value` gives a field's value by name. An unknown field is a mistake of the test.
pub fn holds(filter: &Filter, value: &dyn Fn(&str) -> Value) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().all(|part| holds(part, value)),
        Filter::Or(parts) => parts.iter().any(|part| holds(part, value)),
        Filter::Not(inner) => !holds(inner, value),
        Filter::Test(test) => {
            let found = value(&test.field);
            let tested = match &test.target {
                Target::Value => found,
                Target::Length => match found {
                    Value::List(items) => Value::Int(items.len() as i64),
                    _ => Value::Null,
                },
                Target::Path(path) => at_path(&found, path),
            };
            condition_holds(&test.condition, &tested)
        }
    }
}

/// What lies at a path; a missing one is null, and so is a JSON `null` there.
fn at_path(value: &Value, path: &[Segment]) -> Value {
    let Value::Json(json) = value else { return Value::Null };
    let mut here: &Json = json;
    for segment in path {
        let next = match segment {
            Segment::Key(key) => here.as_object().and_then(|map| map.get(key.as_ref())),
            Segment::Index(index) => here.as_array().and_then(|items| items.get(*index as usize)),
        };
        match next {
            Some(json) => here = json,
            None => return Value::Null,
        }
    }
    if here.is_null() { Value::Null } else { Value::Json(Box::new(here.clone())) }
}

/// Whether a condition holds on a value.
pub fn condition_holds(condition: &Condition, value: &Value) -> bool {
    let text = match value {
        Value::Text(text) => Some(text.as_str()),
        Value::Json(json) => json.as_str(),
        _ => None,
    };
    let items = match value {
        Value::List(items) => Some(&items[..]),
        _ => None,
    };
    let characters = |text: &str| text.chars().collect::<Vec<char>>();
    let on_text = |test: &dyn Fn(&str) -> bool| text.is_some_and(test);
    let on_list = |test: &dyn Fn(&[Value]) -> bool| items.is_some_and(test);
    let holds_item = |items: &[Value], wanted: &Value| items.iter().any(|item| equal(item, wanted));
    match condition {
        Condition::Eq(other) => equal(value, other),
        Condition::Ne(other) => !equal(value, other),
        Condition::Lt(other) => order(value, other) == Some(Less),
        Condition::Le(other) => matches!(order(value, other), Some(Less | Equal)),
        Condition::Gt(other) => order(value, other) == Some(Greater),
        Condition::Ge(other) => matches!(order(value, other), Some(Greater | Equal)),
        Condition::Between(low, high) => {
            matches!(order(value, low), Some(Greater | Equal)) && matches!(order(value, high), Some(Less | Equal))
        }
        Condition::IsNull => value.is_null(),
        Condition::IsSome => !value.is_null(),
        Condition::In(members) => members.iter().any(|member| equal(value, member)),
        Condition::NotIn(members) => !members.iter().any(|member| equal(value, member)),
        Condition::Contains(part) => on_text(&|text| holds_part(&characters(text), &characters(part))),
        Condition::StartsWith(part) => on_text(&|text| text.as_bytes().starts_with(part.as_bytes())),
        Condition::EndsWith(part) => on_text(&|text| text.as_bytes().ends_with(part.as_bytes())),
        Condition::IContains(part) => on_text(&|text| holds_part(&lower(text), &lower(part))),
        Condition::Like(pattern) => on_text(&|text| like(&characters(text), &characters(pattern))),
        Condition::ILike(pattern) => on_text(&|text| like(&lower(text), &lower(pattern))),
        // "Rust `regex` syntax" is what the document says: the crate is the definition.
        Condition::Regex(pattern) => on_text(&|text| regex_matches(pattern, text)),
        Condition::Matches(query) => on_text(&|text| {
            let found = words(text);
            words(query).iter().all(|word| found.contains(word))
        }),
        Condition::Phrase(query) => on_text(&|text| {
            let (found, wanted) = (words(text), words(query));
            wanted.is_empty() || (0..found.len()).any(|at| found[at..].starts_with(&wanted))
        }),
        Condition::Has(wanted) => on_list(&|items| holds_item(items, wanted)),
        Condition::HasAny(wanted) => on_list(&|items| wanted.iter().any(|one| holds_item(items, one))),
        Condition::HasAll(wanted) => on_list(&|items| wanted.iter().all(|one| holds_item(items, one))),
    }
}

/// Compiling takes much longer than matching: each thread keeps the patterns of its run.
fn regex_matches(pattern: &str, text: &str) -> bool {
    thread_local! {
        static COMPILED: RefCell<HashMap<String, Option<regex::Regex>>> = RefCell::default();
    }
    COMPILED.with_borrow_mut(|compiled| {
        let regex = compiled.entry(pattern.to_owned()).or_insert_with(|| regex::Regex::new(pattern).ok());
        regex.as_ref().is_some_and(|regex| regex.is_match(text))
    })
}
