//! Updates: some fields of rows that are there, by id or by a condition.

use std::collections::HashSet;
use std::sync::Arc;

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
        let mut changed = 0;
        for ids in ids.chunks(chunk) {
            ids.iter().try_for_each(Id::check)?;
            changed += if computes {
                self.patch_recomputed::<E>(&registered, ids.to_vec(), &sets).await?
            } else {
                self.patch_fields(&registered, ids.to_vec(), &sets).await?
            };
        }
        Ok(changed)
    }

    /// Sets the fields on their parts, and the new version on all others.
    async fn patch_fields(&self, registered: &Registered, mut ids: Vec<Id>, sets: &[(usize, Value)]) -> Result<u64> {
        let target = &registered.target;
        let mut changed = 0;
        for _ in 0..RETRIES {
            let version = self.inner.clock.next();
            let batch_for = |part: usize, ids: Vec<Id>| {
                let held = target.part(part);
                // A copy on another part is set too: every column of the field in this part.
                let columns: Vec<(usize, &Value)> = held
                    .columns
                    .iter()
                    .enumerate()
                    .filter_map(|(at, c)| sets.iter().find(|(f, _)| *f == c.field).map(|(_, v)| (at, v)))
                    .collect();
                let values = ids.iter().flat_map(|_| columns.iter().map(|(_, v)| (*v).clone())).collect();
                let columns = columns.into_iter().map(|(at, _)| at).collect();
                Arc::new(WriteBatch { mode: WriteMode::Patch, version, ids, columns, values, expected: Vec::new() })
            };
            let owner = batch_for(Target::OWNER, ids.clone());
            let report = blame(target, Target::OWNER, target.driver(Target::OWNER).write(target.part(Target::OWNER), owner).await)?;
            report.stale.iter().for_each(|(_, version)| self.inner.clock.seen(*version));
            let stale: HashSet<usize> = report.stale.iter().map(|(row, _)| *row).collect();
            let left: HashSet<usize> = stale.iter().copied().chain(report.missing.iter().copied()).collect();
            let done: Vec<Id> = ids.iter().enumerate().filter(|(i, _)| !left.contains(i)).map(|(_, id)| id.clone()).collect();
            changed += done.len() as u64;
            if !done.is_empty() {
                let (batch_for, done) = (&batch_for, &done);
                on_others(target, "written on", |part| async move {
                    target.driver(part).write(target.part(part), batch_for(part, done.clone())).await.map(drop)
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
            self.write_others(target, version, done).await?;
            if stale.is_empty() {
                return Ok(changed);
            }
            ids = stale.into_iter().map(|row| found[row].clone()).collect();
        }
        Err(busy())
    }
}
