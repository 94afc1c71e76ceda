//! Writes: the whole batch is checked before the first byte, the owner decides, the other parts follow.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use super::batches::Batches;
use super::embed::Known;
use super::{Registered, Workspace};
use crate::driver::{WriteBatch, WriteMode, no_key};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::plan::Target;
use crate::query::{Entity, Layout, Predicate, Writable};
use crate::schema::{EntitySchema, IdSource};
use crate::types::{Id, Metric, Value, canonical_key};

/// How often an owner is asked again when a newer version was in the way.
pub(super) const RETRIES: usize = 16;

/// Rows on their way: ids and the values of all fields, row after row.
pub(super) struct Rows {
    pub(super) ids: Vec<Id>,
    values: Vec<Value>,
}

impl<L: Layout> Workspace<L> {
    /// Writes a new row; gives its id.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when the id is taken, [`ErrorKind::UniqueViolation`], [`ErrorKind::InvalidValue`].
    pub async fn insert<E: Writable + Entity<Layout = L>>(&self, row: &E) -> Result<Id> {
        self.put(WriteMode::Insert, std::slice::from_ref(row), "insert").await.map(first)
    }

    /// Writes new rows, all or none of a batch of what the owner takes at once (`max_batch`); gives their ids.
    ///
    /// # Errors
    /// As [`insert`](Workspace::insert); [`Error::rows`] says what became of each row.
    pub async fn insert_many<E: Writable + Entity<Layout = L>>(&self, rows: &[E]) -> Result<Vec<Id>> {
        self.put(WriteMode::Insert, rows, "insert_many").await
    }

    /// Writes a row, new or in the place of the one with its id; gives its id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] naming the field, [`ErrorKind::UniqueViolation`]. After an error with
    /// [`Status::Unknown`] the owner may have the row and another backend not: write it again. What an embedder says;
    /// nothing is written then.
    pub async fn upsert<E: Writable + Entity<Layout = L>>(&self, row: &E) -> Result<Id> {
        self.put(WriteMode::Upsert, std::slice::from_ref(row), "upsert").await.map(first)
    }

    /// Writes rows, new or replaced; gives their ids. Every row is checked before the first byte is written.
    ///
    /// # Errors
    /// As [`upsert`](Workspace::upsert); [`ErrorKind::InvalidValue`] when an id occurs twice. [`Error::rows`] says what became of each
    /// row: those of batches before are done.
    pub async fn upsert_many<E: Writable + Entity<Layout = L>>(&self, rows: &[E]) -> Result<Vec<Id>> {
        self.put(WriteMode::Upsert, rows, "upsert_many").await
    }

    async fn put<E: Writable + Entity<Layout = L>>(&self, mode: WriteMode, rows: &[E], operation: &'static str) -> Result<Vec<Id>> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation(operation);
        let registered = self.writable(E::SCHEMA).map_err(named)?;
        let mut encoded = encode(rows).map_err(named)?;
        let ids = encoded.ids.clone();
        if !registered.embeddings.is_empty() {
            // New rows have nothing stored.
            let known = if mode == WriteMode::Insert { Ok(Known::new()) } else { registered.stored_vectors(&ids).await };
            registered.embed(&mut encoded.values, &mut known.map_err(named)?).await.map_err(named)?;
        }
        let mut batches = Batches::over(registered.target.len());
        let written = self.write_rows(&registered, mode, encoded, &mut batches).await;
        written.map_err(|e| named(batches.failed(e, &ids)))?;
        Ok(ids)
    }

    pub(super) fn writable(&self, entity: &'static EntitySchema) -> Result<Arc<Registered>> {
        if entity.read_only {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the entity is read_only: leave `read_only` out where its rows are yours to write",
            ));
        }
        self.registered(entity)
    }

    async fn write_rows(&self, registered: &Registered, mode: WriteMode, rows: Rows, batches: &mut Batches) -> Result<()> {
        let fields = registered.target.routing.entity.fields.len();
        let batch = registered.target.describe(Target::OWNER).max_batch.max(1);
        let Rows { mut ids, mut values } = rows;
        while !ids.is_empty() {
            let rest_ids = ids.split_off(batch.min(ids.len()));
            let rest_values = values.split_off(ids.len() * fields);
            batches.next(ids.len());
            self.write_chunk(registered, mode, ids, values, batches).await?;
            (ids, values) = (rest_ids, rest_values);
        }
        Ok(())
    }

    /// Owner first; rows that met a newer version are tried again with one newer still.
    async fn write_chunk(
        &self,
        registered: &Registered,
        mode: WriteMode,
        ids: Vec<Id>,
        values: Vec<Value>,
        batches: &mut Batches,
    ) -> Result<()> {
        let target = &registered.target;
        let fields = target.routing.entity.fields.len();
        let (mut ids, mut values) = (ids, values);
        for _ in 0..RETRIES {
            let version = self.inner.clock.next();
            let others = target.len() > 1;
            let (kept_ids, kept_values) = if others { (ids.clone(), values.clone()) } else { (Vec::new(), Vec::new()) };
            let (owner, moved) = part_batch(target, Target::OWNER, mode, version, ids, values);
            let report = blame(target, Target::OWNER, target.driver(Target::OWNER).write(target.part(Target::OWNER), owner.clone()).await)?;
            let stale: Vec<usize> = report.stale.iter().map(|(row, _)| *row).collect();
            report.stale.iter().for_each(|(_, version)| self.inner.clock.seen(*version));
            batches.wrote(stale.len() < owner.len());
            if others {
                let done = without(&kept_ids, &kept_values, fields, &stale);
                self.write_others(target, version, done).await?;
            }
            if stale.is_empty() {
                return Ok(());
            }
            let (all_ids, all_values) =
                if others { (kept_ids, kept_values) } else { (owner.ids.clone(), moved.unwrap_or_else(|| owner.values.clone())) };
            (ids, values) = only(&all_ids, &all_values, fields, &stale);
        }
        Err(busy())
    }

    pub(super) async fn write_others(&self, target: &Target, version: i64, rows: Rows) -> Result<()> {
        if rows.ids.is_empty() {
            return Ok(());
        }
        let fields = target.routing.entity.fields.len();
        let rows = &rows;
        on_others(target, "written on", |part| async move {
            let limit = target.describe(part).max_batch.max(1);
            for start in (0..rows.ids.len()).step_by(limit) {
                let end = (start + limit).min(rows.ids.len());
                let values = rows.values[start * fields..end * fields].to_vec();
                let (batch, _) = part_batch(target, part, WriteMode::Upsert, version, rows.ids[start..end].to_vec(), values);
                target.driver(part).write(target.part(part), batch).await?;
            }
            Ok(())
        })
        .await
    }

    /// Removes the row with this id. Says whether it was there.
    ///
    /// # Errors
    /// What the backends say. After [`Status::Unknown`] another backend may still have its part: delete again.
    pub async fn delete<E: Writable + Entity<Layout = L>>(&self, id: impl Into<Id>) -> Result<bool> {
        self.delete_many::<E>([id.into()]).await.map(|n| n > 0).map_err(|e| e.in_operation("delete"))
    }

    /// Removes the rows with these ids; gives how many were there.
    ///
    /// # Errors
    /// As [`delete`](Workspace::delete).
    pub async fn delete_many<E: Writable + Entity<Layout = L>>(&self, ids: impl IntoIterator<Item = Id>) -> Result<u64> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("delete_many");
        self.delete_ids(self.writable(E::SCHEMA).map_err(named)?, ids.into_iter().collect()).await.map_err(named)
    }

    /// Removes every row that satisfies a condition; gives how many.
    ///
    /// # Errors
    /// As [`delete`](Workspace::delete).
    pub async fn delete_where<E: Writable + Entity<Layout = L>>(&self, predicate: Predicate<E>) -> Result<u64> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("delete_where");
        let registered = self.writable(E::SCHEMA).map_err(named)?;
        let ids = self.ids_where(predicate).await.map_err(named)?;
        self.delete_ids(registered, ids).await.map_err(named)
    }

    pub(super) async fn delete_ids(&self, registered: Arc<Registered>, mut ids: Vec<Id>) -> Result<u64> {
        let target = &registered.target;
        ids.sort_unstable();
        ids.dedup();
        let chunk = (0..target.len()).map(|p| target.describe(p).max_batch).min().unwrap_or(1).max(1);
        let mut batches = Batches::over(target.len());
        let removed = self.delete_batches(target, &ids, chunk, &mut batches).await;
        removed.map_err(|e| batches.failed(e, &ids))
    }

    async fn delete_batches(&self, target: &Target, ids: &[Id], chunk: usize, batches: &mut Batches) -> Result<u64> {
        let mut removed = 0;
        for ids in ids.chunks(chunk) {
            batches.next(ids.len());
            let mut ids = ids.to_vec();
            for attempt in 0..=RETRIES {
                if attempt == RETRIES {
                    return Err(busy());
                }
                let version = self.inner.clock.next();
                let batch =
                    WriteBatch { mode: WriteMode::Delete, version, ids, columns: Vec::new(), values: Vec::new(), expected: Vec::new() };
                let batch = Arc::new(batch);
                let report =
                    blame(target, Target::OWNER, target.driver(Target::OWNER).write(target.part(Target::OWNER), batch.clone()).await)?;
                report.stale.iter().for_each(|(_, version)| self.inner.clock.seen(*version));
                let stale: HashSet<usize> = report.stale.iter().map(|(row, _)| *row).collect();
                removed += (batch.len() - stale.len() - report.missing.len()) as u64;
                batches.wrote(stale.len() < batch.len());
                // Parts of ids that the owner does not have are orphans: they go too.
                let gone: Vec<Id> = batch.ids.iter().enumerate().filter(|(i, _)| !stale.contains(i)).map(|(_, id)| id.clone()).collect();
                if !gone.is_empty() {
                    let others = &Arc::new(WriteBatch { ids: gone, ..(*batch).clone() });
                    let delete = |part| async move { target.driver(part).write(target.part(part), others.clone()).await.map(drop) };
                    on_others(target, "deleted on", delete).await?;
                }
                if stale.is_empty() {
                    break;
                }
                ids = batch.ids.iter().enumerate().filter(|(i, _)| stale.contains(i)).map(|(_, id)| id.clone()).collect();
            }
        }
        Ok(removed)
    }
}

/// Does the same on every part but the owner's, all together. A failure stops no other part: the first is given, with what
/// was `done` by then and where.
pub(super) async fn on_others<F>(target: &Target, done: &'static str, act: impl Fn(usize) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    if target.len() == 1 {
        return Ok(());
    }
    let outcomes = futures_util::future::join_all((1..target.len()).map(act)).await;
    let (mut failed, mut well) = (None, vec![target.part(Target::OWNER).backend]);
    for (part, outcome) in (1..target.len()).zip(outcomes) {
        match blame(target, part, outcome) {
            Ok(()) => well.push(target.part(part).backend),
            Err(error) => {
                failed.get_or_insert(error);
            }
        }
    }
    failed.map_or(Ok(()), |error| Err(error.with_status(Status::Unknown).with(done, well.join(", "))))
}

fn first(ids: Vec<Id>) -> Id {
    ids.into_iter().next().unwrap_or_default()
}

pub(super) fn busy() -> Error {
    Error::new(ErrorKind::Conflict, "other writers kept changing the same rows: try again").with_status(Status::Temporary)
}

pub(super) fn blame<T>(target: &Target, part: usize, result: Result<T>) -> Result<T> {
    result.map_err(|e| e.on_backend(target.part(part).backend))
}

/// Turns structs into checked values; assigns ids.
fn encode<E: Entity>(rows: &[E]) -> Result<Rows> {
    let entity = E::SCHEMA;
    let width = entity.fields.len();
    let mut encoded = Rows { ids: Vec::with_capacity(rows.len()), values: Vec::with_capacity(rows.len() * width) };
    for (row, item) in rows.iter().enumerate() {
        let start = encoded.values.len();
        item.encode(&mut encoded.values);
        let at_row = |e: Error| if rows.len() > 1 { e.with("row", row) } else { e };
        // What is embedded is not there yet.
        let there = |(field, _): &(usize, &Value)| entity.fields[*field].embedding.is_none();
        for (field, value) in encoded.values[start..].iter().enumerate().filter(there) {
            check_value(entity, field, value).map_err(at_row)?;
        }
        let id = if item.id().is_auto() { assigned(entity, &encoded.values[start..]).map_err(at_row)? } else { item.id().clone() };
        id.check().map_err(at_row)?;
        if let Some(table) = entity.existing
            && table.kind.value(&id).is_none()
        {
            return Err(at_row(no_key(table.kind)));
        }
        encoded.ids.push(id);
    }
    // Ids that ascend differ; others are looked for among those before.
    if !encoded.ids.is_sorted_by(|a, b| a < b) {
        let mut seen = hashbrown::HashSet::with_capacity(encoded.ids.len());
        if let Some(row) = encoded.ids.iter().position(|id| !seen.insert(id.as_str())) {
            let why = "an id occurs twice in one batch: which row should win is not said";
            return Err(Error::new(ErrorKind::InvalidValue, why).at_field("object_id").with("row", row).with("id", &encoded.ids[row]));
        }
    }
    Ok(encoded)
}

fn assigned(entity: &EntitySchema, values: &[Value]) -> Result<Id> {
    let IdSource::From(fields) = entity.id else { return Ok(Id::random()) };
    let mut key = entity.name.as_bytes().to_vec();
    for name in fields {
        let (field, _) = entity.field(name).ok_or_else(|| {
            Error::new(ErrorKind::InvalidSchema, "the id is made from a field that the entity does not have").at_field(*name)
        })?;
        canonical_key(&values[field], &mut key);
    }
    let digest = blake3::hash(&key);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    Ok(Id::from(uuid::Builder::from_custom_bytes(bytes).into_uuid()))
}

/// Checks one value against its field.
pub(super) fn check_value(entity: &EntitySchema, field: usize, value: &Value) -> Result<()> {
    let schema = &entity.fields[field];
    let named = |e: Error| e.at_field(schema.name);
    if value.is_null() && !schema.nullable {
        return Err(named(Error::new(ErrorKind::InvalidValue, "a null in a field that is not optional")));
    }
    schema.logical.check(value).map_err(named)?;
    if let Value::Vector(numbers) = value
        && schema
            .placements
            .iter()
            .any(|p| p.metric.unwrap_or_default() == Metric::Cosine && p.placement == crate::capability::Placement::VectorIndex)
        && numbers.iter().all(|n| *n == 0.0)
    {
        return Err(named(Error::new(ErrorKind::InvalidValue, "a zero vector has no direction: with metric cosine use None instead")));
    }
    Ok(())
}

/// The batch of one part; moves the values where the part holds every field in order, and hands nothing back then.
pub(super) fn part_batch(
    target: &Target,
    part: usize,
    mode: WriteMode,
    version: i64,
    ids: Vec<Id>,
    values: Vec<Value>,
) -> (Arc<WriteBatch>, Option<Vec<Value>>) {
    let held = target.part(part);
    let width = target.routing.entity.fields.len();
    let columns: Vec<usize> = (0..held.columns.len()).collect();
    let in_order = held.columns.len() == width && held.columns.iter().enumerate().all(|(i, c)| c.field == i);
    if in_order {
        return (Arc::new(WriteBatch { mode, version, ids, columns, values, expected: Vec::new() }), None);
    }
    let picked = (0..ids.len())
        .flat_map(|row| held.columns.iter().map(move |c| (row, c.field)))
        .map(|(row, f)| values[row * width + f].clone())
        .collect();
    (Arc::new(WriteBatch { mode, version, ids, columns, values: picked, expected: Vec::new() }), Some(values))
}

pub(super) fn without(ids: &[Id], values: &[Value], width: usize, rows: &[usize]) -> Rows {
    let skip: HashSet<usize> = rows.iter().copied().collect();
    let keep: Vec<usize> = (0..ids.len()).filter(|row| !skip.contains(row)).collect();
    let (ids, values) = only(ids, values, width, &keep);
    Rows { ids, values }
}

fn only(ids: &[Id], values: &[Value], width: usize, rows: &[usize]) -> (Vec<Id>, Vec<Value>) {
    let picked = rows.iter().flat_map(|row| values[row * width..(row + 1) * width].iter().cloned()).collect();
    (rows.iter().map(|row| ids[*row].clone()).collect(), picked)
}
