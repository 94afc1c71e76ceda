use std::cmp::Ordering;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::filter::Filter;
use crate::types::{Id, Metric, Value};

/// What one driver is asked for: a plain value in terms of one part. Column numbers are positions in `Part::columns`;
/// tests in the filter name fields, all of which lie in the part (or are `object_id`).
#[derive(Clone, Debug, PartialEq)]
pub struct SubQuery {
    /// Which rows.
    pub filter: Filter,
    /// Only these ids, sorted by bytes, at most `Description::max_ids`.
    pub ids: Option<Arc<[Id]>>,
    /// The columns wanted; none for ids and versions alone.
    pub columns: Vec<usize>,
    /// The order, before the id. Empty: by id.
    pub order: Vec<OrderKey>,
    /// Only rows after this position in the order.
    pub after: Option<Position>,
    /// At most so many rows.
    pub limit: Option<usize>,
    /// Rows to leave out at the start.
    pub offset: usize,
    /// The nearest rows instead: best score first, then id. `order`, `after` and `offset` are empty then.
    pub near: Option<NearQuery>,
    /// A hint: rows a page, at first.
    pub page_rows: usize,
    /// Whether the caller looks at the ids alone, with no columns: versions may be anything then, which spares an index the
    /// way to its rows.
    pub ids_only: bool,
    /// Of a search: scores within [`SearchCosts::rough`](super::SearchCosts::rough) of the true ones will do, and rows whose scores
    /// are closer may come in any order: the caller keeps some of the rows, and looks again at those of them that matter.
    pub rough: bool,
    /// A hint: at most so many rows, as [`estimate`](super::Driver::estimate) said.
    pub expected: Option<usize>,
}

impl Default for SubQuery {
    fn default() -> Self {
        SubQuery {
            filter: Filter::all(),
            ids: None,
            columns: Vec::new(),
            order: Vec::new(),
            after: None,
            limit: None,
            offset: 0,
            near: None,
            page_rows: 1024,
            ids_only: false,
            rough: false,
            expected: None,
        }
    }
}

/// One key of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OrderKey {
    /// What to order by.
    pub key: SortKey,
    /// Greatest first; nulls are last all the same.
    pub descending: bool,
}

/// What to order by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SortKey {
    /// A column of the part.
    Column(usize),
    /// The id.
    Id,
}

/// A place in an order: the keys' values of a row, and its id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// One value for each key of the order.
    pub keys: Vec<Value>,
    /// The row's id.
    pub id: Id,
}

/// A vector search.
#[derive(Clone, Debug, PartialEq)]
pub struct NearQuery {
    /// The vector column.
    pub column: usize,
    /// Where to search from; of the column's length.
    pub vector: Arc<[f32]>,
    /// The column's metric.
    pub metric: Metric,
    /// How many rows.
    pub k: usize,
    /// Whether recall must be 1.0.
    pub exact: bool,
}

/// The order of two scores, the greater first. 0.0 and -0.0 are one score: what comes first of them, the id decides.
pub fn best_first(a: f64, b: f64) -> Ordering {
    (b + 0.0).total_cmp(&(a + 0.0))
}

/// An aggregation over the rows of one part.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// Which rows.
    pub filter: Filter,
    /// Only these ids, sorted by bytes.
    pub ids: Option<Arc<[Id]>>,
    /// The columns to group by; none for one group of all.
    pub keys: Vec<usize>,
    /// What to compute a group.
    pub measures: Vec<Measure>,
}

/// One number to compute over a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Measure {
    /// How.
    pub function: AggregateFunction,
    /// Over which column; `None` counts rows.
    pub column: Option<usize>,
}

/// How a group becomes one value. Nulls are passed over; no value at all gives null (counts: 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AggregateFunction {
    /// Rows, or non-null values.
    Count,
    /// Different non-null values.
    CountDistinct,
    /// The sum, of the field's type; overflow is an error.
    Sum,
    /// The mean as `f64`.
    Avg,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

/// One group of an aggregation.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The values of the keys.
    pub keys: Vec<Value>,
    /// The values of the measures.
    pub measures: Vec<Value>,
}
