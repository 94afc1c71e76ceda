//! Aggregates: groups, and what each measure may be.

use heavenbase::driver::{Aggregate, AggregateFunction, Measure};
use heavenbase::schema::Part;
use heavenbase::types::{Decimal, Value};

use super::compare::{equal, order};
use super::table::{Row, Table};

/// What a measure must be.
#[derive(Clone, Debug)]
pub enum Expected {
    /// This value.
    Exactly(Value),
    /// This number, but for rounding of the order of the second.
    About(f64, f64),
    /// An error: the sum does not fit.
    Overflow,
    /// This value, or an error: the sum fits, but a part of it does not.
    OrOverflow(Value),
    /// Anything: not even the parts can be added up in `f64`.
    Anything,
}

/// The groups and their measures, in no order; without keys one group, also over no row.
pub fn aggregate(table: &Table, part: &Part, wanted: &Aggregate) -> Vec<(Vec<Value>, Vec<Expected>)> {
    let mut groups: Vec<(Vec<Value>, Vec<&Row>)> = Vec::new();
    if wanted.keys.is_empty() {
        groups.push((Vec::new(), Vec::new()));
    }
    for row in table.matching(part, &wanted.filter, wanted.ids.as_deref()) {
        let key: Vec<Value> = wanted.keys.iter().map(|column| row.values[*column].clone()).collect();
        match groups.iter_mut().find(|(other, _)| other.iter().zip(&key).all(|(a, b)| equal(a, b))) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((key, vec![row])),
        }
    }
    groups.into_iter().map(|(key, rows)| (key, wanted.measures.iter().map(|m| measure(*m, &rows)).collect())).collect()
}

fn measure(measure: Measure, rows: &[&Row]) -> Expected {
    let Some(column) = measure.column else { return Expected::Exactly(Value::Int(rows.len() as i64)) };
    let values: Vec<&Value> = rows.iter().map(|row| &row.values[column]).filter(|value| !value.is_null()).collect();
    let extreme = |wanted| {
        let better = |a: &&&Value, b: &&&Value| order(a, b).unwrap_or(std::cmp::Ordering::Equal);
        let found = if wanted { values.iter().max_by(better) } else { values.iter().min_by(better) };
        Expected::Exactly(found.map_or(Value::Null, |value| (*value).clone()))
    };
    match measure.function {
        AggregateFunction::Count => Expected::Exactly(Value::Int(values.len() as i64)),
        AggregateFunction::CountDistinct => {
            let mut distinct: Vec<&Value> = Vec::new();
            for value in values {
                if !distinct.iter().any(|other| equal(other, value)) {
                    distinct.push(value);
                }
            }
            Expected::Exactly(Value::Int(distinct.len() as i64))
        }
        AggregateFunction::Min => extreme(false),
        AggregateFunction::Max => extreme(true),
        AggregateFunction::Sum if values.is_empty() => Expected::Exactly(Value::Null),
        AggregateFunction::Avg if values.is_empty() => Expected::Exactly(Value::Null),
        AggregateFunction::Sum => sum(&values),
        AggregateFunction::Avg => {
            let (total, weight) = floats(&values);
            let count = values.len() as f64;
            if weight.is_finite() { Expected::About(total / count, weight / count) } else { Expected::Anything }
        }
    }
}

/// The sum as `f64`, and the sum of the magnitudes, which bounds the rounding.
fn floats(values: &[&Value]) -> (f64, f64) {
    let whole: i128 = values.iter().map(|value| if let Value::Int(n) = value { i128::from(*n) } else { 0 }).sum();
    let mut total = whole as f64;
    let mut weight = total.abs();
    for value in values {
        let number = match value {
            Value::Float(n) => *n,
            Value::Decimal(n) => n.to_string().parse().unwrap_or(f64::NAN),
            Value::Int(n) => {
                weight += (*n as f64).abs();
                continue;
            }
            _ => continue,
        };
        total += number;
        weight += number.abs();
    }
    (total, weight)
}

fn sum(values: &[&Value]) -> Expected {
    match values[0] {
        Value::Int(_) => {
            let numbers = || values.iter().map(|value| if let Value::Int(n) = value { i128::from(*n) } else { 0 });
            let Ok(total) = i64::try_from(numbers().sum::<i128>()) else { return Expected::Overflow };
            let up = i64::try_from(numbers().filter(|n| *n > 0).sum::<i128>()).is_ok();
            let down = i64::try_from(numbers().filter(|n| *n < 0).sum::<i128>()).is_ok();
            if up && down { Expected::Exactly(Value::Int(total)) } else { Expected::OrOverflow(Value::Int(total)) }
        }
        Value::Decimal(_) => {
            let decimals = || values.iter().filter_map(|value| if let Value::Decimal(n) = value { Some(n) } else { None });
            let scale = decimals().map(|n| n.scale()).max().unwrap_or(0);
            let total: Option<i128> = decimals()
                .try_fold(0i128, |total, n| n.mantissa().checked_mul(10i128.pow(scale - n.scale())).and_then(|n| total.checked_add(n)));
            // Without trailing zeros, a decimal of many digits may still be one of 96 bits.
            let shortest = total.map(|mut total| {
                let mut scale = scale;
                while scale > 0 && total % 10 == 0 {
                    (total, scale) = (total / 10, scale - 1);
                }
                (total, scale)
            });
            let exact = shortest.and_then(|(total, scale)| Decimal::try_from_i128_with_scale(total, scale).ok());
            exact.map_or(Expected::Overflow, |total| Expected::Exactly(Value::Decimal(total)))
        }
        _ => match floats(values) {
            (total, weight) if weight.is_finite() => Expected::About(total, weight),
            _ => Expected::Anything,
        },
    }
}

/// Whether a measure that came back is what it must be. An overflow expected means that no value is right.
pub fn agrees(expected: &Expected, found: &Value) -> bool {
    match (expected, found) {
        (Expected::Exactly(value) | Expected::OrOverflow(value), found) => equal(value, found),
        (Expected::About(number, weight), Value::Float(found)) => (number - found).abs() <= weight * 1e-9,
        (Expected::Anything, _) => true,
        _ => false,
    }
}
