//! U+0000: the one character that Postgres keeps neither in text nor in `jsonb`.
//!
//! A write with it is refused, naming the field. A query may still ask with it: no stored text holds it, so equality and
//! substring never match, and an order comparison is one with the text before it.

use crate::backends::sql::Comparison;
use crate::error::{Error, ErrorKind, Result};
use crate::types::Value;

/// Whether a text holds it.
pub(super) fn holds(text: &str) -> bool {
    text.as_bytes().contains(&0)
}

/// Whether a value holds it.
pub(super) fn in_value(value: &Value) -> bool {
    match value {
        Value::Text(text) => holds(text),
        Value::Json(json) => super::json::holds_nul(json),
        Value::List(items) => items.iter().any(in_value),
        _ => false,
    }
}

/// Refuses a value that Postgres cannot keep.
pub(super) fn check(value: &Value, field: &'static str) -> Result<()> {
    if in_value(value) {
        let why = "a text with the character U+0000, which Postgres cannot store: remove it, or store the field as Bytes";
        return Err(Error::new(ErrorKind::InvalidValue, why).at_field(field));
    }
    Ok(())
}

/// The same order comparison without it, against text that never holds it: `x < "a\0b"` is `x <= "a"`.
pub(super) fn compared(how: Comparison, text: &str) -> (Comparison, &str) {
    match text.split_once('\0') {
        None => (how, text),
        Some((before, _)) => match how {
            Comparison::Lt | Comparison::Le => (Comparison::Le, before),
            Comparison::Gt | Comparison::Ge => (Comparison::Gt, before),
            other => (other, text),
        },
    }
}
