//! Statements of the application's own.

use std::sync::Arc;

use tiberius::Query;

use super::pool::Pool;
use super::{codec, columns, failure};
use crate::backends::sql::core::raw_answer;
use crate::backends::sql::lexed::{Lexis, plain};
use crate::backends::sql::session::Phase;
use crate::driver::{RawAnswer, RawColumns, RawStatement};
use crate::error::{Error, Result};
use crate::types::Value;

/// The greatest `n` of a `@Pn` outside of quotes and comments, which is how many values a statement takes.
fn placeholders(text: &str) -> usize {
    let bytes = text.as_bytes();
    let marks = plain(text, Lexis { brackets: true, postgres: false }).filter(|at| matches!(bytes[*at..], [b'@', b'P' | b'p', ..]));
    let numbers = marks.map(|at| {
        let digits = bytes[at + 2..].iter().take_while(|digit| digit.is_ascii_digit()).count();
        text[at + 2..at + 2 + digits].parse().unwrap_or(0)
    });
    numbers.max().unwrap_or(0)
}

/// Runs a statement on a connection that does not go back: nobody knows what it leaves there.
pub(super) async fn run(pool: &Arc<Pool>, statement: &RawStatement) -> Result<RawAnswer> {
    statement.check_values(placeholders(&statement.text))?;
    let session = pool.take(Phase::Read).await?;
    let gone = || Error::new(crate::ErrorKind::Unavailable, "the connection to the server broke");
    let (mut client, _permit) = session.into_own().ok_or_else(gone)?;
    // A statement may write: where the connection breaks, nobody knows whether it did.
    let failed = |cause| failure::error(cause, Phase::Commit);
    let values: Vec<Value> = statement.values.iter().map(|(logical, value)| columns::stored(logical, value.clone())).collect();
    let mut query = Query::new(statement.text.as_str());
    for (value, (_, given)) in values.iter().zip(&statement.values) {
        // A text stays one, and a UUID is of the server's type: the statement casts what is kept otherwise.
        let value = if matches!(given, Value::Text(_) | Value::Uuid(_)) { given } else { value };
        query.bind(codec::Bound(value));
    }
    if matches!(statement.wanted, RawColumns::None) {
        let done = query.execute(&mut client).await.map_err(failed)?;
        return Ok(RawAnswer { changed: done.total(), ..RawAnswer::default() });
    }
    let mut stream = query.query(&mut client).await.map_err(failed)?;
    let names: Vec<String> = match stream.columns().await.map_err(failed)? {
        Some(columns) => columns.iter().map(|column| column.name().to_owned()).collect(),
        None => Vec::new(),
    };
    // Whether these are the columns is said before a row is read.
    statement.wanted.of(&names.iter().map(String::as_str).collect::<Vec<_>>())?;
    let rows = stream.into_first_result().await.map_err(failed)?;
    let rows = rows.into_iter().map(codec::row).collect::<tiberius::Result<_>>().map_err(failed)?;
    raw_answer(&statement.wanted, &names, rows, codec::read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_counted_where_they_are_some() {
        assert_eq!(placeholders("SELECT @P1, @p12 -- @P99\n, '@P50 it''s', [@P60], /* @P70 */ @P2"), 12);
        assert_eq!(placeholders("SELECT 'é' WHERE 1 = 1"), 0);
        assert_eq!(placeholders("SELECT '"), 0);
    }
}
