//! Groups and their numbers, computed over columns.

use std::cmp::Ordering;

use hashbrown::{HashMap, HashSet};

use super::column::{Data, Kind};
use super::mask::{CHUNK, Mask};
use super::select;
use super::store::View;
use super::table::{Table, split};
use crate::driver::{Aggregate, AggregateFunction, Group};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Decimal, Value, canonical_key, compare};

/// Runs an aggregation.
pub(super) fn aggregate(view: &View, query: &Aggregate) -> Result<Vec<Group>> {
    let table = view.store.snapshot();
    let keys = view.positions(&query.keys)?;
    let selection = select::select(&table, view, &query.filter, query.ids.as_deref())?;
    let chunks: Vec<(usize, Mask)> = match selection {
        Some(selection) => selection.chunks,
        None => table.chunks.iter().enumerate().map(|(index, chunk)| (index, chunk.live)).collect(),
    };
    let mut measures = Vec::new();
    for measure in &query.measures {
        measures.push((measure.function, measure.column.map(|column| view.positions(&[column]).map(|found| found[0])).transpose()?));
    }
    let named = |error: Error, measure: usize| {
        let column = query.measures[measure].column.map(|column| view.part.columns[column].name);
        let error = error.of_entity(view.entity);
        if let Some(name) = column { error.at_field(name) } else { error }
    };
    let fresh = || measures.iter().map(|(function, _)| Sum::new(*function)).collect::<Vec<_>>();
    let mut groups: Vec<(Vec<Value>, Vec<Sum>)> = Vec::new();
    if keys.is_empty() {
        let mut sums = fresh();
        for (nth, ((_, column), sum)) in measures.iter().zip(&mut sums).enumerate() {
            for (index, mask) in &chunks {
                sum.add_rows(&table, *index, mask, *column).map_err(|error| named(error, nth))?;
            }
        }
        groups.push((Vec::new(), sums));
    } else {
        let mut numbers: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut key = Vec::new();
        for (index, mask) in &chunks {
            for place in mask.rows() {
                let row = (index * CHUNK + place) as u32;
                key.clear();
                keys.iter().for_each(|column| key_of(&table, row, *column, &mut key));
                let number = match numbers.get(key.as_slice()) {
                    Some(number) => *number,
                    None => {
                        numbers.insert(key.clone(), groups.len());
                        groups.push((keys.iter().map(|column| table.value(row, *column)).collect(), fresh()));
                        groups.len() - 1
                    }
                };
                for (nth, ((_, column), sum)) in measures.iter().zip(&mut groups[number].1).enumerate() {
                    sum.add_row(&table, row, *column).map_err(|error| named(error, nth))?;
                }
            }
        }
    }
    groups
        .into_iter()
        .map(|(keys, sums)| {
            let finished = sums.into_iter().enumerate().map(|(nth, sum)| {
                let kind = measures[nth].1.map(|column| table.shape[column].kind);
                sum.finish(kind).map_err(|error| named(error, nth))
            });
            Ok(Group { keys, measures: finished.collect::<Result<_>>()? })
        })
        .collect()
}

/// Bytes that are equal exactly when two values of the column are.
fn key_of(table: &Table, row: u32, column: usize, key: &mut Vec<u8>) {
    let (cells, place) = table.cells(row, column);
    match &cells.data {
        _ if !cells.valid.get(place) => key.push(0),
        Data::Whole(values) => {
            key.push(1);
            key.extend_from_slice(&values[place].to_le_bytes());
        }
        Data::Code(codes) => {
            key.push(1);
            key.extend_from_slice(&codes[place].to_le_bytes());
        }
        Data::Text(texts) | Data::Words(texts, _) => {
            let text = texts.get(place);
            key.push(1);
            key.extend_from_slice(&(text.len() as u32).to_le_bytes());
            key.extend_from_slice(text.as_bytes());
        }
        _ => canonical_key(&cells.value(&table.shape[column].kind, place), key),
    }
}

/// One measure of one group under way.
enum Sum {
    Count(u64),
    Distinct(HashSet<Vec<u8>>),
    Total { whole: i128, float: f64, decimal: Decimal, rows: u64, mean: bool },
    Extreme { row: Option<u32>, column: usize, wanted: Ordering, value: Value },
}

impl Sum {
    fn new(function: AggregateFunction) -> Sum {
        match function {
            AggregateFunction::Count => Sum::Count(0),
            AggregateFunction::CountDistinct => Sum::Distinct(HashSet::new()),
            AggregateFunction::Sum => Sum::Total { whole: 0, float: 0.0, decimal: Decimal::ZERO, rows: 0, mean: false },
            AggregateFunction::Avg => Sum::Total { whole: 0, float: 0.0, decimal: Decimal::ZERO, rows: 0, mean: true },
            AggregateFunction::Min => Sum::Extreme { row: None, column: 0, wanted: Ordering::Less, value: Value::Null },
            AggregateFunction::Max => Sum::Extreme { row: None, column: 0, wanted: Ordering::Greater, value: Value::Null },
        }
    }

    /// Adds rows of one chunk: whole columns at a time where that is possible.
    fn add_rows(&mut self, table: &Table, index: usize, mask: &Mask, column: Option<usize>) -> Result<()> {
        let valid = column.map(|column| mask.and(&table.chunks.get(index).columns[column].valid));
        match (&mut *self, column, valid) {
            (Sum::Count(rows), _, valid) => {
                *rows += valid.unwrap_or(*mask).count() as u64;
                return Ok(());
            }
            (Sum::Total { whole, float, rows, .. }, Some(column), Some(valid)) => match &table.chunks.get(index).columns[column].data {
                Data::Whole(values) => {
                    *whole += valid.rows().map(|place| i128::from(values[place])).sum::<i128>();
                    *rows += valid.count() as u64;
                    return Ok(());
                }
                Data::Float(values) => {
                    valid.rows().for_each(|place| *float += values[place]);
                    *rows += valid.count() as u64;
                    return Ok(());
                }
                _ => {}
            },
            _ => {}
        }
        mask.rows().try_for_each(|place| self.add_row(table, (index * CHUNK + place) as u32, column))
    }

    fn add_row(&mut self, table: &Table, row: u32, column: Option<usize>) -> Result<()> {
        let Some(column) = column else {
            if let Sum::Count(rows) = self {
                *rows += 1;
            }
            return Ok(());
        };
        let (cells, place) = table.cells(row, column);
        if !cells.valid.get(place) {
            return Ok(());
        }
        match self {
            Sum::Count(rows) => *rows += 1,
            Sum::Distinct(seen) => {
                let mut key = Vec::new();
                key_of(table, row, column, &mut key);
                seen.insert(key);
            }
            Sum::Total { whole, float, decimal, rows, .. } => {
                *rows += 1;
                match &cells.data {
                    Data::Whole(values) => *whole += i128::from(values[place]),
                    Data::Float(values) => *float += values[place],
                    Data::Decimal(values) => *decimal = decimal.checked_add(values[place]).ok_or_else(overflow)?,
                    _ => return Err(Error::new(ErrorKind::InvalidQuery, "a sum of values that are not numbers")),
                }
            }
            Sum::Extreme { row: best, column: of, wanted, value } => {
                *of = column;
                let better = best.is_none_or(|best| {
                    let ((a, a_place), (b, b_place)) = (table.cells(row, column), table.cells(best, column));
                    a.compare(&table.shape[column].kind, a_place, b, b_place) == *wanted
                });
                if better {
                    *best = Some(row);
                    *value = Value::Null;
                }
            }
        }
        Ok(())
    }

    fn finish(self, kind: Option<Kind>) -> Result<Value> {
        let _ = (compare as fn(&Value, &Value) -> Option<Ordering>, split as fn(u32) -> (usize, usize));
        Ok(match self {
            Sum::Count(rows) => Value::Int(rows as i64),
            Sum::Distinct(seen) => Value::Int(seen.len() as i64),
            Sum::Total { rows: 0, .. } => Value::Null,
            Sum::Total { whole, float, decimal, rows, mean: true } => {
                let total = match kind {
                    Some(Kind::Float) => float,
                    Some(Kind::Decimal) => f64::try_from(decimal).map_err(|_| overflow())?,
                    _ => whole as f64,
                };
                Value::Float(total / rows as f64)
            }
            Sum::Total { whole, float, decimal, .. } => match kind {
                Some(Kind::Float) if !float.is_finite() => return Err(overflow()),
                Some(Kind::Float) => Value::Float(float),
                Some(Kind::Decimal) => Value::Decimal(decimal),
                _ => Value::Int(i64::try_from(whole).map_err(|_| overflow())?),
            },
            Sum::Extreme { value, .. } => value,
        })
    }
}

fn overflow() -> Error {
    Error::new(ErrorKind::LimitExceeded, "the sum is too great for the field's type: sum fewer rows, or take avg")
}
