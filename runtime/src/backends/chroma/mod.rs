//! Chroma over HTTP v2, from 1.5 on.
//!
//! A part is one collection, and one more for each vector field after the first; rows, nulls, filters and pages are as
//! `backends/metadata` says, with what is Chroma's own in `docs/decisions/0022-chroma.md`. An index of a vector is always
//! there (`index = hnsw(m = …, ef_construction = …, ef = …)` sets it), so `near` is approximate unless it says `exact()`.

mod api;
mod config;
mod store;

pub use config::Chroma;

use std::sync::Arc;

use crate::driver::Driver;
use crate::error::Result;

impl super::Connect for Chroma {
    fn from_options(_: &str, options: super::BackendOptions) -> Result<Self> {
        Chroma::described(options)
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        let (store, found) = store::Collections::connect(self).await?;
        Ok(Arc::new(super::metadata::MetadataDriver::new(store, found)))
    }
}
