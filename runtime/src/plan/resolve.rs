//! A query in terms of parts and columns: everything that can be decided before anything runs.

use std::sync::Arc;

use super::split::{Group, split};
use super::{Target, check, decode_cursor};
use crate::capability::Operation;
use crate::driver::{AggregateFunction, Position};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Condition, Filter, Test};
use crate::query::{AggregateSpec, FieldRef, HavingSpec, MeasureSpec, QuerySpec, SearchSpec};
use crate::schema::ID_COLUMN;
use crate::types::Metric;

/// One value of a result row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The id.
    Id,
    /// A column of a part.
    Column {
        /// The part.
        part: usize,
        /// Position in its columns.
        column: usize,
    },
}

/// A query ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The groups of conditions; a row satisfies all.
    pub groups: Vec<Group>,
    /// What a row gives, in the order asked for.
    pub outputs: Vec<Output>,
    /// The order before the id.
    pub order: Vec<PlannedOrder>,
    /// Only rows after this position.
    pub after: Option<Position>,
    /// At most so many rows.
    pub limit: Option<usize>,
    /// Rows to leave out.
    pub offset: usize,
    /// A search that ranks.
    pub search: Option<PlannedSearch>,
    /// Whether the search must be exact.
    pub exact: bool,
    /// Groups and numbers instead of rows.
    pub aggregate: Option<PlannedAggregate>,
}

/// One key of an order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedOrder {
    /// By what.
    pub key: Output,
    /// Greatest first.
    pub descending: bool,
}

/// A search in terms of parts.
#[derive(Clone, Debug)]
pub enum PlannedSearch {
    /// By vector.
    Near {
        /// The part.
        part: usize,
        /// The vector column.
        column: usize,
        /// From where.
        vector: Arc<[f32]>,
        /// The column's metric.
        metric: Metric,
        /// How many.
        k: usize,
    },
    /// By words; the condition is among its own groups.
    Matches {
        /// The plan's groups with the search's own condition.
        groups: Vec<Group>,
        /// The text column.
        text: Output,
        /// The words to score by.
        words: Vec<String>,
        /// How many.
        k: usize,
    },
    /// Several, fused.
    Hybrid {
        /// The searches, each to the depth it is read to.
        searches: Vec<PlannedSearch>,
        /// How many.
        k: usize,
    },
}

/// An aggregation in terms of parts.
#[derive(Clone, Debug)]
pub struct PlannedAggregate {
    /// What to group by.
    pub keys: Vec<Output>,
    /// What to compute: the selected ones first, then those that only `having` needs.
    pub measures: Vec<PlannedMeasure>,
    /// How many of the measures are selected.
    pub selected: usize,
    /// Which groups: the condition with the measures by position.
    pub having: Option<HavingSpec>,
    /// The measures as they were asked for, by position, to evaluate `having`.
    pub specs: Vec<MeasureSpec>,
}

/// One measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlannedMeasure {
    /// How.
    pub function: AggregateFunction,
    /// Over what; rows when absent.
    pub over: Option<Output>,
}

impl Plan {
    /// Plans a query.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidQuery`], [`ErrorKind::Unsupported`] or [`ErrorKind::LimitExceeded`], naming the field.
    pub fn new(spec: &QuerySpec, target: &Target) -> Result<Plan> {
        let entity = target.routing.entity;
        check::filter(&spec.filter, target, spec.scan)?;
        let outputs = match (&spec.aggregate, &spec.select) {
            (Some(_), _) => Vec::new(),
            (None, Some(fields)) => fields.iter().map(|f| output(f, target)).collect::<Result<_>>()?,
            (None, None) => {
                (0..entity.visible()).filter_map(|f| target.locate(f, None)).map(|(part, column)| Output::Column { part, column }).collect()
            }
        };
        let order =
            spec.order.iter().map(|o| sortable(&o.field, target, spec.scan).map(|key| PlannedOrder { key, descending: o.descending }));
        let order = order.collect::<Result<Vec<_>>>()?;
        let prefer = order.iter().map(|o| o.key).chain(outputs.iter().copied()).find_map(part_of).unwrap_or(Target::OWNER);
        let groups = split(&spec.filter, target, prefer)?;
        let after = spec.after.as_deref().map(|cursor| decode_cursor(entity.name, spec, cursor)).transpose()?;
        if after.as_ref().is_some_and(|p| p.keys.len() != order.len()) {
            return Err(Error::new(ErrorKind::InvalidQuery, "the cursor does not fit the query's order"));
        }
        let search = spec.search.as_ref().map(|s| search(s, spec, target, prefer)).transpose()?;
        let refuse = |why: &'static str| Err(Error::new(ErrorKind::InvalidQuery, why).of_entity(entity.name));
        if search.is_some() && (!order.is_empty() || after.is_some()) {
            return refuse("a search has its own order, best first: leave out order_by and page_after");
        }
        if spec.aggregate.is_some() && (search.is_some() || !order.is_empty() || after.is_some() || spec.offset > 0 || spec.limit.is_some())
        {
            return refuse("an aggregation takes a filter only: leave out search, order, limit, offset and cursor");
        }
        let aggregate = spec.aggregate.as_ref().map(|a| aggregate(a, target, spec.scan)).transpose()?;
        Ok(Plan { groups, outputs, order, after, limit: spec.limit, offset: spec.offset, search, exact: spec.exact, aggregate })
    }

    /// Whether no row can satisfy the conditions.
    pub fn is_empty(&self) -> bool {
        self.limit == Some(0) || self.groups.iter().any(|g| matches!(g, Group::Part { filter, .. } if filter.is_none()))
    }
}

pub(crate) fn part_of(output: Output) -> Option<usize> {
    match output {
        Output::Id => None,
        Output::Column { part, .. } => Some(part),
    }
}

fn output(field: &FieldRef, target: &Target) -> Result<Output> {
    if field.name == ID_COLUMN {
        return Ok(Output::Id);
    }
    let (part, column) = check::column(field, target)?;
    Ok(Output::Column { part, column: position(target, part, column.field) })
}

fn position(target: &Target, part: usize, field: usize) -> usize {
    // The column was found in this part just before.
    target.part(part).position_of_field(field).unwrap_or_default()
}

fn needing(field: &FieldRef, target: &Target, operation: Operation, scan: bool) -> Result<Output> {
    if field.name == ID_COLUMN {
        return Ok(Output::Id);
    }
    let (part, column) = check::column(field, target)?;
    check::capable(target, part, column, operation, scan || field.scan)?;
    Ok(Output::Column { part, column: position(target, part, column.field) })
}

fn sortable(field: &FieldRef, target: &Target, scan: bool) -> Result<Output> {
    needing(field, target, Operation::Sort, scan)
}

/// How deep each list of a hybrid is read: ten times what is wanted, at least 100.
fn hybrid_depth(k: usize) -> usize {
    (k * 10).clamp(100, 10_000)
}

fn search(spec: &SearchSpec, query: &QuerySpec, target: &Target, prefer: usize) -> Result<PlannedSearch> {
    let named = |field: &FieldRef, e: Error| e.of_entity(target.routing.entity.name).at_field(field.name.to_string());
    match spec {
        SearchSpec::Near { field, vector, k } => {
            let (part, column) = check::column(field, target)?;
            let metric = check::vector(vector, column, *k).map_err(|e| named(field, e))?;
            check::capable(target, part, column, Operation::Near, query.scan || field.scan)?;
            let column = position(target, part, column.field);
            Ok(PlannedSearch::Near { part, column, vector: vector.as_slice().into(), metric, k: *k })
        }
        // The text has no vector before it is embedded, and then the query is planned again: until then some vector stands
        // in for it, so that all else is checked and explained.
        SearchSpec::NearText { field, k, .. } => {
            let vector = check::stand_in(field, target)?;
            search(&SearchSpec::Near { field: field.clone(), vector, k: *k }, query, target, prefer)
        }
        SearchSpec::Matches { field, text, k } => {
            check::k_in_bounds(*k).map_err(|e| named(field, e))?;
            let test = Test {
                field: field.name.clone(),
                on: field.on.clone(),
                scan: field.scan,
                ..Test::new("", Condition::Matches(text.clone()))
            };
            let filter = query.filter.clone().and(Filter::Test(test));
            check::filter(&filter, target, query.scan)?;
            let words = crate::types::words(text).collect();
            Ok(PlannedSearch::Matches { groups: split(&filter, target, prefer)?, text: output(field, target)?, words, k: *k })
        }
        SearchSpec::Hybrid { searches, k } => {
            check::k_in_bounds(*k)?;
            if searches.is_empty() {
                return Err(Error::new(ErrorKind::InvalidQuery, "hybrid needs at least one search"));
            }
            let depth = hybrid_depth(*k);
            let deep = |s: &SearchSpec| match s.clone() {
                SearchSpec::Near { field, vector, k } => Ok(SearchSpec::Near { field, vector, k: k.max(depth) }),
                SearchSpec::NearText { field, text, k } => Ok(SearchSpec::NearText { field, text, k: k.max(depth) }),
                SearchSpec::Matches { field, text, k } => Ok(SearchSpec::Matches { field, text, k: k.max(depth) }),
                SearchSpec::Hybrid { .. } => Err(Error::new(ErrorKind::InvalidQuery, "hybrid searches cannot be nested")),
            };
            let searches = searches.iter().map(|s| search(&deep(s)?, query, target, prefer)).collect::<Result<_>>()?;
            Ok(PlannedSearch::Hybrid { searches, k: *k })
        }
    }
}

fn aggregate(spec: &AggregateSpec, target: &Target, scan: bool) -> Result<PlannedAggregate> {
    let keys = spec.keys.iter().map(|f| needing(f, target, Operation::GroupBy, scan)).collect::<Result<_>>()?;
    let mut specs = spec.measures.clone();
    let selected = specs.len();
    if let Some(having) = &spec.having {
        add_measures(having, &mut specs);
    }
    let measure = |m: &MeasureSpec| {
        let operation = match m.function {
            AggregateFunction::Count => Operation::IsNull,
            AggregateFunction::CountDistinct => Operation::GroupBy,
            AggregateFunction::Sum | AggregateFunction::Avg => Operation::Sum,
            AggregateFunction::Min | AggregateFunction::Max => Operation::MinMax,
        };
        match &m.field {
            None if m.function == AggregateFunction::Count => Ok(PlannedMeasure { function: m.function, over: None }),
            None => Err(Error::new(ErrorKind::InvalidQuery, "only count works without a field")),
            Some(field) => Ok(PlannedMeasure { function: m.function, over: Some(needing(field, target, operation, scan)?) }),
        }
    };
    let measures = specs.iter().map(measure).collect::<Result<_>>()?;
    Ok(PlannedAggregate { keys, measures, selected, having: spec.having.clone(), specs })
}

fn add_measures(having: &HavingSpec, specs: &mut Vec<MeasureSpec>) {
    match having {
        HavingSpec::And(parts) | HavingSpec::Or(parts) => parts.iter().for_each(|p| add_measures(p, specs)),
        HavingSpec::Not(inner) => add_measures(inner, specs),
        HavingSpec::Test(measure, _) if !specs.contains(measure) => specs.push(measure.clone()),
        HavingSpec::Test(..) => {}
    }
}

impl PlannedSearch {
    /// How many rows it gives.
    pub fn k(&self) -> usize {
        match self {
            PlannedSearch::Near { k, .. } | PlannedSearch::Matches { k, .. } | PlannedSearch::Hybrid { k, .. } => *k,
        }
    }
}
