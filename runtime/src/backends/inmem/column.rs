//! One column of one chunk: typed values side by side, and which of them are there.

use std::cmp::Ordering;

use super::mask::Mask;
use super::packed::{self, Reader};
use super::texts::{Blobs, Texts, grown};
use super::vector::Vectors;
use super::words::WordIndex;
use crate::capability::Placement;
use crate::types::{self, Date, Decimal, Duration, LogicalType, Timestamp, Uuid, Value};

/// How a column's values lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int,
    Timestamp,
    Date,
    Duration,
    Float,
    Decimal,
    Uuid,
    /// By number in the list of names.
    Category(&'static [&'static str]),
    Text {
        /// Whether an index of words is kept.
        words: bool,
    },
    /// Lists, JSON and bytes.
    Packed,
    Vector(u32),
}

impl Kind {
    pub(super) fn of(logical: &LogicalType, placement: Placement) -> Kind {
        match logical {
            LogicalType::Id | LogicalType::Ref(_) => Kind::Text { words: false },
            LogicalType::Text { .. } => Kind::Text { words: placement == Placement::InvertedIndex },
            LogicalType::Bool => Kind::Bool,
            LogicalType::Int { .. } => Kind::Int,
            LogicalType::Float => Kind::Float,
            LogicalType::Decimal { .. } => Kind::Decimal,
            LogicalType::Timestamp => Kind::Timestamp,
            LogicalType::Date => Kind::Date,
            LogicalType::Duration => Kind::Duration,
            LogicalType::Uuid => Kind::Uuid,
            LogicalType::Category(names) => Kind::Category(names),
            LogicalType::Bytes | LogicalType::Json | LogicalType::List(_) => Kind::Packed,
            LogicalType::Vector(length) => Kind::Vector(*length),
        }
    }

    /// Whether a value is null or of the family that the column holds.
    pub(super) fn accepts(&self, value: &Value) -> bool {
        match (self, value) {
            (_, Value::Null)
            | (Kind::Bool, Value::Bool(_))
            | (Kind::Float, Value::Float(_))
            | (Kind::Decimal, Value::Decimal(_))
            | (Kind::Uuid, Value::Uuid(_))
            | (Kind::Text { .. }, Value::Text(_))
            | (Kind::Packed, Value::Bytes(_) | Value::Json(_) | Value::List(_)) => true,
            (Kind::Int | Kind::Timestamp | Kind::Date | Kind::Duration, value) => self.whole(value).is_some(),
            (Kind::Category(names), Value::Text(name)) => names.contains(&name.as_str()),
            (Kind::Vector(length), Value::Vector(numbers)) => numbers.len() == *length as usize,
            _ => false,
        }
    }

    /// The integer that stands for a value of this kind, where one does.
    pub(super) fn whole(&self, value: &Value) -> Option<i64> {
        match (self, value) {
            (Kind::Int, Value::Int(n)) => Some(*n),
            (Kind::Timestamp, Value::Timestamp(t)) => Some(t.as_micros()),
            (Kind::Date, Value::Date(d)) => Some(i64::from(d.as_days())),
            (Kind::Duration, Value::Duration(d)) => Some(d.as_micros()),
            _ => None,
        }
    }

    /// The value that an integer stands for.
    pub(super) fn of_whole(&self, n: i64) -> Value {
        match self {
            Kind::Timestamp => Timestamp::from_micros(n).map_or(Value::Null, Value::Timestamp),
            Kind::Date => i32::try_from(n).ok().and_then(|days| Date::from_days(days).ok()).map_or(Value::Null, Value::Date),
            Kind::Duration => Value::Duration(Duration::from_micros(n)),
            _ => Value::Int(n),
        }
    }

    /// Whether rows can be sorted by it.
    pub(super) fn is_ordered(&self) -> bool {
        !matches!(self, Kind::Packed | Kind::Vector(_))
    }
}

/// The values of one column in one chunk.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    pub(super) valid: Mask,
    pub(super) data: Data,
}

#[derive(Clone, Debug)]
pub(super) enum Data {
    Bool(Mask),
    Whole(Vec<i64>),
    Float(Vec<f64>),
    Decimal(Vec<Decimal>),
    Uuid(Vec<Uuid>),
    Code(Vec<u16>),
    Text(Texts),
    Words(Texts, WordIndex),
    Packed(Blobs),
    Vector(Vectors),
}

impl Cells {
    pub(super) fn new(kind: &Kind) -> Cells {
        let data = match kind {
            Kind::Bool => Data::Bool(Mask::EMPTY),
            Kind::Int | Kind::Timestamp | Kind::Date | Kind::Duration => Data::Whole(Vec::new()),
            Kind::Float => Data::Float(Vec::new()),
            Kind::Decimal => Data::Decimal(Vec::new()),
            Kind::Uuid => Data::Uuid(Vec::new()),
            Kind::Category(_) => Data::Code(Vec::new()),
            Kind::Text { words: false } => Data::Text(Texts::default()),
            Kind::Text { words: true } => Data::Words(Texts::default(), WordIndex::default()),
            Kind::Packed => Data::Packed(Blobs::default()),
            Kind::Vector(length) => Data::Vector(Vectors::new(*length as usize)),
        };
        Cells { valid: Mask::EMPTY, data }
    }

    /// Makes room for rows up to `rows`, null at first.
    pub(super) fn grow(&mut self, rows: usize) {
        fn fill<T: Clone>(values: &mut Vec<T>, rows: usize, value: T) {
            if rows > values.capacity() {
                let room = grown(values.len()).max(rows - values.len());
                values.reserve_exact(room);
            }
            values.resize(rows, value);
        }
        match &mut self.data {
            Data::Bool(_) => {}
            Data::Whole(values) => fill(values, rows, 0),
            Data::Float(values) => fill(values, rows, 0.0),
            Data::Decimal(values) => fill(values, rows, Decimal::ZERO),
            Data::Uuid(values) => fill(values, rows, Uuid::nil()),
            Data::Code(values) => fill(values, rows, 0),
            Data::Text(texts) | Data::Words(texts, _) => texts.grow(rows),
            Data::Packed(blobs) => blobs.grow(rows),
            Data::Vector(vectors) => vectors.grow(rows),
        }
    }

    /// Sets a row's value, of a family that [`Kind::accepts`].
    pub(super) fn set(&mut self, kind: &Kind, row: usize, value: &Value) {
        self.valid.set(row, !value.is_null());
        match (&mut self.data, value) {
            (Data::Bool(bits), value) => bits.set(row, *value == Value::Bool(true)),
            (Data::Whole(values), value) => values[row] = kind.whole(value).unwrap_or(0),
            (Data::Float(values), Value::Float(n)) => values[row] = *n,
            (Data::Decimal(values), Value::Decimal(n)) => values[row] = *n,
            (Data::Uuid(values), Value::Uuid(uuid)) => values[row] = *uuid,
            (Data::Code(values), Value::Text(name)) => {
                if let Kind::Category(names) = kind {
                    values[row] = names.iter().position(|n| n == name).unwrap_or(0) as u16;
                }
            }
            (Data::Text(texts), value) => {
                let text = value.as_text().unwrap_or("");
                if texts.get(row) != text {
                    texts.set(row, text);
                }
            }
            (Data::Words(texts, words), value) => {
                let text = value.as_text().unwrap_or("");
                if texts.get(row) != text {
                    texts.set(row, text);
                    words.changed(row);
                }
            }
            (Data::Packed(blobs), value) => {
                let mut bytes = Vec::new();
                if !value.is_null() {
                    packed::encode(value, &mut bytes);
                }
                blobs.set(row, &bytes);
            }
            (Data::Vector(vectors), Value::Vector(numbers)) => vectors.set(row, numbers),
            (Data::Float(_) | Data::Decimal(_) | Data::Uuid(_) | Data::Code(_) | Data::Vector(_), _) => {}
        }
    }

    /// A row's value.
    pub(super) fn value(&self, kind: &Kind, row: usize) -> Value {
        if !self.valid.get(row) {
            return Value::Null;
        }
        match &self.data {
            Data::Bool(bits) => Value::Bool(bits.get(row)),
            Data::Whole(values) => kind.of_whole(values[row]),
            Data::Float(values) => Value::Float(values[row]),
            Data::Decimal(values) => Value::Decimal(values[row]),
            Data::Uuid(values) => Value::Uuid(values[row]),
            Data::Code(values) => Value::Text(name_of(kind, values[row]).to_owned()),
            Data::Text(texts) | Data::Words(texts, _) => Value::Text(texts.get(row).to_owned()),
            Data::Packed(blobs) => Reader(blobs.get(row)).value().unwrap_or_default(),
            Data::Vector(vectors) => Value::Vector(vectors.get(row).into()),
        }
    }

    /// The text of a row of a text or category column.
    pub(super) fn text<'a>(&'a self, kind: &Kind, row: usize) -> Option<&'a str> {
        if !self.valid.get(row) {
            return None;
        }
        match &self.data {
            Data::Code(values) => Some(name_of(kind, values[row])),
            Data::Text(texts) | Data::Words(texts, _) => Some(texts.get(row)),
            _ => None,
        }
    }

    /// How the value of a row stands to that of a row in a chunk's same column; nulls last.
    pub(super) fn compare(&self, kind: &Kind, row: usize, other: &Cells, other_row: usize) -> Ordering {
        match (self.valid.get(row), other.valid.get(other_row)) {
            (true, true) => {}
            (mine, others) => return others.cmp(&mine),
        }
        match (&self.data, &other.data) {
            (Data::Bool(a), Data::Bool(b)) => a.get(row).cmp(&b.get(other_row)),
            (Data::Whole(a), Data::Whole(b)) => a[row].cmp(&b[other_row]),
            (Data::Float(a), Data::Float(b)) => a[row].partial_cmp(&b[other_row]).unwrap_or(Ordering::Equal),
            (Data::Decimal(a), Data::Decimal(b)) => a[row].cmp(&b[other_row]),
            (Data::Uuid(a), Data::Uuid(b)) => a[row].cmp(&b[other_row]),
            (Data::Code(a), Data::Code(b)) if a[row] == b[other_row] => Ordering::Equal,
            (Data::Code(a), Data::Code(b)) => name_of(kind, a[row]).cmp(name_of(kind, b[other_row])),
            (Data::Text(a) | Data::Words(a, _), Data::Text(b) | Data::Words(b, _)) => {
                a.get(row).as_bytes().cmp(b.get(other_row).as_bytes())
            }
            _ => canonical(&self.value(kind, row)).cmp(&canonical(&other.value(kind, other_row))),
        }
    }

    /// How the value of a row stands to another value; nulls last. A value of another family is equal to none and after
    /// all: what it compares as, filters decide before.
    pub(super) fn compare_value(&self, kind: &Kind, row: usize, other: &Value) -> Ordering {
        match (self.valid.get(row), !other.is_null()) {
            (true, true) => {}
            (mine, others) => return others.cmp(&mine),
        }
        match (&self.data, other) {
            (Data::Bool(bits), Value::Bool(other)) => bits.get(row).cmp(other),
            (Data::Whole(values), other) => kind.whole(other).map_or(Ordering::Less, |other| values[row].cmp(&other)),
            (Data::Float(values), Value::Float(other)) => values[row].partial_cmp(other).unwrap_or(Ordering::Less),
            (Data::Decimal(values), Value::Decimal(other)) => values[row].cmp(other),
            (Data::Uuid(values), Value::Uuid(other)) => values[row].cmp(other),
            (Data::Code(values), Value::Text(other)) => name_of(kind, values[row]).cmp(other),
            (Data::Text(texts) | Data::Words(texts, _), Value::Text(other)) => texts.get(row).as_bytes().cmp(other.as_bytes()),
            (Data::Packed(_) | Data::Vector(_), other) => canonical(&self.value(kind, row)).cmp(&canonical(other)),
            _ => Ordering::Less,
        }
    }

    /// Brings what is derived from the rows up to date, after a batch; `full` when no row will be added.
    pub(super) fn settle(&mut self, full: bool) {
        match &mut self.data {
            Data::Text(texts) if full => texts.shrink(),
            Data::Packed(blobs) if full => blobs.shrink(),
            Data::Words(texts, words) => {
                words.settle(texts, &self.valid);
                if full {
                    texts.shrink();
                }
            }
            _ => {}
        }
    }
}

fn name_of(kind: &Kind, code: u16) -> &'static str {
    match kind {
        Kind::Category(names) => names.get(usize::from(code)).copied().unwrap_or(""),
        _ => "",
    }
}

fn canonical(value: &Value) -> Vec<u8> {
    let mut key = Vec::new();
    types::canonical_key(value, &mut key);
    key
}
