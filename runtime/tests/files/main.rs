//! The file backends against real files, CPython's own readers, other processes, damage and full disks. What they
//! share with every backend is in the behaviour suite.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod damage;
mod one_file_a_row;
mod processes;
mod python;
mod queries;
mod trouble;
mod writes;
