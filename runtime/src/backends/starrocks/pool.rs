//! Connections of `sqlx` as sessions: every statement goes as text, for StarRocks prepares nothing but `SELECT`.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::StreamExt;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::pool::PoolConnection;
use sqlx::{Either, Executor, MySql, MySqlPool, Row, ValueRef};
use tokio::time::timeout;

use super::failure;
use crate::backends::network::audited;
use crate::backends::sql::Statement;
use crate::backends::sql::forms::corrupt;
use crate::backends::sql::session::{Answer, Phase, Running, Session, Sessions};
use crate::error::Result;
use crate::types::Value;

/// What becomes of a text before it is sent: itself, but where a test has another server in StarRocks's place.
pub type Rewrite = fn(&str) -> Cow<'_, str>;

/// The text as it is.
pub(super) fn as_it_is(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

/// Where connections come from.
#[derive(Clone)]
pub(super) struct Pool {
    pub(super) pool: MySqlPool,
    /// How long a statement may take before nobody waits for it any more; zero for ever.
    pub(super) patience: Duration,
    pub(super) rewrite: Rewrite,
}

impl Sessions for Pool {
    fn session(&self, phase: Phase) -> Running<'_, Box<dyn Session>> {
        Box::pin(async move {
            // Nothing was sent yet: a pool without a connection is never an unknown outcome.
            let phase = if phase == Phase::Commit { Phase::Write } else { phase };
            let connection = self.pool.acquire().await.map_err(|cause| failure::error(cause, phase))?;
            let session: Box<dyn Session> = Box::new(Kept { connection: Some(connection), patience: self.patience, rewrite: self.rewrite });
            Ok(session)
        })
    }
}

/// A connection of the pool's, which goes back when it is dropped, unless nobody waited for its last answer.
struct Kept {
    connection: Option<PoolConnection<MySql>>,
    patience: Duration,
    rewrite: Rewrite,
}

impl Session for Kept {
    fn run<'s>(&'s mut self, statement: &'s Statement, phase: Phase) -> Running<'s, Answer> {
        Box::pin(async move {
            let text = (self.rewrite)(&statement.text).into_owned();
            let Some(connection) = self.connection.as_mut() else { return Err(failure::late(Phase::Read)) };
            let patience = if self.patience.is_zero() { Duration::MAX } else { self.patience };
            match timeout(patience, answer(connection, text)).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(cause)) => Err(failure::error(cause, phase)),
                Err(_) => {
                    // Its answer may still come: the connection is of no use to anybody.
                    drop(self.connection.take().map(PoolConnection::detach));
                    Err(failure::late(phase))
                }
            }
        })
    }
}

/// Runs a text. The outer error is the server's or the connection's, the inner one that a cell cannot be read.
async fn answer(connection: &mut MySqlConnection, text: String) -> sqlx::Result<Result<Answer>> {
    let mut found = Answer::default();
    let mut stream = connection.fetch_many(sqlx::raw_sql(audited(text)));
    while let Some(next) = stream.next().await {
        match next? {
            Either::Left(done) => found.changed += done.rows_affected(),
            Either::Right(row) => match cells(&row) {
                Ok(cells) => found.rows.push(cells),
                Err(error) => return Ok(Err(error)),
            },
        }
    }
    Ok(Ok(found))
}

/// The cells of a row: text, bytes where it is none, or null.
pub(super) fn cells(row: &MySqlRow) -> Result<Vec<Value>> {
    (0..row.len()).map(|at| cell(row, at)).collect()
}

fn cell(row: &MySqlRow, at: usize) -> Result<Value> {
    let raw = row.try_get_raw(at).map_err(|_| corrupt())?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let bytes = <&[u8] as sqlx::Decode<MySql>>::decode(raw).map_err(|_| corrupt())?;
    Ok(match std::str::from_utf8(bytes) {
        Ok(text) => Value::Text(text.to_owned()),
        Err(_) => Value::Bytes(bytes.into()),
    })
}
