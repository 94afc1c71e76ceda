//! Entities, fields and layouts as data; which backend holds which part of a row; physical names.

mod entity;
mod existing;
mod layout;
mod part;
mod physical;

pub use entity::{BackendOption, EmbeddingSchema, EntitySchema, FieldSchema, IdSource, Index, PlacementSchema};
pub use existing::{ExistingTable, Key, KeyKind};
pub use layout::{Binding, LayoutEntry};
pub use part::{Column, Part, Routing};
pub use physical::{Naming, physical_name};

/// Column that holds a row's version in every part. User fields cannot have this name.
pub const VERSION_COLUMN: &str = "_hb_version";
/// What the name of the hidden field beside an embedding begins with; the field's own name follows.
pub const DIGEST_PREFIX: &str = "_hb_digest_";
/// Column that holds a row's id in every part.
pub const ID_COLUMN: &str = "object_id";
