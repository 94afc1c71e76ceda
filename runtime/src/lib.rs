//! One annotated struct over many stores.
#![deny(missing_docs)]

pub mod backends;
pub mod capability;
pub mod driver;
pub mod error;
pub mod exec;
pub mod filter;
pub mod plan;
pub mod query;
pub mod schema;
pub mod types;
pub mod workspace;

pub use error::{Error, ErrorKind, Result, Status};
pub use query::{Entity, Layout, Query};
