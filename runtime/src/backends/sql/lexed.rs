//! Where a statement of the application's own is neither quoted nor a comment: for placeholders that the driver has to find,
//! and for texts that must hold one statement.

/// What opens a quote or a comment, beyond `'…'`, `"…"`, `-- …` and `/* … */`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lexis {
    /// `[…]` quotes a name.
    pub brackets: bool,
    /// `$$…$$` and `$tag$…$tag$` quote a text, and within `e'…'` a backslash escapes.
    pub postgres: bool,
}

/// The positions of the bytes that are neither quoted nor within a comment.
pub(crate) fn plain(text: &str, lexis: Lexis) -> impl Iterator<Item = usize> + '_ {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            bytes.get(at)?;
            match past(bytes, at, lexis) {
                Some(after) => at = after,
                None => {
                    at += 1;
                    return Some(at - 1);
                }
            }
        }
    })
}

/// Whether the text holds one statement: nothing but blanks and comments behind a semicolon.
#[cfg(any(test, feature = "duckdb"))]
pub(crate) fn is_one_statement(text: &str, lexis: Lexis) -> bool {
    let bytes = text.as_bytes();
    let mut ended = false;
    let mut one = true;
    // What is quoted or a comment is not among these, and a comment behind the end is welcome.
    for at in plain(text, lexis) {
        one &= !ended || bytes[at] == b';' || bytes[at].is_ascii_whitespace();
        ended |= bytes[at] == b';';
    }
    one && !(ended && ends_quoted(text, lexis))
}

/// Whether something quoted stands behind the first semicolon.
#[cfg(any(test, feature = "duckdb"))]
fn ends_quoted(text: &str, lexis: Lexis) -> bool {
    let bytes = text.as_bytes();
    let Some(end) = plain(text, lexis).find(|at| bytes[*at] == b';') else { return false };
    let mut at = end;
    while at < bytes.len() {
        match past(bytes, at, lexis) {
            Some(_) if !bytes[at..].starts_with(b"--") && !bytes[at..].starts_with(b"/*") => return true,
            Some(after) => at = after,
            None => at += 1,
        }
    }
    false
}

/// The end of the quote or comment that begins here; `None` where none does.
fn past(bytes: &[u8], at: usize, lexis: Lexis) -> Option<usize> {
    let until = |from: usize, end: &[u8]| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.windows(end.len()).position(|piece| piece == end).map_or(bytes.len(), |found| from + found + end.len())
    };
    match &bytes[at..] {
        [b'\'', ..] if lexis.postgres && is_escaping(bytes, at) => Some(escaped(bytes, at)),
        // A doubled quote ends one and begins the next, which comes to the same.
        [b'\'', ..] => Some(until(at + 1, b"'")),
        [b'"', ..] => Some(until(at + 1, b"\"")),
        [b'[', ..] if lexis.brackets => Some(until(at + 1, b"]")),
        [b'-', b'-', ..] => Some(until(at + 2, b"\n")),
        [b'/', b'*', ..] if lexis.postgres => Some(nested(bytes, at)),
        [b'/', b'*', ..] => Some(until(at + 2, b"*/")),
        [b'$', ..] if lexis.postgres => dollars(bytes, at).map(|tag| until(at + tag.len(), tag)),
        _ => None,
    }
}

/// Whether the quote here opens `e'…'`.
fn is_escaping(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| bytes.get(at));
    matches!(before(1), Some(b'e' | b'E')) && !before(2).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || !b.is_ascii())
}

fn escaped(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(byte) = bytes.get(at) {
        at += match byte {
            b'\\' => 2,
            b'\'' => return at + 1,
            _ => 1,
        };
    }
    bytes.len()
}

/// Comments within comments.
fn nested(bytes: &[u8], at: usize) -> usize {
    let (mut at, mut depth) = (at, 0);
    loop {
        match bytes.get(at..) {
            Some([b'/', b'*', ..]) => (at, depth) = (at + 2, depth + 1),
            Some([b'*', b'/', ..]) if depth == 1 => return at + 2,
            Some([b'*', b'/', ..]) => (at, depth) = (at + 2, depth - 1),
            Some([_, ..]) => at += 1,
            _ => return bytes.len(),
        }
    }
}

/// The tag that opens here: `$$` or `$name$`. `$1` is a placeholder.
fn dollars(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = &bytes[at + 1..];
    let name = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    let opens = rest.get(name) == Some(&b'$') && !rest.first().is_some_and(u8::is_ascii_digit);
    opens.then(|| &bytes[at..at + name + 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSTGRES: Lexis = Lexis { brackets: false, postgres: true };

    fn questions(text: &str, lexis: Lexis) -> usize {
        plain(text, lexis).filter(|at| text.as_bytes()[*at] == b'?').count()
    }

    #[test]
    fn what_is_quoted_is_passed_over() {
        let text = "SELECT ?, '?''?', \"?\"\"\", -- ?\n/* ? */ ?, é";
        assert_eq!(questions(text, Lexis::default()), 2);
        assert_eq!(questions("[?] ?", Lexis { brackets: true, postgres: false }), 1);
        assert_eq!(questions("[?] ?", Lexis::default()), 2);
        assert_eq!(questions("$$ ? ' $$ ? $a$ ? $$ ? $a$ ? $1 ?", POSTGRES), 3);
        assert_eq!(questions(r"e'\'?' ? E'?\\' ? te'\' ?", POSTGRES), 3);
        assert_eq!(questions("/* ? /* ? */ ? */ ?", POSTGRES), 1);
        for open in ["'", "\"", "/*", "--", "$$", "e'\\", "$a$", "/* /* */"] {
            assert_eq!(questions(&format!("? {open} ?"), POSTGRES), 1, "{open}");
        }
    }

    #[test]
    fn one_statement_is_told_from_several() {
        for one in ["SELECT 1", "SELECT 1;", "SELECT ';' ; -- more; SELECT\n ;;", "SELECT 1 /* ; */; /* 'a' ; */ ", ""] {
            assert!(is_one_statement(one, POSTGRES), "{one}");
        }
        for several in ["SELECT 1; SELECT 2", "; SELECT 1", "SELECT $a$;$a$; x", "SELECT 1; 'a'", "SELECT 1;\"a\"", "SELECT e'\\''; $$a$$"]
        {
            assert!(!is_one_statement(several, POSTGRES), "{several}");
        }
    }
}
