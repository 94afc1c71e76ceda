//! Running queries: all rows, one, a page, a stream; counts; explanations.

use std::sync::Arc;
use std::time::Instant;

use super::Workspace;
use crate::driver::Position;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{Context, ResultPage, RowStream, aggregate, position_of, search};
use crate::plan::{Explain, Plan, encode_cursor};
use crate::query::{AggregateSpec, Entity, FieldRef, Layout, MeasureSpec, Query, QuerySpec, RowCursor};
use crate::schema::ID_COLUMN;
use crate::types::{Id, Value};

/// One page of results, and how to go on.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<Out> {
    /// The results.
    pub rows: Vec<Out>,
    /// What `page_after` takes for the next page; `None` after the last one.
    pub next: Option<String>,
}

/// Results as they come: see [`Query::stream`].
pub struct Rows<Out> {
    source: Source,
    read: fn(&mut RowCursor<'_>) -> Result<Out>,
    page: crate::driver::Page,
    at: usize,
}

enum Source {
    Stream(Box<RowStream>),
    Done,
}

impl<Out> std::fmt::Debug for Rows<Out> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

impl<Out> Rows<Out> {
    /// The next result; `None` at the end.
    ///
    /// # Errors
    /// What the backends say.
    pub async fn next(&mut self) -> Result<Option<Out>> {
        while self.at == self.page.len() {
            let Source::Stream(stream) = &mut self.source else { return Ok(None) };
            match stream.next().await? {
                Some(ResultPage(page)) => (self.page, self.at) = (page, 0),
                None => self.source = Source::Done,
            }
        }
        let row = self.at;
        self.at += 1;
        read_row(&mut self.page, row, self.read).map(Some)
    }
}

fn read_row<Out>(page: &mut crate::driver::Page, row: usize, read: fn(&mut RowCursor<'_>) -> Result<Out>) -> Result<Out> {
    let score = page.scores.get(row).copied();
    let mut id = std::mem::take(&mut page.ids[row]);
    let result = read(&mut RowCursor::new(&mut id, score, page.row_mut(row)));
    page.ids[row] = id;
    result
}

impl<E: Entity, Out> Query<E, Out> {
    /// The same query, ready to run on a workspace.
    pub fn on(self, workspace: &Workspace<E::Layout>) -> Query<E, Out, Workspace<E::Layout>> {
        self.with_workspace(workspace.clone())
    }
}

impl<L: Layout, E: Entity<Layout = L>, Out> Query<E, Out, Workspace<L>> {
    async fn context(&self, counting: bool) -> Result<Context> {
        let registered = self.workspace.registered(E::SCHEMA)?;
        // All that can be wrong is found before an embedder is asked.
        let mut plan = Plan::new(&self.spec, &registered.target)?;
        if let Some(search) = &self.spec.search
            && let Some(search) = registered.embed_search(search).await?
        {
            plan = Plan::new(&QuerySpec { search: Some(search), ..self.spec.clone() }, &registered.target)?;
        }
        let (plan, target) = (Arc::new(plan), registered.target.clone());
        Ok(if counting { Context::counting(plan, target) } else { Context::new(plan, target) })
    }

    /// Says of an explanation which texts are embedded first.
    fn with_embedding(&self, mut explain: Explain) -> Result<Explain> {
        let registered = self.workspace.registered(E::SCHEMA)?;
        if let Some(said) = self.spec.search.as_ref().and_then(|search| registered.explain_search(search)) {
            explain.strategy = format!("{said}; {}", explain.strategy);
        }
        Ok(explain)
    }

    async fn collect(&self, context: &Context) -> Result<Vec<Out>> {
        let mut results = Vec::new();
        if context.plan.aggregate.is_some() {
            for mut values in aggregate::run(context).await? {
                results.push((self.read)(&mut RowCursor::new(&mut Id::auto(), None, &mut values))?);
            }
        } else if context.plan.search.is_some() {
            let ResultPage(mut page) = search::run(context).await?;
            results.reserve(page.len());
            for row in 0..page.len() {
                results.push(read_row(&mut page, row, self.read)?);
            }
        } else {
            let mut stream = RowStream::open(context.clone().gathering()).await?;
            while let Some(ResultPage(mut page)) = stream.next().await? {
                results.reserve(page.len());
                for row in 0..page.len() {
                    results.push(read_row(&mut page, row, self.read)?);
                }
            }
        }
        Ok(results)
    }

    /// All results.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`] and its kin before anything runs; what the backends say.
    pub async fn all(&self) -> Result<Vec<Out>> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("query");
        let context = self.context(false).await.map_err(named)?;
        self.collect(&context).await.map_err(named)
    }

    /// The first result, if there is one.
    ///
    /// # Errors
    /// As [`all`](Query::all).
    pub async fn first(&self) -> Result<Option<Out>> {
        if self.spec.aggregate.is_some() || self.spec.search.is_some() {
            return self.all().await.map(|rows| rows.into_iter().next());
        }
        let query = self.clone().limit(self.spec.limit.map_or(1, |l| l.min(1)));
        query.all().await.map(|rows| rows.into_iter().next())
    }

    /// The only result.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`] when there is none, or more than one; else as [`all`](Query::all).
    pub async fn one(&self) -> Result<Out> {
        let plain = self.spec.aggregate.is_none() && self.spec.search.is_none();
        let mut rows = if plain { self.clone().limit(self.spec.limit.map_or(2, |l| l.min(2))).all().await? } else { self.all().await? };
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) => Ok(row),
            (None, _) => Err(self.not_one("no row")),
            (Some(_), false) => Err(self.not_one("more than one row")),
        }
    }

    fn not_one(&self, found: &'static str) -> Error {
        let why = format!("{found} where exactly one was asked for: use first() or all()");
        Error::new(ErrorKind::InvalidQuery, why).of_entity(E::SCHEMA.name).in_operation("query")
    }

    /// The results as they come, in bounded memory.
    ///
    /// # Errors
    /// As [`all`](Query::all); [`ErrorKind::InvalidQuery`] for searches and aggregations, which come at once.
    pub async fn stream(&self) -> Result<Rows<Out>> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("stream");
        let context = self.context(false).await.map_err(named)?;
        if context.plan.aggregate.is_some() || context.plan.search.is_some() {
            return Err(named(Error::new(ErrorKind::InvalidQuery, "searches and aggregations come at once: use all()")));
        }
        let stream = RowStream::open(context).await.map_err(named)?;
        Ok(Rows { source: Source::Stream(Box::new(stream)), read: self.read, page: crate::driver::Page::default(), at: 0 })
    }

    /// One page of at most [`limit`](Query::limit) results (100 without one), and a cursor for the next.
    ///
    /// # Errors
    /// As [`all`](Query::all); [`ErrorKind::InvalidQuery`] for searches and aggregations.
    pub async fn page(&self) -> Result<Page<Out>> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("page");
        if self.spec.aggregate.is_some() || self.spec.search.is_some() {
            return Err(named(Error::new(ErrorKind::InvalidQuery, "searches and aggregations are not paged: use all()")));
        }
        let rows = self.spec.limit.unwrap_or(100);
        // One more than the page, to know whether there is another.
        let query = self.clone().limit(rows.saturating_add(1));
        let context = query.context(false).await.map_err(named)?;
        let mut stream = RowStream::open(context.clone()).await.map_err(named)?;
        let (mut results, mut last, mut more) = (Vec::new(), None, false);
        while let Some(ResultPage(mut page)) = stream.next().await.map_err(named)? {
            for row in 0..page.len() {
                if results.len() == rows {
                    more = true;
                    break;
                }
                last = Some(page.ids[row].clone());
                results.push(read_row(&mut page, row, self.read).map_err(named)?);
            }
        }
        let next = match last {
            Some(id) if more => {
                let keys = position_of(&context, &id).await.map_err(named)?;
                Some(encode_cursor(E::SCHEMA.name, &self.spec, Position { keys, id }).map_err(named)?)
            }
            _ => None,
        };
        Ok(Page { rows: results, next })
    }

    /// The ids of the matching rows, in the query's order.
    ///
    /// # Errors
    /// As [`all`](Query::all).
    pub async fn ids(&self) -> Result<Vec<Id>> {
        let mut spec = self.spec.clone();
        spec.select = Some(vec![FieldRef { name: ID_COLUMN.into(), on: None, scan: false }]);
        if spec.aggregate.is_some() {
            return Err(Error::new(ErrorKind::InvalidQuery, "groups have no ids").of_entity(E::SCHEMA.name).in_operation("query"));
        }
        let query: Query<E, Id, Workspace<L>> = self.clone().reading_as(spec, |row| Ok(row.take_id()));
        query.all().await
    }

    /// How many rows match; with limit or offset, how many of them would come.
    ///
    /// # Errors
    /// As [`all`](Query::all); [`ErrorKind::InvalidQuery`] for aggregations.
    pub async fn count(&self) -> Result<u64> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("count");
        if self.spec.aggregate.is_some() {
            return Err(named(Error::new(ErrorKind::InvalidQuery, "count counts rows: leave out aggregate and group_by")));
        }
        if self.spec.search.is_some() || self.spec.after.is_some() {
            return self.ids().await.map(|ids| ids.len() as u64);
        }
        let mut spec = self.spec.clone();
        (spec.order, spec.limit, spec.offset, spec.select) = (Vec::new(), None, 0, None);
        let measure = MeasureSpec { function: crate::driver::AggregateFunction::Count, field: None };
        spec.aggregate = Some(AggregateSpec { measures: vec![measure], ..AggregateSpec::default() });
        let registered = self.workspace.registered(E::SCHEMA).map_err(named)?;
        let plan = Plan::new(&spec, &registered.target).map_err(named)?;
        let context = Context::new(Arc::new(plan), registered.target.clone());
        let counted = aggregate::run(&context).await.map_err(named)?;
        let all = match counted.first().and_then(|row| row.first()) {
            Some(Value::Int(n)) => *n as u64,
            _ => 0,
        };
        let rest = all.saturating_sub(self.spec.offset as u64);
        Ok(self.spec.limit.map_or(rest, |l| rest.min(l as u64)))
    }

    /// How the query would run: which backend is asked what. Nothing runs.
    ///
    /// # Errors
    /// As [`all`](Query::all), before anything runs.
    pub fn explain(&self) -> Result<Explain> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("explain");
        let registered = self.workspace.registered(E::SCHEMA).map_err(named)?;
        let plan = Plan::new(&self.spec, &registered.target).map_err(named)?;
        self.with_embedding(Explain::of(&plan, &registered.target)).map_err(named)
    }

    /// Runs the query and says how it ran: with rows, bytes, round trips, ids pushed and time of every request.
    ///
    /// # Errors
    /// As [`all`](Query::all).
    pub async fn explain_analyze(&self) -> Result<Explain> {
        let named = |e: Error| e.of_entity(E::SCHEMA.name).in_operation("explain_analyze");
        let started = Instant::now();
        let context = self.context(true).await.map_err(named)?;
        let rows = self.collect(&context).await.map_err(named)?;
        self.with_embedding(context.explained(rows.len() as u64, started.elapsed().as_micros() as u64)).map_err(named)
    }
}
