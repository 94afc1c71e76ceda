//! Aggregates: over the columns that they need, and no others.

use std::collections::HashMap;
use std::sync::Arc;

use super::filter::{self, Truth};
use super::read::{self, Trouble};
use super::store::Store;
use crate::driver::{Aggregate, AggregateFunction, Group, Measure, Total};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::{Value, canonical_key};

/// Runs an aggregation over the newest version.
pub(super) async fn run(store: &Arc<Store>, part: &Arc<Part>, query: &Aggregate) -> Result<Vec<Group>> {
    let condition = read::condition(part, &query.filter, query.ids.as_deref())?;
    let counts = query.keys.is_empty() && query.measures.iter().all(|m| m.function == AggregateFunction::Count);
    read::settled(store, part, |dataset| {
        let condition = condition.clone();
        async move {
            if counts {
                let mut measures = Vec::with_capacity(query.measures.len());
                for measure in &query.measures {
                    let condition = match measure.column {
                        Some(column) => condition.clone().and(filter::is_some(part, column)),
                        None => condition.clone(),
                    };
                    measures.push(Value::Int(count(&dataset, &condition).await?));
                }
                return Ok(vec![Group { keys: Vec::new(), measures }]);
            }
            grouped(&dataset, part, query, &condition).await
        }
    })
    .await
}

/// How many rows satisfy a condition.
pub(super) async fn count(dataset: &lance::Dataset, condition: &Truth) -> Result<i64, Trouble> {
    let found = match condition {
        Truth::Never => 0,
        Truth::Always => dataset.count_rows(None).await? as u64,
        Truth::When(expression) => {
            let mut scanner = dataset.scan();
            scanner.filter_expr(expression.clone());
            scanner.empty_project()?;
            scanner.with_row_id();
            scanner.count_rows().await?
        }
    };
    Ok(i64::try_from(found).unwrap_or(i64::MAX))
}

async fn grouped(dataset: &lance::Dataset, part: &Part, query: &Aggregate, condition: &Truth) -> Result<Vec<Group>, Trouble> {
    let mut columns: Vec<usize> = query.keys.clone();
    columns.extend(query.measures.iter().filter_map(|m| m.column));
    columns.sort_unstable();
    columns.dedup();
    let at = |column: usize| {
        columns.binary_search(&column).map_err(|_| Error::new(ErrorKind::Internal, "an aggregate over a column that was not read"))
    };
    let keys = query.keys.iter().map(|&column| at(column)).collect::<Result<Vec<usize>>>()?;
    let measured = query.measures.iter().map(|m| m.column.map(at).transpose()).collect::<Result<Vec<Option<usize>>>>()?;
    let named = |error: Error, measure: &Measure| match measure.column.and_then(|column| part.columns.get(column)) {
        Some(column) => error.at_field(column.name),
        None => error,
    };
    let fresh = || query.measures.iter().map(|measure| Total::new(measure.function)).collect::<Vec<_>>();
    let mut groups: Vec<(Vec<Value>, Vec<Total>)> = Vec::new();
    let mut numbers: HashMap<Vec<u8>, usize> = HashMap::new();
    if query.keys.is_empty() {
        // One group of all, even of none.
        groups.push((Vec::new(), fresh()));
        numbers.insert(Vec::new(), 0);
    }
    let mut key = Vec::new();
    if let Some(scanner) = read::scanner(dataset, condition, &read::names(part, &columns))? {
        read::each(&scanner, |batch| {
            let values = read::values(part, &columns, &batch)?;
            let rows = 0..batch.num_rows();
            for row in rows {
                key.clear();
                keys.iter().for_each(|&column| canonical_key(&values[column][row], &mut key));
                let number = match numbers.get(&key) {
                    Some(number) => *number,
                    None => {
                        groups.push((keys.iter().map(|&column| values[column][row].clone()).collect(), fresh()));
                        numbers.insert(key.clone(), groups.len() - 1);
                        groups.len() - 1
                    }
                };
                for ((measure, column), total) in query.measures.iter().zip(&measured).zip(&mut groups[number].1) {
                    total.add(column.map(|column| &values[column][row])).map_err(|e| named(e, measure))?;
                }
            }
            Ok(())
        })
        .await?;
    }
    let finish = |(keys, totals): (Vec<Value>, Vec<Total>)| {
        let measures = totals.into_iter().zip(&query.measures).map(|(total, measure)| total.finish().map_err(|e| named(e, measure)));
        Ok(Group { keys, measures: measures.collect::<Result<_>>()? })
    };
    Ok(groups.into_iter().map(finish).collect::<Result<Vec<Group>>>()?)
}
