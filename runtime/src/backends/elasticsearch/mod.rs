//! Elasticsearch over its REST interface: one index a part, one document a row.
//!
//! What is searched is indexed in forms that make every declared operation exact (`document`, `codec`, `text`); filters
//! become `bool` queries (`query`); pages are read in a point in time behind `search_after` (`search`); writes are
//! conditioned on sequence numbers (`write`).

mod aggregate;
mod api;
mod codec;
mod config;
mod document;
mod driver;
mod ensure;
mod near;
mod query;
mod search;
mod text;
mod write;

pub use config::{Elasticsearch, Refresh};
pub use driver::ElasticsearchDriver;

use std::sync::Arc;

use crate::driver::Driver;
use crate::error::Result;

impl super::Connect for Elasticsearch {
    async fn connect(self) -> Result<Arc<dyn Driver>> {
        Ok(Arc::new(ElasticsearchDriver::connect(self).await?))
    }
}
