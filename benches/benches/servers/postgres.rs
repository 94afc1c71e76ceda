use std::fmt::Write;

use heavenbase::prelude::Id;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row};

use super::{Bare, THEIRS, Thing};

/// Bare sqlx. Statements are texts that live as long as the program, as users write them.
pub(super) struct Sqlx {
    pool: PgPool,
}

const GET: &str = "SELECT object_id, _hb_version, title, price, n FROM hb_bench_raw WHERE object_id = $1";
const FILTER: &str = "SELECT object_id, _hb_version, title FROM hb_bench_raw WHERE price < $1 AND n < $2 ORDER BY object_id LIMIT 100";
const UNNEST: &str = "INSERT INTO hb_bench_raw (object_id, _hb_version, title, price, n) SELECT u.i, $5, u.t, u.p, u.n \
    FROM UNNEST($1::text[], $2::text[], $3::float8[], $4::bigint[]) AS u(i, t, p, n) ON CONFLICT (object_id) DO UPDATE SET \
    _hb_version = excluded._hb_version, title = excluded.title, price = excluded.price, n = excluded.n";
const FROM_BATCH: &str = "INSERT INTO hb_bench_raw (object_id, _hb_version, title, price, n) \
    SELECT object_id, _hb_version, title, price, n FROM batch ON CONFLICT (object_id) DO UPDATE SET \
    _hb_version = excluded._hb_version, title = excluded.title, price = excluded.price, n = excluded.n";

impl Sqlx {
    pub(super) async fn connect(address: &str) -> Result<Self, sqlx::Error> {
        let pool = PgPoolOptions::new().max_connections(4).test_before_acquire(false).connect(address).await?;
        Ok(Sqlx { pool })
    }

    async fn run(&self, text: String) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&self.pool).await.map(drop)
    }
}

/// `COPY` as text: no value here needs an escape.
async fn copy(connection: &mut PgConnection, table: &str, things: &[Thing], version: i64) -> Result<(), sqlx::Error> {
    let mut text = String::new();
    for thing in things {
        let _ = writeln!(text, "{}\t{version}\t{}\t{}\t{}", thing.object_id, thing.title, thing.price, thing.n);
    }
    let copy = format!("COPY {table} (object_id, _hb_version, title, price, n) FROM STDIN");
    let mut into = connection.copy_in_raw(&copy).await?;
    into.send(text.into_bytes()).await?;
    into.finish().await.map(drop)
}

impl Bare for Sqlx {
    async fn make(&self, like: &str) -> Result<(), sqlx::Error> {
        self.run(format!("DROP TABLE IF EXISTS {THEIRS}; CREATE TABLE {THEIRS} (LIKE {like} INCLUDING ALL)")).await
    }

    async fn analyze(&self, table: &str) -> Result<(), sqlx::Error> {
        self.run(format!("ANALYZE {table}")).await
    }

    async fn get(&self, id: String) -> Result<Option<Thing>, sqlx::Error> {
        let row = sqlx::query(GET).bind(id).fetch_optional(&self.pool).await?;
        Ok(row.map(|row| Thing { object_id: Id::from(row.get::<String, _>(0)), title: row.get(2), price: row.get(3), n: row.get(4) }))
    }

    async fn filter(&self, price: f64, n: i64) -> Result<Vec<(String, String)>, sqlx::Error> {
        let rows = sqlx::query(FILTER).bind(price).bind(n).fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(2))).collect())
    }

    fn ways(&self) -> &'static [&'static str] {
        &["UNNEST", "COPY, ON CONFLICT"]
    }

    async fn upsert(&self, way: &str, things: &[Thing], version: i64) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        if way == "UNNEST" {
            let (ids, titles): (Vec<&str>, Vec<&str>) = things.iter().map(|t| (t.object_id.as_str(), t.title.as_str())).unzip();
            let (prices, numbers): (Vec<f64>, Vec<i64>) = things.iter().map(|t| (t.price, t.n)).unzip();
            let insert = sqlx::query(UNNEST).bind(ids).bind(titles).bind(prices).bind(numbers).bind(version);
            insert.execute(&mut *transaction).await?;
        } else {
            let beside =
                "CREATE TEMPORARY TABLE batch (object_id text, _hb_version bigint, title text, price float8, n bigint) ON COMMIT DROP";
            sqlx::raw_sql(beside).execute(&mut *transaction).await?;
            copy(&mut transaction, "batch", things, version).await?;
            sqlx::raw_sql(FROM_BATCH).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    async fn load(&self, things: &[Thing]) -> Result<(), sqlx::Error> {
        copy(&mut *self.pool.acquire().await?, THEIRS, things, 1).await
    }

    async fn remove(&self) -> Result<(), sqlx::Error> {
        self.run(format!("DROP TABLE {THEIRS}")).await
    }
}
