//! The behaviour suite: `docs/semantics.md`, executed.
//!
//! [`mod@reference`] says what every operation means, in plain Rust over values. [`conformance`] asks a driver the same and
//! compares. [`backends`] is the one list of drivers that are tested. One seed replays everything: `HEAVENBASE_TEST_SEED`.
#![deny(missing_docs)]

pub mod backends;
pub mod chosen;
pub mod conformance;
pub mod data;
pub mod embedder;
#[cfg(any(feature = "mssql", feature = "oracle"))]
pub mod h2;
pub mod instrumented;
#[cfg(feature = "_paper")]
pub mod judged;
pub mod peer;
#[cfg(feature = "pinecone")]
pub mod pinecone;
pub mod random;
pub mod recording;
pub mod reference;
pub mod running;
pub mod simple;
pub mod split;
#[cfg(feature = "starrocks")]
pub mod starrocks;
pub mod store;
#[cfg(feature = "mssql")]
pub mod tds;
