//! What the behaviour suite cannot ask of MariaDB, MySQL and OceanBase: sessions that end, what they cannot keep, limits,
//! tables of others, vector indexes. Runs where `HEAVENBASE_TEST_MYSQL`, `HEAVENBASE_TEST_MYSQL9` and
//! `HEAVENBASE_TEST_OCEANBASE` say.
#![cfg(feature = "mysql")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod common;
mod existing;
mod limits;
mod sessions;
#[cfg(feature = "oceanbase")]
mod vectors;
