//! Memory: the engine of rehearsals and of layouts that need no disk.
//!
//! Rows lie in chunks of 1024, each column typed and by itself, shared copy on write: a reader takes a snapshot and is
//! never waited for. Fields with an index and unique groups are kept sorted, words of `InvertedIndex` fields indexed by
//! chunk, vectors searched exactly. Nothing outlives the process.

mod aggregate;
mod column;
mod driver;
mod filter;
mod identity;
mod mask;
mod order;
mod packed;
mod search;
mod select;
mod spine;
mod store;
mod stream;
mod table;
mod texts;
mod tree;
mod vector;
mod words;
mod write;

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::driver::Driver;
use crate::error::Result;
use driver::{MemoryDriver, World};

/// Rows in memory. A clone is the same memory: workspaces opened on clones of one value share their data, and it lives
/// as long as one of them does. Two values made by [`InMem::new`] share nothing.
///
/// ```
/// use heavenbase::backends::InMem;
/// let memory = InMem::new();
/// let same = memory.clone();
/// # drop((memory, same));
/// ```
#[derive(Clone, Debug, Default)]
pub struct InMem {
    world: Arc<World>,
}

impl InMem {
    /// A memory of its own, empty.
    pub fn new() -> Self {
        InMem::default()
    }

    /// The memory of this name in this process: all who ask for the name share it, until the last of them, and the last
    /// workspace opened on it, is gone.
    pub fn shared(name: &str) -> Self {
        static NAMED: Mutex<Option<HashMap<String, Weak<World>>>> = Mutex::new(None);
        let mut named = NAMED.lock();
        let named = named.get_or_insert_default();
        named.retain(|_, world| world.strong_count() > 0);
        if let Some(world) = named.get(name).and_then(Weak::upgrade) {
            return InMem { world };
        }
        let memory = InMem::new();
        named.insert(name.to_owned(), Arc::downgrade(&memory.world));
        memory
    }
}

impl super::Connect for InMem {
    fn from_options(_: &str, options: super::BackendOptions) -> Result<Self> {
        #[derive(serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        options.read::<Nothing>().map(|_| InMem::new())
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        Ok(Arc::new(MemoryDriver::new(self.world)))
    }
}
