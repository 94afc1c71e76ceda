use heavenbase::filter::Filter;
use heavenbase::types::{Id, Metric, Value};
use heavenbase_tests::backends::{Place, Tested};
use heavenbase_tests::random::Random;
use heavenbase_tests::store::{Row, Store, vector};

use crate::Outcome;

const LENGTH: usize = 24;
const ROWS: usize = 300;

/// The score as `docs/semantics.md` defines it, in 64 bits and by itself.
fn score(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    let wide = |numbers: &[f32]| numbers.iter().map(|n| f64::from(*n)).collect::<Vec<_>>();
    let (a, b) = (wide(a), wide(b));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    match metric {
        Metric::Dot => dot(&a, &b),
        Metric::L2 => -a.iter().zip(&b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt(),
        Metric::Cosine => dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt(),
    }
}

/// Each metric's score of every row, for vectors short and long, alike and opposite: the same as everywhere, to 1e-5.
pub async fn scores(tested: Tested) -> Outcome {
    let metrics = [Metric::Cosine, Metric::L2, Metric::Dot];
    let place = Place::new(tested.variable)?;
    let driver = (tested.open)(place.clone()).await?;
    let specs = metrics.map(|metric| vector(metric.name(), LENGTH as u32, metric));
    let store = Store::over(driver, tested.kind, &specs).await?;
    let mut random = Random::named(heavenbase_tests::random::seed(), "scores");
    let mut made = |length: f64| -> Vec<f32> { (0..LENGTH).map(|_| ((random.unit() * 2.0 - 1.0) * length) as f32).collect() };
    let lengths = [1.0, 1e-3, 0.1, 30.0];
    let mut vectors: Vec<Vec<f32>> = (0..ROWS).map(|n| made(lengths[n % lengths.len()])).collect();
    // Twins, opposites and multiples, whose scores are at the ends of the scale.
    vectors[1] = vectors[0].clone();
    vectors[2] = vectors[0].iter().map(|x| -x).collect();
    vectors[3] = vectors[0].iter().map(|x| x * 7.0).collect();
    let rows: Vec<Row> =
        vectors.iter().enumerate().map(|(n, v)| (Id::from(format!("r{n:04}")), vec![Value::Vector(v.as_slice().into()); 3])).collect();
    store.upsert(1, &rows).await?;
    let targets = [vectors[0].clone(), made(1.0), made(50.0), made(1e-2)];
    let mut compared = 0;
    for (column, metric) in metrics.into_iter().enumerate() {
        for target in &targets {
            for (k, exact) in [(ROWS, true), (ROWS, false), (7, true)] {
                let found = store.near(column, target, k, exact, Filter::all()).await?;
                assert_eq!(found.len(), k, "{metric}");
                for (id, said) in found.ids.iter().zip(&found.scores) {
                    let own = score(metric, target, &vectors[id[1..].parse::<usize>()?]);
                    assert!((own - said).abs() <= 1e-5 * own.abs().max(1.0), "{metric}: {said} for {own}, exact {exact}");
                    compared += 1;
                }
                assert!(found.scores.is_sorted_by(|a, b| a >= b), "{metric}: not in order");
            }
        }
    }
    eprintln!("{}: {compared} scores", tested.name);
    Ok(store.close().await?)
}
