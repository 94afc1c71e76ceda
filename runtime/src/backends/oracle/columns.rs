//! How a part lies: its table, what lies beside a column, and the types of both.

use std::borrow::Cow;

use super::dialect::OracleDialect;
use super::{codec, text};
use crate::backends::sql::shadow::digest_bytes;
use crate::backends::sql::{Dialect, Sql, Statement, children, ddl, list};
use crate::capability::Placement;
use crate::schema::{Column, Part, VERSION_COLUMN};
use crate::types::{LogicalType, Value};

/// Most dimensions of a vector that the server searches.
pub(super) const DIMENSIONS: u32 = 65_535;

/// Most bytes of an index's key, in blocks of 8 KB, which are the usual ones.
const KEY: u32 = 6_300;

/// Most bytes of a unique text that its index holds as it is: of a longer one it holds a digest, so that several fit.
const UNIQUE: u32 = 1_500;

/// What lies beside a column, in a column of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// A digest, equal only for equal values: the server compares no `CLOB` and no `BLOB`.
    Digest,
    /// The first characters of a long text.
    Head,
    /// A vector as it is searched; the field's own column keeps it bit by bit.
    Searched,
}

/// The columns beside one, each with its name.
pub(super) fn beside(dialect: &OracleDialect, part: &Part, position: usize) -> Vec<(Beside, String)> {
    let Some(column) = part.columns.get(position).filter(|_| !part.is_mapped()) else { return Vec::new() };
    let digest = || (Beside::Digest, ddl::beside_name(column, "key"));
    match column.logical {
        logical if text::is_long(&logical) => vec![(Beside::Head, text::head_name(column)), digest()],
        LogicalType::Bytes | LogicalType::Json | LogicalType::List(_) => vec![digest()],
        LogicalType::Text { max } if bytes(max) > UNIQUE && is_unique(part, position) => vec![digest()],
        LogicalType::Vector(_) if dialect.vectors && column.placement == Placement::VectorIndex => {
            vec![(Beside::Searched, ddl::beside_name(column, "vector"))]
        }
        _ => Vec::new(),
    }
}

fn is_unique(part: &Part, position: usize) -> bool {
    part.unique_groups().iter().any(|group| group.contains(&position))
}

impl Beside {
    /// Its type.
    pub(super) fn type_name(self, column: &Column) -> Cow<'static, str> {
        match (self, column.logical) {
            (Beside::Searched, LogicalType::Vector(length)) => format!("VECTOR({length}, FLOAT32)").into(),
            (Beside::Head, _) => "VARCHAR2(4000 BYTE)".into(),
            _ => "RAW(32)".into(),
        }
    }

    /// What lies there for a value of the column.
    pub(super) fn value(self, value: &Value) -> Value {
        match (self, value) {
            (_, Value::Null) => Value::Null,
            (Beside::Digest, value) => digest_bytes(value),
            (Beside::Head, Value::Text(text)) => Value::Text(text::head(&text::stored(text.clone())).to_owned()),
            (Beside::Searched, Value::Vector(_)) => value.clone(),
            _ => Value::Null,
        }
    }
}

/// Bytes of a text of so many characters, as it lies.
fn bytes(max: u32) -> u32 {
    max.saturating_add(1).saturating_mul(4).min(4_000)
}

/// The type of a column.
pub(super) fn column_type(logical: &LogicalType) -> Cow<'static, str> {
    Cow::Borrowed(match logical {
        LogicalType::Id | LogicalType::Ref(_) => "VARCHAR2(255 BYTE)",
        LogicalType::Category(_) => "VARCHAR2(1024 BYTE)",
        logical if text::is_long(logical) => "CLOB",
        LogicalType::Text { max } => return format!("VARCHAR2({} BYTE)", bytes(*max)).into(),
        LogicalType::Json | LogicalType::List(_) => "CLOB",
        LogicalType::Bool => "NUMBER(1)",
        LogicalType::Int { .. } | LogicalType::Duration | LogicalType::Timestamp | LogicalType::Date => "NUMBER(19)",
        LogicalType::Float => "BINARY_DOUBLE",
        LogicalType::Decimal { precision, scale } => return format!("NUMBER({}, {scale})", (*precision).max(1)).into(),
        LogicalType::Bytes | LogicalType::Vector(_) => "BLOB",
        LogicalType::Uuid => "RAW(16)",
    })
}

/// The table: id, version, columns, and what lies beside them.
pub(super) fn create_table(dialect: &OracleDialect, part: &Part) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.push("CREATE TABLE ").table(part).push(" (").name(part.id_column()).push(" VARCHAR2(255 BYTE) NOT NULL PRIMARY KEY, ");
    sql.name(VERSION_COLUMN).push(" NUMBER(19) NOT NULL");
    for column in ddl::storage_order(part) {
        sql.push(", ").name(&column.physical).push(" ").push_type(&column_type(&column.logical));
        sql.push(if column.nullable { "" } else { " NOT NULL" });
    }
    for (position, column) in part.columns.iter().enumerate() {
        for (what, name) in beside(dialect, part, position) {
            sql.push(", ").name(&name).push(" ").push_type(&what.type_name(column));
        }
    }
    sql.push(")");
    sql.finish()
}

/// A column with what lies beside it: each with its name and the statement that adds it.
pub(super) fn additions(dialect: &OracleDialect, part: &Part, position: usize) -> Vec<(String, Statement)> {
    let Some(column) = part.columns.get(position) else { return Vec::new() };
    let one = |name: &str, type_name: &str| {
        let mut sql = Sql::new(dialect);
        sql.push("ALTER TABLE ").table(part).push(" ADD (").name(name).push(" ").push_type(type_name).push(")");
        (name.to_owned(), sql.finish())
    };
    let mut added = vec![one(&column.physical, &column_type(&column.logical))];
    added.extend(beside(dialect, part, position).iter().map(|(what, name)| one(name, &what.type_name(column))));
    added
}

/// Gives rows written before a column existed its default, if it has one: the statements.
pub(super) fn fill(dialect: &OracleDialect, part: &Part, position: usize) -> Vec<Statement> {
    let Some(column) = part.columns.get(position) else { return Vec::new() };
    let Some(value) = column.default.map(|default| default()).filter(|value| !value.is_null()) else { return Vec::new() };
    let mut sql = Sql::new(dialect);
    sql.push("UPDATE ").table(part).push(" SET ");
    for (what, name) in beside(dialect, part, position) {
        sql.name(&name).push(" = ").bind(what.value(&value)).push(", ");
    }
    sql.name(&column.physical).push(" = ").bind(dialect.stored(&column.logical, value.clone()));
    sql.push(" WHERE ").name(&column.physical).push(" IS NULL");
    let mut statements = vec![sql.finish()];
    if children::has_child(column) {
        statements.extend(children::fill(dialect, part, column, &value));
    }
    statements
}

/// Creates the table of a column's words or items.
pub(super) fn create_child(dialect: &OracleDialect, part: &Part, column: &Column) -> Vec<Statement> {
    let child = children::table(dialect, part, column);
    let mut table = Sql::new(dialect);
    table.push("CREATE TABLE ").name(&child).push(" (\"item\" RAW(512) NOT NULL, \"owner\" VARCHAR2(255 BYTE) NOT NULL, ");
    table.push("\"position\" NUMBER(10) NOT NULL, PRIMARY KEY (\"item\", \"owner\", \"position\"))");
    let mut index = Sql::new(dialect);
    index
        .push("CREATE INDEX ")
        .name(&ddl::child_name(dialect, part, Some(column), "owners"))
        .push(" ON ")
        .name(&child)
        .push(" (\"owner\")");
    vec![table.finish(), index.finish()]
}

/// Most bytes of what stands for a value in an index's key; `None` where nothing can.
fn key_bytes(column: &Column) -> Option<u32> {
    Some(match column.logical {
        LogicalType::Id | LogicalType::Ref(_) => 255,
        LogicalType::Category(_) => 1_024,
        logical if text::is_long(&logical) => 4_000,
        LogicalType::Text { max } => bytes(max),
        LogicalType::Bytes | LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_) => return None,
        _ => 22,
    })
}

/// An index over columns: unique ones leave rows with a null out, as everywhere else.
pub(super) fn index(dialect: &OracleDialect, part: &Part, columns: &[&Column], unique: bool) -> Option<Statement> {
    let name = |column: &Column| {
        let position = part.columns.iter().position(|other| std::ptr::eq(other, column));
        let wanted = if unique { Beside::Digest } else { Beside::Head };
        let found = position.and_then(|position| beside(dialect, part, position).into_iter().find(|(what, _)| *what == wanted));
        found.map_or_else(|| column.physical.clone(), |(_, name)| name)
    };
    if !unique && columns.iter().try_fold(0, |sum, column| Some(sum + key_bytes(column)?)).is_none_or(|bytes| bytes > KEY) {
        return None;
    }
    let mut sql = Sql::new(dialect);
    sql.push(if unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
    sql.name(&ddl::index_name(dialect, part, columns, unique)).push(" ON ").table(part).push(" (");
    let nullable: Vec<&&Column> = columns.iter().filter(|column| unique && columns.len() > 1 && column.nullable).collect();
    for (i, column) in columns.iter().enumerate() {
        sql.push(if i > 0 { ", " } else { "" });
        if nullable.is_empty() {
            sql.name(&name(column));
            continue;
        }
        // A row that is null in all of it is in no index.
        sql.push("CASE WHEN ");
        for (at, other) in nullable.iter().enumerate() {
            sql.push(if at > 0 { " AND " } else { "" }).name(&name(other)).push(" IS NOT NULL");
        }
        sql.push(" THEN ").name(&name(column)).push(" END");
    }
    sql.push(")");
    Some(sql.finish())
}

/// A value in the form in which it lies in its column and is bound.
pub(super) fn stored(logical: &LogicalType, value: Value) -> Value {
    match value {
        Value::Text(text) if text::is_text(logical) => Value::Text(text::stored(text)),
        Value::Bytes(bytes) if *logical == LogicalType::Bytes => Value::Bytes(text::stored_bytes(bytes)),
        Value::Bool(b) => Value::Int(i64::from(b)),
        Value::Timestamp(t) => Value::Int(t.as_micros()),
        Value::Date(d) => Value::Int(i64::from(d.as_days())),
        Value::Duration(d) => Value::Int(d.as_micros()),
        Value::Uuid(u) => Value::Bytes(Box::from(*u.as_bytes())),
        Value::Json(json) => Value::Text(json.to_string()),
        Value::List(items) => Value::Text(list::text(&items)),
        Value::Vector(numbers) => codec::vector_bytes(&numbers),
        other => other,
    }
}

/// A value as a column of a table that HeavenBase did not create takes it; `None` where it takes it for null, or its calendar
/// has it not.
pub(super) fn mapped(value: &Value) -> Option<Value> {
    match value {
        Value::Text(text) if text.is_empty() => None,
        Value::Bytes(bytes) if bytes.is_empty() => None,
        Value::Timestamp(_) | Value::Date(_) => codec::in_calendar(value).then(|| value.clone()),
        Value::Bool(b) => Some(Value::Int(i64::from(*b))),
        Value::Duration(d) => Some(Value::Int(d.as_micros())),
        Value::Uuid(u) => Some(Value::Bytes(Box::from(*u.as_bytes()))),
        Value::Json(json) => Some(Value::Text(json.to_string())),
        other => Some(other.clone()),
    }
}
