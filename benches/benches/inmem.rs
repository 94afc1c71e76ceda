//! The memory engine by itself, below planner and workspace: writes, reads by id, order, filters, words,
//! vectors.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement prints its figures and stops when one cannot be taken")]

use std::sync::Arc;

use futures_util::FutureExt;
use heavenbase::backends::{Connect, InMem};
use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, NearQuery, OrderKey, Page, Reply, SortKey, SubQuery, WriteBatch, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{Column, EntitySchema, Index, Part};
use heavenbase::types::{Id, LogicalType, Metric, Value};
use heavenbase_benches::{Candidate, Clock, Random, compare};

static ENTITY: EntitySchema = EntitySchema::new("thing", &[]);

fn column(name: &'static str, logical: LogicalType, placement: Placement, index: bool) -> Column {
    let index = index.then_some(Index { method: "", parameters: &[] });
    let metric = matches!(logical, LogicalType::Vector(_)).then_some(Metric::Cosine);
    let physical = name.to_owned();
    Column { field: 0, name, physical, logical, nullable: true, placement, copy: false, index, unique: false, metric, default: None }
}

fn part(columns: Vec<Column>) -> Arc<Part> {
    let namespace = "bench".into();
    Arc::new(Part { entity: &ENTITY, namespace, backend: "main", kind: "inmem", owner: true, table: "bench__thing".into(), columns })
}

fn now<T>(reply: Reply<'_, T>) -> T {
    reply.now_or_never().expect("memory answers at once").expect("the call is sound")
}

fn open(part: &Arc<Part>) -> Arc<dyn Driver> {
    let driver = InMem::new().connect().now_or_never().expect("at once").expect("memory connects");
    now(driver.ensure(part));
    driver
}

fn id(n: u64) -> Id {
    Id::from(format!("0193-7f00-{n:012}"))
}

fn batch(ids: Vec<Id>, version: i64, columns: usize, values: Vec<Value>) -> Arc<WriteBatch> {
    let columns = (0..columns).collect();
    Arc::new(WriteBatch { mode: WriteMode::Upsert, version, ids, columns, values, expected: Vec::new() })
}

fn all(driver: &dyn Driver, part: &Arc<Part>, query: &Arc<SubQuery>) -> Page {
    let mut stream = driver.open(part.clone(), query.clone()).expect("the query is sound");
    let mut pages = Page::new(query.columns.len());
    while let Some(page) = now(stream.next_page()) {
        pages.append(page);
    }
    pages
}

fn gloss(random: &mut Random) -> String {
    let word = |random: &mut Random| {
        // Few words are common, most are rare.
        let rank = random.below(20_000) * random.below(20_000) / 20_000;
        format!("w{}", rank * rank / 20_000 + rank % 97)
    };
    (0..8 + random.below(12)).map(|_| word(random)).collect::<Vec<_>>().join(" ")
}

const SIMPLE: usize = 4;

/// An ordered integer (indexed or not), one that is not, a float, a short text.
fn simple(index: bool) -> Arc<Part> {
    part(vec![
        column("rank", LogicalType::INT, Placement::InlineColumn, index),
        column("count", LogicalType::INT, Placement::InlineColumn, false),
        column("price", LogicalType::Float, Placement::InlineColumn, false),
        column("title", LogicalType::TEXT, Placement::InlineColumn, false),
    ])
}

fn simple_row(random: &mut Random, rows: u64) -> [Value; SIMPLE] {
    let (rank, count) = (random.below(rows * 10) as i64, random.below(100) as i64);
    [Value::Int(rank), Value::Int(count), Value::Float(count as f64 * 0.5), Value::Text(format!("A title of row {rank} of the shop"))]
}

fn fill(driver: &dyn Driver, part: &Arc<Part>, rows: u64) {
    let mut random = Random(rows);
    for start in (0..rows).step_by(10_000) {
        let ids: Vec<Id> = (start..(start + 10_000).min(rows)).map(id).collect();
        let values = ids.iter().flat_map(|_| simple_row(&mut random, rows)).collect();
        now(driver.write(part, batch(ids, 1, SIMPLE, values)));
    }
}

fn writes() {
    println!("writes");
    for (name, index) in [("4 columns", false), ("4 columns, one indexed", true)] {
        let part = simple(index);
        let batches = |version: u64| -> Vec<Arc<WriteBatch>> {
            let mut random = Random(version);
            let batch_of = |start: u64| {
                let ids: Vec<Id> = (start..start + 10_000).map(id).collect();
                let values = ids.iter().flat_map(|_| simple_row(&mut random, 100_000)).collect();
                batch(ids, version as i64, SIMPLE, values)
            };
            (0..100_000).step_by(10_000).map(batch_of).collect()
        };
        let mut speeds = [0.0; 2];
        let (first, second) = (batches(1), batches(2));
        for (batches, speed) in [&first, &second].into_iter().zip(&mut speeds) {
            let mut time = 0.0;
            for _ in 0..4 {
                let driver = open(&part);
                if batches[0].version == 2 {
                    first.iter().for_each(|batch| drop(now(driver.write(&part, batch.clone()))));
                }
                let started = Clock::now();
                batches.iter().for_each(|batch| drop(now(driver.write(&part, batch.clone()))));
                time += started.elapsed().as_secs_f64();
            }
            *speed = 0.4 / time;
        }
        println!("  {name:<28} new {:>6.2} M rows/s, replaced {:>6.2} M rows/s (batches of 10,000)", speeds[0], speeds[1]);
    }
    let part = simple(true);
    for rows in [10_000u64, 1_000_000] {
        let driver = open(&part);
        fill(&*driver, &part, rows);
        let mut random = Random(3);
        let mut version = 2;
        let single = |version: &mut i64, random: &mut Random| {
            *version += 1;
            let values = simple_row(random, rows).into();
            now(driver.write(&part, batch(vec![id(random.below(rows))], *version, SIMPLE, values)));
        };
        let per = |started: Clock| started.elapsed().as_secs_f64() * 1e6 / 10_000.0;
        let started = Clock::now();
        (0..10_000).for_each(|_| single(&mut version, &mut random));
        let alone = per(started);
        let started = Clock::now();
        for _ in 0..10_000 {
            single(&mut version, &mut random);
            now(driver.fetch_one(&part, &id(random.below(rows)), &[0, 1, 2, 3]));
        }
        let with_get = per(started);
        let query = Arc::new(SubQuery { limit: Some(1), columns: vec![0], ..SubQuery::default() });
        let started = Clock::now();
        for _ in 0..10_000 {
            single(&mut version, &mut random);
            all(&*driver, &part, &query);
        }
        println!("  one row into {rows}: {alone:.2} us, then one read {with_get:.2} us, then a query {:.2} us", per(started));
    }
}

fn reads() {
    let part = simple(true);
    for rows in [10_000u64, 100_000, 1_000_000] {
        let driver = open(&part);
        fill(&*driver, &part, rows);
        let mut random = Random(4);
        let ids: Vec<Id> = (0..10_000).map(|_| id(random.below(rows))).collect();
        let order = |column: usize, descending: bool| {
            let order = vec![OrderKey { key: SortKey::Column(column), descending }];
            Arc::new(SubQuery { order, limit: Some(10), columns: vec![0, 3], ..SubQuery::default() })
        };
        let query = |field: &'static str, limit: i64| {
            let filter = Filter::Test(Test::new(field, Condition::Lt(Value::Int(limit))));
            Arc::new(SubQuery { filter, columns: vec![0, 3], ..SubQuery::default() })
        };
        let (asc, desc, by_count) = (order(0, false), order(0, true), order(1, false));
        let (indexed, scanned) = (query("rank", rows as i64 / 10), query("count", 1));
        let run = |query: &Arc<SubQuery>| all(&*driver, &part, query).len();
        let medians = compare(
            &format!("reads of {rows} rows (fetch_one: 10,000 of them)"),
            5,
            &mut [
                Candidate::new("fetch_one, 4 columns", || ids.iter().map(|id| now(driver.fetch_one(&part, id, &[0, 1, 2, 3])).len()).sum()),
                Candidate::new("order by indexed, limit 10", || run(&asc)),
                Candidate::new("the same, descending", || run(&desc)),
                Candidate::new("order by unindexed, limit 10", || run(&by_count)),
                Candidate::new("1% by indexed field", || run(&indexed)),
                Candidate::new("1% by unindexed field", || run(&scanned)),
            ],
        );
        println!("  one fetch_one: {:.0} ns", medians[0].as_nanos() as f64 / 10_000.0);
    }
}

fn words() {
    let part = part(vec![
        column("body", LogicalType::TEXT, Placement::InvertedIndex, false),
        column("plain", LogicalType::TEXT, Placement::InlineColumn, false),
    ]);
    let driver = open(&part);
    let mut random = Random(5);
    let rows = 100_000;
    let started = Clock::now();
    for start in (0..rows).step_by(10_000) {
        let ids = (start..start + 10_000).map(id).collect();
        let values = (0..10_000)
            .flat_map(|_| {
                let text = Value::Text(gloss(&mut random));
                [text.clone(), text]
            })
            .collect();
        now(driver.write(&part, batch(ids, 1, 2, values)));
    }
    println!("words: {rows} glosses written and indexed in {:.2?}", started.elapsed());
    let query = |field: &'static str, condition: Condition| {
        let filter = Filter::Test(Test::new(field, condition));
        Arc::new(SubQuery { filter, columns: vec![], ..SubQuery::default() })
    };
    for text in ["w777", "w777 w12", "w4000"] {
        let substring = query("plain", Condition::Contains(text.into()));
        let (matches, phrase) = (query("body", Condition::Matches(text.into())), query("body", Condition::Phrase(text.into())));
        let scanned = query("plain", Condition::Matches(text.into()));
        let run = |query: &Arc<SubQuery>| all(&*driver, &part, query).len();
        let hits = run(&matches);
        assert_eq!(hits, run(&scanned), "index and scan agree");
        compare(
            &format!("\"{text}\" in {rows} glosses: {hits} hits ({} as substring)", run(&substring)),
            5,
            &mut [
                Candidate::new("substring scan", || run(&substring)),
                Candidate::new("matches by index", || run(&matches)),
                Candidate::new("phrase by index", || run(&phrase)),
            ],
        );
    }
}

fn vectors() {
    const LENGTH: usize = 384;
    let part = part(vec![
        column("embedding", LogicalType::Vector(LENGTH as u32), Placement::VectorIndex, false),
        column("count", LogicalType::INT, Placement::InlineColumn, false),
    ]);
    let driver = open(&part);
    let mut random = Random(6);
    let rows = 100_000;
    for start in (0..rows).step_by(5_000) {
        let ids = (start..start + 5_000).map(id).collect();
        let mut row = |n: u64| [Value::Vector((0..LENGTH).map(|_| random.unit() as f32 - 0.5).collect()), Value::Int(n as i64 % 100)];
        let values = (start..start + 5_000).flat_map(&mut row).collect();
        now(driver.write(&part, batch(ids, 1, 2, values)));
    }
    let near = |metric: Metric, filter: Filter, random: &mut Random| {
        let vector = (0..LENGTH).map(|_| random.unit() as f32 - 0.5).collect();
        let near = Some(NearQuery { column: 0, vector, metric, k: 10, exact: true });
        Arc::new(SubQuery { filter, near, ..SubQuery::default() })
    };
    let [cosine, l2, dot] = [Metric::Cosine, Metric::L2, Metric::Dot].map(|metric| near(metric, Filter::all(), &mut random));
    let one_percent = near(Metric::Cosine, Filter::Test(Test::new("count", Condition::Eq(Value::Int(7)))), &mut random);
    let plain: Vec<f32> = (0..rows as usize * LENGTH).map(|n| n as f32).collect();
    let bytes = plain.len() * 4;
    let read = || {
        let mut sums = [0u32; 64];
        for lanes in plain.chunks_exact(64) {
            sums.iter_mut().zip(lanes).for_each(|(sum, x)| *sum ^= x.to_bits());
        }
        sums.iter().fold(0, |a, b| a ^ b) as usize
    };
    let run = |query: &Arc<SubQuery>| all(&*driver, &part, query).len();
    let medians = compare(
        &format!("top 10 of {rows} x {LENGTH} ({} MB)", bytes >> 20),
        5,
        &mut [
            Candidate::new("reading that memory", read),
            Candidate::new("near by cosine", || run(&cosine)),
            Candidate::new("near by l2", || run(&l2)),
            Candidate::new("near by dot", || run(&dot)),
            Candidate::new("near by cosine, 1% of the rows", || run(&one_percent)),
        ],
    );
    let speed = |at: usize| bytes as f64 / medians[at].as_secs_f64() / 1e9;
    println!("  memory {:.1} GB/s; cosine {:.1}, l2 {:.1}, dot {:.1}", speed(0), speed(1), speed(2), speed(3));
}

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let subjects: [(&str, fn()); 4] = [("writes", writes), ("reads", reads), ("words", words), ("vectors", vectors)];
    for (name, run) in subjects {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            run();
        }
    }
}
