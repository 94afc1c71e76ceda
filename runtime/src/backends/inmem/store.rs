//! A part in memory: its writer, its snapshots, and the check of what different registrations say of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use parking_lot::{Mutex, MutexGuard};

use super::column::Kind;
use super::table::{ColumnShape, Table};
use super::write::{Writer, is_unique};
use crate::driver::{Ensured, WriteBatch, WriteReport};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};
use crate::types::Value;

/// From this many rows a write lets readers go on with the state before it; below they wait for its microseconds.
const LONG_WRITE: usize = 64;
/// Reads of single rows that go to the writer's table before a snapshot is made for them.
const SHORT_READS: u32 = 8;

/// The rows of one part, shared by all who opened it.
#[derive(Debug)]
pub(super) struct Store {
    entity: &'static str,
    namespace: Arc<str>,
    writer: Mutex<Writing>,
    /// The rows as the last finished write left them, once someone asked for them. A short write takes it away first:
    /// unless a reader still holds it, every chunk is the writer's alone, and nothing is copied.
    published: ArcSwapOption<Table>,
    dropped: AtomicBool,
}

#[derive(Debug, Default)]
struct Writing {
    writer: Writer,
    short_reads: u32,
    /// Whether a registration was accepted before.
    ensured: bool,
}

/// How one registration sees a store.
#[derive(Debug)]
pub(super) struct View {
    pub(super) store: Arc<Store>,
    /// The registration; held, so that its address stays its own.
    pub(super) part: Arc<Part>,
    pub(super) entity: &'static str,
    /// The stored column of each of the part's columns.
    pub(super) columns: Vec<usize>,
    /// The sorted sequences that are unique, and their fields.
    pub(super) uniques: Vec<(usize, String)>,
    /// Whether rows carry no version.
    pub(super) mapped: bool,
}

impl Store {
    /// A store without columns for a part.
    pub(super) fn new(part: &Part) -> Store {
        Store {
            entity: part.entity.name,
            namespace: part.namespace.clone(),
            writer: Mutex::default(),
            published: ArcSwapOption::empty(),
            dropped: AtomicBool::new(false),
        }
    }

    /// The rows as the last finished write left them.
    pub(super) fn snapshot(&self) -> Arc<Table> {
        match self.published.load_full() {
            Some(table) => table,
            None => self.publish(&mut self.writer.lock()),
        }
    }

    /// Calls `read` on the current rows without making a snapshot, where none is at hand: for a few rows.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Table) -> T) -> T {
        if let Some(table) = &*self.published.load() {
            return read(table);
        }
        let mut writing = self.writer.lock();
        writing.short_reads += 1;
        if writing.short_reads > SHORT_READS {
            self.publish(&mut writing);
        }
        read(&writing.writer.table)
    }

    /// The published rows; published now, if they are not.
    fn publish(&self, writing: &mut MutexGuard<'_, Writing>) -> Arc<Table> {
        writing.short_reads = 0;
        if let Some(table) = self.published.load_full() {
            return table;
        }
        let table = Arc::new(writing.writer.table.clone());
        self.published.store(Some(table.clone()));
        table
    }

    /// Writes a batch, or nothing of it.
    pub(super) fn write(&self, view: &View, batch: &WriteBatch) -> Result<WriteReport> {
        let mut writing = self.writer.lock();
        if batch.len() > LONG_WRITE {
            self.publish(&mut writing);
        } else {
            self.published.store(None);
        }
        let report = writing.writer.write(view, batch);
        writing.short_reads = 0;
        self.published.store(None);
        report
    }

    /// Whether the rows are those of this part's entity and namespace.
    pub(super) fn belongs_to(&self, part: &Part) -> bool {
        self.entity == part.entity.name && self.namespace == part.namespace
    }

    /// Marks the store as dropped; says whether this call did it.
    pub(super) fn drop_now(&self) -> bool {
        !self.dropped.swap(true, Ordering::AcqRel)
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::Acquire)
    }

    /// Checks a registration against what is stored, and adds what may be added.
    pub(super) fn ensure(&self, part: &Part) -> Result<Ensured> {
        let mut writing = self.writer.lock();
        let created = !writing.ensured;
        let table = &mut writing.writer.table;
        let mut ensured = Ensured { created, ..Ensured::default() };
        check(self, table, part)?;
        // On a copy, which takes the table's place when all of it went well.
        let mut next = table.clone();
        for column in &part.columns {
            if next.shape.iter().any(|stored| stored.physical == column.physical) {
                continue;
            }
            let shape = shape_of(column);
            let default = shape.default.clone();
            if !shape.kind.accepts(&default) || default.is_null() && !column.nullable && !created {
                let why =
                    "a new field of stored rows must be optional or have a default value of its type: Option<…> or #[store(default = …)]";
                return Err(mismatch(part, why.to_owned()).at_field(column.name));
            }
            next.add_column(shape, &default);
            if !created {
                ensured.added.push(column.name.to_owned());
            }
        }
        let position = |next: &Table, column: usize| next.shape.iter().position(|stored| stored.physical == part.columns[column].physical);
        let indexed = part.columns.iter().enumerate().filter(|(_, column)| column.index.is_some()).map(|(nth, _)| vec![nth]);
        for group in indexed.chain(part.index_groups()) {
            let columns: Vec<usize> = group.iter().filter_map(|nth| position(&next, *nth)).collect();
            if columns.iter().all(|column| next.shape[*column].kind.is_ordered()) {
                next.keep_sorted(columns);
            }
        }
        for group in part.unique_groups() {
            let columns: Vec<usize> = group.iter().filter_map(|nth| position(&next, *nth)).collect();
            let index = next.keep_sorted(columns);
            if !is_unique(&next, index) {
                let why = format!("unique({}) does not hold on the rows that are stored", names(part, &group));
                return Err(mismatch(part, why).at_field(part.columns[group[0]].name));
            }
        }
        *table = next;
        writing.ensured = true;
        self.published.store(None);
        Ok(ensured)
    }

    /// How a registration that was ensured sees the store.
    pub(super) fn view(self: &Arc<Self>, part: &Arc<Part>) -> Result<View> {
        self.read(|table| {
            let position = |column: &Column| table.shape.iter().position(|stored| stored.physical == column.physical);
            let columns = part.columns.iter().map(position).collect::<Option<Vec<usize>>>();
            let missing =
                || Error::new(ErrorKind::NotRegistered, "a field is not stored: register the entity first").of_entity(self.entity);
            let columns = columns.ok_or_else(missing)?;
            let unique = |group: Vec<usize>| {
                let sorted: Vec<usize> = group.iter().map(|column| columns[*column]).collect();
                table.sorted_by(&sorted).map(|index| (index, names(part, &group)))
            };
            let uniques = part.unique_groups().into_iter().map(unique).collect::<Option<Vec<_>>>().ok_or_else(missing)?;
            let (store, mapped) = (self.clone(), part.is_mapped());
            Ok(View { store, part: part.clone(), entity: part.entity.name, columns, uniques, mapped })
        })
    }
}

impl View {
    /// The stored columns of positions in the part.
    pub(super) fn positions(&self, columns: &[usize]) -> Result<Vec<usize>> {
        self.check(columns)?;
        Ok(columns.iter().map(|column| self.columns[*column]).collect())
    }

    /// Checks that these are positions in the part.
    pub(super) fn check(&self, columns: &[usize]) -> Result<()> {
        if columns.iter().all(|column| *column < self.columns.len()) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Internal, "a column that the part does not have").of_entity(self.entity))
    }
}

fn names(part: &Part, group: &[usize]) -> String {
    group.iter().map(|column| part.columns[*column].name).collect::<Vec<_>>().join(", ")
}

fn shape_of(column: &Column) -> ColumnShape {
    ColumnShape {
        name: column.name,
        physical: column.physical.clone(),
        kind: Kind::of(&column.logical, column.placement),
        logical: column.logical.to_string(),
        nullable: column.nullable,
        placement: column.placement,
        default: column.default.map_or(Value::Null, |default| default()),
    }
}

fn mismatch(part: &Part, why: String) -> Error {
    Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name).on_backend(part.backend)
}

fn check(store: &Store, table: &Table, part: &Part) -> Result<()> {
    if !store.belongs_to(part) {
        let why = format!(
            "the table `{}` belongs to the entity `{}` in the namespace `{}`: choose another name",
            part.table, store.entity, store.namespace
        );
        return Err(mismatch(part, why));
    }
    for stored in table.shape.iter() {
        let Some(column) = part.columns.iter().find(|column| column.physical == stored.physical) else {
            return Err(mismatch(part, "stored, but no longer a field: keep the field, or drop the entity's data first".to_owned())
                .at_field(stored.name));
        };
        let differs = |what: &str, old: String, new: String| {
            Err(mismatch(part, format!("{what} is {old} in storage and {new} in the entity: restore it, or move to a new field"))
                .at_field(column.name))
        };
        let logical = column.logical.to_string();
        if stored.logical != logical {
            return differs("the type", stored.logical.clone(), logical);
        }
        if stored.nullable != column.nullable {
            let word = |nullable: bool| if nullable { "optional" } else { "required" }.to_owned();
            return differs("the field", word(stored.nullable), word(column.nullable));
        }
        if stored.placement != column.placement {
            return differs("the placement", stored.placement.to_string(), column.placement.to_string());
        }
    }
    Ok(())
}
