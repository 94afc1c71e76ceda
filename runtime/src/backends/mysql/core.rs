//! The pool, and statements run on it: reads, with another connection where one was lost.

use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlQueryResult, MySqlRow};
use sqlx::{MySql, MySqlPool};

use super::dialect::MySqlDialect;
use super::sessions::{Sessions, Work};
use super::{codec, failure};
use crate::backends::network::failure::{Phase, within};
use crate::backends::network::{Reader, answer, audited};
use crate::backends::sql::{Dialect, Statement, aggregate, select};
use crate::driver::{Aggregate, Group, Page, SubQuery};
use crate::error::Result;
use crate::schema::Part;
use crate::types::Value;

/// Most attempts of one operation.
const ATTEMPTS: u32 = 12;

/// What the driver and its page streams share.
pub(super) struct Core {
    pub(super) pool: MySqlPool,
    pub(super) sessions: Arc<Sessions>,
    pub(super) dialect: MySqlDialect,
    /// Most bytes of a statement with its values: the server's `max_allowed_packet`.
    pub(super) packet: usize,
    /// How long one statement is waited for.
    pub(super) patience: Option<Duration>,
}

/// A statement ready to run.
pub(super) fn query(text: &str, values: &[Value], persistent: bool) -> Result<sqlx::query::Query<'static, MySql, MySqlArguments>> {
    Ok(sqlx::query_with(audited(text.to_owned()), codec::arguments(values)?).persistent(persistent))
}

/// Runs a statement on one connection, in the course of a write.
pub(super) async fn run(connection: &mut MySqlConnection, statement: &Statement) -> Result<Vec<MySqlRow>> {
    // Each is run rarely, and tables change under them.
    let statement = query(&statement.text, &statement.values, false)?;
    statement.fetch_all(connection).await.map_err(|cause| failure::error(cause, Phase::Write))
}

/// Runs a statement that changes rows.
pub(super) async fn execute(connection: &mut MySqlConnection, statement: &Statement) -> Result<MySqlQueryResult> {
    let statement = query(&statement.text, &statement.values, false)?;
    statement.execute(connection).await.map_err(|cause| failure::error(cause, Phase::Write))
}

/// Runs a statement without values that not every server prepares.
pub(super) async fn define(connection: &mut MySqlConnection, statement: Statement) -> Result<()> {
    let done = sqlx::raw_sql(audited(statement.text)).execute(connection).await;
    done.map(drop).map_err(|cause| failure::error(cause, Phase::Write))
}

impl Core {
    /// How often an operation that found its connection dead is tried: each may meet another dead one in the pool.
    pub(super) fn attempts(&self) -> u32 {
        (self.pool.size() + 2).min(ATTEMPTS)
    }

    /// Waits for a statement as long as one may take.
    pub(super) async fn waits<T>(&self, phase: Phase, work: impl Future<Output = T>) -> Result<T> {
        within(self.patience, phase, work).await
    }

    /// Runs a statement that only reads.
    pub(super) async fn rows(&self, text: &str, values: &[Value]) -> Result<Vec<MySqlRow>> {
        // The pool shrinks with every lost session that it hands out: what it had at first bounds the attempts.
        let most = self.attempts();
        let mut attempt = 1;
        let mut persistent = true;
        loop {
            // What waits is several kilobytes: boxed, it is not copied from one future into the next.
            let work = Box::pin(self.fetch(query(text, values, persistent)?));
            match self.waits(Phase::Read, work).await? {
                Ok(rows) => return Ok(rows),
                Err(cause) if failure::is_lost(&cause) && attempt < most => attempt += 1,
                Err(cause) if persistent && failure::is_stale_plan(&cause) => persistent = false,
                Err(cause) => return Err(failure::error(cause, Phase::Read)),
            }
        }
    }

    /// Runs a statement on a connection of the pool, and has the server stop when it is dropped before it is done.
    async fn fetch(&self, query: sqlx::query::Query<'_, MySql, MySqlArguments>) -> Result<Vec<MySqlRow>, sqlx::Error> {
        let mut work = self.work().await?;
        let rows = query.fetch_all(work.connection()?).await;
        work.done();
        rows
    }

    /// A connection to work with.
    pub(super) async fn work(&self) -> Result<Work, sqlx::Error> {
        Work::new(&self.pool, &self.sessions).await
    }

    /// Runs a select of rows.
    pub(super) async fn page(&self, part: &Part, text: &str, values: &[Value], columns: &[usize], scored: bool) -> Result<Page> {
        answer::page(part, &self.rows(text, values).await?, columns, scored)
    }

    /// The one number that a statement gives.
    pub(super) async fn count(&self, statement: &Statement) -> Result<u64> {
        answer::count(&self.rows(&statement.text, &statement.values).await?)
    }

    /// Runs an aggregation.
    pub(super) async fn groups(&self, part: &Part, query: &Aggregate) -> Result<Vec<Group>> {
        let statement = aggregate::aggregate(&self.dialect, part, query)?;
        answer::groups(part, &self.rows(&statement.text, &statement.values).await?, query)
    }

    async fn hits(&self, part: &Part, query: &SubQuery) -> Result<Page> {
        let statement = select::select(&self.dialect, part, query, None, query.limit, 0)?;
        self.page(part, &statement.text, &statement.values, &select::selected_columns(query), true).await
    }
}

impl Reader for Core {
    fn dialect(&self) -> &dyn Dialect {
        &self.dialect
    }

    async fn read(&self, part: &Part, statement: Statement, columns: &[usize], scored: bool) -> Result<Page> {
        self.page(part, &statement.text, &statement.values, columns, scored).await
    }

    async fn search(&self, part: &Part, query: &SubQuery) -> Result<Page> {
        let Some(near) = &query.near else { return Ok(Page::new(query.columns.len())) };
        let indexed = self.dialect.vectors.zip(part.columns.get(near.column)).is_some_and(|(vectors, column)| vectors.is_indexed(column));
        // Few candidates are ranked sooner than an index is walked until enough of them are met.
        let mut exact = near.exact || !indexed || query.ids.is_some();
        loop {
            let mut asked = query.clone();
            if let Some(near) = &mut asked.near {
                near.exact = exact;
            }
            let page = self.hits(part, &asked).await?;
            // An index that gave up before it found enough rows may have missed some that match.
            if exact || page.len() >= near.k.min(query.limit.unwrap_or(usize::MAX)) {
                return Ok(page.ranked());
            }
            exact = true;
        }
    }
}
