use std::sync::Arc;

use super::map::Cursor;
use super::query::{damage_in_the_way, holds, is_after, order_rows, order_scores, program, score, sort_first};
use super::{Contents, Row};
use crate::driver::{Page, PageStream, Reply, SubQuery};
use crate::error::{Error, Result};
use crate::filter::Program;
use crate::schema::Part;

/// The answer of a sub-query over a snapshot. Rows in the order of their ids are filtered page by page; other orders
/// and searches are decided when the stream is opened.
pub(crate) struct RowStream {
    contents: Arc<Contents>,
    query: Arc<SubQuery>,
    source: Source,
    /// Rows still to be left out, and still to be given.
    skip: usize,
    left: usize,
    /// What stands in the way of a whole answer: said after all rows that can be read.
    end: Option<Error>,
}

enum Source {
    /// In the order of the ids.
    Walk { program: Program, cursor: Cursor },
    /// These ids.
    Ids { program: Program, next: usize },
    /// Decided, with scores in a search.
    Decided(std::vec::IntoIter<(Arc<Row>, f64)>),
}

impl RowStream {
    /// Starts a sub-query.
    pub fn new(part: &Part, contents: Arc<Contents>, query: Arc<SubQuery>) -> Result<Self> {
        let program = program(part, &query.filter)?;
        let by_id = query.order.is_empty() && query.near.is_none();
        let after = query.after.as_ref();
        let after_id = after.filter(|_| by_id).map(|position| &position.id);
        let end = damage_in_the_way(part, &contents, &query.filter, query.ids.as_deref(), after_id)?;
        let (mut skip, mut left) = (query.offset, query.limit.unwrap_or(usize::MAX));
        let source = if by_id {
            match &query.ids {
                Some(ids) => Source::Ids { program, next: after.map_or(0, |p| ids.partition_point(|id| *id <= p.id)) },
                None => Source::Walk { program, cursor: contents.rows.cursor_after(after_id) },
            }
        } else {
            let found = |row: &&Arc<Row>| holds(&program, row) && after.is_none_or(|p| is_after(&query.order, p, row));
            let mut rows: Vec<(Arc<Row>, f64)> = Vec::new();
            let mut take = |row: &Arc<Row>| match &query.near {
                Some(near) => rows.extend(score(near, row).map(|score| (row.clone(), score))),
                None => rows.push((row.clone(), 0.0)),
            };
            match &query.ids {
                Some(ids) => ids.iter().filter_map(|id| contents.rows.get(id)).filter(found).for_each(&mut take),
                None => contents.rows.iter().filter(found).for_each(&mut take),
            }
            match &query.near {
                Some(near) => sort_first(&mut rows, near.k.min(left), order_scores),
                None => sort_first(&mut rows, left.saturating_add(skip), |a, b| order_rows(&query.order, &a.0, &b.0)),
            }
            rows.drain(..skip.min(rows.len()));
            (skip, left) = (0, rows.len());
            Source::Decided(rows.into_iter())
        };
        Ok(RowStream { contents, query, source, skip, left, end })
    }

    fn next_row(&mut self) -> Option<(Arc<Row>, f64)> {
        if self.left == 0 {
            return None;
        }
        loop {
            let row = match &mut self.source {
                Source::Walk { program, cursor } => {
                    let row = self.contents.rows.next(cursor)?;
                    if !holds(program, row) {
                        continue;
                    }
                    (row.clone(), 0.0)
                }
                Source::Ids { program, next } => {
                    let id = self.query.ids.as_ref()?.get(*next)?;
                    *next += 1;
                    match self.contents.rows.get(id) {
                        Some(row) if holds(program, row) => (row.clone(), 0.0),
                        _ => continue,
                    }
                }
                Source::Decided(rows) => rows.next()?,
            };
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            self.left -= 1;
            return Some(row);
        }
    }

    fn page(&mut self) -> Result<Option<Page>> {
        let mut page = Page::new(self.query.columns.len());
        while page.len() < self.query.page_rows.max(1) {
            let Some((row, score)) = self.next_row() else { break };
            push(&mut page, &row, &self.query.columns);
            if self.query.near.is_some() {
                page.scores.push(score);
            }
        }
        match self.end.take() {
            Some(error) if page.is_empty() => Err(error),
            end => {
                self.end = end;
                Ok(Some(page).filter(|page| !page.is_empty()))
            }
        }
    }
}

/// Adds a row's columns to a page.
pub(crate) fn push(page: &mut Page, row: &Row, columns: &[usize]) {
    page.push(row.id().into(), row.version, columns.iter().map(|column| row.column(*column).clone()));
}

impl PageStream for RowStream {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::ready(self.page())
    }
}
