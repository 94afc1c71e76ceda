//! The way out, engine by engine: native connections, and SQL of the application's own into typed rows.
#![cfg(any(feature = "duckdb", feature = "oceanbase", feature = "trino"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[cfg(feature = "duckdb")]
mod duckdb;
#[cfg(feature = "oceanbase")]
mod mysql;
#[cfg(feature = "trino")]
mod trino;

use heavenbase::ErrorKind;

/// What is refused: the outcome, what its message says, and the field that it names.
type Refused = (heavenbase::Result<()>, &'static str, Option<&'static str>);

/// Each is refused as a question that makes no sense, and says why.
fn all_refused(engine: &str, cases: Vec<Refused>) {
    for (found, said, field) in cases {
        let error = found.expect_err(said);
        assert!(error.to_string().contains(said), "{engine}: {error}");
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidQuery, field), "{engine}: {error}");
    }
}
