//! Estimates: never below the truth up to the cap, and the truth for one test.

use std::sync::Arc;

use heavenbase::filter::Filter;
use heavenbase::schema::Part;

use super::context::{Context, Outcome};
use crate::check;
use crate::random::Random;
use crate::reference::Table;

/// Asks how many rows satisfy a filter, up to a random cap, and holds the answer against the rows.
///
/// # Errors
/// When the driver fails, or its answer would lead astray.
pub async fn holds(context: &Context, part: &Arc<Part>, table: &Table, random: &mut Random, filter: &Filter) -> Outcome {
    let cap = *random.pick(&[0, 1, 3, 20, 1_000_000]);
    let Some(found) = context.driver().estimate(part, filter, cap).await? else { return Ok(()) };
    let truth = table.matching(part, filter, None).len() as u64;
    let most = found <= cap as u64;
    check!(!most || found >= truth, "an estimate of {found} up to {cap}, but {truth} rows satisfy {filter:?}");
    let one = matches!(filter, Filter::Test(_));
    check!(!(most && one) || found == truth, "an estimate of {found} up to {cap} for one test, but {truth} rows satisfy {filter:?}");
    Ok(())
}
