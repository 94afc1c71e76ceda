use std::sync::OnceLock;

use hashbrown::HashMap;

use super::{Reply, best_first};
use crate::types::{Id, Value};

/// Rows of one part: ids, versions and the columns asked for, row after row in one vector.
///
/// Row-major, because every consumer takes whole rows: see `docs/decisions/0003-pages-are-row-major.md`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The rows' ids.
    pub ids: Vec<Id>,
    /// The rows' versions; 0 on tables that carry none.
    pub versions: Vec<i64>,
    /// How many columns a row has.
    pub width: usize,
    /// `ids.len() * width` values.
    pub values: Vec<Value>,
    /// Scores, one a row, of a search; else empty.
    pub scores: Vec<f64>,
}

impl Page {
    /// An empty page of rows with so many columns.
    pub fn new(width: usize) -> Self {
        Page { width, ..Page::default() }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The values of a row.
    pub fn row(&self, row: usize) -> &[Value] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    /// The values of a row, to be taken out.
    pub fn row_mut(&mut self, row: usize) -> &mut [Value] {
        &mut self.values[row * self.width..(row + 1) * self.width]
    }

    /// Adds a row; `values` yields exactly [`Page::width`] values.
    pub fn push(&mut self, id: Id, version: i64, values: impl IntoIterator<Item = Value>) {
        self.ids.push(id);
        self.versions.push(version);
        self.values.extend(values);
        debug_assert_eq!(self.values.len(), self.ids.len() * self.width);
    }

    /// Appends another page of the same width.
    pub fn append(&mut self, mut other: Page) {
        debug_assert_eq!(self.width, other.width);
        self.ids.append(&mut other.ids);
        self.versions.append(&mut other.versions);
        self.values.append(&mut other.values);
        self.scores.append(&mut other.scores);
    }

    /// `keep` rows from a place on.
    #[must_use]
    pub fn slice(mut self, from: usize, keep: usize) -> Page {
        let (from, to) = (from.min(self.len()), from.saturating_add(keep).min(self.len()));
        if from == 0 && to == self.len() {
            return self;
        }
        self.ids.truncate(to);
        self.versions.truncate(to);
        self.scores.truncate(to);
        self.values.truncate(to * self.width);
        self.ids.drain(..from);
        self.versions.drain(..from);
        self.scores.drain(..from.min(self.scores.len()));
        self.values.drain(..from * self.width);
        self
    }

    /// Leaves the first `at` rows, and gives those after.
    #[must_use]
    pub fn split_off(&mut self, at: usize) -> Page {
        if at >= self.len() {
            return Page::new(self.width);
        }
        let scores = if self.scores.is_empty() { Vec::new() } else { self.scores.split_off(at) };
        Page {
            ids: self.ids.split_off(at),
            versions: self.versions.split_off(at),
            width: self.width,
            values: self.values.split_off(at * self.width),
            scores,
        }
    }

    /// The same rows in the order of `ids`; rows not named are dropped, ids not found left out.
    #[must_use]
    pub fn arranged(mut self, ids: &[Id]) -> Page {
        if self.ids == ids {
            return self;
        }
        let mut arranged = Page::new(self.width);
        let place: HashMap<String, usize> = self.ids.iter().enumerate().map(|(i, id)| (id.as_str().to_owned(), i)).collect();
        let mut taken = vec![false; self.len()];
        for id in ids {
            let Some(&row) = place.get(id.as_str()) else { continue };
            if std::mem::replace(&mut taken[row], true) {
                continue;
            }
            arranged.ids.push(std::mem::take(&mut self.ids[row]));
            arranged.versions.push(self.versions[row]);
            if let Some(score) = self.scores.get(row) {
                arranged.scores.push(*score);
            }
            let width = self.width;
            arranged.values.extend(self.values[row * width..(row + 1) * width].iter_mut().map(Value::take));
        }
        arranged
    }

    /// The rows of a search with the best score first, then by id: an engine may give ties in another order.
    #[must_use]
    pub fn ranked(self) -> Page {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_by(|&a, &b| best_first(self.scores[a], self.scores[b]).then_with(|| self.ids[a].cmp(&self.ids[b])));
        if order.is_sorted() {
            return self;
        }
        self.picked(order)
    }

    /// The rows in the order of their ids, by bytes.
    #[must_use]
    pub fn by_id(mut self) -> Page {
        if self.ids.is_sorted() {
            return self;
        }
        if self.width == 0 && self.scores.is_empty() && self.versions.iter().all(|version| *version == 0) {
            self.ids.sort_unstable();
            return self;
        }
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_unstable_by(|&a, &b| self.ids[a].cmp(&self.ids[b]));
        self.picked(order)
    }

    /// The rows at these places, each named at most once.
    fn picked(mut self, places: Vec<usize>) -> Page {
        let mut picked = Page::new(self.width);
        picked.ids.reserve(places.len());
        picked.versions.reserve(places.len());
        picked.values.reserve(places.len() * self.width);
        for row in places {
            let id = std::mem::take(&mut self.ids[row]);
            picked.push(id, self.versions[row], self.row_mut(row).iter_mut().map(Value::take));
            picked.scores.extend(self.scores.get(row));
        }
        picked
    }

    /// Bytes the page holds, roughly: for the counters of `explain_analyze`.
    pub fn weight(&self) -> usize {
        self.ids.iter().map(|id| id.len() + 32).sum::<usize>() + self.values.iter().map(Value::weight).sum::<usize>()
    }
}

/// Rows of a page by id.
#[derive(Debug)]
pub struct IdLookup<'a> {
    ids: &'a [Id],
    /// Made at the first id that is not where it is expected.
    places: OnceLock<HashMap<&'a str, usize>>,
}

impl<'a> IdLookup<'a> {
    /// Prepares look-ups in a page's ids.
    pub fn new(ids: &'a [Id]) -> Self {
        IdLookup { ids, places: OnceLock::new() }
    }

    /// The row of an id.
    pub fn row(&self, id: &str) -> Option<usize> {
        let places = self.places.get_or_init(|| self.ids.iter().enumerate().map(|(i, id)| (id.as_str(), i)).collect());
        places.get(id).copied()
    }

    /// The row of an id that is probably this one: pages mostly come in the order that their ids were asked in.
    pub fn row_near(&self, id: &Id, expected: usize) -> Option<usize> {
        if self.ids.get(expected) == Some(id) { Some(expected) } else { self.row(id) }
    }
}

/// The answer of a sub-query, page by page. Dropping it stops the work.
pub trait PageStream: Send {
    /// The next page, not empty; `None` at the end.
    fn next_page(&mut self) -> Reply<'_, Option<Page>>;
}

/// A stream over pages that are here already.
#[derive(Debug)]
pub struct PageVec(std::vec::IntoIter<Page>);

impl PageVec {
    /// A stream of these pages; empty ones are left out.
    pub fn new(pages: Vec<Page>) -> Self {
        PageVec(pages.into_iter())
    }
}

impl PageStream for PageVec {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::ready(Ok(self.0.find(|p| !p.is_empty())))
    }
}
