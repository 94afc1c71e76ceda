//! Query + routing + capabilities -> a plan: which backend is asked what, and what is left to do after.

mod check;
mod cursor;
mod explain;
mod resolve;
mod split;
mod totals;

pub use cursor::{decode_cursor, encode_cursor};
pub use explain::{Explain, Purpose, Step, StepCounters};
pub(crate) use resolve::part_of;
pub use resolve::{Output, Plan, PlannedAggregate, PlannedMeasure, PlannedOrder, PlannedSearch};
pub use split::{Group, Tree};
pub use totals::Totals;

use std::sync::Arc;

use crate::driver::{Description, Driver};
use crate::schema::{Part, Routing};

/// An entity laid out over connected backends: what plans are made for.
#[derive(Clone)]
pub struct Target {
    /// Where the parts lie; the owner's first.
    pub routing: Routing,
    /// The driver of each part.
    pub drivers: Vec<Arc<dyn Driver>>,
    /// How many rows the parts have, as last counted.
    pub totals: Arc<Totals>,
}

impl Target {
    /// Parts, each with its driver.
    pub fn new(routing: Routing, drivers: Vec<Arc<dyn Driver>>) -> Self {
        Target { routing, drivers, totals: Arc::default() }
    }

    /// The part that decides whether a row exists.
    pub const OWNER: usize = 0;

    /// A part.
    pub fn part(&self, part: usize) -> &Arc<Part> {
        &self.routing.parts[part]
    }

    /// A part's driver.
    pub fn driver(&self, part: usize) -> &Arc<dyn Driver> {
        &self.drivers[part]
    }

    /// What a part's driver is.
    pub fn describe(&self, part: usize) -> &Description {
        self.drivers[part].description()
    }

    /// Number of parts.
    pub fn len(&self) -> usize {
        self.drivers.len()
    }

    /// Whether there is no part: never, an entity has an owner.
    pub fn is_empty(&self) -> bool {
        self.drivers.is_empty()
    }

    /// The part that holds a field (by its position in the entity), and the column there: the truth, or the copy on the
    /// named backend.
    pub fn locate(&self, field: usize, on: Option<&str>) -> Option<(usize, usize)> {
        self.routing.parts.iter().enumerate().find_map(|(p, part)| {
            let column = part.columns.iter().position(|c| c.field == field && on.map_or(!c.copy, |name| part.backend == name))?;
            Some((p, column))
        })
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("routing", &self.routing).finish_non_exhaustive()
    }
}
