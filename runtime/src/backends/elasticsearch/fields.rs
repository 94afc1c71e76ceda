//! Rows read from doc values. A hit's `_id` and its `_source` are stored fields, and stored fields are compressed in blocks of many
//! documents, with their vectors in them: where all that is asked for has doc values, a search leaves the blocks closed.

use super::api::Hit;
use super::document::{ID, VERSION, field, source_of};
use super::lengths::Lengths;
use super::limits::Limits;
use super::{codec, text};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};
use crate::types::{Id, Json, LogicalType, Value};

/// Most columns that are read so: each is a lookup of its own, and `_source` is one for all.
const MOST: usize = 16;

/// What the rows of a search are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Doc values alone: such a hit has neither `_id` nor `_source`.
    DocValues,
    /// The document as it was written.
    Source,
}

/// A row of a search.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: Id,
    pub(super) version: i64,
    pub(super) values: Vec<Value>,
}

/// Whether a column's doc values give its values back bit for bit, up to long texts, which are told when they are met.
fn gives_back(column: &Column) -> bool {
    use LogicalType as T;
    match column.logical {
        T::Bool | T::Int { .. } | T::Timestamp | T::Date | T::Duration => true,
        T::Id | T::Ref(_) | T::Category(_) | T::Uuid | T::Text { .. } => true,
        // -0.0 lies there as 0.0, which equals it.
        T::Float => false,
        T::Decimal { .. } | T::Bytes | T::Json | T::List(_) | T::Vector(_) => false,
    }
}

impl Origin {
    /// Where rows of these columns are read from at the least cost.
    pub(super) fn of(part: &Part, columns: &[usize], limits: &Limits, lengths: &Lengths) -> Origin {
        // The id and the version are fields too.
        let few = columns.len() <= MOST && columns.len() + 2 <= limits.fields;
        let given = columns.iter().filter_map(|c| part.columns.get(*c)).all(gives_back);
        if few && given && lengths.are_short(part, columns) { Origin::DocValues } else { Origin::Source }
    }

    /// Makes a search give what rows of these columns need, in place of what it gave before.
    pub(super) fn ask(self, part: &Part, columns: &[usize], body: &mut Json) {
        let Some(body) = body.as_object_mut() else { return };
        match self {
            Origin::DocValues => {
                let columns = columns.iter().filter_map(|c| part.columns.get(*c)).map(|column| field("f", column));
                let fields: Vec<String> = [ID.to_owned(), VERSION.to_owned()].into_iter().chain(columns).collect();
                body.insert("stored_fields".into(), "_none_".into());
                body.insert("_source".into(), false.into());
                body.insert("docvalue_fields".into(), fields.into());
            }
            Origin::Source => {
                body.remove("stored_fields");
                body.remove("docvalue_fields");
                body.insert("_source".into(), source_of(part, columns).into());
            }
        }
    }

    /// The row of a hit that was asked for so. `None` where a text may be cut, and has to be read from the document.
    pub(super) fn row(self, part: &Part, columns: &[usize], hit: Hit) -> Result<Option<Row>> {
        match self {
            Origin::DocValues => of_fields(part, columns, &hit),
            Origin::Source => {
                let values = hit.source.values(part, columns)?;
                Ok(Some(Row { id: Id::from(hit.id), version: hit.source.hb.version, values }))
            }
        }
    }
}

fn of_fields(part: &Part, columns: &[usize], hit: &Hit) -> Result<Option<Row>> {
    let value = |name: &str| hit.fields.get(name).and_then(|values| values.get(0));
    let (Some(id), Some(version)) = (value(ID).and_then(Json::as_str), value(VERSION).and_then(Json::as_i64)) else {
        return Err(Error::new(ErrorKind::Corrupt, "a stored document has no id or no version of a row"));
    };
    let mut values = Vec::with_capacity(columns.len());
    for column in columns.iter().filter_map(|c| part.columns.get(*c)) {
        let indexed = value(&field("f", column));
        // A whole text is never so long as a first segment with its mark.
        if indexed.and_then(Json::as_str).is_some_and(text::is_long) {
            return Ok(None);
        }
        values.push(codec::read(&column.logical, None, indexed).map_err(|e| e.at_field(column.name))?);
    }
    Ok(Some(Row { id: Id::from(id), version, values }))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Map, json};

    use super::super::document::of_row;
    use super::*;
    use crate::capability::Placement;
    use crate::schema::EntitySchema;
    use crate::types::{Date, Duration, Timestamp, Uuid};

    static ENTITY: EntitySchema = EntitySchema::new("thing", &[]);

    /// A part of a column of each type.
    pub(in super::super) fn part(types: &[LogicalType]) -> Part {
        let column = |(field, logical): (usize, &LogicalType)| Column {
            field,
            name: "thing",
            physical: format!("c{field}"),
            logical: *logical,
            nullable: true,
            placement: if let LogicalType::Vector(_) = logical { Placement::VectorIndex } else { Placement::InlineColumn },
            copy: false,
            index: None,
            unique: false,
            metric: None,
            default: None,
        };
        let columns = types.iter().enumerate().map(column).collect();
        Part { entity: &ENTITY, namespace: "test".into(), backend: "main", kind: "elasticsearch", owner: true, table: "t".into(), columns }
    }

    /// The hit that a server gives of a row's document when it is asked for these columns' doc values.
    fn hit(part: &Part, columns: &[usize], values: &[Value]) -> Hit {
        let document = of_row(part, &Id::from("a"), i64::MAX, values);
        let mut body = json!({});
        Origin::DocValues.ask(part, columns, &mut body);
        let names = body["docvalue_fields"].as_array().cloned().unwrap_or_default();
        let mut fields = Map::new();
        for name in names.iter().filter_map(Json::as_str) {
            let (group, inner) = name.split_once('.').unwrap_or_default();
            if let Some(value) = document[group].get(inner) {
                fields.insert(name.to_owned(), json!([value]));
            }
        }
        serde_json::from_value(json!({ "_index": "t", "_score": null, "fields": fields })).unwrap()
    }

    #[test]
    fn values_come_back_bit_for_bit() {
        let tall = LogicalType::Text { max: 20_000 };
        let types = [LogicalType::Bool, LogicalType::INT, LogicalType::Timestamp, LogicalType::Date, LogicalType::Duration];
        let types = [&types[..], &[LogicalType::Id, LogicalType::Category(&["red"]), LogicalType::Uuid, LogicalType::TEXT, tall]].concat();
        let part = part(&types);
        let columns: Vec<usize> = (0..types.len()).collect();
        let lengths = Lengths::default();
        assert_eq!(Origin::of(&part, &columns, &Limits::default(), &lengths), Origin::Source, "texts of any length");
        let short = vec![Value::Text("short".to_owned()); columns.len()];
        lengths.note(&part, &columns, std::iter::once(&short[..]));
        assert_eq!(Origin::of(&part, &columns, &Limits::default(), &lengths), Origin::DocValues);
        let text = |text: &str| Value::Text(text.to_owned());
        let rows = [
            vec![
                Value::Bool(false),
                Value::Int(i64::MIN),
                Value::Timestamp(Timestamp::from_micros(-1).unwrap()),
                Value::Date(Date::from_days(-719_162).unwrap()),
                Value::Duration(Duration::from_micros(i64::MAX)),
                text("b"),
                text("red"),
                Value::Uuid(Uuid::from_u128(7)),
                text(""),
                text("ends with the mark \u{1}"),
            ],
            vec![Value::Null; 10],
        ];
        for values in rows {
            let row = Origin::DocValues.row(&part, &columns, hit(&part, &columns, &values)).unwrap().unwrap();
            assert_eq!((row.id.as_str(), row.version), ("a", i64::MAX));
            assert_eq!(row.values, values);
        }
        let empty: Hit = serde_json::from_value(json!({ "fields": { "hb.id": ["a"] } })).unwrap();
        assert_eq!(Origin::DocValues.row(&part, &[], empty).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn a_text_is_whole_or_not_given() {
        let part = part(&[LogicalType::Text { max: 40_000 }]);
        let read = |text: &str| {
            let values = [Value::Text(text.to_owned())];
            Origin::DocValues.row(&part, &[0], hit(&part, &[0], &values)).unwrap().map(|row| row.values == values)
        };
        for filling in ["x", "é", "😀", "\u{1}"] {
            for length in [7_999, 8_000] {
                assert_eq!(read(&filling.repeat(length)), Some(true), "{length}");
            }
            for length in [8_001, 20_000] {
                assert_eq!(read(&filling.repeat(length)), None, "{length}");
            }
            // The term of every text that is longer and begins so.
            assert_eq!(read(&format!("{}\u{1}", filling.repeat(8_000))), None);
            assert_eq!(read(&format!("{}\u{1}", filling.repeat(7_999))), Some(true));
        }
    }

    #[test]
    fn what_doc_values_do_not_give_back_is_read_from_the_document() {
        use LogicalType as T;
        let types = [T::Float, T::DECIMAL, T::Bytes, T::Json, T::List(&T::INT), T::Vector(2), T::INT];
        let part = part(&types);
        let (limits, lengths) = (Limits::default(), Lengths::default());
        for column in 0..types.len() - 1 {
            assert_eq!(Origin::of(&part, &[types.len() - 1, column], &limits, &lengths), Origin::Source, "{:?}", types[column]);
        }
        assert_eq!(Origin::of(&part, &[6], &limits, &lengths), Origin::DocValues);
        assert_eq!(Origin::of(&part, &[6; MOST], &limits, &lengths), Origin::DocValues);
        assert_eq!(Origin::of(&part, &[6; MOST + 1], &limits, &lengths), Origin::Source);
        let bounded = Limits { fields: 2, ..limits };
        assert_eq!(
            (Origin::of(&part, &[], &bounded, &lengths), Origin::of(&part, &[6], &bounded, &lengths)),
            (Origin::DocValues, Origin::Source)
        );
    }

    #[test]
    fn the_same_body_is_asked_again() {
        let part = part(&[LogicalType::INT]);
        let (mut body, mut other) = (json!({ "size": 3 }), json!({ "size": 3 }));
        Origin::DocValues.ask(&part, &[0], &mut body);
        let expected =
            json!({ "size": 3, "stored_fields": "_none_", "_source": false, "docvalue_fields": ["hb.id", "hb.version", "f.c0"] });
        assert_eq!(body, expected);
        Origin::Source.ask(&part, &[0], &mut body);
        Origin::Source.ask(&part, &[0], &mut other);
        assert_eq!(body, other);
        assert!(body["_source"].is_array());
    }
}
