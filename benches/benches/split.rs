//! Two backends: AND over both, order on one and filter on the other, near with a filter elsewhere.
//!
//! `cargo bench -p heavenbase-benches --bench split`, or one subject of `and`, `near`, `order`:
//! `cargo bench -p heavenbase-benches --bench split -- and`, or one point of it: `-- and 0.1x50`. Contenders take turns in
//! one process; the least of their times are compared, for others want the processor too.
#![allow(clippy::print_stdout, missing_docs)]

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use heavenbase::driver::{Driver, SubQuery};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::prelude::*;
use heavenbase::schema::{Binding, Part, Routing};
use heavenbase::types::Value;
use heavenbase_benches::{Clock, Random, report};

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

/// One side as somebody sees it who writes a plan by hand: the driver itself, without planner and workspace.
#[derive(Clone)]
struct Side {
    driver: Arc<dyn Driver>,
    part: Arc<Part>,
    filter: Filter,
}

impl Side {
    async fn ids(&self, among: Option<&[Id]>) -> heavenbase::Result<Vec<Id>> {
        let query =
            SubQuery { filter: self.filter.clone(), ids: among.map(Arc::from), page_rows: 65_536, ids_only: true, ..SubQuery::default() };
        let mut stream = self.driver.open(self.part.clone(), Arc::new(query))?;
        let mut ids = Vec::new();
        while let Some(page) = stream.next_page().await? {
            ids.extend(page.ids);
        }
        Ok(ids)
    }

    async fn among(&self, ids: &[Id]) -> heavenbase::Result<usize> {
        let mut found = 0;
        for ids in ids.chunks(4096) {
            found += self.ids(Some(ids)).await?.len();
        }
        Ok(found)
    }
}

async fn by_hand(plan: usize, a: &Side, b: &Side) -> heavenbase::Result<usize> {
    match plan {
        0 => b.among(&a.ids(None).await?).await,
        1 => a.among(&b.ids(None).await?).await,
        2 => {
            let set: HashSet<Id> = a.ids(None).await?.into_iter().collect();
            Ok(b.ids(None).await?.iter().filter(|id| set.contains(*id)).count())
        }
        _ => {
            let (x, y) = (a.ids(None).await?, b.ids(None).await?);
            let (mut i, mut j, mut found) = (0, 0, 0);
            while i < x.len() && j < y.len() {
                match x[i].cmp(&y[j]) {
                    Ordering::Less => i += 1,
                    Ordering::Greater => j += 1,
                    Ordering::Equal => (i, j, found) = (i + 1, j + 1, found + 1),
                }
            }
            Ok(found)
        }
    }
}

async fn and(ws: &Workspace<Two>, chosen: &[String]) -> heavenbase::Result<()> {
    let bindings: Vec<Binding> = [("left", "inmem"), ("right", "sqlite")]
        .into_iter()
        .filter_map(|(name, kind)| Some(Binding { name, kind, driver: ws.driver(name)? }))
        .collect();
    let routing = Routing::new(Item::SCHEMA, &"default".into(), "left", &bindings)?;
    let side = |at: usize, field: &'static str, below: f64| Side {
        driver: bindings[at].driver.clone(),
        part: routing.parts[at].clone(),
        filter: Filter::Test(Test::new(field, Condition::Lt(Value::Float(below)))),
    };
    println!("AND over two backends, 100k rows, ids only; the best of four plans written by hand over the drivers beside it");
    let (mut met, mut points, mut random) = (0, 0, Random(5));
    for sa in [0.01, 0.1, 1.0, 10.0, 50.0] {
        for sb in [0.01, 0.1, 1.0, 10.0, 50.0] {
            if chosen.iter().any(|name| name.contains('x')) && !chosen.contains(&format!("{sa}x{sb}")) {
                continue;
            }
            let both = ws.query::<Item>().filter(Item::A.lt(sa) & Item::B.lt(sb)).select(Item::OBJECT_ID);
            let (a, b) = (side(0, "a", sa), side(1, "b", sb));
            let started = Clock::now();
            let expected = both.all().await?.len();
            let repeats = (Duration::from_millis(3).as_nanos() / started.elapsed().as_nanos().max(1)).clamp(1, 200) as u32;
            let mut least = [Duration::MAX; 5];
            let mut turns = [0, 1, 2, 3, 4];
            for _ in 0..25 {
                // Whoever comes after a plan that reads everything finds the caches cold, after one that reads the same warm.
                (1..turns.len()).for_each(|i| turns.swap(i, random.below(i as u64 + 1) as usize));
                for plan in turns {
                    let started = Clock::now();
                    for _ in 0..repeats {
                        let found = if plan == 0 { both.all().await?.len() } else { by_hand(plan - 1, &a, &b).await? };
                        assert_eq!(found, expected);
                    }
                    least[plan] = least[plan].min(started.elapsed() / repeats);
                }
            }
            let [ours, others @ ..] = least;
            let best = (0..4).min_by_key(|i| others[*i]).unwrap_or_default();
            let name = ["a pushed", "b pushed", "hashed", "merged"][best];
            report(&format!("  {sa}% and {sb}% ({expected} rows), best by hand: {name}"), ours, others[best], 1);
            (met, points) = (met + u32::from(ours.as_secs_f64() <= others[best].as_secs_f64() * 1.25), points + 1);
        }
    }
    println!("  within 1.25 of the best: {met} of {points}");
    Ok(())
}

async fn near(ws: &Workspace<Two>) -> heavenbase::Result<()> {
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
                let hits = over(k.min(10_000)).all().await?;
                let ids: Vec<Id> = hits.iter().map(|(id, _)| id.clone()).collect();
                let kept = ws.query::<Item>().filter(Item::B.lt(s) & Item::OBJECT_ID.in_list(ids.iter())).ids().await?;
                let kept: HashSet<Id> = kept.into_iter().collect();
                let found = hits.iter().filter(|(id, _)| kept.contains(id)).count();
                if found >= 10 || k >= 10_000 {
                    return Ok::<_, heavenbase::Error>(found.min(10));
                }
                k *= 4;
            }
        };
        let hits = near.all().await?;
        // Recall 1.0: the ten best of all that match, by asking for everything.
        let mut exact: Vec<(Id, Score)> = over(10_000).all().await?.into_iter().filter(|(id, _)| matching.contains(id)).take(10).collect();
        exact.truncate(hits.len());
        assert_eq!(hits.len(), matching.len().min(10));
        assert!(hits.iter().all(|(id, _)| matching.contains(id)) && hits[..exact.len()] == exact);
        let found = by_hand().await?;
        let mut least = [Duration::MAX; 2];
        for _ in 0..9 {
            let started = Clock::now();
            near.all().await?;
            least[0] = least[0].min(started.elapsed());
            let started = Clock::now();
            by_hand().await?;
            least[1] = least[1].min(started.elapsed());
        }
        report(&format!("  filter lets {s}% through; by hand found {found} of {}", hits.len()), least[0], least[1], 1);
    }
    Ok(())
}

async fn order(ws: &Workspace<Two>) -> heavenbase::Result<()> {
    println!("order by a field of one, filter on the other, limit 10: from 10k to 1M rows; least of 41");
    let mut first: Vec<(f64, Duration)> = Vec::new();
    for n in [10_000, 100_000, 1_000_000] {
        let ws = if n == 100_000 { ws.clone() } else { open(n, false).await? };
        for s in [50.0, 10.0, 1.0] {
            let query = ws.query::<Item>().filter(Item::B.lt(s)).order_by(Item::A.asc()).limit(10).select(Item::OBJECT_ID);
            let mut least = Duration::MAX;
            for _ in 0..41 {
                let started = Clock::now();
                query.all().await?;
                least = least.min(started.elapsed());
            }
            let explained = query.explain_analyze().await?;
            let moved = |backend: &str| -> u64 {
                explained.steps.iter().filter(|x| x.backend == backend).filter_map(|x| x.counters.as_ref().map(|c| c.rows)).sum()
            };
            let bound = 40.0 / (s / 100.0) + 64.0;
            if n == 10_000 {
                first.push((s, least));
            }
            let base = first.iter().find(|(of, _)| *of == s).map_or(least, |(_, base)| *base);
            println!(
                "  {n:>8} rows, filter {s:>2}%: {:>9.1} µs ({:.2} of 10k)  rows moved: left {}, right {} (bound {bound})",
                least.as_secs_f64() * 1e6,
                least.as_secs_f64() / base.as_secs_f64(),
                moved("left"),
                moved("right"),
            );
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> heavenbase::Result<()> {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == name);
    let ws = open(100_000, true).await?;
    if wanted("and") {
        and(&ws, &chosen).await?;
    }
    if wanted("near") {
        near(&ws).await?;
    }
    if wanted("order") {
        order(&ws).await?;
    }
    Ok(())
}
