//! What each backend can do: one table, and everything that follows from it.
//!
//! From [`table`] come the [`Runs`] and [`Stores`] impls that the compiler checks, the run-time answers of
//! [`questions`], the matrix in the README, the behaviour cases and the compile-fail tests.

#[cfg(test)]
mod agreement;
pub mod class;
mod macros;
pub mod matrix;
pub mod op;
pub mod placement;
pub mod questions;
pub mod table;

pub use op::Operation;
pub use placement::Placement;
pub use questions::{Support, backends, operations as ops, placements as strategies, supports};

/// A kind of backend, as the type of a layout's field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a kind of backend",
    label = "expected a backend such as `Sqlite`, `InMem` or `OneOf<(A, B)>`"
)]
pub trait Backend {
    /// The kinds it may turn out to be: one, or those of a [`OneOf`](crate::backends::OneOf).
    const KINDS: &'static [&'static str];
}

/// A backend that runs an operation natively on fields of a class in a placement. Implemented from the table only.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot run `{Op}` on a `{Class}` stored `{Place}`",
    label = "not native there: words need `as = InvertedIndex`, vectors `as = VectorIndex`; else take another backend, or `.scan()` (reads every row) if the type has it"
)]
pub trait Runs<Op, Class, Place> {}

/// A backend that stores fields of a class in a placement. Implemented from the table only.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot store a `{Class}` `{Place}`",
    label = "choose another backend with `#[store(to = …)]` or another placement with `#[store(as = …)]`"
)]
pub trait Stores<Class, Place> {}

/// A backend that ranks vectors by a metric. Implemented from the table only.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no vector search by `{Metric}`",
    label = "choose another metric, or another backend"
)]
pub trait Ranks<Metric> {}

/// A backend on which entities have rows of their own, or write to those that are there. Implemented from the table only.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is only read: nothing is written there",
    label = "say `#[entity(table = \"…\", read_only)]`, or choose another backend"
)]
pub trait Writes {}
