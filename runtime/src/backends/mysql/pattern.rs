//! What ignores case, as regular expressions in which each character stands with all those that our simple lower-casing
//! turns into it. MariaDB reads them with PCRE2, MySQL and OceanBase with ICU; nothing of a locale takes part.

use std::fmt::Write;

use crate::backends::sql::pattern::uppers;
use crate::filter::Pattern;
use crate::types::lower_simple;

/// What comes before every pattern: a point stands for a line's end too, and case matters.
const FLAGS: &str = "(?s-i)";

/// One lower-cased character: itself and whatever is lower-cased to it.
fn any_case(c: char, text: &mut String) {
    let stays = c.to_lowercase().next() == Some(c);
    match uppers(c) {
        [] => literal(c, text),
        others => {
            text.push('[');
            if stays {
                literal(c, text);
            }
            others.iter().for_each(|other| literal(*other, text));
            text.push(']');
        }
    }
}

fn literal(c: char, text: &mut String) {
    if c.is_ascii_alphanumeric() {
        text.push(c);
    } else {
        let _ = write!(text, "\\x{{{:x}}}", u32::from(c));
    }
}

/// The pattern of `icontains`.
pub(super) fn icontains(needle: &str) -> String {
    let mut text = String::from(FLAGS);
    lower_simple(needle).chars().for_each(|c| any_case(c, &mut text));
    text
}

/// The pattern of `ilike`. Each piece between two `%` is taken where it comes first and never tried elsewhere, which
/// decides the same and takes time in proportion to the text.
pub(super) fn ilike(pattern: &str) -> String {
    let mut pieces: Vec<String> = vec![String::new()];
    for piece in Pattern::parse(&lower_simple(pattern)) {
        match (piece, pieces.last_mut()) {
            (Pattern::Run, _) | (_, None) => pieces.push(String::new()),
            (Pattern::One, Some(text)) => text.push('.'),
            (Pattern::Literal(c), Some(text)) => any_case(c, text),
        }
    }
    let mut text = format!("{FLAGS}\\A");
    let last = pieces.len() - 1;
    for (i, piece) in pieces.iter().enumerate() {
        match i {
            0 => text.push_str(piece),
            _ if i == last => text.push_str(&format!(".*{piece}")),
            _ if piece.is_empty() => {}
            _ => text.push_str(&format!("(?>.*?{piece})")),
        }
    }
    text + "\\z"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_taken_where_they_come_first() {
        assert_eq!(ilike("1%2%%3"), "(?s-i)\\A1(?>.*?2).*3\\z");
        assert_eq!(ilike(""), "(?s-i)\\A\\z");
        assert_eq!(ilike("%"), "(?s-i)\\A.*\\z");
        assert_eq!(icontains("k"), "(?s-i)[kK\\x{212a}]");
    }
}
