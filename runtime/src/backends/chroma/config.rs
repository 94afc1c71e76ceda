use crate::backends::BackendOptions;
use crate::backends::http::{Endpoint, Secret, patience_options};
use crate::error::Result;

/// Connects to Chroma 1.5 or later over HTTP. Nothing secret in it ever prints.
///
/// ```no_run
/// use heavenbase::backends::Chroma;
/// let vectors = Chroma::url("http://vectors.example:8000").token("…").database("shop");
/// ```
#[derive(Clone, Debug)]
pub struct Chroma {
    pub(super) endpoint: Endpoint,
    pub(super) tenant: String,
    pub(super) database: String,
}

patience_options!(Chroma);

impl Chroma {
    /// A server at an address: `http://host:8000`, or `https://…` for TLS by the system's certificates. A user and a
    /// password may stand in it.
    pub fn url(url: impl Into<String>) -> Self {
        Chroma { endpoint: Endpoint::new(url), tenant: "default_tenant".to_owned(), database: "default_database".to_owned() }
    }

    /// Signs in with a token, sent as `X-Chroma-Token`.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.endpoint.headers.retain(|(name, _)| *name != "x-chroma-token");
        self.endpoint.headers.push(("x-chroma-token", Secret::new(token)));
        self
    }

    /// Signs in with a user and a password.
    #[must_use]
    pub fn basic(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.endpoint.basic = Some((user.into(), Secret::new(password)));
        self
    }

    /// The tenant, which must exist: `default_tenant` when not said.
    #[must_use]
    pub fn tenant(mut self, name: impl Into<String>) -> Self {
        self.tenant = name.into();
        self
    }

    /// As the options of a layout's file say.
    pub(super) fn described(mut options: BackendOptions) -> Result<Self> {
        let mut described = Chroma::url("");
        described.endpoint = Endpoint::described(&mut options)?;
        if let Some(token) = options.take::<String>("token")? {
            described = described.token(token);
        }
        if let Some((user, password)) = options.credentials()? {
            described = described.basic(user, password);
        }
        described.tenant = options.take("tenant")?.unwrap_or(described.tenant);
        described.database = options.take("database")?.unwrap_or(described.database);
        options.finish()?;
        Ok(described)
    }

    /// The database, which must exist: `default_database` when not said.
    #[must_use]
    pub fn database(mut self, name: impl Into<String>) -> Self {
        self.database = name.into();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_never_print() {
        let chroma = Chroma::url("http://user:hunter1@host:8000").basic("root", "hunter2").token("hunter3");
        assert!(!format!("{chroma:?}").contains("hunter"), "{chroma:?}");
    }
}
