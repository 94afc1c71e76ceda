//! Patterns as every SQL engine needs them: `LIKE` with an escape character of the dialect's choice, and which characters
//! lower-case to which.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::filter::Pattern;

/// A literal text within a `LIKE` pattern.
pub fn like_literal(text: &str, escape: char) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        if matches!(c, '%' | '_') || c == escape {
            pattern.push(escape);
        }
        pattern.push(c);
    }
    pattern
}

/// A `like` pattern with another escape character; a `\` at its end, which some engines refuse, stands for itself.
pub fn like(pattern: &str, escape: char) -> String {
    let mut text = String::with_capacity(pattern.len() + 2);
    for piece in Pattern::parse(pattern) {
        match piece {
            Pattern::One => text.push('_'),
            Pattern::Run => text.push('%'),
            Pattern::Literal(c) => text.push_str(&like_literal(c.encode_utf8(&mut [0; 4]), escape)),
        }
    }
    text
}

/// The characters that simple lower-casing turns into this one, itself apart.
pub fn uppers(c: char) -> &'static [char] {
    static UPPERS: OnceLock<HashMap<char, Vec<char>>> = OnceLock::new();
    let uppers = UPPERS.get_or_init(|| {
        let mut uppers: HashMap<char, Vec<char>> = HashMap::new();
        for c in '\0'..=char::MAX {
            if let Some(lower) = c.to_lowercase().next().filter(|lower| *lower != c) {
                uppers.entry(lower).or_default().push(c);
            }
        }
        uppers
    });
    uppers.get(&c).map_or(&[], Vec::as_slice)
}

/// The least text that sorts after every text with this prefix; `None` when there is none.
pub fn after_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // The next scalar value: surrogates are none.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}
