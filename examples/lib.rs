//! What the examples share: the film table, and a feature hash in the place of a model.

use heavenbase::prelude::*;
use heavenbase::workspace::Progress;

/// One line of `examples/data/films.jsonl`.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub struct FilmRecord {
    /// The title.
    pub title: String,
    /// Day of release, `YYYY-MM-DD`.
    pub released: String,
    /// Who directed it.
    pub director: String,
    /// The genre, as one word or two.
    pub genre: String,
    /// Who distributed it.
    pub distributor: Option<String>,
    /// Running time.
    pub minutes: Option<i64>,
    /// In US dollars.
    pub budget: Option<i64>,
    /// Worldwide, in US dollars.
    pub gross: Option<i64>,
    /// From 0 to 10.
    pub rating: f64,
    /// How many voted.
    pub votes: i64,
    /// What it was made from.
    pub source: Option<String>,
}

/// The films of `examples/data`.
///
/// # Errors
/// When a line is not a film.
pub fn films() -> serde_json::Result<Vec<FilmRecord>> {
    include_str!("data/films.jsonl").lines().map(serde_json::from_str).collect()
}

/// A vector for a text without any model: its words and their three-letter pieces, hashed into `N` numbers with a sign,
/// scaled to length one. Texts that share words and word parts are near. Deterministic.
pub fn feature_hash<const N: usize>(text: &str) -> Vector<N> {
    let mut numbers = [0f32; N];
    let mut add = |feature: &[u8], weight: f32| {
        // FNV-1a.
        let hash = feature.iter().fold(0xcbf2_9ce4_8422_2325u64, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        numbers[(hash % N as u64) as usize] += sign * weight;
    };
    for word in heavenbase::types::words(text) {
        add(word.as_bytes(), 1.0);
        word.as_bytes().windows(3).for_each(|piece| add(piece, 0.3));
    }
    let length = numbers.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        numbers.iter_mut().for_each(|x| *x /= length);
    } else {
        numbers[0] = 1.0;
    }
    Vector::from(numbers)
}

/// Draws how far a rebuild is as a bar, on one line of the terminal.
pub fn show(progress: Progress) {
    use std::io::Write as _;
    const WIDTH: u64 = 40;
    let done = (progress.rows * WIDTH).checked_div(progress.of).unwrap_or(WIDTH).min(WIDTH) as usize;
    let bar = format!("[{}{}]", "#".repeat(done), " ".repeat(WIDTH as usize - done));
    print!("\r{bar} {} of {} rows", progress.rows, progress.of);
    if progress.rows >= progress.of {
        println!();
    }
    // Nothing is lost when a terminal cannot be drawn on.
    let _ = std::io::stdout().flush();
}
