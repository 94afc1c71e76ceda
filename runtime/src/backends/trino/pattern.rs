//! Patterns as Trino's regular expressions (Joni), in which every character stands for itself and no letter has a case:
//! which letters are alike is said by us, so no version of the server's tables takes part.

use std::fmt::Write;

use regex_syntax::hir::{Class, Hir, HirKind, Look};

use crate::backends::sql::pattern::{anchored, uppers};
use crate::types::lower_simple;

/// `.` is any character, newlines too; `^` and `$` are not used.
const WHOLE: &str = "(?s)";

/// One lower-cased character: itself and whatever is lower-cased to it.
fn any_case(c: char, text: &mut String) {
    text.push('[');
    // A letter that is itself lower-cased to another is in no lower-cased text.
    if c.to_lowercase().next() == Some(c) || uppers(c).is_empty() {
        code_point(c, text);
    }
    uppers(c).iter().for_each(|other| code_point(*other, text));
    text.push(']');
}

fn code_point(c: char, text: &mut String) {
    let _ = write!(text, "\\x{{{:X}}}", u32::from(c));
}

/// The pattern of a `like` that has `_` in it: that of Trino's own `LIKE` misreads characters beyond U+FFFF.
pub(super) fn like(pattern: &str) -> String {
    format!("{WHOLE}{}", anchored(pattern, ".", code_point))
}

/// The pattern of `icontains`.
pub(super) fn icontains(needle: &str) -> String {
    let mut text = String::from(WHOLE);
    lower_simple(needle).chars().for_each(|c| any_case(c, &mut text));
    text
}

/// The pattern of `ilike`.
pub(super) fn ilike(pattern: &str) -> String {
    format!("{WHOLE}{}", anchored(&lower_simple(pattern), ".", any_case))
}

/// Longest translated pattern, greatest repetition, and most ranges of a class that the server is given.
const LONGEST: usize = 8_192;
const REPEATED: u32 = 100;
const RANGES: usize = 256;

/// A regular expression of Rust as one of Trino that matches the same texts, or `None` where the two differ, or where
/// Trino's, which tries ways one after another, could take very long: the planner then runs it.
pub(super) fn regex(pattern: &str) -> Option<String> {
    let parsed = regex_syntax::parse(pattern).ok()?;
    let mut text = String::from(WHOLE);
    expression(&parsed, &mut text, false)?;
    (text.len() <= LONGEST).then_some(text)
}

fn expression(hir: &Hir, text: &mut String, repeated: bool) -> Option<()> {
    if text.len() > LONGEST {
        return None;
    }
    match hir.kind() {
        HirKind::Empty => text.push_str("(?:)"),
        HirKind::Literal(bytes) => std::str::from_utf8(&bytes.0).ok()?.chars().for_each(|c| code_point(c, text)),
        HirKind::Class(class) => ranges(class, text)?,
        HirKind::Look(Look::Start) if !repeated => text.push_str("\\A"),
        HirKind::Look(Look::End) if !repeated => text.push_str("\\z"),
        // Lines and word boundaries mean something else there.
        HirKind::Look(_) => return None,
        // Within another repetition, the ways to match grow as a power.
        HirKind::Repetition(_) if repeated => return None,
        HirKind::Repetition(repetition) => {
            let (least, most) = (repetition.min, repetition.max);
            if least > REPEATED || most.is_some_and(|most| most > REPEATED) {
                return None;
            }
            group(&repetition.sub, text, true)?;
            // Greedy or not makes no difference to whether a text matches.
            let _ = match most {
                Some(most) => write!(text, "{{{least},{most}}}"),
                None => write!(text, "{{{least},}}"),
            };
        }
        HirKind::Capture(capture) => group(&capture.sub, text, repeated)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| group(part, text, repeated))?,
        // Ways that begin alike, repeated, are as many as repetitions within each other.
        HirKind::Alternation(_) if repeated => return None,
        HirKind::Alternation(parts) => {
            for (i, part) in parts.iter().enumerate() {
                text.push_str(if i > 0 { "|" } else { "" });
                expression(part, text, repeated)?;
            }
        }
    }
    Some(())
}

fn group(hir: &Hir, text: &mut String, repeated: bool) -> Option<()> {
    text.push_str("(?:");
    expression(hir, text, repeated)?;
    text.push(')');
    Some(())
}

fn ranges(class: &Class, text: &mut String) -> Option<()> {
    let Class::Unicode(class) = class else { return None };
    if class.ranges().is_empty() || class.ranges().len() > RANGES {
        return None;
    }
    text.push('[');
    for range in class.ranges() {
        code_point(range.start(), text);
        if range.start() != range.end() {
            text.push('-');
            code_point(range.end(), text);
        }
    }
    text.push(']');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_or_may_take_long_is_left_to_the_planner() {
        for pattern in [r"\bword\b", r"(?m)^line$", r"a{300}", r"(?:a*)*", r"(?:a|ab)+", r"\w+", r"(?:^a)*", r"(?-u)[a\xff]"] {
            assert_eq!(regex(pattern), None, "{pattern}");
        }
        for pattern in [r"^a.*b$", r"[a-z]+\d?x{2,5}?", r"(?i)straße|alpha", r"a|b|", r"(?s).", r"\$\{\}", r"(?:ab)+", r"^[^a]*$"] {
            assert!(regex(pattern).is_some(), "{pattern}");
        }
    }
}
