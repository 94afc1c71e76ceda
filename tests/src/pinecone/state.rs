//! Indexes, namespaces, records; and when they are readable.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};

use super::Manner;
use super::filter::holds;
use crate::peer::{Answer, Request};

/// A request that is refused: status and reason.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) why: String,
}

impl Refused {
    pub(super) fn new(status: u16, why: impl Into<String>) -> Self {
        Refused { status, why: why.into() }
    }
}

/// The body of a request.
pub(super) fn json_of(request: &Request) -> Result<Json, Refused> {
    request.json().map_err(|_| Refused::new(400, "the body is not JSON"))
}

fn invalid(why: impl Into<String>) -> Refused {
    Refused::new(400, why)
}

#[derive(Clone, Debug)]
struct Record {
    values: Vec<f32>,
    metadata: Map<String, Json>,
}

/// One namespace: what is readable, and what is not yet.
#[derive(Debug, Default)]
struct Namespace {
    records: BTreeMap<String, Record>,
    pending: VecDeque<(Instant, u64, Change)>,
    written: u64,
    seen: u64,
}

#[derive(Debug)]
enum Change {
    Put(Vec<(String, Record)>),
    Remove(Vec<String>),
}

impl Namespace {
    fn catch_up(&mut self) {
        while self.pending.front().is_some_and(|(when, ..)| *when <= Instant::now()) {
            let Some((_, log, change)) = self.pending.pop_front() else { return };
            match change {
                Change::Put(records) => self.records.extend(records),
                Change::Remove(ids) => ids.iter().for_each(|id| drop(self.records.remove(id))),
            }
            self.seen = log;
        }
    }
}

/// An index.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) name: String,
    pub(super) host: Mutex<String>,
    /// Whether it was deleted: its host has nothing then.
    pub(super) gone: AtomicBool,
    dimension: usize,
    metric: String,
    spec: Json,
    manner: Manner,
    made: Instant,
    namespaces: Mutex<BTreeMap<String, Namespace>>,
}

impl Index {
    pub(super) fn new(body: &Json, manner: Manner) -> Result<Self, Refused> {
        let name = body["name"].as_str().unwrap_or_default().to_owned();
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if name.is_empty() || name.len() > 45 || !plain || name.starts_with('-') || name.ends_with('-') {
            return Err(invalid("an index's name has 1 to 45 small letters, digits and hyphens"));
        }
        let dimension =
            body["dimension"].as_u64().filter(|d| (1..=20_000).contains(d)).ok_or_else(|| invalid("the dimension is 1 to 20,000"))?;
        let metric = body["metric"].as_str().unwrap_or("cosine").to_owned();
        if !["cosine", "euclidean", "dotproduct"].contains(&metric.as_str()) {
            return Err(invalid("no such metric"));
        }
        let serverless = &body["spec"]["serverless"];
        if serverless["cloud"].as_str().is_none() || serverless["region"].as_str().is_none() {
            return Err(invalid("a serverless index says its cloud and region"));
        }
        Ok(Index {
            name,
            host: Mutex::default(),
            gone: AtomicBool::default(),
            dimension: dimension as usize,
            metric,
            spec: body["spec"].clone(),
            manner,
            made: Instant::now(),
            namespaces: Mutex::default(),
        })
    }

    pub(super) fn described(&self) -> Json {
        // A new index takes a moment.
        let ready = self.made.elapsed() > self.manner.delay;
        let mut spec = self.spec.clone();
        spec["serverless"]["read_capacity"] = json!({ "mode": "OnDemand", "status": { "state": "Ready" } });
        json!({
            "name": self.name, "dimension": self.dimension, "metric": self.metric, "host": *self.host.lock(),
            "spec": spec, "vector_type": "dense", "deletion_protection": "disabled",
            "status": { "ready": ready, "state": if ready { "Ready" } else { "Initializing" } },
        })
    }

    /// Whether `$ne` matches records without the key: in one namespace so, in another so.
    fn missing_differs(namespace: &str) -> bool {
        namespace.bytes().fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte)) % 2 == 0
    }

    pub(super) fn answer_if_there(&self, request: &Request) -> Result<Answer, Refused> {
        if self.gone.load(Ordering::SeqCst) { Err(Refused::new(404, "no such index")) } else { self.answer(request) }
    }

    fn answer(&self, request: &Request) -> Result<Answer, Refused> {
        let path = request.path();
        match (request.method.as_str(), path.as_str()) {
            ("POST", "/vectors/upsert") => self.upsert(request),
            ("POST", "/vectors/update") => self.update(&json_of(request)?),
            ("POST", "/vectors/delete") => self.delete(&json_of(request)?),
            ("GET", "/vectors/fetch") => self.fetch(request),
            ("POST", "/vectors/fetch_by_metadata") => self.fetch_by_metadata(&json_of(request)?),
            ("GET", "/vectors/list") => self.list(request),
            ("POST", "/query") => self.query(&json_of(request)?),
            ("POST", "/describe_index_stats") => Ok(self.stats()),
            ("GET", "/namespaces") => {
                let mut namespaces = self.namespaces.lock();
                namespaces.values_mut().for_each(Namespace::catch_up);
                let listed: Vec<Json> =
                    namespaces.iter().map(|(name, n)| json!({ "name": name, "record_count": n.records.len().to_string() })).collect();
                Ok(Answer::json(200, &json!({ "namespaces": listed, "total_count": listed.len() })))
            }
            (method @ ("GET" | "DELETE"), path) if path.starts_with("/namespaces/") => {
                let name = &path["/namespaces/".len()..];
                let mut namespaces = self.namespaces.lock();
                let Some(namespace) = namespaces.get(name) else { return Err(Refused::new(404, "no such namespace")) };
                let described = json!({ "name": name, "record_count": namespace.records.len().to_string() });
                if method == "DELETE" {
                    namespaces.remove(name);
                    return Ok(Answer::json(200, &json!({})));
                }
                Ok(Answer::json(200, &described))
            }
            _ => Err(Refused::new(404, "no such path")),
        }
    }

    fn record(&self, json: &Json) -> Result<(String, Record), Refused> {
        let id = json["id"]
            .as_str()
            .filter(|id| (1..=512).contains(&id.len()) && id.is_ascii())
            .ok_or_else(|| invalid("an id is 1 to 512 characters of ASCII"))?;
        let values = numbers(&json["values"])
            .filter(|values| values.len() == self.dimension)
            .ok_or_else(|| invalid("a vector of another length"))?;
        if values.iter().all(|n| *n == 0.0) {
            return Err(invalid("a dense vector has a number that is not zero"));
        }
        let metadata = match &json["metadata"] {
            Json::Null => Map::new(),
            Json::Object(map) => floats(map)?,
            _ => return Err(invalid("metadata are an object")),
        };
        Ok((id.to_owned(), Record { values, metadata }))
    }

    fn changed(&self, namespace: &str, change: Change, body: &Json) -> Answer {
        let mut namespaces = self.namespaces.lock();
        let namespace = namespaces.entry(namespace.to_owned()).or_default();
        namespace.written += 1;
        namespace.pending.push_back((Instant::now() + self.manner.delay, namespace.written, change));
        let mut answer = Answer::json(200, body);
        if self.manner.log_headers {
            answer.headers.push(("x-pinecone-request-lsn", namespace.written.to_string()));
        }
        answer
    }

    /// Runs a read on what is readable of a namespace.
    fn reading(&self, namespace: &str, read: impl FnOnce(&BTreeMap<String, Record>) -> Result<Json, Refused>) -> Result<Answer, Refused> {
        let mut namespaces = self.namespaces.lock();
        let Some(namespace) = namespaces.get_mut(namespace) else { return read(&BTreeMap::new()).map(|json| Answer::json(200, &json)) };
        namespace.catch_up();
        let mut answer = Answer::json(200, &read(&namespace.records)?);
        if answer.body.len() > 4_000_000 {
            return Err(invalid("the answer is larger than 4 MB"));
        }
        if self.manner.log_headers {
            answer.headers.push(("x-pinecone-max-indexed-lsn", namespace.seen.to_string()));
        }
        Ok(answer)
    }

    fn upsert(&self, request: &Request) -> Result<Answer, Refused> {
        if request.body().len() > 2 << 20 {
            return Err(Refused::new(413, "more than 2 MB"));
        }
        let body = json_of(request)?;
        let vectors = body["vectors"].as_array().filter(|v| (1..=1_000).contains(&v.len())).ok_or_else(|| invalid("1 to 1,000 vectors"))?;
        let records = vectors.iter().map(|json| self.record(json)).collect::<Result<Vec<_>, _>>()?;
        let count = records.len();
        Ok(self.changed(body["namespace"].as_str().unwrap_or_default(), Change::Put(records), &json!({ "upsertedCount": count })))
    }

    fn update(&self, body: &Json) -> Result<Answer, Refused> {
        let (name, id) =
            (body["namespace"].as_str().unwrap_or_default(), body["id"].as_str().ok_or_else(|| invalid("an update names an id"))?);
        let found = self.namespaces.lock().get_mut(name).and_then(|n| {
            n.catch_up();
            n.records.get(id).cloned()
        });
        let Some(mut record) = found else { return Ok(Answer::json(200, &json!({}))) };
        if let Some(values) = numbers(&body["values"]) {
            record.values = values;
        }
        if let Some(more) = body["setMetadata"].as_object() {
            record.metadata.extend(floats(more)?);
        }
        Ok(self.changed(name, Change::Put(vec![(id.to_owned(), record)]), &json!({})))
    }

    fn delete(&self, body: &Json) -> Result<Answer, Refused> {
        let name = body["namespace"].as_str().unwrap_or_default();
        let listed: Option<Vec<String>> =
            body["ids"].as_array().map(|ids| ids.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect());
        let gone = {
            let mut namespaces = self.namespaces.lock();
            let Some(namespace) = namespaces.get_mut(name) else { return Err(Refused::new(404, "no such namespace")) };
            namespace.catch_up();
            match (listed, body["deleteAll"].as_bool(), &body["filter"]) {
                (Some(ids), None | Some(false), Json::Null) if (1..=1_000).contains(&ids.len()) => ids,
                (None, Some(true), Json::Null) => namespace.records.keys().cloned().collect(),
                (None, None | Some(false), filter @ Json::Object(_)) => {
                    let mut gone = Vec::new();
                    for (id, record) in &namespace.records {
                        if holds(filter, &record.metadata, Self::missing_differs(name))? {
                            gone.push(id.clone());
                        }
                    }
                    gone
                }
                _ => return Err(invalid("a delete names up to 1,000 ids, all, or a filter")),
            }
        };
        Ok(self.changed(name, Change::Remove(gone), &json!({})))
    }

    fn fetch(&self, request: &Request) -> Result<Answer, Refused> {
        let ids = request.query("ids");
        if !(1..=1_000).contains(&ids.len()) {
            return Err(invalid("1 to 1,000 ids"));
        }
        let name = request.query("namespace").pop().unwrap_or_default();
        self.reading(&name, |records| {
            let found: Map<String, Json> =
                ids.iter().filter_map(|id| Some((id.clone(), shown(id, records.get(id)?, true, true)))).collect();
            Ok(json!({ "vectors": found, "namespace": name, "usage": { "readUnits": 1 } }))
        })
    }

    fn fetch_by_metadata(&self, body: &Json) -> Result<Answer, Refused> {
        let name = body["namespace"].as_str().unwrap_or_default();
        let limit =
            body.get("limit").map_or(Some(100), Json::as_u64).filter(|l| (1..=10_000).contains(l)).ok_or_else(|| invalid("limit"))?
                as usize;
        let after = body["paginationToken"].as_str().unwrap_or_default();
        self.reading(name, |records| {
            let mut found = Map::new();
            let mut next = None;
            for (id, record) in records.iter().filter(|(id, _)| id.as_str() > after) {
                if !holds(&body["filter"], &record.metadata, Self::missing_differs(name))? {
                    continue;
                }
                if found.len() == limit {
                    next = found.keys().max().cloned();
                    break;
                }
                found.insert(id.clone(), shown(id, record, true, true));
            }
            let pagination = next.map(|next| json!({ "next": next }));
            Ok(json!({ "vectors": found, "namespace": name, "usage": { "readUnits": 1 }, "pagination": pagination }))
        })
    }

    fn list(&self, request: &Request) -> Result<Answer, Refused> {
        let one = |name: &str| request.query(name).pop();
        let name = one("namespace").unwrap_or_default();
        let (prefix, after) = (one("prefix").unwrap_or_default(), one("paginationToken").unwrap_or_default());
        let limit =
            one("limit").map_or(Some(100), |text| text.parse().ok()).filter(|l| (1..=100).contains(l)).ok_or_else(|| invalid("limit"))?;
        self.reading(&name, |records| {
            let mut ids: Vec<&String> = records.keys().filter(|id| id.starts_with(&prefix) && **id > after).take(limit + 1).collect();
            let more = ids.len() > limit;
            ids.truncate(limit);
            let pagination = more.then(|| json!({ "next": ids.last() }));
            let ids: Vec<Json> = ids.into_iter().map(|id| json!({ "id": id })).collect();
            Ok(json!({ "vectors": ids, "namespace": name, "usage": { "readUnits": 1 }, "pagination": pagination }))
        })
    }

    fn query(&self, body: &Json) -> Result<Answer, Refused> {
        let name = body["namespace"].as_str().unwrap_or_default();
        let k = body["topK"].as_u64().filter(|k| (1..=10_000).contains(k)).ok_or_else(|| invalid("topK is 1 to 10,000"))? as usize;
        let (with_values, with_metadata) = (body["includeValues"] == json!(true), body["includeMetadata"] == json!(true));
        self.reading(name, |records| {
            let own = body["id"].as_str().and_then(|id| records.get(id)).map(|record| record.values.clone());
            let vector = own
                .or_else(|| numbers(&body["vector"]))
                .filter(|v| v.len() == self.dimension)
                .ok_or_else(|| invalid("a vector of another length"))?;
            if vector.iter().all(|n| *n == 0.0) {
                return Err(invalid("a dense vector has a number that is not zero"));
            }
            let mut hits = Vec::new();
            for (id, record) in records {
                if body["filter"].is_null() || holds(&body["filter"], &record.metadata, Self::missing_differs(name))? {
                    hits.push((self.score(&vector, &record.values), id, record));
                }
            }
            // Ties come in no order that means anything.
            let sign = if self.metric == "euclidean" { 1.0 } else { -1.0 };
            hits.sort_by(|a, b| (a.0 * sign).total_cmp(&(b.0 * sign)).then_with(|| b.1.cmp(a.1)));
            hits.truncate(k);
            let matches: Vec<Json> = hits
                .into_iter()
                .map(|(score, id, record)| {
                    let mut shown = shown(id, record, with_values, with_metadata);
                    shown["score"] = json!(score);
                    shown
                })
                .collect();
            Ok(json!({ "matches": matches, "namespace": name, "usage": { "readUnits": 1 } }))
        })
    }

    /// As Pinecone counts, in 32 bits: by distance it tells the square.
    fn score(&self, a: &[f32], b: &[f32]) -> f32 {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>();
        match self.metric.as_str() {
            "euclidean" => a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum(),
            "cosine" => dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt()),
            _ => dot(a, b),
        }
    }

    fn stats(&self) -> Answer {
        let mut namespaces = self.namespaces.lock();
        namespaces.values_mut().for_each(Namespace::catch_up);
        let listed: Map<String, Json> =
            namespaces.iter().map(|(name, n)| (name.clone(), json!({ "vectorCount": n.records.len() }))).collect();
        let total: usize = namespaces.values().map(|n| n.records.len()).sum();
        Answer::json(
            200,
            &json!({ "namespaces": listed, "dimension": self.dimension, "indexFullness": 0.0, "totalVectorCount": total, "metric": self.metric, "vectorType": "dense" }),
        )
    }
}

fn numbers(json: &Json) -> Option<Vec<f32>> {
    let numbers: Option<Vec<f32>> = json.as_array()?.iter().map(|n| n.as_f64().map(|n| n as f32)).collect();
    numbers.filter(|numbers| numbers.iter().all(|n| n.is_finite()))
}

/// Metadata as they are kept: numbers are floats, lists are of texts, and there is not too much of it.
fn floats(map: &Map<String, Json>) -> Result<Map<String, Json>, Refused> {
    if Json::Object(map.clone()).to_string().len() > 40_960 {
        return Err(invalid("metadata of more than 40 KB"));
    }
    let kept = |(key, value): (&String, &Json)| {
        if key.starts_with('$') {
            return Err(invalid("a key that begins with $"));
        }
        let value = match value {
            Json::Number(n) => json!(n.as_f64()),
            Json::String(_) | Json::Bool(_) => value.clone(),
            Json::Array(items) if items.iter().all(Json::is_string) => value.clone(),
            _ => return Err(invalid("metadata are texts, numbers, truth values and lists of texts")),
        };
        Ok((key.clone(), value))
    };
    map.iter().map(kept).collect()
}

fn shown(id: &str, record: &Record, values: bool, metadata: bool) -> Json {
    let mut shown = json!({ "id": id, "values": if values { json!(record.values) } else { json!([]) } });
    if metadata {
        shown["metadata"] = record.metadata.clone().into();
    }
    shown
}
