use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;

use ascii::{AsciiChar, AsciiStr};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorKind, Result};

/// The identity of a row: text of 1 to 255 bytes, not blank, without control characters. Compares and sorts as bytes.
///
/// [`Id::auto`] asks for an id at write time: a UUIDv7, or the one that `#[id(from(…))]` derives.
///
/// ```
/// use heavenbase::types::Id;
/// let id = Id::from("e1");
/// assert_eq!(id.as_str(), "e1");
/// assert!(Id::from(" ").check().is_err());
/// assert_ne!(Id::random(), Id::random());
/// ```
#[derive(Clone)]
pub struct Id(Repr);

/// Most characters of an id that lies within itself: a UUID's text has 36.
const SHORT: usize = 38;

/// Merges and probes hold millions of ids and look at each once. Short ones of ASCII, which ids nearly always are, lie in
/// the list itself: no allocation, no second place in memory. What follows the text is zero.
#[derive(Clone)]
enum Repr {
    Short { length: u8, text: [AsciiChar; SHORT] },
    Long(Box<str>),
}

impl Id {
    /// Longest id, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// No id yet: one is assigned when the row is written, and returned by the write.
    pub const fn auto() -> Self {
        Id(Repr::Short { length: 0, text: [AsciiChar::Null; SHORT] })
    }

    /// A new UUIDv7 as text; later ids sort after earlier ones.
    pub fn random() -> Self {
        Id::from(uuid::Uuid::now_v7())
    }

    /// Whether an id is still to be assigned.
    pub fn is_auto(&self) -> bool {
        matches!(self.0, Repr::Short { length: 0, .. })
    }

    /// The id's text.
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Short { length, text } => short(*length, text).as_str(),
            Repr::Long(text) => text,
        }
    }

    /// The id's text, owned.
    pub fn into_string(self) -> String {
        match self.0 {
            Repr::Short { length, text } => short(length, &text).as_str().to_owned(),
            Repr::Long(text) => text.into_string(),
        }
    }

    /// The eight bytes after the first `skip`, as a number that orders as they do; zeros stand for what is missing.
    #[inline]
    pub(crate) fn key(&self, skip: usize) -> u64 {
        if let Repr::Short { text, .. } = &self.0
            && let Some(bytes) = bytes_of(text).get(skip..).and_then(<[u8]>::first_chunk)
        {
            return u64::from_be_bytes(*bytes);
        }
        Self::key_of(self.as_bytes(), skip)
    }

    /// The same of an id's bytes that lie elsewhere.
    #[inline]
    pub(crate) fn key_of(bytes: &[u8], skip: usize) -> u64 {
        let tail = bytes.get(skip..).unwrap_or_default();
        if let Some(bytes) = tail.first_chunk() {
            return u64::from_be_bytes(*bytes);
        }
        let mut bytes = [0; 8];
        bytes[..tail.len()].copy_from_slice(tail);
        u64::from_be_bytes(bytes)
    }

    /// Checks length, blankness and control characters.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`], naming what is wrong with the id.
    pub fn check(&self) -> Result<()> {
        Self::check_text(self.as_str())
    }

    /// Checks a text that is to be an id, as [`check`](Id::check) does.
    pub(crate) fn check_text(text: &str) -> Result<()> {
        // The usual id: graphic ASCII, of which nothing is blank or a control character.
        if text.len() <= Self::MAX_BYTES && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(());
        }
        let wrong = if text.len() > Self::MAX_BYTES {
            "is longer than 255 bytes"
        } else if text.trim().is_empty() {
            "is blank"
        } else if text.chars().any(char::is_control) {
            "holds a control character"
        } else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::InvalidValue,
            format!("the id {wrong}: an id is 1 to 255 bytes of text, not blank, without control characters"),
        )
        .at_field("object_id"))
    }
}

#[inline]
fn short(length: u8, text: &[AsciiChar; SHORT]) -> &AsciiStr {
    // Never longer than the array: see `From<&str>`.
    text.get(..usize::from(length)).unwrap_or_default().into()
}

#[inline]
fn bytes_of(text: &[AsciiChar; SHORT]) -> &[u8] {
    <&AsciiStr>::from(&text[..]).as_bytes()
}

impl Default for Id {
    fn default() -> Self {
        Id::auto()
    }
}

impl PartialEq for Id {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Repr::Short { length, text }, Repr::Short { length: other_length, text: other }) => {
                // Arrays of one length: compared in a few instructions.
                let (a, b): (Option<&[u8; SHORT]>, Option<&[u8; SHORT]>) = (bytes_of(text).first_chunk(), bytes_of(other).first_chunk());
                a == b && length == other_length
            }
            _ => self.as_bytes() == other.as_bytes(),
        }
    }
}

impl Eq for Id {}

impl Ord for Id {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.key(0).cmp(&other.key(0)).then_with(|| self.as_bytes().cmp(other.as_bytes()))
    }
}

impl PartialOrd for Id {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // As a text does, for `Borrow<str>`.
        self.as_str().hash(state);
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Id").field(&self.as_str()).finish()
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Id::from)
    }
}

impl Deref for Id {
    type Target = str;
    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Id {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<&str> for Id {
    #[inline]
    fn from(text: &str) -> Self {
        short_id(text).unwrap_or_else(|| Id(Repr::Long(text.into())))
    }
}

impl From<String> for Id {
    fn from(text: String) -> Self {
        short_id(&text).unwrap_or_else(|| Id(Repr::Long(text.into_boxed_str())))
    }
}

impl From<&String> for Id {
    fn from(text: &String) -> Self {
        Id::from(text.as_str())
    }
}

/// An id that lies within itself, if the text is short and ASCII.
#[inline]
fn short_id(text: &str) -> Option<Id> {
    let length = u8::try_from(text.len()).ok()?;
    let mut bytes = [0; SHORT];
    bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
    let text: &[AsciiChar; SHORT] = AsciiStr::from_ascii(&bytes).ok()?.as_slice().first_chunk()?;
    Some(Id(Repr::Short { length, text: *text }))
}

impl From<&Id> for Id {
    fn from(id: &Id) -> Self {
        id.clone()
    }
}

impl From<uuid::Uuid> for Id {
    fn from(uuid: uuid::Uuid) -> Self {
        Id::from(&*uuid.hyphenated().encode_lower(&mut [0; uuid::fmt::Hyphenated::LENGTH]))
    }
}

impl PartialEq<str> for Id {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Id {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

/// The id of a row of another entity `E`. Nothing checks that the row exists.
pub struct Ref<E>(Id, PhantomData<fn() -> E>);

impl<E> Ref<E> {
    /// A reference to the row of `E` with this id.
    pub fn new(id: impl Into<Id>) -> Self {
        Ref(id.into(), PhantomData)
    }

    /// The id referred to.
    pub fn id(&self) -> &Id {
        &self.0
    }

    /// The id referred to, owned.
    pub fn into_id(self) -> Id {
        self.0
    }
}

impl<E> Clone for Ref<E> {
    fn clone(&self) -> Self {
        Ref(self.0.clone(), PhantomData)
    }
}

impl<E> fmt::Debug for Ref<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ref({:?})", self.0.as_str())
    }
}

impl<E> PartialEq for Ref<E> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<E> Eq for Ref<E> {}

impl<E> Serialize for Ref<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, E> Deserialize<'de> for Ref<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Ref(Id::deserialize(deserializer)?, PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_five_words_and_a_uuid_lies_within_it() {
        assert_eq!(size_of::<Id>(), 40);
        assert!(matches!(Id::random().0, Repr::Short { .. }));
    }

    #[test]
    fn ids_compare_hash_and_read_as_their_texts_do_wherever_they_lie() {
        let long = "x".repeat(SHORT);
        let mut texts: Vec<String> =
            ["", "a", "a\0", "a\0b", "b", "ä", "same-prefix-1", "same-prefix-10", "same-prefix-2"].map(String::from).into();
        texts.extend([
            long.clone(),
            format!("{long}x"),
            format!("{long}\0"),
            long[1..].to_owned(),
            format!("{}ä", &long[2..]),
            "x".repeat(255),
        ]);
        let hasher = std::hash::RandomState::new();
        let hash = |value: &dyn Fn(&mut dyn Hasher)| {
            let mut state = std::hash::BuildHasher::build_hasher(&hasher);
            value(&mut state);
            state.finish()
        };
        for a in &texts {
            let id = Id::from(a.as_str());
            assert_eq!((id.as_str(), &id.clone().into_string(), id.is_auto()), (a.as_str(), a, a.is_empty()));
            assert_eq!(Id::from(a.clone()), id);
            assert_eq!(hash(&|mut state| id.hash(&mut state)), hash(&|mut state| a.as_str().hash(&mut state)));
            assert_eq!(serde_json::to_string(&id).ok(), serde_json::to_string(a).ok());
            assert_eq!(serde_json::to_string(a).ok().and_then(|json| serde_json::from_str(&json).ok()), Some(id.clone()));
            for b in &texts {
                let other = Id::from(b.as_str());
                assert_eq!(id.cmp(&other), a.as_bytes().cmp(b.as_bytes()), "{a:?} and {b:?}");
                assert_eq!(id == other, a == b);
                for skip in [0, 3, 37, 40] {
                    let tail = |text: &str| {
                        text.as_bytes().get(skip..).unwrap_or_default().iter().copied().chain([0; 8]).take(8).collect::<Vec<_>>()
                    };
                    assert_eq!(id.key(skip).cmp(&other.key(skip)), tail(a).cmp(&tail(b)));
                }
            }
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for (text, why) in [("", "blank"), (" \t", "blank"), ("a\nb", "control"), ("\u{85}", "blank"), ("ä\u{1}", "control")] {
            assert!(Id::from(text).check().is_err_and(|e| e.to_string().contains(why)), "{text:?}");
        }
        assert!(Id::from("x".repeat(256)).check().is_err());
        assert!(["x".repeat(255).as_str(), "two words", "ä", "-"].iter().all(|text| Id::from(*text).check().is_ok()));
    }
}
