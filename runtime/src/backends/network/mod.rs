//! What the SQL drivers over the network share: the options of a connection, the pool's settings, the one place where built text becomes a
//! statement of `sqlx`, and errors by what is known of the outcome.

#[cfg(feature = "_sqlx")]
pub(crate) mod failure;
mod options;
mod settings;
#[cfg(feature = "_sqlx")]
mod text;

pub(crate) use super::sql::pages::{Pages, Reader};
pub use options::Tls;
pub(crate) use options::{Options, connection_options};
pub(crate) use settings::PoolSettings;
#[cfg(feature = "mssql")]
pub(crate) use settings::TRUSTED;
#[cfg(feature = "_sqlx")]
pub(crate) use text::audited;
