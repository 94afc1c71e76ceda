//! The pool, and statements run on it: reads, with another connection where one was lost.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::{PgPool, Postgres};

use super::codec::{self, Parameter};
use super::dialect::PostgresDialect;
use super::{failure, vectors};
use crate::backends::network::failure::{Phase, within};
use crate::backends::network::{Reader, answer, audited};
use crate::backends::sql::{Dialect, Statement, select};
use crate::driver::{Aggregate, Group, NearQuery, Page, SubQuery};
use crate::error::Result;
use crate::schema::Part;

/// Most attempts of one operation.
const ATTEMPTS: u32 = 12;

/// What the driver and its page streams share.
pub(super) struct Core {
    pub(super) pool: PgPool,
    pub(super) dialect: PostgresDialect,
    /// How long one statement is waited for.
    pub(super) patience: Option<Duration>,
}

/// Binds a statement's values.
pub(super) fn bound(statement: &Statement) -> Vec<Parameter> {
    statement.values.iter().map(codec::parameter).collect()
}

/// A statement ready to run.
pub(super) fn query(text: &str, parameters: &[Parameter], persistent: bool) -> Result<sqlx::query::Query<'static, Postgres, PgArguments>> {
    let arguments = codec::arguments(parameters.iter().cloned())?;
    Ok(sqlx::query_with(audited(text.to_owned()), arguments).persistent(persistent))
}

/// Runs a statement on one connection, in the course of a write.
pub(super) async fn run(connection: &mut PgConnection, statement: &Statement) -> Result<Vec<PgRow>, sqlx::Error> {
    let arguments = codec::arguments(bound(statement)).map_err(|cause| sqlx::Error::Encode(cause.into()))?;
    // Each is run rarely, and tables change under them.
    sqlx::query_with(audited(statement.text.clone()), arguments).persistent(false).fetch_all(connection).await
}

/// A connection that works on a statement; closed, not returned, when it is dropped meanwhile.
pub(super) struct Held(pub(super) Option<PoolConnection<Postgres>>);

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.take().map(PoolConnection::detach));
    }
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
    pub(super) async fn rows(&self, text: &str, parameters: &[Parameter]) -> Result<Vec<PgRow>> {
        self.asked(text, parameters, false).await
    }

    async fn asked(&self, text: &str, parameters: &[Parameter], one: bool) -> Result<Vec<PgRow>> {
        // The pool shrinks with every lost session that it hands out: what it had at first bounds the attempts.
        let most = self.attempts();
        let mut attempt = 1;
        let mut persistent = true;
        loop {
            // What waits is several kilobytes: boxed, it is not copied from one future into the next.
            let work = Box::pin(self.fetch(query(text, parameters, persistent)?, one));
            match self.waits(Phase::Read, work).await? {
                Ok(rows) => return Ok(rows),
                Err(cause) if failure::is_lost(&cause) && attempt < most => attempt += 1,
                Err(cause) if persistent && failure::is_stale_plan(&cause) => persistent = false,
                Err(cause) => return Err(failure::error(cause, Phase::Read)),
            }
        }
    }

    /// Runs a statement on a connection of the pool. Dropped before it is done, it closes the connection, which makes the
    /// server stop: returned to the pool it would first be waited for. `one` row is all there is of some.
    pub(super) async fn fetch(&self, query: sqlx::query::Query<'_, Postgres, PgArguments>, one: bool) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut held = Held(None);
        let connection = held.0.insert(self.pool.acquire().await?);
        let rows = if one {
            query.fetch_optional(&mut **connection).await.map(|row| row.into_iter().collect())
        } else {
            query.fetch_all(&mut **connection).await
        };
        held.0.take();
        rows
    }

    /// The row of a key: no more than one is there but in tables of others.
    pub(super) async fn one(&self, part: &Part, text: &str, parameters: &[Parameter], columns: &[usize]) -> Result<Page> {
        answer::page(part, &self.asked(text, parameters, !part.is_mapped()).await?, columns, false)
    }

    /// Runs a select of rows.
    pub(super) async fn page(&self, part: &Part, text: &str, parameters: &[Parameter], columns: &[usize], scored: bool) -> Result<Page> {
        answer::page(part, &self.rows(text, parameters).await?, columns, scored)
    }

    /// The one number that a statement gives.
    pub(super) async fn count(&self, statement: &Statement) -> Result<u64> {
        answer::count(&self.rows(&statement.text, &bound(statement)).await?)
    }

    /// Runs an aggregation.
    pub(super) async fn groups(&self, part: &Part, query: &Aggregate) -> Result<Vec<Group>> {
        let statement = crate::backends::sql::aggregate::aggregate(&self.dialect, part, query)?;
        answer::groups(part, &self.rows(&statement.text, &bound(&statement)).await?, query)
    }

    async fn hits(&self, part: &Part, query: &SubQuery) -> Result<Page> {
        let statement = select::select(&self.dialect, part, query, None, query.limit, 0)?;
        self.page(part, &statement.text, &bound(&statement), &select::selected_columns(query), true).await
    }
}

impl Reader for Core {
    fn dialect(&self) -> &dyn Dialect {
        &self.dialect
    }

    async fn read(&self, part: &Part, statement: Statement, columns: &[usize], scored: bool) -> Result<Page> {
        self.page(part, &statement.text, &bound(&statement), columns, scored).await
    }

    async fn search(&self, part: &Part, query: &SubQuery) -> Result<Page> {
        let Some(near) = &query.near else { return Ok(Page::new(query.columns.len())) };
        let k = near.k.min(query.limit.unwrap_or(usize::MAX));
        let mut exact = !vectors::serves(part, query);
        loop {
            let near = NearQuery { exact, k: if exact { k } else { vectors::asked(part, near, k) }, ..near.clone() };
            let page = self.hits(part, &SubQuery { near: Some(near), limit: None, ..query.clone() }).await?;
            // An index that gave up before it found enough rows may have missed some that match.
            if exact || page.len() >= k {
                return Ok(page.ranked().slice(0, k));
            }
            exact = true;
        }
    }
}
