//! Random entities, values, conditions and queries: seeded, and full of what goes wrong.

mod conditions;
mod entity;
mod values;

pub use conditions::{condition, filter, test};
pub use entity::{Spec, logicals, specs_of};
pub use values::{Manners, id, value};
