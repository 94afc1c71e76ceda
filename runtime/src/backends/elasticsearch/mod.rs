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
mod fields;
mod lengths;
mod limits;
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

#[diagnostic::do_not_recommend]
impl super::Native for Elasticsearch {
    /// The driver, whose [`request`](ElasticsearchDriver::request) sends any request with the client's address and credentials.
    type Handle<'w> = &'w ElasticsearchDriver;

    fn handle(driver: &dyn Driver) -> Option<&ElasticsearchDriver> {
        driver.as_any().downcast_ref()
    }
}

impl super::Connect for Elasticsearch {
    fn from_options(_: &str, options: super::BackendOptions) -> Result<Self> {
        Elasticsearch::described(options)
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        Ok(Arc::new(ElasticsearchDriver::connect(self).await?))
    }
}
