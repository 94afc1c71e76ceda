//! Groups and their numbers, computed over columns.

use std::cmp::Ordering;

use hashbrown::{HashMap, HashSet};

use super::column::Data;
use super::mask::{CHUNK, Mask};
use super::select::{self, Selection};
use super::store::View;
use super::table::Table;
use crate::driver::{Aggregate, AggregateFunction, Group, Measure, Total};
use crate::error::{Error, Result};
use crate::types::{Value, canonical_key};

/// Runs an aggregation.
pub(super) fn aggregate(view: &View, query: &Aggregate) -> Result<Vec<Group>> {
    let table = view.store.snapshot();
    let keys = view.positions(&query.keys)?;
    let selection = select::select(&table, view, &query.filter, query.ids.as_deref())?;
    let chunks = selection.unwrap_or_else(|| Selection::of_all(&table)).chunks;
    let named = |error: Error, measure: &Measure| {
        let error = error.of_entity(view.entity);
        match measure.column {
            Some(column) => error.at_field(view.part.columns[column].name),
            None => error,
        }
    };
    let mut measures = Vec::with_capacity(query.measures.len());
    for measure in &query.measures {
        measures.push(measure.column.map(|column| view.positions(&[column]).map(|found| found[0])).transpose()?);
    }
    if keys.is_empty() {
        let values = query.measures.iter().zip(&measures);
        let values = values.map(|(measure, column)| total(&table, &chunks, measure.function, *column).map_err(|e| named(e, measure)));
        return Ok(vec![Group { keys: Vec::new(), measures: values.collect::<Result<_>>()? }]);
    }
    let mut groups: Vec<(Vec<Value>, Vec<Total>)> = Vec::new();
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
                    let values = keys.iter().map(|column| table.value(row, *column)).collect();
                    groups.push((values, query.measures.iter().map(|measure| Total::new(measure.function)).collect()));
                    groups.len() - 1
                }
            };
            for ((measure, column), total) in query.measures.iter().zip(&measures).zip(&mut groups[number].1) {
                add_row(&table, row, measure.function, *column, total).map_err(|error| named(error, measure))?;
            }
        }
    }
    let finish = |(keys, totals): (Vec<Value>, Vec<Total>)| {
        let values = totals.into_iter().zip(&query.measures).map(|(total, measure)| total.finish().map_err(|error| named(error, measure)));
        Ok(Group { keys, measures: values.collect::<Result<_>>()? })
    };
    groups.into_iter().map(finish).collect()
}

/// Adds one row to a group's measure, without making a value of it where that can be.
fn add_row(table: &Table, row: u32, function: AggregateFunction, column: Option<usize>, total: &mut Total) -> Result<()> {
    let Some(column) = column else {
        total.add_count(1);
        return Ok(());
    };
    let (cells, place) = table.cells(row, column);
    if !cells.valid.get(place) {
        return Ok(());
    }
    match (function, &cells.data) {
        (AggregateFunction::Count, _) => total.add_count(1),
        (AggregateFunction::Sum | AggregateFunction::Avg, Data::Whole(values)) => total.add_wholes(std::iter::once(values[place])),
        (AggregateFunction::Sum | AggregateFunction::Avg, Data::Float(values)) => total.add_floats(std::iter::once(values[place])),
        _ => total.add(Some(&cells.value(&table.shape[column].kind, place)))?,
    }
    Ok(())
}

/// One measure over all selected rows: whole columns at a time.
fn total(table: &Table, chunks: &[(usize, Mask)], function: AggregateFunction, column: Option<usize>) -> Result<Value> {
    let mut total = Total::new(function);
    let Some(column) = column else {
        chunks.iter().for_each(|(_, mask)| total.add_count(mask.count()));
        return total.finish();
    };
    let kind = &table.shape[column].kind;
    let mut seen: HashSet<Vec<u8>> = HashSet::new();
    let mut key = Vec::new();
    for (index, mask) in chunks {
        let cells = &*table.chunks.get(*index).columns[column];
        let rows = mask.and(&cells.valid);
        match (function, &cells.data) {
            (AggregateFunction::Count, _) => total.add_count(rows.count()),
            (AggregateFunction::Sum | AggregateFunction::Avg, Data::Whole(values)) => total.add_wholes(rows.rows().map(|row| values[row])),
            (AggregateFunction::Sum | AggregateFunction::Avg, Data::Float(values)) => total.add_floats(rows.rows().map(|row| values[row])),
            (AggregateFunction::Min | AggregateFunction::Max, _) => {
                let wanted = if function == AggregateFunction::Min { Ordering::Less } else { Ordering::Greater };
                let better = |best: usize, row: usize| if cells.compare(kind, row, cells, best) == wanted { row } else { best };
                if let Some(best) = rows.rows().reduce(better) {
                    total.add(Some(&cells.value(kind, best)))?;
                }
            }
            (AggregateFunction::CountDistinct, _) => {
                for row in rows.rows() {
                    key.clear();
                    key_of(table, (index * CHUNK + row) as u32, column, &mut key);
                    if !seen.contains(key.as_slice()) {
                        seen.insert(key.clone());
                        total.add(Some(&cells.value(kind, row)))?;
                    }
                }
            }
            (AggregateFunction::Sum | AggregateFunction::Avg, _) => {
                rows.rows().try_for_each(|row| total.add(Some(&cells.value(kind, row))))?;
            }
        }
    }
    total.finish()
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
