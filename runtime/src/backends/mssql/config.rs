use std::sync::Arc;

use tiberius::{AuthMethod, Config, EncryptionLevel};

use super::dialect::MssqlDialect;
use super::driver::MssqlDriver;
use super::pool::Pool;
use crate::backends::network::address::{Address, wrong};
use crate::backends::network::{Options, Tls, connection_options};
use crate::backends::sql::Statement;
use crate::backends::sql::session::{Phase, Session};
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};
use crate::types::Value;

/// Connects to SQL Server 2019 or later. Nothing secret in it ever prints.
///
/// ```no_run
/// use heavenbase::backends::Mssql;
/// let main = Mssql::url("mssql://user:password@db.example/shop").max_connections(20);
/// ```
#[derive(Clone, Debug)]
pub struct Mssql {
    pub(super) options: Options,
}

impl From<Options> for Mssql {
    fn from(options: Options) -> Self {
        Mssql { options }
    }
}

connection_options!(
    Mssql,
    "A database at an address: `mssql://user:password@host:port/database`. What of it is not plain is written `%40`."
);

/// The client's configuration of an address.
pub(super) fn configuration(options: &Options) -> Result<Config> {
    const FORM: &str = "the address cannot be read: it has the form mssql://user:password@host:port/database";
    const NAMELESS: &str = "the address names no database: write it after the port";
    let address = Address::parse(&options.url, &["mssql://", "sqlserver://"], 1433, FORM, NAMELESS)?;
    let mut config = Config::new();
    config.host(address.host);
    config.port(address.port);
    config.database(address.name);
    config.application_name("heavenbase");
    config.authentication(AuthMethod::sql_server(address.user, address.password));
    config.handshake_timeout(Some(options.pool.acquire_timeout.max(std::time::Duration::from_secs(1))));
    config.command_timeout(Some(options.pool.statement_timeout).filter(|limit| !limit.is_zero()));
    let tls = options.tls.unwrap_or(Tls::Prefer);
    config.encryption(match tls {
        Tls::Disable => EncryptionLevel::NotSupported,
        // Every server offers it.
        Tls::Prefer | Tls::Require | Tls::VerifyCertificate | Tls::VerifyFull => EncryptionLevel::Required,
    });
    match (tls, &options.certificate) {
        // The client checks the host together with the authority, or neither.
        (Tls::VerifyCertificate | Tls::VerifyFull, Some(pem)) => config.trust_cert_ca_bundle(pem.clone()),
        (Tls::VerifyCertificate | Tls::VerifyFull, None) => {}
        _ => config.trust_cert(),
    }
    Ok(config)
}

/// What is asked of a server once.
const WHO: &str = "SELECT CAST(SERVERPROPERTY('ProductVersion') AS NVARCHAR(128)), CAST(COALESCE(d.[compatibility_level], 0) AS BIGINT) \
                   FROM sys.databases d WHERE d.[database_id] = DB_ID()";

/// Connects, and finds out what the server has.
pub(super) async fn open(options: Options) -> Result<Arc<dyn Driver>> {
    let pool = Pool::new(configuration(&options)?, &options.pool);
    let mut session = pool.take(Phase::Connect).await?;
    let answer = session.run(&Statement::plain(WHO), Phase::Connect).await?;
    drop(session);
    let (version, level) = match answer.rows.into_iter().next().as_deref() {
        Some([Value::Text(version), Value::Int(level)]) => (version.clone(), *level),
        _ => return Err(Error::new(ErrorKind::Backend, "the server does not say which version it is")),
    };
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if major < 15 {
        return Err(wrong("the server is older than SQL Server 2019, which is the first with collations of UTF-8").with("version", version));
    }
    if level < 130 {
        let why = "the database's compatibility level is below 130, under which the server reads no JSON: raise it with ALTER DATABASE";
        return Err(wrong(why).with("level", level));
    }
    let dialect = MssqlDialect { vectors: major >= 17 };
    let engine = format!("SQL Server {version}");
    Ok(Arc::new(MssqlDriver::new(pool.clone(), Some(pool), dialect, engine)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<Config> {
        configuration(&Options::new(url.to_owned()))
    }

    #[test]
    fn addresses_are_read_or_refused_without_a_word_of_them() {
        assert_eq!(of("mssql://sa:p%40ss%2Fword@db.example:14330/shop").map(|c| c.get_addr()).ok().as_deref(), Some("db.example:14330"));
        assert_eq!(of("mssql://sa:x@[::1]/shop").map(|c| c.get_addr()).ok().as_deref(), Some("::1:1433"));
        for wrong in
            ["", "mssql://", "mssql://sa:secret@db", "mssql://db/shop", "mssql://sa:secret@db:port/shop", "mssql://sa:secret%zz@db/shop"]
        {
            let error = of(wrong).map(drop).map_err(|e| format!("{e:?}"));
            assert!(error.is_err_and(|text| !text.contains("secret")), "{wrong}");
        }
    }
}
