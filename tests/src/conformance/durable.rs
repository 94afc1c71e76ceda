//! What was written is there after the driver was closed and opened again.

use std::sync::Arc;

use heavenbase::driver::{SubQuery, WriteMode};

use super::context::{Context, DriverSetup, Failure, Outcome};
use super::select::compare;
use crate::backends::Opening;
use crate::check;
use crate::simple::Simple;

/// Opens the same place once more.
pub type Reopen<'a> = &'a (dyn Fn() -> Opening + Send + Sync);

/// Fills a part, closes the driver, opens it again, several times; every row is as it was and can be changed.
///
/// # Errors
/// What was expected and what came, with the seed that replays it.
pub async fn reopened(setup: DriverSetup, reopen: Reopen<'_>) -> Result<(), String> {
    let seed = setup.seed;
    let mut context = Context::new(setup, "durable::reopened");
    let outcome = rounds(&mut context, reopen).await;
    let dropped = context.drop_all().await;
    outcome.and(dropped).map_err(|Failure(why)| format!("{why}\n  replay: HEAVENBASE_TEST_SEED={seed} … durable::reopened"))
}

async fn rounds(context: &mut Context, reopen: Reopen<'_>) -> Outcome {
    let specs = context.some_of_every_sort();
    let (part, mut table) = context.filled("durable", &specs, 40).await?;
    let mut random = context.random();
    for version in 20..23 {
        // The last handle goes: locks, caches and journals with it.
        context.setup.driver = Arc::new(Simple::new(context.setup.kind));
        context.setup.driver = reopen().await?;
        let ensured = context.driver().ensure(&part).await?;
        check!(!ensured.created && ensured.added.is_empty(), "opened again, ensure says {ensured:?}");
        let all = SubQuery { columns: (0..part.columns.len()).collect(), ..SubQuery::default() };
        compare(context, &part, &table, &all).await?;
        for _ in 0..context.rounds(15) {
            let filter = crate::data::filter(&mut random, &part, &table, 2, context.setup.manners);
            compare(context, &part, &table, &SubQuery { filter, columns: vec![0], ..SubQuery::default() }).await?;
        }
        let some = table.rows.keys().filter(|_| random.chance(30)).map(|id| id.as_str().into()).collect();
        let batch = context.batch(&mut random, &part, WriteMode::Upsert, version, some);
        context.write(&part, &mut table, batch).await?;
        let few = table.rows.keys().filter(|_| random.chance(10)).map(|id| id.as_str().into()).collect();
        let batch = context.batch(&mut random, &part, WriteMode::Delete, version + 1, few);
        context.write(&part, &mut table, batch).await?;
        compare(context, &part, &table, &all).await?;
    }
    Ok(())
}
