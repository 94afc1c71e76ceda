//! Entities mapped onto tables that HeavenBase did not create, made here by raw SQL on real engines. SQLite runs always;
//! Postgres and pgvector where `HEAVENBASE_TEST_POSTGRES` and `HEAVENBASE_TEST_PGVECTOR` say.
#![cfg(all(feature = "sqlite", feature = "pgvector"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod checks;
mod engines;
mod own_sql;
mod reads;
mod writes;
