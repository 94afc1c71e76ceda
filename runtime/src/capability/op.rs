//! Operations as the capability table groups them, each as a type for the compiler and a value for run time.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* #[derive(Debug)] pub struct $name;)*

        /// An operation of the capability table, at run time.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    Eq = "eq";
    /// `is_null`, `is_some`, `count(field)`.
    IsNull = "is_null";
    /// `lt`, `le`, `gt`, `ge`, `between`.
    Compare = "compare";
    /// `contains`, `starts_with`, `ends_with`.
    Contains = "contains";
    /// `icontains`.
    IContains = "icontains";
    /// `like`.
    Like = "like";
    /// `ilike`.
    ILike = "ilike";
    /// `regex`.
    Regex = "regex";
    /// `matches`, `phrase`.
    Matches = "matches";
    /// `has`, `has_any`, `has_all`.
    Has = "has";
    /// `len()` and its comparisons.
    Length = "len";
    /// `path(…)` and its tests.
    Path = "path";
    /// `near`.
    Near = "near";
    /// `order_by`.
    Sort = "order_by";
    /// `group_by`, `count_distinct`.
    GroupBy = "group_by";
    /// `min`, `max`.
    MinMax = "min_max";
    /// `sum`, `avg`.
    Sum = "sum";
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
    pub struct Cosine;
    /// `metric = "l2"`.
    #[derive(Debug)]
    pub struct L2;
    /// `metric = "dot"`.
    #[derive(Debug)]
    pub struct Dot;
}
