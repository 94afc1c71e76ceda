use std::sync::Arc;

use crate::types::{Id, Value};

/// Rows of one chunk of a [`RowMap`], at most.
const CHUNK: usize = 512;

/// One row in memory: its version, and its values with the id in front.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    pub version: i64,
    /// The id, then a value for each column of the part.
    values: Box<[Value]>,
}

impl Row {
    /// A row of these columns.
    pub fn new(id: &str, version: i64, columns: impl IntoIterator<Item = Value>) -> Self {
        let id = std::iter::once(Value::Text(id.to_owned()));
        Row { version, values: id.chain(columns).collect() }
    }

    /// The id's text.
    pub fn id(&self) -> &str {
        self.values.first().and_then(Value::as_text).unwrap_or_default()
    }

    /// The id and the columns: position 0 is the id, column `c` is at `c + 1`.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The columns.
    pub fn columns(&self) -> &[Value] {
        &self.values[1..]
    }

    /// The value of a column.
    pub fn column(&self, column: usize) -> &Value {
        &self.values[column + 1]
    }
}

/// Rows in the order of their ids, in chunks that copies share: a copy costs a pointer a chunk, a write to a copy one
/// chunk. A reader holds a copy and sees no later write.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowMap {
    /// No chunk is empty; ids ascend within and across chunks.
    chunks: Vec<Arc<Vec<Arc<Row>>>>,
    len: usize,
}

impl RowMap {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The chunk an id belongs to: the last one that does not start after it.
    fn chunk_of(&self, id: &str) -> usize {
        self.chunks.partition_point(|chunk| chunk[0].id() <= id).saturating_sub(1)
    }

    /// The row of an id.
    pub fn get(&self, id: &str) -> Option<&Arc<Row>> {
        let chunk = self.chunks.get(self.chunk_of(id))?;
        chunk.binary_search_by(|row| row.id().cmp(id)).ok().map(|at| &chunk[at])
    }

    /// Adds or replaces a row.
    pub fn insert(&mut self, row: Arc<Row>) {
        if self.chunks.is_empty() {
            self.chunks.push(Arc::new(vec![row]));
            self.len = 1;
            return;
        }
        let last = self.chunks.len() - 1;
        let at = self.chunk_of(row.id());
        // Ascending ids fill chunks to the brim instead of splitting each in half.
        if at == last && self.chunks[last].len() >= CHUNK && self.chunks[last].last().is_some_and(|end| end.id() < row.id()) {
            self.chunks.push(Arc::new(vec![row]));
            self.len += 1;
            return;
        }
        let chunk = Arc::make_mut(&mut self.chunks[at]);
        match chunk.binary_search_by(|other| other.id().cmp(row.id())) {
            Ok(place) => chunk[place] = row,
            Err(place) => {
                chunk.insert(place, row);
                self.len += 1;
                if chunk.len() > CHUNK {
                    let upper = chunk.split_off(chunk.len() / 2);
                    self.chunks.insert(at + 1, Arc::new(upper));
                }
            }
        }
    }

    /// Removes a row and says whether it was there.
    pub fn remove(&mut self, id: &str) -> bool {
        let at = self.chunk_of(id);
        let Some(chunk) = self.chunks.get_mut(at) else { return false };
        let Ok(place) = chunk.binary_search_by(|row| row.id().cmp(id)) else { return false };
        let chunk = Arc::make_mut(chunk);
        chunk.remove(place);
        if chunk.is_empty() {
            self.chunks.remove(at);
        }
        self.len -= 1;
        true
    }

    /// All rows in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// A place to read on from: just after this id, or the start.
    pub fn cursor_after(&self, id: Option<&Id>) -> Cursor {
        let Some(id) = id else { return Cursor::default() };
        let chunk = self.chunk_of(id);
        let row = self.chunks.get(chunk).map_or(0, |rows| rows.partition_point(|row| row.id() <= id.as_str()));
        Cursor { chunk, row }
    }

    /// The row at a cursor, which moves on.
    pub fn next(&self, cursor: &mut Cursor) -> Option<&Arc<Row>> {
        loop {
            let chunk = self.chunks.get(cursor.chunk)?;
            match chunk.get(cursor.row) {
                Some(row) => {
                    cursor.row += 1;
                    return Some(row);
                }
                None => *cursor = Cursor { chunk: cursor.chunk + 1, row: 0 },
            }
        }
    }
}

/// A place in a [`RowMap`]. Only good for the copy it came from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cursor {
    chunk: usize,
    row: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn row(id: &str, version: i64) -> Arc<Row> {
        Arc::new(Row::new(id, version, [Value::Int(version)]))
    }

    #[test]
    fn agrees_with_a_btree_under_mixed_writes() {
        let (mut map, mut model) = (RowMap::default(), BTreeMap::new());
        let mut seed = 7u64;
        for step in 0..20_000i64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = format!("id{}", (seed >> 33) % 3_000);
            if seed & 3 == 0 {
                assert_eq!(map.remove(&id), model.remove(&id).is_some());
            } else {
                map.insert(row(&id, step));
                model.insert(id, step);
            }
            assert_eq!(map.len(), model.len());
        }
        assert!(map.iter().map(|r| (r.id(), r.version)).eq(model.iter().map(|(id, v)| (id.as_str(), *v))));
        for probe in 0..3_000 {
            let id = format!("id{probe}");
            assert_eq!(map.get(&id).map(|r| r.version), model.get(&id).copied());
            let after = Id::from(id.as_str());
            let mut cursor = map.cursor_after(Some(&after));
            let next = map.next(&mut cursor).map(|r| r.id().to_owned());
            let bounds = (std::ops::Bound::Excluded(id), std::ops::Bound::Unbounded);
            assert_eq!(next, model.range::<String, _>(bounds).next().map(|(id, _)| id.clone()));
        }
    }

    #[test]
    fn a_copy_does_not_see_later_writes() {
        let mut map = RowMap::default();
        (0..2_000).for_each(|n| map.insert(row(&format!("{n:05}"), 1)));
        let before = map.clone();
        map.insert(row("00007", 2));
        map.remove("00008");
        assert_eq!(before.get("00007").map(|r| r.version), Some(1));
        assert!(before.get("00008").is_some() && map.get("00008").is_none());
        assert_eq!((before.len(), map.len()), (2_000, 1_999));
    }
}
