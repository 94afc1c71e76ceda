use std::marker::PhantomData;

use super::{Entity, Field, FieldRef, HasBackend, HavingSpec, KindOf, MeasureSpec, RowCursor};
use crate::capability::{Runs, op};
use crate::driver::AggregateFunction;
use crate::error::Result;
use crate::filter::Condition;
use crate::types::{Logical, Operand};

/// A number over a group of rows of `E`: `Product::PRICE.avg()`, or [`COUNT`].
pub struct Aggregated<E, Out> {
    spec: MeasureSpec,
    of: PhantomData<fn() -> (E, Out)>,
}

impl<E, Out> Clone for Aggregated<E, Out> {
    fn clone(&self) -> Self {
        Self::new(self.spec.clone())
    }
}

impl<E, Out> std::fmt::Debug for Aggregated<E, Out> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.spec.fmt(f)
    }
}

impl<E, Out> Aggregated<E, Out> {
    fn new(spec: MeasureSpec) -> Self {
        Aggregated { spec, of: PhantomData }
    }

    fn over(function: AggregateFunction, field: FieldRef) -> Self {
        Self::new(MeasureSpec { function, field: Some(field) })
    }

    fn having(self, condition: Condition) -> Having<E> {
        Having { spec: HavingSpec::Test(self.spec, condition), of: PhantomData }
    }
}

/// A count of rows: the type of [`COUNT`].
#[derive(Clone, Copy, Debug)]
pub struct Count;

/// Counts the rows of a group.
pub const COUNT: Count = Count;

impl Count {
    /// The count as an aggregate of `E`, for `having`.
    pub fn of<E>(self) -> Aggregated<E, i64> {
        Aggregated::new(MeasureSpec { function: AggregateFunction::Count, field: None })
    }
}

// One line a signature: the compiler quotes the line of the bound in its messages.
#[rustfmt::skip]
impl<E: Entity, T: Logical, N, P, C> Field<E, T, N, P, C>
where
    E::Layout: HasBackend<N>,
    T::Base: Logical,
{
    /// How many rows have a value.
    pub fn count(self) -> Aggregated<E, i64> where KindOf<E, N>: Runs<op::IsNull, T::Class, P> {
        Aggregated::over(AggregateFunction::Count, self.reference())
    }

    /// How many different values there are, nulls apart.
    pub fn count_distinct(self) -> Aggregated<E, i64> where KindOf<E, N>: Runs<op::GroupBy, T::Class, P> {
        Aggregated::over(AggregateFunction::CountDistinct, self.reference())
    }

    /// The sum, of the field's own type; `None` over no value. Integer overflow is an error.
    pub fn sum(self) -> Aggregated<E, Option<T::Base>> where KindOf<E, N>: Runs<op::Sum, T::Class, P> {
        Aggregated::over(AggregateFunction::Sum, self.reference())
    }

    /// The mean; `None` over no value.
    pub fn avg(self) -> Aggregated<E, Option<f64>> where KindOf<E, N>: Runs<op::Sum, T::Class, P> {
        Aggregated::over(AggregateFunction::Avg, self.reference())
    }

    /// The least value; `None` over no value.
    pub fn min(self) -> Aggregated<E, Option<T::Base>> where KindOf<E, N>: Runs<op::MinMax, T::Class, P> {
        Aggregated::over(AggregateFunction::Min, self.reference())
    }

    /// The greatest value; `None` over no value.
    pub fn max(self) -> Aggregated<E, Option<T::Base>> where KindOf<E, N>: Runs<op::MinMax, T::Class, P> {
        Aggregated::over(AggregateFunction::Max, self.reference())
    }
}

/// A condition on groups. Combine with `&`, `|` and `!`.
pub struct Having<E> {
    spec: HavingSpec,
    of: PhantomData<fn() -> E>,
}

impl<E> Having<E> {
    pub(super) fn into_spec(self) -> HavingSpec {
        self.spec
    }
}

impl<E> std::fmt::Debug for Having<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.spec.fmt(f)
    }
}

impl<E> std::ops::BitAnd for Having<E> {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Having { spec: HavingSpec::And(vec![self.spec, other.spec]), of: PhantomData }
    }
}

impl<E> std::ops::BitOr for Having<E> {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Having { spec: HavingSpec::Or(vec![self.spec, other.spec]), of: PhantomData }
    }
}

impl<E> std::ops::Not for Having<E> {
    type Output = Self;
    fn not(self) -> Self {
        Having { spec: HavingSpec::Not(Box::new(self.spec)), of: PhantomData }
    }
}

/// What a group's number is compared with: the number without its `Option`.
pub trait Measured {
    /// The type without `Option`.
    type Base;
}

impl Measured for i64 {
    type Base = i64;
}

impl<B> Measured for Option<B> {
    type Base = B;
}

impl<E, Out: Measured> Aggregated<E, Out> {
    /// Groups whose number equals this.
    pub fn eq(self, other: impl Operand<Out::Base>) -> Having<E> {
        self.having(Condition::Eq(other.into_operand()))
    }

    /// Groups whose number differs.
    pub fn ne(self, other: impl Operand<Out::Base>) -> Having<E> {
        self.having(Condition::Ne(other.into_operand()))
    }

    /// Groups whose number is less; groups without one never match.
    pub fn lt(self, other: impl Operand<Out::Base>) -> Having<E> {
        self.having(Condition::Lt(other.into_operand()))
    }

    /// Groups whose number is not greater.
    pub fn le(self, other: impl Operand<Out::Base>) -> Having<E> {
        self.having(Condition::Le(other.into_operand()))
    }

    /// Groups whose number is greater.
    pub fn gt(self, other: impl Operand<Out::Base>) -> Having<E> {
        self.having(Condition::Gt(other.into_operand()))
    }

    /// Groups whose number is not less.
    pub fn ge(self, other: impl Operand<Out::Base>) -> Having<E> {
        self.having(Condition::Ge(other.into_operand()))
    }
}

/// What `aggregate` takes: a measure or a tuple of up to 8.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a number over rows of `{E}`",
    label = "expected `COUNT`, `Field.sum()` and the like over `{E}`, or a tuple of up to 8 of them"
)]
pub trait Measures<E> {
    /// What one group gives.
    type Output;

    /// Adds the measures.
    fn specs(&self, specs: &mut Vec<MeasureSpec>);

    /// Reads one group's numbers.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when a number is not of its type.
    fn read(row: &mut RowCursor<'_>) -> Result<Self::Output>;
}

#[diagnostic::do_not_recommend]
impl<E> Measures<E> for Count {
    type Output = i64;

    fn specs(&self, specs: &mut Vec<MeasureSpec>) {
        specs.push(self.of::<E>().spec);
    }

    fn read(row: &mut RowCursor<'_>) -> Result<i64> {
        row.read("count")
    }
}

#[diagnostic::do_not_recommend]
impl<E, Out: Logical> Measures<E> for Aggregated<E, Out> {
    type Output = Out;

    fn specs(&self, specs: &mut Vec<MeasureSpec>) {
        specs.push(self.spec.clone());
    }

    fn read(row: &mut RowCursor<'_>) -> Result<Out> {
        row.read("measure")
    }
}

/// What `group_by` takes: a field or a tuple of up to 8. Each field's backend must group by it.
#[diagnostic::on_unimplemented(
    message = "rows of `{E}` cannot be grouped by `{Self}`",
    label = "expected a field of `{E}`, or a tuple of up to 8 of them"
)]
pub trait GroupKeys<E> {
    /// What one group's keys give.
    type Output;

    /// Adds the fields.
    fn fields(&self, fields: &mut Vec<FieldRef>);

    /// Reads one group's keys.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when a stored value is not of its field's type.
    fn read(row: &mut RowCursor<'_>) -> Result<Self::Output>;
}

impl<E: Entity, T: Logical, N, P, C> GroupKeys<E> for Field<E, T, N, P, C>
where
    E::Layout: HasBackend<N>,
    KindOf<E, N>: Runs<op::GroupBy, T::Class, P>,
{
    type Output = T;

    fn fields(&self, fields: &mut Vec<FieldRef>) {
        fields.push(self.reference());
    }

    fn read(row: &mut RowCursor<'_>) -> Result<T> {
        row.read("group key")
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        #[diagnostic::do_not_recommend]
        impl<E, $($name: Measures<E>),+> Measures<E> for ($($name,)+) {
            type Output = ($($name::Output,)+);

            fn specs(&self, specs: &mut Vec<MeasureSpec>) {
                #[allow(non_snake_case)]
                let ($($name,)+) = self;
                $($name.specs(specs);)+
            }

            fn read(row: &mut RowCursor<'_>) -> Result<Self::Output> {
                Ok(($($name::read(row)?,)+))
            }
        }

        #[diagnostic::do_not_recommend]
        impl<E, $($name: GroupKeys<E>),+> GroupKeys<E> for ($($name,)+) {
            type Output = ($($name::Output,)+);

            fn fields(&self, fields: &mut Vec<FieldRef>) {
                #[allow(non_snake_case)]
                let ($($name,)+) = self;
                $($name.fields(fields);)+
            }

            fn read(row: &mut RowCursor<'_>) -> Result<Self::Output> {
                Ok(($($name::read(row)?,)+))
            }
        }
    };
}

tuples!(A0);
tuples!(A0 A1);
tuples!(A0 A1 A2);
tuples!(A0 A1 A2 A3);
tuples!(A0 A1 A2 A3 A4);
tuples!(A0 A1 A2 A3 A4 A5);
tuples!(A0 A1 A2 A3 A4 A5 A6);
tuples!(A0 A1 A2 A3 A4 A5 A6 A7);
