//! Statements of the application's own. The protocol binds nothing: each `?` that is neither quoted nor in a comment becomes
//! the literal of its value.

use super::client::{AnswerColumn, Intent, Running};
use super::core::Core;
use super::{decode, literal};
use crate::backends::sql::lexed::{Lexis, plain};
use crate::driver::{RawAnswer, RawColumn, RawStatement};
use crate::error::Result;
use crate::types::LogicalType;

/// Runs a statement, which is a transaction of its own. It is never run twice.
pub(super) async fn run(core: &Core, statement: &RawStatement) -> Result<RawAnswer> {
    let text = text(statement)?;
    let deadline = core.http.deadline();
    // Whether it writes nobody knows here: where its answer is lost, its outcome is not known.
    let mut running = Running::start(&core.http, &text, Intent::Writes, deadline).await?;
    let mut found = RawAnswer::default();
    let mut columns: Option<Vec<(usize, RawColumn)>> = None;
    loop {
        let rows = running.advance(deadline).await?;
        let ended = rows.is_none();
        // They are known from the first rows on, or at the end.
        let columns = match &mut columns {
            Some(columns) => columns,
            none if ended || !running.columns.is_empty() => none.insert(checked(statement, &running.columns, &mut found)?),
            _ => continue,
        };
        for mut row in rows.unwrap_or_default() {
            // Rows that nobody looks at are not kept.
            if columns.is_empty() {
                continue;
            }
            let mut values = Vec::with_capacity(columns.len());
            for ((at, column), name) in columns.iter().zip(&found.names) {
                let mismatch = || RawAnswer::mismatch(name, running.columns.get(*at).map_or("", |there| &there.kind), &column.logical);
                let cell = row.get_mut(*at).ok_or_else(mismatch)?;
                RawAnswer::push(&mut values, name, column, decode::value(cell, &column.logical).map_err(|_| mismatch())?)?;
            }
            found.rows.push(values);
        }
        if ended {
            found.changed = running.changed.and_then(|changed| u64::try_from(changed).ok()).unwrap_or_default();
            return Ok(found);
        }
    }
}

/// The statement with its values in the places of their placeholders.
fn text(statement: &RawStatement) -> Result<String> {
    let given = statement.text.as_str();
    let places: Vec<usize> = plain(given, Lexis::default()).filter(|at| given.as_bytes()[*at] == b'?').collect();
    statement.check_values(places.len())?;
    let mut text = String::with_capacity(given.len() + places.len() * 16);
    let mut from = 0;
    for (at, (_, value)) in places.into_iter().zip(&statement.values) {
        text.push_str(&given[from..at]);
        literal::write(value, &mut text);
        from = at + 1;
    }
    text.push_str(&given[from..]);
    Ok(text)
}

/// The columns that are read, each of a type that is read as what was asked for.
fn checked(statement: &RawStatement, there: &[AnswerColumn], found: &mut RawAnswer) -> Result<Vec<(usize, RawColumn)>> {
    let names: Vec<&str> = there.iter().map(|column| column.name.as_str()).collect();
    let columns = statement.wanted.of(&names)?;
    for (at, column) in &columns {
        if !reads(&there[*at].kind, &column.logical) {
            return Err(RawAnswer::mismatch(names[*at], &there[*at].kind, &column.logical));
        }
    }
    found.names = columns.iter().map(|(at, _)| names[*at].to_owned()).collect();
    Ok(columns)
}

/// Whether a column of a type, as the protocol writes it, is read as a logical type.
fn reads(kind: &str, logical: &LogicalType) -> bool {
    let (name, arguments) = match kind.split_once('(') {
        Some((name, rest)) => (name, rest.strip_suffix(')').unwrap_or(rest)),
        None => (kind, ""),
    };
    match logical {
        // A null of no type.
        _ if kind == "unknown" => true,
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) => ["varchar", "char"].contains(&name),
        LogicalType::Bool => kind == "boolean",
        LogicalType::Int { .. } | LogicalType::Duration => ["bigint", "integer", "smallint", "tinyint"].contains(&kind),
        LogicalType::Float => ["double", "real"].contains(&kind),
        LogicalType::Decimal { .. } => name == "decimal",
        LogicalType::Bytes => kind == "varbinary",
        LogicalType::Timestamp => name == "timestamp",
        LogicalType::Date => kind == "date",
        LogicalType::Uuid => kind == "uuid",
        LogicalType::Json => name == "varchar" || kind == "json",
        LogicalType::List(item) => name == "array" && reads(arguments, item),
        LogicalType::Vector(_) => kind == "array(real)" || kind == "array(double)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::RawColumns;
    use crate::types::Value;

    fn with(given: &str, values: &[Value]) -> Option<String> {
        let values = values.iter().map(|value| (LogicalType::TEXT, value.clone())).collect();
        text(&RawStatement { text: given.to_owned(), values, wanted: RawColumns::None }).ok()
    }

    #[test]
    fn values_take_the_places_of_their_placeholders() {
        let hostile = Value::Text("?'; DROP TABLE t; --".to_owned());
        let given = "SELECT ?, '?', \"?\" /* ? */ -- ?\n, ?";
        let expected = "SELECT '?''; DROP TABLE t; --', '?', \"?\" /* ? */ -- ?\n, BIGINT '7'";
        assert_eq!(with(given, &[hostile.clone(), Value::Int(7)]).as_deref(), Some(expected));
        assert_eq!(with(given, &[hostile]), None);
        assert_eq!(with("SELECT 1", &[]).as_deref(), Some("SELECT 1"));
    }

    #[test]
    fn a_column_is_read_as_what_it_is() {
        assert!(reads("array(varchar(5))", &LogicalType::List(&LogicalType::TEXT)));
        assert!(reads("timestamp(3) with time zone", &LogicalType::Timestamp));
        for (kind, logical) in
            [("varchar", LogicalType::INT), ("time(3)", LogicalType::Timestamp), ("map(varchar,bigint)", LogicalType::Json)]
        {
            assert!(!reads(kind, &logical), "{kind}");
        }
    }
}
