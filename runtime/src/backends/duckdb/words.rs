//! The words of a text column with placement `InvertedIndex`: one column of text beside it, the words in order with
//! U+0001 around each, which no word holds. They are the words of [`types::words`](crate::types::words); DuckDB's own full
//! text search stems, drops stop words, and is built by hand over the whole table.

use crate::backends::sql::ddl;
use crate::schema::Column;
use crate::types::{Value, words};

/// The name of the column that holds the words. No field's column has such a name.
pub(super) fn name(column: &Column) -> String {
    ddl::beside_name(column, "words")
}

/// The words of a value as they are stored.
pub(super) fn of(value: &Value) -> Value {
    value.as_text().map_or(Value::Null, |text| Value::Text(joined(words(text))))
}

/// Words side by side: what a stored text contains exactly where they stand so.
pub(super) fn joined(words: impl Iterator<Item = impl AsRef<str>>) -> String {
    let mut text = String::from("\u{1}");
    for word in words {
        text.push_str(word.as_ref());
        text.push('\u{1}');
    }
    text
}
