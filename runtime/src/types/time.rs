use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};

/// A moment in UTC with microseconds, as microseconds since 1970-01-01. Years -9999 to 9999.
///
/// ```
/// use heavenbase::types::Timestamp;
/// let t: Timestamp = "2026-11-21T06:30:00.000001Z".parse()?;
/// assert_eq!(t.to_string(), "2026-11-21T06:30:00.000001Z");
/// # Ok::<(), heavenbase::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A day in the proleptic Gregorian calendar, as days since 1970-01-01. Years -9999 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

/// A signed span of time in microseconds.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Duration(i64);

const EPOCH: jiff::civil::Date = jiff::civil::date(1970, 1, 1);

fn invalid(what: &str, why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidValue, format!("not a {what}: {why}"))
}

impl Timestamp {
    /// The earliest moment that every backend keeps: -9999-01-02T01:59:59Z.
    pub const MIN: Timestamp = Timestamp(-377_705_023_201 * 1_000_000);
    /// The latest moment that every backend keeps: 9999-12-30T22:00:00.999999Z.
    pub const MAX: Timestamp = Timestamp(253_402_207_200 * 1_000_000 + 999_999);

    /// Now, by the system clock.
    pub fn now() -> Self {
        Timestamp(jiff::Timestamp::now().as_microsecond())
    }

    /// From microseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] outside of [`Timestamp::MIN`] to [`Timestamp::MAX`].
    pub fn from_micros(micros: i64) -> Result<Self, Error> {
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) {
            Ok(Timestamp(micros))
        } else {
            Err(invalid("timestamp", "outside of the years -9999 to 9999"))
        }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}

impl FromStr for Timestamp {
    type Err = Error;
    /// RFC 3339; finer than microseconds is refused, not rounded.
    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed: jiff::Timestamp = text.parse().map_err(|e| invalid("timestamp", e))?;
        if parsed.subsec_nanosecond() % 1_000 != 0 {
            return Err(invalid("timestamp", "finer than microseconds"));
        }
        Self::from_micros(parsed.as_microsecond())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not `from_microsecond`: that refuses the last second of the range.
        let second = self.0.div_euclid(1_000_000);
        match jiff::Timestamp::new(second, (self.0.rem_euclid(1_000_000) * 1_000) as i32) {
            Ok(moment) => moment.fmt(f),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Date {
    /// From year, month and day.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] when there is no such day.
    pub fn new(year: i16, month: i8, day: i8) -> Result<Self, Error> {
        let day = jiff::civil::Date::new(year, month, day).map_err(|e| invalid("date", e))?;
        Ok(Self::from_civil(day))
    }

    /// From days since 1970-01-01.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] outside of the years -9999 to 9999.
    pub fn from_days(days: i32) -> Result<Self, Error> {
        Self::civil(days).map(|_| Date(days)).ok_or_else(|| invalid("date", "outside of the years -9999 to 9999"))
    }

    /// Days since 1970-01-01.
    pub const fn as_days(self) -> i32 {
        self.0
    }

    /// The day a timestamp falls on, in UTC.
    pub fn of(moment: Timestamp) -> Self {
        // The range of timestamps lies within 32 bits of days.
        Date(moment.0.div_euclid(86_400_000_000) as i32)
    }

    fn from_civil(day: jiff::civil::Date) -> Self {
        let hours = day.to_datetime(jiff::civil::Time::midnight()).duration_since(EPOCH.to_datetime(jiff::civil::Time::midnight()));
        Date((hours.as_secs() / 86_400) as i32)
    }

    fn civil(days: i32) -> Option<jiff::civil::Date> {
        let span = jiff::SignedDuration::from_secs(i64::from(days) * 86_400);
        EPOCH.to_datetime(jiff::civil::Time::midnight()).checked_add(span).ok().map(|moment| moment.date())
    }
}

impl FromStr for Date {
    type Err = Error;
    /// `YYYY-MM-DD`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let day: jiff::civil::Date = text.parse().map_err(|e| invalid("date", e))?;
        Ok(Self::from_civil(day))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::civil(self.0) {
            Some(day) => day.fmt(f),
            None => write!(f, "{}d", self.0),
        }
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Date {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Duration {
    /// From microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Duration(micros)
    }

    /// Microseconds.
    pub const fn as_micros(self) -> i64 {
        self.0
    }
}

impl TryFrom<std::time::Duration> for Duration {
    type Error = Error;
    /// Finer than microseconds and longer than 292,000 years are refused.
    fn try_from(span: std::time::Duration) -> Result<Self, Error> {
        if !span.subsec_nanos().is_multiple_of(1_000) {
            return Err(invalid("duration", "finer than microseconds"));
        }
        i64::try_from(span.as_micros()).map(Duration).map_err(|_| invalid("duration", "longer than 292,000 years"))
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_range_survive_as_text() -> Result<(), Error> {
        for moment in [Timestamp::MIN, Timestamp::MAX, Timestamp::from_micros(-1)?] {
            assert_eq!(moment.to_string().parse::<Timestamp>()?, moment);
        }
        Ok(())
    }
}
