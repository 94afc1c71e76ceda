//! The engines, each behind a line.

use std::sync::Arc;
use std::time::Duration;

use heavenbase::backends::Connect;
use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, Page, WriteMode};
use heavenbase::types::{Id, LogicalType, Value};
use heavenbase::{Error, ErrorKind};
use heavenbase_tests::backends::{Boxed, Opening};
use heavenbase_tests::data::Spec;
use heavenbase_tests::peer::{Line, Traffic};
use heavenbase_tests::store::{Row, Store, number};

use crate::Outcome;

/// How long a driver waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);
/// How long a server works on one statement.
const LIMIT: Duration = Duration::from_secs(5);

/// An engine as it is reached.
#[derive(Clone, Copy)]
pub struct Engine {
    pub name: &'static str,
    variable: &'static str,
    /// Connects with one connection: as the address says, or unencrypted.
    connect: fn(String, bool) -> Opening,
    /// The message that ends a transaction; none where each statement is one.
    pub commit: Option<&'static [u8]>,
}

fn opening(backend: impl Connect) -> Opening {
    Box::pin(backend.connect()) as Boxed<'static, heavenbase::Result<Arc<dyn Driver>>>
}

/// Every engine that is compiled in.
fn known() -> Vec<Engine> {
    vec![
        #[cfg(feature = "postgres")]
        Engine {
            name: "postgres",
            variable: "HEAVENBASE_TEST_POSTGRES",
            connect: |url, plain| {
                let backend = heavenbase::backends::Postgres::url(url).max_connections(1).acquire_timeout(ACQUIRE).statement_timeout(LIMIT);
                opening(if plain { backend.tls(heavenbase::backends::postgres::Tls::Disable) } else { backend })
            },
            commit: Some(b"COMMIT\0"),
        },
        #[cfg(feature = "pgvector")]
        Engine {
            name: "pgvector",
            variable: "HEAVENBASE_TEST_PGVECTOR",
            connect: |url, plain| {
                let backend = heavenbase::backends::PgVector::url(url).max_connections(1).acquire_timeout(ACQUIRE).statement_timeout(LIMIT);
                opening(if plain { backend.tls(heavenbase::backends::postgres::Tls::Disable) } else { backend })
            },
            commit: Some(b"COMMIT\0"),
        },
        #[cfg(feature = "mysql")]
        Engine {
            name: "mariadb",
            variable: "HEAVENBASE_TEST_MYSQL",
            connect: |url, plain| {
                let backend = heavenbase::backends::MySql::url(url).max_connections(1).acquire_timeout(ACQUIRE).statement_timeout(LIMIT);
                opening(if plain { backend.tls(heavenbase::backends::mysql::Tls::Disable) } else { backend })
            },
            commit: Some(b"\x03COMMIT"),
        },
        #[cfg(feature = "mysql")]
        Engine {
            name: "mysql",
            variable: "HEAVENBASE_TEST_MYSQL9",
            connect: |url, plain| {
                let backend = heavenbase::backends::MySql::url(url).max_connections(1).acquire_timeout(ACQUIRE).statement_timeout(LIMIT);
                opening(if plain { backend.tls(heavenbase::backends::mysql::Tls::Disable) } else { backend })
            },
            commit: Some(b"\x03COMMIT"),
        },
        #[cfg(feature = "oceanbase")]
        Engine {
            name: "oceanbase",
            variable: "HEAVENBASE_TEST_OCEANBASE",
            connect: |url, plain| {
                let backend =
                    heavenbase::backends::OceanBase::url(url).max_connections(1).acquire_timeout(ACQUIRE).statement_timeout(LIMIT);
                opening(if plain { backend.tls(heavenbase::backends::mysql::Tls::Disable) } else { backend })
            },
            commit: Some(b"\x03COMMIT"),
        },
        #[cfg(feature = "trino")]
        Engine {
            name: "trino",
            variable: "HEAVENBASE_TEST_TRINO",
            connect: |url, _| opening(heavenbase::backends::TrinoIceberg::url(url).retries(1).timeout(Duration::from_secs(30))),
            commit: None,
        },
    ]
}

/// The engines that run; what does not is said aloud.
pub fn running() -> Vec<Engine> {
    let runs = |engine: &Engine| {
        let there = std::env::var_os(engine.variable).is_some();
        assert!(there || std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_none(), "{} is not set", engine.variable);
        if !there {
            eprintln!("not run: {} is not set", engine.variable);
        }
        there
    };
    known().into_iter().filter(runs).collect()
}

/// A driver behind a line, and one beside it that nothing happens to.
pub struct Behind {
    pub name: &'static str,
    pub line: Line,
    pub store: Store,
    pub calm: Store,
}

/// The text and the number of every row of a version.
pub fn rows(count: usize, width: usize, version: i64) -> Vec<Row> {
    let text = format!("{version:08}").repeat(width / 8);
    (0..count).map(|at| (Id::from(format!("r{at:04}")), vec![Value::Int(version), Value::Text(text.clone())])).collect()
}

impl Engine {
    /// The address that the variable says.
    fn address(&self) -> String {
        std::env::var(self.variable).unwrap_or_default()
    }

    /// Connects by a URL, unencrypted.
    #[cfg(feature = "postgres")]
    pub fn connects(&self, url: String) -> Opening {
        (self.connect)(url, true)
    }

    /// A part of its own with a driver on either side of a new line.
    pub async fn behind(&self) -> Outcome<Behind> {
        let (line, through) = Line::within(&self.address())?;
        let text = Spec::new("text", LogicalType::Text { max: 100_000 }, Placement::InlineColumn);
        let kind = if self.name == "mariadb" { "mysql" } else { self.name };
        let calm = Store::over((self.connect)(self.address(), false).await?, kind, &[number("number"), text]).await?;
        let store = calm.through((self.connect)(through, true).await?);
        Ok(Behind { name: self.name, line, store, calm })
    }
}

impl Behind {
    /// Whether the line of the driver works again: within so many attempts, since each may meet a dead connection.
    pub async fn recovers(&self, said: &str) {
        self.line.is_mended();
        for driver in [&self.store, &self.calm] {
            if let Err(error) = driver.driver.health().await {
                panic!("{said}: no recovery: {error:?}");
            }
        }
    }

    /// What lies there, seen by the undisturbed driver: the one version that all rows have.
    pub async fn version(&self, said: &str) -> Outcome<i64> {
        let page = self.calm.all().await?;
        let version = page.versions.first().copied().unwrap_or_default();
        assert!(whole(&page), "{said}: torn: {:?}", page.versions);
        Ok(version)
    }

    /// Waits until what goes through the line is still, and says what passed while something ran.
    pub async fn traffic(&self, work: impl Future<Output = heavenbase::Result<()>>) -> Outcome<Traffic> {
        self.settled().await;
        self.line.listens();
        work.await?;
        self.settled().await;
        Ok(self.line.heard())
    }

    /// A connection that goes back to its pool is asked something first, which is to be over.
    pub async fn settled(&self) {
        tokio::time::sleep(Duration::from_millis(30)).await;
    }

    /// Replaces all rows by those of a version.
    pub async fn put(&self, count: usize, width: usize, version: i64) -> heavenbase::Result<()> {
        let report = self.store.write(WriteMode::Upsert, version, &rows(count, width, version)).await?;
        assert!(report.stale.is_empty() && report.missing.is_empty(), "{}: {report:?}", self.name);
        Ok(())
    }
}

/// Whether all rows are of one version, with its values.
pub fn whole(page: &Page) -> bool {
    let version = page.versions.first().copied().unwrap_or_default();
    let same = |at: usize| page.versions[at] == version && page.row(at) == page.row(0) && page.row(at)[0] == Value::Int(version);
    (0..page.len()).all(same)
}

/// The error that a server which is gone makes.
pub fn gone(said: &str, error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{said}: {error:?}");
    assert!(!format!("{error:?} {error}").contains("heavenbase:heavenbase"), "{said}: a credential: {error:?}");
}
