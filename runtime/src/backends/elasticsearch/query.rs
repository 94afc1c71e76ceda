//! Filters as Elasticsearch's queries. A document matches a query or it does not, so `bool` has the two-valued logic of
//! `docs/semantics.md` by nature; what remains is to ask each test exactly.

use serde_json::json;

use super::document::{ID, field};
use super::{codec, text};
use crate::driver::native_only;
use crate::filter::{Condition, Filter, Target, Test};
use crate::schema::{Column, ID_COLUMN, Part};
use crate::types::{Json, LogicalType, Value, words};

/// Most tests of one query, and how deep it nests: servers allow 30 levels of `bool`, of which a filter level may
/// take two.
const MOST_TESTS: usize = 1_000;
const DEEPEST: usize = 12;

/// A filter as a query; `None` when some part of it has no exact form.
pub(super) fn of_filter(part: &Part, filter: &Filter) -> Option<Json> {
    let mut tests = 0;
    filter.for_each_test(&mut |test| tests += 1 + weight(test));
    if tests > MOST_TESTS || depth(filter) > DEEPEST { None } else { compile(part, filter) }
}

/// Whether a filter has an exact form.
pub(super) fn takes(part: &Part, filter: &Filter) -> bool {
    of_filter(part, filter).is_some()
}

/// How many queries a test becomes beyond its first.
fn weight(test: &Test) -> usize {
    match &test.condition {
        Condition::HasAll(items) => items.len(),
        Condition::Matches(text) => words(text).count(),
        Condition::In(members) | Condition::NotIn(members) => members.iter().filter(|m| m.as_text().is_some_and(text::is_long)).count(),
        _ => 0,
    }
}

fn depth(filter: &Filter) -> usize {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => 1 + parts.iter().map(depth).max().unwrap_or(0),
        Filter::Not(inner) => 1 + depth(inner),
        Filter::Test(_) => 1,
    }
}

fn compile(part: &Part, filter: &Filter) -> Option<Json> {
    let all = |parts: &[Filter]| parts.iter().map(|p| compile(part, p)).collect::<Option<Vec<_>>>();
    Some(match filter {
        Filter::And(parts) => every(all(parts)?),
        Filter::Or(parts) => any(all(parts)?),
        Filter::Not(inner) => not(compile(part, inner)?),
        Filter::Test(test) => of_test(part, test)?,
    })
}

/// All of these queries.
pub(super) fn every(queries: Vec<Json>) -> Json {
    if queries.is_empty() { json!({ "match_all": {} }) } else { json!({ "bool": { "filter": queries } }) }
}

/// Any of these queries.
fn any(queries: Vec<Json>) -> Json {
    if queries.is_empty() { nothing() } else { json!({ "bool": { "should": queries, "minimum_should_match": 1 } }) }
}

/// Exactly the documents that do not match.
pub(super) fn not(query: Json) -> Json {
    json!({ "bool": { "must_not": [query] } })
}

fn nothing() -> Json {
    json!({ "match_none": {} })
}

/// The documents that have a value in a field.
pub(super) fn exists(field: &str) -> Json {
    json!({ "exists": { "field": field } })
}

/// A query on one field: `{"term": {field: …}}`.
fn on(kind: &str, field: &str, what: Json) -> Json {
    json!({ kind: { field: what } })
}

/// The documents of these ids.
pub(super) fn of_ids<'a>(ids: impl Iterator<Item = &'a str>) -> Json {
    terms(ID, ids.map(Json::from).collect())
}

/// The documents whose field holds any of these. How many a server takes at once is seen to where the query is sent.
fn terms(field: &str, values: Vec<Json>) -> Json {
    if values.is_empty() { nothing() } else { on("terms", field, values.into()) }
}

/// What is asked of: a field and the type of its values.
struct Asked<'a> {
    field: String,
    logical: LogicalType,
    /// The column, where long text or words may be asked for.
    column: Option<&'a Column>,
}

impl Asked<'_> {
    /// The documents where nothing is there.
    fn null(&self) -> Json {
        if self.field == ID { nothing() } else { not(exists(&self.field)) }
    }

    fn some(&self) -> Json {
        if self.field == ID { every(Vec::new()) } else { exists(&self.field) }
    }

    /// The fields of a column whose text may be long.
    fn tall(&self) -> Option<&Column> {
        self.column.filter(|c| matches!(c.logical, LogicalType::Text { max } if text::is_tall(max)))
    }

    fn equals(&self, value: &Value) -> Json {
        if value.is_null() {
            return self.null();
        }
        let Some(term) = codec::indexed(&self.logical, value) else { return nothing() };
        let main = on("term", &self.field, json!({ "value": term }));
        match (value.as_text().filter(|t| text::is_long(t)), self.tall()) {
            (None, _) => main,
            (Some(long), Some(column)) => every(vec![main, on("term", &field("h", column), json!({ "value": text::digest(long) }))]),
            // Longer than anything the field can hold.
            (Some(_), None) => nothing(),
        }
    }

    fn one_of(&self, members: &[Value]) -> Json {
        let (alone, plain): (Vec<&Value>, Vec<&Value>) =
            members.iter().partition(|m| m.is_null() || m.as_text().is_some_and(text::is_long));
        let mut queries: Vec<Json> = alone.into_iter().map(|m| self.equals(m)).collect();
        let values: Vec<Json> = plain.into_iter().filter_map(|m| codec::indexed(&self.logical, m)).collect();
        if !values.is_empty() {
            queries.push(terms(&self.field, values));
        }
        any(queries)
    }

    /// `relation` is `lt`, `lte`, `gt` or `gte`. `None` when the operand is too long to be compared with terms.
    fn range(&self, relation: &str, value: &Value) -> Option<Json> {
        if let (LogicalType::Decimal { scale, .. }, Value::Decimal(n)) = (&self.logical, value) {
            let (mantissa, exact) = codec::scaled(*n, *scale);
            // Between two numbers of the field, the lower one is the greatest that is less.
            let relation = match (relation, exact) {
                ("lt" | "lte", false) => "lte",
                ("gt" | "gte", false) => "gt",
                (relation, _) => relation,
            };
            return Some(on("range", &self.field, json!({ relation: codec::decimal_term(mantissa) })));
        }
        if value.as_text().is_some_and(|t| t.len() > text::OPERAND) {
            return None;
        }
        // Bytes have an order for the evaluator, and none here; the table does not promise one.
        if matches!(self.logical, LogicalType::Bytes | LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_)) {
            return None;
        }
        match codec::indexed(&self.logical, value) {
            Some(term) => Some(on("range", &self.field, json!({ relation: term }))),
            None => Some(nothing()),
        }
    }

    /// Documents whose text, or a long text's pieces, match patterns. `whole` is asked of a short text, `pieces` of
    /// the pieces of a long one, each of which begins with a letter that says whether it is the last.
    fn patterns(&self, whole: &str, pieces: &str) -> Json {
        let short = on("wildcard", &self.field, json!({ "value": whole }));
        match self.tall() {
            None => short,
            Some(column) => {
                let not_long = json!({ "bool": { "filter": [short], "must_not": [exists(&field("h", column))] } });
                any(vec![not_long, on("wildcard", &field("p", column), json!({ "value": pieces }))])
            }
        }
    }
}

/// A test as a query; `None` when it has no exact form.
fn of_test(part: &Part, test: &Test) -> Option<Json> {
    if !native_only(part, test) {
        return None;
    }
    let column = part.column(&test.field).map(|(_, column)| column);
    match (&test.target, column) {
        (Target::Value, Some(column)) => match &test.condition {
            Condition::Has(item) => Some(has_any(column, std::slice::from_ref(item))),
            Condition::HasAny(items) => Some(has_any(column, items)),
            Condition::HasAll(items) => {
                let each = items.iter().map(|item| has_any(column, std::slice::from_ref(item)));
                Some(every(std::iter::once(exists(&field("l", column))).chain(each).collect()))
            }
            Condition::Matches(sought) => {
                let words = field("w", column);
                let each = words_of(sought).map(|token| on("term", &words, json!({ "value": token })));
                Some(every(std::iter::once(exists(&field("f", column))).chain(each).collect()))
            }
            Condition::Phrase(sought) => {
                let tokens = text::tokens(sought);
                let phrase = on("match_phrase", &field("w", column), json!({ "query": tokens, "analyzer": "whitespace", "slop": 0 }));
                Some(if tokens.is_empty() { exists(&field("f", column)) } else { phrase })
            }
            condition => of_condition(&Asked { field: field("f", column), logical: column.logical, column: Some(column) }, condition),
        },
        (Target::Length, Some(column)) => {
            of_condition(&Asked { field: field("l", column), logical: LogicalType::INT, column: None }, &test.condition)
        }
        (Target::Value, None) if test.field == ID_COLUMN => {
            of_condition(&Asked { field: ID.into(), logical: LogicalType::Id, column: None }, &test.condition)
        }
        _ => None,
    }
}

fn words_of(sought: &str) -> impl Iterator<Item = String> + '_ {
    words(sought).map(|word| text::token(&word))
}

/// The lists that hold one of these items.
fn has_any(column: &Column, items: &[Value]) -> Json {
    terms(&field("i", column), items.iter().filter(|i| !i.is_null()).map(|i| codec::item_term(i).into()).collect())
}

fn of_condition(asked: &Asked<'_>, condition: &Condition) -> Option<Json> {
    let fits = |needle: &str| needle.chars().count() <= text::NEEDLE;
    Some(match condition {
        Condition::Eq(value) => asked.equals(value),
        Condition::Ne(value) => not(asked.equals(value)),
        Condition::In(members) => asked.one_of(members),
        Condition::NotIn(members) => not(asked.one_of(members)),
        Condition::IsNull => asked.null(),
        Condition::IsSome => asked.some(),
        Condition::Lt(value) => asked.range("lt", value)?,
        Condition::Le(value) => asked.range("lte", value)?,
        Condition::Gt(value) => asked.range("gt", value)?,
        Condition::Ge(value) => asked.range("gte", value)?,
        Condition::Between(low, high) => every(vec![asked.range("gte", low)?, asked.range("lte", high)?]),
        Condition::Contains(needle) | Condition::StartsWith(needle) | Condition::EndsWith(needle) if needle.is_empty() => asked.some(),
        Condition::StartsWith(prefix) if prefix.len() <= text::OPERAND => on("prefix", &asked.field, json!({ "value": prefix })),
        Condition::Contains(needle) if fits(needle) => {
            let needle = text::escaped(needle);
            asked.patterns(&format!("*{needle}*"), &format!("?*{needle}*"))
        }
        Condition::EndsWith(suffix) if fits(suffix) => {
            let suffix = text::escaped(suffix);
            asked.patterns(&format!("*{suffix}"), &format!("e*{suffix}"))
        }
        _ => return None,
    })
}
