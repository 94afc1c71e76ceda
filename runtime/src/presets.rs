//! Layouts that are ready to use.

// The derive documents the constants it makes; the fields say what they are.
use crate::backends::InMem;
#[cfg(feature = "sqlite")]
use crate::backends::Sqlite;

/// A layout for trying things out, nothing to install and nothing kept: `main` for rows (SQLite in memory), `vec` for
/// vectors and `search` for text (both in memory).
///
/// ```
/// use heavenbase::prelude::*;
/// use heavenbase::presets::Debug;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let ws = Workspace::open(Debug::new()).await?;
/// assert_eq!(ws.backends().names(), ["main", "vec", "search"]);
/// # Ok::<(), heavenbase::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "sqlite")]
#[derive(Debug, crate::Layout)]
pub struct Debug {
    /// Rows.
    #[layout(default)]
    pub main: Sqlite,
    /// Vectors.
    pub vec: InMem,
    /// Text.
    pub search: InMem,
}

#[cfg(feature = "sqlite")]
impl Debug {
    /// Empty stores.
    pub fn new() -> Self {
        Debug { main: Sqlite::memory(), vec: InMem::new(), search: InMem::new() }
    }
}

#[cfg(feature = "sqlite")]
impl Default for Debug {
    fn default() -> Self {
        Self::new()
    }
}

/// Everything in one memory backend, `main`: the quickest layout for tests.
#[derive(Debug, crate::Layout)]
pub struct Memory {
    /// Everything.
    pub main: InMem,
}

impl Memory {
    /// An empty store.
    pub fn new() -> Self {
        Memory { main: InMem::new() }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}
