//! Patterns in Postgres' own languages with exactly our meaning: `LIKE` for what is case-sensitive, its regular
//! expressions over the `C` collation for what ignores case and for the regular expressions that both read alike.

use std::fmt::Write;

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use crate::backends::sql::pattern;
use crate::filter::Pattern;
use crate::types::lower_simple;

/// A literal text within a `LIKE` pattern.
pub(super) fn like_literal(text: &str) -> String {
    pattern::like_literal(text, '\\')
}

/// A `like` pattern as Postgres reads it: a `\` at the end would be an error there.
pub(super) fn like(text: &str) -> String {
    pattern::like(text, '\\')
}

/// What comes before every pattern: that an advanced regular expression follows, whatever it begins with.
const DIRECTOR: &str = "***:";

/// One lower-cased character: itself and whatever is lower-cased to it.
fn any_case(c: char, text: &mut String) {
    let stays = c.to_lowercase().next() == Some(c);
    match pattern::uppers(c) {
        [] => literal(c, text),
        others => {
            text.push('[');
            if stays {
                in_class(c, text);
            }
            others.iter().for_each(|other| in_class(*other, text));
            text.push(']');
        }
    }
}

/// The pattern of `icontains`.
pub(super) fn icontains(needle: &str) -> String {
    let mut text = String::from(DIRECTOR);
    lower_simple(needle).chars().for_each(|c| any_case(c, &mut text));
    text
}

/// The pattern of `ilike`.
pub(super) fn ilike(pattern: &str) -> String {
    let mut text = format!("{DIRECTOR}\\A");
    for piece in Pattern::parse(&lower_simple(pattern)) {
        match piece {
            Pattern::One => text.push('.'),
            Pattern::Run => text.push_str(".*"),
            Pattern::Literal(c) => any_case(c, &mut text),
        }
    }
    text.push_str("\\Z");
    text
}

fn literal(c: char, text: &mut String) {
    if c.is_ascii_punctuation() {
        text.push('\\');
    }
    text.push(c);
}

fn in_class(c: char, text: &mut String) {
    if c.is_ascii_alphanumeric() {
        text.push(c);
    } else {
        let _ = write!(text, "\\U{:08x}", u32::from(c));
    }
}

/// Longest pattern, greatest repetition and most ranges of a class that Postgres is given; it compiles patterns anew for
/// each statement.
const LONGEST: usize = 4_096;
const REPEATED: u32 = 255;
const EXPANDED: u32 = 2_000;
const RANGES: usize = 256;

/// A regular expression of Rust as one of Postgres that matches the same texts, or `None` where the two differ: the
/// planner then runs it. Both are told about characters as plain numbers; nothing of a locale takes part.
pub(super) fn regex(pattern: &str) -> Option<String> {
    let parsed = regex_syntax::parse(pattern).ok()?;
    let mut text = String::from(DIRECTOR);
    expression(&parsed, &mut text, 1)?;
    (text.len() <= LONGEST).then_some(text)
}

fn expression(hir: &Hir, text: &mut String, expanded: u32) -> Option<()> {
    if text.len() > LONGEST || expanded > EXPANDED {
        return None;
    }
    match hir.kind() {
        HirKind::Empty => text.push_str("(?:)"),
        HirKind::Literal(bytes) => {
            let bytes = std::str::from_utf8(&bytes.0).ok()?;
            if bytes.contains('\0') {
                return None;
            }
            bytes.chars().for_each(|c| literal(c, text));
        }
        HirKind::Class(class) => ranges(class, text)?,
        HirKind::Look(Look::Start) => text.push_str("\\A"),
        HirKind::Look(Look::End) => text.push_str("\\Z"),
        // Lines and word boundaries mean something else there.
        HirKind::Look(_) => return None,
        HirKind::Repetition(repetition) => repeated(repetition, text, expanded)?,
        HirKind::Capture(capture) => group(&capture.sub, text, expanded)?,
        HirKind::Concat(parts) => {
            for part in parts {
                // An alternation within a sequence needs its own brackets.
                if matches!(part.kind(), HirKind::Alternation(_)) {
                    group(part, text, expanded)?;
                } else {
                    expression(part, text, expanded)?;
                }
            }
        }
        HirKind::Alternation(parts) => {
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    text.push('|');
                }
                expression(part, text, expanded)?;
            }
        }
    }
    Some(())
}

fn group(hir: &Hir, text: &mut String, expanded: u32) -> Option<()> {
    text.push_str("(?:");
    expression(hir, text, expanded)?;
    text.push(')');
    Some(())
}

fn repeated(repetition: &Repetition, text: &mut String, expanded: u32) -> Option<()> {
    if !repetition.sub.properties().look_set().is_empty() {
        return None;
    }
    let (least, most) = (repetition.min, repetition.max);
    let times = most.unwrap_or(least).max(1);
    if times > REPEATED {
        return None;
    }
    group(&repetition.sub, text, expanded.checked_mul(times)?)?;
    // Greedy or not makes no difference to whether a text matches.
    match (least, most) {
        (0, None) => text.push('*'),
        (1, None) => text.push('+'),
        (0, Some(1)) => text.push('?'),
        (least, None) => {
            let _ = write!(text, "{{{least},}}");
        }
        (least, Some(most)) => {
            let _ = write!(text, "{{{least},{most}}}");
        }
    }
    Some(())
}

fn ranges(class: &Class, text: &mut String) -> Option<()> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect(),
        Class::Bytes(class) => class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect(),
    };
    let ascii_only = |ranges: &[(u32, u32)]| ranges.iter().all(|(_, end)| *end < 0x80);
    if ranges.is_empty() || ranges.len() > RANGES || matches!(class, Class::Bytes(_)) && !ascii_only(&ranges) {
        return None;
    }
    text.push('[');
    let before = text.len();
    for (start, end) in ranges {
        // No text holds U+0000, and Postgres takes none in a pattern.
        let start = start.max(1);
        if start > end {
            continue;
        }
        let _ = if start == end { write!(text, "\\U{start:08x}") } else { write!(text, "\\U{start:08x}-\\U{end:08x}") };
    }
    if text.len() == before {
        return None;
    }
    text.push(']');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_left_to_the_planner() {
        for pattern in [r"\bword\b", r"(?m)^line$", r"a{300}", r"(?:a{100}){100}", r"\w+", r"(?:^a)*"] {
            assert_eq!(regex(pattern), None, "{pattern}");
        }
        for pattern in [r"^a.*b$", r"[a-z]+\d?", r"(?i)straße", r"a|b|", r"x{2,5}?", r"(?s).", r"\$\{\}"] {
            assert!(regex(pattern).is_some(), "{pattern}");
        }
    }
}
