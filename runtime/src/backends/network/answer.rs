//! Answers of the drivers over `sqlx` as pages and groups: they differ in how a cell is read.

use super::failure;
use crate::backends::sql::forms::{corrupt, decimal};
use crate::driver::{Aggregate, AggregateFunction, Group, Page, sum_overflow};
use crate::error::Result;
use crate::schema::{ID_COLUMN, KeyKind, Part};
use crate::types::{Id, LogicalType, Value};

/// One row of an answer.
pub(crate) trait Cells {
    /// The cell at a position as a value of a logical type; `mapped` is one of a table that HeavenBase did not create.
    fn cell(&self, position: usize, logical: &LogicalType, mapped: bool) -> Result<Value>;

    /// The cell at a position as the text that it is, where it lies.
    fn text(&self, position: usize) -> Result<&str>;
}

/// Reads a text that is never null.
pub(crate) fn read_text(row: &impl Cells, position: usize) -> Result<String> {
    match row.cell(position, &LogicalType::TEXT, false)? {
        Value::Text(text) => Ok(text),
        _ => Err(corrupt()),
    }
}

/// Reads an id: the text of the row's key.
pub(crate) fn read_id(row: &impl Cells, position: usize, part: &Part) -> Result<Id> {
    let kind = part.key().kind;
    if kind == KeyKind::Text {
        return row.text(position).map(Id::from).map_err(|error| error.at_field(ID_COLUMN));
    }
    kind.id(row.cell(position, &kind.logical(), false)?).ok_or_else(|| corrupt().at_field(ID_COLUMN))
}

/// Reads a whole number that is never null.
pub(crate) fn read_whole(row: &impl Cells, position: usize) -> Result<i64> {
    match row.cell(position, &LogicalType::INT, false)? {
        Value::Int(number) => Ok(number),
        _ => Err(corrupt()),
    }
}

/// Reads a float that is never null.
fn read_float(row: &impl Cells, position: usize) -> Result<f64> {
    match row.cell(position, &LogicalType::Float, false)? {
        Value::Float(number) => Ok(number),
        _ => Err(corrupt()),
    }
}

/// The one number that a statement gives.
pub(crate) fn count(rows: &[impl Cells]) -> Result<u64> {
    let count = failure::read(|| rows.first().map_or(Ok(0), |row| read_whole(row, 0)))?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Rows of id, version, `columns`, and a score when `scored`.
pub(crate) fn page(part: &Part, rows: &[impl Cells], columns: &[usize], scored: bool) -> Result<Page> {
    failure::read(|| of_rows(part, rows, columns, scored))
}

fn of_rows(part: &Part, rows: &[impl Cells], columns: &[usize], scored: bool) -> Result<Page> {
    let mut page = Page::new(columns.len());
    page.ids.reserve(rows.len());
    page.versions.reserve(rows.len());
    page.values.reserve(rows.len() * columns.len());
    for row in rows {
        page.ids.push(read_id(row, 0, part)?);
        page.versions.push(read_whole(row, 1)?);
        for (i, &position) in columns.iter().enumerate() {
            let column = &part.columns[position];
            let value = row.cell(i + 2, &column.logical, part.is_mapped());
            page.values.push(value.map_err(|e| e.of_entity(part.entity.name).at_field(column.name))?);
        }
        if scored {
            page.scores.push(read_float(row, columns.len() + 2)?);
        }
    }
    Ok(page)
}

/// Rows of keys and measures.
pub(crate) fn groups<R: Cells>(part: &Part, rows: &[R], query: &Aggregate) -> Result<Vec<Group>> {
    let group = |row: &R| {
        let keys = query.keys.iter().enumerate().map(|(i, &key)| row.cell(i, &part.columns[key].logical, part.is_mapped()));
        let keys = keys.collect::<Result<_>>()?;
        let mut measures = Vec::with_capacity(query.measures.len());
        for (i, measure) in query.measures.iter().enumerate() {
            let at = query.keys.len() + i;
            let logical = measure.column.map_or(LogicalType::INT, |column| part.columns[column].logical);
            let value = match measure.function {
                AggregateFunction::Count | AggregateFunction::CountDistinct => Value::Int(read_whole(row, at)?),
                AggregateFunction::Avg => row.cell(at, &LogicalType::Float, false)?,
                AggregateFunction::Sum if !matches!(logical, LogicalType::Float) => {
                    sum(row.cell(at, &LogicalType::TEXT, false)?, &logical)?
                }
                _ => row.cell(at, &logical, part.is_mapped())?,
            };
            match value {
                Value::Float(number) if !number.is_finite() => return Err(sum_overflow()),
                value => measures.push(value),
            }
        }
        Ok(Group { keys, measures })
    };
    failure::read(|| rows.iter().map(group).collect())
}

/// A sum that came as text, of any length.
fn sum(text: Value, logical: &LogicalType) -> Result<Value> {
    let Value::Text(text) = text else { return Ok(Value::Null) };
    if matches!(logical, LogicalType::Decimal { .. }) {
        return decimal(&text).map(Value::Decimal).ok_or_else(sum_overflow);
    }
    text.parse().map(Value::Int).map_err(|_| sum_overflow())
}
