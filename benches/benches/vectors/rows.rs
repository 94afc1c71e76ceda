//! What is searched: embeddings, the texts they are of, a number to filter by.

use heavenbase::types::Metric;
use heavenbase_benches::Random;

use crate::Failed;

/// Numbers of a vector, searches that are measured of a kind, and hits that are wanted.
pub const LENGTH: usize = 384;
pub const ROUNDS: usize = 60;
pub const K: usize = 10;

/// Which rows a search is among.
#[derive(Clone, Copy)]
pub enum Among<'a> {
    All,
    Below(i64),
    Ids(&'a [String]),
}

/// The rows: embeddings, a number in no order that filters go by, and texts.
#[derive(Debug)]
pub struct Rows {
    pub vectors: Vec<Vec<f32>>,
    pub rank: Vec<i64>,
    pub glosses: Vec<String>,
}

/// Those of the files that `HEAVENBASE_TEST_SYNSETS` names (its `.jsonl` beside it), or made up.
pub fn rows() -> Result<Rows, Failed> {
    let mut random = Random(7);
    let (vectors, glosses): (Vec<Vec<f32>>, Vec<String>) = match std::env::var("HEAVENBASE_TEST_SYNSETS").ok() {
        Some(path) => {
            let bytes = std::fs::read(&path)?;
            let head = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
            let numbers: Vec<f32> = bytes[head..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            let texts = std::fs::read_to_string(path.replace(".minilm384.npy", ".jsonl"))?;
            let gloss = |line: &str| -> Result<String, Failed> {
                let row: serde_json::Value = serde_json::from_str(line)?;
                Ok(row["gloss"].as_str().unwrap_or_default().to_owned())
            };
            (numbers.chunks_exact(LENGTH).map(<[f32]>::to_vec).collect(), texts.lines().map(gloss).collect::<Result<_, Failed>>()?)
        }
        None => {
            println!("HEAVENBASE_TEST_SYNSETS is not set: made-up rows");
            let words = ["a", "small", "red", "animal", "that", "lives", "in", "water", "tool", "used", "by", "people"];
            let vector = |random: &mut Random| (0..LENGTH).map(|_| random.unit() as f32 - 0.5).collect();
            let gloss = |random: &mut Random| (0..8).map(|_| words[random.below(12) as usize]).collect::<Vec<_>>().join(" ");
            (0..10_000).map(|_| (vector(&mut random), gloss(&mut random))).unzip()
        }
    };
    let mut rank: Vec<i64> = (0..vectors.len() as i64).collect();
    for at in (1..rank.len()).rev() {
        rank.swap(at, random.below(at as u64 + 1) as usize);
    }
    Ok(Rows { vectors, rank, glosses })
}

impl Rows {
    /// The ids of the ten best of the rows below a rank.
    pub fn best(&self, target: &[f32], below: i64) -> Vec<String> {
        let score = |row: &usize| Metric::Cosine.score(target, &self.vectors[*row]);
        let mut scored: Vec<(f64, usize)> =
            (0..self.rank.len()).filter(|row| self.rank[*row] < below).map(|row| (score(&row), row)).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.into_iter().take(K).map(|(_, row)| id(row)).collect()
    }

    /// How many rows are below the rank that lets so many percent through, and at least ten.
    pub fn below(&self, percent: f64) -> i64 {
        ((self.vectors.len() as f64 * percent / 100.0) as i64).max(K as i64)
    }

    /// Rows to search around.
    pub fn targets(&self, count: usize) -> Vec<Vec<f32>> {
        (0..count).map(|n| self.vectors[(n * 7_919) % self.vectors.len()].clone()).collect()
    }
}

/// A row's id.
pub fn id(row: usize) -> String {
    format!("r{row:06}")
}
