//! Vector search in `f64`.

use std::cmp::Ordering;

use heavenbase::types::{Metric, Value};

/// The score of a stored vector seen from the query: higher is better.
pub fn score(metric: Metric, query: &[f32], stored: &[f32]) -> f64 {
    let (mut dot, mut query_square, mut stored_square, mut distance_square) = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
    for (x, y) in query.iter().zip(stored) {
        let (x, y) = (f64::from(*x), f64::from(*y));
        dot += x * y;
        query_square += x * x;
        stored_square += y * y;
        distance_square += (x - y) * (x - y);
    }
    match metric {
        Metric::Dot => dot,
        Metric::L2 => -distance_square.sqrt(),
        Metric::Cosine => dot / (query_square.sqrt() * stored_square.sqrt()),
    }
}

/// The nearest of these rows (id and vector): best score first, then id; rows without a vector never.
pub fn near<'a>(metric: Metric, query: &[f32], k: usize, rows: impl Iterator<Item = (&'a str, &'a Value)>) -> Vec<(&'a str, f64)> {
    let mut scored: Vec<(&str, f64)> =
        rows.filter_map(|(id, value)| value.as_vector().map(|stored| (id, score(metric, query, stored)))).collect();
    // Not `total_cmp`, which sets 0.0 before -0.0: they are one score, a tie.
    scored.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal).then_with(|| a.0.as_bytes().cmp(b.0.as_bytes())));
    scored.truncate(k);
    scored
}
