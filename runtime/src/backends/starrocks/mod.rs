//! StarRocks 3.1.3 or later: MySQL's protocol for statements, HTTP for loads. **Not yet run against a live server**: see
//! `docs/decisions/0019-starrocks.md` for what was proved, and how.
//!
//! - Every statement is text: the server prepares nothing but `SELECT`. Values become literals in one function (`literal`).
//! - Tables are primary-key tables. The key is the id, or a digest of one that is longer than 128 bytes.
//! - With [`StarRocks::stream_load`] rows are loaded, on the condition that no newer one is there; without it they are inserted, and
//!   guarded by the version as it was read (`write`).
//! - Nothing is atomic over several statements, and uniqueness is not decided there: an entity that asks for it is refused.
//! - Timestamps, dates and durations are numbers (microseconds, days), bytes and vectors base64, lists and JSON text. In mapped
//!   tables times are `DATETIME` and `DATE`, bytes `VARBINARY`.
//! - A value takes at most 1,048,576 bytes as it is stored; a larger one is refused by its field.
//! - An `index` is a bitmap index where the type has one; all columns have their least and greatest value in each segment anyway.
//! - Vectors are searched exactly, in floats of 64 bits.

mod codec;
mod columns;
mod config;
mod core;
mod dialect;
mod driver;
mod ensure;
mod existing;
mod failure;
mod literal;
mod load;
#[cfg(feature = "_paper")]
mod paper;
mod pool;
mod raw;
mod rows;
mod text;
mod write;

pub use super::network::Tls;
pub use config::StarRocks;
pub use driver::StarRocksDriver;
#[cfg(feature = "_paper")]
pub use paper::{on_paper, over_another};
#[cfg(feature = "_paper")]
pub use pool::Rewrite;

use crate::driver::Driver;

#[diagnostic::do_not_recommend]
impl super::MapsTables for StarRocks {}

#[diagnostic::do_not_recommend]
impl super::RunsSql for StarRocks {}

#[diagnostic::do_not_recommend]
impl super::Native for StarRocks {
    /// The pool of connections. Its sessions are in UTC; `sqlx::raw_sql` sends what the server does not prepare.
    type Handle<'w> = &'w sqlx::MySqlPool;

    fn handle(driver: &dyn Driver) -> Option<&sqlx::MySqlPool> {
        driver.as_any().downcast_ref::<StarRocksDriver>().and_then(StarRocksDriver::pool)
    }
}
