//! Filters as Milvus expressions. Two-valued as ours: Milvus 2.3 has no null, and a missing value is a flag.

use super::codec;
use super::literal;
use super::shape::{has_field, value_field};
use crate::driver::native_only;
use crate::filter::{Condition, Filter, Target, Test};
use crate::schema::{Column, ID_COLUMN, Part};
use crate::types::{Id, LogicalType, Value};

/// A condition as far as it is known before the server sees it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    /// Holds on every row.
    Always,
    /// Holds on none.
    Never,
    /// Holds where this does.
    Where(String),
}

use Expression::{Always, Never, Where};

impl Expression {
    pub(super) fn and(self, other: Expression) -> Expression {
        match (self, other) {
            (Never, _) | (_, Never) => Never,
            (Always, other) | (other, Always) => other,
            (Where(a), Where(b)) => Where(format!("({a} and {b})")),
        }
    }

    fn or(self, other: Expression) -> Expression {
        match (self, other) {
            (Always, _) | (_, Always) => Always,
            (Never, other) | (other, Never) => other,
            (Where(a), Where(b)) => Where(format!("({a} or {b})")),
        }
    }

    fn not(self) -> Expression {
        match self {
            Always => Never,
            Never => Always,
            // Before a comparison `not` would take its left side alone.
            Where(text) => Where(format!("(not ({text}))")),
        }
    }

    /// The text to send, which is never empty: an empty one is refused. `None` where no row can match.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Always => Some(format!("{ID_COLUMN} >= \"\"")),
            Never => None,
            Where(text) => Some(text.clone()),
        }
    }
}

/// Expressions put together in pairs, pairs of pairs and so on: the server takes no expression that is a hundred deep.
fn joined(mut all: Vec<Expression>, join: fn(Expression, Expression) -> Expression) -> Option<Expression> {
    while all.len() > 1 {
        let mut rest = all.into_iter();
        all = std::iter::from_fn(|| Some((rest.next()?, rest.next())))
            .map(|(a, b)| match b {
                Some(b) => join(a, b),
                None => a,
            })
            .collect();
    }
    all.pop()
}

/// What of a field is compared: its name on the server, how it lies, whether it may be missing.
struct Operand<'a> {
    name: String,
    logical: LogicalType,
    has: Option<String>,
    column: Option<&'a Column>,
}

/// Whether a test can be said exactly.
pub(super) fn takes(part: &Part, test: &Test) -> bool {
    let allowed = native_only(part, test) || matches!(test.condition, Condition::StartsWith(_));
    allowed && test.target == Target::Value && of_test(part, test).is_some()
}

/// A filter as an expression; `None` when some test of it cannot be said.
pub(super) fn of_filter(part: &Part, filter: &Filter) -> Option<Expression> {
    Some(match filter {
        Filter::And(parts) => joined(of_filters(part, parts)?, Expression::and).unwrap_or(Always),
        Filter::Or(parts) => joined(of_filters(part, parts)?, Expression::or).unwrap_or(Never),
        Filter::Not(inner) => of_filter(part, inner)?.not(),
        Filter::Test(test) => of_test(part, test)?,
    })
}

fn of_filters(part: &Part, filters: &[Filter]) -> Option<Vec<Expression>> {
    filters.iter().map(|filter| of_filter(part, filter)).collect()
}

/// Only these ids.
pub(super) fn of_ids(ids: &[Id]) -> Expression {
    match ids {
        [] => Never,
        ids => Where(format!("{ID_COLUMN} in {}", literal::list(ids.iter().map(|id| literal::text(id.as_str()))))),
    }
}

/// Only ids after this one, or from it on.
pub(super) fn after(id: &str, included: bool) -> Expression {
    Where(format!("{ID_COLUMN} {} {}", if included { ">=" } else { ">" }, literal::text(id)))
}

/// Only rows with a value in this column.
pub(super) fn has(column: &Column) -> Expression {
    if column.nullable { Where(format!("{} == true", has_field(column))) } else { Always }
}

fn of_test(part: &Part, test: &Test) -> Option<Expression> {
    if test.target != Target::Value {
        return None;
    }
    let operand = if test.field == ID_COLUMN {
        Operand { name: ID_COLUMN.to_owned(), logical: LogicalType::Id, has: None, column: None }
    } else {
        let (_, column) = part.column(&test.field)?;
        Operand {
            name: value_field(column),
            logical: column.logical,
            has: column.nullable.then(|| has_field(column)),
            column: Some(column),
        }
    };
    operand.condition(&test.condition)
}

/// How two values compare in an expression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    fn sign(self) -> &'static str {
        match self {
            Relation::Equal => "==",
            Relation::Less => "<",
            Relation::LessOrEqual => "<=",
            Relation::Greater => ">",
            Relation::GreaterOrEqual => ">=",
        }
    }
}

impl Operand<'_> {
    fn condition(&self, condition: &Condition) -> Option<Expression> {
        // What is stored as an opaque text is only there or not.
        let opaque = matches!(self.logical, LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_));
        let null = |v: &Value| v.is_null();
        Some(match condition {
            Condition::IsNull => self.some().not(),
            Condition::IsSome => self.some(),
            Condition::Eq(v) if null(v) => self.some().not(),
            Condition::Ne(v) if null(v) => self.some(),
            _ if opaque => return None,
            Condition::Eq(v) => self.compare(Relation::Equal, v)?,
            Condition::Ne(v) => self.compare(Relation::Equal, v)?.not(),
            Condition::Lt(v) => self.compare(Relation::Less, v)?,
            Condition::Le(v) => self.compare(Relation::LessOrEqual, v)?,
            Condition::Gt(v) => self.compare(Relation::Greater, v)?,
            Condition::Ge(v) => self.compare(Relation::GreaterOrEqual, v)?,
            Condition::Between(a, b) => self.compare(Relation::GreaterOrEqual, a)?.and(self.compare(Relation::LessOrEqual, b)?),
            Condition::In(members) => self.any_of(members)?,
            Condition::NotIn(members) => self.any_of(members)?.not(),
            Condition::StartsWith(prefix) => self.starts_with(prefix)?,
            _ => return None,
        })
    }

    fn some(&self) -> Expression {
        self.column.map_or(Always, has)
    }

    /// A comparison on rows that have a value.
    fn present(&self, text: String) -> Expression {
        match &self.has {
            Some(flag) => Where(format!("({flag} == true and {text})")),
            None => Where(text),
        }
    }

    fn compare(&self, relation: Relation, value: &Value) -> Option<Expression> {
        if value.is_null() {
            return Some(Never);
        }
        let Operand { name, logical, .. } = self;
        let said = |sign: &str, literal: String| Some(self.present(format!("{name} {sign} {literal}")));
        match (logical, value) {
            (LogicalType::Decimal { scale, .. }, Value::Decimal(n)) => {
                let (floor, exact) = codec::decimal_floor(n, *scale);
                let key = literal::text(&codec::decimal_key(floor));
                match relation {
                    _ if exact => said(relation.sign(), key),
                    // Between two numbers of the field: below it is up to the lower, above it beyond that.
                    Relation::Equal => Some(Never),
                    Relation::Less | Relation::LessOrEqual => said("<=", key),
                    Relation::Greater | Relation::GreaterOrEqual => said(">", key),
                }
            }
            (LogicalType::Bool, Value::Bool(b)) if relation == Relation::Equal => said("==", b.to_string()),
            (LogicalType::Float, Value::Float(n)) if n.is_finite() => said(relation.sign(), literal::float(*n)),
            _ if !fits(logical, value) => None,
            _ => match codec::encode(logical, value).ok()? {
                codec::Cell::Int(n) => match (literal::int(n), relation) {
                    (Some(literal), _) => said(relation.sign(), literal),
                    // The least integer has no literal: what is not above the next one.
                    (None, Relation::Less) => Some(Never),
                    (None, Relation::Equal | Relation::LessOrEqual) => said("<", (i64::MIN + 1).to_string()),
                    (None, Relation::Greater) => said(">=", (i64::MIN + 1).to_string()),
                    (None, Relation::GreaterOrEqual) => Some(self.some()),
                },
                // Of a longer text the field holds the beginning alone: exact for what is shorter than that.
                codec::Cell::Text(text) if text.len() < codec::COMPARABLE => said(relation.sign(), literal::text(&text)),
                _ => None,
            },
        }
    }

    fn any_of(&self, members: &[Value]) -> Option<Expression> {
        let mut any = Vec::new();
        let mut literals = Vec::new();
        for member in members {
            // Many values go into one list; the rest is compared one by one.
            match if fits(&self.logical, member) { codec::encode(&self.logical, member).ok() } else { None } {
                _ if member.is_null() => any.push(self.some().not()),
                Some(codec::Cell::Text(text)) if text.len() < codec::COMPARABLE => literals.push(literal::text(&text)),
                Some(codec::Cell::Int(n)) if n != i64::MIN => literals.extend(literal::int(n)),
                _ => any.push(self.compare(Relation::Equal, member)?),
            }
        }
        if !literals.is_empty() {
            any.push(self.present(format!("{} in {}", self.name, literal::list(literals))));
        }
        Some(joined(any, Expression::or).unwrap_or(Never))
    }

    /// All texts with a prefix lie between it and the next text that does not have it: exact, by bytes.
    fn starts_with(&self, prefix: &str) -> Option<Expression> {
        let ordered = matches!(self.logical, LogicalType::Text { .. } | LogicalType::Id | LogicalType::Ref(_));
        if !ordered || prefix.len() >= codec::COMPARABLE {
            return None;
        }
        let from = self.present(format!("{} >= {}", self.name, literal::text(prefix)));
        let mut next: Vec<char> = prefix.chars().collect();
        while let Some(last) = next.pop() {
            // Characters order as their bytes do; surrogates are no characters.
            let above = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
            if let Some(above) = above {
                next.push(above);
                let next: String = next.into_iter().collect();
                return Some(from.and(self.present(format!("{} < {}", self.name, literal::text(&next)))));
            }
        }
        Some(from)
    }
}

/// Whether a value is of the family that the type has.
fn fits(logical: &LogicalType, value: &Value) -> bool {
    matches!(
        (logical, value),
        (LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_), Value::Text(_))
            | (LogicalType::Int { .. }, Value::Int(_))
            | (LogicalType::Timestamp, Value::Timestamp(_))
            | (LogicalType::Date, Value::Date(_))
            | (LogicalType::Duration, Value::Duration(_))
            | (LogicalType::Uuid, Value::Uuid(_))
            | (LogicalType::Bytes, Value::Bytes(_))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_joined_without_depth() {
        let all: Vec<Expression> = (0..1_000).map(|n| Where(n.to_string())).collect();
        let text = joined(all, Expression::or).and_then(|any| any.text()).unwrap_or_default();
        let (mut depth, mut most) = (0, 0);
        for c in text.chars() {
            depth += i32::from(c == '(') - i32::from(c == ')');
            most = most.max(depth);
        }
        assert_eq!((depth, most, text.matches(" or ").count()), (0, 10, 999));
        assert!(text.starts_with("((((((((((0 or 1) or (2 or 3)) or"), "{}", &text[..60]);
        assert_eq!(joined(Vec::new(), Expression::and), None);
    }
}
