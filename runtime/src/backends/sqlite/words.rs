//! The index of words of a text column: an FTS5 table without content of its own, fed with our words.
//!
//! FTS5 would split and fold text its own way. It gets the words of [`types::words`](crate::types::words) instead, each
//! one encoded so that the `ascii` tokenizer keeps it whole: ASCII characters other than letters and digits become
//! private-use characters, which no word has. What `matches` finds is then exactly what it means.
//!
//! FTS5 numbers its rows; a small table beside it maps ids to those numbers.

use rusqlite::{CachedStatement, Connection, OptionalExtension};

use super::dialect::SQL;
use crate::backends::sql::ddl::child_name;
use crate::backends::sql::{Dialect, Sql};
use crate::schema::{Column, Part};
use crate::types::{Value, words};

/// Longest word that is kept letter by letter, in bytes; FTS5 cuts tokens at 32 KiB. Longer ones become a digest.
const LONGEST: usize = 1_024;

fn push_token(word: &str, text: &mut String) {
    if word.len() > LONGEST {
        text.push('\u{e0ff}');
        text.push_str(&blake3::hash(word.as_bytes()).to_hex());
        return;
    }
    for c in word.chars() {
        let plain = c.is_ascii_alphanumeric() || !c.is_ascii();
        // U+E000 to U+E07F: always a character.
        text.push(if plain { c } else { char::from_u32(0xe000 + c as u32).unwrap_or(c) });
    }
}

/// A text as FTS5 gets it: encoded words between blanks.
fn tokens(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() + 16);
    for word in words(text) {
        push_token(&word, &mut encoded);
        encoded.push(' ');
    }
    encoded
}

/// The operand of `MATCH`: all words, or the words side by side.
pub(super) fn query(words: &[String], phrase: bool) -> String {
    let mut text = String::from("\"");
    for (i, word) in words.iter().enumerate() {
        if i > 0 {
            text.push_str(if phrase { " " } else { "\" AND \"" });
        }
        push_token(word, &mut text);
    }
    text.push('"');
    text
}

/// The names of the index and of the table of its rows.
pub(super) fn tables(part: &Part, column: &Column) -> (String, String) {
    let name = |purpose| child_name(&SQL, part, Some(column), purpose);
    (name("words"), name("word_rows"))
}

/// Creates the index of a column.
pub(super) fn create(connection: &Connection, part: &Part, column: &Column) -> rusqlite::Result<()> {
    let (index, rows) = tables(part, column);
    let mut sql = Sql::new(&SQL);
    sql.push("CREATE VIRTUAL TABLE IF NOT EXISTS ").name(&index).push(" USING fts5(").name("words");
    sql.push(", content='', contentless_delete=1, tokenize='ascii')");
    connection.execute(&sql.finish().text, [])?;
    let mut sql = Sql::new(&SQL);
    sql.push("CREATE TABLE IF NOT EXISTS ").name(&rows).push(" (").name("row").push(" INTEGER PRIMARY KEY, ");
    sql.name("owner").push(" TEXT NOT NULL UNIQUE) STRICT");
    connection.execute(&sql.finish().text, []).map(drop)
}

/// The statements that keep one index in step with its rows.
pub(super) struct Writer<'c> {
    find: CachedStatement<'c>,
    number: CachedStatement<'c>,
    forget: CachedStatement<'c>,
    remove: CachedStatement<'c>,
    add: CachedStatement<'c>,
}

impl<'c> Writer<'c> {
    pub(super) fn new(connection: &'c Connection, part: &Part, column: &Column) -> rusqlite::Result<Self> {
        let (index, rows) = tables(part, column);
        let quoted = |name: &str| {
            let mut text = String::new();
            SQL.quote(name, &mut text);
            text
        };
        let (index, rows) = (quoted(&index), quoted(&rows));
        Ok(Writer {
            find: connection.prepare_cached(&format!(r#"SELECT "row" FROM {rows} WHERE "owner" = ?"#))?,
            number: connection.prepare_cached(&format!(r#"INSERT INTO {rows} ("owner") VALUES (?)"#))?,
            forget: connection.prepare_cached(&format!(r#"DELETE FROM {rows} WHERE "row" = ?"#))?,
            remove: connection.prepare_cached(&format!("DELETE FROM {index} WHERE rowid = ?"))?,
            add: connection.prepare_cached(&format!(r#"INSERT INTO {index} (rowid, "words") VALUES (?, ?)"#))?,
        })
    }

    /// Makes the index say of a row what its text says; `None` or null for no text.
    pub(super) fn put(&mut self, connection: &Connection, id: &str, text: Option<&Value>) -> rusqlite::Result<()> {
        let row: Option<i64> = self.find.query_row([id], |row| row.get(0)).optional()?;
        if let Some(row) = row {
            self.remove.execute([row])?;
        }
        let Some(text) = text.and_then(Value::as_text) else {
            return match row {
                Some(row) => self.forget.execute([row]).map(drop),
                None => Ok(()),
            };
        };
        let row = match row {
            Some(row) => row,
            None => {
                self.number.execute([id])?;
                connection.last_insert_rowid()
            }
        };
        self.add.execute((row, tokens(text))).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_reach_the_tokenizer_whole_and_lowered() {
        assert_eq!(tokens("The CAN'T 3.14 Straße"), "the can\u{e027}t 3\u{e02e}14 straße ");
        assert_eq!(query(&["a".into(), "b_c".into()], false), "\"a\" AND \"b\u{e05f}c\"");
        assert_eq!(query(&["a".into(), "b".into()], true), "\"a b\"");
        assert!(tokens(&"x".repeat(5_000)).len() < 100);
    }
}
