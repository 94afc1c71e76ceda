//! A batch as rows of bound values, in pieces that one statement takes.

use sqlx::mysql::MySqlArguments;

use super::core::Core;
use super::{children, codec, json};
use crate::backends::sql::{Dialect, Sql};
use crate::driver::WriteBatch;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part, VERSION_COLUMN};
use crate::types::{LogicalType, Value};

/// Most placeholders in one statement.
const PARAMETERS: usize = 65_535;
/// Most rows in one statement that is kept prepared.
const ROWS: usize = 1_024;
/// More rows than that are one statement where long ones are liked, kept or not.
const SOME: usize = 256;

/// Most bytes of rows in one statement, of more rows than one: they travel encrypted in one record. The second of several would
/// wait as [`by_powers`] says.
const RECORD: usize = 16_384;

/// A list in pieces of 1, 2, 4, … up to [`ROWS`], the largest first: so few different statements are needed that a session keeps
/// them all prepared. One that is not kept is closed after it ran, which nobody answers; `sqlx` leaves Nagle's algorithm on, so
/// that the next one then waits for the server's delayed acknowledgement, 40 ms.
pub(super) fn by_powers<T>(list: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let (piece, more) = rest.split_at(1 << rest.len().min(ROWS).checked_ilog2()?);
        rest = more;
        Some(piece)
    })
}

/// What a column of the table gets of a row.
#[derive(Clone, Copy)]
pub(super) enum Source<'p> {
    /// The value at this place of the row.
    Value(usize, &'p Column),
    /// The digest of the JSON value at this place.
    Digest(usize),
    /// The vector at this place, as it is searched.
    Searched(usize),
    /// Something that a column takes which is never null: the row is there, and keeps what it has.
    Anything(&'p Column),
}

/// A batch with what is needed to write it.
pub(super) struct Writing<'a> {
    pub(super) core: &'a Core,
    pub(super) part: &'a Part,
    pub(super) batch: &'a WriteBatch,
    /// The rows in the order of their ids: every session then locks rows in the same order.
    pub(super) order: Vec<usize>,
    /// The columns written, with what each gets.
    pub(super) columns: Vec<(String, Source<'a>)>,
    pub(super) versioned: bool,
    pub(super) unique: bool,
    /// Whether the statement may come from the session's cache.
    pub(super) cached: bool,
}

/// Bytes that a value takes on the wire, about.
fn wire(value: &Value) -> usize {
    match value {
        // Written as text, which may be several times as long.
        Value::Json(_) | Value::List(_) => 9 + value.weight() * 2,
        other => 17 + other.weight() - size_of::<Value>(),
    }
}

impl<'a> Writing<'a> {
    pub(super) fn new(core: &'a Core, part: &'a Part, batch: &'a WriteBatch) -> Result<Self> {
        let order = batch.in_key_order(part)?;
        let mut columns = Vec::with_capacity(batch.columns.len());
        for (i, &position) in batch.columns.iter().enumerate() {
            let column = part.columns.get(position);
            let column = column.ok_or_else(|| Error::new(ErrorKind::Internal, "a column position outside of the part"))?;
            columns.push((column.physical.clone(), Source::Value(i, column)));
            if let Some((name, _)) = core.dialect.vectors.and_then(|vectors| vectors.beside(column)) {
                columns.push((name, Source::Searched(i)));
            }
            if column.logical == LogicalType::Json && !part.is_mapped() {
                columns.push((json::digest_name(column), Source::Digest(i)));
                (0..batch.len()).try_for_each(|row| json::check(&core.dialect, &batch.row(row)[i], column.name))?;
            }
        }
        let (versioned, unique) = (!part.is_mapped(), !part.unique_groups().is_empty());
        let writing = Writing { core, part, batch, order, columns, versioned, unique, cached: true };
        if let Some(row) = (0..batch.len()).find(|&row| writing.bytes(row) > core.packet) {
            let why = format!(
                "a row of more than the {} bytes that the server takes at once: raise its max_allowed_packet, or keep long values elsewhere",
                core.packet
            );
            return Err(Error::new(ErrorKind::LimitExceeded, why).of_entity(part.entity.name).with("id", batch.ids[row].as_str()));
        }
        Ok(writing)
    }

    /// Bytes that a row takes on the wire, about.
    fn bytes(&self, row: usize) -> usize {
        self.batch.ids[row].len() + 32 + self.batch.row(row).iter().map(wire).sum::<usize>()
    }

    /// Rows in pieces that one statement takes, with so many values a row.
    pub(super) fn pieces<'r>(&self, rows: &'r [usize], width: usize) -> Vec<&'r [usize]> {
        let most = (PARAMETERS / width.max(1)).checked_ilog2().map_or(1, |power| 1 << power);
        let (packet, long) = (self.core.packet / 2, self.core.dialect.server.likes_long_statements());
        let largest = if long { packet } else { packet.min(RECORD) };
        let (mut pieces, mut from, mut bytes) = (Vec::new(), 0, 0);
        for (at, &row) in rows.iter().enumerate() {
            let more = self.bytes(row);
            if at > from && (at - from == most || bytes + more > largest) {
                pieces.push(&rows[from..at]);
                (from, bytes) = (at, 0);
            }
            bytes += more;
        }
        if from < rows.len() {
            pieces.push(&rows[from..]);
        }
        pieces.into_iter().flat_map(|piece| if long && piece.len() > SOME { vec![piece] } else { by_powers(piece).collect() }).collect()
    }

    /// Whether a statement over so many rows comes again, so that the session keeps it prepared.
    pub(super) fn keeps(&self, rows: usize) -> bool {
        self.cached && rows.is_power_of_two() && rows <= ROWS
    }

    pub(super) fn bind(&self, arguments: &mut MySqlArguments, row: usize, source: Source<'_>) -> Result<()> {
        let values = self.batch.row(row);
        match source {
            Source::Value(i, column) => match (&values[i], self.versioned) {
                (Value::Text(text), _) if self.core.dialect.server.keeps_bytes() => codec::bind_bytes(arguments, text.as_bytes()),
                (Value::Timestamp(t), false) => codec::bind(arguments, &native(codec::moment(*t), column)?),
                (Value::Date(d), false) => codec::bind(arguments, &native(codec::day(*d), column)?),
                (value, _) => codec::bind(arguments, value),
            },
            Source::Digest(i) => match &values[i] {
                Value::Json(json) => codec::bind(arguments, &json::digest(json)),
                _ => codec::bind(arguments, &Value::Null),
            },
            Source::Searched(i) => match (&values[i], self.core.dialect.vectors) {
                (Value::Vector(numbers), Some(vectors)) => codec::bind(arguments, &vectors.bound(numbers)),
                _ => codec::bind(arguments, &Value::Null),
            },
            Source::Anything(column) => codec::bind(arguments, &anything(&column.logical)),
        }
    }

    pub(super) fn bind_id(&self, arguments: &mut MySqlArguments, row: usize) -> Result<()> {
        let kind = self.part.key().kind;
        let key = kind.value(&self.batch.ids[row]).unwrap_or_default();
        codec::bind(arguments, &self.core.dialect.stored(&kind.logical(), key))
    }

    /// `INSERT INTO … VALUES (…), …` with its values.
    pub(super) fn rows(&self, rows: &[usize], columns: &[(String, Source<'_>)]) -> Result<(Sql<'_>, MySqlArguments)> {
        let mut sql = Sql::new(&self.core.dialect);
        sql.push("INSERT INTO ").table(self.part).push(" (").name(self.part.id_column());
        if self.versioned {
            sql.push(", ").name(VERSION_COLUMN);
        }
        for (name, _) in columns {
            sql.push(", ").name(name);
        }
        sql.push(") VALUES ");
        let width = columns.len() + 1 + usize::from(self.versioned);
        let mut arguments = MySqlArguments::default();
        for (i, &row) in rows.iter().enumerate() {
            sql.push(if i > 0 { ", (" } else { "(" });
            children::placeholders(&mut sql, width);
            sql.push(")");
            self.bind_id(&mut arguments, row)?;
            if self.versioned {
                codec::bind(&mut arguments, &Value::Int(self.batch.version))?;
            }
            columns.iter().try_for_each(|(_, source)| self.bind(&mut arguments, row, *source))?;
        }
        Ok((sql, arguments))
    }

    pub(super) fn width(&self) -> usize {
        self.columns.len() + 1 + usize::from(self.versioned)
    }
}

/// A moment or day as a table of others takes it.
fn native(text: Option<String>, column: &Column) -> Result<Value> {
    text.map(Value::Text).ok_or_else(|| {
        let why = "a day before the year 0, which the table's column does not take";
        Error::new(ErrorKind::InvalidValue, why).at_field(column.name)
    })
}

/// Any value that a column of a type takes.
fn anything(logical: &LogicalType) -> Value {
    match logical {
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) => Value::Text(String::new()),
        LogicalType::Bytes => Value::Bytes(Box::default()),
        LogicalType::Uuid => Value::Bytes(Box::from([0; 16])),
        LogicalType::Json => Value::Text("0".to_owned()),
        LogicalType::List(_) => Value::Text("[]".to_owned()),
        LogicalType::Vector(length) => Value::Vector(vec![1.0; *length as usize].into()),
        _ => Value::Int(0),
    }
}

#[cfg(test)]
mod tests {
    use super::by_powers;

    #[test]
    fn pieces_are_powers_of_two() {
        let sizes = |rows: usize| by_powers(&vec![0u8; rows]).map(<[u8]>::len).collect::<Vec<_>>();
        assert_eq!((sizes(0), sizes(1), sizes(100)), (vec![], vec![1], vec![64, 32, 4]));
        assert_eq!(sizes(5_000), [1_024, 1_024, 1_024, 1_024, 512, 256, 128, 8]);
    }
}
