//! The one list of drivers that the behaviour suite runs on. Adding a backend is one line.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use heavenbase::backends::{self, Connect};
use heavenbase::driver::Driver;
use tempfile::TempDir;

use crate::data::Manners;

/// A boxed future, as the list and the cases hand them out.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A driver being opened.
pub type Opening = Boxed<'static, heavenbase::Result<Arc<dyn Driver>>>;

/// A driver under test, as the list describes it.
#[derive(Clone, Copy)]
pub struct Tested {
    /// The name in the test's output: the kind, with a variant where there are several.
    pub name: &'static str,
    /// The kind: the capability table's row.
    pub kind: &'static str,
    /// The variable that says where a real one runs; embedded drivers need none.
    pub variable: Option<&'static str>,
    /// What the backend openly does not keep.
    pub manners: Manners,
    /// How much of the repetitions of each case runs, in percent: less than 100 where the server's statements are slow. It
    /// is said aloud.
    pub rounds: usize,
    /// Whether what was written is there when the driver is opened again over the same place.
    pub durable: bool,
    /// Connects: to a directory of the test's own, or to where the variable says.
    pub open: fn(Place) -> Opening,
}

impl std::fmt::Debug for Tested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Where a driver is opened.
#[derive(Clone, Debug)]
pub struct Place {
    /// A directory of the test's own, empty at first.
    pub directory: Arc<TempDir>,
    /// What the variable says; empty for embedded drivers.
    pub address: String,
}

impl Place {
    /// A new empty directory, and the address in `variable` if there is one.
    ///
    /// # Errors
    /// When no directory can be made.
    pub fn new(variable: Option<&str>) -> std::io::Result<Place> {
        let address = variable.and_then(|name| std::env::var(name).ok()).unwrap_or_default();
        Ok(Place { directory: Arc::new(tempfile::tempdir()?), address })
    }

    /// A path in the directory.
    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }
}

fn connect<B: Connect>(backend: B) -> Opening {
    Box::pin(backend.connect())
}

/// Keeps everything.
const ALL: Manners = Manners { nul: true, negative_zero: true, unique: true, most_columns: usize::MAX, longest_text: usize::MAX };
/// Keeps everything, and leaves uniqueness to others.
#[cfg(any(feature = "elasticsearch", feature = "trino", feature = "starrocks"))]
const NOT_UNIQUE: Manners = Manners { unique: false, ..ALL };

/// 64 fields a collection; an optional column takes two.
#[cfg(feature = "milvus")]
const FEW_COLUMNS: Manners = Manners { most_columns: 24, ..ALL };

/// Keeps everything, but -0.0 as 0.0.
#[cfg(any(feature = "mysql", feature = "oracle"))]
const NO_NEGATIVE_ZERO: Manners = Manners { negative_zero: false, ..ALL };

/// Decides no uniqueness, and keeps 40 KB a row.
#[cfg(feature = "pinecone")]
const SHORT_ROWS: Manners = Manners { unique: false, longest_text: 2_000, ..ALL };

/// Keeps everything but U+0000 in text.
#[cfg(feature = "postgres")]
const NO_NUL: Manners = Manners { nul: false, ..ALL };

fn percent(said: &[usize]) -> usize {
    said.first().copied().unwrap_or(100)
}

macro_rules! tested {
    ($($(#[$meta:meta])* $name:literal = $kind:literal, $variable:expr, $manners:expr, $durable:literal $(at $rounds:literal percent)?, |$place:pat_param| $backend:expr;)*) => {
        vec![$($(#[$meta])* Tested {
            name: $name,
            kind: $kind,
            variable: $variable,
            manners: $manners,
            durable: $durable,
            rounds: percent(&[$($rounds)?]),
            open: |$place| connect($backend),
        },)*]
    };
}

/// Every driver that is compiled in. A network driver whose variable is not set is listed, and not run.
pub fn all() -> Vec<Tested> {
    // Name, kind, the variable that says where it runs, what it keeps, whether it survives being opened again, how to open.
    tested! {
        "inmem" = "inmem", None, ALL, false, |_| backends::InMem::new();
        #[cfg(feature = "sqlite")]
        "sqlite_memory" = "sqlite", None, ALL, false, |_| backends::Sqlite::memory();
        #[cfg(feature = "sqlite")]
        "sqlite_file" = "sqlite", None, ALL, true, |place| backends::Sqlite::file(place.path("test.db"));
        #[cfg(feature = "json")]
        "json" = "json", None, ALL, true, |place| backends::JsonFile::dir(place.path("json"));
        #[cfg(feature = "pickle")]
        "pickle" = "pickle", None, ALL, true, |place| backends::Pickle::dir(place.path("pickle"));
        #[cfg(feature = "file")]
        "file" = "file", None, ALL, true, |place| backends::FileStore::dir(place.path("file"));
        #[cfg(feature = "lance")]
        "lance" = "lance", None, ALL, true, |place| backends::Lance::dir(place.path("lance"));
        #[cfg(feature = "duckdb")]
        "duckdb_memory" = "duckdb", None, ALL, false, |_| backends::DuckDb::memory();
        #[cfg(feature = "duckdb")]
        "duckdb_file" = "duckdb", None, ALL, true, |place| backends::DuckDb::file(place.path("test.duckdb"));
        #[cfg(feature = "elasticsearch")]
        "elasticsearch" = "elasticsearch", Some("HEAVENBASE_TEST_ELASTICSEARCH"), NOT_UNIQUE, true,
            |place| backends::Elasticsearch::url(place.address).refresh(backends::elasticsearch::Refresh::BeforeSearch);
        #[cfg(feature = "chroma")]
        "chroma" = "chroma", Some("HEAVENBASE_TEST_CHROMA"), ALL, true, |place| backends::Chroma::url(place.address);
        #[cfg(feature = "pinecone")]
        "pinecone" = "pinecone", None, SHORT_ROWS, true, |place| crate::pinecone::client_of(place.directory.path());
        #[cfg(feature = "milvus")]
        "milvus" = "milvus", Some("HEAVENBASE_TEST_MILVUS"), FEW_COLUMNS, true, |place| backends::Milvus::url(place.address);
        #[cfg(feature = "milvus")]
        "milvus_lite" = "milvus", Some("HEAVENBASE_TEST_MILVUS_LITE"), FEW_COLUMNS, true, |place| backends::Milvus::url(place.address);
        #[cfg(feature = "postgres")]
        "postgres" = "postgres", Some("HEAVENBASE_TEST_POSTGRES"), NO_NUL, true, |place| backends::Postgres::url(place.address);
        #[cfg(feature = "pgvector")]
        "pgvector" = "pgvector", Some("HEAVENBASE_TEST_PGVECTOR"), NO_NUL, true, |place| backends::PgVector::url(place.address);
        #[cfg(feature = "mysql")]
        "mariadb" = "mysql", Some("HEAVENBASE_TEST_MYSQL"), NO_NEGATIVE_ZERO, true, |place| backends::MySql::url(place.address);
        #[cfg(feature = "mysql")]
        "mysql" = "mysql", Some("HEAVENBASE_TEST_MYSQL9"), ALL, true, |place| backends::MySql::url(place.address);
        #[cfg(feature = "oceanbase")]
        "oceanbase" = "oceanbase", Some("HEAVENBASE_TEST_OCEANBASE"), ALL, true at 25 percent, |place| backends::OceanBase::url(place.address);
        #[cfg(feature = "mssql")]
        "mssql" = "mssql", Some("HEAVENBASE_TEST_MSSQL"), ALL, true, |place| backends::Mssql::url(place.address);
        #[cfg(feature = "oracle")]
        "oracle" = "oracle", Some("HEAVENBASE_TEST_ORACLE"), NO_NEGATIVE_ZERO, true, |place| backends::Oracle::url(place.address);
        #[cfg(feature = "starrocks")]
        "starrocks" = "starrocks", Some("HEAVENBASE_TEST_STARROCKS"), NOT_UNIQUE, true at 5 percent, |place| crate::starrocks::at(&place.address);
        #[cfg(feature = "trino")]
        "trino" = "trino", Some("HEAVENBASE_TEST_TRINO"), NOT_UNIQUE, true at 5 percent, |place| backends::TrinoIceberg::url(place.address);
    }
}
