//! What the derives make, seen from an application's crate that documents everything.
#![deny(missing_docs, warnings)]

use heavenbase::prelude::*;
use heavenbase::schema::{IdSource, Index};
use heavenbase::types::{LogicalType, Metric, Value};

/// The backends.
#[derive(Debug, Layout)]
pub struct Shop {
    /// Holds most of it.
    #[layout(default)]
    pub main: Sqlite,
    /// Vectors and scratch values.
    pub scratch: InMem,
}

/// Every attribute once.
#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(layout = Shop, index(title, price), unique(title, brand))]
pub struct Product {
    #[id(from(title, brand))]
    object_id: Id,
    /// What it is called.
    #[store(to = "main", index, unique, name = "name")]
    #[text(max = 255)]
    title: String,
    brand: String,
    #[store(to = "main")]
    #[decimal(precision = 12, scale = 2)]
    price: Option<Decimal>,
    #[store(to = "main", as = SideTable)]
    tags: Vec<String>,
    #[store(to = "main", as = InvertedIndex)]
    #[store(to = "scratch", copy)]
    body: Option<String>,
    #[store(to = "scratch", metric = "l2", index = hnsw(m = 16, ef_construction = 64))]
    embedding: Option<Vector<2>>,
    #[store(to = "main")]
    #[compute(length)]
    length: i64,
    #[store(to = "main")]
    #[default]
    stock: u32,
    #[store(to = "main")]
    #[default("standard")]
    r#type: String,
    #[store(to = "main")]
    maker: Ref<Product>,
    color: Option<Color>,
    colors: Vec<Color>,
    isbn: Isbn,
    other_isbns: Vec<Isbn>,
}

/// Stored by name.
#[derive(Clone, Copy, Debug, PartialEq, Category)]
pub enum Color {
    /// As written.
    Red,
    /// Under another name.
    #[category(rename = "dark blue")]
    DarkBlue,
}

/// Stored as text.
#[derive(Clone, Debug, PartialEq, Logical)]
pub struct Isbn(String);

/// A newtype that cannot be in a list.
#[derive(Clone, Debug, PartialEq, Logical)]
pub struct Settings {
    json: Json,
}

/// Some fields.
#[derive(Debug, PartialEq, Projection)]
#[projection(of = Product)]
pub struct Card {
    object_id: Id,
    title: String,
    r#type: String,
    #[projection(from = price)]
    cost: Option<Decimal>,
    score: Score,
}

fn length(product: &Product) -> i64 {
    product.title.len() as i64
}

fn product() -> Product {
    Product {
        object_id: Id::from("e1"),
        title: "desk".into(),
        brand: "oak".into(),
        price: None,
        tags: vec!["a".into()],
        body: None,
        embedding: Some(Vector::from([1.0, 0.0])),
        length: 0,
        stock: 3,
        r#type: "big".into(),
        maker: Ref::new("m"),
        color: Some(Color::DarkBlue),
        colors: vec![Color::Red],
        isbn: Isbn("3".into()),
        other_isbns: vec![Isbn("4".into())],
    }
}

#[test]
fn a_schema_says_what_the_attributes_say() {
    let schema = Product::SCHEMA;
    assert_eq!(schema.name, "product");
    assert_eq!(schema.id, IdSource::From(&["title", "brand"]));
    assert_eq!(schema.indexes, [["title", "price"]]);
    assert_eq!(schema.uniques, [["title", "brand"]]);
    assert_eq!(schema.fields.iter().map(|f| f.name).collect::<Vec<_>>()[7..10], ["stock", "type", "maker"]);
    let field = |name| schema.field(name).map(|(_, f)| f).ok_or(name).unwrap();
    let title = field("title");
    assert_eq!((title.stored_name, title.logical, title.nullable), ("name", LogicalType::Text { max: 255 }, false));
    assert!(title.placements[0].unique && title.placements[0].index == Some(Index { method: "", parameters: &[] }));
    assert_eq!(field("brand").placements[0].backend, "");
    assert_eq!(field("price").logical, LogicalType::Decimal { precision: 12, scale: 2 });
    assert!(field("price").nullable);
    assert_eq!(field("body").placements.iter().map(|p| (p.backend, p.copy)).collect::<Vec<_>>(), [("main", false), ("scratch", true)]);
    let embedding = field("embedding").placements[0];
    assert_eq!(embedding.metric, Some(Metric::L2));
    assert_eq!(embedding.index, Some(Index { method: "hnsw", parameters: &[("m", 16), ("ef_construction", 64)] }));
    assert!(field("length").computed);
    assert_eq!(field("stock").default.map(|f| f()), Some(Value::Int(0)));
    assert_eq!(field("type").default.map(|f| f()), Some(Value::Text("standard".into())));
    assert_eq!(field("maker").logical, LogicalType::Ref("product"));
    assert_eq!(
        Shop::ENTRIES.iter().map(|e| (e.name, e.kinds, e.default)).collect::<Vec<_>>(),
        [("main", &["sqlite"][..], true), ("scratch", &["inmem"][..], false)]
    );
}

#[test]
fn a_row_comes_back_as_it_was_written() {
    let mut row = product();
    let mut values = Vec::new();
    row.encode(&mut values);
    assert_eq!(values.len(), Product::SCHEMA.fields.len());
    let mut id = row.id().clone();
    let back = Product::decode(&mut heavenbase::query::RowCursor::new(&mut id, None, &mut values)).unwrap();
    // It was computed at write.
    row.length = 4;
    assert_eq!(back, row);
}

/// Defaults beside the standard library's derive, which claims `#[default]`.
#[derive(Clone, Debug, Default, PartialEq, Entity)]
#[entity(layout = Shop, index(size, label))]
pub struct New {
    object_id: Id,
    #[store(default = 3)]
    size: i64,
    #[store(to = "main", name = "The Label", default)]
    label: String,
}

/// A table that is there already.
#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(layout = Shop, table("old", "The.Things"))]
pub struct Old {
    #[id(column = "key", as = Uuid)]
    object_id: Id,
    size: i64,
    #[store(to = "main", name = "The Label")]
    label: String,
}

/// As `Old`, with a field elsewhere, which only the layout knows.
#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(layout = Shop, table = "old.things")]
pub struct Torn {
    object_id: Id,
    size: i64,
    #[store(to = "scratch")]
    far: i64,
}

/// Two fields of an index on two backends, one of them by default: only the layout knows.
#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(layout = Shop, index(near, far))]
pub struct Apart {
    object_id: Id,
    near: i64,
    #[store(to = "scratch")]
    far: i64,
}

#[tokio::test]
async fn a_mapped_table_keeps_its_names_and_an_index_lies_on_one_backend() {
    let bindings = Shop::rehearsal().connect().await.unwrap();
    let routing = heavenbase::schema::Routing::new(Old::SCHEMA, &"shop".into(), "main", &bindings).unwrap();
    let part = &routing.parts[0];
    assert_eq!(part.path().collect::<Vec<_>>(), ["old", "The.Things"]);
    assert_eq!((part.table.as_str(), part.version()), ("old.The.Things", None));
    let key = part.key();
    assert_eq!((key.column, key.kind), ("key", heavenbase::schema::KeyKind::Uuid));
    let error = heavenbase::schema::Routing::new(Torn::SCHEMA, &"shop".into(), "main", &bindings).unwrap_err();
    assert!(error.to_string().contains("store every field on `main`"), "{error}");
    assert_eq!(routing.parts[0].columns.iter().map(|c| &*c.physical).collect::<Vec<_>>(), ["size", "The Label"]);
    assert_eq!(New::SCHEMA.fields[0].default.map(|f| f()), Some(Value::Int(3)));
    let error = heavenbase::schema::Routing::new(Apart::SCHEMA, &"shop".into(), "main", &bindings).unwrap_err();
    assert!(error.to_string().contains("index(near, far) lies on one backend"), "{error}");
}

#[test]
fn a_row_from_before_a_field_has_its_default() {
    let mut values = Vec::new();
    product().encode(&mut values);
    values[7] = Value::Null;
    values[8] = Value::Null;
    let back = Product::decode(&mut heavenbase::query::RowCursor::new(&mut Id::from("e1"), None, &mut values)).unwrap();
    assert_eq!((back.stock, back.r#type.as_str()), (0, "standard"));
}

#[test]
fn queries_are_written_with_the_constants() {
    let query = Query::<Product>::new()
        .filter(Product::TITLE.contains("desk") & Product::TAGS.has("a") & !Product::TYPE.eq("small"))
        .filter(Product::BODY.on(Shop::SCRATCH).matches("oak") | Product::BODY.matches("oak"))
        .filter(Product::PRICE.lt(Decimal::from(3)) & Product::MAKER.eq("m") & Product::OBJECT_ID.ne("x"))
        .near(Product::EMBEDDING, &[1.0, 0.0], 3)
        .order_by(Product::STOCK.desc())
        .select((Product::OBJECT_ID, Product::TITLE, SCORE));
    assert_eq!(query.spec().select.as_ref().map(Vec::len), Some(2));
    let _: Query<Product, (Id, String, Score)> = query;
    let _ = Query::<Product>::new().group_by(Product::BRAND, (COUNT, Product::STOCK.avg()));
    let _ = Query::<Product>::new().aggregate(Product::PRICE.scan().sum());
}

#[test]
fn a_category_is_its_name() {
    assert_eq!(Color::TYPE, LogicalType::Category(&["Red", "dark blue"]));
    assert_eq!(Color::DarkBlue.to_value(), Value::Text("dark blue".into()));
    assert_eq!(Color::from_value(Value::Text("Red".into())), Ok(Color::Red));
    assert!(Color::from_value(Value::Text("DarkBlue".into())).is_err());
    let _ = Query::<Product>::new().filter(Product::COLOR.eq(Color::Red) | Product::COLOR.eq(None) | Product::COLORS.has(Color::DarkBlue));
}

#[test]
fn a_newtype_is_its_value() {
    assert_eq!(Isbn::TYPE, LogicalType::TEXT);
    assert_eq!(Settings { json: Json::Null }.to_value(), Value::Json(Box::new(Json::Null)));
    let isbn = Isbn("1".into());
    let query = Query::<Product>::new().filter(Product::ISBN.eq(&isbn) | Product::ISBN.starts_with("1") | Product::OTHER_ISBNS.has(isbn));
    assert!(format!("{query:?}").contains("other_isbns"));
}

#[test]
fn a_projection_asks_for_its_fields() {
    let fields = Card::fields();
    assert_eq!(fields.iter().map(|f| &*f.name).collect::<Vec<_>>(), ["object_id", "title", "type", "price"]);
    let mut values = [Value::Text("e1".into()), Value::Text("desk".into()), Value::Text("big".into()), Value::Null];
    let card = Card::read(&mut heavenbase::query::RowCursor::new(&mut Id::from("e1"), Some(0.5), &mut values)).unwrap();
    assert_eq!(card, Card { object_id: Id::from("e1"), title: "desk".into(), r#type: "big".into(), cost: None, score: Score(0.5) });
    let _: Query<Product, Card> = Query::<Product>::new().select_as::<Card>();
}
