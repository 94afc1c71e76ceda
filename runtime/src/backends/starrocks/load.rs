//! Stream Load: rows as JSON over HTTP, one transaction a request. The frontend says which backend takes them, and nobody else
//! is told the credentials; a label lets each load take place once, however often it is sent.

use std::time::Instant;

use serde::Deserialize;

use crate::backends::http::{Answer, Endpoint, HttpClient, Method, Request, Safety, segment};
use crate::error::{Error, ErrorKind, Result, Status};

/// Most bytes of one load: servers refuse JSON of more than 100 MB.
pub(super) const LARGEST: usize = 64 << 20;

/// Where rows are loaded.
#[derive(Debug)]
pub(super) struct Loader {
    http: HttpClient,
    database: String,
}

/// One load.
#[derive(Debug)]
pub(super) struct Load<'l> {
    pub(super) table: &'l str,
    /// What makes it the same load when it is sent again.
    pub(super) label: &'l str,
    pub(super) rows: usize,
    /// The column that must not be greater in the row that is there.
    pub(super) merge_condition: &'l str,
    /// The columns that are written, where those are not all; the others keep what they hold.
    pub(super) partial: Option<String>,
    /// A JSON array of objects.
    pub(super) body: bytes::Bytes,
}

/// What became of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loaded {
    /// Its rows are there.
    Visible,
    /// It is committed, or still runs: its rows will be there.
    Later,
}

/// What a node says of a load.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Outcome {
    #[serde(alias = "status")]
    status: String,
    #[serde(alias = "msg", alias = "Msg")]
    message: String,
    existing_job_status: String,
    number_total_rows: Option<u64>,
    number_loaded_rows: Option<u64>,
    number_filtered_rows: u64,
    number_unselected_rows: u64,
}

impl Loader {
    /// Prepares loads into a database; nothing is sent yet.
    ///
    /// # Errors
    /// As [`HttpClient::new`].
    pub(super) fn new(endpoint: &Endpoint, database: &str) -> Result<Self> {
        Ok(Loader { http: HttpClient::new(endpoint, "StarRocks")?, database: database.to_owned() })
    }

    /// Loads rows: all of them or, with an error that is not of an unknown outcome, none.
    pub(super) async fn load(&self, load: &Load<'_>, deadline: Instant) -> Result<Loaded> {
        let path = format!("api/{}/{}/_stream_load", segment(&self.database), segment(load.table));
        // Without a body: the frontend takes none, and what it says of one hangs on when it hangs up.
        let asked = request(&path, load, Safety::Repeatable, deadline);
        let answer = self.http.send(&asked, deadline).await?;
        let (backend, path) = match (answer.status, answer.header("location")) {
            (301 | 302 | 307 | 308, Some(location)) => self.http.led_to(location)?,
            (301 | 302 | 307 | 308, None) => return Err(strange("redirects nowhere", Status::Temporary)),
            // It refuses with a success.
            _ if answer.is_success() => return Err(refused(&answer.json::<Outcome>()?)),
            _ => return Err(answer.error(None)),
        };
        if !is_of_a_load(&path) {
            return Err(strange("redirects a load to something else", Status::Permanent));
        }
        let sent = Request { body: load.body.clone(), ..request(&path, load, Safety::Once, deadline) };
        outcome(&backend.send(&sent, deadline).await?, load.rows)
    }
}

/// Whether a path is that of a load: a frontend writes names in its own way.
fn is_of_a_load(path: &str) -> bool {
    matches!(path.trim_end_matches('?').split('/').collect::<Vec<_>>().as_slice(), ["api", _, _, "_stream_load"])
}

fn request(path: &str, load: &Load<'_>, safety: Safety, deadline: Instant) -> Request {
    let left = deadline.saturating_duration_since(Instant::now()).as_secs().clamp(1, 259_200);
    let request = Request::new(Method::PUT, path, safety)
        .with_header("expect", "100-continue")
        .with_header("label", load.label)
        .with_header("format", "json")
        .with_header("strip_outer_array", "true")
        // A row that does not fit fails the load; none is left out.
        .with_header("max_filter_ratio", "0")
        .with_header("strict_mode", "true")
        .with_header("timeout", left.to_string())
        .with_header("merge_condition", load.merge_condition);
    match &load.partial {
        Some(columns) => request.with_header("partial_update", "true").with_header("columns", columns),
        None => request,
    }
}

fn strange(what: &str, status: Status) -> Error {
    Error::new(ErrorKind::Backend, format!("StarRocks {what}: check the address of its frontend")).with_status(status)
}

/// What a backend's answer says.
fn outcome(answer: &Answer, rows: usize) -> Result<Loaded> {
    if !answer.is_success() {
        if (300..400).contains(&answer.status) {
            return Err(strange("redirects a second time", Status::Permanent));
        }
        return Err(answer.error(None));
    }
    let outcome: Outcome = answer.json()?;
    let whole = |loaded: Loaded| {
        let rows = rows as u64;
        let counts = [outcome.number_total_rows, outcome.number_loaded_rows];
        let left_out = outcome.number_filtered_rows + outcome.number_unselected_rows;
        if left_out == 0 && counts.iter().all(|count| *count == Some(rows)) {
            return Ok(loaded);
        }
        let why = "StarRocks says that it loaded another number of rows than it was given";
        Err(Error::new(ErrorKind::Backend, why).with_status(Status::Unknown).with("rows_left_out", left_out))
    };
    match outcome.status.as_str() {
        "Success" => whole(Loaded::Visible),
        "Publish Timeout" => whole(Loaded::Later),
        // It is ours: nobody else has the label.
        "Label Already Exists" => match outcome.existing_job_status.as_str() {
            "FINISHED" | "VISIBLE" => Ok(Loaded::Visible),
            "CANCELLED" | "ABORTED" => Err(Error::new(ErrorKind::Backend, "StarRocks gave up the load").with_status(Status::Temporary)),
            _ => Ok(Loaded::Later),
        },
        "Fail" | "FAILED" => Err(refused(&outcome)),
        _ => Err(Error::new(ErrorKind::Backend, "StarRocks says of a load what is not known").with_status(Status::Unknown)),
    }
}

/// The error of a load that a node refused. Its words may repeat values, and are not shown.
fn refused(outcome: &Outcome) -> Error {
    let words = outcome.message.to_ascii_lowercase();
    let has = |some: &[&str]| some.iter().any(|word| words.contains(word));
    let (kind, why, status) = match () {
        () if outcome.number_filtered_rows > 0 || has(&["too many filtered rows", "filtered"]) => {
            (ErrorKind::InvalidValue, "a value that the table's column does not take", Status::Permanent)
        }
        () if has(&["access denied", "not authorized", "denied"]) => {
            (ErrorKind::PermissionDenied, "the user lacks the privilege to insert: have it granted", Status::Permanent)
        }
        () if has(&["too many versions", "too many tablet versions"]) => (
            ErrorKind::LimitExceeded,
            "the table has too many versions that are not yet merged: write larger batches, less often",
            Status::Temporary,
        ),
        () if has(&["memory", "mem_limit", "mem limit"]) => {
            (ErrorKind::LimitExceeded, "the server has no memory for the load now", Status::Temporary)
        }
        // What ran out of time may be published later.
        () if has(&["timeout", "timed out"]) => (ErrorKind::Timeout, "the load took longer than the server allows", Status::Unknown),
        () if has(&["unknown table", "unknown database", "does not exist", "cannot be resolved"]) => {
            (ErrorKind::SchemaMismatch, "a table or column is gone: register the entity again", Status::Permanent)
        }
        () if has(&["no alive backend", "backend node not found", "not alive", "rpc failed"]) => {
            (ErrorKind::Unavailable, "the cluster lost a node that it needs", Status::Unknown)
        }
        () => (ErrorKind::Backend, "StarRocks refuses the load", Status::Permanent),
    };
    Error::new(kind, why).with_status(status).with("rows_left_out", outcome.number_filtered_rows)
}

#[cfg(test)]
mod tests {
    use super::is_of_a_load;

    #[test]
    fn a_redirect_leads_to_a_load_or_nowhere() {
        assert!(is_of_a_load("api/shop/t/_stream_load") && is_of_a_load("api/shop/t/_stream_load?"));
        for elsewhere in ["", "api/shop/_stream_load", "api/shop/t/_stream_load/x", "api/shop/t/_load", "x/shop/t/_stream_load"] {
            assert!(!is_of_a_load(elsewhere), "{elsewhere}");
        }
    }
}
