//! Reading: rows by id, and what every read shares.

use std::sync::Arc;

use futures_util::StreamExt;
use lance::Dataset;
use lance::dataset::scanner::Scanner;
use lance::deps::datafusion::arrow::array::{Array, AsArray, RecordBatch};
use lance::deps::datafusion::arrow::datatypes::{Int64Type, UInt64Type};

use super::failure;
use super::filter::{self, Truth};
use super::store::Store;
use super::{codec, shape};
use crate::driver::{Page, WriteBatch};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Filter;
use crate::schema::{ID_COLUMN, Part, VERSION_COLUMN};
use crate::types::{Id, LogicalType, Value};

/// Most ids in one condition.
pub(super) const MAX_IDS: usize = 4_096;
/// The name Lance gives to the place of a row in a version.
pub(super) const PLACE: &str = "_rowid";
/// Rows and bytes that come from a scan at once.
const SCAN_ROWS: usize = 4_096;
const SCAN_BYTES: u64 = 32 << 20;
/// How often a read starts again when its version is cleaned away under it.
const PATIENCE: usize = 4;

/// An error of a read: ours, or one of Lance's, which tells whether to read again.
pub(super) enum Trouble {
    /// The files of the version are gone.
    Gone(Error),
    /// Anything else.
    Other(Error),
}

impl From<lance::Error> for Trouble {
    fn from(error: lance::Error) -> Self {
        if failure::is_gone(&error) { Trouble::Gone(failure::error(error)) } else { Trouble::Other(failure::error(error)) }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble::Other(error)
    }
}

impl Trouble {
    /// Whether Lance says that files are gone. It does not always: some failures of a cleaned version look like others.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Trouble::Gone(_))
    }

    pub(super) fn into_error(self) -> Error {
        match self {
            Trouble::Gone(error) | Trouble::Other(error) => error,
        }
    }
}

/// Reads from the newest version, and again from the then newest where its files were cleaned away meanwhile.
pub(super) async fn settled<T, F>(store: &Arc<Store>, part: &Arc<Part>, mut work: impl FnMut(Arc<Dataset>) -> F) -> Result<T>
where
    F: Future<Output = Result<T, Trouble>>,
{
    let mut tries = 0;
    loop {
        let dataset = store.open(part).await?;
        tries += 1;
        match work(dataset.clone()).await {
            Err(trouble) if tries < PATIENCE && (trouble.is_gone() || store.is_cleaned(part, &dataset)) => store.forget(part),
            other => return other.map_err(Trouble::into_error),
        }
    }
}

/// What a sub-query restricts rows to, but for its position.
pub(super) fn condition(part: &Part, filter: &Filter, ids: Option<&[Id]>) -> Result<Truth> {
    let filter = filter::of_filter(part, filter)?;
    Ok(match ids {
        Some(ids) => filter.and(filter::of_ids(ids)),
        None => filter,
    })
}

/// A scan of rows that satisfy a condition; `None` where none can.
pub(super) fn scanner(dataset: &Dataset, condition: &Truth, columns: &[String]) -> Result<Option<Scanner>, Trouble> {
    let mut scanner = dataset.scan();
    match condition {
        Truth::Never => return Ok(None),
        Truth::Always => {}
        Truth::When(expression) => {
            scanner.filter_expr(expression.clone());
            // So that the filter comes before a search, not after.
            scanner.prefilter(true);
        }
    }
    scanner.project(columns)?;
    scanner.batch_size(SCAN_ROWS).batch_size_bytes(SCAN_BYTES);
    Ok(Some(scanner))
}

/// Runs a scan, batch after batch.
pub(super) async fn each(scanner: &Scanner, mut take: impl FnMut(RecordBatch) -> Result<()> + Send) -> Result<(), Trouble> {
    let mut stream = scanner.try_into_stream().await?;
    while let Some(batch) = stream.next().await {
        take(batch?)?;
    }
    Ok(())
}

fn lacking(name: &str) -> Error {
    Error::new(ErrorKind::Corrupt, "the dataset lacks a column that was written: it was changed by something else").with("column", name)
}

/// A column of a batch.
pub(super) fn array<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a dyn Array> {
    batch.column_by_name(name).map(|array| array.as_ref() as &dyn Array).ok_or_else(|| lacking(name))
}

/// The ids of a batch.
pub(super) fn ids(batch: &RecordBatch) -> Result<Vec<Id>> {
    let texts = codec::Texts::of(array(batch, ID_COLUMN)?).ok_or_else(|| lacking(ID_COLUMN))?;
    Ok((0..batch.num_rows()).map(|row| Id::from(texts.get(row))).collect())
}

/// The versions of the rows of a batch.
pub(super) fn versions(batch: &RecordBatch) -> Result<&[i64]> {
    let versions = array(batch, VERSION_COLUMN)?.as_primitive_opt::<Int64Type>();
    versions.map(|array| &array.values()[..]).ok_or_else(|| lacking(VERSION_COLUMN))
}

/// The places of the rows of a batch.
pub(super) fn places(batch: &RecordBatch) -> Result<&[u64]> {
    let places = array(batch, PLACE)?.as_primitive_opt::<UInt64Type>();
    places.map(|array| &array.values()[..]).ok_or_else(|| lacking(PLACE))
}

/// The names to ask for, to read ids, versions and these columns of the part; each once.
pub(super) fn names(part: &Part, columns: &[usize]) -> Vec<String> {
    let mut names = vec![ID_COLUMN.to_owned(), VERSION_COLUMN.to_owned()];
    for column in columns.iter().filter_map(|&i| part.columns.get(i)) {
        let name = shape::column_name(column);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The values of columns of the part, column after column.
pub(super) fn values(part: &Part, columns: &[usize], batch: &RecordBatch) -> Result<Vec<Vec<Value>>> {
    let read = |&position: &usize| {
        let column = part.columns.get(position).ok_or_else(|| Error::new(ErrorKind::Internal, "a column that the part lacks"))?;
        let found = array(batch, &shape::column_name(column)).and_then(|array| codec::values(&column.logical, array));
        found.map_err(|e| e.at_field(column.name))
    };
    columns.iter().map(read).collect()
}

/// A batch with ids, versions and these columns as rows.
pub(super) fn page(part: &Part, columns: &[usize], batch: &RecordBatch) -> Result<Page> {
    let mut page = Page::new(columns.len());
    let ids = ids(batch)?;
    let versions = versions(batch)?;
    let mut values = values(part, columns, batch)?;
    for (row, (id, version)) in ids.into_iter().zip(versions).enumerate() {
        page.push(id, *version, values.iter_mut().map(|column| column[row].take()));
    }
    Ok(page)
}

/// Rows by id, in the order asked for, absent ones left out.
pub(super) async fn by_ids(store: &Arc<Store>, part: &Arc<Part>, ids: &[Id], columns: &[usize]) -> Result<Page> {
    settled(store, part, |dataset| async move {
        let mut found = Page::new(columns.len());
        for chunk in ids.chunks(MAX_IDS) {
            if let Some(scanner) = scanner(&dataset, &filter::of_ids(chunk), &names(part, columns))? {
                each(&scanner, |batch| {
                    found.append(page(part, columns, &batch)?);
                    Ok(())
                })
                .await?;
            }
        }
        Ok(found.arranged(ids))
    })
    .await
}

/// A row that is there: its version, and its place in the version of the dataset that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct There {
    pub version: i64,
    pub place: u64,
}

/// Which rows of a batch are there.
pub(super) async fn there(dataset: &Dataset, batch: &WriteBatch) -> Result<Vec<Option<There>>, Trouble> {
    let mut found = vec![None; batch.len()];
    let positions = crate::driver::IdLookup::new(&batch.ids);
    for chunk in batch.ids.chunks(MAX_IDS) {
        let Some(mut scanner) = scanner(dataset, &filter::of_ids(chunk), &names_of_ids())? else { continue };
        scanner.with_row_id();
        each(&scanner, |rows| {
            let there = ids(&rows)?.into_iter().zip(versions(&rows)?).zip(places(&rows)?);
            for ((id, version), place) in there {
                if let Some(position) = positions.row(&id) {
                    found[position] = Some(There { version: *version, place: *place });
                }
            }
            Ok(())
        })
        .await?;
    }
    Ok(found)
}

fn names_of_ids() -> Vec<String> {
    vec![ID_COLUMN.to_owned(), VERSION_COLUMN.to_owned()]
}

/// Rows by their places, in that order, as a page.
pub(super) async fn taken(dataset: &Arc<Dataset>, part: &Part, places: &[u64], columns: &[usize]) -> Result<Page, Trouble> {
    let schema = dataset.schema().project(&names(part, columns))?;
    let batch = dataset.take_builder(places, schema)?.execute().await?;
    if batch.num_rows() != places.len() {
        return Err(Error::new(ErrorKind::Internal, "rows that were found cannot be read: please report this").into());
    }
    Ok(page(part, columns, &batch)?)
}

/// Whether values of a type are small enough to be read for rows that may not be wanted.
pub(super) fn is_narrow(logical: &LogicalType) -> bool {
    match logical {
        LogicalType::Text { max } => *max <= 255,
        LogicalType::Bytes | LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_) => false,
        _ => true,
    }
}
