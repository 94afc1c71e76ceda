//! The texts of one chunk in one piece of memory.

use std::sync::Arc;

use super::mask::CHUNK;

/// A length that says: the text lies by itself, `start` is its number.
const LARGE: u16 = u16::MAX;

/// A text for each row: six bytes a row beside the text. Texts of 64 KiB and more lie by themselves, so that the
/// copying of a chunk stays cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    heap: String,
    starts: Vec<u32>,
    lengths: Vec<u16>,
    large: Vec<Arc<str>>,
    garbage: usize,
}

impl Texts {
    pub(super) fn get(&self, row: usize) -> &str {
        let (start, length) = (self.starts[row] as usize, self.lengths[row]);
        if length == LARGE { self.large.get(start).map_or("", |text| text) } else { &self.heap[start..start + usize::from(length)] }
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn push(&mut self, text: &str) {
        if self.starts.len() == self.starts.capacity() {
            let room = grown(self.starts.len());
            self.starts.reserve_exact(room);
            self.lengths.reserve_exact(room);
        }
        let (start, length) = self.place(text);
        self.starts.push(start);
        self.lengths.push(length);
    }

    pub(super) fn set(&mut self, row: usize, text: &str) {
        if self.get(row) == text {
            return;
        }
        if self.lengths[row] == LARGE {
            let start = self.starts[row] as usize;
            let shared: Arc<str> = if text.len() >= usize::from(LARGE) { text.into() } else { Arc::from("") };
            let kept = !shared.is_empty();
            if let Some(slot) = self.large.get_mut(start) {
                *slot = shared;
            }
            if kept {
                return;
            }
        } else {
            self.garbage += usize::from(self.lengths[row]);
        }
        let (start, length) = self.place(text);
        self.starts[row] = start;
        self.lengths[row] = length;
        if self.garbage > 4096 && self.garbage > self.heap.len() / 4 {
            self.compact();
        }
    }

    fn place(&mut self, text: &str) -> (u32, u16) {
        match u16::try_from(text.len()) {
            Ok(length) if length != LARGE => {
                if text.is_empty() {
                    return (0, 0);
                }
                // 1024 texts of less than 64 KiB, with garbage below a quarter, stay far below 32 bits.
                let start = self.heap.len() as u32;
                if self.heap.capacity() - self.heap.len() < text.len() {
                    self.heap.reserve_exact(text.len().max(self.heap.len() / 4).max(64));
                }
                self.heap.push_str(text);
                (start, length)
            }
            _ => {
                self.large.push(text.into());
                (self.large.len() as u32 - 1, LARGE)
            }
        }
    }

    fn compact(&mut self) {
        let mut packed = Texts::default();
        packed.starts.reserve_exact(self.starts.capacity());
        packed.lengths.reserve_exact(self.starts.capacity());
        packed.heap.reserve_exact(self.heap.len() - self.garbage + 256);
        for row in 0..self.len() {
            if self.lengths[row] == LARGE {
                let shared = self.large.get(self.starts[row] as usize).cloned().unwrap_or_else(|| Arc::from(""));
                packed.starts.push(packed.large.len() as u32);
                packed.lengths.push(LARGE);
                packed.large.push(shared);
            } else {
                packed.push(self.get(row));
            }
        }
        *self = packed;
    }

    /// Gives unused room back: the chunk is full.
    pub(super) fn shrink(&mut self) {
        self.heap.shrink_to_fit();
        self.large.shrink_to_fit();
    }
}

/// How much room to add to a column of `len` rows: doubling, but never past the chunk's end.
pub(super) fn grown(len: usize) -> usize {
    len.max(16).min(CHUNK.saturating_sub(len)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive_changes_and_compaction() {
        let mut texts = Texts::default();
        let mut expected: Vec<String> = (0..1000).map(|n| format!("text {n} äöü")).collect();
        expected.iter().for_each(|text| texts.push(text));
        let large = "x".repeat(70_000);
        for round in 0..5 {
            for row in (0..1000).step_by(3) {
                expected[row] = match row % 7 {
                    0 => large.clone(),
                    1 => String::new(),
                    _ => format!("{round} changed {row} {}", "y".repeat(row % 50)),
                };
                texts.set(row, &expected[row]);
            }
        }
        texts.shrink();
        assert!((0..1000).all(|row| texts.get(row) == expected[row]));
        assert!(texts.heap.len() < 200_000, "replaced text is given back");
    }
}
