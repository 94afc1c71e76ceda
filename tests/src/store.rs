//! A driver and one part of it, for tests of one driver.

use std::sync::Arc;

use heavenbase::backends::Connect;
use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, NearQuery, Page, SubQuery, WriteBatch, WriteMode, WriteReport};
use heavenbase::error::Result;
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{Binding, Column, Index, Part, Routing};
use heavenbase::types::{Id, LogicalType, Metric, Value};

use crate::data::Spec;
use crate::random::Random;

/// A row: its id and a value a column.
pub type Row = (Id, Vec<Value>);

/// A driver and one part of it.
#[derive(Clone)]
pub struct Store {
    /// The driver.
    pub driver: Arc<dyn Driver>,
    /// The part.
    pub part: Arc<Part>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {}", self.part.table, self.driver.description().engine)
    }
}

impl Store {
    /// Connects, and makes a part of these fields.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn open(backend: impl Connect, specs: &[Spec]) -> Result<Store> {
        let kind = backend.kind();
        Self::over(backend.connect().await?, kind, specs).await
    }

    /// Makes a part of these fields in a namespace that nobody else uses.
    ///
    /// # Errors
    /// What the backend says.
    pub async fn over(driver: Arc<dyn Driver>, kind: &'static str, specs: &[Spec]) -> Result<Store> {
        let store = Self::planned(driver, kind, specs)?;
        store.driver.ensure(&store.part).await?;
        Ok(store)
    }

    /// The same, not yet made.
    ///
    /// # Errors
    /// When the fields cannot be laid out.
    pub fn planned(driver: Arc<dyn Driver>, kind: &'static str, specs: &[Spec]) -> Result<Store> {
        let part = Arc::new(lay_out(&driver, kind, &namespace(), specs)?);
        Ok(Store { driver, part })
    }

    /// The same part through another connection.
    #[must_use]
    pub fn through(&self, driver: Arc<dyn Driver>) -> Store {
        Store { driver, part: self.part.clone() }
    }

    /// Writes whole rows as one batch.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn write(&self, mode: WriteMode, version: i64, rows: &[Row]) -> Result<WriteReport> {
        self.driver.write(&self.part, batch(mode, version, rows.to_vec(), self.part.columns.len())).await
    }

    /// Writes whole rows in batches that the driver takes, and makes them readable.
    ///
    /// # Errors
    /// What the driver says.
    ///
    /// # Panics
    /// When a row is not written.
    pub async fn upsert(&self, version: i64, rows: &[Row]) -> Result<()> {
        for rows in rows.chunks(self.driver.description().max_batch) {
            let report = self.write(WriteMode::Upsert, version, rows).await?;
            assert!(report.stale.is_empty() && report.missing.is_empty(), "{report:?}");
        }
        self.driver.refresh(&self.part).await
    }

    /// The rows of a sub-query that the driver takes whole.
    ///
    /// # Errors
    /// What the driver says.
    ///
    /// # Panics
    /// When the driver does not take it.
    pub async fn select(&self, query: SubQuery) -> Result<Page> {
        collect(&self.driver, &self.part, query).await
    }

    /// Every row with every column, by id.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn all(&self) -> Result<Page> {
        self.select(SubQuery { columns: (0..self.part.columns.len()).collect(), ..SubQuery::default() }).await
    }

    /// The nearest rows by a vector column, without their columns.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn near(&self, column: usize, vector: &[f32], k: usize, exact: bool, filter: Filter) -> Result<Page> {
        let metric = self.part.columns[column].metric.unwrap_or_default();
        let near = NearQuery { column, vector: vector.into(), metric, k, exact };
        self.select(SubQuery { filter, near: Some(near), ..SubQuery::default() }).await
    }

    /// Drops the part.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn close(self) -> Result<()> {
        self.driver.drop_part(&self.part).await.map(drop)
    }
}

/// A namespace that nobody else uses.
pub fn namespace() -> Arc<str> {
    crate::conformance::namespace().into()
}

/// The part of these fields, not yet made.
///
/// # Errors
/// When the fields cannot be laid out.
pub fn lay_out(driver: &Arc<dyn Driver>, kind: &'static str, namespace: &Arc<str>, specs: &[Spec]) -> Result<Part> {
    let entity = Box::leak(Box::new(Spec::entity("thing", specs)));
    let binding = Binding { name: "main", kind, driver: driver.clone() };
    Ok((*Routing::new(entity, namespace, "main", &[binding])?.parts[0]).clone())
}

/// The same part with another index of a field.
pub fn with_index(mut part: Part, name: &str, index: Index) -> Arc<Part> {
    let set = |c: Column| if c.name == name { Column { index: Some(index), ..c } } else { c };
    part.columns = part.columns.into_iter().map(set).collect();
    Arc::new(part)
}

/// A batch of rows of so many columns.
pub fn batch(mode: WriteMode, version: i64, rows: Vec<Row>, width: usize) -> Arc<WriteBatch> {
    let (ids, values): (Vec<Id>, Vec<Vec<Value>>) = rows.into_iter().unzip();
    let width = if mode == WriteMode::Delete { 0 } else { width };
    let values = if width == 0 { Vec::new() } else { values.into_iter().flatten().collect() };
    Arc::new(WriteBatch { mode, version, ids, columns: (0..width).collect(), values, expected: Vec::new() })
}

/// A batch that replaces rows of so many columns.
pub fn upsert(version: i64, rows: Vec<Row>, width: usize) -> Arc<WriteBatch> {
    batch(WriteMode::Upsert, version, rows, width)
}

/// A batch that deletes.
pub fn delete(version: i64, ids: Vec<Id>) -> Arc<WriteBatch> {
    batch(WriteMode::Delete, version, ids.into_iter().map(|id| (id, Vec::new())).collect(), 0)
}

/// The rows of a sub-query that a driver takes whole.
///
/// # Errors
/// What the driver says.
///
/// # Panics
/// When the driver does not take it.
pub async fn collect(driver: &Arc<dyn Driver>, part: &Arc<Part>, query: SubQuery) -> Result<Page> {
    let plan = driver.plan(part, &query);
    assert!(plan.remainder.is_all() && plan.near && plan.limit, "not taken: {:?}", plan.remainder);
    let mut stream = driver.open(part.clone(), Arc::new(query.clone()))?;
    let mut whole = Page::new(query.columns.len());
    while let Some(page) = stream.next_page().await? {
        assert!(!page.is_empty(), "an empty page");
        whole.append(page);
    }
    Ok(whole)
}

/// A whole number in a column of its own, never null.
pub fn number(name: &str) -> Spec {
    Spec::new(name, LogicalType::INT, Placement::InlineColumn).required()
}

/// A vector that is searched, perhaps null.
pub fn vector(name: &str, length: u32, metric: Metric) -> Spec {
    Spec::new(name, LogicalType::Vector(length), Placement::VectorIndex).ranked(metric)
}

/// A filter of one test.
pub fn test(field: &'static str, condition: Condition) -> Filter {
    Test::new(field, condition).into()
}

/// Numbers from -1 to 1.
pub fn random_vector(random: &mut Random, length: usize) -> Arc<[f32]> {
    (0..length).map(|_| (random.unit() * 2.0 - 1.0) as f32).collect()
}

/// The ids and scores of the `k` nearest rows that are wanted, by plain comparison: best first, then by id.
pub fn nearest<'r>(
    rows: &'r [Row],
    column: usize,
    target: &[f32],
    metric: Metric,
    k: usize,
    wanted: impl Fn(&[Value]) -> bool,
) -> Vec<(&'r Id, f64)> {
    let mut scored: Vec<(&Id, f64)> = rows
        .iter()
        .filter(|(_, values)| wanted(values))
        .filter_map(|(id, values)| Some((id, metric.score(target, values[column].as_vector()?) + 0.0)))
        .collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    scored.truncate(k);
    scored
}

/// The ids alone of the `k` nearest rows that are wanted.
pub fn nearest_ids(rows: &[Row], column: usize, target: &[f32], metric: Metric, k: usize, wanted: impl Fn(&[Value]) -> bool) -> Vec<Id> {
    nearest(rows, column, target, metric, k, wanted).into_iter().map(|(id, _)| id.clone()).collect()
}

/// The first whole number of a row.
pub fn int(values: &[Value]) -> i64 {
    values.iter().find_map(|value| if let Value::Int(n) = value { Some(*n) } else { None }).unwrap_or_default()
}
