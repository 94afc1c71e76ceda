//! Sets of rows within one chunk.

/// Rows of a chunk: the unit of copying on write, of filtering and of the word index.
pub(super) const CHUNK: usize = 1024;
const WORDS: usize = CHUNK / 64;
/// So few rows are looked at one by one in less time than a whole chunk.
const FEW: usize = 64;

/// A set of rows of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mask([u64; WORDS]);

impl Mask {
    pub(super) const EMPTY: Mask = Mask([0; WORDS]);
    #[cfg(test)]
    pub(super) const FULL: Mask = Mask([u64::MAX; WORDS]);

    /// The rows for which `holds` is true, of the first `rows`.
    #[cfg(test)]
    pub(super) fn from_fn(rows: usize, mut holds: impl FnMut(usize) -> bool) -> Mask {
        let mut mask = Mask::EMPTY;
        for (word, bits) in mask.0.iter_mut().enumerate() {
            let start = word * 64;
            for bit in 0..64.min(rows.saturating_sub(start)) {
                *bits |= u64::from(holds(start + bit)) << bit;
            }
        }
        mask
    }

    /// The rows whose value satisfies `holds`: a loop without branches, which the compiler turns into vector code.
    pub(super) fn of_values<T: Copy>(values: &[T], holds: impl Fn(T) -> bool) -> Mask {
        let mut mask = Mask::EMPTY;
        for (bits, values) in mask.0.iter_mut().zip(values.chunks(64)) {
            let mut flags = [0u8; 64];
            for (flag, value) in flags.iter_mut().zip(values) {
                *flag = u8::from(holds(*value));
            }
            *bits = pack(&flags);
        }
        mask
    }

    /// Rows of `within`, and perhaps others, whose value satisfies `holds`. An index or a list of ids leaves few rows a
    /// chunk: those are looked at one by one.
    pub(super) fn of_values_in<T: Copy>(values: &[T], within: &Mask, holds: impl Fn(T) -> bool) -> Mask {
        if within.count() > FEW {
            return Mask::of_values(values, holds);
        }
        let mut mask = Mask::EMPTY;
        within.rows().filter(|row| values.get(*row).is_some_and(|value| holds(*value))).for_each(|row| mask.set(row, true));
        mask
    }

    /// The first `rows` rows.
    #[cfg(test)]
    pub(super) fn first(rows: usize) -> Mask {
        let mut mask = Mask::EMPTY;
        for (word, bits) in mask.0.iter_mut().enumerate() {
            let rows = rows.saturating_sub(word * 64).min(64);
            *bits = if rows == 64 { u64::MAX } else { (1 << rows) - 1 };
        }
        mask
    }

    pub(super) fn get(&self, row: usize) -> bool {
        self.0[row / 64] >> (row % 64) & 1 == 1
    }

    pub(super) fn set(&mut self, row: usize, on: bool) {
        let bit = 1 << (row % 64);
        if on { self.0[row / 64] |= bit } else { self.0[row / 64] &= !bit }
    }

    pub(super) fn and(&self, other: &Mask) -> Mask {
        self.zip(other, |a, b| a & b)
    }

    pub(super) fn or(&self, other: &Mask) -> Mask {
        self.zip(other, |a, b| a | b)
    }

    pub(super) fn without(&self, other: &Mask) -> Mask {
        self.zip(other, |a, b| a & !b)
    }

    fn zip(&self, other: &Mask, with: impl Fn(u64, u64) -> u64) -> Mask {
        let mut mask = *self;
        mask.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a = with(*a, *b));
        mask
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|bits| bits.count_ones() as usize).sum()
    }

    /// The rows, ascending.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(word, bits)| {
            let mut bits = *bits;
            std::iter::from_fn(move || {
                if bits == 0 {
                    return None;
                }
                let bit = bits.trailing_zeros() as usize;
                bits &= bits - 1;
                Some(word * 64 + bit)
            })
        })
    }
}

/// Packs 64 flags of 0 or 1 into bits: eight at a time, by one multiplication.
fn pack(flags: &[u8; 64]) -> u64 {
    let mut bits = 0;
    for (byte, eight) in flags.chunks_exact(8).enumerate() {
        let mut lanes = [0u8; 8];
        lanes.copy_from_slice(eight);
        // Each flag sits in the lowest bit of its byte; the product gathers all eight in the highest byte.
        let gathered = u64::from_le_bytes(lanes).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits |= gathered << (byte * 8);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_functions_give_the_same_rows() {
        let values: Vec<i64> = (0..777).map(|n| n * 7919 % 101).collect();
        let by_values = Mask::of_values(&values, |v| v < 40);
        assert_eq!(by_values, Mask::from_fn(values.len(), |row| values[row] < 40));
        assert_eq!(by_values.rows().collect::<Vec<_>>(), (0..777).filter(|row| values[*row] < 40).collect::<Vec<_>>());
        assert_eq!(by_values.count(), by_values.rows().count());
        assert_eq!(Mask::first(777).without(&by_values), Mask::of_values(&values, |v| v >= 40));
        assert_eq!(Mask::first(CHUNK), Mask::FULL);
        for few in [0, 1, 60, 700] {
            let within = Mask::from_fn(values.len(), |row| row * 13 % 777 < few);
            let found = Mask::of_values_in(&values, &within, |v| v < 40);
            assert_eq!(within.and(&found), within.and(&by_values));
            assert_eq!(within.without(&found), within.without(&by_values));
        }
    }
}
