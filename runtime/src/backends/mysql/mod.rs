//! MariaDB and MySQL over `sqlx`; OceanBase, which speaks the same protocol, as [`OceanBase`](super::OceanBase).
//!
//! - Which server it is, is found out at connect; `server.rs` holds all in which they differ.
//! - Text lies under a binary collation without padding, so it compares and sorts by bytes, blanks at its end included. Long
//!   text is `LONGTEXT`; up to 255 characters, and where the row has room for it, `VARCHAR`.
//! - Sessions are strict (`STRICT_ALL_TABLES`): what does not fit a column is an error. They run in UTC, `READ COMMITTED`.
//! - Timestamps, dates and durations are numbers (microseconds, days): the servers' own types begin later than ours. In
//!   mapped tables they are `DATETIME` or `TIMESTAMP`, and `DATE`.
//! - Lists are JSON arrays. A list of placement `SideTable` and the words of a text of placement `InvertedIndex` have a table
//!   beside the part's, found by item.
//! - MariaDB keeps the float -0.0 as 0.0; in lists and JSON it keeps its sign there too.
//! - JSON nests at most 31 levels on MariaDB and 99 on the others: a deeper value is refused with
//!   [`InvalidValue`](crate::ErrorKind::InvalidValue), naming the field.
//! - A row is at most as large as the server's `max_allowed_packet`: a larger one is refused, and the error says so.

mod batch;
mod children;
mod codec;
mod config;
mod core;
mod dialect;
mod driver;
mod ensure;
mod existing;
pub(in crate::backends) mod failure;
mod json;
mod pattern;
mod raw;
mod server;
mod sessions;
mod table;
mod write;

pub use super::network::Tls;
pub use config::MySql;
pub use driver::MySqlDriver;

#[cfg(feature = "starrocks")]
pub(in crate::backends) use config::{client, first};
#[cfg(feature = "oceanbase")]
pub(in crate::backends) use {config::open as open_as, dialect::Vectors, server::Server};

use std::sync::Arc;

use crate::driver::Driver;
use crate::error::Result;

#[diagnostic::do_not_recommend]
impl super::MapsTables for MySql {}
#[diagnostic::do_not_recommend]
impl super::RunsSql for MySql {}

#[diagnostic::do_not_recommend]
impl super::Native for MySql {
    /// The pool of connections. Its sessions have strict modes, UTC and `READ COMMITTED`.
    type Handle<'w> = &'w sqlx::MySqlPool;

    fn handle(driver: &dyn Driver) -> Option<&sqlx::MySqlPool> {
        driver.as_any().downcast_ref::<MySqlDriver>().filter(|driver| driver.description().kind == "mysql").map(MySqlDriver::pool)
    }
}

impl super::Connect for MySql {
    fn from_options(_: &str, mut options: super::BackendOptions) -> Result<Self> {
        let described = Self::from(super::network::Options::described(&mut options)?);
        options.finish()?;
        Ok(described)
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        config::open(self.options, "mysql", None, None).await
    }
}
