use std::sync::Arc;

use super::client::{Failed, Intent, Running};
use super::core::{ATTEMPTS, Core, is_passing};
use super::failure;
use crate::backends::sql::select;
use crate::driver::{Page, PageStream, Position, Reply, SubQuery};
use crate::error::Result;
use crate::schema::Part;

/// A sub-query under way: one statement, whose rows are handed on as the server sends them. Where the server gave it up (a
/// caller that took its time, a node that was lost), another statement goes on after the last row.
pub(super) struct Stream {
    core: Arc<Core>,
    part: Arc<Part>,
    query: Arc<SubQuery>,
    columns: Vec<usize>,
    running: Option<Running>,
    after: Option<Position>,
    offset: usize,
    left: Option<usize>,
    attempts: u32,
    begun: bool,
    done: bool,
}

impl Stream {
    /// Starts a sub-query; nothing runs yet.
    pub(super) fn new(core: Arc<Core>, part: Arc<Part>, query: Arc<SubQuery>) -> Self {
        let nothing = query.filter.is_none() || query.limit == Some(0) || query.ids.as_ref().is_some_and(|ids| ids.is_empty());
        Stream {
            columns: select::selected_columns(&query),
            after: query.after.clone(),
            offset: query.offset,
            left: query.limit,
            running: None,
            attempts: 0,
            begun: false,
            done: nothing || query.near.as_ref().is_some_and(|near| near.k == 0),
            core,
            part,
            query,
        }
    }

    async fn advance(&mut self) -> Result<Option<Page>> {
        while !self.done {
            match self.rows().await {
                Ok(Some(page)) => return Ok(Some(page)),
                Ok(None) => self.done = true,
                // A search has no place to go on from, but nothing of it has come yet where its first page failed.
                Err(failed) if self.may_go_on(&failed) => {
                    self.attempts += 1;
                    self.running = None;
                }
                Err(failed) => {
                    self.done = true;
                    return Err(failed.error);
                }
            }
        }
        self.running = None;
        Ok(None)
    }

    fn may_go_on(&self, failed: &Failed) -> bool {
        let given_up = is_passing(failed) || failed.code == failure::ABANDONED;
        given_up && self.attempts < ATTEMPTS && (self.query.near.is_none() || !self.begun)
    }

    async fn rows(&mut self) -> Result<Option<Page>, Failed> {
        let deadline = self.core.http.deadline();
        let scored = self.query.near.is_some();
        let running = match &mut self.running {
            Some(running) => running,
            none => {
                let statement = select::select(&self.core.dialect, &self.part, &self.query, self.after.as_ref(), self.left, self.offset)?;
                none.insert(Running::start(&self.core.http, &statement.text, Intent::Reads, deadline).await?)
            }
        };
        let Some(rows) = running.advance(deadline).await? else { return Ok(None) };
        let page = self.core.page(&self.part, rows, &self.columns, scored)?;
        self.offset = 0;
        self.left = self.left.map(|left| left.saturating_sub(page.len()));
        self.attempts = 0;
        self.begun = true;
        if !scored {
            self.after = select::end_of(&self.query, &self.columns, &page);
        }
        Ok(Some(select::trimmed(page, self.query.columns.len())))
    }
}

impl PageStream for Stream {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::later(self.advance())
    }
}
