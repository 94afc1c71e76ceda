//! Cursors of keyset paging: opaque, versioned, checked against the query that they are used with.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::driver::Position;
use crate::error::{Error, ErrorKind, Result};
use crate::query::QuerySpec;

/// The version of the cursors that are written.
const VERSION: u8 = 1;

#[derive(Deserialize)]
struct Version {
    version: u8,
}

#[derive(Serialize, Deserialize)]
struct Token {
    version: u8,
    query: [u8; 8],
    position: Position,
}

/// A cursor after a position in a query's result.
pub fn encode_cursor(entity: &str, spec: &QuerySpec, position: Position) -> Result<String> {
    let token = Token { version: VERSION, query: fingerprint(entity, spec)?, position };
    let bytes = serde_json::to_vec(&token).map_err(|e| Error::new(ErrorKind::Internal, format!("a cursor cannot be written: {e}")))?;
    let mut text = String::with_capacity(bytes.len() * 2 + 8);
    for byte in bytes.iter().chain(&blake3::hash(&bytes).as_bytes()[..4]) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// The position that a cursor stands for.
///
/// # Errors
/// [`ErrorKind::InvalidQuery`] when the text is no cursor, is damaged, or belongs to a query with another filter or order.
pub fn decode_cursor(entity: &str, spec: &QuerySpec, cursor: &str) -> Result<Position> {
    let refuse = |why: &'static str| Error::new(ErrorKind::InvalidQuery, why).with("cursor", "page_after");
    let damaged = || refuse("the cursor is damaged: start again without it");
    if !cursor.is_ascii() || cursor.len() % 2 == 1 || cursor.len() < 10 {
        return Err(damaged());
    }
    let byte = |i: usize| u8::from_str_radix(&cursor[i..i + 2], 16).map_err(|_| damaged());
    let bytes = (0..cursor.len()).step_by(2).map(byte).collect::<Result<Vec<u8>>>()?;
    let (body, sum) = bytes.split_at(bytes.len() - 4);
    if &blake3::hash(body).as_bytes()[..4] != sum {
        return Err(damaged());
    }
    // The version alone first: of another version all else may differ.
    let Version { version }: Version = serde_json::from_slice(body).map_err(|_| damaged())?;
    if version != VERSION {
        return Err(refuse("the cursor is of another version of HeavenBase: start again without it"));
    }
    let token: Token = serde_json::from_slice(body).map_err(|_| damaged())?;
    if token.query != fingerprint(entity, spec)? {
        return Err(refuse("the cursor belongs to a query with another filter or order: use it with the query that gave it"));
    }
    super::check::cursor_id(&token.position.id)?;
    Ok(token.position)
}

/// A digest of what must stay the same from page to page: entity, filter and order.
fn fingerprint(entity: &str, spec: &QuerySpec) -> Result<[u8; 8]> {
    let parts = serde_json::to_vec(&(entity, &spec.filter, &spec.order))
        .map_err(|e| Error::new(ErrorKind::InvalidQuery, format!("the query cannot be paged: {e}")))?;
    let mut digest = [0; 8];
    digest.copy_from_slice(&blake3::hash(&parts).as_bytes()[..8]);
    Ok(digest)
}
