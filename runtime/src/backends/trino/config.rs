use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::driver::TrinoDriver;
use crate::backends::http::{Endpoint, Secret};
use crate::capability::Backend;
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};

/// What kind of catalog a [`Trino`] speaks of: [`Iceberg`] or [`ReadOnly`].
pub trait Catalog: sealed::Sealed + Send + Sync + 'static {
    /// The connector that the catalog must have, for what is written; any where `None`.
    #[doc(hidden)]
    const CONNECTOR: Option<&'static str>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Iceberg {}
    impl Sealed for super::ReadOnly {}
}

/// A catalog of the Iceberg connector: rows are read and written.
#[derive(Debug)]
pub enum Iceberg {}

/// A catalog of any connector whose tables are only read: entities over it are `#[entity(table = …, read_only)]`.
///
/// ```
/// use heavenbase::backends::{Trino, trino};
/// use heavenbase::prelude::*;
///
/// #[derive(Layout)]
/// struct Lake {
///     main: Trino<trino::ReadOnly>,
/// }
///
/// #[derive(Entity)]
/// #[entity(layout = Lake, table = "tpch.tiny.orders", read_only)]
/// struct Order {
///     #[id(column = "orderkey", as = i64)]
///     object_id: Id,
///     totalprice: f64,
/// }
/// ```
///
/// Without `read_only` the entity does not compile, for nothing can be written there:
///
/// ```compile_fail
/// use heavenbase::backends::{Trino, trino};
/// use heavenbase::prelude::*;
///
/// #[derive(Layout)]
/// struct Lake {
///     main: Trino<trino::ReadOnly>,
/// }
///
/// #[derive(Entity)]
/// #[entity(layout = Lake, table = "tpch.tiny.orders")]
/// struct Order {
///     #[id(column = "orderkey", as = i64)]
///     object_id: Id,
///     totalprice: f64,
/// }
/// ```
#[derive(Debug)]
pub enum ReadOnly {}

impl Catalog for Iceberg {
    const CONNECTOR: Option<&'static str> = Some("iceberg");
}

impl Catalog for ReadOnly {
    const CONNECTOR: Option<&'static str> = None;
}

/// Connects to one schema of a Trino catalog, of the kind that `C` says. Nothing secret in it ever prints.
///
/// ```no_run
/// use heavenbase::backends::{Trino, trino};
/// let main = Trino::<trino::Iceberg>::url("trino://me@trino.example:443/lake/shop?SSL=true").bearer("…");
/// let shared = Trino::<trino::ReadOnly>::url("trino://me@trino.example:443/tpch/tiny?SSL=true").basic("me", "…");
/// ```
pub struct Trino<C = Iceberg> {
    settings: Settings,
    catalog: PhantomData<fn() -> C>,
}

/// [`Trino`] over an Iceberg catalog.
pub type TrinoIceberg = Trino<Iceberg>;
/// [`Trino`] over tables that are only read.
pub type TrinoReadOnly = Trino<ReadOnly>;

impl<C> Clone for Trino<C> {
    fn clone(&self) -> Self {
        Trino { settings: self.settings.clone(), catalog: PhantomData }
    }
}

impl<C> std::fmt::Debug for Trino<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trino").field("settings", &self.settings).finish()
    }
}

/// What the builder gathered.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    url: Secret,
    basic: Option<(String, Secret)>,
    bearer: Option<Secret>,
    pub(super) timeout: Duration,
    retries: u32,
    source: String,
    session: Vec<(String, String)>,
}

impl<C: Catalog> Trino<C> {
    /// A catalog and a schema at an address: `trino://user@host:port/catalog/schema`, with `?SSL=true` for an encrypted
    /// connection; `http://…` and `https://…` say the same. A password may stand in it.
    pub fn url(url: impl Into<String>) -> Self {
        let settings = Settings {
            url: Secret::new(url),
            basic: None,
            bearer: None,
            timeout: Duration::from_secs(120),
            retries: 8,
            source: "heavenbase".to_owned(),
            session: Vec::new(),
        };
        Trino { settings, catalog: PhantomData }
    }

    /// Signs in with a user and a password. Only over an encrypted connection, or to this machine.
    #[must_use]
    pub fn basic(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.settings.basic = Some((user.into(), Secret::new(password)));
        self.settings.bearer = None;
        self
    }

    /// Signs in with a token, such as a JWT. Only over an encrypted connection, or to this machine.
    #[must_use]
    pub fn bearer(mut self, token: impl Into<String>) -> Self {
        self.settings.bearer = Some(Secret::new(token));
        self.settings.basic = None;
        self
    }

    /// How long a write, or the wait for the next page of an answer, may take, retries included: 2 minutes when not said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// How often a request is sent again when the server cannot serve it or cannot be reached: 8 times within the timeout
    /// when not said, with growing pauses.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.settings.retries = retries;
        self
    }

    /// Under which name statements appear in the server's lists: `heavenbase` when not said.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.settings.source = source.into();
        self
    }

    /// A session property for every statement: `query_max_run_time`, `iceberg.compression_codec`.
    #[must_use]
    pub fn session_property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.session.push((name.into(), value.into()));
        self
    }
}

/// Where a connection leads.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    pub(super) catalog: String,
    pub(super) schema: String,
}

fn invalid(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidSchema, why)
}

impl Settings {
    /// Reads the address.
    pub(super) fn target(&self) -> Result<Target> {
        // The parser's own message is left out: it may repeat the address, and that a password.
        const FORM: &str = "the address cannot be read: it has the form trino://user@host:port/catalog/schema";
        let text = self.url.reveal();
        let text = text.strip_prefix("trino://").map_or_else(|| text.to_owned(), |rest| format!("http://{rest}"));
        text_is(&text)?;
        let mut url = reqwest::Url::parse(&text).map_err(|_| invalid(FORM))?;
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("SSL", "false") => {}
                ("SSL", "true") => {}
                _ => return Err(invalid("the address has an option that is not known: only SSL=true and SSL=false are")),
            }
        }
        if url.query_pairs().any(|(name, value)| name == "SSL" && value == "true") {
            url.set_scheme("https").map_err(|()| invalid(FORM))?;
        }
        let path: Vec<String> = url.path().split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
        let [catalog, schema] = path.as_slice() else { return Err(invalid(FORM)) };
        let plain = |name: &String| name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        if !plain(catalog) || !plain(schema) {
            return Err(invalid("a catalog or schema in the address is not a plain name of letters, digits, `_`, `-` and `.`"));
        }
        let (catalog, schema) = (catalog.to_lowercase(), schema.to_lowercase());
        let mut user = url.username().to_owned();
        url.set_path("");
        url.set_query(None);
        let secrets = self.basic.is_some() || self.bearer.is_some() || url.password().is_some();
        let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if secrets && url.scheme() != "https" && !here {
            return Err(invalid("a password or token would travel unencrypted: say ?SSL=true or https://"));
        }
        if let Some((name, _)) = &self.basic {
            user.clone_from(name);
        }
        if user.is_empty() {
            return Err(invalid("the address names no user: trino://user@host:port/catalog/schema"));
        }
        if url.password().is_none() {
            // A user without a password is a header, not a way to sign in.
            url.set_username("").map_err(|()| invalid(FORM))?;
        }
        let mut endpoint = Endpoint::new(url.to_string());
        endpoint.basic.clone_from(&self.basic);
        endpoint.timeout = self.timeout;
        endpoint.retries = self.retries;
        let mut header = |name: &'static str, value: &str| endpoint.headers.push((name, Secret::new(value)));
        header("x-trino-user", &user);
        header("x-trino-source", &self.source);
        header("x-trino-catalog", &catalog);
        header("x-trino-schema", &schema);
        header("x-trino-time-zone", "UTC");
        // Without it, times are cut to milliseconds.
        header("x-trino-client-capabilities", "PARAMETRIC_DATETIME");
        if !self.session.is_empty() {
            header("x-trino-session", &self.properties()?);
        }
        if let Some(token) = &self.bearer {
            header("authorization", &format!("Bearer {}", token.reveal()));
        }
        Ok(Target { endpoint, catalog, schema })
    }

    fn properties(&self) -> Result<String> {
        let mut text = String::new();
        for (name, value) in &self.session {
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.')) {
                return Err(invalid("a session property's name holds more than letters, digits, `_` and `.`"));
            }
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(name);
            text.push('=');
            text.push_str(&crate::backends::http::segment(value));
        }
        Ok(text)
    }
}

/// Whether the address has a scheme that is known.
fn text_is(text: &str) -> Result<()> {
    let known = text.starts_with("http://") || text.starts_with("https://");
    if known { Ok(()) } else { Err(invalid("the address is neither trino://…, http://… nor https://…")) }
}

#[diagnostic::do_not_recommend]
impl<C: Catalog> crate::backends::MapsTables for Trino<C> {}

#[diagnostic::do_not_recommend]
impl<C: Catalog> crate::backends::RunsSql for Trino<C> {}

#[diagnostic::do_not_recommend]
impl<C: Catalog> crate::backends::Native for Trino<C>
where
    Trino<C>: Backend,
{
    /// The driver, which runs statements and hands on their answers as the protocol has them.
    type Handle<'w> = &'w TrinoDriver;

    fn handle(driver: &dyn Driver) -> Option<&TrinoDriver> {
        driver.as_any().downcast_ref::<TrinoDriver>().filter(|driver| Self::KINDS.contains(&driver.description().kind))
    }
}

impl<C: Catalog> crate::backends::Connect for Trino<C>
where
    Trino<C>: Backend,
{
    fn from_options(_: &str, mut options: crate::backends::BackendOptions) -> Result<Self> {
        let mut described = Trino::<C>::url(options.need::<String>("url")?);
        if let Some((user, password)) = options.credentials()? {
            described = described.basic(user, password);
        }
        if let Some(token) = options.take::<String>("bearer")? {
            described = described.bearer(token);
        }
        let settings = &mut described.settings;
        settings.timeout = options.seconds("timeout_seconds")?.unwrap_or(settings.timeout);
        settings.retries = options.take("retries")?.unwrap_or(settings.retries);
        settings.source = options.take("source")?.unwrap_or_else(|| settings.source.clone());
        settings.session = options.take::<BTreeMap<String, String>>("session_properties")?.unwrap_or_default().into_iter().collect();
        options.finish()?;
        Ok(described)
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        let kind = <Self as Backend>::KINDS.first().copied().unwrap_or("trino");
        Ok(Arc::new(TrinoDriver::connect(&self.settings, kind, C::CONNECTOR).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(trino: &TrinoIceberg) -> Target {
        trino.settings.target().unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn an_address_is_taken_apart() {
        let plain = target(&Trino::url("trino://me@host:8080/Lake/shop"));
        assert_eq!((plain.catalog.as_str(), plain.schema.as_str()), ("lake", "shop"));
        assert!(plain.endpoint.headers.contains(&("x-trino-user", Secret::new("me"))));
        assert_eq!(plain.endpoint.url.reveal(), "http://host:8080/");
        let encrypted = target(&Trino::url("trino://host/a/b?SSL=true").basic("me", "hunter2"));
        assert_eq!(encrypted.endpoint.url.reveal(), "https://host/");
        assert!(!format!("{encrypted:?}").contains("hunter2"));
    }

    #[test]
    fn what_cannot_work_is_refused_without_secrets() {
        for url in [
            "trino://host/a/b",
            "trino://me@host/a",
            "trino://me@host/a/b/c",
            "trino://me@host/a/b?ssl=true",
            "ftp://me@host/a/b",
            "trino://me:hunter2@host/a/b",
            "trino://me@host/a%20b/c",
        ] {
            let refused = TrinoIceberg::url(url).settings.target();
            assert!(refused.is_err_and(|e| !format!("{e:?}").contains("hunter2")), "{url}");
        }
        assert!(TrinoIceberg::url("trino://me@host/a/b").bearer("hunter2").settings.target().is_err());
        assert!(TrinoIceberg::url("trino://me@localhost/a/b").bearer("hunter2").settings.target().is_ok());
        assert!(TrinoIceberg::url("trino://me@host/a/b").session_property("a=b", "c").settings.target().is_err());
    }

    #[test]
    fn session_properties_cannot_add_others() {
        let trino = TrinoIceberg::url("trino://me@host/a/b").session_property("a", "x,b=y").session_property("lake.c", "1");
        assert_eq!(trino.settings.properties().ok().as_deref(), Some("a=x%2Cb%3Dy,lake.c=1"));
    }
}
