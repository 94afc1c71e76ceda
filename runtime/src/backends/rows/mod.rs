//! Rows in memory over a store on disk: what the file backends (`json`, `pickle`, `file`) share.
//!
//! [`RowDriver`] is a whole driver: filters, order, search and aggregates run over an ordered map of rows. A [`Store`]
//! only loads rows, finds out what another process wrote, and makes a batch durable. Readers work on a snapshot and
//! never wait for a write; writers of all processes take turns by a lock file.
//! See `docs/decisions/0010-files-as-segments.md`.

mod aggregate;
mod disk;
mod driver;
mod manifest;
mod map;
mod plain;
mod query;
mod store;
mod stream;
mod table;
mod unique;
mod write;

#[cfg(any(feature = "json", feature = "pickle"))]
mod merge;
#[cfg(any(feature = "json", feature = "pickle"))]
mod segments;

pub(crate) use disk::{Directory, Place, create_directory, io_error, replace_file, sync_directory};
#[cfg(feature = "file")]
pub(crate) use disk::{Stamp, TEMPORARY, stamp, sync_file, unsettled, write_file};
pub(crate) use driver::RowDriver;
pub(crate) use map::{Row, RowMap};
#[cfg(any(feature = "json", feature = "file"))]
pub(crate) use plain::without_bytes;
pub(crate) use plain::{Plain, row_from_plain, row_to_plain};
pub(crate) use store::{Change, Contents, Damage, Look, Store, corrupt};

#[cfg(any(feature = "json", feature = "pickle"))]
pub(crate) use segments::{Codec, Decoded, Segments, read_document};
