//! Statements of the application's own. The server prepares nothing but `SELECT`, so the values that are bound stand in the text
//! that is sent, each as a literal in the place of its `?`.

use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Column, Either, Executor, Row, TypeInfo};

use futures_util::StreamExt;

use super::pool::{Pool, cells};
use super::{codec, columns, failure, literal};
use crate::backends::network::audited;
use crate::backends::sql::session::Phase;
use crate::driver::{RawAnswer, RawColumn, RawStatement};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{LogicalType, Value};

/// The pieces of a text between its placeholders: each `?` that stands in no quotes, names or comments.
///
/// # Errors
/// [`ErrorKind::InvalidQuery`] for a text of more than one statement.
fn between(text: &str) -> Result<Vec<&str>> {
    let bytes = text.as_bytes();
    let (mut pieces, mut from, mut at) = (Vec::new(), 0, 0);
    let after = |from: usize, end: &[u8]| {
        let found = bytes.get(from..).and_then(|rest| rest.windows(end.len()).position(|piece| piece == end));
        found.map_or(bytes.len(), |found| from + found + end.len())
    };
    while let Some(byte) = bytes.get(at) {
        at = match byte {
            b'\'' | b'"' => {
                let mut end = at + 1;
                // A backslash takes the next byte with it; a doubled quote begins anew.
                while bytes.get(end).is_some_and(|c| c != byte) {
                    end += if bytes[end] == b'\\' { 2 } else { 1 };
                }
                end + 1
            }
            b'`' => after(at + 1, b"`"),
            b'#' => after(at + 1, b"\n"),
            b'-' if bytes[at..].starts_with(b"--") => after(at + 2, b"\n"),
            b'/' if bytes[at..].starts_with(b"/*") => after(at + 2, b"*/"),
            b';' if !text[at + 1..].trim().is_empty() => {
                return Err(Error::new(ErrorKind::InvalidQuery, "a text of more than one statement: run them one by one"));
            }
            b'?' => {
                pieces.push(&text[from..at]);
                from = at + 1;
                at + 1
            }
            _ => at + 1,
        };
    }
    pieces.push(&text[from..]);
    Ok(pieces)
}

/// The text with its values.
fn bound(statement: &RawStatement) -> Result<String> {
    let pieces = between(&statement.text)?;
    statement.check_values(pieces.len() - 1)?;
    let mut text = String::with_capacity(statement.text.len());
    for (i, piece) in pieces.iter().enumerate() {
        if let Some((_, value)) = i.checked_sub(1).and_then(|i| statement.values.get(i)) {
            // Between blanks: a sign before it and its own would begin a comment.
            text.push(' ');
            literal::write(&columns::stored(value.clone()), &mut text);
            text.push(' ');
        }
        text.push_str(piece);
    }
    Ok(text)
}

/// Runs a statement on one connection, once.
pub(super) async fn run(pool: &Pool, statement: &RawStatement) -> Result<RawAnswer> {
    let text = (pool.rewrite)(&bound(statement)?).into_owned();
    let mut connection = pool.pool.acquire().await.map_err(|cause| failure::error(cause, Phase::Write))?;
    answer(&mut connection, text, statement).await
}

async fn answer(connection: &mut MySqlConnection, text: String, statement: &RawStatement) -> Result<RawAnswer> {
    let mut found = RawAnswer::default();
    let mut columns: Option<(Vec<String>, Vec<(usize, RawColumn)>)> = None;
    // The text is the application's: it says so by its type (`SqlText`).
    let mut stream = connection.fetch_many(sqlx::raw_sql(audited(text)));
    while let Some(next) = stream.next().await {
        let row = match next.map_err(|cause| failure::error(cause, Phase::Commit))? {
            Either::Left(done) => {
                found.changed += done.rows_affected();
                continue;
            }
            Either::Right(row) => row,
        };
        let (names, wanted) = match &columns {
            Some(known) => known,
            None => {
                let names: Vec<String> = row.columns().iter().map(|column| column.name().to_owned()).collect();
                let wanted = statement.wanted.of(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
                found.names = wanted.iter().map(|(at, _)| names[*at].clone()).collect();
                columns.insert((names, wanted))
            }
        };
        found.rows.push(read(&row, wanted, names)?);
    }
    Ok(found)
}

fn read(row: &MySqlRow, columns: &[(usize, RawColumn)], names: &[String]) -> Result<Vec<Value>> {
    let mut cells = cells(row)?;
    let mut values = Vec::with_capacity(columns.len());
    for (at, column) in columns {
        let there = row.columns()[*at].type_info().name().to_lowercase();
        // Times of the server's own are told from numbers by their type.
        let own = matches!(there.as_str(), "datetime" | "timestamp" | "date");
        let value = codec::read(&column.logical, cells[*at].take(), own || is_binary(&column.logical, &there));
        let value = value.map_err(|_| RawAnswer::mismatch(&names[*at], &there, &column.logical))?;
        RawAnswer::push(&mut values, &names[*at], column, value)?;
    }
    Ok(values)
}

/// Whether bytes lie in a column of bytes, and not as base64 in one of text.
fn is_binary(logical: &LogicalType, there: &str) -> bool {
    matches!(logical, LogicalType::Bytes) && (there.contains("binary") || there.contains("blob"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_found_where_they_are_some() {
        let count = |text: &str| between(text).map(|pieces| pieces.len() - 1).ok();
        assert_eq!(count("SELECT ?, '?', \"?\", `?`, 'it''s ?', 'a\\'?', ? -- ?\n, ? /* ? */ # ?"), Some(3));
        assert_eq!(count("SELECT 'é?' ? "), Some(1));
        assert_eq!(count("SELECT '\\\\', ?"), Some(1));
        assert_eq!(count("SELECT '"), Some(0));
        assert_eq!(count("SELECT 'a\\"), Some(0));
        assert_eq!(count("SELECT 1; "), Some(0));
        assert_eq!(count("SELECT 1; DROP TABLE t"), None);
        assert_eq!(count("SELECT ';' ? "), Some(1));
    }

    #[test]
    fn values_stand_where_their_placeholders_were() {
        let statement = RawStatement {
            text: "SELECT * FROM t WHERE a = ? AND b = '?' AND c = ?".into(),
            values: vec![(LogicalType::TEXT, Value::Text("it's ?".into())), (LogicalType::INT, Value::Int(-7))],
            wanted: crate::driver::RawColumns::None,
        };
        assert_eq!(bound(&statement).ok().as_deref(), Some("SELECT * FROM t WHERE a =  'it''s ?'  AND b = '?' AND c =  -7 "));
    }
}
