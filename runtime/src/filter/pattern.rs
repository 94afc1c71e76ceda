use regex::{Regex, RegexBuilder};

use crate::error::{Error, ErrorKind, Result};
use crate::types::lower_simple;

/// A `like` pattern taken apart: what each character of it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// This character.
    Literal(char),
    /// `_`: any one character.
    One,
    /// `%`: any run, newlines too.
    Run,
}

impl Pattern {
    /// Takes a `like` pattern apart. A `\` at the end stands for itself.
    pub fn parse(pattern: &str) -> Vec<Pattern> {
        let mut parsed = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            parsed.push(match c {
                '%' => Pattern::Run,
                '_' => Pattern::One,
                '\\' => Pattern::Literal(chars.next().unwrap_or('\\')),
                other => Pattern::Literal(other),
            });
        }
        parsed
    }
}

/// Largest compiled regular expression, in bytes.
const REGEX_LIMIT: usize = 1 << 20;

/// Compiles a `like` pattern (`ilike` when `ignore_case`: lower-case the text with [`lower_simple`] first).
///
/// # Errors
/// [`ErrorKind::InvalidQuery`] when the pattern is too large.
pub fn compile_like(pattern: &str, ignore_case: bool) -> Result<Regex> {
    let lowered = if ignore_case { lower_simple(pattern) } else { pattern.to_owned() };
    let mut text = String::from("(?s)\\A");
    for piece in Pattern::parse(&lowered) {
        match piece {
            Pattern::Literal(c) => text.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
            Pattern::One => text.push('.'),
            Pattern::Run => text.push_str(".*"),
        }
    }
    text.push_str("\\z");
    compile_regex(&text)
}

/// Compiles a regular expression of Rust's `regex`, linear in time, limited in size.
///
/// # Errors
/// [`ErrorKind::InvalidQuery`] when it cannot be parsed or is too large.
pub fn compile_regex(pattern: &str) -> Result<Regex> {
    RegexBuilder::new(pattern).size_limit(REGEX_LIMIT).build().map_err(|cause| {
        let why = match &cause {
            regex::Error::CompiledTooBig(limit) => format!("the pattern compiles to more than {limit} bytes: make it smaller"),
            // The parser's message repeats the pattern, which is the user's own query text and not stored data.
            other => format!("not a regular expression: {other}"),
        };
        Error::new(ErrorKind::InvalidQuery, why)
    })
}
