//! What the driver and its streams share: statements run, and rows made of their answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::client::{Failed, Intent, Running};
use super::decode;
use super::dialect::TrinoDialect;
use crate::backends::http::HttpClient;
use crate::backends::sql::aggregate;
use crate::driver::{Aggregate, AggregateFunction, Group, Page, sum_overflow};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::{Json, LogicalType, Value};

/// How often a read is begun again when the cluster lost a node under it.
pub(super) const ATTEMPTS: u32 = 3;

/// A row's turn to be written: one writer of this process a table, which then meets no commit of its own.
pub(super) type Turn = Arc<tokio::sync::Mutex<()>>;

/// One connection.
pub(super) struct Core {
    pub(super) http: HttpClient,
    pub(super) dialect: TrinoDialect,
    pub(super) catalog: String,
    pub(super) schema: String,
    pub(super) writable: bool,
    pub(super) turns: Mutex<HashMap<String, Turn>>,
}

/// What a statement that was followed to its end gave.
pub(super) struct Finished {
    pub(super) rows: Vec<Vec<Json>>,
    pub(super) changed: Option<i64>,
}

impl Core {
    /// Runs a statement to its end.
    pub(super) async fn run(&self, text: &str, intent: Intent, deadline: Instant) -> Result<Finished, Failed> {
        let mut running = Running::start(&self.http, text, intent, deadline).await?;
        let rows = running.finish(deadline).await?;
        Ok(Finished { rows, changed: running.changed })
    }

    /// Runs a statement that reads, anew where the cluster lost a node under it.
    pub(super) async fn rows(&self, text: &str, deadline: Instant) -> Result<Vec<Vec<Json>>> {
        let mut attempt = 1;
        loop {
            match self.run(text, Intent::Reads, deadline).await {
                Ok(finished) => return Ok(finished.rows),
                Err(failed) if is_passing(&failed) && attempt < ATTEMPTS && Instant::now() < deadline => attempt += 1,
                Err(failed) => return Err(failed.error),
            }
        }
    }

    /// Makes a page of rows: id, version, `columns`, and a score when `scored`.
    pub(super) fn page(&self, part: &Part, rows: Vec<Vec<Json>>, columns: &[usize], scored: bool) -> Result<Page> {
        let mut page = Page::new(columns.len());
        let width = columns.len() + 2 + usize::from(scored);
        for mut row in rows {
            if row.len() != width {
                return Err(Error::new(ErrorKind::Backend, "Trino gave a row of another width than was asked for"));
            }
            page.ids.push(decode::id(&mut row[0], part)?);
            page.versions.push(decode::whole(&row[1])?);
            for (cell, &position) in row[2..].iter_mut().zip(columns) {
                let column = &part.columns[position];
                let value = decode::value(cell, &column.logical);
                page.values.push(value.map_err(|e| e.of_entity(part.entity.name).at_field(column.name))?);
            }
            if scored {
                page.scores.push(decode::float(&row[width - 1])?);
            }
        }
        Ok(page)
    }

    /// Runs an aggregation.
    pub(super) async fn groups(&self, part: &Part, query: &Aggregate) -> Result<Vec<Group>> {
        let statement = aggregate::aggregate(&self.dialect, part, query)?;
        let rows = self.rows(&statement.text, self.http.deadline()).await?;
        rows.into_iter().map(|row| group(part, query, row)).collect()
    }
}

/// Whether the same statement may work on what is left of the cluster.
pub(super) fn is_passing(failed: &Failed) -> bool {
    failed.error.kind() == ErrorKind::Unavailable && !failed.code.is_empty()
}

fn group(part: &Part, query: &Aggregate, mut row: Vec<Json>) -> Result<Group> {
    let width = query.keys.len() + query.measures.len();
    if row.len() != width.max(1) {
        return Err(Error::new(ErrorKind::Backend, "Trino gave a group of another width than was asked for"));
    }
    let (keys, measures) = row.split_at_mut(query.keys.len());
    let keys = keys.iter_mut().zip(&query.keys).map(|(cell, &key)| decode::value(cell, &part.columns[key].logical));
    let measures = measures.iter_mut().zip(&query.measures).map(|(cell, measure)| {
        let logical = measure.column.map_or(LogicalType::INT, |column| part.columns[column].logical);
        match measure.function {
            _ if cell.is_null() => Ok(Value::Null),
            AggregateFunction::Count | AggregateFunction::CountDistinct => decode::whole(cell).map(Value::Int),
            AggregateFunction::Min | AggregateFunction::Max => decode::value(cell, &logical),
            AggregateFunction::Sum if matches!(logical, LogicalType::Decimal { .. }) => {
                decode::text(cell).and_then(|text| decode::decimal(&text)).map(Value::Decimal).map_err(|_| sum_overflow())
            }
            AggregateFunction::Sum if matches!(logical, LogicalType::Int { .. }) => {
                decode::text(cell)?.parse().map(Value::Int).map_err(|_| sum_overflow())
            }
            AggregateFunction::Sum | AggregateFunction::Avg => {
                let number = decode::float(cell)?;
                if number.is_finite() { Ok(Value::Float(number)) } else { Err(sum_overflow()) }
            }
        }
    });
    Ok(Group { keys: keys.collect::<Result<_>>()?, measures: measures.collect::<Result<_>>()? })
}
