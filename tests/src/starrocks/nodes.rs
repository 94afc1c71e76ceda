//! A frontend and a backend that take loads: they check what real ones check of a request, and keep the rows in MariaDB.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value as Json};
use sqlx::{AssertSqlSafe, MySql, MySqlPool, QueryBuilder};
use tokio::runtime::Handle;

use crate::peer::{Answer, Request, serve};

/// Which of the two nodes is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// The one that says who takes a load.
    Frontend,
    /// The one that takes it.
    Backend,
}

/// What happens to a request before the node looks at it.
#[derive(Debug)]
pub enum Fault {
    /// The node does as it does.
    None,
    /// This is the answer, and the node hears nothing of it.
    Answers(Answer),
    /// The node does as it does, and this is the answer.
    Lies(Answer),
}

type Decision = dyn Fn(Node, &Request) -> Fault + Send + Sync;

/// The two nodes.
#[derive(Clone)]
pub struct Nodes {
    /// Where the frontend listens.
    pub frontend: String,
    /// Where the backend listens.
    pub backend: String,
    state: Arc<State>,
}

impl std::fmt::Debug for Nodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nodes").field("frontend", &self.frontend).field("backend", &self.backend).finish_non_exhaustive()
    }
}

struct State {
    /// What `Authorization` must say.
    authorization: String,
    pool: Option<MySqlPool>,
    handle: Handle,
    labels: Mutex<HashSet<String>>,
    decision: Mutex<Option<Arc<Decision>>>,
    seen: Mutex<Vec<(Node, Request)>>,
}

fn says(status: &str, message: &str) -> Answer {
    Answer::json(200, &serde_json::json!({ "Status": status, "Message": message }))
}

/// What a backend says of rows that it took.
pub fn loaded(status: &str, rows: usize) -> Answer {
    Answer::json(
        200,
        &serde_json::json!({
            "TxnId": 1, "Label": "x", "Status": status, "Message": "OK", "NumberTotalRows": rows, "NumberLoadedRows": rows,
            "NumberFilteredRows": 0, "NumberUnselectedRows": 0, "LoadBytes": 1, "LoadTimeMs": 1
        }),
    )
}

impl Nodes {
    /// Starts both; rows go to `pool`, or nowhere.
    ///
    /// # Panics
    /// When no port can be had.
    pub fn start(authorization: &str, pool: Option<MySqlPool>) -> Nodes {
        let state = Arc::new(State {
            authorization: authorization.to_owned(),
            pool,
            handle: Handle::current(),
            labels: Mutex::default(),
            decision: Mutex::default(),
            seen: Mutex::default(),
        });
        let at = |node: Node, other: String| {
            let state = state.clone();
            let serving = serve(move |request| state.answer(node, &other, request));
            serving.unwrap_or_else(|cause| panic!("a port: {cause}"))
        };
        let backend = at(Node::Backend, String::new());
        let frontend = at(Node::Frontend, backend.clone());
        Nodes { frontend: format!("http://{frontend}"), backend: format!("http://{backend}"), state }
    }

    /// From now on this decides first.
    pub fn decide(&self, decision: impl Fn(Node, &Request) -> Fault + Send + Sync + 'static) {
        *lock(&self.state.decision) = Some(Arc::new(decision));
    }

    /// What was asked since this was last called.
    pub fn seen(&self) -> Vec<(Node, Request)> {
        std::mem::take(&mut *lock(&self.state.seen))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn answer(&self, node: Node, backend: &str, request: &Request) -> Answer {
        lock(&self.seen).push((node, request.clone()));
        let decision = lock(&self.decision).clone();
        match decision.map_or(Fault::None, |decision| decision(node, request)) {
            Fault::None => self.node(node, backend, request),
            Fault::Answers(answer) => answer,
            Fault::Lies(answer) => {
                self.node(node, backend, request);
                answer
            }
        }
    }

    fn node(&self, node: Node, backend: &str, request: &Request) -> Answer {
        let path = request.path();
        let segments: Vec<&str> = path.split('/').collect();
        let ["", "api", _, table, "_stream_load"] = segments.as_slice() else { return Answer::of(404, "Not Found") };
        if request.method != "PUT" {
            return Answer::of(405, "Method Not Allowed");
        }
        if request.header("authorization") != Some(&self.authorization) {
            return Answer::of(401, "Access denied");
        }
        if request.header("expect") != Some("100-continue") {
            return says("FAILED", "class com.starrocks.common.DdlException: There is no 100-continue header");
        }
        if node == Node::Frontend {
            // As a real one does, with the credentials in the address.
            let location = format!("http://me:secret@{backend}{path}?");
            return Answer { status: 307, headers: vec![("location", location)], ..Answer::default() };
        }
        self.load(table, request).unwrap_or_else(|why| says("Fail", &why))
    }

    /// Takes a load, or says why not.
    fn load(&self, table: &str, request: &Request) -> Result<Answer, String> {
        for (name, value) in [("format", "json"), ("strip_outer_array", "true"), ("max_filter_ratio", "0"), ("strict_mode", "true")] {
            if request.header(name) != Some(value) {
                return Err(format!("the header {name} is {:?}", request.header(name)));
            }
        }
        let seconds: Option<u64> = request.header("timeout").and_then(|text| text.parse().ok());
        if !seconds.is_some_and(|seconds| (1..=259_200).contains(&seconds)) {
            return Err("the timeout is none".to_owned());
        }
        let label = request.header("label").unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if label.is_empty() || label.len() > 128 || !label.chars().all(plain) {
            return Err("the label is none".to_owned());
        }
        let rows: Vec<Map<String, Json>> = serde_json::from_slice(request.body()).map_err(|_| "no JSON array of objects".to_owned())?;
        let Some(first) = rows.first() else { return Err("no row".to_owned()) };
        if rows.iter().any(|row| !row.keys().eq(first.keys())) {
            return Err("rows of different columns".to_owned());
        }
        let condition = request.header("merge_condition").unwrap_or_default();
        if !first.contains_key(condition) {
            return Err("the merge condition is no column".to_owned());
        }
        let partial = request.header("partial_update") == Some("true");
        if partial {
            let named: HashSet<String> =
                request.header("columns").unwrap_or_default().split(',').map(|name| name.trim_matches('`').to_owned()).collect();
            if named != first.keys().cloned().collect() {
                return Err("the columns are not those of the rows".to_owned());
            }
        }
        if !lock(&self.labels).insert(label.to_owned()) {
            return Ok(Answer::json(
                200,
                &serde_json::json!({ "Status": "Label Already Exists", "ExistingJobStatus": "FINISHED", "Message": "Label used" }),
            ));
        }
        if let Some(pool) = &self.pool {
            let kept = self.handle.block_on(keep(pool, table, condition, &rows, partial));
            kept.map_err(|cause| format!("too many filtered rows: {cause}"))?;
        }
        Ok(loaded("Success", rows.len()))
    }
}

/// Keeps rows, but for those that are there with a greater value of the condition. Whole or not at all.
async fn keep(pool: &MySqlPool, table: &str, condition: &str, rows: &[Map<String, Json>], partial: bool) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    for row in rows {
        let key = row.get("_hb_key").and_then(Json::as_str).unwrap_or_default();
        let version = row.get(condition).and_then(Json::as_i64).unwrap_or_default();
        let text = format!("SELECT `{condition}` FROM `{table}` WHERE `_hb_key` = ? FOR UPDATE");
        let there: Option<i64> = sqlx::query_scalar(AssertSqlSafe(text)).bind(key).fetch_optional(&mut *transaction).await?;
        if there.is_some_and(|there| there > version) {
            continue;
        }
        let mut query: QueryBuilder<MySql> = QueryBuilder::new(if partial { "UPDATE " } else { "REPLACE INTO " });
        query.push(format!("`{table}` SET "));
        for (i, (name, value)) in row.iter().enumerate() {
            query.push(format!("{}`{name}` = ", if i > 0 { ", " } else { "" }));
            match value {
                Json::Null => query.push("NULL"),
                Json::Bool(truth) => query.push_bind(*truth),
                Json::Number(number) if number.is_i64() => query.push_bind(number.as_i64()),
                Json::Number(number) => query.push_bind(number.as_f64()),
                Json::String(text) => query.push_bind(text.clone()),
                other => query.push_bind(other.to_string()),
            };
        }
        if partial {
            query.push(" WHERE `_hb_key` = ").push_bind(key.to_owned());
        }
        query.build().execute(&mut *transaction).await?;
    }
    transaction.commit().await
}
