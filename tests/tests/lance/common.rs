use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use heavenbase::backends::lance::LanceDriver;
use heavenbase::backends::{Connect, Lance};
use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, NearQuery, Page, SubQuery, WriteBatch, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{Binding, Column, Index, Part, Routing};
use heavenbase::types::{Id, LogicalType, Metric, Value};
use heavenbase_tests::data::Spec;
use heavenbase_tests::random::Random;

pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// A driver over a directory, and one part of it.
pub struct Store {
    pub driver: Arc<dyn Driver>,
    pub part: Arc<Part>,
}

impl Store {
    pub async fn open(backend: Lance, specs: &[Spec], indexes: &[(&str, Index)]) -> Outcome<Store> {
        let driver = backend.connect().await?;
        let entity = Box::leak(Box::new(Spec::entity("thing", specs)));
        let binding = Binding { name: "main", kind: "lance", driver: driver.clone() };
        let mut part = (*Routing::new(entity, &"space".into(), "main", &[binding])?.parts[0]).clone();
        let index_of = |c: &Column| indexes.iter().find(|(name, _)| *name == c.name).map(|(_, index)| *index).or(c.index);
        part.columns = part.columns.into_iter().map(|c| Column { index: index_of(&c), ..c }).collect();
        let part = Arc::new(part);
        driver.ensure(&part).await?;
        Ok(Store { driver, part })
    }

    pub fn lance(&self) -> &LanceDriver {
        match self.driver.as_any().downcast_ref() {
            Some(driver) => driver,
            None => unreachable!("opened as Lance"),
        }
    }

    pub async fn upsert(&self, version: i64, rows: Vec<(Id, Vec<Value>)>) -> heavenbase::Result<()> {
        let width = self.part.columns.len();
        for rows in rows.chunks(self.driver.description().max_batch) {
            let (ids, values): (Vec<Id>, Vec<Vec<Value>>) = rows.iter().cloned().unzip();
            let values = values.into_iter().flatten().collect();
            let batch = WriteBatch { mode: WriteMode::Upsert, version, ids, columns: (0..width).collect(), values, expected: Vec::new() };
            let report = self.driver.write(&self.part, Arc::new(batch)).await?;
            assert!(report.stale.is_empty() && report.missing.is_empty(), "{report:?}");
        }
        Ok(())
    }

    pub async fn select(&self, query: SubQuery) -> heavenbase::Result<Page> {
        let plan = self.driver.plan(&self.part, &query);
        assert!(plan.remainder.is_all() && plan.near && plan.limit, "not taken: {:?}", plan.remainder);
        let mut stream = self.driver.open(self.part.clone(), Arc::new(query.clone()))?;
        let mut whole = Page::new(query.columns.len());
        while let Some(page) = stream.next_page().await? {
            whole.append(page);
        }
        Ok(whole)
    }

    pub async fn near(
        &self,
        column: usize,
        vector: &[f32],
        metric: Metric,
        k: usize,
        exact: bool,
        filter: Filter,
    ) -> heavenbase::Result<Page> {
        let near = NearQuery { column, vector: vector.into(), metric, k, exact };
        self.select(SubQuery { filter, near: Some(near), ..SubQuery::default() }).await
    }
}

pub fn number(name: &str) -> Spec {
    Spec::new(name, LogicalType::INT, Placement::InlineColumn).required()
}

pub fn vector(name: &str, length: u32, metric: Metric) -> Spec {
    Spec::new(name, LogicalType::Vector(length), Placement::VectorIndex).ranked(metric)
}

pub fn test(field: &'static str, condition: Condition) -> Filter {
    Test::new(field, condition).into()
}

pub fn random_vector(random: &mut Random, length: usize) -> Arc<[f32]> {
    (0..length).map(|_| (random.unit() * 2.0 - 1.0) as f32).collect()
}

/// How many files of a kind lie under the dataset.
pub fn files(directory: &Path, folder: &str) -> usize {
    std::fs::read_dir(directory.join("space__thing.lance").join(folder)).map_or(0, Iterator::count)
}

/// What PyPI's `pylance` prints for a script; `None` where there is none to ask.
pub fn pylance(script: &str, arguments: &[&OsStr]) -> Outcome<Option<String>> {
    let Some(path) = std::env::var_os("HEAVENBASE_TEST_PYLANCE") else {
        assert!(std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_none(), "HEAVENBASE_TEST_PYLANCE is not set: tests/services up");
        eprintln!("not run: HEAVENBASE_TEST_PYLANCE is not set");
        return Ok(None);
    };
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let answer = Command::new(python).args(["-c", script]).args(arguments).env("PYTHONPATH", path).output()?;
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    Ok(Some(String::from_utf8_lossy(&answer.stdout).trim().to_owned()))
}
