//! Aggregates: counts, sums, means, extremes, groups; null is a group of its own, overflow an error.

use std::sync::Arc;

use heavenbase::Status;
use heavenbase::capability::{Operation, Support, questions};
use heavenbase::driver::{Aggregate, AggregateFunction, Measure};
use heavenbase::filter::Filter;
use heavenbase::schema::Part;
use heavenbase::types::Value;

use super::context::{Context, Failure, Outcome, describe};
use super::select::short;
use crate::check;
use crate::data::{self, specs_of};
use crate::random::Random;
use crate::reference::{Expected, Table, aggregate, agrees, equal};

const FUNCTIONS: &[(AggregateFunction, Operation)] = &[
    (AggregateFunction::Count, Operation::IsNull),
    (AggregateFunction::CountDistinct, Operation::GroupBy),
    (AggregateFunction::Sum, Operation::Sum),
    (AggregateFunction::Avg, Operation::Sum),
    (AggregateFunction::Min, Operation::MinMax),
    (AggregateFunction::Max, Operation::MinMax),
];

fn native(part: &Part, column: usize, operation: Operation) -> bool {
    let column = &part.columns[column];
    questions::support(part.kind, operation, column.logical.class(), column.placement) == Support::Native
}

/// Every measure of every field of the class, over all rows and by group. What is native must be taken.
pub async fn measures(context: &Context, class: &str) -> Outcome {
    let (part, table) = context.filled("measures", &specs_of(context.setup.kind, Some(class)), 70).await?;
    let mut random = context.random();
    for column in 0..part.columns.len() {
        for (function, operation) in FUNCTIONS {
            if !native(&part, column, *operation) {
                continue;
            }
            let measures = vec![Measure { function: *function, column: Some(column) }];
            for filter in [Filter::all(), Filter::none()] {
                let wanted = Aggregate { filter, ids: None, keys: Vec::new(), measures: measures.clone() };
                let taken = context.driver().plans_aggregate(&part, &wanted) || !wanted.filter.is_all();
                check!(taken, "the table says that {} runs {function:?} on {class} natively, but the driver does not take it", part.kind);
                compare(context, &part, &table, &wanted).await?;
            }
            for _ in 0..context.rounds(4) {
                let filter = data::filter(&mut random, &part, &table, 2, context.setup.manners);
                let ids = random.chance(30).then(|| super::filters::some_ids(&mut random, &table));
                compare(context, &part, &table, &Aggregate { filter, ids, keys: Vec::new(), measures: measures.clone() }).await?;
            }
        }
        if native(&part, column, Operation::GroupBy) {
            let measures = vec![Measure { function: AggregateFunction::Count, column: None }];
            let wanted = Aggregate { filter: Filter::all(), ids: None, keys: vec![column], measures };
            let taken = context.driver().plans_aggregate(&part, &wanted);
            check!(taken, "the table says that {} groups by {class} natively, but the driver does not take it", part.kind);
            compare(context, &part, &table, &wanted).await?;
        }
    }
    Ok(())
}

/// Random keys and measures over fields of all classes, with filters and sets of ids.
pub async fn grouped(context: &Context) -> Outcome {
    for round in 0..3 {
        let mut random = context.random();
        let mut specs = specs_of(context.setup.kind, None);
        random.shuffle(&mut specs);
        specs.truncate(10);
        let (part, table) = context.filled(&format!("grouped{round}"), &specs, 90).await?;
        for _ in 0..context.rounds(40) {
            let wanted = random_aggregate(context, &mut random, &part, &table);
            compare(context, &part, &table, &wanted).await?;
        }
    }
    // Over an empty part: one group without keys, none with keys.
    let (part, table) = context.filled("grouped_empty", &specs_of(context.setup.kind, Some("Int")), 0).await?;
    let mut random = context.random();
    for _ in 0..10 {
        let wanted = random_aggregate(context, &mut random, &part, &table);
        compare(context, &part, &table, &wanted).await?;
    }
    Ok(())
}

pub(super) fn random_aggregate(context: &Context, random: &mut Random, part: &Part, table: &Table) -> Aggregate {
    let mut keys: Vec<usize> = (0..part.columns.len()).filter(|column| native(part, *column, Operation::GroupBy)).collect();
    random.shuffle(&mut keys);
    keys.truncate(random.below(3));
    let mut measures = vec![Measure { function: AggregateFunction::Count, column: None }];
    for _ in 0..random.below(4) {
        let column = random.below(part.columns.len());
        let (function, operation) = *random.pick(FUNCTIONS);
        if native(part, column, operation) {
            measures.push(Measure { function, column: Some(column) });
        }
    }
    random.shuffle(&mut measures);
    let filter = if random.chance(60) { data::filter(random, part, table, 2, context.setup.manners) } else { Filter::all() };
    let ids = random.chance(30).then(|| super::filters::some_ids(random, table));
    Aggregate { filter, ids, keys, measures }
}

/// Integer sums at the edge: what fits is exact, what does not is an error, never a wrapped or rounded number.
pub async fn sums(context: &Context) -> Outcome {
    let Some(spec) = specs_of(context.setup.kind, Some("Int")).into_iter().next() else { return Ok(()) };
    let part = context.part("sums", &[spec]).await?;
    if !native(&part, 0, Operation::Sum) {
        return Ok(());
    }
    let mut table = Table::default();
    let mut version = 0;
    for numbers in [
        vec![i64::MAX],
        vec![i64::MAX - 1, 1],
        vec![i64::MAX, 1],
        vec![i64::MIN, -1],
        vec![i64::MIN],
        vec![i64::MAX, i64::MAX, i64::MAX],
        vec![9_007_199_254_740_993, 2],
        vec![0, 0],
    ] {
        version += 1;
        let ids = table.rows.keys().map(|id| id.as_str().into()).collect();
        let all = context.batch(&mut context.random(), &part, heavenbase::driver::WriteMode::Delete, version, ids);
        context.write(&part, &mut table, all).await?;
        version += 1;
        let mut batch = context.batch(
            &mut context.random(),
            &part,
            heavenbase::driver::WriteMode::Insert,
            version,
            (0..numbers.len()).map(|n| format!("r{n}").into()).collect(),
        );
        batch.values = numbers.into_iter().map(Value::Int).collect();
        context.write(&part, &mut table, batch).await?;
        for function in [AggregateFunction::Sum, AggregateFunction::Avg, AggregateFunction::Min, AggregateFunction::Max] {
            let measures = vec![Measure { function, column: Some(0) }];
            compare(context, &part, &table, &Aggregate { filter: Filter::all(), ids: None, keys: Vec::new(), measures }).await?;
        }
    }
    Ok(())
}

pub(super) async fn compare(context: &Context, part: &Arc<Part>, table: &Table, wanted: &Aggregate) -> Outcome {
    if !context.driver().plans_aggregate(part, wanted) {
        return Ok(());
    }
    let expected = aggregate(table, part, wanted);
    let found = context.driver().aggregate(part, wanted).await;
    let measures = || expected.iter().flat_map(|(_, measures)| measures);
    let why = match found {
        Err(error) => {
            let allowed = measures().any(|m| matches!(m, Expected::Overflow | Expected::OrOverflow(_) | Expected::Anything));
            if allowed && error.status() == Status::Permanent { None } else { Some(format!("an error: {error:?}")) }
        }
        Ok(_) if measures().any(|m| matches!(m, Expected::Overflow)) => {
            Some("a sum that does not fit is answered without an error".to_owned())
        }
        Ok(groups) if groups.len() != expected.len() => Some(format!("{} groups instead of {}", groups.len(), expected.len())),
        Ok(groups) => groups.iter().find_map(|group| {
            let mine = |keys: &Vec<Value>| keys.len() == group.keys.len() && keys.iter().zip(&group.keys).all(|(a, b)| equal(a, b));
            let keys: Vec<String> = group.keys.iter().map(short).collect();
            let Some((_, measures)) = expected.iter().find(|(keys, _)| mine(keys)) else {
                return Some(format!("there is no group {keys:?}"));
            };
            if measures.len() != group.measures.len() {
                return Some(format!("{} measures instead of {}", group.measures.len(), measures.len()));
            }
            let wrong = measures.iter().zip(&group.measures).position(|(expected, found)| !agrees(expected, found))?;
            let (expected, found) = (&measures[wrong], short(&group.measures[wrong]));
            Some(format!("group {keys:?}: {:?} is {found} instead of {expected:?}", wanted.measures[wrong]))
        }),
    };
    match why {
        None => Ok(()),
        Some(why) => Err(Failure(format!("{why}\n  aggregate: {wanted:?}\n  columns: {}", describe(part)))),
    }
}
