//! One annotated struct over many stores.
#![deny(missing_docs)]

// The code that derives write says `::heavenbase`, in this crate's own tests too.
extern crate self as heavenbase;

#[doc(hidden)]
#[path = "macro_support.rs"]
pub mod __private;
pub mod backends;
pub mod capability;
pub mod driver;
pub mod embedding;
pub mod error;
pub mod exec;
pub mod filter;
pub mod plan;
pub mod prelude;
pub mod presets;
pub mod query;
pub mod schema;
pub mod types;
pub mod workspace;

pub use error::{Error, ErrorKind, Result, RowOutcome, Status};
pub use heavenbase_macros::{Category, Entity, Layout, Logical, Projection};
pub use query::{Entity, Layout, Query};
pub use workspace::Workspace;

/// The README's code runs as documentation tests.
#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../../README.md")]
struct Readme;
