//! The entities that the cases speak of.
#![deny(missing_docs)]

use heavenbase::prelude::*;

/// Backends that differ in what they can do.
#[derive(Debug, Layout)]
pub struct Shop {
    /// Most fields.
    #[layout(default)]
    pub main: Sqlite,
    /// Vectors.
    pub memory: InMem,
    /// Files, which search no vectors.
    pub files: FileStore,
    /// Memory or SQLite: only what both can do.
    pub either: OneOf<(InMem, Sqlite)>,
}

/// What a product looks like.
#[derive(Clone, Copy, Debug, PartialEq, Category)]
pub enum Color {
    /// Red.
    Red,
    /// Blue.
    Blue,
}

/// A field of every class.
#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(layout = Shop)]
pub struct Product {
    object_id: Id,
    title: String,
    #[store(as = InvertedIndex)]
    #[store(to = "memory", copy)]
    body: String,
    price: f64,
    cost: Decimal,
    stock: Option<i64>,
    sold: bool,
    added: Timestamp,
    color: Color,
    tags: Vec<String>,
    payload: Json,
    picture: Bytes,
    maker: Ref<Maker>,
    #[store(to = "memory")]
    embedding: Option<Vector<3>>,
    #[store(to = "files", as = InlineColumn)]
    thumbnail: Option<Vector<3>>,
    #[store(to = "either")]
    note: String,
}

/// Another entity of the same layout.
#[derive(Clone, Debug, PartialEq, Entity)]
#[entity(layout = Shop)]
pub struct Maker {
    object_id: Id,
    title: String,
    founded: i64,
}
