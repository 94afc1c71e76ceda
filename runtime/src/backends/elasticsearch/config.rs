use crate::backends::BackendOptions;
use crate::backends::http::{Endpoint, Secret, patience_options};
use crate::error::Result;

/// When written rows become readable by searches. Reads by id always see them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refresh {
    /// A write returns when searches see it, which Elasticsearch does once a second by default. Nothing is forced.
    #[default]
    WaitFor,
    /// A write makes its rows readable before it returns: quick to answer, dear to the server under many writes.
    Immediate,
    /// A write returns at once, and the next search through this connection makes rows readable first. Other
    /// connections see them within a second.
    BeforeSearch,
}

impl Refresh {
    /// The policy that an entity names: `#[entity(options(search(refresh = "immediate")))]`.
    pub(super) fn named(name: &str) -> Option<Refresh> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, refresh)| *refresh)
    }

    const NAMES: [(&'static str, Refresh); 3] =
        [("wait_for", Refresh::WaitFor), ("immediate", Refresh::Immediate), ("before_search", Refresh::BeforeSearch)];
}

/// Connects to Elasticsearch 8.2 or later; vectors are searched from 8.13 on. Nothing secret in it ever prints.
///
/// ```no_run
/// use heavenbase::backends::Elasticsearch;
/// let search = Elasticsearch::url("https://search.example:9200").api_key("…");
/// ```
#[derive(Clone, Debug)]
pub struct Elasticsearch {
    pub(super) endpoint: Endpoint,
    pub(super) refresh: Refresh,
    pub(super) shards: u32,
    pub(super) replicas: Option<u32>,
}

patience_options!(Elasticsearch);

impl Elasticsearch {
    /// A cluster at an address: `http://host:9200`. A user and a password may stand in it.
    pub fn url(url: impl Into<String>) -> Self {
        Elasticsearch { endpoint: Endpoint::new(url), refresh: Refresh::default(), shards: 1, replicas: None }
    }

    /// Signs in with a user and a password.
    #[must_use]
    pub fn basic(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.endpoint.basic = Some((user.into(), Secret::new(password)));
        self.endpoint.headers.retain(|(name, _)| *name != "authorization");
        self
    }

    /// Signs in with an API key in its encoded form.
    #[must_use]
    pub fn api_key(self, encoded: impl Into<String>) -> Self {
        self.authorization(format!("ApiKey {}", encoded.into()))
    }

    /// Signs in with a bearer token.
    #[must_use]
    pub fn bearer(self, token: impl Into<String>) -> Self {
        self.authorization(format!("Bearer {}", token.into()))
    }

    /// As the options of a layout's file say.
    pub(super) fn described(mut options: BackendOptions) -> Result<Self> {
        let mut described = Elasticsearch::url("");
        described.endpoint = Endpoint::described(&mut options)?;
        if let Some((user, password)) = options.credentials()? {
            described = described.basic(user, password);
        }
        if let Some(key) = options.take::<String>("api_key")? {
            described = described.api_key(key);
        }
        if let Some(token) = options.take::<String>("bearer")? {
            described = described.bearer(token);
        }
        described.refresh = options.choice("refresh", &Refresh::NAMES)?.unwrap_or_default();
        if let Some(shards) = options.take("shards")? {
            described = described.shards(shards);
        }
        described.replicas = options.take("replicas")?;
        options.finish()?;
        Ok(described)
    }

    fn authorization(mut self, value: String) -> Self {
        self.endpoint.basic = None;
        self.endpoint.headers = vec![("authorization", Secret::new(value))];
        self
    }

    /// When written rows become readable by searches, where an entity does not say: `#[entity(options(search(refresh =
    /// "immediate")))]`.
    #[must_use]
    pub fn refresh(mut self, refresh: Refresh) -> Self {
        self.refresh = refresh;
        self
    }

    /// Over how many shards a new index is spread: one when not said.
    #[must_use]
    pub fn shards(mut self, shards: u32) -> Self {
        self.shards = shards.max(1);
        self
    }

    /// How many replicas a new index has: what the cluster says by default.
    #[must_use]
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = Some(replicas);
        self
    }
}
