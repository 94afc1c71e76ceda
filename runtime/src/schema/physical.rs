use serde::{Deserialize, Serialize};

/// What a backend demands of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Naming {
    /// Longest identifier, in bytes.
    pub max_bytes: usize,
    /// Whether only `[a-z0-9_]` may stand in a name (collections, files, indexes); otherwise names are quoted.
    pub plain_only: bool,
}

impl Naming {
    /// For engines that quote identifiers and take at least 63 bytes.
    pub const QUOTED: Naming = Naming { max_bytes: 63, plain_only: false };
    /// For engines that take plain names only.
    pub const PLAIN: Naming = Naming { max_bytes: 63, plain_only: true };
}

/// The physical name for a path of logical names (`[namespace, entity]`, or one field). Injective: different paths
/// give different names, also after case folding and shortening, because whatever is not kept letter by letter is
/// replaced by a digest of the whole path.
///
/// ```
/// use heavenbase::schema::{Naming, physical_name};
/// assert_eq!(physical_name(&Naming::PLAIN, &["shop", "product"]), "shop__product");
/// assert_ne!(physical_name(&Naming::PLAIN, &["a", "b__c"]), physical_name(&Naming::PLAIN, &["a__b", "c"]));
/// ```
pub fn physical_name(naming: &Naming, path: &[&str]) -> String {
    let joined = path.join("__");
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let simple = |s: &&str| {
        !s.is_empty()
            && s.chars().all(plain)
            && (path.len() == 1 || !s.contains("__") && !s.starts_with('_') && !s.ends_with('_'))
            && !s.contains("_hb_")
    };
    let starts_well = joined.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if path.iter().all(simple) && starts_well && joined.len() <= naming.max_bytes {
        return joined;
    }
    // The length before each piece keeps ["ab", "c"] and ["a", "bc"] apart.
    let mut hasher = blake3::Hasher::new();
    for piece in path {
        hasher.update(&(piece.len() as u64).to_le_bytes());
        hasher.update(piece.as_bytes());
    }
    let digest = hasher.finalize().to_hex();
    let suffix = format!("_hb_{}", &digest[..16]);
    let kept: String = joined.to_ascii_lowercase().chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let room = naming.max_bytes.saturating_sub(suffix.len() + 1);
    format!("n{}{suffix}", kept.chars().take(room).collect::<String>())
}
