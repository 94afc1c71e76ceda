//! Sub-queries, page by page.

use std::sync::Arc;

use rusqlite::Connection;

use super::connection::Pool;
use super::dialect::{SQL, UNSORTED};
use super::read::{bind, push_row, read_column};
use super::{failure, read};
use crate::backends::embedded::blocking;
use crate::backends::sql::{Sql, Statement, filter, select};
use crate::driver::{Page, PageStream, Position, Reply, SortKey, SubQuery};
use crate::error::Result;
use crate::filter::{Condition, Filter, Target, Test};
use crate::schema::Part;
use crate::types::Value;

/// Rows of a page, at most: what a caller that wants everything may ask for. Under an order that no index gives, pages
/// grow to it by themselves: each one sorts what is left, so there are fewer.
const MOST_ROWS: usize = 65_536;

/// Rows that other pages grow to by themselves.
const GROWN_ROWS: usize = 8_192;

/// A range of an index with at most so many rows is read and sorted by id, instead of reading the table in id order; with
/// as many as the caller wants a page, if those are more.
const FEW_ROWS: usize = 4_096;

/// The same where the index has all that is read: an id of an index costs a tenth of a row.
const FEW_IDS: usize = 16_384;

/// The pages of a sub-query. Each is a statement of its own, begun after the last row of the page before (keyset): no
/// reader is held between pages.
pub(super) struct Stream {
    pool: Arc<Pool>,
    part: Arc<Part>,
    query: Arc<SubQuery>,
    /// The statement of the first page, built when the stream was opened.
    first: Option<Statement>,
    after: Option<Position>,
    offset: usize,
    left: Option<usize>,
    page_rows: usize,
    most_rows: usize,
    done: bool,
}

impl Stream {
    pub(super) fn new(pool: Arc<Pool>, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Self> {
        let indexed = match query.order.first().map(|key| key.key) {
            Some(SortKey::Column(position)) => has_index(&part, position),
            // The text of a number that is a key has no order of the table's own.
            _ => part.key().kind.sorts_as_text(),
        };
        let (after, offset, left) = (query.after.clone(), query.offset, query.limit);
        let done = left == Some(0) || query.filter.is_none() || query.ids.as_ref().is_some_and(|ids| ids.is_empty());
        let most_rows = if indexed { GROWN_ROWS } else { MOST_ROWS };
        let page_rows = query.page_rows.clamp(1, MOST_ROWS);
        let mut stream = Stream { pool, part, query, first: None, after, offset, left, page_rows, most_rows, done };
        // Built now, so that a pattern that does not compile is refused now.
        stream.first = Some(stream.statement()?);
        Ok(stream)
    }

    /// How many rows the next page has at most.
    fn wanted(&self) -> usize {
        let rows = match &self.query.near {
            // A search is one page: its order is known only when it is done.
            Some(near) => near.k,
            None => self.page_rows,
        };
        rows.min(self.left.unwrap_or(usize::MAX))
    }

    fn statement(&self) -> Result<Statement> {
        select::select(&SQL, &self.part, &self.query, self.after.as_ref(), Some(self.wanted()), self.offset)
    }

    fn page(&mut self) -> Result<Option<Page>> {
        if self.done {
            return Ok(None);
        }
        let first = self.first.take();
        if first.is_some() && self.few_by_index()? {
            return self.by_index();
        }
        let statement = first.map_or_else(|| self.statement(), Ok)?;
        self.run(&statement)
    }

    /// All rows at once, as the filter's index has them, and sorted here.
    fn by_index(&mut self) -> Result<Option<Page>> {
        let (part, query) = (&self.part, &self.query);
        let statement = select::select(&UNSORTED, part, query, self.after.as_ref(), None, 0)?;
        let (page, _) = self.pool.read(|connection| rows(connection, part, query, &statement))?;
        self.done = true;
        let page = page.by_id().slice(self.offset, self.left.unwrap_or(usize::MAX));
        Ok((!page.is_empty()).then_some(page))
    }

    fn run(&mut self, statement: &Statement) -> Result<Option<Page>> {
        let (part, query) = (&self.part, &self.query);
        let read = self.pool.read(|connection| rows(connection, part, query, statement))?;
        Ok(self.turn(read))
    }

    /// Moves on behind a page.
    fn turn(&mut self, (page, last): (Page, Option<Position>)) -> Option<Page> {
        let wanted = self.wanted();
        self.offset = 0;
        self.left = self.left.map(|left| left.saturating_sub(page.len()));
        self.done = self.query.near.is_some() || page.len() < wanted || self.left == Some(0);
        self.after = last;
        let factor = if self.most_rows > GROWN_ROWS { 4 } else { 2 };
        self.page_rows = (self.page_rows * factor).min(self.most_rows).max(self.page_rows);
        if page.is_empty() { None } else { Some(page) }
    }

    /// Whether rows are wanted by id, and an index of the filter leaves few: SQLite has no figures to know it by, and
    /// would read the table. Where nobody has counted before, looking costs so many steps in the index.
    fn few_by_index(&self) -> Result<bool> {
        let query = &*self.query;
        if !query.order.is_empty() || query.near.is_some() || query.ids.is_some() {
            return Ok(false);
        }
        let Some(test) = indexed_range(&self.part, &query.filter) else { return Ok(false) };
        let alone = matches!(query.filter, Filter::Test(_));
        let most = if alone && query.ids_only && query.columns.is_empty() { FEW_IDS } else { query.page_rows.clamp(FEW_ROWS, MOST_ROWS) };
        let count = match query.expected.filter(|_| alone) {
            Some(expected) => expected,
            None => self.count(test, most)?,
        };
        // A limit that is soon reached in id order needs no sort.
        Ok(count <= most && self.left.is_none_or(|left| left.saturating_add(self.offset) >= count))
    }

    /// How many rows an index has for a test, up to one more than `most`.
    fn count(&self, test: &Filter, most: usize) -> Result<usize> {
        let mut sql = Sql::new(&SQL);
        sql.push("SELECT count(*) FROM (SELECT 1 FROM ").table(&self.part).push(" t WHERE ");
        filter::write_filter(&mut sql, &self.part, test)?;
        sql.push(" LIMIT ").number(most + 1).push(")");
        let statement = sql.finish();
        let count = self.pool.read(|connection| read::count(connection, &statement))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }
}

fn has_index(part: &Part, position: usize) -> bool {
    part.columns.get(position).is_some_and(|column| column.index.is_some() || column.unique)
}

/// A test, among those that must all hold, of a range of an indexed column.
fn indexed_range<'f>(part: &Part, filter: &'f Filter) -> Option<&'f Filter> {
    match filter {
        Filter::And(all) => all.iter().find_map(|one| indexed_range(part, one)),
        Filter::Test(Test { field, target: Target::Value, condition, .. }) => {
            let range = matches!(
                condition,
                Condition::Lt(_)
                    | Condition::Le(_)
                    | Condition::Gt(_)
                    | Condition::Ge(_)
                    | Condition::Between(..)
                    | Condition::StartsWith(_)
            );
            let (position, _) = part.column(field)?;
            (range && has_index(part, position)).then_some(filter)
        }
        _ => None,
    }
}

/// One page, and the position of its last row.
fn rows(connection: &Connection, part: &Part, query: &SubQuery, statement: &Statement) -> Result<(Page, Option<Position>)> {
    let columns = select::selected_columns(query);
    let width = query.columns.len();
    let mut page = Page::new(width);
    let mut extra: Vec<Value> = Vec::new();
    let mut prepared = connection.prepare_cached(&statement.text).map_err(failure::error)?;
    let mut found = bind(&mut prepared, statement)?;
    while let Some(row) = found.next().map_err(failure::error)? {
        push_row(&mut page, row, part, &query.columns)?;
        // Keys that are not among the columns asked for: only the last row's are kept.
        extra.clear();
        for (i, &position) in columns.iter().enumerate().skip(width) {
            extra.push(read_column(row, i + 2, part, position)?);
        }
        if query.near.is_some() {
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
        Position { keys: query.order.iter().map(|k| key(k.key)).collect(), id: id.clone() }
    });
    Ok((page, last))
}

impl PageStream for Stream {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        // A search scores every vector: too long for an async caller's thread.
        if self.query.near.is_none() || self.query.ids.is_some() || self.done {
            return Reply::ready(self.page());
        }
        let statement = match self.first.take().map_or_else(|| self.statement(), Ok) {
            Ok(statement) => statement,
            Err(error) => return Reply::ready(Err(error)),
        };
        let (pool, part, query) = (self.pool.clone(), self.part.clone(), self.query.clone());
        let search = move || pool.read(|connection| rows(connection, &part, &query, &statement));
        match blocking::run(search) {
            Reply::Ready(read) => Reply::Ready(read.map(|read| read.map(|read| self.turn(read)))),
            later => Reply::later(async move { Ok(self.turn(later.await?)) }),
        }
    }
}
