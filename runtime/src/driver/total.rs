use std::cmp::Ordering;
use std::collections::HashSet;

use super::AggregateFunction;
use super::sum::{Sum, sum_overflow};
use crate::error::Result;
use crate::types::{Value, canonical_key, compare};

/// A measure of a group under way: for drivers and for the executor, wherever no engine aggregates.
#[derive(Clone, Debug)]
pub struct Total(State);

#[derive(Clone, Debug)]
enum State {
    Count(i64),
    Distinct(HashSet<Vec<u8>>),
    Sum(Sum),
    Mean(Sum, i64),
    /// The best value so far, and which way is better.
    Extreme(Value, Ordering),
}

impl Total {
    /// An empty measure.
    pub fn new(function: AggregateFunction) -> Self {
        Total(match function {
            AggregateFunction::Count => State::Count(0),
            AggregateFunction::CountDistinct => State::Distinct(HashSet::new()),
            AggregateFunction::Sum => State::Sum(Sum::Nothing),
            AggregateFunction::Avg => State::Mean(Sum::Nothing, 0),
            AggregateFunction::Min => State::Extreme(Value::Null, Ordering::Less),
            AggregateFunction::Max => State::Extreme(Value::Null, Ordering::Greater),
        })
    }

    /// Adds a row: its value, or none where rows are counted. Null is passed over.
    ///
    /// # Errors
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) when a decimal sum outgrows what can be added up exactly.
    pub fn add(&mut self, value: Option<&Value>) -> Result<()> {
        let value = match (&mut self.0, value) {
            (State::Count(count), None) => {
                *count += 1;
                return Ok(());
            }
            (_, None) => return Ok(()),
            (_, Some(value)) if value.is_null() => return Ok(()),
            (_, Some(value)) => value,
        };
        match &mut self.0 {
            State::Count(count) => *count += 1,
            State::Distinct(keys) => {
                let mut key = Vec::new();
                canonical_key(value, &mut key);
                keys.insert(key);
            }
            State::Sum(sum) => sum.add(value)?,
            State::Mean(sum, count) => {
                *count += 1;
                sum.add(value)?;
            }
            State::Extreme(best, better) => {
                if best.is_null() || compare(value, best) == Some(*better) {
                    *best = value.clone();
                }
            }
        }
        Ok(())
    }

    /// Adds so many rows, or non-null values, to a count.
    pub fn add_count(&mut self, rows: usize) {
        if let State::Count(count) = &mut self.0 {
            *count += rows as i64;
        }
    }

    /// Adds integers to a sum or mean: as [`add`](Total::add) of each, without a value for each.
    pub fn add_wholes(&mut self, wholes: impl Iterator<Item = i64>) {
        let Some((sum, count)) = self.sum() else { return };
        let (total, added) = wholes.fold((0, 0), |(total, added), whole| (total + i128::from(whole), added + 1));
        if added > 0 {
            sum.add_whole(total);
            if let Some(count) = count {
                *count += added;
            }
        }
    }

    /// Adds floats to a sum or mean: as [`add`](Total::add) of each, without a value for each.
    pub fn add_floats(&mut self, floats: impl Iterator<Item = f64>) {
        let Some((sum, count)) = self.sum() else { return };
        let (total, added) = floats.fold((0.0, 0), |(total, added), float| (total + float, added + 1));
        if added > 0 {
            sum.add_float(total);
            if let Some(count) = count {
                *count += added;
            }
        }
    }

    fn sum(&mut self) -> Option<(&mut Sum, Option<&mut i64>)> {
        match &mut self.0 {
            State::Sum(sum) => Some((sum, None)),
            State::Mean(sum, count) => Some((sum, Some(count))),
            _ => None,
        }
    }

    /// The measure's value.
    ///
    /// # Errors
    /// [`LimitExceeded`](crate::ErrorKind::LimitExceeded) when a sum is not exactly a value of the field's family: an
    /// integer past 64 bits, a decimal past 96 bits, a float that is not finite.
    pub fn finish(self) -> Result<Value> {
        match self.0 {
            State::Count(count) => Ok(Value::Int(count)),
            State::Distinct(keys) => Ok(Value::Int(keys.len() as i64)),
            State::Extreme(best, _) => Ok(best),
            State::Sum(sum) => sum.finish(),
            State::Mean(Sum::Nothing, _) => Ok(Value::Null),
            State::Mean(sum, count) => {
                let total = sum.to_float();
                if total.is_finite() { Ok(Value::Float(total / count as f64)) } else { Err(sum_overflow()) }
            }
        }
    }
}
