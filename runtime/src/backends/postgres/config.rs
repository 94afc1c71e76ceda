use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::codec;
use super::core::{Core, query};
use super::dialect::PostgresDialect;
use super::driver::{PostgresDriver, cannot_connect};
use crate::backends::network::failure::{Phase, caught};
use crate::backends::network::{Options, Tls, connection_options};
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};

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

impl From<Options> for Postgres {
    fn from(options: Options) -> Self {
        Postgres { options }
    }
}

connection_options!(
    Postgres,
    "A database at an address: `postgres://user:password@host:port/database`, with the options that `libpq` knows (`?sslmode=verify-full`)."
);

/// What a server says of itself: its version, its encoding, and pgvector's version or nothing.
async fn first(connect: &PgConnectOptions) -> Result<(String, String, String)> {
    let mut first = connect.connect().await.map_err(cannot_connect)?;
    let text = "SELECT current_setting('server_version'), current_setting('server_encoding'), \
                COALESCE((SELECT extversion::text FROM pg_catalog.pg_extension WHERE extname = 'vector'), '')";
    let found = query(text, &[], false)?.fetch_one(&mut first).await.map_err(cannot_connect)?;
    let said = (codec::read_text(&found, 0)?, codec::read_text(&found, 1)?, codec::read_text(&found, 2)?);
    // Nothing hangs on how it ends.
    let _ = first.close().await;
    Ok(said)
}

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
    let first = caught(Phase::Connect, first(&connect));
    let first = tokio::time::timeout(options.pool.acquire_timeout.max(Duration::from_secs(1)), first).await;
    let (version, encoding, extension) = first.map_err(|_| Error::new(ErrorKind::Unavailable, "the server does not answer"))??;
    if encoding != "UTF8" {
        let why = format!("the database is encoded in {encoding}, which cannot hold every text: create it with ENCODING 'UTF8'");
        return Err(Error::new(ErrorKind::InvalidSchema, why));
    }
    let engine = match (vectors, extension.as_str()) {
        (true, "") => format!("PostgreSQL {version}, pgvector to be created"),
        (true, extension) => format!("PostgreSQL {version}, pgvector {extension}"),
        _ => format!("PostgreSQL {version}"),
    };
    let pool = options.pool.options().after_connect(|connection: &mut PgConnection, _| {
        Box::pin(async move {
            // How often the server looks whether its client is still there. One on a system without it refuses, and works on.
            let _ = sqlx::query("SET client_connection_check_interval = 500").execute(connection).await;
            Ok(())
        })
    });
    let pool = pool.connect_lazy_with(connect);
    let core = Core { pool, dialect: PostgresDialect { vectors }, patience: options.pool.patience() };
    Ok(Arc::new(PostgresDriver::new(core, engine)))
}
