//! Requests to the control plane and to the indexes, and their answers as this crate's results.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;

use super::config::Pinecone;
use crate::backends::http::{Answer, Endpoint, HttpClient, Method, Request, Safety, Secret, segment};
use crate::backends::metadata::Metadata;
use crate::error::{Error, ErrorKind, Result, Status};
use crate::types::{Json, Metric};

/// The version of the interface that is spoken.
const VERSION: &str = "2025-10";
/// The name in errors.
pub(super) const SERVICE: &str = "Pinecone";

/// A project, spoken to.
pub(super) struct Api {
    control: HttpClient,
    endpoint: Endpoint,
    cloud: String,
    region: String,
    patience: Duration,
    /// Indexes by name.
    indexes: Mutex<HashMap<String, HttpClient>>,
}

/// An index as the control plane describes it.
#[derive(Debug, Deserialize)]
struct Index {
    #[serde(default)]
    host: String,
    #[serde(default)]
    dimension: Option<u32>,
    #[serde(default)]
    metric: Option<String>,
    #[serde(default)]
    status: Ready,
}

#[derive(Debug, Default, Deserialize)]
struct Ready {
    #[serde(default)]
    ready: bool,
}

/// A record as it travels.
#[derive(Debug, Deserialize)]
pub(super) struct Vector {
    pub(super) id: String,
    #[serde(default)]
    pub(super) values: Vec<f32>,
    #[serde(default)]
    pub(super) metadata: Option<Metadata>,
    #[serde(default)]
    pub(super) score: Option<f64>,
}

/// Records of an answer.
#[derive(Debug, Deserialize)]
pub(super) struct Fetched {
    #[serde(default)]
    pub(super) vectors: HashMap<String, Vector>,
    #[serde(default)]
    pub(super) pagination: Option<Pagination>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Pagination {
    #[serde(default)]
    pub(super) next: Option<String>,
}

/// The hits of a search.
#[derive(Debug, Deserialize)]
pub(super) struct Hits {
    #[serde(default)]
    pub(super) matches: Vec<Vector>,
}

/// The part of a failure's body that is read: names alone. The two planes write it differently.
#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    error: Option<Named>,
    #[serde(default)]
    code: Option<i64>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    code: String,
}

/// The error that a failed answer stands for.
pub(super) fn refused(answer: &Answer) -> Error {
    let failure: Option<Failure> = serde_json::from_slice(&answer.body).ok();
    let name = failure.and_then(|f| f.error.map(|e| e.code).or(f.code.map(|code| format!("grpc.{code}"))));
    match answer.status {
        402 => Error::new(ErrorKind::PermissionDenied, "Pinecone asks for a plan that is paid for: see the project's console"),
        404 => Error::new(ErrorKind::NotRegistered, "Pinecone has no such index or namespace: register the entity first"),
        _ => answer.error(name.as_deref()),
    }
}

/// Pinecone's name of a metric.
pub(super) fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Cosine => "cosine",
        Metric::L2 => "euclidean",
        Metric::Dot => "dotproduct",
    }
}

impl Api {
    pub(super) fn new(config: &Pinecone) -> Result<Self> {
        let mut endpoint = config.control.clone();
        endpoint.headers.push(("x-pinecone-api-version", Secret::new(VERSION)));
        let control = HttpClient::new(&endpoint, SERVICE)?;
        let (cloud, region) = (config.cloud.clone(), config.region.clone());
        Ok(Api { control, endpoint, cloud, region, patience: config.patience, indexes: Mutex::default() })
    }

    /// Asks the control plane for anything: whether it answers, and takes the key.
    pub(super) async fn greet(&self) -> Result<()> {
        let answer = self.control.send(&Request::new(Method::GET, "indexes", Safety::Repeatable), self.control.deadline()).await?;
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        let listed: Json = answer.json()?;
        match listed.get("indexes") {
            None | Some(Json::Array(_) | Json::Null) if listed.is_object() => Ok(()),
            _ => Err(Error::new(ErrorKind::Backend, "the control plane answered with something else than a list of indexes")),
        }
    }

    async fn describe(&self, name: &str) -> Result<Option<Index>> {
        let request = Request::new(Method::GET, format!("indexes/{}", segment(name)), Safety::Repeatable);
        let answer = self.control.send(&request, self.control.deadline()).await?;
        match answer.status {
            404 => Ok(None),
            _ if answer.is_success() => answer.json().map(Some),
            _ => Err(refused(&answer)),
        }
    }

    fn connect(&self, index: &Index) -> Result<HttpClient> {
        let plain = self.endpoint.url.reveal().starts_with("http://");
        let url = match index.host.contains("://") {
            true => index.host.clone(),
            false => format!("{}://{}", if plain { "http" } else { "https" }, index.host),
        };
        HttpClient::new(&Endpoint { url: Secret::new(url), ..self.endpoint.clone() }, SERVICE)
    }

    /// An index, where there is one.
    pub(super) async fn index(&self, name: &str) -> Result<Option<HttpClient>> {
        if let Some(client) = self.indexes.lock().get(name) {
            return Ok(Some(client.clone()));
        }
        let Some(index) = self.describe(name).await? else { return Ok(None) };
        let client = self.connect(&index)?;
        self.indexes.lock().insert(name.to_owned(), client.clone());
        Ok(Some(client))
    }

    /// An index, made where there is none, and ready.
    pub(super) async fn make(&self, name: &str, length: u32, metric: Metric) -> Result<HttpClient> {
        if let Some(client) = self.indexes.lock().get(name) {
            return Ok(client.clone());
        }
        let deadline = Instant::now() + self.patience;
        let mut made = false;
        loop {
            match self.describe(name).await? {
                Some(index) if index.dimension.is_some_and(|d| d != length) || index.metric.as_deref().is_some_and(|m| m != metric_name(metric)) => {
                    let why = "the index of this name has another length or metric: choose another prefix";
                    return Err(Error::new(ErrorKind::SchemaMismatch, why).with("index", name));
                }
                Some(index) if index.status.ready => {
                    let client = self.connect(&index)?;
                    self.indexes.lock().insert(name.to_owned(), client.clone());
                    return Ok(client);
                }
                Some(_) => {}
                None if made => {}
                None => {
                    let spec = json!({ "serverless": { "cloud": self.cloud, "region": self.region } });
                    let body = json!({ "name": name, "dimension": length, "metric": metric_name(metric), "spec": spec });
                    let request = Request::new(Method::POST, "indexes", Safety::Once).with_json(&body);
                    let answer = self.control.send(&request, self.control.deadline()).await?;
                    // Another process may have been faster.
                    if !answer.is_success() && answer.status != 409 {
                        return Err(refused(&answer));
                    }
                    made = true;
                    continue;
                }
            }
            if Instant::now() > deadline {
                let why = "Pinecone does not get the new index ready: try again, or have more patience";
                return Err(Error::new(ErrorKind::Timeout, why).with("index", name).with_status(Status::Temporary));
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }
}

/// Sends a request to an index.
pub(super) async fn send(client: &HttpClient, method: Method, path: &str, body: Option<&Json>, safety: Safety) -> Result<Answer> {
    let request = Request::new(method, path, safety);
    let request = match body {
        Some(body) => request.with_json(body),
        None => request,
    };
    client.send(&request, client.deadline()).await
}
