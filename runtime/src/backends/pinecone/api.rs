//! Requests to the control plane and to the indexes, and their answers as this crate's results.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::json;

use super::config::Pinecone;
use super::fresh::Unseen;
use crate::backends::http::{Answer, Endpoint, HttpClient, Method, Request, Safety, Secret, segment};
use crate::backends::metadata::Metadata;
use crate::driver::deadline_after;
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
    indexes: Mutex<HashMap<String, At>>,
    /// What was written to them.
    pub(super) unseen: Unseen,
}

/// Where an index is.
struct At {
    client: HttpClient,
    /// Whether it may be elsewhere by now.
    suspected: bool,
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
        Ok(Api { control, endpoint, cloud, region, patience: config.patience, indexes: Mutex::default(), unseen: Unseen::default() })
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
        let encrypted = self.control.is_encrypted();
        let url = match index.host.contains("://") {
            true => index.host.clone(),
            false => format!("{}://{}", if encrypted { "https" } else { "http" }, index.host),
        };
        let client = HttpClient::new(&Endpoint { url: Secret::new(url), ..self.endpoint.clone() }, SERVICE)?;
        if encrypted && !client.is_encrypted() {
            let why = "Pinecone says that an index is reached without encryption: the key is not sent there";
            return Err(Error::new(ErrorKind::Backend, why));
        }
        Ok(client)
    }

    /// Where an index is, as far as is known.
    pub(super) fn known(&self, name: &str) -> Option<HttpClient> {
        self.indexes.lock().get(name).filter(|at| !at.suspected).map(|at| at.client.clone())
    }

    /// Notes that nobody answers where an index was: it is asked for before it is spoken to again.
    pub(super) fn suspect(&self, name: &str) {
        if let Some(at) = self.indexes.lock().get_mut(name) {
            at.suspected = true;
        }
    }

    /// Asks where an index is, whatever is known.
    pub(super) async fn look_up(&self, name: &str) -> Result<Option<HttpClient>> {
        let now = self.describe(name).await?.map(|index| self.connect(&index)).transpose()?;
        self.note(name, now.clone());
        Ok(now)
    }

    /// Notes where an index is, or that it is gone. What was written where it was before is not waited for: it is gone with it.
    fn note(&self, name: &str, now: Option<HttpClient>) {
        let mut indexes = self.indexes.lock();
        let before = match now.clone() {
            Some(client) => indexes.insert(name.to_owned(), At { client, suspected: false }),
            None => indexes.remove(name),
        };
        if before.is_some_and(|before| now.is_none_or(|now| !now.is_at(&before.client))) {
            self.unseen.forget_index(name);
        }
    }

    /// An index, made where there is none, and ready.
    pub(super) async fn make(&self, name: &str, length: u32, metric: Metric) -> Result<()> {
        let deadline = deadline_after(self.patience);
        let mut made = false;
        loop {
            match self.describe(name).await? {
                Some(index)
                    if index.dimension.is_some_and(|d| d != length)
                        || index.metric.as_deref().is_some_and(|m| m != metric_name(metric)) =>
                {
                    let why = "the index of this name has another length or metric: choose another prefix";
                    return Err(Error::new(ErrorKind::SchemaMismatch, why).with("index", name));
                }
                Some(index) if index.status.ready => {
                    self.note(name, Some(self.connect(&index)?));
                    return Ok(());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn connected(control: &str, host: &str) -> Result<String, ErrorKind> {
        let api = Api::new(&Pinecone::api_key("hunter2").control_plane(control)).map_err(|e| e.kind())?;
        let index = Index { host: host.to_owned(), dimension: None, metric: None, status: Ready::default() };
        let client = api.connect(&index).map_err(|error| {
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
            error.kind()
        })?;
        Ok(format!("{client:?}"))
    }

    #[test]
    fn the_key_never_leaves_an_encrypted_connection_for_one_that_is_not() {
        let is_at = |told: Result<String, ErrorKind>, base: &str| assert!(told.as_ref().is_ok_and(|t| t.contains(base)), "{told:?}");
        is_at(connected("https://api.pinecone.io", "x.svc.pinecone.io"), "\"https://x.svc.pinecone.io/\"");
        is_at(connected("HTTPS://api.pinecone.io", "https://x.svc.pinecone.io"), "\"https://x.svc.pinecone.io/\"");
        for host in ["http://x.svc.pinecone.io", "HTTP://x.svc.pinecone.io", "http://127.0.0.1:9"] {
            assert_eq!(connected("https://api.pinecone.io", host), Err(ErrorKind::Backend), "{host}");
        }
        // A peer on loopback speaks no TLS, and may name a host that does.
        for control in ["http://127.0.0.1:9", "HTTP://127.0.0.1:9"] {
            is_at(connected(control, "127.0.0.1:10"), "\"http://127.0.0.1:10/\"");
            is_at(connected(control, "http://127.0.0.1:10"), "\"http://127.0.0.1:10/\"");
            is_at(connected(control, "https://127.0.0.1:10"), "\"https://127.0.0.1:10/\"");
        }
    }
}
