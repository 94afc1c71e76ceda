use std::time::{Duration, Instant};

pub(crate) use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};

use super::{Answer, Endpoint, tls};
use crate::driver::{deadline_after, jittered};
use crate::error::{Error, ErrorKind, Result, Status};

/// Largest answer that is read, in bytes: a service that sends without end must not take all memory.
const LARGEST_ANSWER: usize = 512 << 20;
/// The first pause before a request is tried again; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What a second sending of the same request would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Safety {
    /// Nothing else: it is sent again after any temporary failure.
    Repeatable,
    /// Perhaps harm: it is sent again only when the service cannot have run it.
    Once,
}

/// A request, to be sent perhaps several times.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Path and query behind the base address, encoded, without a slash at the start.
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    /// Further headers, none of which is a secret.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Shared, so that sending it again copies nothing.
    pub(crate) body: bytes::Bytes,
    pub(crate) safety: Safety,
    /// Whether an answer is the service's own word for "nothing was done, ask again", where no status code says so.
    pub(crate) busy: fn(&Answer) -> bool,
}

impl Request {
    /// A request without a body.
    pub(crate) fn new(method: Method, path: impl Into<String>, safety: Safety) -> Self {
        let (headers, body) = (Vec::new(), bytes::Bytes::new());
        Request { method, path: path.into(), content_type: "application/json", headers, body, safety, busy: |_| false }
    }

    /// The same with a body of JSON.
    #[must_use]
    pub(crate) fn with_json(mut self, body: &serde_json::Value) -> Self {
        self.body = body.to_string().into();
        self
    }

    /// The same with another header.
    #[cfg(feature = "starrocks")]
    #[must_use]
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with another body.
    #[allow(dead_code, reason = "not every driver sends something else than JSON")]
    #[must_use]
    pub(crate) fn with_body(mut self, content_type: &'static str, body: Vec<u8>) -> Self {
        self.content_type = content_type;
        self.body = body.into();
        self
    }
}

/// A connection pool to one service. Cheap to clone. Dropping the future of a request closes its connection.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: reqwest::Client,
    base: String,
    headers: reqwest::header::HeaderMap,
    timeout: Duration,
    retries: u32,
    service: &'static str,
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient").field("service", &self.service).field("base", &self.base).finish_non_exhaustive()
    }
}

impl HttpClient {
    /// Prepares connections; nothing is sent yet. `service` names the backend in errors.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] for an address or credentials that cannot work.
    pub(crate) fn new(endpoint: &Endpoint, service: &'static str) -> Result<Self> {
        let (base, inline) = endpoint.base()?;
        let mut headers = reqwest::header::HeaderMap::new();
        let mut secret = |name: HeaderName, value: &str| -> Result<()> {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| Error::new(ErrorKind::InvalidSchema, "the credentials hold a character that no header can carry"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
            Ok(())
        };
        if let Some((user, password)) = endpoint.basic.as_ref().or(inline.as_ref()) {
            use base64::Engine as _;
            let pair = format!("{user}:{}", password.reveal());
            secret(AUTHORIZATION, &format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)))?;
        }
        for (name, value) in &endpoint.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| Error::new(ErrorKind::Internal, "a header's name is not one: please report this"))?;
            secret(name, value.reveal())?;
        }
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(base.scheme() == "https")?)
            // Credentials must not follow a redirect to another host.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(endpoint.timeout.min(Duration::from_secs(10)))
            .tcp_nodelay(true)
            .user_agent(concat!("heavenbase/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|cause| Error::new(ErrorKind::Internal, "no HTTP client can be made").caused_by(cause.without_url()))?;
        let mut base = base.to_string();
        if !base.ends_with('/') {
            base.push('/');
        }
        Ok(HttpClient { client, base, headers, timeout: endpoint.timeout, retries: endpoint.retries, service })
    }

    /// The path behind the base address that a service's own absolute address leads to, for a [`Request`]. Only its path and
    /// query count: who stands behind a proxy may not know its own name, and credentials must not go to another host.
    #[cfg(feature = "trino")]
    pub(crate) fn path_of(&self, address: &str) -> Option<String> {
        let (url, base) = (reqwest::Url::parse(address).ok()?, reqwest::Url::parse(&self.base).ok()?);
        let path = url.path().strip_prefix(base.path()).or_else(|| url.path().strip_prefix('/'))?;
        Some(match url.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        })
    }

    /// Where a service's own redirect leads: a client with the same credentials for that host, and the path there. What stands
    /// in the address besides host, port, path and query is dropped: services write credentials into it.
    ///
    /// # Errors
    /// [`ErrorKind::Backend`] for an address that cannot be read, is none of HTTP, or leaves an encrypted connection.
    #[cfg(feature = "starrocks")]
    pub(crate) fn led_to(&self, address: &str) -> Result<(HttpClient, String)> {
        let refuse = |why: String| Error::new(ErrorKind::Backend, why).with_status(Status::Temporary);
        let url = reqwest::Url::parse(address).ok().filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
        let Some(url) = url else { return Err(refuse(format!("{} redirects to something that is no address", self.service))) };
        if url.scheme() == "http" && self.is_encrypted() {
            return Err(refuse(format!("{} redirects from an encrypted connection to one that is not", self.service)));
        }
        let host = url.host_str().unwrap_or_default();
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let path = url.path().trim_start_matches('/');
        let path = url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        Ok((HttpClient { base: format!("{}://{host}{port}/", url.scheme()), ..self.clone() }, path))
    }

    /// Whether what is sent is encrypted.
    #[cfg(any(feature = "pinecone", feature = "starrocks"))]
    pub(crate) fn is_encrypted(&self) -> bool {
        self.base.starts_with("https:")
    }

    /// Whether two clients speak to the same place.
    #[cfg(feature = "pinecone")]
    pub(crate) fn is_at(&self, other: &HttpClient) -> bool {
        self.base == other.base
    }

    /// When an operation that starts now must be over.
    pub(crate) fn deadline(&self) -> Instant {
        deadline_after(self.timeout)
    }

    /// Sends a request until there is an answer that trying again would not change, or the deadline passes. An answer
    /// with a status of failure is an answer: the caller knows what it means.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the service cannot be reached or goes away, [`ErrorKind::Timeout`],
    /// [`ErrorKind::LimitExceeded`] for an answer too large to read. The status says `Unknown` where a write may have
    /// taken place.
    pub(crate) async fn send(&self, request: &Request, deadline: Instant) -> Result<Answer> {
        let mut pause = FIRST_PAUSE;
        let mut tries = 0;
        loop {
            let outcome = self.send_once(request, deadline).await;
            let wait = match &outcome {
                // Who says how long to wait is not asked before that: chance only adds to it.
                Ok((answer, after)) => self.again(request, answer).then(|| after.unwrap_or_default().saturating_add(jittered(pause))),
                Err((error, sent)) => {
                    let harmless = request.safety == Safety::Repeatable || !sent;
                    (harmless && error.kind() == ErrorKind::Unavailable).then(|| jittered(pause))
                }
            };
            let wait = wait.filter(|wait| tries < self.retries && deadline_after(*wait) < deadline);
            let Some(wait) = wait else { return outcome.map(|(answer, _)| answer).map_err(|(error, _)| error) };
            tries += 1;
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn again(&self, request: &Request, answer: &Answer) -> bool {
        // 429 says that nothing ran; the others may come from something between here and the service.
        let passing = || matches!(answer.status, 502..=504) || (request.busy)(answer);
        answer.status == 429 || request.safety == Safety::Repeatable && passing()
    }

    /// One sending. A failure says whether the request may have reached the service.
    async fn send_once(&self, request: &Request, deadline: Instant) -> Result<(Answer, Option<Duration>), (Error, bool)> {
        let on_failure = if request.safety == Safety::Repeatable { Status::Temporary } else { Status::Unknown };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err((Error::new(ErrorKind::Timeout, format!("no time is left to ask {}", self.service)), false));
        }
        let failed = |cause: reqwest::Error| {
            let sent = !cause.is_connect();
            let status = if sent { on_failure } else { Status::Temporary };
            let error = if cause.is_timeout() {
                let what = if sent { "did not answer in time" } else { "could not be reached in time" };
                let kind = if sent { ErrorKind::Timeout } else { ErrorKind::Unavailable };
                Error::new(kind, format!("{} {what}", self.service))
            } else if cause.is_builder() {
                Error::new(ErrorKind::Internal, "a request cannot be made: please report this")
            } else {
                let what = if sent { "closed the connection or answered with garbage" } else { "cannot be reached" };
                Error::new(ErrorKind::Unavailable, format!("{} {what}", self.service))
            };
            (error.with_status(status).caused_by(cause.without_url()), sent)
        };
        let url = format!("{}{}", self.base, request.path);
        let mut sending = self.client.request(request.method.clone(), url).headers(self.headers.clone()).timeout(left);
        for (name, value) in &request.headers {
            sending = sending.header(*name, value);
        }
        if !request.body.is_empty() {
            sending = sending.header(CONTENT_TYPE, request.content_type).body(request.body.clone());
        }
        let mut response = sending.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let after = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        let headers = std::mem::take(response.headers_mut());
        let too_large = || {
            let why = format!("{} sent more than can be read at once: ask for less", self.service);
            let status = if request.safety == Safety::Repeatable { Status::Permanent } else { Status::Unknown };
            (Error::new(ErrorKind::LimitExceeded, why).with_status(status), true)
        };
        // Where the answer says how long it is, nothing of it needs to be read.
        if response.content_length().is_some_and(|length| length > LARGEST_ANSWER as u64) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok((Answer { status, body, headers, on_failure, service: self.service }, after))
    }
}
