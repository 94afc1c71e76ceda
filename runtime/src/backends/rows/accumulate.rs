use std::cmp::Ordering;
use std::collections::HashSet;

use crate::driver::AggregateFunction;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Decimal, Value, canonical_key, compare};

/// One number of one group, while rows come.
#[derive(Debug)]
pub(crate) enum Accumulator {
    Count(i64),
    Distinct(HashSet<Vec<u8>>),
    /// The sum so far and the number of values; the mean where `mean`.
    Sum {
        sum: Sum,
        count: u64,
        mean: bool,
    },
    /// The best value so far, and which way is better.
    Extreme(Value, Ordering),
}

/// A sum of values of one family. Integers are summed wider than they are, so that their order does not decide
/// whether they overflow.
#[derive(Debug)]
pub(crate) enum Sum {
    Nothing,
    Int(i128),
    Float(f64),
    Decimal(Decimal),
}

impl Accumulator {
    /// Nothing seen yet.
    pub fn new(function: AggregateFunction) -> Self {
        match function {
            AggregateFunction::Count => Accumulator::Count(0),
            AggregateFunction::CountDistinct => Accumulator::Distinct(HashSet::new()),
            AggregateFunction::Sum => Accumulator::Sum { sum: Sum::Nothing, count: 0, mean: false },
            AggregateFunction::Avg => Accumulator::Sum { sum: Sum::Nothing, count: 0, mean: true },
            AggregateFunction::Min => Accumulator::Extreme(Value::Null, Ordering::Less),
            AggregateFunction::Max => Accumulator::Extreme(Value::Null, Ordering::Greater),
        }
    }

    /// Takes a row's value; none counts the row itself.
    pub fn add(&mut self, value: Option<&Value>) -> Result<()> {
        let value = match (&mut *self, value) {
            (Accumulator::Count(n), None) => {
                *n += 1;
                return Ok(());
            }
            (_, None) => return Ok(()),
            (_, Some(value)) if value.is_null() => return Ok(()),
            (_, Some(value)) => value,
        };
        match self {
            Accumulator::Count(n) => *n += 1,
            Accumulator::Distinct(keys) => {
                let mut key = Vec::new();
                canonical_key(value, &mut key);
                keys.insert(key);
            }
            Accumulator::Sum { sum, count, .. } => {
                *count += 1;
                sum.add(value)?;
            }
            Accumulator::Extreme(best, better) => {
                if best.is_null() || compare(value, best) == Some(*better) {
                    *best = value.clone();
                }
            }
        }
        Ok(())
    }

    /// The number.
    pub fn finish(self) -> Result<Value> {
        Ok(match self {
            Accumulator::Count(n) => Value::Int(n),
            Accumulator::Distinct(keys) => Value::Int(i64::try_from(keys.len()).unwrap_or(i64::MAX)),
            Accumulator::Extreme(best, _) => best,
            Accumulator::Sum { sum, count, mean: true } => sum.mean(count),
            Accumulator::Sum { sum, .. } => sum.total()?,
        })
    }
}

fn overflow() -> Error {
    Error::new(ErrorKind::LimitExceeded, "the sum is greater than its type can hold: sum fewer rows, or take the mean")
}

impl Sum {
    fn add(&mut self, value: &Value) -> Result<()> {
        *self = match (&*self, value) {
            (Sum::Nothing, Value::Int(n)) => Sum::Int(i128::from(*n)),
            (Sum::Nothing, Value::Float(n)) => Sum::Float(*n),
            (Sum::Nothing, Value::Decimal(n)) => Sum::Decimal(*n),
            (Sum::Int(sum), Value::Int(n)) => Sum::Int(sum + i128::from(*n)),
            (Sum::Float(sum), Value::Float(n)) => Sum::Float(sum + n),
            (Sum::Decimal(sum), Value::Decimal(n)) => Sum::Decimal(sum.checked_add(*n).ok_or_else(overflow)?),
            (_, other) => {
                return Err(Error::new(ErrorKind::InvalidQuery, format!("values of type {} cannot be summed", other.family())));
            }
        };
        Ok(())
    }

    fn total(self) -> Result<Value> {
        Ok(match self {
            Sum::Nothing => Value::Null,
            Sum::Int(sum) => Value::Int(i64::try_from(sum).map_err(|_| overflow())?),
            Sum::Float(sum) if !sum.is_finite() => return Err(overflow()),
            Sum::Float(sum) => Value::Float(sum),
            Sum::Decimal(sum) => Value::Decimal(sum),
        })
    }

    fn mean(self, count: u64) -> Value {
        let over = |sum: f64| Value::Float(sum / count as f64);
        match self {
            Sum::Nothing => Value::Null,
            Sum::Int(sum) => over(sum as f64),
            Sum::Float(sum) => over(sum),
            Sum::Decimal(sum) => over(sum.to_string().parse().unwrap_or_default()),
        }
    }
}
