//! What an application writes: `use heavenbase::prelude::*;`

pub use crate::backends::kinds::*;
pub use crate::query::{COUNT, Entity, Layout, Predicate, Projection, Query, SCORE, Score, matching, near, near_text};
pub use crate::types::{Bytes, Date, Decimal, Duration, Id, Json, Logical, Ref, Timestamp, Uuid, Vector};
pub use crate::workspace::Workspace;
pub use heavenbase_macros::{Category, Entity, Layout, Logical, Projection};
