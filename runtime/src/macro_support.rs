//! What the code that derives write names. Not for other use: it changes without notice.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

pub use std::option::Option::{self, Some};
pub use std::result::Result::{Err, Ok};
pub use std::string::String;
pub use std::vec;
pub use std::vec::Vec;

pub use crate::backends::LayoutOptions;
pub use crate::capability::op::metric;
pub use crate::capability::{class, placement};
pub use crate::error::Result;
pub use crate::query::{
    DefaultPlacement, Embedded, Entity, Field, FieldRef, HasBackend, HasCopy, Layout, Name, NameText, Projection, RowCursor,
    ScanOfEveryRow, Scanned, Score, Slot, Writable,
};
pub use crate::schema::{
    BackendOption, Binding, EmbeddingSchema, EntitySchema, ExistingTable, FieldSchema, IdSource, Index, KeyKind, LayoutEntry,
    PlacementSchema,
};
pub use crate::types::{Id, ListItem, Logical, LogicalType, Metric, Mismatch, Named, Operand, Value};

use crate::backends::{Connect, MapsTables};
use crate::capability::placement::Placed;
use crate::capability::{Backend, Ranks, Runs, Stores, Writes};
use crate::driver::Driver;

/// The kinds of a layout's backend.
pub const fn kinds_of<L: HasBackend<N>, N>() -> &'static [&'static str] {
    <L::Kind as Backend>::KINDS
}

/// One place on a backend, with nothing asked for. Made once for all fields that lie so, and not once a field: that is less
/// for the compiler.
pub const fn at<N: NameText, P: Placed>() -> &'static [PlacementSchema] {
    const { &[PlacementSchema::of::<P>(N::TEXT)] }
}

/// A layout, to be asked which backends it has.
///
/// Each question of the derived code is a call, so that its answer has a span; and what one call gives is the receiver of
/// the next, so that after a "no" the compiler knows no type to ask further, and says one thing about one mistake.
#[derive(Debug)]
pub struct Of<L>(PhantomData<fn() -> L>);

/// A backend of the kind `K`, to be asked what it can do.
#[derive(Clone, Copy, Debug)]
pub struct On<K>(PhantomData<K>);

impl<L> Of<L> {
    /// The layout.
    pub const fn layout() -> Self {
        Of(PhantomData)
    }

    /// The backend of this name.
    // One line a signature, here and below: the compiler quotes the line of the bound in its messages.
    #[rustfmt::skip]
    pub fn on<N, K>(&self) -> On<K> where L: HasBackend<N, Kind = K> {
        On(PhantomData)
    }
}

/// The configuration of the backend of this name, from a description as data.
///
/// # Errors
/// What the description lacks or has too much.
pub fn described<L: HasBackend<N>, N>(options: &LayoutOptions, name: &'static str) -> Result<L::Kind> {
    options.backend(name)
}

/// Connects the backend of this name.
///
/// # Errors
/// What the backend says, with the name.
// Boxed, so that a kind that does not connect is reported where it is written and not inside of the derived future.
pub fn bind<L: HasBackend<N>, N>(name: &'static str, backend: L::Kind) -> Pin<Box<dyn Future<Output = Result<Binding>> + Send>> {
    Box::pin(crate::backends::bind(name, backend))
}

impl<K> On<K> {
    /// It stores fields of the class `C` as `P`.
    #[rustfmt::skip]
    pub fn stores<C, P>(self) -> Self where K: Stores<C, P> {
        self
    }

    /// It is written.
    #[rustfmt::skip]
    pub fn writes(self) -> Self where K: Writes {
        self
    }

    /// It has tables that exist already.
    #[rustfmt::skip]
    pub fn maps_tables(self) -> Self where K: MapsTables {
        self
    }

    /// It ranks vectors by the metric `M`.
    #[rustfmt::skip]
    pub fn ranks<M>(self) -> Self where K: Ranks<M> {
        self
    }
}

/// Fields of this class have a greatest length.
pub fn takes_text<C: TakesText>() {}

/// Fields of this class have digits to count.
pub fn takes_decimal<C: TakesDecimal>() {}

/// Fields of this class are searched by a metric.
pub fn takes_metric<C: TakesMetric>() {}

/// Fields of this class are embedded.
pub fn takes_embedding<C: TakesEmbedding>() {}

/// Fields of this class have a text to embed.
pub fn embeds<C: Embeds>() {}

/// A class that `#[compute(embed, …)]` speaks of.
#[diagnostic::on_unimplemented(message = "`embed` is for `Vector` fields, this is a `{Self}`", label = "not on a vector field")]
pub trait TakesEmbedding {}
#[diagnostic::do_not_recommend]
impl TakesEmbedding for class::Vector {}

/// A class whose values are embedded.
#[diagnostic::on_unimplemented(
    message = "an embedding is made from text, this is a `{Self}`",
    label = "not a text field: embed a text that is computed from it, `#[compute(path::to::function)]`"
)]
pub trait Embeds {}
#[diagnostic::do_not_recommend]
impl Embeds for class::Text {}

/// A class that `#[text]` speaks of.
#[diagnostic::on_unimplemented(message = "`#[text]` is for text fields, this is a `{Self}`", label = "not a text field")]
pub trait TakesText {}
#[diagnostic::do_not_recommend]
impl TakesText for class::Text {}

/// A class that `#[decimal]` speaks of.
#[diagnostic::on_unimplemented(message = "`#[decimal]` is for `Decimal` fields, this is a `{Self}`", label = "not a `Decimal` field")]
pub trait TakesDecimal {}
#[diagnostic::do_not_recommend]
impl TakesDecimal for class::Decimal {}

/// A class that `metric = "…"` speaks of.
#[diagnostic::on_unimplemented(message = "a metric is for `Vector` fields, this is a `{Self}`", label = "not a vector field")]
pub trait TakesMetric {}
#[diagnostic::do_not_recommend]
impl TakesMetric for class::Vector {}

/// A field of the type `T` that a projection reads.
#[derive(Debug)]
pub struct Selected<T>(FieldRef, PhantomData<fn() -> T>);

/// A field, to be read by a projection.
pub fn selected<E, T, N, P, C>(field: Field<E, T, N, P, C>) -> Selected<T> {
    Selected(field.reference(), PhantomData)
}

impl<T> Selected<T> {
    /// The field, read as its own type.
    pub fn read_as<R: Reads<T>>(self) -> FieldRef {
        self.0
    }
}

/// A projection's type that reads a field of the type `T`: that type itself.
#[diagnostic::on_unimplemented(
    message = "the entity's field is of type `{T}`, the projection's of type `{Self}`",
    label = "should be `{T}`"
)]
pub trait Reads<T> {}
impl<T> Reads<T> for T {}

/// The layout of an entity that names none: it has every backend, so that the one mistake is reported once.
#[derive(Debug)]
pub struct AnyLayout;

/// The kind of every backend of [`AnyLayout`]: it can do everything.
#[derive(Debug)]
pub enum AnyKind {}

impl Layout for AnyLayout {
    type Itself = Self;
    const ENTRIES: &'static [LayoutEntry] = &[];

    async fn connect(self) -> Result<Vec<Binding>> {
        Ok(Vec::new())
    }
}

#[diagnostic::do_not_recommend]
impl<N> HasBackend<N> for AnyLayout {
    type Kind = AnyKind;
}

#[diagnostic::do_not_recommend]
impl Backend for AnyKind {
    const KINDS: &'static [&'static str] = &[];
}

#[diagnostic::do_not_recommend]
impl Connect for AnyKind {
    async fn connect(self) -> Result<Arc<dyn Driver>> {
        match self {}
    }
}

#[diagnostic::do_not_recommend]
impl MapsTables for AnyKind {}
#[diagnostic::do_not_recommend]
impl Writes for AnyKind {}

impl<Op, C, P> Runs<Op, C, P> for AnyKind {}
#[diagnostic::do_not_recommend]
impl<C, P> Stores<C, P> for AnyKind {}
#[diagnostic::do_not_recommend]
impl<M> Ranks<M> for AnyKind {}
