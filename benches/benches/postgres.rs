//! Postgres beside bare sqlx over the same pool settings and statements, and `UNNEST` beside `COPY` for batches.
//!
//! `HEAVENBASE_TEST_POSTGRES=… cargo bench -p heavenbase-benches --features postgres --bench postgres`
#![allow(clippy::print_stdout, missing_docs)]

use std::cell::Cell;
use std::fmt::Write;

use heavenbase::prelude::*;
use heavenbase_benches::{report, versus};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row};

type Failed = Box<dyn std::error::Error>;

#[derive(Layout)]
struct Shop {
    main: Postgres,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Shop, name = "bench_thing")]
struct Thing {
    object_id: Id,
    #[text(max = 255)]
    title: String,
    #[store(index)]
    price: f64,
    n: i64,
}

const ROWS: usize = 30_000;
const BATCH: usize = 5_000;

fn things(from: usize, count: usize, version: i64) -> Vec<Thing> {
    let thing = |i: usize| Thing {
        object_id: Id::from(format!("r{i:06}")),
        title: format!("title {i}"),
        price: (i % 1000) as f64,
        n: i as i64 + version,
    };
    (from..from + count).map(thing).collect()
}

/// The same batch by one `UNNEST` statement, without guard, check or transaction around it.
async fn unnest(pool: &PgPool, table: &str, things: &[Thing], version: i64) -> Result<(), sqlx::Error> {
    let text = format!(
        "INSERT INTO {table} (object_id, _hb_version, title, price, n) SELECT u.i, {version}, u.t, u.p, u.n FROM UNNEST($1::text[], $2::text[], \
         $3::float8[], $4::bigint[]) AS u(i, t, p, n) ON CONFLICT (object_id) DO UPDATE SET _hb_version = excluded._hb_version, \
         title = excluded.title, price = excluded.price, n = excluded.n"
    );
    let (ids, titles): (Vec<&str>, Vec<&str>) = things.iter().map(|t| (t.object_id.as_str(), t.title.as_str())).unzip();
    let (prices, numbers): (Vec<f64>, Vec<i64>) = things.iter().map(|t| (t.price, t.n)).unzip();
    let insert = sqlx::query(AssertSqlSafe(text)).persistent(false).bind(ids).bind(titles).bind(prices).bind(numbers);
    insert.execute(pool).await.map(drop)
}

/// The same batch by `COPY` into a temporary table, and from there.
async fn copy(pool: &PgPool, table: &str, things: &[Thing], version: i64) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    sqlx::raw_sql("CREATE TEMPORARY TABLE batch (object_id text, title text, price float8, n bigint) ON COMMIT DROP")
        .execute(&mut *transaction)
        .await?;
    let mut text = String::new();
    for thing in things {
        // No value here needs an escape.
        let _ = writeln!(text, "{}\t{}\t{}\t{}", thing.object_id, thing.title, thing.price, thing.n);
    }
    let mut into = transaction.copy_in_raw("COPY batch FROM STDIN").await?;
    into.send(text.into_bytes()).await?;
    into.finish().await?;
    let text = format!(
        "INSERT INTO {table} (object_id, _hb_version, title, price, n) SELECT object_id, {version}, title, price, n FROM batch \
         ON CONFLICT (object_id) DO UPDATE SET _hb_version = excluded._hb_version, title = excluded.title, price = excluded.price, n = excluded.n"
    );
    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *transaction).await?;
    transaction.commit().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let address = std::env::var("HEAVENBASE_TEST_POSTGRES").map_err(|_| "HEAVENBASE_TEST_POSTGRES says where the server is")?;
    let ws = Workspace::open(Shop { main: Postgres::url(&address) }).await?;
    ws.register::<Thing>().await?;
    let pool = PgPoolOptions::new().max_connections(4).test_before_acquire(false).connect(&address).await?;
    let tables: Vec<(String,)> = ws.raw(Shop::MAIN, "SELECT physical FROM _hb_manifest WHERE physical LIKE '%bench_thing'").all().await?;
    let table = tables.first().map(|(name,)| format!("\"{name}\"")).ok_or("the table is not noted")?;
    let theirs = "hb_bench_raw";
    sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE IF EXISTS {theirs}; CREATE TABLE {theirs} (LIKE {table} INCLUDING ALL)")))
        .execute(&pool)
        .await?;
    let version = Cell::new(1i64);
    let next = || {
        version.set(version.get() + 1);
        version.get()
    };
    for from in (0..ROWS).step_by(BATCH) {
        ws.upsert_many(&things(from, BATCH, 0)).await?;
        unnest(&pool, theirs, &things(from, BATCH, 0), 1).await?;
    }
    sqlx::raw_sql(AssertSqlSafe(format!("ANALYZE {table}; ANALYZE {theirs}"))).execute(&pool).await?;

    let at = Cell::new(0usize);
    let turn = || {
        at.set((at.get() + 7) % ROWS);
        format!("r{:06}", at.get())
    };
    let get = format!("SELECT object_id, _hb_version, title, price, n FROM {theirs} WHERE object_id = $1");
    let (ours, raw) = versus(
        200,
        || async {
            for _ in 0..20 {
                std::hint::black_box(ws.get::<Thing>(turn()).await.ok());
            }
        },
        || async {
            for _ in 0..20 {
                let row = sqlx::query(AssertSqlSafe(get.clone())).bind(turn()).fetch_optional(&pool).await.ok().flatten();
                std::hint::black_box(
                    row.map(|row| (row.get::<String, _>(0), row.get::<String, _>(2), row.get::<f64, _>(3), row.get::<i64, _>(4))),
                );
            }
        },
    )
    .await;
    report("point get over loopback", ours, raw, 20);

    let filter = format!("SELECT object_id, _hb_version, title FROM {theirs} WHERE price < $1 AND n < $2 ORDER BY object_id LIMIT 100");
    let query = ws.query::<Thing>().filter(Thing::PRICE.lt(10.0) & Thing::N.lt(40_000)).limit(100).select((Thing::OBJECT_ID, Thing::TITLE));
    let (ours, raw) = versus(
        200,
        || async {
            std::hint::black_box(query.all().await.ok());
        },
        || async {
            let rows = sqlx::query(AssertSqlSafe(filter.clone())).bind(10.0f64).bind(40_000i64).fetch_all(&pool).await.unwrap_or_default();
            std::hint::black_box(rows.iter().map(|row| (row.get::<String, _>(0), row.get::<String, _>(2))).collect::<Vec<_>>());
        },
    )
    .await;
    report("filter and limit, 100 rows", ours, raw, 1);

    let batch = things(0, BATCH, 7);
    let (ours, raw) = versus(
        20,
        || async {
            std::hint::black_box(ws.upsert_many(&batch).await.ok());
        },
        || async {
            std::hint::black_box(unnest(&pool, theirs, &batch, next()).await.ok());
        },
    )
    .await;
    report("upsert of 5,000 rows that are there, a row", ours, raw, BATCH);
    let (by_unnest, by_copy) = versus(
        20,
        || async {
            std::hint::black_box(unnest(&pool, theirs, &batch, next()).await.ok());
        },
        || async {
            std::hint::black_box(copy(&pool, theirs, &batch, next()).await.ok());
        },
    )
    .await;
    report("UNNEST (ours) beside COPY (raw), bare sqlx, a row", by_unnest, by_copy, BATCH);

    ws.drop::<Thing>().await?;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE {theirs}"))).execute(&pool).await?;
    Ok(())
}
