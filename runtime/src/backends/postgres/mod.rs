//! PostgreSQL over `sqlx`; with pgvector as [`PgVector`](super::PgVector).
//!
//! - Text lies under the collation `C`, so it compares and sorts by bytes whatever the database's own order is. The
//!   database must be encoded in UTF-8.
//! - Timestamps, dates and durations are numbers (microseconds, days): Postgres' own types begin in 4713 BC, later than
//!   ours. In mapped tables they are `timestamptz` and `date`.
//! - JSON is `jsonb`. Numbers keep their kind; `-0.0` within JSON loses its sign (float fields keep it).
//! - **U+0000** can be stored neither in text nor in JSON there: a write with it is refused with
//!   [`InvalidValue`](crate::ErrorKind::InvalidValue), naming the field. Asking with it finds nothing.
//! - A write is one statement whatever the number of rows, in one transaction.

mod codec;
mod config;
mod core;
mod dialect;
mod driver;
mod ensure;
mod existing;
mod failure;
mod json;
mod nul;
mod pattern;
mod raw;
mod vectors;
mod words;
mod write;

pub use super::network::Tls;
pub use config::Postgres;
pub(in crate::backends) use config::open;
pub use driver::PostgresDriver;

use std::sync::Arc;

use crate::driver::Driver;
use crate::error::Result;

#[diagnostic::do_not_recommend]
impl super::MapsTables for Postgres {}
#[diagnostic::do_not_recommend]
impl super::RunsSql for Postgres {}

#[diagnostic::do_not_recommend]
impl super::Native for Postgres {
    /// The pool of connections.
    type Handle<'w> = &'w sqlx::PgPool;

    fn handle(driver: &dyn Driver) -> Option<&sqlx::PgPool> {
        driver.as_any().downcast_ref::<PostgresDriver>().filter(|driver| driver.description().kind == "postgres").map(PostgresDriver::pool)
    }
}

impl super::Connect for Postgres {
    fn from_options(_: &str, mut options: super::BackendOptions) -> Result<Self> {
        let described = Self::from(super::network::Options::described(&mut options)?);
        options.finish()?;
        Ok(described)
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        open(self.options, false, &[]).await
    }
}
