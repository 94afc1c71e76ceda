//! Tables beside a part's, one row a word or a list's item: `(item, owner, position)`, found by item. The words are those of
//! [`types::words`](crate::types::words): the servers' own full-text indexes split, fold and drop words as they are set up.

use super::dialect::{MySqlDialect, SHORT};
use super::list;
use crate::backends::sql::{Dialect, HasTest, Sql, Statement, Term, ddl};
use crate::capability::Placement;
use crate::error::Result;
use crate::filter::{Condition, Filter};
use crate::schema::{Column, Part};
use crate::types::{Value, words};

/// Longest item that is kept letter by letter, in bytes. Longer ones become a digest.
const LONGEST: usize = 512;

/// Most words of one test that are joined, the rarest first; more are counted instead, which reads all that was found of each.
const JOINED: usize = 6;

/// Most tables of words and items that one statement joins; servers stop at 61, and plan long before that.
const MOST_TABLES: usize = 24;

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

/// Whether there are rows of all of these keys.
fn all_of(sql: &mut Sql<'_>, part: &Part, child: &str, keys: Vec<Value>) -> Result<()> {
    let mut different: Vec<Value> = Vec::with_capacity(keys.len());
    for key in keys {
        if !different.contains(&key) {
            different.push(key);
        }
    }
    let number = different.len();
    sql.push("(");
    if number <= JOINED {
        sql.list(different, " AND ", |sql, key| {
            owners(sql, part, child);
            sql.push(" WHERE w0.`item` = ").bind(key).push(")");
            Ok(())
        })?;
    } else {
        owners(sql, part, child);
        any_item(sql, different)?;
        sql.push(" GROUP BY w0.`owner` HAVING COUNT(DISTINCT w0.`item`) = ").number(number).push(")");
    }
    sql.push(")");
    Ok(())
}

fn any_item(sql: &mut Sql<'_>, keys: Vec<Value>) -> Result<()> {
    sql.push(" WHERE w0.`item` IN (");
    sql.list(keys, ", ", |sql, key| {
        sql.bind(key);
        Ok(())
    })?;
    sql.push(")");
    Ok(())
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
    let keys: Vec<Value> = wanted.iter().map(|word| key(word)).collect();
    dialect.check_parameters(sql, keys.len())?;
    if !phrase {
        return all_of(sql, part, &child, keys);
    }
    if keys.len() <= JOINED {
        owners(sql, part, &child);
        let (mut first, mut others) = (None, Vec::new());
        for (i, key) in keys.into_iter().enumerate() {
            if i == 0 { first = Some(key) } else { others.push((i, key)) }
        }
        for (i, key) in others {
            sql.push(" JOIN ").name(&child).push(" w").number(i).push(" ON w").number(i).push(".`item` = ").bind(key);
            sql.push(" AND w").number(i).push(".`owner` = w0.`owner` AND w").number(i).push(".`position` = w0.`position` + ").number(i);
        }
        sql.push(" WHERE w0.`item` = ").bind(first.unwrap_or_default()).push(")");
        return Ok(());
    }
    // Each word says where the phrase would begin; where all of them agree, it does.
    let number = keys.len();
    Term::id(part).write_column(sql);
    sql.push(" IN (SELECT w.`owner` FROM (");
    sql.list(keys.into_iter().enumerate(), " UNION ALL ", |sql, (i, key)| {
        sql.push("SELECT w0.`owner`, w0.`position` - ").number(i).push(" AS `start` FROM ").name(&child);
        sql.push(" w0 WHERE w0.`item` = ").bind(key);
        Ok(())
    })?;
    sql.push(") w GROUP BY w.`owner`, w.`start` HAVING COUNT(*) = ").number(number).push(")");
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
    let keys: Vec<Value> = items.iter().map(item_key).collect();
    dialect.check_parameters(sql, keys.len())?;
    if test == HasTest::All {
        return all_of(sql, part, &child, keys);
    }
    owners(sql, part, &child);
    any_item(sql, keys)?;
    sql.push(")");
    Ok(())
}

/// Whether one statement may ask for so many words and items.
pub(super) fn fit(part: &Part, filter: &Filter) -> bool {
    let mut tables = 0;
    filter.for_each_test(&mut |test| {
        let child = part.column(&test.field).is_some_and(|(_, column)| has_child(column));
        let joined = match &test.condition {
            Condition::Matches(text) | Condition::Phrase(text) if child => words(text).take(JOINED + 1).count(),
            Condition::HasAll(items) if child => items.len(),
            Condition::Has(_) | Condition::HasAny(_) if child => 1,
            _ => 0,
        };
        tables += if joined > JOINED { 1 } else { joined };
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
        sql.push(", ").number(position).push(" FROM ").table(part).push(" t");
        sql.finish()
    };
    items(value).into_iter().enumerate().map(one).collect()
}
