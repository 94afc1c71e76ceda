//! Writes: read what is there, decide, and write under the condition that it is still there.
//!
//! Every change of a document is conditioned on its sequence number, or on its absence, so a row is never overwritten
//! by an older one, whoever else writes. What another writer changed in between is read and decided anew.

use std::collections::HashMap;
use std::time::Instant;

use serde::Deserialize;
use serde_json::json;

use super::api::{Cause, Hit, not_there, refused};
use super::config::Refresh;
use super::document::{VERSION, of_row, source_of};
use super::driver::Shared;
use crate::backends::http::{Method, Request, Safety, segment};
use crate::driver::{WriteBatch, WriteMode, WriteReport};
use crate::error::{Error, ErrorKind, Result, RowOutcome, Status};
use crate::schema::Part;
use crate::types::{Json, Value};

/// How often a row is decided anew because another writer was quicker.
const ROUNDS: usize = 16;

/// A change of one document, decided.
struct Change {
    /// The row's position in the batch.
    row: usize,
    lines: Vec<u8>,
}

/// What became of one change.
enum Outcome {
    Written {
        seq_no: i64,
        primary_term: i64,
    },
    /// Another writer was quicker.
    Overtaken,
    /// The row was not there.
    Missing,
    /// The server had no room for it now.
    Busy,
    Refused(Error),
}

/// Writes a batch.
pub(super) async fn write(shared: &Shared, part: &Part, batch: &WriteBatch) -> Result<WriteReport> {
    let deadline = shared.api.http.deadline();
    let mut report = WriteReport::default();
    let mut open: Vec<usize> = (0..batch.len()).collect();
    let mut written: HashMap<usize, (i64, i64)> = HashMap::new();
    let mut requests = 0;
    for round in 0..ROUNDS {
        let changes = decide(shared, part, batch, &open, &written, &mut report, deadline).await?;
        let (outcomes, sent) = bulk(shared, part, changes, deadline, &mut requests).await;
        let mut failed: Option<Error> = None;
        let mut refused: Vec<(usize, String)> = Vec::new();
        let mut busy = false;
        open.clear();
        for (row, outcome) in outcomes {
            match outcome {
                Outcome::Written { seq_no, primary_term } => {
                    written.insert(row, (seq_no, primary_term));
                }
                Outcome::Overtaken => open.push(row),
                Outcome::Busy => {
                    busy = true;
                    open.push(row);
                }
                Outcome::Missing => report.missing.push(row),
                Outcome::Refused(error) => {
                    refused.push((row, error.message().to_owned()));
                    failed.get_or_insert(error.with("id", batch.ids[row].as_str()));
                }
            }
        }
        if let Err(error) = sent {
            return Err(partial(error, batch, &written, &refused));
        }
        if let Some(error) = failed {
            finish(shared, part, requests, deadline).await?;
            return Err(partial(error, batch, &written, &refused));
        }
        if open.is_empty() {
            report.stale.sort_unstable();
            report.missing.sort_unstable();
            if !written.is_empty() {
                finish(shared, part, requests, deadline).await?;
            }
            return Ok(report);
        }
        if busy {
            let pause = std::time::Duration::from_millis(50 << round.min(6));
            if Instant::now() + pause >= deadline {
                break;
            }
            tokio::time::sleep(pause).await;
        }
    }
    let error = Error::new(ErrorKind::Conflict, "other writers change these rows too quickly, or the server is too busy: try again");
    Err(partial(error, batch, &written, &[]))
}

/// An error of a batch, with what became of each row: where some are written, its outcome is not "nothing".
fn partial(error: Error, batch: &WriteBatch, written: &HashMap<usize, (i64, i64)>, refused: &[(usize, String)]) -> Error {
    // What the error is of may have been done all the same, but for what was refused.
    let otherwise = if error.status() == Status::Unknown { RowOutcome::Unknown } else { RowOutcome::NotDone };
    let mut rows: Vec<(String, RowOutcome)> = batch.ids.iter().map(|id| (id.as_str().to_owned(), otherwise.clone())).collect();
    written.keys().for_each(|row| rows[*row].1 = RowOutcome::Done);
    refused.iter().for_each(|(row, why)| rows[*row].1 = RowOutcome::Refused(why.clone()));
    let error = error.with_rows(rows);
    if written.is_empty() {
        return error;
    }
    error.with_status(Status::Unknown).with("rows written", format!("{} of {}", written.len(), batch.len()))
}

/// Makes written rows readable as the configuration says.
async fn finish(shared: &Shared, part: &Part, requests: usize, deadline: Instant) -> Result<()> {
    match shared.refresh_of(part) {
        // The last request waited for its own rows; several are waited for by one refresh of all.
        Refresh::WaitFor if requests > 1 => shared.api.refresh(&part.table, deadline).await.map_err(|e| e.with_status(Status::Unknown)),
        Refresh::BeforeSearch => {
            shared.mark_unread(&part.table);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Reads the rows that are open and decides what to do with each; those that need no change are reported.
async fn decide(
    shared: &Shared,
    part: &Part,
    batch: &WriteBatch,
    open: &[usize],
    written: &HashMap<usize, (i64, i64)>,
    report: &mut WriteReport,
    deadline: Instant,
) -> Result<Vec<Change>> {
    let all: Vec<usize> = (0..part.columns.len()).collect();
    let source = if batch.mode == WriteMode::Patch { source_of(part, &all) } else { vec![VERSION.to_owned()] };
    let ids: Vec<&str> = open.iter().map(|row| batch.ids[*row].as_str()).collect();
    let found = shared.api.documents(&part.table, &ids, &source, deadline).await?;
    let mut changes = Vec::with_capacity(open.len());
    if batch.mode == WriteMode::Insert
        && let Some(at) = found.iter().position(Option::is_some)
    {
        undo(shared, part, batch, written, deadline).await?;
        let error =
            Error::new(ErrorKind::AlreadyExists, format!("a row with the id {:?} is there already: use upsert to replace it", ids[at]));
        return Err(error.at_field("object_id"));
    }
    for (row, found) in open.iter().copied().zip(found) {
        let id = &batch.ids[row];
        let change = |action: Json, document: Option<Json>| {
            let mut lines = action.to_string().into_bytes();
            lines.push(b'\n');
            if let Some(document) = document {
                lines.extend_from_slice(document.to_string().as_bytes());
                lines.push(b'\n');
            }
            Change { row, lines }
        };
        let create = || json!({ "create": { "_id": id.as_str() } });
        let guarded =
            |name: &str, hit: &Hit| json!({ name: { "_id": id.as_str(), "if_seq_no": hit.seq_no, "if_primary_term": hit.primary_term } });
        let document = |values: &[Value]| Some(of_row(part, id, batch.version, values));
        match (&found, batch.mode) {
            (None, WriteMode::Insert | WriteMode::Upsert) => changes.push(change(create(), document(&arranged(part, batch, row, None)))),
            (None, WriteMode::Patch | WriteMode::Delete) => report.missing.push(row),
            (Some(hit), _) if is_stale(batch, row, hit.source.hb.version) => report.stale.push((row, hit.source.hb.version)),
            (Some(hit), WriteMode::Delete) => changes.push(change(guarded("delete", hit), None)),
            (Some(hit), WriteMode::Patch) => {
                let before = hit.source.values(part, &all)?;
                changes.push(change(guarded("index", hit), document(&arranged(part, batch, row, Some(before)))));
            }
            (Some(hit), WriteMode::Insert | WriteMode::Upsert) => {
                changes.push(change(guarded("index", hit), document(&arranged(part, batch, row, None))));
            }
        }
    }
    Ok(changes)
}

/// Whether a row that is there refuses the batch.
fn is_stale(batch: &WriteBatch, row: usize, stored: i64) -> bool {
    stored >= batch.version || batch.expected.get(row).is_some_and(|expected| *expected != stored)
}

/// A row's values in the order of the part's columns; those not given stay what they were.
fn arranged(part: &Part, batch: &WriteBatch, row: usize, before: Option<Vec<Value>>) -> Vec<Value> {
    let mut values = before.unwrap_or_else(|| vec![Value::Null; part.columns.len()]);
    for (column, value) in batch.columns.iter().zip(batch.row(row)) {
        if let Some(place) = values.get_mut(*column) {
            *place = value.clone();
        }
    }
    values
}

/// Takes back what an insert wrote before it met a row that another writer had just made.
async fn undo(shared: &Shared, part: &Part, batch: &WriteBatch, written: &HashMap<usize, (i64, i64)>, deadline: Instant) -> Result<()> {
    let changes = written.iter().map(|(row, (seq_no, primary_term))| {
        let action = json!({ "delete": { "_id": batch.ids[*row].as_str(), "if_seq_no": seq_no, "if_primary_term": primary_term } });
        Change { row: *row, lines: format!("{action}\n").into_bytes() }
    });
    let mut requests = 0;
    let (outcomes, sent) = bulk(shared, part, changes.collect(), deadline, &mut requests).await;
    sent?;
    for (_, outcome) in outcomes {
        if let Outcome::Busy | Outcome::Refused(_) = outcome {
            let error = Error::new(ErrorKind::AlreadyExists, "a row of the batch is there already, and not all others could be taken back");
            return Err(error.with_status(Status::Unknown));
        }
    }
    Ok(())
}

/// Sends changes in requests of a bearable size, and says what became of each, up to a request that failed.
async fn bulk(
    shared: &Shared,
    part: &Part,
    changes: Vec<Change>,
    deadline: Instant,
    requests: &mut usize,
) -> (Vec<(usize, Outcome)>, Result<()>) {
    let mut outcomes = Vec::with_capacity(changes.len());
    let most = shared.limits(part).bulk;
    let mut rest = changes.into_iter().peekable();
    while rest.peek().is_some() {
        let (mut body, mut rows) = (Vec::new(), Vec::new());
        while let Some(change) = rest.next_if(|change| body.is_empty() || body.len() + change.lines.len() <= most) {
            body.extend_from_slice(&change.lines);
            rows.push(change.row);
        }
        *requests += 1;
        match send(shared, part, body, &rows, rest.peek().is_none() && *requests == 1, deadline).await {
            Ok(more) => outcomes.extend(more),
            Err(error) => return (outcomes, Err(error)),
        }
    }
    (outcomes, Ok(()))
}

/// One bulk request.
async fn send(shared: &Shared, part: &Part, body: Vec<u8>, rows: &[usize], only: bool, deadline: Instant) -> Result<Vec<(usize, Outcome)>> {
    #[derive(Deserialize)]
    struct Answered {
        items: Vec<HashMap<String, Item>>,
    }
    #[derive(Deserialize)]
    struct Item {
        status: u16,
        #[serde(rename = "_seq_no", default)]
        seq_no: i64,
        #[serde(rename = "_primary_term", default)]
        primary_term: i64,
        #[serde(default)]
        error: Option<Cause>,
    }
    let refresh = match shared.refresh_of(part) {
        Refresh::WaitFor if only => "&refresh=wait_for",
        Refresh::Immediate => "&refresh=true",
        _ => "",
    };
    let filter = "filter_path=items.*.status,items.*._seq_no,items.*._primary_term,items.*.error.type";
    let path = format!("{}/_bulk?{filter}{refresh}", segment(&part.table));
    let request = Request::new(Method::POST, path, Safety::Once).with_body("application/x-ndjson", body);
    let answer = shared.api.http.send(&request, deadline).await?;
    if !answer.is_success() {
        return Err(refused(&answer));
    }
    let answered: Answered = answer.json()?;
    if answered.items.len() != rows.len() {
        let error = Error::new(ErrorKind::Backend, "Elasticsearch answered for fewer rows than were written");
        return Err(error.with_status(Status::Unknown));
    }
    let outcome = |item: Item| match item.status {
        200..=299 => Outcome::Written { seq_no: item.seq_no, primary_term: item.primary_term },
        409 => Outcome::Overtaken,
        429 | 503 => Outcome::Busy,
        404 if item.error.is_none() => Outcome::Missing,
        status => Outcome::Refused(row_error(status, item.error.map(|cause| cause.name).unwrap_or_default())),
    };
    let items = answered.items.into_iter().map(|item| item.into_values().next());
    rows.iter()
        .copied()
        .zip(items)
        .map(|(row, item)| match item {
            Some(item) => Ok((row, outcome(item))),
            None => Err(Error::new(ErrorKind::Backend, "Elasticsearch answered for a row without an outcome").with_status(Status::Unknown)),
        })
        .collect()
}

/// The error of a row that the server refused.
fn row_error(status: u16, name: String) -> Error {
    let error = match name.as_str() {
        "index_not_found_exception" => return not_there(),
        "document_parsing_exception" | "mapper_parsing_exception" | "illegal_argument_exception" => {
            Error::new(ErrorKind::InvalidValue, "Elasticsearch cannot index a value of this row")
        }
        "cluster_block_exception" => Error::new(ErrorKind::Storage, "the index takes no writes now: its disk may be full"),
        _ => Error::new(ErrorKind::Backend, "Elasticsearch refused a row"),
    };
    error.with("status", status).with("code", name)
}
