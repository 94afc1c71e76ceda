//! Checks a query that nobody's compiler checked: fields, operands, patterns, capabilities.

use super::Target;
use crate::capability::{Operation, Support, questions};
use crate::driver::Narrowed;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Condition, Filter, Target as Tested, Test, compile_like, compile_regex};
use crate::query::FieldRef;
use crate::schema::{Column, ID_COLUMN};
use crate::types::{Id, LogicalType, Metric, Value};

/// Most tests in one filter, and deepest nesting.
const MOST_TESTS: usize = 10_000;
const DEEPEST: usize = 64;

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidQuery, message)
}

/// Checks a whole filter. `scan` allows reading every row for any of its tests.
pub(super) fn filter(filter: &Filter, target: &Target, scan: bool) -> Result<()> {
    if depth(filter) > DEEPEST {
        return Err(Error::new(ErrorKind::LimitExceeded, format!("the filter is nested deeper than {DEEPEST}")));
    }
    let (mut count, mut failed) = (0usize, None);
    filter.for_each_test(&mut |test| {
        count += 1;
        if failed.is_none() {
            failed = self::test(test, target, scan).err();
        }
    });
    if count > MOST_TESTS {
        return Err(Error::new(
            ErrorKind::LimitExceeded,
            format!("the filter has more than {MOST_TESTS} tests: use in_list for many values"),
        ));
    }
    failed.map_or(Ok(()), Err)
}

fn depth(filter: &Filter) -> usize {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => 1 + parts.iter().map(depth).max().unwrap_or(0),
        Filter::Not(inner) => 1 + depth(inner),
        Filter::Test(_) => 1,
    }
}

fn test(test: &Test, target: &Target, scan: bool) -> Result<()> {
    let named = |e: Error| e.of_entity(target.routing.entity.name).at_field(test.field.to_string());
    if test.field == ID_COLUMN {
        return id_operands(&test.condition).map_err(named);
    }
    let reference = FieldRef { name: test.field.clone(), on: test.on.clone(), scan: test.scan };
    let (part, column) = column(&reference, target)?;
    operands(test, &column.logical).map_err(named)?;
    capable(target, part, column, test.operation(), scan || test.scan)
}

/// The part and column that a reference means.
pub(super) fn column<'t>(field: &FieldRef, target: &'t Target) -> Result<(usize, &'t Column)> {
    let entity = target.routing.entity;
    let named = |e: Error| e.of_entity(entity.name).at_field(field.name.to_string());
    let (position, _) = entity.field(&field.name).ok_or_else(|| named(invalid("the entity has no such field")))?;
    let (part, column) =
        target.locate(position, field.on.as_deref()).ok_or_else(|| named(invalid("the field has no copy on that backend")))?;
    Ok((part, &target.part(part).columns[column]))
}

/// Refuses what the field's backend does not run itself, unless reading every row is allowed.
pub(super) fn capable(target: &Target, part: usize, column: &Column, operation: Operation, scan: bool) -> Result<()> {
    let held = target.part(part);
    let refuse =
        |kind, why: String| Err(Error::new(kind, why).of_entity(target.routing.entity.name).at_field(column.name).on_backend(held.backend));
    let class = column.logical.class();
    match questions::support(held.kind, operation, class, column.placement) {
        Support::Native if scan => Ok(()),
        Support::Native => match Narrowed::find(target.driver(part).narrowed(), operation, class, column.placement) {
            None => Ok(()),
            Some(narrowed) => refuse(
                ErrorKind::Unsupported,
                format!("this {} does not run `{operation}` ({}): allow reading every row with scan", held.kind, narrowed.reason),
            ),
        },
        Support::Scan if scan => Ok(()),
        Support::Scan => refuse(
            ErrorKind::Unsupported,
            format!(
                "{} cannot run `{operation}` on {} stored as {}: allow reading every row with scan",
                held.kind, column.logical, column.placement
            ),
        ),
        Support::No => refuse(ErrorKind::InvalidQuery, format!("`{operation}` means nothing on {}", column.logical)),
    }
}

fn id_operands(condition: &Condition) -> Result<()> {
    let text = |v: &Value| if matches!(v, Value::Text(_) | Value::Null) { Ok(()) } else { Err(invalid("an id is compared with text")) };
    match condition {
        Condition::Eq(v) | Condition::Ne(v) | Condition::Lt(v) | Condition::Le(v) | Condition::Gt(v) | Condition::Ge(v) => text(v),
        Condition::Between(a, b) => text(a).and_then(|()| text(b)),
        Condition::In(members) | Condition::NotIn(members) => members.iter().try_for_each(text),
        Condition::IsNull | Condition::IsSome => Ok(()),
        _ => Err(invalid("not a condition on an id")),
    }
}

fn operands(test: &Test, logical: &LogicalType) -> Result<()> {
    let item;
    let expected: &LogicalType = match (&test.target, logical) {
        (Tested::Value, other) => other,
        (Tested::Length, LogicalType::List(_)) => &LogicalType::INT,
        (Tested::Path(path), LogicalType::Json) => {
            if path.len() > DEEPEST {
                return Err(Error::new(ErrorKind::LimitExceeded, format!("the path is longer than {DEEPEST} steps")));
            }
            &LogicalType::Json
        }
        (Tested::Length, other) => return Err(invalid(format!("{other} has no length"))),
        (Tested::Path(_), other) => return Err(invalid(format!("{other} has no paths"))),
    };
    let fits = |value: &Value| match value {
        Value::Float(n) if !n.is_finite() => {
            Err(invalid(format!("{expected} is compared with {n}, which is never stored: for missing values there is is_null()")))
        }
        value if family(expected, value) => Ok(()),
        value => Err(invalid(format!("{expected} is compared with {}", value.family()))),
    };
    let list_item = |value: &Value| match logical {
        LogicalType::List(inner) if family(inner, value) && !value.is_null() => Ok(()),
        LogicalType::List(inner) => Err(invalid(format!("a list of {inner} cannot hold {}", value.family()))),
        other => Err(invalid(format!("{other} is not a list"))),
    };
    let text = || match (expected, &test.target) {
        (LogicalType::Text { .. }, _) | (LogicalType::Json, Tested::Path(_)) => Ok(()),
        (other, _) => Err(invalid(format!("{other} is not text"))),
    };
    match &test.condition {
        Condition::Eq(v) | Condition::Ne(v) | Condition::Lt(v) | Condition::Le(v) | Condition::Gt(v) | Condition::Ge(v) => fits(v),
        Condition::Between(a, b) => fits(a).and_then(|()| fits(b)),
        Condition::In(members) | Condition::NotIn(members) => members.iter().try_for_each(fits),
        Condition::IsNull | Condition::IsSome => Ok(()),
        Condition::Contains(_) | Condition::StartsWith(_) | Condition::EndsWith(_) | Condition::IContains(_) => text(),
        Condition::Matches(_) | Condition::Phrase(_) => text(),
        Condition::Like(pattern) => text().and_then(|()| compile_like(pattern, false).map(drop)),
        Condition::ILike(pattern) => text().and_then(|()| compile_like(pattern, true).map(drop)),
        Condition::Regex(pattern) => text().and_then(|()| compile_regex(pattern).map(drop)),
        Condition::Has(v) => {
            item = [v.clone()];
            item.iter().try_for_each(list_item)
        }
        Condition::HasAny(items) | Condition::HasAll(items) => items.iter().try_for_each(list_item),
    }
}

/// Whether an operand is of a type's family; its range is no concern of a comparison, but it must be finite.
fn family(logical: &LogicalType, value: &Value) -> bool {
    match (logical, value) {
        (_, Value::Null) => true,
        (LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_), Value::Text(_)) => true,
        (LogicalType::Bool, Value::Bool(_)) | (LogicalType::Int { .. }, Value::Int(_)) => true,
        (LogicalType::Float, Value::Float(n)) => n.is_finite(),
        (LogicalType::Decimal { .. }, Value::Decimal(_)) | (LogicalType::Bytes, Value::Bytes(_)) => true,
        (LogicalType::Timestamp, Value::Timestamp(_)) | (LogicalType::Date, Value::Date(_)) => true,
        (LogicalType::Duration, Value::Duration(_)) | (LogicalType::Uuid, Value::Uuid(_)) | (LogicalType::Json, Value::Json(_)) => true,
        (LogicalType::List(item), Value::List(items)) => items.iter().all(|i| !i.is_null() && family(item, i)),
        (LogicalType::Vector(n), Value::Vector(numbers)) => numbers.len() == *n as usize,
        _ => false,
    }
}

/// A vector in the place of a text's that is not embedded yet.
pub(super) fn stand_in(field: &FieldRef, target: &Target) -> Result<Vec<f32>> {
    let (_, column) = column(field, target)?;
    let schema = target.routing.entity.fields.get(column.field);
    let (Some(LogicalType::Vector(n)), Some(_)) = (schema.map(|f| f.logical), schema.and_then(|f| f.embedding)) else {
        let why = "near_text needs a field with an embedder: `#[compute(embed, from(…))]`, or near with a vector";
        return Err(invalid(why).of_entity(target.routing.entity.name).at_field(field.name.to_string()));
    };
    let mut vector = vec![0.0; n as usize];
    vector.iter_mut().take(1).for_each(|first| *first = 1.0);
    Ok(vector)
}

/// Checks what a vector search starts from.
pub(super) fn vector(numbers: &[f32], column: &Column, k: usize) -> Result<Metric> {
    let LogicalType::Vector(n) = column.logical else { return Err(invalid(format!("near needs a vector field, not {}", column.logical))) };
    let metric = column.metric.unwrap_or_default();
    if numbers.len() != n as usize {
        return Err(invalid(format!("near with {} numbers where the field has {n}", numbers.len())));
    }
    if numbers.iter().any(|x| !x.is_finite()) {
        return Err(invalid("near with a number that is not finite"));
    }
    if metric == Metric::Cosine && numbers.iter().all(|x| *x == 0.0) {
        return Err(invalid("near with a zero vector, which has no direction: the field's metric is cosine"));
    }
    k_in_bounds(k)?;
    Ok(metric)
}

/// Refuses a `k` beyond 10,000.
pub(super) fn k_in_bounds(k: usize) -> Result<()> {
    if k > 10_000 {
        return Err(Error::new(ErrorKind::LimitExceeded, format!("k is {k}: a search gives at most 10,000 rows")));
    }
    Ok(())
}

/// Refuses ids that could not be stored.
pub(super) fn cursor_id(id: &Id) -> Result<()> {
    id.check().map_err(|_| invalid("the cursor is damaged: start again without it"))
}
