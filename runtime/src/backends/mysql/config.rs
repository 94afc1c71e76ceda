use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{ConnectOptions, Connection, Executor};

use super::codec;
use super::core::{Core, query};
use super::dialect::{MySqlDialect, Vectors};
use super::driver::MySqlDriver;
use super::failure;
use super::server::Server;
use super::sessions::Sessions;
use crate::backends::network::failure::Phase;
use crate::backends::network::{Options, Tls, audited, connection_options};
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};

/// Connects to MariaDB 10.6 or later, or to MySQL 8.0.19 or later. Nothing secret in it ever prints.
///
/// ```no_run
/// use heavenbase::backends::MySql;
/// let main = MySql::url("mysql://user:password@db.example/shop").max_connections(20);
/// ```
#[derive(Clone, Debug)]
pub struct MySql {
    pub(super) options: Options,
}

impl From<Options> for MySql {
    fn from(options: Options) -> Self {
        MySql { options }
    }
}

connection_options!(
    MySql,
    "A database at an address: `mysql://user:password@host:port/database`, with `?ssl-mode=VERIFY_IDENTITY` and the like."
);

fn cannot_connect(cause: sqlx::Error) -> Error {
    failure::error(cause, Phase::Connect)
}

/// The client's options for an address. It sets nothing up in a session: that is done as a whole, once it is known which server it
/// is.
pub(in crate::backends) fn client(options: &Options) -> Result<MySqlConnectOptions> {
    let connect = MySqlConnectOptions::from_str(&options.url).map_err(cannot_connect)?.disable_statement_logging();
    if connect.get_database().is_none_or(str::is_empty) {
        let why = "the address names no database: write it after the port, as in mysql://host:3306/shop";
        return Err(Error::new(ErrorKind::InvalidSchema, why));
    }
    let mut connect = connect.pipes_as_concat(false).no_engine_substitution(false).timezone(None).charset("utf8mb4");
    if let Some(tls) = options.tls {
        connect = connect.ssl_mode(match tls {
            Tls::Disable => MySqlSslMode::Disabled,
            Tls::Prefer => MySqlSslMode::Preferred,
            Tls::Require => MySqlSslMode::Required,
            Tls::VerifyCertificate => MySqlSslMode::VerifyCa,
            Tls::VerifyFull => MySqlSslMode::VerifyIdentity,
        });
    }
    if let Some(pem) = &options.certificate {
        connect = connect.ssl_ca_from_pem(pem.clone());
    }
    Ok(connect)
}

/// The first connection, which is made apart: the pool would try until its time is over, and not say why it failed.
pub(in crate::backends) async fn first(options: &Options, connect: &MySqlConnectOptions) -> Result<MySqlConnection> {
    let first = tokio::time::timeout(options.pool.acquire_timeout.max(Duration::from_secs(1)), connect.connect()).await;
    first.map_err(|_| Error::new(ErrorKind::Unavailable, "the server does not answer"))?.map_err(cannot_connect)
}

/// Connects. `only` is the server that it must be; `vectors` is what that one says of vectors.
pub(in crate::backends) async fn open(
    options: Options,
    kind: &'static str,
    only: Option<Server>,
    vectors: Option<&'static dyn Vectors>,
) -> Result<Arc<dyn Driver>> {
    let connect = client(&options)?;
    let mut first = first(&options, &connect).await?;
    let text = "SELECT VERSION(), @@version_comment, @@max_allowed_packet";
    let found = query(text, &[], false)?.fetch_one(&mut first).await.map_err(cannot_connect)?;
    let (version, comment) = (codec::read_text(&found, 0)?, codec::read_text(&found, 1)?);
    let packet = usize::try_from(codec::read_whole(&found, 2)?).unwrap_or(16_777_216).max(1_024);
    let server = Server::detect(&version, &comment)?;
    if let Some(only) = only.filter(|only| *only != server) {
        let why = format!("the server is {}, not {}: take the kind that is named after it", server.name(), only.name());
        return Err(Error::new(ErrorKind::InvalidSchema, why));
    }
    let session = server.session(options.pool.statement_timeout);
    first.execute(sqlx::raw_sql(audited(session.clone()))).await.map_err(cannot_connect)?;
    let modes = query("SELECT @@sql_mode", &[], false)?.fetch_one(&mut first).await.map_err(cannot_connect)?;
    Server::check_modes(&codec::read_text(&modes, 0)?)?;
    // Nothing hangs on how it ends.
    let _ = first.close().await;
    let sessions = Arc::<Sessions>::default();
    let noted = sessions.clone();
    let pool = options.pool.options().after_connect(move |connection: &mut MySqlConnection, _| {
        let (session, noted) = (session.clone(), noted.clone());
        Box::pin(async move {
            connection.execute(sqlx::raw_sql(audited(session))).await?;
            noted.note(connection).await
        })
    });
    let engine = match server {
        Server::OceanBase => comment.split('(').next().unwrap_or(&comment).trim().to_owned(),
        server => format!("{} {}", server.name(), version.split(['-', '+']).next().unwrap_or(&version)),
    };
    let dialect = MySqlDialect { kind, server, vectors };
    let pool = pool.connect_lazy_with(connect.statement_cache_capacity(server.prepared()));
    let core = Core { pool, sessions, dialect, packet, patience: options.pool.patience() };
    Ok(Arc::new(MySqlDriver::new(core, engine)))
}
