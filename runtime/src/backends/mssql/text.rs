//! Text as the server compares it, and as we do: by bytes. The server fills the shorter of two texts with blanks, and of two
//! binary values with zeros, before it compares them; so each comparison here says how long the value is.

use super::dialect::MssqlDialect;
use crate::backends::sql::pattern::after_prefix;
use crate::backends::sql::{Comparison, Dialect, Sql, Term, TextTest, unsupported};
use crate::error::Result;
use crate::filter::Pattern;
use crate::types::{LogicalType, Value};

/// Longest text, in characters, whose bytes lie in a value of a bounded type: 4 bytes a character, of 8,000.
const SORTED: u32 = 1_999;

/// Most UTF-16 units of a text that is looked for, and of a pattern.
const NEEDLE: usize = 3_900;

/// Whether a field is kept as the bytes of its text.
pub(super) fn kept_as_bytes(logical: &LogicalType) -> bool {
    matches!(logical, LogicalType::Id | LogicalType::Ref(_) | LogicalType::Category(_))
}

/// Whether a field's values are text.
pub(super) fn is_text(logical: &LogicalType) -> bool {
    kept_as_bytes(logical) || matches!(logical, LogicalType::Text { .. })
}

/// UTF-16 units of a text.
pub(super) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Writes a text column as characters that compare unit by unit, whatever its collation is.
pub(super) fn chars(sql: &mut Sql<'_>, term: &Term<'_>) {
    if term.part.is_mapped() {
        sql.push("CAST(");
        term.write_column(sql);
        sql.push(" AS NVARCHAR(MAX)) COLLATE Latin1_General_100_BIN2");
    } else {
        term.write_column(sql);
    }
}

/// What stands around an `NVARCHAR` to make its UTF-8 bytes of it.
pub(super) const OPEN: &str = "CAST(CAST(";
/// See [`OPEN`]: of any length.
pub(super) const CLOSE: &str = " COLLATE Latin1_General_100_BIN2_UTF8 AS VARCHAR(MAX)) AS VARBINARY(MAX))";
/// See [`OPEN`]: of at most 8,000 bytes.
const CLOSE_SHORT: &str = " COLLATE Latin1_General_100_BIN2_UTF8 AS VARCHAR(8000)) AS VARBINARY(8000))";

/// Writes the bytes of a text.
pub(super) fn bytes(sql: &mut Sql<'_>, term: &Term<'_>) {
    let logical = term.logical();
    if term.is_derived_id() {
        let dialect = sql.dialect();
        return dialect.key_text(sql, term.part);
    }
    if !term.part.is_mapped() && kept_as_bytes(&logical) {
        return term.write_column(sql);
    }
    let short = !term.part.is_mapped() && matches!(logical, LogicalType::Text { max } if max <= SORTED);
    sql.push(OPEN);
    if term.part.is_mapped() {
        sql.push("CAST(");
        term.write_column(sql);
        sql.push(" AS NVARCHAR(MAX))");
    } else {
        term.write_column(sql);
    }
    sql.push(if short { CLOSE_SHORT } else { CLOSE });
}

/// The bytes of a text, to be bound.
pub(super) fn bound(text: &str) -> Value {
    Value::Bytes(text.as_bytes().into())
}

/// Whether bytes are these: written by `subject`.
pub(super) fn same_bytes<'d>(sql: &mut Sql<'d>, subject: &dyn Fn(&mut Sql<'d>), value: &[u8], equal: bool) {
    sql.push("(");
    subject(sql);
    sql.push(if equal { " = " } else { " <> " }).bind(Value::Bytes(value.into())).push(if equal {
        " AND DATALENGTH("
    } else {
        " OR DATALENGTH("
    });
    subject(sql);
    sql.push(if equal { ") = " } else { ") <> " }).number(value.len()).push(")");
}

/// Compares a text.
pub(super) fn compare(sql: &mut Sql<'_>, term: &Term<'_>, how: Comparison, text: &str) -> Result<()> {
    let own_bytes = !term.part.is_mapped() && kept_as_bytes(&term.logical());
    if own_bytes || term.is_derived_id() {
        // Neither holds a zero byte: nothing but themselves is equal to them.
        bytes(sql, term);
        sql.push(how.text()).bind(bound(text));
        return Ok(());
    }
    if matches!(how, Comparison::Eq | Comparison::Ne) {
        let equal = how == Comparison::Eq;
        sql.push("(");
        // Compared as it is too, so that the column's own index serves.
        if equal && term.part.is_mapped() {
            term.write_column(sql);
            sql.push(" = ").bind(Value::Text(text.to_owned())).push(" AND ");
        }
        chars(sql, term);
        sql.push(how.text()).bind(Value::Text(text.to_owned())).push(if equal { " AND DATALENGTH(" } else { " OR DATALENGTH(" });
        chars(sql, term);
        sql.push(if equal { ") = " } else { ") <> " }).number(units(text) * 2).push(")");
        return Ok(());
    }
    let strict = if matches!(how, Comparison::Lt | Comparison::Le) { Comparison::Lt } else { Comparison::Gt };
    sql.push("(");
    bytes(sql, term);
    sql.push(strict.text()).bind(bound(text)).push(" OR (");
    bytes(sql, term);
    sql.push(" = ").bind(bound(text)).push(" AND DATALENGTH(");
    bytes(sql, term);
    sql.push(")").push(how.text()).number(text.len()).push("))");
    Ok(())
}

/// Whether a text is one of many: their JSON is one value.
pub(super) fn among(sql: &mut Sql<'_>, term: &Term<'_>, texts: &[&str]) -> Result<()> {
    let json = serde_json::to_string(texts).unwrap_or_default();
    if !term.part.is_mapped() && kept_as_bytes(&term.logical()) || term.is_derived_id() {
        bytes(sql, term);
        sql.push(" IN (SELECT ").push(OPEN).push("j.[value]").push(CLOSE).push(" FROM OPENJSON(").bind(Value::Text(json)).push(") j)");
        return Ok(());
    }
    // With a unit behind them that is no blank, texts of any end are told apart.
    sql.push("CONCAT(");
    chars(sql, term);
    sql.push(", N'.') IN (SELECT CONCAT(j.[value], N'.') COLLATE Latin1_General_100_BIN2 FROM OPENJSON(")
        .bind(Value::Text(json))
        .push(") j)");
    if term.nullable() || term.part.is_mapped() {
        // Nothing is concatenated as the empty text.
        sql.push(" AND ");
        term.write_column(sql);
        sql.push(" IS NOT NULL");
    }
    Ok(())
}

/// Whether the server runs a text test with our meaning.
pub(super) fn takes(test: TextTest<'_>) -> bool {
    match test {
        TextTest::Contains(needle) => units(needle) <= NEEDLE,
        TextTest::StartsWith(_) | TextTest::EndsWith(_) => true,
        // `_` is one UTF-16 unit there. A pattern has no room for the character that ends texts elsewhere.
        TextTest::Like(pattern) => {
            let plain = |piece: &Pattern| !matches!(piece, Pattern::One | Pattern::Literal('\0'));
            Pattern::parse(pattern).iter().all(plain) && units(&like(pattern)) <= NEEDLE
        }
        TextTest::IContains(_) | TextTest::ILike(_) | TextTest::Regex(_) => false,
    }
}

/// A pattern in the server's words, `|` escaping.
fn like(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len() + 2);
    for piece in Pattern::parse(pattern) {
        match piece {
            Pattern::One => text.push('_'),
            Pattern::Run => text.push('%'),
            Pattern::Literal(c) => {
                if matches!(c, '%' | '_' | '[' | '|') {
                    text.push('|');
                }
                text.push(c);
            }
        }
    }
    text
}

/// Tests a text.
pub(super) fn test(sql: &mut Sql<'_>, dialect: &MssqlDialect, term: &Term<'_>, test: TextTest<'_>) -> Result<()> {
    let end = |sql: &mut Sql<'_>, piece: &str, from_the_end: bool| {
        sql.push("(SUBSTRING(");
        bytes(sql, term);
        sql.push(", ");
        if from_the_end {
            sql.push("DATALENGTH(");
            bytes(sql, term);
            sql.push(") - ").number(piece.len()).push(" + 1, ");
        } else {
            sql.push("1, ");
        }
        sql.number(piece.len()).push(") = ").bind(bound(piece)).push(" AND DATALENGTH(");
        bytes(sql, term);
        sql.push(") >= ").number(piece.len()).push(")");
    };
    match test {
        // Every text has it, and the server finds it in none.
        TextTest::Contains("") | TextTest::StartsWith("") | TextTest::EndsWith("") => {
            term.write_column(sql);
            sql.push(" IS NOT NULL");
        }
        TextTest::StartsWith(prefix) if !term.part.is_mapped() && kept_as_bytes(&term.logical()) => {
            sql.push("(");
            bytes(sql, term);
            sql.push(" >= ").bind(bound(prefix));
            if let Some(after) = after_prefix(prefix) {
                sql.push(" AND ");
                bytes(sql, term);
                sql.push(" < ").bind(bound(&after));
            }
            sql.push(")");
        }
        TextTest::StartsWith(prefix) => end(sql, prefix, false),
        TextTest::EndsWith(suffix) => end(sql, suffix, true),
        TextTest::Contains(needle) if !kept_as_bytes(&term.logical()) => {
            sql.push("CHARINDEX(").bind(Value::Text(needle.to_owned())).push(", ");
            chars(sql, term);
            sql.push(") > 0");
        }
        TextTest::Like(pattern) if !kept_as_bytes(&term.logical()) => {
            chars(sql, term);
            sql.push(" LIKE ").bind(Value::Text(like(pattern))).push(" ESCAPE N'|'");
        }
        _ => return Err(unsupported(dialect.kind(), "this text test", term)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_taken_where_they_mean_the_same() {
        assert!(takes(TextTest::Like("a%[b]|")) && like("a%[b]|\\_") == "a%|[b]|||_");
        assert!(!takes(TextTest::Like("a_")) && !takes(TextTest::Like("a\0")));
        assert!(!takes(TextTest::Contains(&"x".repeat(4_000))));
    }
}
