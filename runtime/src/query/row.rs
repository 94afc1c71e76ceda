use crate::error::{Error, ErrorKind, Result};
use crate::schema::FieldSchema;
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

    /// As [`read_as`](RowCursor::read_as), with the field's default where nothing is stored: a row from before the field.
    /// A field that may be null keeps the null, which may have been written.
    ///
    /// # Errors
    /// As [`read`](RowCursor::read).
    #[inline]
    pub fn read_or_default<T>(&mut self, field: &'static FieldSchema, from_value: impl FnOnce(Value) -> Result<T, Mismatch>) -> Result<T> {
        let mut value = self.values.next().map_or(Value::Null, Value::take);
        if let (Value::Null, false, Some(default)) = (&value, field.nullable, field.default) {
            value = default();
        }
        from_value(value).map_err(|m| corrupt(field.name, m))
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
