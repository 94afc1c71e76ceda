//! A service that speaks the common embeddings API: `POST …/embeddings` with `{"model": …, "input": […]}`, answered by
//! `{"data": [{"index": 0, "embedding": […]}, …]}`.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{Embedder, Patience};
use crate::backends::http::{Answer, Endpoint, HttpClient, Method, Request, Safety, Secret, patience_options};
use crate::error::{Error, ErrorKind, Result, Status};

/// Pauses before a request is sent again that the service failed on (500). Whoever is too busy (429) says how long to wait.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// An [`Embedder`] that asks a service over HTTP by the common embeddings API, to be connected.
///
/// ```
/// use heavenbase::embedding::EmbeddingsHttp;
///
/// # fn key() -> String { String::new() }
/// let embedder = EmbeddingsHttp::new("http://127.0.0.1:8080/v1", "all-minilm-l6-v2", 384)
///     .key(key()) // from where the application keeps its secrets
///     .max_texts(64)
///     .connect()?;
/// # let _ = embedder;
/// # Ok::<(), heavenbase::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct EmbeddingsHttp {
    endpoint: Endpoint,
    model: String,
    dimensions: usize,
    max_texts: usize,
    shortened: bool,
}

patience_options!(EmbeddingsHttp);

impl EmbeddingsHttp {
    /// The service at a base address, to which `/embeddings` is added; the model as the service calls it, and how many
    /// numbers its vectors have.
    pub fn new(address: impl Into<String>, model: impl Into<String>, dimensions: usize) -> Self {
        EmbeddingsHttp { endpoint: Endpoint::new(address), model: model.into(), dimensions, max_texts: 128, shortened: false }
    }

    /// The key, sent as a bearer token and never shown.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.endpoint.headers = vec![("authorization", Secret::new(format!("Bearer {}", key.into())))];
        self
    }

    /// Most texts of one request; 128 otherwise.
    #[must_use]
    pub fn max_texts(mut self, texts: usize) -> Self {
        self.max_texts = texts;
        self
    }

    /// Asks for vectors of so many numbers: of a model that can shorten them.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        self.shortened = true;
        self
    }

    /// Prepares connections; nothing is sent yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] for an address or a key that cannot work.
    pub fn connect(self) -> Result<EmbeddingsClient> {
        let client = HttpClient::new(&self.endpoint, "the embeddings service")?;
        let model = if self.shortened { format!("{} ({} numbers)", self.model, self.dimensions) } else { self.model.clone() };
        Ok(EmbeddingsClient { client, model, of: self })
    }
}

/// A connection to a service of embeddings: see [`EmbeddingsHttp`].
#[derive(Clone, Debug)]
pub struct EmbeddingsClient {
    client: HttpClient,
    model: String,
    of: EmbeddingsHttp,
}

/// What the service answers.
#[derive(Deserialize)]
struct Embeddings {
    data: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    index: Option<usize>,
    embedding: Vec<f32>,
}

/// What it says of a failure; of its free text nothing is shown.
#[derive(Default, Deserialize)]
struct Failure {
    #[serde(default)]
    error: Named,
}

#[derive(Default, Deserialize)]
struct Named {
    #[serde(default)]
    code: serde_json::Value,
    #[serde(default)]
    r#type: serde_json::Value,
}

impl Embedder for EmbeddingsClient {
    fn model(&self) -> &str {
        &self.model
    }

    fn dimensions(&self) -> usize {
        self.of.dimensions
    }

    fn max_texts(&self) -> usize {
        self.of.max_texts
    }

    fn patience(&self) -> Patience {
        // The client has its own: it knows what the service said of waiting.
        Patience { attempts: 1, deadline: self.of.endpoint.timeout.saturating_add(Duration::from_secs(1)), ..Patience::default() }
    }

    async fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let mut body = serde_json::json!({ "model": self.of.model, "input": texts });
        if self.of.shortened {
            body["dimensions"] = self.of.dimensions.into();
        }
        let request = Request::new(Method::POST, "embeddings", Safety::Repeatable).with_json(&body);
        let deadline = self.client.deadline();
        let mut answer = self.client.send(&request, deadline).await?;
        for pause in PAUSES {
            if answer.status != 500 || Instant::now() + pause >= deadline {
                break;
            }
            tokio::time::sleep(pause).await;
            answer = self.client.send(&request, deadline).await?;
        }
        if !answer.is_success() {
            return Err(failure(&answer));
        }
        in_order(answer.json::<Embeddings>()?.data, texts.len())
    }
}

fn failure(answer: &Answer) -> Error {
    let Named { code, r#type } = serde_json::from_slice::<Failure>(&answer.body).unwrap_or_default().error;
    let error = answer.error(code.as_str().or(r#type.as_str()));
    if answer.status == 500 { error.with_status(Status::Temporary) } else { error }
}

/// The vectors in the order of the texts: services may answer in another.
fn in_order(entries: Vec<Entry>, texts: usize) -> Result<Vec<Vec<f32>>> {
    let wrong = |why: &'static str| Error::new(ErrorKind::Backend, why).with("texts", texts);
    if entries.len() != texts {
        return Err(wrong("the embeddings service gave another number of vectors than there are texts").with("vectors", entries.len()));
    }
    let mut ordered: Vec<Option<Vec<f32>>> = vec![None; texts];
    for (position, entry) in entries.into_iter().enumerate() {
        match ordered.get_mut(entry.index.unwrap_or(position)) {
            Some(place @ None) => *place = Some(entry.embedding),
            _ => return Err(wrong("the embeddings service gave no vector for one of the texts, and two for another")),
        }
    }
    Ok(ordered.into_iter().flatten().collect())
}
