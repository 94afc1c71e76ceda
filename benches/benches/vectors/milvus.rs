//! Milvus's search over gRPC by hand: the messages with the fields that a search needs.

use http::uri::PathAndQuery;
use prost::Message;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use crate::Failed;
use crate::rows::Among;

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Placeholder {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(int32, tag = "2")]
    kind: i32,
    #[prost(bytes = "vec", repeated, tag = "3")]
    values: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct Placeholders {
    #[prost(message, repeated, tag = "1")]
    all: Vec<Placeholder>,
}

#[derive(Clone, PartialEq, Message)]
struct Search {
    #[prost(string, tag = "3")]
    collection: String,
    #[prost(string, tag = "5")]
    expression: String,
    #[prost(bytes = "vec", tag = "6")]
    targets: Vec<u8>,
    #[prost(int32, tag = "7")]
    language: i32,
    #[prost(message, repeated, tag = "9")]
    parameters: Vec<Pair>,
    #[prost(int64, tag = "12")]
    count: i64,
    #[prost(int32, tag = "14")]
    consistency: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Texts {
    #[prost(string, repeated, tag = "1")]
    data: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Ids {
    #[prost(message, optional, tag = "2")]
    texts: Option<Texts>,
}

#[derive(Clone, PartialEq, Message)]
struct Hits {
    #[prost(float, repeated, tag = "4")]
    scores: Vec<f32>,
    #[prost(message, optional, tag = "5")]
    ids: Option<Ids>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    old: i32,
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Found {
    #[prost(message, optional, tag = "1")]
    status: Option<Status>,
    #[prost(message, optional, tag = "2")]
    hits: Option<Hits>,
}

/// A client of one collection.
pub struct Collection {
    channel: Channel,
    name: String,
}

impl Collection {
    pub fn connect(url: &str, name: &str) -> Result<Collection, Failed> {
        Ok(Collection { channel: Endpoint::from_shared(url.to_owned())?.tcp_nodelay(true).connect_lazy(), name: name.to_owned() })
    }

    /// The ids of the nearest rows, with their scores: the same index, walked as widely, at the same consistency as ours (eventual: a strong read waits 0.1 s for
    /// the clock of the server, which hides all else).
    pub async fn nearest(&self, target: &[f32], k: usize, among: Among<'_>) -> Result<Vec<(String, f64)>, Failed> {
        let values = vec![target.iter().flat_map(|n| n.to_le_bytes()).collect()];
        let targets = Placeholders { all: vec![Placeholder { tag: "$0".to_owned(), kind: 101, values }] }.encode_to_vec();
        let pair = |key: &str, value: String| Pair { key: key.to_owned(), value };
        let expression = match among {
            Among::All => String::new(),
            Among::Below(below) => format!("rank < {below}"),
            Among::Ids(ids) => format!("object_id in [{}]", ids.iter().map(|id| format!("\"{id}\"")).collect::<Vec<_>>().join(",")),
        };
        let parameters = vec![
            pair("anns_field", "embedding".to_owned()),
            pair("topk", k.to_string()),
            pair("metric_type", "COSINE".to_owned()),
            pair("params", format!("{{\"ef\": {}}}", k.max(200))),
            pair("round_decimal", "-1".to_owned()),
            pair("offset", "0".to_owned()),
        ];
        let search = Search { collection: self.name.clone(), expression, targets, language: 1, parameters, count: 1, consistency: 3 };
        let mut service = tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(64 << 20);
        service.ready().await?;
        let path = PathAndQuery::from_static("/milvus.proto.milvus.MilvusService/Search");
        let found: Found = service.unary(tonic::Request::new(search), path, ProstCodec::<Search, Found>::default()).await?.into_inner();
        match found.status {
            Some(status) if (status.old, status.code) != (0, 0) => Err(format!("Milvus: {status:?}").into()),
            _ => {
                let hits = found.hits.unwrap_or_default();
                let ids = hits.ids.and_then(|ids| ids.texts).unwrap_or_default().data;
                Ok(ids.into_iter().zip(hits.scores).map(|(id, score)| (id, f64::from(score))).collect())
            }
        }
    }
}
