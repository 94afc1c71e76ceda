use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use heavenbase::types::Metric;
use heavenbase_tests::random::Random;
use heavenbase_tests::store::random_vector;

use crate::Outcome;

/// Numbers a vector.
pub const LENGTH: usize = 384;
/// Rows around which queries lie, and from which rows are counted.
pub const ANCHORS: usize = 2;
/// Made-up rows, where there are no real ones.
const MADE_UP: usize = 2_000;

/// Vectors of length one, and what rows are filtered by.
pub struct Data {
    /// Where they are from.
    pub source: &'static str,
    pub vectors: Vec<Arc<[f32]>>,
    /// For each anchor, each row's place from the most to the least similar to it.
    pub near: Vec<Vec<i64>>,
    /// Each row's place in no order.
    pub any: Vec<i64>,
    /// For each anchor, the rows from the most similar on.
    order: Vec<Vec<usize>>,
}

/// The vectors, read once.
pub fn data() -> Outcome<&'static Data> {
    static DATA: OnceLock<Result<Data, String>> = OnceLock::new();
    DATA.get_or_init(|| read().map_err(|error| error.to_string())).as_ref().map_err(|why| why.as_str().into())
}

fn read() -> Outcome<Data> {
    let (source, vectors) = match std::env::var_os("HEAVENBASE_TEST_SYNSETS").map(PathBuf::from) {
        Some(path) => ("glosses", npy(&std::fs::read(path)?)?),
        None => {
            eprintln!("not run: recall on real data (HEAVENBASE_TEST_SYNSETS is not set); {MADE_UP} made-up vectors instead");
            ("made-up", made_up())
        }
    };
    let mut random = Random::new(5);
    let mut any: Vec<i64> = (0..vectors.len() as i64).collect();
    random.shuffle(&mut any);
    let (mut near, mut order) = (Vec::new(), Vec::new());
    for anchor in 0..ANCHORS {
        let scores = scores(&vectors[(anchor + 1) * vectors.len() / (ANCHORS + 1)], &vectors);
        let rows = best_first(&scores);
        let mut places = vec![0; rows.len()];
        rows.iter().enumerate().for_each(|(place, row)| places[*row] = place as i64);
        near.push(places);
        order.push(rows);
    }
    Ok(Data { source, vectors, near, any, order })
}

/// Vectors of a NumPy file.
fn npy(bytes: &[u8]) -> Outcome<Vec<Arc<[f32]>>> {
    let length = bytes.get(8..10).ok_or("no NumPy file")?;
    let head = 10 + usize::from(u16::from_le_bytes([length[0], length[1]]));
    let numbers: Vec<f32> = bytes[head..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    Ok(numbers.chunks_exact(LENGTH).map(Arc::from).collect())
}

fn made_up() -> Vec<Arc<[f32]>> {
    let mut random = Random::new(11);
    let centres: Vec<Arc<[f32]>> = (0..20).map(|_| random_vector(&mut random, LENGTH)).collect();
    let mut around = || -> Arc<[f32]> {
        let centre = centres[random.below(centres.len())].clone();
        unit(centre.iter().map(|x| x + (random.unit() as f32 - 0.5) * 1.5).collect())
    };
    (0..MADE_UP).map(|_| around()).collect()
}

fn unit(vector: Vec<f32>) -> Arc<[f32]> {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / norm).collect()
}

fn scores(target: &[f32], vectors: &[Arc<[f32]>]) -> Vec<f64> {
    vectors.iter().map(|vector| Metric::Cosine.score(target, vector)).collect()
}

/// Rows from the best score on, then by their number, which orders as their id.
fn best_first(scores: &[f64]) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..scores.len()).collect();
    rows.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    rows
}

/// A query, with its score of every row and the rows from the best on.
pub struct Target {
    pub vector: Arc<[f32]>,
    pub anchor: usize,
    pub scores: Vec<f64>,
    pub best: Vec<usize>,
}

impl Data {
    /// So many queries, each from around an anchor: so that what is counted from the anchor correlates with it.
    pub fn targets(&self, count: usize, random: &mut Random) -> Vec<Target> {
        let mut target = |number: usize| {
            let anchor = number % ANCHORS;
            let row = self.order[anchor][random.below(self.vectors.len() / 20)];
            let vector = unit(self.vectors[row].iter().map(|x| x + (random.unit() as f32 - 0.5) * 0.02).collect());
            let scores = scores(&vector, &self.vectors);
            let best = best_first(&scores);
            Target { vector, anchor, scores, best }
        };
        (0..count).map(&mut target).collect()
    }
}
