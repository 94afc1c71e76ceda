//! How a part lies: its table, what lies beside a column, and the types of both.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::dialect::StarRocksDialect;
use crate::backends::sql::shadow::Shadow;
use crate::backends::sql::{Sql, Statement, ddl, list};
use crate::capability::Placement;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part, VERSION_COLUMN};
use crate::types::{Id, LogicalType, Value};

/// The primary key: the id, or a digest of one that is longer than servers take in a key (`primary_key_limit_size`).
pub(super) const KEY_COLUMN: &str = "_hb_key";

/// Most bytes of a primary key, as servers are shipped.
const KEY: usize = 128;

/// Most bytes of a text, as servers are shipped.
pub(super) const LONGEST: usize = 1_048_576;

/// The key of a row: no id holds a control character, so none is taken for a digest.
pub(super) fn key_of(id: &str) -> String {
    if id.len() <= KEY { id.to_owned() } else { format!("\u{2}{}", blake3::hash(id.as_bytes()).to_hex()) }
}

/// The keys of rows.
pub(super) fn keys_of(ids: &[Id]) -> Vec<Value> {
    ids.iter().map(|id| Value::Text(key_of(id.as_str()))).collect()
}

/// A text of at most so many characters.
fn text_of(characters: u64) -> String {
    format!("VARCHAR({})", characters.saturating_mul(4).clamp(1, LONGEST as u64))
}

/// The type of a column; in tables that exist already times are the server's own.
pub(super) fn column_type(logical: &LogicalType, mapped: bool) -> Cow<'static, str> {
    Cow::Borrowed(match logical {
        LogicalType::Id | LogicalType::Ref(_) => "VARCHAR(255)",
        LogicalType::Category(names) => {
            return text_of(names.iter().map(|name| name.chars().count()).max().unwrap_or_default() as u64).into();
        }
        LogicalType::Text { max } => return text_of(u64::from(*max)).into(),
        LogicalType::Bool => "BOOLEAN",
        LogicalType::Timestamp if mapped => "DATETIME",
        LogicalType::Date if mapped => "DATE",
        LogicalType::Bytes if mapped => "VARBINARY",
        // Moments and days as numbers: the server's own types begin in the year 0.
        LogicalType::Int { .. } | LogicalType::Duration | LogicalType::Timestamp | LogicalType::Date => "BIGINT",
        LogicalType::Float => "DOUBLE",
        LogicalType::Decimal { precision, scale } => return format!("DECIMAL({}, {scale})", (*precision).max(1)).into(),
        LogicalType::Uuid => "VARCHAR(36)",
        LogicalType::Bytes | LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_) => "VARCHAR(1048576)",
    })
}

/// A value in the form in which it lies in its column. Bytes and vectors are base64: the protocol and the loader carry text.
pub(super) fn stored(value: Value) -> Value {
    match value {
        Value::Timestamp(t) => Value::Int(t.as_micros()),
        Value::Date(d) => Value::Int(i64::from(d.as_days())),
        Value::Duration(d) => Value::Int(d.as_micros()),
        Value::Uuid(u) => Value::Text(u.hyphenated().to_string()),
        Value::Bytes(bytes) => Value::Text(STANDARD.encode(bytes)),
        Value::Json(json) => Value::Text(json.to_string()),
        Value::List(items) => Value::Text(list::text(&items)),
        Value::Vector(numbers) => Value::Text(STANDARD.encode(numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())),
        other => other,
    }
}

/// A value as a column of a table that HeavenBase did not create takes it; `None` outside of the range of its type.
pub(super) fn mapped(value: Value) -> Option<Value> {
    let within = |text: String| !text.starts_with('-');
    Some(match value {
        Value::Timestamp(t) if !within(t.to_string()) => return None,
        Value::Date(d) if !within(d.to_string()) => return None,
        Value::Timestamp(_) | Value::Date(_) | Value::Bytes(_) => value,
        other => stored(other),
    })
}

/// What a column of the table holds of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Its value.
    Own,
    /// The words of a text, or the digest of a JSON value.
    Beside(Shadow),
    /// A vector as it is searched; the field's own column keeps it bit by bit.
    Searched,
}

/// The columns that a field has in the table, each with its name.
pub(super) fn pieces(part: &Part, column: &Column) -> Vec<(Piece, String)> {
    let mut pieces = vec![(Piece::Own, column.physical.clone())];
    if let Some(shadow) = Shadow::of(part, column) {
        pieces.push((Piece::Beside(shadow), shadow.name(column)));
    }
    if let Some(name) = searched(part, column) {
        pieces.push((Piece::Searched, name));
    }
    pieces
}

/// The column in which a vector is searched.
pub(super) fn searched(part: &Part, column: &Column) -> Option<String> {
    let is_searched = matches!(column.logical, LogicalType::Vector(_)) && column.placement == Placement::VectorIndex && !part.is_mapped();
    is_searched.then(|| ddl::beside_name(column, "vector"))
}

impl Piece {
    /// The type of its column.
    pub(super) fn column_type(self, part: &Part, column: &Column) -> Cow<'static, str> {
        match self {
            Piece::Own => column_type(&column.logical, part.is_mapped()),
            Piece::Beside(Shadow::JsonKey) => "VARCHAR(64)".into(),
            Piece::Beside(Shadow::Words) => "VARCHAR(1048576)".into(),
            Piece::Searched => "ARRAY<DOUBLE>".into(),
        }
    }

    /// What lies there for a value of the field, as a literal writes it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] outside of the range of a type of the server's own, [`ErrorKind::LimitExceeded`] for what is
    /// longer than the server's longest text.
    pub(super) fn value(self, part: &Part, column: &Column, value: &Value) -> Result<Value> {
        let value = match self {
            Piece::Searched => return Ok(value.clone()),
            Piece::Beside(shadow) => stored(shadow.value(value)),
            Piece::Own if part.is_mapped() => mapped(value.clone()).ok_or_else(|| {
                let why = "a day before the year 0, which the table's column does not take";
                Error::new(ErrorKind::InvalidValue, why).at_field(column.name)
            })?,
            Piece::Own => decimal(&column.logical, stored(value.clone())),
        };
        let long = match &value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        if long > LONGEST {
            let why = format!("a value that takes {long} bytes as it is stored, of which StarRocks keeps {LONGEST}: write a shorter one");
            return Err(Error::new(ErrorKind::LimitExceeded, why).at_field(column.name));
        }
        Ok(value)
    }
}

/// A decimal with all the places of its column.
fn decimal(logical: &LogicalType, value: Value) -> Value {
    match (logical, value) {
        (LogicalType::Decimal { scale, .. }, Value::Decimal(mut number)) => {
            number.rescale(u32::from(*scale));
            Value::Decimal(number)
        }
        (_, value) => value,
    }
}

/// The table: key, id, version, columns, and what lies beside them.
pub(super) fn create_table(dialect: &StarRocksDialect, part: &Part) -> Statement {
    let mut sql = Sql::new(dialect);
    sql.push("CREATE TABLE IF NOT EXISTS ").table(part).push(" (").name(KEY_COLUMN).push(" VARCHAR(128) NOT NULL, ");
    sql.name(part.id_column()).push(" VARCHAR(255) NOT NULL, ").name(VERSION_COLUMN).push(" BIGINT NOT NULL");
    for column in ddl::storage_order(part) {
        for (piece, name) in pieces(part, column) {
            sql.push(", ").name(&name).push(" ").push_type(&piece.column_type(part, column));
            // What lies beside has no value of its own to fill old rows with.
            sql.push(if column.nullable || piece != Piece::Own || column.default.is_some() { " NULL" } else { " NOT NULL" });
        }
    }
    for column in part.columns.iter().filter(|column| column.index.is_some() && has_bitmap(&column.logical)) {
        sql.push(", INDEX ").name(&ddl::index_name(dialect, part, &[column], false)).push(" (").name(&column.physical);
        sql.push(") USING BITMAP");
    }
    sql.push(") PRIMARY KEY (").name(KEY_COLUMN).push(") DISTRIBUTED BY HASH(").name(KEY_COLUMN).push(")");
    sql.push_type(&dialect.layout.text());
    sql.finish()
}

/// Whether an index that is asked for is a bitmap of the values.
fn has_bitmap(logical: &LogicalType) -> bool {
    match logical {
        LogicalType::Text { max } => *max <= 1_024,
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Category(_) | LogicalType::Uuid => true,
        LogicalType::Int { .. } | LogicalType::Duration | LogicalType::Timestamp | LogicalType::Date => true,
        _ => false,
    }
}

/// Adds the columns of a field: names and statements.
pub(super) fn additions(dialect: &StarRocksDialect, part: &Part, column: &Column) -> Vec<(String, Statement)> {
    let one = |(piece, name): (Piece, String)| {
        let mut sql = Sql::new(dialect);
        sql.push("ALTER TABLE ").table(part).push(" ADD COLUMN ").name(&name).push(" ");
        sql.push_type(&piece.column_type(part, column)).push(" NULL");
        (name, sql.finish())
    };
    pieces(part, column).into_iter().map(one).collect()
}

/// Gives rows written before a column existed its default, if it has one.
///
/// # Errors
/// As [`Piece::value`].
pub(super) fn fill(dialect: &StarRocksDialect, part: &Part, column: &Column) -> Result<Option<Statement>> {
    let Some(value) = column.default.map(|default| default()).filter(|value| !value.is_null()) else { return Ok(None) };
    let mut sql = Sql::new(dialect);
    sql.push("UPDATE ").table(part).push(" SET ");
    for (i, (piece, name)) in pieces(part, column).into_iter().enumerate() {
        sql.push(if i > 0 { ", " } else { "" }).name(&name).push(" = ").bind(piece.value(part, column, &value)?);
    }
    sql.push(" WHERE ").name(&column.physical).push(" IS NULL");
    Ok(Some(sql.finish()))
}

/// How tables are spread: what the configuration says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layout {
    pub(super) buckets: Option<u32>,
    pub(super) replicas: Option<u32>,
}

impl Layout {
    /// What stands behind the column that rows are spread by.
    pub(super) fn text(self) -> String {
        let buckets = self.buckets.map(|buckets| format!(" BUCKETS {buckets}")).unwrap_or_default();
        let replicas = self.replicas.map(|replicas| format!(" PROPERTIES ('replication_num' = '{replicas}')"));
        buckets + &replicas.unwrap_or_default()
    }
}
