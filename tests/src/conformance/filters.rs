//! Every condition of every operation that the table calls native, alone and combined.

use std::sync::Arc;

use heavenbase::capability::{Operation, Support, questions};
use heavenbase::driver::SubQuery;
use heavenbase::filter::Filter;
use heavenbase::types::Id;

use super::context::{Context, Outcome};
use super::estimate;
use super::select::compare;
use crate::check;
use crate::data::{self, specs_of};
use crate::random::Random;

fn columns(random: &mut Random, count: usize) -> Vec<usize> {
    let mut columns: Vec<usize> = (0..count).filter(|_| random.chance(30)).collect();
    random.shuffle(&mut columns);
    columns
}

/// One test at a time. What is native in the table must be taken by the driver at least sometimes.
pub async fn single(context: &Context, class: &str) -> Outcome {
    let (part, table) = context.filled("single", &specs_of(context.setup.kind, Some(class)), 80).await?;
    let mut random = context.random();
    for (position, column) in part.columns.iter().enumerate() {
        for operation in Operation::ALL {
            if questions::support(part.kind, *operation, class, column.placement) != Support::Native {
                continue;
            }
            let mut taken = None;
            let rounds = context.rounds(20);
            // What is taken costs no statement to ask, so it is asked often however few are run.
            for round in 0..rounds.max(20) {
                let Some(test) = data::test(&mut random, *operation, &part, position, &table, context.setup.manners) else { break };
                let filter = if random.chance(25) { Filter::Not(Box::new(test.into())) } else { test.into() };
                let query = SubQuery { filter, columns: columns(&mut random, part.columns.len()), ..SubQuery::default() };
                *taken.get_or_insert(false) |= context.driver().plan(&part, &query).remainder.is_all();
                if round < rounds {
                    compare(context, &part, &table, &query).await?;
                    estimate::holds(context, &part, &table, &mut random, &query.filter).await?;
                }
            }
            check!(
                taken != Some(false),
                "the table says that {} runs `{operation}` natively on {class} as {}, but the driver never takes it",
                part.kind,
                column.placement
            );
        }
    }
    Ok(())
}

/// Random trees over the fields of one class.
pub async fn trees(context: &Context, class: &str) -> Outcome {
    let (part, table) = context.filled("trees", &specs_of(context.setup.kind, Some(class)), 80).await?;
    let mut random = context.random();
    for _ in 0..context.rounds(80) {
        let filter = data::filter(&mut random, &part, &table, 3, context.setup.manners);
        let query = SubQuery { filter, columns: columns(&mut random, part.columns.len()), ..SubQuery::default() };
        compare(context, &part, &table, &query).await?;
        estimate::holds(context, &part, &table, &mut random, &query.filter).await?;
    }
    Ok(())
}

/// Random trees over fields of all classes, with id sets, order and limits.
pub async fn mixed(context: &Context) -> Outcome {
    for round in 0..4 {
        let mut random = context.random();
        let mut specs = specs_of(context.setup.kind, None);
        random.shuffle(&mut specs);
        specs.truncate(10);
        let (part, table) = context.filled(&format!("mixed{round}"), &specs, 100).await?;
        for _ in 0..context.rounds(60) {
            let mut query = SubQuery {
                filter: data::filter(&mut random, &part, &table, 4, context.setup.manners),
                columns: columns(&mut random, part.columns.len()),
                page_rows: *random.pick(&[1, 3, 50, 1024]),
                ..SubQuery::default()
            };
            if random.chance(30) {
                query.ids = Some(some_ids(&mut random, &table));
            }
            if random.chance(50) {
                query.order = super::order::keys(&mut random, &part);
            }
            if random.chance(40) {
                query.limit = Some(random.below(30));
                query.offset = if random.chance(50) { random.below(20) } else { 0 };
            }
            compare(context, &part, &table, &query).await?;
            estimate::holds(context, &part, &table, &mut random, &query.filter).await?;
        }
    }
    Ok(())
}

/// A sorted set of ids, most of them there.
pub fn some_ids(random: &mut Random, table: &crate::reference::Table) -> Arc<[Id]> {
    let share = *random.pick(&[0, 5, 50, 100]);
    let mut ids: Vec<Id> = table.rows.keys().filter(|_| random.chance(share)).map(|id| Id::from(id.as_str())).collect();
    ids.extend(["nobody", "e", "zz\u{1f600}"].into_iter().filter(|_| random.chance(30)).map(Id::from));
    ids.sort();
    ids.dedup();
    ids.into()
}

/// Filters on the id and sets of ids, none to all.
pub async fn ids(context: &Context) -> Outcome {
    let mut specs = specs_of(context.setup.kind, None);
    specs.truncate(3);
    let (part, table) = context.filled("ids", &specs, 120).await?;
    let bare = heavenbase::schema::Part { columns: Vec::new(), ..(*part).clone() };
    let mut random = context.random();
    for _ in 0..context.rounds(80) {
        let filter = data::filter(&mut random, &bare, &table, 2, context.setup.manners);
        let ids = random.chance(50).then(|| some_ids(&mut random, &table));
        estimate::holds(context, &part, &table, &mut random, &filter).await?;
        compare(context, &part, &table, &SubQuery { filter, ids, columns: vec![0], ..SubQuery::default() }).await?;
    }
    Ok(())
}
