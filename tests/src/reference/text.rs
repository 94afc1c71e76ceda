//! Text: lower case, `like`, words.

use unicode_segmentation::UnicodeSegmentation;

/// Unicode simple lower case: one character for one, without regard to neighbours.
pub fn lower(text: &str) -> Vec<char> {
    text.chars()
        .map(|c| {
            if c == '\u{130}' {
                return 'i';
            }
            let mut mapped = c.to_lowercase();
            match (mapped.next(), mapped.next()) {
                (Some(one), None) => one,
                _ => c,
            }
        })
        .collect()
}

/// Whether the characters of `part` stand somewhere in `whole`, side by side.
pub fn holds_part(whole: &[char], part: &[char]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}

/// `like`: `%` any run, `_` one character, `\` escapes (itself at the end); anchored at both ends.
pub fn like(text: &[char], pattern: &[char]) -> bool {
    // One row of the usual table: which lengths of text the pattern so far can have eaten.
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    let mut i = 0;
    while i < pattern.len() {
        let mut next = vec![false; text.len() + 1];
        match pattern[i] {
            '%' => {
                let mut any = false;
                for at in 0..=text.len() {
                    any |= reached[at];
                    next[at] = any;
                }
            }
            one => {
                let wanted = match one {
                    '_' => None,
                    '\\' if i + 1 < pattern.len() => {
                        i += 1;
                        Some(pattern[i])
                    }
                    other => Some(other),
                };
                for at in 0..text.len() {
                    next[at + 1] = reached[at] && wanted.is_none_or(|c| c == text[at]);
                }
            }
        }
        reached = next;
        i += 1;
    }
    reached[text.len()]
}

/// The words of a text: Unicode word boundaries, what holds a letter or digit, lower-cased.
pub fn words(text: &str) -> Vec<String> {
    text.split_word_bounds()
        .filter(|piece| piece.chars().any(char::is_alphanumeric))
        .map(|word| lower(word).into_iter().collect())
        .collect()
}
