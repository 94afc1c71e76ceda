//! Every attribute at its place, in a crate that documents everything and allows no warning.
#![deny(missing_docs, warnings)]

use heavenbase::prelude::*;

/// The backends.
#[derive(Debug, Layout)]
pub struct Shop {
    #[layout(default)]
    main: Sqlite,
    a_name_of_24_characters_: InMem,
}

/// One backend is the default.
#[derive(Debug, Layout)]
pub struct Alone {
    memory: InMem,
}

/// How a thing looks.
#[derive(Clone, Copy, Debug, PartialEq, Category)]
pub enum Shape {
    /// Round.
    Round,
    /// Not a Rust name.
    #[category(rename = "a bit square")]
    Square,
}

/// A number on a book.
#[derive(Clone, Debug, PartialEq, Logical)]
pub struct Isbn(String);

/// All of it.
#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(
    layout = Shop,
    name = "things",
    owner = "main",
    index(title, count),
    index(title, price),
    unique(title, count)
)]
pub struct Thing {
    #[id(from(title, count))]
    object_id: Id,
    /// Documented, too.
    #[store(to = "main", index, unique, name = "Title")]
    #[text(max = 255)]
    title: String,
    #[store(to = "main", index = btree)]
    #[decimal(precision = 12, scale = 2)]
    price: Option<Decimal>,
    #[store(to = "main")]
    #[default]
    count: u8,
    #[store(to = "main")]
    #[default(Some(Shape::Round))]
    shape: Option<Shape>,
    #[default("none")]
    isbn_text: String,
    #[text(max = 13)]
    isbn: Option<Isbn>,
    #[compute(length)]
    length: i64,
    #[store(to = "main", as = SideTable)]
    shapes: Vec<Shape>,
    #[store(as = InvertedIndex)]
    #[store(to = "a_name_of_24_characters_", copy, as = InlineColumn)]
    r#type: String,
    #[store(to = "a_name_of_24_characters_", metric = "dot", index = hnsw(m = 16, ef_construction = 64))]
    #[store(to = "main", copy)]
    embedding: Option<Vector<3>>,
    #[compute(embed, from(title, r#type))]
    meaning: Option<Vector<3>>,
    #[compute(embed = "another", from(isbn_text, isbn))]
    #[store(to = "a_name_of_24_characters_")]
    #[store(to = "main", copy)]
    other_meaning: Vector<4>,
    next: Option<Ref<Thing>>,
    others: Vec<Ref<Other>>,
}

/// A table that exists already.
#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(layout = Shop, table = "sales.old_things", read_only)]
pub struct OldThing {
    #[id(column = "key", as = i64)]
    object_id: Id,
    #[store(name = "The Title")]
    title: String,
    price: Option<Decimal>,
}

/// Another, whose names hold dots.
#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(layout = Shop, table("sales", "v1.things"))]
pub struct OlderThing {
    #[id(as = Uuid)]
    object_id: Id,
    #[store(to = "main")]
    title: String,
}

fn length(thing: &Thing) -> i64 {
    thing.title.len() as i64
}

/// Refers back.
#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(layout = Shop)]
pub struct Other {
    object_id: Id,
    thing: Ref<Thing>,
}

/// An entity of nothing but its id.
#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(layout = Alone)]
pub struct Mark {
    object_id: Id,
}

/// Some of it.
#[derive(Clone, Debug, PartialEq, Projection)]
#[projection(of = Thing)]
pub struct Card {
    object_id: Id,
    title: String,
    #[projection(from = price)]
    cost: Option<Decimal>,
    r#type: String,
    score: Score,
}

fn main() {
    let _ = Query::<Thing>::new().filter(Thing::TYPE.on(Shop::A_NAME_OF_24_CHARACTERS).contains("a")).select_as::<Card>();
    let _ = Query::<Thing>::new().near(Thing::EMBEDDING, &[1.0, 0.0, 0.0], 3);
    let _ = Query::<Thing>::new().near_text(Thing::MEANING, "round", 3);
    let _ = Query::<Thing>::new().near_text(Thing::OTHER_MEANING.on(Shop::MAIN), "round", 3);
    let _ = Query::<Thing>::new().hybrid([near_text(Thing::OTHER_MEANING, "round"), matching(Thing::TYPE, "round")], 3);
    let _ = Query::<Thing>::new().filter(Thing::SHAPES.has(Shape::Square) & Thing::ISBN.eq(Isbn(String::new())));
    let _ = Query::<Mark>::new().filter(Mark::OBJECT_ID.eq("a"));
    let _ = (Other::THING.eq("a"), Thing::OTHERS.has("b"));
}
