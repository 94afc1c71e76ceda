//! One backend, against raw rusqlite in the same process: get, upsert_many, filter.
//!
//! `cargo bench -p heavenbase-benches --bench core`
#![allow(clippy::print_stdout, missing_docs)]

use heavenbase::backends::sqlite::Synchronous;
use heavenbase::prelude::*;
use heavenbase_benches::{Clock, Random, report, versus};
use rusqlite::{Connection, params};

#[derive(Layout)]
struct One {
    main: Sqlite,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = One)]
struct Item {
    object_id: Id,
    title: String,
    #[store(to = "main", index)]
    price: f64,
    stock: i64,
    note: Option<String>,
}

fn items(n: usize) -> Vec<Item> {
    let mut random = Random(7);
    let item = |i: usize| Item {
        object_id: Id::from(format!("item-{i:08}")),
        title: format!("Title of item number {i}"),
        price: random.unit() * 1000.0,
        stock: i as i64,
        note: i.is_multiple_of(3).then(|| format!("note {i}")),
    };
    (0..n).map(item).collect()
}

const TABLE: &str = "CREATE TABLE item (object_id TEXT PRIMARY KEY, title TEXT NOT NULL, price REAL NOT NULL, stock INTEGER NOT NULL, note TEXT) WITHOUT ROWID; CREATE INDEX item_price ON item(price);";
const UPSERT: &str = "INSERT INTO item VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT(object_id) DO UPDATE SET title = excluded.title, price = excluded.price, stock = excluded.stock, note = excluded.note";

fn raw(path: &std::path::Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.execute_batch(TABLE)?;
    Ok(connection)
}

fn raw_upsert(connection: &mut Connection, items: &[Item]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut statement = transaction.prepare_cached(UPSERT)?;
        for item in items {
            statement.execute(params![item.object_id.as_str(), item.title, item.price, item.stock, item.note])?;
        }
    }
    transaction.commit()
}

fn raw_item(row: &rusqlite::Row<'_>) -> rusqlite::Result<Item> {
    Ok(Item {
        object_id: Id::from(row.get_ref(0)?.as_str()?),
        title: row.get(1)?,
        price: row.get(2)?,
        stock: row.get(3)?,
        note: row.get(4)?,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    // Commits count as done at the same point on both sides; `Full` would put the disk's time into each batch of ours alone.
    let ours = Sqlite::file(folder.path().join("ours.db")).synchronous(Synchronous::Normal);
    let ws = Workspace::open(One { main: ours }).await?;
    ws.register::<Item>().await?;
    let mut connection = raw(&folder.path().join("raw.db"))?;

    let all = items(100_000);
    let batch = &all[..10_000];
    let cell = std::cell::RefCell::new(&mut connection);
    let (a, b) = versus(15, || async { ws.upsert_many(batch).await }, || async { raw_upsert(&mut cell.borrow_mut(), batch) }).await;
    report("upsert_many, 10k rows again (per row)", a, b, batch.len());
    println!("{:<58} {:.3} of raw's rows/s", "", b.as_secs_f64() / a.as_secs_f64());
    // New rows: into tables that are emptied in between, outside of the clock's reach but for the delete itself.
    let mut fresh = (Vec::new(), Vec::new());
    for _ in 0..9 {
        ws.delete_where::<Item>(Predicate::all()).await?;
        cell.borrow_mut().execute("DELETE FROM item", [])?;
        let started = Clock::now();
        ws.upsert_many(batch).await?;
        fresh.0.push(started.elapsed());
        let started = Clock::now();
        raw_upsert(&mut cell.borrow_mut(), batch)?;
        fresh.1.push(started.elapsed());
    }
    let (a, b) = (heavenbase_benches::median(fresh.0), heavenbase_benches::median(fresh.1));
    report("upsert_many, 10k new rows (per row)", a, b, batch.len());

    ws.upsert_many(&all).await?;
    raw_upsert(&mut cell.borrow_mut(), &all)?;

    let mut random = Random(1);
    let ids: Vec<Id> = (0..2000).map(|_| all[random.below(all.len() as u64) as usize].object_id.clone()).collect();
    let (a, b) = versus(
        41,
        || async {
            for id in &ids {
                std::hint::black_box(ws.get::<Item>(id).await.ok());
            }
        },
        || async {
            for id in &ids {
                let connection = cell.borrow();
                let read = connection
                    .prepare_cached("SELECT object_id, title, price, stock, note FROM item WHERE object_id = ?1")
                    .and_then(|mut s| s.query_row([id.as_str()], raw_item));
                std::hint::black_box(read.ok());
            }
        },
    )
    .await;
    report("get, SQLite file", a, b, ids.len());

    for (name, low, high) in [("filter 1% of 100k, indexed", 500.0, 510.0), ("filter 10% of 100k, indexed", 500.0, 600.0)] {
        let query = ws.query::<Item>().filter(Item::PRICE.between(low, high));
        let select = || {
            let connection = cell.borrow();
            let mut statement = connection
                .prepare_cached("SELECT object_id, title, price, stock, note FROM item WHERE price BETWEEN ?1 AND ?2 ORDER BY object_id")?;
            statement.query_map(params![low, high], raw_item)?.collect::<rusqlite::Result<Vec<Item>>>()
        };
        assert_eq!(query.all().await?, select()?);
        let (a, b) = versus(31, || async { query.all().await.map(|rows| rows.len()) }, || async { select().map(|rows| rows.len()) }).await;
        report(name, a, b, 1);
    }
    let query = ws.query::<Item>().filter(Item::STOCK.lt(1000));
    let select = || {
        let connection = cell.borrow();
        let mut statement =
            connection.prepare_cached("SELECT object_id, title, price, stock, note FROM item WHERE stock < ?1 ORDER BY object_id")?;
        statement.query_map(params![1000], raw_item)?.collect::<rusqlite::Result<Vec<Item>>>()
    };
    assert_eq!(query.all().await?, select()?);
    let (a, b) = versus(31, || async { query.all().await.map(|rows| rows.len()) }, || async { select().map(|rows| rows.len()) }).await;
    report("filter 1% of 100k, no index", a, b, 1);
    Ok(())
}
