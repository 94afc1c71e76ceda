//! Typed fields and query builders; each becomes one plain value, a [`QuerySpec`].

mod aggregate;
mod builder;
mod entity;
mod field;
mod name;
mod predicate;
mod row;
mod selection;
mod spec;

pub use aggregate::{Aggregated, COUNT, Count, GroupKeys, Having, Measured, Measures};
pub use builder::{Detached, Query, Ranked, matching, near, near_text};
pub use entity::{Embedded, Entity, HasBackend, HasCopy, KindOf, Layout, NoCopies, ScanOfEveryRow, Scanned, Writable};
pub use field::{DefaultPlacement, Field, Length, PathValue};
pub use name::{Name, NameText, Slot};
pub use predicate::{Order, Predicate};
pub use row::{FromValues, RowCursor};
pub use selection::{Projection, SCORE, Score, Selection};
pub use spec::{AggregateSpec, FieldRef, HavingSpec, MeasureSpec, OrderSpec, QuerySpec, SearchSpec};
