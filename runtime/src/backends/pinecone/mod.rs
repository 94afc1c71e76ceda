//! Pinecone over REST (API version 2025-10): serverless indexes.
//!
//! A Pinecone index has one length of vectors and one metric, so there is one index for each that is used, named
//! `<prefix>-<length>-<metric>` and made when it is first needed; and `<prefix>-2-cosine` for what has no vector and for the
//! manifests. A part is one namespace, and one more for each vector field after the first. Rows, nulls, filters and pages
//! are as `backends/metadata` says, with what is Pinecone's own in `docs/decisions/0028-pinecone.md`.
//!
//! **Pinecone is eventually consistent.** A write answers before it is readable. This connection notes what it wrote and
//! waits before it reads there again ([`Freshness`]); others see it a moment later.
//!
//! No server of Pinecone's can be had for tests: the behaviour suite runs on a peer of our own, which Pinecone's client for
//! Python accepts.

mod api;
mod config;
mod fresh;
mod key;
mod store;
mod wait;

pub use config::{Freshness, Pinecone};

use std::sync::Arc;

use crate::driver::Driver;
use crate::error::Result;

impl super::Connect for Pinecone {
    fn from_options(_: &str, options: super::BackendOptions) -> Result<Self> {
        Pinecone::described(options)
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        let (store, found) = store::Namespaces::connect(self).await?;
        Ok(Arc::new(super::metadata::MetadataDriver::new(store, found)))
    }
}
