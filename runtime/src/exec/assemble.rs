//! Parts become rows: values fetched by id, versions compared, outputs put in order.

use std::time::Duration;

use futures_util::future::try_join_all;

use super::Context;
use crate::driver::{IdLookup, Page};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Output, Purpose, Target};
use crate::types::{Id, Value};

/// Result rows, in order: ids, the outputs row after row, scores if something was searched.
#[derive(Clone, Debug, Default)]
pub struct ResultPage(pub Page);

/// Which columns of which parts make up the outputs.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// A part and its columns, in the order that they are fetched.
    pub(super) needs: Vec<(usize, Vec<usize>)>,
    /// Where each output is: need and position, or the id.
    sources: Vec<Option<(usize, usize)>>,
}

/// How often a row whose parts do not agree is read again: a writer may be between two parts.
const REREADS: u32 = 8;

impl Shape {
    pub(super) fn new(outputs: &[Output]) -> Self {
        let mut needs: Vec<(usize, Vec<usize>)> = Vec::new();
        let sources = outputs.iter().map(|output| match output {
            Output::Id => None,
            Output::Column { part, column } => {
                let need = needs.iter().position(|(p, _)| p == part).unwrap_or_else(|| {
                    needs.push((*part, Vec::new()));
                    needs.len() - 1
                });
                let columns = &mut needs[need].1;
                let position = columns.iter().position(|c| c == column).unwrap_or_else(|| {
                    columns.push(*column);
                    columns.len() - 1
                });
                Some((need, position))
            }
        });
        let sources = sources.collect();
        Shape { needs, sources }
    }

    /// The columns wanted of a part.
    pub(super) fn columns(&self, part: usize) -> Vec<usize> {
        self.needs.iter().find(|(p, _)| *p == part).map(|(_, columns)| columns.clone()).unwrap_or_default()
    }

    /// Whether a page of this part is the result as it is: the owner's, nothing else needed, columns in order.
    fn is_page_of(&self, part: usize) -> bool {
        let in_order = self.sources.iter().enumerate().all(|(i, s)| *s == Some((0, i)));
        part == Target::OWNER && in_order && matches!(self.needs.as_slice(), [] | [(Target::OWNER, _)])
    }

    /// Completes rows found on one part: `found` has the columns this shape wants of `part`. Rows without an owner are
    /// left out.
    pub(super) async fn complete(&self, context: &Context, part: usize, mut found: Page) -> Result<ResultPage> {
        if self.is_page_of(part) {
            return Ok(ResultPage(found));
        }
        let ids = std::mem::take(&mut found.ids);
        let scores = std::mem::take(&mut found.scores);
        found.ids = ids.clone();
        self.rows(context, ids, scores, Some((part, found))).await
    }

    /// The rows of these ids, in this order. `sure` says that the owner was just asked and has all of them: when nothing
    /// but the ids is wanted, they are the result.
    pub(super) async fn fetch(&self, context: &Context, ids: Vec<Id>, scores: Vec<f64>, sure: bool) -> Result<ResultPage> {
        if sure && self.needs.is_empty() {
            let mut page = Page::new(self.sources.len());
            let width = self.sources.len();
            for id in &ids {
                page.values.extend(std::iter::repeat_with(|| Value::Text(id.as_str().to_owned())).take(width));
            }
            page.versions = vec![0; ids.len()];
            (page.ids, page.scores) = (ids, scores);
            return Ok(ResultPage(page));
        }
        self.rows(context, ids, scores, None).await
    }

    async fn rows(&self, context: &Context, ids: Vec<Id>, scores: Vec<f64>, found: Option<(usize, Page)>) -> Result<ResultPage> {
        let mut result = Page::new(self.sources.len());
        if ids.is_empty() {
            return Ok(ResultPage(result));
        }
        let mut pages = self.read(context, &ids, found).await?;
        let mut torn: Vec<usize> = Vec::new();
        // First pass: which rows are whole. `slots` are the rows' places in each page.
        let mut slots: Vec<Option<Vec<usize>>> = Vec::with_capacity(ids.len());
        {
            let lookups: Vec<IdLookup<'_>> = pages.iter().map(|(_, page)| IdLookup::new(&page.ids)).collect();
            for (row, id) in ids.iter().enumerate() {
                match whole(context, &pages, &lookups, id, row) {
                    Whole::Yes(places) => slots.push(Some(places)),
                    Whole::Gone => slots.push(None),
                    Whole::Torn(_) => {
                        torn.push(row);
                        slots.push(None);
                    }
                }
            }
        }
        let mut again = self.reread(context, &ids, &torn).await?;
        for (row, id) in ids.into_iter().enumerate() {
            let values = match &slots[row] {
                Some(places) => Some(self.outputs(&id, &mut pages, places)),
                None => again.remove(&row),
            };
            let Some((version, values)) = values else { continue };
            result.push(id, version, values);
            if let Some(score) = scores.get(row) {
                result.scores.push(*score);
            }
        }
        Ok(ResultPage(result))
    }

    fn outputs(&self, id: &Id, pages: &mut [(usize, Page)], places: &[usize]) -> (i64, Vec<Value>) {
        let mut values = Vec::with_capacity(self.sources.len());
        for (at, source) in self.sources.iter().enumerate() {
            values.push(match source {
                None => Value::Text(id.as_str().to_owned()),
                Some((need, position)) => {
                    let part = self.needs[*need].0;
                    // Every need has a page: `read` made one for each.
                    match pages.iter().position(|(p, _)| *p == part) {
                        Some(page) => {
                            let cell = &mut pages[page].1.row_mut(places[page])[*position];
                            let used_again = self.sources[at + 1..].contains(source);
                            if used_again { cell.clone() } else { cell.take() }
                        }
                        None => Value::Null,
                    }
                }
            });
        }
        let version = pages.first().and_then(|(_, page)| page.versions.get(places[0])).copied().unwrap_or_default();
        (version, values)
    }

    /// A page of each needed part, and of the owner.
    async fn read(&self, context: &Context, ids: &[Id], found: Option<(usize, Page)>) -> Result<Vec<(usize, Page)>> {
        let mut wanted: Vec<(usize, Vec<usize>)> = self.needs.clone();
        if !wanted.iter().any(|(p, _)| *p == Target::OWNER) {
            wanted.push((Target::OWNER, Vec::new()));
        }
        let have = found.as_ref().map(|(part, _)| *part);
        wanted.retain(|(part, _)| Some(*part) != have);
        let mut pages: Vec<(usize, Page)> = found.into_iter().collect();
        if wanted.iter().filter(|(part, _)| !context.target.describe(*part).embedded).count() > 1 {
            pages.extend(try_join_all(wanted.iter().map(|(part, columns)| fetch(context, *part, ids, columns))).await?);
        } else {
            for (part, columns) in &wanted {
                pages.push(fetch(context, *part, ids, columns).await?);
            }
        }
        Ok(pages)
    }

    /// Reads torn rows again until their parts agree or they are gone.
    async fn reread(&self, context: &Context, ids: &[Id], torn: &[usize]) -> Result<std::collections::HashMap<usize, (i64, Vec<Value>)>> {
        let mut healed = std::collections::HashMap::new();
        let mut left: Vec<usize> = torn.to_vec();
        for attempt in 0..REREADS {
            if left.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1 << attempt)).await;
            let wanted: Vec<Id> = left.iter().map(|row| ids[*row].clone()).collect();
            let mut pages = self.read(context, &wanted, None).await?;
            let mut still = Vec::new();
            for (at, (row, id)) in left.iter().zip(&wanted).enumerate() {
                let verdict = {
                    let lookups: Vec<IdLookup<'_>> = pages.iter().map(|(_, page)| IdLookup::new(&page.ids)).collect();
                    whole(context, &pages, &lookups, id, at)
                };
                match verdict {
                    Whole::Yes(places) => drop(healed.insert(*row, self.outputs(id, &mut pages, &places))),
                    Whole::Gone => {}
                    Whole::Torn(part) if attempt + 1 == REREADS => return Err(fractured(context, id, part)),
                    Whole::Torn(_) => still.push(*row),
                }
            }
            left = still;
        }
        Ok(healed)
    }
}

enum Whole {
    Yes(Vec<usize>),
    Gone,
    Torn(usize),
}

/// Whether a row's parts are all there with one version; where they probably are, when nothing is missing.
fn whole(context: &Context, pages: &[(usize, Page)], lookups: &[IdLookup<'_>], id: &Id, expected: usize) -> Whole {
    let place = |nth: usize| lookups[nth].row_near(id, expected);
    let owner = pages.iter().position(|(p, _)| *p == Target::OWNER);
    let Some(version) = owner.and_then(|o| place(o).map(|row| pages[o].1.versions[row])) else { return Whole::Gone };
    let mut all = Vec::with_capacity(pages.len());
    for (nth, (part, page)) in pages.iter().enumerate() {
        match place(nth) {
            Some(row) if page.versions[row] == version || context.target.part(*part).is_mapped() => all.push(row),
            _ => return Whole::Torn(*part),
        }
    }
    Whole::Yes(all)
}

fn fractured(context: &Context, id: &Id, part: usize) -> Error {
    Error::new(
        ErrorKind::FracturedRow,
        "the parts of a row do not belong together: a write did not reach every backend; run audit, then repair or write the row again",
    )
    .of_entity(context.target.routing.entity.name)
    .on_backend(context.target.part(part).backend)
    .with("id", id)
}

/// Columns of a part by id, in chunks of the driver's limit.
async fn fetch(context: &Context, part: usize, ids: &[Id], columns: &[usize]) -> Result<(usize, Page)> {
    let (held, driver) = (context.target.part(part), context.target.driver(part));
    let purpose = if columns.is_empty() { Purpose::Exists } else { Purpose::Hydrate };
    let chunk = driver.description().max_ids.max(1);
    let mut all: Option<Page> = None;
    for ids in ids.chunks(chunk) {
        let started = context.clock();
        let page = context.blame(part, driver.fetch(held, ids, columns).await)?;
        context.count(part, purpose, started, ids.len(), || (page.len(), page.weight()));
        match &mut all {
            None => all = Some(page),
            Some(all) => all.append(page),
        }
    }
    Ok((part, all.unwrap_or_else(|| Page::new(columns.len()))))
}

/// The values of some columns for sorted ids, by part: what sorting in memory needs.
pub(super) async fn key_values(context: &Context, ids: Vec<Id>, keys: &[Output]) -> Result<Page> {
    Ok(Shape::new(keys).fetch(context, ids, Vec::new(), false).await?.0)
}
