//! Statements of the application's own. The server is asked first which types it takes and gives: values are sent as those,
//! and columns are read as those, or refused.

use sqlx::postgres::PgTypeInfo;
use sqlx::{AssertSqlSafe, Column, Either, Executor, PgConnection, Statement, TypeInfo};

use super::codec::{self, Cells, Parameter};
use super::core::{Core, Held};
use super::{failure, nul};
use crate::backends::network::failure::{Phase, caught};
use crate::driver::{RawAnswer, RawStatement, wrong_value};
use crate::error::{ErrorKind, Result};
use crate::types::{LogicalType, Value};

/// Runs a statement on one connection, as a transaction of its own. It is never run twice.
pub(super) async fn run(core: &Core, statement: &RawStatement) -> Result<RawAnswer> {
    let mut held = Held(None);
    let connection = held.0.insert(core.pool.acquire().await.map_err(|cause| failure::error(cause, Phase::Write))?);
    // What was run stays, whatever its rows are.
    let answer = caught(Phase::Commit, answer(core, connection, statement)).await;
    // A connection that is still asked something, or says what nobody understands, is closed.
    if !answer.as_ref().is_err_and(|error| matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable)) {
        held.0.take();
    }
    answer
}

async fn answer(core: &Core, connection: &mut PgConnection, statement: &RawStatement) -> Result<RawAnswer> {
    let failed = |cause| failure::error(cause, Phase::Commit);
    // The text is the application's: it says so by its type (`SqlText`).
    let prepared = (&mut *connection).prepare(sqlx::SqlSafeStr::into_sql_str(AssertSqlSafe(statement.text.clone())));
    let prepared = core.waits(Phase::Write, prepared).await?.map_err(|cause| failure::error(cause, Phase::Write))?;
    let taken: &[PgTypeInfo] = match prepared.parameters() {
        Some(Either::Left(types)) => types,
        _ => &[],
    };
    statement.check_values(taken.len())?;
    let mut parameters = Vec::with_capacity(taken.len());
    for (i, ((logical, value), there)) in statement.values.iter().zip(taken).enumerate() {
        nul::check(value, "a bound value")?;
        parameters.push(parameter(value, there).ok_or_else(|| wrong_value(i + 1, logical, &there.name().to_lowercase()))?);
    }
    let names: Vec<&str> = prepared.columns().iter().map(|column| column.name()).collect();
    let columns = statement.wanted.of(&names)?;
    let mut mapped = Vec::with_capacity(columns.len());
    for (at, column) in &columns {
        let there = prepared.columns()[*at].type_info();
        let found = reads(&column.logical, there.name());
        mapped.push(found.ok_or_else(|| RawAnswer::mismatch(names[*at], &there.name().to_lowercase(), &column.logical))?);
    }
    let mut found = RawAnswer { names: columns.iter().map(|(at, _)| names[*at].to_owned()).collect(), ..RawAnswer::default() };
    let query = prepared.query_with(codec::arguments(parameters)?);
    if columns.is_empty() {
        found.changed = core.waits(Phase::Commit, query.execute(connection)).await?.map_err(failed)?.rows_affected();
        return Ok(found);
    }
    for row in core.waits(Phase::Commit, query.fetch_all(connection)).await?.map_err(failed)? {
        let mut values = Vec::with_capacity(columns.len());
        for ((at, column), mapped) in columns.iter().zip(&mapped) {
            let value = row.cell(*at, &column.logical, *mapped).map_err(|e| e.at_field(names[*at].to_owned()))?;
            RawAnswer::push(&mut values, names[*at], column, value)?;
        }
        found.rows.push(values);
    }
    Ok(found)
}

/// Whether a type of the server is read as a logical type; and if, whether times are the server's own and not the numbers
/// that HeavenBase keeps.
fn reads(logical: &LogicalType, there: &str) -> Option<bool> {
    let texts = ["TEXT", "VARCHAR", "CHAR", "NAME"];
    let own = Some(false);
    match (logical, there) {
        (LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_), there) if texts.contains(&there) => {
            own
        }
        (LogicalType::Bool, "BOOL") | (LogicalType::Int { .. }, "INT2" | "INT4" | "INT8") | (LogicalType::Float, "FLOAT4" | "FLOAT8") => {
            own
        }
        (LogicalType::Decimal { .. }, "NUMERIC") | (LogicalType::Bytes, "BYTEA") | (LogicalType::Uuid, "UUID") => own,
        (LogicalType::Json, "JSON" | "JSONB") | (LogicalType::Duration | LogicalType::Timestamp, "INT8") | (LogicalType::Date, "INT4") => {
            own
        }
        (LogicalType::Timestamp, "TIMESTAMPTZ" | "TIMESTAMP") | (LogicalType::Date, "DATE") => Some(true),
        (LogicalType::Vector(_), "vector" | "FLOAT4[]") => own,
        (LogicalType::List(item), there) => reads(item, there.strip_suffix("[]")?),
        _ => None,
    }
}

/// A value as the type that the statement takes; `None` where it is none of that type.
fn parameter(value: &Value, there: &PgTypeInfo) -> Option<Parameter> {
    let oid = there.oid()?.0;
    if value.is_null() {
        return Some(Parameter::new(oid, None));
    }
    let mut bytes = Vec::new();
    write(value, there.name(), &mut bytes)?;
    Some(Parameter::new(oid, Some(bytes)))
}

fn write(value: &Value, there: &str, bytes: &mut Vec<u8>) -> Option<()> {
    match (value, there) {
        (Value::Text(_), "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "UNKNOWN")
        | (Value::Bool(_), "BOOL")
        | (Value::Int(_), "INT8")
        | (Value::Float(_), "FLOAT8")
        | (Value::Bytes(_), "BYTEA")
        | (Value::Timestamp(_), "TIMESTAMPTZ" | "TIMESTAMP")
        | (Value::Date(_), "DATE")
        | (Value::Duration(_), "INT8")
        | (Value::Uuid(_), "UUID")
        | (Value::Json(_), "JSONB") => codec::write_value(value, bytes),
        (Value::Json(json), "JSON") => bytes.extend_from_slice(super::json::text(json).as_bytes()),
        // Numbers that HeavenBase keeps for moments and days.
        (Value::Timestamp(t), "INT8") => bytes.extend_from_slice(&t.as_micros().to_be_bytes()),
        (Value::Date(d), "INT4") => bytes.extend_from_slice(&d.as_days().to_be_bytes()),
        (Value::Int(n), "INT4") => bytes.extend_from_slice(&i32::try_from(*n).ok()?.to_be_bytes()),
        (Value::Int(n), "INT2") => bytes.extend_from_slice(&i16::try_from(*n).ok()?.to_be_bytes()),
        (Value::Int(n), "NUMERIC") => numeric(&(*n).into(), bytes),
        (Value::Decimal(n), "NUMERIC") => numeric(n, bytes),
        (Value::Float(n), "FLOAT4") if f64::from(*n as f32) == *n => bytes.extend_from_slice(&(*n as f32).to_bits().to_be_bytes()),
        (Value::Vector(numbers), "vector") if u16::try_from(numbers.len()).is_ok() => codec::write_vector(numbers, bytes),
        (Value::Vector(numbers), "FLOAT4[]") => array(codec::oid::FLOAT4, numbers.len(), bytes, |i, bytes| {
            bytes.extend_from_slice(&numbers[i].to_bits().to_be_bytes());
            Some(())
        })?,
        (Value::List(items), there) => {
            let item = there.strip_suffix("[]")?;
            array(codec::oid::of_name(item)?, items.len(), bytes, |i, bytes| write(&items[i], item, bytes))?;
        }
        _ => return None,
    }
    Some(())
}

/// An array of one dimension.
fn array(item: u32, length: usize, bytes: &mut Vec<u8>, each: impl Fn(usize, &mut Vec<u8>) -> Option<()>) -> Option<()> {
    let word = |n: usize| i32::try_from(n).map(i32::to_be_bytes).ok();
    bytes.extend_from_slice(&word(usize::from(length > 0))?);
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&item.to_be_bytes());
    if length == 0 {
        return Some(());
    }
    bytes.extend_from_slice(&word(length)?);
    bytes.extend_from_slice(&word(1)?);
    for i in 0..length {
        let at = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        each(i, bytes)?;
        let written = word(bytes.len() - at - 4)?;
        bytes[at..at + 4].copy_from_slice(&written);
    }
    Some(())
}

/// A number as `numeric`: groups of four digits, the power of the first group, the sign, digits after the point.
fn numeric(number: &crate::types::Decimal, bytes: &mut Vec<u8>) {
    let scale = number.scale() as usize;
    let digits = number.mantissa().unsigned_abs().to_string();
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let whole = format!("{whole:0>width$}", width = whole.len().div_ceil(4) * 4);
    let fraction = format!("{fraction:0<width$}", width = fraction.len().div_ceil(4) * 4);
    let groups: Vec<i16> = [whole.as_bytes(), fraction.as_bytes()]
        .into_iter()
        .flat_map(|half| half.chunks(4))
        .map(|group| group.iter().fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0')))
        .collect();
    let weight = (whole.len() / 4) as i16 - 1;
    let negative = number.is_sign_negative() && !number.is_zero();
    bytes.extend_from_slice(&(groups.len() as i16).to_be_bytes());
    bytes.extend_from_slice(&weight.to_be_bytes());
    bytes.extend_from_slice(&(if negative { 0x4000u16 } else { 0 }).to_be_bytes());
    bytes.extend_from_slice(&(scale as i16).to_be_bytes());
    groups.iter().for_each(|group| bytes.extend_from_slice(&group.to_be_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_groups_of_four_digits() {
        let of = |text: &str| {
            let mut bytes = Vec::new();
            numeric(&text.parse().unwrap(), &mut bytes);
            bytes.chunks(2).map(|b| i16::from_be_bytes([b[0], b[1]])).collect::<Vec<_>>()
        };
        assert_eq!(of("12345.678"), [3, 1, 0, 3, 1, 2345, 6780]);
        assert_eq!(of("-0.05"), [2, 0, 0x4000, 2, 0, 500]);
        assert_eq!(of("0"), [1, 0, 0, 0, 0]);
    }
}
