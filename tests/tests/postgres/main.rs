//! What the behaviour suite cannot ask of Postgres: a server that goes away, patterns, what it cannot keep, its indexes,
//! encryption. Runs where `HEAVENBASE_TEST_POSTGRES`, `HEAVENBASE_TEST_POSTGRES_TLS` and `HEAVENBASE_TEST_PGVECTOR` say.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;
mod measure;
mod patterns;
mod sessions;
mod tls;
mod values;
#[cfg(feature = "pgvector")]
mod vectors;
