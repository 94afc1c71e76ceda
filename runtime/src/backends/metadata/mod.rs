//! What the drivers of vector stores with metadata share (Chroma, Pinecone): how values, nulls, lists and ids lie in
//! metadata, filters over it, versions, pages in the order of ids, exact search; over one small trait,
//! [`Store`](store::Store).
//!
//! Such a store has spaces of records (id, one vector, metadata), finds records by id, by a filter in no order, and by
//! nearness. It has no transactions and no order by text. So:
//! - A part is one space, and one more for each further vector column ([`shape`]). A row without a vector has one that
//!   means nothing, and stands in the list of its null columns; no search returns it.
//! - Pages in the order of ids come from the ids of matching records, sorted here ([`walk`]); where there are too many for
//!   one answer, by ranges of a number that orders as the ids' first bytes do.
//! - A search that finds fewer than `k` is believed only when there are no more; else the matching rows are compared here.
//! - Versions are read before a write: exact among the writers of this process, who take turns at a part. Of two processes
//!   that write one row at the same moment the later one wins, also with a lower version.

mod codec;
mod driver;
mod ensure;
mod filter;
mod near;
mod shape;
mod store;
mod walk;
mod write;

pub(crate) use codec::Metadata;
pub(crate) use driver::MetadataDriver;
pub(crate) use shape::{Layout, Shape, Space};
pub(crate) use store::{Depth, Dialect, Found, Moment, Record, Store};
