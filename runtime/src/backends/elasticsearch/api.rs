//! Requests to a cluster, and its answers as this crate's results.

use std::time::Instant;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, json};

use super::document::Source;
use crate::backends::fewer::fewer;
use crate::backends::http::{Answer, HttpClient, Method, Request, Safety, segment};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::types::Json;

/// A cluster, spoken to.
#[derive(Clone, Debug)]
pub(super) struct Api {
    pub(super) http: HttpClient,
    pub(super) version: (u32, u32),
}

/// How long a point in time outlives the last request for a page.
const KEEP_ALIVE: &str = "5m";

/// The part of a failure's body that is read: names alone.
#[derive(Deserialize)]
struct Failure {
    error: FailureName,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FailureName {
    Typed {
        #[serde(rename = "type")]
        name: String,
        #[serde(default)]
        root_cause: Vec<Cause>,
    },
    Plain(#[allow(dead_code)] Json),
}

/// A cause by its name.
#[derive(Debug, Deserialize)]
pub(super) struct Cause {
    /// The name: `mapper_parsing_exception`.
    #[serde(rename = "type", default)]
    pub(super) name: String,
}

/// A search's answer.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    #[serde(default)]
    pub(super) pit_id: Option<String>,
    #[serde(default)]
    timed_out: bool,
    #[serde(rename = "_shards")]
    shards: Shards,
    pub(super) hits: Hits,
    #[serde(default)]
    pub(super) aggregations: Json,
    /// How long the answer is.
    #[serde(skip)]
    pub(super) bytes: usize,
}

#[derive(Debug, Deserialize)]
struct Shards {
    #[serde(default)]
    failed: u64,
}

/// The rows of a search's answer.
#[derive(Debug, Deserialize)]
pub(super) struct Hits {
    #[serde(default)]
    pub(super) total: Option<Total>,
    pub(super) hits: Vec<Hit>,
}

/// How many rows match.
#[derive(Debug, Deserialize)]
pub(super) struct Total {
    pub(super) value: i64,
}

/// One document found.
#[derive(Debug, Deserialize)]
pub(super) struct Hit {
    /// Not there in a hit that is read from doc values alone.
    #[serde(rename = "_id", default)]
    pub(super) id: String,
    #[serde(rename = "_score", default)]
    pub(super) score: Option<f64>,
    #[serde(rename = "_source", default)]
    pub(super) source: Source,
    /// Doc values by field, each as a list.
    #[serde(default)]
    pub(super) fields: Map<String, Json>,
    #[serde(rename = "_seq_no", default)]
    pub(super) seq_no: i64,
    #[serde(rename = "_primary_term", default)]
    pub(super) primary_term: i64,
}

/// The name of a failure in an answer's body.
fn failure_name(answer: &Answer) -> Option<String> {
    match serde_json::from_slice::<Failure>(&answer.body).ok()?.error {
        FailureName::Typed { name, root_cause } => Some(root_cause.into_iter().next().map_or(name, |cause| cause.name)),
        FailureName::Plain(_) => None,
    }
}

/// The error that a failed answer stands for.
pub(super) fn refused(answer: &Answer) -> Error {
    let name = failure_name(answer);
    match name.as_deref() {
        Some("index_not_found_exception") => not_there(),
        Some("search_phase_execution_exception" | "no_shard_available_action_exception") if answer.status == 503 => {
            answer.error(name.as_deref())
        }
        Some("circuit_breaking_exception" | "es_rejected_execution_exception" | "rejected_execution_exception") => Error::new(
            ErrorKind::Unavailable,
            "Elasticsearch has no memory or thread free for this: try again later, or ask for less at once",
        )
        .with("code", name.unwrap_or_default()),
        Some("cluster_block_exception") => {
            Error::new(ErrorKind::Storage, "the index takes no writes now: its disk may be full").with_status(Status::Temporary)
        }
        other => answer.error(other),
    }
}

/// The error for an index that is gone.
pub(super) fn not_there() -> Error {
    Error::new(ErrorKind::NotRegistered, "Elasticsearch has no index for this entity: register the entity first")
}

impl Api {
    /// Sends a request and reads the answer if it is a success.
    async fn ask<T: DeserializeOwned>(&self, request: &Request, deadline: Instant) -> Result<T> {
        let answer = self.http.send(request, deadline).await?;
        if answer.is_success() { answer.json() } else { Err(refused(&answer)) }
    }

    /// Sends a request whatever its outcome.
    pub(super) async fn send(&self, method: Method, path: &str, body: Option<&Json>, safety: Safety, deadline: Instant) -> Result<Answer> {
        let request = Request::new(method, path, safety);
        let request = match body {
            Some(body) => request.with_json(body),
            None => request,
        };
        self.http.send(&request, deadline).await
    }

    /// The server's version, from whichever of two places it offers.
    pub(super) async fn version(&self, deadline: Instant) -> Result<String> {
        let answer = self.send(Method::GET, "", None, Safety::Repeatable, deadline).await?;
        let answer = match answer.status {
            // Nodes made for tests do not serve the root.
            404 | 405 | 400 => {
                self.send(Method::GET, "_nodes/_local?filter_path=nodes.*.version", None, Safety::Repeatable, deadline).await?
            }
            _ => answer,
        };
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        let body: Json = answer.json()?;
        let of_node = || body["nodes"].as_object()?.values().next()?["version"].as_str();
        body["version"]["number"]
            .as_str()
            .or_else(of_node)
            .map(str::to_owned)
            .ok_or_else(|| Error::new(ErrorKind::Backend, "what answers at this address does not say that it is Elasticsearch"))
    }

    /// Opens a point in time: searches in it see the same rows, whatever is written meanwhile.
    pub(super) async fn open_point(&self, index: &str, deadline: Instant) -> Result<Point> {
        #[derive(Deserialize)]
        struct Opened {
            id: String,
        }
        // Before 8.16 a point always needs all shards.
        let whole = if self.version >= (8, 16) { "&allow_partial_search_results=false" } else { "" };
        let request = Request::new(Method::POST, format!("{}/_pit?keep_alive={KEEP_ALIVE}{whole}", segment(index)), Safety::Repeatable);
        let opened: Opened = self.ask(&request, deadline).await?;
        Ok(Point { api: self.clone(), id: opened.id })
    }

    /// Searches an index as it is now.
    pub(super) async fn search(&self, index: &str, body: &Json, deadline: Instant) -> Result<Found> {
        let path = format!("{}/_search?allow_partial_search_results=false", segment(index));
        self.search_at(path, body, deadline).await
    }

    async fn search_at(&self, path: String, body: &Json, deadline: Instant) -> Result<Found> {
        let answer = self.http.send(&Request::new(Method::POST, path, Safety::Repeatable).with_json(body), deadline).await?;
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        let found = Found { bytes: answer.body.len(), ..answer.json()? };
        if found.timed_out || found.shards.failed > 0 {
            // Part of the rows would pass for all of them.
            return Err(Error::new(ErrorKind::Unavailable, "a part of the index did not answer: try again later"));
        }
        Ok(found)
    }

    /// Makes written rows readable by searches.
    pub(super) async fn refresh(&self, index: &str, deadline: Instant) -> Result<()> {
        let request = Request::new(Method::POST, format!("{}/_refresh", segment(index)), Safety::Repeatable);
        self.ask::<Json>(&request, deadline).await.map(drop)
    }

    /// Documents by id, in the order asked for, as they are now and not as the last refresh shows them; `None` for
    /// those that are not there.
    pub(super) async fn documents(&self, index: &str, ids: &[&str], source: &[String], deadline: Instant) -> Result<Vec<Option<Hit>>> {
        #[derive(Deserialize)]
        struct Answered {
            docs: Vec<Doc>,
        }
        #[derive(Deserialize)]
        struct Doc {
            #[serde(default)]
            found: bool,
            #[serde(default)]
            error: Option<Cause>,
            #[serde(flatten)]
            hit: Hit,
        }
        // The answer must stay readable at once even if documents are large.
        let mut most = 1_000;
        let mut found = Vec::with_capacity(ids.len());
        let mut rest = ids;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(most));
            let body = json!({ "docs": now.iter().map(|id| json!({ "_id": id, "_source": source })).collect::<Vec<_>>() });
            let request = Request::new(Method::POST, format!("{}/_mget", segment(index)), Safety::Repeatable).with_json(&body);
            let answered: Answered = match self.ask(&request, deadline).await {
                Ok(answered) => answered,
                Err(error) => {
                    most = fewer(error, now.len())?;
                    continue;
                }
            };
            rest = later;
            if answered.docs.len() != now.len() {
                return Err(Error::new(ErrorKind::Backend, "Elasticsearch answered for fewer documents than were asked for"));
            }
            for doc in answered.docs {
                match doc.error {
                    Some(cause) if cause.name == "index_not_found_exception" => return Err(not_there()),
                    Some(cause) => {
                        let error = Error::new(ErrorKind::Unavailable, "Elasticsearch could not read a document").with("code", cause.name);
                        return Err(error);
                    }
                    None => found.push(doc.found.then_some(doc.hit)),
                }
            }
        }
        Ok(found)
    }
}

/// A point in time, given back when it is dropped, also when its reader is cancelled.
#[derive(Debug)]
pub(super) struct Point {
    api: Api,
    id: String,
}

impl Point {
    /// Searches in the point.
    pub(super) async fn search(&mut self, mut body: Json, deadline: Instant) -> Result<Found> {
        body["pit"] = json!({ "id": self.id, "keep_alive": KEEP_ALIVE });
        let mut found = self.api.search_at("_search?allow_partial_search_results=false".into(), &body, deadline).await?;
        if let Some(id) = found.pit_id.take() {
            self.id = id;
        }
        Ok(found)
    }
}

impl Drop for Point {
    /// Nobody waits for the server's answer: a point that stays open costs it something until it expires, and that is all.
    fn drop(&mut self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (api, body) = (self.api.clone(), json!({ "id": std::mem::take(&mut self.id) }));
            runtime.spawn(async move { api.send(Method::DELETE, "_pit", Some(&body), Safety::Once, api.http.deadline()).await.map(drop) });
        }
    }
}
