//! Trino over its client protocol: the same entity over a cluster's engine.
//!
//! Which catalog it is decides what compiles: over [`Iceberg`] rows are read and written, over [`ReadOnly`] (any connector)
//! tables that exist are read, and an entity that is not `read_only` cannot be placed there.
//!
//! - A statement is posted and its answer followed page by page (`client`); a stream that is dropped cancels it.
//! - The protocol has no bound values: every value becomes a literal in one function (`literal`), every batch of rows one
//!   JSON text in one such literal (`rows`).
//! - A write is one `MERGE` a batch (`write`), which Iceberg commits wholly or not at all; a commit that another writer
//!   overtook is tried again. Nothing is atomic over several statements.
//! - Names are not told apart by case there; ours are in small letters always.
//! - Uniqueness is not decided there: an entity that asks for it is refused.
//! - An `index` is a Bloom filter in the data files where the type has one (text, ids, integers); all columns have their
//!   least and greatest value in each file anyway.

mod batch;
mod client;
mod config;
mod core;
mod decode;
mod dialect;
mod driver;
mod ensure;
mod existing;
mod failure;
mod literal;
mod pattern;
mod raw;
mod stream;
mod write;

pub use client::AnswerColumn;
pub use config::{Catalog, Iceberg, ReadOnly, Trino, TrinoIceberg, TrinoReadOnly};
pub use driver::{TrinoAnswer, TrinoDriver};
