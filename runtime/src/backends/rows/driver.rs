use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;

use super::aggregate::aggregate;
use super::manifest::Manifest;
use super::stream::{RowStream, push};
use super::table::Table;
use super::{Contents, Look, Place, Store, create_directory};
use crate::capability::{Operation, Support, questions};
use crate::driver::{
    Aggregate, AggregateFunction, Description, Driver, Ensured, Group, Page, PageStream, Pushdown, Reply, SortKey, SubQuery, WriteBatch,
    WriteReport, native_only,
};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Naming, Part};
use crate::types::Id;

/// A driver over rows in memory and a [`Store`] on disk.
pub(crate) struct RowDriver<S: Store> {
    description: Description,
    root: PathBuf,
    store: Arc<S>,
    tables: RwLock<HashMap<String, Arc<Table<S>>>>,
}

impl<S: Store> RowDriver<S> {
    /// Opens a directory, and creates it where it is not.
    pub fn open(root: PathBuf, store: S) -> Result<Self> {
        create_directory(&root)?;
        let description = Description {
            kind: S::KIND,
            engine: S::ENGINE.to_owned(),
            embedded: true,
            transactional: true,
            naming: Naming::PLAIN,
            max_ids: 1 << 20,
            max_batch: 1 << 20,
            max_k: 10_000,
        };
        Ok(RowDriver { description, root, store: Arc::new(store), tables: RwLock::default() })
    }

    /// The table of a part; a part that came with other columns than before is looked at anew.
    fn table(&self, part: &Arc<Part>) -> Result<Arc<Table<S>>> {
        if let Some(table) = self.tables.read().get(&part.table)
            && self.is_of(table, part)
        {
            return Ok(table.clone());
        }
        if part.is_mapped() {
            let why = "existing tables can be mapped in databases only: leave `table = …` away, files are named after the entity";
            return Err(Error::new(ErrorKind::Unsupported, why).of_entity(part.entity.name));
        }
        let directory = self.root.join(format!("{}.{}", part.table, S::KIND));
        let table = Arc::new(Table::new(Place { directory, part: part.clone() }, self.store.clone()));
        let mut tables = self.tables.write();
        match tables.get(&part.table) {
            Some(other) if self.is_of(other, part) => Ok(other.clone()),
            _ => {
                tables.insert(part.table.clone(), table.clone());
                Ok(table)
            }
        }
    }

    fn is_of(&self, table: &Table<S>, part: &Arc<Part>) -> bool {
        Arc::ptr_eq(&table.at.part, part)
            || Manifest::of(&table.at, S::KIND) == Manifest::of(&Place { directory: PathBuf::new(), part: part.clone() }, S::KIND)
                && table.at.part.unique_groups() == part.unique_groups()
    }

    fn fetch_rows(&self, part: &Arc<Part>, ids: &[Id], columns: &[usize]) -> Result<Page> {
        let contents = self.table(part)?.read()?;
        let mut page = Page::new(columns.len());
        for id in ids {
            match contents.rows.get(id) {
                Some(row) => push(&mut page, row, columns),
                None => unreadable(&contents, id)?,
            }
        }
        Ok(page)
    }

    /// Work that waits for the disk: beside the caller's runtime where there is one.
    fn blocking<'a, T: Send + 'static>(
        &self,
        part: &Arc<Part>,
        work: impl FnOnce(&Table<S>) -> Result<T> + Send + 'static,
    ) -> Reply<'a, T> {
        let table = match self.table(part) {
            Ok(table) => table,
            Err(error) => return Reply::ready(Err(error)),
        };
        match tokio::runtime::Handle::try_current() {
            Err(_) => Reply::ready(work(&table)),
            Ok(runtime) => Reply::later(async move {
                let joined = runtime.spawn_blocking(move || work(&table)).await;
                joined.unwrap_or_else(|e| Err(Error::new(ErrorKind::Internal, "a task of the file backend was lost").caused_by(e)))
            }),
        }
    }
}

/// An error where an id that was not found may be that of a damaged row.
fn unreadable(contents: &Contents, id: &Id) -> Result<()> {
    if let Some(damage) = contents.damaged.get(id) {
        return Err(damage.error(Some(id)));
    }
    contents.nameless.first().map_or(Ok(()), |damage| Err(damage.error(None)))
}

impl<S: Store> Driver for RowDriver<S> {
    fn description(&self) -> &Description {
        &self.description
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        self.blocking(part, |table| table.ensure())
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        self.blocking(part, move |table| table.write(&batch))
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        Reply::ready(self.fetch_rows(part, ids, columns))
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        let table = self.tables.read().get(&part.table).cloned();
        let (rows, directory) = match &table {
            Some(table) => (table.last_len(), table.at.directory.clone()),
            None => (0, self.root.join(format!("{}.{}", part.table, S::KIND))),
        };
        let how = match (&wanted.near, &wanted.ids) {
            (Some(_), _) => "exact search over",
            (None, Some(_)) => "look-up by id in",
            (None, None) => "scan of",
        };
        let text = format!("{} {how} {rows} rows in {}", S::KIND, directory.display());
        let mut plan = Pushdown::of_filter(wanted, &|filter| filter.all_tests(|test| native_only(part, test)), text);
        let whole = plan.remainder.is_all();
        let sorts = wanted.order.iter().all(|key| match key.key {
            SortKey::Id => true,
            SortKey::Column(column) => native(part, column, Operation::Sort),
        });
        let ranks = wanted.near.as_ref().is_none_or(|near| native(part, near.column, Operation::Near));
        plan.order = whole && sorts;
        plan.near = whole && ranks;
        plan.limit = whole && sorts && ranks;
        plan
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        let contents = self.table(&part)?.read()?;
        Ok(Box::new(RowStream::new(&part, contents, query)?))
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        wanted.filter.all_tests(|test| native_only(part, test))
            && wanted.keys.iter().all(|column| native(part, *column, Operation::GroupBy))
            && wanted.measures.iter().all(|measure| {
                let operation = match measure.function {
                    AggregateFunction::Count => Operation::IsNull,
                    AggregateFunction::CountDistinct => Operation::GroupBy,
                    AggregateFunction::Sum | AggregateFunction::Avg => Operation::Sum,
                    AggregateFunction::Min | AggregateFunction::Max => Operation::MinMax,
                };
                measure.column.is_none_or(|column| native(part, column, operation))
            })
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        Reply::ready(self.table(part).and_then(|table| table.read()).and_then(|contents| aggregate(part, &contents, query)))
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        let dropped = self.blocking(part, |table| table.drop_part());
        self.tables.write().remove(&part.table);
        dropped
    }

    fn refresh<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, ()> {
        self.blocking(part, |table| table.catch_up(Look::Thorough).map(drop))
    }

    fn health(&self) -> Reply<'_, ()> {
        Reply::ready(std::fs::read_dir(&self.root).map(drop).map_err(|e| super::io_error(e, "read the directory", &self.root)))
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// Whether the table lets the part's kind run an operation on a column.
fn native(part: &Part, column: usize, operation: Operation) -> bool {
    part.columns.get(column).is_some_and(|c| questions::support(part.kind, operation, c.logical.class(), c.placement) == Support::Native)
}
