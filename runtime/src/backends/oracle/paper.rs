//! The driver without a server: see [`paper`](crate::backends::paper).

use std::sync::Arc;

use super::columns;
use super::dialect::OracleDialect;
use super::driver::OracleDriver;
use super::failure;
use crate::backends::paper::{Answers, Paper, Scene, Transcript, earlier};
use crate::backends::sql::Statement;
use crate::backends::sql::session::{Answer, Sessions};
use crate::driver::{Driver, Manifest};
use crate::error::Error;
use crate::types::Value;

/// A driver that writes its statements on a sheet, for a server that has vectors.
pub fn on_paper(transcript: Transcript) -> Arc<dyn Driver> {
    let dialect = OracleDialect { vectors: true };
    Arc::new(OracleDriver::new(Paper::new(transcript, imagined), None, dialect, "Oracle Database, on paper".to_owned()))
}

/// A driver over a server that stands in for one without vectors: for tests.
pub fn over(sessions: impl Sessions, engine: &str) -> Arc<dyn Driver> {
    Arc::new(OracleDriver::new(sessions, None, OracleDialect { vectors: false }, engine.to_owned()))
}

/// The error of a number of the server's, with its words: what a stand-in says in its place.
pub fn server_error(code: usize, words: &str) -> Error {
    failure::of_server(code, words)
}

/// What a server would answer, as far as the next statement hangs on it.
fn imagined(scene: &Scene, statement: &Statement) -> Answer {
    let Some(part) = &scene.part else { return Answer::default() };
    let text = statement.text.as_str();
    let rows = |rows: Vec<Vec<Value>>| Answer { rows, changed: 0 };
    let one = |value: Value| rows(vec![vec![value]]);
    let key = |id: &str| {
        let kind = part.key().kind;
        let key = kind.value(id).unwrap_or_default();
        if part.is_mapped() { columns::mapped(&key).unwrap_or_default() } else { columns::stored(&kind.logical(), key) }
    };
    let there = scene.answers != Answers::Nothing;
    if text.starts_with("SELECT \"manifest\"") {
        let manifest = match scene.answers {
            Answers::Nothing => return Answer::default(),
            Answers::Present => Manifest::of(part),
            Answers::Stale => earlier(part),
        };
        return manifest.to_json().map_or_else(|_| Answer::default(), |json| one(Value::Text(json)));
    }
    // A mark of one who did not finish is found where columns are missing too.
    if text.starts_with("SELECT \"physical\"") {
        return Answer::default();
    }
    if text.starts_with("SELECT COUNT(*) FROM user_") || text.starts_with("SELECT COUNT(*) FROM (") {
        // Indexes are missing where columns are.
        let counted = there && !(text.contains("user_indexes") && scene.answers == Answers::Stale);
        return one(Value::Int(i64::from(counted)));
    }
    // What is written one by one is written.
    if text.starts_with("INSERT INTO ") || text.starts_with("UPDATE ") || text.starts_with("DELETE FROM ") {
        return Answer { rows: Vec::new(), changed: 1 };
    }
    let looks = text.starts_with("SELECT t.\"object_id\", t.\"_hb_version\" FROM") || part.is_mapped() && text.starts_with("SELECT t.\"");
    if looks && (text.ends_with(" FOR UPDATE WAIT 30") || part.is_mapped() && text.contains("\", 0 FROM ")) {
        return rows(scene.rows().into_iter().map(|(id, version)| vec![key(&id), Value::Int(version)]).collect());
    }
    Answer::default()
}
