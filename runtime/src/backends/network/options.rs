use super::{PoolSettings, bounded};
use crate::backends::BackendOptions;
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

/// What every kind over the network says of a connection.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) url: String,
    pub(crate) pool: PoolSettings,
    pub(crate) tls: Option<Tls>,
    pub(crate) certificate: Option<Vec<u8>>,
}

impl Options {
    pub(crate) fn new(url: String) -> Self {
        Options { url, pool: PoolSettings::default(), tls: None, certificate: None }
    }
}

impl Options {
    /// The options of a layout's file, by the names of the builder's methods; `root_certificate` is the path of a PEM file.
    pub(crate) fn described(options: &mut BackendOptions) -> Result<Self> {
        let mut described = Options::new(options.need("url")?);
        let pool = &mut described.pool;
        pool.max_connections = options.take("max_connections")?.unwrap_or(pool.max_connections);
        pool.acquire_timeout = options.seconds("acquire_timeout_seconds")?.map_or(pool.acquire_timeout, bounded);
        pool.idle_timeout = options.seconds("idle_timeout_seconds")?.map_or(pool.idle_timeout, bounded);
        pool.statement_timeout = options.seconds("statement_timeout_seconds")?.map_or(pool.statement_timeout, bounded);
        let tls = [
            ("disable", Tls::Disable),
            ("prefer", Tls::Prefer),
            ("require", Tls::Require),
            ("verify_certificate", Tls::VerifyCertificate),
            ("verify_full", Tls::VerifyFull),
        ];
        described.tls = options.choice("tls", &tls)?;
        if let Some(path) = options.take::<String>("root_certificate")? {
            let pem = std::fs::read(&path).map_err(|e| {
                let why = format!("the file of the option \"root_certificate\" cannot be read: {}", e.kind());
                Error::new(ErrorKind::Storage, why).with("path", &path)
            })?;
            described.certificate = Some(pem);
        }
        Ok(described)
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address may hold a password.
        f.debug_struct("Options").field("pool", &self.pool).field("tls", &self.tls).finish_non_exhaustive()
    }
}

/// The options that every kind over the network takes; the text is what `url` says of itself.
macro_rules! connection_options {
    ($kind:ident, $url:literal) => {
        impl $kind {
            #[doc = $url]
            pub fn url(url: impl Into<String>) -> Self {
                Self::from(crate::backends::network::Options::new(url.into()))
            }

            /// Most connections at once: 10 when not said.
            #[must_use]
            pub fn max_connections(mut self, connections: u32) -> Self {
                self.options.pool.max_connections = connections;
                self
            }

            /// How long an operation waits for a connection: 30 seconds when not said, 24 days at most.
            #[must_use]
            pub fn acquire_timeout(mut self, timeout: std::time::Duration) -> Self {
                self.options.pool.acquire_timeout = crate::backends::network::bounded(timeout);
                self
            }

            /// How long an idle connection is kept: 10 minutes when not said, 24 days at most.
            #[must_use]
            pub fn idle_timeout(mut self, timeout: std::time::Duration) -> Self {
                self.options.pool.idle_timeout = crate::backends::network::bounded(timeout);
                self
            }

            /// How long the server works on one statement before it gives up: 60 seconds when not said, zero for no
            /// limit; 24 days at most.
            #[must_use]
            pub fn statement_timeout(mut self, timeout: std::time::Duration) -> Self {
                self.options.pool.statement_timeout = crate::backends::network::bounded(timeout);
                self
            }

            /// When the connection is encrypted: what the address says, else
            /// [`Prefer`](crate::backends::network::Tls::Prefer).
            #[must_use]
            pub fn tls(mut self, tls: crate::backends::network::Tls) -> Self {
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
pub(crate) use connection_options;
