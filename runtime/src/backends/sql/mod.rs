//! What all SQL drivers share: filters, selects, writes, aggregations and tables as [`Statement`]s, over one small
//! [`Dialect`] an engine.
//!
//! Every value is bound, every name quoted: no string from a user becomes query text. A dialect is one file; where an
//! engine has no native form with exactly the meaning of `docs/semantics.md`, its dialect does not take the test
//! ([`Dialect::takes`]) and the planner runs it.
//!
//! How two-valued logic is kept: `Not` is pushed down to the tests, so that above them stand only `AND` and `OR`. There
//! SQL's NULL acts as false. A test's text is TRUE exactly where the test holds, and FALSE or NULL elsewhere; its
//! complement is written apart (`x <> ? OR x IS NULL`), or wrapped in a `CASE`, which knows no NULL.

pub mod aggregate;
#[cfg(any(feature = "mssql", feature = "oracle"))]
pub(crate) mod batch;
#[cfg(any(feature = "mysql", feature = "mssql", feature = "oracle"))]
pub(crate) mod children;
#[cfg(any(feature = "mssql", feature = "oracle", feature = "starrocks"))]
pub(crate) mod core;
pub mod ddl;
#[cfg(any(feature = "duckdb", feature = "mssql", feature = "starrocks"))]
pub(crate) mod decimal;
mod dialect;
pub mod estimate;
pub mod existing;
pub mod filter;
#[cfg(feature = "_network")]
pub(crate) mod forms;
#[cfg(any(feature = "duckdb", feature = "trino", feature = "mssql"))]
pub(crate) mod lexed;
#[cfg(any(feature = "mysql", feature = "mssql", feature = "oracle"))]
pub(crate) mod list;
pub mod manifest;
#[cfg(any(feature = "duckdb", feature = "_network"))]
pub(crate) mod pages;
pub mod pattern;
pub mod select;
pub mod session;
#[cfg(any(feature = "trino", feature = "mysql", feature = "mssql", feature = "oracle"))]
pub(crate) mod shadow;
mod statement;
mod term;
#[cfg(any(feature = "sqlite", feature = "duckdb", feature = "_sqlx"))]
mod texts;
pub mod write;

pub use dialect::{Comparison, Dialect, HasTest, TextTest, quote_with, unsupported};
pub use statement::{Sql, Statement};
pub use term::Term;
#[cfg(any(feature = "sqlite", feature = "duckdb", feature = "_sqlx"))]
pub(crate) use texts::LookUpTexts;
