//! What every test needs.

use std::sync::Arc;

use heavenbase::backends::mssql::Tls;
use heavenbase::backends::{Connect, Mssql};
use heavenbase::driver::{Driver, WriteBatch, WriteMode};
use heavenbase::schema::{Binding, Part, Routing};
use heavenbase::types::{Id, Value};
use heavenbase_tests::data::Spec;
use heavenbase_tests::tds::{Asked, Cell, Column, Kind, Manners, Peer, Reply};

pub const PASSWORD: &str = "s3cr@t/of:ours";

/// What a server says to what the driver asks of every connection; nothing else is there.
pub fn usual(asked: &Asked) -> Reply {
    if asked.text.starts_with("SELECT CAST(SERVERPROPERTY") {
        let columns = vec![Column::new("", Kind::Text), Column::new("", Kind::Whole)];
        return Reply::Rows(columns, vec![vec![Cell::Text("15.0.4430.1".to_owned()), Cell::Whole(150)]]);
    }
    match asked.text.as_str() {
        "SELECT 1" => Reply::Rows(vec![Column::new("", Kind::Whole)], vec![vec![Cell::Whole(1)]]),
        _ => Reply::Done(0),
    }
}

/// A peer that answers in a way of the test's own where that has something to say.
pub async fn peer(answer: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Peer {
    let answer = Arc::new(move |asked: &Asked| answer(asked).unwrap_or_else(|| usual(asked)));
    Peer::start(Manners { answer, password: PASSWORD.to_owned(), garbage: None }).await.unwrap()
}

/// The configuration of a connection to a peer.
pub fn to(peer: &Peer) -> Mssql {
    // The peer does not encrypt, and by default the client insists.
    Mssql::url(format!("mssql://sa:s3cr%40t%2Fof%3Aours@{}/shop", peer.address())).tls(Tls::Disable)
}

pub async fn open(peer: &Peer) -> Arc<dyn Driver> {
    to(peer).connect().await.unwrap()
}

pub fn part(driver: &Arc<dyn Driver>, specs: &[Spec]) -> Arc<Part> {
    let entity = Box::leak(Box::new(Spec::entity("thing", specs)));
    let binding = Binding { name: "main", kind: "mssql", driver: driver.clone() };
    Routing::new(entity, &"shop".into(), "main", &[binding]).unwrap().parts[0].clone()
}

pub fn batch(mode: WriteMode, version: i64, rows: Vec<(&str, Vec<Value>)>) -> Arc<WriteBatch> {
    let columns = (0..rows[0].1.len()).collect();
    let (ids, values): (Vec<Id>, Vec<Vec<Value>>) = rows.into_iter().map(|(id, values)| (Id::from(id), values)).unzip();
    Arc::new(WriteBatch { mode, version, ids, columns, values: values.into_iter().flatten().collect(), expected: Vec::new() })
}

/// Rows of ids, as a statement says which it wrote.
pub fn ids(ids: &[&str]) -> Reply {
    let rows = ids.iter().map(|id| vec![Cell::Bytes(id.as_bytes().to_vec())]).collect();
    Reply::Rows(vec![Column::new("object_id", Kind::Bytes)], rows)
}
