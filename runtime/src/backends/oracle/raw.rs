//! Statements of the application's own.

use std::sync::Arc;

use super::pool::{Cause, Pool, execute};
use super::{codec, columns, failure};
use crate::backends::sql::Statement;
use crate::backends::sql::core::raw_answer;
use crate::backends::sql::session::Phase;
use crate::driver::{RawAnswer, RawColumns, RawStatement};
use crate::error::Result;
use crate::types::{LogicalType, Value};

/// How many values a statement takes: one a placeholder, `:1` or `:name`, outside of quotes and comments.
fn placeholders(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut number) = (0, 0);
    let skip = |from: usize, end: &[u8]| {
        let found = bytes.get(from..).unwrap_or_default().windows(end.len()).position(|piece| piece == end);
        found.map_or(bytes.len(), |found| from + found + end.len())
    };
    while at < bytes.len() {
        at = match &bytes[at..] {
            [b'q' | b'Q', b'\'', open, ..] => {
                let close = match open {
                    b'[' => b']',
                    b'{' => b'}',
                    b'(' => b')',
                    b'<' => b'>',
                    other => *other,
                };
                skip(at + 3, &[close, b'\''])
            }
            [b'\'', ..] => skip(at + 1, b"'"),
            [b'"', ..] => skip(at + 1, b"\""),
            [b'-', b'-', ..] => skip(at + 2, b"\n"),
            [b'/', b'*', ..] => skip(at + 2, b"*/"),
            [b':', first, ..] if first.is_ascii_alphanumeric() => {
                number += 1;
                at + 2
            }
            _ => at + 1,
        };
    }
    number
}

/// A value as an application's own statement gets it: a text as it is, though the server takes an empty one for null.
fn bound(logical: &LogicalType, value: &Value) -> Value {
    match value {
        Value::Text(_) | Value::Bytes(_) | Value::Vector(_) => value.clone(),
        value => columns::stored(logical, value.clone()),
    }
}

/// Runs a statement, as one transaction, on a connection that does not go back: nobody knows what it leaves there.
pub(super) async fn run(pool: &Arc<Pool>, statement: &RawStatement) -> Result<RawAnswer> {
    statement.check_values(placeholders(&statement.text))?;
    let session = pool.take(Phase::Write).await?;
    let (worker, _permit) = session.into_own().ok_or_else(|| failure::gone(Phase::Read))?;
    let values = statement.values.iter().map(|(logical, value)| bound(logical, value)).collect();
    let asked = Statement { text: statement.text.to_string(), values };
    let done = worker.run(move |connection| {
        let done = execute(connection, asked)?;
        connection.commit()?;
        Ok(done)
    });
    // A statement may write: where the connection breaks, nobody knows whether it did.
    let (names, answer) = match done.await {
        Some(Ok(done)) => done,
        Some(Err(Cause::Client(cause))) => return Err(failure::error(cause, Phase::Commit)),
        Some(Err(Cause::Ours(error))) => return Err(error),
        None => return Err(failure::gone(Phase::Commit)),
    };
    if matches!(statement.wanted, RawColumns::None) {
        return Ok(RawAnswer { changed: answer.changed, ..RawAnswer::default() });
    }
    raw_answer(&statement.wanted, &names, answer.rows, |logical, stored| codec::read(logical, stored, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_counted_where_they_are_some() {
        assert_eq!(placeholders("SELECT :1, :name -- :9\n, ':5 it''s', \":6\", /* :7 */ :1 FROM t"), 3);
        assert_eq!(placeholders("SELECT q'[it's :1]', TO_CHAR(d, 'HH24:MI') FROM t"), 0);
        assert_eq!(placeholders("SELECT '"), 0);
    }
}
