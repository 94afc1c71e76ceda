use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use heavenbase::backends::elasticsearch::{ElasticsearchDriver, Refresh};
use heavenbase::backends::{Connect, Elasticsearch};
use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, Page, SubQuery, WriteBatch, WriteMode, WriteReport};
use heavenbase::filter::{Filter, Program};
use heavenbase::schema::{Binding, EntitySchema, FieldSchema, Index, Part, PlacementSchema, Routing};
use heavenbase::types::{Id, LogicalType, Metric, Value};
use heavenbase::{Error, Result};

const VARIABLE: &str = "HEAVENBASE_TEST_ELASTICSEARCH";

/// Where the real node runs. Says so when there is none, and fails where one is required.
pub fn address(test: &str) -> Option<String> {
    let found = std::env::var(VARIABLE).ok().filter(|address| !address.is_empty());
    if found.is_none() {
        let required = std::env::var("HEAVENBASE_TEST_REQUIRED").unwrap_or_default();
        assert!(!required.split([',', ' ']).any(|name| name == "elasticsearch"), "{VARIABLE} is not set, and it is required");
        eprintln!("not run: {test} ({VARIABLE} is not set)");
    }
    found
}

pub const fn place(placement: Placement) -> PlacementSchema {
    PlacementSchema { backend: "", placement, copy: false, index: None, unique: false, metric: None }
}

pub const INLINE: &[PlacementSchema] = &[place(Placement::InlineColumn)];
pub const WORDS: &[PlacementSchema] = &[place(Placement::InvertedIndex)];
pub const COSINE: &[PlacementSchema] = &[PlacementSchema { metric: Some(Metric::Cosine), ..place(Placement::VectorIndex) }];
pub const L2: &[PlacementSchema] = &[PlacementSchema { metric: Some(Metric::L2), ..place(Placement::VectorIndex) }];
pub const GRAPH: &[PlacementSchema] = &[PlacementSchema {
    metric: Some(Metric::L2),
    index: Some(Index { method: "hnsw", parameters: &[("m", 8), ("ef_construction", 50)] }),
    ..place(Placement::VectorIndex)
}];

pub const fn field(name: &'static str, logical: LogicalType, placements: &'static [PlacementSchema]) -> FieldSchema {
    FieldSchema { placements, ..FieldSchema::new(name, logical, true) }
}

/// A test is no measurement: where others want the processor too, a batch of megabytes takes its time.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// A namespace that no other test uses.
pub fn namespace() -> Arc<str> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    format!("e{:x}n{:x}", nanos, COUNT.fetch_add(1, Ordering::Relaxed)).into()
}

pub fn lay_out(driver: &Arc<dyn Driver>, entity: &'static EntitySchema, namespace: &Arc<str>) -> Arc<Part> {
    let binding = Binding { name: "main", kind: "elasticsearch", driver: driver.clone() };
    Routing::new(entity, namespace, "main", &[binding]).unwrap().parts[0].clone()
}

/// A driver and a registered part of it, dropped by [`Store::close`].
#[derive(Clone)]
pub struct Store {
    pub driver: Arc<dyn Driver>,
    pub part: Arc<Part>,
}

impl Store {
    /// A new part on the real node; `None`, said aloud, when there is no node.
    pub async fn open(test: &str, entity: &'static EntitySchema) -> Option<Store> {
        let driver = Elasticsearch::url(address(test)?).refresh(Refresh::BeforeSearch).timeout(PATIENCE).connect().await.unwrap();
        let part = lay_out(&driver, entity, &namespace());
        assert!(driver.ensure(&part).await.unwrap().created);
        Some(Store { driver, part })
    }

    pub async fn close(self) {
        assert!(self.driver.drop_part(&self.part).await.unwrap(), "the part was there");
        assert!(!self.driver.drop_part(&self.part).await.unwrap(), "and is gone");
    }

    /// A request past the driver.
    pub async fn raw(&self, method: &str, path: &str, body: Option<heavenbase::types::Json>) -> Result<heavenbase::types::Json> {
        let driver = self.driver.as_any().downcast_ref::<ElasticsearchDriver>().unwrap();
        driver.request(method, path, body.as_ref()).await
    }

    pub fn all_columns(&self) -> Vec<usize> {
        (0..self.part.columns.len()).collect()
    }

    pub fn batch(&self, mode: WriteMode, version: i64, rows: Vec<(String, Vec<Value>)>) -> WriteBatch {
        let (ids, values): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let delete = mode == WriteMode::Delete;
        WriteBatch {
            mode,
            version,
            ids: ids.into_iter().map(Id::from).collect(),
            columns: if delete { Vec::new() } else { self.all_columns() },
            values: if delete { Vec::new() } else { values.into_iter().flatten().collect() },
            expected: Vec::new(),
        }
    }

    pub async fn write(&self, mode: WriteMode, version: i64, rows: Vec<(String, Vec<Value>)>) -> Result<WriteReport> {
        self.driver.write(&self.part, Arc::new(self.batch(mode, version, rows))).await
    }

    pub async fn upsert(&self, version: i64, rows: Vec<(String, Vec<Value>)>) {
        let report = self.write(WriteMode::Upsert, version, rows).await.unwrap();
        assert_eq!(report, WriteReport::default());
    }

    pub async fn get(&self, id: &str) -> Option<(i64, Vec<Value>)> {
        let page = self.driver.fetch_one(&self.part, &Id::from(id), &self.all_columns()).await.unwrap();
        (!page.is_empty()).then(|| (page.versions[0], page.row(0).to_vec()))
    }

    pub async fn run(&self, query: SubQuery) -> Result<Page, Error> {
        let mut all = Page::new(query.columns.len());
        let mut stream = self.driver.open(self.part.clone(), Arc::new(query))?;
        while let Some(page) = stream.next_page().await? {
            assert!(!page.is_empty(), "an empty page");
            all.append(page);
        }
        Ok(all)
    }

    /// Rows that a filter finds natively, which it must be taken for whole; compared with the evaluator's answer.
    pub async fn agrees(&self, rows: &[(String, Vec<Value>)], filter: Filter) -> usize {
        let query = SubQuery { filter: filter.clone(), ..SubQuery::default() };
        let plan = self.driver.plan(&self.part, &query);
        assert!(plan.remainder.is_all(), "not taken whole: {filter:?}");
        let program = Program::new(&filter, &|name| self.part.column(name).map(|(position, _)| position)).unwrap();
        let mut expected: Vec<&str> = rows.iter().filter(|(_, row)| program.holds_on(row)).map(|(id, _)| id.as_str()).collect();
        expected.sort_unstable();
        let found = self.run(query).await.unwrap();
        let found: Vec<&str> = found.ids.iter().map(|id| id.as_str()).collect();
        assert_eq!(found, expected, "{filter:?}");
        found.len()
    }
}

pub fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}
