//! Elasticsearch on a real node (`HEAVENBASE_TEST_ELASTICSEARCH`), and against servers that misbehave. What it shares
//! with every backend is in the behaviour suite.
#![cfg(feature = "elasticsearch")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod aggregates;
mod common;
mod evolution;
mod queries;
mod trouble;
mod vectors;
mod workspace;
mod writes;
