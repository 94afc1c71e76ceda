//! Which session of the server a connection of the pool is, so that a statement which nobody waits for any more is ended there:
//! the servers do not notice by themselves that a client is gone until they answer it.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use sqlx::mysql::{MySqlConnection, MySqlStatement};
use sqlx::pool::PoolConnection;
use sqlx::{Executor, MySql, MySqlPool, SqlSafeStr, Statement};

use super::core::query;
use crate::backends::network::answer::read_whole;
use crate::backends::network::audited;

/// A statement that every connection keeps prepared. `sqlx` does not say which session a connection is, and has no place to
/// note it; but the columns of a statement that a connection keeps are one and the same for as long as it does.
const MARK: &str = "SELECT 'heavenbase' AS `mark`";

/// Most connections that are known; of older ones it is not known any more, and nothing of theirs is ended.
const MOST: usize = 256;

/// The sessions of a pool's connections.
#[derive(Default)]
pub(super) struct Sessions {
    /// The statement is held, so that no other one comes to lie where its columns do.
    known: Mutex<VecDeque<(MySqlStatement, i64)>>,
}

impl Sessions {
    /// Notes which session a new connection is.
    pub(super) async fn note(&self, connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        let failed = |cause: crate::error::Error| sqlx::Error::Protocol(cause.to_string());
        let asked = query("SELECT CAST(CONNECTION_ID() AS SIGNED)", &[], false).map_err(failed)?;
        let session = read_whole(&asked.fetch_one(&mut *connection).await?, 0).map_err(failed)?;
        let mark = connection.prepare(MARK.into_sql_str()).await?;
        let mut known = self.known.lock();
        if known.len() >= MOST {
            known.pop_front();
        }
        known.push_back((mark, session));
        Ok(())
    }

    /// Which session a connection is. The server is not asked.
    async fn of(&self, connection: &mut MySqlConnection) -> Option<i64> {
        let mark = connection.prepare(MARK.into_sql_str()).await.ok()?;
        let known = self.known.lock();
        known.iter().find(|(there, _)| std::ptr::eq(there.columns(), mark.columns())).map(|(_, session)| *session)
    }
}

/// A connection that works on a statement. Dropped before it is done, it is closed, and the server is told to end what it does.
pub(super) struct Work {
    connection: Option<PoolConnection<MySql>>,
    session: Option<i64>,
    pool: MySqlPool,
}

impl Work {
    /// Takes a connection of the pool.
    pub(super) async fn new(pool: &MySqlPool, sessions: &Arc<Sessions>) -> Result<Work, sqlx::Error> {
        let mut connection = pool.acquire().await?;
        let session = sessions.of(&mut connection).await;
        Ok(Work { connection: Some(connection), session, pool: pool.clone() })
    }

    /// The connection.
    pub(super) fn connection(&mut self) -> Result<&mut MySqlConnection, sqlx::Error> {
        self.connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// It came to its end, well or not: the connection goes back.
    pub(super) fn done(mut self) {
        drop(self.connection.take());
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        drop(connection.detach());
        // Without a runtime nobody can send it: the statement then ends with its own time limit.
        let (Some(session), Ok(runtime)) = (self.session, tokio::runtime::Handle::try_current()) else { return };
        let pool = self.pool.clone();
        runtime.spawn(async move {
            // One that has ended meanwhile is none of the server's any more, and its number never comes again.
            let _ = pool.execute(sqlx::raw_sql(audited(format!("KILL {session}")))).await;
        });
    }
}
