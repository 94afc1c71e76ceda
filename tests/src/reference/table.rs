//! A part of an entity as a map: what writes do to it, and what a sub-query finds in it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use heavenbase::ErrorKind;
use heavenbase::driver::{OrderKey, Position, SortKey, SubQuery, WriteBatch, WriteMode, WriteReport};
use heavenbase::filter::Filter;
use heavenbase::schema::Part;
use heavenbase::types::{Id, Value};

use super::compare::{equal, sort_order};
use super::filter::holds;

/// A stored row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: i64,
    /// The values of the part's columns.
    pub values: Vec<Value>,
}

/// The rows of a part by id; a `BTreeMap` of strings is in byte order.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The rows.
    pub rows: BTreeMap<String, Row>,
}

/// What a write should do.
pub type Wrote = Result<WriteReport, ErrorKind>;

impl Table {
    /// Applies a batch as `driver/write.rs` describes it; an error leaves everything as it was.
    pub fn write(&mut self, part: &Part, batch: &WriteBatch) -> Wrote {
        let mut after = self.rows.clone();
        let mut report = WriteReport::default();
        for (position, id) in batch.ids.iter().enumerate() {
            let stored = after.get(id.as_str()).map(|row| row.version);
            match (batch.mode, stored) {
                (WriteMode::Insert, Some(_)) => return Err(ErrorKind::AlreadyExists),
                (WriteMode::Patch | WriteMode::Delete, None) => {
                    report.missing.push(position);
                    continue;
                }
                (_, Some(version)) => {
                    let unexpected = batch.mode == WriteMode::Patch && batch.expected.get(position).is_some_and(|e| *e != version);
                    if version >= batch.version || unexpected {
                        report.stale.push((position, version));
                        continue;
                    }
                }
                _ => {}
            }
            if batch.mode == WriteMode::Delete {
                after.remove(id.as_str());
                continue;
            }
            let row = after.entry(id.as_str().to_owned()).or_insert_with(|| Row {
                id: id.as_str().to_owned(),
                version: 0,
                values: vec![Value::Null; part.columns.len()],
            });
            row.version = batch.version;
            for (column, value) in batch.columns.iter().zip(batch.row(position)) {
                row.values[*column] = value.clone();
            }
        }
        for group in part.unique_groups() {
            let keys: Vec<Vec<&Value>> = after.values().map(|row| group.iter().map(|c| &row.values[*c]).collect()).collect();
            for (i, key) in keys.iter().enumerate() {
                let null = key.iter().any(|value| value.is_null());
                if !null && keys[..i].iter().any(|other| other.iter().zip(key).all(|(a, b)| equal(a, b))) {
                    return Err(ErrorKind::UniqueViolation);
                }
            }
        }
        self.rows = after;
        Ok(report)
    }

    /// The rows on which a filter holds, by id; `ids` restricts them.
    pub fn matching(&self, part: &Part, filter: &Filter, ids: Option<&[Id]>) -> Vec<&Row> {
        let ids: Option<BTreeSet<&str>> = ids.map(|ids| ids.iter().map(Id::as_str).collect());
        let wanted = |row: &&Row| ids.as_ref().is_none_or(|ids| ids.contains(row.id.as_str()));
        self.rows.values().filter(wanted).filter(|row| row.holds(part, filter)).collect()
    }

    /// The rows of a sub-query without a search, in order.
    pub fn select(&self, part: &Part, query: &SubQuery) -> Vec<&Row> {
        let rows = self.matching(part, &query.filter, query.ids.as_deref());
        page(rows, |row: &&Row| *row, query)
    }
}

/// Orders rows, drops those up to `after`, then offset and limit.
pub fn page<T>(mut rows: Vec<T>, row: impl for<'a> Fn(&'a T) -> &'a Row, query: &SubQuery) -> Vec<T> {
    rows.sort_by(|a, b| row(a).order(row(b), &query.order));
    if let Some(position) = &query.after {
        rows.retain(|item| row(item).is_after(position, &query.order));
    }
    let limit = query.limit.unwrap_or(usize::MAX);
    rows.into_iter().skip(query.offset).take(limit).collect()
}

impl Row {
    /// The value of a field by name; panics on a field that the part lacks, which is a mistake of the test.
    pub fn value(&self, part: &Part, name: &str) -> Value {
        if name == heavenbase::schema::ID_COLUMN {
            return Value::Text(self.id.clone());
        }
        match part.column(name) {
            Some((position, _)) => self.values[position].clone(),
            None => panic!("the test asks for `{name}`, which the part does not have"),
        }
    }

    /// Whether a filter holds.
    pub fn holds(&self, part: &Part, filter: &Filter) -> bool {
        holds(filter, &|name| self.value(part, name))
    }

    /// The value of an order key.
    pub fn key(&self, key: &OrderKey) -> Value {
        match key.key {
            SortKey::Column(column) => self.values[column].clone(),
            SortKey::Id => Value::Text(self.id.clone()),
        }
    }

    fn order(&self, other: &Row, keys: &[OrderKey]) -> Ordering {
        for key in keys {
            let order = sort_order(&self.key(key), &other.key(key), key.descending);
            if order != Ordering::Equal {
                return order;
            }
        }
        self.id.as_bytes().cmp(other.id.as_bytes())
    }

    fn is_after(&self, position: &Position, keys: &[OrderKey]) -> bool {
        for (key, there) in keys.iter().zip(&position.keys) {
            match sort_order(&self.key(key), there, key.descending) {
                Ordering::Equal => {}
                other => return other == Ordering::Greater,
            }
        }
        self.id.as_bytes() > position.id.as_bytes()
    }
}
