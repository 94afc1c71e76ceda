//! Datasets in the Lance format, in this process: `Lance::dir("shop.lance")`.
//!
//! - A part is one dataset, `<namespace>__<entity>.lance`, that any program which reads Lance reads: a column a field in its
//!   native Arrow type, vectors as lists of fixed size, `object_id`, `_hb_version`. The manifest lies in the schema's metadata.
//! - Every commit is a version. A read has one version from its first page to its last; writers of all processes take
//!   turns by a lock file beside the dataset, and one batch is one commit.
//! - Filters are expressions, built without text, that Lance runs in its scan; where its functions mean something else
//!   than we do, functions of ours run there. An index narrows a filter where there is one.
//! - A search is exact, unless the field says `index = ivf_pq(…)` (or `ivf_sq`, `ivf_flat`, `hnsw`); what was written since
//!   the index was built is compared too. Few matching rows are compared one by one, but where `hnsw` leads to them. Where
//!   the field says something else than the index was built as, searches are exact until upkeep has replaced it.
//! - Small writes are dear: each makes a file and a version. Upkeep merges them as it goes; see [`Lance::upkeep`].
//!
//! See `docs/decisions/0023-lance.md`.

mod aggregate;
mod built;
mod codec;
mod config;
mod driver;
mod durable;
mod ensure;
mod failure;
mod filter;
mod function;
mod index;
mod maintain;
mod near;
mod read;
mod runtime;
mod shape;
mod store;
mod walk;
mod write;

pub use config::Lance;
pub use driver::LanceDriver;

use std::sync::Arc;

use crate::driver::Driver;
use crate::error::Result;

impl super::Connect for Lance {
    /// `directory`: a path.
    fn from_options(_: &str, options: super::BackendOptions) -> Result<Self> {
        options.read::<super::disk::Directory>().map(|o| Lance::dir(o.directory))
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        Ok(Arc::new(LanceDriver::open(self)?))
    }
}
