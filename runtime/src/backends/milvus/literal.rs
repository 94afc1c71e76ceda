//! The one place that writes a value into the text of an expression: Milvus 2.3 has no parameters.
//!
//! Text goes between double quotes, with backslash escapes for the quote, the backslash and line ends. These are the
//! escapes that Go's and the embedded server's readers have in common; every other character stands for itself in both.

/// A text literal.
pub(super) fn text(value: &str) -> String {
    let mut literal = String::with_capacity(value.len() + 2);
    literal.push('"');
    for c in value.chars() {
        match c {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal
}

/// An integer literal; `None` for the least one, whose digits without the sign overflow on the server.
pub(super) fn int(value: i64) -> Option<String> {
    (value != i64::MIN).then(|| value.to_string())
}

/// A float literal: always with an exponent, so that it is never read as an integer, and with the digits that bring the
/// same float back.
pub(super) fn float(value: f64) -> String {
    format!("{value:e}")
}

/// A list of literals.
pub(super) fn list(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    format!("[{}]", items.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_quotes() {
        assert_eq!(text("a\"b\\c\n'"), "\"a\\\"b\\\\c\\n'\"");
        assert_eq!(text("\\\" or 1 == 1"), "\"\\\\\\\" or 1 == 1\"");
        assert_eq!(int(i64::MIN), None);
        assert_eq!(float(1.0), "1e0");
        assert_eq!(float(-0.5), "-5e-1");
        assert_eq!(list([int(1), int(-2)].into_iter().flatten()), "[1, -2]");
    }
}
