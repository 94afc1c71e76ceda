use std::time::Duration;

use crate::backends::BackendOptions;
use crate::backends::secret::Secret;
use crate::error::Result;

/// What a read is sure to see of the writes before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// Every write that was acknowledged before, by anybody. The server lets a read wait for its next time tick.
    #[default]
    Strong,
    /// Writes as of some seconds ago: a row just written may be missing from reads. What a write is decided on is always read
    /// as [`Strong`](Consistency::Strong).
    Bounded,
    /// Whatever is there. As `Bounded`, without a bound.
    Eventually,
}

impl Consistency {
    pub(super) const NAMES: [(&'static str, Consistency); 3] =
        [("strong", Consistency::Strong), ("bounded", Consistency::Bounded), ("eventually", Consistency::Eventually)];

    /// The number on the wire.
    pub(super) fn level(self) -> i32 {
        match self {
            Consistency::Strong => 0,
            Consistency::Bounded => 2,
            Consistency::Eventually => 3,
        }
    }
}

/// Connects to Milvus 2.3.5 or later over gRPC. Nothing secret in it ever prints.
///
/// ```no_run
/// use heavenbase::backends::Milvus;
/// let vectors = Milvus::url("http://vectors.example:19530").token("…").database("shop");
/// ```
#[derive(Clone, Debug)]
pub struct Milvus {
    pub(super) url: Secret,
    pub(super) credentials: Option<Secret>,
    pub(super) database: String,
    pub(super) consistency: Consistency,
    pub(super) timeout: Duration,
    pub(super) retries: u32,
}

impl Milvus {
    /// A server or cluster at an address: `http://host:19530`, or `https://…` for TLS by the system's certificates.
    pub fn url(url: impl Into<String>) -> Self {
        Milvus {
            url: Secret::new(url),
            credentials: None,
            database: String::new(),
            consistency: Consistency::Strong,
            timeout: Duration::from_secs(60),
            retries: 4,
        }
    }

    /// As the options of a layout's file say.
    pub(super) fn described(mut options: BackendOptions) -> Result<Self> {
        let mut described = Milvus::url(options.need::<String>("url")?);
        if let Some(token) = options.take::<String>("token")? {
            described = described.token(token);
        }
        if let Some((user, password)) = options.credentials()? {
            described = described.user(user, password);
        }
        described.database = options.take("database")?.unwrap_or_default();
        described.consistency = options.choice("consistency", &Consistency::NAMES)?.unwrap_or_default();
        described.timeout = options.seconds("timeout_seconds")?.unwrap_or(described.timeout);
        described.retries = options.take("retries")?.unwrap_or(described.retries);
        options.finish()?;
        Ok(described)
    }

    /// Signs in with a token: an API key, or `user:password`.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.credentials = Some(Secret::new(token));
        self
    }

    /// Signs in with a user and a password.
    #[must_use]
    pub fn user(self, user: impl Into<String>, password: impl Into<String>) -> Self {
        let pair = format!("{}:{}", user.into(), password.into());
        self.token(pair)
    }

    /// The database, which must exist: the server's default one when not said.
    #[must_use]
    pub fn database(mut self, name: impl Into<String>) -> Self {
        self.database = name.into();
        self
    }

    /// What a read is sure to see: everything written before ([`Consistency::Strong`]) when not said.
    #[must_use]
    pub fn consistency(mut self, consistency: Consistency) -> Self {
        self.consistency = consistency;
        self
    }

    /// How long one call may take, retries included: 60 seconds when not said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a call is tried again after a temporary failure: 4 times when not said.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_print() {
        let milvus = Milvus::url("http://user:hunter1@host:19530").user("root", "hunter2").token("hunter3");
        assert!(!format!("{milvus:?}").contains("hunter"), "{milvus:?}");
    }
}
