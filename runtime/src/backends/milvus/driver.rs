use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use super::client::Client;
use super::config::Milvus;
use super::expression;
use super::indexed::Indexed;
use super::proto::{Flush, Mutation};
use super::read::{MAX_IDS, Walk, condition, counts, in_id_order, masked};
use super::search::{MAX_K, Nearest, ROUNDING};
use super::shape::{Method, Shape};
use super::write::MAX_BATCH;
use crate::driver::{
    Aggregate, Description, Driver, Ensured, Group, NearQuery, Page, PageStream, Pushdown, Reply, SearchCosts, SubQuery, WriteBatch,
    WriteReport,
};
use crate::error::Result;
use crate::schema::{Naming, Part};
use crate::types::{Id, Metric, Value};

/// Fewer rows than this are compared here: they are read as fast as they are searched.
const AMONG: usize = 64;

/// The writers of one part, who take turns.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// A connection with what its users share.
pub(super) struct Inner {
    pub client: Client,
    pub timeout: Duration,
    /// Whether the server is the embedded one: its indexes are there at once, and it counts slowly.
    pub lite: bool,
    pub indexed: Indexed,
    turns: Mutex<HashMap<String, Turn>>,
    own: Weak<Inner>,
}

impl Inner {
    /// The turn to write to a part.
    pub(super) fn turn(&self, table: &str) -> Turn {
        self.turns.lock().entry(table.to_owned()).or_default().clone()
    }

    /// This connection, for streams that outlive the call.
    pub(super) fn shared(&self) -> Arc<Inner> {
        self.own.upgrade().unwrap_or_else(|| Inner::new(self.client.clone(), self.timeout, self.lite))
    }

    fn new(client: Client, timeout: Duration, lite: bool) -> Arc<Inner> {
        Arc::new_cyclic(|own| Inner { client, timeout, lite, indexed: Indexed::default(), turns: Mutex::default(), own: own.clone() })
    }
}

/// The driver of Milvus. Made by [`Connect::connect`](crate::backends::Connect::connect).
pub struct MilvusDriver {
    inner: Arc<Inner>,
    description: Description,
}

impl std::fmt::Debug for MilvusDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MilvusDriver").field("engine", &self.description.engine).finish_non_exhaustive()
    }
}

impl MilvusDriver {
    pub(super) async fn connect(config: &Milvus) -> Result<Self> {
        let client = Client::new(config)?;
        let version = client.version().await?;
        let description = Description {
            kind: "milvus",
            engine: format!("Milvus {version}").trim().to_owned(),
            embedded: false,
            transactional: false,
            // Collections and fields take 255; our own endings need some of it.
            naming: Naming::PLAIN,
            max_ids: MAX_IDS,
            max_batch: MAX_BATCH,
            max_k: MAX_K,
        };
        Ok(MilvusDriver { inner: Inner::new(client, config.timeout, super::options::is_embedded(&version)), description })
    }

    /// Has the server seal what it holds in memory and build the indexes over it, in the background: after a load of
    /// many rows, instead of when the server thinks best. Nothing depends on it but speed. Reached through
    /// [`Driver::as_any`].
    ///
    /// # Errors
    /// What the server says; it limits how often this is done.
    pub async fn flush(&self, part: &Arc<Part>) -> Result<()> {
        let client = &self.inner.client;
        let collection_names = Shape::of(part).collections.into_iter().map(|c| c.name).collect();
        let _: Mutation = client.change("Flush", Flush { db_name: client.database(), collection_names }).await?;
        Ok(())
    }

    /// Whether the index of a vector field is built over nearly all rows and loaded, which the server does by itself, minutes after
    /// they are written; no field of that name or no index is `false`. Until then a filtered search compares rows here. Reached
    /// through [`Driver::as_any`].
    pub async fn is_indexed(&self, part: &Arc<Part>, field: &str) -> bool {
        match part.column(field) {
            Some((column, _)) => self.inner.is_indexed(&Shape::of(part), column).await,
            None => false,
        }
    }

    fn named<'a, T: 'a>(part: &'a Arc<Part>, answer: impl Future<Output = Result<T>> + Send + 'a) -> Reply<'a, T> {
        Reply::later(async move { answer.await.map_err(|e| e.of_entity(part.entity.name)) })
    }
}

impl Driver for MilvusDriver {
    fn description(&self) -> &Description {
        &self.description
    }

    fn check_option(&self, name: &str, value: &str) -> Result<()> {
        super::options::check(name, value)
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        Self::named(part, self.inner.ensure(part))
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        Self::named(part, async move {
            let shape = Shape::of(part);
            self.inner.indexed.note(&shape, batch.len());
            self.inner.write(&shape, &batch).await
        })
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        Self::named(part, async move {
            let shape = Shape::of(part);
            self.inner.by_ids(&shape, ids, columns, self.inner.usual(&shape)).await
        })
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        let takes = |filter: &crate::filter::Filter| filter.all_tests(|test| expression::takes(part, test));
        let mut plan = Pushdown::of_filter(wanted, &takes, "");
        plan.order &= in_id_order(&wanted.order);
        plan.limit &= plan.order;
        plan.text = match condition(part, &plan.taken, wanted.ids.as_deref()) {
            Ok(expression) => masked(&expression),
            Err(_) => String::new(),
        };
        plan
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        let shape = Arc::new(Shape::of(&part));
        let inner = self.inner.clone();
        if query.near.is_some() {
            return Ok(Box::new(Nearest { inner, shape, query, done: false }));
        }
        Ok(Box::new(Walk::of(inner, shape, &query)?))
    }

    fn search_costs(&self, part: &Part, near: &NearQuery) -> SearchCosts {
        // Rows whose ids are given are compared here: their vectors are read.
        let costs = SearchCosts { candidate: 13_000, ..SearchCosts::of_server(near.vector.len()) };
        let indexed =
            !near.exact && part.columns.get(near.column).is_some_and(|column| Method::of(column).is_ok_and(|method| !method.is_exact()));
        if !indexed {
            return costs;
        }
        // Once the index is built, the server searches among given rows as surely.
        let built = self.inner.indexed.last(part, near.column);
        let rough = (near.metric == Metric::Cosine).then_some(ROUNDING);
        SearchCosts { searches_among: built.then_some(AMONG), rough, ..costs.indexed(5_000) }
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        counts(wanted) && wanted.filter.all_tests(|test| expression::takes(part, test))
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        Self::named(part, async move {
            let shape = Shape::of(part);
            let wanted = condition(part, &query.filter, query.ids.as_deref())?;
            let mut measures = Vec::with_capacity(query.measures.len());
            for measure in &query.measures {
                let wanted = match measure.column {
                    Some(column) => wanted.clone().and(expression::has(&part.columns[column])),
                    None => wanted.clone(),
                };
                measures.push(Value::Int(self.inner.count(&shape, &wanted).await?));
            }
            Ok(vec![Group { keys: Vec::new(), measures }])
        })
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        self.inner.indexed.forget(part);
        Self::named(part, self.inner.drop_part(part))
    }

    fn refresh<'a>(&'a self, _: &'a Arc<Part>) -> Reply<'a, ()> {
        // Nothing is kept here, and a strong read waits by itself.
        Reply::ready(Ok(()))
    }

    fn health(&self) -> Reply<'_, ()> {
        Reply::later(async move { self.inner.client.version().await.map(drop) })
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
