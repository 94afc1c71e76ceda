//! Filters as plain values, in the words of `docs/semantics.md`, and what they mean on a row.
//!
//! The typed builders of [`query`](crate::query) and the JSON form both end here. Drivers turn a [`Filter`] into their
//! own language; where they cannot, [`Program`] evaluates it.

mod pattern;
mod program;

pub use pattern::{Pattern, compile_like, compile_regex};
pub use program::Program;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::capability::Operation;
use crate::types::Value;

/// A condition on a row. Two-valued: it holds or it does not; `Not` is the exact complement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// All of them; an empty one holds on every row.
    And(Vec<Filter>),
    /// Any of them; an empty one holds on none.
    Or(Vec<Filter>),
    /// Exactly where the other does not hold.
    Not(Box<Filter>),
    /// A test of one field.
    Test(Test),
}

/// A test of one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// The field's name; `object_id` for the id.
    pub field: Cow<'static, str>,
    /// The backend whose copy is meant; the truth when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Cow<'static, str>>,
    /// What of the field is tested.
    #[serde(default, skip_serializing_if = "Target::is_value")]
    pub target: Target,
    /// The condition.
    pub condition: Condition,
    /// Whether reading every row is allowed for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scan: bool,
}

/// What of a field is tested.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The value itself.
    #[default]
    Value,
    /// The number of items of a list; null for a null list.
    Length,
    /// What lies at a path in a JSON value, as JSON; null where nothing does, or a JSON `null`.
    Path(Vec<Segment>),
}

impl Target {
    fn is_value(&self) -> bool {
        *self == Target::Value
    }
}

/// One step of a JSON path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Segment {
    /// Into an array, from 0.
    Index(u32),
    /// Into an object.
    Key(Cow<'static, str>),
}

impl From<&str> for Segment {
    fn from(key: &str) -> Self {
        Segment::Key(Cow::Owned(key.to_owned()))
    }
}

impl From<String> for Segment {
    fn from(key: String) -> Self {
        Segment::Key(Cow::Owned(key))
    }
}

impl From<u32> for Segment {
    fn from(index: u32) -> Self {
        Segment::Index(index)
    }
}

/// A condition on one value, as `docs/semantics.md` defines it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Equal; null equals null.
    Eq(Value),
    /// Not equal: exactly `!Eq`, so null rows match unless compared with null.
    Ne(Value),
    /// Less; null never matches (as for all comparisons).
    Lt(Value),
    /// Less or equal.
    Le(Value),
    /// Greater.
    Gt(Value),
    /// Greater or equal.
    Ge(Value),
    /// Both ends included.
    Between(Value, Value),
    /// No value.
    IsNull,
    /// A value.
    IsSome,
    /// One of these; a null member matches nulls.
    In(Vec<Value>),
    /// None of these: exactly `!In`.
    NotIn(Vec<Value>),
    /// Case-sensitive substring.
    Contains(String),
    /// Case-sensitive prefix.
    StartsWith(String),
    /// Case-sensitive suffix.
    EndsWith(String),
    /// Substring after simple lower-casing of both sides.
    IContains(String),
    /// `%` any run, `_` one character, `\` escapes; anchored.
    Like(String),
    /// `Like` after simple lower-casing of both sides.
    ILike(String),
    /// Rust `regex` syntax, unanchored.
    Regex(String),
    /// Every word of the text occurs.
    Matches(String),
    /// The words of the text occur in order, side by side.
    Phrase(String),
    /// The list holds it.
    Has(Value),
    /// The list holds one of these.
    HasAny(Vec<Value>),
    /// The list holds all of these.
    HasAll(Vec<Value>),
}

impl Condition {
    /// The row of the capability table that this condition belongs to, for a test of the value itself.
    pub fn operation(&self) -> Operation {
        match self {
            Condition::Eq(_) | Condition::Ne(_) | Condition::In(_) | Condition::NotIn(_) => Operation::Eq,
            Condition::Lt(_) | Condition::Le(_) | Condition::Gt(_) | Condition::Ge(_) | Condition::Between(..) => Operation::Compare,
            Condition::IsNull | Condition::IsSome => Operation::IsNull,
            Condition::Contains(_) | Condition::StartsWith(_) | Condition::EndsWith(_) => Operation::Contains,
            Condition::IContains(_) => Operation::IContains,
            Condition::Like(_) => Operation::Like,
            Condition::ILike(_) => Operation::ILike,
            Condition::Regex(_) => Operation::Regex,
            Condition::Matches(_) | Condition::Phrase(_) => Operation::Matches,
            Condition::Has(_) | Condition::HasAny(_) | Condition::HasAll(_) => Operation::Has,
        }
    }
}

impl Test {
    /// A test of a field's value on its first placement.
    pub fn new(field: impl Into<Cow<'static, str>>, condition: Condition) -> Self {
        Test { field: field.into(), on: None, target: Target::Value, condition, scan: false }
    }

    /// The row of the capability table that this test belongs to.
    pub fn operation(&self) -> Operation {
        match self.target {
            Target::Value => self.condition.operation(),
            Target::Length => Operation::Length,
            Target::Path(_) => Operation::Path,
        }
    }
}

impl From<Test> for Filter {
    fn from(test: Test) -> Self {
        Filter::Test(test)
    }
}

impl Filter {
    /// Holds on every row.
    pub const fn all() -> Self {
        Filter::And(Vec::new())
    }

    /// Holds on no row.
    pub const fn none() -> Self {
        Filter::Or(Vec::new())
    }

    /// Whether it plainly holds on every row.
    pub fn is_all(&self) -> bool {
        matches!(self, Filter::And(parts) if parts.is_empty())
    }

    /// Whether it plainly holds on no row.
    pub fn is_none(&self) -> bool {
        matches!(self, Filter::Or(parts) if parts.is_empty())
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Filter) -> Filter {
        match (self, other) {
            (a, b) if b.is_all() => a,
            (a, b) if a.is_all() => b,
            (Filter::And(mut a), Filter::And(b)) => {
                a.extend(b);
                Filter::And(a)
            }
            (Filter::And(mut a), b) => {
                a.push(b);
                Filter::And(a)
            }
            (a, Filter::And(mut b)) => {
                b.insert(0, a);
                Filter::And(b)
            }
            (a, b) => Filter::And(vec![a, b]),
        }
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: Filter) -> Filter {
        match (self, other) {
            (Filter::Or(mut a), Filter::Or(b)) => {
                a.extend(b);
                Filter::Or(a)
            }
            (Filter::Or(mut a), b) => {
                a.push(b);
                Filter::Or(a)
            }
            (a, Filter::Or(mut b)) => {
                b.insert(0, a);
                Filter::Or(b)
            }
            (a, b) => Filter::Or(vec![a, b]),
        }
    }

    /// The complement.
    #[must_use]
    pub fn negate(self) -> Filter {
        match self {
            Filter::Not(inner) => *inner,
            other => Filter::Not(Box::new(other)),
        }
    }

    /// The parts of the conjunction at the top: those of an `And`, else the filter itself.
    pub fn into_conjuncts(self) -> Vec<Filter> {
        match self {
            Filter::And(parts) => parts.into_iter().flat_map(Filter::into_conjuncts).collect(),
            other => vec![other],
        }
    }

    /// The conjunction of these; one alone stays itself.
    pub fn conjunction(mut parts: Vec<Filter>) -> Filter {
        if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) }
    }

    /// Calls `visit` on every test, left to right.
    pub fn for_each_test<'a>(&'a self, visit: &mut dyn FnMut(&'a Test)) {
        match self {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|p| p.for_each_test(visit)),
            Filter::Not(inner) => inner.for_each_test(visit),
            Filter::Test(test) => visit(test),
        }
    }

    /// Whether every test satisfies `holds`.
    pub fn all_tests(&self, mut holds: impl FnMut(&Test) -> bool) -> bool {
        let mut all = true;
        self.for_each_test(&mut |test| all = all && holds(test));
        all
    }
}
