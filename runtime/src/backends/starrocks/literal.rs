//! Values as literals: the only place where a value becomes text of a statement.
//!
//! StarRocks prepares nothing but `SELECT`, so values stand in the text. The rule is one function, and what it writes has no way
//! out of its quotes: within `'…'` the quote and the backslash are doubled, a zero byte is `\0`, and nothing else means anything,
//! in whatever order a server undoes the two.

use std::fmt::Write;

use crate::types::Value;

/// Writes a value, in stored form, as an expression.
pub(super) fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("NULL"),
        Value::Bool(truth) => text.push_str(if *truth { "TRUE" } else { "FALSE" }),
        // Its digits without the sign are no number of 64 bits.
        Value::Int(i64::MIN) => text.push_str("(-9223372036854775807 - 1)"),
        Value::Int(number) => plain(number, text),
        Value::Duration(span) => write(&Value::Int(span.as_micros()), text),
        // The shortest digits that give the same bits, with an exponent: without one they would be a decimal. Nothing that is
        // stored or compared is infinite.
        Value::Float(number) if number.is_finite() => plain(format_args!("{number:e}"), text),
        Value::Float(_) => text.push_str("NULL"),
        Value::Decimal(number) => plain(format_args!("CAST('{number}' AS DECIMAL(38, {}))", number.scale()), text),
        Value::Text(value) => self::text(value, text),
        Value::Bytes(bytes) => {
            text.push_str("x'");
            bytes.iter().for_each(|byte| plain(format_args!("{byte:02X}"), text));
            text.push('\'');
        }
        Value::Timestamp(moment) => {
            plain(format_args!("CAST('{}' AS DATETIME)", moment.to_string().trim_end_matches('Z').replace('T', " ")), text)
        }
        Value::Date(day) => plain(format_args!("CAST('{day}' AS DATE)"), text),
        Value::Uuid(uuid) => plain(format_args!("'{}'", uuid.hyphenated()), text),
        Value::Json(json) => self::text(&json.to_string(), text),
        Value::List(items) => array(items.iter(), text, write),
        Value::Vector(numbers) => array(numbers.iter(), text, |number, text| write(&Value::Float(f64::from(*number)), text)),
    }
}

/// Writes what has neither quotes nor backslashes of a user's in it.
fn plain(written: impl std::fmt::Display, text: &mut String) {
    let _ = write!(text, "{written}");
}

fn array<T>(items: impl Iterator<Item = T>, text: &mut String, each: impl Fn(T, &mut String)) {
    text.push('[');
    for (i, item) in items.enumerate() {
        text.push_str(if i > 0 { ", " } else { "" });
        each(item, text);
    }
    text.push(']');
}

/// Writes a text.
pub(super) fn text(value: &str, text: &mut String) {
    text.reserve(value.len() + 2);
    text.push('\'');
    for c in value.chars() {
        match c {
            '\'' => text.push_str("''"),
            '\\' => text.push_str("\\\\"),
            '\0' => text.push_str("\\0"),
            c => text.push(c),
        }
    }
    text.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: Value) -> String {
        let mut text = String::new();
        write(&value, &mut text);
        text
    }

    /// Reads a literal as MySQL does: one character after another. What follows it is given back.
    fn as_mysql(literal: &str) -> (String, &str) {
        let mut rest = literal.strip_prefix('\'').expect("a quote opens");
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
                '\\' => {
                    let escaped = rest.chars().next().expect("something is escaped");
                    rest = &rest[escaped.len_utf8()..];
                    text.push(if escaped == '0' { '\0' } else { escaped });
                }
                c => text.push(c),
            }
        }
    }

    /// Reads a literal as StarRocks does: finds its end, then halves all quotes, then all backslashes.
    fn as_starrocks(literal: &str) -> (String, &str) {
        let inner = literal.strip_prefix('\'').expect("a quote opens");
        let (bytes, mut at) = (inner.as_bytes(), 0);
        loop {
            match bytes[at] {
                b'\\' => at += 1 + inner[at + 1..].chars().next().map_or(0, char::len_utf8),
                b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
                b'\'' => break,
                _ => at += 1,
            }
        }
        let (inner, rest) = (inner[..at].replace("''", "'"), &inner[at + 1..]);
        let mut text = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some('0') => text.push('\0'),
                    Some(c) => text.push(c),
                    None => panic!("a backslash escapes nothing in {literal}"),
                },
                c => text.push(c),
            }
        }
        (text, rest)
    }

    #[test]
    fn no_text_leaves_its_quotes() {
        let hostile = [
            "",
            "'",
            "''",
            "\\",
            "\\'",
            "\\\\'",
            "'; DROP TABLE rows; --",
            "\0",
            "a\0'b",
            "\n'\r\n",
            "\\0",
            "\\%",
            "\\_",
            "\\n",
            "\u{2028}'",
            "\u{feff}",
            "\u{10ffff}",
            "/* ' */",
            "-- '",
            "${x}",
            "?",
            "`",
            "\"",
            "\u{1f600}\\'\t",
            "\u{1a}",
            "\\Z",
        ];
        for first in hostile {
            for second in hostile {
                for third in hostile {
                    let text = format!("{first}{second}{third}");
                    let literal = format!("{} OR 1 = 1", of(Value::Text(text.clone())));
                    assert_eq!(as_mysql(&literal), (text.clone(), " OR 1 = 1"), "{text:?}");
                    assert_eq!(as_starrocks(&literal), (text.clone(), " OR 1 = 1"), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn every_character_is_one_text() {
        for c in '\0'..=char::MAX {
            let text = format!("a{c}\\'{c}");
            let literal = of(Value::Text(text.clone()));
            assert_eq!(as_mysql(&literal), (text.clone(), ""));
            assert_eq!(as_starrocks(&literal), (text, ""));
        }
    }

    #[test]
    fn numbers_keep_their_bits() {
        for number in [0.0, -0.0, 1.0, 0.1, 5e-324, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 1e21, 9_007_199_254_740_993.0] {
            let text = of(Value::Float(number));
            assert!(text.contains('e'), "{text} is a decimal");
            assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(number.to_bits()), "{text}");
        }
        assert_eq!(of(Value::Int(i64::MAX)), "9223372036854775807");
        assert_eq!(of(Value::Int(i64::MIN)), "(-9223372036854775807 - 1)");
        assert_eq!(of(Value::Decimal("-1.10".parse().unwrap_or_default())), "CAST('-1.10' AS DECIMAL(38, 2))");
        assert_eq!(of(Value::Bytes(Box::from([0u8, 255]))), "x'00FF'");
        assert_eq!(of(Value::Vector([1.0f32, -0.1].into())), "[1e0, -1.0000000149011612e-1]");
    }

    #[test]
    fn times_are_written_as_the_server_reads_them() {
        let moment = "2026-11-21T06:30:00.000001Z".parse().map(Value::Timestamp).unwrap_or_default();
        assert_eq!(of(moment), "CAST('2026-11-21 06:30:00.000001' AS DATETIME)");
        let day = crate::types::Date::new(7, 1, 2).map(Value::Date).unwrap_or_default();
        assert_eq!(of(day), "CAST('0007-01-02' AS DATE)");
    }
}
