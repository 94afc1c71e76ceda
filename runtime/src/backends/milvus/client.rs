use std::time::{Duration, Instant};

use base64::Engine as _;
use http::uri::PathAndQuery;
use prost::Message;
use tonic::Code;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic_prost::ProstCodec;

use super::config::{Consistency, Milvus};
use super::proto::{self, Answer};
use crate::driver::{deadline_after, jittered};
use crate::error::{Error, ErrorKind, Result, Status};

/// Longest answer read at once. The server's own limit is the same.
const LARGEST_ANSWER: usize = 512 << 20;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Calls of Milvus's gRPC service, with credentials, a deadline, retries, and errors that hold nothing of a request.
#[derive(Clone)]
pub(super) struct Client {
    channel: Channel,
    authorization: Option<MetadataValue<Ascii>>,
    database: String,
    consistency: Consistency,
    timeout: Duration,
    retries: u32,
}

/// Whether a call changes something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    Reads,
    Writes,
}

impl Client {
    /// Prepares a connection; it is made with the first call.
    pub(super) fn new(config: &Milvus) -> Result<Self> {
        let invalid = |why: &'static str| Error::new(ErrorKind::InvalidSchema, why);
        // The parser's own message is left out: it may repeat the address, and what is secret in it.
        let uri: http::Uri = config
            .url
            .reveal()
            .parse()
            .map_err(|_| invalid("the address cannot be parsed: give it as http://host:19530 or https://host:port"))?;
        let Some(authority) = uri.authority() else { return Err(invalid("the address has no host: give it as http://host:19530")) };
        if authority.as_str().contains('@') {
            return Err(invalid("the address holds credentials: give them apart, with `user` or `token`"));
        }
        let mut endpoint = match uri.scheme_str() {
            Some("http") => Endpoint::from(uri),
            Some("https") => {
                let tls = ClientTlsConfig::new().with_native_roots();
                let unusable = |cause| Error::new(ErrorKind::Unavailable, "TLS cannot be set up on this system").caused_by(cause);
                Endpoint::from(uri).tls_config(tls).map_err(unusable)?
            }
            _ => return Err(invalid("the address is neither http://… nor https://…")),
        };
        endpoint = endpoint
            .connect_timeout(config.timeout.min(Duration::from_secs(10)))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(20));
        let authorization = config.credentials.as_ref().map(|secret| {
            let encoded = base64::engine::general_purpose::STANDARD.encode(secret.reveal());
            let mut value = MetadataValue::<Ascii>::try_from(encoded)
                .map_err(|_| invalid("the credentials hold a character that no header can carry"))?;
            value.set_sensitive(true);
            Ok::<_, Error>(value)
        });
        Ok(Client {
            channel: endpoint.connect_lazy(),
            authorization: authorization.transpose()?,
            database: config.database.clone(),
            consistency: config.consistency,
            timeout: config.timeout,
            retries: config.retries,
        })
    }

    /// The database that every request names.
    pub(super) fn database(&self) -> String {
        self.database.clone()
    }

    /// The consistency that reads ask for.
    pub(super) fn consistency(&self) -> Consistency {
        self.consistency
    }

    /// Asks for something, and tries again after temporary failures.
    pub(super) async fn read<Q: Message + Clone + 'static, A: Answer>(&self, method: &'static str, request: Q) -> Result<A> {
        self.call(method, request, Effect::Reads).await
    }

    /// Changes something. All changes that this driver makes can be made twice.
    pub(super) async fn change<Q: Message + Clone + 'static, A: Answer>(&self, method: &'static str, request: Q) -> Result<A> {
        self.call(method, request, Effect::Writes).await
    }

    async fn call<Q: Message + Clone + 'static, A: Answer>(&self, method: &'static str, request: Q, effect: Effect) -> Result<A> {
        let deadline = deadline_after(self.timeout);
        let mut pause = FIRST_PAUSE;
        let mut tries = 0;
        // Whether an earlier try may have taken place: the error of the last one does not know.
        let mut perhaps = false;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let error = match tokio::time::timeout(left, self.once::<Q, A>(method, request.clone(), effect)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
                Err(_) => failed(ErrorKind::Timeout, "Milvus did not answer in time", unsure(effect)),
            };
            perhaps |= error.status() == Status::Unknown;
            let again = error.kind() == ErrorKind::Unavailable && tries < self.retries && deadline_after(pause) < deadline;
            if !again {
                let error = if perhaps { error.with_status(Status::Unknown) } else { error };
                return Err(error.with("call", method));
            }
            tries += 1;
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn once<Q: Message + Clone + 'static, A: Answer>(&self, method: &'static str, message: Q, effect: Effect) -> Result<A> {
        let path = PathAndQuery::try_from(format!("/milvus.proto.milvus.MilvusService/{method}"))
            .map_err(|_| Error::new(ErrorKind::Internal, "the name of a call is none: please report this"))?;
        let mut service = tonic::client::Grpc::new(self.channel.clone())
            .max_decoding_message_size(LARGEST_ANSWER)
            .max_encoding_message_size(LARGEST_ANSWER);
        service
            .ready()
            .await
            .map_err(|cause| failed(ErrorKind::Unavailable, "Milvus cannot be reached", Status::Temporary).caused_by(cause))?;
        let mut request = tonic::Request::new(message);
        if let Some(value) = &self.authorization {
            request.metadata_mut().insert("authorization", value.clone());
        }
        if let Ok(database) = MetadataValue::try_from(&self.database)
            && !self.database.is_empty()
        {
            request.metadata_mut().insert("dbname", database);
        }
        let answer: A = service.unary(request, path, ProstCodec::<Q, A>::default()).await.map_err(|s| of_grpc(&s, effect))?.into_inner();
        let Some(status) = answer.status() else {
            return Err(failed(ErrorKind::Backend, "an answer without a status, which Milvus does not give", unsure(effect)));
        };
        of_milvus(status, effect).map(|()| answer)
    }

    /// The server's version as it names itself; empty when it does not say.
    pub(super) async fn version(&self) -> Result<String> {
        let answer: proto::Version = self.read("GetVersion", proto::Empty {}).await?;
        Ok(answer.version)
    }

    /// A request that names a collection.
    pub(super) fn of(&self, collection: &str) -> proto::OfCollection {
        proto::OfCollection { db_name: self.database(), collection_name: collection.to_owned() }
    }

    /// Whether a collection is there.
    pub(super) async fn has(&self, collection: &str) -> Result<bool> {
        let answer: proto::BoolResponse = self.read("HasCollection", self.of(collection)).await?;
        Ok(answer.value)
    }
}

fn unsure(effect: Effect) -> Status {
    match effect {
        Effect::Reads => Status::Temporary,
        Effect::Writes => Status::Unknown,
    }
}

fn failed(kind: ErrorKind, message: &'static str, status: Status) -> Error {
    Error::new(kind, message).with_status(status)
}

/// What a failure of the transport stands for. Its text is left out: servers repeat expressions, and values in them.
fn of_grpc(status: &tonic::Status, effect: Effect) -> Error {
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => {
            failed(ErrorKind::PermissionDenied, "Milvus refused these credentials", Status::Permanent)
        }
        Code::DeadlineExceeded => failed(ErrorKind::Timeout, "Milvus did not answer in time", unsure(effect)),
        Code::Unavailable => failed(ErrorKind::Unavailable, "Milvus cannot be reached or went away", unsure(effect)),
        // No server says these with a cause: it is the connection that broke.
        Code::Unknown | Code::Cancelled if std::error::Error::source(status).is_some() => {
            failed(ErrorKind::Unavailable, "the connection to Milvus broke", unsure(effect))
        }
        // The same code stands for a message that is too large and for a rate that is too high.
        Code::ResourceExhausted if !status.message().contains("larger than") => {
            failed(ErrorKind::Unavailable, "Milvus limits the rate of calls", Status::Temporary)
        }
        Code::ResourceExhausted | Code::OutOfRange => {
            let why = "the message is larger than Milvus sends or takes: ask for or write less at once";
            // An answer that is too large answers what took place.
            let answered = status.message().contains("decoded");
            failed(ErrorKind::LimitExceeded, why, if answered && effect == Effect::Writes { Status::Unknown } else { Status::Permanent })
        }
        Code::Unimplemented => failed(ErrorKind::Unsupported, "this Milvus does not have the call", Status::Permanent),
        code => failed(ErrorKind::Backend, "the call to Milvus failed", unsure(effect)).with("code", code.description()),
    }
}

/// What a status of Milvus stands for. Servers before 2.3 fill the old code alone, later ones mostly both.
fn of_milvus(status: &proto::Status, effect: Effect) -> Result<()> {
    let kind = match (status.code, status.error_code) {
        (0, 0) => return Ok(()),
        (1 | 2 | 8 | 9 | 11, _) | (_, 2 | 48 | 49 | 55..=57) => {
            (ErrorKind::Unavailable, "Milvus cannot serve the call now: it is starting, overloaded, or limits the rate", Status::Temporary)
        }
        (3 | 7, _) | (_, 52..=54) => (ErrorKind::Storage, "Milvus has no memory or quota left", Status::Permanent),
        (4, _) => (ErrorKind::Unavailable, "Milvus is too busy", Status::Temporary),
        (5, _) => (ErrorKind::Backend, "Milvus failed", unsure(effect)),
        (1400..=1499, _) | (_, 3) => (ErrorKind::PermissionDenied, "Milvus refused the call for this user", Status::Permanent),
        (100, _) | (_, 4) => (
            ErrorKind::NotRegistered,
            "the collection is not there: it was dropped outside, or the entity is not registered",
            Status::Permanent,
        ),
        (101..=103, _) => (ErrorKind::Unavailable, "the collection is not loaded on the server yet", Status::Temporary),
        (800..=899, _) => (ErrorKind::InvalidSchema, "Milvus does not have this database", Status::Permanent),
        (10_000 | 10_001, _) => (ErrorKind::Timeout, "Milvus gave the call up", unsure(effect)),
        _ if status.retriable => (ErrorKind::Unavailable, "Milvus failed for the moment", unsure(effect)),
        // What a request is refused for before it begins. Anything else may have come up in the middle of a write.
        (200..=299 | 700..=799 | 1100..=1199 | 1500..=1799, _) | (0, 5..) => {
            (ErrorKind::Backend, "Milvus refused the call", Status::Permanent)
        }
        _ if effect == Effect::Reads => (ErrorKind::Backend, "Milvus refused the call", Status::Permanent),
        _ => (ErrorKind::Backend, "Milvus failed", Status::Unknown),
    };
    Err(failed(kind.0, kind.1, kind.2).with("code", if status.code == 0 { status.error_code } else { status.code }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_says_whether_a_retry_helps() {
        let of = |code, error_code| {
            let status = proto::Status { code, error_code, retriable: false };
            of_milvus(&status, Effect::Writes).map_err(|e| (e.kind(), e.status()))
        };
        assert_eq!(of(0, 0), Ok(()));
        assert_eq!(of(8, 49), Err((ErrorKind::Unavailable, Status::Temporary)));
        assert_eq!(of(0, 49), Err((ErrorKind::Unavailable, Status::Temporary)));
        assert_eq!(of(5, 1), Err((ErrorKind::Backend, Status::Unknown)));
        assert_eq!(of(100, 4), Err((ErrorKind::NotRegistered, Status::Permanent)));
        assert_eq!(of(1100, 1), Err((ErrorKind::Backend, Status::Permanent)));
        // Whatever has no code of its own: it may have come up in the middle.
        for (code, old) in [(65_535, 1), (0, 1), (901, 1), (-7, 0), (4_711, 0)] {
            assert_eq!(of(code, old), Err((ErrorKind::Backend, Status::Unknown)), "{code}, {old}");
        }
        assert_eq!(of(10_001, 1), Err((ErrorKind::Timeout, Status::Unknown)));
        assert_eq!(of(0, 5), Err((ErrorKind::Backend, Status::Permanent)));
        assert_eq!(of(0, 53), Err((ErrorKind::Storage, Status::Permanent)));
        assert_eq!(of(1401, 3), Err((ErrorKind::PermissionDenied, Status::Permanent)));
    }

    #[test]
    fn a_failed_transport_repeats_nothing_of_the_request() {
        let status = tonic::Status::new(Code::InvalidArgument, "cannot parse expression: name == \"hunter2\"");
        assert!(!format!("{:?}", of_grpc(&status, Effect::Reads)).contains("hunter2"));
        let large = tonic::Status::new(Code::ResourceExhausted, "grpc: received message larger than max (9 vs. 8)");
        assert_eq!(of_grpc(&large, Effect::Reads).kind(), ErrorKind::LimitExceeded);
        let busy = tonic::Status::new(Code::ResourceExhausted, "rate limit exceeded");
        assert_eq!(of_grpc(&busy, Effect::Reads).status(), Status::Temporary);
    }
}
