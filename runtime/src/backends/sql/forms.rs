//! Values as text, in the forms that SQL drivers keep them in.

use crate::error::{Error, ErrorKind};
use crate::types::Decimal;

/// The error of a value that is not what was written.
pub(crate) fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt, "what is stored has another type than the field")
}

/// A decimal as a server writes it: zeros at the end are none of the value, and may be too many.
pub(crate) fn decimal(text: &str) -> Option<Decimal> {
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    Decimal::from_str_exact(text).ok()
}

/// A float with a point in it, which tells it from an integer; the shortest such text that reads back as the same float.
#[cfg(any(feature = "mysql", feature = "mssql", feature = "oracle"))]
pub(crate) fn float(number: f64) -> String {
    let text = format!("{number:?}");
    match text.split_once('e') {
        Some((digits, power)) if !digits.contains('.') => format!("{digits}.0e{power}"),
        _ => text,
    }
}
