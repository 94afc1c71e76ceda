use std::cmp::Ordering;
use std::collections::HashSet;

use super::AggregateFunction;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Decimal, Value, canonical_key, compare};

/// A measure of a group under way: for drivers and for the executor, wherever no engine aggregates.
#[derive(Clone, Debug)]
pub struct Total {
    function: AggregateFunction,
    count: i64,
    whole: i128,
    float: f64,
    decimal: Decimal,
    kind: Option<&'static str>,
    best: Value,
    seen: HashSet<Vec<u8>>,
}

impl Total {
    /// An empty measure.
    pub fn new(function: AggregateFunction) -> Self {
        Total { function, count: 0, whole: 0, float: 0.0, decimal: Decimal::ZERO, kind: None, best: Value::Null, seen: HashSet::new() }
    }

    /// Adds a row: its value, or none where rows are counted.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] when a decimal sum overflows.
    pub fn add(&mut self, value: Option<&Value>) -> Result<()> {
        let Some(value) = value else {
            self.count += 1;
            return Ok(());
        };
        if value.is_null() {
            return Ok(());
        }
        self.kind = Some(value.family());
        match self.function {
            AggregateFunction::Count => self.count += 1,
            AggregateFunction::CountDistinct => {
                let mut key = Vec::new();
                canonical_key(value, &mut key);
                self.seen.insert(key);
            }
            AggregateFunction::Sum | AggregateFunction::Avg => {
                self.count += 1;
                match value {
                    Value::Int(n) => self.whole += i128::from(*n),
                    Value::Float(n) => self.float += n,
                    Value::Decimal(n) => self.decimal = self.decimal.checked_add(*n).ok_or_else(overflow)?,
                    _ => {}
                }
            }
            AggregateFunction::Min | AggregateFunction::Max => {
                let wanted = if self.function == AggregateFunction::Min { Ordering::Less } else { Ordering::Greater };
                if self.best.is_null() || compare(value, &self.best) == Some(wanted) {
                    self.best = value.clone();
                }
            }
        }
        Ok(())
    }

    /// Adds so many rows, or non-null values, to a count.
    pub fn add_count(&mut self, rows: usize) {
        self.count += rows as i64;
    }

    /// Adds integers to a sum or mean: as [`add`](Total::add) of each, without a value for each.
    pub fn add_wholes(&mut self, wholes: impl Iterator<Item = i64>) {
        for whole in wholes {
            self.kind = Some("int");
            self.count += 1;
            self.whole += i128::from(whole);
        }
    }

    /// Adds floats to a sum or mean: as [`add`](Total::add) of each, without a value for each.
    pub fn add_floats(&mut self, floats: impl Iterator<Item = f64>) {
        for float in floats {
            self.kind = Some("float");
            self.count += 1;
            self.float += float;
        }
    }

    /// The measure's value.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] when an integer sum does not fit 64 bits or a float sum is not finite.
    pub fn finish(self) -> Result<Value> {
        match self.function {
            AggregateFunction::Count => Ok(Value::Int(self.count)),
            AggregateFunction::CountDistinct => Ok(Value::Int(self.seen.len() as i64)),
            AggregateFunction::Min | AggregateFunction::Max => Ok(self.best),
            AggregateFunction::Sum => match self.kind {
                None => Ok(Value::Null),
                Some("int") => i64::try_from(self.whole).map(Value::Int).map_err(|_| overflow()),
                Some("decimal") => Ok(Value::Decimal(self.decimal)),
                Some(_) if self.float.is_finite() => Ok(Value::Float(self.float)),
                Some(_) => Err(overflow()),
            },
            AggregateFunction::Avg => {
                use rust_decimal::prelude::ToPrimitive;
                let total = match self.kind {
                    None => return Ok(Value::Null),
                    Some("int") => self.whole as f64,
                    Some("decimal") => self.decimal.to_f64().unwrap_or(f64::NAN),
                    Some(_) => self.float,
                };
                if total.is_finite() { Ok(Value::Float(total / self.count as f64)) } else { Err(overflow()) }
            }
        }
    }
}

fn overflow() -> Error {
    Error::new(ErrorKind::LimitExceeded, "the sum overflows the field's type: filter to fewer rows, or sum in the application")
}
