//! The driver alone: what every test needs.
// A test that panics has failed, which is the point.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod files;
mod reads;
mod writes;

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use futures_util::FutureExt;

use super::{Sqlite, SqliteDriver};
use crate::capability::Placement;
use crate::driver::*;
use crate::schema::{Column, EntitySchema, ExistingTable, Naming, Part, physical_name};
use crate::types::*;

fn now<T>(reply: Reply<'_, T>) -> crate::Result<T> {
    reply.now_or_never().expect("short operations are ready at once")
}

fn memory() -> SqliteDriver {
    SqliteDriver::open(Sqlite::memory()).unwrap()
}

fn file(path: &Path) -> SqliteDriver {
    SqliteDriver::open(Sqlite::file(path)).unwrap()
}

fn column(name: &'static str, logical: LogicalType, placement: Placement) -> Column {
    Column {
        field: 0,
        name,
        physical: name.to_owned(),
        logical,
        nullable: true,
        placement,
        copy: false,
        index: None,
        unique: false,
        metric: None,
        default: None,
    }
}

fn part_of(entity: &'static str, columns: Vec<Column>) -> Arc<Part> {
    let schema: &'static EntitySchema = Box::leak(Box::new(EntitySchema::new(entity, &[])));
    let columns = columns.into_iter().enumerate().map(|(field, c)| Column { field, ..c }).collect();
    Arc::new(Part {
        entity: schema,
        namespace: "test".into(),
        backend: "main",
        kind: "sqlite",
        owner: true,
        table: physical_name(&Naming::QUOTED, &["test", entity]),
        columns,
    })
}

const TEXT_LIST: LogicalType = LogicalType::List(&LogicalType::TEXT);
const FLOAT_LIST: LogicalType = LogicalType::List(&LogicalType::Float);

/// One column of every type and placement.
fn every_type() -> Arc<Part> {
    use Placement::*;
    part_of(
        "everything",
        vec![
            column("bool", LogicalType::Bool, InlineColumn),
            column("int", LogicalType::INT, InlineColumn),
            column("float", LogicalType::Float, InlineColumn),
            column("decimal", LogicalType::DECIMAL, InlineColumn),
            column("text", LogicalType::TEXT, InlineColumn),
            column("body", LogicalType::TEXT, InvertedIndex),
            column("bytes", LogicalType::Bytes, InlineColumn),
            column("time", LogicalType::Timestamp, InlineColumn),
            column("date", LogicalType::Date, InlineColumn),
            column("span", LogicalType::Duration, InlineColumn),
            column("uuid", LogicalType::Uuid, InlineColumn),
            column("kind", LogicalType::Category(&["new", "old"]), InlineColumn),
            column("json", LogicalType::Json, JsonField),
            column("tags", TEXT_LIST, InlineColumn),
            column("side", TEXT_LIST, SideTable),
            column("floats", FLOAT_LIST, InlineColumn),
            column("vector", LogicalType::Vector(3), VectorIndex),
        ],
    )
}

fn texts(items: &[&str]) -> Value {
    Value::List(items.iter().map(|t| Value::Text((*t).to_owned())).collect())
}

fn floats(items: &[f64]) -> Value {
    Value::List(items.iter().map(|n| Value::Float(*n)).collect())
}

fn json(text: &str) -> Value {
    Value::Json(Box::new(serde_json::from_str(text).unwrap()))
}

/// Values of each column, null apart: edges, and what breaks naive SQL.
fn samples(logical: &LogicalType) -> Vec<Value> {
    let text = |t: &str| Value::Text(t.to_owned());
    match logical {
        LogicalType::Bool => vec![Value::Bool(true), Value::Bool(false)],
        LogicalType::Int { .. } => [i64::MIN, -1, 0, 1, 7, i64::MAX].map(Value::Int).to_vec(),
        LogicalType::Float => [-1e300, -1.5, -0.0, 0.0, 0.1, 1.0, 9_007_199_254_740_993.0, f64::MAX].map(Value::Float).to_vec(),
        LogicalType::Decimal { .. } => {
            ["-12.5", "-12", "0", "0.05", "1.5", "100"].map(|n| Value::Decimal(Decimal::from_str(n).unwrap())).to_vec()
        }
        LogicalType::Text { .. } => [
            "",
            "a",
            "A",
            "ab",
            "abc",
            "100%",
            "under_score",
            "back\\slash",
            "quote'\"`;--",
            "nul\0byte",
            "line\nbreak",
            "Straße ÄÖÜ",
            "İstanbul",
            "the quick can't stop",
            "quick the",
            "can t 3.14",
            "\u{10ffff}",
            "é",
            "z",
        ]
        .map(text)
        .to_vec(),
        LogicalType::Bytes => vec![Value::Bytes([].into()), Value::Bytes([0, 255].into()), Value::Bytes((*b"text").into())],
        LogicalType::Timestamp => [-1, 0, 1_700_000_000_000_001].map(|n| Value::Timestamp(Timestamp::from_micros(n).unwrap())).to_vec(),
        LogicalType::Date => [-1, 0, 20_000].map(|n| Value::Date(Date::from_days(n).unwrap())).to_vec(),
        LogicalType::Duration => [-5, 0, i64::MAX].map(|n| Value::Duration(Duration::from_micros(n))).to_vec(),
        LogicalType::Uuid => [0, 1, u128::MAX].map(|n| Value::Uuid(Uuid::from_u128(n))).to_vec(),
        LogicalType::Category(names) => names.iter().map(|n| text(n)).collect(),
        LogicalType::Json => [
            "null",
            "true",
            "1",
            "1.0",
            "\"1\"",
            "18446744073709551615",
            "9007199254740993",
            "[]",
            "{}",
            "[1, 2]",
            "{\"a\": 1}",
            "{\"a\": 1.0, \"b\": {\"c\": \"x%\"}}",
            "{\"a\": \"1\"}",
            "{\"a\": true, \"b\": null}",
            "{\"a\": [5, {\"c\": 2}], \"a'\\\"b\": 3}",
            "{\"a\": \"nul\\u0000\"}",
        ]
        .map(json)
        .to_vec(),
        LogicalType::List(LogicalType::Float) => vec![floats(&[]), floats(&[0.0]), floats(&[-0.0, 1.5]), floats(&[0.1, 0.1])],
        LogicalType::List(_) => {
            vec![texts(&[]), texts(&["a"]), texts(&["a", "b", "a"]), texts(&["A", "", "nul\0", "quote'\""]), texts(&["b"])]
        }
        LogicalType::Vector(_) => {
            vec![Value::Vector([1.0, 0.0, 0.0].into()), Value::Vector([0.5, -0.5, 0.25].into()), Value::Vector([1.0, 0.0, 0.0].into())]
        }
        _ => Vec::new(),
    }
}

fn rows_of(part: &Part) -> WriteBatch {
    let most = part.columns.iter().map(|c| samples(&c.logical).len()).max().unwrap_or(0);
    let mut batch = WriteBatch {
        mode: WriteMode::Upsert,
        version: 1,
        ids: Vec::new(),
        columns: (0..part.columns.len()).collect(),
        values: Vec::new(),
        expected: Vec::new(),
    };
    for row in 0..most + 2 {
        batch.ids.push(Id::from(format!("id-{row:03}")));
        for (i, column) in part.columns.iter().enumerate() {
            let found = samples(&column.logical);
            // Shifted by column, so that rows differ; the last rows hold nulls and repeats.
            let value = if row == most { Value::Null } else { found.get((row + i) % (found.len() + 1)).cloned().unwrap_or_default() };
            batch.values.push(value);
        }
    }
    batch
}

fn ids(driver: &SqliteDriver, part: &Arc<Part>, query: SubQuery) -> Vec<String> {
    pages(driver, part, query).ids.iter().map(|id| id.to_string()).collect()
}

fn pages(driver: &SqliteDriver, part: &Arc<Part>, query: SubQuery) -> Page {
    let mut stream = driver.open(part.clone(), Arc::new(query.clone())).unwrap();
    let mut all = Page::new(query.columns.len());
    while let Some(page) = now(stream.next_page()).unwrap() {
        assert!(!page.is_empty());
        all.append(page);
    }
    all
}
