use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

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
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// Longest id, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// No id yet: one is assigned when the row is written, and returned by the write.
    pub const fn auto() -> Self {
        Id(String::new())
    }

    /// A new UUIDv7 as text; later ids sort after earlier ones.
    pub fn random() -> Self {
        Id(uuid::Uuid::now_v7().to_string())
    }

    /// Whether an id is still to be assigned.
    pub fn is_auto(&self) -> bool {
        self.0.is_empty()
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id's text, owned.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Checks length, blankness and control characters.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`], naming what is wrong with the id.
    pub fn check(&self) -> Result<()> {
        let wrong = if self.0.len() > Self::MAX_BYTES {
            "is longer than 255 bytes"
        } else if self.0.trim().is_empty() {
            "is blank"
        } else if self.0.chars().any(char::is_control) {
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

impl Deref for Id {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Id {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Id {
    fn from(text: &str) -> Self {
        Id(text.to_owned())
    }
}

impl From<String> for Id {
    fn from(text: String) -> Self {
        Id(text)
    }
}

impl From<&Id> for Id {
    fn from(id: &Id) -> Self {
        id.clone()
    }
}

impl From<uuid::Uuid> for Id {
    fn from(uuid: uuid::Uuid) -> Self {
        Id(uuid.to_string())
    }
}

impl PartialEq<str> for Id {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Id {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
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
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, E> Deserialize<'de> for Ref<E> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Ref(Id::deserialize(deserializer)?, PhantomData))
    }
}
