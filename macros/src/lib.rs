//! Derive macros of HeavenBase. Use them through the `heavenbase` crate.
//!
//! Each derive reads its input into a model (`parse`), and writes the model out (`expand`). Every mistake is collected, all
//! are reported in one compilation, and the impls are written all the same: what uses the struct elsewhere still compiles,
//! so that one mistake is one message. What only the compiler knows (whether the layout has the backend, whether that
//! stores the type) is asked by bounds in a function `check` that is never called, each spanned on what the user wrote.
#![deny(missing_docs)]

mod attributes;
mod category;
mod entity;
mod errors;
mod layout;
mod logical;
mod names;
mod projection;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Describes which backends an application has: one field a backend, the field's name being the backend's (lower-case
/// ASCII, at most 24 characters) and its type the kind.
///
/// | attribute | on | meaning |
/// |---|---|---|
/// | `#[layout(default)]` | a field | the backend of fields that name none, and the owner of rows; needed unless there is one field |
///
/// Beside `Layout` there is a constant a backend, `Shop::MAIN`, to name copies by.
///
/// ```
/// use heavenbase::prelude::*;
///
/// #[derive(Layout)]
/// struct Shop {
///     #[layout(default)]
///     main: Sqlite,
///     memory: InMem,
///     either: OneOf<(InMem, Sqlite)>,
/// }
///
/// assert_eq!(Shop::MEMORY.name(), "memory");
/// assert_eq!(Shop::ENTRIES.iter().map(|entry| entry.name).collect::<Vec<_>>(), ["main", "memory", "either"]);
/// ```
#[proc_macro_derive(Layout, attributes(layout))]
pub fn derive_layout(input: TokenStream) -> TokenStream {
    layout::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Places the fields of a struct on the backends of a layout, and makes one constant a field to write queries with.
///
/// On the struct, `#[entity(…)]`:
///
/// | key | meaning |
/// |---|---|
/// | `layout = Shop` | the layout; needed |
/// | `name = "…"` | the entity's name in storage; the struct's in snake_case otherwise |
/// | `owner = "main"` | the backend that decides whether a row exists; the layout's default otherwise |
/// | `index(a, b)` | an index over several fields of one backend; repeatable |
/// | `unique(a, b)` | a group of fields that is unique together, on the owner; repeatable |
/// | `table = "schema.orders"` | a table that exists already; `table("schema", "a.b")` for names that hold dots |
/// | `read_only` | methods that write its rows do not compile |
///
/// On a field, `#[store(…)]`; without it the field lies on the default backend. A second and later one is a copy:
///
/// | key | meaning |
/// |---|---|
/// | `to = "main"` | the backend |
/// | `as = SideTable` | how it lies there: `InlineColumn`, `JsonField`, `SideTable`, `VectorIndex`, `InvertedIndex`; by its type otherwise |
/// | `index`, `index = hnsw(m = 16)` | an index, of the backend's usual method or of this one |
/// | `unique` | no two rows hold the same value |
/// | `metric = "cosine"` | of a vector: `cosine` (the default), `l2` or `dot` |
/// | `copy` | a copy, which can be rebuilt from the first `#[store]` |
/// | `name = "…"` | the field's name in storage |
/// | `default`, `default = expression` | as `#[default]` below, for a struct that derives `Default`: that derive claims the attribute |
///
/// and besides:
///
/// | attribute | meaning |
/// |---|---|
/// | `#[text(max = 255)]` | the greatest number of characters of a text; 65 535 otherwise |
/// | `#[decimal(precision = 12, scale = 2)]` | the digits of a decimal, all of them and those after the point |
/// | `#[default]`, `#[default(expression)]` | the value in rows that were written before the field existed; a text literal may stand for a `String` |
/// | `#[compute(path::to::function)]` | computed when the row is written, by a `fn(&Self) -> Type`; what the struct holds is ignored |
/// | `#[compute(embed, from(title, body))]` | of a vector: embedded from these text fields when they change, by the workspace's embedder `default`; `embed = "name"` by another |
/// | `#[id(column = "orderkey", as = i64)]` | on `object_id`: the key column of the existing table (`object_id` otherwise), and what it holds: `String` (otherwise), `i64` or `Uuid` |
/// | `#[id(from(a, b))]` | on `object_id`: a row without an id gets one that follows from these fields |
///
/// ```
/// use heavenbase::prelude::*;
///
/// #[derive(Layout)]
/// struct Shop {
///     #[layout(default)]
///     main: Sqlite,
///     memory: InMem,
/// }
///
/// #[derive(Entity)]
/// #[entity(layout = Shop, index(brand, price))]
/// struct Product {
///     #[id(from(title, brand))]
///     object_id: Id,
///     #[store(to = "main", index)]
///     #[text(max = 255)]
///     title: String,
///     brand: String,
///     #[decimal(precision = 12, scale = 2)]
///     price: Option<Decimal>,
///     #[store(as = InvertedIndex)]
///     #[store(to = "memory", copy)]
///     body: String,
///     #[compute(length)]
///     length: i64,
///     #[store(to = "memory", metric = "l2")]
///     embedding: Option<Vector<3>>,
/// }
///
/// fn length(product: &Product) -> i64 {
///     product.body.len() as i64
/// }
///
/// let query = Query::<Product>::new()
///     .filter(Product::TITLE.starts_with("d") & Product::BODY.on(Shop::MEMORY).matches("oak desk"))
///     .near(Product::EMBEDDING, &[1.0, 0.0, 0.0], 10)
///     .select((Product::OBJECT_ID, Product::PRICE, SCORE));
/// # let _ = query;
/// ```
///
/// What a backend cannot do does not compile:
///
/// ```compile_fail,E0277
/// # use heavenbase::prelude::*;
/// # #[derive(Layout)]
/// # struct Shop { main: Sqlite }
/// #[derive(Entity)]
/// #[entity(layout = Shop)]
/// struct Product {
///     object_id: Id,
///     title: String,
/// }
///
/// // SQLite finds words in an inverted index only: `#[store(as = InvertedIndex)]`, or `Product::TITLE.scan()`.
/// let filter = Product::TITLE.matches("desk");
/// ```
#[proc_macro_derive(Entity, attributes(entity, store, text, decimal, default, compute, id))]
pub fn derive_entity(input: TokenStream) -> TokenStream {
    entity::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Stores an enum without fields by the name of its variant, as written.
///
/// | attribute | on | meaning |
/// |---|---|---|
/// | `#[category(rename = "…")]` | a variant | another name in storage |
///
/// ```
/// use heavenbase::prelude::*;
/// use heavenbase::types::Value;
///
/// #[derive(Category, Debug, PartialEq)]
/// enum Color {
///     Red,
///     #[category(rename = "dark blue")]
///     DarkBlue,
/// }
///
/// assert_eq!(Color::DarkBlue.to_value(), Value::Text("dark blue".into()));
/// assert_eq!(Color::from_value(Value::Text("Red".into())), Ok(Color::Red));
/// ```
#[proc_macro_derive(Category, attributes(category))]
pub fn derive_category(input: TokenStream) -> TokenStream {
    category::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Stores a newtype as the value it holds. It takes no attributes; it can be in a list where that value can.
///
/// ```
/// use heavenbase::prelude::*;
///
/// #[derive(Logical)]
/// struct Isbn(String);
///
/// #[derive(Layout)]
/// struct Library {
///     main: Sqlite,
/// }
///
/// #[derive(Entity)]
/// #[entity(layout = Library)]
/// struct Book {
///     object_id: Id,
///     isbn: Isbn,
///     cited: Vec<Isbn>,
/// }
///
/// let filter = Book::ISBN.starts_with("978") & Book::CITED.has(Isbn("9780141439518".into()));
/// # let _ = filter;
/// ```
#[proc_macro_derive(Logical)]
pub fn derive_logical(input: TokenStream) -> TokenStream {
    logical::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Selects some fields of an entity into a struct. Each field has the name and the type of the entity's; a field of type
/// `Score` takes the score of a search.
///
/// | attribute | on | meaning |
/// |---|---|---|
/// | `#[projection(of = Product)]` | the struct | the entity; needed |
/// | `#[projection(from = price)]` | a field | the entity's field, where it has another name |
///
/// ```
/// use heavenbase::prelude::*;
///
/// # #[derive(Layout)]
/// # struct Shop { main: Sqlite }
/// #[derive(Entity)]
/// #[entity(layout = Shop)]
/// struct Product {
///     object_id: Id,
///     title: String,
///     price: f64,
///     embedding: Vector<3>,
/// }
///
/// #[derive(Projection)]
/// #[projection(of = Product)]
/// struct Card {
///     object_id: Id,
///     title: String,
///     #[projection(from = price)]
///     cost: f64,
///     score: Score,
/// }
///
/// let query: Query<Product, Card> = Query::<Product>::new().near(Product::EMBEDDING, &[1.0, 0.0, 0.0], 10).select_as();
/// # let _ = query;
/// ```
#[proc_macro_derive(Projection, attributes(projection))]
pub fn derive_projection(input: TokenStream) -> TokenStream {
    projection::derive(&parse_macro_input!(input as DeriveInput)).into()
}
