//! Values as literals: the only place where a value becomes text of a statement.
//!
//! Trino's protocol binds nothing: what it calls parameters are expressions in the same text. So the rule is one function,
//! and what it writes has no way out of its quotes: within `'…'` the quote is doubled and nothing else means anything;
//! within `U&'…'` the backslash is doubled too, and all that is not plain is a code point in hexadecimal.

use std::fmt::Write;

use crate::types::{Date, Timestamp, Value};

/// Writes a value as an expression. Lists and vectors become arrays; JSON must have been made text before.
pub(super) fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("NULL"),
        Value::Bool(truth) => text.push_str(if *truth { "TRUE" } else { "FALSE" }),
        Value::Int(number) => quoted("BIGINT", number, text),
        Value::Duration(span) => quoted("BIGINT", span.as_micros(), text),
        Value::Float(number) if number.is_nan() => text.push_str("nan()"),
        Value::Float(number) if number.is_infinite() => text.push_str(if *number > 0.0 { "infinity()" } else { "-infinity()" }),
        // The shortest digits that give the same bits, with an exponent.
        Value::Float(number) => quoted("DOUBLE", format_args!("{number:e}"), text),
        Value::Decimal(number) => quoted("DECIMAL", number.normalize(), text),
        Value::Text(value) => self::text(value, text),
        Value::Bytes(bytes) => {
            text.push_str("X'");
            for byte in bytes {
                let _ = write!(text, "{byte:02X}");
            }
            text.push('\'');
        }
        Value::Timestamp(moment) => quoted("TIMESTAMP", timestamp(*moment), text),
        Value::Date(day) => quoted("DATE", date(*day), text),
        Value::Uuid(uuid) => quoted("UUID", uuid.hyphenated(), text),
        Value::Json(json) => self::text(&json.to_string(), text),
        Value::List(items) => array(items.iter(), text, write),
        Value::Vector(numbers) => array(numbers.iter(), text, |number, text| write(&Value::Float(f64::from(*number)), text)),
    }
}

/// A typed literal of something that has neither quotes nor backslashes in it.
fn quoted(kind: &'static str, plain: impl std::fmt::Display, text: &mut String) {
    let _ = write!(text, "{kind} '{plain}'");
}

fn array<T>(items: impl Iterator<Item = T>, text: &mut String, each: impl Fn(T, &mut String)) {
    text.push_str("ARRAY[");
    for (i, item) in items.enumerate() {
        if i > 0 {
            text.push_str(", ");
        }
        each(item, text);
    }
    text.push(']');
}

/// Whether a character stands for itself in every place a statement passes: no control, no mark that turns or hides text.
fn is_plain(c: char) -> bool {
    !(c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}'))
}

/// How long a text is within a statement, at most, in units of UTF-16.
pub(super) fn length(text: &str) -> usize {
    let of = |c: char| match c {
        '\'' | '\\' => 2,
        c if is_plain(c) => c.len_utf16(),
        _ => 8,
    };
    text.chars().map(of).sum()
}

/// Writes a text.
pub(super) fn text(value: &str, text: &mut String) {
    text.reserve(value.len() + 2);
    let plain = value.chars().all(is_plain);
    text.push_str(if plain { "'" } else { "U&'" });
    for c in value.chars() {
        match c {
            '\'' => text.push_str("''"),
            '\\' if !plain => text.push_str("\\\\"),
            c if plain || is_plain(c) => text.push(c),
            c => {
                let _ = write!(text, "\\+{:06X}", u32::from(c));
            }
        }
    }
    text.push('\'');
}

/// A day as Trino writes it: `2026-11-21`, `-0044-03-15`.
pub(super) fn date(day: Date) -> String {
    let text = day.to_string();
    // Years before 0 come with six digits.
    match text.strip_prefix("-00") {
        Some(rest) => format!("-{rest}"),
        None => text,
    }
}

/// A moment as Trino writes it, with microseconds.
pub(super) fn timestamp(moment: Timestamp) -> String {
    let micros = moment.as_micros().rem_euclid(86_400_000_000);
    let seconds = micros / 1_000_000;
    format!("{} {:02}:{:02}:{:02}.{:06}", date(Date::of(moment)), seconds / 3_600, seconds / 60 % 60, seconds % 60, micros % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: Value) -> String {
        let mut text = String::new();
        write(&value, &mut text);
        text
    }

    fn of_text(text: &str) -> String {
        of(Value::Text(text.to_owned()))
    }

    /// Reads a literal as Trino's grammar does; what follows it is given back.
    fn read(literal: &str) -> (String, &str) {
        let unicode = literal.starts_with("U&");
        let mut rest = literal.strip_prefix("U&").unwrap_or(literal).strip_prefix('\'').expect("a quote opens");
        let mut text = String::new();
        loop {
            let c = rest.chars().next().expect("a quote closes");
            rest = &rest[c.len_utf8()..];
            match c {
                '\'' if rest.starts_with('\'') => {
                    rest = &rest[1..];
                    text.push('\'');
                }
                '\'' => return (text, rest),
                '\\' if unicode && rest.starts_with('\\') => {
                    rest = &rest[1..];
                    text.push('\\');
                }
                '\\' if unicode => {
                    let digits = rest.strip_prefix('+').expect("six digits follow").get(..6).expect("six digits");
                    text.push(char::from_u32(u32::from_str_radix(digits, 16).expect("digits")).expect("a character"));
                    rest = &rest[7..];
                }
                c => text.push(c),
            }
        }
    }

    #[test]
    fn no_text_leaves_its_quotes() {
        let hostile = [
            "",
            "'",
            "''",
            "\\",
            "\\'",
            "'; DROP TABLE rows; --",
            "\0",
            "a\0'b",
            "\n'\r\n",
            "U&'x'",
            "\\+01F600",
            "\\\\+01F600'",
            "\u{2028}'",
            "\u{feff}",
            "\u{10ffff}",
            "\u{ffff}",
            "/* ' */",
            "-- '",
            "${x}",
            "?",
            "\u{202e}'",
            "'\u{7f}\\",
            "\u{1f600}\\'\t",
        ];
        for first in hostile {
            for second in hostile {
                let text = format!("{first}{second}");
                let literal = format!("{} OR 1 = 1", of_text(&text));
                assert_eq!(read(&literal), (text.clone(), " OR 1 = 1"), "{text:?}");
                assert!(literal.chars().all(is_plain), "{literal:?}");
            }
        }
    }

    #[test]
    fn every_character_is_one_text() {
        for c in '\0'..=char::MAX {
            let text = format!("a{c}\\'");
            assert_eq!(read(&of_text(&text)), (text, ""));
        }
    }

    #[test]
    fn numbers_keep_their_bits() {
        for number in [0.0, -0.0, 1.0, 0.1, 5e-324, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 1e21, 9_007_199_254_740_993.0] {
            let text = of(Value::Float(number));
            let digits = text.trim_start_matches("DOUBLE '").trim_end_matches('\'');
            assert_eq!(digits.parse::<f64>().map(f64::to_bits), Ok(number.to_bits()), "{text}");
        }
        assert_eq!(of(Value::Int(i64::MIN)), "BIGINT '-9223372036854775808'");
        assert_eq!(of(Value::Decimal("-1.10".parse().unwrap_or_default())), "DECIMAL '-1.1'");
        assert_eq!(of(Value::Bytes(Box::from([0u8, 255]))), "X'00FF'");
        assert_eq!(of(Value::List(Box::from([Value::Text("a'".into()), Value::Null]))), "ARRAY['a''', NULL]");
    }

    #[test]
    fn times_are_written_as_trino_reads_them() {
        assert_eq!(timestamp(Timestamp::MIN), "-9999-01-02 01:59:59.000000");
        assert_eq!(timestamp(Timestamp::MAX), "9999-12-30 22:00:00.999999");
        for (year, text) in [(-9999, "-9999-01-01"), (-44, "-0044-01-01"), (0, "0000-01-01"), (7, "0007-01-01"), (2026, "2026-01-01")] {
            assert_eq!(Date::new(year, 1, 1).map(date).ok().as_deref(), Some(text));
        }
    }
}
