//! The reference evaluator: what every operation of `docs/semantics.md` means, in plain Rust over values.
//!
//! Written from the document alone. It uses none of the runtime's own evaluation (`filter::Program`, `types::compare`,
//! `types::words`, `Metric::score`): those are under test like every driver.

mod aggregate;
mod compare;
mod filter;
mod search;
mod table;
mod text;

pub use aggregate::{Expected, aggregate, agrees};
pub use compare::{equal, order, same, sort_order};
pub use filter::{condition_holds, holds};
pub use search::{near, score};
pub use table::{Row, Table, Wrote, page};
pub use text::{like, lower, words};
