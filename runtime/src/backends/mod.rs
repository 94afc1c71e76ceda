//! The backends: one folder a driver. Adding one is a folder, a line in the list below, a feature, and rows in the
//! capability table.

#[cfg(any(feature = "json", feature = "pickle", feature = "file", feature = "lance"))]
pub(crate) mod disk;
#[cfg(any(feature = "sqlite", feature = "duckdb"))]
pub(crate) mod embedded;
#[cfg(any(feature = "elasticsearch", feature = "chroma", feature = "pinecone", feature = "milvus"))]
mod fewer;
#[cfg(feature = "_http")]
pub(crate) mod http;
mod native;
#[cfg(feature = "_network")]
pub(crate) mod network;
// What the stores of vectors with metadata share.
#[cfg(any(feature = "chroma", feature = "pinecone"))]
pub(crate) mod metadata;
mod one_of;
mod options;
#[cfg(feature = "_paper")]
pub mod paper;
mod rehearsal;
#[cfg(any(feature = "json", feature = "pickle", feature = "file"))]
mod rows;
#[cfg(any(feature = "_http", feature = "milvus", feature = "oracle"))]
pub(crate) mod secret;
// What the SQL drivers share; a driver's feature joins the condition: `any(feature = …, feature = …)`.
#[cfg(any(feature = "sqlite", feature = "duckdb", feature = "_network", feature = "trino", feature = "_paper"))]
pub mod sql;

macro_rules! backends {
    ($($(#[$meta:meta])* $module:ident: $kind:ident;)*) => {
        $($(#[$meta])* pub mod $module; $(#[$meta])* pub use $module::$kind;)*

        /// The kinds that this build has: those of memory and of the features that are on.
        pub const COMPILED: &[&str] = &[$($(#[$meta])* <$kind as Backend>::KINDS[0]),*];

        /// Every kind, and nothing else: for the prelude.
        pub mod kinds {
            $($(#[$meta])* pub use super::$kind;)*
            pub use super::OneOf;
        }
    };
}

backends! {
    inmem: InMem;
    #[cfg(feature = "json")]
    json: JsonFile;
    #[cfg(feature = "pickle")]
    pickle: Pickle;
    #[cfg(feature = "file")]
    file: FileStore;
    #[cfg(feature = "sqlite")]
    sqlite: Sqlite;
    #[cfg(feature = "duckdb")]
    duckdb: DuckDb;
    #[cfg(feature = "elasticsearch")]
    elasticsearch: Elasticsearch;
    #[cfg(feature = "chroma")]
    chroma: Chroma;
    #[cfg(feature = "pinecone")]
    pinecone: Pinecone;
    #[cfg(feature = "lance")]
    lance: Lance;
    #[cfg(feature = "milvus")]
    milvus: Milvus;
    #[cfg(feature = "postgres")]
    postgres: Postgres;
    #[cfg(feature = "pgvector")]
    pgvector: PgVector;
    #[cfg(feature = "mysql")]
    mysql: MySql;
    #[cfg(feature = "oceanbase")]
    oceanbase: OceanBase;
    #[cfg(feature = "trino")]
    trino: Trino;
    #[cfg(feature = "mssql")]
    mssql: Mssql;
    #[cfg(feature = "oracle")]
    oracle: Oracle;
    #[cfg(feature = "starrocks")]
    starrocks: StarRocks;
}

pub use native::{Native, RunsSql};
#[cfg(feature = "trino")]
pub use trino::{TrinoIceberg, TrinoReadOnly};

pub use one_of::OneOf;
pub use options::{BackendOptions, LayoutOptions};
pub use rehearsal::Rehearsal;

use std::future::Future;
use std::sync::Arc;

use crate::capability::Backend;
use crate::driver::Driver;
use crate::error::Result;

/// A backend's configuration, which connects to it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a kind of backend",
    label = "expected a backend such as `Sqlite`, `InMem` or `OneOf<(A, B)>`"
)]
pub trait Connect: Backend + Sized + Send + 'static {
    /// The kind that this configuration connects to.
    fn kind(&self) -> &'static str {
        Self::KINDS.first().copied().unwrap_or_default()
    }

    /// The configuration from options that a file gave; `kind` is one of [`Backend::KINDS`].
    ///
    /// # Errors
    /// [`InvalidSchema`](crate::ErrorKind::InvalidSchema) for options that the kind does not know.
    fn from_options(kind: &str, options: BackendOptions) -> Result<Self> {
        let _ = options;
        Err(crate::Error::new(crate::ErrorKind::Unsupported, format!("{kind} cannot be described by options: construct it in code")))
    }

    /// Connects.
    ///
    /// # Errors
    /// [`Unavailable`](crate::ErrorKind::Unavailable), [`PermissionDenied`](crate::ErrorKind::PermissionDenied),
    /// [`Storage`](crate::ErrorKind::Storage) or [`InvalidSchema`](crate::ErrorKind::InvalidSchema) for a
    /// configuration that cannot work; never with a credential in it.
    fn connect(self) -> impl Future<Output = Result<Arc<dyn Driver>>> + Send;
}

/// A backend with tables that an entity can be mapped onto: `#[entity(table = "sales.orders")]`. Its driver checks such a
/// table in `ensure`, and never creates, alters or drops it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no tables that exist already",
    label = "an existing table lies in an SQL database",
    note = "leave `table` out: the entity then has storage of its own"
)]
pub trait MapsTables {}

/// Connects one backend of a layout under its name. The derive of `Layout` calls this.
#[doc(hidden)]
pub async fn bind(name: &'static str, backend: impl Connect) -> Result<crate::schema::Binding> {
    let kind = backend.kind();
    let driver = backend.connect().await.map_err(|e| e.on_backend(name).in_operation("open"))?;
    Ok(crate::schema::Binding { name, kind, driver })
}
