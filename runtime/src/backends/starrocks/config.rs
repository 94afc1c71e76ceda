use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use sqlx::{Connection, Executor};

use super::columns::Layout;
use super::dialect::StarRocksDialect;
use super::driver::StarRocksDriver;
use super::failure;
use super::load::Loader;
use super::pool::{Pool, Rewrite, as_it_is, cells};
use crate::backends::http::{Endpoint, Secret};
use crate::backends::mysql::{client, first};
use crate::backends::network::{Options, audited, connection_options};
use crate::backends::sql::session::Phase;
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};
use crate::types::Value;

/// The first version that has all that the driver asks for: conditional updates of some columns came with it.
const OLDEST: [u32; 3] = [3, 1, 3];

/// Connects to StarRocks 3.1.3 or later. Nothing secret in it ever prints.
///
/// ```no_run
/// use heavenbase::backends::StarRocks;
/// let main = StarRocks::url("starrocks://user:password@frontend:9030/shop").stream_load("http://frontend:8030");
/// ```
#[derive(Clone, Debug)]
pub struct StarRocks {
    pub(super) options: Options,
    load: Option<Secret>,
    layout: Layout,
}

impl From<Options> for StarRocks {
    fn from(options: Options) -> Self {
        StarRocks { options, load: None, layout: Layout::default() }
    }
}

connection_options!(
    StarRocks,
    "A database at an address: `starrocks://user:password@host:port/database`; the port is the frontend's for MySQL's protocol, 9030 as shipped."
);

impl StarRocks {
    /// Where the frontend takes loads, with the user and the password of the address: `http://frontend:8030`. It sends them on to
    /// one of its backends, which must be reachable too, and is told the password. With it rows are loaded on the condition that
    /// no newer one is there; without it they are inserted, and only the writers of one process keep out of each other's way.
    #[must_use]
    pub fn stream_load(mut self, url: impl Into<String>) -> Self {
        self.load = Some(Secret::new(url));
        self
    }

    /// Over how many buckets the rows of a new table are spread: the server chooses when not said.
    #[must_use]
    pub fn buckets(mut self, buckets: u32) -> Self {
        self.layout.buckets = Some(buckets.max(1));
        self
    }

    /// How many copies a new table has: the server's default (mostly 3) when not said. A cluster of one backend takes 1.
    #[must_use]
    pub fn replication_num(mut self, copies: u32) -> Self {
        self.layout.replicas = Some(copies.max(1));
        self
    }
}

/// What every session is set to: times in UTC, a value that does not fit is an error, and no limit but the statement's own.
fn session(timeout: Duration) -> String {
    let seconds = if timeout.is_zero() { 259_200 } else { timeout.as_secs().clamp(1, 259_200) };
    format!(
        "SET query_timeout = {seconds}, time_zone = '+00:00', enable_insert_strict = TRUE, sql_mode = 'ONLY_FULL_GROUP_BY', \
         sql_select_limit = 9223372036854775807"
    )
}

fn invalid(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidSchema, why)
}

/// The first three numbers of a version.
fn numbers(version: &str) -> [u32; 3] {
    let mut found = [0u32; 3];
    let numbers = version.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or(0));
    found.iter_mut().zip(numbers).for_each(|(place, number)| *place = number);
    found
}

/// Runs a text on the first connection: its first row.
async fn ask(connection: &mut MySqlConnection, text: String) -> Result<Vec<Value>> {
    let row = connection.fetch_one(sqlx::raw_sql(audited(text))).await.map_err(|cause| failure::error(cause, Phase::Connect))?;
    cells(&row)
}

impl StarRocks {
    /// Connects. What is sent goes through `rewrite`.
    pub(super) async fn open(mut self, rewrite: Rewrite) -> Result<StarRocksDriver> {
        if let Some(rest) = self.options.url.strip_prefix("starrocks://") {
            self.options.url = format!("mysql://{rest}");
        }
        let connect = client(&self.options)?.set_names(false).statement_cache_capacity(0);
        let loader = self.loader(connect.get_database().unwrap_or_default())?;
        let mut first = first(&self.options, &connect).await?;
        let who = ask(&mut first, rewrite("SELECT CURRENT_VERSION(), @@max_allowed_packet").into_owned()).await;
        let who = who.map_err(|error| match error.kind() {
            ErrorKind::Unavailable | ErrorKind::PermissionDenied | ErrorKind::Timeout => error,
            _ => invalid("what answers does not say which version of StarRocks it is: it is another server"),
        })?;
        let version = who.first().and_then(Value::as_text).unwrap_or_default().to_owned();
        if numbers(&version) < OLDEST {
            let why = "the server is too old: StarRocks 3.1.3 is the oldest that is spoken to";
            return Err(Error::new(ErrorKind::Unsupported, why).with("version", version));
        }
        let packet = who.get(1).and_then(Value::as_text).and_then(|text| text.parse().ok()).unwrap_or(16_777_216usize).max(1_024);
        let session = rewrite(&session(self.options.pool.statement_timeout)).into_owned();
        first.execute(sqlx::raw_sql(audited(session.clone()))).await.map_err(|cause| failure::error(cause, Phase::Connect))?;
        // Nothing hangs on how it ends.
        let _ = first.close().await;
        let pool = self.options.pool.options().after_connect(move |connection: &mut MySqlConnection, _| {
            let session = session.clone();
            Box::pin(async move { connection.execute(sqlx::raw_sql(audited(session))).await.map(drop) })
        });
        let timeout = self.options.pool.statement_timeout;
        // The server gives up first, and says so.
        let patience = if timeout.is_zero() { timeout } else { timeout.saturating_add(Duration::from_secs(5)) };
        let pool = Pool { pool: pool.connect_lazy_with(connect), patience, rewrite };
        let dialect = StarRocksDialect { shown: false, layout: self.layout };
        let writes = if timeout.is_zero() { Duration::from_secs(600) } else { timeout };
        let engine = format!("StarRocks {}", version.split(['-', ' ']).next().unwrap_or(&version));
        Ok(StarRocksDriver::new(Arc::new(pool.clone()), Some(pool), dialect, engine).loading(loader, packet, writes))
    }

    fn loader(&self, database: &str) -> Result<Option<Loader>> {
        let Some(address) = &self.load else { return Ok(None) };
        const FORM: &str = "the address cannot be read: it has the form starrocks://user:password@host:port/database";
        let url = reqwest::Url::parse(&self.options.url).map_err(|_| invalid(FORM))?;
        let plain = |text: &str| crate::backends::http::percent_decoded(text).ok_or_else(|| invalid("the credentials are not UTF-8"));
        let mut endpoint = Endpoint::new(address.reveal());
        endpoint.basic = Some((plain(url.username())?, Secret::new(plain(url.password().unwrap_or_default())?)));
        endpoint.timeout = self.options.pool.statement_timeout.max(Duration::from_secs(1));
        Loader::new(&endpoint, database).map(Some)
    }
}

impl super::super::Connect for StarRocks {
    fn from_options(_: &str, mut options: super::super::BackendOptions) -> Result<Self> {
        let mut described = StarRocks::from(Options::described(&mut options)?);
        if let Some(url) = options.take::<String>("stream_load")? {
            described = described.stream_load(url);
        }
        if let Some(buckets) = options.take("buckets")? {
            described = described.buckets(buckets);
        }
        if let Some(copies) = options.take("replication_num")? {
            described = described.replication_num(copies);
        }
        options.finish()?;
        Ok(described)
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        Ok(Arc::new(self.open(as_it_is).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_server_writes_them() {
        assert_eq!(numbers("3.3.5-6f0a1ab"), [3, 3, 5]);
        assert_eq!(numbers("4.0.2"), [4, 0, 2]);
        assert!(numbers("3.1.3 rc") >= OLDEST && numbers("3.1.2") < OLDEST && numbers("main") < OLDEST);
    }

    #[test]
    fn nothing_secret_prints() {
        let starrocks = StarRocks::url("starrocks://me:hunter2@host/shop").stream_load("http://me:hunter2@host:8030");
        assert!(!format!("{starrocks:?}").contains("hunter2"));
    }
}
