//! Whose place scores leave in doubt that are off a little: a server's of 32 bits.

/// The places among hits, best first, that are in doubt as far as the first `k` are concerned: runs of scores each no farther
/// than `blur` from the next that begin among the first `k`.
///
/// `None` where a run reaches the last of the `size` hits asked for, and may go on behind it.
pub(crate) fn in_doubt(scores: &[f64], k: usize, size: usize, blur: f64) -> Option<Vec<usize>> {
    let is_close = |at: usize| scores.get(at + 1).is_some_and(|next| scores[at] - next <= blur);
    let mut doubtful = Vec::new();
    let mut first = 0;
    while first < k.min(scores.len()) {
        let mut last = first;
        while is_close(last) {
            last += 1;
        }
        if last > first {
            if last + 1 == size {
                return None;
            }
            doubtful.extend(first..=last);
        }
        first = last + 1;
    }
    Some(doubtful)
}

/// As [`in_doubt`]; `None` too where they are more than a quarter of the hits, and not worth looking at alone.
#[cfg(any(feature = "elasticsearch", feature = "milvus", test))]
pub(crate) fn few_in_doubt(scores: &[f64], k: usize, size: usize, blur: f64) -> Option<Vec<usize>> {
    in_doubt(scores, k, size, blur).filter(|doubtful| doubtful.len() * 4 <= scores.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSE: f64 = 1e-5;

    /// Scores of 20 hits, apart but for those that are close to the one before them.
    fn scores(close: &[usize]) -> Vec<f64> {
        let mut score = 0.9;
        let fall = |at: usize| if close.contains(&at) { 4e-6 } else { 1e-3 };
        (0..20)
            .map(|at| {
                score -= fall(at);
                score
            })
            .collect()
    }

    #[test]
    fn runs_of_close_scores_are_in_doubt() {
        let in_first = |k: usize, close: &[usize]| in_doubt(&scores(close), k, 20, CLOSE);
        assert_eq!(in_first(10, &[]), Some(vec![]));
        assert_eq!(in_first(10, &[1]), Some(vec![0, 1]));
        assert_eq!(in_first(10, &[4]), Some(vec![3, 4]));
        assert_eq!(in_first(10, &[4, 5, 9]), Some(vec![3, 4, 5, 8, 9]));
        assert_eq!(in_first(10, &[2, 4]), Some(vec![1, 2, 3, 4]), "two runs side by side");
        assert_eq!(in_doubt(&[], 10, 20, CLOSE), Some(vec![]));
        assert_eq!(in_doubt(&[0.5], 10, 20, CLOSE), Some(vec![]));
    }

    #[test]
    fn a_run_over_the_edge_of_k_is_looked_at_to_its_end() {
        assert_eq!(in_doubt(&scores(&[10, 11, 12]), 10, 20, CLOSE), Some(vec![9, 10, 11, 12]));
        assert_eq!(in_doubt(&scores(&[11, 12]), 10, 20, CLOSE), Some(vec![]), "it begins behind the first k");
        assert_eq!(in_doubt(&scores(&[1, 2]), 1, 20, CLOSE), Some(vec![0, 1, 2]));
    }

    #[test]
    fn a_run_to_the_last_hit_may_go_on_behind_it() {
        assert_eq!(in_doubt(&scores(&[17, 18, 19]), 17, 20, CLOSE), None);
        assert_eq!(in_doubt(&scores(&[17, 18, 19]), 17, 21, CLOSE), Some(vec![16, 17, 18, 19]), "there are no more rows");
        assert_eq!(in_doubt(&scores(&[17, 18, 19]), 16, 20, CLOSE), Some(vec![]));
        assert_eq!(in_doubt(&scores(&[]), 20, 20, CLOSE), Some(vec![]), "the last one alone is no run");
    }

    #[test]
    fn many_in_doubt_are_not_looked_at_alone() {
        assert_eq!(few_in_doubt(&[0.5; 20], 10, 20, CLOSE), None);
        assert_eq!(few_in_doubt(&[0.5; 20], 10, 21, CLOSE), None);
        assert_eq!(few_in_doubt(&[0.0; 20], 1, 21, CLOSE), None, "opposite vectors");
        assert_eq!(in_doubt(&[0.0; 20], 1, 21, CLOSE).map(|found| found.len()), Some(20));
        assert_eq!(few_in_doubt(&scores(&[2, 3, 4, 5]), 10, 20, CLOSE).map(|found| found.len()), Some(5));
        assert_eq!(few_in_doubt(&scores(&[2, 3, 4, 5, 6]), 10, 20, CLOSE), None);
    }
}
