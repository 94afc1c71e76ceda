//! What a plan says of itself: as data, and as a tree that a person likes to read.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::resolve::{Plan, PlannedSearch, part_of};
use super::split::{Group, Tree};
use super::{Output, Target};
use crate::driver::{Aggregate, Measure, NearQuery, OrderKey, SortKey, SubQuery};
use crate::filter::Filter;

/// Why a backend is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Rows that satisfy its conditions.
    Filter,
    /// Rows in the order asked for.
    Order,
    /// The nearest rows.
    Near,
    /// Which of some ids satisfy its conditions.
    Probe,
    /// The values of rows found.
    Hydrate,
    /// Groups and numbers.
    Aggregate,
    /// Which of some ids are rows.
    Exists,
    /// How many rows a side has, counted up to a bound.
    Estimate,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Purpose::Filter => "filter",
            Purpose::Order => "order",
            Purpose::Near => "near",
            Purpose::Probe => "probe ids",
            Purpose::Hydrate => "fetch by id",
            Purpose::Aggregate => "aggregate",
            Purpose::Exists => "check owner",
            Purpose::Estimate => "estimate",
        }
    }
}

/// One kind of request to one backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The backend's name in the layout.
    pub backend: String,
    /// Its kind.
    pub kind: String,
    /// Why it is asked.
    pub purpose: Purpose,
    /// The native text, with placeholders for bound values.
    pub text: String,
    /// Whether the backend does all of it itself.
    pub native: bool,
    /// What it does not do, and what is done instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// At most so many rows are expected, where the query bounds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_rows: Option<usize>,
    /// What was counted, after `explain_analyze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<StepCounters>,
}

/// What was counted while a step ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepCounters {
    /// Rows that came back.
    pub rows: u64,
    /// Bytes that came back, roughly.
    pub bytes: u64,
    /// Requests.
    pub round_trips: u64,
    /// Ids sent along.
    pub ids_pushed: u64,
    /// The rung of the ladder: ids pushed as one `list` or in `chunks`, or a `merge` of sides in id order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<String>,
    /// Time spent waiting for it, in microseconds.
    pub micros: u64,
}

/// How a query is run: made before by `explain`, and with counters after by `explain_analyze`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explain {
    /// The entity.
    pub entity: String,
    /// How the parts are put together.
    pub strategy: String,
    /// The requests.
    pub steps: Vec<Step>,
    /// Result rows, after `explain_analyze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// The whole time in microseconds, after `explain_analyze`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micros: Option<u64>,
}

impl Explain {
    /// Describes a plan before it runs.
    pub fn of(plan: &Plan, target: &Target) -> Explain {
        let mut explain =
            Explain { entity: target.routing.entity.name.to_owned(), strategy: String::new(), steps: Vec::new(), rows: None, micros: None };
        match (&plan.search, &plan.aggregate) {
            (Some(search), _) => explain.search(search, plan, target),
            (None, Some(_)) => explain.aggregate(plan, target),
            (None, None) => explain.rows(plan, target),
        }
        explain.hydration(plan, target);
        explain
    }

    fn add(&mut self, target: &Target, part: usize, purpose: Purpose, wanted: &SubQuery) {
        if self.steps.iter().any(|s| s.purpose == purpose && s.backend == target.part(part).backend) {
            return;
        }
        let taken = target.driver(part).plan(target.part(part), wanted);
        let mut left = Vec::new();
        if !taken.remainder.is_all() {
            left.push("conditions checked on every row read");
        }
        if !wanted.order.is_empty() && !taken.order {
            left.push("sorted after reading");
        }
        if wanted.near.is_some() && !taken.near {
            left.push("vectors compared after reading");
        }
        self.steps.push(Step {
            backend: target.part(part).backend.to_owned(),
            kind: target.part(part).kind.to_owned(),
            purpose,
            text: taken.text,
            native: left.is_empty(),
            reason: (!left.is_empty()).then(|| format!("scan: {}", left.join(", "))),
            estimated_rows: wanted.limit.or(wanted.near.as_ref().map(|n| n.k)),
            counters: None,
        });
    }

    fn groups(&mut self, groups: &[Group], target: &Target) {
        for group in groups {
            match group {
                Group::Part { part, filter } => self.add(target, *part, Purpose::Filter, &filtered(filter)),
                Group::Tree(tree) => self.tree(tree, target),
            }
        }
    }

    fn tree(&mut self, tree: &Tree, target: &Target) {
        match tree {
            Tree::And(parts) | Tree::Or(parts) => parts.iter().for_each(|t| self.tree(t, target)),
            Tree::Not(inner) => {
                self.add(target, Target::OWNER, Purpose::Exists, &SubQuery::default());
                self.tree(inner, target);
            }
            Tree::Leaf { part, filter } => self.add(target, *part, Purpose::Filter, &filtered(filter)),
        }
    }

    fn rows(&mut self, plan: &Plan, target: &Target) {
        let order_part = plan.order.iter().find_map(|o| part_of(o.key));
        let single = match plan.groups.as_slice() {
            [] => true,
            [Group::Part { part, .. }] => order_part.is_none_or(|o| o == *part),
            _ => false,
        };
        self.strategy = match (single, order_part) {
            (true, _) => "one backend decides the rows and their order".to_owned(),
            (false, None) => "ids of the smallest side are pushed to the others; sides of like size are merged in id order".to_owned(),
            (false, Some(_)) => {
                "the smaller side first: few ids are pushed to the order's backend, else its order is read and probed".to_owned()
            }
        };
        if let (true, filter) = (single, plan.groups.first()) {
            let (part, filter) = match filter {
                Some(Group::Part { part, filter }) => (*part, filter.clone()),
                _ => (order_part.or(plan.outputs.iter().copied().find_map(part_of)).unwrap_or(Target::OWNER), Filter::all()),
            };
            let purpose = if plan.order.is_empty() { Purpose::Filter } else { Purpose::Order };
            let wanted = SubQuery {
                filter,
                order: order_keys(plan),
                limit: plan.limit.map(|l| l.saturating_add(plan.offset)),
                ..SubQuery::default()
            };
            self.add(target, part, purpose, &wanted);
            return;
        }
        self.groups(&plan.groups, target);
        if let Some(part) = order_part {
            self.add(target, part, Purpose::Order, &SubQuery { order: order_keys(plan), ..SubQuery::default() });
        }
    }

    fn search(&mut self, search: &PlannedSearch, plan: &Plan, target: &Target) {
        match search {
            PlannedSearch::Near { part, column, vector, metric, k } => {
                let own = |g: &Group| match g {
                    Group::Part { part: p, filter } if p == part => Some(filter.clone()),
                    _ => None,
                };
                let filter = plan.groups.iter().find_map(own).unwrap_or_default();
                let near = NearQuery { column: *column, vector: vector.clone(), metric: *metric, k: *k, exact: plan.exact };
                let others: Vec<Group> = plan.groups.iter().filter(|g| own(g).is_none()).cloned().collect();
                if self.strategy.is_empty() {
                    self.strategy = if others.is_empty() {
                        "filter and search on one backend".to_owned()
                    } else {
                        "few candidates: exact over their ids; many: widened until k are found".to_owned()
                    };
                }
                self.groups(&others, target);
                self.add(target, *part, Purpose::Near, &SubQuery { filter, near: Some(near), ..SubQuery::default() });
            }
            PlannedSearch::Matches { groups, .. } => {
                if self.strategy.is_empty() {
                    self.strategy = "all rows that hold every word, scored by their text".to_owned();
                }
                self.groups(groups, target);
            }
            PlannedSearch::Hybrid { searches, .. } => {
                let depths: Vec<String> = searches.iter().map(|s| s.k().to_string()).collect();
                self.strategy = format!("reciprocal rank (60) over lists of depth {}", depths.join(", "));
                searches.iter().for_each(|s| self.search(s, plan, target));
            }
        }
    }

    fn aggregate(&mut self, plan: &Plan, target: &Target) {
        let pushed = crate::exec::aggregate::pushed(plan, target);
        self.strategy = match &pushed {
            Some(_) => "one backend aggregates".to_owned(),
            None => "rows are merged and aggregated here".to_owned(),
        };
        match pushed {
            Some((part, aggregate)) => self.steps.push(aggregate_step(target, part, &aggregate)),
            None => self.groups(&plan.groups, target),
        }
    }

    fn hydration(&mut self, plan: &Plan, target: &Target) {
        let aggregated = plan.aggregate.iter().flat_map(|a| a.keys.iter().copied().chain(a.measures.iter().filter_map(|m| m.over)));
        let wanted: Vec<usize> = plan.outputs.iter().copied().chain(aggregated).filter_map(part_of).collect();
        let deciding: Vec<String> = self.steps.iter().map(|s| s.backend.clone()).collect();
        let single = deciding.len() == 1;
        for part in (0..target.len()).filter(|p| wanted.contains(p)) {
            let here = deciding.iter().any(|name| name == target.part(part).backend);
            let aggregated = matches!(self.steps.as_slice(), [Step { purpose: Purpose::Aggregate, .. }]);
            if !(aggregated || single && here) {
                self.plain(target, part, Purpose::Hydrate, plan.limit);
            }
        }
        let owner = target.part(Target::OWNER).backend;
        if !self.steps.iter().any(|s| s.backend == owner) {
            self.plain(target, Target::OWNER, Purpose::Exists, plan.limit);
        }
    }

    fn plain(&mut self, target: &Target, part: usize, purpose: Purpose, estimated_rows: Option<usize>) {
        self.steps.push(Step { estimated_rows, ..Step::unasked(target, part, purpose) });
    }
}

impl Step {
    /// A request that needs no words of the driver: rows by id, or how many there are.
    pub(crate) fn unasked(target: &Target, part: usize, purpose: Purpose) -> Step {
        let held = target.part(part);
        let text = match purpose {
            Purpose::Estimate => format!("count of {}, up to a bound", held.table),
            _ => format!("{} by id", held.table),
        };
        Step {
            backend: held.backend.to_owned(),
            kind: held.kind.to_owned(),
            purpose,
            text,
            native: true,
            reason: None,
            estimated_rows: None,
            counters: None,
        }
    }
}

fn aggregate_step(target: &Target, part: usize, aggregate: &Aggregate) -> Step {
    let held = target.part(part);
    let name = |column: &usize| held.columns.get(*column).map_or("?", |c| c.name);
    let measure = |m: &Measure| format!("{:?}({})", m.function, m.column.as_ref().map_or("*", name)).to_lowercase();
    let measures: Vec<String> = aggregate.measures.iter().map(measure).collect();
    let keys: Vec<&str> = aggregate.keys.iter().map(name).collect();
    let by = if keys.is_empty() { String::new() } else { format!(" by {}", keys.join(", ")) };
    Step {
        backend: held.backend.to_owned(),
        kind: held.kind.to_owned(),
        purpose: Purpose::Aggregate,
        text: format!("{}{by} of {}", measures.join(", "), held.table),
        native: true,
        reason: None,
        estimated_rows: None,
        counters: None,
    }
}

fn filtered(filter: &Filter) -> SubQuery {
    SubQuery { filter: filter.clone(), ids_only: true, ..SubQuery::default() }
}

fn order_keys(plan: &Plan) -> Vec<OrderKey> {
    let key = |key| match key {
        Output::Id => SortKey::Id,
        Output::Column { column, .. } => SortKey::Column(column),
    };
    plan.order.iter().map(|o| OrderKey { key: key(o.key), descending: o.descending }).collect()
}

impl fmt::Display for Explain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query {}", self.entity)?;
        if let Some(rows) = self.rows {
            write!(f, "  {rows} rows")?;
        }
        if let Some(micros) = self.micros {
            write!(f, "  {}", time(micros))?;
        }
        write!(f, "\n│  {}", self.strategy)?;
        for (i, step) in self.steps.iter().enumerate() {
            let last = i + 1 == self.steps.len();
            let (branch, bar) = if last { ("└─", "  ") } else { ("├─", "│ ") };
            let mode = if step.native { "native" } else { "scan" };
            write!(f, "\n{branch} {} ({})  {}  [{mode}]", step.backend, step.kind, step.purpose.name())?;
            if let Some(rows) = step.estimated_rows {
                write!(f, "  at most {rows} rows")?;
            }
            for line in step.text.lines() {
                write!(f, "\n{bar}    {line}")?;
            }
            if let Some(reason) = &step.reason {
                write!(f, "\n{bar}    {reason}")?;
            }
            if let Some(c) = &step.counters {
                write!(f, "\n{bar}    {} rows, {} B, {} round trips", c.rows, c.bytes, c.round_trips)?;
                if c.ids_pushed > 0 {
                    write!(f, ", {} ids pushed by {}", c.ids_pushed, c.rung.as_deref().unwrap_or("list"))?;
                } else if let Some(rung) = &c.rung {
                    write!(f, ", by {rung}")?;
                }
                write!(f, ", {}", time(c.micros))?;
            }
        }
        Ok(())
    }
}

fn time(micros: u64) -> String {
    if micros < 1_000 { format!("{micros} µs") } else { format!("{:.1} ms", micros as f64 / 1_000.0) }
}
