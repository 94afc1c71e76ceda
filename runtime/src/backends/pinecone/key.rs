//! Pinecone's ids are ASCII, at most 512 bytes; a row's id is any text of up to 255.

use crate::backends::metadata::Metadata;

/// Longest id of a record.
const LONGEST: usize = 512;
/// Where the id stands that its record's own cannot be turned back to.
pub(super) const FULL: &str = "_hb_id";

/// The id of a row's record: printable ASCII as it is, every other byte as `%XX`; a digest where that is too long.
pub(super) fn of(id: &str) -> String {
    let mut key = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            key.push(char::from(byte));
        } else {
            key.push_str(&format!("%{byte:02X}"));
        }
    }
    if key.len() <= LONGEST { key } else { format!("%~{}", blake3::hash(id.as_bytes()).to_hex()) }
}

/// Whether a row's id stands in its record's metadata.
pub(super) fn is_digest(key: &str) -> bool {
    key.starts_with("%~")
}

/// The row's id; `None` for a record that this driver did not write.
pub(super) fn back(key: &str, metadata: &Metadata) -> Option<String> {
    if is_digest(key) {
        return metadata.get(FULL)?.as_str().map(str::to_owned);
    }
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            bytes.push(u8::try_from(digit(rest.next())? * 16 + digit(rest.next())?).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_different_and_turn_back() {
        for id in ["a", "a b", "%41", "A", "\u{e9}", "%~x", "~", "\"/?#&+"] {
            let key = of(id);
            assert!(key.is_ascii() && !is_digest(&key), "{key}");
            assert_eq!(back(&key, &Metadata::new()).as_deref(), Some(id));
        }
        let long = "\u{1f600}".repeat(60);
        assert!(is_digest(&of(&long)) && of(&long).len() <= LONGEST);
        assert_eq!(back(&of(&long), &Metadata::from_iter([(FULL.to_owned(), long.clone().into())])), Some(long));
        assert_eq!(back("%", &Metadata::new()), None);
        assert_eq!(back("%FF", &Metadata::new()), None);
    }
}
