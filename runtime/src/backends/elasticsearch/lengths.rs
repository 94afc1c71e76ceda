//! How long the texts of a column usually are, as far as a connection has read them.
//!
//! Doc values keep texts in blocks of 64, compressed together, and reading one opens a block: 300 µs for texts of 1,000 bytes
//! where the document takes 20 µs, and 90 µs with a vector of 384 numbers in it. So they are read there only where they are known
//! to be short. Nothing but speed depends on this.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::schema::{Column, Part};
use crate::types::{LogicalType, Value};

/// Rows after which older ones count half.
const MANY: f64 = 10_000.0;
/// Bytes of text that cost about what opening a document without vectors costs.
const SHORT: f64 = 100.0;

/// What was read of a column: rows and bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    rows: f64,
    bytes: f64,
}

/// The texts that a connection has read, by index and column.
#[derive(Debug, Default)]
pub(super) struct Lengths(Mutex<HashMap<String, HashMap<String, Seen>>>);

impl Lengths {
    /// Notes rows of these columns that were read, their values one after another.
    pub(super) fn note<'v>(&self, part: &Part, columns: &[usize], rows: impl Iterator<Item = &'v [Value]>) {
        if !columns.iter().filter_map(|c| part.columns.get(*c)).any(is_text) {
            return;
        }
        let mut read = vec![Seen::default(); columns.len()];
        for row in rows {
            for (seen, value) in read.iter_mut().zip(row) {
                seen.rows += 1.0;
                seen.bytes += value.as_text().map_or(0, str::len) as f64;
            }
        }
        let mut all = self.0.lock();
        let of_part = all.entry(part.table.clone()).or_default();
        for (column, read) in columns.iter().filter_map(|c| part.columns.get(*c)).zip(read) {
            if is_text(column) && read.rows > 0.0 {
                let seen = of_part.entry(column.physical.clone()).or_default();
                seen.rows += read.rows;
                seen.bytes += read.bytes;
                if seen.rows > MANY {
                    seen.rows /= 2.0;
                    seen.bytes /= 2.0;
                }
            }
        }
    }

    /// Whether the texts of these columns are so short that doc values give them at less cost than documents, which hold
    /// the part's vectors. A byte of text costs what a number of a vector does.
    pub(super) fn are_short(&self, part: &Part, columns: &[usize]) -> bool {
        let all = self.0.lock();
        let of_part = all.get(&part.table);
        let usual = |column: &Column| match column.logical {
            LogicalType::Text { max } => {
                let seen = of_part.and_then(|part| part.get(&column.physical));
                seen.map_or(f64::from(max), |seen| seen.bytes / seen.rows)
            }
            _ => 0.0,
        };
        let texts: f64 = columns.iter().filter_map(|c| part.columns.get(*c)).map(usual).sum();
        let numbers = |column: &Column| if let LogicalType::Vector(length) = column.logical { f64::from(length) } else { 0.0 };
        texts <= SHORT + part.columns.iter().map(numbers).sum::<f64>()
    }
}

fn is_text(column: &Column) -> bool {
    matches!(column.logical, LogicalType::Text { .. })
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::part;
    use super::*;

    #[test]
    fn texts_are_long_until_they_were_read() {
        let part = part(&[LogicalType::TEXT, LogicalType::Text { max: 100 }, LogicalType::INT, LogicalType::Vector(300)]);
        let lengths = Lengths::default();
        let text = |length| Value::Text("x".repeat(length));
        assert!(lengths.are_short(&part, &[]) && lengths.are_short(&part, &[2]), "no texts");
        assert!(lengths.are_short(&part, &[1, 2]) && !lengths.are_short(&part, &[0]), "the field's bound is all that is known");
        let note = |length, rows| {
            let row = [Value::Int(1), text(length)];
            lengths.note(&part, &[2, 0], std::iter::repeat_n(&row[..], rows));
        };
        note(350, 10);
        assert!(lengths.are_short(&part, &[0]) && !lengths.are_short(&part, &[0, 1]), "350 bytes beside a vector of 300 numbers");
        note(50, 1_000);
        assert!(lengths.are_short(&part, &[0, 1]));
        note(20_000, 100);
        assert!(!lengths.are_short(&part, &[0]));
        // What was read long ago is forgotten.
        (0..20).for_each(|_| note(10, 5_000));
        assert!(lengths.are_short(&part, &[0]));
        lengths.note(&part, &[2], std::iter::once(&[Value::Int(1)][..]));
        lengths.note(&part, &[0], std::iter::empty());
        assert!(lengths.are_short(&part, &[0]));
    }
}
