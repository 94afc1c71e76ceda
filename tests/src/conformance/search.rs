//! Vector search: exactly `min(k, matches)`, scores that mean the same everywhere, ties by id.

use std::sync::Arc;

use heavenbase::capability::{Operation, Support, questions};
use heavenbase::driver::{NearQuery, SubQuery};
use heavenbase::filter::Filter;
use heavenbase::schema::Part;
use heavenbase::types::{LogicalType, Value};

use super::context::{Context, Failure, Outcome};
use super::select::{Found, compare_rows, select};
use crate::check;
use crate::data::{self, Spec, specs_of};
use crate::reference::{Row, Table, near as nearest, score};

/// By each metric: alone, with filters, with sets of ids, with both, every `k`.
pub async fn near(context: &Context) -> Outcome {
    let mut random = context.random();
    let mut specs: Vec<Spec> = specs_of(context.setup.kind, Some("Vector"));
    specs.extend(specs_of(context.setup.kind, Some("Vector")).into_iter().filter(|spec| spec.metric.is_some()).map(|spec| Spec {
        name: format!("{}wide", spec.name),
        logical: LogicalType::Vector(37),
        ..spec
    }));
    let mut others: Vec<Spec> = specs_of(context.setup.kind, None).into_iter().filter(|spec| spec.metric.is_none()).collect();
    random.shuffle(&mut others);
    specs.extend(others.into_iter().take(5));
    let (part, table) = context.filled("near", &specs, 120).await?;
    for (column, described) in part.columns.iter().enumerate() {
        let Some(metric) = described.metric else { continue };
        if questions::support(part.kind, Operation::Near, "Vector", described.placement) != Support::Native {
            continue;
        }
        for round in 0..context.rounds(16) {
            let Value::Vector(vector) = data::value(&mut random, &described.logical, described.metric, context.setup.manners) else {
                continue;
            };
            let k = *random.pick(&[1, 2, 5, 10, 50, 119, 500]);
            let k = k.min(context.driver().description().max_k);
            let near = NearQuery { column, vector, metric, k, exact: random.chance(80) };
            let filter = if round % 2 == 0 { Filter::all() } else { data::filter(&mut random, &part, &table, 2, context.setup.manners) };
            let ids = random.chance(40).then(|| super::filters::some_ids(&mut random, &table));
            let columns = if random.chance(50) { vec![column] } else { Vec::new() };
            let query = SubQuery { filter, ids, columns, near: Some(near), ..SubQuery::default() };
            if query.filter.is_all() {
                check!(context.driver().plan(&part, &query).near, "near by {metric} is native in the table, but not taken");
            }
            let found = select(context, &part, &query).await?;
            agree(&part, &table, &query, &found).map_err(|Failure(why)| {
                Failure(format!(
                    "{why}\n  near {:?} by {metric}, k {k}, filter {:?}, {:?} ids\n  plan: {}",
                    described.logical,
                    query.filter,
                    query.ids.as_ref().map(|ids| ids.len()),
                    context.driver().plan(&part, &query).text
                ))
            })?;
        }
    }
    Ok(())
}

/// Whether the hits of a search are right: how many, which, with which scores, in which order.
pub fn agree(part: &Arc<Part>, table: &Table, query: &SubQuery, found: &[Found]) -> Outcome {
    let Some(near) = &query.near else { return Ok(()) };
    let rows = table.matching(part, &query.filter, query.ids.as_deref());
    let expected = nearest(near.metric, &near.vector, near.k, rows.iter().map(|row| (row.id.as_str(), &row.values[near.column])));
    let list = |hits: Vec<(&str, f64)>| format!("{:?}", &hits[..hits.len().min(12)]);
    let hits: Vec<(&str, f64)> = found.iter().map(|found| (found.row.id.as_str(), found.score.unwrap_or(f64::NAN))).collect();
    let lists = || format!("\n  expected: {}\n  found:    {}", list(expected.clone()), list(hits.clone()));
    check!(hits.len() == expected.len(), "{} hits instead of min(k, matches) = {}{}", hits.len(), expected.len(), lists());
    let mut seen = std::collections::BTreeSet::new();
    for (at, (id, reported)) in hits.iter().enumerate() {
        check!(seen.insert(*id), "the hit {id:?} comes twice");
        let Some(row) = rows.iter().find(|row| row.id == *id) else {
            return Err(Failure(format!("the hit {id:?} does not match the filter{}", lists())));
        };
        let Value::Vector(stored) = &row.values[near.column] else {
            return Err(Failure(format!("the hit {id:?} has no vector")));
        };
        let own = score(near.metric, &near.vector, stored);
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-5 * (1.0 + a.abs());
        check!(close(own, *reported), "the score of {id:?} is {reported} instead of {own}");
        if near.exact {
            check!(close(expected[at].1, *reported), "hit {at} scores {reported}, the reference has {}{}", expected[at].1, lists());
        }
        if at > 0 {
            let (before, score_before) = hits[at - 1];
            check!(score_before >= *reported, "hits are not in the order of their scores{}", lists());
            check!(
                score_before > *reported || before.as_bytes() < id.as_bytes(),
                "hits of one score are not in the order of their ids: {:?}, {:?}{}",
                hits[at - 1],
                hits[at],
                lists()
            );
        }
    }
    if near.exact {
        // Equal vectors have equal scores: of those at the edge of `k`, the least ids are in.
        for row in &rows {
            let twin = |other: &&&Row| row.values[near.column] == other.values[near.column] && other.id < row.id;
            if seen.contains(row.id.as_str())
                && !row.values[near.column].is_null()
                && let Some(missing) = rows.iter().filter(twin).find(|other| !seen.contains(other.id.as_str()))
            {
                return Err(Failure(format!("{:?} is a hit, but {:?} with the same vector and a lesser id is not", row.id, missing.id)));
            }
        }
    }
    let found_rows: Vec<&Row> = hits.iter().filter_map(|(id, _)| table.rows.get(*id)).collect();
    compare_rows(part, &query.columns, &found_rows, found)
}
