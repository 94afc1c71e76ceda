use super::ExistingTable;
use crate::capability::Placement;
use crate::capability::placement::Placed;
use crate::types::{LogicalType, Metric, Value};

/// An entity as `#[derive(Entity)]` describes it. All data, no code but defaults.
#[derive(Clone, Copy, Debug)]
pub struct EntitySchema {
    /// The entity's name: the struct's in snake_case, or `#[entity(name = "…")]`.
    pub name: &'static str,
    /// The fields without `object_id`, in the struct's order.
    pub fields: &'static [FieldSchema],
    /// Where an id comes from when the caller gives none.
    pub id: IdSource,
    /// The owner backend, when it is not the layout's default.
    pub owner: Option<&'static str>,
    /// Indexes over several fields.
    pub indexes: &'static [&'static [&'static str]],
    /// Groups of fields whose values are unique together.
    pub uniques: &'static [&'static [&'static str]],
    /// The table that exists already and holds the rows, where there is one: never created or altered.
    pub existing: Option<ExistingTable>,
    /// Whether writes are refused.
    pub read_only: bool,
}

impl EntitySchema {
    /// A schema with nothing but a name and fields: what the derive starts from.
    pub const fn new(name: &'static str, fields: &'static [FieldSchema]) -> Self {
        EntitySchema { name, fields, id: IdSource::Random, owner: None, indexes: &[], uniques: &[], existing: None, read_only: false }
    }

    /// A field and its position, by name.
    pub fn field(&self, name: &str) -> Option<(usize, &'static FieldSchema)> {
        self.fields.iter().enumerate().find(|(_, f)| f.name == name)
    }
}

/// One field of an entity.
#[derive(Clone, Copy, Debug)]
pub struct FieldSchema {
    /// The field's name in the struct.
    pub name: &'static str,
    /// Its name in storage: the same, or `#[store(name = "…")]`.
    pub stored_name: &'static str,
    /// Its logical type with parameters.
    pub logical: LogicalType,
    /// Whether it may be null.
    pub nullable: bool,
    /// Where it lies; the first is the truth, the others are copies.
    pub placements: &'static [PlacementSchema],
    /// The value of rows that were written before the field existed.
    pub default: Option<fn() -> Value>,
    /// Whether it is computed at write.
    pub computed: bool,
}

impl FieldSchema {
    /// A field, not placed yet: what the derive starts from.
    pub const fn new(name: &'static str, logical: LogicalType, nullable: bool) -> Self {
        FieldSchema { name, stored_name: name, logical, nullable, placements: &[], default: None, computed: false }
    }
}

/// One place where a field lies.
#[derive(Clone, Copy, Debug)]
pub struct PlacementSchema {
    /// The backend's name in the layout; empty for the layout's default.
    pub backend: &'static str,
    /// How the field lies there.
    pub placement: Placement,
    /// Whether this is a copy, which can be rebuilt from the truth.
    pub copy: bool,
    /// The index asked for.
    pub index: Option<Index>,
    /// Whether no two rows may hold the same value (nulls apart).
    pub unique: bool,
    /// The metric of a vector field.
    pub metric: Option<Metric>,
}

impl PlacementSchema {
    /// A field's truth on a backend, with nothing asked for: what the derive starts from.
    pub const fn of<P: Placed>(backend: &'static str) -> Self {
        PlacementSchema { backend, placement: P::PLACEMENT, copy: false, index: None, unique: false, metric: None }
    }
}

/// An index on a field: `index`, or `index = hnsw(m = 16, ef_construction = 64)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Index {
    /// The method, empty for the backend's usual one.
    pub method: &'static str,
    /// The method's parameters.
    pub parameters: &'static [(&'static str, i64)],
}

/// Where an id comes from when the caller gives none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum IdSource {
    /// A UUIDv7.
    Random,
    /// A digest of the entity's name and these fields: the same values give the same id.
    From(&'static [&'static str]),
}
