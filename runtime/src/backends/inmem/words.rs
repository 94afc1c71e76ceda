//! The index of words of one text column in one chunk: which words occur, and in which rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mask::Mask;
use super::texts::Texts;
use crate::types::words;

/// Changed rows that are read instead of indexed, until there are more.
const PENDING: usize = 32;

/// Words to rows. Rows that changed since the index was built are read at query time, until enough have gathered.
#[derive(Clone, Debug, Default)]
pub(super) struct WordIndex {
    built: Arc<Built>,
    /// Rows whose text is not what was indexed.
    pending: Option<Box<Mask>>,
}

/// An index that no longer changes: words sorted in one text, and the rows of each in one list.
#[derive(Debug, Default)]
struct Built {
    heap: String,
    /// Where each word ends in `heap`, and its rows in `rows`.
    ends: Vec<(u32, u32)>,
    rows: Vec<u16>,
}

impl Built {
    fn word(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before].0);
        &self.heap[start as usize..self.ends[index].0 as usize]
    }

    fn rows(&self, index: usize) -> &[u16] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before].1);
        &self.rows[start as usize..self.ends[index].1 as usize]
    }

    fn find(&self, word: &str) -> &[u16] {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = (low + high) / 2;
            match self.word(middle).as_bytes().cmp(word.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return self.rows(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        &[]
    }

    fn push(&mut self, word: &str, rows: impl Iterator<Item = u16>) {
        let before = self.rows.len();
        self.rows.extend(rows);
        if self.rows.len() > before {
            self.heap.push_str(word);
            self.ends.push((self.heap.len() as u32, self.rows.len() as u32));
        }
    }
}

impl WordIndex {
    /// Takes note that a row has another text.
    pub(super) fn changed(&mut self, row: usize) {
        self.pending.get_or_insert_with(|| Box::new(Mask::EMPTY)).set(row, true);
    }

    /// Indexes the changed rows, if they are many.
    pub(super) fn settle(&mut self, texts: &Texts, valid: &Mask) {
        let Some(pending) = self.pending.take_if(|pending| pending.count() > PENDING) else { return };
        let mut fresh: BTreeMap<String, Vec<u16>> = BTreeMap::new();
        for row in pending.and(valid).rows() {
            for word in words(texts.get(row)) {
                let rows = fresh.entry(word).or_default();
                if rows.last() != Some(&(row as u16)) {
                    rows.push(row as u16);
                }
            }
        }
        let old = &self.built;
        let mut built = Built::default();
        let mut fresh = fresh.into_iter().peekable();
        let kept = |index: usize| old.rows(index).iter().copied().filter(|row| !pending.get(usize::from(*row)));
        for index in 0..old.ends.len() {
            let word = old.word(index);
            while let Some((word, rows)) = fresh.next_if(|(fresh, _)| fresh.as_str() < word) {
                built.push(&word, rows.into_iter());
            }
            let added = fresh.next_if(|(fresh, _)| fresh == word).map_or_else(Vec::new, |(_, rows)| rows);
            built.push(word, kept(index).chain(added));
        }
        fresh.for_each(|(word, rows)| built.push(&word, rows.into_iter()));
        built.heap.shrink_to_fit();
        built.ends.shrink_to_fit();
        built.rows.shrink_to_fit();
        self.built = Arc::new(built);
    }

    /// The rows of `within` in which every word occurs; side by side in order for a phrase.
    pub(super) fn search(&self, texts: &Texts, wanted: &[String], phrase: bool, within: &Mask) -> Mask {
        let mut found = *within;
        let mut read = Mask::EMPTY;
        if let Some(pending) = &self.pending {
            read = found.and(pending);
            found = found.without(pending);
        }
        for word in wanted {
            if found.is_empty() {
                break;
            }
            let mut holding = Mask::EMPTY;
            self.built.find(word).iter().for_each(|row| holding.set(usize::from(*row), true));
            found = found.and(&holding);
        }
        // The index knows no places: the rows of a phrase are read once more.
        if phrase && wanted.len() > 1 {
            read = read.or(&found);
            found = Mask::EMPTY;
        }
        read.rows().filter(|row| holds(texts.get(*row), wanted, phrase)).for_each(|row| found.set(row, true));
        found
    }
}

/// Whether a text holds the words: what `matches` and `phrase` mean.
pub(super) fn holds(text: &str, wanted: &[String], phrase: bool) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let found: Vec<String> = words(text).collect();
    if phrase { found.windows(wanted.len()).any(|run| run == wanted) } else { wanted.iter().all(|word| found.contains(word)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_finds_what_reading_every_row_finds() {
        let vocabulary = ["desk", "Oak", "oak", "standing", "can't", "größe", "a", "b"];
        let (mut texts, mut index, mut valid) = (Texts::default(), WordIndex::default(), Mask::EMPTY);
        let text_of =
            |seed: usize| (0..seed % 6).map(|n| vocabulary[(seed * 31 + n * n * 7 + n) % vocabulary.len()]).collect::<Vec<_>>().join(" ");
        texts.grow(1024);
        for row in 0..1024 {
            valid.set(row, row % 11 != 0);
        }
        for round in 0..6usize {
            for row in (round..1024).step_by([1, 2, 3, 100, 500, 7][round]) {
                if valid.get(row) {
                    texts.set(row, &text_of(row + round * 17));
                    index.changed(row);
                }
            }
            index.settle(&texts, &valid);
            for (query, phrase) in [
                ("oak", false),
                ("desk OAK", false),
                ("oak desk", true),
                ("standing can't", true),
                ("absent", false),
                ("größe", false),
                ("", false),
            ] {
                let wanted: Vec<String> = words(query).collect();
                let expected = Mask::from_fn(1024, |row| valid.get(row) && holds(texts.get(row), &wanted, phrase));
                assert_eq!(index.search(&texts, &wanted, phrase, &valid), expected, "{query:?} in round {round}");
            }
            assert!(index.search(&texts, &["oak".to_owned()], false, &valid).count() > 50);
        }
    }
}
