//! Writes: decided on the newest version, then one commit.
//!
//! The writers of all processes take turns by a lock file, so what was read is still so when it is written. Lance itself
//! commits optimistically; where another program got in between, the write is decided anew.

use std::collections::HashSet;
use std::sync::Arc;

use lance::Dataset;
use lance::dataset::transaction::{Operation, Transaction, TransactionBuilder, UpdateMode};
use lance::dataset::{CommitBuilder, DeleteBuilder, InsertBuilder, WriteMode as LanceMode, WriteParams};
use lance::deps::datafusion::arrow::array::RecordBatch;
use lance::deps::datafusion::common::ScalarValue;
use lance::deps::datafusion::logical_expr::{Expr, in_list};

use super::failure::{self, Ours};
use super::filter;
use super::read::{self, There, Trouble};
use super::store::{Store, manifest_of};
use super::{durable, shape};
use crate::backends::disk;
use crate::driver::{WriteBatch, WriteMode, WriteReport};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::filter::{Condition, Filter, Test};
use crate::schema::Part;
use crate::types::{Id, Value, canonical_key};

/// Most rows of one write.
pub(super) const MAX_BATCH: usize = 16_384;
/// How often a write is decided anew after another program committed first.
const ATTEMPTS: usize = 8;
/// Bytes of values in one Arrow batch, roughly: short texts have offsets of 32 bits.
const BATCH_BYTES: usize = 256 << 20;

/// A row of the batch that its guard lets through.
struct Due {
    position: usize,
    there: Option<There>,
}

/// Writes a batch, or nothing of it.
pub(super) async fn run(store: &Arc<Store>, part: &Arc<Part>, batch: &WriteBatch) -> Result<WriteReport> {
    if batch.is_empty() {
        return Ok(WriteReport::default());
    }
    let _turn = store.turn(part).await?;
    let mut attempts = 0;
    loop {
        attempts += 1;
        match attempt(store, part, batch).await {
            Err(error) if error.kind() == ErrorKind::Conflict && attempts < ATTEMPTS => store.forget(part),
            other => return other,
        }
    }
}

async fn attempt(store: &Arc<Store>, part: &Arc<Part>, batch: &WriteBatch) -> Result<WriteReport> {
    let dataset = store.open(part).await?;
    let manifest = manifest_of(&dataset)?;
    if let Some(unknown) = manifest.columns.iter().find(|column| part.column(&column.field).is_none()) {
        let why = "the stored entity has a field that this program does not know: update the program, then register again";
        return Err(Error::new(ErrorKind::SchemaMismatch, why).at_field(unknown.field.clone()));
    }
    let there = read::there(&dataset, batch).await.map_err(retried)?;
    let (report, due) = guard(batch, there)?;
    if due.is_empty() {
        return Ok(report);
    }
    let rows = if batch.mode == WriteMode::Delete { Vec::new() } else { rows(&dataset, part, batch, &due).await.map_err(retried)? };
    if batch.mode != WriteMode::Delete {
        check_unique(&dataset, part, batch, &due, &rows).await?;
    }
    let inserted = if rows.is_empty() { Vec::new() } else { batches(part, batch, &due, &rows)? };
    let places: Vec<u64> = due.iter().filter_map(|due| due.there).map(|there| there.place).collect();
    commit(store, part, dataset, inserted, places).await?;
    Ok(report)
}

/// Files that vanish under a write were compacted away by another program: decide anew.
fn retried(trouble: Trouble) -> Error {
    match trouble {
        Trouble::Gone(error) => {
            Error::new(ErrorKind::Conflict, "another program cleaned the dataset meanwhile: try again").caused_by(error)
        }
        Trouble::Other(error) => error,
    }
}

fn guard(batch: &WriteBatch, there: Vec<Option<There>>) -> Result<(WriteReport, Vec<Due>)> {
    let mut report = WriteReport::default();
    let mut due = Vec::with_capacity(batch.len());
    for (position, there) in there.into_iter().enumerate() {
        match (there, batch.mode) {
            (Some(_), WriteMode::Insert) => {
                return Err(Error::new(ErrorKind::AlreadyExists, "a row with this id is there already: use upsert to replace it")
                    .at_field("object_id")
                    .with("id", &batch.ids[position]));
            }
            (None, WriteMode::Patch | WriteMode::Delete) => report.missing.push(position),
            (None, _) => due.push(Due { position, there }),
            (Some(found), _) => {
                let expected = batch.expected.get(position).copied();
                if found.version >= batch.version || expected.is_some_and(|expected| expected != found.version) {
                    report.stale.push((position, found.version));
                } else {
                    due.push(Due { position, there });
                }
            }
        }
    }
    Ok((report, due))
}

/// The whole rows as they will be.
async fn rows(dataset: &Arc<Dataset>, part: &Part, batch: &WriteBatch, due: &[Due]) -> Result<Vec<Vec<Value>>, Trouble> {
    let every: Vec<usize> = (0..part.columns.len()).collect();
    let mut stored = if batch.mode == WriteMode::Patch {
        let places: Vec<u64> = due.iter().filter_map(|due| due.there).map(|there| there.place).collect();
        Some(read::taken(dataset, part, &places, &every).await?)
    } else {
        None
    };
    let mut rows = Vec::with_capacity(due.len());
    for (nth, due) in due.iter().enumerate() {
        let mut row = match &mut stored {
            Some(page) => page.row_mut(nth).iter_mut().map(Value::take).collect(),
            None => vec![Value::Null; part.columns.len()],
        };
        for (column, value) in batch.columns.iter().zip(batch.row(due.position)) {
            if let Some(place) = row.get_mut(*column) {
                *place = value.clone();
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Bytes that are the same for equal values; none when one is null, which is unique by itself.
fn key_of<'a>(values: impl Iterator<Item = &'a Value>) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    for value in values {
        if value.is_null() {
            return None;
        }
        canonical_key(value, &mut key);
    }
    Some(key)
}

/// Refuses rows that would share unique values with each other or with rows that stay.
async fn check_unique(dataset: &Dataset, part: &Part, batch: &WriteBatch, due: &[Due], rows: &[Vec<Value>]) -> Result<()> {
    let changing: HashSet<&str> = due.iter().map(|due| batch.ids[due.position].as_str()).collect();
    for group in part.unique_groups() {
        if batch.mode == WriteMode::Patch && !group.iter().any(|column| batch.columns.contains(column)) {
            continue;
        }
        let names: Vec<&str> = group.iter().map(|&c| part.columns[c].name).collect();
        let violated = |id: &Id| {
            let why = format!("another row has this value of unique({}) already", names.join(", "));
            Error::new(ErrorKind::UniqueViolation, why).at_field(names.first().copied().unwrap_or_default()).with("id", id)
        };
        let mut asked = std::collections::HashMap::new();
        let mut firsts = Vec::new();
        for (due, row) in due.iter().zip(rows) {
            let Some(key) = key_of(group.iter().map(|&c| &row[c])) else { continue };
            let id = &batch.ids[due.position];
            if asked.insert(key, id).is_some() {
                return Err(violated(id));
            }
            firsts.push(row[group[0]].clone());
        }
        if asked.is_empty() {
            continue;
        }
        // Rows that share the first value of the group; the others are compared here.
        let filter = Filter::from(Test::new(names[0], Condition::In(firsts)));
        let condition = filter::of_filter(part, &filter)?;
        let Some(scanner) = read::scanner(dataset, &condition, &read::names(part, &group)).map_err(Trouble::into_error)? else { continue };
        let mut taken = None;
        read::each(&scanner, |found| {
            let values = read::values(part, &group, &found)?;
            for (row, id) in read::ids(&found)?.iter().enumerate() {
                if changing.contains(id.as_str()) {
                    continue;
                }
                let key = key_of(values.iter().map(|column| &column[row]));
                if let Some(mine) = key.and_then(|key| asked.get(&key)) {
                    taken = Some((*mine).clone());
                }
            }
            Ok(())
        })
        .await
        .map_err(retried)?;
        if let Some(id) = taken {
            return Err(violated(&id));
        }
    }
    Ok(())
}

/// The rows as Arrow batches.
fn batches(part: &Part, batch: &WriteBatch, due: &[Due], rows: &[Vec<Value>]) -> Result<Vec<RecordBatch>> {
    let rows: Vec<(&Id, &[Value])> = due.iter().zip(rows).map(|(due, row)| (&batch.ids[due.position], row.as_slice())).collect();
    let mut made = Vec::new();
    let mut rest = &rows[..];
    while !rest.is_empty() {
        let mut weight = 0;
        let fits = rest.iter().take_while(|(_, row)| {
            weight += row.iter().map(Value::weight).sum::<usize>();
            weight <= BATCH_BYTES
        });
        let (now, later) = rest.split_at(fits.count().max(1));
        made.push(shape::batch(part, batch.version, now)?);
        rest = later;
    }
    Ok(made)
}

/// Commits new rows in the place of old ones.
async fn commit(store: &Arc<Store>, part: &Arc<Part>, dataset: Arc<Dataset>, inserted: Vec<RecordBatch>, places: Vec<u64>) -> Result<()> {
    let read_version = dataset.version_id();
    let new_fragments = if inserted.is_empty() {
        Vec::new()
    } else {
        let parameters = WriteParams { mode: LanceMode::Append, session: Some(store.session()), ..WriteParams::default() };
        let appended = InsertBuilder::new(dataset.clone()).with_params(&parameters).execute_uncommitted(inserted).await.ours()?;
        match appended.operation {
            Operation::Append { fragments } => fragments,
            _ => return Err(Error::new(ErrorKind::Internal, "Lance appends in another way than was known: please report this")),
        }
    };
    let mut builder = CommitBuilder::new(dataset.clone()).with_skip_auto_cleanup(true);
    let operation = if places.is_empty() {
        Operation::Append { fragments: new_fragments }
    } else {
        let which = in_list(filter::named(read::PLACE), places.iter().map(|place| place_literal(*place)).collect(), false);
        let deleted = DeleteBuilder::from_expr(dataset.clone(), which).execute_uncommitted().await.ours()?;
        if deleted.num_deleted_rows != places.len() as u64 {
            return Err(Error::new(ErrorKind::Internal, "rows to replace were not found again: please report this"));
        }
        let Transaction { operation: Operation::Delete { updated_fragments, deleted_fragment_ids, .. }, .. } = deleted.transaction else {
            return Err(Error::new(ErrorKind::Internal, "Lance deletes in another way than was known: please report this"));
        };
        if let Some(affected) = deleted.affected_rows {
            builder = builder.with_affected_rows(affected);
        }
        if new_fragments.is_empty() {
            // Which rows is in the fragments; the text is for people.
            Operation::Delete { updated_fragments, deleted_fragment_ids, predicate: format!("{} rows by id", places.len()) }
        } else {
            Operation::Update {
                removed_fragment_ids: deleted_fragment_ids,
                updated_fragments,
                new_fragments,
                fields_modified: Vec::new(),
                compacted_sstables: Vec::new(),
                fields_for_preserving_frag_bitmap: dataset.schema().fields_pre_order().map(|f| f.id as u32).collect(),
                update_mode: Some(UpdateMode::RewriteRows),
                inserted_rows_filter: None,
                updated_fragment_offsets: None,
            }
        }
    };
    if store.config.synchronous {
        durable::before(store.path(part), &operation).await?;
    }
    let transaction = TransactionBuilder::new(read_version, operation).build();
    match builder.execute(transaction).await {
        Ok(committed) => {
            let committed = store.keep(part, committed);
            if store.config.synchronous {
                durable::after(store.path(part), &committed).await.map_err(disk::unsettled)?;
            }
            Ok(())
        }
        Err(e) if failure::is_conflict(&e) => Err(failure::error(e)),
        // The commit is one rename: whether it took place is not known.
        Err(e) => Err(failure::error(e).with_status(Status::Unknown)),
    }
}

fn place_literal(place: u64) -> Expr {
    Expr::Literal(ScalarValue::UInt64(Some(place)), None)
}
