//! Vectors of one chunk side by side, and the exact search through them.

use std::sync::Arc;

/// Rows whose vectors lie in one piece: small, so that changing one row beside a snapshot copies little.
const BLOCK: usize = 64;
/// Numbers worked on at once: enough for the compiler to use the widest registers there are.
const LANES: usize = 16;

/// The vectors of a chunk.
#[derive(Clone, Debug)]
pub(super) struct Vectors {
    length: usize,
    blocks: Vec<Arc<Block>>,
}

#[derive(Clone, Debug, Default)]
struct Block {
    /// Empty until a row of the block has a vector.
    numbers: Vec<f32>,
    /// The Euclidean length of each row's vector; NaN where single precision would not do, see [`norm`].
    norms: Vec<f32>,
}

impl Vectors {
    pub(super) fn new(length: usize) -> Vectors {
        Vectors { length, blocks: Vec::new() }
    }

    pub(super) fn grow(&mut self, rows: usize) {
        self.blocks.resize_with(rows.div_ceil(BLOCK), Arc::default);
    }

    pub(super) fn get(&self, row: usize) -> &[f32] {
        let start = row % BLOCK * self.length;
        self.blocks[row / BLOCK].numbers.get(start..start + self.length).unwrap_or(&[])
    }

    pub(super) fn norm(&self, row: usize) -> f32 {
        self.blocks[row / BLOCK].norms.get(row % BLOCK).copied().unwrap_or(f32::NAN)
    }

    pub(super) fn set(&mut self, row: usize, numbers: &[f32]) {
        let block = Arc::make_mut(&mut self.blocks[row / BLOCK]);
        let place = row % BLOCK;
        if block.norms.len() <= place {
            if block.norms.capacity() <= place {
                let rows = (place + 1).next_power_of_two().max(4) - block.norms.len();
                block.numbers.reserve_exact(rows * self.length);
                block.norms.reserve_exact(rows);
            }
            block.numbers.resize((place + 1) * self.length, 0.0);
            block.norms.resize(place + 1, f32::NAN);
        }
        block.numbers[place * self.length..(place + 1) * self.length].copy_from_slice(numbers);
        block.norms[place] = norm(numbers);
    }
}

/// The Euclidean length, or NaN where products of such numbers could leave the range of single precision: those rows are
/// scored in double precision instead.
pub(super) fn norm(numbers: &[f32]) -> f32 {
    let norm = numbers.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if (1e-12..1e12).contains(&norm) { norm as f32 } else { f32::NAN }
}

/// The dot product, sixteen lanes at a time.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    lanes(a, b, |x, y| x * y)
}

/// The squared Euclidean distance, sixteen lanes at a time.
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    lanes(a, b, |x, y| (x - y) * (x - y))
}

#[inline(always)]
fn lanes(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| term(*x, *y)).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += term(a[lane], b[lane]);
        }
    }
    // Halves added to halves: the error stays that of a short sum.
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0] + rest
}
