//! The driver without a server: see [`paper`](crate::backends::paper).

use std::sync::Arc;

use super::columns;
use super::dialect::MssqlDialect;
use super::driver::MssqlDriver;
use super::failure;
use crate::backends::paper::{Answers, Paper, Scene, Transcript, earlier};
use crate::backends::sql::Statement;
use crate::backends::sql::session::{Answer, Sessions};
use crate::driver::{Driver, Manifest};
use crate::error::Error;
use crate::types::Value;

/// A driver that writes its statements on a sheet, for a server that has vectors.
pub fn on_paper(transcript: Transcript) -> Arc<dyn Driver> {
    let dialect = MssqlDialect { vectors: true };
    Arc::new(MssqlDriver::new(Paper::new(transcript, imagined), None, dialect, "SQL Server, on paper".to_owned()))
}

/// A driver over a server that stands in for one without vectors: for tests.
pub fn over(sessions: impl Sessions, engine: &str) -> Arc<dyn Driver> {
    Arc::new(MssqlDriver::new(sessions, None, MssqlDialect { vectors: false }, engine.to_owned()))
}

/// The error of a number of the server's, with its words: what a stand-in says in its place.
pub fn server_error(number: u32, words: &str) -> Error {
    failure::of_server(number, words)
}

/// What a server would answer, as far as the next statement hangs on it.
fn imagined(scene: &Scene, statement: &Statement) -> Answer {
    let Some(part) = &scene.part else { return Answer::default() };
    let text = statement.text.as_str();
    let one = |value: Value| Answer { rows: vec![vec![value]], changed: 0 };
    let key = |id: &str| {
        let kind = part.key().kind;
        let key = kind.value(id).unwrap_or_default();
        if part.is_mapped() { key } else { columns::stored(&kind.logical(), key) }
    };
    let there = scene.answers != Answers::Nothing;
    if text.starts_with("--script") {
        return one(Value::Int(0));
    }
    if text.starts_with("SELECT [manifest]") {
        let manifest = match scene.answers {
            Answers::Nothing => return Answer::default(),
            Answers::Present => Manifest::of(part),
            Answers::Stale => earlier(part),
        };
        return manifest.to_json().map_or_else(|_| Answer::default(), |json| one(Value::Text(json)));
    }
    if text.starts_with("SELECT COUNT_BIG(*) FROM sys.") || text.starts_with("SELECT COUNT(*) FROM (") {
        // Indexes are missing where columns are.
        let counted = there && !(text.contains("sys.indexes") && scene.answers == Answers::Stale);
        return one(Value::Int(i64::from(counted)));
    }
    // What changes rows says which; where they are newer, none.
    if text.contains(" OUTPUT ") {
        let ids = scene.ids.iter().filter(|_| scene.answers == Answers::Present);
        return Answer { rows: ids.map(|id| vec![key(id)]).collect(), changed: 0 };
    }
    if text.starts_with("SELECT t.[object_id], t.[_hb_version] FROM")
        || part.is_mapped() && text.starts_with("SELECT t.") && text.contains("], 0 FROM ")
    {
        let rows = scene.rows().into_iter().map(|(id, version)| vec![key(&id), Value::Int(version)]);
        return Answer { rows: rows.collect(), changed: 0 };
    }
    Answer::default()
}
