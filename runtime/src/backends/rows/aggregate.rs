use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::query::{damage_in_the_way, holds, program};
use super::{Contents, Row};
use crate::driver::{Aggregate, Group, Total};
use crate::error::Result;
use crate::schema::Part;
use crate::types::{Value, canonical_key, sort_order};

/// Runs an aggregation over a snapshot. Groups come in the order of their keys, nulls last.
///
/// # Errors
/// [`Corrupt`](crate::ErrorKind::Corrupt) when a damaged row could belong to it: a number without it would be wrong.
pub(crate) fn aggregate(part: &Part, contents: &Contents, query: &Aggregate) -> Result<Vec<Group>> {
    if let Some(error) = damage_in_the_way(part, contents, &query.filter, query.ids.as_deref(), None)? {
        return Err(error);
    }
    let program = program(part, &query.filter)?;
    let fresh = || query.measures.iter().map(|measure| Total::new(measure.function)).collect::<Vec<_>>();
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut groups: Vec<(Vec<Value>, Vec<Total>)> = Vec::new();
    if query.keys.is_empty() {
        // One group of all, even of none.
        groups.push((Vec::new(), fresh()));
        places.insert(Vec::new(), 0);
    }
    let mut key = Vec::new();
    let mut take = |row: &Row| -> Result<()> {
        key.clear();
        query.keys.iter().for_each(|column| canonical_key(row.column(*column), &mut key));
        let place = match places.get(&key) {
            Some(place) => *place,
            None => {
                groups.push((query.keys.iter().map(|column| row.column(*column).clone()).collect(), fresh()));
                places.insert(key.clone(), groups.len() - 1);
                groups.len() - 1
            }
        };
        for (measure, total) in query.measures.iter().zip(&mut groups[place].1) {
            let named = |column: usize| part.columns[column].name;
            total.add(measure.column.map(|column| row.column(column))).map_err(|e| match measure.column {
                Some(column) => e.at_field(named(column)),
                None => e,
            })?;
        }
        Ok(())
    };
    let found = |row: &&Arc<Row>| holds(&program, row);
    match &query.ids {
        Some(ids) => ids.iter().filter_map(|id| contents.rows.get(id)).filter(found).try_for_each(|row| take(row))?,
        None => contents.rows.iter().filter(found).try_for_each(|row| take(row))?,
    }
    let mut answer = Vec::with_capacity(groups.len());
    for (keys, totals) in groups {
        let mut measures = Vec::with_capacity(totals.len());
        for (measure, total) in query.measures.iter().zip(totals) {
            let finished = total.finish();
            measures.push(match measure.column {
                Some(column) => finished.map_err(|e| e.at_field(part.columns[column].name))?,
                None => finished?,
            });
        }
        answer.push(Group { keys, measures });
    }
    answer.sort_by(|a, b| {
        let keys = a.keys.iter().zip(&b.keys);
        keys.map(|(x, y)| sort_order(x, y, false)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    });
    Ok(answer)
}
