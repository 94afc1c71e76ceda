//! What planning costs: of a query by id, a query of ten rows by an index and a filter of a thousand, the share that is
//! spent before a backend is asked.
//!
//! `cargo bench -p heavenbase-benches --bench plan`
#![allow(clippy::print_stdout, missing_docs)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use heavenbase::ErrorKind;
use heavenbase::driver::SubQuery;
use heavenbase::plan::{Group, Plan, Target};
use heavenbase::prelude::*;
use heavenbase::query::QuerySpec;
use heavenbase::schema::{Binding, Routing};
use heavenbase_benches::Random;

#[derive(Layout)]
struct One {
    #[layout(default)]
    main: Sqlite,
    side: InMem,
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
    #[store(to = "side", index)]
    weight: f64,
}

/// The least time of a call, over rounds of many.
fn least(mut call: impl FnMut()) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..41 {
        let started = Instant::now();
        for _ in 0..200 {
            call();
        }
        least = least.min(started.elapsed() / 200);
    }
    least
}

async fn measured(name: &str, query: &Query<Item, Id, Workspace<One>>, target: &Target) -> heavenbase::Result<()> {
    let mut whole = Duration::MAX;
    let repeats = if query.all().await?.len() > 100 { 10 } else { 200 };
    for _ in 0..41 {
        let started = Instant::now();
        for _ in 0..repeats {
            std::hint::black_box(query.all().await?);
        }
        whole = whole.min(started.elapsed() / repeats);
    }
    let spec: &QuerySpec = query.spec();
    let planning = least(|| drop(std::hint::black_box(Plan::new(spec, target))));
    let plan = Plan::new(spec, target)?;
    let mut pushdown = Duration::ZERO;
    for group in &plan.groups {
        if let Group::Part { part, filter } = group {
            let wanted = SubQuery { filter: filter.clone(), limit: plan.limit, ..SubQuery::default() };
            let (driver, part) = (target.driver(*part), target.part(*part));
            pushdown += least(|| drop(std::hint::black_box(driver.plan(part, &wanted))));
        }
    }
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    println!(
        "  {name:<44} whole {:>8.2} µs   planning {:>6.2} µs ({:>4.1}%)   asking drivers what they take {:>6.2} µs ({:>4.1}%)",
        micros(whole),
        micros(planning),
        planning.as_secs_f64() / whole.as_secs_f64() * 100.0,
        micros(pushdown),
        pushdown.as_secs_f64() / whole.as_secs_f64() * 100.0,
    );
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> heavenbase::Result<()> {
    let folder = tempfile::tempdir().map_err(|e| heavenbase::Error::new(ErrorKind::Storage, "no directory").caused_by(e))?;
    let ws = Workspace::open(One { main: Sqlite::file(folder.path().join("plan.db")), side: InMem::new() }).await?;
    ws.register::<Item>().await?;
    let mut random = Random(7);
    let item = |i: usize| Item {
        object_id: Id::from(format!("item-{i:08}")),
        title: format!("Title of item number {i}"),
        price: random.unit() * 1000.0,
        stock: i as i64,
        note: None,
        weight: random.unit(),
    };
    ws.upsert_many(&(0..100_000).map(item).collect::<Vec<_>>()).await?;
    let bindings: Vec<Binding> = [("main", "sqlite"), ("side", "inmem")]
        .into_iter()
        .filter_map(|(name, kind)| Some(Binding { name, kind, driver: ws.driver(name)? }))
        .collect();
    let routing = Routing::new(Item::SCHEMA, &"default".into(), "main", &bindings)?;
    let target = Target::new(routing, bindings.iter().map(|b| Arc::clone(&b.driver)).collect());
    println!("planning as a share of a query; least of 41 rounds");
    let ids = || ws.query::<Item>().select(Item::OBJECT_ID);
    measured("one row by id", &ids().filter(Item::OBJECT_ID.eq("item-00000077")), &target).await?;
    measured("first 10 by an index", &ids().order_by(Item::PRICE.asc()).limit(10), &target).await?;
    measured("10 rows of a filter", &ids().filter(Item::PRICE.lt(0.1)), &target).await?;
    measured("1000 rows of a filter", &ids().filter(Item::PRICE.lt(10.0)), &target).await?;
    measured(
        "10 rows of four tests",
        &ids().filter(Item::PRICE.lt(0.1) & Item::STOCK.gt(5) & Item::TITLE.contains("item") & Item::NOTE.is_null()),
        &target,
    )
    .await?;
    measured("AND over two backends, 10 and 100 rows", &ids().filter(Item::PRICE.lt(0.1) & Item::WEIGHT.lt(0.001)), &target).await
}
