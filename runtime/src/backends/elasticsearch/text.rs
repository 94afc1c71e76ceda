//! How text is indexed. A term of Lucene has at most 32,766 bytes, and text may be longer, so long text is kept in
//! several terms, each as exact as the short one:
//!
//! - `f.<column>`: the text itself; of a long one its first segment and a mark. Equality of long text asks the digest too.
//! - `h.<column>`: the digest of a long text.
//! - `s.<column>_1` and on: the further segments of a long text, which order, grouping and extremes continue with.
//! - `p.<column>`: overlapping pieces of a long text, which substrings are sought in.

use crate::types::LogicalType;

/// Characters a segment has: 4 bytes each at most, so 32,000 bytes.
pub(super) const SEGMENT: usize = 8_000;
/// Longest substring sought natively, in characters: Lucene refuses patterns that make too large an automaton.
pub(super) const NEEDLE: usize = 200;
/// Longest text that the server compares or takes as a prefix, in bytes: its automata have at most 1,000 states.
pub(super) const OPERAND: usize = 900;
/// Most segments that take part in an order. Columns of longer text are ordered by the caller.
pub(super) const MOST_SEGMENTS: usize = 16;
/// Stands behind the first segment of a long text, so that no short text equals it. A longer text follows its prefix
/// in the order of bytes, and so does this.
const MARK: char = '\u{1}';

/// Whether a text field of so many characters may hold long text.
pub(super) fn is_tall(max: u32) -> bool {
    max as usize > SEGMENT
}

/// How many segments the longest text has.
pub(super) fn segments_of(max: u32) -> usize {
    (max as usize).div_ceil(SEGMENT)
}

/// How many segments behind the first are indexed: none where the caller orders.
pub(super) fn further_segments(logical: &LogicalType) -> usize {
    match logical {
        LogicalType::Text { max } if segments_of(*max) <= MOST_SEGMENTS => segments_of(*max).saturating_sub(1),
        _ => 0,
    }
}

/// Where the first `count` characters of a text end; `None` when it has no more than that.
fn end_of(text: &str, count: usize) -> Option<usize> {
    if text.len() <= count { None } else { text.char_indices().nth(count).map(|(at, _)| at) }
}

/// Whether a text is long.
pub(super) fn is_long(text: &str) -> bool {
    end_of(text, SEGMENT).is_some()
}

/// The term of a text in `f`.
pub(super) fn term(text: &str) -> String {
    match end_of(text, SEGMENT) {
        None => text.to_owned(),
        Some(end) => format!("{}{MARK}", &text[..end]),
    }
}

/// The digest of a long text.
pub(super) fn digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// A long text cut every [`SEGMENT`] characters; one segment for a short one.
pub(super) fn segments(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(end) = end_of(rest, SEGMENT) {
        found.push(&rest[..end]);
        rest = &rest[end..];
    }
    found.push(rest);
    found
}

/// The text that a term in `f` and its further segments came from.
pub(super) fn joined(term: &str, further: &[String]) -> String {
    if further.is_empty() {
        return term.to_owned();
    }
    let mut text = term.strip_suffix(MARK).unwrap_or(term).to_owned();
    further.iter().for_each(|segment| text.push_str(segment));
    text
}

/// The pieces of a long text: each begins with `e` (it ends the text) or `m`, and overlaps the next by more than a
/// needle, so that a substring lies whole in at least one.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let Some(end) = end_of(rest, SEGMENT) else {
            found.push(format!("e{rest}"));
            return found;
        };
        found.push(format!("m{}", &rest[..end]));
        let step = end_of(rest, SEGMENT - NEEDLE).unwrap_or(end);
        rest = &rest[step..];
    }
}

/// A pattern's literal part, escaped for `wildcard`.
pub(super) fn escaped(literal: &str) -> String {
    let mut pattern = String::with_capacity(literal.len() + 2);
    for c in literal.chars() {
        if matches!(c, '*' | '?' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// A word as a token that the whitespace analyzer keeps whole: one that is too long for it, or that it would split,
/// is replaced by its digest. No word begins with `#`.
pub(super) fn token(word: &str) -> String {
    let splits = |c: char| c.is_whitespace() || c.is_control() || ('\u{1c}'..='\u{1f}').contains(&c);
    if word.len() > 200 || word.chars().any(splits) { format!("#{}", digest(word)) } else { word.to_owned() }
}

/// A text's words as one text for the whitespace analyzer.
pub(super) fn tokens(text: &str) -> String {
    crate::types::words(text).map(|word| token(&word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_comes_back_from_its_segments() {
        for length in [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT + 5] {
            let text: String = "aé漢😀".chars().cycle().take(length).collect();
            let found = segments(&text);
            assert!(found.iter().all(|s| s.len() <= 32_000));
            let further: Vec<String> = found[1..].iter().map(|s| (*s).to_owned()).collect();
            assert_eq!(joined(&term(&text), &further), text);
            assert_eq!(is_long(&text), length > SEGMENT);
        }
    }

    #[test]
    fn every_substring_lies_in_a_piece() {
        let text: String = (0..30_000).map(|i| char::from_u32(0x4e00 + i % 9_973).unwrap_or('x')).collect();
        let found = pieces(&text);
        assert!(found.iter().all(|p| p.len() <= 32_766));
        let chars: Vec<char> = text.chars().collect();
        for start in (0..chars.len() - NEEDLE).step_by(37) {
            let needle: String = chars[start..start + NEEDLE].iter().collect();
            assert!(found.iter().any(|p| p[1..].contains(&needle)), "at {start}");
        }
        assert_eq!(found.iter().filter(|p| p.starts_with('e')).count(), 1);
        assert!(found.last().is_some_and(|p| text.ends_with(&p[1..]) && p.chars().count() > NEEDLE), "the end piece holds any suffix");
    }

    #[test]
    fn terms_keep_the_order_of_bytes() {
        let head = "x".repeat(SEGMENT - 1);
        let mut texts: Vec<String> =
            ["", "a", "z", "é", "zz", "a😀", "\u{7f}", "\u{1}"].iter().map(|tail| format!("{head}{tail}")).collect();
        texts.sort();
        let keys: Vec<(String, Vec<&str>)> = texts.iter().map(|t| (term(t), segments(t)[1..].to_vec())).collect();
        assert!(keys.is_sorted(), "the terms and further segments order as the texts do");
    }
}
