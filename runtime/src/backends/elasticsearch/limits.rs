//! What a server bounds, read from it when a part is registered.

use std::time::Instant;

use serde_json::json;

use super::api::{Api, refused};
use crate::backends::http::{Method, Safety, segment};
use crate::capability::{Operation, Placement};
use crate::driver::Narrowed;
use crate::error::Result;
use crate::types::Json;

/// The first version that searches vectors exactly without a graph.
pub(super) const FLAT_VECTORS: (u32, u32) = (8, 13);
/// The first version that keeps vectors of more than 2,048 numbers.
const LONG_VECTORS: (u32, u32) = (8, 11);
/// Bytes of one bulk request, where the server takes so many.
const BULK_BYTES: usize = 8 << 20;

/// The bounds of one index. As servers come, until they say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Most rows of one search, those it leaves out included.
    pub(super) rows: usize,
    /// Most values of one `terms` query.
    pub(super) terms: usize,
    /// Most fields whose doc values one search gives.
    pub(super) fields: usize,
    /// Bytes of one bulk request, as long as one document is not larger.
    pub(super) bulk: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { rows: 10_000, terms: 65_536, fields: 100, bulk: BULK_BYTES }
    }
}

impl Limits {
    /// What an index says of itself.
    pub(super) async fn of_index(api: &Api, index: &str, deadline: Instant) -> Result<Limits> {
        let path = format!("{}/_settings/index.max_*?include_defaults=true&flat_settings=true", segment(index));
        let answer = api.send(Method::GET, &path, None, Safety::Repeatable, deadline).await?;
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        let body: Json = answer.json()?;
        let said = body.as_object().and_then(|indexes| indexes.values().next());
        let number = |name: &str, usual: usize| {
            let of = |group: &str| said?[group][name].as_str()?.parse::<usize>().ok();
            of("settings").or_else(|| of("defaults")).map_or(usual, |most| most.max(1))
        };
        let usual = Limits::default();
        let (rows, terms) = (number("index.max_result_window", usual.rows), number("index.max_terms_count", usual.terms));
        let fields = number("index.max_docvalue_fields_search", usual.fields);
        Ok(Limits { rows, terms, fields, bulk: bulk_bytes(api, deadline).await? })
    }

    /// The same query with its lists of values in pieces that the server takes.
    pub(super) fn split(&self, query: Json) -> Json {
        let long = |query: &Json| {
            let field = query["terms"].as_object().filter(|terms| terms.len() == 1).and_then(|terms| terms.iter().next());
            field.and_then(|(name, values)| Some((name.clone(), values.as_array().filter(|values| values.len() > self.terms)?.clone())))
        };
        if let Some((field, values)) = long(&query) {
            let pieces = values.chunks(self.terms).map(|piece| json!({ "terms": { &field: piece } }));
            return json!({ "bool": { "should": pieces.collect::<Vec<_>>(), "minimum_should_match": 1 } });
        }
        match query {
            Json::Object(map) => {
                map.into_iter().map(|(key, inner)| (key, if inner.is_string() { inner } else { self.split(inner) })).collect()
            }
            Json::Array(items) if items.first().is_some_and(Json::is_object) => items.into_iter().map(|item| self.split(item)).collect(),
            other => other,
        }
    }
}

/// Bytes of one bulk request: no more than a part of what the node takes as one request, when it says how much that is.
async fn bulk_bytes(api: &Api, deadline: Instant) -> Result<usize> {
    let path = "_nodes/_local/http?filter_path=nodes.*.http.max_content_length_in_bytes";
    let answer = api.send(Method::GET, path, None, Safety::Repeatable, deadline).await?;
    // Who may not look at nodes may write all the same.
    if !answer.is_success() {
        return Ok(BULK_BYTES);
    }
    let body: Json = answer.json()?;
    let said = || body["nodes"].as_object()?.values().next()?["http"]["max_content_length_in_bytes"].as_u64();
    Ok(said().and_then(|bytes| usize::try_from(bytes / 2).ok()).map_or(BULK_BYTES, |bytes| bytes.clamp(1, BULK_BYTES)))
}

/// Most numbers of a vector that is kept.
pub(super) fn longest_vector(version: (u32, u32)) -> u32 {
    if version >= LONG_VECTORS { 4_096 } else { 2_048 }
}

/// What a server of this version does not run, although later ones do.
pub(super) fn narrowed(version: (u32, u32)) -> Vec<Narrowed> {
    if version >= FLAT_VECTORS {
        return Vec::new();
    }
    let reason = format!("Elasticsearch {}.{} has no exact vector search: 8.13 has", version.0, version.1);
    vec![Narrowed { class: "Vector", placement: Some(Placement::VectorIndex), operation: Operation::Near, reason }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut_and_nothing_else_is_touched() {
        let query = json!({ "bool": { "filter": [{ "terms": { "f.a": [1, 2, 3, 4, 5] } }, { "term": { "f.terms": { "value": "terms" } } }], "must_not": [{ "terms": { "f.b": ["x"] } }] } });
        let limits = Limits { rows: 1, terms: 2, fields: 1, bulk: 1 };
        let pieces = json!([{ "terms": { "f.a": [1, 2] } }, { "terms": { "f.a": [3, 4] } }, { "terms": { "f.a": [5] } }]);
        let mut expected = query.clone();
        expected["bool"]["filter"][0] = json!({ "bool": { "should": pieces, "minimum_should_match": 1 } });
        assert_eq!(limits.split(query.clone()), expected);
        assert_eq!(Limits::default().split(query.clone()), query);
    }

    #[test]
    fn an_old_server_runs_less() {
        assert!(narrowed((8, 13)).is_empty() && narrowed((9, 0)).is_empty());
        let old = narrowed((8, 12));
        assert_eq!((old.len(), old[0].operation), (1, Operation::Near));
        assert_eq!((longest_vector((8, 10)), longest_vector((8, 11))), (2_048, 4_096));
    }
}
