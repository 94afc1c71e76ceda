use std::time::Duration;

#[cfg(feature = "_sqlx")]
use sqlx::pool::PoolOptions;
#[cfg(feature = "_sqlx")]
use sqlx::{Connection, Database};

/// How many connections, and how long to wait for what.
#[derive(Clone, Debug)]
pub(crate) struct PoolSettings {
    /// Most connections at once.
    pub max_connections: u32,
    /// How long to wait for a free connection, or a new one.
    pub acquire_timeout: Duration,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// How long one statement may run; zero for no limit.
    pub statement_timeout: Duration,
}

/// The longest of the times above. What comes near the end of the clock's range would panic in the pools, and a limit in milliseconds
/// is a number of 32 bits on the servers.
const LONGEST: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// A time that a caller gave, as far as it can be kept.
pub(crate) fn bounded(time: Duration) -> Duration {
    time.min(LONGEST)
}

impl Default for PoolSettings {
    fn default() -> Self {
        PoolSettings {
            max_connections: 10,
            acquire_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(600),
            statement_timeout: Duration::from_secs(60),
        }
    }
}

/// A connection idle for longer than this is asked whether it still lives before it is used; one used just now is not,
/// because that question would double the cost of a point read.
pub(crate) const TRUSTED: Duration = Duration::from_secs(2);

/// How much longer than the server's own limit a statement is waited for: its way there and back, and the server's to stop it.
#[cfg(feature = "_sqlx")]
const WAY: Duration = Duration::from_secs(5);

#[cfg(feature = "_sqlx")]
impl PoolSettings {
    /// How long one statement is waited for; without a limit of the server's for as long as it takes.
    pub fn patience(&self) -> Option<Duration> {
        (!self.statement_timeout.is_zero()).then(|| self.statement_timeout.saturating_add(WAY))
    }

    /// The pool's options for a kind of database.
    pub fn options<DB: Database>(&self) -> PoolOptions<DB> {
        PoolOptions::new()
            .max_connections(self.max_connections.max(1))
            .acquire_timeout(self.acquire_timeout)
            .idle_timeout(self.idle_timeout)
            .test_before_acquire(false)
            .before_acquire(|connection: &mut DB::Connection, meta| {
                Box::pin(async move { Ok(meta.idle_for < TRUSTED || connection.ping().await.is_ok()) })
            })
    }
}
