use super::ID_COLUMN;
use crate::types::{Id, LogicalType, Uuid, Value};

/// A table that HeavenBase did not create: `#[entity(table = "sales.orders")]`. It has no version column and no manifest,
/// and is never created, altered or dropped. See `docs/decisions/0007-existing-tables.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExistingTable {
    /// The names that lead to it, as they are in the database: `[table]`, `[schema, table]` or `[catalog, schema, table]`.
    pub path: &'static [&'static str],
    /// The column that is the row's id: `#[id(column = "orderkey")]`.
    pub key: &'static str,
    /// What that column holds: `#[id(as = i64)]`.
    pub kind: KeyKind,
}

impl ExistingTable {
    /// A table at a path whose key is text in the column `object_id`: what the derive starts from.
    pub const fn at(path: &'static [&'static str]) -> Self {
        ExistingTable { path, key: ID_COLUMN, kind: KeyKind::Text }
    }
}

/// What a key column holds. The id of a row is its key's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// Text, which is the id as it is.
    #[default]
    Text,
    /// Whole numbers of up to 64 bits; the id is the number in decimal: `-7`, `0`, `1200`.
    Int,
    /// UUIDs; the id is the usual form in small letters: `0195f3c0-…`.
    Uuid,
}

impl KeyKind {
    /// The key of the row with this id. `None` where no key has this text (`007`, `+7`, a UUID in capitals), so that no row
    /// can have the id: a driver answers "not there" without asking.
    ///
    /// ```
    /// use heavenbase::schema::KeyKind;
    /// use heavenbase::types::Value;
    /// assert_eq!(KeyKind::Int.value("-12"), Some(Value::Int(-12)));
    /// assert_eq!(KeyKind::Int.value("012"), None);
    /// ```
    pub fn value(self, id: &str) -> Option<Value> {
        match self {
            KeyKind::Text => Some(Value::Text(id.to_owned())),
            KeyKind::Int => id.parse::<i64>().ok().filter(|number| number.to_string() == id).map(Value::Int),
            KeyKind::Uuid => Uuid::parse_str(id).ok().filter(|uuid| uuid.to_string() == id).map(Value::Uuid),
        }
    }

    /// The id of the row with this key; `None` for a value of another kind.
    pub fn id(self, key: Value) -> Option<Id> {
        match (self, key) {
            (KeyKind::Text, Value::Text(text)) => Some(Id::from(text)),
            (KeyKind::Int, Value::Int(number)) => Some(Id::from(number.to_string())),
            (KeyKind::Uuid, Value::Uuid(uuid)) => Some(Id::from(uuid)),
            _ => None,
        }
    }

    /// The logical type that a driver reads and binds the key as.
    pub const fn logical(self) -> LogicalType {
        match self {
            KeyKind::Text => LogicalType::Id,
            KeyKind::Int => LogicalType::INT,
            KeyKind::Uuid => LogicalType::Uuid,
        }
    }

    /// Whether ids sort as the keys themselves do where the engine compares UUIDs by their bytes: all but numbers.
    pub const fn sorts_as_text(self) -> bool {
        !matches!(self, KeyKind::Int)
    }
}

/// The column of a part that is the row's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The column's name.
    pub column: &'static str,
    /// What it holds: text everywhere but on an [`ExistingTable`].
    pub kind: KeyKind,
}

impl Key {
    /// The keys of some ids, in their order; ids that no key has are left out.
    pub fn values(&self, ids: &[Id]) -> Vec<Value> {
        ids.iter().filter_map(|id| self.kind.value(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_text_of_one_key_and_back() {
        for (kind, id) in [
            (KeyKind::Int, "0"),
            (KeyKind::Int, "-9223372036854775808"),
            (KeyKind::Text, "007"),
            (KeyKind::Uuid, "01234567-89ab-cdef-0123-456789abcdef"),
        ] {
            assert_eq!(kind.id(kind.value(id).unwrap()).unwrap(), id);
        }
        for id in ["", "-0", "+1", "01", "1 ", "1.0", "9223372036854775808", "١"] {
            assert_eq!(KeyKind::Int.value(id), None, "{id}");
        }
        for id in ["01234567-89AB-cdef-0123-456789abcdef", "0123456789abcdef0123456789abcdef", "{01234567-89ab-cdef-0123-456789abcdef}"] {
            assert_eq!(KeyKind::Uuid.value(id), None, "{id}");
        }
    }
}
