//! StarRocks's driver where there is no StarRocks: statements on MariaDB in its place, the wire on MariaDB and seekdb, loads on a
//! frontend and a backend of our own (`tests/src/starrocks`). Its statements are judged in `judges.rs`.
#![cfg(feature = "starrocks")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod common;
mod loads;
mod suite;
mod tables;
mod wire;
