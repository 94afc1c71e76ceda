//! Filters as DataFusion expressions, which no text passes through.
//!
//! Lance's logic has three truth values, ours two. Negations are pushed down to the tests, so that an expression is built
//! of `and` and `or` alone over tests that are true exactly where ours are; whether one of the others is false or null
//! makes no difference then.

use std::sync::Arc;

use lance::deps::datafusion::arrow::datatypes::DataType;
use lance::deps::datafusion::common::{Column as Name, ScalarValue};
use lance::deps::datafusion::functions_nested::expr_fn::{array_has_all, array_has_any};
use lance::deps::datafusion::logical_expr::{Expr, Operator, binary_expr, in_list, is_null, not};

use super::{codec, function, shape};
use crate::error::Result;
use crate::filter::{Condition, Filter, Target, Test};
use crate::schema::{ID_COLUMN, Part};
use crate::types::{Decimal, Id, LogicalType, Value, words};

/// A condition as far as it is known before a row is read.
#[derive(Clone, Debug)]
pub(super) enum Truth {
    /// Holds on every row.
    Always,
    /// Holds on none.
    Never,
    /// Holds where this is true.
    When(Expr),
}

use Truth::{Always, Never, When};

impl Truth {
    pub(super) fn and(self, other: Truth) -> Truth {
        match (self, other) {
            (Never, _) | (_, Never) => Never,
            (Always, other) | (other, Always) => other,
            (When(a), When(b)) => When(a.and(b)),
        }
    }

    pub(super) fn or(self, other: Truth) -> Truth {
        match (self, other) {
            (Always, _) | (_, Always) => Always,
            (Never, other) | (other, Never) => other,
            (When(a), When(b)) => When(a.or(b)),
        }
    }
}

/// A column by name, as it is written.
pub(super) fn named(name: impl Into<String>) -> Expr {
    Expr::Column(Name::new_unqualified(name))
}

fn literal(value: ScalarValue) -> Expr {
    Expr::Literal(value, None)
}

fn text(value: &str) -> Expr {
    literal(ScalarValue::Utf8(Some(value.to_owned())))
}

/// A filter as an expression.
///
/// # Errors
/// [`InvalidQuery`](crate::ErrorKind::InvalidQuery) for a pattern that does not compile.
pub(super) fn of_filter(part: &Part, filter: &Filter) -> Result<Truth> {
    compiled(part, filter, true)
}

fn compiled(part: &Part, filter: &Filter, positive: bool) -> Result<Truth> {
    Ok(match filter {
        Filter::Not(inner) => compiled(part, inner, !positive)?,
        Filter::And(parts) | Filter::Or(parts) => {
            let all = matches!(filter, Filter::And(_)) == positive;
            let mut truth = if all { Always } else { Never };
            for inner in parts {
                let inner = compiled(part, inner, positive)?;
                truth = if all { truth.and(inner) } else { truth.or(inner) };
            }
            truth
        }
        Filter::Test(test) => {
            let operand = Operand::of(part, test);
            match operand {
                Some(operand) => operand.test(test, positive)?,
                // The planner asks only for fields that lie here.
                None => Never,
            }
        }
    })
}

/// Only these ids.
pub(super) fn of_ids(ids: &[Id]) -> Truth {
    match ids {
        [] => Never,
        ids => When(in_list(named(ID_COLUMN), ids.iter().map(|id| text(id.as_str())).collect(), false)),
    }
}

/// Only ids after this one, or from it on.
pub(super) fn after(id: &str, included: bool) -> Truth {
    When(binary_expr(named(ID_COLUMN), if included { Operator::GtEq } else { Operator::Gt }, text(id)))
}

/// Only rows with a value in this column.
pub(super) fn is_some(part: &Part, column: usize) -> Truth {
    match part.columns.get(column) {
        Some(column) if column.nullable => When(named(shape::column_name(column)).is_not_null()),
        _ => Always,
    }
}

/// What a test is about.
struct Operand {
    name: String,
    words: Option<String>,
    logical: LogicalType,
    nullable: bool,
    indexed: bool,
}

impl Operand {
    fn of(part: &Part, test: &Test) -> Option<Self> {
        if test.field == ID_COLUMN {
            return Some(Operand { name: ID_COLUMN.to_owned(), words: None, logical: LogicalType::Id, nullable: false, indexed: true });
        }
        let (_, column) = part.column(&test.field)?;
        Some(Operand {
            name: shape::column_name(column),
            words: shape::words_name(column),
            logical: column.logical,
            nullable: column.nullable,
            indexed: column.index.is_some(),
        })
    }

    fn null(&self, positive: bool) -> Truth {
        match (self.nullable, positive) {
            (true, true) => When(is_null(named(&self.name))),
            (true, false) => When(named(&self.name).is_not_null()),
            (false, true) => Never,
            (false, false) => Always,
        }
    }

    /// What holds on rows with a value, or its complement over all rows.
    fn present(&self, truth: Truth, positive: bool) -> Truth {
        match (truth, positive) {
            (Always, _) => self.null(!positive),
            (Never, true) => Never,
            (Never, false) => Always,
            (When(expression), true) => When(expression),
            (When(expression), false) => self.null(true).or(When(not(expression))),
        }
    }

    fn test(&self, test: &Test, positive: bool) -> Result<Truth> {
        let ours = || Ok(When(function::holds(test, positive, self.logical, named(&self.name))?));
        if test.target != Target::Value {
            return ours();
        }
        let equals = |value: &Value, positive: bool| match value {
            Value::Null => Some(self.null(positive)),
            value => Some(self.present(self.compare(Operator::Eq, value)?, positive)),
        };
        let compares = |operator: Operator, value: &Value| match value {
            Value::Null => Some(Never),
            value => self.compare(operator, value),
        };
        let found = match &test.condition {
            Condition::IsNull => Some(self.null(positive)),
            Condition::IsSome => Some(self.null(!positive)),
            Condition::Eq(value) => equals(value, positive),
            Condition::Ne(value) => equals(value, !positive),
            Condition::In(members) => self.any_of(members, positive),
            Condition::NotIn(members) => self.any_of(members, !positive),
            Condition::Lt(value) => compares(Operator::Lt, value).map(|truth| self.present(truth, positive)),
            Condition::Le(value) => compares(Operator::LtEq, value).map(|truth| self.present(truth, positive)),
            Condition::Gt(value) => compares(Operator::Gt, value).map(|truth| self.present(truth, positive)),
            Condition::Ge(value) => compares(Operator::GtEq, value).map(|truth| self.present(truth, positive)),
            Condition::Between(low, high) => {
                let both = compares(Operator::GtEq, low).zip(compares(Operator::LtEq, high));
                both.map(|(low, high)| self.present(low.and(high), positive))
            }
            Condition::StartsWith(prefix) if self.is_text() => Some(self.present(self.starts_with(prefix), positive)),
            Condition::Matches(wanted) if self.words.is_some() => Some(self.present(self.matches(wanted), positive)),
            Condition::Phrase(wanted) if self.words.is_some() && positive => {
                // The words first, which an index knows; then their order.
                Some(self.present(self.matches(wanted), true).and(ours()?))
            }
            Condition::Has(item) => self.labels(std::slice::from_ref(item), true).map(|truth| self.present(truth, positive)),
            Condition::HasAny(items) => self.labels(items, false).map(|truth| self.present(truth, positive)),
            Condition::HasAll(items) => self.labels(items, true).map(|truth| self.present(truth, positive)),
            _ => None,
        };
        found.map_or_else(ours, Ok)
    }

    fn is_text(&self) -> bool {
        matches!(codec::data_type(&self.logical), DataType::Utf8 | DataType::LargeUtf8) && self.logical != LogicalType::Json
    }

    /// A comparison on rows that have a value; `None` where Lance cannot say it.
    fn compare(&self, operator: Operator, value: &Value) -> Option<Truth> {
        let said = |operator: Operator, value: Expr| Some(When(binary_expr(named(&self.name), operator, value)));
        match (&self.logical, value) {
            (LogicalType::Decimal { scale, .. }, Value::Decimal(n)) => {
                let (floor, exact) = decimal_floor(n, *scale);
                let units = self.decimal(floor)?;
                match operator {
                    _ if exact => said(operator, units),
                    // Between two numbers of the field: below it is up to the lower, above it beyond that.
                    Operator::Eq => Some(Never),
                    Operator::Lt | Operator::LtEq => said(Operator::LtEq, units),
                    _ => said(Operator::Gt, units),
                }
            }
            // Arrow orders -0.0 below 0.0.
            (LogicalType::Float, Value::Float(n)) if *n == 0.0 => match operator {
                Operator::Eq => {
                    let from = binary_expr(named(&self.name), Operator::GtEq, float(-0.0));
                    Some(When(from.and(binary_expr(named(&self.name), Operator::LtEq, float(0.0)))))
                }
                Operator::Lt | Operator::GtEq => said(operator, float(-0.0)),
                _ => said(operator, float(0.0)),
            },
            _ => said(operator, self.literal(value)?),
        }
    }

    fn decimal(&self, units: i128) -> Option<Expr> {
        let DataType::Decimal128(precision, scale) = codec::data_type(&self.logical) else { return None };
        Some(literal(ScalarValue::Decimal128(Some(units), precision, scale)))
    }

    /// A value as a literal of the column's own type; `None` where it is of another family or cannot be compared.
    fn literal(&self, value: &Value) -> Option<Expr> {
        let scalar = match (&self.logical, value) {
            (LogicalType::Text { .. }, Value::Text(t)) if codec::data_type(&self.logical) != DataType::Utf8 => {
                ScalarValue::LargeUtf8(Some(t.clone()))
            }
            (LogicalType::Id | LogicalType::Ref(_) | LogicalType::Category(_) | LogicalType::Text { .. }, Value::Text(t)) => {
                ScalarValue::Utf8(Some(t.clone()))
            }
            (LogicalType::Bool, Value::Bool(b)) => ScalarValue::Boolean(Some(*b)),
            (LogicalType::Int { .. }, Value::Int(n)) => ScalarValue::Int64(Some(*n)),
            (LogicalType::Float, Value::Float(n)) if !n.is_nan() => ScalarValue::Float64(Some(*n)),
            (LogicalType::Timestamp, Value::Timestamp(t)) => ScalarValue::TimestampMicrosecond(Some(t.as_micros()), Some("UTC".into())),
            (LogicalType::Date, Value::Date(d)) => ScalarValue::Date32(Some(d.as_days())),
            (LogicalType::Duration, Value::Duration(d)) => ScalarValue::DurationMicrosecond(Some(d.as_micros())),
            (LogicalType::Uuid, Value::Uuid(id)) => ScalarValue::FixedSizeBinary(16, Some(id.into_bytes().to_vec())),
            (LogicalType::Bytes, Value::Bytes(bytes)) => ScalarValue::LargeBinary(Some(bytes.to_vec())),
            _ => return None,
        };
        Some(literal(scalar))
    }

    fn any_of(&self, members: &[Value], positive: bool) -> Option<Truth> {
        let nulls = if members.iter().any(Value::is_null) {
            self.null(positive)
        } else if positive {
            Never
        } else {
            Always
        };
        let mut any = Never;
        let mut literals = Vec::new();
        for member in members.iter().filter(|member| !member.is_null()) {
            match self.compare(Operator::Eq, member)? {
                // One list for what is a plain literal; the rest by itself.
                When(Expr::BinaryExpr(simple)) if simple.op == Operator::Eq => literals.push(*simple.right),
                other => any = any.or(other),
            }
        }
        if !literals.is_empty() {
            any = any.or(When(in_list(named(&self.name), literals, false)));
        }
        let any = self.present(any, positive);
        Some(if positive { nulls.or(any) } else { nulls.and(any) })
    }

    fn text(&self, value: &str) -> Expr {
        self.literal(&Value::Text(value.to_owned())).unwrap_or_else(|| text(value))
    }

    /// All texts with a prefix lie between it and the next text that does not have it: exact, by bytes, and known to an
    /// index.
    fn starts_with(&self, prefix: &str) -> Truth {
        if prefix.is_empty() {
            return Always;
        }
        let from = When(binary_expr(named(&self.name), Operator::GtEq, self.text(prefix)));
        let mut next: Vec<char> = prefix.chars().collect();
        while let Some(last) = next.pop() {
            // Characters order as their bytes do; surrogates are no characters.
            let above = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
            if let Some(above) = above {
                next.push(above);
                let next: String = next.into_iter().collect();
                return from.and(When(binary_expr(named(&self.name), Operator::Lt, self.text(&next))));
            }
        }
        from
    }

    /// Every word occurs: a question to the list of words.
    fn matches(&self, wanted: &str) -> Truth {
        let wanted: Vec<ScalarValue> = words(wanted).map(|word| ScalarValue::Utf8(Some(word))).collect();
        match &self.words {
            Some(name) if !wanted.is_empty() => When(array_has_all(named(name), list(&wanted))),
            _ => Always,
        }
    }

    /// All or any of these items, where an index was asked for and equality is Lance's.
    fn labels(&self, items: &[Value], all: bool) -> Option<Truth> {
        let LogicalType::List(item @ (LogicalType::Text { .. } | LogicalType::Int { .. })) = self.logical else { return None };
        if !self.indexed {
            return None;
        }
        let mut scalars = Vec::with_capacity(items.len());
        for value in items {
            scalars.push(match (item, value) {
                (LogicalType::Text { .. }, Value::Text(t)) => ScalarValue::Utf8(Some(t.clone())),
                (LogicalType::Int { .. }, Value::Int(n)) => ScalarValue::Int64(Some(*n)),
                _ => return None,
            });
        }
        Some(match (scalars.is_empty(), all) {
            (true, true) => Always,
            (true, false) => Never,
            (false, true) => When(array_has_all(named(&self.name), list(&scalars))),
            (false, false) => When(array_has_any(named(&self.name), list(&scalars))),
        })
    }
}

fn float(n: f64) -> Expr {
    literal(ScalarValue::Float64(Some(n)))
}

fn list(items: &[ScalarValue]) -> Expr {
    let kind = items.first().map_or(DataType::Null, ScalarValue::data_type);
    literal(ScalarValue::List(Arc::clone(&ScalarValue::new_list_nullable(items, &kind))))
}

/// The greatest whole number of a field's smallest units that is not above a decimal, and whether it is that decimal.
fn decimal_floor(n: &Decimal, scale: u8) -> (i128, bool) {
    let n = n.normalize();
    if let Some(units) = codec::decimal_units(&n, scale) {
        return (units, true);
    }
    if n.scale() > u32::from(scale) {
        // At most 28 digits behind the point: the divisor always fits.
        let divisor = 10i128.checked_pow(n.scale() - u32::from(scale)).unwrap_or(i128::MAX);
        return (n.mantissa().div_euclid(divisor), false);
    }
    // Beyond what any field holds.
    (if n.is_sign_negative() { i128::MIN } else { i128::MAX }, true)
}
