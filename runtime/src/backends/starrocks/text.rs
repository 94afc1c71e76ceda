//! Tests of texts. Texts compare by bytes there; `LIKE`, whose escapes and `_` depend on which of its engines takes a pattern, is
//! not asked.

use crate::backends::sql::pattern::after_prefix;
use crate::backends::sql::{Comparison, Sql, Term, TextTest, unsupported};
use crate::error::Result;
use crate::filter::Pattern;
use crate::types::Value;

/// The pieces of a `like` pattern between its runs; `None` where one has a character of any kind in it.
fn pieces(pattern: &str) -> Option<Vec<String>> {
    let mut pieces = vec![String::new()];
    for piece in Pattern::parse(pattern) {
        match (piece, pieces.last_mut()) {
            (Pattern::One, _) => return None,
            (Pattern::Literal(c), Some(last)) => last.push(c),
            _ => pieces.push(String::new()),
        }
    }
    // A piece of nothing between two runs is one run.
    let last = pieces.len() - 1;
    let mut kept = Vec::with_capacity(pieces.len());
    for (i, piece) in pieces.into_iter().enumerate() {
        if i == 0 || i == last || !piece.is_empty() {
            kept.push(piece);
        }
    }
    Some(kept)
}

/// Whether a `like` pattern can be said without `LIKE`: it has at most one piece between a beginning and an end.
pub(super) fn takes(pattern: &str) -> bool {
    pieces(pattern).is_some_and(|pieces| pieces.len() <= 3)
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn bound(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn starts(sql: &mut Sql<'_>, term: &Term<'_>, prefix: &str) -> Result<()> {
    let compare = |sql: &mut Sql<'_>, how: Comparison, text: &str| -> Result<()> {
        term.write(sql)?;
        sql.push(how.text()).bind(bound(text));
        Ok(())
    };
    compare(sql, Comparison::Ge, prefix)?;
    if let Some(end) = after_prefix(prefix) {
        sql.push(" AND ");
        compare(sql, Comparison::Lt, &end)?;
    }
    Ok(())
}

fn ends(sql: &mut Sql<'_>, term: &Term<'_>, suffix: &str) -> Result<()> {
    sql.push("RIGHT(");
    term.write(sql)?;
    sql.push(", ").number(length(suffix)).push(") = ").bind(bound(suffix));
    Ok(())
}

fn is_some(sql: &mut Sql<'_>, term: &Term<'_>) {
    term.write_column(sql);
    sql.push(" IS NOT NULL");
}

/// Writes a test.
pub(super) fn test(sql: &mut Sql<'_>, term: &Term<'_>, test: TextTest<'_>) -> Result<()> {
    sql.push("(");
    match test {
        TextTest::Contains("") | TextTest::StartsWith("") | TextTest::EndsWith("") => is_some(sql, term),
        TextTest::Contains(needle) => {
            sql.push("LOCATE(").bind(bound(needle)).push(", ");
            term.write(sql)?;
            sql.push(") > 0");
        }
        TextTest::StartsWith(prefix) => starts(sql, term, prefix)?,
        TextTest::EndsWith(suffix) => ends(sql, term, suffix)?,
        TextTest::Like(pattern) => like(sql, term, pattern)?,
        // The table does not list them.
        TextTest::IContains(_) | TextTest::ILike(_) | TextTest::Regex(_) => {
            return Err(unsupported("starrocks", "this test of a text", term));
        }
    }
    sql.push(")");
    Ok(())
}

fn like(sql: &mut Sql<'_>, term: &Term<'_>, pattern: &str) -> Result<()> {
    let pieces = pieces(pattern).unwrap_or_default();
    let (prefix, middle, suffix) = match pieces.as_slice() {
        [whole] => {
            term.write(sql)?;
            sql.push(" = ").bind(bound(whole));
            return Ok(());
        }
        [prefix, suffix] => (prefix, "", suffix),
        [prefix, middle, suffix] => (prefix, middle.as_str(), suffix),
        _ => return Err(unsupported("starrocks", "this pattern", term)),
    };
    is_some(sql, term);
    if !prefix.is_empty() {
        sql.push(" AND ");
        starts(sql, term, prefix)?;
    }
    if !suffix.is_empty() {
        sql.push(" AND ");
        ends(sql, term, suffix)?;
    }
    let beside = length(prefix) + length(suffix);
    if middle.is_empty() {
        if !prefix.is_empty() && !suffix.is_empty() {
            // The two do not share characters.
            sql.push(" AND CHAR_LENGTH(");
            term.write(sql)?;
            sql.push(") >= ").number(beside);
        }
        return Ok(());
    }
    // Behind the beginning, where it comes first, and before the end.
    let place = |sql: &mut Sql<'_>| -> Result<()> {
        sql.push("LOCATE(").bind(bound(middle)).push(", ");
        term.write(sql)?;
        if !prefix.is_empty() {
            sql.push(", ").number(length(prefix) + 1);
        }
        sql.push(")");
        Ok(())
    };
    sql.push(" AND ");
    place(sql)?;
    sql.push(" > 0");
    if !suffix.is_empty() {
        sql.push(" AND ");
        place(sql)?;
        sql.push(" + ").number(length(middle) + length(suffix) - 1).push(" <= CHAR_LENGTH(");
        term.write(sql)?;
        sql.push(")");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fall_into_pieces() {
        let of = |pattern| pieces(pattern).map(|pieces| pieces.join("|"));
        assert_eq!(of("a%b").as_deref(), Some("a|b"));
        assert_eq!(of("%").as_deref(), Some("|"));
        assert_eq!(of("%%a%%").as_deref(), Some("|a|"));
        assert_eq!(of("").as_deref(), Some(""));
        assert_eq!(of("a\\%b").as_deref(), Some("a%b"));
        assert_eq!(of("a_b"), None);
        assert!(takes("a%b%c") && !takes("a%b%c%d") && !takes("_"));
    }
}
