//! The words of a text column with placement `InvertedIndex`: an array column of its own beside it, in the text's order,
//! with a GIN index. They are the words of [`types::words`](crate::types::words), so that Postgres' own parser and
//! dictionaries take no part.

use crate::backends::sql::ddl;
use crate::schema::Column;
use crate::types::{Value, words};

/// Longest word that is kept letter by letter, in bytes; GIN refuses keys above 2.7 kB. Longer ones become a digest.
const LONGEST: usize = 512;

/// The name of the column that holds the words. No field's column has such a name.
pub(super) fn name(column: &Column) -> String {
    ddl::beside_name(column, "words")
}

/// A word as it is stored and asked for.
pub(super) fn key(word: &str) -> String {
    if word.len() <= LONGEST {
        return word.to_owned();
    }
    // No word holds a control character: U+0002 marks a digest, U+0001 stands between words.
    format!("\u{2}{}", blake3::hash(word.as_bytes()).to_hex())
}

/// The words of a value.
pub(super) fn of(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::List(words(text).map(|word| Value::Text(key(&word))).collect()),
        _ => Value::Null,
    }
}
