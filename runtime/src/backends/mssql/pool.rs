//! Connections: made when they are needed, kept for the next, thrown away when anything is left in the midst.

use std::sync::Arc;
use std::time::Duration;

use tiberius::error::Error as Cause;
use tiberius::{Config, Query};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::{codec, failure};
use crate::backends::network::{PoolSettings, Shelf, TRUSTED};
use crate::backends::sql::Statement;
use crate::backends::sql::session::{Answer, Phase, Running, Session, Sessions};
use crate::error::{Error, ErrorKind, Result};

/// A connection as the client gives it.
pub(super) type Client = tiberius::Client<Compat<TcpStream>>;

/// What every session is set to: standard nulls and quotes (indexes with conditions ask for them), an error undoes the
/// transaction, text of any length comes whole, and messages are in English.
const SESSION: &str = "SET LANGUAGE us_english; SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, \
                       QUOTED_IDENTIFIER, XACT_ABORT ON; SET NUMERIC_ROUNDABORT, NOCOUNT, IMPLICIT_TRANSACTIONS OFF; \
                       SET TEXTSIZE 2147483647; SET LOCK_TIMEOUT 30000; SET TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// Where connections come from.
pub(super) struct Pool {
    config: Config,
    shelf: Shelf<Client>,
}

impl Pool {
    pub(super) fn new(config: Config, settings: &PoolSettings) -> Arc<Self> {
        Arc::new(Pool { config, shelf: Shelf::new(settings) })
    }

    /// A new connection, set up.
    pub(super) async fn connect(&self) -> Result<Client> {
        let late = || Error::new(ErrorKind::Unavailable, "the server does not answer");
        let made = timeout(self.shelf.acquire.max(Duration::from_secs(1)), async {
            let mut client = match self.reach(self.config.clone()).await {
                // A gateway names the server that has the database.
                Err(Cause::Routing { host, port }) => {
                    let mut config = self.config.clone();
                    config.host(host);
                    config.port(port);
                    self.reach(config).await?
                }
                other => other?,
            };
            client.simple_query(SESSION).await?.into_results().await?;
            Ok(client)
        });
        made.await.map_err(|_| late())?.map_err(|cause| failure::error(cause, Phase::Connect))
    }

    async fn reach(&self, config: Config) -> tiberius::Result<Client> {
        let stream = TcpStream::connect(config.get_addr()).await?;
        stream.set_nodelay(true)?;
        Client::connect(config, stream.compat_write()).await
    }

    /// A connection that nobody else has; one that was idle for long is asked whether it lives.
    pub(super) async fn take(self: &Arc<Self>, phase: Phase) -> Result<TdsSession> {
        let permit = self.shelf.permit().await?;
        while let Some((mut client, trusted)) = self.shelf.take() {
            if trusted || matches!(timeout(TRUSTED, ping(&mut client)).await, Ok(Ok(()))) {
                return Ok(TdsSession { client: Some(client), pool: self.clone(), permit, clean: true, open: false });
            }
        }
        let client = self.connect().await.map_err(|error| match phase {
            Phase::Connect => error,
            _ if error.kind() == ErrorKind::Unavailable => error.with_status(crate::error::Status::Temporary),
            _ => error,
        })?;
        Ok(TdsSession { client: Some(client), pool: self.clone(), permit, clean: true, open: false })
    }
}

async fn ping(client: &mut Client) -> tiberius::Result<()> {
    client.simple_query("SELECT 1").await?.into_results().await.map(drop)
}

impl Sessions for Arc<Pool> {
    fn session(&self, phase: Phase) -> Running<'_, Box<dyn Session>> {
        Box::pin(async move {
            let session: Box<dyn Session> = Box::new(self.take(phase).await?);
            Ok(session)
        })
    }
}

/// A connection of the pool's. It goes back when it is dropped between statements, outside of a transaction.
pub(super) struct TdsSession {
    client: Option<Client>,
    pool: Arc<Pool>,
    #[expect(dead_code, reason = "held so that no more connections are made than the pool may have")]
    permit: OwnedSemaphorePermit,
    clean: bool,
    open: bool,
}

impl Drop for TdsSession {
    fn drop(&mut self) {
        if let Some(client) = self.client.take().filter(|_| self.clean && !self.open) {
            self.pool.shelf.put(client);
        }
    }
}

impl TdsSession {
    /// The connection, which does not go back.
    pub(super) fn into_own(mut self) -> Option<(Client, TdsSession)> {
        self.client.take().map(|client| (client, self))
    }

    async fn answer(client: &mut Client, statement: &Statement) -> tiberius::Result<Answer> {
        // What has no values goes as it is: within `sp_executesql` a transaction could not outlive its statement.
        let results = if statement.values.is_empty() {
            client.simple_query(statement.text.as_str()).await?.into_results().await?
        } else {
            let mut query = Query::new(statement.text.as_str());
            statement.values.iter().for_each(|value| query.bind(codec::Bound(value)));
            query.query(client).await?.into_results().await?
        };
        let rows = results.into_iter().flatten().map(codec::row).collect::<tiberius::Result<_>>()?;
        Ok(Answer { rows, changed: 0 })
    }
}

impl Session for TdsSession {
    fn run<'s>(&'s mut self, statement: &'s Statement, phase: Phase) -> Running<'s, Answer> {
        Box::pin(async move {
            let gone =
                || Error::new(ErrorKind::Unavailable, "the connection to the server broke").with_status(crate::error::Status::Temporary);
            if !std::mem::replace(&mut self.clean, false) {
                return Err(gone());
            }
            let client = self.client.as_mut().ok_or_else(gone)?;
            if statement.text.starts_with("BEGIN TRANSACTION") {
                self.open = true;
            }
            match Self::answer(client, statement).await {
                Ok(answer) => {
                    self.clean = true;
                    if statement.text.starts_with("COMMIT") || statement.text.ends_with("ROLLBACK TRANSACTION") {
                        self.open = false;
                    }
                    Ok(answer)
                }
                Err(cause) => {
                    self.clean = !failure::is_lost(&cause);
                    Err(failure::error(cause, phase))
                }
            }
        })
    }
}
