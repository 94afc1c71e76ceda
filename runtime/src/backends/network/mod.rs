//! What the SQL drivers over the network share: the options of a connection, the pool's settings, the one place where built text becomes a
//! statement of `sqlx`, and errors by what is known of the outcome.

#[cfg(any(feature = "mssql", feature = "oracle"))]
pub(crate) mod address;
#[cfg(feature = "_sqlx")]
pub(crate) mod answer;
#[cfg(feature = "_sqlx")]
pub(crate) mod failure;
#[cfg(any(feature = "_sqlx", feature = "mssql", feature = "oracle"))]
pub(crate) mod meaning;
mod options;
mod settings;
#[cfg(any(feature = "mssql", feature = "oracle"))]
mod shelf;
#[cfg(feature = "_sqlx")]
mod text;

pub(crate) use super::sql::pages::Pages;
#[cfg(feature = "_sqlx")]
pub(crate) use super::sql::pages::Reader;
pub use options::Tls;
pub(crate) use options::{Options, connection_options};
#[cfg(any(feature = "mssql", feature = "oracle"))]
pub(crate) use settings::TRUSTED;
pub(crate) use settings::{PoolSettings, bounded};
#[cfg(any(feature = "mssql", feature = "oracle"))]
pub(crate) use shelf::Shelf;
#[cfg(feature = "_sqlx")]
pub(crate) use text::audited;
