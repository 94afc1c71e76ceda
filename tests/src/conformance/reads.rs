//! Tables that exist already, read through a driver that did not make them: every operation of the kind, over one loaded
//! table, against the reference.

use std::sync::Arc;

use heavenbase::capability::{Operation, Support, questions};
use heavenbase::driver::{NearQuery, SubQuery};
use heavenbase::filter::Filter;
use heavenbase::schema::{EntitySchema, ExistingTable, Part};
use heavenbase::types::{Id, Value};

use super::context::{Context, DriverSetup, Outcome};
use super::select::{compare, compare_rows, rows_of, select};
use super::{aggregates, order, search};
use crate::check;
use crate::data::{self, Spec, specs_of};
use crate::random::Random;
use crate::reference::Row;

/// Loads a table with every sort of field that the reader's kind stores through the writer, and reads it through the
/// reader as a table that exists; `path` leads to the writer's tables.
///
/// # Errors
/// As [`Case::run`](super::Case::run).
pub async fn existing(writer: DriverSetup, reader: DriverSetup, path: &[&'static str]) -> Result<(), String> {
    let (writer, reader) = (Context::new(writer, "reads::writer"), Context::new(reader, "reads::existing"));
    let outcome = read(&writer, &reader, path).await;
    let dropped = writer.drop_all().await;
    outcome.and(dropped).map_err(|failure| format!("{}\n  replay: HEAVENBASE_TEST_SEED={}", failure.0, reader.setup.seed))
}

async fn read(writer: &Context, reader: &Context, path: &[&'static str]) -> Outcome {
    let specs = specs_of(reader.setup.kind, None);
    let (made, mut table) = writer.filled("existing", &specs, 90).await?;
    table.rows.values_mut().for_each(|row| row.version = 0);
    let mut path = path.to_vec();
    path.push(Box::leak(made.table.clone().into_boxed_str()));
    let entity = EntitySchema {
        existing: Some(ExistingTable::at(Box::leak(path.into_boxed_slice()))),
        read_only: true,
        // No index is asked of a table that exists.
        ..Spec::entity("existing", &specs.into_iter().map(|spec| Spec { index: false, ..spec }).collect::<Vec<_>>())
    };
    let part = reader.lay_out(entity, &reader.setup.namespace)?;
    let ensured = reader.driver().ensure(&part).await?;
    check!(!ensured.created && ensured.added.is_empty(), "ensure of a table that exists says {ensured:?}");

    let mut random = reader.random();
    let all: Vec<usize> = (0..part.columns.len()).collect();
    compare(reader, &part, &table, &SubQuery { columns: all.clone(), ..SubQuery::default() }).await?;
    let ids: Vec<Id> = table.rows.keys().step_by(7).map(|id| Id::from(id.as_str())).chain([Id::from("nobody")]).collect();
    let page = reader.driver().fetch(&part, &ids, &all).await?;
    let expected: Vec<&Row> = ids.iter().filter_map(|id| table.rows.get(id.as_str())).collect();
    compare_rows(&part, &all, &expected, &rows_of(&part, &all, page))?;

    // Each operation on each sort of field.
    for (position, column) in part.columns.iter().enumerate() {
        for operation in Operation::ALL {
            if questions::support(part.kind, *operation, column.logical.class(), column.placement) != Support::Native {
                continue;
            }
            for _ in 0..reader.rounds(20) {
                let Some(test) = data::test(&mut random, *operation, &part, position, &table, reader.setup.manners) else { break };
                let filter = if random.chance(25) { Filter::Not(Box::new(test.into())) } else { test.into() };
                compare(reader, &part, &table, &SubQuery { filter, columns: vec![position], ..SubQuery::default() }).await?;
            }
        }
    }
    // All of it at once.
    for _ in 0..reader.rounds(400) {
        let query = SubQuery {
            filter: data::filter(&mut random, &part, &table, 3, reader.setup.manners),
            ids: random.chance(20).then(|| super::filters::some_ids(&mut random, &table)),
            order: if random.chance(60) { order::keys(&mut random, &part) } else { Vec::new() },
            limit: random.chance(40).then(|| random.below(30)),
            offset: if random.chance(20) { random.below(20) } else { 0 },
            columns: vec![random.below(part.columns.len())],
            ..SubQuery::default()
        };
        compare(reader, &part, &table, &query).await?;
    }
    for _ in 0..reader.rounds(300) {
        let wanted = aggregates::random_aggregate(reader, &mut random, &part, &table);
        aggregates::compare(reader, &part, &table, &wanted).await?;
    }
    near(reader, &part, &table, &mut random).await
}

async fn near(reader: &Context, part: &Arc<Part>, table: &crate::reference::Table, random: &mut Random) -> Outcome {
    for (column, described) in part.columns.iter().enumerate() {
        let Some(metric) = described.metric else { continue };
        for _ in 0..reader.rounds(40) {
            let Value::Vector(vector) = data::value(random, &described.logical, described.metric, reader.setup.manners) else { continue };
            let near = NearQuery { column, vector, metric, k: *random.pick(&[1, 5, 50, 500]), exact: true };
            let filter = if random.chance(50) { Filter::all() } else { data::filter(random, part, table, 2, reader.setup.manners) };
            let query = SubQuery { filter, columns: vec![column], near: Some(near), ..SubQuery::default() };
            search::agree(part, table, &query, &select(reader, part, &query).await?)?;
        }
    }
    Ok(())
}
