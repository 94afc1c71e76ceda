//! One backend, against raw DuckDB in the same process: get, upsert_many beside the Appender, filter.
//!
//! `cargo bench -p heavenbase-benches --features duckdb --bench duckdb`
#![allow(clippy::print_stdout, missing_docs)]

use std::cell::Cell;

use duckdb::{Connection, params};
use heavenbase::prelude::*;
use heavenbase_benches::{Random, beside};

type Failed = Box<dyn std::error::Error>;

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
async fn main() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let ws = Workspace::open(One { main: DuckDb::file(folder.path().join("ours.duckdb")) }).await?;
    ws.register::<Item>().await?;
    let connection = Connection::open(folder.path().join("raw.duckdb"))?;
    connection.execute_batch(TABLE)?;

    const BATCH: usize = 10_000;
    let rounds: Vec<Vec<Item>> = (0..15).map(|round| items(BATCH, 1_000_000 + round * BATCH)).collect();
    let (at, theirs) = (Cell::new(0), Cell::new(0));
    let next = |at: &Cell<usize>| at.replace(at.get() + 1);
    let both = beside(
        13,
        || async { Ok::<_, Failed>(ws.upsert_many(&rounds[next(&at)]).await?) },
        || async { Ok::<_, Failed>(append(&connection, "item", &rounds[next(&theirs)])?) },
    )
    .await?;
    both.report("upsert_many, 10k new rows; raw: Appender", BATCH);

    let batch = &rounds[0];
    let both =
        beside(11, || async { Ok::<_, Failed>(ws.upsert_many(batch).await?) }, || async { Ok::<_, Failed>(replace(&connection, batch)?) })
            .await?;
    both.report("upsert_many, 10k again; raw: Appender, ON CONFLICT", BATCH);

    let mut random = Random(1);
    let ids: Vec<Id> = (0..200).map(|_| Id::from(format!("item-{:08}", 1_000_000 + random.below(150_000)))).collect();
    let both = beside(
        15,
        || async {
            for id in &ids {
                std::hint::black_box(ws.get::<Item>(id).await?);
            }
            Ok::<_, Failed>(())
        },
        || async {
            for id in &ids {
                let mut prepared = connection.prepare_cached(&format!("{SELECT} object_id = ?"))?;
                std::hint::black_box(prepared.query_row([id.as_str()], raw_item)?);
            }
            Ok::<_, Failed>(())
        },
    )
    .await?;
    both.report("get", ids.len());

    for (name, low, high) in [("filter 1% of 150k", 500.0, 510.0), ("filter 10% of 150k", 500.0, 600.0)] {
        let query = ws.query::<Item>().filter(Item::PRICE.between(low, high));
        let select = || {
            let mut statement = connection.prepare_cached(&format!("{SELECT} price BETWEEN ? AND ? ORDER BY object_id"))?;
            statement.query_map(params![low, high], raw_item)?.collect::<duckdb::Result<Vec<Item>>>()
        };
        assert_eq!(query.all().await?, select()?);
        let both = beside(31, || async { Ok::<_, Failed>(query.all().await?) }, || async { Ok::<_, Failed>(select()?) }).await?;
        both.report(name, 1);
    }
    let query = ws.query::<Item>().filter(Item::TITLE.contains("77")).order_by(Item::PRICE.desc()).limit(20);
    let select = || {
        let mut statement = connection.prepare_cached(&format!("{SELECT} contains(title, ?) ORDER BY price DESC, object_id LIMIT 20"))?;
        statement.query_map(["77"], raw_item)?.collect::<duckdb::Result<Vec<Item>>>()
    };
    assert_eq!(query.all().await?, select()?);
    let both = beside(31, || async { Ok::<_, Failed>(query.all().await?) }, || async { Ok::<_, Failed>(select()?) }).await?;
    both.report("first 20 of 150k that contain a text, by price", 1);
    Ok(())
}
