//! StarRocks where there is none: MariaDB in its place for statements ([`over_mariadb`]), and a frontend and a backend of our own
//! for loads ([`nodes`]).

pub mod nodes;
mod rewrite;

use std::sync::Arc;

use heavenbase::backends::StarRocks;
use heavenbase::backends::starrocks::over_another;
use heavenbase::driver::Driver;
use sqlx::mysql::MySqlPoolOptions;
use sqlx::{AssertSqlSafe, MySqlPool};

pub use rewrite::rewrite;

/// A live server: `starrocks://user:password@host:9030/database`, loading through `HEAVENBASE_TEST_STARROCKS_LOAD` where that is set.
pub fn at(address: &str) -> StarRocks {
    let starrocks = StarRocks::url(address).replication_num(1);
    match std::env::var("HEAVENBASE_TEST_STARROCKS_LOAD") {
        Ok(load) => starrocks.stream_load(load),
        Err(_) => starrocks,
    }
}

/// A database of its own on MariaDB whose texts compare by bytes, as StarRocks's do.
#[derive(Debug)]
pub struct Place {
    /// Its address.
    pub url: String,
    /// Connections to it, for what a test looks at itself.
    pub pool: MySqlPool,
}

/// The address of MariaDB with another database.
fn with_database(url: &str, name: &str) -> String {
    format!("{}/{name}", url.rsplit_once('/').map_or(url, |(server, _)| server))
}

impl Place {
    /// Makes one at the address of `HEAVENBASE_TEST_MYSQL`; none where that is not set.
    ///
    /// # Panics
    /// When it cannot be made, or when it must be there and is not.
    pub async fn make() -> Option<Place> {
        let Ok(url) = std::env::var("HEAVENBASE_TEST_MYSQL") else {
            assert!(std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_none(), "HEAVENBASE_TEST_MYSQL is not set");
            eprintln!("not run: HEAVENBASE_TEST_MYSQL is not set");
            return None;
        };
        let name = format!("sr_{}", crate::conformance::namespace());
        let server = MySqlPool::connect(&url).await.unwrap_or_else(|cause| panic!("MariaDB: {cause}"));
        let make = format!("CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin");
        sqlx::raw_sql(AssertSqlSafe(make)).execute(&server).await.unwrap_or_else(|cause| panic!("a database of its own: {cause}"));
        server.close().await;
        let url = with_database(&url, &name);
        let pool = MySqlPoolOptions::new()
            .max_connections(4)
            .after_connect(|connection, _| Box::pin(async move { sqlx::raw_sql(rewrite::SESSION).execute(connection).await.map(drop) }))
            .connect_lazy(&url);
        Some(Place { url, pool: pool.unwrap_or_else(|cause| panic!("{cause}")) })
    }

    /// Drops the database.
    ///
    /// # Panics
    /// When it cannot be dropped.
    pub async fn clear(&self) {
        let name = self.url.rsplit_once('/').map_or("", |(_, name)| name);
        let drop = format!("DROP DATABASE `{name}`");
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&self.pool).await.unwrap_or_else(|cause| panic!("{cause}"));
    }

    /// StarRocks's driver over it.
    ///
    /// # Panics
    /// When it cannot connect.
    pub async fn driver(&self, load: Option<&str>) -> Arc<dyn Driver> {
        let mut starrocks = StarRocks::url(self.url.clone());
        if let Some(load) = load {
            starrocks = starrocks.stream_load(load);
        }
        over_another(starrocks, rewrite).await.unwrap_or_else(|error| panic!("{error:?}"))
    }
}
