use crate::error::{Error, ErrorKind, Result};
use crate::schema::{EntitySchema, FieldSchema};
use crate::types::{Id, Logical, Mismatch, Value};

/// Reads the values of one result row, one after the other.
#[derive(Debug)]
pub struct RowCursor<'a> {
    id: &'a mut Id,
    score: Option<f64>,
    values: std::slice::IterMut<'a, Value>,
}

impl<'a> RowCursor<'a> {
    /// A cursor over a row's values, in the order that the query asked for.
    pub fn new(id: &'a mut Id, score: Option<f64>, values: &'a mut [Value]) -> Self {
        RowCursor { id, score, values: values.iter_mut() }
    }

    /// The next value as the field's type.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] when what is stored is not of that type.
    #[inline]
    pub fn read<T: Logical>(&mut self, field: &'static str) -> Result<T> {
        self.read_as(field, T::from_value)
    }

    /// As [`read`](RowCursor::read), by the type's own `from_value`.
    ///
    /// # Errors
    /// As [`read`](RowCursor::read).
    #[inline]
    pub fn read_as<T>(&mut self, field: &'static str, from_value: impl FnOnce(Value) -> Result<T, Mismatch>) -> Result<T> {
        let value = self.values.next().map_or(Value::Null, Value::take);
        from_value(value).map_err(|m| corrupt(field, m))
    }

    /// The next values, as many as there are functions, each by its type's own `from_value`: a tuple of functions gives a
    /// tuple of values. They are those of the fields from `first` on; a null in a field that cannot be null, in a row from
    /// before the field, is the field's default.
    ///
    /// # Errors
    /// As [`read`](RowCursor::read).
    #[doc(hidden)]
    #[inline]
    pub fn read_all<F: FromValues>(&mut self, schema: &'static EntitySchema, first: usize, from_values: F) -> Result<F::Row> {
        from_values.read(self, schema.fields.get(first..).unwrap_or_default())
    }

    #[inline]
    fn read_field<T>(&mut self, field: Option<&'static FieldSchema>, from_value: impl FnOnce(Value) -> Result<T, Mismatch>) -> Result<T> {
        let mut value = self.values.next().map_or(Value::Null, Value::take);
        if value.is_null()
            && let Some(FieldSchema { nullable: false, default: Some(default), .. }) = field
        {
            value = default();
        }
        from_value(value).map_err(|m| corrupt(field.map_or("", |f| f.name), m))
    }

    /// Takes the row's id.
    pub fn take_id(&mut self) -> Id {
        self.id.clone()
    }

    /// The row's score, if a search ranked it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`] when the query searches for nothing.
    pub fn score(&self) -> Result<f64> {
        self.score
            .ok_or_else(|| Error::new(ErrorKind::InvalidQuery, "SCORE is selected but nothing is searched: add near, matching or hybrid"))
    }
}

#[cold]
fn corrupt(field: &'static str, mismatch: Mismatch) -> Error {
    let Mismatch { expected, found } = mismatch;
    Error::new(ErrorKind::Corrupt, format!("the stored value is of type {found}, expected {expected}")).at_field(field)
}

/// A tuple of `from_value` functions, which read a tuple of values.
///
/// One call for many fields: a call and a `?` a field take the compiler three times as long. Functions and not types, so
/// that a type that is not [`Logical`] is reported where the derive asks for its function, in the same words as elsewhere.
pub trait FromValues {
    /// What is read.
    type Row;

    /// Reads the values of these fields.
    ///
    /// # Errors
    /// As [`RowCursor::read`].
    fn read(self, row: &mut RowCursor<'_>, fields: &'static [FieldSchema]) -> Result<Self::Row>;
}

/// A type's `from_value`.
type FromValue<T> = fn(Value) -> Result<T, Mismatch>;

macro_rules! tuples {
    () => {};
    ($first:ident $($name:ident)*) => {
        tuples!($($name)*);

        impl<$first, $($name),*> FromValues for (FromValue<$first>, $(FromValue<$name>,)*) {
            type Row = ($first, $($name,)*);

            #[inline]
            #[allow(non_snake_case)]
            fn read(self, row: &mut RowCursor<'_>, fields: &'static [FieldSchema]) -> Result<Self::Row> {
                let ($first, $($name,)*) = self;
                let mut fields = fields.iter();
                Ok((row.read_field(fields.next(), $first)?, $(row.read_field(fields.next(), $name)?,)*))
            }
        }
    };
}

tuples!(A B C D E F G H I J K L);
