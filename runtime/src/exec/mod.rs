//! Runs a plan: asks the backends, merges by id, checks what they did not, ranks, aggregates.

pub mod aggregate;
mod assemble;
mod candidates;
mod context;
mod ids;
mod part;
mod rows;
mod score;
pub mod search;

pub use assemble::ResultPage;
pub use context::Context;
pub use rows::RowStream;
pub use score::text_score;
