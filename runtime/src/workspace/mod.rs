//! The workspace: open, register, write, read, and look after what is stored.

mod audit;
mod batches;
mod chunks;
mod clock;
mod embed;
mod maintain;
mod open;
mod patch;
mod raw;
mod read;
mod refill;
mod register;
mod run;
mod update;
mod write;

pub use audit::{Audit, Finding, FindingKind};
pub use maintain::{Progress, Repair, Repaired};
pub use open::OpenLayout;
pub use patch::Patch;
pub use raw::{Bindable, Raw, RawRow, SqlBackend, SqlText};
pub use run::{Page, Rows};

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::capability::{Operation, Placement, Support};
use crate::driver::Narrowed;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Target;
use crate::query::{Entity, Layout, Query};
use crate::schema::{Binding, EntitySchema};
use clock::Clock;

/// The entities of an application on the backends of its layout. Cheap to clone, shared between threads; no call waits
/// for another one's backend.
///
/// ```
/// use heavenbase::prelude::*;
///
/// #[derive(Layout)]
/// struct Shop {
///     main: InMem,
/// }
///
/// #[derive(Entity, Debug, PartialEq)]
/// #[entity(layout = Shop)]
/// struct Product {
///     object_id: Id,
///     title: String,
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let ws = Workspace::open(Shop { main: InMem::new() }).await?;
/// ws.register::<Product>().await?;
/// let desk = Product { object_id: Id::from("e1"), title: "Desk".into() };
/// ws.upsert(&desk).await?;
/// assert_eq!(ws.get::<Product>("e1").await?, Some(desk));
/// # Ok::<(), heavenbase::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Workspace<L> {
    inner: Arc<Inner>,
    of: PhantomData<fn() -> L>,
}

struct Inner {
    namespace: Arc<str>,
    bindings: Vec<Binding>,
    default: &'static str,
    entities: ArcSwap<HashMap<&'static str, Arc<Registered>>>,
    registering: tokio::sync::Mutex<()>,
    embedders: ArcSwap<embed::Embedders>,
    clock: Clock,
}

/// An entity that is registered: where it lies.
pub(crate) struct Registered {
    pub(crate) target: Arc<Target>,
    /// The owner's columns in the entity's order, when the owner holds all fields: the short way of `get`.
    pub(crate) whole: Option<Vec<usize>>,
    /// Its embedded fields.
    pub(crate) embeddings: Vec<embed::Embedding>,
}

impl<L> Clone for Workspace<L> {
    fn clone(&self) -> Self {
        Workspace { inner: self.inner.clone(), of: PhantomData }
    }
}

impl<L> std::fmt::Debug for Workspace<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workspace").field("namespace", &self.inner.namespace).field("backends", &self.inner.bindings).finish()
    }
}

impl<L: Layout> Workspace<L> {
    /// A query over the rows of `E`, ready to run: all rows, whole, in id order, until it says otherwise.
    pub fn query<E: Entity<Layout = L>>(&self) -> Query<E, E, Workspace<L>> {
        Query::new().with_workspace(self.clone())
    }

    /// The backends of the layout.
    pub fn backends(&self) -> Backends<'_> {
        Backends(&self.inner.bindings)
    }

    /// What the backends of this workspace can do, by their names in the layout.
    pub fn capabilities(&self) -> WorkspaceCapabilities<'_> {
        WorkspaceCapabilities(&self.inner.bindings)
    }

    pub(crate) fn registered(&self, entity: &'static EntitySchema) -> Result<Arc<Registered>> {
        self.inner.entities.load().get(entity.name).cloned().ok_or_else(|| {
            Error::new(ErrorKind::NotRegistered, "register the entity first: `ws.register::<…>().await?`").of_entity(entity.name)
        })
    }
}

/// The backends of a workspace's layout: see [`Workspace::backends`].
#[derive(Clone, Copy, Debug)]
pub struct Backends<'a>(&'a [Binding]);

impl Backends<'_> {
    /// Their names, in the layout's order.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|b| b.name).collect()
    }

    /// The kind of one, by name.
    pub fn kind(&self, name: &str) -> Option<&'static str> {
        self.0.iter().find(|b| b.name == name).map(|b| b.kind)
    }

    /// The engine of one with its version, as it names itself.
    pub fn engine(&self, name: &str) -> Option<String> {
        self.0.iter().find(|b| b.name == name).map(|b| b.driver.description().engine.clone())
    }
}

/// The capability questions, answered for the backends of a workspace: see [`Workspace::capabilities`].
#[derive(Clone, Copy, Debug)]
pub struct WorkspaceCapabilities<'a>(&'a [Binding]);

impl WorkspaceCapabilities<'_> {
    /// Which backends, by name, store `T` and run the operation, and how: the best of its placements.
    pub fn backends<T: crate::types::Logical>(&self, operation: impl Into<Operation>) -> Vec<(&'static str, Support)> {
        let operation = operation.into();
        let best = |binding: &Binding| {
            let placements = crate::capability::strategies::<T>(binding.kind);
            let all = placements.into_iter().map(|placement| support::<T>(binding, operation, placement));
            let rank = |support: &Support| [Support::Native, Support::Scan, Support::No].iter().position(|s| s == support);
            all.min_by_key(rank).filter(|support| *support != Support::No).map(|support| (binding.name, support))
        };
        self.0.iter().filter_map(best).collect()
    }

    /// Which operations a backend runs on `T` in a placement, and how.
    pub fn ops<T: crate::types::Logical>(&self, placement: impl Into<Placement>, backend: &str) -> Vec<(Operation, Support)> {
        let placement = placement.into();
        let Some(binding) = self.0.iter().find(|b| b.name == backend) else { return Vec::new() };
        let answer = |(operation, _)| (operation, support::<T>(binding, operation, placement));
        crate::capability::ops::<T>(placement, binding.kind).into_iter().map(answer).collect()
    }

    /// How a backend runs one operation on `T` in a placement.
    pub fn supports<T: crate::types::Logical>(
        &self,
        operation: impl Into<Operation>,
        placement: impl Into<Placement>,
        backend: &str,
    ) -> Support {
        let binding = self.0.iter().find(|b| b.name == backend);
        binding.map_or(Support::No, |binding| support::<T>(binding, operation.into(), placement.into()))
    }

    /// What the server of a backend turned out not to run, although its kind does, and why.
    pub fn narrowed(&self, backend: &str) -> Vec<Narrowed> {
        self.0.iter().find(|b| b.name == backend).map_or_else(Vec::new, |b| b.driver.narrowed().to_vec())
    }
}

/// The table's answer, less what the server turned out not to run.
fn support<T: crate::types::Logical>(binding: &Binding, operation: Operation, placement: Placement) -> Support {
    let support = crate::capability::supports::<T>(operation, placement, binding.kind);
    let narrowed = Narrowed::find(binding.driver.narrowed(), operation, T::TYPE.class(), placement);
    if support == Support::Native && narrowed.is_some() { Support::Scan } else { support }
}
