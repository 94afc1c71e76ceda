//! Values of an answer.

use base64::Engine as _;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{ID_COLUMN, Part};
use crate::types::{Date, Decimal, Duration, Id, Json, LogicalType, Timestamp, Uuid, Value};

fn corrupt(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what)
}

const OTHER_TYPE: &str = "the server's answer has another type than the field";

/// The text of a cell.
pub(super) fn text(cell: &mut Json) -> Result<String> {
    match cell.take() {
        Json::String(text) => Ok(text),
        _ => Err(corrupt(OTHER_TYPE)),
    }
}

/// A row's id: the text of its key.
pub(super) fn id(cell: &mut Json, part: &Part) -> Result<Id> {
    let kind = part.key().kind;
    let key = value(cell, &kind.logical())?;
    kind.id(key).ok_or_else(|| corrupt(OTHER_TYPE).at_field(ID_COLUMN))
}

/// A whole number.
pub(super) fn whole(cell: &Json) -> Result<i64> {
    // Decimals without places come as text.
    cell.as_i64().or_else(|| cell.as_str()?.parse().ok()).ok_or_else(|| corrupt(OTHER_TYPE))
}

/// A float; sums of floats may have left their range.
pub(super) fn float(cell: &Json) -> Result<f64> {
    match cell {
        Json::Number(number) => number.as_f64().ok_or_else(|| corrupt(OTHER_TYPE)),
        Json::String(text) => text.parse().map_err(|_| corrupt(OTHER_TYPE)),
        _ => Err(corrupt(OTHER_TYPE)),
    }
}

/// A field's value, taken out of its cell.
pub(super) fn value(cell: &mut Json, logical: &LogicalType) -> Result<Value> {
    if cell.is_null() {
        return Ok(Value::Null);
    }
    Ok(match logical {
        LogicalType::Id | LogicalType::Ref(_) | LogicalType::Text { .. } | LogicalType::Category(_) => Value::Text(text(cell)?),
        LogicalType::Bool => Value::Bool(cell.as_bool().ok_or_else(|| corrupt(OTHER_TYPE))?),
        LogicalType::Int { .. } => Value::Int(whole(cell)?),
        LogicalType::Duration => Value::Duration(Duration::from_micros(whole(cell)?)),
        LogicalType::Float => {
            let number = float(cell)?;
            if !number.is_finite() {
                return Err(corrupt("a float that is not finite is stored, which no field holds"));
            }
            Value::Float(number)
        }
        LogicalType::Decimal { .. } => Value::Decimal(decimal(&text(cell)?)?),
        LogicalType::Bytes => {
            let bytes = base64::engine::general_purpose::STANDARD.decode(text(cell)?);
            Value::Bytes(bytes.map_err(|_| corrupt(OTHER_TYPE))?.into())
        }
        LogicalType::Timestamp => Value::Timestamp(timestamp(&text(cell)?)?),
        LogicalType::Date => Value::Date(date(&text(cell)?)?),
        LogicalType::Uuid => Value::Uuid(Uuid::parse_str(&text(cell)?).map_err(|_| corrupt(OTHER_TYPE))?),
        LogicalType::Json => {
            let json = serde_json::from_str(&text(cell)?).map_err(|_| corrupt("a text is stored that is not JSON"))?;
            Value::Json(Box::new(json))
        }
        LogicalType::List(item) => {
            let Json::Array(mut items) = cell.take() else { return Err(corrupt(OTHER_TYPE)) };
            if items.iter().any(Json::is_null) {
                return Err(corrupt("a list with a null in it is stored, which no field holds"));
            }
            Value::List(items.iter_mut().map(|cell| value(cell, item)).collect::<Result<_>>()?)
        }
        LogicalType::Vector(length) => {
            let Json::Array(items) = cell.take() else { return Err(corrupt(OTHER_TYPE)) };
            if items.len() != *length as usize {
                return Err(corrupt("a vector of another length than the field's is stored"));
            }
            let numbers = items.iter().map(|number| float(number).map(|number| number as f32));
            Value::Vector(numbers.collect::<Result<Vec<f32>>>()?.into())
        }
    })
}

/// A decimal; zeros at its end are none of the value, and may be too many.
pub(super) fn decimal(text: &str) -> Result<Decimal> {
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
    let more = "a decimal of more digits than a field holds";
    Decimal::from_str_exact(text).map_err(|_| Error::new(ErrorKind::LimitExceeded, more))
}

/// A day: `2026-11-21`, `-0044-03-15`.
fn date(text: &str) -> Result<Date> {
    let (before, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut numbers = rest.splitn(3, '-').map(|part| part.parse::<i16>().ok());
    let mut next = || numbers.next().flatten().ok_or_else(|| corrupt(OTHER_TYPE));
    let (year, month, day) = (next()?, next()?, next()?);
    let narrow = |n: i16| i8::try_from(n).map_err(|_| corrupt(OTHER_TYPE));
    Date::new(if before { -year } else { year }, narrow(month)?, narrow(day)?)
        .map_err(|_| corrupt("a day is stored outside of the years -9999 to 9999"))
}

/// A moment, `2026-11-21 06:30:00.000001`, perhaps with `UTC` or an offset behind it.
fn timestamp(text: &str) -> Result<Timestamp> {
    let mut parts = text.splitn(3, ' ');
    let day = date(parts.next().unwrap_or_default())?;
    let clock = parts.next().ok_or_else(|| corrupt(OTHER_TYPE))?;
    let offset = match parts.next() {
        None | Some("UTC" | "Z") => 0,
        Some(zone) => offset(zone)
            .ok_or_else(|| corrupt("a time with a named zone is stored: give HeavenBase a view that says `AT TIME ZONE 'UTC'`"))?,
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut numbers = clock.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let mut next = || numbers.next().flatten().ok_or_else(|| corrupt(OTHER_TYPE));
    let seconds = next()? * 3_600 + next()? * 60 + next()? - offset;
    let (micros, finer) = fraction.split_at_checked(6).unwrap_or((fraction, ""));
    if finer.bytes().any(|b| b != b'0') {
        return Err(corrupt("a time finer than microseconds is stored, which no field holds"));
    }
    let micros: i64 = format!("{micros:0<6}").parse().map_err(|_| corrupt(OTHER_TYPE))?;
    let whole = i64::from(day.as_days()) * 86_400_000_000 + seconds * 1_000_000 + micros;
    Timestamp::from_micros(whole).map_err(|_| corrupt("a time is stored outside of the years -9999 to 9999"))
}

/// Seconds of `+05:30`.
fn offset(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.as_bytes().first()? {
        b'+' => (1, &zone[1..]),
        b'-' => (-1, &zone[1..]),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    Some(sign * (hours.parse::<i64>().ok()? * 3_600 + minutes.parse::<i64>().ok()? * 60))
}

#[cfg(test)]
mod tests {
    use super::super::literal;
    use super::*;

    #[test]
    fn times_come_back_as_they_are_written() {
        for moment in [Timestamp::MIN, Timestamp::MAX, "1969-12-31T23:59:59.999999Z".parse().unwrap_or(Timestamp::MIN)] {
            assert_eq!(timestamp(&literal::timestamp(moment)).ok(), Some(moment));
            let day = Date::of(moment);
            assert_eq!(date(&literal::date(day)).ok(), Some(day));
        }
        let utc = timestamp("2026-11-21 06:30:00 UTC").ok();
        assert!(utc.is_some());
        assert_eq!(timestamp("2026-11-21 12:00:00.000 +05:30").ok(), utc);
        assert_eq!(timestamp("2026-11-21 06:30:00.000000000").ok(), utc);
        for refused in ["2026-11-21 06:30:00.0000001", "2026-11-21 06:30:00 Europe/Berlin", "2026-11-21", "2026-13-01 00:00:00", ""] {
            assert!(timestamp(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn cells_of_another_type_are_refused() {
        for (cell, logical) in [
            (Json::from("x"), LogicalType::INT),
            (Json::from(1), LogicalType::TEXT),
            (Json::from("NaN"), LogicalType::Float),
            (Json::from("!"), LogicalType::Bytes),
            (serde_json::json!([1.0]), LogicalType::Vector(2)),
            (serde_json::json!([null]), LogicalType::List(&LogicalType::INT)),
        ] {
            assert!(value(&mut cell.clone(), &logical).is_err(), "{cell} as {logical}");
        }
    }
}
