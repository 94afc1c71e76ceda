use std::marker::PhantomData;
use std::sync::Arc;

use super::{Connect, InMem};
use crate::error::Result;
use crate::query::Layout;
use crate::schema::Binding;

/// A layout with every backend replaced by memory that has exactly the same capabilities: what
/// [`Layout::rehearsal`] gives. Open a workspace over it in tests.
pub struct Rehearsal<L>(PhantomData<fn() -> L>);

impl<L> Rehearsal<L> {
    pub(crate) fn new() -> Self {
        Rehearsal(PhantomData)
    }
}

impl<L> std::fmt::Debug for Rehearsal<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rehearsal")
    }
}

impl<L: Layout> Rehearsal<L> {
    /// Connects memory in the place of each backend, bound to the kind it stands for.
    ///
    /// # Errors
    /// None in practice: memory always connects.
    pub async fn connect(self) -> Result<Vec<Binding>> {
        let mut bindings = Vec::new();
        for entry in L::ENTRIES {
            let driver: Arc<_> = InMem::new().connect().await?;
            bindings.push(Binding { name: entry.name, kind: entry.kinds.first().copied().unwrap_or("inmem"), driver });
        }
        Ok(bindings)
    }
}
