//! The differential test of splits: the same rows laid out over backends at random, the same queries, one answer.
//!
//! A [`World`] holds the drivers, [`World::place`] lays an entity out over them, [`queries`] makes queries,
//! [`answer::expected`] says what the reference answers, [`answer::run`] what the planner and executor do.

pub mod answer;
pub mod queries;
mod world;

pub use world::{BESIDE, Placed, World};

use heavenbase::exec::Bounds;
use heavenbase::query::QuerySpec;

use crate::backends::Tested;
use crate::random::Random;
use answer::{Answer, difference, expected, run};

/// Runs so many random queries on so many random placements of the same rows. Gives the number of pairs compared.
///
/// # Errors
/// The first difference: seed, placement, the query cut down as far as it still differs, both answers.
pub async fn compare(seed: u64, placements: usize, queries: usize) -> Result<usize, String> {
    let mut random = Random::named(seed, "split");
    let world = World::new(&mut random).await.map_err(|error| format!("seed {seed}: no world: {error:?}"))?;
    compare_in(world, random, seed, placements, queries).await
}

/// The same in a world that is there.
///
/// # Errors
/// As [`compare`].
pub async fn compare_in(mut world: World, mut random: Random, seed: u64, placements: usize, queries: usize) -> Result<usize, String> {
    let mut placed = Ok(());
    for number in 0..placements {
        placed = world.place(&mut random, number).await.map_err(|error| format!("seed {seed}: placement {number}: {error:?}"));
        if placed.is_err() {
            break;
        }
    }
    ask_and_clear(world, placed, random, seed, queries).await
}

/// Runs random queries on one backend alone, paired with memory and paired with SQLite. Gives the number of pairs of query
/// and placement that agree.
///
/// # Errors
/// As [`compare`].
pub async fn compare_beside(tested: &Tested, seed: u64, queries: usize) -> Result<usize, String> {
    let mut random = Random::named(seed, tested.name);
    let world = World::beside(&mut random, tested).await.map_err(|error| format!("seed {seed}: no world: {error:?}"));
    let mut world = world?;
    let pair = |other| vec![tested.name, other];
    let layouts = [vec![tested.name], pair("inmem"), pair("inmem"), pair("sqlite_file"), pair("sqlite_file")];
    let mut placed = Ok(());
    for (number, on) in layouts.iter().enumerate() {
        placed = world.place_on(&mut random, number, on).await.map_err(|error| format!("seed {seed}: placement {number}: {error:?}"));
        if placed.is_err() {
            break;
        }
    }
    ask_and_clear(world, placed, random, seed, queries).await
}

/// What was laid out is dropped whatever the comparison says: servers outlive a failed test.
async fn ask_and_clear(mut world: World, placed: Result<(), String>, random: Random, seed: u64, queries: usize) -> Result<usize, String> {
    let compared = match placed {
        Ok(()) => ask(&world, random, seed, queries).await,
        Err(why) => Err(why),
    };
    let cleared = world.clear().await.map_err(|error| format!("seed {seed}: dropping: {error:?}"));
    let pairs = compared?;
    cleared.map(|()| pairs)
}

async fn ask(world: &World, mut random: Random, seed: u64, queries: usize) -> Result<usize, String> {
    let (mut pairs, mut telling) = (0, 0);
    for number in 0..queries {
        let spec = queries::query(&mut random, world);
        let wanted = expected(world, &spec);
        telling += usize::from(wanted.tells());
        for placed in &world.placed {
            let bounds = bounds(&mut random);
            if let Some(why) = one(world, placed, &spec, &wanted, bounds).await {
                let (spec, why) = smaller(world, placed, spec, why, bounds).await;
                return Err(format!(
                    "seed {seed}, query {number}, within {bounds:?}: {why}\n  query: {}\n  placement: {placed}\n  plan:\n{}\n  replay: HEAVENBASE_TEST_SEED={seed}",
                    serde_json::to_string(&spec).unwrap_or_default(),
                    answer::explain(placed, &spec)
                ));
            }
            pairs += 1;
        }
        if number % 10 == 0 {
            let at = random.below(world.placed.len());
            queries::paged(&mut random, world, &world.placed[at]).await.map_err(|why| format!("seed {seed}, pages {number}: {why}"))?;
            pairs += 1;
        }
    }
    // Queries that nothing matches compare nothing.
    if telling * 3 < queries {
        return Err(format!("seed {seed}: only {telling} of {queries} queries answer with anything"));
    }
    Ok(pairs)
}

/// The usual bounds, by which few rows are always gathered; or such small ones that few rows go the ways of many.
fn bounds(random: &mut Random) -> Bounds {
    if random.chance(40) {
        return Bounds::default();
    }
    Bounds {
        few: *random.pick(&[0, 1, 3, 10]),
        page: *random.pick(&[1, 4, 16]),
        chunk: *random.pick(&[1, 3, 20]),
        candidates: *random.pick(&[0, 5, 30]),
    }
}

async fn one(world: &World, placed: &Placed, spec: &QuerySpec, wanted: &Answer, bounds: Bounds) -> Option<String> {
    difference(world, spec, wanted, &run(placed, spec, bounds).await)
}

/// Cuts a query down as long as it still differs.
async fn smaller(world: &World, placed: &Placed, mut spec: QuerySpec, mut why: String, bounds: Bounds) -> (QuerySpec, String) {
    'again: loop {
        for candidate in queries::simpler(&spec) {
            if let Some(still) = one(world, placed, &candidate, &expected(world, &candidate), bounds).await {
                (spec, why) = (candidate, still);
                continue 'again;
            }
        }
        return (spec, why);
    }
}
