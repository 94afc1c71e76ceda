use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::api::{Api, refused};
use super::config::{Elasticsearch, Refresh};
use super::document::{is_approximate, source_of};
use super::lengths::Lengths;
use super::limits::{self, FLAT_VECTORS, Limits};
use super::search::{Stream, sorts};
use super::{aggregate, ensure, near, query, write};
use crate::backends::http::{HttpClient, Method, Safety, segment};
use crate::driver::{
    Aggregate, Description, Driver, Ensured, Group, Narrowed, NearQuery, Page, PageStream, Pushdown, Reply, SearchCosts, SortKey, SubQuery,
    WriteBatch, WriteReport,
};
use crate::error::{Error, ErrorKind, Result, Status};
use crate::filter::Filter;
use crate::schema::{Naming, Part};
use crate::types::{Id, Json};

/// The first version whose requests this driver speaks.
const OLDEST: (u32, u32) = (8, 2);

/// What streams and requests share.
pub(super) struct Shared {
    pub(super) api: Api,
    pub(super) config: Elasticsearch,
    pub(super) refresh: Refresh,
    /// What indexes bound, as far as they were asked.
    limits: Mutex<HashMap<String, Limits>>,
    /// How long texts are.
    pub(super) lengths: Lengths,
    /// Indexes written to since their last refresh, with a count of the writes.
    unread: Mutex<HashMap<String, u64>>,
    /// One refresh at a time: who waits for it finds the rows readable afterwards.
    refreshing: tokio::sync::Mutex<()>,
}

impl Shared {
    /// When written rows of a part become readable: as the entity says, or the connection.
    pub(super) fn refresh_of(&self, part: &Part) -> Refresh {
        part.option("refresh").and_then(Refresh::named).unwrap_or(self.refresh)
    }

    /// What the index of a part bounds.
    pub(super) fn limits(&self, part: &Part) -> Limits {
        self.limits.lock().get(&part.table).copied().unwrap_or_default()
    }

    /// Asks the index of a part what it bounds.
    pub(super) async fn read_limits(&self, part: &Part) -> Result<()> {
        let limits = Limits::of_index(&self.api, &part.table, self.api.http.deadline()).await?;
        self.limits.lock().insert(part.table.clone(), limits);
        Ok(())
    }

    /// Notes that an index has rows which searches do not see yet.
    pub(super) fn mark_unread(&self, index: &str) {
        *self.unread.lock().entry(index.to_owned()).or_default() += 1;
    }

    /// Makes rows readable that this connection wrote before.
    pub(super) async fn before_search(&self, index: &str, deadline: Instant) -> Result<()> {
        if !self.unread.lock().contains_key(index) {
            return Ok(());
        }
        let _one = self.refreshing.lock().await;
        let Some(writes) = self.unread.lock().get(index).copied() else { return Ok(()) };
        self.api.refresh(index, deadline).await?;
        let mut unread = self.unread.lock();
        if unread.get(index) == Some(&writes) {
            unread.remove(index);
        }
        Ok(())
    }
}

/// A connection to an Elasticsearch cluster.
pub struct ElasticsearchDriver {
    description: Description,
    narrowed: Vec<Narrowed>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for ElasticsearchDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ElasticsearchDriver").field("engine", &self.description.engine).finish_non_exhaustive()
    }
}

impl ElasticsearchDriver {
    /// Connects: asks the server who it is.
    pub(super) async fn connect(config: Elasticsearch) -> Result<Self> {
        let http = HttpClient::new(&config.endpoint, "Elasticsearch")?;
        let mut api = Api { http, version: OLDEST };
        let deadline = api.http.deadline();
        let version = api.version(deadline).await?;
        let mut numbers = version.split('.').map_while(|n| n.parse::<u32>().ok());
        api.version = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        if api.version < OLDEST {
            let why = format!("the server is too old: HeavenBase speaks to Elasticsearch {}.{} and later", OLDEST.0, OLDEST.1);
            return Err(Error::new(ErrorKind::Unsupported, why).with("version", version));
        }
        let description = Description {
            kind: "elasticsearch",
            engine: format!("Elasticsearch {version}"),
            embedded: false,
            transactional: false,
            naming: Naming { max_bytes: 200, plain_only: true },
            max_ids: 10_000,
            max_batch: 5_000,
            max_k: near::MOST,
        };
        let (refresh, narrowed) = (config.refresh, limits::narrowed(api.version));
        let shared = Shared {
            api,
            config,
            refresh,
            limits: Mutex::default(),
            lengths: Lengths::default(),
            unread: Mutex::default(),
            refreshing: tokio::sync::Mutex::default(),
        };
        Ok(ElasticsearchDriver { description, narrowed, shared: Arc::new(shared) })
    }

    /// Sends a request of one's own, for what HeavenBase does not offer: method, path with query, and a body of JSON.
    /// Gives the answer's body.
    ///
    /// # Errors
    /// As for every request; [`ErrorKind::InvalidQuery`] when the method is not one of HTTP's.
    pub async fn request(&self, method: &str, path: &str, body: Option<&Json>) -> Result<Json> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| Error::new(ErrorKind::InvalidQuery, "not a method of HTTP"))?;
        let api = &self.shared.api;
        let answer = api.send(method, path.trim_start_matches('/'), body, Safety::Once, api.http.deadline()).await?;
        if answer.is_success() { answer.json() } else { Err(refused(&answer)) }
    }

    async fn documents(&self, part: &Part, ids: &[Id], columns: &[usize]) -> Result<Page> {
        let wanted: Vec<&str> = ids.iter().map(Id::as_str).collect();
        let api = &self.shared.api;
        let found = api.documents(&part.table, &wanted, &source_of(part, columns), api.http.deadline()).await?;
        let mut page = Page::new(columns.len());
        for (id, hit) in ids.iter().zip(found) {
            if let Some(hit) = hit {
                page.push(id.clone(), hit.source.hb.version, hit.source.values(part, columns)?);
            }
        }
        Ok(page)
    }
}

/// A query's text without the values in it.
fn described(query: &Json) -> Json {
    match query {
        Json::Object(map) => {
            let shown = |key: &str| matches!(key, "field" | "minimum_should_match" | "analyzer" | "slop");
            map.iter().map(|(key, json)| (key.clone(), if shown(key) { json.clone() } else { described(json) })).collect()
        }
        Json::Array(items) if items.iter().all(|item| item.is_object()) => items.iter().map(described).collect(),
        _ => "?".into(),
    }
}

impl Driver for ElasticsearchDriver {
    fn description(&self) -> &Description {
        &self.description
    }

    fn check_option(&self, name: &str, value: &str) -> Result<()> {
        let why = match (name, Refresh::named(value)) {
            ("refresh", Some(_)) => return Ok(()),
            ("refresh", None) => format!("the option `refresh` cannot be {value:?}: it is wait_for, immediate or before_search"),
            _ => format!("Elasticsearch has no option `{name}` of an entity: it has refresh"),
        };
        Err(Error::new(ErrorKind::InvalidSchema, why))
    }

    fn narrowed(&self) -> &[Narrowed] {
        &self.narrowed
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        Reply::later(async move {
            let ensured = ensure::ensure(&self.shared, part).await?;
            self.shared.read_limits(part).await?;
            Ok(ensured)
        })
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        if batch.is_empty() {
            return Reply::ready(Ok(WriteReport::default()));
        }
        Reply::later(async move { write::write(&self.shared, part, &batch).await })
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        if ids.is_empty() {
            return Reply::ready(Ok(Page::new(columns.len())));
        }
        Reply::later(self.documents(part, ids, columns))
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        let mut taken = Pushdown::of_filter(wanted, &|filter| query::takes(part, filter), "");
        // Each condition alone may be within the bounds of a query, and all together beyond.
        if !query::takes(part, &taken.taken) {
            taken = Pushdown::of_filter(wanted, &|_| false, "");
            taken.remainder = wanted.filter.clone();
            taken.taken = Filter::all();
        }
        let sortable = |key: SortKey| match key {
            SortKey::Id => true,
            SortKey::Column(column) => part.columns.get(column).is_some_and(sorts),
        };
        taken.order = taken.order && wanted.order.iter().all(|key| sortable(key.key));
        taken.limit = taken.limit && taken.order;
        taken.near = taken.near && self.shared.api.version >= FLAT_VECTORS;
        let text = query::of_filter(part, &taken.taken).map(|json| described(&json).to_string()).unwrap_or_default();
        taken.text = format!("POST {}/_search {text}", part.table);
        taken
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        Ok(Box::new(Stream::new(self.shared.clone(), part, query)))
    }

    fn estimate<'a>(&'a self, part: &'a Arc<Part>, filter: &'a Filter, cap: usize) -> Reply<'a, Option<u64>> {
        let taken = self.plan(part, &SubQuery { filter: filter.clone(), ..SubQuery::default() }).taken;
        if taken.is_all() && !filter.is_all() {
            return Reply::ready(Ok(None));
        }
        Reply::later(async move { aggregate::count(&self.shared, part, &taken, cap).await.map(Some) })
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        aggregate::takes(part, wanted)
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        Reply::later(aggregate::run(&self.shared, part, query))
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        Reply::later(ensure::drop_part(&self.shared, part))
    }

    fn search_costs(&self, part: &Part, near: &NearQuery) -> SearchCosts {
        // Of many hits the vectors are read, to rank them here.
        let costs = SearchCosts { hit: 100_000, ..SearchCosts::of_server(near.vector.len()) };
        let approximate = !near.exact && part.columns.get(near.column).is_some_and(is_approximate);
        if approximate { costs.indexed(costs.hit) } else { costs }
    }

    fn refresh<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, ()> {
        let api = &self.shared.api;
        Reply::later(async move { api.refresh(&part.table, api.http.deadline()).await })
    }

    fn health(&self) -> Reply<'_, ()> {
        let api = &self.shared.api;
        Reply::later(async move {
            let answer = api.send(Method::GET, "_cluster/health?filter_path=status", None, Safety::Repeatable, api.http.deadline()).await?;
            if !answer.is_success() {
                return Err(refused(&answer));
            }
            match answer.json::<Json>()?["status"].as_str() {
                Some("green" | "yellow") => Ok(()),
                _ => Err(Error::new(ErrorKind::Unavailable, "the cluster lacks a part of its indexes").with_status(Status::Temporary)),
            }
        })
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// The path of an index.
pub(super) fn index_path(part: &Part) -> String {
    segment(&part.table)
}
