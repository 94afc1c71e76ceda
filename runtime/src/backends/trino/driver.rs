use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Deserialize;

use super::client::{AnswerColumn, Intent, Running};
use super::config::Settings;
use super::core::Core;
use super::dialect::TrinoDialect;
use super::stream::Stream;
use super::{decode, ensure, write};
use crate::backends::http::{HttpClient, Method, Request, Safety};
use crate::backends::sql::{Sql, aggregate, select};
use crate::driver::{
    Aggregate, Description, Driver, Ensured, Group, Page, PageStream, Pushdown, RawAnswer, RawStatement, Reply, SubQuery, WriteBatch,
    WriteReport,
};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Naming, Part};
use crate::types::{Id, Json, Value};

/// The first version that has all functions that the driver asks for, and the one that it is proved on.
const OLDEST: u32 = 476;

/// The driver of [`Trino`](super::Trino): what [`Driver::as_any`] gives for it.
pub struct TrinoDriver {
    description: Description,
    core: Arc<Core>,
    /// The same dialect, for texts that somebody reads: without values.
    shown: TrinoDialect,
}

impl std::fmt::Debug for TrinoDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrinoDriver").field("engine", &self.description.engine).finish_non_exhaustive()
    }
}

/// What a statement of one's own gave: its columns, and its rows as the protocol has them. Dropped before its end, the
/// statement is cancelled.
pub struct TrinoAnswer {
    running: Running,
    http: HttpClient,
}

impl std::fmt::Debug for TrinoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrinoAnswer").field("columns", &self.running.columns).finish_non_exhaustive()
    }
}

impl TrinoAnswer {
    /// The next rows, never none; `None` at the end.
    ///
    /// # Errors
    /// What the server says; [`ErrorKind::Unavailable`] and [`ErrorKind::Timeout`] on the way to it.
    pub async fn next_rows(&mut self) -> Result<Option<Vec<Vec<Json>>>> {
        Ok(self.running.advance(self.http.deadline()).await?)
    }

    /// The columns: known from the first rows on, or at the end.
    pub fn columns(&self) -> &[AnswerColumn] {
        &self.running.columns
    }

    /// How many rows a statement that writes has changed, known at its end.
    pub fn changed(&self) -> Option<i64> {
        self.running.changed
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    node_version: NodeVersion,
}

#[derive(Deserialize)]
struct NodeVersion {
    version: String,
}

impl TrinoDriver {
    /// Connects: asks the server who it is, and whether the catalog is what was said of it.
    pub(super) async fn connect(settings: &Settings, kind: &'static str, connector: Option<&'static str>) -> Result<Self> {
        let target = settings.target()?;
        let http = HttpClient::new(&target.endpoint, "Trino")?;
        let deadline = http.deadline();
        let answer = http.send(&Request::new(Method::GET, "v1/info", Safety::Repeatable), deadline).await?;
        if !answer.is_success() {
            return Err(answer.error(None));
        }
        let version = answer.json::<Info>()?.node_version.version;
        let number: u32 = version.split(|c: char| !c.is_ascii_digit()).next().and_then(|n| n.parse().ok()).unwrap_or_default();
        if number < OLDEST {
            let why = format!("the server is too old: HeavenBase speaks to Trino {OLDEST} and later");
            return Err(Error::new(ErrorKind::Unsupported, why).with("version", version));
        }
        let dialect = TrinoDialect { kind, shown: false };
        let core = Core {
            http,
            dialect,
            catalog: target.catalog,
            schema: target.schema,
            writable: connector.is_some(),
            turns: Mutex::new(HashMap::new()),
        };
        let found = found_connector(&core).await?;
        let refuse = |why: String| Err(Error::new(ErrorKind::InvalidSchema, why));
        match (&found, connector) {
            (None, _) => return refuse(format!("the server has no catalog `{}` with a schema `{}`", core.catalog, core.schema)),
            (Some(found), Some(connector)) if found != connector => {
                return refuse(format!(
                    "the catalog `{}` is of the connector `{found}`, not `{connector}`: connect it as Trino<ReadOnly>",
                    core.catalog
                ));
            }
            _ => {}
        }
        let description = Description {
            kind,
            engine: format!("Trino {version}, {}", found.unwrap_or_default()),
            embedded: false,
            // Each statement is, but a large batch may take several.
            transactional: false,
            naming: Naming::QUOTED,
            max_ids: write::MOST_IDS,
            max_batch: 5_000,
            max_k: 10_000,
        };
        Ok(TrinoDriver { description, core: Arc::new(core), shown: TrinoDialect { shown: true, ..dialect } })
    }

    /// Runs a statement of one's own, for what HeavenBase does not say. It is sent as it is: quote what comes from outside.
    /// The names of tables and columns are those in the comments of the tables.
    ///
    /// # Errors
    /// What the server says; [`ErrorKind::Unsupported`] for one that changes the session, since each statement has its own.
    pub async fn statement(&self, text: &str) -> Result<TrinoAnswer> {
        let running = Running::start(&self.core.http, text, Intent::Writes, self.core.http.deadline()).await?;
        Ok(TrinoAnswer { running, http: self.core.http.clone() })
    }

    async fn fetched(&self, part: &Part, ids: &[Id], columns: &[usize]) -> Result<Page> {
        let statement = select::fetch(&self.core.dialect, part, ids, columns)?;
        let rows = self.core.rows(&statement.text, self.core.http.deadline()).await?;
        Ok(self.core.page(part, rows, columns, false)?.arranged(ids))
    }
}

/// The connector of the catalog, if it and the schema are there.
async fn found_connector(core: &Core) -> Result<Option<String>> {
    let deadline = core.http.deadline();
    let mut sql = Sql::new(&core.dialect);
    sql.push("SELECT connector_name FROM system.metadata.catalogs WHERE catalog_name = ").bind(Value::Text(core.catalog.clone()));
    let mut rows = core.rows(&sql.finish().text, deadline).await?;
    let Some(cell) = rows.first_mut().and_then(|row| row.first_mut()) else { return Ok(None) };
    let connector = decode::text(cell)?;
    let mut sql = Sql::new(&core.dialect);
    sql.push("SELECT 1 FROM ").name(&core.catalog).push(".information_schema.schemata WHERE schema_name = ");
    sql.bind(Value::Text(core.schema.clone()));
    Ok(if core.rows(&sql.finish().text, deadline).await?.is_empty() { None } else { Some(connector) })
}

impl Driver for TrinoDriver {
    fn description(&self) -> &Description {
        &self.description
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        Reply::later(ensure::ensure(&self.core, part))
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        if batch.is_empty() {
            return Reply::ready(Ok(WriteReport::default()));
        }
        Reply::later(async move { write::write(&self.core, part, &batch).await })
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        if ids.is_empty() {
            return Reply::ready(Ok(Page::new(columns.len())));
        }
        Reply::later(self.fetched(part, ids, columns))
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        select::plan(&self.shown, part, wanted)
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        Ok(Box::new(Stream::new(self.core.clone(), part, query)))
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        aggregate::takes(&self.core.dialect, part, wanted)
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        Reply::later(self.core.groups(part, query))
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        Reply::later(ensure::drop_part(&self.core, part))
    }

    fn refresh<'a>(&'a self, _: &'a Arc<Part>) -> Reply<'a, ()> {
        // Every statement sees the last commit.
        Reply::ready(Ok(()))
    }

    fn health(&self) -> Reply<'_, ()> {
        Reply::later(async move { self.core.rows("SELECT 1", self.core.http.deadline()).await.map(drop) })
    }

    fn raw<'a>(&'a self, statement: &'a RawStatement) -> Reply<'a, RawAnswer> {
        Reply::later(super::raw::run(&self.core, statement))
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
