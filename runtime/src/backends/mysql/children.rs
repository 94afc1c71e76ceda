//! Tables beside a part's, one row a word or a list's item: `(item, owner, position)`, found by item. The words are those of
//! [`types::words`](crate::types::words): the servers' own full-text indexes split, fold and drop words as they are set up.

use std::collections::BTreeSet;

use super::dialect::{MySqlDialect, SHORT};
use super::list;
use crate::backends::sql::{HasTest, Sql, Statement, Term, ddl};
use crate::capability::Placement;
use crate::error::Result;
use crate::filter::{Condition, Filter};
use crate::schema::{Column, Part};
use crate::types::{Value, words};

/// Longest item that is kept letter by letter, in bytes. Longer ones become a digest.
const LONGEST: usize = 512;

/// Most tables of words and items that one statement joins; servers stop at 61.
const MOST_TABLES: usize = 40;

/// The columns that have such a table.
pub(super) fn has_child(column: &Column) -> bool {
    matches!(column.placement, Placement::InvertedIndex | Placement::SideTable)
}

/// The name of a column's table.
pub(super) fn table(dialect: &MySqlDialect, part: &Part, column: &Column) -> String {
    let purpose = if column.placement == Placement::InvertedIndex { "words" } else { "items" };
    ddl::child_name(dialect, part, Some(column), purpose)
}

/// An item as it is kept and asked for.
fn key(item: &str) -> Value {
    let bytes = item.as_bytes();
    if bytes.len() <= LONGEST {
        return Value::Bytes(bytes.into());
    }
    // No word and no item begins with a control character.
    Value::Bytes(format!("\u{2}{}", blake3::hash(bytes).to_hex()).into_bytes().into())
}

fn item_key(item: &Value) -> Value {
    let mut text = String::new();
    match item {
        // Zero has two signs, and both are equal.
        Value::Float(n) => list::item(&Value::Float(n + 0.0), &mut text),
        other => list::item(other, &mut text),
    }
    key(&text)
}

/// What a value puts into the table, in order.
pub(super) fn items(value: &Value) -> Vec<Value> {
    match value {
        Value::Text(text) => words(text).map(|word| key(&word)).collect(),
        Value::List(items) => items.iter().map(item_key).collect(),
        _ => Vec::new(),
    }
}

/// Creates a column's table.
pub(super) fn create(dialect: &MySqlDialect, part: &Part, column: &Column) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.push("CREATE TABLE ").name(&table(dialect, part, column)).push(" (`item` VARBINARY(512) NOT NULL, `owner` ");
    sql.push_type(&dialect.short_text(SHORT)).push(" NOT NULL, `position` INT NOT NULL, ");
    sql.push("PRIMARY KEY (`item`, `owner`, `position`), KEY `owner` (`owner`))").push(dialect.server.table_options());
    sql.finish()
}

fn owners<'d>(sql: &mut Sql<'d>, part: &Part, child: &str) {
    Term::id(part).write_column(sql);
    sql.push(" IN (SELECT w0.`owner` FROM ").name(child).push(" w0");
}

/// Whether all words occur, or stand side by side in this order.
pub(super) fn words_test(
    sql: &mut Sql<'_>,
    dialect: &MySqlDialect,
    part: &Part,
    column: &Column,
    wanted: &[String],
    phrase: bool,
) -> Result<()> {
    let child = table(dialect, part, column);
    sql.push("(");
    if phrase {
        owners(sql, part, &child);
        for (i, word) in wanted.iter().enumerate().skip(1) {
            sql.push(" JOIN ").name(&child).push(" w").number(i).push(" ON w").number(i).push(".`item` = ").bind(key(word));
            sql.push(" AND w").number(i).push(".`owner` = w0.`owner` AND w").number(i).push(".`position` = w0.`position` + ").number(i);
        }
        if let Some(first) = wanted.first() {
            sql.push(" WHERE w0.`item` = ").bind(key(first));
        }
        sql.push("))");
        return Ok(());
    }
    let different: BTreeSet<&String> = wanted.iter().collect();
    sql.list(different, " AND ", |sql, word| {
        owners(sql, part, &child);
        sql.push(" WHERE w0.`item` = ").bind(key(word)).push(")");
        Ok(())
    })?;
    sql.push(")");
    Ok(())
}

/// Whether a list holds one or all of these items.
pub(super) fn list_test(
    sql: &mut Sql<'_>,
    dialect: &MySqlDialect,
    part: &Part,
    column: &Column,
    test: HasTest,
    items: &[Value],
) -> Result<()> {
    let child = table(dialect, part, column);
    let groups: Vec<&[Value]> = if test == HasTest::Any { vec![items] } else { items.chunks(1).collect() };
    sql.push("(");
    sql.list(groups, " AND ", |sql, group| {
        owners(sql, part, &child);
        sql.push(" WHERE w0.`item` IN (");
        sql.list(group, ", ", |sql, item| {
            sql.bind(item_key(item));
            Ok(())
        })?;
        sql.push("))");
        Ok(())
    })?;
    sql.push(")");
    Ok(())
}

/// Whether one statement may ask for so many words and items.
pub(super) fn fit(part: &Part, filter: &Filter) -> bool {
    let mut tables = 0;
    filter.for_each_test(&mut |test| {
        let child = part.column(&test.field).is_some_and(|(_, column)| has_child(column));
        tables += match &test.condition {
            Condition::Matches(text) | Condition::Phrase(text) if child => words(text).count(),
            Condition::HasAll(items) if child => items.len(),
            Condition::Has(_) | Condition::HasAny(_) if child => 1,
            _ => 0,
        };
    });
    tables <= MOST_TABLES
}

/// Whether a test joins such tables.
pub(super) fn joins(part: &Part, filter: &Filter) -> bool {
    let mut joins = false;
    filter.for_each_test(&mut |test| {
        joins |= part.column(&test.field).is_some_and(|(_, column)| has_child(column));
    });
    joins
}

/// Removes what rows put there; binds their ids.
pub(super) fn clear(dialect: &MySqlDialect, child: &str, rows: usize) -> String {
    let mut sql = Sql::new(dialect);
    sql.push("DELETE FROM ").name(child).push(" WHERE `owner` IN (");
    placeholders(&mut sql, rows);
    sql.push(")");
    sql.finish().text
}

/// Adds rows of `(item, owner, position)`.
pub(super) fn insert(dialect: &MySqlDialect, child: &str, rows: usize) -> String {
    let mut sql = Sql::new(dialect);
    sql.push("INSERT INTO ").name(child).push(" (`item`, `owner`, `position`) VALUES ");
    for i in 0..rows {
        sql.push(if i > 0 { ", (?, ?, ?)" } else { "(?, ?, ?)" });
    }
    sql.finish().text
}

/// So many placeholders with commas between.
pub(super) fn placeholders(sql: &mut Sql<'_>, number: usize) {
    for i in 0..number {
        sql.push(if i > 0 { ", ?" } else { "?" });
    }
}

/// Gives every row the items of a value: the statements, one an item.
pub(super) fn fill(dialect: &MySqlDialect, part: &Part, column: &Column, value: &Value) -> Vec<Statement> {
    let child = table(dialect, part, column);
    let one = |(position, item): (usize, Value)| {
        let mut sql = Sql::new(dialect);
        sql.push("INSERT INTO ").name(&child).push(" (`item`, `owner`, `position`) SELECT ").bind(item).push(", t.").name(part.id_column());
        sql.push(", ").number(position).push(" FROM ").name(&part.table).push(" t");
        sql.finish()
    };
    items(value).into_iter().enumerate().map(one).collect()
}
