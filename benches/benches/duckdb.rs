//! One backend, against raw DuckDB in the same process: get, upsert_many beside the Appender, filter.
//!
//! `cargo bench -p heavenbase-benches --features duckdb --bench duckdb`
#![allow(clippy::print_stdout, missing_docs)]

use std::time::Instant;

use duckdb::{Connection, params};
use heavenbase::prelude::*;
use heavenbase_benches::{Random, median, report, versus};

#[derive(Layout)]
struct One {
    main: DuckDb,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = One)]
struct Item {
    object_id: Id,
    title: String,
    price: f64,
    stock: i64,
    note: Option<String>,
}

fn items(n: usize, from: usize) -> Vec<Item> {
    let mut random = Random(7);
    let item = |i: usize| Item {
        object_id: Id::from(format!("item-{:08}", from + i)),
        title: format!("Title of item number {i}"),
        price: random.unit() * 1000.0,
        stock: i as i64,
        note: i.is_multiple_of(3).then(|| format!("note {i}")),
    };
    (0..n).map(item).collect()
}

const TABLE: &str = "CREATE TABLE item (object_id VARCHAR PRIMARY KEY, version BIGINT NOT NULL, title VARCHAR NOT NULL, price DOUBLE NOT NULL, stock BIGINT NOT NULL, note VARCHAR)";
const SELECT: &str = "SELECT object_id, version, title, price, stock, note FROM item WHERE ";

/// As users do: row by row into the Appender, which refuses ids that are there.
fn append(connection: &Connection, table: &str, items: &[Item]) -> duckdb::Result<()> {
    let mut appender = connection.appender(table)?;
    for item in items {
        appender.append_row(params![item.object_id.as_str(), 1i64, item.title, item.price, item.stock, item.note])?;
    }
    appender.flush()
}

/// The Appender's way to replace rows: into a table beside, then `ON CONFLICT`.
fn replace(connection: &Connection, items: &[Item]) -> duckdb::Result<()> {
    connection.execute_batch("CREATE OR REPLACE TEMP TABLE beside AS SELECT * FROM item LIMIT 0; BEGIN")?;
    append(connection, "beside", items)?;
    connection.execute_batch(
        "INSERT INTO item SELECT * FROM beside ON CONFLICT (object_id) DO UPDATE SET version = excluded.version, title = excluded.title, \
         price = excluded.price, stock = excluded.stock, note = excluded.note; COMMIT; DROP TABLE beside",
    )
}

fn raw_item(row: &duckdb::Row<'_>) -> duckdb::Result<Item> {
    Ok(Item {
        object_id: Id::from(row.get::<_, String>(0)?),
        title: row.get(2)?,
        price: row.get(3)?,
        stock: row.get(4)?,
        note: row.get(5)?,
    })
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let ws = Workspace::open(One { main: DuckDb::file(folder.path().join("ours.duckdb")) }).await?;
    ws.register::<Item>().await?;
    let connection = Connection::open(folder.path().join("raw.duckdb"))?;
    connection.execute_batch(TABLE)?;

    const BATCH: usize = 10_000;
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for round in 0..11 {
        let batch = items(BATCH, 1_000_000 + round * BATCH);
        for turn in 0..2 {
            let started = Instant::now();
            if (turn + round) % 2 == 0 {
                ws.upsert_many(&batch).await?;
                ours.push(started.elapsed());
            } else {
                append(&connection, "item", &batch)?;
                raw.push(started.elapsed());
            }
        }
    }
    let (a, b) = (median(ours), median(raw));
    report("upsert_many, 10k new rows; raw: Appender (per row)", a, b, BATCH);
    println!("{:<58} {:.3} of raw's rows/s", "", b.as_secs_f64() / a.as_secs_f64());

    let batch = items(BATCH, 1_000_000);
    let (a, b) = versus(9, || async { ws.upsert_many(&batch).await }, || async { replace(&connection, &batch) }).await;
    report("upsert_many, 10k rows again; raw: Appender, ON CONFLICT", a, b, BATCH);
    println!("{:<58} {:.3} of raw's rows/s", "", b.as_secs_f64() / a.as_secs_f64());

    let mut random = Random(1);
    let ids: Vec<Id> = (0..200).map(|_| Id::from(format!("item-{:08}", 1_000_000 + random.below(100_000)))).collect();
    let (a, b) = versus(
        15,
        || async {
            for id in &ids {
                std::hint::black_box(ws.get::<Item>(id).await.ok());
            }
        },
        || async {
            for id in &ids {
                let read = connection.prepare_cached(&format!("{SELECT} object_id = ?"));
                let read = read.and_then(|mut prepared| prepared.query_row([id.as_str()], raw_item));
                std::hint::black_box(read.ok());
            }
        },
    )
    .await;
    report("get", a, b, ids.len());

    for (name, low, high) in [("filter 1% of 110k", 500.0, 510.0), ("filter 10% of 110k", 500.0, 600.0)] {
        let query = ws.query::<Item>().filter(Item::PRICE.between(low, high));
        let select = || {
            let mut statement = connection.prepare_cached(&format!("{SELECT} price BETWEEN ? AND ? ORDER BY object_id"))?;
            statement.query_map(params![low, high], raw_item)?.collect::<duckdb::Result<Vec<Item>>>()
        };
        assert_eq!(query.all().await?, select()?);
        let (a, b) = versus(21, || async { query.all().await.map(|rows| rows.len()) }, || async { select().map(|rows| rows.len()) }).await;
        report(name, a, b, 1);
    }
    let query = ws.query::<Item>().filter(Item::TITLE.contains("77")).order_by(Item::PRICE.desc()).limit(20);
    let select = || {
        let mut statement = connection.prepare_cached(&format!("{SELECT} contains(title, ?) ORDER BY price DESC, object_id LIMIT 20"))?;
        statement.query_map(["77"], raw_item)?.collect::<duckdb::Result<Vec<Item>>>()
    };
    assert_eq!(query.all().await?, select()?);
    let (a, b) = versus(21, || async { query.all().await.map(|rows| rows.len()) }, || async { select().map(|rows| rows.len()) }).await;
    report("first 20 of 110k that contain a text, by price", a, b, 1);
    Ok(())
}
