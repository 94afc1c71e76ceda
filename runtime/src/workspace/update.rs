//! Updates: some fields of rows that are there, by id or by a condition.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::batches::Batches;
use super::chunks::fetch;
use super::embed::Known;
use super::write::{RETRIES, blame, busy, check_value, on_others, part_batch, without};
use super::{Patch, Registered, Workspace};
use crate::driver::{WriteBatch, WriteMode};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Target;
use crate::query::{Entity, Layout, Predicate, Query, Writable};
use crate::types::{Id, Value};

impl<L: Layout> Workspace<L> {
    /// Changes some fields of the row with this id. Says whether there was one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] naming the field, [`ErrorKind::UniqueViolation`].
    pub async fn update<E: Writable + Entity<Layout = L>>(&self, id: impl Into<Id>, patch: Patch<E>) -> Result<bool> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("update");
        self.patch_ids(vec![id.into()], &patch).await.map(|n| n > 0).map_err(named)
    }

    /// Changes some fields of every row that satisfies a condition; gives how many. Rows are found first, then changed
    /// in batches; a row that stops matching in between is changed all the same.
    ///
    /// # Errors
    /// As [`update`](Workspace::update).
    pub async fn update_where<E: Writable + Entity<Layout = L>>(&self, predicate: Predicate<E>, patch: Patch<E>) -> Result<u64> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("update_where");
        let ids = self.ids_where(predicate).await.map_err(named)?;
        self.patch_ids(ids, &patch).await.map_err(named)
    }

    pub(super) async fn ids_where<E: Writable + Entity<Layout = L>>(&self, predicate: Predicate<E>) -> Result<Vec<Id>> {
        let query: Query<E, E, Workspace<L>> = self.query::<E>().filter(predicate);
        query.ids().await
    }

    async fn patch_ids<E: Writable + Entity<Layout = L>>(&self, ids: Vec<Id>, patch: &Patch<E>) -> Result<u64> {
        let entity = E::SCHEMA;
        let registered = self.writable(entity)?;
        let mut sets = Vec::with_capacity(patch.sets.len());
        for (name, value) in &patch.sets {
            let (field, schema) = entity.field(name).ok_or_else(|| {
                Error::new(ErrorKind::InvalidQuery, "object_id cannot be changed: insert a new row").at_field(name.to_string())
            })?;
            if schema.computed {
                return Err(
                    Error::new(ErrorKind::InvalidQuery, "the field is computed: change what it is computed from").at_field(schema.name)
                );
            }
            check_value(entity, field, value)?;
            sets.push((field, value.clone()));
        }
        if sets.is_empty() || ids.is_empty() {
            return Ok(0);
        }
        // A function may look at any field; an embedding follows from its sources alone.
        let embeds = registered.embeddings.iter().any(|e| e.sources.iter().any(|source| sets.iter().any(|(field, _)| field == source)));
        let computes = embeds || entity.fields.iter().any(|f| f.computed && f.embedding.is_none());
        if computes && entity.existing.is_some() {
            let why = "a computed field follows from the whole row, and a table that exists already has no versions to guard a row between \
                       its reading and its writing: read the row and upsert it";
            return Err(Error::new(ErrorKind::Unsupported, why));
        }
        let chunk = (0..registered.target.len())
            .map(|p| registered.target.describe(p))
            .map(|d| d.max_batch.min(d.max_ids))
            .min()
            .unwrap_or(1)
            .max(1);
        ids.iter().try_for_each(Id::check)?;
        let (mut changed, mut batches) = (0, Batches::over(registered.target.len()));
        for batch in ids.chunks(chunk) {
            batches.next(batch.len());
            let done = if computes {
                self.patch_recomputed::<E>(&registered, batch.to_vec(), &sets, &mut batches).await
            } else {
                self.patch_fields(&registered, batch.to_vec(), &sets, &mut batches).await
            };
            changed += done.map_err(|e| batches.failed(e, &ids))?;
        }
        Ok(changed)
    }

    /// Sets the fields on their parts, and the new version on all others.
    async fn patch_fields(&self, registered: &Registered, mut ids: Vec<Id>, sets: &[(usize, Value)], batches: &mut Batches) -> Result<u64> {
        let target = &registered.target;
        // A copy on another part is set too: every column of the field in this part.
        let columns_of = |part: usize| -> Vec<(usize, &Value)> {
            let columns = target.part(part).columns.iter().enumerate();
            columns.filter_map(|(at, c)| sets.iter().find(|(f, _)| *f == c.field).map(|(_, v)| (at, v))).collect()
        };
        let several = target.len() > 1;
        let mut changed = 0;
        for round in 0..if several { RETRIES * 4 } else { RETRIES } {
            pause(round).await;
            // With other parts the versions are read before: those are what the other parts must have.
            let expected = if several {
                let page = fetch(target, Target::OWNER, &ids, &[]).await?;
                page.versions.iter().for_each(|version| self.inner.clock.seen(*version));
                ids = page.ids;
                page.versions
            } else {
                Vec::new()
            };
            if ids.is_empty() {
                return Ok(changed);
            }
            let version = self.inner.clock.next();
            let (columns, values): (Vec<usize>, Vec<&Value>) = columns_of(Target::OWNER).into_iter().unzip();
            let values = ids.iter().flat_map(|_| values.iter().map(|v| (*v).clone())).collect();
            let owner = WriteBatch { mode: WriteMode::Patch, version, ids: ids.clone(), columns, values, expected: expected.clone() };
            let report =
                blame(target, Target::OWNER, target.driver(Target::OWNER).write(target.part(Target::OWNER), Arc::new(owner)).await)?;
            report.stale.iter().for_each(|(_, version)| self.inner.clock.seen(*version));
            let stale: HashSet<usize> = report.stale.iter().map(|(row, _)| *row).collect();
            let left: HashSet<usize> = stale.iter().copied().chain(report.missing.iter().copied()).collect();
            changed += (ids.len() - left.len()) as u64;
            batches.wrote(changed > 0);
            if several && left.len() < ids.len() {
                let rows = ids.iter().zip(&expected).enumerate().filter(|(row, _)| !left.contains(row));
                let rows: Vec<(Id, i64)> = rows.map(|(_, (id, version))| (id.clone(), *version)).collect();
                on_others(target, "written on", |part| {
                    let (columns, values): (Vec<usize>, Vec<&Value>) = columns_of(part).into_iter().unzip();
                    let values = values.into_iter().cloned().collect::<Vec<_>>();
                    let rows = &rows;
                    async move { patch_part(target, part, version, rows, columns, |_| values.clone()).await }
                })
                .await?;
            }
            if stale.is_empty() {
                return Ok(changed);
            }
            ids = ids.into_iter().enumerate().filter(|(i, _)| stale.contains(i)).map(|(_, id)| id).collect();
        }
        Err(busy())
    }

    /// Reads the rows, sets the fields, computes anew and writes the rows if nobody else did in between.
    async fn patch_recomputed<E: Writable + Entity<Layout = L>>(
        &self,
        registered: &Registered,
        mut ids: Vec<Id>,
        sets: &[(usize, Value)],
        batches: &mut Batches,
    ) -> Result<u64> {
        let target = &registered.target;
        let fields = target.routing.entity.fields.len();
        let columns: Vec<usize> = (0..target.part(Target::OWNER).columns.len()).collect();
        let mut changed = 0;
        // Over the rounds: what was embedded for a row that another writer was faster with is not embedded again.
        let mut known = Known::new();
        for _ in 0..RETRIES {
            let version = self.inner.clock.next();
            let mut page = super::read::stored_of(registered, &ids).await?;
            let (mut found, mut expected, mut values) = (Vec::new(), Vec::new(), Vec::new());
            for row in 0..page.len() {
                let (mut id, stored) = (page.ids[row].clone(), page.versions[row]);
                let cells = page.row_mut(row);
                registered.note_row(cells, &mut known);
                sets.iter().for_each(|(field, value)| cells[*field] = value.clone());
                let entity = E::decode(&mut crate::query::RowCursor::new(&mut id, None, cells))?;
                let before = values.len();
                entity.encode(&mut values);
                for (field, value) in values[before..].iter().enumerate().filter(|(f, _)| E::SCHEMA.fields[*f].embedding.is_none()) {
                    check_value(E::SCHEMA, field, value)?;
                }
                found.push(id);
                expected.push(stored);
            }
            if found.is_empty() {
                return Ok(changed);
            }
            registered.embed(&mut values, &mut known).await?;
            let (owner, _) = part_batch(target, Target::OWNER, WriteMode::Patch, version, found.clone(), values.clone());
            let owner = Arc::new(WriteBatch { columns: columns.clone(), expected, ..(*owner).clone() });
            let report = blame(target, Target::OWNER, target.driver(Target::OWNER).write(target.part(Target::OWNER), owner).await)?;
            report.stale.iter().for_each(|(_, version)| self.inner.clock.seen(*version));
            let stale: Vec<usize> = report.stale.iter().map(|(row, _)| *row).collect();
            let skip: Vec<usize> = stale.iter().copied().chain(report.missing.iter().copied()).collect();
            let done = without(&found, &values, fields, &skip);
            changed += done.ids.len() as u64;
            batches.wrote(changed > 0);
            self.write_others(target, version, done).await?;
            if stale.is_empty() {
                return Ok(changed);
            }
            ids = stale.into_iter().map(|row| found[row].clone()).collect();
        }
        Err(busy())
    }
}

/// How often a part is asked again that has not yet the version which the owner had: about two seconds together.
const WAITS: u32 = 24;
/// The longest pause between.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Before a further round some time for the writer that was faster; none before the first ones.
async fn pause(round: usize) {
    if round > 3 {
        tokio::time::sleep(Duration::from_micros(200 * round as u64)).await;
    }
}

/// Patches rows on a part that is not the owner's: each must have there the version that the owner had before, so that no
/// writer's values are passed over. One that is still on its way is waited for.
///
/// # Errors
/// [`ErrorKind::FracturedRow`] where the part stays behind: the writer before did not finish.
pub(super) async fn patch_part(
    target: &Target,
    part: usize,
    version: i64,
    rows: &[(Id, i64)],
    columns: Vec<usize>,
    values: impl Fn(usize) -> Vec<Value>,
) -> Result<()> {
    let limit = target.describe(part).max_batch.max(1);
    let mut left: Vec<usize> = (0..rows.len()).collect();
    for attempt in 0..=WAITS {
        let mut behind = Vec::new();
        for chunk in left.chunks(limit) {
            let batch = WriteBatch {
                mode: WriteMode::Patch,
                version,
                ids: chunk.iter().map(|row| rows[*row].0.clone()).collect(),
                columns: columns.clone(),
                values: chunk.iter().flat_map(|row| values(*row)).collect(),
                expected: chunk.iter().map(|row| rows[*row].1).collect(),
            };
            let report = target.driver(part).write(target.part(part), Arc::new(batch)).await?;
            // A version that is not older came after ours, and has what ours has.
            let older = report.stale.iter().filter(|(_, stored)| *stored < version).map(|(row, _)| *row);
            behind.extend(older.chain(report.missing).map(|row| chunk[row]));
        }
        if behind.is_empty() {
            return Ok(());
        }
        // Deleted meanwhile: nothing is left to be patched.
        let ids: Vec<Id> = behind.iter().map(|row| rows[*row].0.clone()).collect();
        let there: HashSet<Id> = fetch(target, Target::OWNER, &ids, &[]).await?.ids.into_iter().collect();
        left = behind.into_iter().filter(|row| there.contains(&rows[*row].0)).collect();
        if left.is_empty() {
            return Ok(());
        }
        if attempt < WAITS {
            tokio::time::sleep(Duration::from_millis(1 << attempt.min(10)).min(LONGEST_PAUSE)).await;
        }
    }
    let why = "the part is of an older version than the row was: its last writer did not finish; write the whole row again";
    let id = left.first().map(|row| rows[*row].0.to_string()).unwrap_or_default();
    Err(Error::new(ErrorKind::FracturedRow, why).with("id", id).with("rows", left.len()))
}
