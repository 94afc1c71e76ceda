//! The memory engine by itself: bytes held a row, counted at the allocator, against what the row is in bytes.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a measurement prints its figures and stops when one cannot be taken")]

use std::alloc::System;
use std::sync::Arc;

use futures_util::FutureExt;
use heavenbase::backends::{Connect, InMem};
use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, Reply, WriteBatch, WriteMode};
use heavenbase::schema::{Column, EntitySchema, Index, Part};
use heavenbase::types::{Id, LogicalType, Metric, Value};
use heavenbase_benches::Random;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

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

fn gloss(random: &mut Random) -> String {
    let word = |random: &mut Random| {
        // Few words are common, most are rare.
        let rank = random.below(20_000) * random.below(20_000) / 20_000;
        format!("w{}", rank * rank / 20_000 + rank % 97)
    };
    (0..8 + random.below(12)).map(|_| word(random)).collect::<Vec<_>>().join(" ")
}

fn main() {
    println!("memory: bytes held a row, against payload (ids, values; a version counts 8)");
    let shop = part(vec![
        column("title", LogicalType::TEXT, Placement::InlineColumn, false),
        column("price", LogicalType::Float, Placement::InlineColumn, false),
        column("count", LogicalType::INT, Placement::InlineColumn, false),
        column("body", LogicalType::TEXT, Placement::InlineColumn, false),
        column("tags", LogicalType::List(&LogicalType::TEXT), Placement::InlineColumn, false),
        column("payload", LogicalType::Json, Placement::JsonField, false),
    ]);
    let cases: [(&str, &[usize]); 5] =
        [("numbers", &[1, 2]), ("short texts", &[0, 1, 2]), ("glosses", &[0, 1, 2, 3]), ("lists", &[0, 1, 4]), ("json", &[0, 1, 5])];
    for (name, columns) in cases {
        let part = part(columns.iter().map(|column| shop.columns[*column].clone()).collect());
        let driver = open(&part);
        let mut random = Random(1);
        let region = Region::new(ALLOCATOR);
        let (rows, mut payload) = (100_000u64, 0);
        for start in (0..rows).step_by(5_000) {
            let ids: Vec<Id> = (start..start + 5_000).map(id).collect();
            let mut values = Vec::new();
            for id in &ids {
                payload += id.len() + 8;
                for column in columns {
                    let (value, bytes) = match column {
                        0 | 3 => {
                            let text = if *column == 0 { format!("A title of {}", random.below(1 << 40)) } else { gloss(&mut random) };
                            let bytes = text.len();
                            (Value::Text(text), bytes)
                        }
                        1 => (Value::Float(random.below(1000) as f64), 8),
                        2 => (Value::Int(random.below(1000) as i64), 8),
                        4 => {
                            let tags: Vec<String> = (0..3).map(|_| format!("tag{}", random.below(5000))).collect();
                            let bytes = tags.iter().map(String::len).sum();
                            (Value::List(tags.into_iter().map(Value::Text).collect()), bytes)
                        }
                        _ => {
                            let text = format!("{{\"brand\":\"b{}\",\"stars\":{},\"new\":true}}", random.below(5000), random.below(5));
                            let bytes = text.len();
                            (Value::Json(Box::new(text.parse().expect("JSON"))), bytes)
                        }
                    };
                    payload += bytes;
                    values.push(value);
                }
            }
            now(driver.write(&part, batch(ids, 1, columns.len(), values)));
        }
        let change = region.change();
        let held = (change.bytes_allocated - change.bytes_deallocated) as f64;
        let (held, payload) = (held / rows as f64, payload as f64 / rows as f64);
        let bound = payload * 1.35 + 16.0;
        println!(
            "  {name:<12} {held:>7.1} held, {payload:>7.1} payload, bound {bound:>7.1}: {}",
            if held <= bound { "kept" } else { "BROKEN" }
        );
    }
}
