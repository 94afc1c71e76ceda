//! Requests to a server, and its answers as this crate's results.

use std::collections::HashMap;

use parking_lot::Mutex;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::backends::http::{Answer, HttpClient, Method, Request, Safety, segment};
use crate::backends::metadata::Metadata;
use crate::error::{Error, ErrorKind, Result};
use crate::types::Json;

/// A database on a server, spoken to.
pub(super) struct Api {
    pub(super) http: HttpClient,
    /// The path of the database.
    pub(super) database: String,
    /// Collections are asked for by an id of the server's own, which another one of the same name does not have.
    ids: Mutex<HashMap<String, String>>,
}

/// A collection as the server describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Collection {
    pub(super) id: String,
    #[serde(default)]
    pub(super) metadata: Option<Metadata>,
    #[serde(rename = "configuration_json", default)]
    pub(super) configuration: Json,
}

/// Records of an answer, one list a property.
#[derive(Debug, Deserialize)]
pub(super) struct Records {
    pub(super) ids: Vec<String>,
    #[serde(default)]
    pub(super) metadatas: Option<Vec<Option<Metadata>>>,
    #[serde(default)]
    pub(super) embeddings: Option<Vec<Vec<f32>>>,
}

/// The hits of a search, one list a query.
#[derive(Debug, Deserialize)]
pub(super) struct Hits {
    pub(super) ids: Vec<Vec<String>>,
    #[serde(default)]
    pub(super) metadatas: Option<Vec<Vec<Option<Metadata>>>>,
    #[serde(default)]
    pub(super) embeddings: Option<Vec<Vec<Vec<f32>>>>,
    #[serde(default)]
    pub(super) distances: Option<Vec<Vec<Option<f64>>>>,
}

/// What the server limits.
#[derive(Debug, Deserialize)]
pub(super) struct Limits {
    pub(super) max_batch_size: usize,
    #[serde(default)]
    pub(super) supports_base64_encoding: bool,
}

/// A failure's body. Its message may repeat what was sent, so it is looked into and never shown.
#[derive(Deserialize)]
struct Failure {
    error: String,
    #[serde(default)]
    message: String,
}

/// What a failed answer says.
fn failure(answer: &Answer) -> Option<Failure> {
    serde_json::from_slice(&answer.body).ok()
}

/// Whether another change held the database of a single node: SQLite gives up at once where a transaction that has read goes on
/// to write beside another writer, and so do changes of collections (Chroma 1.5.9, status 500).
fn is_locked(answer: &Answer) -> bool {
    answer.status == 500 && failure(answer).is_some_and(|failure| failure.message.ends_with("database is locked"))
}

/// The error that a failed answer stands for.
pub(super) fn refused(answer: &Answer) -> Error {
    let name = failure(answer).map(|failure| failure.error);
    match answer.status {
        500 if is_locked(answer) => answer.busy("Chroma is changing another collection: try again later"),
        404 => Error::new(ErrorKind::NotRegistered, "Chroma has no such collection, database or tenant: register the entity first"),
        _ => answer.error(name.as_deref()),
    }
}

impl Api {
    pub(super) fn new(http: HttpClient, tenant: &str, database: &str) -> Self {
        let database = format!("api/v2/tenants/{}/databases/{}", segment(tenant), segment(database));
        Api { http, database, ids: Mutex::default() }
    }

    /// Sends a request and gives the answer, whatever it says.
    pub(super) async fn send(&self, method: Method, path: &str, body: Option<&Json>, safety: Safety) -> Result<Answer> {
        let request = Request { busy: is_locked, ..Request::new(method, path, safety) };
        let request = match body {
            Some(body) => request.with_json(body),
            None => request,
        };
        self.http.send(&request, self.http.deadline()).await
    }

    /// What the server answers to a question.
    pub(super) async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.send(Method::GET, path, None, Safety::Repeatable).await?;
        if answer.is_success() { answer.json() } else { Err(refused(&answer)) }
    }

    /// A collection by name, or `None`.
    pub(super) async fn collection(&self, name: &str) -> Result<Option<Collection>> {
        let path = format!("{}/collections/{}", self.database, segment(name));
        let answer = self.send(Method::GET, &path, None, Safety::Repeatable).await?;
        if answer.status == 404 {
            self.forget(name);
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        let collection: Collection = answer.json()?;
        self.ids.lock().insert(name.to_owned(), collection.id.clone());
        Ok(Some(collection))
    }

    /// Notes that a collection is gone.
    pub(super) fn forget(&self, name: &str) {
        self.ids.lock().remove(name);
    }

    /// Sends a request about a collection. One that was dropped and made again by somebody else is found again.
    pub(super) async fn of(&self, name: &str, what: &str, method: Method, body: &Json, safety: Safety) -> Result<Answer> {
        let known = self.ids.lock().get(name).cloned();
        if let Some(id) = known {
            let answer = self.of_id(&id, what, method.clone(), body, safety).await?;
            if answer.status != 404 {
                return Ok(answer);
            }
        }
        let Some(collection) = self.collection(name).await? else {
            return Err(Error::new(ErrorKind::NotRegistered, "Chroma has no such collection: register the entity first"));
        };
        let answer = self.of_id(&collection.id, what, method, body, safety).await?;
        if answer.status == 404 {
            self.forget(name);
        }
        Ok(answer)
    }

    async fn of_id(&self, id: &str, what: &str, method: Method, body: &Json, safety: Safety) -> Result<Answer> {
        self.send(method, &format!("{}/collections/{}{what}", self.database, segment(id)), Some(body), safety).await
    }
}
