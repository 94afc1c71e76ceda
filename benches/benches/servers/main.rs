//! Servers that speak SQL, beside bare sqlx over the same pool settings and the same statements: PostgreSQL, MariaDB, MySQL
//! and seekdb, as far as the variables name them.
//!
//! `eval "$(tests/services env)"; cargo bench -p heavenbase-benches --features servers --bench servers`
#![allow(clippy::print_stdout, missing_docs)]

mod mysql;
mod postgres;

use std::cell::Cell;

use heavenbase::prelude::*;
use heavenbase_benches::beside;

type Failed = Box<dyn std::error::Error>;

#[derive(Layout)]
struct Shop {
    main: OneOf<(Postgres, MySql, OceanBase)>,
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

/// The table of the bare contender, as HeavenBase made its own.
const THEIRS: &str = "hb_bench_raw";

fn things(from: usize, count: usize, version: i64) -> Vec<Thing> {
    let thing = |i: usize| Thing {
        object_id: Id::from(format!("r{i:06}")),
        title: format!("title {i}"),
        price: (i % 1000) as f64,
        n: i as i64 + version,
    };
    (from..from + count).map(thing).collect()
}

/// What is done by hand: values of ours as a user would read and bind them.
trait Bare {
    /// A table like this one, with its indexes.
    async fn make(&self, like: &str) -> Result<(), sqlx::Error>;
    /// Tells the planner what is in the tables.
    async fn analyze(&self, table: &str) -> Result<(), sqlx::Error>;
    async fn get(&self, id: String) -> Result<Option<Thing>, sqlx::Error>;
    async fn filter(&self, price: f64, n: i64) -> Result<Vec<(String, String)>, sqlx::Error>;
    /// The ways to write a batch in place of rows that are there, by name.
    fn ways(&self) -> &'static [&'static str];
    /// One way, in one transaction.
    async fn upsert(&self, way: &str, things: &[Thing], version: i64) -> Result<(), sqlx::Error>;
    /// A fast way in for rows that are new, which fails where they are not.
    async fn load(&self, things: &[Thing]) -> Result<(), sqlx::Error>;
    async fn remove(&self) -> Result<(), sqlx::Error>;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let wanted = std::env::args().nth(1).filter(|argument| !argument.starts_with("--")).unwrap_or_default();
    for variable in ["POSTGRES", "MYSQL", "MYSQL9", "OCEANBASE"].map(|name| format!("HEAVENBASE_TEST_{name}")) {
        let Ok(address) = std::env::var(&variable) else {
            println!("not measured: {variable} is not set");
            continue;
        };
        if !wanted.is_empty() && !variable.ends_with(&wanted) {
            continue;
        }
        let main = match variable.as_str() {
            "HEAVENBASE_TEST_POSTGRES" => OneOf::new(Postgres::url(&address)),
            "HEAVENBASE_TEST_OCEANBASE" => OneOf::new(OceanBase::url(&address)),
            _ => OneOf::new(MySql::url(&address)),
        };
        let ws = Workspace::open_as("bench_servers", Shop { main }).await?;
        let (version,): (String,) = ws.raw(Shop::MAIN, "SELECT VERSION()").one().await?;
        println!("{version}");
        if variable.ends_with("POSTGRES") {
            measure(&ws, &postgres::Sqlx::connect(&address).await?, '"').await?;
        } else {
            measure(&ws, &mysql::Sqlx::connect(&address).await?, '`').await?;
        }
    }
    Ok(())
}

async fn measure(ws: &Workspace<Shop>, bare: &impl Bare, quote: char) -> Result<(), Failed> {
    // What an earlier run left that was ended.
    ws.register::<Thing>().await?;
    ws.drop::<Thing>().await?;
    ws.register::<Thing>().await?;
    let tables: Vec<(String,)> =
        ws.raw(Shop::MAIN, "SELECT physical FROM _hb_manifest WHERE physical LIKE '%bench_servers%bench_thing'").all().await?;
    let table = tables.first().map(|(name,)| format!("{quote}{name}{quote}")).ok_or("the table is not noted")?;
    bare.make(&table).await?;
    for from in (0..ROWS).step_by(BATCH) {
        ws.upsert_many(&things(from, BATCH, 0)).await?;
        bare.load(&things(from, BATCH, 0)).await?;
    }
    bare.analyze(&table).await?;
    bare.analyze(THEIRS).await?;
    reads(ws, bare).await?;
    writes(ws, bare).await?;
    ws.drop::<Thing>().await?;
    bare.remove().await?;
    Ok(())
}

async fn reads(ws: &Workspace<Shop>, bare: &impl Bare) -> Result<(), Failed> {
    let at = Cell::new(0usize);
    let next = || {
        at.set((at.get() + 7) % ROWS);
        format!("r{:06}", at.get())
    };
    let one = "r000007";
    let (ours, raw) = (ws.get::<Thing>(one).await?, bare.get(one.to_owned()).await?);
    assert!(ours == raw && raw.is_some(), "{ours:?} and {raw:?}");
    let both = beside(
        300,
        || async {
            for _ in 0..20 {
                std::hint::black_box(ws.get::<Thing>(next()).await?);
            }
            Ok::<_, Failed>(())
        },
        || async {
            for _ in 0..20 {
                std::hint::black_box(bare.get(next()).await?);
            }
            Ok::<_, Failed>(())
        },
    )
    .await?;
    both.report("point get over loopback", 20);

    let query = ws.query::<Thing>().filter(Thing::PRICE.lt(10.0) & Thing::N.lt(40_000)).limit(100).select((Thing::OBJECT_ID, Thing::TITLE));
    let (ours, raw) = (query.all().await?, bare.filter(10.0, 40_000).await?);
    assert!(ours.len() == 100 && ours.iter().zip(&raw).all(|(a, b)| a.0.as_str() == b.0 && a.1 == b.1), "{ours:?} and {raw:?}");
    let both =
        beside(300, || async { Ok::<_, Failed>(query.all().await?) }, || async { Ok::<_, Failed>(bare.filter(10.0, 40_000).await?) })
            .await?;
    both.report("filter, order and limit, 100 rows", 1);
    Ok(())
}

async fn writes(ws: &Workspace<Shop>, bare: &impl Bare) -> Result<(), Failed> {
    let version = Cell::new(1i64);
    let next = || {
        version.set(version.get() + 1);
        version.get()
    };
    let batch = things(0, BATCH, 7);
    for way in bare.ways() {
        let both = beside(
            24,
            || async { Ok::<_, Failed>(ws.upsert_many(&batch).await?) },
            || async { Ok::<_, Failed>(bare.upsert(way, &batch, next()).await?) },
        )
        .await?;
        both.report(&format!("upsert, 5,000 rows again; raw: {way}"), BATCH);
    }
    let small = things(100, 100, 7);
    let both = beside(
        60,
        || async { Ok::<_, Failed>(ws.upsert_many(&small).await?) },
        || async { Ok::<_, Failed>(bare.upsert(bare.ways()[0], &small, next()).await?) },
    )
    .await?;
    both.report(&format!("upsert, 100 rows again; raw: {}", bare.ways()[0]), 100);

    let (ours, theirs) = (Cell::new(ROWS), Cell::new(ROWS));
    let fresh = |at: &Cell<usize>| {
        at.set(at.get() + BATCH);
        things(at.get(), BATCH, 0)
    };
    let both = beside(
        12,
        || async { Ok::<_, Failed>(ws.upsert_many(&fresh(&ours)).await?) },
        || async { Ok::<_, Failed>(bare.load(&fresh(&theirs)).await?) },
    )
    .await?;
    both.report("upsert, 5,000 new rows; raw: no guard at all", BATCH);
    Ok(())
}
