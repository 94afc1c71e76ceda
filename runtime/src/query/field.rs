use std::borrow::Cow;
use std::marker::PhantomData;

use super::entity::{Entity, HasBackend, HasCopy, KindOf, NoCopies, Scanned};
use super::{FieldRef, Order, Predicate, Slot};
use crate::capability::{Runs, class, op};
use crate::filter::{Condition, Segment, Target, Test};
use crate::types::{Logical, Operand, Value};

/// The placement of a field of type `T` that does not choose one.
pub type DefaultPlacement<T> = <<T as Logical>::Class as class::Class>::Placement;

/// A field of the entity `E`: of type `T`, on the backend named `N`, lying there as `P`. The derive makes one constant a
/// field, `Product::PRICE`.
///
/// Each method needs its operation to be native on the field's backend; what is not does not compile. After `.scan()`
/// the operations that the type has are all there, run by reading every row where the backend has no way of its own.
pub struct Field<E, T, N, P, C = NoCopies> {
    name: &'static str,
    on: Option<&'static str>,
    scan: bool,
    of: PhantomData<fn() -> (E, T, N, P, C)>,
}

impl<E, T, N, P, C> Clone for Field<E, T, N, P, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, T, N, P, C> Copy for Field<E, T, N, P, C> {}

impl<E, T, N, P, C> std::fmt::Debug for Field<E, T, N, P, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Field({})", self.name)
    }
}

impl<E, T, N, P, C> Field<E, T, N, P, C> {
    #[doc(hidden)]
    pub const fn new(name: &'static str) -> Self {
        Field { name, on: None, scan: false, of: PhantomData }
    }

    /// The field's name.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The field as a plain value.
    pub fn reference(self) -> FieldRef {
        FieldRef { name: Cow::Borrowed(self.name), on: self.on.map(Cow::Borrowed), scan: self.scan }
    }

    /// The same field with every operation its type has: what its backend does not run reads every row, in bounded
    /// memory, and `explain` says so.
    pub const fn scan(self) -> Field<E, T, Scanned, P, C> {
        Field { name: self.name, on: self.on, scan: true, of: PhantomData }
    }

    fn test(self, target: Target, condition: Condition) -> Predicate<E> {
        let FieldRef { name, on, scan } = self.reference();
        Predicate::from_test(Test { field: name, on, target, condition, scan })
    }

    fn value(self, condition: Condition) -> Predicate<E> {
        self.test(Target::Value, condition)
    }
}

fn values<B, O: Operand<B>>(items: impl IntoIterator<Item = O>) -> Vec<Value> {
    items.into_iter().map(Operand::into_operand).collect()
}

// One line a signature: the compiler quotes the line of the bound in its messages.
#[rustfmt::skip]
impl<E: Entity, T: Logical, N, P, C> Field<E, T, N, P, C>
where
    E::Layout: HasBackend<N>,
{
    /// The field's copy on another backend.
    pub const fn on<M, Q>(self, slot: Slot<E::Layout, M>) -> Field<E, T, M, Q, C> where C: HasCopy<M, Placement = Q> {
        Field { name: self.name, on: Some(slot.name()), scan: false, of: PhantomData }
    }

    /// Equal, as Rust compares `Option`s: `eq(None)` is [`is_null`](Field::is_null).
    pub fn eq(self, other: impl Operand<T::Base>) -> Predicate<E> where KindOf<E, N>: Runs<op::Eq, T::Class, P> {
        self.value(Condition::Eq(other.into_operand()))
    }

    /// Exactly `!eq`: rows without a value match, unless compared with `None`.
    pub fn ne(self, other: impl Operand<T::Base>) -> Predicate<E> where KindOf<E, N>: Runs<op::Eq, T::Class, P> {
        self.value(Condition::Ne(other.into_operand()))
    }

    /// One of these; a `None` among them matches rows without a value. An empty list matches nothing.
    pub fn in_list<O: Operand<T::Base>>(self, members: impl IntoIterator<Item = O>) -> Predicate<E> where KindOf<E, N>: Runs<op::Eq, T::Class, P> {
        self.value(Condition::In(values(members)))
    }

    /// None of these: exactly `!in_list`. An empty list matches everything.
    pub fn not_in<O: Operand<T::Base>>(self, members: impl IntoIterator<Item = O>) -> Predicate<E> where KindOf<E, N>: Runs<op::Eq, T::Class, P> {
        self.value(Condition::NotIn(values(members)))
    }

    /// Less; rows without a value never match. Text compares by bytes.
    pub fn lt(self, other: impl Operand<T::Base>) -> Predicate<E> where KindOf<E, N>: Runs<op::Compare, T::Class, P> {
        self.value(Condition::Lt(other.into_operand()))
    }

    /// Less or equal; rows without a value never match.
    pub fn le(self, other: impl Operand<T::Base>) -> Predicate<E> where KindOf<E, N>: Runs<op::Compare, T::Class, P> {
        self.value(Condition::Le(other.into_operand()))
    }

    /// Greater; rows without a value never match.
    pub fn gt(self, other: impl Operand<T::Base>) -> Predicate<E> where KindOf<E, N>: Runs<op::Compare, T::Class, P> {
        self.value(Condition::Gt(other.into_operand()))
    }

    /// Greater or equal; rows without a value never match.
    pub fn ge(self, other: impl Operand<T::Base>) -> Predicate<E> where KindOf<E, N>: Runs<op::Compare, T::Class, P> {
        self.value(Condition::Ge(other.into_operand()))
    }

    /// From `low` to `high`, both included.
    pub fn between(self, low: impl Operand<T::Base>, high: impl Operand<T::Base>) -> Predicate<E> where KindOf<E, N>: Runs<op::Compare, T::Class, P> {
        self.value(Condition::Between(low.into_operand(), high.into_operand()))
    }

    /// No value.
    pub fn is_null(self) -> Predicate<E> where KindOf<E, N>: Runs<op::IsNull, T::Class, P> {
        self.value(Condition::IsNull)
    }

    /// A value.
    pub fn is_some(self) -> Predicate<E> where KindOf<E, N>: Runs<op::IsNull, T::Class, P> {
        self.value(Condition::IsSome)
    }

    /// The text holds this, case-sensitively. `%`, `_` and `\` are ordinary characters.
    pub fn contains(self, part: impl Into<String>) -> Predicate<E> where KindOf<E, N>: Runs<op::Contains, T::Class, P> {
        self.value(Condition::Contains(part.into()))
    }

    /// The text starts with this, case-sensitively.
    pub fn starts_with(self, prefix: impl Into<String>) -> Predicate<E> where KindOf<E, N>: Runs<op::Contains, T::Class, P> {
        self.value(Condition::StartsWith(prefix.into()))
    }

    /// The text ends with this, case-sensitively.
    pub fn ends_with(self, suffix: impl Into<String>) -> Predicate<E> where KindOf<E, N>: Runs<op::Contains, T::Class, P> {
        self.value(Condition::EndsWith(suffix.into()))
    }

    /// The text holds this after Unicode simple lower-casing of both.
    pub fn icontains(self, part: impl Into<String>) -> Predicate<E> where KindOf<E, N>: Runs<op::IContains, T::Class, P> {
        self.value(Condition::IContains(part.into()))
    }

    /// SQL pattern over the whole text: `%` any run (newlines too), `_` one character, `\` escapes.
    pub fn like(self, pattern: impl Into<String>) -> Predicate<E> where KindOf<E, N>: Runs<op::Like, T::Class, P> {
        self.value(Condition::Like(pattern.into()))
    }

    /// [`like`](Field::like) after Unicode simple lower-casing of both.
    pub fn ilike(self, pattern: impl Into<String>) -> Predicate<E> where KindOf<E, N>: Runs<op::ILike, T::Class, P> {
        self.value(Condition::ILike(pattern.into()))
    }

    /// A regular expression in the syntax of the `regex` crate matches somewhere in the text.
    pub fn regex(self, pattern: impl Into<String>) -> Predicate<E> where KindOf<E, N>: Runs<op::Regex, T::Class, P> {
        self.value(Condition::Regex(pattern.into()))
    }

    /// Full text: every word of the query occurs. Words are split by [`words`](crate::types::words).
    pub fn matches(self, text: impl Into<String>) -> Predicate<E> where KindOf<E, N>: Runs<op::Matches, T::Class, P> {
        self.value(Condition::Matches(text.into()))
    }

    /// Full text: the words of the query occur side by side, in this order.
    pub fn phrase(self, text: impl Into<String>) -> Predicate<E> where KindOf<E, N>: Runs<op::Matches, T::Class, P> {
        self.value(Condition::Phrase(text.into()))
    }

    /// The list holds this item. Rows without a list never match.
    pub fn has(self, item: impl Operand<T::Item>) -> Predicate<E> where KindOf<E, N>: Runs<op::Has, T::Class, P> {
        self.value(Condition::Has(item.into_operand()))
    }

    /// The list holds one of these items.
    pub fn has_any<O: Operand<T::Item>>(self, items: impl IntoIterator<Item = O>) -> Predicate<E> where KindOf<E, N>: Runs<op::Has, T::Class, P> {
        self.value(Condition::HasAny(values(items)))
    }

    /// The list holds all of these items; none asks for any list.
    pub fn has_all<O: Operand<T::Item>>(self, items: impl IntoIterator<Item = O>) -> Predicate<E> where KindOf<E, N>: Runs<op::Has, T::Class, P> {
        self.value(Condition::HasAll(values(items)))
    }

    /// The number of items of the list, to be compared; rows without a list have none.
    pub fn len(self) -> Length<E> where KindOf<E, N>: Runs<op::Length, T::Class, P> {
        Length(self.reference(), PhantomData)
    }

    /// What lies at a path of a JSON value, to be compared: keys as text, array positions as numbers from 0.
    pub fn path<S: Into<Segment>>(self, path: impl IntoIterator<Item = S>) -> PathValue<E> where KindOf<E, N>: Runs<op::Path, T::Class, P> {
        PathValue(self.reference(), path.into_iter().map(Into::into).collect(), PhantomData)
    }

    /// Least first; rows without a value last.
    pub fn asc(self) -> Order<E> where KindOf<E, N>: Runs<op::Sort, T::Class, P> {
        Order::new(self.reference(), false)
    }

    /// Greatest first; rows without a value last.
    pub fn desc(self) -> Order<E> where KindOf<E, N>: Runs<op::Sort, T::Class, P> {
        Order::new(self.reference(), true)
    }
}

/// The number of items of a list field: see [`Field::len`].
pub struct Length<E>(FieldRef, PhantomData<fn() -> E>);

/// What lies at a path of a JSON field: see [`Field::path`]. Kinds are strict: `1`, `"1"` and `true` differ, `1 == 1.0`.
/// A path that leads nowhere, or to a JSON `null`, has no value.
pub struct PathValue<E>(FieldRef, Vec<Segment>, PhantomData<fn() -> E>);

impl<E> std::fmt::Debug for Length<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "len({})", self.0.name)
    }
}

impl<E> std::fmt::Debug for PathValue<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "path({}, {:?})", self.0.name, self.1)
    }
}

macro_rules! comparisons {
    ($handle:ident, $base:ty) => {
        impl<E> $handle<E> {
            /// Equal; `None` asks for no value.
            pub fn eq(self, other: impl Operand<$base>) -> Predicate<E> {
                self.test(Condition::Eq(other.into_operand()))
            }

            /// Exactly `!eq`.
            pub fn ne(self, other: impl Operand<$base>) -> Predicate<E> {
                self.test(Condition::Ne(other.into_operand()))
            }

            /// Less; no value never matches.
            pub fn lt(self, other: impl Operand<$base>) -> Predicate<E> {
                self.test(Condition::Lt(other.into_operand()))
            }

            /// Less or equal; no value never matches.
            pub fn le(self, other: impl Operand<$base>) -> Predicate<E> {
                self.test(Condition::Le(other.into_operand()))
            }

            /// Greater; no value never matches.
            pub fn gt(self, other: impl Operand<$base>) -> Predicate<E> {
                self.test(Condition::Gt(other.into_operand()))
            }

            /// Greater or equal; no value never matches.
            pub fn ge(self, other: impl Operand<$base>) -> Predicate<E> {
                self.test(Condition::Ge(other.into_operand()))
            }

            /// Both ends included.
            pub fn between(self, low: impl Operand<$base>, high: impl Operand<$base>) -> Predicate<E> {
                self.test(Condition::Between(low.into_operand(), high.into_operand()))
            }

            /// One of these.
            pub fn in_list<O: Operand<$base>>(self, members: impl IntoIterator<Item = O>) -> Predicate<E> {
                self.test(Condition::In(values(members)))
            }

            /// None of these.
            pub fn not_in<O: Operand<$base>>(self, members: impl IntoIterator<Item = O>) -> Predicate<E> {
                self.test(Condition::NotIn(values(members)))
            }

            /// No value.
            pub fn is_null(self) -> Predicate<E> {
                self.test(Condition::IsNull)
            }

            /// A value.
            pub fn is_some(self) -> Predicate<E> {
                self.test(Condition::IsSome)
            }
        }
    };
}

comparisons!(Length, i64);
comparisons!(PathValue, crate::types::Json);

impl<E> Length<E> {
    fn test(self, condition: Condition) -> Predicate<E> {
        let FieldRef { name, on, scan } = self.0;
        Predicate::from_test(Test { field: name, on, target: Target::Length, condition, scan })
    }
}

impl<E> PathValue<E> {
    fn test(self, condition: Condition) -> Predicate<E> {
        let FieldRef { name, on, scan } = self.0;
        Predicate::from_test(Test { field: name, on, target: Target::Path(self.1), condition, scan })
    }

    /// A string that holds this, case-sensitively.
    pub fn contains(self, part: impl Into<String>) -> Predicate<E> {
        self.test(Condition::Contains(part.into()))
    }

    /// A string that starts with this.
    pub fn starts_with(self, prefix: impl Into<String>) -> Predicate<E> {
        self.test(Condition::StartsWith(prefix.into()))
    }

    /// A string that ends with this.
    pub fn ends_with(self, suffix: impl Into<String>) -> Predicate<E> {
        self.test(Condition::EndsWith(suffix.into()))
    }
}
