//! Writes as SQL. Texts are given for a number of rows; the values to bind are listed with each, so that a driver can
//! bind them straight from a [`WriteBatch`](crate::driver::WriteBatch) and keep prepared texts.

use super::{Dialect, Sql, Statement, Term};
use crate::error::Result;
use crate::schema::{KeyKind, Part};
use crate::types::{Id, Value};

/// `INSERT INTO … VALUES (key, version, columns…), …`: rows after rows, keys first (no version on existing tables).
///
/// # Errors
/// None for positions within the part.
pub fn insert(dialect: &dyn Dialect, part: &Part, columns: &[usize], rows: usize) -> Result<String> {
    let mut sql = Sql::new(dialect);
    insert_head(&mut sql, part, columns, rows)?;
    Ok(sql.finish().text)
}

/// As [`insert`], and replaces a row that is there with a lower version.
///
/// # Errors
/// None for positions within the part.
pub fn upsert_on_conflict(dialect: &dyn Dialect, part: &Part, columns: &[usize], rows: usize) -> Result<String> {
    let mut sql = Sql::new(dialect);
    insert_head(&mut sql, part, columns, rows)?;
    sql.push(" ON CONFLICT (").name(part.id_column()).push(") DO ");
    let mut names: Vec<&str> = part.version().into_iter().collect();
    for &position in columns {
        names.push(Term::column(part, position)?.physical());
    }
    if names.is_empty() {
        sql.push("NOTHING");
        return Ok(sql.finish().text);
    }
    sql.push("UPDATE SET ");
    sql.list(names, ", ", |sql, name| {
        sql.name(name).push(" = excluded.").name(name);
        Ok(())
    })?;
    if let Some(version) = part.version() {
        sql.push(" WHERE ").table(part).push(".").name(version).push(" < excluded.").name(version);
    }
    Ok(sql.finish().text)
}

fn insert_head(sql: &mut Sql<'_>, part: &Part, columns: &[usize], rows: usize) -> Result<()> {
    sql.push("INSERT INTO ").table(part).push(" (").name(part.id_column());
    if let Some(version) = part.version() {
        sql.push(", ").name(version);
    }
    for &position in columns {
        sql.push(", ").name(Term::column(part, position)?.physical());
    }
    sql.push(") VALUES ");
    sql.list(0..rows.max(1), ", ", |sql, _| {
        sql.push("(").bind(any_key(part));
        if part.version().is_some() {
            sql.push(", ").bind(Value::Int(0));
        }
        for &position in columns {
            let logical = Term::column(part, position)?.logical();
            sql.push(", ").bind(placeholder_value(&logical));
        }
        sql.push(")");
        Ok(())
    })
}

/// A key of the part's kind, for placeholders whose text depends on it.
pub(crate) fn any_key(part: &Part) -> Value {
    match part.key().kind {
        KeyKind::Text => Value::Text(String::new()),
        KeyKind::Int => Value::Int(0),
        KeyKind::Uuid => Value::Uuid(crate::types::Uuid::nil()),
    }
}

/// A value of a type's family, for placeholders whose text depends on it.
fn placeholder_value(logical: &crate::types::LogicalType) -> Value {
    use crate::types::LogicalType as L;
    match logical {
        L::Id | L::Ref(_) | L::Text { .. } | L::Category(_) => Value::Text(String::new()),
        L::Bool => Value::Bool(false),
        L::Int { .. } => Value::Int(0),
        L::Float => Value::Float(0.0),
        _ => Value::Null,
    }
}

/// The columns of one row that is there. Binds: the version, the columns, the key, and for the guard the batch's version
/// and (with `expected`) the version that the row must have; no versions on existing tables.
///
/// # Errors
/// None for positions within the part.
pub fn patch(dialect: &dyn Dialect, part: &Part, columns: &[usize], expected: bool) -> Result<String> {
    let mut sql = Sql::new(dialect);
    sql.push("UPDATE ").table(part).push(" SET ");
    if let Some(version) = part.version() {
        sql.name(version).push(" = ").bind(Value::Int(0));
        if !columns.is_empty() {
            sql.push(", ");
        }
    }
    sql.list(columns, ", ", |sql, &position| {
        let term = Term::column(part, position)?;
        sql.name(term.physical()).push(" = ").bind(placeholder_value(&term.logical()));
        Ok(())
    })?;
    guard(&mut sql, part, expected);
    Ok(sql.finish().text)
}

/// Removes one row. Binds: the key, and (not on existing tables) the batch's version.
pub fn delete(dialect: &dyn Dialect, part: &Part) -> String {
    let mut sql = Sql::new(dialect);
    sql.push("DELETE FROM ").table(part);
    guard(&mut sql, part, false);
    sql.finish().text
}

fn guard(sql: &mut Sql<'_>, part: &Part, expected: bool) {
    sql.push(" WHERE ").name(part.id_column()).push(" = ").bind(any_key(part));
    let Some(version) = part.version() else { return };
    sql.push(" AND ").name(version).push(" < ").bind(Value::Int(0));
    if expected {
        sql.push(" AND ").name(version).push(" = ").bind(Value::Int(0));
    }
}

/// The ids that are there, with their versions; `suffix` is what locks the rows (`" FOR UPDATE"`), or nothing.
///
/// # Errors
/// As [`Dialect::id_is_one_of`].
pub fn versions(dialect: &dyn Dialect, part: &Part, ids: &[Id], suffix: &'static str) -> Result<Statement> {
    let mut statement = super::select::fetch(dialect, part, ids, &[])?;
    statement.text.push_str(suffix);
    Ok(statement)
}

/// Removes the rows of a child table of one id, which is the one value to bind.
pub fn clear_items(dialect: &dyn Dialect, child: &str) -> String {
    let mut sql = Sql::new(dialect);
    sql.push("DELETE FROM ").name(child).push(" WHERE ").name("owner").push(" = ").bind(Value::Text(String::new()));
    sql.finish().text
}

/// Adds one item to a child table. Binds: id, position from 0, item.
pub fn insert_item(dialect: &dyn Dialect, child: &str) -> String {
    let mut sql = Sql::new(dialect);
    sql.push("INSERT INTO ").name(child).push(" (").name("owner").push(", ").name("position").push(", ").name("item");
    sql.push(") VALUES (").bind(Value::Text(String::new())).push(", ").bind(Value::Int(0)).push(", ").bind(Value::Null);
    sql.push(")");
    sql.finish().text
}
