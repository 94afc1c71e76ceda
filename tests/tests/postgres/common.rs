//! What every test needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use heavenbase::backends::postgres::PostgresDriver;
use heavenbase::backends::{Connect, Postgres};
use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, Page, SubQuery, WriteBatch, WriteMode};
use heavenbase::schema::{Binding, EntitySchema, Part, Routing};
use heavenbase::types::{Id, LogicalType, Value};
use heavenbase_tests::data::Spec;
use sqlx::{AssertSqlSafe, PgPool};

pub const SHORT: LogicalType = LogicalType::Text { max: 255 };

pub fn address(variable: &str) -> Option<String> {
    let found = std::env::var(variable).ok();
    if found.is_none() {
        assert!(std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_none(), "{variable} is not set, and nothing may be skipped");
        eprintln!("not run: {variable} is not set");
    }
    found
}

pub fn unique(what: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{what}x{:x}x{:x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

pub fn pool(driver: &Arc<dyn Driver>) -> PgPool {
    driver.as_any().downcast_ref::<PostgresDriver>().unwrap().pool().clone()
}

pub fn part(driver: &Arc<dyn Driver>, kind: &'static str, entity: EntitySchema) -> Arc<Part> {
    let binding = Binding { name: "main", kind, driver: driver.clone() };
    Routing::new(Box::leak(Box::new(entity)), &unique("pg").into(), "main", &[binding]).unwrap().parts[0].clone()
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

/// A driver whose sessions can be told apart, and one beside it.
pub struct Pair {
    pub name: String,
    pub driver: Arc<dyn Driver>,
    pub other: PgPool,
    pub part: Arc<Part>,
}

impl Pair {
    pub async fn new(address: &str) -> Pair {
        let name = unique("hbkill");
        let mark = if address.contains('?') { '&' } else { '?' };
        let driver = Postgres::url(format!("{address}{mark}application_name={name}")).connect().await.unwrap();
        let other = pool(&Postgres::url(address).connect().await.unwrap());
        let part = part(&driver, "postgres", Spec::entity("killed", &[Spec::new("title", SHORT, Placement::InlineColumn)]));
        driver.ensure(&part).await.unwrap();
        Pair { name, driver, other, part }
    }

    /// Ends the sessions, and waits until they are gone: one that is still going would be met by the next request.
    pub async fn kill(&self) -> usize {
        let text = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1";
        sqlx::query(text).bind(&self.name).fetch_all(&self.other).await.unwrap().len()
    }

    pub async fn until(&self, what: &'static str) {
        let text = format!("SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND {what}");
        for _ in 0..500 {
            let found = sqlx::query(AssertSqlSafe(text.clone())).bind(&self.name).fetch_all(&self.other).await.unwrap();
            if !found.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no session came to {what}");
    }

    pub async fn rows(&self) -> usize {
        all(&self.driver, &self.part, SubQuery::default()).await.len()
    }

    pub async fn done(self) {
        assert!(self.driver.drop_part(&self.part).await.unwrap());
    }
}
