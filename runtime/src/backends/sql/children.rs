//! Tables beside a part's, one row a word or a list's item: `(item, owner, position)`, found by item. The words are those of
//! [`types::words`](crate::types::words): the servers' own full-text indexes split, fold and drop words as they are set up.

use super::{Dialect, HasTest, Sql, Statement, Term, ddl, list, unsupported};
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
pub(crate) fn has_child(column: &Column) -> bool {
    matches!(column.placement, Placement::InvertedIndex | Placement::SideTable)
}

/// The name of a column's table.
pub(crate) fn table(dialect: &dyn Dialect, part: &Part, column: &Column) -> String {
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
pub(crate) fn items(value: &Value) -> Vec<Value> {
    match value {
        Value::Text(text) => words(text).map(|word| key(&word)).collect(),
        Value::List(items) => items.iter().map(item_key).collect(),
        _ => Vec::new(),
    }
}

fn owners(sql: &mut Sql<'_>, part: &Part, child: &str) {
    Term::id(part).write_column(sql);
    sql.push(" IN (SELECT w0.").name("owner").push(" FROM ").name(child).push(" w0");
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
            sql.push(" WHERE w0.").name("item").push(" = ").bind(key).push(")");
            Ok(())
        })?;
    } else {
        owners(sql, part, child);
        any_item(sql, different)?;
        sql.push(" GROUP BY w0.").name("owner").push(" HAVING COUNT(DISTINCT w0.").name("item").push(") = ").number(number).push(")");
    }
    sql.push(")");
    Ok(())
}

fn any_item(sql: &mut Sql<'_>, keys: Vec<Value>) -> Result<()> {
    sql.push(" WHERE w0.").name("item").push(" IN (");
    sql.list(keys, ", ", |sql, key| {
        sql.bind(key);
        Ok(())
    })?;
    sql.push(")");
    Ok(())
}

/// Whether all words occur, or stand side by side in this order.
///
/// # Errors
/// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a field without a table of words.
pub(crate) fn words_test(sql: &mut Sql<'_>, dialect: &dyn Dialect, term: &Term<'_>, wanted: &[String], phrase: bool) -> Result<()> {
    let part = term.part;
    let Some(column) = term.column.filter(|column| column.placement == Placement::InvertedIndex) else {
        return Err(unsupported(dialect.kind(), "a word search without the placement InvertedIndex", term));
    };
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
            let column = |sql: &mut Sql<'_>, name: &str| {
                sql.push("w").number(i).push(".").name(name);
            };
            sql.push(" JOIN ").name(&child).push(" w").number(i).push(" ON ");
            column(sql, "item");
            sql.push(" = ").bind(key).push(" AND ");
            column(sql, "owner");
            sql.push(" = w0.").name("owner").push(" AND ");
            column(sql, "position");
            sql.push(" = w0.").name("position").push(" + ").number(i);
        }
        sql.push(" WHERE w0.").name("item").push(" = ").bind(first.unwrap_or_default()).push(")");
        return Ok(());
    }
    // Each word says where the phrase would begin; where all of them agree, it does.
    let number = keys.len();
    Term::id(part).write_column(sql);
    sql.push(" IN (SELECT w.").name("owner").push(" FROM (");
    sql.list(keys.into_iter().enumerate(), " UNION ALL ", |sql, (i, key)| {
        sql.push("SELECT w0.").name("owner").push(", w0.").name("position").push(" - ").number(i).push(" AS ").name("start");
        sql.push(" FROM ").name(&child).push(" w0 WHERE w0.").name("item").push(" = ").bind(key);
        Ok(())
    })?;
    sql.push(") w GROUP BY w.").name("owner").push(", w.").name("start").push(" HAVING COUNT(*) = ").number(number).push(")");
    Ok(())
}

/// Whether a list holds one or all of these items: by its table of items, or where it has none by its text, in which `has` looks
/// for a piece.
pub(crate) fn list_test(
    sql: &mut Sql<'_>,
    dialect: &dyn Dialect,
    term: &Term<'_>,
    test: HasTest,
    items: &[Value],
    has: impl Fn(&mut Sql<'_>, String),
) -> Result<()> {
    let part = term.part;
    let Some(column) = term.column.filter(|column| column.placement == Placement::SideTable) else {
        dialect.check_parameters(sql, items.len() * 2)?;
        return list::holds(sql, test, items, has);
    };
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
pub(crate) fn fit(part: &Part, filter: &Filter) -> bool {
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
pub(crate) fn joins(part: &Part, filter: &Filter) -> bool {
    let mut joins = false;
    filter.for_each_test(&mut |test| {
        joins |= part.column(&test.field).is_some_and(|(_, column)| has_child(column));
    });
    joins
}

/// A sub-query as a dialect takes it whose statements join at most so many of these tables: beyond, what needs none of them.
pub(crate) fn plan(dialect: &dyn Dialect, part: &Part, wanted: &crate::driver::SubQuery) -> crate::driver::Pushdown {
    use crate::driver::{Pushdown, SubQuery, split_conjunction};
    if fit(part, &wanted.filter) {
        return super::select::plan(dialect, part, wanted);
    }
    let takes = |f: &Filter| !joins(part, f) && f.all_tests(|test| dialect.takes(part, test));
    let (taken, rest) = split_conjunction(&wanted.filter, &takes);
    let kept = SubQuery { filter: taken, order: Vec::new(), limit: None, offset: 0, near: None, ..wanted.clone() };
    let plan = super::select::plan(dialect, part, &kept);
    Pushdown { remainder: plan.remainder.clone().and(rest), order: false, limit: false, near: false, ..plan }
}

fn insert_head(sql: &mut Sql<'_>, child: &str) {
    sql.push("INSERT INTO ").name(child).push(" (").name("item").push(", ").name("owner").push(", ").name("position").push(") ");
}

/// Adds rows of `(item, owner, position)`.
pub(crate) fn insert(dialect: &dyn Dialect, child: &str, rows: usize) -> String {
    let mut sql = Sql::new(dialect);
    insert_head(&mut sql, child);
    sql.push("VALUES ");
    for i in 0..rows {
        sql.push(if i > 0 { ", (" } else { "(" });
        placeholders(&mut sql, 3);
        sql.push(")");
    }
    sql.finish().text
}

/// So many placeholders with commas between, of values whose placeholder is plain.
pub(crate) fn placeholders(sql: &mut Sql<'_>, number: usize) {
    for i in 0..number {
        sql.push(if i > 0 { ", " } else { "" }).bind(Value::Null);
    }
}

/// Gives every row the items of a value: the statements, one an item.
pub(crate) fn fill(dialect: &dyn Dialect, part: &Part, column: &Column, value: &Value) -> Vec<Statement> {
    let child = table(dialect, part, column);
    let one = |(position, item): (usize, Value)| {
        let mut sql = Sql::new(dialect);
        insert_head(&mut sql, &child);
        sql.push("SELECT ")
            .bind(item)
            .push(", t.")
            .name(part.id_column())
            .push(", ")
            .number(position)
            .push(" FROM ")
            .table(part)
            .push(" t");
        sql.finish()
    };
    items(value).into_iter().enumerate().map(one).collect()
}
