//! Reading: rows by id, pages of a sub-query, groups.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, Row, Rows};

use super::connection::{Pool, Transaction};
use super::dialect::SqliteDialect;
use super::{codec, failure, functions};
use crate::backends::sql::{Statement, aggregate, select};
use crate::driver::{Aggregate, AggregateFunction, Group, Page, PageStream, Position, Reply, SortKey, SubQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::{Id, LogicalType, Value};

/// Rows of a page, at most: what a caller that wants everything may ask for.
const MOST_ROWS: usize = 65_536;
/// Rows that pages grow to by themselves.
const GROWN_ROWS: usize = 8_192;

/// Rows by id with a prepared text of [`select::fetch_one`], in the order asked for.
pub(super) fn fetch(connection: &Connection, text: &str, part: &Part, ids: &[Id], columns: &[usize]) -> Result<Page> {
    let mut page = Page::new(columns.len());
    let mut statement = connection.prepare_cached(text).map_err(failure::error)?;
    // Several look-ups share one transaction: one state of the database, and one lock of the file.
    let transaction = if ids.len() > 1 { Some(Transaction::read(connection)?) } else { None };
    for id in ids {
        statement.raw_bind_parameter(1, id.as_str()).map_err(failure::error)?;
        let mut rows = statement.raw_query();
        if let Some(row) = rows.next().map_err(failure::error)? {
            push_row(&mut page, row, part, columns)?;
        }
    }
    drop(statement);
    if let Some(transaction) = transaction {
        transaction.commit()?;
    }
    Ok(page)
}

/// Adds a row that begins with id, version and the columns.
fn push_row(page: &mut Page, row: &Row<'_>, part: &Part, columns: &[usize]) -> Result<()> {
    page.ids.push(read_id(row)?);
    page.versions.push(row.get_ref(1).and_then(|v| Ok(v.as_i64()?)).map_err(failure::error)?);
    for (i, &position) in columns.iter().enumerate() {
        page.values.push(read_column(row, i + 2, part, position)?);
    }
    Ok(())
}

fn read_id(row: &Row<'_>) -> Result<Id> {
    let text = row.get_ref(0).map_err(failure::error)?.as_str().map_err(|cause| {
        Error::new(ErrorKind::Corrupt, "a stored id that is not text: something else wrote it").at_field("object_id").caused_by(cause)
    })?;
    Ok(Id::from(text))
}

fn read_column(row: &Row<'_>, at: usize, part: &Part, position: usize) -> Result<Value> {
    let column = part.columns.get(position).ok_or_else(|| Error::new(ErrorKind::Internal, "a column outside of the part"))?;
    let stored = row.get_ref(at).map_err(failure::error)?;
    codec::from_sql(&column.logical, stored).map_err(|e| e.at_field(column.name).of_entity(part.entity.name))
}

fn bind<'s>(prepared: &'s mut CachedStatement<'_>, statement: &Statement) -> Result<Rows<'s>> {
    for (i, value) in statement.values.iter().enumerate() {
        prepared.raw_bind_parameter(i + 1, codec::to_sql(value)).map_err(failure::error)?;
    }
    Ok(prepared.raw_query())
}

/// The pages of a sub-query. Each is a statement of its own, begun after the last row of the page before (keyset): no
/// reader is held between pages.
pub(super) struct Stream {
    pool: Arc<Pool>,
    part: Arc<Part>,
    query: Arc<SubQuery>,
    after: Option<Position>,
    offset: usize,
    left: Option<usize>,
    page_rows: usize,
    done: bool,
}

impl Stream {
    pub(super) fn new(pool: Arc<Pool>, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Self> {
        let (after, offset, left) = (query.after.clone(), query.offset, query.limit);
        let page_rows = query.page_rows.clamp(1, MOST_ROWS);
        // A pattern that does not compile is refused now, not at the first page.
        select::select(&SqliteDialect, &part, &query, None, None, 0)?;
        let done = left == Some(0) || query.filter.is_none() || query.ids.as_ref().is_some_and(|ids| ids.is_empty());
        Ok(Stream { pool, part, query, after, offset, left, page_rows, done })
    }

    fn page(&mut self) -> Result<Option<Page>> {
        if self.done {
            return Ok(None);
        }
        let near = self.query.near.as_ref();
        let wanted = match near {
            // A search is one page: its order is known only when it is done.
            Some(near) => near.k.min(self.left.unwrap_or(usize::MAX)),
            None => self.page_rows.min(self.left.unwrap_or(usize::MAX)),
        };
        let statement = select::select(&SqliteDialect, &self.part, &self.query, self.after.as_ref(), Some(wanted), self.offset)?;
        let (page, last) = self.pool.read(|connection| self.run(connection, &statement, near.is_some()))?;
        self.offset = 0;
        self.left = self.left.map(|left| left.saturating_sub(page.len()));
        self.done = near.is_some() || page.len() < wanted || self.left == Some(0);
        self.after = last;
        self.page_rows = (self.page_rows * 2).min(GROWN_ROWS).max(self.page_rows);
        Ok(if page.is_empty() { None } else { Some(page) })
    }

    /// One page, and the position of its last row.
    fn run(&self, connection: &Connection, statement: &Statement, scored: bool) -> Result<(Page, Option<Position>)> {
        let columns = select::selected_columns(&self.query);
        let width = self.query.columns.len();
        let mut page = Page::new(width);
        let mut extra: Vec<Value> = Vec::new();
        let mut prepared = connection.prepare_cached(&statement.text).map_err(failure::error)?;
        let mut rows = bind(&mut prepared, statement)?;
        while let Some(row) = rows.next().map_err(failure::error)? {
            push_row(&mut page, row, &self.part, &self.query.columns)?;
            // Keys that are not among the columns asked for: only the last row's are kept.
            extra.clear();
            for (i, &position) in columns.iter().enumerate().skip(width) {
                extra.push(read_column(row, i + 2, &self.part, position)?);
            }
            if scored {
                page.scores.push(row.get_ref(columns.len() + 2).and_then(|s| Ok(s.as_f64()?)).map_err(failure::error)?);
            }
        }
        let last = page.len().checked_sub(1).map(|last| {
            let id = page.ids[last].clone();
            let key = |key: SortKey| match key {
                SortKey::Id => Value::Text(id.as_str().to_owned()),
                SortKey::Column(position) => match columns.iter().position(|&c| c == position) {
                    Some(i) if i < width => page.row(last)[i].clone(),
                    Some(i) => extra[i - width].clone(),
                    None => Value::Null,
                },
            };
            Position { keys: self.query.order.iter().map(|k| key(k.key)).collect(), id: id.clone() }
        });
        Ok((page, last))
    }
}

impl PageStream for Stream {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::ready(self.page())
    }
}

/// Runs an aggregation.
pub(super) fn groups(connection: &Connection, part: &Part, query: &Aggregate) -> Result<Vec<Group>> {
    let statement = aggregate::aggregate(&SqliteDialect, part, query)?;
    let logical = |position: usize| part.columns.get(position).map_or(LogicalType::INT, |column| column.logical);
    let measures: Vec<LogicalType> = query
        .measures
        .iter()
        .map(|measure| match (measure.function, measure.column) {
            (AggregateFunction::Avg, _) => LogicalType::Float,
            (AggregateFunction::Sum | AggregateFunction::Min | AggregateFunction::Max, Some(column)) => logical(column),
            _ => LogicalType::INT,
        })
        .collect();
    let mut prepared = connection.prepare_cached(&statement.text).map_err(failure::error)?;
    let mut rows = bind(&mut prepared, &statement)?;
    let mut groups = Vec::new();
    while let Some(row) = rows.next().map_err(sum_error)? {
        let keys = query.keys.iter().enumerate().map(|(i, &key)| read_column(row, i, part, key)).collect::<Result<_>>()?;
        let measures = measures
            .iter()
            .enumerate()
            .map(|(i, logical)| {
                let value = codec::from_sql(logical, row.get_ref(query.keys.len() + i).map_err(failure::error)?)?;
                if matches!(value, Value::Float(n) if !n.is_finite()) { Err(overflow()) } else { Ok(value) }
            })
            .collect::<Result<_>>()?;
        groups.push(Group { keys, measures });
    }
    Ok(groups)
}

fn sum_error(cause: rusqlite::Error) -> Error {
    match &cause {
        rusqlite::Error::SqliteFailure(_, Some(message)) if message.contains(functions::OVERFLOW) => {
            overflow()
        }
        _ => failure::error(cause),
    }
}

fn overflow() -> Error {
    Error::new(ErrorKind::LimitExceeded, "the sum overflows the field's type: filter to fewer rows, or sum in the application")
}
