//! Filters as JSON over metadata. Two-valued as ours: which columns of a row are null stands in a list of its own, and
//! every test says what it means there.

use serde_json::json;

use super::codec::{self, NULLS, Store};
use super::store::Dialect;
use crate::driver::native_only;
use crate::filter::{Condition, Filter, Target, Test};
use crate::schema::{Column, ID_COLUMN, Part};
use crate::types::{Json, LogicalType, Value};

/// A condition as far as it is known before the store sees it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Where {
    /// Holds on every row.
    Always,
    /// Holds on none.
    Never,
    /// Holds where this does.
    Filter(Json),
}

impl Where {
    /// What to send; `None` in the `Ok` for every row, an `Err` where no row can match.
    pub(super) fn sent(&self) -> Result<Option<&Json>, Nothing> {
        match self {
            Where::Always => Ok(None),
            Where::Never => Err(Nothing),
            Where::Filter(json) => Ok(Some(json)),
        }
    }

    pub(super) fn and(self, other: Where) -> Where {
        joined("$and", vec![self, other])
    }
}

/// No row can match.
#[derive(Debug)]
pub(super) struct Nothing;

/// A condition before it is known where the negations go.
enum Expression {
    Always,
    Never,
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Atom(Atom),
}

use Expression::{All, Always, Any, Never, Not};

/// A test that a store answers. `null` is the column's name where it may be null.
enum Atom {
    Null {
        physical: String,
    },
    /// `$eq`, `$in` and their complements.
    Equal {
        key: String,
        operand: Json,
        null: Option<String>,
    },
    In {
        key: String,
        operands: Vec<Json>,
        null: Option<String>,
    },
    /// A number, whole or in two, at least this, or below it.
    Order {
        keys: Keys,
        number: i128,
        below: bool,
        null: Option<String>,
    },
    Has {
        key: String,
        item: String,
        null: Option<String>,
    },
}

/// Where a number lies.
#[derive(Clone)]
struct Keys {
    head: String,
    low: Option<String>,
}

/// Whether a condition can be said exactly, alone: by the store, or as a set of ids.
pub(super) fn takes(part: &Part, filter: &Filter, dialect: &Dialect) -> bool {
    if ids_of(filter).is_some() {
        return true;
    }
    let native = filter.all_tests(|test| test.field != ID_COLUMN && native_only(part, test));
    native && of_filter(part, filter, dialect).is_some()
}

/// The ids that a condition leaves, where it speaks of the id alone.
pub(super) fn ids_of(filter: &Filter) -> Option<Vec<String>> {
    let Filter::Test(Test { field, target: Target::Value, condition, .. }) = filter else { return None };
    if *field != ID_COLUMN {
        return None;
    }
    let text = |value: &Value| value.as_text().map(str::to_owned);
    match condition {
        Condition::Eq(value) => Some(text(value).into_iter().collect()),
        Condition::In(members) => Some(members.iter().filter_map(text).collect()),
        _ => None,
    }
}

/// A filter of tests on columns as JSON; `None` when it cannot be said, or is more than the store takes.
pub(super) fn of_filter(part: &Part, filter: &Filter, dialect: &Dialect) -> Option<Where> {
    let said = said(&expression(part, filter, dialect)?, true, dialect);
    let fits = match &said {
        Where::Filter(json) => tests(json) <= dialect.most_tests && levels(json) <= dialect.most_levels,
        _ => true,
    };
    fits.then_some(said)
}

/// Rows whose column has a value.
pub(super) fn some(column: &Column, dialect: &Dialect) -> Where {
    said(&null(column), false, dialect)
}

/// Rows whose id may lie between two keys of the order, both included.
pub(super) fn between(from: i64, to: i64, dialect: &Dialect) -> Where {
    let bound = |operator: &str, key: i64| Where::Filter(json!({ codec::ORDER: { operator: key } }));
    let from = if from <= dialect.first_key() { Where::Always } else { bound("$gte", from) };
    from.and(if to >= dialect.last_key() { Where::Always } else { bound("$lte", to) })
}

fn tests(json: &Json) -> usize {
    match json {
        Json::Object(map) => map.values().map(tests).sum(),
        Json::Array(items) => items.iter().map(tests).sum(),
        _ => 1,
    }
}

fn levels(json: &Json) -> usize {
    1 + match json {
        Json::Object(map) => map.values().map(levels).max().unwrap_or_default(),
        Json::Array(items) => items.iter().map(levels).max().unwrap_or_default(),
        _ => 0,
    }
}

fn joined(operator: &str, parts: Vec<Where>) -> Where {
    let (neutral, absorbing) = if operator == "$and" { (Where::Always, Where::Never) } else { (Where::Never, Where::Always) };
    let mut list = Vec::new();
    for part in parts {
        match part {
            part if part == neutral => {}
            part if part == absorbing => return part,
            Where::Filter(Json::Object(mut map)) if map.len() == 1 && map.contains_key(operator) => match map.remove(operator) {
                Some(Json::Array(inner)) => list.extend(inner),
                other => list.extend(other),
            },
            Where::Filter(json) => list.push(json),
            Where::Always | Where::Never => {}
        }
    }
    match list.len() {
        0 => neutral,
        1 => Where::Filter(list.remove(0)),
        _ => Where::Filter(json!({ operator: list })),
    }
}

/// An expression as JSON, or its complement.
fn said(expression: &Expression, positive: bool, dialect: &Dialect) -> Where {
    let all = |parts: &[Expression], operator| joined(operator, parts.iter().map(|p| said(p, positive, dialect)).collect());
    match expression {
        Always if positive => Where::Always,
        Always => Where::Never,
        Never => said(&Always, !positive, dialect),
        All(parts) => all(parts, if positive { "$and" } else { "$or" }),
        Any(parts) => all(parts, if positive { "$or" } else { "$and" }),
        Not(inner) => said(inner, !positive, dialect),
        Expression::Atom(atom) => atom.said(positive, dialect),
    }
}

impl Atom {
    fn said(&self, positive: bool, dialect: &Dialect) -> Where {
        let test = |key: &str, operator: &str, operand: Json| Where::Filter(json!({ key: { operator: operand } }));
        let has = |key: &str, item: &str, there: bool| {
            let operator = if there { dialect.has.0 } else { dialect.has.1 };
            test(key, operator, if dialect.has_takes_list { json!([item]) } else { item.into() })
        };
        // A row without a value is in every complement, whatever the store makes of a missing key.
        let or_null = |null: &Option<String>, test: Where| match null {
            Some(physical) if !positive => joined("$or", vec![has(NULLS, physical, true), test]),
            _ => test,
        };
        match self {
            Atom::Null { physical } => has(NULLS, physical, positive),
            Atom::Equal { key, operand, null } => or_null(null, test(key, if positive { "$eq" } else { "$ne" }, operand.clone())),
            Atom::In { key, operands, null } => or_null(null, test(key, if positive { "$in" } else { "$nin" }, operands.clone().into())),
            Atom::Has { key, item, null } => or_null(null, has(key, item, positive)),
            Atom::Order { keys, number, below, null } => {
                let (strict, loose) = if positive != *below { ("$gt", "$gte") } else { ("$lt", "$lt") };
                let bounded = match &keys.low {
                    None => test(&keys.head, loose, codec::whole(*number)),
                    Some(low) => {
                        let (head, tail) = dialect.cut(*number);
                        let same = test(&keys.head, "$eq", codec::whole(head)).and(test(low, loose, codec::whole(tail)));
                        joined("$or", vec![test(&keys.head, strict, codec::whole(head)), same])
                    }
                };
                or_null(null, bounded)
            }
        }
    }
}

fn null(column: &Column) -> Expression {
    if column.nullable { Expression::Atom(Atom::Null { physical: column.physical.clone() }) } else { Never }
}

fn expression(part: &Part, filter: &Filter, dialect: &Dialect) -> Option<Expression> {
    let all = |parts: &[Filter]| parts.iter().map(|p| expression(part, p, dialect)).collect::<Option<Vec<_>>>();
    Some(match filter {
        Filter::And(parts) => All(all(parts)?),
        Filter::Or(parts) => Any(all(parts)?),
        Filter::Not(inner) => Not(Box::new(expression(part, inner, dialect)?)),
        Filter::Test(test) => {
            let (_, column) = part.column(&test.field)?;
            let operand = match test.target {
                Target::Value => Operand::of(column, dialect),
                Target::Length => Operand::length(column, dialect)?,
                Target::Path(_) => return None,
            };
            operand.condition(&test.condition)?
        }
    })
}

/// What of a column is compared.
struct Operand<'a> {
    column: &'a Column,
    logical: LogicalType,
    store: Store,
    keys: Keys,
    dialect: &'a Dialect,
}

impl<'a> Operand<'a> {
    fn of(column: &'a Column, dialect: &'a Dialect) -> Self {
        let store = Store::of(&column.logical, dialect);
        let low = (store == Store::Number { cut: true }).then(|| codec::low_key(column));
        Operand { column, logical: column.logical, store, keys: Keys { head: column.physical.clone(), low }, dialect }
    }

    /// Lengths are numbers short enough for every store.
    fn length(column: &'a Column, dialect: &'a Dialect) -> Option<Self> {
        let LogicalType::List(_) = column.logical else { return None };
        let keys = Keys { head: codec::length_key(column), low: None };
        Some(Operand { column, logical: LogicalType::INT, store: Store::Number { cut: false }, keys, dialect })
    }

    fn null_name(&self) -> Option<String> {
        self.column.nullable.then(|| self.column.physical.clone())
    }

    fn condition(&self, condition: &Condition) -> Option<Expression> {
        let is_null = || null(self.column);
        Some(match condition {
            Condition::IsNull => is_null(),
            Condition::IsSome => Not(Box::new(is_null())),
            Condition::Eq(v) if v.is_null() => is_null(),
            Condition::Ne(v) if v.is_null() => Not(Box::new(is_null())),
            Condition::Has(v) => self.has(v)?,
            Condition::HasAny(items) => Any(items.iter().map(|v| self.has(v)).collect::<Option<_>>()?),
            Condition::HasAll(items) => {
                let mut all = items.iter().map(|v| self.has(v)).collect::<Option<Vec<_>>>()?;
                all.push(Not(Box::new(is_null())));
                All(all)
            }
            _ if matches!(self.store, Store::Opaque | Store::List) => return None,
            Condition::Eq(v) => self.equal(v)?,
            Condition::Ne(v) => Not(Box::new(self.equal(v)?)),
            Condition::In(members) => self.any_of(members)?,
            Condition::NotIn(members) => Not(Box::new(self.any_of(members)?)),
            Condition::Lt(v) => self.less(v, false)?,
            Condition::Le(v) => self.less(v, true)?,
            Condition::Gt(v) => self.greater(v, false)?,
            Condition::Ge(v) => self.greater(v, true)?,
            Condition::Between(a, b) => All(vec![self.greater(a, true)?, self.less(b, true)?]),
            _ => return None,
        })
    }

    fn bounds(&self, value: &Value) -> Option<(i128, i128)> {
        matches!(self.store, Store::Number { .. }).then(|| codec::number(&self.logical, value))?
    }

    fn at_least(&self, number: i128) -> Expression {
        self.order(number, false)
    }

    fn below(&self, number: i128) -> Expression {
        self.order(number, true)
    }

    fn order(&self, number: i128, below: bool) -> Expression {
        let some = || Not(Box::new(null(self.column)));
        // Beyond what the field can hold there is no number to send.
        let known = match number {
            _ if self.keys.low.is_some() => None,
            n if n > i128::from(i64::MAX) => Some(below),
            n if n <= i128::from(i64::MIN) => Some(!below),
            _ => None,
        };
        match known {
            Some(true) => some(),
            Some(false) => Never,
            None => Expression::Atom(Atom::Order { keys: self.keys.clone(), number, below, null: self.null_name() }),
        }
    }

    fn less(&self, value: &Value, or_equal: bool) -> Option<Expression> {
        if value.is_null() {
            return Some(Never);
        }
        let (low, high) = self.bounds(value)?;
        Some(self.below(if or_equal { high + 1 } else { low }))
    }

    fn greater(&self, value: &Value, or_equal: bool) -> Option<Expression> {
        if value.is_null() {
            return Some(Never);
        }
        let (low, high) = self.bounds(value)?;
        Some(self.at_least(if or_equal { low } else { high + 1 }))
    }

    fn equal(&self, value: &Value) -> Option<Expression> {
        let equal = |key: &str, operand: Json| Expression::Atom(Atom::Equal { key: key.to_owned(), operand, null: self.null_name() });
        match (self.store, value) {
            (Store::Bool, Value::Bool(b)) => Some(equal(&self.keys.head, (*b).into())),
            (Store::Text, _) => Some(equal(&self.keys.head, codec::item_text(&self.logical, value)?.into())),
            (Store::Number { .. }, _) => {
                let (low, high) = self.bounds(value)?;
                Some(match &self.keys.low {
                    _ if low > high => Never,
                    None if low == high => equal(&self.keys.head, codec::whole(low)),
                    Some(tail_key) if low == high => {
                        let (head, tail) = self.dialect.cut(low);
                        All(vec![equal(&self.keys.head, codec::whole(head)), equal(tail_key, codec::whole(tail))])
                    }
                    _ => All(vec![self.at_least(low), self.below(high + 1)]),
                })
            }
            _ => None,
        }
    }

    fn any_of(&self, members: &[Value]) -> Option<Expression> {
        let mut any = Vec::new();
        let mut operands: Vec<Json> = Vec::new();
        for member in members {
            match self.store {
                _ if member.is_null() => any.push(null(self.column)),
                Store::Text => operands.push(codec::item_text(&self.logical, member)?.into()),
                _ => any.push(self.equal(member)?),
            }
        }
        if !operands.is_empty() {
            any.push(Expression::Atom(Atom::In { key: self.keys.head.clone(), operands, null: self.null_name() }));
        }
        Some(Any(any))
    }

    fn has(&self, value: &Value) -> Option<Expression> {
        let LogicalType::List(item) = &self.logical else { return None };
        let atom = |item: String| {
            let key = codec::items_key(self.column, self.dialect);
            Expression::Atom(Atom::Has { key, item: codec::searched(item, self.dialect), null: self.null_name() })
        };
        match value {
            Value::Null => Some(Never),
            // Equal numbers, two texts.
            Value::Float(n) if *n == 0.0 && matches!(item, LogicalType::Float) => {
                let zeros = [-0.0, 0.0].map(|n| codec::item_text(item, &Value::Float(n)).map(atom));
                Some(Any(zeros.into_iter().flatten().collect()))
            }
            _ if matches!(item, LogicalType::List(_) | LogicalType::Json | LogicalType::Vector(_)) => None,
            _ => Some(atom(codec::item_text(item, value)?)),
        }
    }
}
