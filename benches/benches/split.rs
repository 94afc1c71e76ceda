//! Two backends: AND over both, order on one and filter on the other, near with a filter elsewhere.
//!
//! `cargo bench -p heavenbase-benches --bench split`
#![allow(clippy::print_stdout, missing_docs)]

use heavenbase::prelude::*;
use heavenbase_benches::{Random, median, report, versus};
use std::collections::HashSet;
use std::time::Instant;

#[derive(Layout)]
struct Two {
    #[layout(default)]
    left: InMem,
    right: Sqlite,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Two)]
struct Item {
    object_id: Id,
    #[store(to = "left", index)]
    a: f64,
    #[store(to = "right", index)]
    b: f64,
    #[store(to = "left", metric = "cosine")]
    v: Option<Vector<64>>,
}

fn items(n: usize, vectors: bool) -> Vec<Item> {
    let mut random = Random(11);
    let item = |i: usize| Item {
        object_id: Id::from(format!("{:016x}-{i:08}", Random(i as u64).bits())),
        a: random.unit() * 100.0,
        b: random.unit() * 100.0,
        v: vectors.then(|| Vector::from(std::array::from_fn(|_| random.unit() as f32 - 0.5))),
    };
    (0..n).map(item).collect()
}

async fn open(n: usize, vectors: bool) -> heavenbase::Result<Workspace<Two>> {
    let ws = Workspace::open(Two { left: InMem::new(), right: Sqlite::memory() }).await?;
    ws.register::<Item>().await?;
    for chunk in items(n, vectors).chunks(20_000) {
        ws.upsert_many(chunk).await?;
    }
    Ok(ws)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> heavenbase::Result<()> {
    let ws = open(100_000, true).await?;
    println!("AND over two backends, 100k rows, ids only; the best of four hand-written plans beside it");
    for sa in [0.01, 0.1, 1.0, 10.0, 50.0] {
        for sb in [0.01, 0.1, 1.0, 10.0, 50.0] {
            let both = ws.query::<Item>().filter(Item::A.lt(sa) & Item::B.lt(sb)).select(Item::OBJECT_ID);
            let only_a = ws.query::<Item>().filter(Item::A.lt(sa)).select(Item::OBJECT_ID);
            let only_b = ws.query::<Item>().filter(Item::B.lt(sb)).select(Item::OBJECT_ID);
            let expected = both.all().await?.len();
            // By hand, over the same backends: push a's ids to b, b's to a, both lists and a hash set, both lists merged.
            let push = |from: &Query<Item, Id, Workspace<Two>>, into: Predicate<Item>| {
                let (from, ws) = (from.clone(), ws.clone());
                async move {
                    let ids = from.all().await.unwrap_or_default();
                    let mut found = 0;
                    for ids in ids.chunks(4096) {
                        let query = ws.query::<Item>().filter(into.clone() & Item::OBJECT_ID.in_list(ids.iter())).select(Item::OBJECT_ID);
                        found += query.all().await.unwrap_or_default().len();
                    }
                    found
                }
            };
            let hashed = || async {
                let set: HashSet<Id> = only_a.all().await.unwrap_or_default().into_iter().collect();
                only_b.all().await.unwrap_or_default().iter().filter(|id| set.contains(*id)).count()
            };
            let merged = || async {
                let (x, y) = (only_a.all().await.unwrap_or_default(), only_b.all().await.unwrap_or_default());
                let (mut i, mut j, mut found) = (0, 0, 0);
                while i < x.len() && j < y.len() {
                    match x[i].cmp(&y[j]) {
                        std::cmp::Ordering::Less => i += 1,
                        std::cmp::Ordering::Greater => j += 1,
                        std::cmp::Ordering::Equal => (i, j, found) = (i + 1, j + 1, found + 1),
                    }
                }
                found
            };
            let mut times: [Vec<std::time::Duration>; 5] = Default::default();
            for _ in 0..7 {
                let started = Instant::now();
                assert_eq!(both.all().await?.len(), expected);
                times[0].push(started.elapsed());
                let started = Instant::now();
                assert_eq!(push(&only_a, Item::B.lt(sb)).await, expected);
                times[1].push(started.elapsed());
                let started = Instant::now();
                assert_eq!(push(&only_b, Item::A.lt(sa)).await, expected);
                times[2].push(started.elapsed());
                let started = Instant::now();
                assert_eq!(hashed().await, expected);
                times[3].push(started.elapsed());
                let started = Instant::now();
                assert_eq!(merged().await, expected);
                times[4].push(started.elapsed());
            }
            let [ours, others @ ..] = times.map(median);
            let best = others.into_iter().min().unwrap_or_default();
            report(&format!("  {sa}% and {sb}% ({expected} rows)"), ours, best, 1);
        }
    }

    println!("near top-10 of 100k x 64 with a filter on the other backend, against fetching 10/s and filtering");
    let mut random = Random(3);
    let from: [f32; 64] = std::array::from_fn(|_| random.unit() as f32 - 0.5);
    for s in [10.0, 1.0, 0.1, 0.01] {
        let near = ws.query::<Item>().filter(Item::B.lt(s)).near(Item::V, &from, 10).select((Item::OBJECT_ID, SCORE));
        let over = |k: usize| ws.query::<Item>().near(Item::V, &from, k).select((Item::OBJECT_ID, SCORE));
        let matching: HashSet<Id> = ws.query::<Item>().filter(Item::B.lt(s)).ids().await?.into_iter().collect();
        let by_hand = || async {
            // As applications do: ask for more, see which match, ask for more again.
            let mut k = (20.0 / s * 100.0) as usize;
            loop {
                let hits = over(k.min(10_000)).all().await.unwrap_or_default();
                let ids: Vec<Id> = hits.iter().map(|(id, _)| id.clone()).collect();
                let kept: HashSet<Id> = ws
                    .query::<Item>()
                    .filter(Item::B.lt(s) & Item::OBJECT_ID.in_list(ids.iter()))
                    .ids()
                    .await
                    .unwrap_or_default()
                    .into_iter()
                    .collect();
                let found = hits.iter().filter(|(id, _)| kept.contains(id)).count();
                if found >= 10 || k >= 10_000 {
                    return found.min(10);
                }
                k *= 4;
            }
        };
        let hits = near.all().await?;
        assert_eq!(hits.len(), matching.len().min(10));
        assert!(hits.iter().all(|(id, _)| matching.contains(id)));
        let found = by_hand().await;
        let (a, b) = versus(9, || async { near.all().await.map(|r| r.len()) }, || async { by_hand().await }).await;
        report(&format!("  filter lets {s}% through; by hand found {found} of {}", hits.len()), a, b, 1);
    }

    println!("order by a field of one, filter on the other, limit 10: from 10k to 1M rows");
    let mut first = None;
    for n in [10_000, 100_000, 1_000_000] {
        let ws = if n == 100_000 { ws.clone() } else { open(n, false).await? };
        for s in [50.0, 10.0, 1.0] {
            let query = ws.query::<Item>().filter(Item::B.lt(s)).order_by(Item::A.asc()).limit(10).select(Item::OBJECT_ID);
            let mut times = Vec::new();
            for _ in 0..21 {
                let started = Instant::now();
                query.all().await?;
                times.push(started.elapsed());
            }
            let explained = query.explain_analyze().await?;
            let rows: Vec<String> =
                explained.steps.iter().filter_map(|x| x.counters.as_ref().map(|c| format!("{} {}", x.backend, c.rows))).collect();
            let time = median(times);
            let base = *first.get_or_insert(time);
            println!(
                "  {n:>8} rows, filter {s}%: {:>9.1} µs ({:.2} of the first)  rows moved: {}",
                time.as_secs_f64() * 1e6,
                time.as_secs_f64() / base.as_secs_f64(),
                rows.join(", ")
            );
        }
    }
    Ok(())
}
