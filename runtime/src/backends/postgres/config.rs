use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use super::codec;
use super::core::{Core, query};
use super::dialect::PostgresDialect;
use super::driver::{PostgresDriver, cannot_connect};
use crate::backends::network::PoolSettings;
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};

/// When the connection is encrypted, and what is checked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Never.
    Disable,
    /// Where the server offers it; nothing is checked.
    Prefer,
    /// Always; nothing is checked.
    Require,
    /// Always, with a certificate of a known authority.
    VerifyCertificate,
    /// Always, with a certificate of a known authority for this very host.
    VerifyFull,
}

/// What both kinds say of a connection.
#[derive(Clone)]
pub(in crate::backends) struct Options {
    url: String,
    pub(in crate::backends) pool: PoolSettings,
    pub(in crate::backends) tls: Option<Tls>,
    pub(in crate::backends) certificate: Option<Vec<u8>>,
}

impl Options {
    pub(in crate::backends) fn new(url: String) -> Self {
        Options { url, pool: PoolSettings::default(), tls: None, certificate: None }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address may hold a password.
        f.debug_struct("Options").field("pool", &self.pool).field("tls", &self.tls).finish_non_exhaustive()
    }
}

/// Connects to PostgreSQL 14 or later. Nothing secret in it ever prints.
///
/// ```no_run
/// use heavenbase::backends::Postgres;
/// let main = Postgres::url("postgres://user:password@db.example/shop").max_connections(20);
/// ```
#[derive(Clone, Debug)]
pub struct Postgres {
    pub(super) options: Options,
}

/// The options that every kind on Postgres takes.
macro_rules! connection_options {
    ($kind:ident) => {
        impl $kind {
            /// A database at an address: `postgres://user:password@host:port/database`, with the options that `libpq`
            /// knows (`?sslmode=verify-full`).
            pub fn url(url: impl Into<String>) -> Self {
                Self::from(crate::backends::postgres::Options::new(url.into()))
            }

            /// Most connections at once: 10 when not said.
            #[must_use]
            pub fn max_connections(mut self, connections: u32) -> Self {
                self.options.pool.max_connections = connections;
                self
            }

            /// How long an operation waits for a connection: 30 seconds when not said.
            #[must_use]
            pub fn acquire_timeout(mut self, timeout: std::time::Duration) -> Self {
                self.options.pool.acquire_timeout = timeout;
                self
            }

            /// How long an idle connection is kept: 10 minutes when not said.
            #[must_use]
            pub fn idle_timeout(mut self, timeout: std::time::Duration) -> Self {
                self.options.pool.idle_timeout = timeout;
                self
            }

            /// How long the server works on one statement before it gives up: 60 seconds when not said, zero for no
            /// limit.
            #[must_use]
            pub fn statement_timeout(mut self, timeout: std::time::Duration) -> Self {
                self.options.pool.statement_timeout = timeout;
                self
            }

            /// When the connection is encrypted: what the address says (`sslmode`), else
            /// [`Prefer`](crate::backends::postgres::Tls::Prefer).
            #[must_use]
            pub fn tls(mut self, tls: crate::backends::postgres::Tls) -> Self {
                self.options.tls = Some(tls);
                self
            }

            /// The certificate, in PEM, of the authority that signed the server's.
            #[must_use]
            pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
                self.options.certificate = Some(pem.into());
                self
            }
        }
    };
}
pub(in crate::backends) use connection_options;

impl From<Options> for Postgres {
    fn from(options: Options) -> Self {
        Postgres { options }
    }
}

connection_options!(Postgres);

/// Connects; `settings` are the session's, beyond those of every session.
pub(in crate::backends) async fn open(options: Options, vectors: bool, settings: &[(&'static str, String)]) -> Result<Arc<dyn Driver>> {
    let mut connect = PgConnectOptions::from_str(&options.url).map_err(cannot_connect)?.disable_statement_logging();
    if let Some(tls) = options.tls {
        connect = connect.ssl_mode(match tls {
            Tls::Disable => PgSslMode::Disable,
            Tls::Prefer => PgSslMode::Prefer,
            Tls::Require => PgSslMode::Require,
            Tls::VerifyCertificate => PgSslMode::VerifyCa,
            Tls::VerifyFull => PgSslMode::VerifyFull,
        });
    }
    if let Some(pem) = options.certificate {
        connect = connect.ssl_root_cert_from_pem(pem);
    }
    let timeout = options.pool.statement_timeout.as_millis().to_string();
    connect = connect.options([("statement_timeout", timeout.as_str())]).options(settings.iter().map(|(k, v)| (*k, v.as_str())));
    // The first connection is made apart: the pool would try until its time is over, and not say why it failed.
    let first = tokio::time::timeout(options.pool.acquire_timeout.max(Duration::from_secs(1)), connect.connect()).await;
    let mut first = first.map_err(|_| Error::new(ErrorKind::Unavailable, "the server does not answer"))?.map_err(cannot_connect)?;
    let text = "SELECT current_setting('server_version'), current_setting('server_encoding'), \
                COALESCE((SELECT extversion::text FROM pg_catalog.pg_extension WHERE extname = 'vector'), '')";
    let found = query(text, &[], false)?.fetch_one(&mut first).await.map_err(cannot_connect)?;
    let (version, encoding, extension) = (codec::read_text(&found, 0)?, codec::read_text(&found, 1)?, codec::read_text(&found, 2)?);
    // Nothing hangs on how it ends.
    let _ = first.close().await;
    if encoding != "UTF8" {
        let why = format!("the database is encoded in {encoding}, which cannot hold every text: create it with ENCODING 'UTF8'");
        return Err(Error::new(ErrorKind::InvalidSchema, why));
    }
    let engine = match (vectors, extension.as_str()) {
        (true, "") => format!("PostgreSQL {version}, pgvector to be created"),
        (true, extension) => format!("PostgreSQL {version}, pgvector {extension}"),
        _ => format!("PostgreSQL {version}"),
    };
    let pool = options.pool.options().connect_lazy_with(connect);
    Ok(Arc::new(PostgresDriver::new(Core { pool, dialect: PostgresDialect { vectors } }, engine)))
}
