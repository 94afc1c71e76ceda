use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use parking_lot::Mutex;

use super::ensure;
use super::filter::{self, Where};
use super::near::Nearest;
use super::shape::{Layout, Shape, Space};
use super::store::{Depth, Found, Moment, Store};
use super::walk::{Parted, Walk, in_id_order};
use crate::backends::fewer::fewer;
use crate::driver::{
    Aggregate, AggregateFunction, Description, Driver, Ensured, Group, NearQuery, Page, PageStream, Pushdown, Reply, SearchCosts, SubQuery,
    WriteBatch, WriteReport,
};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;
use crate::types::{Id, Json, Value};

/// The writers of one part, who take turns.
type Turn = Arc<tokio::sync::Mutex<()>>;

/// A store with what its users share.
pub(super) struct Inner<S> {
    pub store: Arc<S>,
    pub most_ids: usize,
    turns: Mutex<HashMap<String, Turn>>,
    layouts: Mutex<HashMap<String, Layout>>,
}

impl<S: Store> Inner<S> {
    /// The turn to write to a part.
    pub(super) fn turn(&self, table: &str) -> Turn {
        self.turns.lock().entry(table.to_owned()).or_default().clone()
    }

    /// Notes how a part lies, or that it is gone.
    pub(super) fn note(&self, table: &str, layout: Option<Layout>) {
        match layout {
            Some(layout) => drop(self.layouts.lock().insert(table.to_owned(), layout)),
            None => drop(self.layouts.lock().remove(table)),
        }
    }

    /// How a part lies.
    pub(super) async fn shape(&self, part: &Arc<Part>) -> Result<Shape> {
        if let Some(layout) = self.layouts.lock().get(&part.table) {
            return Ok(Shape::of(part, layout));
        }
        let Some((_, layout)) = self.store.manifest(&part.table).await? else {
            let why = format!("{} has no such part: register the entity first", self.store.dialect().service);
            return Err(Error::new(ErrorKind::NotRegistered, why).of_entity(part.entity.name));
        };
        self.note(&part.table, Some(layout.clone()));
        Ok(Shape::of(part, &layout))
    }

    /// Rows by id, sorted, absent ones left out.
    pub(super) async fn rows(&self, shape: &Shape, space: &Space, ids: &[String], depth: Depth) -> Result<Vec<super::Record>> {
        let mut found = Vec::with_capacity(ids.len());
        let mut most = self.most_ids.min(batch_of(shape, depth)).max(1);
        let mut rest = ids;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(most));
            match self.store.get(space, now, depth).await {
                Ok(mut records) => {
                    found.append(&mut records);
                    rest = later;
                }
                Err(error) => most = fewer(error, now.len())?,
            }
        }
        found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        found.dedup_by(|a, b| a.id == b.id);
        Ok(found)
    }

    async fn by_ids(&self, part: &Arc<Part>, ids: &[Id], columns: &[usize]) -> Result<Page> {
        let shape = self.shape(part).await?;
        self.store.settle(&shape.spaces[..1], Moment::Read).await?;
        let mut wanted: Vec<String> = ids.iter().map(|id| id.as_str().to_owned()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let found = self.rows(&shape, shape.first(), &wanted, shape.depth(columns, self.store.dialect())).await?;
        Ok(page(&shape, &found, columns, self.store.dialect())?.arranged(ids))
    }

    async fn count(&self, part: &Arc<Part>, query: &Aggregate) -> Result<Vec<Group>> {
        let shape = self.shape(part).await?;
        self.store.settle(&shape.spaces[..1], Moment::Read).await?;
        let dialect = self.store.dialect();
        let parted = Parted::of(part, &query.filter, query.ids.as_deref(), dialect)?;
        let mut measures = Vec::with_capacity(query.measures.len());
        for measure in &query.measures {
            let some = measure.column.map_or(Where::Always, |column| filter::some(&part.columns[column], dialect));
            let counted = match (&parted.ids, parted.wanted.clone().and(some).sent()) {
                (_, Err(_)) => 0,
                (None, Ok(filter)) => self.store.count(shape.first(), filter).await?,
                (Some(ids), Ok(_)) => {
                    let column = measure.column.map(|column| &part.columns[column]);
                    let found = self.rows(&shape, shape.first(), ids, Depth::Metadata).await?;
                    let found = parted.kept(&shape, found, dialect)?;
                    found.iter().filter(|r| column.is_none_or(|c| !super::shape::is_null(c, &r.metadata))).count()
                }
            };
            measures.push(Value::Int(i64::try_from(counted).unwrap_or(i64::MAX)));
        }
        Ok(vec![Group { keys: Vec::new(), measures }])
    }
}

/// How many rows are asked for at once, so that an answer stays within some megabytes.
pub(super) fn batch_of(shape: &Shape, depth: Depth) -> usize {
    match depth {
        Depth::Vectors => (1 << 20) / (shape.first().length as usize).max(64),
        _ => 4_096,
    }
}

/// Records of the first space as a page of these columns.
pub(super) fn page(shape: &Shape, records: &[super::Record], columns: &[usize], dialect: &super::Dialect) -> Result<Page> {
    let mut page = Page::new(columns.len());
    for record in records {
        let version = super::shape::version(record).map_err(|e| e.of_entity(shape.part.entity.name))?;
        page.push(Id::from(record.id.as_str()), version, shape.values(record, columns, dialect)?);
    }
    Ok(page)
}

/// The driver over a store.
pub(crate) struct MetadataDriver<S> {
    inner: Arc<Inner<S>>,
    description: Description,
}

impl<S: Store> MetadataDriver<S> {
    /// The driver over a store that answers.
    pub(crate) fn new(store: S, found: Found) -> Self {
        let dialect = store.dialect();
        let description = Description {
            kind: dialect.kind,
            engine: found.engine,
            embedded: false,
            transactional: false,
            naming: found.naming,
            max_ids: found.most_ids.min(1_000),
            max_batch: found.most_records,
            max_k: dialect.most_hits.min(10_000),
        };
        let inner = Inner { store: Arc::new(store), most_ids: found.most_ids.max(1), turns: Mutex::default(), layouts: Mutex::default() };
        MetadataDriver { inner: Arc::new(inner), description }
    }

    /// What an operation of a part answers. A part that turns out to be gone is looked for anew by the next one.
    fn answer<'a, T: 'a>(&'a self, part: &'a Arc<Part>, answer: impl Future<Output = Result<T>> + Send + 'a) -> Reply<'a, T> {
        Reply::later(async move { answer.await.map_err(|error| self.inner.failed(part, error)) })
    }
}

impl<S: Store> Inner<S> {
    /// An error of an operation, with the entity it is about.
    pub(super) fn failed(&self, part: &Part, error: Error) -> Error {
        if error.kind() == ErrorKind::NotRegistered {
            self.note(&part.table, None);
        }
        error.of_entity(part.entity.name)
    }
}

/// A filter for `explain`: what it asks of which keys, without operands.
fn described(filter: &Json) -> Json {
    match filter {
        Json::Object(map) => map.iter().map(|(key, json)| (key.clone(), described(json))).collect(),
        Json::Array(items) if items.iter().all(Json::is_object) => items.iter().map(described).collect(),
        _ => "?".into(),
    }
}

impl<S: Store> Driver for MetadataDriver<S> {
    fn description(&self) -> &Description {
        &self.description
    }

    fn ensure<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, Ensured> {
        self.answer(part, ensure::ensure(&self.inner, part))
    }

    fn write<'a>(&'a self, part: &'a Arc<Part>, batch: Arc<WriteBatch>) -> Reply<'a, WriteReport> {
        if batch.is_empty() {
            return Reply::ready(Ok(WriteReport::default()));
        }
        self.answer(part, async move { self.inner.write(part, &batch).await })
    }

    fn fetch<'a>(&'a self, part: &'a Arc<Part>, ids: &'a [Id], columns: &'a [usize]) -> Reply<'a, Page> {
        if ids.is_empty() {
            return Reply::ready(Ok(Page::new(columns.len())));
        }
        self.answer(part, self.inner.by_ids(part, ids, columns))
    }

    fn plan(&self, part: &Part, wanted: &SubQuery) -> Pushdown {
        let dialect = self.inner.store.dialect();
        let mut plan = Pushdown::of_filter(wanted, &|filter| filter::takes(part, filter, dialect), "");
        // Each condition alone may be within the bounds of a filter, and all together beyond.
        let mut parted = Parted::of(part, &plan.taken, wanted.ids.as_deref(), dialect);
        if parted.is_err() {
            plan = Pushdown::of_filter(wanted, &|filter| filter::ids_of(filter).is_some(), "");
            parted = Parted::of(part, &plan.taken, wanted.ids.as_deref(), dialect);
        }
        plan.order &= in_id_order(&wanted.order);
        plan.limit &= plan.order;
        plan.text = match parted {
            Ok(Parted { wanted: Where::Filter(filter), ids, .. }) => {
                format!("{}{}", if ids.is_some() { "ids, " } else { "" }, described(&filter))
            }
            Ok(Parted { wanted: Where::Always, ids: Some(_), .. }) => "ids".to_owned(),
            Ok(Parted { wanted: Where::Always, .. }) => "every row".to_owned(),
            Ok(_) | Err(_) => "nothing matches".to_owned(),
        };
        if let Some(near) = &wanted.near {
            let how = if near.exact || plan.text.starts_with("ids") { "compared here" } else { "approximate index" };
            plan.text = format!("near by {how}, {}", plan.text);
        }
        plan
    }

    fn open(&self, part: Arc<Part>, query: Arc<SubQuery>) -> Result<Box<dyn PageStream>> {
        let parted = Parted::of(&part, &query.filter, query.ids.as_deref(), self.inner.store.dialect())?;
        if query.near.is_some() {
            return Ok(Box::new(Nearest { inner: self.inner.clone(), part, query, parted, done: false }));
        }
        Ok(Box::new(Walk::of(self.inner.clone(), part, &query, parted)))
    }

    fn search_costs(&self, _: &Part, near: &NearQuery) -> SearchCosts {
        // Rows that are compared here are read with their vectors, as JSON.
        let costs = SearchCosts { candidate: 25_000, ..SearchCosts::of_server(near.vector.len()) };
        if near.exact {
            return SearchCosts { row: costs.candidate, ..costs };
        }
        SearchCosts { searches_among: self.inner.store.dialect().searches_among, ..costs.indexed(5_000) }
    }

    fn plans_aggregate(&self, part: &Part, wanted: &Aggregate) -> bool {
        let dialect = self.inner.store.dialect();
        wanted.keys.is_empty()
            && wanted.measures.iter().all(|m| m.function == AggregateFunction::Count)
            && Parted::of(part, &wanted.filter, wanted.ids.as_deref(), dialect).is_ok()
    }

    fn aggregate<'a>(&'a self, part: &'a Arc<Part>, query: &'a Aggregate) -> Reply<'a, Vec<Group>> {
        self.answer(part, self.inner.count(part, query))
    }

    fn drop_part<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, bool> {
        self.answer(part, ensure::drop_part(&self.inner, part))
    }

    fn refresh<'a>(&'a self, part: &'a Arc<Part>) -> Reply<'a, ()> {
        self.answer(part, async move {
            self.inner.note(&part.table, None);
            match self.inner.shape(part).await {
                Ok(shape) => self.inner.store.settle(&shape.spaces, Moment::Asked).await,
                Err(error) if error.kind() == ErrorKind::NotRegistered => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    fn health(&self) -> Reply<'_, ()> {
        Reply::later(self.inner.store.health())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
