use std::path::Path;
use std::sync::Arc;

use heavenbase::backends::{Connect, FileStore, JsonFile, Pickle};
use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, Page, SubQuery, WriteBatch, WriteMode, WriteReport};
use heavenbase::schema::{Binding, EntitySchema, FieldSchema, Part, PlacementSchema, Routing};
use heavenbase::types::{Decimal, Id, Json, LogicalType, Metric, Timestamp, Uuid, Value};
use heavenbase::{Error, Result};

/// The kinds that share the row engine.
pub const KINDS: [&str; 3] = ["json", "pickle", "file"];

pub const fn place(placement: Placement) -> PlacementSchema {
    PlacementSchema { backend: "", placement, copy: false, index: None, unique: false, metric: None }
}

const INLINE: &[PlacementSchema] = &[place(Placement::InlineColumn)];
const UNIQUE: &[PlacementSchema] = &[PlacementSchema { unique: true, ..place(Placement::InlineColumn) }];
const JSON: &[PlacementSchema] = &[place(Placement::JsonField)];
const VECTOR: &[PlacementSchema] = &[PlacementSchema { metric: Some(Metric::Cosine), ..place(Placement::VectorIndex) }];

pub const fn field(name: &'static str, logical: LogicalType, placements: &'static [PlacementSchema]) -> FieldSchema {
    FieldSchema { placements, ..FieldSchema::new(name, logical, true) }
}

/// A field of every type.
pub static EVERYTHING: EntitySchema = EntitySchema::new(
    "everything",
    &[
        field("flag", LogicalType::Bool, INLINE),
        field("number", LogicalType::INT, INLINE),
        field("ratio", LogicalType::Float, INLINE),
        field("price", LogicalType::Decimal { precision: 20, scale: 6 }, INLINE),
        field("title", LogicalType::TEXT, INLINE),
        field("blob", LogicalType::Bytes, INLINE),
        field("moment", LogicalType::Timestamp, INLINE),
        field("day", LogicalType::Date, INLINE),
        field("span", LogicalType::Duration, INLINE),
        field("token", LogicalType::Uuid, INLINE),
        field("shade", LogicalType::Category(&["Light", "Dark"]), INLINE),
        field("payload", LogicalType::Json, JSON),
        field("tags", LogicalType::List(&LogicalType::TEXT), INLINE),
        field("vector", LogicalType::Vector(3), VECTOR),
        field("owner", LogicalType::Ref("person"), INLINE),
    ],
);

/// A small entity with a unique field.
pub static ITEM: EntitySchema =
    EntitySchema::new("item", &[field("name", LogicalType::TEXT, UNIQUE), field("number", LogicalType::INT, INLINE)]);

pub async fn connect(kind: &str, directory: &Path) -> Result<Arc<dyn Driver>> {
    match kind {
        "json" => JsonFile::dir(directory).connect().await,
        "pickle" => Pickle::dir(directory).connect().await,
        "file" => FileStore::dir(directory).connect().await,
        other => panic!("no kind {other}"),
    }
}

/// A driver and a registered part of it.
#[derive(Clone)]
pub struct Store {
    pub driver: Arc<dyn Driver>,
    pub part: Arc<Part>,
}

impl Store {
    pub async fn open(kind: &'static str, directory: &Path, entity: &'static EntitySchema) -> Store {
        let store = Store::connect(kind, directory, entity, "space").await.unwrap();
        store.driver.ensure(&store.part).await.unwrap();
        store
    }

    /// Connected, but not registered.
    pub async fn connect(kind: &'static str, directory: &Path, entity: &'static EntitySchema, namespace: &str) -> Result<Store> {
        let driver = connect(kind, directory).await?;
        let binding = Binding { name: "main", kind, driver: driver.clone() };
        let part = Routing::new(entity, &Arc::from(namespace), "main", &[binding]).unwrap().parts[0].clone();
        Ok(Store { driver, part })
    }

    pub fn all_columns(&self) -> Vec<usize> {
        (0..self.part.columns.len()).collect()
    }

    pub async fn write(&self, mode: WriteMode, version: i64, rows: Vec<(String, Vec<Value>)>) -> Result<WriteReport> {
        let columns = if mode == WriteMode::Delete { Vec::new() } else { self.all_columns() };
        let (ids, values): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let values = if mode == WriteMode::Delete { Vec::new() } else { values.into_iter().flatten().collect() };
        let ids = ids.into_iter().map(Id::from).collect();
        self.driver.write(&self.part, Arc::new(WriteBatch { mode, version, ids, columns, values, expected: Vec::new() })).await
    }

    pub async fn upsert(&self, version: i64, rows: Vec<(String, Vec<Value>)>) {
        self.write(WriteMode::Upsert, version, rows).await.unwrap();
    }

    pub async fn get(&self, id: &str) -> Result<Option<(i64, Vec<Value>)>> {
        let page = self.driver.fetch_one(&self.part, &Id::from(id), &self.all_columns()).await?;
        Ok((!page.is_empty()).then(|| (page.versions[0], page.row(0).to_vec())))
    }

    /// All pages of a sub-query, and the error that ended it, if one did.
    pub async fn run(&self, query: SubQuery) -> (Page, Option<Error>) {
        let mut all = Page::new(query.columns.len());
        let mut stream = match self.driver.open(self.part.clone(), Arc::new(query)) {
            Ok(stream) => stream,
            Err(error) => return (all, Some(error)),
        };
        loop {
            match stream.next_page().await {
                Ok(Some(page)) => all.append(page),
                Ok(None) => return (all, None),
                Err(error) => return (all, Some(error)),
            }
        }
    }

    pub async fn everything(&self) -> Page {
        let (page, error) = self.run(SubQuery { columns: self.all_columns(), page_rows: 7, ..SubQuery::default() }).await;
        assert!(error.is_none(), "{error:?}");
        page
    }
}

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A row of [`ITEM`].
pub fn item(id: &str, number: i64) -> (String, Vec<Value>) {
    (id.to_owned(), vec![text(&format!("name of {id}")), Value::Int(number)])
}

pub fn json(text: &str) -> Value {
    Value::Json(Box::new(text.parse::<Json>().unwrap()))
}

/// Rows of [`EVERYTHING`] at the edges of their types.
pub fn edges() -> Vec<(String, Vec<Value>)> {
    let vector = |v: [f32; 3]| Value::Vector(v.as_slice().into());
    let list = |items: &[&str]| Value::List(items.iter().map(|t| text(t)).collect());
    let full = |number: i64, ratio: f64, title: &str, payload: &str| {
        vec![
            Value::Bool(true),
            Value::Int(number),
            Value::Float(ratio),
            Value::Decimal("12345678901234.500000".parse::<Decimal>().unwrap()),
            text(title),
            Value::Bytes((0..=255u8).collect()),
            Value::Timestamp("2026-11-21T06:30:00.000001Z".parse::<Timestamp>().unwrap()),
            Value::Date("1969-12-31".parse().unwrap()),
            Value::Duration(heavenbase::types::Duration::from_micros(i64::MIN)),
            Value::Uuid(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)),
            text("Dark"),
            json(payload),
            list(&["b", "a", "b", ""]),
            vector([0.1, -1.5e-20, 3.4e38]),
            text("person/1"),
        ]
    };
    let strange = "quote\" back\\slash\nnew line\ttab \u{0} nul \u{2028} é 漢 🦀 \u{10ffff}";
    vec![
        ("all-null".into(), vec![Value::Null; 15]),
        ("empty".into(), {
            let mut row = full(0, 0.0, "", "{}");
            row[5] = Value::Bytes([].into());
            row[12] = list(&[]);
            row
        }),
        ("Größe/../x:*?\"<>|%".into(), full(i64::MIN, -0.0, strange, r#"{"$json":[1,1.0,"1",null,true,18446744073709551615]}"#)),
        ("MAX".into(), full(i64::MAX, f64::MAX, strange, "null")),
        ("max".into(), full(-1, f64::MIN_POSITIVE / 4.0, "'; DROP TABLE x; --", "1.0")),
        ("..".into(), full(1, 0.1 + 0.2, "..", "\"text\"")),
        ("x".repeat(255), full(9_007_199_254_740_993, 1e23, "long id", r#"{"a":{"b":[{"c":-1}]}}"#)),
        ("é".repeat(127), full(2, 5e-324, "long id of two bytes each", "[[],[[]],{}]")),
    ]
}

/// The same values, bits of floats included.
pub fn assert_same(found: &[Value], wanted: &[Value], what: &str) {
    assert_eq!(found, wanted, "{what}");
    for (a, b) in found.iter().zip(wanted) {
        if let (Value::Float(a), Value::Float(b)) = (a, b) {
            assert_eq!(a.to_bits(), b.to_bits(), "{what}");
        }
    }
}
