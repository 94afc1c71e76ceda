//! A sub-query's answer over one snapshot, page by page.

use std::sync::Arc;

use super::order::{self, Key, Walk};
use super::search;
use super::select::{self, Selection};
use super::store::View;
use super::table::{Table, split};
use crate::driver::{Page, PageStream, Reply, SubQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::types::Id;

/// Pages grow to this many rows, whatever they started with.
const LARGEST_PAGE: usize = 4096;

/// Rows of one snapshot in the order asked for.
#[derive(Debug)]
pub(super) struct RowStream {
    table: Arc<Table>,
    columns: Vec<usize>,
    source: Source,
    left: usize,
    page_rows: usize,
}

#[derive(Debug)]
enum Source {
    /// Along a sorted sequence, leaving out what is not selected.
    Walk(Walk, Option<Selection>),
    List(std::vec::IntoIter<u32>),
    Scored(std::vec::IntoIter<(u32, f64)>),
}

impl Source {
    fn next(&mut self, table: &Table) -> Option<(u32, Option<f64>)> {
        match self {
            Source::Walk(walk, None) => walk.next(table).map(|row| (row, None)),
            Source::Walk(walk, Some(selection)) => loop {
                let row = walk.next(table)?;
                if selection.contains(row) {
                    return Some((row, None));
                }
            },
            Source::List(rows) => rows.next().map(|row| (row, None)),
            Source::Scored(rows) => rows.next().map(|(row, score)| (row, Some(score))),
        }
    }
}

/// Starts a sub-query.
pub(super) fn open(view: &View, query: &SubQuery) -> Result<RowStream> {
    let table = view.store.snapshot();
    let columns = view.positions(&query.columns)?;
    let listed = query.ids.as_deref().filter(|ids| query.order.is_empty() && query.near.is_none() && ids.is_sorted_by(|a, b| a < b));
    if let Some(ids) = listed {
        return among(table, columns, view, query, ids);
    }
    let selection = select::select(&table, view, &query.filter, query.ids.as_deref())?;
    let mut stream =
        RowStream { source: Source::List(Vec::new().into_iter()), table, columns, left: usize::MAX, page_rows: query.page_rows.max(1) };
    let table = &*stream.table;
    if let Some(near) = &query.near {
        let column = view.positions(&[near.column])?[0];
        if view.part.columns[near.column].logical != crate::types::LogicalType::Vector(near.vector.len() as u32) {
            let why = format!("a vector of {} numbers does not fit the field", near.vector.len());
            return Err(Error::new(ErrorKind::InvalidQuery, why).of_entity(view.entity).at_field(view.part.columns[near.column].name));
        }
        let k = query.limit.map_or(near.k, |limit| limit.min(near.k));
        stream.source = Source::Scored(search::search(table, column, near, selection.as_ref(), k).into_iter());
        return Ok(stream);
    }
    let mut keys: Vec<Key> = Vec::new();
    for key in &query.order {
        let key = Key::of(key.key, key.descending, &view.columns);
        // Nothing counts after the id; ascending, it comes last anyhow.
        if key.column.is_some() || key.descending || keys.is_empty() {
            keys.push(key);
        }
        if key.column.is_none() {
            break;
        }
    }
    let wanted = query.limit.map(|limit| limit.saturating_add(query.offset));
    stream.left = query.limit.unwrap_or(usize::MAX);
    let after = query.after.as_ref();
    let walk = Walk::new(table, &keys, after).filter(|_| selection.as_ref().is_none_or(|selection| walk_pays(table, selection, wanted)));
    stream.source = match walk {
        Some(walk) => Source::Walk(walk, selection),
        None => Source::List(order::sort(table, &keys, after, selection.as_ref(), wanted).into_iter()),
    };
    for _ in 0..query.offset {
        if stream.source.next(&stream.table).is_none() {
            break;
        }
    }
    Ok(stream)
}

/// Rows by sorted ids: they are in order already.
fn among(table: Arc<Table>, columns: Vec<usize>, view: &View, query: &SubQuery, ids: &[Id]) -> Result<RowStream> {
    let start = query.after.as_ref().map_or(0, |after| ids.partition_point(|id| *id <= after.id));
    let mut rows = select::among(&table, view, &query.filter, &ids[start..])?;
    rows.drain(..query.offset.min(rows.len()));
    let source = Source::List(rows.into_iter());
    Ok(RowStream { source, table, columns, left: query.limit.unwrap_or(usize::MAX), page_rows: query.page_rows.max(1) })
}

/// Whether walking along a sorted sequence until enough selected rows came by costs less than sorting those.
fn walk_pays(table: &Table, selection: &Selection, wanted: Option<usize>) -> bool {
    let selected = selection.count.max(1);
    let wanted = wanted.unwrap_or(selected).min(selected);
    let walk = (table.len() / selected).saturating_mul(wanted).saturating_mul(6);
    let log = |n: usize| n.checked_ilog2().unwrap_or(0) as usize + 1;
    walk < selected * 20 + wanted * log(wanted) * 12
}

impl RowStream {
    fn page(&mut self) -> Option<Page> {
        let rows = self.page_rows.min(self.left);
        let mut page = Page::new(self.columns.len());
        let table = &*self.table;
        while page.len() < rows {
            let Some((row, score)) = self.source.next(table) else { break };
            if page.is_empty() {
                let expected = match &self.source {
                    Source::List(left) => rows.min(left.len() + 1),
                    Source::Scored(left) => rows.min(left.len() + 1),
                    Source::Walk(..) => rows.min(table.len()),
                };
                page.ids.reserve(expected);
                page.versions.reserve(expected);
                page.values.reserve(expected * self.columns.len());
            }
            push_row(table, row, self.columns.iter().copied(), &mut page);
            page.scores.extend(score);
        }
        if self.left != usize::MAX {
            self.left -= page.len();
        }
        self.page_rows = (self.page_rows * 2).clamp(1, LARGEST_PAGE.max(self.page_rows));
        (!page.is_empty()).then_some(page)
    }
}

/// Adds a row to a page.
pub(super) fn push_row(table: &Table, row: u32, columns: impl Iterator<Item = usize>, page: &mut Page) {
    let (chunk, place) = split(row);
    let chunk = table.chunks.get(chunk);
    page.ids.push(Id::from(chunk.ids.get(place)));
    page.versions.push(chunk.versions[place]);
    page.values.extend(columns.map(|column| chunk.columns[column].value(&table.shape[column].kind, place)));
}

impl PageStream for RowStream {
    fn next_page(&mut self) -> Reply<'_, Option<Page>> {
        Reply::ready(Ok(self.page()))
    }
}
