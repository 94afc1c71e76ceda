//! What every test needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use heavenbase::backends::mysql::MySqlDriver;
use heavenbase::backends::{Connect, MySql};
use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, Page, SubQuery, WriteBatch, WriteMode};
use heavenbase::schema::{Binding, EntitySchema, Part, Routing};
use heavenbase::types::{Id, LogicalType, Value};
use heavenbase_tests::data::Spec;
use sqlx::{AssertSqlSafe, MySqlPool, Row};

pub const SHORT: LogicalType = LogicalType::Text { max: 255 };

/// One of the servers that are there.
#[derive(Clone)]
pub struct Server {
    pub kind: &'static str,
    pub address: String,
}

pub fn servers() -> Vec<Server> {
    let mut all = Vec::new();
    let mut known = vec![("mysql", "HEAVENBASE_TEST_MYSQL"), ("mysql", "HEAVENBASE_TEST_MYSQL9")];
    if cfg!(feature = "oceanbase") {
        known.push(("oceanbase", "HEAVENBASE_TEST_OCEANBASE"));
    }
    for (kind, variable) in known {
        match std::env::var(variable) {
            Ok(address) => all.push(Server { kind, address }),
            Err(_) => eprintln!("not run: {variable} is not set"),
        }
    }
    all
}

impl Server {
    pub async fn try_open(&self, address: &str, change: impl Fn(MySql) -> MySql) -> heavenbase::Result<Arc<dyn Driver>> {
        #[cfg(feature = "oceanbase")]
        if self.kind == "oceanbase" {
            return heavenbase::backends::OceanBase::url(address).connect().await;
        }
        change(MySql::url(address)).connect().await
    }

    pub async fn open(&self) -> Arc<dyn Driver> {
        self.try_open(&self.address, |config| config).await.unwrap()
    }

    /// The address with another database.
    pub fn database(&self, name: &str) -> String {
        let (before, _) = self.address.rsplit_once('/').unwrap();
        format!("{before}/{name}")
    }
}

pub fn unique(what: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{what}x{:x}x{:x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

pub fn pool(driver: &Arc<dyn Driver>) -> MySqlPool {
    driver.as_any().downcast_ref::<MySqlDriver>().unwrap().pool().clone()
}

pub async fn sql(pool: &MySqlPool, text: impl Into<String>) {
    sqlx::raw_sql(AssertSqlSafe(text.into())).execute(pool).await.unwrap();
}

pub fn part(driver: &Arc<dyn Driver>, kind: &'static str, entity: EntitySchema) -> Arc<Part> {
    let binding = Binding { name: "main", kind, driver: driver.clone() };
    Routing::new(Box::leak(Box::new(entity)), &unique("my").into(), "main", &[binding]).unwrap().parts[0].clone()
}

pub fn batch(mode: WriteMode, version: i64, rows: Vec<(String, Vec<Value>)>) -> Arc<WriteBatch> {
    let columns = (0..rows[0].1.len()).collect();
    let (ids, values): (Vec<Id>, Vec<Vec<Value>>) = rows.into_iter().map(|(id, values)| (Id::from(id), values)).unzip();
    Arc::new(WriteBatch { mode, version, ids, columns, values: values.into_iter().flatten().collect(), expected: Vec::new() })
}

pub async fn all(driver: &Arc<dyn Driver>, part: &Arc<Part>, query: SubQuery) -> Page {
    let mut stream = driver.open(part.clone(), Arc::new(query)).unwrap();
    let mut found: Option<Page> = None;
    while let Some(page) = stream.next_page().await.unwrap() {
        match &mut found {
            None => found = Some(page),
            Some(found) => found.append(page),
        }
    }
    found.unwrap_or_default()
}

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub fn ids(page: &Page) -> Vec<&str> {
    page.ids.iter().map(Id::as_str).collect()
}

pub fn rows(n: usize) -> Vec<(String, Vec<Value>)> {
    (0..n).map(|i| (format!("r{i:05}"), vec![text("x")])).collect()
}

/// A driver in a database of its own, by which its sessions can be told apart, and one beside it.
pub struct Pair {
    pub database: String,
    pub driver: Arc<dyn Driver>,
    pub other: MySqlPool,
    pub part: Arc<Part>,
}

impl Pair {
    pub async fn new(server: &Server) -> Pair {
        let database = unique("hbkill");
        let other = pool(&server.open().await);
        sql(&other, format!("CREATE DATABASE {database}")).await;
        let driver = server.try_open(&server.database(&database), |config| config).await.unwrap();
        let part = part(&driver, server.kind, Spec::entity("killed", &[Spec::new("title", SHORT, Placement::InlineColumn)]));
        driver.ensure(&part).await.unwrap();
        Pair { database, driver, other, part }
    }

    /// The sessions of the driver, or those of them that are at work.
    pub async fn sessions(&self, busy: bool) -> Vec<u64> {
        let text = "SELECT CAST(id AS UNSIGNED), CAST(command AS CHAR) FROM information_schema.processlist WHERE db = ?";
        // MySQL fails here while another session runs a statement with characters that its catalog cannot show.
        let mut rows = sqlx::query(text).bind(&self.database).fetch_all(&self.other).await;
        for _ in 0..100 {
            if rows.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            rows = sqlx::query(text).bind(&self.database).fetch_all(&self.other).await;
        }
        let rows = rows.unwrap();
        let found = rows.iter().filter(|row| !busy || row.get::<String, _>(1) != "Sleep");
        found.map(|row| row.get::<u64, _>(0)).collect()
    }

    pub async fn busy(&self) -> Vec<u64> {
        for _ in 0..500 {
            let found = self.sessions(true).await;
            if !found.is_empty() {
                // It is at work; let it come to the lock.
                tokio::time::sleep(Duration::from_millis(200)).await;
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no session came to work");
    }

    /// Ends sessions, and waits until they are gone.
    pub async fn kill(&self) -> usize {
        let found = self.sessions(false).await;
        for id in &found {
            // One that has gone by itself is no failure.
            let _ = sqlx::raw_sql(AssertSqlSafe(format!("KILL {id}"))).execute(&self.other).await;
        }
        for _ in 0..500 {
            if !self.sessions(false).await.iter().any(|id| found.contains(id)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        found.len()
    }

    pub async fn count(&self) -> usize {
        all(&self.driver, &self.part, SubQuery::default()).await.len()
    }

    pub async fn done(self) {
        assert!(self.driver.drop_part(&self.part).await.unwrap());
        sql(&self.other, format!("DROP DATABASE {}", self.database)).await;
    }
}
