use std::marker::PhantomData;

use super::{
    AggregateSpec, Embedded, Entity, Field, GroupKeys, HasBackend, Having, KindOf, Measures, Order, Predicate, Projection, QuerySpec,
    RowCursor, SearchSpec, Selection,
};
use crate::capability::{Runs, op};
use crate::error::Result;
use crate::types::Logical;

/// A query without a workspace: a value to keep, send and attach with [`Query::on`](crate::Query::on).
#[derive(Clone, Copy, Debug)]
pub struct Detached;

/// A query over rows of `E` that gives an `Out` a row. Immutable: every method returns a new one.
///
/// `ws.query::<Product>()` is attached to its workspace and can run; `Query::<Product>::new()` is a value without one.
#[must_use = "a query does nothing until it is run"]
pub struct Query<E, Out = E, W = Detached> {
    pub(crate) spec: QuerySpec,
    pub(crate) read: fn(&mut RowCursor<'_>) -> Result<Out>,
    pub(crate) workspace: W,
    of: PhantomData<fn() -> E>,
}

impl<E, Out, W: Clone> Clone for Query<E, Out, W> {
    fn clone(&self) -> Self {
        Query { spec: self.spec.clone(), read: self.read, workspace: self.workspace.clone(), of: PhantomData }
    }
}

impl<E, Out, W> std::fmt::Debug for Query<E, Out, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.spec.fmt(f)
    }
}

impl<E: Entity> Query<E> {
    /// All rows of `E`, whole, in id order.
    pub fn new() -> Self {
        Query { spec: QuerySpec::default(), read: E::decode, workspace: Detached, of: PhantomData }
    }

    /// A query from its plain form, whole rows. Fields and capabilities are checked when it runs.
    pub fn from_spec(mut spec: QuerySpec) -> Self {
        spec.select = None;
        Query { spec, ..Self::new() }
    }
}

impl<E: Entity> Default for Query<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Entity, Out, W> Query<E, Out, W> {
    /// The query as a plain value.
    pub fn spec(&self) -> &QuerySpec {
        &self.spec
    }

    pub(crate) fn with_workspace<V>(self, workspace: V) -> Query<E, Out, V> {
        Query { spec: self.spec, read: self.read, workspace, of: PhantomData }
    }

    /// The query without its workspace.
    pub fn detached(self) -> Query<E, Out> {
        self.with_workspace(Detached)
    }

    /// The same query with another plain form, and another way to read its rows.
    pub(crate) fn reading_as<New>(self, spec: QuerySpec, read: fn(&mut RowCursor<'_>) -> Result<New>) -> Query<E, New, W> {
        Query { spec, ..self.reading(read) }
    }

    fn reading<New>(self, read: fn(&mut RowCursor<'_>) -> Result<New>) -> Query<E, New, W> {
        Query { spec: self.spec, read, workspace: self.workspace, of: PhantomData }
    }

    /// Only rows that satisfy this too.
    pub fn filter(mut self, predicate: Predicate<E>) -> Self {
        self.spec.filter = self.spec.filter.and(predicate.into_filter());
        self
    }

    /// Orders by this key, after the keys given before; ties go by id.
    pub fn order_by(mut self, order: Order<E>) -> Self {
        self.spec.order.push(order.spec);
        self
    }

    /// At most so many rows.
    pub fn limit(mut self, rows: usize) -> Self {
        self.spec.limit = Some(rows);
        self
    }

    /// Leaves out so many rows at the start. For paging [`page_after`](Query::page_after) is faster and stable.
    pub fn offset(mut self, rows: usize) -> Self {
        self.spec.offset = rows;
        self
    }

    /// Only rows after a cursor that [`page`](Query::page) gave for the same filter and order.
    pub fn page_after(mut self, cursor: impl Into<String>) -> Self {
        self.spec.after = Some(cursor.into());
        self
    }

    /// Asks a vector search for recall 1.0, whatever index there is.
    pub fn exact(mut self) -> Self {
        self.spec.exact = true;
        self
    }

    /// Allows reading every row for whatever a backend does not run itself: for queries that are not typed, where no
    /// compiler asked for `field.scan()`.
    pub fn scan(mut self) -> Self {
        self.spec.scan = true;
        self
    }

    /// The `k` rows whose vectors are nearest, best first, among those that satisfy the filter: exactly
    /// `min(k, matching rows with a vector)`. `k` is at most 10,000.
    // One line a signature: the compiler quotes the line of the bound in its messages.
    #[rustfmt::skip]
    pub fn near<T: Logical, N, P, C>(mut self, field: Field<E, T, N, P, C>, vector: &T::Probe, k: usize) -> Self
    where E::Layout: HasBackend<N>, KindOf<E, N>: Runs<op::Near, T::Class, P> {
        self.spec.search = Some(SearchSpec::Near { field: field.reference(), vector: vector.as_ref().to_vec(), k });
        self
    }

    /// [`near`](Query::near) from a text instead of a vector: the field's embedder turns it into one when the query runs.
    /// The query carries the text.
    ///
    /// ```
    /// use heavenbase::prelude::*;
    /// # #[derive(Layout)]
    /// # struct Shop { main: InMem }
    /// #[derive(Entity)]
    /// #[entity(layout = Shop)]
    /// struct Product {
    ///     object_id: Id,
    ///     title: String,
    ///     #[compute(embed, from(title))]
    ///     embedding: Option<Vector<384>>,
    /// }
    ///
    /// let query = Query::<Product>::new().near_text(Product::EMBEDDING, "a desk of oak", 10);
    /// # let _ = query;
    /// ```
    #[rustfmt::skip]
    pub fn near_text<T: Logical, N, P, C: Embedded>(mut self, field: Field<E, T, N, P, C>, text: impl Into<String>, k: usize) -> Self
    where E::Layout: HasBackend<N>, KindOf<E, N>: Runs<op::Near, T::Class, P> {
        self.spec.search = Some(SearchSpec::NearText { field: field.reference(), text: text.into(), k });
        self
    }

    /// The `k` rows whose text matches best, best first: every word must occur; scores by
    /// [`text_score`](crate::exec::text_score).
    #[rustfmt::skip]
    pub fn matching<T: Logical, N, P, C>(mut self, field: Field<E, T, N, P, C>, text: impl Into<String>, k: usize) -> Self
    where E::Layout: HasBackend<N>, KindOf<E, N>: Runs<op::Matches, T::Class, P> {
        self.spec.search = Some(SearchSpec::Matches { field: field.reference(), text: text.into(), k });
        self
    }

    /// The best `k` rows of several searches, fused by reciprocal rank (constant 60); ties by id.
    pub fn hybrid<const M: usize>(mut self, searches: [Ranked<E>; M], k: usize) -> Self {
        let searches = searches.into_iter().map(|s| s.spec).collect();
        self.spec.search = Some(SearchSpec::Hybrid { searches, k });
        self
    }

    /// Only these fields: a field, [`SCORE`](super::SCORE), or a tuple of them.
    pub fn select<S: Selection<E>>(mut self, selection: S) -> Query<E, S::Output, W> {
        let mut fields = Vec::new();
        selection.fields(&mut fields);
        self.spec.select = Some(fields);
        self.reading(S::read)
    }

    /// Only the fields of a projection struct.
    pub fn select_as<S: Projection<Entity = E>>(mut self) -> Query<E, S, W> {
        self.spec.select = Some(S::fields());
        self.reading(S::read)
    }

    /// Numbers over all rows instead of the rows: one result.
    pub fn aggregate<M: Measures<E>>(mut self, measures: M) -> Query<E, M::Output, W> {
        let mut specs = Vec::new();
        measures.specs(&mut specs);
        self.spec.aggregate = Some(AggregateSpec { keys: Vec::new(), measures: specs, having: None });
        self.reading(M::read)
    }

    /// Numbers a group instead of the rows: one result a group, `(keys, numbers)`, ordered by the keys, nulls last.
    pub fn group_by<K: GroupKeys<E>, M: Measures<E>>(mut self, keys: K, measures: M) -> Query<E, (K::Output, M::Output), W> {
        let (mut fields, mut specs) = (Vec::new(), Vec::new());
        keys.fields(&mut fields);
        measures.specs(&mut specs);
        self.spec.aggregate = Some(AggregateSpec { keys: fields, measures: specs, having: None });
        self.reading(|row| Ok((K::read(row)?, M::read(row)?)))
    }

    /// Only groups that satisfy this too. After `group_by` or `aggregate`.
    pub fn having(mut self, condition: Having<E>) -> Self {
        let aggregate = self.spec.aggregate.get_or_insert_default();
        let new = condition.into_spec();
        aggregate.having = Some(match aggregate.having.take() {
            Some(before) => super::HavingSpec::And(vec![before, new]),
            None => new,
        });
        self
    }
}

/// One search of a hybrid: see [`near`], [`near_text`] and [`matching`].
pub struct Ranked<E> {
    spec: SearchSpec,
    of: PhantomData<fn() -> E>,
}

impl<E> std::fmt::Debug for Ranked<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.spec.fmt(f)
    }
}

/// The rows whose vectors are nearest, as one search of a [`hybrid`](Query::hybrid).
#[rustfmt::skip]
pub fn near<E: Entity, T: Logical, N, P, C>(field: Field<E, T, N, P, C>, vector: &T::Probe) -> Ranked<E>
where E::Layout: HasBackend<N>, KindOf<E, N>: Runs<op::Near, T::Class, P> {
    Ranked { spec: SearchSpec::Near { field: field.reference(), vector: vector.as_ref().to_vec(), k: 0 }, of: PhantomData }
}

/// The rows whose vectors are nearest to a text's, as one search of a [`hybrid`](Query::hybrid): see
/// [`Query::near_text`].
#[rustfmt::skip]
pub fn near_text<E: Entity, T: Logical, N, P, C: Embedded>(field: Field<E, T, N, P, C>, text: impl Into<String>) -> Ranked<E>
where E::Layout: HasBackend<N>, KindOf<E, N>: Runs<op::Near, T::Class, P> {
    Ranked { spec: SearchSpec::NearText { field: field.reference(), text: text.into(), k: 0 }, of: PhantomData }
}

/// The rows whose text matches best, as one search of a [`hybrid`](Query::hybrid).
#[rustfmt::skip]
pub fn matching<E: Entity, T: Logical, N, P, C>(field: Field<E, T, N, P, C>, text: impl Into<String>) -> Ranked<E>
where E::Layout: HasBackend<N>, KindOf<E, N>: Runs<op::Matches, T::Class, P> {
    Ranked { spec: SearchSpec::Matches { field: field.reference(), text: text.into(), k: 0 }, of: PhantomData }
}
