//! Values on Postgres' wire, in binary: what is bound, and what is read.

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgRow, PgTypeInfo, Postgres};
use sqlx::{Arguments, Row, Type, ValueRef};

use super::json;
pub(super) use crate::backends::network::answer::{Cells, read_id, read_text, read_whole};
use crate::backends::sql::forms::corrupt;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Date, Decimal, Duration, LogicalType, Timestamp, Uuid, Value};

/// Object ids of built-in types; they never change.
pub(super) mod oid {
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const INT8: u32 = 20;
    pub const TEXT: u32 = 25;
    pub const FLOAT8: u32 = 701;
    pub const BOOL_ARRAY: u32 = 1000;
    pub const BYTEA_ARRAY: u32 = 1001;
    pub const TEXT_ARRAY: u32 = 1009;
    pub const INT8_ARRAY: u32 = 1016;
    pub const FLOAT8_ARRAY: u32 = 1022;
    pub const DATE: u32 = 1082;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const DATE_ARRAY: u32 = 1182;
    pub const TIMESTAMPTZ_ARRAY: u32 = 1185;
    pub const UUID: u32 = 2950;
    pub const UUID_ARRAY: u32 = 2951;
    pub const JSONB: u32 = 3802;
    pub const JSONB_ARRAY: u32 = 3807;
    pub const FLOAT4: u32 = 700;

    /// The type of an array's items, by its name.
    pub fn of_name(name: &str) -> Option<u32> {
        Some(match name {
            "BOOL" => BOOL,
            "BYTEA" => BYTEA,
            "INT2" => 21,
            "INT4" => 23,
            "INT8" => INT8,
            "TEXT" => TEXT,
            "VARCHAR" => 1043,
            "FLOAT4" => FLOAT4,
            "FLOAT8" => FLOAT8,
            "DATE" => DATE,
            "TIMESTAMPTZ" => TIMESTAMPTZ,
            "UUID" => UUID,
            "NUMERIC" => 1700,
            "JSONB" => JSONB,
            _ => return None,
        })
    }
}

/// Stands for pgvector's type, whose object id each database gives anew: a connection asks for it once. As text a vector would be
/// read again for each row that it is compared with, once the server has settled on a general plan (20 µs each).
const VECTOR: u32 = 0;

/// Microseconds and days from 1970 to 2000, where Postgres counts from.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
const EPOCH_DAYS: i32 = 10_957;

/// One bound value: its type and its bytes.
#[derive(Clone)]
pub(super) struct Parameter {
    oid: u32,
    bytes: Option<Vec<u8>>,
}

impl Parameter {
    /// A value in its type's binary form.
    pub(super) fn new(oid: u32, bytes: Option<Vec<u8>>) -> Self {
        Parameter { oid, bytes }
    }
}

impl Type<Postgres> for Parameter {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(oid::TEXT))
    }
}

impl Encode<'_, Postgres> for Parameter {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> std::result::Result<IsNull, BoxDynError> {
        Ok(match &self.bytes {
            None => IsNull::Yes,
            Some(bytes) => {
                buffer.extend_from_slice(bytes);
                IsNull::No
            }
        })
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(if self.oid == VECTOR { PgTypeInfo::with_name("vector") } else { PgTypeInfo::with_oid(Oid(self.oid)) })
    }
}

/// The type that a value is bound as. Decimals travel as text, which the statement casts.
fn oid_of(value: &Value) -> u32 {
    match value {
        Value::Bool(_) => oid::BOOL,
        Value::Int(_) | Value::Duration(_) => oid::INT8,
        Value::Float(_) => oid::FLOAT8,
        Value::Bytes(_) => oid::BYTEA,
        Value::Timestamp(_) => oid::TIMESTAMPTZ,
        Value::Date(_) => oid::DATE,
        Value::Uuid(_) => oid::UUID,
        Value::Json(_) => oid::JSONB,
        Value::List(items) => items.first().map_or(oid::TEXT_ARRAY, |item| array_of(oid_of(item))),
        Value::Vector(_) => VECTOR,
        Value::Null | Value::Text(_) | Value::Decimal(_) => oid::TEXT,
    }
}

fn array_of(item: u32) -> u32 {
    match item {
        oid::BOOL => oid::BOOL_ARRAY,
        oid::INT8 => oid::INT8_ARRAY,
        oid::FLOAT8 => oid::FLOAT8_ARRAY,
        oid::BYTEA => oid::BYTEA_ARRAY,
        oid::TIMESTAMPTZ => oid::TIMESTAMPTZ_ARRAY,
        oid::DATE => oid::DATE_ARRAY,
        oid::UUID => oid::UUID_ARRAY,
        oid::JSONB => oid::JSONB_ARRAY,
        _ => oid::TEXT_ARRAY,
    }
}

fn item_of(array: u32) -> u32 {
    [oid::BOOL, oid::INT8, oid::FLOAT8, oid::BYTEA, oid::TIMESTAMPTZ, oid::DATE, oid::UUID, oid::JSONB]
        .into_iter()
        .find(|item| array_of(*item) == array)
        .unwrap_or(oid::TEXT)
}

pub(super) fn write_value(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Bool(b) => bytes.push(u8::from(*b)),
        Value::Int(n) => bytes.extend_from_slice(&n.to_be_bytes()),
        Value::Float(n) => bytes.extend_from_slice(&n.to_bits().to_be_bytes()),
        Value::Decimal(n) => bytes.extend_from_slice(n.to_string().as_bytes()),
        Value::Text(text) => bytes.extend_from_slice(text.as_bytes()),
        Value::Bytes(data) => bytes.extend_from_slice(data),
        Value::Timestamp(t) => bytes.extend_from_slice(&(t.as_micros() - EPOCH_MICROS).to_be_bytes()),
        Value::Date(d) => bytes.extend_from_slice(&(d.as_days() - EPOCH_DAYS).to_be_bytes()),
        Value::Duration(d) => bytes.extend_from_slice(&d.as_micros().to_be_bytes()),
        Value::Uuid(u) => bytes.extend_from_slice(u.as_bytes()),
        Value::Json(value) => {
            bytes.push(1);
            bytes.extend_from_slice(json::text(value).as_bytes());
        }
        Value::List(items) => write_array(array_of(items.first().map_or(oid::TEXT, oid_of)), items.iter(), bytes),
        Value::Vector(numbers) => write_vector(numbers, bytes),
    }
}

/// A vector as pgvector sends and takes it: the length, two bytes of nothing, the numbers. No vector is longer than 16,000.
pub(super) fn write_vector(numbers: &[f32], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&u16::try_from(numbers.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(&[0, 0]);
    numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_be_bytes()));
}

fn write_array<'v>(array: u32, items: impl ExactSizeIterator<Item = &'v Value>, bytes: &mut Vec<u8>) {
    let length = items.len();
    let word = |n: usize| (n as i32).to_be_bytes();
    bytes.extend_from_slice(&word(usize::from(length > 0)));
    // Whether there are nulls; the server reads the items themselves.
    bytes.extend_from_slice(&word(1));
    bytes.extend_from_slice(&item_of(array).to_be_bytes());
    if length == 0 {
        return;
    }
    bytes.extend_from_slice(&word(length));
    bytes.extend_from_slice(&word(1));
    for item in items {
        if item.is_null() {
            bytes.extend_from_slice(&(-1i32).to_be_bytes());
            continue;
        }
        let at = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        write_value(item, bytes);
        let written = bytes.len() - at - 4;
        bytes[at..at + 4].copy_from_slice(&word(written));
    }
}

/// A value as it is bound.
pub(super) fn parameter(value: &Value) -> Parameter {
    if value.is_null() {
        return Parameter { oid: oid::TEXT, bytes: None };
    }
    let mut bytes = Vec::new();
    write_value(value, &mut bytes);
    Parameter { oid: oid_of(value), bytes: Some(bytes) }
}

/// Many values as one array of a given type, nulls allowed.
pub(super) fn array<'v>(array: u32, items: impl ExactSizeIterator<Item = &'v Value>) -> Parameter {
    let mut bytes = Vec::with_capacity(items.len() * 16);
    write_array(array, items, &mut bytes);
    Parameter { oid: array, bytes: Some(bytes) }
}

/// Binds values in order.
pub(super) fn arguments(parameters: impl IntoIterator<Item = Parameter>) -> Result<PgArguments> {
    let mut arguments = PgArguments::default();
    for parameter in parameters {
        let too_large = |cause: BoxDynError| Error::new(ErrorKind::LimitExceeded, "a value too large for one statement").caused_by(cause);
        arguments.add(parameter).map_err(too_large)?;
    }
    Ok(arguments)
}

/// A vector as pgvector (`[…]`) and Postgres' arrays (`{…}`) read it.
pub(super) fn vector_text(numbers: &[f32], open: char, close: char) -> String {
    let mut text = String::with_capacity(numbers.len() * 12 + 2);
    text.push(open);
    for (i, number) in numbers.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        text.push_str(&number.to_string());
    }
    text.push(close);
    text
}

/// A list as the text of a Postgres array: what `UNNEST` can carry one a row, where it would flatten real arrays.
pub(super) fn list_text(items: &[Value]) -> String {
    let mut text = String::from("{");
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        text.push('"');
        let plain = match item {
            Value::Text(item) => item.clone(),
            Value::Bool(b) => b.to_string(),
            Value::Int(n) => n.to_string(),
            Value::Float(n) => n.to_string(),
            Value::Decimal(n) => n.to_string(),
            Value::Timestamp(t) => t.as_micros().to_string(),
            Value::Date(d) => d.as_days().to_string(),
            Value::Duration(d) => d.as_micros().to_string(),
            Value::Uuid(u) => u.to_string(),
            Value::Bytes(data) => data.iter().fold(String::from("\\x"), |hex, byte| hex + &format!("{byte:02x}")),
            // Lists hold nothing else.
            Value::Null | Value::Json(_) | Value::List(_) | Value::Vector(_) => String::new(),
        };
        for c in plain.chars() {
            if matches!(c, '"' | '\\') {
                text.push('\\');
            }
            text.push(c);
        }
        text.push('"');
    }
    text.push('}');
    text
}

/// A whole number of 2, 4 or 8 bytes.
fn whole(bytes: &[u8]) -> Result<i64> {
    if let Ok(bytes) = <[u8; 8]>::try_from(bytes) {
        return Ok(i64::from_be_bytes(bytes));
    }
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Ok(i64::from(i32::from_be_bytes(bytes)));
    }
    <[u8; 2]>::try_from(bytes).map(|bytes| i64::from(i16::from_be_bytes(bytes))).map_err(|_| corrupt())
}

/// A float of 4 or 8 bytes.
fn float(bytes: &[u8]) -> Result<f64> {
    if let Ok(bytes) = <[u8; 8]>::try_from(bytes) {
        return Ok(f64::from_bits(u64::from_be_bytes(bytes)));
    }
    <[u8; 4]>::try_from(bytes).map(|bytes| f64::from(f32::from_bits(u32::from_be_bytes(bytes)))).map_err(|_| corrupt())
}

fn small(bytes: &[u8], at: usize) -> Result<i64> {
    bytes.get(at..at + 2).ok_or_else(corrupt).and_then(whole)
}

/// A `numeric`: digits in base 10,000, the power of the first, and how many digits after the point to show.
fn numeric(bytes: &[u8]) -> Result<Decimal> {
    let (count, weight, sign, shown) = (small(bytes, 0)?, small(bytes, 2)?, small(bytes, 4)? as u16, small(bytes, 6)?);
    let mut mantissa: i128 = 0;
    for i in 0..count as usize {
        let digit = i128::from(small(bytes, 8 + i * 2)?);
        mantissa = mantissa.checked_mul(10_000).and_then(|m| m.checked_add(digit)).ok_or_else(corrupt)?;
    }
    // The value is mantissa * 10^power.
    let mut power = 4 * (weight - count + 1);
    if mantissa == 0 {
        power = 0;
    }
    while power > -shown || power > 0 {
        mantissa = mantissa.checked_mul(10).ok_or_else(corrupt)?;
        power -= 1;
    }
    while power < -shown && mantissa % 10 == 0 {
        mantissa /= 10;
        power += 1;
    }
    // Trailing zeros that a decimal has no room for are none of its value.
    while (power < -28 || mantissa.unsigned_abs() >> 96 != 0) && mantissa % 10 == 0 && power < 0 {
        mantissa /= 10;
        power += 1;
    }
    let mantissa = match sign {
        0x0000 => mantissa,
        0x4000 => -mantissa,
        _ => return Err(corrupt()),
    };
    let scale = u32::try_from(-power).map_err(|_| corrupt())?;
    Decimal::try_from_i128_with_scale(mantissa, scale).map_err(|_| corrupt())
}

fn list(item: &LogicalType, mapped: bool, bytes: &[u8]) -> Result<Value> {
    let word = |at: usize| bytes.get(at..at + 4).ok_or_else(corrupt).and_then(whole);
    match word(0)? {
        0 => return Ok(Value::List(Box::default())),
        1 => {}
        _ => return Err(corrupt()),
    }
    let length = usize::try_from(word(12)?).map_err(|_| corrupt())?;
    let mut items = Vec::with_capacity(length.min(bytes.len()));
    let mut at = 20;
    for _ in 0..length {
        let size = usize::try_from(word(at)?).map_err(|_| corrupt())?;
        items.push(value(item, mapped, bytes.get(at + 4..at + 4 + size).ok_or_else(corrupt)?)?);
        at += 4 + size;
    }
    Ok(Value::List(items.into()))
}

fn vector(length: u32, bytes: &[u8]) -> Result<Value> {
    let length = length as usize;
    let number = |chunk: &[u8]| float(chunk).map(|n| n as f32);
    if bytes.len() == 4 + length * 4 {
        // pgvector: the length, two bytes of nothing, the numbers.
        return bytes[4..].chunks_exact(4).map(number).collect::<Result<Vec<f32>>>().map(|numbers| Value::Vector(numbers.into()));
    }
    if bytes.len() != 20 + length * 8 {
        return Err(corrupt());
    }
    let numbers = bytes[20..].chunks_exact(8).map(|chunk| number(&chunk[4..]));
    numbers.collect::<Result<Vec<f32>>>().map(|numbers| Value::Vector(numbers.into()))
}

/// Reads a value of a logical type. `mapped` is a table that HeavenBase did not create.
fn value(logical: &LogicalType, mapped: bool, bytes: &[u8]) -> Result<Value> {
    let text = || std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| corrupt());
    Ok(match logical {
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) => Value::Text(text()?),
        LogicalType::Bool => Value::Bool(bytes.first().copied().ok_or_else(corrupt)? != 0),
        LogicalType::Int { .. } => Value::Int(whole(bytes)?),
        LogicalType::Float => Value::Float(float(bytes)?),
        LogicalType::Decimal { .. } => Value::Decimal(numeric(bytes)?),
        LogicalType::Bytes => Value::Bytes(bytes.into()),
        LogicalType::Timestamp => {
            let base = if mapped { EPOCH_MICROS } else { 0 };
            let micros = whole(bytes)?.checked_add(base).ok_or_else(corrupt)?;
            Value::Timestamp(Timestamp::from_micros(micros).map_err(|_| corrupt())?)
        }
        LogicalType::Date => {
            let base = if mapped { i64::from(EPOCH_DAYS) } else { 0 };
            let days = whole(bytes)?.checked_add(base).and_then(|days| i32::try_from(days).ok()).ok_or_else(corrupt)?;
            Value::Date(Date::from_days(days).map_err(|_| corrupt())?)
        }
        LogicalType::Duration => Value::Duration(Duration::from_micros(whole(bytes)?)),
        LogicalType::Uuid => Value::Uuid(Uuid::from_slice(bytes).map_err(|_| corrupt())?),
        LogicalType::Json => {
            let bytes = if bytes.first() == Some(&1) { &bytes[1..] } else { bytes };
            Value::Json(Box::new(serde_json::from_slice(bytes).map_err(|_| corrupt())?))
        }
        LogicalType::List(item) => list(item, mapped, bytes)?,
        LogicalType::Vector(length) => vector(*length, bytes)?,
    })
}

impl Cells for PgRow {
    fn cell(&self, position: usize, logical: &LogicalType, mapped: bool) -> Result<Value> {
        let raw = self.try_get_raw(position).map_err(|_| corrupt())?;
        if raw.is_null() { Ok(Value::Null) } else { value(logical, mapped, raw.as_bytes().map_err(|_| corrupt())?) }
    }

    fn text(&self, position: usize) -> Result<&str> {
        let raw = self.try_get_raw(position).map_err(|_| corrupt())?;
        std::str::from_utf8(raw.as_bytes().map_err(|_| corrupt())?).map_err(|_| corrupt())
    }
}
