use super::ExistingTable;
use crate::capability::Placement;
use crate::capability::placement::Placed;
use crate::types::{FieldType, LogicalType, Metric, Value};

/// An entity as `#[derive(Entity)]` describes it. All data, no code but defaults.
#[derive(Clone, Copy, Debug)]
pub struct EntitySchema {
    /// The entity's name: the struct's in snake_case, or `#[entity(name = "…")]`.
    pub name: &'static str,
    /// The fields without `object_id`, in the struct's order; after them those that the runtime keeps beside them.
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
    /// What backends are told of the entity.
    pub options: &'static [BackendOption],
}

/// What one backend is told of an entity: `#[entity(options(search(refresh = "immediate")))]`. The backend's kind says which
/// options it has; one that it does not have is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackendOption {
    /// The backend's name in the layout.
    pub backend: &'static str,
    /// The option.
    pub name: &'static str,
    /// Its value.
    pub value: &'static str,
}

impl EntitySchema {
    /// A schema with nothing but a name and fields: what the derive starts from.
    pub const fn new(name: &'static str, fields: &'static [FieldSchema]) -> Self {
        EntitySchema {
            name,
            fields,
            id: IdSource::Random,
            owner: None,
            indexes: &[],
            uniques: &[],
            existing: None,
            read_only: false,
            options: &[],
        }
    }

    /// How many fields the struct has: those that the runtime keeps beside them come after.
    pub fn visible(&self) -> usize {
        self.fields.iter().take_while(|f| !f.hidden).count()
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
    /// How it is embedded, if it is an embedding.
    pub embedding: Option<EmbeddingSchema>,
    /// Whether the struct does not have it: the runtime keeps it beside another field.
    pub hidden: bool,
}

/// How a vector follows from other fields: `#[compute(embed, from(title, body))]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddingSchema {
    /// The embedder's name in the workspace; `default` where the attribute gives none.
    pub embedder: &'static str,
    /// The fields whose text is embedded, in this order.
    pub sources: &'static [&'static str],
    /// The hidden field that holds the digest of what was embedded, and by which model.
    pub digest: &'static str,
}

/// Characters of a digest in storage.
const DIGEST_CHARACTERS: u32 = 32;

// What the derive writes are calls and not struct literals: of ten fields these take the compiler a third of the time.
impl FieldSchema {
    /// A field, not placed yet.
    pub const fn new(name: &'static str, logical: LogicalType, nullable: bool) -> Self {
        FieldSchema {
            name,
            stored_name: name,
            logical,
            nullable,
            placements: &[],
            default: None,
            computed: false,
            embedding: None,
            hidden: false,
        }
    }

    /// A field of a Rust type, in its places: what the derive starts from.
    pub const fn of(name: &'static str, of: FieldType, placements: &'static [PlacementSchema]) -> Self {
        let FieldType { logical, nullable } = of;
        FieldSchema { placements, ..FieldSchema::new(name, logical, nullable) }
    }

    /// The hidden field beside an embedding, in the embedding's place.
    pub const fn digest(name: &'static str, placements: &'static [PlacementSchema]) -> Self {
        let logical = LogicalType::TEXT.with_text_max(DIGEST_CHARACTERS);
        FieldSchema { placements, hidden: true, ..FieldSchema::new(name, logical, true) }
    }

    /// The same field under another name in storage.
    #[must_use]
    pub const fn stored_as(mut self, name: &'static str) -> Self {
        self.stored_name = name;
        self
    }

    /// The same field with another length limit, where it is text.
    #[must_use]
    pub const fn with_text_max(mut self, max: u32) -> Self {
        self.logical = self.logical.with_text_max(max);
        self
    }

    /// The same field with other digits, where it is decimal.
    #[must_use]
    pub const fn with_decimal(mut self, precision: u8, scale: u8) -> Self {
        self.logical = self.logical.with_decimal(precision, scale);
        self
    }

    /// The same field with a value for rows that were written before it existed.
    #[must_use]
    pub const fn with_default(mut self, default: fn() -> Value) -> Self {
        self.default = Some(default);
        self
    }

    /// The same field, computed at write.
    #[must_use]
    pub const fn computed(mut self) -> Self {
        self.computed = true;
        self
    }

    /// The same field, embedded from others at write.
    #[must_use]
    pub const fn embedded(mut self, embedding: EmbeddingSchema) -> Self {
        self.computed = true;
        self.embedding = Some(embedding);
        self
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

    /// The same place, of a copy.
    #[must_use]
    pub const fn copied(mut self) -> Self {
        self.copy = true;
        self
    }

    /// The same place with an index; the method is empty for the backend's usual one.
    #[must_use]
    pub const fn indexed(mut self, method: &'static str, parameters: &'static [(&'static str, i64)]) -> Self {
        self.index = Some(Index { method, parameters });
        self
    }

    /// The same place, where no two rows may hold the same value.
    #[must_use]
    pub const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// The same place, searched by this metric.
    #[must_use]
    pub const fn ranked(mut self, metric: Metric) -> Self {
        self.metric = Some(metric);
        self
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
