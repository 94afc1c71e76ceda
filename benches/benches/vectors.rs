//! Near with a filter on one backend, beside what a client would send by hand: the same index of the same rows, the ten nearest
//! with their scores. Recall of both is printed beside the ratio, for a faster search that finds less is none.
//!
//! `HEAVENBASE_TEST_PGVECTOR=… HEAVENBASE_TEST_ELASTICSEARCH=… HEAVENBASE_TEST_CHROMA=… HEAVENBASE_TEST_SYNSETS=….npy cargo bench
//! -p heavenbase-benches --features vectors --bench vectors`
#![allow(clippy::print_stdout, missing_docs)]

use std::cell::Cell;
use std::sync::Arc;

use heavenbase::prelude::*;
use heavenbase::query::Entity as _;
use heavenbase::schema::{Binding, Part, Routing};
use heavenbase_benches::{Random, versus};
use serde_json::{Value as Answer, json};
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row};

type Failed = Box<dyn std::error::Error>;

const LENGTH: usize = 384;
const ROUNDS: usize = 60;
const K: usize = 10;

macro_rules! on {
    ($layout:ident, $entity:ident, $kind:ident, $index:ident) => {
        #[derive(Layout)]
        struct $layout {
            main: $kind,
        }

        #[derive(Entity, Clone, Debug)]
        #[entity(layout = $layout, name = "bench_gloss")]
        struct $entity {
            object_id: Id,
            rank: i64,
            #[store(metric = "cosine", index = $index)]
            embedding: Vector<384>,
        }
    };
}

on!(OnPg, PgGloss, PgVector, hnsw);
on!(OnElastic, ElasticGloss, Elasticsearch, hnsw);
on!(OnElasticFlat, ElasticFlat, Elasticsearch, flat);
on!(OnChroma, ChromaGloss, Chroma, hnsw);

/// The rows: embeddings, and a number in no order that filters go by.
struct Rows {
    vectors: Vec<Vec<f32>>,
    rank: Vec<i64>,
}

fn rows() -> Result<Rows, Failed> {
    let mut random = Random(7);
    let vectors: Vec<Vec<f32>> = match std::env::var_os("HEAVENBASE_TEST_SYNSETS") {
        Some(path) => {
            let bytes = std::fs::read(path)?;
            let head = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
            let numbers: Vec<f32> = bytes[head..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            numbers.chunks_exact(LENGTH).map(<[f32]>::to_vec).collect()
        }
        None => {
            println!("HEAVENBASE_TEST_SYNSETS is not set: made-up vectors");
            (0..10_000).map(|_| (0..LENGTH).map(|_| random.unit() as f32 - 0.5).collect()).collect()
        }
    };
    let mut rank: Vec<i64> = (0..vectors.len() as i64).collect();
    for at in (1..rank.len()).rev() {
        rank.swap(at, random.below(at as u64 + 1) as usize);
    }
    Ok(Rows { vectors, rank })
}

impl Rows {
    fn best(&self, target: &[f32], below: i64) -> Vec<String> {
        let score = |row: &usize| heavenbase::types::Metric::Cosine.score(target, &self.vectors[*row]);
        let mut scored: Vec<(f64, usize)> =
            (0..self.rank.len()).filter(|row| self.rank[*row] < below).map(|row| (score(&row), row)).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.into_iter().take(K).map(|(_, row)| id(row)).collect()
    }
}

fn id(row: usize) -> String {
    format!("r{row:06}")
}

/// Where an entity lies on the only backend of a layout.
fn part_of<E: Entity>(ws: &Workspace<E::Layout>, namespace: &str) -> Result<Arc<Part>, Failed> {
    let driver = ws.driver("main").ok_or("no backend")?;
    let kind = ws.kind("main").ok_or("no kind")?;
    let routing = Routing::new(E::SCHEMA, &namespace.into(), "main", &[Binding { name: "main", kind, driver }])?;
    Ok(routing.parts[0].clone())
}

macro_rules! measured {
    ($name:literal, $rows:ident, $layout:expr, $entity:ident, |$part:ident, $target:ident, $below:ident| $raw:expr, |$ready:ident| $before:expr) => {{
        let ws = Workspace::open_as("bench", $layout).await?;
        ws.register::<$entity>().await?;
        ws.drop::<$entity>().await?;
        ws.register::<$entity>().await?;
        let all: Vec<$entity> = (0..$rows.vectors.len())
            .map(|row| {
                let embedding = Vector::try_from($rows.vectors[row].clone())?;
                Ok($entity { object_id: Id::from(id(row)), rank: $rows.rank[row], embedding })
            })
            .collect::<Result<_, Failed>>()?;
        for chunk in all.chunks(2_000) {
            ws.upsert_many(chunk).await?;
        }
        ws.refresh::<$entity>().await?;
        let $part = part_of::<$entity>(&ws, "bench")?;
        let $ready = &$part;
        $before;
        for percent in [100.0, 50.0, 10.0, 1.0, 0.1] {
            let below = (($rows.vectors.len() as f64 * percent / 100.0) as i64).max(K as i64);
            let targets: Vec<Vec<f32>> = (0..ROUNDS + 2).map(|n| $rows.vectors[(n * 7_919) % $rows.vectors.len()].clone()).collect();
            let best: Vec<Vec<String>> = targets.iter().map(|target| $rows.best(target, below)).collect();
            let (ours_at, raw_at) = (Cell::new(0), Cell::new(0));
            let (ours_hits, raw_hits) = (Cell::new(0), Cell::new(0));
            let count = |hits: &Cell<usize>, at: usize, found: Vec<String>| {
                hits.set(hits.get() + found.iter().filter(|id| best[at].contains(id)).count());
            };
            let (ours, raw) = versus(
                ROUNDS,
                || async {
                    let at = ours_at.replace(ours_at.get() + 1);
                    let Ok(vector) = Vector::<384>::try_from(targets[at].clone()) else { return };
                    let query = ws.query::<$entity>().near($entity::EMBEDDING, &vector, K);
                    let query = if percent == 100.0 { query } else { query.filter($entity::RANK.lt(below)) };
                    let found = query.select(($entity::OBJECT_ID, SCORE)).all().await.unwrap_or_default();
                    count(&ours_hits, at, found.into_iter().map(|(id, _)| id.as_str().to_owned()).collect());
                },
                || async {
                    let at = raw_at.replace(raw_at.get() + 1);
                    let $target = &targets[at];
                    let $below = (percent != 100.0).then_some(below);
                    let found: Vec<(String, f64)> = $raw.await.unwrap_or_default();
                    count(&raw_hits, at, found.into_iter().map(|(id, _)| id).collect());
                },
            )
            .await;
            let recall = |hits: &Cell<usize>| hits.get() as f64 / best.iter().map(Vec::len).sum::<usize>() as f64;
            println!(
                "{:<16} {percent:>5}%   ours {:>9.2} ms, recall {:.3}   raw {:>9.2} ms, recall {:.3}   ratio {:.2}",
                $name,
                ours.as_secs_f64() * 1e3,
                recall(&ours_hits),
                raw.as_secs_f64() * 1e3,
                recall(&raw_hits),
                ours.as_secs_f64() / raw.as_secs_f64()
            );
        }
        ws.drop::<$entity>().await?;
    }};
}

async fn by_sqlx(pool: &PgPool, part: &Part, target: &[f32], below: Option<i64>) -> Result<Vec<(String, f64)>, Failed> {
    let filter = if below.is_some() { "WHERE rank < $2" } else { "WHERE $2::bigint IS NULL" };
    let text = format!(
        "SELECT object_id, 1 - (embedding <=> $1::vector) FROM \"{}\" {filter} ORDER BY embedding <=> $1::vector LIMIT {K}",
        part.table
    );
    let literal = format!("{target:?}");
    let rows = sqlx::query(AssertSqlSafe(text)).bind(literal).bind(below).fetch_all(pool).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

async fn post(http: &reqwest::Client, url: String, body: Answer) -> Result<Answer, Failed> {
    let answer = http.post(url).header("content-type", "application/json").body(body.to_string()).send().await?;
    Ok(serde_json::from_slice(&answer.bytes().await?)?)
}

async fn by_rest(http: &reqwest::Client, url: &str, part: &Part, target: &[f32], below: Option<i64>) -> Result<Vec<(String, f64)>, Failed> {
    let filter = below.map_or_else(|| json!({ "match_all": {} }), |below| json!({ "range": { "f.rank": { "lt": below } } }));
    let knn = json!({ "field": "f.embedding", "query_vector": target, "k": K, "num_candidates": 200, "filter": filter });
    let body = json!({ "size": K, "knn": knn, "_source": false, "track_total_hits": false });
    let answer = post(http, format!("{url}/{}/_search", part.table), body).await?;
    let hits = answer["hits"]["hits"].as_array().cloned().unwrap_or_default();
    Ok(hits.iter().filter_map(|hit| Some((hit["_id"].as_str()?.to_owned(), hit["_score"].as_f64()?))).collect())
}

async fn by_chroma(http: &reqwest::Client, url: &str, target: &[f32], below: Option<i64>) -> Result<Vec<(String, f64)>, Failed> {
    let mut body = json!({ "query_embeddings": [target], "n_results": K, "include": ["distances"] });
    if let Some(below) = below {
        body["where"] = json!({ "rank": { "$lt": below } });
    }
    let answer = post(http, format!("{url}/query"), body).await?;
    let (ids, distances) = (answer["ids"][0].as_array().cloned(), answer["distances"][0].as_array().cloned());
    let pairs = ids.unwrap_or_default().into_iter().zip(distances.unwrap_or_default());
    Ok(pairs.filter_map(|(id, distance)| Some((id.as_str()?.to_owned(), 1.0 - distance.as_f64()?))).collect())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let rows = rows()?;
    let address = |name: &str| {
        let found = std::env::var(format!("HEAVENBASE_TEST_{name}")).ok();
        if found.is_none() {
            println!("not run: HEAVENBASE_TEST_{name} is not set");
        }
        found
    };
    let http = || -> Result<reqwest::Client, Failed> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = rustls::RootCertStore::empty();
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(reqwest::Client::builder().tls_backend_preconfigured(config).tcp_nodelay(true).build()?)
    };
    if let Some(url) = address("PGVECTOR") {
        let pool = PgPoolOptions::new().max_connections(2).test_before_acquire(false).connect(&url).await?;
        sqlx::raw_sql("SET hnsw.iterative_scan = strict_order; SET hnsw.ef_search = 100").execute(&pool).await?;
        let analyze = async |part: &Part| sqlx::raw_sql(AssertSqlSafe(format!("ANALYZE \"{}\"", part.table))).execute(&pool).await;
        measured!(
            "pgvector hnsw",
            rows,
            OnPg { main: PgVector::url(&url) },
            PgGloss,
            |part, target, below| by_sqlx(&pool, &part, target, below),
            |ready| analyze(ready).await?
        );
    }
    if let Some(url) = address("ELASTICSEARCH") {
        let http = http()?;
        let quick = || Elasticsearch::url(&url).refresh(heavenbase::backends::elasticsearch::Refresh::BeforeSearch);
        measured!(
            "elastic hnsw",
            rows,
            OnElastic { main: quick() },
            ElasticGloss,
            |part, target, below| by_rest(&http, &url, &part, target, below),
            |_ready| {}
        );
        measured!(
            "elastic flat",
            rows,
            OnElasticFlat { main: quick() },
            ElasticFlat,
            |part, target, below| by_rest(&http, &url, &part, target, below),
            |_ready| {}
        );
    }
    if let Some(url) = address("CHROMA") {
        let http = http()?;
        let collection = std::cell::RefCell::new(String::new());
        let find = async |part: &Part| -> Result<(), Failed> {
            let base = format!("{url}/api/v2/tenants/default_tenant/databases/default_database/collections");
            let answer = http.get(format!("{base}/{}", part.table)).send().await?;
            let found: Answer = serde_json::from_slice(&answer.bytes().await?)?;
            *collection.borrow_mut() = format!("{base}/{}", found["id"].as_str().unwrap_or_default());
            Ok(())
        };
        measured!(
            "chroma hnsw",
            rows,
            OnChroma { main: Chroma::url(&url) },
            ChromaGloss,
            |_part, target, below| {
                let at = collection.borrow().clone();
                let http = &http;
                async move { by_chroma(http, &at, target, below).await }
            },
            |ready| find(ready).await?
        );
    }
    Ok(())
}
