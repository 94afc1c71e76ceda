use std::future::Future;

use super::RowCursor;
use std::sync::Arc;

use crate::backends::Connect;
use crate::capability::Backend;
use crate::driver::Driver;
use crate::error::Result;
use crate::schema::{Binding, EntitySchema, LayoutEntry};
use crate::types::{Id, Value};

/// Which backends an application has. Derive it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layout",
    label = "not a layout",
    note = "derive it: `#[derive(Layout)] struct {Self} {{ main: Sqlite }}`"
)]
pub trait Layout: Sized + Send + 'static {
    /// The layout itself. The derived code of entities goes through it: of what is no layout the compiler then knows no
    /// type, and asks it for no backends.
    #[doc(hidden)]
    type Itself: Layout;

    /// The backends, in the struct's order.
    const ENTRIES: &'static [LayoutEntry];

    /// Connects every backend.
    ///
    /// # Errors
    /// What the first backend that cannot be reached says, with its name.
    fn connect(self) -> impl Future<Output = Result<Vec<Binding>>> + Send;

    /// The layout from a description as data, such as a file gives.
    ///
    /// # Errors
    /// [`InvalidSchema`](crate::ErrorKind::InvalidSchema) naming the backend whose description is missing or wrong.
    fn from_options(options: &crate::backends::LayoutOptions) -> Result<Self> {
        options.only(&[])?;
        Err(crate::Error::new(crate::ErrorKind::Unsupported, "this layout is not derived and says nothing of options"))
    }

    /// The same layout with every backend replaced by memory that has exactly the same capabilities, for tests.
    fn rehearsal() -> crate::backends::Rehearsal<Self> {
        crate::backends::Rehearsal::new()
    }
}

/// A layout that has a backend named `N` (a [`Name`](super::Name)). Derived with [`Layout`].
#[diagnostic::on_unimplemented(
    message = "the layout `{Self}` has no backend of this name",
    label = "no such backend: those of `{Self}` are the fields of its struct"
)]
pub trait HasBackend<N>: Layout {
    /// The backend's kind.
    type Kind: Connect;
}

/// The kind of the backend that the layout of `E` has under the name `N`.
pub type KindOf<E, N> = <<E as Entity>::Layout as HasBackend<N>>::Kind;

/// A struct whose fields lie on the backends of a layout. Derive it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an entity",
    label = "not an entity",
    note = "derive it: `#[derive(Entity)] #[entity(layout = …)] struct {Self} {{ object_id: Id, … }}`"
)]
pub trait Entity: Sized + Send + Sync + 'static {
    /// The layout whose backends hold the fields.
    type Layout: Layout;
    /// The entity as data.
    const SCHEMA: &'static EntitySchema;

    /// The row's id; [`Id::auto`] asks for one.
    fn id(&self) -> &Id;

    /// Appends the values of [`EntitySchema::fields`], in order, computed ones included.
    fn encode(&self, values: &mut Vec<Value>);

    /// Reads a row of all fields, in order.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when a stored value is not of its field's type.
    fn decode(row: &mut RowCursor<'_>) -> Result<Self>;
}

/// An entity whose rows are written through the workspace: every one that is not `read_only`. Derived with [`Entity`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is read_only: HeavenBase writes none of its rows",
    label = "takes an entity that may be written",
    note = "leave `read_only` out of `#[entity(…)]` where the rows are yours to write"
)]
pub trait Writable: Entity {}

/// A field that has a copy on the backend named `N`. Derived.
#[diagnostic::on_unimplemented(
    message = "the field has no copy on this backend",
    label = "no copy there: add one with `#[store(to = \"…\", copy)]`"
)]
pub trait HasCopy<N> {
    /// How the copy lies there.
    type Placement;
}

/// A vector field that an embedder computes. Derived.
#[diagnostic::on_unimplemented(
    message = "the field has no embedder to turn a text into a vector",
    label = "no embedder: add `#[compute(embed, from(…))]` to the field, or search by a vector with `near`"
)]
pub trait Embedded {}

/// The copies of a field that has none.
#[derive(Debug)]
pub struct NoCopies;

/// Stands in a [`Field`](super::Field)'s place of a backend's name after `.scan()`.
#[derive(Debug)]
pub struct Scanned;

/// The kind that a scanned field has: it runs every operation that the field's class has. The derive of [`Layout`] gives
/// every layout one, under the name [`Scanned`].
// Its name is what messages show: "`ScanOfEveryRow` cannot run `OpSum` on a `TextField`".
#[derive(Debug)]
pub enum ScanOfEveryRow {}

#[diagnostic::do_not_recommend]
impl Backend for ScanOfEveryRow {
    const KINDS: &'static [&'static str] = &[];
}

#[diagnostic::do_not_recommend]
impl Connect for ScanOfEveryRow {
    async fn connect(self) -> Result<Arc<dyn Driver>> {
        match self {}
    }
}

#[diagnostic::do_not_recommend]
impl<Op, C: crate::capability::class::Has<Op>, P> crate::capability::Runs<Op, C, P> for ScanOfEveryRow {}
