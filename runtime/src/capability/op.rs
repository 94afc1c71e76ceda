//! Operations as the capability table groups them, each as a type for the compiler and a value for run time.

use std::fmt;

use serde::{Deserialize, Serialize};

// The compiler shortens a path in a message only where the last name is one of a kind: so each type has a name of its own,
// which messages show, beside the one that code writes.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident $shown:ident = $text:literal;)*) => {
        $(
            $(#[$doc])* #[derive(Debug)] pub struct $shown;
            #[doc(no_inline)] pub use $shown as $name;
        )*

        /// An operation of the capability table, at run time.
        #[derive(Clone, Copy, Debug, PartialEq, ::std::cmp::Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Operation { $($(#[$doc])* $name,)* }

        impl Operation {
            /// Every operation, in the order of the matrix.
            pub const ALL: &'static [Operation] = &[$(Operation::$name),*];

            /// The name used in the matrix and in `explain`.
            pub const fn name(self) -> &'static str {
                match self { $(Operation::$name => $text,)* }
            }
        }

        $(impl From<$name> for Operation {
            fn from(_: $name) -> Self {
                Operation::$name
            }
        })*
    };
}

operations! {
    /// `eq`, `ne`, `in_list`, `not_in`.
    Eq OpEq = "eq";
    /// `is_null`, `is_some`, `count(field)`.
    IsNull OpIsNull = "is_null";
    /// `lt`, `le`, `gt`, `ge`, `between`.
    Compare OpCompare = "compare";
    /// `contains`, `starts_with`, `ends_with`.
    Contains OpContains = "contains";
    /// `icontains`.
    IContains OpIContains = "icontains";
    /// `like`.
    Like OpLike = "like";
    /// `ilike`.
    ILike OpILike = "ilike";
    /// `regex`.
    Regex OpRegex = "regex";
    /// `matches`, `phrase`.
    Matches OpMatches = "matches";
    /// `has`, `has_any`, `has_all`.
    Has OpHas = "has";
    /// `len()` and its comparisons.
    Length OpLength = "len";
    /// `path(…)` and its tests.
    Path OpPath = "path";
    /// `near`.
    Near OpNear = "near";
    /// `order_by`.
    Sort OpSort = "order_by";
    /// `group_by`, `count_distinct`.
    GroupBy OpGroupBy = "group_by";
    /// `min`, `max`.
    MinMax OpMinMax = "min_max";
    /// `sum`, `avg`.
    Sum OpSum = "sum";
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Metrics as types, for the check of `#[store(metric = "…")]`.
pub mod metric {
    /// `metric = "cosine"`.
    #[derive(Debug)]
    pub struct MetricCosine;
    /// `metric = "l2"`.
    #[derive(Debug)]
    pub struct MetricL2;
    /// `metric = "dot"`.
    #[derive(Debug)]
    pub struct MetricDot;
    // Two names, as for operations.
    #[doc(no_inline)]
    pub use {MetricCosine as Cosine, MetricDot as Dot, MetricL2 as L2};
}
