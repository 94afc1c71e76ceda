//! SQL Server's driver against a peer of our own (`tests/src/tds`), since no machine here can have the server: connecting,
//! values in both directions, errors, and a peer that goes away. Its statements are judged in `judges.rs`.
#![cfg(feature = "mssql")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod clients;
mod common;
mod trouble;
mod values;
