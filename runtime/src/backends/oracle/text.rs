//! Text as the server compares it, and as we do: by bytes. The database's character set is UTF-8 and its sessions compare
//! binary (`pool.rs`), so a `VARCHAR2` compares as we do, but for the empty text, which the server takes for null.
//!
//! **What is empty, or begins with U+0000, lies with one more U+0000 before it.** So nothing stored is empty, two texts are as
//! different as before, and sort as before: U+0000 is the least of all. Nearly every text lies as it is.

use super::dialect::OracleDialect;
use crate::backends::sql::pattern::{after_prefix, like, like_literal};
use crate::backends::sql::{Comparison, Dialect, Sql, Term, TextTest, ddl, unsupported};
use crate::error::Result;
use crate::filter::Pattern;
use crate::schema::Column;
use crate::types::{LogicalType, Value};

/// Longest text, in characters, that is a `VARCHAR2`: with the character before it, 4 bytes each, of 4,000.
const SHORT: u32 = 999;

/// The characters of a long text that lie beside it.
pub(super) const HEAD: usize = 1_000;

/// Most bytes of a value within an expression.
pub(super) const BOUND: usize = 4_000;

/// Whether a field's values are text.
pub(super) fn is_text(logical: &LogicalType) -> bool {
    matches!(logical, LogicalType::Id | LogicalType::Ref(_) | LogicalType::Category(_) | LogicalType::Text { .. })
}

/// Whether a field is a `CLOB`, in a table of ours.
pub(super) fn is_long(logical: &LogicalType) -> bool {
    matches!(logical, LogicalType::Text { max } if *max > SHORT)
}

/// Whether a column of a table of ours is a `CLOB` of text.
pub(super) fn lies_long(term: &Term<'_>) -> bool {
    !term.part.is_mapped() && term.column.is_some_and(|column| is_long(&column.logical))
}

/// A text as it lies.
pub(super) fn stored(text: String) -> String {
    if text.is_empty() || text.starts_with('\0') { format!("\0{text}") } else { text }
}

/// A text that lies so.
pub(super) fn plain(stored: String) -> String {
    match stored.strip_prefix('\0') {
        Some(text) => text.to_owned(),
        None => stored,
    }
}

/// Bytes as they lie.
pub(super) fn stored_bytes(bytes: Box<[u8]>) -> Box<[u8]> {
    match bytes.first() {
        None | Some(0) => std::iter::once(0).chain(bytes.iter().copied()).collect(),
        Some(_) => bytes,
    }
}

/// Bytes that lie so.
pub(super) fn plain_bytes(stored: Box<[u8]>) -> Box<[u8]> {
    match stored.split_first() {
        Some((0, bytes)) => bytes.into(),
        _ => stored,
    }
}

/// The first characters of a text that lies so.
pub(super) fn head(stored: &str) -> &str {
    stored.char_indices().nth(HEAD).map_or(stored, |(end, _)| &stored[..end])
}

/// Whether a text that lies so is its own head, and shorter than any that is longer.
pub(super) fn fits_head(stored: &str) -> bool {
    stored.chars().count() < HEAD
}

/// The name of the column that holds the heads of a long text.
pub(super) fn head_name(column: &Column) -> String {
    ddl::beside_name(column, "head")
}

/// Writes what compares as a text: the column, or its head.
pub(super) fn subject(sql: &mut Sql<'_>, term: &Term<'_>) {
    match term.column.filter(|_| lies_long(term)) {
        Some(column) => {
            sql.push("t.").name(&head_name(column));
        }
        None if term.is_derived_id() => {
            let dialect = sql.dialect();
            dialect.key_text(sql, term.part);
        }
        None => term.write_column(sql),
    }
}

/// A text as it is bound to be compared with a term; `None` where nothing there equals it: a table of others has no empty text.
pub(super) fn operand(term: &Term<'_>, text: &str) -> Option<String> {
    if term.part.is_mapped() { Some(text.to_owned()).filter(|text| !text.is_empty()) } else { Some(stored(text.to_owned())) }
}

/// Whether a text can be compared in a statement.
pub(super) fn comparable(mapped: bool, logical: &LogicalType, text: &str) -> bool {
    // A head answers for what is shorter than heads are.
    if !mapped && is_long(logical) { text.chars().count() + 1 < HEAD } else { text.len() + 2 <= BOUND }
}

/// Compares a text.
pub(super) fn compare(sql: &mut Sql<'_>, term: &Term<'_>, how: Comparison, text: &str) -> Result<()> {
    let Some(operand) = operand(term, text) else {
        // All that is there is greater than the empty text.
        if matches!(how, Comparison::Gt | Comparison::Ge | Comparison::Ne) {
            term.write_column(sql);
            sql.push(" IS NOT NULL");
        } else {
            sql.push("1 = 0");
        }
        return Ok(());
    };
    subject(sql, term);
    sql.push(how.text()).bind(Value::Text(operand));
    Ok(())
}

/// Whether the server runs a text test with our meaning.
pub(super) fn takes(mapped: bool, logical: &LogicalType, test: TextTest<'_>) -> bool {
    let long = !mapped && is_long(logical);
    match test {
        // What stands before a text is no part of it.
        TextTest::Contains(needle) | TextTest::EndsWith(needle) => !needle.contains('\0') && like_literal(needle, '|').len() + 2 <= BOUND,
        TextTest::StartsWith(prefix) => comparable(mapped, logical, prefix),
        // In a `CLOB`, `_` is one unit of UTF-16.
        TextTest::Like(pattern) => {
            let plain = |piece: &Pattern| *piece != Pattern::Literal('\0') && !(long && *piece == Pattern::One);
            Pattern::parse(pattern).iter().all(plain) && like(pattern, '|').len() < BOUND
        }
        TextTest::IContains(_) | TextTest::ILike(_) | TextTest::Regex(_) => false,
    }
}

fn like_test(sql: &mut Sql<'_>, term: &Term<'_>, pattern: String) {
    if term.is_derived_id() {
        let dialect = sql.dialect();
        dialect.key_text(sql, term.part);
    } else {
        term.write_column(sql);
    }
    sql.push(" LIKE ").bind(Value::Text(pattern)).push(" ESCAPE '|'");
}

/// Tests a text.
pub(super) fn test(sql: &mut Sql<'_>, dialect: &OracleDialect, term: &Term<'_>, test: TextTest<'_>) -> Result<()> {
    match test {
        TextTest::Contains("") | TextTest::StartsWith("") | TextTest::EndsWith("") => {
            term.write_column(sql);
            sql.push(" IS NOT NULL");
        }
        TextTest::StartsWith(prefix) => {
            let prefix = if term.part.is_mapped() { prefix.to_owned() } else { stored(prefix.to_owned()) };
            sql.push("(");
            subject(sql, term);
            sql.push(" >= ").bind(Value::Text(prefix.clone()));
            if let Some(after) = after_prefix(&prefix) {
                sql.push(" AND ");
                subject(sql, term);
                sql.push(" < ").bind(Value::Text(after));
            }
            sql.push(")");
        }
        TextTest::Contains(needle) => like_test(sql, term, format!("%{}%", like_literal(needle, '|'))),
        TextTest::EndsWith(suffix) => like_test(sql, term, format!("%{}", like_literal(suffix, '|'))),
        // The server takes an empty pattern for null.
        TextTest::Like("") => return compare(sql, term, Comparison::Eq, ""),
        TextTest::Like(pattern) if term.part.is_mapped() || !Pattern::parse(pattern).contains(&Pattern::One) => {
            like_test(sql, term, like(pattern, '|'));
        }
        TextTest::Like(pattern) => {
            // What stands before a text is no character of it.
            let pattern = like(pattern, '|');
            sql.push("(");
            like_test(sql, term, pattern.clone());
            sql.push(" AND SUBSTR(");
            term.write_column(sql);
            sql.push(", 1, 1) <> ").bind(Value::Text("\0".to_owned())).push(" OR ");
            like_test(sql, term, format!("\0{pattern}"));
            sql.push(")");
        }
        _ => return Err(unsupported(dialect.kind(), "this text test", term)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_never_empty_and_sorts_as_before() {
        let texts = ["", "\0", "\0\0", "\0a", "\u{1}", " ", "a", "a\0", "\u{10ffff}"];
        for (i, text) in texts.iter().enumerate() {
            let lies = stored((*text).to_owned());
            assert!(!lies.is_empty());
            assert_eq!(plain(lies.clone()), *text);
            assert_eq!(&*plain_bytes(stored_bytes(text.as_bytes().into())), text.as_bytes());
            for other in &texts[i + 1..] {
                assert!(lies < stored((*other).to_owned()), "{text:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_head_answers_for_what_is_shorter() {
        let long = "ä".repeat(1_200);
        assert_eq!(head(&long).chars().count(), HEAD);
        assert!(comparable(false, &LogicalType::TEXT, "short") && !comparable(false, &LogicalType::TEXT, &long));
        assert!(comparable(false, &LogicalType::Text { max: 255 }, &long) && !comparable(false, &LogicalType::TEXT, &"x".repeat(999)));
    }

    #[test]
    fn patterns_are_taken_where_they_mean_the_same() {
        let short = LogicalType::Text { max: 255 };
        assert!(takes(false, &short, TextTest::Like("a_")) && !takes(false, &LogicalType::TEXT, TextTest::Like("a_")));
        assert!(!takes(false, &short, TextTest::Contains("a\0")) && takes(false, &LogicalType::TEXT, TextTest::Contains("a%")));
        assert!(!takes(false, &short, TextTest::Contains(&"x".repeat(4_000))));
    }
}
