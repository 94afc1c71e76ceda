use std::marker::PhantomData;
use std::ops::{BitAnd, BitOr, Not};

use super::{FieldRef, OrderSpec};
use crate::filter::{Filter, Test};

/// A condition on rows of `E`. Combine with `&`, `|` and `!`.
pub struct Predicate<E> {
    filter: Filter,
    of: PhantomData<fn() -> E>,
}

impl<E> Predicate<E> {
    /// Holds on every row.
    pub fn all() -> Self {
        Self::from_filter(Filter::all())
    }

    /// Holds on no row.
    pub fn none() -> Self {
        Self::from_filter(Filter::none())
    }

    /// All of these; none at all holds on every row.
    pub fn all_of(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::from_filter(Filter::And(parts.into_iter().map(|p| p.filter).collect()))
    }

    /// Any of these; none at all holds on no row.
    pub fn any_of(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::from_filter(Filter::Or(parts.into_iter().map(|p| p.filter).collect()))
    }

    pub(super) fn from_test(test: Test) -> Self {
        Self::from_filter(Filter::Test(test))
    }

    /// A plain filter taken at its word: its fields and capabilities are checked when the query runs.
    pub fn from_filter(filter: Filter) -> Self {
        Predicate { filter, of: PhantomData }
    }

    /// The plain filter.
    pub fn into_filter(self) -> Filter {
        self.filter
    }

    /// The plain filter.
    pub fn as_filter(&self) -> &Filter {
        &self.filter
    }
}

impl<E> Clone for Predicate<E> {
    fn clone(&self) -> Self {
        Self::from_filter(self.filter.clone())
    }
}

impl<E> std::fmt::Debug for Predicate<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.filter.fmt(f)
    }
}

impl<E> BitAnd for Predicate<E> {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self::from_filter(self.filter.and(other.filter))
    }
}

impl<E> BitOr for Predicate<E> {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self::from_filter(self.filter.or(other.filter))
    }
}

impl<E> Not for Predicate<E> {
    type Output = Self;
    fn not(self) -> Self {
        Self::from_filter(self.filter.negate())
    }
}

/// A key to order rows of `E` by: `Product::PRICE.desc()`.
pub struct Order<E> {
    pub(super) spec: OrderSpec,
    of: PhantomData<fn() -> E>,
}

impl<E> Order<E> {
    pub(super) fn new(field: FieldRef, descending: bool) -> Self {
        Order { spec: OrderSpec { field, descending }, of: PhantomData }
    }
}

impl<E> std::fmt::Debug for Order<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.spec.fmt(f)
    }
}
