use serde::{Deserialize, Serialize};

use super::{Entity, Field, FieldRef, RowCursor};
use crate::error::Result;
use crate::types::Logical;

/// How near a row is to what was searched: higher is better, the same on every backend.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Score(pub f64);

/// Selects the score of a search.
pub const SCORE: SelectScore = SelectScore;

/// The type of [`SCORE`].
#[derive(Clone, Copy, Debug)]
pub struct SelectScore;

/// What `select` takes: a field, [`SCORE`], or a tuple of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be selected from `{E}`",
    label = "not a field of `{E}`",
    note = "select takes a field of the entity, `SCORE`, or a tuple of up to 12 of them; for more, derive `Projection`"
)]
pub trait Selection<E> {
    /// What one row gives.
    type Output;

    /// Adds the fields to read.
    fn fields(&self, fields: &mut Vec<FieldRef>);

    /// Reads one row.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when a stored value is not of its field's type.
    fn read(row: &mut RowCursor<'_>) -> Result<Self::Output>;
}

/// A struct of some fields of an entity. Derive it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a projection",
    label = "not a projection",
    note = "derive it: `#[derive(Projection)] #[projection(of = …)]`"
)]
pub trait Projection: Sized {
    /// The entity it is taken from.
    type Entity: Entity;

    /// The fields to read.
    fn fields() -> Vec<FieldRef>;

    /// Reads one row.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when a stored value is not of its field's type.
    fn read(row: &mut RowCursor<'_>) -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<E, T: Logical, N, P, C> Selection<E> for Field<E, T, N, P, C> {
    type Output = T;

    fn fields(&self, fields: &mut Vec<FieldRef>) {
        fields.push(self.reference());
    }

    #[inline]
    fn read(row: &mut RowCursor<'_>) -> Result<T> {
        row.read("selected")
    }
}

#[diagnostic::do_not_recommend]
impl<E> Selection<E> for SelectScore {
    type Output = Score;

    fn fields(&self, _: &mut Vec<FieldRef>) {}

    fn read(row: &mut RowCursor<'_>) -> Result<Score> {
        row.score().map(Score)
    }
}

macro_rules! tuples {
    ($($name:ident)+) => {
        #[diagnostic::do_not_recommend]
        impl<E, $($name: Selection<E>),+> Selection<E> for ($($name,)+) {
            type Output = ($($name::Output,)+);

            fn fields(&self, fields: &mut Vec<FieldRef>) {
                #[allow(non_snake_case)]
                let ($($name,)+) = self;
                $($name.fields(fields);)+
            }

            #[inline]
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
tuples!(A0 A1 A2 A3 A4 A5 A6 A7 A8);
tuples!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9);
tuples!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10);
tuples!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11);
