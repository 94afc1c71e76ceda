//! The table's answers at run time, for tools and for code that is not typed.

use serde::{Deserialize, Serialize};

use super::table::{Row, TABLE};
use super::{Operation, Placement, class};
use crate::types::Logical;

/// How a backend runs an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// By the backend itself.
    Native,
    /// By reading every row, where the query says `.scan()`.
    Scan,
    /// Not at all: it is not stored there, or the operation means nothing on this type.
    No,
}

/// Which backends store the type `T` and run the operation, and how, in the table's order.
///
/// ```
/// use heavenbase::capability::{self, op};
/// use heavenbase::types::Vector;
/// let found = capability::backends::<Vector<3>>(op::Near);
/// assert!(found.iter().any(|(name, _)| *name == "inmem"));
/// ```
pub fn backends<T: Logical>(operation: impl Into<Operation>) -> Vec<(&'static str, Support)> {
    let operation = operation.into();
    let best = |backend| placements_of(backend, T::TYPE.class()).map(|p| support(backend, operation, T::TYPE.class(), p)).min_by_key(rank);
    TABLE.iter().filter_map(|b| Some((b.backend, best(b.backend)?))).filter(|(_, s)| *s != Support::No).collect()
}

/// In which placements a backend (by kind: `"sqlite"`) stores the type `T`.
pub fn placements<T: Logical>(backend: &str) -> Vec<Placement> {
    placements_of(backend, T::TYPE.class()).collect()
}

/// Which operations a backend runs on the type `T` in a placement, and how.
pub fn operations<T: Logical>(placement: impl Into<Placement>, backend: &str) -> Vec<(Operation, Support)> {
    let placement = placement.into();
    let answer = |op: &Operation| (*op, support(backend, *op, T::TYPE.class(), placement));
    Operation::ALL.iter().map(answer).filter(|(_, s)| *s != Support::No).collect()
}

/// How a backend runs one operation on the type `T` in a placement.
pub fn supports<T: Logical>(operation: impl Into<Operation>, placement: impl Into<Placement>, backend: &str) -> Support {
    support(backend, operation.into(), T::TYPE.class(), placement.into())
}

/// The same by the class's name: the question under all others.
pub fn support(backend: &str, operation: Operation, class: &str, placement: Placement) -> Support {
    let Some(row) = row(backend, class, placement) else { return Support::No };
    if row.native.contains(&operation) {
        Support::Native
    } else if class::MEANINGS.iter().any(|(name, ops)| *name == class && ops.contains(&operation)) {
        Support::Scan
    } else {
        Support::No
    }
}

fn row(backend: &str, class: &str, placement: Placement) -> Option<&'static Row> {
    let rows = TABLE.iter().find(|b| b.backend == backend)?.rows;
    rows.iter().find(|r| r.placement == placement && r.classes.contains(&class))
}

fn placements_of(backend: &str, class: &'static str) -> impl Iterator<Item = Placement> + use<> {
    let rows = TABLE.iter().find(|b| b.backend == backend).map_or(&[][..], |b| b.rows);
    rows.iter().filter(move |r| r.classes.contains(&class)).map(|r| r.placement)
}

fn rank(support: &Support) -> u8 {
    match support {
        Support::Native => 0,
        Support::Scan => 1,
        Support::No => 2,
    }
}
