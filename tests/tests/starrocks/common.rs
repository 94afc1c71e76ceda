//! What every test needs.

use std::sync::Arc;

use heavenbase::driver::{Driver, WriteBatch, WriteMode};
use heavenbase::schema::{Binding, EntitySchema, Part, Routing};
use heavenbase::types::{Id, Value};
use heavenbase_tests::data::Spec;

/// What `Authorization` says for MariaDB's test user.
pub const AUTHORIZATION: &str = "Basic aGVhdmVuYmFzZTpoZWF2ZW5iYXNl";

pub fn part_of(driver: &Arc<dyn Driver>, entity: EntitySchema) -> Arc<Part> {
    let binding = Binding { name: "main", kind: "starrocks", driver: driver.clone() };
    Routing::new(Box::leak(Box::new(entity)), &"shop".into(), "main", &[binding]).unwrap().parts[0].clone()
}

pub fn part(driver: &Arc<dyn Driver>, specs: &[Spec]) -> Arc<Part> {
    part_of(driver, Spec::entity("thing", specs))
}

pub fn batch(mode: WriteMode, version: i64, rows: Vec<(&str, Vec<Value>)>) -> Arc<WriteBatch> {
    let columns = (0..rows[0].1.len()).collect();
    let (ids, values): (Vec<Id>, Vec<Vec<Value>>) = rows.into_iter().map(|(id, values)| (Id::from(id), values)).unzip();
    Arc::new(WriteBatch { mode, version, ids, columns, values: values.into_iter().flatten().collect(), expected: Vec::new() })
}
