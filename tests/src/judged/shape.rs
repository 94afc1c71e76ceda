//! Statements that carry their values as text, by shape: a judge that is slow reads one of each.

use std::collections::BTreeMap;

/// A statement without its values and names: what stands outside of quotes, numbers as one sign, and lists of like things as one of
/// them. Quotes are those of MySQL: a backslash takes the next character with it within `'…'`, and not within names.
pub fn shape(text: &str) -> String {
    let bare = bare(text);
    let mut shape = String::with_capacity(bare.len());
    let mut chars = bare.chars().peekable();
    while let Some(c) = chars.next() {
        let word = shape.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if c.is_ascii_digit() && !word {
            while chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '.').is_some() {}
            shape.push('?');
        } else {
            shape.push(c);
        }
    }
    let mut shape =
        shape.replace("-?", "?").replace("e-?", "").replace("(? - ?)", "?").replace("NULL", "?").replace("TRUE", "?").replace("FALSE", "?");
    for (many, one) in [
        ("CAST(? AS DECIMAL(?, ?))", "?"),
        ("CAST(? AS DATETIME)", "?"),
        ("CAST(? AS DATE)", "?"),
        ("?, ?", "?"),
        ("[?]", "?"),
        ("?, ?", "?"),
        ("(?), (?)", "(?)"),
        ("WHEN ? THEN ? WHEN ? THEN ?", "WHEN ? THEN ?"),
    ] {
        while shape.contains(many) {
            shape = shape.replace(many, one);
        }
    }
    shape
}

/// What stands outside of quotes and names: `?` for each text, `n` for each name.
pub fn bare(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\'' && c != '`' {
            bare.push(c);
            continue;
        }
        while let Some(inner) = chars.next() {
            match inner {
                '\\' if c == '\'' => drop(chars.next()),
                inner if inner == c && chars.next_if_eq(&c).is_none() => break,
                _ => {}
            }
        }
        bare.push(if c == '`' { 'n' } else { '?' });
    }
    bare
}

/// The shortest statement of each shape.
pub fn one_of_each<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<&'t str> {
    let mut shapes: BTreeMap<String, &str> = BTreeMap::new();
    for text in texts {
        let kept = shapes.entry(shape(text)).or_insert(text);
        if text.len() < kept.len() {
            *kept = text;
        }
    }
    shapes.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_names_are_no_part_of_a_shape() {
        let one = shape("SELECT t.`a``b` FROM `t` t WHERE t.`x` IN ('it''s \\' x', 'b', 7) AND t.`y` = -1.5e-10");
        assert_eq!(one, "SELECT t.n FROM n t WHERE t.n IN (?) AND t.n = ?");
        assert_eq!(one, shape("SELECT t.`c` FROM `u` t WHERE t.`z` IN (NULL) AND t.`z` = 3"));
        assert_eq!(shape("INSERT INTO `t` VALUES (1, 'a', [1e0, 2e0]), (2, NULL, NULL)"), "INSERT INTO n VALUES (?)");
    }
}
