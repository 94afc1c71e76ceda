//! Aggregations that are exact on the server: counts of documents, groups by composite keys paged to their end, and
//! extremes as the first document of an order. Sums are taken of floats alone, for they go through doubles.

use std::collections::HashMap;

use serde_json::{Map, json};

use super::api::Point;
use super::document::{Source, field, segment_field, source_of};
use super::driver::Shared;
use super::query::exists;
use super::search::{matching, sort_of, sorts};
use super::{codec, query, text};
use crate::capability::{Operation, Support, questions};
use crate::driver::{Aggregate, AggregateFunction, Group, Measure};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Filter;
use crate::schema::{Column, Part};
use crate::types::{Json, LogicalType, Value, canonical_key};

/// Groups a page.
const PAGE: usize = 1_000;

/// Whether all of an aggregation has an exact form.
pub(super) fn takes(part: &Part, wanted: &Aggregate) -> bool {
    let native =
        |column: &Column, operation| questions::support(part.kind, operation, column.logical.class(), column.placement) == Support::Native;
    let groups = |column: &usize| part.columns.get(*column).is_some_and(|c| native(c, Operation::GroupBy) && sorts(c));
    let measures = |measure: &Measure| match (measure.function, measure.column.and_then(|c| part.columns.get(c))) {
        (AggregateFunction::Count, None) => measure.column.is_none(),
        (AggregateFunction::Count, Some(column)) => native(column, Operation::IsNull),
        (AggregateFunction::CountDistinct, Some(column)) => native(column, Operation::GroupBy) && sorts(column),
        (AggregateFunction::Min | AggregateFunction::Max, Some(column)) => native(column, Operation::MinMax) && sorts(column),
        (AggregateFunction::Sum | AggregateFunction::Avg, Some(column)) => native(column, Operation::Sum),
        (_, None) => false,
    };
    query::takes(part, &wanted.filter) && wanted.keys.iter().all(groups) && wanted.measures.iter().all(measures)
}

/// The groups of an aggregation.
pub(super) async fn run(shared: &Shared, part: &Part, wanted: &Aggregate) -> Result<Vec<Group>> {
    let api = &shared.api;
    shared.before_search(&part.table, api.http.deadline()).await?;
    // One point in time for all pages and all measures, so that they speak of the same rows.
    let mut point = api.open_point(&part.table, api.http.deadline()).await?;
    let filter = matching(shared, part, &wanted.filter, wanted.ids.as_deref())?;
    let mut inner = Map::new();
    for (number, measure) in wanted.measures.iter().enumerate() {
        if let Some(json) = inner_of(part, measure) {
            inner.insert(format!("m{number}"), json);
        }
    }
    let mut groups = Vec::new();
    if wanted.keys.is_empty() {
        let body = json!({ "size": 0, "query": filter, "track_total_hits": true, "aggs": inner });
        let found = point.search(body, api.http.deadline()).await?;
        let rows = found.hits.total.map_or(0, |total| total.value);
        groups.push(Group { keys: Vec::new(), measures: measures_of(part, wanted, &found.aggregations, rows)? });
    } else {
        let mut buckets = Buckets::new(&filter, part, &wanted.keys, inner);
        while let Some(page) = buckets.next(shared, &mut point).await? {
            for bucket in page {
                let rows = bucket["doc_count"].as_i64().unwrap_or_default();
                groups.push(Group {
                    keys: keys_of(part, &wanted.keys, &bucket["key"])?,
                    measures: measures_of(part, wanted, &bucket, rows)?,
                });
            }
        }
    }
    for (number, measure) in wanted.measures.iter().enumerate() {
        if let (AggregateFunction::CountDistinct, Some(column)) = (measure.function, measure.column) {
            count_distinct(shared, part, wanted, &filter, &mut point, column, number, &mut groups).await?;
        }
    }
    Ok(groups)
}

/// How many documents satisfy a filter, counted up to one more than `cap`.
pub(super) async fn count(shared: &Shared, part: &Part, filter: &Filter, cap: usize) -> Result<u64> {
    let api = &shared.api;
    shared.before_search(&part.table, api.http.deadline()).await?;
    // The server takes a number of 32 bits.
    let most = cap.saturating_add(1).min(i32::MAX as usize);
    let body = json!({ "size": 0, "query": matching(shared, part, filter, None)?, "track_total_hits": most });
    let found = api.search(&part.table, &body, api.http.deadline()).await?;
    let total = found.hits.total.map_or(0, |total| total.value);
    Ok(u64::try_from(total).unwrap_or_default())
}

/// Counts the groups by the keys and the column, and adds them up by the keys.
#[allow(clippy::too_many_arguments)]
async fn count_distinct(
    shared: &Shared,
    part: &Part,
    wanted: &Aggregate,
    filter: &Json,
    point: &mut Point,
    column: usize,
    number: usize,
    groups: &mut [Group],
) -> Result<()> {
    let mut counts: HashMap<Vec<u8>, i64> = HashMap::new();
    let mut keys = wanted.keys.clone();
    keys.push(column);
    let there = part.columns.get(column).map(|c| exists(&field("f", c)));
    let filter = query::every(there.into_iter().chain([filter.clone()]).collect());
    let mut buckets = Buckets::new(&filter, part, &keys, Map::new());
    while let Some(page) = buckets.next(shared, point).await? {
        for bucket in page {
            *counts.entry(group_key(&keys_of(part, &wanted.keys, &bucket["key"])?)).or_default() += 1;
        }
    }
    for group in groups {
        if let Some(measure) = group.measures.get_mut(number) {
            *measure = Value::Int(counts.get(&group_key(&group.keys)).copied().unwrap_or_default());
        }
    }
    Ok(())
}

fn group_key(keys: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    keys.iter().for_each(|key| canonical_key(key, &mut bytes));
    bytes
}

/// What the server computes of a measure beside its count of documents.
fn inner_of(part: &Part, measure: &Measure) -> Option<Json> {
    let position = measure.column?;
    let column = part.columns.get(position)?;
    Some(match measure.function {
        AggregateFunction::Count => json!({ "filter": exists(&field("f", column)) }),
        AggregateFunction::CountDistinct => return None,
        AggregateFunction::Min | AggregateFunction::Max => {
            let order = sort_of(column, measure.function == AggregateFunction::Max);
            json!({ "top_hits": { "size": 1, "sort": order, "_source": source_of(part, &[position]) } })
        }
        // `stats` gives the sum and the count at once: no value at all must give null.
        AggregateFunction::Sum | AggregateFunction::Avg => json!({ "stats": { "field": field("f", column) } }),
    })
}

fn measures_of(part: &Part, wanted: &Aggregate, answer: &Json, rows: i64) -> Result<Vec<Value>> {
    let wrong = || Error::new(ErrorKind::Backend, "Elasticsearch answered without a number that was asked for");
    let measure = |(number, measure): (usize, &Measure)| -> Result<Value> {
        let found = &answer[format!("m{number}")];
        let Some(column) = measure.column.and_then(|c| part.columns.get(c)) else { return Ok(Value::Int(rows)) };
        match measure.function {
            AggregateFunction::Count => found["doc_count"].as_i64().map(Value::Int).ok_or_else(wrong),
            AggregateFunction::CountDistinct => Ok(Value::Int(0)),
            AggregateFunction::Min | AggregateFunction::Max => match found["hits"]["hits"].as_array().and_then(|hits| hits.first()) {
                None => Ok(Value::Null),
                Some(hit) => {
                    let source: Source = serde_json::from_value(hit["_source"].clone()).map_err(|_| wrong())?;
                    source.value(column)
                }
            },
            AggregateFunction::Sum | AggregateFunction::Avg => {
                if found["count"].as_i64().ok_or_else(wrong)? == 0 {
                    return Ok(Value::Null);
                }
                let name = if measure.function == AggregateFunction::Sum { "sum" } else { "avg" };
                // A sum beyond all floats is written as text there.
                let overflow = || Error::new(ErrorKind::LimitExceeded, "the sum is beyond the range of a float").at_field(column.name);
                found[name].as_f64().filter(|n| n.is_finite()).map(Value::Float).ok_or_else(overflow)
            }
        }
    };
    wanted.measures.iter().enumerate().map(measure).collect()
}

/// The composite sources of a key, in the order in which [`keys_of`] reads them.
fn sources_of(part: &Part, number: usize, key: usize) -> Vec<Json> {
    let Some(column) = part.columns.get(key) else { return Vec::new() };
    let source = |name: String, field: String| json!({ name: { "terms": { "field": field, "missing_bucket": true } } });
    let mut sources = vec![source(format!("k{number}"), field("f", column))];
    if let LogicalType::Text { max } = column.logical {
        sources.extend((1..text::segments_of(max)).map(|s| source(format!("k{number}_{s}"), segment_field(column, s))));
    }
    sources
}

fn keys_of(part: &Part, keys: &[usize], found: &Json) -> Result<Vec<Value>> {
    let key = |(number, key): (usize, &usize)| -> Result<Value> {
        let Some(column) = part.columns.get(*key) else { return Ok(Value::Null) };
        let json = &found[format!("k{number}")];
        if json.is_null() {
            return Ok(Value::Null);
        }
        if let (LogicalType::Text { max }, Some(term)) = (&column.logical, json.as_str()) {
            let further = |s| found[format!("k{number}_{s}")].as_str().map(str::to_owned);
            let further: Vec<String> = (1..text::segments_of(*max)).map_while(further).collect();
            return Ok(Value::Text(text::joined(term, &further)));
        }
        codec::read_indexed(&column.logical, json)
            .ok_or_else(|| Error::new(ErrorKind::Corrupt, "a group's key is not of its field's type").at_field(column.name))
    };
    keys.iter().enumerate().map(key).collect()
}

/// The buckets of a composite aggregation, page by page.
struct Buckets {
    body: Json,
    done: bool,
}

impl Buckets {
    fn new(filter: &Json, part: &Part, keys: &[usize], inner: Map<String, Json>) -> Self {
        let sources: Vec<Json> = keys.iter().enumerate().flat_map(|(number, key)| sources_of(part, number, *key)).collect();
        let composite = json!({ "composite": { "size": PAGE, "sources": sources }, "aggs": inner });
        Buckets { body: json!({ "size": 0, "query": filter, "track_total_hits": false, "aggs": { "groups": composite } }), done: false }
    }

    async fn next(&mut self, shared: &Shared, point: &mut Point) -> Result<Option<Vec<Json>>> {
        if self.done {
            return Ok(None);
        }
        let mut found = point.search(self.body.clone(), shared.api.http.deadline()).await?;
        let groups = found.aggregations["groups"].take();
        let Json::Object(mut groups) = groups else {
            return Err(Error::new(ErrorKind::Backend, "Elasticsearch answered without the groups asked for"));
        };
        let buckets = match groups.remove("buckets") {
            Some(Json::Array(buckets)) => buckets,
            _ => Vec::new(),
        };
        match groups.remove("after_key") {
            Some(after) if !buckets.is_empty() => self.body["aggs"]["groups"]["composite"]["after"] = after,
            _ => self.done = true,
        }
        Ok((!buckets.is_empty()).then_some(buckets))
    }
}
