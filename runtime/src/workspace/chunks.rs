//! Reading rows chunk by chunk, for what looks at all of them in constant memory.

use std::collections::HashMap;

use crate::driver::{Page, Position, SubQuery};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Target;
use crate::types::{Id, Value};

/// Rows looked at together.
pub(super) const CHUNK: usize = 1024;

/// Rows of a part by id, however many its driver takes at once.
pub(super) async fn fetch(target: &Target, part: usize, ids: &[Id], columns: &[usize]) -> Result<Page> {
    let chunk = target.describe(part).max_ids.max(1);
    let mut all = Page::new(columns.len());
    for ids in ids.chunks(chunk) {
        all.append(target.driver(part).fetch(target.part(part), ids, columns).await.map_err(|e| e.on_backend(target.part(part).backend))?);
    }
    Ok(all)
}

/// As [`fetch`], with the ids whose rows are there and damaged, which are looked for by halves.
pub(super) async fn readable(target: &Target, part: usize, ids: &[Id], columns: &[usize]) -> Result<(Page, Vec<Id>)> {
    let (mut page, mut damaged) = (Page::new(columns.len()), Vec::new());
    let mut left = vec![ids];
    while let Some(ids) = left.pop() {
        match fetch(target, part, ids, columns).await {
            Ok(found) => page.append(found),
            Err(error) if error.kind() == ErrorKind::Corrupt && ids.len() > 1 => {
                let (first, second) = ids.split_at(ids.len() / 2);
                left.extend([second, first]);
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => damaged.extend_from_slice(ids),
            Err(error) => return Err(error),
        }
    }
    Ok((page, damaged))
}

/// The next rows of a part in id order.
pub(super) async fn next_page(target: &Target, part: usize, columns: Vec<usize>, after: &mut Option<Id>) -> Result<Option<Page>> {
    let position = after.take().map(|id| Position { keys: Vec::new(), id });
    let query = SubQuery { columns, after: position, limit: Some(CHUNK), page_rows: CHUNK, ..SubQuery::default() };
    let blame = |e: Error| e.on_backend(target.part(part).backend);
    let mut stream = target.driver(part).open(target.part(part).clone(), std::sync::Arc::new(query)).map_err(blame)?;
    let mut all: Option<Page> = None;
    while let Some(page) = stream.next_page().await.map_err(blame)? {
        match &mut all {
            None => all = Some(page),
            Some(all) => all.append(page),
        }
    }
    *after = all.as_ref().and_then(|p| p.ids.last().cloned());
    Ok(all)
}

/// The true values of some fields of a chunk of rows.
pub(super) struct Truth {
    sides: Vec<Side>,
    /// Rows that are damaged, and the parts that have them.
    pub(super) damaged: Vec<(usize, Id)>,
}

/// What one part says.
struct Side {
    fields: Vec<usize>,
    page: Page,
    rows: HashMap<Id, usize>,
}

impl Truth {
    /// Reads the fields where their truth lies, each part once.
    pub(super) async fn read(target: &Target, fields: &[usize], ids: &[Id]) -> Result<Truth> {
        let (mut sides, mut unreadable) = (Vec::new(), Vec::new());
        for part in 0..target.len() {
            let (mut held, mut columns) = (Vec::new(), Vec::new());
            for field in fields {
                let (there, column) =
                    target.locate(*field, None).ok_or_else(|| Error::new(ErrorKind::Internal, "a field without a first placement"))?;
                if there == part && !held.contains(field) {
                    held.push(*field);
                    columns.push(column);
                }
            }
            if !held.is_empty() {
                let (page, damaged) = readable(target, part, ids, &columns).await?;
                unreadable.extend(damaged.into_iter().map(|id| (part, id)));
                let rows = page.ids.iter().cloned().enumerate().map(|(row, id)| (id, row)).collect();
                sides.push(Side { fields: held, page, rows });
            }
        }
        Ok(Truth { sides, damaged: unreadable })
    }

    /// Whether every part has the row in this version, so that what they say of it belongs together.
    pub(super) fn agrees(&self, id: &Id, version: i64) -> bool {
        self.sides.iter().all(|side| side.rows.get(id).is_some_and(|row| side.page.versions[*row] == version))
    }

    /// The value of a field that was read.
    pub(super) fn value(&self, field: usize, id: &Id) -> &Value {
        let side = self.sides.iter().find_map(|side| {
            let column = side.fields.iter().position(|f| *f == field)?;
            Some(&side.page.row(*side.rows.get(id)?)[column])
        });
        side.unwrap_or(&Value::Null)
    }
}
