//! Milvus over gRPC, from 2.3.5 on.
//!
//! - A part is one collection, and one more for each vector field after the first: see [`shape`](self::shape). There is no
//!   null before 2.5: an optional field has a flag beside it (`_hb_has_…`), so that filters are exact on every version.
//! - Values that Milvus compares exactly lie in fields of their own and are filtered by the server; JSON, lists and
//!   vectors without an index lie as text and are only read. A decimal lies as text that orders like the number.
//! - A text field holds 65,535 bytes: what is longer is cut, the rest lies in pieces in an array beside it.
//! - Nothing is sorted or aggregated there, but for the order of ids and `count`: the planner does the rest.
//! - Scores are computed here from the vectors found, in 64 bits; ties at the edge of `k` are asked for.
//! - A write is not a transaction. Versions are read before; another process writing the same row at the same moment may
//!   win with a lower version. A write cut short is completed when it is made again.

mod client;
mod codec;
mod config;
mod driver;
mod ensure;
mod expression;
mod indexed;
mod literal;
mod options;
mod proto;
mod read;
mod rows;
mod search;
mod shape;
mod write;

pub use config::{Consistency, Milvus};
pub use driver::MilvusDriver;

use std::sync::Arc;

use crate::driver::Driver;
use crate::error::Result;

impl super::Connect for Milvus {
    fn from_options(_: &str, options: super::BackendOptions) -> Result<Self> {
        Milvus::described(options)
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        Ok(Arc::new(MilvusDriver::connect(&self).await?))
    }
}
