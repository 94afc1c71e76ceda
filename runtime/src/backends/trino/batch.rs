//! The rows of a write as one JSON text in one literal: planning a `VALUES` list of 5,000 rows takes the server 7 seconds,
//! reading the same rows as JSON 0.3.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;

use super::client::LONGEST;
use super::dialect::TrinoDialect;
use super::literal;

use crate::backends::sql::Sql;
use crate::backends::sql::shadow::Shadow;
use crate::driver::WriteBatch;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{KeyKind, Part};
use crate::types::{LogicalType, Value};

/// How much of a statement its rows may take; the rest is for the names of columns.
const ROOM: usize = LONGEST / 10 * 9;

/// A column of the table that a batch writes.
pub(super) struct Carried {
    /// Its name in the table.
    pub(super) physical: String,
    logical: LogicalType,
    column_type: Cow<'static, str>,
}

/// A batch, ready to be written in pieces.
pub(super) struct Rows {
    /// The table's columns in the order of the source's `c1`, `c2`, … (`c0` is the id).
    pub(super) columns: Vec<Carried>,
    /// Whether the last column of the source is the version that a row must have.
    pub(super) expected: bool,
    key: KeyKind,
    /// One JSON array a row.
    rows: Vec<String>,
}

impl Rows {
    /// Renders a batch.
    ///
    /// # Errors
    /// [`ErrorKind::LimitExceeded`] for a row that no statement has room for.
    pub(super) fn new(dialect: &TrinoDialect, part: &Part, batch: &WriteBatch) -> Result<Self> {
        let key = part.key().kind;
        let mut columns = Vec::with_capacity(batch.columns.len());
        let mut shadows = Vec::new();
        for &position in &batch.columns {
            let column =
                part.columns.get(position).ok_or_else(|| Error::new(ErrorKind::Internal, "a column position outside of the part"))?;
            columns.push(Carried {
                physical: column.physical.clone(),
                logical: column.logical,
                column_type: dialect.type_of(&column.logical),
            });
            let shadow = Shadow::of(part, column);
            if let Some(shadow) = shadow {
                let logical = shadow.logical();
                columns.push(Carried { physical: shadow.name(column), logical, column_type: dialect.type_of(&logical) });
            }
            shadows.push(shadow);
        }
        let expected = !batch.expected.is_empty() && !part.is_mapped();
        let mut rows = Vec::with_capacity(batch.len());
        for (row, id) in batch.ids.iter().enumerate() {
            let mut text = String::from("[");
            // An id that no key has meets no row.
            carry(&key.value(id).map_or(Value::Null, |_| Value::Text(id.as_str().to_owned())), &mut text);
            for (value, shadow) in batch.row(row).iter().zip(&shadows) {
                text.push(',');
                carry(value, &mut text);
                if let Some(shadow) = shadow {
                    text.push(',');
                    carry(&shadow.value(value), &mut text);
                }
            }
            if expected {
                text.push(',');
                text.push_str(&batch.expected[row].to_string());
            }
            text.push(']');
            if literal::length(&text) > ROOM {
                let why = format!("a row of more than {ROOM} characters, which is the most that one statement of Trino has room for");
                return Err(Error::new(ErrorKind::LimitExceeded, why).of_entity(part.entity.name).with("id", id.as_str()));
            }
            rows.push(text);
        }
        Ok(Rows { columns, expected, key, rows })
    }

    /// The batch cut into pieces that a statement has room for; mostly one.
    pub(super) fn pieces(&self) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let (mut from, mut size) = (0, 0);
        for (row, text) in self.rows.iter().enumerate() {
            let length = literal::length(text) + 1;
            if size + length > ROOM && row > from {
                pieces.push(from..row);
                (from, size) = (row, 0);
            }
            size += length;
        }
        pieces.push(from..self.rows.len());
        pieces
    }

    /// Writes a piece as the source `s` of a `MERGE`: `c0` is the id, then the columns, then the expected version.
    pub(super) fn source(&self, sql: &mut Sql<'_>, piece: Range<usize>) {
        let mut kinds: Vec<Cow<'static, str>> = vec!["varchar".into()];
        kinds.extend(self.columns.iter().map(|column| carrier(&column.logical)));
        if self.expected {
            kinds.push("bigint".into());
        }
        sql.push(match self.key {
            KeyKind::Text => "(SELECT r.c0",
            KeyKind::Int => "(SELECT CAST(r.c0 AS bigint)",
            KeyKind::Uuid => "(SELECT CAST(r.c0 AS uuid)",
        });
        for (i, column) in self.columns.iter().enumerate() {
            sql.push(", ");
            restore(sql, i + 1, column);
        }
        if self.expected {
            sql.push(", r.c").number(kinds.len() - 1);
        }
        sql.push(" FROM UNNEST(CAST(json_parse(").bind(Value::Text(format!("[{}]", self.rows[piece].join(","))));
        sql.push(") AS array(row(");
        for (i, kind) in kinds.iter().enumerate() {
            sql.push(if i > 0 { ", c" } else { "c" }).number(i).push(" ").push_type(kind);
        }
        sql.push(")))) AS r (");
        for i in 0..kinds.len() {
            sql.push(if i > 0 { ", c" } else { "c" }).number(i);
        }
        sql.push(")) AS s (");
        for i in 0..kinds.len() {
            sql.push(if i > 0 { ", c" } else { "c" }).number(i);
        }
        sql.push(")");
    }
}

/// The type that JSON is read as on the way.
fn carrier(logical: &LogicalType) -> Cow<'static, str> {
    Cow::Borrowed(match logical {
        LogicalType::Bool => "boolean",
        LogicalType::Int { .. } | LogicalType::Duration => "bigint",
        LogicalType::Float => "double",
        LogicalType::List(item) => return format!("array({})", carrier(item)).into(),
        LogicalType::Vector(_) => "array(double)",
        _ => "varchar",
    })
}

/// What was carried as the type of its column.
fn restore(sql: &mut Sql<'_>, number: usize, column: &Carried) {
    match &column.logical {
        LogicalType::Bytes => {
            sql.push("from_base64(r.c").number(number).push(")");
        }
        LogicalType::List(LogicalType::Bytes) => {
            sql.push("transform(r.c").number(number).push(", e -> from_base64(e))");
        }
        logical if carrier(logical) == column.column_type => {
            sql.push("r.c").number(number);
        }
        _ => {
            sql.push("CAST(r.c").number(number).push(" AS ").push_type(&column.column_type).push(")");
        }
    }
}

fn string(text: &str, json: &mut String) {
    // Writing a text into memory cannot fail.
    json.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// Writes a value as JSON that its carrier reads back bit for bit.
fn carry(value: &Value, json: &mut String) {
    match value {
        Value::Null => json.push_str("null"),
        Value::Bool(truth) => json.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) => json.push_str(&number.to_string()),
        Value::Duration(span) => json.push_str(&span.as_micros().to_string()),
        Value::Float(number) => float(*number, json),
        Value::Decimal(number) => string(&number.normalize().to_string(), json),
        Value::Text(text) => string(text, json),
        Value::Bytes(bytes) => string(&base64::engine::general_purpose::STANDARD.encode(bytes), json),
        Value::Timestamp(moment) => string(&literal::timestamp(*moment), json),
        Value::Date(day) => string(&literal::date(*day), json),
        Value::Uuid(uuid) => string(&uuid.hyphenated().to_string(), json),
        Value::Json(value) => string(&value.to_string(), json),
        Value::List(items) => list(items.iter(), json, carry),
        Value::Vector(numbers) => list(numbers.iter(), json, |number, json| float(f64::from(*number), json)),
    }
}

fn float(number: f64, json: &mut String) {
    json.push_str(&serde_json::to_string(&number).unwrap_or_default());
}

fn list<T>(items: impl Iterator<Item = T>, json: &mut String, each: impl Fn(T, &mut String)) {
    json.push('[');
    for (i, item) in items.enumerate() {
        if i > 0 {
            json.push(',');
        }
        each(item, json);
    }
    json.push(']');
}

/// The texts as one JSON array.
pub(super) fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut json = String::new();
    list(texts, &mut json, string);
    json
}
