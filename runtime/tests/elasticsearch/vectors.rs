use std::sync::Arc;

use heavenbase::driver::{NearQuery, SubQuery};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::EntitySchema;
use heavenbase::types::{LogicalType, Metric, Value};

use crate::common::{COSINE, GRAPH, INLINE, L2, Store, field};

const LENGTH: u32 = 8;
static VECTORS: EntitySchema = EntitySchema::new(
    "vectors",
    &[
        field("group", LogicalType::INT, INLINE),
        field("cosine", LogicalType::Vector(LENGTH), COSINE),
        field("l2", LogicalType::Vector(LENGTH), L2),
        field("graph", LogicalType::Vector(LENGTH), GRAPH),
    ],
);

/// Numbers that look random, the same every time.
fn numbers(seed: u64) -> Arc<[f32]> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..LENGTH)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % 2_001) as f32 / 1_000.0 - 1.0
        })
        .collect()
}

fn near(column: usize, metric: Metric, k: usize, exact: bool, filter: Filter) -> SubQuery {
    let near = NearQuery { column, vector: numbers(999_983), metric, k, exact };
    SubQuery { filter, near: Some(near), columns: vec![0], ..SubQuery::default() }
}

fn best(rows: &[(String, Vec<Value>)], column: usize, metric: Metric, k: usize, keep: impl Fn(i64) -> bool) -> Vec<(String, f64)> {
    let score = |row: &[Value]| row[column].as_vector().map(|v| metric.score(&numbers(999_983), v));
    let mut all: Vec<(String, f64)> = rows
        .iter()
        .filter(|(_, row)| matches!(row[0], Value::Int(n) if keep(n)))
        .filter_map(|(id, row)| Some((id.clone(), score(row)?)))
        .collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(k);
    all
}

#[tokio::test]
async fn exact_searches_are_exact_and_filters_leave_min_k_rows() {
    let Some(store) = Store::open("exact_searches", &VECTORS).await else { return };
    let rows: Vec<_> = (0..3_000_i64)
        .map(|n| {
            let vector = if n % 17 == 0 { Value::Null } else { Value::Vector(numbers(n as u64)) };
            (format!("v{n:04}"), vec![Value::Int(n % 300), vector.clone(), vector.clone(), vector])
        })
        .collect();
    store.upsert(1, rows.clone()).await;
    for (column, metric) in [(1, Metric::Cosine), (2, Metric::L2), (3, Metric::L2)] {
        for k in [0, 1, 10, 500] {
            let found = store.run(near(column, metric, k, true, Filter::all())).await.unwrap();
            let expected = best(&rows, column, metric, k, |_| true);
            // Few cosines are told by the server, which computes them in single precision; a score is the same to 1e-5.
            assert!(found.ids.iter().map(|id| id.as_str()).eq(expected.iter().map(|(id, _)| id.as_str())), "column {column}, k {k}");
            let off = found.scores.iter().zip(&expected).map(|(told, (_, score))| (told - score).abs()).fold(0.0, f64::max);
            assert!(found.scores.len() == expected.len() && off < 1e-6, "column {column}, k {k}: a score is off by {off}");
        }
        // Few rows match: both ways give all of them, and no more.
        let few = Filter::from(Test::new("group", Condition::Eq(Value::Int(5))));
        for exact in [true, false] {
            let found = store.run(near(column, metric, 50, exact, few.clone())).await.unwrap();
            let expected: Vec<String> = best(&rows, column, metric, 50, |n| n == 5).into_iter().map(|(id, _)| id).collect();
            assert_eq!(found.ids.iter().map(|id| id.as_str()).collect::<Vec<_>>(), expected, "column {column}, exact {exact}");
        }
        let none = Filter::from(Test::new("group", Condition::Eq(Value::Int(-1))));
        assert!(store.run(near(column, metric, 5, false, none)).await.unwrap().is_empty());
    }
    let approximate = store.run(near(3, Metric::L2, 100, false, Filter::all())).await.unwrap();
    let expected = best(&rows, 3, Metric::L2, 100, |_| true);
    let hits = expected.iter().filter(|(id, _)| approximate.ids.iter().any(|found| found.as_str() == id)).count();
    assert_eq!(approximate.len(), 100);
    assert!(hits >= 80, "recall {hits} of 100");
    store.close().await;
}

#[tokio::test]
async fn ties_go_to_the_lower_id_however_many_there_are() {
    let Some(store) = Store::open("ties", &VECTORS).await else { return };
    // The server numbers documents as they come: the highest ids come first.
    let rows: Vec<_> = (0..12_000_i64)
        .rev()
        .map(|n| {
            let vector = Value::Vector(if n % 4_000 == 0 { numbers(n as u64 + 1) } else { vec![0.5; LENGTH as usize].into() });
            (format!("v{n:05}"), vec![Value::Int(0), vector.clone(), vector, Value::Null])
        })
        .collect();
    for batch in rows.chunks(4_000) {
        store.upsert(1, batch.to_vec()).await;
    }
    for (column, metric) in [(1, Metric::Cosine), (2, Metric::L2)] {
        for k in [1, 7, 3_000, 10_000] {
            let found = store.run(near(column, metric, k, true, Filter::all())).await.unwrap();
            let expected: Vec<String> = best(&rows, column, metric, k, |_| true).into_iter().map(|(id, _)| id).collect();
            assert_eq!(found.len(), k);
            assert!(found.ids.iter().map(|id| id.as_str()).eq(expected.iter().map(String::as_str)), "column {column}, k {k}");
        }
    }
    store.close().await;
}

#[tokio::test]
async fn an_index_that_allows_less_is_asked_for_less() {
    let Some(store) = Store::open("limits", &VECTORS).await else { return };
    let settings = serde_json::json!({ "index.max_result_window": 100, "index.max_terms_count": 50 });
    store.raw("PUT", &format!("{}/_settings", store.part.table), Some(settings)).await.unwrap();
    let rows: Vec<_> = (0..1_000_i64)
        .map(|n| {
            let vector = Value::Vector(numbers(n as u64));
            (format!("v{n:04}"), vec![Value::Int(n), vector.clone(), vector.clone(), vector])
        })
        .collect();
    // Registered anew, the part knows.
    store.driver.ensure(&store.part).await.unwrap();
    store.upsert(1, rows.clone()).await;
    let all = store.run(SubQuery { columns: vec![0], page_rows: 1_000, ..SubQuery::default() }).await.unwrap();
    assert!(all.ids.iter().map(|id| id.as_str()).eq(rows.iter().map(|(id, _)| id.as_str())), "{} rows", all.len());
    let skipped = store.run(SubQuery { offset: 700, limit: Some(250), ..SubQuery::default() }).await.unwrap();
    assert_eq!((skipped.len(), skipped.ids[0].as_str()), (250, "v0700"));
    let ids: Vec<heavenbase::types::Id> = rows.iter().step_by(2).map(|(id, _)| id.as_str().into()).collect();
    let some = store.run(SubQuery { ids: Some(ids.into()), ..SubQuery::default() }).await.unwrap();
    assert_eq!(some.len(), 500);
    let members = (0..400).map(Value::Int).collect();
    assert_eq!(store.agrees(&rows, Filter::from(Test::new("group", Condition::In(members)))).await, 400);
    for (column, metric) in [(1, Metric::Cosine), (2, Metric::L2), (3, Metric::L2)] {
        for (k, exact) in [(10, true), (90, true), (300, true), (300, false)] {
            let found = store.run(near(column, metric, k, exact, Filter::all())).await.unwrap();
            let expected: Vec<String> = best(&rows, column, metric, k, |_| true).into_iter().map(|(id, _)| id).collect();
            assert_eq!(found.len(), k, "column {column}, k {k}");
            assert!(!exact || found.ids.iter().map(|id| id.as_str()).eq(expected.iter().map(String::as_str)), "column {column}, k {k}");
        }
    }
    store.close().await;
}

#[tokio::test]
async fn an_index_of_vectors_that_there_is_none_of_is_refused() {
    let Some(store) = Store::open("methods", &VECTORS).await else { return };
    for (method, parameters) in [("ivf_flat", &[][..]), ("hnsw", &[("lists", 3)]), ("flat", &[("m", 8)]), ("hnsw", &[("m", 0)])] {
        let mut part = (*store.part).clone();
        part.columns[3].index = Some(heavenbase::schema::Index { method, parameters });
        let error = store.driver.ensure(&Arc::new(part)).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (heavenbase::ErrorKind::InvalidSchema, Some("graph")), "{method} {parameters:?}");
    }
    store.close().await;
}
