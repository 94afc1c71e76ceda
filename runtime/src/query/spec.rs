use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::driver::AggregateFunction;
use crate::filter::{Condition, Filter};

/// A query as a plain value: no types, no workspace. Serialises; two equal ones ask for the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QuerySpec {
    /// Which rows.
    pub filter: Filter,
    /// A search that ranks the rows: order is by score then.
    pub search: Option<SearchSpec>,
    /// The order, before the id.
    pub order: Vec<OrderSpec>,
    /// At most so many rows.
    pub limit: Option<usize>,
    /// Rows to leave out at the start.
    pub offset: usize,
    /// A cursor: only rows after it.
    pub after: Option<String>,
    /// Whether a search must have recall 1.0.
    pub exact: bool,
    /// Whether reading every row is allowed for whatever a backend does not run itself (queries that are not typed).
    pub scan: bool,
    /// The fields wanted, in order; all of the entity when absent.
    pub select: Option<Vec<FieldRef>>,
    /// Groups and numbers instead of rows.
    pub aggregate: Option<AggregateSpec>,
}

impl Default for Filter {
    fn default() -> Self {
        Filter::all()
    }
}

/// A field named in a query.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FieldRef {
    /// The field's name.
    pub name: Cow<'static, str>,
    /// The backend whose copy is meant; the truth when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Cow<'static, str>>,
    /// Whether reading every row is allowed for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scan: bool,
}

/// One key of an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OrderSpec {
    /// By which field.
    pub field: FieldRef,
    /// Greatest first; nulls are last all the same.
    #[serde(default)]
    pub descending: bool,
}

/// A search that ranks rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchSpec {
    /// The nearest vectors.
    Near {
        /// The vector field.
        field: FieldRef,
        /// Where to search from.
        vector: Vec<f32>,
        /// How many rows.
        k: usize,
    },
    /// The vectors nearest to that of a text, which the field's embedder computes when the query runs.
    NearText {
        /// The vector field.
        field: FieldRef,
        /// The text.
        text: String,
        /// How many rows.
        k: usize,
    },
    /// The texts that match best: by [`text_score`](crate::exec::text_score).
    Matches {
        /// The text field.
        field: FieldRef,
        /// The words.
        text: String,
        /// How many rows.
        k: usize,
    },
    /// Several searches fused by reciprocal rank (constant 60).
    Hybrid {
        /// The searches; each one's `k` is the depth it is read to at least.
        searches: Vec<SearchSpec>,
        /// How many rows.
        k: usize,
    },
}

impl SearchSpec {
    /// The searches that it consists of: those of a hybrid, else itself.
    pub(crate) fn singles_mut(&mut self) -> &mut [SearchSpec] {
        match self {
            SearchSpec::Hybrid { searches, .. } => searches,
            single => std::slice::from_mut(single),
        }
    }
}

/// Groups and numbers over the rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AggregateSpec {
    /// The fields to group by; none for one group of all rows.
    pub keys: Vec<FieldRef>,
    /// What to compute a group.
    pub measures: Vec<MeasureSpec>,
    /// Which groups.
    pub having: Option<HavingSpec>,
}

/// One number to compute a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasureSpec {
    /// How.
    pub function: AggregateFunction,
    /// Over which field; rows are counted when absent.
    pub field: Option<FieldRef>,
}

/// A condition on groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HavingSpec {
    /// All of them.
    And(Vec<HavingSpec>),
    /// Any of them.
    Or(Vec<HavingSpec>),
    /// The complement.
    Not(Box<HavingSpec>),
    /// A measure, which need not be among those selected, satisfies a condition.
    Test(MeasureSpec, Condition),
}
