//! The client protocol: a statement is posted, and its answer followed from page to page until there is no next one.

use std::time::{Duration, Instant};

use serde::Deserialize;

use super::failure::{self, Problem};
use crate::backends::http::{Answer, HttpClient, Method, Request, Safety};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::types::Json;

/// Longest statement, in units of UTF-16, that a server takes unless told otherwise (`query.max-length`).
pub(super) const LONGEST: usize = 1_000_000;
/// How long a cancellation may take; nobody waits for it.
const CANCEL: Duration = Duration::from_secs(10);
/// What a statement would change in a session. There is none here: each statement is one of its own.
const SESSION: &[&str] = &[
    "x-trino-set-session",
    "x-trino-clear-session",
    "x-trino-set-catalog",
    "x-trino-set-schema",
    "x-trino-set-path",
    "x-trino-set-role",
    "x-trino-set-authorization-user",
    "x-trino-added-prepare",
    "x-trino-deallocated-prepare",
    "x-trino-started-transaction-id",
];

/// One page of an answer, as the server sends it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    #[serde(default)]
    id: String,
    next_uri: Option<String>,
    columns: Option<Vec<AnswerColumn>>,
    data: Option<Vec<Vec<Json>>>,
    error: Option<Problem>,
    update_count: Option<i64>,
}

/// A column of an answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct AnswerColumn {
    /// Its name.
    pub name: String,
    /// Its type as Trino writes it: `array(varchar)`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// What a statement does, which decides what is known when its answer is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// It reads.
    Reads,
    /// It changes something.
    Writes,
}

/// A statement under way. Dropped before its end, it is cancelled on the server.
pub(super) struct Running {
    http: HttpClient,
    next: Option<String>,
    intent: Intent,
    id: String,
    /// The columns, once the server has said them.
    pub(super) columns: Vec<AnswerColumn>,
    /// How many rows a write changed.
    pub(super) changed: Option<i64>,
    first: Option<Vec<Vec<Json>>>,
}

/// What went wrong, and the server's name of it.
pub(super) struct Failed {
    pub(super) error: Error,
    pub(super) code: String,
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed { error, code: String::new() }
    }
}

impl Running {
    /// Posts a statement. It runs when its first page is asked for: posting it twice by accident does no harm.
    pub(super) async fn start(http: &HttpClient, text: &str, intent: Intent, deadline: Instant) -> Result<Running, Failed> {
        if text.encode_utf16().count() > LONGEST {
            let why =
                format!("a statement of more than {LONGEST} characters, which is the most that Trino takes: ask for or write less at once");
            return Err(Error::new(ErrorKind::LimitExceeded, why).into());
        }
        let request =
            Request::new(Method::POST, "v1/statement", Safety::Repeatable).with_body("text/plain; charset=utf-8", text.as_bytes().to_vec());
        let answer = http.send(&request, deadline).await?;
        let mut running =
            Running { http: http.clone(), next: None, intent, id: String::new(), columns: Vec::new(), changed: None, first: None };
        running.first = running.take_in(&answer)?;
        Ok(running)
    }

    /// The next rows, never none; `None` at the end.
    pub(super) async fn advance(&mut self, deadline: Instant) -> Result<Option<Vec<Vec<Json>>>, Failed> {
        if let Some(rows) = self.first.take().filter(|rows| !rows.is_empty()) {
            return Ok(Some(rows));
        }
        while let Some(path) = self.next.clone() {
            let request = Request::new(Method::GET, path, Safety::Repeatable);
            let answer = self.http.send(&request, deadline).await.map_err(|error| self.lost(error))?;
            if let Some(rows) = self.take_in(&answer)?.filter(|rows| !rows.is_empty()) {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }

    /// All rows of a statement.
    pub(super) async fn finish(&mut self, deadline: Instant) -> Result<Vec<Vec<Json>>, Failed> {
        let mut rows = Vec::new();
        while let Some(mut more) = self.advance(deadline).await? {
            rows.append(&mut more);
        }
        Ok(rows)
    }

    fn take_in(&mut self, answer: &Answer) -> Result<Option<Vec<Vec<Json>>>, Failed> {
        if !answer.is_success() {
            // The query is gone, or a proxy answers for a server that is.
            if matches!(answer.status, 404 | 410) {
                self.next = None;
                return Err(self.lost(Error::new(ErrorKind::Unavailable, "Trino no longer knows the statement: it was restarted")).into());
            }
            return Err(self.lost(answer.error(None)).into());
        }
        if let Some(name) = SESSION.iter().find(|name| answer.header(name).is_some()) {
            let why = "a statement that changes the session, which lasts for that statement alone: set properties, catalog and schema \
                       where the connection is described";
            return Err(Error::new(ErrorKind::Unsupported, why).with("header", *name).into());
        }
        let envelope: Envelope = answer.json().map_err(|error| self.lost(error))?;
        if self.id.is_empty() {
            self.id = envelope.id;
        }
        self.next = match envelope.next_uri {
            None => None,
            Some(address) => Some(
                self.http
                    .path_of(&address)
                    .ok_or_else(|| self.lost(Error::new(ErrorKind::Backend, "Trino gave an address for the next page that is none")))?,
            ),
        };
        if let Some(problem) = envelope.error {
            self.next = None;
            return Err(Failed { error: failure::error(&problem, self.intent).with("query", self.id.clone()), code: problem.name });
        }
        if let Some(columns) = envelope.columns {
            self.columns = columns;
        }
        self.changed = envelope.update_count.or(self.changed);
        Ok(envelope.data)
    }

    /// An error on the way to the answer: what a write did is not known then.
    fn lost(&self, error: Error) -> Error {
        let error = if self.id.is_empty() { error } else { error.with("query", self.id.clone()) };
        // Before the first page was asked for, nothing ran.
        let may_have_run = self.intent == Intent::Writes && !self.id.is_empty();
        if may_have_run { error.with_status(Status::Unknown) } else { error }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(path) = self.next.take() else { return };
        // Without a runtime nobody can send it: the server then gives up after its own time for silent clients.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let http = self.http.clone();
        runtime.spawn(async move {
            let request = Request::new(Method::DELETE, path, Safety::Repeatable);
            // Whether it arrives changes nothing here.
            let _ = http.send(&request, Instant::now() + CANCEL).await;
        });
    }
}
