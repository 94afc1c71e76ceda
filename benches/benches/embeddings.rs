//! What an embedding costs beside the embedder, which here answers at once: writes of an entity with one against writes of
//! the same entity whose vectors the application has, and a rebuild of copies against writing all rows.
//!
//! `cargo bench -p heavenbase-benches --bench embeddings`
#![allow(clippy::print_stdout, missing_docs)]

use std::alloc::System;
use std::cell::Cell;

use heavenbase::embedding::Embedder;
use heavenbase::prelude::*;
use heavenbase_benches::{report, versus};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

const ROWS: usize = 2_000;
const ROUNDS: usize = 15;

#[derive(Layout)]
struct Two {
    #[layout(default)]
    main: Sqlite,
    search: Sqlite,
}

#[derive(Entity, Clone)]
#[entity(layout = Two)]
struct Embedded {
    object_id: Id,
    #[store(to = "main")]
    #[store(to = "search", copy)]
    title: String,
    rank: i64,
    #[compute(embed, from(title))]
    vector: Option<Vector<384>>,
}

#[derive(Entity, Clone)]
#[entity(layout = Two)]
struct Given {
    object_id: Id,
    #[store(to = "main")]
    #[store(to = "search", copy)]
    title: String,
    rank: i64,
    vector: Option<Vector<384>>,
}

#[derive(Entity, Clone)]
#[entity(layout = Two)]
struct Text {
    object_id: Id,
    #[store(to = "main")]
    #[store(to = "search", copy)]
    title: String,
}

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes that are held now, those of SQLite itself apart.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

fn vector(text: &str) -> Vec<f32> {
    let sum: u32 = text.bytes().map(u32::from).sum();
    (0..384).map(|n| ((sum + n) % 17) as f32 - 8.0).collect()
}

struct AtOnce;

impl Embedder for AtOnce {
    fn model(&self) -> &str {
        "at-once"
    }

    fn dimensions(&self) -> usize {
        384
    }

    async fn embed(&self, texts: &[&str]) -> heavenbase::Result<Vec<Vec<f32>>> {
        Ok(texts.iter().map(|text| vector(text)).collect())
    }
}

fn embedded(n: usize, round: usize) -> Embedded {
    Embedded { object_id: Id::from(format!("row-{n:08}")), title: format!("title {n} of round {round}"), rank: n as i64, vector: None }
}

fn given(n: usize, round: usize) -> Given {
    let Embedded { object_id, title, rank, .. } = embedded(n, round);
    Given { vector: Vector::try_from(vector(&title)).ok(), object_id, title, rank }
}

async fn measure() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| Sqlite::file(folder.path().join(name));
    let ws = Workspace::open(Two { main: file("main.db"), search: file("search.db") }).await?.with_embedder("default", AtOnce);
    ws.register::<Embedded>().await?;
    ws.register::<Given>().await?;
    println!("{ROWS} rows of 384 numbers over two SQLite files, a row; raw: the application has the vectors");

    let (ours, raw) = (Cell::new(0), Cell::new(0));
    let next = |round: &Cell<usize>| {
        round.set(round.get() + 1);
        round.get()
    };
    let (a, b) = versus(
        ROUNDS,
        || {
            let rows: Vec<Embedded> = (0..ROWS).map(|n| embedded(n, next(&ours) / ROWS)).collect();
            let ws = &ws;
            async move { ws.upsert_many(&rows).await.map(drop) }
        },
        || {
            let rows: Vec<Given> = (0..ROWS).map(|n| given(n, next(&raw) / ROWS)).collect();
            let ws = &ws;
            async move { ws.upsert_many(&rows).await.map(drop) }
        },
    )
    .await;
    report("upsert_many, every text changed", a, b, ROWS);

    let rows: (Vec<Embedded>, Vec<Given>) = ((0..ROWS).map(|n| embedded(n, 1)).collect(), (0..ROWS).map(|n| given(n, 1)).collect());
    let (a, b) = versus(ROUNDS, || ws.upsert_many(&rows.0), || ws.upsert_many(&rows.1)).await;
    report("upsert_many, no text changed", a, b, ROWS);

    let ids: Vec<Id> = (0..200).map(|n| embedded(n * 10, 1).object_id).collect();
    let (a, b) = versus(
        ROUNDS,
        || async {
            for id in &ids {
                ws.update(id.clone(), Embedded::RANK.set(7)).await?;
            }
            Ok::<(), heavenbase::Error>(())
        },
        || async {
            for id in &ids {
                ws.update(id.clone(), Given::RANK.set(7)).await?;
            }
            Ok::<(), heavenbase::Error>(())
        },
    )
    .await;
    report("update of a field that is no source", a, b, ids.len());

    let (a, b) = versus(ROUNDS, || async { ws.rebuild::<Given>("search", |_| {}).await }, || ws.upsert_many(&rows.1)).await;
    report("rebuild of copies that are right; raw: upsert_many", a, b, ROWS);

    // What a rebuild and an audit hold at most, over rows of which all copies are gone.
    let mut before = 0;
    for count in [20_000, 200_000] {
        let rows = (before..count).map(|n| Text { object_id: Id::from(format!("row-{n:08}")), title: format!("title of row {n}") });
        for rows in rows.collect::<Vec<_>>().chunks(10_000) {
            ws.upsert_many(rows).await?;
        }
        before = count;
        let emptied = rusqlite::Connection::open(folder.path().join("search.db"))?.execute("DELETE FROM default__text", [])?;
        let (start, mut most) = (held(), 0);
        let mut missing = 0;
        ws.audit_each::<Text>(|_| {
            missing += 1;
            most = most.max(held().saturating_sub(start));
        })
        .await?;
        let audited = most;
        most = 0;
        let started = std::time::Instant::now();
        let rebuilt = ws.rebuild::<Text>("search", |_| most = most.max(held().saturating_sub(start))).await?;
        let rate = rebuilt as f64 / started.elapsed().as_secs_f64();
        println!(
            "{emptied:>7} copies gone, {missing} found holding at most {} KiB; {rebuilt} rebuilt holding at most {} KiB, {rate:.0} rows a second",
            audited >> 10,
            most >> 10
        );
    }
    let health = ws.audit::<Embedded>().await?;
    println!("{} rows audited, {} findings", health.rows, health.findings.len());
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure())
}
