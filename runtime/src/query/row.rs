use crate::error::{Error, ErrorKind, Result};
use crate::types::{Id, Logical, Value};

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
        let value = self.values.next().map_or(Value::Null, Value::take);
        T::from_value(value).map_err(|m| {
            Error::new(ErrorKind::Corrupt, format!("the stored value is of type {}, expected {}", m.found, m.expected)).at_field(field)
        })
    }

    /// As [`read`](RowCursor::read), with the field's default where nothing is stored: a row from before the field. A
    /// field that may be null keeps the null, which may have been written.
    ///
    /// # Errors
    /// As [`read`](RowCursor::read).
    #[inline]
    pub fn read_or<T: Logical>(&mut self, field: &'static str, default: impl FnOnce() -> T) -> Result<T> {
        match self.values.as_slice().first() {
            Some(Value::Null) | None if !T::NULLABLE => {
                self.values.next();
                Ok(default())
            }
            _ => self.read(field),
        }
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
