//! Creating an index, checking one that is there, adding fields to it, and dropping it.
//!
//! The index's `_meta` says what was created: nothing else is ever touched.

use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::api::refused;
use super::document::{field, mapping_of, of_row, properties, source_of};
use super::driver::{Shared, index_path};
use super::limits::{FLAT_VECTORS, longest_vector};
use super::query::{exists, not};
use crate::backends::fewer::fewer;
use crate::backends::http::{Method, Request, Safety};
use crate::capability::Placement;
use crate::driver::{Ensured, Manifest, deadline_after, jittered};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Part};
use crate::types::{Id, Json, LogicalType, Value};

/// What `_meta` holds under `heavenbase`.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Meta {
    /// How documents are laid out; another number is another layout.
    format: u32,
    manifest: Manifest,
    /// How each vector field is indexed, by its mapping.
    vectors: BTreeMap<String, Json>,
}

/// The layout of documents that this driver writes.
const FORMAT: u32 = 1;
/// What an index of vectors may be, and its parameters.
const METHODS: &[(&str, &[&str])] = &[("", &["m", "ef_construction", "ef"]), ("hnsw", &["m", "ef_construction", "ef"]), ("flat", &[])];
/// Fields of an index that servers allow when nobody says otherwise.
const USUAL_FIELDS: usize = 1_000;
/// Rows filled at once when a field with a default is added.
const FILLED: usize = 500;
/// Pauses of filling while it does not get on; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Meta {
    fn of(part: &Part, version: (u32, u32)) -> Self {
        let indexed = |column: &&Column| matches!(column.logical, LogicalType::Vector(_)) && column.placement == Placement::VectorIndex;
        let mapping = |column: &Column| {
            (column.name.to_owned(), without_graphs(mapping_of(column).pop().map(|(_, _, mapping)| mapping).unwrap_or_default(), version))
        };
        Meta { format: FORMAT, manifest: Manifest::of(part), vectors: part.columns.iter().filter(indexed).map(mapping).collect() }
    }

    fn to_json(&self) -> Result<Json> {
        let json = serde_json::to_value(self);
        Ok(json!({ "heavenbase": json.map_err(|e| Error::new(ErrorKind::Internal, "the manifest cannot be written").caused_by(e))? }))
    }
}

/// Refuses what Elasticsearch cannot keep a promise for.
fn check(shared: &Shared, part: &Part) -> Result<Ensured> {
    let refuse = |kind, why: &'static str| Error::new(kind, why).of_entity(part.entity.name);
    if part.is_mapped() {
        return Err(refuse(
            ErrorKind::Unsupported,
            "an existing index cannot be mapped: its documents are not laid out as HeavenBase needs them; leave `table` out",
        ));
    }
    if !part.unique_groups().is_empty() {
        return Err(refuse(
            ErrorKind::InvalidSchema,
            "Elasticsearch cannot decide uniqueness: let another backend own the rows and hold the unique fields",
        ));
    }
    for column in &part.columns {
        let LogicalType::Vector(length) = column.logical else { continue };
        if column.placement != Placement::VectorIndex {
            continue;
        }
        let longest = longest_vector(shared.api.version);
        if length > longest || length == 0 {
            let why = format!(
                "this Elasticsearch keeps vectors of 1 to {longest} numbers for search: store the field `as = InlineColumn` or elsewhere"
            );
            return Err(Error::new(ErrorKind::Unsupported, why).of_entity(part.entity.name).at_field(column.name));
        }
        let Some(index) = column.index else { continue };
        let invalid = |why: String| Err(Error::new(ErrorKind::InvalidSchema, why).of_entity(part.entity.name).at_field(column.name));
        let Some((_, takes)) = METHODS.iter().find(|(name, _)| *name == index.method) else {
            return invalid(format!("Elasticsearch has no vector index `{}`: use hnsw or flat", index.method));
        };
        if let Some((name, _)) = index.parameters.iter().find(|(name, value)| !takes.contains(name) || *value < 1) {
            return invalid(format!("the index takes no such `{name}`: known, and at least 1, are: {}", takes.join(", ")));
        }
    }
    Ok(Ensured::default())
}

/// What the index of a part says of itself; `None` when there is no index.
async fn meta(shared: &Shared, part: &Part) -> Result<Option<Meta>> {
    let api = &shared.api;
    let answer = api.send(Method::GET, &format!("{}/_mapping", index_path(part)), None, Safety::Repeatable, api.http.deadline()).await?;
    if answer.status == 404 {
        return Ok(None);
    }
    if !answer.is_success() {
        return Err(refused(&answer));
    }
    let mut body: Json = answer.json()?;
    let index = body.as_object_mut().and_then(|indexes| indexes.values_mut().next()).map(Json::take).unwrap_or_default();
    let found = index["mappings"]["_meta"]["heavenbase"].clone();
    let foreign = |why: String| Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name);
    if found.is_null() {
        return Err(foreign(format!("the index `{}` was not made by HeavenBase: choose another namespace or entity name", part.table)));
    }
    if found["format"].as_u64() != Some(u64::from(FORMAT)) {
        return Err(foreign(format!("the index `{}` was made by another version of HeavenBase", part.table)));
    }
    serde_json::from_value(found).map(Some).map_err(|_| Error::new(ErrorKind::Corrupt, "the manifest of an index cannot be read"))
}

/// Creates the index of a part, or checks what is there and adds to it.
pub(super) async fn ensure(shared: &Shared, part: &Part) -> Result<Ensured> {
    let mut ensured = check(shared, part)?;
    let wanted = Meta::of(part, shared.api.version);
    let there = match meta(shared, part).await? {
        Some(there) => there,
        None if create(shared, part, &wanted).await? => {
            ensured.created = true;
            return Ok(ensured);
        }
        // Somebody else created it just now.
        None => meta(shared, part).await?.ok_or_else(|| Error::new(ErrorKind::Conflict, "the index was made and dropped meanwhile"))?,
    };
    let additions = there.manifest.additions(part)?;
    if let Some((name, _)) = there.vectors.iter().find(|(name, mapping)| wanted.vectors.get(*name).is_some_and(|asked| asked != *mapping)) {
        let why = "the vectors are stored with another index than the entity says: change it back, or move the rows to a new entity";
        return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name).at_field(name.clone()));
    }
    if additions.is_empty() {
        return Ok(ensured);
    }
    // The fields come first and the manifest last: what a crash leaves half done is done again.
    let columns: Vec<&Column> = additions.iter().filter_map(|c| part.columns.get(*c)).collect();
    put(shared, part, "_settings", &json!({ "index.mapping.total_fields.limit": field_limit(part) })).await?;
    put(shared, part, "_mapping", &json!({ "properties": without_graphs(properties(columns.iter().copied()), shared.api.version) }))
        .await?;
    for position in &additions {
        fill(shared, part, *position).await?;
    }
    put(shared, part, "_mapping", &json!({ "_meta": wanted.to_json()? })).await?;
    ensured.added = columns.iter().map(|c| c.name.to_owned()).collect();
    Ok(ensured)
}

/// A mapping as a server takes it that cannot search vectors: they are kept there, and compared here.
fn without_graphs(mapping: Json, version: (u32, u32)) -> Json {
    match mapping {
        all if version >= FLAT_VECTORS => all,
        Json::Object(map) if map.get("type").is_some_and(|kind| kind == "dense_vector") => {
            json!({ "type": "dense_vector", "dims": map["dims"], "index": false })
        }
        Json::Object(map) => map.into_iter().map(|(key, inner)| (key, without_graphs(inner, version))).collect(),
        other => other,
    }
}

fn field_limit(part: &Part) -> usize {
    let fields: usize = part.columns.iter().map(|c| mapping_of(c).len()).sum();
    USUAL_FIELDS.max(fields + 100)
}

/// Creates the index; says whether it did, and not somebody else.
async fn create(shared: &Shared, part: &Part, meta: &Meta) -> Result<bool> {
    let api = &shared.api;
    let mut settings = json!({ "number_of_shards": shared.config.shards, "mapping.total_fields.limit": field_limit(part) });
    if let Some(replicas) = shared.config.replicas {
        settings["number_of_replicas"] = replicas.into();
    }
    let mappings = json!({ "dynamic": "strict", "_meta": meta.to_json()?, "properties": without_graphs(properties(part.columns.iter()), shared.api.version) });
    let body = json!({ "settings": { "index": settings }, "mappings": mappings });
    // Sent again after a lost answer, it meets its own index, which `ensure` then finds as it should be.
    let answer = api.send(Method::PUT, &index_path(part), Some(&body), Safety::Repeatable, api.http.deadline()).await?;
    if answer.is_success() {
        return Ok(true);
    }
    let error = refused(&answer);
    if error.detail("code") == Some("resource_already_exists_exception") { Ok(false) } else { Err(error) }
}

async fn put(shared: &Shared, part: &Part, what: &str, body: &Json) -> Result<()> {
    let api = &shared.api;
    let path = format!("{}/{what}", index_path(part));
    let answer = api.send(Method::PUT, &path, Some(body), Safety::Repeatable, api.http.deadline()).await?;
    if answer.is_success() { Ok(()) } else { Err(refused(&answer)) }
}

/// Gives rows that were written before a field existed the field's default. Versions stay as they are.
async fn fill(shared: &Shared, part: &Part, position: usize) -> Result<()> {
    let api = &shared.api;
    let Some(column) = part.columns.get(position) else { return Ok(()) };
    let Some(default) = column.default.map(|default| default()).filter(|value| !value.is_null()) else { return Ok(()) };
    // As long as rows are filled there is time for more.
    let mut deadline = api.http.deadline();
    let mut pause = FIRST_PAUSE;
    let mut size = FILLED;
    loop {
        let filled = match fill_some(shared, part, position, &default, size, deadline).await {
            Ok(None) => return Ok(()),
            Ok(Some(filled)) => filled,
            Err(error) => {
                size = fewer(error, size)?;
                continue;
            }
        };
        if filled.rows > 0 {
            (deadline, pause) = (api.http.deadline(), FIRST_PAUSE);
        }
        if filled.rows > 0 && !filled.busy {
            continue;
        }
        let pause_now = jittered(pause);
        if deadline_after(pause_now) >= deadline {
            let (kind, why) = match filled.busy {
                true => (
                    ErrorKind::Unavailable,
                    "Elasticsearch is too busy to give rows the default of a new field: register the entity again later",
                ),
                false => (
                    ErrorKind::Conflict,
                    "other writers keep changing the rows that are to get the default of a new field: register the entity again",
                ),
            };
            return Err(Error::new(kind, why).at_field(column.name));
        }
        tokio::time::sleep(pause_now).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// What became of some rows that lacked a field's default.
struct Filled {
    /// How many have it now.
    rows: usize,
    /// Whether the server had no room for others.
    busy: bool,
}

/// Gives so many rows the default that lack it; `None` where none do.
async fn fill_some(
    shared: &Shared,
    part: &Part,
    position: usize,
    default: &Value,
    size: usize,
    deadline: Instant,
) -> Result<Option<Filled>> {
    let api = &shared.api;
    let column = &part.columns[position];
    let all: Vec<usize> = (0..part.columns.len()).collect();
    api.refresh(&part.table, deadline).await?;
    let body = json!({
        "size": size,
        "query": not(exists(&field("f", column))),
        "_source": source_of(part, &all),
        "seq_no_primary_term": true,
        "track_total_hits": false,
    });
    let found = api.search(&part.table, &body, deadline).await?.hits.hits;
    if found.is_empty() {
        return Ok(None);
    }
    let mut lines = Vec::new();
    for hit in &found {
        let mut values: Vec<Value> = hit.source.values(part, &all)?;
        if let Some(value) = values.get_mut(position) {
            *value = default.clone();
        }
        let action = json!({ "index": { "_id": hit.id, "if_seq_no": hit.seq_no, "if_primary_term": hit.primary_term } });
        let document = of_row(part, &Id::from(hit.id.as_str()), hit.source.hb.version, &values);
        lines.extend_from_slice(format!("{action}\n{document}\n").as_bytes());
    }
    let request = Request::new(Method::POST, format!("{}/_bulk?filter_path=items.*.status", index_path(part)), Safety::Repeatable);
    let answer = api.http.send(&request.with_body("application/x-ndjson", lines), deadline).await?;
    if !answer.is_success() {
        return Err(refused(&answer));
    }
    let body: Json = answer.json()?;
    let status = |item: &Json| item.as_object().and_then(|i| i.values().next()?["status"].as_u64()).unwrap_or_default();
    let statuses: Vec<u64> = body["items"].as_array().into_iter().flatten().map(status).collect();
    // A row that another writer changed meanwhile is found again, or has the field by now.
    if statuses.len() != found.len() || !statuses.iter().all(|status| matches!(status, 200..=299 | 409 | 429 | 503)) {
        return Err(Error::new(ErrorKind::Backend, "rows could not be given the default of a new field").at_field(column.name));
    }
    let rows = statuses.iter().filter(|status| **status < 300).count();
    Ok(Some(Filled { rows, busy: statuses.iter().any(|status| matches!(status, 429 | 503)) }))
}

/// Drops the index of a part, if it is that.
pub(super) async fn drop_part(shared: &Shared, part: &Part) -> Result<bool> {
    let api = &shared.api;
    let Some(there) = meta(shared, part).await? else { return Ok(false) };
    if there.manifest.namespace != *part.namespace || there.manifest.entity != part.entity.name {
        let why = format!("the index `{}` belongs to another entity: it is not dropped", part.table);
        return Err(Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name));
    }
    let answer = api.send(Method::DELETE, &index_path(part), None, Safety::Repeatable, api.http.deadline()).await?;
    match answer.status {
        404 => Ok(true),
        _ if answer.is_success() => Ok(true),
        _ => Err(refused(&answer)),
    }
}
