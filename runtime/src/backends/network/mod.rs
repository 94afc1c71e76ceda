//! What the SQL drivers over the network share: the options of a connection, the pool's settings, the one place where built text becomes a
//! statement of `sqlx`, and errors by what is known of the outcome.

pub(crate) mod failure;
mod options;
mod settings;
mod text;

pub(crate) use super::sql::pages::{Pages, Reader};
pub use options::Tls;
pub(crate) use options::{Options, connection_options};
pub(crate) use settings::PoolSettings;
pub(crate) use text::audited;
