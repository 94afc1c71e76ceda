//! How a part lies: its table, what lies beside a column, and the types of both.

use std::borrow::Cow;

use super::codec;
use super::dialect::MssqlDialect;
use crate::backends::sql::shadow::digest_bytes;
use crate::backends::sql::{Dialect, Sql, Statement, children, ddl};
use crate::capability::Placement;
use crate::schema::{Column, Part, VERSION_COLUMN};
use crate::types::{LogicalType, Value};

/// Most dimensions of a vector that the server searches.
pub(super) const DIMENSIONS: u32 = 1_998;

/// Most bytes of an index's key.
const KEY: u32 = 1_700;

/// What lies beside a column, in a column of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// A digest of a JSON value: equal only for equal values.
    Digest,
    /// A digest of a text or of bytes that are unique: an index holds no more than 1,700 bytes, and calls texts equal that
    /// differ by blanks at their end.
    Key,
    /// A vector as it is searched; the field's own column keeps it bit by bit.
    Searched,
}

/// The columns beside one, each with its name.
pub(super) fn beside(dialect: &MssqlDialect, part: &Part, position: usize) -> Vec<(Beside, String)> {
    let Some(column) = part.columns.get(position).filter(|_| !part.is_mapped()) else { return Vec::new() };
    let name = |what: &str| ddl::beside_name(column, what);
    match column.logical {
        LogicalType::Json => vec![(Beside::Digest, name("json"))],
        LogicalType::Text { .. } | LogicalType::Bytes if is_unique(part, position) => vec![(Beside::Key, name("key"))],
        LogicalType::Vector(_) if dialect.vectors && column.placement == Placement::VectorIndex => vec![(Beside::Searched, name("vector"))],
        _ => Vec::new(),
    }
}

fn is_unique(part: &Part, position: usize) -> bool {
    part.unique_groups().iter().any(|group| group.contains(&position))
}

impl Beside {
    /// Its type.
    pub(super) fn type_name(self, column: &Column) -> String {
        match (self, column.logical) {
            (Beside::Searched, LogicalType::Vector(length)) => format!("VECTOR({length})"),
            _ => "BINARY(32)".to_owned(),
        }
    }

    /// What lies there for a value of the column.
    pub(super) fn value(self, value: &Value) -> Value {
        let digest = |bytes: &[u8]| Value::Bytes(Box::from(*blake3::hash(bytes).as_bytes()));
        match (self, value) {
            (Beside::Digest, Value::Json(_)) => digest_bytes(value),
            (Beside::Key, Value::Text(text)) => digest(text.as_bytes()),
            (Beside::Key, Value::Bytes(bytes)) => digest(bytes),
            (Beside::Searched, Value::Vector(numbers)) => Value::Text(vector_text(numbers)),
            _ => Value::Null,
        }
    }
}

/// A vector as the server reads it.
pub(super) fn vector_text(numbers: &[f32]) -> String {
    serde_json::to_string(numbers).unwrap_or_default()
}

/// A type without its collation: what a value is cast to.
pub(super) fn plain_type(logical: &LogicalType, mapped: bool) -> Cow<'static, str> {
    Cow::Borrowed(match logical {
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Category(_) if mapped => "NVARCHAR(MAX)",
        LogicalType::Id | LogicalType::Ref(_) => "VARBINARY(255)",
        LogicalType::Category(_) => "VARBINARY(1020)",
        // Two units a character.
        LogicalType::Text { max } if *max <= 2_000 && !mapped => return format!("NVARCHAR({})", (*max).max(1) * 2).into(),
        LogicalType::Text { .. } | LogicalType::Json | LogicalType::List(_) => "NVARCHAR(MAX)",
        LogicalType::Bool => "BIT",
        LogicalType::Timestamp if mapped => "DATETIME2(6)",
        LogicalType::Date if mapped => "DATE",
        LogicalType::Int { .. } | LogicalType::Duration | LogicalType::Timestamp | LogicalType::Date => "BIGINT",
        LogicalType::Float => "FLOAT(53)",
        LogicalType::Decimal { precision, scale } => return format!("DECIMAL({}, {scale})", (*precision).max(1)).into(),
        LogicalType::Bytes | LogicalType::Vector(_) => "VARBINARY(MAX)",
        LogicalType::Uuid if mapped => "UNIQUEIDENTIFIER",
        LogicalType::Uuid => "BINARY(16)",
    })
}

/// The type of a column.
pub(super) fn column_type(logical: &LogicalType) -> Cow<'static, str> {
    match plain_type(logical, false) {
        text if text.starts_with("NVARCHAR") => format!("{text} COLLATE Latin1_General_100_BIN2").into(),
        other => other,
    }
}

/// The table: id, version, columns, and what lies beside them.
pub(super) fn create_table(dialect: &MssqlDialect, part: &Part) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.push("CREATE TABLE ").table(part).push(" (").name(part.id_column()).push(" VARBINARY(255) NOT NULL PRIMARY KEY, ");
    sql.name(VERSION_COLUMN).push(" BIGINT NOT NULL");
    for column in ddl::storage_order(part) {
        sql.push(", ").name(&column.physical).push(" ").push_type(&column_type(&column.logical));
        sql.push(if column.nullable { " NULL" } else { " NOT NULL" });
    }
    for (position, column) in part.columns.iter().enumerate() {
        for (what, name) in beside(dialect, part, position) {
            sql.push(", ").name(&name).push(" ").push_type(&what.type_name(column)).push(" NULL");
        }
    }
    sql.push(")");
    sql.finish()
}

/// Adds a column with what lies beside it: the statements.
pub(super) fn add(dialect: &MssqlDialect, part: &Part, position: usize) -> Vec<Statement> {
    let Some(column) = part.columns.get(position) else { return Vec::new() };
    let one = |name: &str, type_name: &str| {
        let mut sql = Sql::new(dialect);
        sql.push("ALTER TABLE ").table(part).push(" ADD ").name(name).push(" ").push_type(type_name).push(" NULL");
        sql.finish()
    };
    let mut statements = vec![one(&column.physical, &column_type(&column.logical))];
    statements.extend(beside(dialect, part, position).iter().map(|(what, name)| one(name, &what.type_name(column))));
    statements
}

/// Gives rows written before a column existed its default, if it has one: the statements.
pub(super) fn fill(dialect: &MssqlDialect, part: &Part, position: usize) -> Vec<Statement> {
    let Some(column) = part.columns.get(position) else { return Vec::new() };
    let Some(value) = column.default.map(|default| default()).filter(|value| !value.is_null()) else { return Vec::new() };
    let mut sql = Sql::new(dialect);
    sql.push("UPDATE ").table(part).push(" SET ");
    for (what, name) in beside(dialect, part, position) {
        sql.name(&name).push(" = CAST(").bind(what.value(&value)).push(" AS ").push_type(&what.type_name(column)).push("), ");
    }
    sql.name(&column.physical).push(" = CAST(").bind(dialect.stored(&column.logical, value.clone())).push(" AS ");
    sql.push_type(&plain_type(&column.logical, false)).push(") WHERE ").name(&column.physical).push(" IS NULL");
    let mut statements = vec![sql.finish()];
    if children::has_child(column) {
        statements.extend(children::fill(dialect, part, column, &value));
    }
    statements
}

/// Creates the table of a column's words or items.
pub(super) fn create_child(dialect: &MssqlDialect, part: &Part, column: &Column) -> Vec<Statement> {
    let child = children::table(dialect, part, column);
    let mut table = Sql::new(dialect);
    table
        .push("CREATE TABLE ")
        .name(&child)
        .push(" ([item] VARBINARY(512) NOT NULL, [owner] VARBINARY(255) NOT NULL, [position] INT NOT NULL, ");
    table.push("PRIMARY KEY ([item], [owner], [position]))");
    let mut index = Sql::new(dialect);
    index.push("CREATE INDEX [owner] ON ").name(&child).push(" ([owner])");
    vec![table.finish(), index.finish()]
}

/// Most bytes of a value in a key; `None` where it cannot be in one.
fn key_bytes(column: &Column) -> Option<u32> {
    Some(match column.logical {
        LogicalType::Id | LogicalType::Ref(_) => 255,
        LogicalType::Category(_) => 1_020,
        LogicalType::Text { max } if max <= 2_000 => max.max(1) * 4,
        LogicalType::Text { .. } | LogicalType::Bytes | LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_) => return None,
        LogicalType::Decimal { .. } => 17,
        LogicalType::Uuid => 16,
        _ => 8,
    })
}

/// An index over columns: unique ones leave rows with a null out, as everywhere else.
pub(super) fn index(dialect: &MssqlDialect, part: &Part, columns: &[&Column], unique: bool) -> Option<Statement> {
    let key = |column: &Column| {
        let position = part.columns.iter().position(|other| std::ptr::eq(other, column))?;
        beside(dialect, part, position).into_iter().find(|(what, _)| *what == Beside::Key).map(|(_, name)| name)
    };
    if !unique && columns.iter().try_fold(0, |sum, column| Some(sum + key_bytes(column)?)).is_none_or(|bytes| bytes > KEY) {
        return None;
    }
    let mut sql = Sql::new(dialect);
    sql.push(if unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " });
    sql.name(&ddl::index_name(dialect, part, columns, unique)).push(" ON ").table(part).push(" (");
    for (i, column) in columns.iter().enumerate() {
        sql.push(if i > 0 { ", " } else { "" });
        let digest = if unique { key(column) } else { None };
        sql.name(digest.as_deref().unwrap_or(&column.physical));
    }
    sql.push(")");
    for (i, column) in columns.iter().filter(|column| unique && column.nullable).enumerate() {
        sql.push(if i == 0 { " WHERE " } else { " AND " });
        sql.name(key(column).as_deref().unwrap_or(&column.physical)).push(" IS NOT NULL");
    }
    Some(sql.finish())
}

/// A value in the form in which it lies in its column and is bound.
pub(super) fn stored(logical: &LogicalType, value: Value) -> Value {
    use crate::backends::sql::list;
    match value {
        Value::Text(text) if super::text::kept_as_bytes(logical) => Value::Bytes(text.into_bytes().into()),
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

/// A value as a column of a table that HeavenBase did not create takes it; `None` outside of the range of its type.
pub(super) fn mapped(value: &Value) -> Option<Value> {
    match value {
        Value::Timestamp(t) => within(t.to_string()).map(Value::Text),
        Value::Date(d) => within(d.to_string()).map(Value::Text),
        Value::Duration(d) => Some(Value::Int(d.as_micros())),
        Value::Json(json) => Some(Value::Text(json.to_string())),
        other => Some(other.clone()),
    }
}

/// A moment or day of the server's calendar, which begins in the year 1.
fn within(text: String) -> Option<String> {
    (!text.starts_with('-') && !text.starts_with("0000")).then(|| text.trim_end_matches('Z').to_owned())
}
