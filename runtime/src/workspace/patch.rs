use std::borrow::Cow;
use std::marker::PhantomData;

use crate::query::Field;
use crate::types::{Logical, Operand, Value};

/// New values for some fields of rows of `E`: what `update` takes. `Product::PRICE.set(9.5)`, joined with `.and(…)`.
pub struct Patch<E> {
    pub(super) sets: Vec<(Cow<'static, str>, Value)>,
    of: PhantomData<fn() -> E>,
}

impl<E> std::fmt::Debug for Patch<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.sets.iter().map(|(name, _)| name)).finish()
    }
}

impl<E> Clone for Patch<E> {
    fn clone(&self) -> Self {
        Patch { sets: self.sets.clone(), of: PhantomData }
    }
}

impl<E> Patch<E> {
    /// Both. A field set twice gets the later value.
    #[must_use]
    pub fn and(mut self, other: Patch<E>) -> Self {
        for (name, value) in other.sets {
            self.sets.retain(|(known, _)| *known != name);
            self.sets.push((name, value));
        }
        self
    }
}

impl<E, T: Logical, N, P, C> Field<E, T, N, P, C> {
    /// A new value for this field; `None` where the field is optional.
    pub fn set(self, value: impl Operand<T::Base>) -> Patch<E> {
        Patch { sets: vec![(Cow::Borrowed(self.name()), value.into_operand())], of: PhantomData }
    }
}
