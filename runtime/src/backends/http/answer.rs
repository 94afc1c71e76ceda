use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result, Status};

/// An answer of a service, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
    #[cfg_attr(not(any(feature = "pinecone", feature = "trino", feature = "starrocks")), expect(dead_code))]
    pub(super) headers: reqwest::header::HeaderMap,
    /// What is not known after a failure of this request: whether it took place.
    pub(super) on_failure: Status,
    pub(super) service: &'static str,
}

impl Answer {
    /// A header's value, where it is text.
    #[cfg(any(feature = "pinecone", feature = "trino", feature = "starrocks"))]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the service says that all went well.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON of a type.
    ///
    /// # Errors
    /// [`ErrorKind::Backend`] when it is something else. The outcome of a write is unknown then.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|cause| {
            // Where the parser stopped says enough; its text may repeat what it read.
            let place = format!("line {} column {}", cause.line(), cause.column());
            Error::new(ErrorKind::Backend, format!("{} answered with something that is not the JSON expected", self.service))
                .with("status", self.status)
                .with("bytes", self.body.len())
                .with("at", place)
                .with_status(self.on_failure)
        })
    }

    /// Checks that what answered is the service: a success without the JSON object that it says of every change may come from
    /// something in between, and the change may not have been made.
    ///
    /// # Errors
    /// As [`json`](Answer::json).
    #[cfg(any(feature = "chroma", feature = "pinecone"))]
    pub(crate) fn confirmed(&self) -> Result<()> {
        self.json::<serde_json::Map<String, serde_json::Value>>().map(drop)
    }

    /// The error that the status code stands for. `code` is the service's own name of the error, never its free text.
    pub(crate) fn error(&self, code: Option<&str>) -> Error {
        let service = self.service;
        let (kind, message, status) = match self.status {
            401 | 403 => (ErrorKind::PermissionDenied, format!("{service} refused these credentials"), Status::Permanent),
            408 => (ErrorKind::Timeout, format!("{service} gave up waiting"), Status::Temporary),
            409 => (ErrorKind::Conflict, format!("{service} reports a conflict with another change"), Status::Temporary),
            413 => (
                ErrorKind::LimitExceeded,
                format!("{service} refused the request as too large: write fewer rows at once"),
                Status::Permanent,
            ),
            429 => (ErrorKind::Unavailable, format!("{service} is too busy: try again later"), Status::Temporary),
            502..=504 => (ErrorKind::Unavailable, format!("{service} cannot serve requests now"), self.on_failure),
            507 => (ErrorKind::Storage, format!("{service} has no room left"), Status::Permanent),
            500..=599 => (ErrorKind::Backend, format!("{service} failed"), self.worse()),
            _ => (ErrorKind::Backend, format!("{service} refused the request"), Status::Permanent),
        };
        let error = Error::new(kind, message).with_status(status).with("status", self.status);
        match code.filter(|code| is_name(code)) {
            Some(code) => error.with("code", code),
            None => error,
        }
    }

    /// The error of a service that says of itself that it is busy.
    #[cfg(feature = "chroma")]
    pub(crate) fn busy(&self, why: &'static str) -> Error {
        Error::new(ErrorKind::Unavailable, why).with_status(self.on_failure).with("status", self.status)
    }

    /// A failure inside the service: permanent for a read, unknown for a write.
    fn worse(&self) -> Status {
        if self.on_failure == Status::Unknown { Status::Unknown } else { Status::Permanent }
    }
}

/// Whether a text looks like an error's name, and not like a sentence with values in it.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 80 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}
