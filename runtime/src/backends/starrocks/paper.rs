//! The driver without a server, and over another one: see [`paper`](crate::backends::paper).

use std::sync::Arc;

use super::columns::key_of;
use super::config::StarRocks;
use super::dialect::StarRocksDialect;
use super::driver::StarRocksDriver;
use super::literal;
use super::pool::Rewrite;
use crate::backends::paper::{Answers, Paper, Scene, Transcript, earlier};
use crate::backends::sql::Statement;
use crate::backends::sql::session::Answer;
use crate::driver::{Driver, Manifest};
use crate::error::Result;
use crate::types::{Id, Value};

/// A driver that writes its statements on a sheet.
pub fn on_paper(transcript: Transcript) -> Arc<dyn Driver> {
    let paper = Paper::new(transcript, imagined);
    Arc::new(StarRocksDriver::new(Arc::new(paper), None, StarRocksDialect::default(), "StarRocks, on paper".to_owned()))
}

/// A driver whose statements another server runs that speaks MySQL's protocol: each goes through `rewrite`, which says
/// differently what that server has no word for. Vectors are not searched there.
///
/// # Errors
/// As [`connect`](crate::backends::Connect::connect).
pub async fn over_another(starrocks: StarRocks, rewrite: Rewrite) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(starrocks.open(rewrite).await?.without_vectors()))
}

/// What a server would answer, as far as the next statement hangs on it.
fn imagined(scene: &Scene, statement: &Statement) -> Answer {
    let Some(part) = &scene.part else { return Answer::default() };
    let text = statement.text.as_str();
    let cell = |text: &str| Value::Text(text.to_owned());
    let one = |cells: Vec<Value>| Answer { rows: vec![cells], changed: 0 };
    let there = scene.answers != Answers::Nothing;
    if text.starts_with("SELECT `manifest`, `state`") {
        let manifest = match scene.answers {
            Answers::Nothing => return Answer::default(),
            Answers::Present => Manifest::of(part),
            Answers::Stale => earlier(part),
        };
        return manifest.to_json().map_or_else(|_| Answer::default(), |json| one(vec![cell(&json), cell("ready")]));
    }
    if text.starts_with("SELECT COUNT(*) FROM information_schema.columns") {
        return one(vec![cell("1")]);
    }
    if text.starts_with("SELECT COUNT(*) FROM information_schema.tables") {
        return one(vec![cell(if there { "1" } else { "0" })]);
    }
    let asks_versions = text.starts_with("SELECT t.") && (text.contains(", t.`_hb_version` FROM ") || text.contains(", 0 FROM "));
    if !asks_versions {
        return Answer::default();
    }
    let rows = |version: Option<i64>| {
        let ids = scene.rows().into_iter().map(|(id, there)| (id, version.unwrap_or(there)));
        Answer { rows: ids.map(|(id, version)| vec![cell(id.as_str()), cell(&version.to_string())]).collect(), changed: 0 }
    };
    // What is asked for after a write is all there, and nothing after a delete. Values come before: they cannot be mistaken for it.
    let ends = |how: &str| text.ends_with(&format!(" AND t.`_hb_version` {how} {}", scene.version));
    match () {
        () if ends(">=") => {
            let asked_for = |id: &Id| {
                let mut key = String::new();
                literal::text(&key_of(id.as_str()), &mut key);
                text.contains(&key)
            };
            let ids = scene.ids.iter().filter(|id| asked_for(id));
            let version = scene.version.to_string();
            Answer { rows: ids.map(|id| vec![cell(id.as_str()), cell(&version)]).collect(), changed: 0 }
        }
        () if ends("<") => Answer::default(),
        () => rows(None),
    }
}
