//! Elasticsearch over its REST interface.

mod config;

pub use config::{Elasticsearch, Refresh};

use std::sync::Arc;

use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};

impl super::Connect for Elasticsearch {
    async fn connect(self) -> Result<Arc<dyn Driver>> {
        Err(Error::new(ErrorKind::Unsupported, "being written"))
    }
}
