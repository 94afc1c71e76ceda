//! Vector indexes of pgvector.

use std::sync::Arc;

use heavenbase::ErrorKind;
use heavenbase::backends::{Connect, PgVector};
use heavenbase::capability::Placement;
use heavenbase::driver::{NearQuery, Page, SubQuery, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{EntitySchema, FieldSchema, Index, PlacementSchema};
use heavenbase::types::{LogicalType, Metric, Value};
use heavenbase_tests::random::Random;
use sqlx::AssertSqlSafe;

use super::common::{address, all, batch, part, pool};

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
    let Some(address) = address("HEAVENBASE_TEST_PGVECTOR") else { return };
    // With the usual 200 candidates the server finds it cheaper to read all of so few rows.
    let driver = PgVector::url(address).ef_search(100).max_scan_tuples(400).connect().await.unwrap();
    let kinds = [("hnsw", &[("m", 16), ("ef_construction", 64)][..]), ("hnsw", &[("half", 1)]), ("ivfflat", &[("lists", 20)]), ("", &[])];
    for (i, (method, parameters)) in kinds.into_iter().enumerate() {
        let metric = [Metric::Cosine, Metric::L2, Metric::Dot, Metric::Cosine][i];
        let part = part(&driver, "pgvector", entity(metric, Index { method, parameters }));
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
        sqlx::query(AssertSqlSafe(format!("ANALYZE \"{}\"", part.table))).execute(&pool(&driver)).await.unwrap();
        let target: Arc<[f32]> = (0..LENGTH).map(|_| (random.unit() * 2.0 - 1.0) as f32).collect();
        let best = |below: usize, k: usize| -> Vec<String> {
            let mut scored: Vec<(f64, usize)> =
                (0..below).filter(|n| n % 10 != 9).map(|n| (metric.score(&target, &vectors[n]), n)).collect();
            scored.sort_by(|a, b| b.0.total_cmp(&a.0));
            scored.iter().take(k).map(|(_, n)| format!("r{n:05}")).collect()
        };
        let near = |below: usize, k: usize, exact: bool| SubQuery {
            filter: Test::new("n", Condition::Lt(Value::Int(below as i64))).into(),
            near: Some(NearQuery { column: 1, vector: target.clone(), metric, k, exact }),
            ..SubQuery::default()
        };
        let plan = driver.plan(&part, &SubQuery { filter: Filter::all(), ..near(ROWS, 10, false) }).text;
        assert!(plan.contains("by the vector index"), "{plan}");
        let select = plan.split(" -- ").next().unwrap().replace("$1", "$1::text").replace("$2", "$2::text").replace("$3", "10");
        let literal = format!("{target:?}");
        let explained: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(format!("EXPLAIN {select}")))
            .bind(&literal)
            .bind(&literal)
            .fetch_all(&pool(&driver))
            .await
            .unwrap();
        let explained: String = explained.into_iter().map(|(line,)| line + "\n").collect();
        assert!(explained.contains("Index Scan using"), "{explained}");
        // All of it: what is found is mostly the nearest. Exactly: all of the nearest.
        let wanted = best(ROWS, 10);
        let found = all(&driver, &part, near(ROWS, 10, false)).await;
        let hits = found.ids.iter().filter(|id| wanted.iter().any(|w| w == id.as_str())).count();
        println!("{method} {parameters:?} {metric}: recall@10 {hits}/10");
        assert_eq!(found.len(), 10);
        // An ivfflat index built over no rows has chosen its lists at random.
        let least = if method == "ivfflat" { 3 } else { 7 };
        assert!(hits >= least, "{method}: {hits} of 10");
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
    let part = part(&driver, "pgvector", entity(Metric::L2, Index { method: "hnsw", parameters: &[("lists", 3)] }));
    assert_eq!(driver.ensure(&part).await.unwrap_err().kind(), ErrorKind::InvalidSchema);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_method_is_not_taken_for_the_one_asked_for() {
    let Some(address) = address("HEAVENBASE_TEST_PGVECTOR") else { return };
    let driver = PgVector::url(address).connect().await.unwrap();
    let first = Index { method: "hnsw", parameters: &[("m", 8), ("ef_construction", 64)] };
    let part = part(&driver, "pgvector", entity(Metric::Cosine, first));
    driver.ensure(&part).await.unwrap();
    driver.ensure(&part).await.unwrap();
    for index in [
        Index { method: "ivfflat", parameters: &[("lists", 5)] },
        Index { method: "hnsw", parameters: &[("m", 9), ("ef_construction", 64)] },
        Index { method: "hnsw", parameters: &[("m", 8), ("ef_construction", 64), ("half", 1)] },
        Index { method: "", parameters: &[] },
    ] {
        let mut changed = (*part).clone();
        changed.columns[1].index = Some(index);
        let error = driver.ensure(&Arc::new(changed)).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::SchemaMismatch, Some("v")), "{index:?}: {error}");
        assert!(error.to_string().contains("is hnsw(ef_construction=64 m=8), the entity says"), "{error}");
    }
    assert!(driver.drop_part(&part).await.unwrap());
}
