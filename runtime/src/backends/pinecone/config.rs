use std::time::Duration;

use crate::backends::BackendOptions;
use crate::backends::http::{Endpoint, Secret};
use crate::error::Result;

/// What a read sees of the writes that this connection made before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Freshness {
    /// All of them: a read waits until they are readable, up to [`Pinecone::patience`].
    #[default]
    OwnWrites,
    /// Whatever is readable. A row just written may be missing, until `refresh` was waited for.
    Eventual,
}

impl Freshness {
    const NAMES: [(&'static str, Freshness); 2] = [("own_writes", Freshness::OwnWrites), ("eventual", Freshness::Eventual)];
}

/// Connects to Pinecone over REST. Nothing secret in it ever prints.
///
/// ```no_run
/// use heavenbase::backends::Pinecone;
/// let vectors = Pinecone::api_key("…").prefix("shop").serverless("aws", "us-east-1");
/// ```
#[derive(Clone, Debug)]
pub struct Pinecone {
    pub(super) control: Endpoint,
    pub(super) prefix: String,
    pub(super) cloud: String,
    pub(super) region: String,
    pub(super) freshness: Freshness,
    pub(super) patience: Duration,
    pub(super) doubt: Duration,
}

impl Pinecone {
    /// The project that an API key belongs to.
    pub fn api_key(key: impl Into<String>) -> Self {
        let mut control = Endpoint::new("https://api.pinecone.io");
        control.headers = vec![("api-key", Secret::new(key))];
        Pinecone {
            control,
            prefix: "heavenbase".to_owned(),
            cloud: "aws".to_owned(),
            region: "us-east-1".to_owned(),
            freshness: Freshness::OwnWrites,
            patience: Duration::from_secs(60),
            doubt: Duration::from_secs(5),
        }
    }

    /// As the options of a layout's file say.
    pub(super) fn described(mut options: BackendOptions) -> Result<Self> {
        let mut described = Pinecone::api_key(options.need::<String>("api_key")?);
        if let Some(url) = options.take::<String>("control_plane")? {
            described = described.control_plane(url);
        }
        described.prefix = options.take("prefix")?.unwrap_or(described.prefix);
        described.cloud = options.take("cloud")?.unwrap_or(described.cloud);
        described.region = options.take("region")?.unwrap_or(described.region);
        described.freshness = options.choice("freshness", &Freshness::NAMES)?.unwrap_or(described.freshness);
        described.patience = options.seconds("patience_seconds")?.unwrap_or(described.patience);
        described.doubt = options.seconds("doubt_seconds")?.unwrap_or(described.doubt);
        described.control.timeout = options.seconds("timeout_seconds")?.unwrap_or(described.control.timeout);
        described.control.retries = options.take("retries")?.unwrap_or(described.control.retries);
        options.finish()?;
        Ok(described)
    }

    /// The address of the control plane, which knows where the indexes are: Pinecone's own when not said. With an
    /// `http://…` address the indexes are spoken to without TLS, too.
    #[must_use]
    pub fn control_plane(mut self, url: impl Into<String>) -> Self {
        self.control.url = Secret::new(url);
        self
    }

    /// How the names of the indexes begin: `heavenbase` when not said. Small letters, digits and `-`, at most 20.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Where new indexes are made: cloud and region, `aws` and `us-east-1` when not said.
    #[must_use]
    pub fn serverless(mut self, cloud: impl Into<String>, region: impl Into<String>) -> Self {
        (self.cloud, self.region) = (cloud.into(), region.into());
        self
    }

    /// What a read sees of the writes before it.
    #[must_use]
    pub fn freshness(mut self, freshness: Freshness) -> Self {
        self.freshness = freshness;
        self
    }

    /// How long to wait for written rows to be readable, and for new indexes to be ready: 60 seconds when not said. What
    /// takes longer is a [`Timeout`](crate::ErrorKind::Timeout).
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How long reads and writes look for the rows of a write that failed with the status
    /// [`Unknown`](crate::Status::Unknown), counted from its failure: 5 seconds when not said. They may never come, so
    /// what is there is taken then. `refresh` does not look for them.
    #[must_use]
    pub fn doubt(mut self, doubt: Duration) -> Self {
        self.doubt = doubt;
        self
    }

    /// How long one request may take, retries included: 30 seconds when not said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.control.timeout = timeout;
        self
    }

    /// How often a request is tried again after a temporary failure, where that is safe: 4 times when not said.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.control.retries = retries;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_print() {
        let pinecone = Pinecone::api_key("hunter1").control_plane("http://user:hunter2@host");
        assert!(!format!("{pinecone:?}").contains("hunter"), "{pinecone:?}");
    }
}
