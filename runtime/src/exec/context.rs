use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::plan::{Explain, Plan, Purpose, Step, StepCounters, Target};

/// What was counted of each part and purpose.
type Counters = Mutex<Vec<(usize, Purpose, StepCounters)>>;

/// What one run of a plan works with: the plan, the parts, and counters if somebody wants them.
#[derive(Clone, Debug)]
pub struct Context {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The parts and their drivers.
    pub target: Arc<Target>,
    /// Whether the caller gathers all rows anyway: pages are large then.
    gathers: bool,
    counters: Option<Arc<Counters>>,
}

impl Context {
    /// A run without counters.
    pub fn new(plan: Arc<Plan>, target: Arc<Target>) -> Self {
        Context { plan, target, gathers: false, counters: None }
    }

    /// A run that counts.
    pub fn counting(plan: Arc<Plan>, target: Arc<Target>) -> Self {
        Context { plan, target, gathers: false, counters: Some(Arc::default()) }
    }

    /// The same run for a caller that gathers all rows: fewer, larger pages.
    #[must_use]
    pub fn gathering(self) -> Self {
        Context { gathers: true, ..self }
    }

    /// Rows a page at first, where no limit says how many are wanted.
    pub(super) fn page_rows(&self) -> usize {
        if self.gathers { 65_536 } else { 1024 }
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
        let at = all.iter().position(|(p, q, _)| (*p, *q) == (part, purpose)).unwrap_or_else(|| {
            all.push((part, purpose, StepCounters::default()));
            all.len() - 1
        });
        let step = &mut all[at].2;
        step.rows += rows as u64;
        step.bytes += bytes as u64;
        step.round_trips += 1;
        step.ids_pushed += ids as u64;
        if ids > 0 {
            step.rung = Some(if step.round_trips > 1 { "chunks" } else { "list" }.to_owned());
        }
        step.micros += started.elapsed().as_micros() as u64;
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
                None => explain.steps.push(Step {
                    backend: held.backend.to_owned(),
                    kind: held.kind.to_owned(),
                    purpose,
                    text: format!("{} by id", held.table),
                    native: true,
                    reason: None,
                    estimated_rows: None,
                    counters: Some(counted),
                }),
            }
        }
        explain
    }
}
