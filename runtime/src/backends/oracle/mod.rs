//! Oracle Database 12.2 or later over `oracledb`, Oracle's own client in Rust. **Not yet run against a live server**: see
//! `docs/decisions/0026-oracle.md` for what was proved, and how.
//!
//! - The server takes the empty text for null. So a text that is empty, or begins with U+0000, lies with one more U+0000 before
//!   it; every other lies as it is. The same holds of bytes. See `text.rs`.
//! - Text of up to 999 characters is `VARCHAR2`, compared by bytes. Longer text is a `CLOB`, which the server neither compares
//!   nor sorts: its first 1,000 characters and a digest lie beside it and answer for it.
//! - Timestamps, dates and durations are numbers (microseconds, days), as on the other servers. In mapped tables they are
//!   `TIMESTAMP` and `DATE`.
//! - A batch locks its rows by id, then is one `UPDATE` and one `INSERT` over arrays of rows.
//! - Lists are JSON arrays. A list of placement `SideTable` and the words of a text of placement `InvertedIndex` have a table
//!   beside the part's, found by item.
//! - Vectors are searched where the server has the type `VECTOR` (23ai); elsewhere that is said by
//!   [`Driver::narrowed`](crate::driver::Driver::narrowed).
//!
//! The client blocks: each connection has a thread of its own.

mod codec;
mod columns;
mod config;
mod core;
mod dialect;
mod driver;
mod ensure;
mod existing;
mod failure;
#[cfg(feature = "_paper")]
mod paper;
mod pool;
mod raw;
#[cfg(test)]
mod tests;
mod text;
mod thread;
mod write;

pub use super::network::Tls;
pub use config::Oracle;
pub use driver::OracleDriver;
#[cfg(feature = "_paper")]
pub use paper::{on_paper, over, server_error};

use std::sync::Arc;

use crate::driver::Driver;
use crate::error::Result;

#[diagnostic::do_not_recommend]
impl super::MapsTables for Oracle {}

#[diagnostic::do_not_recommend]
impl super::RunsSql for Oracle {}

impl super::Native for Oracle {
    type Handle<'w> = &'w OracleDriver;

    fn handle(driver: &dyn Driver) -> Option<&OracleDriver> {
        driver.as_any().downcast_ref()
    }
}

impl super::Connect for Oracle {
    fn from_options(_: &str, mut options: super::BackendOptions) -> Result<Self> {
        let mut described = Oracle::from(super::network::Options::described(&mut options)?);
        if let Some(folder) = options.take::<String>("wallet")? {
            described = described.wallet(folder);
        }
        if let Some(password) = options.take::<String>("wallet_password")? {
            described = described.wallet_password(password);
        }
        options.finish()?;
        Ok(described)
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        config::open(self).await
    }
}
