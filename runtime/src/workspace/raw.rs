//! The way out: native connections, and SQL of the application's own into typed rows.

use std::marker::PhantomData;

use super::Workspace;
use crate::backends::{Native, RunsSql};
use crate::driver::{RawColumn, RawColumns, RawStatement};
use crate::error::{Error, ErrorKind, Result};
use crate::query::{Entity, HasBackend, Layout, Projection, RowCursor, Slot};
use crate::schema::{Binding, ID_COLUMN};
use crate::types::{Id, Logical, LogicalType, Mismatch, Value};

/// A backend of the layout `L` that runs SQL: `Shop::MAIN`, which the compiler checks, or its name, which is checked when
/// the statement runs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no SQL backend of `{L}`",
    label = "expected a constant of the layout such as `Shop::MAIN`, or a name"
)]
pub trait SqlBackend<L> {
    /// The backend's name.
    fn backend_name(&self) -> &str;
}

#[diagnostic::do_not_recommend]
impl<L: HasBackend<N>, N> SqlBackend<L> for Slot<L, N>
where
    <L as HasBackend<N>>::Kind: RunsSql,
{
    fn backend_name(&self) -> &str {
        (*self).name()
    }
}

impl<L> SqlBackend<L> for &str {
    fn backend_name(&self) -> &str {
        self
    }
}

/// The text of a statement. A text in the program is one by itself; [`SqlText::composed`] takes one that was put together.
#[derive(Clone, Debug)]
pub struct SqlText(String);

impl SqlText {
    /// A text that was put together when the program ran. What it holds runs as it is: let nothing from outside into it,
    /// and bind values.
    pub fn composed(text: impl Into<String>) -> Self {
        SqlText(text.into())
    }
}

impl From<&'static str> for SqlText {
    fn from(text: &'static str) -> Self {
        SqlText(text.to_owned())
    }
}

/// What a row of a [`Raw`] statement becomes: a tuple of up to 12 [`Logical`] types, read in the statement's order, or a
/// struct with `#[derive(Projection)]`, read by its fields' names.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from the rows of a statement",
    label = "not a row",
    note = "a row is a tuple of storable types such as `(Id, String, i64)`, with a comma for one: `(i64,)`, or a struct with `#[derive(Projection)]`"
)]
pub trait RawRow: Sized {
    /// The columns that are read.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`] for a projection that no statement can give.
    fn columns() -> Result<RawColumns>;

    /// Reads a row of them.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`] naming the column whose value is none of its type.
    fn read(names: &[String], values: &mut [Value]) -> Result<Self>;
}

/// A statement of the application's own, to be bound and run: see [`Workspace::raw`].
#[must_use = "a statement does nothing until it is run"]
pub struct Raw<L, R> {
    workspace: Workspace<L>,
    backend: String,
    text: String,
    values: Vec<(LogicalType, Value)>,
    of: PhantomData<fn() -> R>,
}

impl<L, R> std::fmt::Debug for Raw<L, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Raw").field("backend", &self.backend).field("text", &self.text).finish_non_exhaustive()
    }
}

impl<L: Layout> Workspace<L> {
    /// What a backend's driver works with: `&SqliteDriver`, which lends its connections, `&PgPool`, a client. The compiler
    /// knows the kind from the layout.
    ///
    /// ```
    /// use heavenbase::prelude::*;
    ///
    /// #[derive(Layout)]
    /// struct Shop {
    ///     main: Sqlite,
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let ws = Workspace::open(Shop { main: Sqlite::memory() }).await?;
    /// let answer: i64 = ws.backend(Shop::MAIN)?.with_connection(|c| c.query_row("SELECT 6 * 7", [], |row| row.get(0)))?;
    /// assert_eq!(answer, 42);
    /// # Ok::<(), heavenbase::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] in a rehearsal, where memory stands in the backend's place.
    pub fn backend<N>(&self, slot: Slot<L, N>) -> Result<<<L as HasBackend<N>>::Kind as Native>::Handle<'_>>
    where
        L: HasBackend<N>,
        <L as HasBackend<N>>::Kind: Native,
    {
        self.backend_as::<<L as HasBackend<N>>::Kind>(slot.name())
    }

    /// As [`backend`](Workspace::backend), by name: for a `OneOf`, and for programs whose layout comes as data.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`] for a name that the layout does not have, [`ErrorKind::Unsupported`] for a backend of
    /// another kind.
    pub fn backend_as<K: Native>(&self, name: &str) -> Result<K::Handle<'_>> {
        let binding = self.binding(name).map_err(|e| e.in_operation("backend"))?;
        K::handle(&*binding.driver).ok_or_else(|| {
            let why = format!(
                "the backend runs on {}, and is asked for as {}: ask for what it is",
                binding.driver.description().engine,
                K::KINDS.join(" or ")
            );
            Error::new(ErrorKind::Unsupported, why).on_backend(name).in_operation("backend")
        })
    }

    /// A statement in the engine's own SQL, for what HeavenBase does not say. Values are bound with
    /// [`bind`](Raw::bind) to the engine's placeholders (`?` on SQLite, `$1` on Postgres). Tables are called what the
    /// manifest `_hb_manifest` says: `<namespace>__<entity>`.
    ///
    /// Rows become tuples, or structs that derive `Projection`:
    ///
    /// ```
    /// use heavenbase::prelude::*;
    ///
    /// #[derive(Layout)]
    /// struct Shop {
    ///     main: Sqlite,
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let ws = Workspace::open(Shop { main: Sqlite::memory() }).await?;
    /// ws.raw::<()>(Shop::MAIN, "CREATE TABLE visits (page TEXT, seen INTEGER)").execute().await?;
    /// ws.raw::<()>(Shop::MAIN, "INSERT INTO visits VALUES (?, ?), ('about', 2)").bind("home").bind(40).execute().await?;
    /// let rows: Vec<(String, i64)> = ws.raw(Shop::MAIN, "SELECT page, seen FROM visits WHERE seen > ?").bind(10).all().await?;
    /// assert_eq!(rows, [("home".to_owned(), 40)]);
    /// # Ok::<(), heavenbase::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// What it changes in tables of HeavenBase passes by everything that keeps rows whole (versions, checks, other
    /// backends): change rows with `update` and `upsert`, and read with this.
    pub fn raw<R: RawRow>(&self, backend: impl SqlBackend<L>, text: impl Into<SqlText>) -> Raw<L, R> {
        Raw {
            workspace: self.clone(),
            backend: backend.backend_name().to_owned(),
            text: text.into().0,
            values: Vec::new(),
            of: PhantomData,
        }
    }

    fn binding(&self, name: &str) -> Result<&Binding> {
        self.inner.bindings.iter().find(|binding| binding.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.inner.bindings.iter().map(|binding| binding.name).collect();
            let why = format!("the layout has no backend of this name, it has: {}", names.join(", "));
            Error::new(ErrorKind::InvalidQuery, why).on_backend(name)
        })
    }
}

/// A value for a placeholder: of any type that a field can have, or a `&str`.
pub trait Bindable {
    /// Its type and itself.
    fn bound(self) -> (LogicalType, Value);
}

impl<T: Logical> Bindable for T {
    fn bound(self) -> (LogicalType, Value) {
        (T::TYPE, self.to_value())
    }
}

impl Bindable for &str {
    fn bound(self) -> (LogicalType, Value) {
        (LogicalType::TEXT, Value::Text(self.to_owned()))
    }
}

impl<L: Layout, R: RawRow> Raw<L, R> {
    /// Binds a value to the next placeholder. It never becomes part of the text.
    pub fn bind(mut self, value: impl Bindable) -> Self {
        self.values.push(value.bound());
        self
    }

    /// Runs it and reads all rows.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`] for values or columns of another number or type, naming the column;
    /// [`ErrorKind::Unsupported`] for a backend without SQL; what the engine says. After
    /// [`Status::Unknown`](crate::Status::Unknown) a statement that changes something may have taken place.
    pub async fn all(self) -> Result<Vec<R>> {
        let wanted = R::columns().map_err(|e| e.in_operation("raw"))?;
        let mut answer = self.run(wanted).await?;
        let names = std::mem::take(&mut answer.names);
        answer.rows.iter_mut().map(|row| R::read(&names, row).map_err(|e| e.in_operation("raw"))).collect()
    }

    /// Runs it and reads the first row, if there is one. All rows are fetched: say `LIMIT 1` where there may be many.
    ///
    /// # Errors
    /// As [`all`](Raw::all).
    pub async fn first(self) -> Result<Option<R>> {
        self.all().await.map(|rows| rows.into_iter().next())
    }

    /// Runs it and reads the only row.
    ///
    /// # Errors
    /// As [`all`](Raw::all); [`ErrorKind::InvalidQuery`] when there is none, or more than one.
    pub async fn one(self) -> Result<R> {
        let mut rows = self.all().await?;
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) => Ok(row),
            (found, _) => {
                let found = if found.is_some() { "more than one row" } else { "no row" };
                let why = format!("{found} where exactly one was asked for: use first() or all()");
                Err(Error::new(ErrorKind::InvalidQuery, why).in_operation("raw"))
            }
        }
    }

    /// Runs it and says how many rows it inserted, updated or deleted. Rows that it gives are not looked at.
    ///
    /// # Errors
    /// As [`all`](Raw::all).
    pub async fn execute(self) -> Result<u64> {
        self.run(RawColumns::None).await.map(|answer| answer.changed)
    }

    async fn run(self, wanted: RawColumns) -> Result<crate::driver::RawAnswer> {
        let named = |e: Error| e.on_backend(&self.backend).in_operation("raw");
        let binding = self.workspace.binding(&self.backend).map_err(named)?;
        let statement = RawStatement { text: self.text, values: self.values, wanted };
        binding.driver.raw(&statement).await.map_err(named)
    }
}

fn mismatch(name: Option<&String>, mismatch: Mismatch) -> Error {
    let Mismatch { expected, found } = mismatch;
    let why = format!("the column gave a {found}, which is no {expected}");
    Error::new(ErrorKind::InvalidQuery, why).at_field(name.cloned().unwrap_or_default())
}

const fn column<T: Logical>() -> RawColumn {
    RawColumn { logical: T::TYPE, nullable: T::NULLABLE }
}

/// Of a statement whose rows nobody looks at.
impl RawRow for () {
    fn columns() -> Result<RawColumns> {
        Ok(RawColumns::None)
    }

    fn read(_: &[String], _: &mut [Value]) -> Result<Self> {
        Ok(())
    }
}

macro_rules! rows {
    ($($name:ident)+) => {
        #[diagnostic::do_not_recommend]
        impl<$($name: Logical),+> RawRow for ($($name,)+) {
            fn columns() -> Result<RawColumns> {
                Ok(RawColumns::InOrder(vec![$(column::<$name>()),+]))
            }

            fn read(names: &[String], values: &mut [Value]) -> Result<Self> {
                let mut values = names.iter().zip(values.iter_mut());
                Ok(($({
                    let (name, value) = values.next().map_or((None, Value::Null), |(name, value)| (Some(name), value.take()));
                    $name::from_value(value).map_err(|m| mismatch(name, m))?
                },)+))
            }
        }
    };
}

rows!(A0);
rows!(A0 A1);
rows!(A0 A1 A2);
rows!(A0 A1 A2 A3);
rows!(A0 A1 A2 A3 A4);
rows!(A0 A1 A2 A3 A4 A5);
rows!(A0 A1 A2 A3 A4 A5 A6);
rows!(A0 A1 A2 A3 A4 A5 A6 A7);
rows!(A0 A1 A2 A3 A4 A5 A6 A7 A8);
rows!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9);
rows!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10);
rows!(A0 A1 A2 A3 A4 A5 A6 A7 A8 A9 A10 A11);

#[diagnostic::do_not_recommend]
impl<P: Projection> RawRow for P {
    fn columns() -> Result<RawColumns> {
        let schema = <P::Entity as Entity>::SCHEMA;
        let mut columns = Vec::new();
        for field in P::fields() {
            let column = if field.name == ID_COLUMN {
                column::<Id>()
            } else {
                let (_, known) = schema
                    .field(&field.name)
                    .ok_or_else(|| Error::new(ErrorKind::InvalidQuery, "the entity has no such field").at_field(field.name.to_string()))?;
                RawColumn { logical: known.logical, nullable: known.nullable }
            };
            columns.push((field.name.to_string(), column));
        }
        Ok(RawColumns::ByName(columns))
    }

    fn read(_: &[String], values: &mut [Value]) -> Result<Self> {
        <P as Projection>::read(&mut RowCursor::new(&mut Id::auto(), None, values))
    }
}
