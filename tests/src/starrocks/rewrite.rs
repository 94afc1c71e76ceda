//! StarRocks's statements as MariaDB takes them. Only words outside of quotes change: how tables are defined and spread, what an
//! insert does to a row that is there, and the form of arrays.

use std::borrow::Cow;

/// What MariaDB's sessions are set to instead.
pub(super) const SESSION: &str = "SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin, sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00', \
                                  max_sort_length = 262140, sort_buffer_size = 67108864, in_predicate_conversion_threshold = 0";

/// A statement in MariaDB's words.
pub fn rewrite(text: &str) -> Cow<'_, str> {
    if text == "SELECT CURRENT_VERSION(), @@max_allowed_packet" {
        return "SELECT '3.3.0-in-its-place', @@max_allowed_packet".into();
    }
    if text.starts_with("SET query_timeout") {
        return SESSION.into();
    }
    let plain = outside(text, |words| {
        let words = words.replace('[', "'[").replace(']', "]'").replace(" AS DATETIME)", " AS DATETIME(6))");
        if text.starts_with("CREATE TABLE") || text.starts_with("ALTER TABLE") { types(&words) } else { words }
    });
    if let Some(rest) = plain.strip_prefix("INSERT INTO ") {
        return format!("REPLACE INTO {rest}").into();
    }
    if plain.starts_with("CREATE TABLE") {
        return table(&plain).into();
    }
    plain.into()
}

/// The types of columns: a long text has no bounds there, and an array none.
fn types(words: &str) -> String {
    let words = words.replace("ARRAY<DOUBLE>", "LONGTEXT");
    let (mut done, mut rest) = (String::new(), words.as_str());
    while let Some((before, behind)) = rest.split_once("VARCHAR(") {
        let (length, behind) = behind.split_once(')').unwrap_or((behind, ""));
        done.push_str(before);
        // Those of 128 bytes are keys.
        done.push_str(if length == "128" { "VARCHAR(128)" } else { "LONGTEXT" });
        rest = behind;
    }
    done + rest
}

/// `(…) PRIMARY KEY (…) DISTRIBUTED BY …` as `(…, PRIMARY KEY (…))`, without indexes.
fn table(text: &str) -> String {
    let Some((columns, rest)) = text.split_once(") PRIMARY KEY (") else { return text.to_owned() };
    let key = rest.split_once(") DISTRIBUTED BY").map_or(rest, |(key, _)| key);
    let columns = columns.split_once(", INDEX `").map_or(columns, |(columns, _)| columns);
    format!("{columns}, PRIMARY KEY ({key})) ENGINE=InnoDB ROW_FORMAT=DYNAMIC")
}

/// The text with what stands outside of quotes and names changed.
fn outside(text: &str, change: impl Fn(&str) -> String) -> String {
    let (mut done, mut from, mut at) = (String::with_capacity(text.len()), 0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let quote = bytes[at];
        if !matches!(quote, b'\'' | b'`') {
            at += 1;
            continue;
        }
        done.push_str(&change(&text[from..at]));
        let mut end = at + 1;
        while end < bytes.len() && bytes[end] != quote {
            end += if bytes[end] == b'\\' && quote == b'\'' { 2 } else { 1 };
        }
        done.push_str(&text[at..=end]);
        at = end + 1;
        from = at;
    }
    done.push_str(&change(&text[from..]));
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_outside_of_quotes_change() {
        assert_eq!(
            rewrite("INSERT INTO `t` (`a`) VALUES ('[a] INSERT INTO', [1e0])"),
            "REPLACE INTO `t` (`a`) VALUES ('[a] INSERT INTO', '[1e0]')"
        );
        assert_eq!(rewrite("SELECT 'it''s \\' [', `[`"), "SELECT 'it''s \\' [', `[`");
        assert_eq!(
            rewrite(
                "CREATE TABLE IF NOT EXISTS `t` (`k` VARCHAR(128) NOT NULL, `b` VARCHAR(40) NULL, INDEX `i` (`b`) USING BITMAP) PRIMARY KEY (`k`) DISTRIBUTED BY HASH(`k`) BUCKETS 1"
            ),
            "CREATE TABLE IF NOT EXISTS `t` (`k` VARCHAR(128) NOT NULL, `b` LONGTEXT NULL, PRIMARY KEY (`k`)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC"
        );
    }
}
