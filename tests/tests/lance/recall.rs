use std::path::PathBuf;
use std::sync::Arc;

use heavenbase::backends::Lance;
use heavenbase::filter::{Condition, Filter};
use heavenbase::schema::Index;
use heavenbase::types::{Id, Metric, Value};
use heavenbase_tests::random::Random;

use crate::common::{Outcome, Store, number, random_vector, test, vector};

/// What a search must find of the ten nearest, over all searches of one filter.
const LEAST: f64 = 0.95;
const K: usize = 10;
const QUERIES: usize = 20;

/// The embeddings of `HEAVENBASE_TEST_SYNSETS` (a float32 `.npy` of 384 numbers a row), or clusters made up.
fn vectors() -> Outcome<(&'static str, Vec<Arc<[f32]>>)> {
    if let Some(path) = std::env::var_os("HEAVENBASE_TEST_SYNSETS").map(PathBuf::from) {
        let bytes = std::fs::read(path)?;
        let head = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let numbers: Vec<f32> = bytes[head..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        return Ok(("synsets", numbers.chunks_exact(384).map(Arc::from).collect()));
    }
    eprintln!("HEAVENBASE_TEST_SYNSETS is not set: made-up clusters instead");
    let mut random = Random::new(11);
    let centres: Vec<Arc<[f32]>> = (0..40).map(|_| random_vector(&mut random, 64)).collect();
    let mut near_one = || -> Arc<[f32]> {
        let centre = centres[random.below(centres.len())].clone();
        centre.iter().map(|x| x + (random.unit() as f32 - 0.5) * 1.2).collect()
    };
    Ok(("clusters", (0..6_000).map(|_| near_one()).collect()))
}

fn unit(vector: &[f32]) -> Arc<[f32]> {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / norm).collect()
}

async fn measure(method: &'static str, parameters: &'static [(&'static str, i64)]) -> Outcome {
    let directory = tempfile::tempdir()?;
    let (source, vectors) = vectors()?;
    let (rows, length) = (vectors.len(), vectors[0].len());
    let metric = Metric::Cosine;
    let specs = [number("near"), number("any"), vector("embedding", length as u32, metric)];
    let index = [("embedding", Index { method, parameters })];
    let backend = Lance::dir(directory.path()).upkeep(false);
    let store = Store::open(backend, &specs, &index).await?;

    // `near` counts rows from the most to the least similar to an anchor, `any` in no order.
    let anchor = unit(&vectors[rows / 3]);
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by(|a, b| metric.score(&anchor, &vectors[*b]).total_cmp(&metric.score(&anchor, &vectors[*a])));
    let mut near = vec![0i64; rows];
    order.iter().enumerate().for_each(|(place, row)| near[*row] = place as i64);
    let mut random = Random::new(5);
    let mut any: Vec<i64> = (0..rows as i64).collect();
    random.shuffle(&mut any);
    let id = |row: usize| Id::from(format!("r{row:06}"));
    let written: Vec<(Id, Vec<Value>)> =
        (0..rows).map(|row| (id(row), vec![Value::Int(near[row]), Value::Int(any[row]), Value::Vector(vectors[row].clone())])).collect();
    // The last rows come after the index was built.
    let late = rows / 20;
    let start = std::time::Instant::now();
    store.upsert(1, written[..rows - late].to_vec()).await?;
    let loaded = start.elapsed();
    store.lance().maintain(&store.part).await?;
    eprintln!("{method} over {source}: {rows} rows written in {loaded:?}, indexed in {:?}", start.elapsed() - loaded);
    store.upsert(2, written[rows - late..].to_vec()).await?;

    // Queries from around the anchor, so that a filter on `near` is correlated with them.
    let queries: Vec<Arc<[f32]>> = (0..QUERIES)
        .map(|n| unit(&vectors[order[n * 7]].iter().map(|x| x + (random.unit() as f32 - 0.5) * 0.02).collect::<Vec<f32>>()))
        .collect();
    for percent in [100.0, 50.0, 10.0, 1.0, 0.1, 0.01] {
        let matching = ((rows as f64 * percent / 100.0).round() as i64).max(1);
        let below = |field| test(field, Condition::Lt(Value::Int(matching)));
        let above = |field| test(field, Condition::Ge(Value::Int(rows as i64 - matching)));
        let filters: [(&str, Filter, Box<dyn Fn(usize) -> bool>); 3] = [
            ("positive", below("near"), Box::new(|row| near[row] < matching)),
            ("none", below("any"), Box::new(|row| any[row] < matching)),
            ("negative", above("near"), Box::new(|row| near[row] >= rows as i64 - matching)),
        ];
        for (correlation, filter, holds) in filters {
            let filter = if percent == 100.0 { Filter::all() } else { filter };
            let expected = K.min(matching as usize);
            let (mut found, mut took) = (0, std::time::Duration::ZERO);
            for query in &queries {
                let mut best: Vec<(f64, usize)> =
                    (0..rows).filter(|row| holds(*row)).map(|row| (metric.score(query, &vectors[row]) + 0.0, row)).collect();
                best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                best.truncate(K);
                let start = std::time::Instant::now();
                let hits = store.near(2, query, metric, K, false, filter.clone()).await?;
                took += start.elapsed();
                assert_eq!(hits.len(), expected, "{method}, {percent}% {correlation}");
                found += best.iter().filter(|(_, row)| hits.ids.contains(&id(*row))).count();
                // Scores are those of the vectors themselves, best first.
                for (hit, score) in hits.ids.iter().zip(&hits.scores) {
                    let row: usize = hit[1..].parse()?;
                    assert!((score - metric.score(query, &vectors[row])).abs() < 1e-5);
                }
                assert!(hits.scores.is_sorted_by(|a, b| a >= b));
                let exact = store.near(2, query, metric, K, true, filter.clone()).await?;
                let right: Vec<Id> = best.iter().map(|(_, row)| id(*row)).collect();
                assert_eq!(exact.ids, right, "{method}, {percent}% {correlation}: the exact search");
            }
            let recall = found as f64 / (expected * QUERIES) as f64;
            eprintln!("{method} {percent}% {correlation}: recall@{K} {recall:.3}, {:?} a search", took / QUERIES as u32);
            assert!(recall >= LEAST, "{method} over {source}, {percent}% {correlation}: recall@{K} {recall}");
            if percent == 100.0 {
                break;
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ivf_pq_finds_the_nearest_under_every_filter() -> Outcome {
    measure("ivf_pq", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ivf_sq_finds_the_nearest_under_every_filter() -> Outcome {
    measure("ivf_sq", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ivf_flat_finds_the_nearest_under_every_filter() -> Outcome {
    measure("ivf_flat", &[("partitions", 64)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn hnsw_finds_the_nearest_under_every_filter() -> Outcome {
    measure("hnsw", &[("m", 16), ("ef_construction", 100)]).await
}

/// Each metric with its sign and squares undone, ties in the order of ids, rows without a vector left out.
#[tokio::test(flavor = "multi_thread")]
async fn scores_are_ours_and_ties_are_settled_by_id() -> Outcome {
    for metric in [Metric::Cosine, Metric::L2, Metric::Dot] {
        let directory = tempfile::tempdir()?;
        let store = Store::open(Lance::dir(directory.path()), &[number("n"), vector("v", 8, metric)], &[]).await?;
        let mut random = Random::new(3);
        // Few different vectors among many rows: every edge is a tie.
        let distinct: Vec<Arc<[f32]>> = (0..6).map(|_| random_vector(&mut random, 8)).collect();
        let mut rows: Vec<(Id, Vec<Value>)> = (0..600)
            .map(|n| {
                let vector = if n % 10 == 0 { Value::Null } else { Value::Vector(distinct[n % 6].clone()) };
                (Id::from(format!("r{:03}", (n * 7) % 600)), vec![Value::Int(n as i64), vector])
            })
            .collect();
        store.upsert(1, rows.clone()).await?;
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        for k in [1, 5, 37, 90, 200, 540, 1_000] {
            let query = random_vector(&mut random, 8);
            let found = store.near(1, &query, metric, k, true, Filter::all()).await?;
            let mut best: Vec<(f64, &Id)> =
                rows.iter().filter_map(|(id, values)| values[1].as_vector().map(|v| (metric.score(&query, v) + 0.0, id))).collect();
            best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
            best.truncate(k);
            assert!(found.ids.iter().eq(best.iter().map(|(_, id)| *id)), "{metric}, k {k}");
            assert!(found.scores.iter().zip(&best).all(|(a, b)| (a - b.0).abs() < 1e-5), "{metric}, k {k}");
        }
    }
    Ok(())
}
