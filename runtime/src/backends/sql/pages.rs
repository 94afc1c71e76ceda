use std::future::Future;
use std::sync::Arc;

use super::{Dialect, Statement, select};
use crate::driver::{Page, PageStream, Position, Reply, SubQuery};
use crate::error::Result;
use crate::schema::Part;

/// What a driver gives to be read page by page.
pub(crate) trait Reader: Send + Sync + 'static {
    /// Most rows of one page: a page is one answer, held in memory.
    const MOST_ROWS: usize = 8_192;

    /// How much longer each page may be than the one before.
    const GROWTH: usize = 2;

    /// The dialect its statements are written in.
    fn dialect(&self) -> &dyn Dialect;

    /// Runs a select of [`select::select`]: id, version, `columns`, and a score when `scored`.
    fn read(&self, part: &Part, statement: Statement, columns: &[usize], scored: bool) -> impl Future<Output = Result<Page>> + Send;

    /// Runs a search: all its hits, best first.
    fn search(&self, part: &Part, query: &SubQuery) -> impl Future<Output = Result<Page>> + Send;
}

/// A sub-query under way: each page is a statement of its own that starts after the last row of the one before, so that
/// no connection is held between pages.
pub(crate) struct Pages<R> {
    reader: Arc<R>,
    part: Arc<Part>,
    query: Arc<SubQuery>,
    columns: Vec<usize>,
    after: Option<Position>,
    offset: usize,
    left: Option<usize>,
    rows: usize,
    done: bool,
}

impl<R: Reader> Pages<R> {
    /// Starts a sub-query; nothing runs yet.
    pub fn new(reader: Arc<R>, part: Arc<Part>, query: Arc<SubQuery>) -> Self {
        Pages {
            columns: select::selected_columns(&query),
            after: query.after.clone(),
            offset: query.offset,
            left: query.limit,
            rows: query.page_rows.clamp(1, R::MOST_ROWS),
            done: query.filter.is_none() || query.limit == Some(0) || query.ids.as_ref().is_some_and(|ids| ids.is_empty()),
            reader,
            part,
            query,
        }
    }

    async fn advance(&mut self) -> Result<Option<Page>> {
        if self.done {
            return Ok(None);
        }
        if self.query.near.is_some() {
            self.done = true;
            let page = self.reader.search(&self.part, &self.query).await?;
            return Ok(Some(page).filter(|page| !page.is_empty()));
        }
        let wanted = self.left.map_or(self.rows, |left| left.min(self.rows));
        let statement = select::select(self.reader.dialect(), &self.part, &self.query, self.after.as_ref(), Some(wanted), self.offset)?;
        let page = self.reader.read(&self.part, statement, &self.columns, false).await?;
        self.offset = 0;
        self.rows = (self.rows * R::GROWTH).min(self.most_rows());
        self.left = self.left.map(|left| left - page.len().min(left));
        self.done = page.len() < wanted || self.left == Some(0);
        if !self.done {
            self.after = select::end_of(&self.query, &self.columns, &page);
        }
        Ok(Some(select::trimmed(page, self.query.columns.len())).filter(|page| !page.is_empty()))
    }

    /// The text of a number that is a key has no order of the table's own: each page sorts what is left, so there are fewer.
    fn most_rows(&self) -> usize {
        if self.part.key().kind.sorts_as_text() { R::MOST_ROWS } else { R::MOST_ROWS * 8 }
    }
}

impl<R: Reader> PageStream for Pages<R> {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::later(self.advance())
    }
}
