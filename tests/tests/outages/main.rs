//! Servers that go away: a line between driver and server that is cut after a counted number of bytes. (Sessions that the server
//! ends are in the tests of each driver.) What a caller sees is a typed error with a status that is true (`Temporary` until the commit was sent, `Unknown` from
//! then on), rows are wholly old or wholly new, and the same driver works on as soon as its server is back.
//!
//! Runs where the services are: `HEAVENBASE_TEST_POSTGRES`, `_PGVECTOR`, `_MYSQL`, `_MYSQL9`, `_OCEANBASE`, `_TRINO`.
#![cfg(any(feature = "postgres", feature = "mysql", feature = "trino"))]

mod engines;
#[cfg(feature = "postgres")]
mod noise;
mod reads;
#[cfg(feature = "pgvector")]
mod refused;
mod writes;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
