//! OceanBase, seekdb included: the driver of [`mysql`](super::mysql), with vector columns and search.
//!
//! - The server has no collation that tells `a` from `a `: text lies in columns of bytes (`VARBINARY`, `LONGBLOB`).
//! - A field of placement `VectorIndex` has two columns: its own keeps the numbers bit by bit (the server shows those of its
//!   type `VECTOR` with six digits), the one beside it is searched. Without an index a search is exact. `index = hnsw(m = 16,
//!   ef_construction = 200, ef_search = 64)` makes it approximate; the filter stands in the same statement. Where the index
//!   finds fewer than `k`, the search runs again without it; `exact()` never uses it.
//! - At most 16,000 dimensions.

mod vectors;

use std::sync::Arc;

use super::mysql::{MySqlDriver, Server, open_as};
use super::network::{Options, connection_options};
use crate::driver::Driver;
use crate::error::Result;

pub use super::network::Tls;

/// Connects to OceanBase 4.3.5 or later in MySQL mode, or to seekdb. Nothing secret in it ever prints.
///
/// ```no_run
/// use heavenbase::backends::OceanBase;
/// let main = OceanBase::url("mysql://user%40tenant:password@db.example:2881/shop");
/// ```
#[derive(Clone, Debug)]
pub struct OceanBase {
    options: Options,
}

impl From<Options> for OceanBase {
    fn from(options: Options) -> Self {
        OceanBase { options }
    }
}

connection_options!(
    OceanBase,
    "A database at an address: `mysql://user:password@host:port/database`; the `@` of `user@tenant` is written `%40`."
);

#[diagnostic::do_not_recommend]
impl super::MapsTables for OceanBase {}
#[diagnostic::do_not_recommend]
impl super::RunsSql for OceanBase {}

#[diagnostic::do_not_recommend]
impl super::Native for OceanBase {
    /// The pool of connections.
    type Handle<'w> = &'w sqlx::MySqlPool;

    fn handle(driver: &dyn Driver) -> Option<&sqlx::MySqlPool> {
        driver.as_any().downcast_ref::<MySqlDriver>().filter(|driver| driver.description().kind == "oceanbase").map(MySqlDriver::pool)
    }
}

impl super::Connect for OceanBase {
    fn from_options(_: &str, mut options: super::BackendOptions) -> Result<Self> {
        let described = Self::from(Options::described(&mut options)?);
        options.finish()?;
        Ok(described)
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        open_as(self.options, "oceanbase", Some(Server::OceanBase), Some(&vectors::HnswVectors)).await
    }
}
