//! MariaDB, MySQL or seekdb beside bare sqlx over the same pool settings and statements.
//!
//! `HEAVENBASE_TEST_MYSQL=… cargo bench -p heavenbase-benches --features mysql --bench mysql`; MySQL where `HEAVENBASE_TEST_MYSQL9`
//! says.
#![allow(clippy::print_stdout, missing_docs)]

use std::cell::Cell;

use heavenbase::prelude::*;
use heavenbase_benches::{report, versus};
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, Row};

type Failed = Box<dyn std::error::Error>;

#[derive(Layout)]
struct Shop {
    main: MySql,
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

/// The same batch by one statement, without guard or check, as one transaction.
async fn upsert(pool: &MySqlPool, table: &str, things: &[Thing], version: i64) -> Result<(), sqlx::Error> {
    let places = vec!["(?, ?, ?, ?, ?)"; things.len()].join(", ");
    let text = format!(
        "INSERT INTO {table} (object_id, _hb_version, title, price, n) VALUES {places} ON DUPLICATE KEY UPDATE _hb_version = VALUES(_hb_version), \
         title = VALUES(title), price = VALUES(price), n = VALUES(n)"
    );
    let mut insert = sqlx::query(AssertSqlSafe(text)).persistent(false);
    for thing in things {
        insert = insert.bind(thing.object_id.as_str()).bind(version).bind(thing.title.as_str()).bind(thing.price).bind(thing.n);
    }
    let mut transaction = pool.begin().await?;
    insert.execute(&mut *transaction).await?;
    transaction.commit().await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    for variable in ["HEAVENBASE_TEST_MYSQL", "HEAVENBASE_TEST_MYSQL9"] {
        match std::env::var(variable) {
            Ok(address) => measure(&address).await?,
            Err(_) => println!("not measured: {variable} is not set"),
        }
    }
    Ok(())
}

async fn measure(address: &str) -> Result<(), Failed> {
    let ws = Workspace::open(Shop { main: MySql::url(address) }).await?;
    let (server,): (String,) = ws.raw(Shop::MAIN, "SELECT VERSION()").one().await?;
    println!("{server}");
    ws.register::<Thing>().await?;
    let pool = MySqlPoolOptions::new().max_connections(4).test_before_acquire(false).connect(address).await?;
    let tables: Vec<(String,)> = ws.raw(Shop::MAIN, "SELECT physical FROM _hb_manifest WHERE physical LIKE '%bench_thing'").all().await?;
    let table = tables.first().map(|(name,)| format!("`{name}`")).ok_or("the table is not noted")?;
    let theirs = "hb_bench_raw";
    for text in [format!("DROP TABLE IF EXISTS {theirs}"), format!("CREATE TABLE {theirs} LIKE {table}")] {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&pool).await?;
    }
    let version = Cell::new(1i64);
    let next = || {
        version.set(version.get() + 1);
        version.get()
    };
    for from in (0..ROWS).step_by(BATCH) {
        ws.upsert_many(&things(from, BATCH, 0)).await?;
        upsert(&pool, theirs, &things(from, BATCH, 0), 1).await?;
    }
    for table in [&table, theirs] {
        sqlx::raw_sql(AssertSqlSafe(format!("ANALYZE TABLE {table}"))).execute(&pool).await?;
    }

    let at = Cell::new(0usize);
    let turn = || {
        at.set((at.get() + 7) % ROWS);
        format!("r{:06}", at.get())
    };
    let get = format!("SELECT object_id, _hb_version, title, price, n FROM {theirs} WHERE object_id = ?");
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
                std::hint::black_box(row.map(|row| {
                    (row.get_unchecked::<String, _>(0), row.get_unchecked::<String, _>(2), row.get::<f64, _>(3), row.get::<i64, _>(4))
                }));
            }
        },
    )
    .await;
    report("point get over loopback", ours, raw, 20);

    let filter = format!("SELECT object_id, _hb_version, title FROM {theirs} WHERE price < ? AND n < ? ORDER BY object_id LIMIT 100");
    let query = ws.query::<Thing>().filter(Thing::PRICE.lt(10.0) & Thing::N.lt(40_000)).limit(100).select((Thing::OBJECT_ID, Thing::TITLE));
    let (ours, raw) = versus(
        200,
        || async {
            std::hint::black_box(query.all().await.ok());
        },
        || async {
            let rows = sqlx::query(AssertSqlSafe(filter.clone())).bind(10.0f64).bind(40_000i64).fetch_all(&pool).await.unwrap_or_default();
            let read = |row: &sqlx::mysql::MySqlRow| (row.get_unchecked::<String, _>(0), row.get_unchecked::<String, _>(2));
            std::hint::black_box(rows.iter().map(read).collect::<Vec<_>>());
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
            std::hint::black_box(upsert(&pool, theirs, &batch, next()).await.ok());
        },
    )
    .await;
    report("upsert of 5,000 rows that are there, a row", ours, raw, BATCH);
    println!("{:<58} {:.3} of raw's rows/s", "", raw.as_secs_f64() / ours.as_secs_f64());

    ws.drop::<Thing>().await?;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE {theirs}"))).execute(&pool).await?;
    Ok(())
}
