//! What lies at a path of a JSON text, read without building the rest of it, and tests of it for functions inside SQL.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::filter::{Condition, Filter, Program, Segment, Target, Test};
use crate::types::{Json, Value};

/// A test of what lies at a path, as a text that [`PathTest::read`] takes: the operand of a function inside SQL.
///
/// # Errors
/// When JSON cannot say the operand: a float that is not finite.
pub(crate) fn path_text(path: &[Segment], condition: &Condition) -> serde_json::Result<String> {
    let text = serde_json::to_string(&(path, condition))?;
    serde_json::from_str::<(Vec<Segment>, Condition)>(&text)?;
    Ok(text)
}

/// A test of what lies at a path: the path, and the test of a whole JSON value.
pub(crate) struct PathTest(Vec<Segment>, Program);

impl PathTest {
    /// Reads what [`path_text`] wrote.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read(text: &[u8]) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let (path, condition): (Vec<Segment>, Condition) = serde_json::from_slice(text)?;
        let test = Test { target: Target::Path(Vec::new()), ..Test::new("json", condition) };
        Ok(PathTest(path, Program::new(&Filter::Test(test), &|_| Some(0))?))
    }

    /// Whether it holds on a JSON text; `None` is null.
    ///
    /// # Errors
    /// When the text is no JSON.
    pub fn holds(&self, json: Option<&[u8]>) -> serde_json::Result<bool> {
        let found = json.map(|json| at(json, &self.0)).transpose()?.flatten();
        let value = found.map_or(Value::Null, |json| Value::Json(Box::new(json)));
        Ok(self.1.holds_on(std::slice::from_ref(&value)))
    }
}

/// The value at the path, if there is one.
///
/// # Errors
/// When the text is no JSON.
fn at(text: &[u8], path: &[Segment]) -> serde_json::Result<Option<Json>> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let found = At(path).deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

/// Reads the value at a path below.
struct At<'p>(&'p [Segment]);

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Option<Json>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        if self.0.is_empty() { Json::deserialize(reader).map(Some) } else { reader.deserialize_any(self) }
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = Option<Json>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Some((Segment::Key(wanted), rest)) = self.0.split_first() else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(None);
        };
        let mut found = None;
        while let Some(is_wanted) = map.next_key_seed(Is(wanted))? {
            if is_wanted {
                found = map.next_value_seed(At(rest))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        if let Some((Segment::Index(wanted), rest)) = self.0.split_first() {
            for _ in 0..*wanted {
                if items.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(None);
                }
            }
            match items.next_element_seed(At(rest))? {
                Some(value) => found = value,
                None => return Ok(None),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a key is the one wanted.
struct Is<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_through_objects_and_arrays_and_nowhere_else() {
        let text = br#"{"skip": [1, {"a": 2}], "a": {"b": [10, {"c": null}, "x"]}, "e\u0301'": 5}"#;
        let found = |path: &[Segment]| at(text, path).unwrap();
        assert_eq!(found(&["a".into(), "b".into(), 0.into()]), Some(10.into()));
        assert_eq!(found(&["a".into(), "b".into(), 1.into(), "c".into()]), Some(Json::Null));
        assert_eq!(found(&["e\u{301}'".into()]), Some(5.into()));
        for absent in [vec!["b".into()], vec![0.into()], vec!["a".into(), "b".into(), 3.into()], vec!["a".into(), "b".into(), "0".into()]] {
            assert_eq!(found(&absent), None, "{absent:?}");
        }
        assert_eq!(found(&["a".into(), "b".into(), 0.into(), "c".into()]), None);
        assert!(found(&[]).is_some_and(|whole| whole.is_object()));
        assert!(at(b"{\"a\": ", &["b".into()]).is_err());
    }
}
