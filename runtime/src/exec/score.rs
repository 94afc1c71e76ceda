use std::collections::HashMap;

use crate::types::words;

/// How well a text matches the words of a query that all occur in it; higher is better, the same on every backend.
///
/// BM25's saturation and length normalisation ([Robertson and Zaragoza, 2009]) with `k1 = 1.2`, `b = 0.75` and a
/// reference length of 100 words in the place of the collection's average, and without inverse document frequency: the
/// score of a row depends on that row alone, so every backend gives the same one and other rows do not move it.
///
/// [Robertson and Zaragoza, 2009]: https://doi.org/10.1561/1500000019
pub fn text_score(text: &str, query: &[String]) -> f64 {
    let (mut counts, mut length) = (HashMap::new(), 0usize);
    for word in words(text) {
        *counts.entry(word).or_insert(0usize) += 1;
        length += 1;
    }
    let norm = 1.2 * (0.25 + 0.75 * length as f64 / 100.0);
    let mut scored: Vec<&String> = query.iter().collect();
    scored.sort_unstable();
    scored.dedup();
    let count = |word: &String| counts.get(word).copied().unwrap_or(0) as f64;
    scored.into_iter().map(|word| count(word) * 2.2 / (count(word) + norm)).sum()
}
