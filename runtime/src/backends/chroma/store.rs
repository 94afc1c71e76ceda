use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use super::api::{Api, Collection, Hits, Limits, Records, refused};
use super::config::Chroma;
use crate::backends::http::{HttpClient, Method, Safety, segment};
use crate::backends::metadata::{Depth, Dialect, Found, Layout, Metadata, Moment, Record, Shape, Space, Store};
use crate::driver::Manifest;
use crate::error::{Error, ErrorKind, Result, Status};
use crate::schema::{Index, Naming};
use crate::types::{Json, Metric};

/// Chroma's manners.
const DIALECT: Dialect = Dialect {
    kind: "chroma",
    service: "Chroma",
    whole_bits: 62,
    lists_are_kept: true,
    has: ("$contains", "$not_contains"),
    has_takes_list: false,
    rescales_cosine: true,
    unique: true,
    ids_are_cheap: true,
    // SQLite under it takes a thousand levels of an expression; 5,000 tests ended the server's process.
    most_tests: 250,
    // The server's JSON reader stops at 128.
    most_levels: 100,
    window: 65_536,
    most_hits: 10_000,
    searches_among: Some(256),
};
/// Largest request: the server's usual limit is 40 MiB.
const LARGEST_REQUEST: usize = 16 << 20;
/// Where a collection's metadata says what was made.
const MANIFEST: &str = "heavenbase.manifest";
const LAYOUT: &str = "heavenbase.layout";

/// The collections of one database.
pub(super) struct Collections {
    api: Api,
    most_records: usize,
    base64: bool,
}

impl Collections {
    /// Asks the server who it is, and what it limits.
    pub(super) async fn connect(config: Chroma) -> Result<(Self, Found)> {
        let http = HttpClient::new(&config.endpoint, "Chroma")?;
        let api = Api::new(http, &config.tenant, &config.database);
        let version: String = api.ask("api/v2/version").await?;
        let version: String = version.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).take(40).collect();
        let limits: Limits = api.ask("api/v2/pre-flight-checks").await?;
        let database: Result<Json> = api.ask(&api.database).await;
        if database.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotRegistered) {
            let why = "the tenant or database does not exist on this server: make it, or name another one";
            return Err(Error::new(ErrorKind::InvalidSchema, why).with("tenant", config.tenant).with("database", config.database));
        }
        database?;
        let most_records = limits.max_batch_size.clamp(1, 5_000);
        let found = Found { engine: format!("Chroma API {version}"), naming: Naming::PLAIN, most_ids: most_records, most_records };
        Ok((Collections { api, most_records, base64: limits.supports_base64_encoding }, found))
    }

    /// A collection's answer to a question; a question may be asked again.
    async fn ask(&self, space: &Space, what: &str, body: &Json) -> Result<crate::backends::http::Answer> {
        self.api.of(&space.name, what, Method::POST, body, Safety::Repeatable).await
    }

    async fn write(&self, space: &Space, what: &str, body: &Json) -> Result<()> {
        let answer = self.api.of(&space.name, what, Method::POST, body, Safety::Once).await?;
        if answer.is_success() { answer.confirmed() } else { Err(refused(&answer)) }
    }

    async fn make(&self, name: &str, space: &Space, metadata: Option<Json>) -> Result<()> {
        let mut body = json!({ "name": name, "configuration": { "hnsw": configuration(space)? } });
        if let Some(metadata) = metadata {
            body["metadata"] = metadata;
        }
        let answer = self.api.send(Method::POST, &format!("{}/collections", self.api.database), Some(&body), Safety::Once).await?;
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        self.api.forget(name);
        Ok(())
    }

    fn embeddings(&self, records: &[Record]) -> Json {
        if !self.base64 {
            return records.iter().map(|record| Json::from(record.vector.clone())).collect();
        }
        let encoded = |record: &Record| BASE64.encode(record.vector.iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<u8>>());
        records.iter().map(|record| Json::from(encoded(record))).collect()
    }
}

/// The index of a space's vectors.
fn configuration(space: &Space) -> Result<Json> {
    let mut hnsw = json!({ "space": match space.metric {
        Metric::Cosine => "cosine",
        Metric::L2 => "l2",
        Metric::Dot => "ip",
    }});
    if let Some(Index { method, parameters }) = space.index {
        let invalid = |why: String| Error::new(ErrorKind::InvalidSchema, why);
        if !matches!(method, "" | "hnsw") {
            return Err(invalid(format!("Chroma has no index `{method}`: choose hnsw")));
        }
        for (name, value) in parameters {
            let key = match *name {
                "m" => "max_neighbors",
                "ef_construction" => "ef_construction",
                "ef" => "ef_search",
                other => return Err(invalid(format!("the index takes no `{other}`: known are m, ef_construction and ef"))),
            };
            if *value < 1 {
                return Err(invalid(format!("`{name}` is at least 1")));
            }
            hnsw[key] = (*value).into();
        }
    }
    Ok(hnsw)
}

/// What is asked for of each record.
fn included(depth: Depth, more: &[&str]) -> Json {
    let own: &[&str] = match depth {
        Depth::Ids => &[],
        Depth::Metadata => &["metadatas"],
        Depth::Vectors => &["metadatas", "embeddings"],
    };
    own.iter().chain(more).copied().collect()
}

/// The score that a distance stands for.
fn score(metric: Metric, distance: f64) -> f64 {
    match metric {
        Metric::Cosine | Metric::Dot => 1.0 - distance,
        Metric::L2 => -distance.max(0.0).sqrt() + 0.0,
    }
}

fn garbled() -> Error {
    Error::new(ErrorKind::Backend, "Chroma answered with lists of different lengths").with_status(Status::Permanent)
}

/// Lists of properties as a list of records.
fn records(ids: Vec<String>, metadatas: Option<Vec<Option<Metadata>>>, embeddings: Option<Vec<Vec<f32>>>) -> Result<Vec<Record>> {
    let count = ids.len();
    if metadatas.as_ref().is_some_and(|list| list.len() != count) || embeddings.as_ref().is_some_and(|list| list.len() != count) {
        return Err(garbled());
    }
    let mut metadatas = metadatas.map(Vec::into_iter);
    let mut embeddings = embeddings.map(Vec::into_iter);
    let record = |id| Record {
        id,
        metadata: metadatas.as_mut().and_then(Iterator::next).flatten().unwrap_or_default(),
        vector: embeddings.as_mut().and_then(Iterator::next).unwrap_or_default(),
    };
    Ok(ids.into_iter().map(record).collect())
}

impl Store for Collections {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    async fn get(&self, space: &Space, ids: &[String], depth: Depth) -> Result<Vec<Record>> {
        let answer = self.ask(space, "/get", &json!({ "ids": ids, "include": included(depth, &[]) })).await?;
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        let found: Records = answer.json()?;
        records(found.ids, found.metadatas, found.embeddings)
    }

    async fn matching(&self, space: &Space, filter: Option<&Json>, limit: Option<usize>, depth: Depth) -> Result<Vec<Record>> {
        let mut body = json!({ "include": included(depth, &[]) });
        if let Some(filter) = filter {
            body["where"] = filter.clone();
        }
        if let Some(limit) = limit {
            body["limit"] = limit.into();
        }
        let answer = self.ask(space, "/get", &body).await?;
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        let found: Records = answer.json()?;
        records(found.ids, found.metadatas, found.embeddings)
    }

    async fn count(&self, space: &Space, filter: Option<&Json>) -> Result<usize> {
        Ok(self.matching(space, filter, None, Depth::Ids).await?.len())
    }

    async fn nearest(
        &self,
        space: &Space,
        vector: &[f32],
        k: usize,
        filter: Option<&Json>,
        ids: Option<&[String]>,
        depth: Depth,
    ) -> Result<Option<Vec<(Record, f64)>>> {
        let mut body = json!({ "query_embeddings": [vector], "n_results": k, "include": included(depth, &["distances"]) });
        if let Some(filter) = filter {
            body["where"] = filter.clone();
        }
        if let Some(ids) = ids {
            body["ids"] = ids.into();
        }
        let answer = self.ask(space, "/query", &body).await?;
        if answer.status == 500 && ids.is_some() {
            // One of the ids is not there: the server searches only among ids that are.
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        let mut found: Hits = answer.json()?;
        let (Some(ids), Some(distances)) = (found.ids.pop(), found.distances.and_then(|mut list| list.pop())) else {
            return Err(garbled());
        };
        let metadatas = found.metadatas.and_then(|mut list| list.pop());
        let found = records(ids, metadatas, found.embeddings.and_then(|mut list| list.pop()))?;
        if distances.len() != found.len() {
            return Err(garbled());
        }
        let scored = |(record, distance): (Record, Option<f64>)| Some((record, score(space.metric, distance.filter(|d| d.is_finite())?)));
        // A distance that overflowed 32 bits is none: rows are compared here then.
        Ok(found.into_iter().zip(distances).map(scored).collect())
    }

    async fn put(&self, space: &Space, records: &[Record]) -> Result<()> {
        let weight = |record: &Record| {
            let texts = record.metadata.iter().map(|(key, json)| key.len() + 8 + json_weight(json)).sum::<usize>();
            record.id.len() + record.vector.len() * 6 + texts + 32
        };
        let mut rest = records;
        while !rest.is_empty() {
            let mut total = 0;
            let fits = rest.iter().take(self.most_records).take_while(|record| {
                total += weight(record);
                total <= LARGEST_REQUEST
            });
            let (now, later) = rest.split_at(fits.count().max(1));
            let ids: Vec<&str> = now.iter().map(|record| record.id.as_str()).collect();
            let metadatas: Vec<&Metadata> = now.iter().map(|record| &record.metadata).collect();
            let body = json!({ "ids": ids, "embeddings": self.embeddings(now), "metadatas": metadatas });
            self.write(space, "/upsert", &body).await.map_err(|error| {
                if rest.len() == records.len() { error } else { error.with_status(Status::Unknown).with("written", "some of the batch") }
            })?;
            rest = later;
        }
        Ok(())
    }

    async fn remove(&self, space: &Space, ids: &[String]) -> Result<()> {
        // Without ids and without a filter it is refused.
        if ids.is_empty() { Ok(()) } else { self.write(space, "/delete", &json!({ "ids": ids })).await }
    }

    async fn manifest(&self, table: &str) -> Result<Option<(Manifest, Layout)>> {
        let Some(Collection { metadata, .. }) = self.api.collection(table).await? else { return Ok(None) };
        let text = |key: &str| metadata.as_ref().and_then(|map| map.get(key)).and_then(Json::as_str);
        let (Some(manifest), Some(layout)) = (text(MANIFEST), text(LAYOUT).and_then(|text| serde_json::from_str(text).ok())) else {
            let why = format!("the collection `{table}` was made by something else: choose another namespace or entity name");
            return Err(Error::new(ErrorKind::SchemaMismatch, why));
        };
        Ok(Some((Manifest::from_json(manifest)?, layout)))
    }

    async fn declare(&self, shape: &Shape, manifest: &Manifest, new: bool) -> Result<()> {
        let layout = serde_json::to_string(&shape.layout)
            .map_err(|e| Error::new(ErrorKind::Internal, "the layout cannot be serialised").caused_by(e))?;
        let metadata = json!({ MANIFEST: manifest.to_json()?, LAYOUT: layout });
        let first = &shape.spaces[0];
        if new {
            return self.make(&first.name, first, Some(metadata)).await;
        }
        let answer = self.api.of(&first.name, "", Method::PUT, &json!({ "new_metadata": metadata }), Safety::Repeatable).await?;
        if answer.is_success() { Ok(()) } else { Err(refused(&answer)) }
    }

    fn check(&self, space: &Space) -> Result<()> {
        configuration(space).map(drop)
    }

    async fn adjust(&self, space: &Space) -> Result<()> {
        let Some(collection) = self.api.collection(&space.name).await? else {
            return Err(Error::new(ErrorKind::NotRegistered, "Chroma lost a collection of this part: drop the entity, or restore it"));
        };
        let mut wanted = configuration(space)?;
        let there = &collection.configuration["hnsw"];
        let Some(map) = wanted.as_object_mut() else { return Ok(()) };
        map.retain(|key, value| there.get(key) != Some(value));
        let ef = map.remove("ef_search");
        if let Some((key, _)) = map.iter().next() {
            let name = if key == "max_neighbors" { "m" } else { key };
            let why = format!("the index was made with another `{name}`, which Chroma cannot change: change it back, or drop the entity");
            return Err(Error::new(ErrorKind::SchemaMismatch, why));
        }
        let Some(ef) = ef else { return Ok(()) };
        let body = json!({ "new_configuration": { "hnsw": { "ef_search": ef } } });
        let answer = self.api.of(&space.name, "", Method::PUT, &body, Safety::Repeatable).await?;
        if answer.is_success() { Ok(()) } else { Err(refused(&answer)) }
    }

    async fn create(&self, space: &Space) -> Result<()> {
        self.make(&space.name, space, None).await
    }

    async fn drop_space(&self, space: &Space) -> Result<bool> {
        self.api.forget(&space.name);
        let path = format!("{}/collections/{}", self.api.database, segment(&space.name));
        let answer = self.api.send(Method::DELETE, &path, None, Safety::Repeatable).await?;
        match answer.status {
            404 => Ok(false),
            _ if answer.is_success() => Ok(true),
            _ => Err(refused(&answer)),
        }
    }

    async fn retract(&self, shape: &Shape) -> Result<()> {
        // The first collection carries the manifest.
        self.drop_space(&shape.spaces[0]).await.map(drop)
    }

    async fn settle(&self, _: &[Space], _: Moment) -> Result<()> {
        // What was written is read at once.
        Ok(())
    }

    fn fits(&self, _: &Record) -> Result<()> {
        Ok(())
    }

    async fn health(&self) -> Result<()> {
        self.api.ask::<Json>("api/v2/heartbeat").await.map(drop)
    }
}

/// Bytes that a value takes in a request, roughly.
fn json_weight(json: &Json) -> usize {
    match json {
        Json::String(text) => text.len() * 9 / 8 + 2,
        Json::Array(items) => items.iter().map(|item| json_weight(item) + 1).sum(),
        _ => 12,
    }
}
