//! What follows from other fields is written again: copies from the truth, embeddings from their text.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::chunks::{Truth, fetch, readable};
use super::embed::{Known, Wanted, check};
use super::update::patch_part;
use super::write::{blame, on_others};
use super::{Registered, Workspace};
use futures_util::{StreamExt, TryStreamExt};

use crate::driver::{IdLookup, WriteBatch, WriteMode};
use crate::error::Result;
use crate::plan::Target;
use crate::query::Layout;
use crate::types::{Id, Value, equal};

/// Writes that are under way together: the rows of one have one version.
const AT_ONCE: usize = 8;

/// The columns of a part that follow from other fields.
pub(super) struct Derived {
    pub(super) part: usize,
    /// Positions in the part's columns, and what each is.
    pub(super) columns: Vec<(usize, Follows)>,
    /// Whether the part holds nothing else, so that a row of it can be made anew.
    pub(super) whole: bool,
}

/// From what a column follows. Embeddings by position in [`Registered::embeddings`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// From the truth of its field.
    Copy(usize),
    /// From the text of its sources.
    Vector(usize),
    /// From that text and the model.
    Digest(usize),
}

impl Derived {
    /// What is derived in a part.
    pub(super) fn of(registered: &Registered, part: usize) -> Derived {
        let held = registered.target.part(part);
        let follows = |column: &crate::schema::Column| {
            if column.copy {
                return Some(Follows::Copy(column.field));
            }
            registered.embeddings.iter().enumerate().find_map(|(position, e)| match column.field {
                field if field == e.field => Some(Follows::Vector(position)),
                field if field == e.digest => Some(Follows::Digest(position)),
                _ => None,
            })
        };
        let columns: Vec<_> = held.columns.iter().enumerate().filter_map(|(at, column)| Some((at, follows(column)?))).collect();
        Derived { part, whole: part != Target::OWNER && columns.len() == held.columns.len(), columns }
    }

    /// Whether there is nothing derived.
    pub(super) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Whether something in it is embedded.
    pub(super) fn embeds(&self) -> bool {
        self.columns.iter().any(|(_, follows)| matches!(follows, Follows::Vector(_)))
    }

    /// The fields that the columns follow from.
    pub(super) fn sources(&self, registered: &Registered) -> Vec<usize> {
        let sources = |follows: &Follows| match follows {
            Follows::Copy(field) => vec![*field],
            Follows::Vector(position) | Follows::Digest(position) => registered.embeddings[*position].sources.clone(),
        };
        self.columns.iter().flat_map(|(_, follows)| sources(follows)).collect()
    }
}

/// A row to be written again.
struct Again {
    id: Id,
    /// The owner's version of it.
    version: i64,
    values: Vec<Value>,
}

impl<L: Layout> Workspace<L> {
    /// Writes what is derived of some rows again where it is not right. Gives the ids of those that are right now; a row whose
    /// parts do not belong together is left, and one that somebody else is writing.
    pub(super) async fn refill(&self, registered: &Registered, derived: &Derived, ids: &[Id]) -> Result<HashSet<Id>> {
        let target = &registered.target;
        let chunk = (0..target.len()).map(|p| target.describe(p).max_batch.min(target.describe(p).max_ids)).min().unwrap_or(1).max(1);
        let mut right = HashSet::with_capacity(ids.len());
        for ids in ids.chunks(chunk) {
            // What a backend says of rows is no word about rows of a caller.
            self.refill_chunk(registered, derived, ids, &mut right).await.map_err(|e| e.with_rows(Vec::new()))?;
        }
        Ok(right)
    }

    async fn refill_chunk(&self, registered: &Registered, derived: &Derived, ids: &[Id], right: &mut HashSet<Id>) -> Result<()> {
        let target = &registered.target;
        let columns: Vec<usize> = derived.columns.iter().map(|(column, _)| *column).collect();
        // The owner first: what is read after it is of its version or newer, and newer is seen.
        let owner = fetch(target, Target::OWNER, ids, &[]).await?;
        let truth = Truth::read(target, &derived.sources(registered), &owner.ids).await?;
        let (there, damaged) = readable(target, derived.part, &owner.ids, &columns).await?;
        let rows = IdLookup::new(&there.ids);
        // Their versions may be sound; else no guard can be given, and they are left.
        let (unread, lost) = readable(target, derived.part, &damaged, &[]).await?;
        let versions = IdLookup::new(&unread.ids);
        let mut known = registered.vectors_in(&there, &derived.columns);
        let (mut whole, mut among): (BTreeMap<(Option<i64>, i64), Vec<Again>>, Vec<Again>) = Default::default();
        let mut ahead: Vec<(i64, Again)> = Vec::new();
        for (at, values) in true_rows(registered, derived, &truth, &owner, &mut known).await? {
            let (id, version) = (owner.ids[at].clone(), owner.versions[at]);
            let stored = match (rows.row(&id), versions.row(&id)) {
                (Some(row), _) => Some((there.versions[row], Some(there.row(row)))),
                (_, Some(row)) => Some((unread.versions[row], None)),
                _ if lost.contains(&id) => continue,
                _ => None,
            };
            let again = Again { id, version, values };
            match stored {
                Some((found, Some(cells))) if found == version && cells.iter().zip(&again.values).all(|(a, b)| equal(a, b)) => {
                    right.insert(again.id);
                }
                Some((found, _)) if derived.whole && found > version => ahead.push((found, again)),
                // The guard lets nothing through that is not newer: such a row makes room first.
                Some((found, _)) if derived.whole && found == version => whole.entry((Some(found), version)).or_default().push(again),
                _ if derived.whole => whole.entry((None, version)).or_default().push(again),
                Some((found, Some(_))) if found == version => among.push(again),
                // The part's other columns are lost, or not there yet.
                _ => {}
            }
        }
        for (found, again) in still(target, ahead).await? {
            whole.entry((Some(found), again.version)).or_default().push(again);
        }
        let columns = &columns;
        let writes = whole.into_iter().map(|((in_the_way, version), rows)| async move {
            let (batch, ids) = batch(WriteMode::Upsert, version, columns.clone(), rows);
            blame(target, derived.part, replace(target, derived.part, in_the_way, batch, ids).await)
        });
        let written: Vec<Vec<Id>> = futures_util::stream::iter(writes).buffer_unordered(AT_ONCE).try_collect().await?;
        right.extend(written.into_iter().flatten());
        if !among.is_empty() {
            among.iter().for_each(|row| self.inner.clock.seen(row.version));
            self.renew(target, derived, columns.clone(), among, right).await?;
        }
        Ok(())
    }

    /// Writes columns that lie among true ones, with a new version that every part of the rows gets: the owner's first, if
    /// nobody changed it since it was read.
    async fn renew(
        &self,
        target: &Target,
        derived: &Derived,
        columns: Vec<usize>,
        mut rows: Vec<Again>,
        right: &mut HashSet<Id>,
    ) -> Result<()> {
        let version = self.inner.clock.next();
        let own = derived.part == Target::OWNER;
        let mut owner = WriteBatch {
            mode: WriteMode::Patch,
            version,
            ids: rows.iter().map(|row| row.id.clone()).collect(),
            columns: Vec::new(),
            values: Vec::new(),
            expected: rows.iter().map(|row| row.version).collect(),
        };
        if own {
            owner.values = rows.iter().flat_map(|row| row.values.iter().cloned()).collect();
            owner.columns = columns.clone();
        }
        let report = blame(target, Target::OWNER, target.driver(Target::OWNER).write(target.part(Target::OWNER), Arc::new(owner)).await)?;
        let changed: HashSet<usize> = report.stale.iter().map(|(row, _)| *row).chain(report.missing).collect();
        let mut row = 0..;
        rows.retain(|_| row.next().is_some_and(|row| !changed.contains(&row)));
        if rows.is_empty() {
            return Ok(());
        }
        let ids: Vec<(Id, i64)> = rows.iter().map(|row| (row.id.clone(), row.version)).collect();
        let (ids, rows, columns) = (&ids, &rows, &columns);
        on_others(target, "written on", |part| async move {
            if part == derived.part {
                patch_part(target, part, version, ids, columns.clone(), |row| rows[row].values.clone()).await
            } else {
                patch_part(target, part, version, ids, Vec::new(), |_| Vec::new()).await
            }
        })
        .await?;
        right.extend(rows.iter().map(|row| row.id.clone()));
        Ok(())
    }
}

/// Those of the rows, each with the newer version that a part has of it, that the owner still has as they were read. Of the others a
/// writer was faster, who comes to the owner first: what the part has is theirs.
async fn still(target: &Target, ahead: Vec<(i64, Again)>) -> Result<Vec<(i64, Again)>> {
    if ahead.is_empty() {
        return Ok(ahead);
    }
    let ids: Vec<Id> = ahead.iter().map(|(_, again)| again.id.clone()).collect();
    let owner = fetch(target, Target::OWNER, &ids, &[]).await?;
    let rows = IdLookup::new(&owner.ids);
    Ok(ahead.into_iter().filter(|(_, again)| rows.row(&again.id).is_some_and(|row| owner.versions[row] == again.version)).collect())
}

/// Writes rows of a part that holds nothing of its own, in the version that the owner has: no other part is touched, and a
/// crash in between leaves what the next repair makes again. Gives the rows that are right now: one that somebody else
/// wrote in between is not known to be.
async fn replace(target: &Target, part: usize, in_the_way: Option<i64>, batch: WriteBatch, ids: Vec<Id>) -> Result<Vec<Id>> {
    if let Some(version) = in_the_way {
        let delete = WriteBatch {
            mode: WriteMode::Delete,
            version: version + 1,
            ids: ids.clone(),
            columns: Vec::new(),
            values: Vec::new(),
            expected: Vec::new(),
        };
        target.driver(part).write(target.part(part), Arc::new(delete)).await?;
    }
    let report = target.driver(part).write(target.part(part), Arc::new(batch)).await?;
    let stale: HashSet<usize> = report.stale.iter().map(|(row, _)| *row).collect();
    Ok(ids.into_iter().enumerate().filter(|(row, _)| !stale.contains(row)).map(|(_, id)| id).collect())
}

fn batch(mode: WriteMode, version: i64, columns: Vec<usize>, rows: Vec<Again>) -> (WriteBatch, Vec<Id>) {
    let mut ids = Vec::with_capacity(rows.len());
    let mut values = Vec::with_capacity(rows.len() * columns.len());
    for row in rows {
        ids.push(row.id);
        values.extend(row.values);
    }
    (WriteBatch { mode, version, ids: ids.clone(), columns, values, expected: Vec::new() }, ids)
}

/// What the derived columns should hold, for each row whose sources belong together: positions in the owner's page, values.
async fn true_rows(
    registered: &Registered,
    derived: &Derived,
    truth: &Truth,
    owner: &crate::driver::Page,
    known: &mut Known,
) -> Result<Vec<(usize, Vec<Value>)>> {
    let entity = registered.target.routing.entity;
    let mut wanted = Wanted::default();
    let mut rows = Vec::with_capacity(owner.len());
    for (at, id) in owner.ids.iter().enumerate().filter(|(at, id)| truth.agrees(id, owner.versions[*at])) {
        let value = |(_, follows): &(usize, Follows)| match follows {
            Follows::Copy(field) => truth.value(*field, id).clone(),
            // The digest first; the vector takes its place once it is known.
            Follows::Vector(position) | Follows::Digest(position) => {
                let embedding = &registered.embeddings[*position];
                embedding.text(|field| truth.value(field, id)).map_or(Value::Null, |text| {
                    let digest = embedding.digest(&text);
                    wanted.add(*position, &digest, text, known);
                    Value::Text(digest)
                })
            }
        };
        rows.push((at, derived.columns.iter().map(value).collect::<Vec<_>>()));
    }
    wanted.ask(&registered.embeddings, known).await?;
    for (at, values) in &mut rows {
        for (value, (_, follows)) in values.iter_mut().zip(&derived.columns) {
            if let Follows::Vector(position) = follows {
                let vector = value.as_text().and_then(|digest| known.get(digest));
                *value = vector.map_or(Value::Null, |vector| Value::Vector(vector.clone()));
                check(entity, registered.embeddings[*position].field, value).map_err(|e| e.with("id", &owner.ids[*at]))?;
            }
        }
    }
    Ok(rows)
}
