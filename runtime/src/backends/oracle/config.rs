use std::sync::Arc;

use oracledb::Config;

use super::dialect::OracleDialect;
use super::driver::OracleDriver;
use super::pool::Pool;
use crate::backends::network::address::{Address, wrong};
use crate::backends::network::{Options, Tls, connection_options};
use crate::backends::secret::Secret;
use crate::backends::sql::Statement;
use crate::backends::sql::session::{Phase, Session};
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};
use crate::types::Value;

/// Connects to Oracle Database 12.2 or later, whose character set is AL32UTF8. Nothing secret in it ever prints.
///
/// Encrypted connections are always verified in full. The authorities are those that browsers know, and those of a
/// [wallet](Oracle::wallet).
///
/// ```no_run
/// use heavenbase::backends::Oracle;
/// let main = Oracle::url("oracle://user:password@db.example:1521/shop").max_connections(20);
/// ```
#[derive(Clone, Debug)]
pub struct Oracle {
    pub(super) options: Options,
    wallet: Option<String>,
    wallet_password: Option<Secret>,
}

impl From<Options> for Oracle {
    fn from(options: Options) -> Self {
        Oracle { options, wallet: None, wallet_password: None }
    }
}

connection_options!(
    Oracle,
    "A service at an address: `oracle://user:password@host:port/service`. What of it is not plain is written `%40`."
);

impl Oracle {
    /// The folder of a wallet: `ewallet.pem`, with the authorities that sign the server's certificate, or the client's own
    /// certificate and key.
    #[must_use]
    pub fn wallet(mut self, folder: impl Into<String>) -> Self {
        self.wallet = Some(folder.into());
        self
    }

    /// The password of the wallet's key.
    #[must_use]
    pub fn wallet_password(mut self, password: impl Into<String>) -> Self {
        self.wallet_password = Some(Secret::new(password.into()));
        self
    }
}

const FORM: &str = "the address cannot be read: it has the form oracle://user:password@host:port/service";

/// The client's configuration of an address, and whether it encrypts.
pub(super) fn configuration(oracle: &Oracle) -> Result<(Config, bool)> {
    const NAMELESS: &str = "the address names no service: write it after the port";
    let options = &oracle.options;
    let address = Address::parse(&options.url, &["oracle://"], 1521, FORM, NAMELESS)?;
    if address.password.is_empty() {
        return Err(wrong("the address names no password: write it after the user, with a colon between"));
    }
    if options.certificate.is_some() {
        return Err(wrong(
            "the client reads authorities from a wallet alone: put the certificate into a folder, as `ewallet.pem`, and say wallet(folder)",
        ));
    }
    // Nothing that could be a descriptor's own.
    let plain = |text: &str| text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '$' | '#'));
    if !plain(&address.host) || !plain(&address.name) {
        return Err(wrong(FORM));
    }
    let encrypted = match options.tls.unwrap_or(Tls::Prefer) {
        // A server listens for either on a port of its own.
        Tls::Disable | Tls::Prefer => false,
        Tls::Require | Tls::VerifyCertificate | Tls::VerifyFull => true,
    };
    let descriptor = format!(
        "(DESCRIPTION=(ADDRESS=(PROTOCOL={})(HOST={})(PORT={}))(CONNECT_DATA=(SERVICE_NAME={})))",
        if encrypted { "tcps" } else { "tcp" },
        address.host,
        address.port,
        address.name
    );
    let patience = options.pool.acquire_timeout.max(std::time::Duration::from_secs(1));
    let config = Config::default().set_connect_string(&descriptor).map_err(|_| wrong(FORM))?;
    let mut config = config
        .set_credentials(&address.user, &address.password)
        .set_driver_name("heavenbase")
        .set_stmtcachesize(100)
        .set_transport_connect_timeout(Some(patience));
    if let Some(folder) = &oracle.wallet {
        config = config.set_wallet_location(folder.as_str());
    }
    if let Some(password) = &oracle.wallet_password {
        config = config.set_wallet_password(password.reveal());
    }
    Ok((config, encrypted))
}

const CHARACTERS: &str = "SELECT \"VALUE\" FROM nls_database_parameters WHERE parameter = 'NLS_CHARACTERSET'";

/// Connects, and finds out what the server has.
pub(super) async fn open(oracle: Oracle) -> Result<Arc<dyn Driver>> {
    let (config, encrypted) = configuration(&oracle)?;
    let pool = Pool::new(config, encrypted, oracle.options.pool.clone());
    let mut session = pool.take(Phase::Read).await?;
    let version = session.version().await?;
    if (version.0, version.1) < (12, 2) {
        return Err(
            wrong("the server is older than Oracle Database 12.2, which is the first with names of 128 bytes").with("version", version)
        );
    }
    let answer = session.run(&Statement::plain(CHARACTERS), Phase::Read).await?;
    drop(session);
    match answer.rows.into_iter().flatten().next() {
        Some(Value::Text(set)) if set == "AL32UTF8" => {}
        Some(Value::Text(set)) => {
            return Err(wrong("the database's character set is not AL32UTF8: text would neither be kept nor compared as everywhere")
                .with("set", set));
        }
        _ => return Err(Error::new(ErrorKind::Backend, "the server does not say which character set it has")),
    }
    let dialect = OracleDialect { vectors: (version.0, version.1) >= (23, 4) };
    let engine = format!("Oracle Database {version}");
    Ok(Arc::new(OracleDriver::new(pool.clone(), Some(pool), dialect, engine)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(oracle: Oracle) -> Result<Config> {
        configuration(&oracle).map(|(config, _)| config)
    }

    #[test]
    fn addresses_are_read_or_refused_without_a_word_of_them() {
        let read = of(Oracle::url("oracle://shop:p%40ss%2Fword@db.example:15210/orcl")).map(|c| c.get_connect_descriptor());
        assert!(read.as_ref().is_ok_and(|text| text.contains("db.example") && text.contains("15210") && text.contains("orcl")), "{read:?}");
        let six = of(Oracle::url("oracle://shop:x@[::1]/orcl").tls(Tls::VerifyFull)).map(|c| c.get_connect_descriptor());
        assert!(six.as_ref().is_ok_and(|text| text.contains("::1") && text.to_lowercase().contains("tcps")), "{six:?}");
        let addresses =
            ["", "oracle://", "oracle://u:secret@db", "oracle://db/s", "oracle://u:secret@db:port/s", "oracle://u:secret%zz@db/s"];
        for wrong in addresses.into_iter().chain(["oracle://u:secret@db/s)(HOST=other", "oracle://u:secret@db/(s)", "oracle://u@db/s"]) {
            let error = of(Oracle::url(wrong)).map(drop).map_err(|e| format!("{e:?}"));
            assert!(error.is_err_and(|text| !text.contains("secret")), "{wrong}");
        }
        assert!(of(Oracle::url("oracle://u:secret@db/s").root_certificate("pem")).is_err());
        let printed = format!("{:?}", Oracle::url("oracle://u:secret@db/s").wallet_password("hidden"));
        assert!(!printed.contains("secret") && !printed.contains("hidden"), "{printed}");
    }
}
