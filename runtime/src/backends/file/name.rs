use crate::types::Id;

/// Longest name that still spells the id out.
const SPELT: usize = 150;
/// How much of a longer one is kept, before the digest.
const KEPT: usize = 80;

/// The file name of an id, without its ending: letters and digits as they are, every other byte as `%xx`. Different
/// ids have different names, on file systems that ignore case too (upper-case letters are spelt `%xx`); none leads out
/// of the directory. A long id is cut and ends in `~` and a digest of the whole.
pub(super) fn name_of(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            other => {
                let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('0');
                name.extend(['%', digit(other >> 4), digit(other & 15)]);
            }
        }
    }
    if name.len() > SPELT {
        name.truncate(KEPT);
        name.push('~');
        name.push_str(&blake3::hash(id.as_bytes()).to_hex()[..32]);
    }
    name
}

/// Whether this is the name of some id, and which, when it is spelt out.
pub(super) fn id_of(name: &str) -> Option<Option<Id>> {
    if let Some((kept, digest)) = name.split_once('~') {
        let is_digest = digest.len() == 32 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        return (kept.len() == KEPT && is_digest).then_some(None);
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |b: Option<u8>| char::from(b?).to_digit(16);
            bytes.push((digit(rest.next())? * 16 + digit(rest.next())?) as u8);
        } else {
            bytes.push(byte);
        }
    }
    let id = Id::from(String::from_utf8(bytes).ok()?);
    // The one spelling only: `%41` and `%61` for letters that need none are no row's name.
    (id.check().is_ok() && name_of(&id) == name).then_some(Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_injective_safe_and_read_back() {
        let long = ["x".repeat(151), "x".repeat(152), "é".repeat(127), format!("{}b", "é".repeat(126))];
        let ids = [
            "a", "A", "b", "B", "..", ".", "a/b", "a%2fb", "a\\b", "%", "%61", "~", "con", "é", "e\u{301}", "a b", "a_b", "a-b", "é/../..",
        ];
        let ids: Vec<String> = ids.into_iter().map(str::to_owned).chain(long).collect();
        let mut seen = HashSet::new();
        for id in &ids {
            let name = name_of(id);
            assert!(seen.insert(name.to_ascii_lowercase()), "{id}");
            assert!(name.len() <= SPELT && !name.contains(['/', '\\', '.', ':']), "{name}");
            assert_eq!(id_of(&name), Some((!name.contains('~')).then(|| Id::from(id.as_str()))), "{id}");
        }
        for name in ["", "A", "%61", "%4", "%zz", "a.b", "%ff", "x~1", "%2F"] {
            assert_eq!(id_of(name), None, "{name}");
        }
    }
}
