//! Searches in this process as an application would write them: rows in memory, and vectors in a column of SQLite.

use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::Failed;
use crate::rows::{Among, LENGTH, Rows as Made, id};

/// A client of a backend in this process.
pub enum Client {
    Sqlite(Numbers),
    Memory(Rows),
    #[cfg(feature = "lance")]
    Lance(crate::lance::Dataset),
}

impl Client {
    /// Opens a part where others can open it; else lays the same rows out as a client would.
    pub async fn connect(kind: &str, place: &str, table: &str, rows: &Made) -> Result<Client, Failed> {
        let _ = table;
        match kind {
            #[cfg(feature = "lance")]
            "lance" => Ok(Client::Lance(crate::lance::Dataset::open(place, table).await?)),
            "sqlite" => Ok(Client::Sqlite(Numbers::new(place, rows)?)),
            _ => Ok(Client::Memory(Rows::new(rows))),
        }
    }

    /// The ids of the nearest rows, with their scores.
    pub async fn nearest(&self, target: &[f32], k: usize, among: Among<'_>) -> Result<Vec<(String, f64)>, Failed> {
        match self {
            Client::Sqlite(numbers) => numbers.nearest(target, k, among),
            Client::Memory(rows) => Ok(rows.nearest(target, k, among)),
            #[cfg(feature = "lance")]
            Client::Lance(dataset) => dataset.nearest(target, k, among).await,
        }
    }
}

/// The product of two vectors: in lanes, so that the compiler makes it one instruction for several.
fn product(a: &[f32], b: impl Iterator<Item = [f32; 16]>) -> f32 {
    let mut lanes = [0.0f32; 16];
    for (a, b) in a.as_chunks::<16>().0.iter().zip(b) {
        for lane in 0..16 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum()
}

/// A vector of length 1.
fn unit(vector: &[f32]) -> Vec<f32> {
    let norm = vector.iter().map(|n| n * n).sum::<f32>().sqrt();
    vector.iter().map(|n| n / norm).collect()
}

/// The best so far, worst first.
struct Best<T> {
    k: usize,
    found: Vec<(f32, T)>,
}

impl<T> Best<T> {
    fn new(k: usize) -> Self {
        Best { k, found: Vec::with_capacity(k + 1) }
    }

    fn offer(&mut self, score: f32, of: impl FnOnce() -> T) {
        if self.found.len() == self.k && self.found.first().is_some_and(|worst| worst.0 >= score) {
            return;
        }
        let at = self.found.partition_point(|other| other.0 < score);
        self.found.insert(at, (score, of()));
        if self.found.len() > self.k {
            self.found.remove(0);
        }
    }

    fn ids(self, id: impl Fn(T) -> String) -> Vec<(String, f64)> {
        self.found.into_iter().rev().map(|(score, of)| (id(of), f64::from(score))).collect()
    }
}

/// Rows in memory: numbers side by side, and where to find an id.
pub struct Rows {
    ids: Vec<String>,
    rank: Vec<i64>,
    vectors: Vec<f32>,
    places: HashMap<String, usize>,
}

impl Rows {
    pub fn new(rows: &Made) -> Rows {
        let ids: Vec<String> = (0..rows.rank.len()).map(id).collect();
        let vectors = rows.vectors.iter().flat_map(|vector| unit(vector)).collect();
        let places = ids.iter().cloned().enumerate().map(|(place, id)| (id, place)).collect();
        Rows { ids, rank: rows.rank.clone(), vectors, places }
    }

    pub fn nearest(&self, target: &[f32], k: usize, among: Among<'_>) -> Vec<(String, f64)> {
        let (target, mut best) = (unit(target), Best::new(k));
        let mut look = |row: usize| {
            let vector = &self.vectors[row * LENGTH..(row + 1) * LENGTH];
            best.offer(product(&target, vector.as_chunks::<16>().0.iter().copied()), || row);
        };
        match among {
            Among::All => (0..self.ids.len()).for_each(&mut look),
            Among::Below(below) => (0..self.ids.len()).filter(|row| self.rank[*row] < below).for_each(&mut look),
            Among::Ids(ids) => ids.iter().filter_map(|id| self.places.get(id)).for_each(|row| look(*row)),
        }
        best.ids(|row| self.ids[row].clone())
    }
}

/// A table of SQLite with the vectors, of length 1, as bytes.
pub struct Numbers {
    connection: Connection,
}

impl Numbers {
    pub fn new(file: &str, rows: &Made) -> Result<Numbers, Failed> {
        let mut connection = Connection::open(file)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA cache_size = -65536; PRAGMA mmap_size = 1073741824;
             CREATE TABLE gloss (object_id TEXT PRIMARY KEY, rank INTEGER NOT NULL, embedding BLOB NOT NULL) STRICT",
        )?;
        let transaction = connection.transaction()?;
        for (row, vector) in rows.vectors.iter().enumerate() {
            let bytes: Vec<u8> = unit(vector).iter().flat_map(|n| n.to_le_bytes()).collect();
            let mut put = transaction.prepare_cached("INSERT INTO gloss VALUES (?1, ?2, ?3)")?;
            put.execute(rusqlite::params![id(row), rows.rank[row], bytes])?;
        }
        transaction.commit()?;
        Ok(Numbers { connection })
    }

    pub fn nearest(&self, target: &[f32], k: usize, among: Among<'_>) -> Result<Vec<(String, f64)>, Failed> {
        let condition = match among {
            Among::All => "",
            Among::Below(_) => "WHERE rank < ?1",
            Among::Ids(_) => "WHERE object_id IN (SELECT value FROM json_each(?1))",
        };
        let mut statement = self.connection.prepare_cached(&format!("SELECT object_id, embedding FROM gloss {condition}"))?;
        let mut rows = match among {
            Among::All => statement.query([])?,
            Among::Below(below) => statement.query([below])?,
            Among::Ids(ids) => statement.query([serde_json::to_string(ids)?])?,
        };
        let (target, mut best) = (unit(target), Best::new(k));
        while let Some(row) = rows.next()? {
            let ValueRef::Blob(bytes) = row.get_ref(1)? else { return Err("no vector".into()) };
            let numbers = bytes.as_chunks::<64>().0.iter().map(|chunk| {
                std::array::from_fn(|at| f32::from_le_bytes([chunk[4 * at], chunk[4 * at + 1], chunk[4 * at + 2], chunk[4 * at + 3]]))
            });
            let score = product(&target, numbers);
            let name = row.get_ref(0)?.as_str()?;
            best.offer(score, || name.to_owned());
        }
        Ok(best.ids(|id| id))
    }
}
