use heavenbase::prelude::Id;
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, Row};

use super::{Bare, THEIRS, Thing};

/// Bare sqlx. Reads are texts that live as long as the program, as users write them.
pub(super) struct Sqlx {
    pool: MySqlPool,
}

const GET: &str = "SELECT object_id, _hb_version, title, price, n FROM hb_bench_raw WHERE object_id = ?";
const FILTER: &str = "SELECT object_id, _hb_version, title FROM hb_bench_raw WHERE price < ? AND n < ? ORDER BY object_id LIMIT 100";
const REPLACE: &str =
    " ON DUPLICATE KEY UPDATE _hb_version = VALUES(_hb_version), title = VALUES(title), price = VALUES(price), n = VALUES(n)";

impl Sqlx {
    pub(super) async fn connect(address: &str) -> Result<Self, sqlx::Error> {
        let pool = MySqlPoolOptions::new().max_connections(4).test_before_acquire(false).connect(address).await?;
        Ok(Sqlx { pool })
    }

    async fn run(&self, text: String) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&self.pool).await.map(drop)
    }

    async fn insert(&self, things: &[Thing], version: i64, clause: &str) -> Result<(), sqlx::Error> {
        let places = vec!["(?, ?, ?, ?, ?)"; things.len()].join(", ");
        let text = format!("INSERT INTO {THEIRS} (object_id, _hb_version, title, price, n) VALUES {places}{clause}");
        let mut insert = sqlx::query(AssertSqlSafe(text)).persistent(false);
        for thing in things {
            insert = insert.bind(thing.object_id.as_str()).bind(version).bind(thing.title.as_str()).bind(thing.price).bind(thing.n);
        }
        let mut transaction = self.pool.begin().await?;
        insert.execute(&mut *transaction).await?;
        transaction.commit().await
    }
}

/// Text, which lies as bytes on seekdb: whichever type the column has.
fn text(row: &sqlx::mysql::MySqlRow, at: usize) -> String {
    row.get_unchecked(at)
}

impl Bare for Sqlx {
    async fn make(&self, like: &str) -> Result<(), sqlx::Error> {
        self.run(format!("DROP TABLE IF EXISTS {THEIRS}")).await?;
        self.run(format!("CREATE TABLE {THEIRS} LIKE {like}")).await
    }

    async fn analyze(&self, table: &str) -> Result<(), sqlx::Error> {
        self.run(format!("ANALYZE TABLE {table}")).await
    }

    async fn get(&self, id: String) -> Result<Option<Thing>, sqlx::Error> {
        let row = sqlx::query(GET).bind(id).fetch_optional(&self.pool).await?;
        Ok(row.map(|row| Thing { object_id: Id::from(text(&row, 0)), title: text(&row, 2), price: row.get(3), n: row.get(4) }))
    }

    async fn filter(&self, price: f64, n: i64) -> Result<Vec<(String, String)>, sqlx::Error> {
        let rows = sqlx::query(FILTER).bind(price).bind(n).fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| (text(row, 0), text(row, 2))).collect())
    }

    fn ways(&self) -> &'static [&'static str] {
        &["ON DUPLICATE KEY"]
    }

    async fn upsert(&self, _: &str, things: &[Thing], version: i64) -> Result<(), sqlx::Error> {
        self.insert(things, version, REPLACE).await
    }

    async fn load(&self, things: &[Thing]) -> Result<(), sqlx::Error> {
        self.insert(things, 1, "").await
    }

    async fn remove(&self) -> Result<(), sqlx::Error> {
        self.run(format!("DROP TABLE {THEIRS}")).await
    }
}
