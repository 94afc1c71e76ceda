//! What ignores case, as regular expressions in which each character stands with all those that our simple lower-casing
//! turns into it. MariaDB reads them with PCRE2, MySQL and OceanBase with ICU; nothing of a locale takes part.

use std::fmt::Write;

use super::server::Server;
use crate::backends::sql::pattern::{anchored, uppers};
use crate::types::lower_simple;

/// What comes before every pattern: a point stands for a line's end too, and case matters.
const FLAGS: &str = "(?s-i)";

/// Any one character: ICU takes a carriage return and the line feed after it for one, where a point stands.
fn any(server: Server) -> &'static str {
    match server {
        Server::MariaDb => ".",
        Server::MySql | Server::OceanBase => "[\\x{0}-\\x{10ffff}]",
    }
}

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

/// The pattern of `ilike`.
pub(super) fn ilike(pattern: &str, server: Server) -> String {
    format!("{FLAGS}{}", anchored(&lower_simple(pattern), any(server), any_case))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_stand_with_all_that_lower_case_to_them() {
        assert_eq!(icontains("k"), "(?s-i)[kK\\x{212a}]");
        assert_eq!(ilike("_k", Server::MariaDb), "(?s-i)\\A.[kK\\x{212a}]\\z");
        assert_eq!(ilike("_%", Server::MySql), "(?s-i)\\A[\\x{0}-\\x{10ffff}][\\x{0}-\\x{10ffff}]*\\z");
    }
}
