use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::plan::{Explain, Group, Plan, Purpose, Step, StepCounters, Target};

/// What was counted of each part and purpose.
type Counters = Mutex<Vec<(usize, Purpose, StepCounters)>>;

/// Where a run changes from one way to another. Tests set small bounds, to see every way taken on few rows.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most ids that a side may have to be gathered and pushed to the others.
    pub few: usize,
    /// Rows a page at first, and rows hydrated at a time.
    pub page: usize,
    /// Ids of a side that is too large to be gathered, read and pushed at a time.
    pub chunk: usize,
    /// Most candidates whose vectors are compared one by one rather than searched for.
    pub candidates: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds { few: 4096, page: 1024, chunk: 8192, candidates: 40_000 }
    }
}

/// What one run of a plan works with: the plan, the parts, and counters if somebody wants them.
#[derive(Clone, Debug)]
pub struct Context {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The parts and their drivers.
    pub target: Arc<Target>,
    /// Whether the caller gathers all rows anyway: pages are large then.
    gathers: bool,
    /// Where the run changes its way.
    pub(super) bounds: Bounds,
    counters: Option<Arc<Counters>>,
}

impl Context {
    /// A run without counters.
    pub fn new(plan: Arc<Plan>, target: Arc<Target>) -> Self {
        Context { plan, target, gathers: false, bounds: Bounds::default(), counters: None }
    }

    /// A run that counts.
    pub fn counting(plan: Arc<Plan>, target: Arc<Target>) -> Self {
        Context { counters: Some(Arc::default()), ..Context::new(plan, target) }
    }

    /// The same run for a caller that gathers all rows: fewer, larger pages.
    #[must_use]
    pub fn gathering(self) -> Self {
        Context { gathers: true, ..self }
    }

    /// The same run with other bounds.
    #[must_use]
    pub fn within(self, bounds: Bounds) -> Self {
        Context { bounds, ..self }
    }

    /// Rows a page at first, where no limit says how many are wanted.
    pub(super) fn page_rows(&self) -> usize {
        if self.gathers { 65_536 } else { self.bounds.page }
    }

    /// The same run, counters included, for another plan over the same parts.
    pub(super) fn with_plan(&self, plan: Plan) -> Self {
        Context { plan: Arc::new(plan), ..self.clone() }
    }

    /// When a request starts, if anybody counts.
    pub(super) fn clock(&self) -> Option<Instant> {
        self.counters.as_ref().map(|_| Instant::now())
    }

    /// Counts one request; `seen` computes rows and bytes only if anybody counts.
    pub(super) fn count(&self, part: usize, purpose: Purpose, started: Option<Instant>, ids: usize, seen: impl FnOnce() -> (usize, usize)) {
        let (Some(counters), Some(started)) = (&self.counters, started) else { return };
        let (rows, bytes) = seen();
        let mut all = counters.lock();
        let step = entry(&mut all, part, purpose);
        step.rows += rows as u64;
        step.bytes += bytes as u64;
        step.round_trips += 1;
        step.ids_pushed += ids as u64;
        if ids > 0 {
            step.rung = Some(if step.round_trips > 1 { "chunks" } else { "list" }.to_owned());
        }
        step.micros += started.elapsed().as_micros() as u64;
    }

    /// Notes that what a group asks is read in id order and merged with others.
    pub(super) fn merges(&self, group: &Group) {
        let (Some(counters), Group::Part { part, .. }) = (&self.counters, group) else { return };
        entry(&mut counters.lock(), *part, Purpose::Filter).rung = Some("merge".to_owned());
    }

    /// Names part and operation in an error.
    pub(super) fn blame<T>(&self, part: usize, result: Result<T>) -> Result<T> {
        result.map_err(|e: Error| e.on_backend(self.target.part(part).backend).of_entity(self.target.routing.entity.name))
    }

    /// The plan's description with what was counted.
    pub fn explained(&self, rows: u64, micros: u64) -> Explain {
        let mut explain = Explain::of(&self.plan, &self.target);
        (explain.rows, explain.micros) = (Some(rows), Some(micros));
        for (part, purpose, counted) in self.counters.iter().flat_map(|c| c.lock().clone()) {
            let held = self.target.part(part);
            let known = explain.steps.iter_mut().find(|s| s.purpose == purpose && s.backend == held.backend);
            match known {
                Some(step) => step.counters = Some(counted),
                None => explain.steps.push(Step { counters: Some(counted), ..Step::unasked(&self.target, part, purpose) }),
            }
        }
        explain
    }
}

fn entry(all: &mut Vec<(usize, Purpose, StepCounters)>, part: usize, purpose: Purpose) -> &mut StepCounters {
    let at = all.iter().position(|(p, q, _)| (*p, *q) == (part, purpose)).unwrap_or_else(|| {
        all.push((part, purpose, StepCounters::default()));
        all.len() - 1
    });
    &mut all[at].2
}
