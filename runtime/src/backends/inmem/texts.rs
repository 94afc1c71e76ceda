//! The texts, or other bytes, of one column of one chunk in one piece of memory.

use std::ops::Range;
use std::sync::Arc;

use super::mask::CHUNK;

/// A length that says: the piece lies by itself, its start is its number.
const LARGE: usize = u16::MAX as usize;

/// Memory that pieces lie in one after another: `String` for texts, `Vec<u8>` for bytes.
pub(super) trait Heap: Clone + Default + std::fmt::Debug {
    /// What lies in it.
    type Piece: ?Sized + PartialEq + std::fmt::Debug;
    fn piece(&self, range: Range<usize>) -> &Self::Piece;
    fn append(&mut self, piece: &Self::Piece);
    fn len(&self) -> usize;
    fn room(&self) -> usize;
    fn reserve(&mut self, more: usize);
    fn shrink(&mut self);
    fn size(piece: &Self::Piece) -> usize;
    fn share(piece: &Self::Piece) -> Arc<Self::Piece>;
}

macro_rules! heap {
    ($heap:ty, $piece:ty, $append:ident) => {
        impl Heap for $heap {
            type Piece = $piece;
            fn piece(&self, range: Range<usize>) -> &$piece {
                &self[range]
            }
            fn append(&mut self, piece: &$piece) {
                self.$append(piece);
            }
            fn len(&self) -> usize {
                self.len()
            }
            fn room(&self) -> usize {
                self.capacity() - self.len()
            }
            fn reserve(&mut self, more: usize) {
                self.reserve_exact(more);
            }
            fn shrink(&mut self) {
                self.shrink_to_fit();
            }
            fn size(piece: &$piece) -> usize {
                piece.len()
            }
            fn share(piece: &$piece) -> Arc<$piece> {
                piece.into()
            }
        }
    };
}

heap!(String, str, push_str);
heap!(Vec<u8>, [u8], extend_from_slice);

/// A text for each row.
pub(super) type Texts = Pieces<String>;
/// Some bytes for each row.
pub(super) type Blobs = Pieces<Vec<u8>>;

/// A piece for each row: six bytes a row beside it. Pieces of 64 KiB and more lie by themselves, so that the copying of
/// a chunk stays cheap.
#[derive(Debug)]
pub(super) struct Pieces<H: Heap> {
    heap: H,
    spans: Vec<Span>,
    large: Vec<Arc<H::Piece>>,
    garbage: usize,
}

/// Start (low half, high half) and length of a piece: six bytes, not the eight of aligned numbers.
type Span = [u16; 3];

fn span(start: usize, length: usize) -> Span {
    [start as u16, (start >> 16) as u16, length as u16]
}

fn start_of(span: Span) -> usize {
    usize::from(span[0]) | usize::from(span[1]) << 16
}

// A derived one would ask that a lone piece can be cloned.
impl<H: Heap> Clone for Pieces<H> {
    fn clone(&self) -> Self {
        Pieces { heap: self.heap.clone(), spans: self.spans.clone(), large: self.large.clone(), garbage: self.garbage }
    }
}

impl<H: Heap> Default for Pieces<H> {
    fn default() -> Self {
        Pieces { heap: H::default(), spans: Vec::new(), large: Vec::new(), garbage: 0 }
    }
}

impl<H: Heap> Pieces<H> {
    pub(super) fn get(&self, row: usize) -> &H::Piece {
        let span = self.spans[row];
        let (start, length) = (start_of(span), usize::from(span[2]));
        match self.large.get(start) {
            Some(piece) if length == LARGE => piece,
            _ => self.heap.piece(start..start + length),
        }
    }

    /// Makes room for rows up to `rows`, empty at first.
    pub(super) fn grow(&mut self, rows: usize) {
        if rows > self.spans.capacity() {
            self.spans.reserve_exact(grown(self.spans.len()).max(rows - self.spans.len()));
        }
        self.spans.resize(rows, [0; 3]);
    }

    pub(super) fn set(&mut self, row: usize, piece: &H::Piece) {
        let old = self.spans[row];
        let length = usize::from(old[2]);
        if length == LARGE {
            // Its place among the large ones is given to the last of them.
            let place = start_of(old);
            self.large.swap_remove(place);
            let moved = span(self.large.len(), LARGE);
            if let Some(span) = self.spans.iter_mut().find(|span| **span == moved) {
                *span = self::span(place, LARGE);
            }
        } else {
            self.garbage += length;
        }
        let length = H::size(piece);
        self.spans[row] = if length >= LARGE {
            self.large.push(H::share(piece));
            span(self.large.len() - 1, LARGE)
        } else if length == 0 {
            [0; 3]
        } else {
            if self.heap.room() < length {
                let more = length.max(self.heap.len() / 4).max(64);
                self.heap.reserve(more);
            }
            // 1024 pieces of less than 64 KiB, with garbage below a quarter, stay far below 32 bits.
            self.heap.append(piece);
            span(self.heap.len() - length, length)
        };
        if self.garbage > 4096 && self.garbage > self.heap.len() / 4 {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let mut heap = H::default();
        heap.reserve(self.heap.len() - self.garbage + 256);
        for at in &mut self.spans {
            let (start, length) = (start_of(*at), usize::from(at[2]));
            if length != LARGE && length > 0 {
                *at = span(heap.len(), length);
                heap.append(self.heap.piece(start..start + length));
            }
        }
        self.heap = heap;
        self.garbage = 0;
    }

    /// Gives unused room back: the chunk is full.
    pub(super) fn shrink(&mut self) {
        self.heap.shrink();
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
        texts.grow(1000);
        expected.iter().enumerate().for_each(|(row, text)| texts.set(row, text));
        for round in 0..7 {
            for row in (round % 3..1000).step_by(3) {
                expected[row] = match (row + round) % 7 {
                    0 => format!("{row}{}", "x".repeat(65_530 + row % 9)),
                    1 => String::new(),
                    _ => format!("{round} changed {row} {}", "y".repeat(row % 50)),
                };
                texts.set(row, &expected[row]);
            }
            assert!((0..1000).all(|row| texts.get(row) == expected[row]));
        }
        texts.shrink();
        assert!((0..1000).all(|row| texts.get(row) == expected[row]));
        let small: usize = expected.iter().map(String::len).filter(|size| *size < LARGE).sum();
        assert!(texts.heap.len() < small * 3 / 2 + 4096, "replaced text is given back");
        assert_eq!(texts.large.len(), expected.iter().filter(|text| text.len() >= LARGE).count());
    }
}
