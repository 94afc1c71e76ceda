//! Cells of an answer. The text protocol gives every value as text; what is no text is bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::backends::sql::forms::{corrupt, decimal};
use crate::backends::sql::list;
use crate::error::Result;
use crate::types::{Date, Duration, LogicalType, Timestamp, Uuid, Value};

/// The text of a cell.
fn text(cell: &Value) -> Result<&str> {
    cell.as_text().ok_or_else(corrupt)
}

/// A whole number.
pub(super) fn whole(cell: Option<&Value>) -> Result<i64> {
    text(cell.ok_or_else(corrupt)?)?.parse().map_err(|_| corrupt())
}

/// A float, which is finite.
fn float(cell: &Value) -> Result<f64> {
    text(cell)?.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(corrupt)
}

fn truth(cell: &Value) -> Result<bool> {
    match text(cell)? {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(corrupt()),
    }
}

fn day(text: &str) -> Option<Date> {
    let mut numbers = text.splitn(3, '-');
    let (year, month, day) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Date::new(year, month, day).ok()
}

/// `2026-11-21 06:30:00`, with a fraction of up to six digits or none.
fn moment(text: &str) -> Option<Timestamp> {
    let (date, clock) = text.split_once(' ').unwrap_or((text, "00:00:00"));
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut numbers = clock.splitn(3, ':').map(|number| number.parse::<i64>().ok());
    let mut next = || numbers.next().flatten();
    let seconds = next()? * 3_600 + next()? * 60 + next()?;
    if fraction.len() > 6 {
        return None;
    }
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    Timestamp::from_micros(i64::from(day(date)?.as_days()) * 86_400_000_000 + seconds * 1_000_000 + micros).ok()
}

fn unbase64(cell: &Value) -> Result<Vec<u8>> {
    STANDARD.decode(text(cell)?).map_err(|_| corrupt())
}

/// A cell as a value of a field. Of tables that exist already (`mapped`) times and bytes are in the server's own form.
pub(super) fn read(logical: &LogicalType, cell: Value, mapped: bool) -> Result<Value> {
    if cell.is_null() {
        return Ok(Value::Null);
    }
    Ok(match logical {
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) => match cell {
            Value::Text(text) => Value::Text(text),
            _ => return Err(corrupt()),
        },
        LogicalType::Bool => Value::Bool(truth(&cell)?),
        LogicalType::Int { .. } => Value::Int(whole(Some(&cell))?),
        LogicalType::Duration => Value::Duration(Duration::from_micros(whole(Some(&cell))?)),
        LogicalType::Float => Value::Float(float(&cell)?),
        LogicalType::Decimal { .. } => Value::Decimal(decimal(text(&cell)?).ok_or_else(corrupt)?),
        LogicalType::Timestamp if mapped => Value::Timestamp(moment(text(&cell)?).ok_or_else(corrupt)?),
        LogicalType::Date if mapped => Value::Date(day(text(&cell)?).ok_or_else(corrupt)?),
        LogicalType::Bytes if mapped => match cell {
            Value::Text(text) => Value::Bytes(text.into_bytes().into()),
            bytes => bytes,
        },
        LogicalType::Timestamp => Value::Timestamp(Timestamp::from_micros(whole(Some(&cell))?).map_err(|_| corrupt())?),
        LogicalType::Date => {
            let days = i32::try_from(whole(Some(&cell))?).map_err(|_| corrupt())?;
            Value::Date(Date::from_days(days).map_err(|_| corrupt())?)
        }
        LogicalType::Uuid => Value::Uuid(Uuid::parse_str(text(&cell)?).map_err(|_| corrupt())?),
        LogicalType::Bytes => Value::Bytes(unbase64(&cell)?.into()),
        LogicalType::Json => Value::Json(Box::new(serde_json::from_str(text(&cell)?).map_err(|_| corrupt())?)),
        LogicalType::List(item) => list::parse(item, text(&cell)?.as_bytes())?,
        LogicalType::Vector(length) => {
            let bytes = unbase64(&cell)?;
            if bytes.len() != *length as usize * 4 {
                return Err(corrupt());
            }
            let number = |chunk: &[u8]| chunk.try_into().map(f32::from_le_bytes).map_err(|_| corrupt());
            Value::Vector(bytes.chunks_exact(4).map(number).collect::<Result<Vec<f32>>>()?.into())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_servers_own_are_read() {
        let at = |text: &str| moment(text).map(|moment| moment.to_string());
        assert_eq!(at("2026-11-21 06:30:00").as_deref(), Some("2026-11-21T06:30:00Z"));
        assert_eq!(at("2026-11-21 06:30:00.000001").as_deref(), Some("2026-11-21T06:30:00.000001Z"));
        assert_eq!(at("2026-11-21 06:30:00.5"), at("2026-11-21 06:30:00.500000"));
        assert_eq!(at("0000-01-01 00:00:00").as_deref(), Some("0000-01-01T00:00:00Z"));
        for wrong in ["2026-13-01 00:00:00", "2026-11-21 06:30", "2026-11-21 06:30:00.0000001", "x", ""] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn cells_of_another_type_are_refused() {
        let cell = |text: &str| Value::Text(text.to_owned());
        for (cell, logical) in [
            (cell("x"), LogicalType::INT),
            (cell("9223372036854775808"), LogicalType::INT),
            (cell("inf"), LogicalType::Float),
            (cell("2"), LogicalType::Bool),
            (cell("!"), LogicalType::Bytes),
            (cell("AAAA"), LogicalType::Vector(2)),
            (Value::Bytes(Box::from([255u8])), LogicalType::TEXT),
        ] {
            assert!(read(&logical, cell.clone(), false).is_err(), "{cell:?} as {logical}");
        }
        assert_eq!(read(&LogicalType::Float, cell("1E20"), false).ok(), Some(Value::Float(1e20)));
        assert_eq!(read(&LogicalType::Float, cell("1e+20"), false).ok(), Some(Value::Float(1e20)));
    }
}
