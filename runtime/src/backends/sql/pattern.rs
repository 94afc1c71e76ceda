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

/// A `like` pattern as the inside of a regular expression between `\A` and `\z`: `any` is one character of any kind,
/// `literal` writes one that stands for itself. Each piece between two runs is taken where it comes first and never tried
/// elsewhere (an atomic group, which the engine must have), which decides the same and takes time in proportion to the text.
pub fn anchored(pattern: &str, any: &str, literal: impl Fn(char, &mut String)) -> String {
    let mut pieces: Vec<String> = vec![String::new()];
    for piece in Pattern::parse(pattern) {
        match (piece, pieces.last_mut()) {
            (Pattern::Run, _) | (_, None) => pieces.push(String::new()),
            (Pattern::One, Some(text)) => text.push_str(any),
            (Pattern::Literal(c), Some(text)) => literal(c, text),
        }
    }
    let mut text = String::from("\\A");
    let last = pieces.len() - 1;
    for (i, piece) in pieces.iter().enumerate() {
        match i {
            0 => text.push_str(piece),
            _ if i == last => text.push_str(&format!("{any}*{piece}")),
            _ if piece.is_empty() => {}
            _ => text.push_str(&format!("(?>{any}*?{piece})")),
        }
    }
    text + "\\z"
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

#[cfg(test)]
mod tests {
    use super::anchored;

    #[test]
    fn pieces_are_taken_where_they_come_first() {
        let plain = |pattern| anchored(pattern, ".", |c, text| text.push(c));
        assert_eq!(plain("1%2%%3"), "\\A1(?>.*?2).*3\\z");
        assert_eq!(plain(""), "\\A\\z");
        assert_eq!(plain("%"), "\\A.*\\z");
        assert_eq!(anchored("_%a", "[x]", |c, text| text.push(c)), "\\A[x][x]*a\\z");
    }
}
