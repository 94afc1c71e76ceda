//! Runs a plan: asks the backends, merges by id, checks what they did not, ranks, aggregates.

pub mod aggregate;
mod assemble;
mod candidates;
mod context;
mod ids;
mod merge;
mod nearest;
mod part;
mod rows;
mod score;
pub mod search;
mod sizes;
mod walk;

pub use assemble::ResultPage;
pub use context::{Bounds, Context};
pub use merge::common_ids;
pub use rows::RowStream;
pub use score::text_score;

use crate::driver::Page;
use crate::error::Result;
use crate::plan::Output;
use crate::types::{Id, Value};

/// The rows of some ids, with the plan's outputs; ids without a row are left out.
///
/// # Errors
/// What the backends say; [`FracturedRow`](crate::ErrorKind::FracturedRow) for rows whose parts do not agree.
pub async fn fetch_rows(context: &Context, ids: Vec<Id>) -> Result<Page> {
    Ok(assemble::Shape::new(&context.plan.outputs).fetch(context, ids, Vec::new(), false).await?.0)
}

/// The values of the plan's order keys for one row: its position, for a cursor.
///
/// # Errors
/// What the backends say.
pub async fn position_of(context: &Context, id: &Id) -> Result<Vec<Value>> {
    let keys: Vec<Output> = context.plan.order.iter().map(|o| o.key).collect();
    let mut page = assemble::key_values(context, vec![id.clone()], &keys).await?;
    Ok(if page.is_empty() { vec![Value::Null; keys.len()] } else { page.row_mut(0).iter_mut().map(Value::take).collect() })
}
