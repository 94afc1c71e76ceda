//! Lists, JSON and bytes as bytes: small in memory, cheap to copy, and read in place where a test needs little of them.

use crate::filter::Segment;
use crate::types::{Date, Decimal, Duration, Json, Timestamp, Uuid, Value};

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const FLOAT: u8 = 4;
const DECIMAL: u8 = 5;
const TEXT: u8 = 6;
const BYTES: u8 = 7;
const TIMESTAMP: u8 = 8;
const DATE: u8 = 9;
const DURATION: u8 = 10;
const UUID: u8 = 11;
const JSON: u8 = 12;
const LIST: u8 = 13;
const VECTOR: u8 = 14;
/// An integer of JSON beyond those of 64 signed bits.
const UNSIGNED: u8 = 15;
const ARRAY: u8 = 16;
const OBJECT: u8 = 17;

/// Writes a value.
pub(super) fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(b) => out.push(if *b { TRUE } else { FALSE }),
        Value::Int(n) => tagged_number(INT, zigzag(*n), out),
        Value::Float(n) => tagged(FLOAT, &n.to_le_bytes(), out),
        Value::Decimal(n) => tagged(DECIMAL, &n.serialize(), out),
        Value::Text(text) => tagged_run(TEXT, text.as_bytes(), out),
        Value::Bytes(bytes) => tagged_run(BYTES, bytes, out),
        Value::Timestamp(t) => tagged_number(TIMESTAMP, zigzag(t.as_micros()), out),
        Value::Date(d) => tagged_number(DATE, zigzag(i64::from(d.as_days())), out),
        Value::Duration(d) => tagged_number(DURATION, zigzag(d.as_micros()), out),
        Value::Uuid(uuid) => tagged(UUID, uuid.as_bytes(), out),
        Value::Json(json) => {
            out.push(JSON);
            encode_json(json, out);
        }
        Value::List(items) => container(LIST, items.len(), out, |out| items.iter().for_each(|item| encode(item, out))),
        Value::Vector(numbers) => {
            let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            tagged_run(VECTOR, &bytes, out);
        }
    }
}

fn encode_json(json: &Json, out: &mut Vec<u8>) {
    match json {
        Json::Null => out.push(NULL),
        Json::Bool(b) => out.push(if *b { TRUE } else { FALSE }),
        Json::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(n), _) => tagged_number(INT, zigzag(n), out),
            (None, Some(n)) => tagged_number(UNSIGNED, n, out),
            (None, None) => tagged(FLOAT, &n.as_f64().unwrap_or(0.0).to_le_bytes(), out),
        },
        Json::String(text) => tagged_run(TEXT, text.as_bytes(), out),
        Json::Array(items) => container(ARRAY, items.len(), out, |out| items.iter().for_each(|item| encode_json(item, out))),
        Json::Object(map) => container(OBJECT, map.len(), out, |out| {
            for (key, value) in map {
                number(key.len() as u64, out);
                out.extend_from_slice(key.as_bytes());
                encode_json(value, out);
            }
        }),
    }
}

fn tagged(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

fn tagged_number(tag: u8, n: u64, out: &mut Vec<u8>) {
    out.push(tag);
    number(n, out);
}

fn tagged_run(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    tagged_number(tag, bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Tag, number of items, bytes they take, items.
fn container(tag: u8, items: usize, out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    tagged_number(tag, items as u64, out);
    let mut inner = Vec::new();
    fill(&mut inner);
    number(inner.len() as u64, out);
    out.append(&mut inner);
}

fn number(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn zigzag(n: i64) -> u64 {
    (n << 1 ^ n >> 63) as u64
}

fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// Reads what [`encode`] wrote. `None` only on other bytes, which a column never holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn number(&mut self) -> Option<u64> {
        let (mut n, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(n);
            }
            shift += 7;
        }
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn run(&mut self) -> Option<&'a [u8]> {
        let count = self.number()?;
        self.take(usize::try_from(count).ok()?)
    }

    fn text(&mut self) -> Option<String> {
        std::str::from_utf8(self.run()?).ok().map(str::to_owned)
    }

    /// A whole value.
    pub(super) fn value(&mut self) -> Option<Value> {
        Some(match self.byte()? {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            INT => Value::Int(unzigzag(self.number()?)),
            FLOAT => Value::Float(f64::from_le_bytes(self.fixed()?)),
            DECIMAL => Value::Decimal(Decimal::deserialize(self.fixed()?)),
            TEXT => Value::Text(self.text()?),
            BYTES => Value::Bytes(self.run()?.into()),
            TIMESTAMP => Value::Timestamp(Timestamp::from_micros(unzigzag(self.number()?)).ok()?),
            DATE => Value::Date(Date::from_days(i32::try_from(unzigzag(self.number()?)).ok()?).ok()?),
            DURATION => Value::Duration(Duration::from_micros(unzigzag(self.number()?))),
            UUID => Value::Uuid(Uuid::from_bytes(self.fixed()?)),
            JSON => Value::Json(Box::new(self.json()?)),
            LIST => {
                let (count, mut items) = self.items()?;
                Value::List((0..count).map(|_| items.value()).collect::<Option<_>>()?)
            }
            VECTOR => Value::Vector(self.run()?.chunks_exact(4).map(|n| f32::from_le_bytes([n[0], n[1], n[2], n[3]])).collect()),
            _ => return None,
        })
    }

    fn json(&mut self) -> Option<Json> {
        Some(match self.byte()? {
            NULL => Json::Null,
            FALSE => Json::Bool(false),
            TRUE => Json::Bool(true),
            INT => Json::from(unzigzag(self.number()?)),
            UNSIGNED => Json::from(self.number()?),
            FLOAT => Json::Number(serde_json::Number::from_f64(f64::from_le_bytes(self.fixed()?))?),
            TEXT => Json::String(self.text()?),
            ARRAY => {
                let (count, mut items) = self.items()?;
                Json::Array((0..count).map(|_| items.json()).collect::<Option<_>>()?)
            }
            OBJECT => {
                let (count, mut items) = self.items()?;
                Json::Object((0..count).map(|_| Some((items.text()?, items.json()?))).collect::<Option<_>>()?)
            }
            _ => return None,
        })
    }

    /// The number of items of a container whose tag was read, and the items.
    fn items(&mut self) -> Option<(u64, Reader<'a>)> {
        let count = self.number()?;
        Some((count, Reader(self.run()?)))
    }

    /// Passes over one value and gives its bytes.
    fn skip(&mut self) -> Option<&'a [u8]> {
        let whole = self.0;
        match self.byte()? {
            NULL | FALSE | TRUE => {}
            INT | UNSIGNED | TIMESTAMP | DATE | DURATION => drop(self.number()?),
            FLOAT => drop(self.take(8)?),
            DECIMAL | UUID => drop(self.take(16)?),
            TEXT | BYTES | VECTOR => drop(self.run()?),
            LIST | ARRAY | OBJECT => drop(self.items()?),
            JSON => drop(self.skip()?),
            _ => return None,
        }
        whole.get(..whole.len() - self.0.len())
    }

    /// How many items the list has.
    pub(super) fn length(mut self) -> Option<u64> {
        (self.byte()? == LIST).then(|| self.number())?
    }

    /// Whether the list has an item of exactly these bytes.
    pub(super) fn has(mut self, item: &[u8]) -> bool {
        let mut search = || {
            let (count, mut items) = (self.byte()? == LIST).then(|| self.items())??;
            (0..count).find_map(|_| (items.skip()? == item).then_some(()))
        };
        search().is_some()
    }

    /// What lies at a path of JSON; null where nothing does, or a JSON `null`.
    pub(super) fn path(mut self, path: &[Segment]) -> Value {
        let mut search = || {
            if self.byte()? != JSON {
                return None;
            }
            for segment in path {
                let tag = self.byte()?;
                match (tag, segment) {
                    (ARRAY, Segment::Index(index)) => {
                        let (count, items) = self.items()?;
                        self = items;
                        if u64::from(*index) >= count {
                            return None;
                        }
                        (0..*index).try_for_each(|_| self.skip().map(drop))?;
                    }
                    (OBJECT, Segment::Key(key)) => {
                        let (count, items) = self.items()?;
                        self = items;
                        let mut found = false;
                        for _ in 0..count {
                            if self.run()? == key.as_bytes() {
                                found = true;
                                break;
                            }
                            self.skip()?;
                        }
                        if !found {
                            return None;
                        }
                    }
                    _ => return None,
                }
            }
            self.json()
        };
        match search() {
            None | Some(Json::Null) => Value::Null,
            Some(json) => Value::Json(Box::new(json)),
        }
    }
}

/// The bytes that an item of a list equals, if equal items always have the same bytes.
pub(super) fn exact(value: &Value) -> Option<Vec<u8>> {
    // 0.0 equals -0.0, and decimals of different scale may be equal.
    if matches!(value, Value::Float(_) | Value::Decimal(_) | Value::Json(_) | Value::List(_) | Value::Vector(_)) {
        return None;
    }
    let mut bytes = Vec::new();
    encode(value, &mut bytes);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_value_comes_back_as_it_was() {
        let items = vec![
            Value::Bool(true),
            Value::Int(i64::MIN),
            Value::Int(-1),
            Value::Float(-0.0),
            Value::Decimal(Decimal::new(-1230, 3)),
            Value::Text("größe".into()),
            Value::Bytes(vec![0, 255].into()),
            Value::Timestamp(Timestamp::MIN),
            Value::Date(Date::of(Timestamp::MAX)),
            Value::Duration(Duration::from_micros(-5)),
            Value::Uuid(Uuid::from_u128(7)),
            Value::Json(Box::new(json!({"a": [1, -2, 1.5, u64::MAX, null, true, "x"], "": {}}))),
            Value::Vector(vec![1.5, -0.0].into()),
            Value::Null,
            Value::List(Box::default()),
        ];
        for value in items.iter().chain([&Value::List(items.clone().into())]) {
            let mut bytes = Vec::new();
            encode(value, &mut bytes);
            let mut reader = Reader(&bytes);
            assert_eq!(reader.value().as_ref(), Some(value));
            assert!(reader.0.is_empty());
            assert_eq!(Reader(&bytes).skip(), Some(bytes.as_slice()));
            (0..bytes.len()).for_each(|end| assert_eq!(Reader(&bytes[..end]).value(), None, "cut short"));
        }
    }

    #[test]
    fn lists_and_paths_are_read_in_place() {
        let mut bytes = Vec::new();
        encode(&Value::List([Value::Text("desk".into()), Value::Text("oak".into())].into()), &mut bytes);
        let has = |text: &str| Reader(&bytes).has(&exact(&Value::Text(text.into())).expect("texts are"));
        assert!(has("oak") && has("desk") && !has("des") && !has(""));
        assert_eq!(Reader(&bytes).length(), Some(2));
        let mut bytes = Vec::new();
        encode(&Value::Json(Box::new(json!({"a": {"b": [null, {"c": 7}]}, "d": null}))), &mut bytes);
        let path = |path: &[Segment]| Reader(&bytes).path(path);
        assert_eq!(path(&["a".into(), "b".into(), 1u32.into(), "c".into()]), Value::Json(Box::new(json!(7))));
        assert_eq!(path(&["a".into(), "b".into(), 1u32.into()]), Value::Json(Box::new(json!({"c": 7}))));
        for missing in [&["d".into()][..], &["x".into()], &["a".into(), 0u32.into()], &["a".into(), "b".into(), 2u32.into()]] {
            assert_eq!(path(missing), Value::Null);
        }
    }
}
