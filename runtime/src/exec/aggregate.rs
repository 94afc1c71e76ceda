//! Aggregation: pushed to one backend where it can do all of it, else over merged rows here.

use std::collections::HashMap;

use super::Context;
use super::assemble::ResultPage;
use super::rows::RowStream;
use crate::driver::{Aggregate, AggregateFunction, Group as GroupRow, Measure, Total};
use crate::error::Result;
use crate::filter::{Filter, Program, Test};
use crate::plan::{Group, Output, Plan, PlannedAggregate, PlannedMeasure, Purpose, Target, part_of};
use crate::query::HavingSpec;
use crate::types::{Value, canonical_key, sort_order};

/// The part that can do the whole aggregation, and what it is asked: the owner, when all fields lie there.
pub(crate) fn pushed(plan: &Plan, target: &Target) -> Option<(usize, Aggregate)> {
    let planned = plan.aggregate.as_ref()?;
    let filter = match plan.groups.as_slice() {
        [] => Filter::all(),
        [Group::Part { part: Target::OWNER, filter }] => filter.clone(),
        _ => return None,
    };
    // Rows that only another part has are no rows: elsewhere than on the owner nobody could tell.
    let column = |output: Output| match output {
        Output::Column { part: Target::OWNER, column } => Some(column),
        _ => None,
    };
    let keys = planned.keys.iter().map(|k| column(*k)).collect::<Option<Vec<_>>>()?;
    let measure = |m: &PlannedMeasure| match m.over {
        None => Some(Measure { function: m.function, column: None }),
        // Every row has an id.
        Some(Output::Id) if matches!(m.function, AggregateFunction::Count | AggregateFunction::CountDistinct) => {
            Some(Measure { function: AggregateFunction::Count, column: None })
        }
        Some(output) => Some(Measure { function: m.function, column: Some(column(output)?) }),
    };
    let measures = planned.measures.iter().map(measure).collect::<Option<Vec<_>>>()?;
    let wanted = Aggregate { filter, ids: None, keys, measures };
    target.driver(Target::OWNER).plans_aggregate(target.part(Target::OWNER), &wanted).then_some((Target::OWNER, wanted))
}

/// The groups of a plan that aggregates, ordered by their keys, nulls last: keys, then the selected measures.
///
/// # Errors
/// What the backends say; [`LimitExceeded`](crate::ErrorKind::LimitExceeded) when an integer sum overflows.
pub async fn run(context: &Context) -> Result<Vec<Vec<Value>>> {
    let plan = context.plan.clone();
    let Some(planned) = &plan.aggregate else { return Ok(Vec::new()) };
    let mut groups = match pushed(&plan, &context.target) {
        Some((part, wanted)) => {
            let started = context.clock();
            let groups = context.blame(part, context.target.driver(part).aggregate(context.target.part(part), &wanted).await)?;
            context.count(part, Purpose::Aggregate, started, 0, || {
                (groups.len(), groups.len() * 24 * (wanted.keys.len() + wanted.measures.len()))
            });
            groups
        }
        None => fold(context, planned).await?,
    };
    if groups.is_empty() && planned.keys.is_empty() {
        let none = planned.measures.iter().map(|m| Total::new(m.function).finish()).collect::<Result<_>>()?;
        groups.push(GroupRow { keys: Vec::new(), measures: none });
    }
    let mut rows = Vec::with_capacity(groups.len());
    for group in groups {
        if let Some(having) = &planned.having
            && !satisfies(having, planned, &group.measures)?
        {
            continue;
        }
        rows.push(group);
    }
    rows.sort_by(|a, b| {
        a.keys.iter().zip(&b.keys).map(|(x, y)| sort_order(x, y, false)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    });
    let selected = |mut g: GroupRow| {
        g.measures.truncate(planned.selected);
        g.keys.append(&mut g.measures);
        g.keys
    };
    Ok(rows.into_iter().map(selected).collect())
}

fn satisfies(having: &HavingSpec, planned: &PlannedAggregate, measures: &[Value]) -> Result<bool> {
    Ok(match having {
        HavingSpec::And(parts) => {
            for part in parts {
                if !satisfies(part, planned, measures)? {
                    return Ok(false);
                }
            }
            true
        }
        HavingSpec::Or(parts) => {
            for part in parts {
                if satisfies(part, planned, measures)? {
                    return Ok(true);
                }
            }
            false
        }
        HavingSpec::Not(inner) => !satisfies(inner, planned, measures)?,
        HavingSpec::Test(measure, condition) => {
            let at = planned.specs.iter().position(|m| m == measure);
            let value = at.and_then(|i| measures.get(i)).cloned().unwrap_or_default();
            let program = Program::new(&Filter::Test(Test::new("measure", condition.clone())), &|_| Some(0))?;
            program.holds_on(&[value])
        }
    })
}

async fn fold(context: &Context, planned: &PlannedAggregate) -> Result<Vec<GroupRow>> {
    let mut outputs: Vec<Output> = planned.keys.clone();
    let width = outputs.len();
    let at: Vec<Option<usize>> = planned
        .measures
        .iter()
        .map(|m| {
            m.over.map(|output| {
                outputs.push(output);
                outputs.len() - 1
            })
        })
        .collect();
    debug_assert!(outputs.iter().all(|o| part_of(*o).is_none_or(|p| p < context.target.len())));
    let plan = Plan { outputs, aggregate: None, ..(*context.plan).clone() };
    let mut rows = RowStream::open(context.with_plan(plan)).await?;
    let mut groups: HashMap<Vec<u8>, (Vec<Value>, Vec<Total>)> = HashMap::new();
    let mut key = Vec::new();
    while let Some(ResultPage(page)) = rows.next().await? {
        for row in 0..page.len() {
            let values = page.row(row);
            key.clear();
            values[..width].iter().for_each(|v| canonical_key(v, &mut key));
            let fresh = || (values[..width].to_vec(), planned.measures.iter().map(|m| Total::new(m.function)).collect());
            let group = match groups.get_mut(&key) {
                Some(group) => group,
                None => groups.entry(key.clone()).or_insert_with(fresh),
            };
            for (total, at) in group.1.iter_mut().zip(&at) {
                total.add(at.map(|i| &values[i]))?;
            }
        }
    }
    let finish = |(keys, totals): (Vec<Value>, Vec<Total>)| {
        Ok(GroupRow { keys, measures: totals.into_iter().map(Total::finish).collect::<Result<_>>()? })
    };
    groups.into_values().map(finish).collect()
}
