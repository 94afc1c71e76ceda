//! Indexes of vectors on OceanBase.

use std::sync::Arc;

use heavenbase::ErrorKind;
use heavenbase::capability::Placement;
use heavenbase::driver::{NearQuery, Page, SubQuery, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{EntitySchema, FieldSchema, Index, PlacementSchema};
use heavenbase::types::{LogicalType, Metric, Value};
use heavenbase_tests::random::Random;
use sqlx::{AssertSqlSafe, Row};

use super::common::{all, batch, part, pool, servers};

const ROWS: usize = 2_000;
const LENGTH: usize = 16;

fn entity(metric: Metric, index: Index) -> EntitySchema {
    let place = |placement, index, metric| -> &'static [PlacementSchema] {
        Box::leak(Box::new([PlacementSchema { backend: "", placement, copy: false, index, unique: false, metric }]))
    };
    let fields = [
        FieldSchema { placements: place(Placement::InlineColumn, None, None), ..FieldSchema::new("n", LogicalType::INT, false) },
        FieldSchema {
            placements: place(Placement::VectorIndex, Some(index), Some(metric)),
            ..FieldSchema::new("v", LogicalType::Vector(LENGTH as u32), true)
        },
    ];
    EntitySchema::new("near", Box::leak(Box::new(fields)))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_used_and_never_returns_too_few() {
    let Some(server) = servers().into_iter().find(|server| server.kind == "oceanbase") else { return };
    let driver = server.open().await;
    let kinds = [("hnsw", &[("m", 16), ("ef_construction", 200), ("ef_search", 100)][..]), ("hnsw", &[]), ("", &[])];
    for (i, (method, parameters)) in kinds.into_iter().enumerate() {
        let metric = [Metric::Cosine, Metric::L2, Metric::Dot][i];
        let part = part(&driver, server.kind, entity(metric, Index { method, parameters }));
        driver.ensure(&part).await.unwrap();
        let mut random = Random::new(7);
        let mut vectors = Vec::new();
        let mut rows = Vec::new();
        for n in 0..ROWS {
            let v: Arc<[f32]> = (0..LENGTH).map(|_| (random.unit() * 2.0 - 1.0) as f32).collect();
            let value = if n % 10 == 9 { Value::Null } else { Value::Vector(v.clone()) };
            rows.push((format!("r{n:05}"), vec![Value::Int(n as i64), value]));
            vectors.push(v);
        }
        driver.write(&part, batch(WriteMode::Insert, 1, rows)).await.unwrap();
        let target: Arc<[f32]> = (0..LENGTH).map(|_| (random.unit() * 2.0 - 1.0) as f32).collect();
        let best = |below: usize, k: usize| -> Vec<String> {
            let mut scored: Vec<(f64, usize)> =
                (0..below).filter(|n| n % 10 != 9).map(|n| (metric.score(&target, &vectors[n]), n)).collect();
            scored.sort_by(|a, b| b.0.total_cmp(&a.0));
            scored.iter().take(k).map(|(_, n)| format!("r{n:05}")).collect()
        };
        let near = |below: usize, k: usize, exact: bool| SubQuery {
            filter: if below < ROWS { Test::new("n", Condition::Lt(Value::Int(below as i64))).into() } else { Filter::all() },
            near: Some(NearQuery { column: 1, vector: target.clone(), metric, k, exact }),
            ..SubQuery::default()
        };
        let plan = driver.plan(&part, &near(ROWS, 10, false)).text;
        assert!(plan.contains("by the vector index") && plan.contains("APPROXIMATE"), "{plan}");
        // The server itself says that it takes the index.
        let literal = serde_json::to_string(&target.to_vec()).unwrap();
        let select = plan.split(" -- ").next().unwrap().replace("LIMIT ?", "LIMIT 10").replace('?', &format!("'{literal}'"));
        let explained = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN {select}"))).fetch_all(&pool(&driver)).await.unwrap();
        let explained: String = explained.iter().map(|row| row.get::<String, _>(0) + "\n").collect();
        assert!(explained.contains("VECTOR INDEX"), "{explained}");
        let wanted = best(ROWS, 10);
        let found = all(&driver, &part, near(ROWS, 10, false)).await;
        let hits = found.ids.iter().filter(|id| wanted.iter().any(|w| w == id.as_str())).count();
        println!("{method} {parameters:?} {metric}: recall@10 {hits}/10");
        assert_eq!(found.len(), 10);
        assert!(hits >= 7, "{method}: {hits} of 10");
        assert!(found.scores.is_sorted_by(|a, b| a >= b));
        let ids = |page: &Page| page.ids.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&all(&driver, &part, near(ROWS, 10, true)).await), wanted);
        // Few rows match, far from the target: all of them come, and in order.
        for (below, k) in [(25, 50), (3, 10), (0, 5), (300, 200)] {
            let wanted = best(below, k);
            let found = all(&driver, &part, near(below, k, false)).await;
            assert_eq!(found.len(), wanted.len(), "{method}: below {below}, k {k}");
            if found.len() < k {
                assert_eq!(ids(&found), wanted);
            }
        }
        driver.drop_part(&part).await.unwrap();
    }
    let part = part(&driver, server.kind, entity(Metric::L2, Index { method: "hnsw", parameters: &[("lists", 3)] }));
    assert_eq!(driver.ensure(&part).await.unwrap_err().kind(), ErrorKind::InvalidSchema);
    assert!(driver.ensure(&part).await.is_err(), "what was refused left something behind");
}
