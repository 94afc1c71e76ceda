//! SQL Server 2019 or later over `tiberius`. **Not yet run against a live server**: see `docs/decisions/0018-mssql.md` for
//! what was proved, and how.
//!
//! - Ids, references and categories are their UTF-8 bytes (`VARBINARY`), so that they compare by bytes, blanks at their end
//!   included. Text is `NVARCHAR` under a binary collation, and is turned into bytes where it is ordered: the server fills the
//!   shorter of two texts with blanks before it compares them, and UTF-16 sorts otherwise than UTF-8.
//! - Timestamps, dates and durations are numbers (microseconds, days), as on the other servers. In mapped tables they are
//!   `DATETIME2` and `DATE`.
//! - A batch is `MERGE` over rows of bound values, at most 2,000 values a statement; ids travel as one JSON array.
//! - Lists are JSON arrays. A list of placement `SideTable` and the words of a text of placement `InvertedIndex` have a table
//!   beside the part's, found by item.
//! - Vectors are searched where the server has the type `VECTOR` (2025); elsewhere that is said by
//!   [`Driver::narrowed`](crate::driver::Driver::narrowed).

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
mod text;
mod write;

pub use super::network::Tls;
pub use config::Mssql;
pub use driver::MssqlDriver;
#[cfg(feature = "_paper")]
pub use paper::{on_paper, over, server_error};

use std::sync::Arc;

use crate::driver::Driver;
use crate::error::Result;

#[diagnostic::do_not_recommend]
impl super::MapsTables for Mssql {}

#[diagnostic::do_not_recommend]
impl super::RunsSql for Mssql {}

impl super::Native for Mssql {
    type Handle<'w> = &'w MssqlDriver;

    fn handle(driver: &dyn Driver) -> Option<&MssqlDriver> {
        driver.as_any().downcast_ref()
    }
}

impl super::Connect for Mssql {
    fn from_options(_: &str, mut options: super::BackendOptions) -> Result<Self> {
        let described = Self::from(super::network::Options::described(&mut options)?);
        options.finish()?;
        Ok(described)
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        config::open(self.options).await
    }
}
