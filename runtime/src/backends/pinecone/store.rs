use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::json;

use super::api::{Api, Fetched, Hits, SERVICE, Vector, metric_name, refused, send};
use super::config::{Freshness, Pinecone};
use super::fresh::{Mark, Place};
use super::key;
use crate::backends::http::{Answer, Method, Safety, segment};
use crate::backends::metadata::{Depth, Dialect, Found, Layout, Metadata, Moment, Record, Shape, Space, Store};
use crate::driver::{Manifest, deadline_after};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::schema::{Naming, VERSION_COLUMN};
use crate::types::{Json, Metric};

/// Pinecone's manners.
const DIALECT: Dialect = Dialect {
    kind: "pinecone",
    service: SERVICE,
    // Its numbers are 64-bit floats.
    whole_bits: 52,
    lists_are_kept: false,
    has: ("$in", "$nin"),
    has_takes_list: true,
    rescales_cosine: false,
    unique: false,
    ids_are_cheap: false,
    most_tests: 1_000,
    most_levels: 60,
    window: 2_000,
    most_hits: 10_000,
    searches_among: None,
};
/// Most records of one write or fetch, and most bytes of a write.
const MOST_RECORDS: usize = 1_000;
const LARGEST_WRITE: usize = 2_000_000;
/// Most bytes of one record's metadata.
const LARGEST_METADATA: usize = 40_000;
/// Longest list of ids in an address.
const LONGEST_ADDRESS: usize = 6_000;
/// A search of more asks for ids and scores alone: an answer has at most 4 MB.
const FEW_HITS: usize = 100;
/// Records a page of an answer by filter.
const PAGE: usize = 500;
/// Where the manifests are: the namespace in the index of what has no vector.
const MANIFESTS: &str = "_hb_manifests";
const MANIFEST: &str = "manifest";
const LAYOUT: &str = "layout";

/// The namespaces of a project's indexes.
pub(super) struct Namespaces {
    pub(super) api: Api,
    prefix: String,
    freshness: Freshness,
    pub(super) patience: Duration,
    pub(super) doubt: Duration,
}

fn not_there() -> Error {
    Error::new(ErrorKind::NotRegistered, "Pinecone has no such index: register the entity first")
}

fn garbled() -> Error {
    Error::new(ErrorKind::Corrupt, "a record whose id this driver did not write: something else writes to the namespace")
}

fn record(vector: Vector) -> Result<Record> {
    let metadata = vector.metadata.unwrap_or_default();
    let id = key::back(&vector.id, &metadata).ok_or_else(garbled)?;
    Ok(Record { id, metadata, vector: vector.values })
}

impl Namespaces {
    /// Asks whether the key is taken; nothing is made yet.
    pub(super) async fn connect(config: Pinecone) -> Result<(Self, Found)> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if config.prefix.is_empty() || config.prefix.len() > 20 || !config.prefix.chars().all(plain) || config.prefix.starts_with('-') {
            let why = "the prefix of indexes has 1 to 20 small letters, digits and hyphens, and no hyphen first";
            return Err(Error::new(ErrorKind::InvalidSchema, why));
        }
        let api = Api::new(&config)?;
        api.greet().await?;
        let found =
            Found { engine: "Pinecone 2025-10".to_owned(), naming: Naming::PLAIN, most_ids: MOST_RECORDS, most_records: MOST_RECORDS };
        let Pinecone { prefix, freshness, patience, doubt, .. } = config;
        Ok((Namespaces { api, prefix, freshness, patience, doubt }, found))
    }

    fn index_name(&self, length: u32, metric: Metric) -> String {
        format!("{}-{length}-{}", self.prefix, metric_name(metric))
    }

    fn place(&self, space: &Space) -> Place {
        (self.index_name(space.length, space.metric), space.name.clone())
    }

    fn manifests(&self) -> Place {
        (self.index_name(2, Metric::Cosine), MANIFESTS.to_owned())
    }

    /// Sends a request to an index. Where nothing is known of it, or of the namespace, it may have been made again elsewhere.
    pub(super) async fn send(&self, place: &Place, method: Method, path: &str, body: Option<&Json>, safety: Safety) -> Result<Answer> {
        let name = &place.0;
        let client = match self.api.known(name) {
            Some(client) => client,
            None => self.api.look_up(name).await?.ok_or_else(not_there)?,
        };
        let outcome = send(&client, method.clone(), path, body, safety).await;
        if outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unavailable) {
            self.api.suspect(name);
        }
        if outcome.as_ref().is_ok_and(|answer| answer.status == 404) {
            let now = self.api.look_up(name).await?.ok_or_else(not_there)?;
            if !now.is_at(&client) {
                return send(&now, method, path, body, safety).await;
            }
        }
        outcome
    }

    /// The answer to a question, which may be asked again.
    pub(super) async fn ask(&self, place: &Place, path: &str, body: &Json) -> Result<Answer> {
        let answer = self.send(place, Method::POST, path, Some(body), Safety::Repeatable).await?;
        if answer.is_success() { Ok(answer) } else { Err(refused(&answer)) }
    }

    /// Records by their own ids.
    pub(super) async fn fetch(&self, place: &Place, keys: &[String]) -> Result<Vec<Vector>> {
        let mut found = Vec::new();
        let mut rest = keys;
        let mut most = MOST_RECORDS;
        while !rest.is_empty() {
            let mut path = format!("vectors/fetch?namespace={}", segment(&place.1));
            let mut taken = 0;
            for key in rest.iter().take(most) {
                let piece = format!("&ids={}", segment(key));
                if taken > 0 && path.len() + piece.len() > LONGEST_ADDRESS {
                    break;
                }
                path += &piece;
                taken += 1;
            }
            let answer = self.send(place, Method::GET, &path, None, Safety::Repeatable).await?;
            match answer.status {
                // A namespace is made by the first write to it.
                404 => {}
                _ if answer.is_success() => found.extend(answer.json::<Fetched>()?.vectors.into_values()),
                _ if too_large(&answer) && taken > 1 => {
                    most = taken / 2;
                    continue;
                }
                _ => return Err(refused(&answer)),
            }
            rest = &rest[taken..];
        }
        Ok(found)
    }

    /// Hands out the records that satisfy a filter, page after page, until `each` has enough.
    async fn pages(
        &self,
        space: &Space,
        filter: Option<&Json>,
        most: usize,
        mut each: impl FnMut(Vec<Vector>) -> Result<bool> + Send,
    ) -> Result<()> {
        let place = self.place(space);
        let filter = filter.cloned().unwrap_or_else(every);
        let mut limit = most.clamp(1, PAGE);
        let mut token: Option<String> = None;
        let mut tokens = HashSet::new();
        loop {
            let mut body = json!({ "namespace": place.1, "filter": filter, "limit": limit });
            if let Some(token) = &token {
                body["paginationToken"] = token.as_str().into();
            }
            let answer = self.send(&place, Method::POST, "vectors/fetch_by_metadata", Some(&body), Safety::Repeatable).await?;
            if answer.status == 404 {
                return Ok(());
            }
            if too_large(&answer) && limit > 1 {
                limit /= 2;
                continue;
            }
            if !answer.is_success() {
                return Err(refused(&answer));
            }
            let page: Fetched = answer.json()?;
            token = page.pagination.and_then(|p| p.next).filter(|next| !next.is_empty());
            if each(page.vectors.into_values().collect())? {
                return Ok(());
            }
            match &token {
                None => return Ok(()),
                // The same pages would come again, and those behind them never.
                Some(token) if !tokens.insert(token.clone()) => {
                    return Err(Error::new(
                        ErrorKind::Backend,
                        "Pinecone answered with a page that it had sent before: its pages have no end",
                    ));
                }
                Some(_) => {}
            }
        }
    }
}

/// A record as it is written.
fn written(record: &Record) -> Json {
    let key = key::of(&record.id);
    let mut metadata: Metadata = record.metadata.iter().filter(|(_, json)| !json.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect();
    if key::is_digest(&key) {
        metadata.insert(key::FULL.to_owned(), record.id.as_str().into());
    }
    json!({ "id": key, "values": record.vector, "metadata": metadata })
}

/// Whether an answer may be refused for its size, which Pinecone does not tell apart: asked for less, it is found out.
fn too_large(answer: &Answer) -> bool {
    matches!(answer.status, 400 | 413)
}

/// A filter that every record of ours satisfies.
fn every() -> Json {
    json!({ "_hb_order": { "$gte": 0 } })
}

impl Store for Namespaces {
    fn dialect(&self) -> &'static Dialect {
        &DIALECT
    }

    async fn get(&self, space: &Space, ids: &[String], _: Depth) -> Result<Vec<Record>> {
        let keys: Vec<String> = ids.iter().map(|id| key::of(id)).collect();
        self.fetch(&self.place(space), &keys).await?.into_iter().map(record).collect()
    }

    async fn matching(&self, space: &Space, filter: Option<&Json>, limit: Option<usize>, _: Depth) -> Result<Vec<Record>> {
        let limit = limit.unwrap_or(usize::MAX);
        let mut found = Vec::new();
        self.pages(space, filter, limit, |page| {
            for vector in page {
                found.push(record(vector)?);
            }
            Ok(found.len() >= limit)
        })
        .await?;
        found.truncate(limit);
        Ok(found)
    }

    async fn count(&self, space: &Space, filter: Option<&Json>) -> Result<usize> {
        let mut counted = 0;
        self.pages(space, filter, usize::MAX, |page| {
            counted += page.len();
            Ok(false)
        })
        .await?;
        Ok(counted)
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
        // It searches among all; and not from nowhere.
        if ids.is_some() || vector.iter().all(|n| *n == 0.0) {
            return Ok(None);
        }
        let place = self.place(space);
        let few = k <= FEW_HITS;
        let mut body = json!({
            "namespace": place.1,
            "vector": vector,
            "topK": k,
            "includeMetadata": few && depth >= Depth::Metadata,
            "includeValues": few && depth >= Depth::Vectors,
        });
        if let Some(filter) = filter {
            body["filter"] = filter.clone();
        }
        let hits: Hits = match self.ask(&place, "query", &body).await {
            Err(error) if error.kind() == ErrorKind::NotRegistered => return Ok(None),
            other => other?.json()?,
        };
        let score = |vector: &Vector| {
            let score = vector.score.filter(|s| s.is_finite())?;
            // By distance it tells the square.
            Some(if space.metric == Metric::L2 { -score.max(0.0).sqrt() } else { score } + 0.0)
        };
        let Some(scores) = hits.matches.iter().map(score).collect::<Option<Vec<f64>>>() else { return Ok(None) };
        if few || depth == Depth::Ids {
            let records = hits.matches.into_iter().map(record).collect::<Result<Vec<_>>>()?;
            return Ok(Some(records.into_iter().zip(scores).collect()));
        }
        let keys: Vec<String> = hits.matches.into_iter().map(|vector| vector.id).collect();
        let fetched = self.fetch(&place, &keys).await?;
        let mut by_key: std::collections::HashMap<String, Vector> = fetched.into_iter().map(|v| (v.id.clone(), v)).collect();
        let mut found = Vec::with_capacity(keys.len());
        for (key, score) in keys.iter().zip(scores) {
            // One that went in between is found out by the number of hits.
            if let Some(vector) = by_key.remove(key) {
                found.push((record(vector)?, score));
            }
        }
        Ok(Some(found))
    }

    async fn put(&self, space: &Space, records: &[Record]) -> Result<()> {
        let place = self.place(space);
        let mut batch: Vec<Json> = Vec::new();
        let mut bytes = 0;
        let mut sent = false;
        for (at, record) in records.iter().enumerate() {
            let json = written(record);
            let weight = json.to_string().len() + 1;
            let mark = |record: &Record| Mark {
                key: key::of(&record.id),
                version: record.metadata.get(VERSION_COLUMN).and_then(Json::as_str).map(str::to_owned),
            };
            let half = |error: Error| {
                if sent { error.with_status(Status::Unknown).with("written", "some of the batch") } else { error }
            };
            if !batch.is_empty() && (batch.len() == MOST_RECORDS || bytes + weight > LARGEST_WRITE) {
                self.upsert(&place, &batch, mark(&records[at - 1])).await.map_err(half)?;
                (bytes, sent) = (0, true);
                batch.clear();
            }
            bytes += weight;
            batch.push(json);
            if at + 1 == records.len() {
                let half = |error: Error| {
                    if sent { error.with_status(Status::Unknown).with("written", "some of the batch") } else { error }
                };
                self.upsert(&place, &batch, mark(record)).await.map_err(half)?;
            }
        }
        Ok(())
    }

    async fn remove(&self, space: &Space, ids: &[String]) -> Result<()> {
        let Some(last) = ids.last() else { return Ok(()) };
        let place = self.place(space);
        let keys: Vec<String> = ids.iter().map(|id| key::of(id)).collect();
        let mark = Mark { key: key::of(last), version: None };
        match self.change(&place, "vectors/delete", &json!({ "namespace": place.1, "ids": keys }), mark).await {
            // Nothing was ever written there.
            Err(error) if error.kind() == ErrorKind::NotRegistered => Ok(()),
            other => other,
        }
    }

    async fn manifest(&self, table: &str) -> Result<Option<(Manifest, Layout)>> {
        let place = self.manifests();
        // Who registers an entity, or refreshes it, wants to know where it is now.
        if self.api.look_up(&place.0).await?.is_none() {
            return Ok(None);
        }
        self.wait(&place).await?;
        self.look(&place).await?;
        let found = self.fetch(&place, &[key::of(table)]).await?;
        let Some(metadata) = found.into_iter().next().map(|vector| vector.metadata.unwrap_or_default()) else { return Ok(None) };
        let text = |key: &str| metadata.get(key).and_then(Json::as_str);
        let (Some(manifest), Some(layout)) = (text(MANIFEST), text(LAYOUT).and_then(|text| serde_json::from_str(text).ok())) else {
            return Err(Error::new(ErrorKind::Corrupt, "the manifest of a part cannot be read"));
        };
        Ok(Some((Manifest::from_json(manifest)?, layout)))
    }

    async fn declare(&self, shape: &Shape, manifest: &Manifest, new: bool) -> Result<()> {
        let place = self.manifests();
        self.api.make(&place.0, 2, Metric::Cosine).await?;
        if new {
            self.create(&shape.spaces[0]).await?;
        }
        let layout = serde_json::to_string(&shape.layout)
            .map_err(|e| Error::new(ErrorKind::Internal, "the layout cannot be serialised").caused_by(e))?;
        let manifest = manifest.to_json()?;
        if manifest.len() + layout.len() > LARGEST_METADATA {
            let why = "the part has more fields than Pinecone keeps a description of: store some on another backend";
            return Err(Error::new(ErrorKind::InvalidSchema, why));
        }
        // A version of its own, so that this very write can be waited for.
        let version = uuid::Uuid::now_v7().to_string();
        let key = key::of(&shape.spaces[0].name);
        let metadata = json!({ MANIFEST: manifest, LAYOUT: layout, VERSION_COLUMN: version });
        let vector = json!({ "id": key, "values": [1.0, 0.0], "metadata": metadata });
        self.upsert(&place, &[vector], Mark { key, version: Some(version) }).await?;
        self.wait(&place).await
    }

    fn check(&self, space: &Space) -> Result<()> {
        let invalid = |why: String| Err(Error::new(ErrorKind::InvalidSchema, why));
        match space.index {
            Some(index) if !index.method.is_empty() || !index.parameters.is_empty() => {
                invalid("Pinecone chooses its index itself: say `index` alone, or nothing".to_owned())
            }
            _ if !(1..=20_000).contains(&space.length) => {
                invalid(format!("a vector of {} numbers: Pinecone takes 1 to 20,000", space.length))
            }
            _ => Ok(()),
        }
    }

    async fn adjust(&self, space: &Space) -> Result<()> {
        let gone = || Error::new(ErrorKind::NotRegistered, "Pinecone lost an index of this part: drop the entity, or restore it");
        self.api.look_up(&self.place(space).0).await?.ok_or_else(gone).map(drop)
    }

    async fn create(&self, space: &Space) -> Result<()> {
        // The namespace is made by the first write to it.
        self.api.make(&self.index_name(space.length, space.metric), space.length, space.metric).await
    }

    async fn drop_space(&self, space: &Space) -> Result<bool> {
        let place = self.place(space);
        if self.api.look_up(&place.0).await?.is_none() {
            return Ok(false);
        }
        self.wait(&place).await?;
        self.api.unseen.forget(&place);
        let path = format!("namespaces/{}", segment(&place.1));
        let answer = self.send(&place, Method::DELETE, &path, None, Safety::Repeatable).await?;
        if answer.status == 404 {
            return Ok(false);
        }
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        // It goes in the background: rows written meanwhile would go with it.
        let deadline = deadline_after(self.patience);
        loop {
            let answer = self.send(&place, Method::GET, &path, None, Safety::Repeatable).await?;
            match answer.status {
                404 => return Ok(true),
                _ if !answer.is_success() => return Err(refused(&answer)),
                _ if Instant::now() > deadline => {
                    let why = "Pinecone does not finish dropping a namespace: try again, or have more patience";
                    return Err(Error::new(ErrorKind::Timeout, why).with_status(Status::Temporary));
                }
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn retract(&self, shape: &Shape) -> Result<()> {
        let place = self.manifests();
        let key = key::of(&shape.spaces[0].name);
        let body = json!({ "namespace": place.1, "ids": [key] });
        self.change(&place, "vectors/delete", &body, Mark { key, version: None }).await?;
        self.wait(&place).await
    }

    async fn settle(&self, spaces: &[Space], moment: Moment) -> Result<()> {
        if moment == Moment::Read && self.freshness == Freshness::Eventual {
            return Ok(());
        }
        for space in spaces {
            let place = self.place(space);
            self.wait(&place).await?;
            if moment != Moment::Asked {
                self.look(&place).await?;
            }
        }
        Ok(())
    }

    fn fits(&self, record: &Record) -> Result<()> {
        let bytes = written(record)["metadata"].to_string().len();
        if bytes <= LARGEST_METADATA {
            return Ok(());
        }
        let why = format!(
            "the row's values take {bytes} bytes: Pinecone keeps at most {LARGEST_METADATA} a row. Store long ones on another backend"
        );
        Err(Error::new(ErrorKind::LimitExceeded, why))
    }

    async fn health(&self) -> Result<()> {
        self.api.greet().await
    }
}
