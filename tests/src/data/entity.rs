//! Entities made by hand, as the derive would describe them.

use heavenbase::capability::Placement;
use heavenbase::capability::table::TABLE;
use heavenbase::schema::{EntitySchema, FieldSchema, Index, PlacementSchema};
use heavenbase::types::{LogicalType, Metric, Value};

/// The index that a backend chooses.
const USUAL: Index = Index { method: "", parameters: &[] };

/// One field to be.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// Its type.
    pub logical: LogicalType,
    /// How it lies.
    pub placement: Placement,
    /// Whether it may be null.
    pub nullable: bool,
    /// Whether it has an index.
    pub index: bool,
    /// Which one.
    pub method: Index,
    /// Whether its values are unique.
    pub unique: bool,
    /// The metric of a vector.
    pub metric: Option<Metric>,
    /// The value of older rows.
    pub default: Option<fn() -> Value>,
}

impl Spec {
    /// A nullable field in this placement.
    pub fn new(name: impl Into<String>, logical: LogicalType, placement: Placement) -> Self {
        Spec {
            name: name.into(),
            logical,
            placement,
            nullable: true,
            index: false,
            method: USUAL,
            unique: false,
            metric: None,
            default: None,
        }
    }

    /// The same, never null.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// The same with an index.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        self.index = true;
        self
    }

    /// The same with this index.
    #[must_use]
    pub fn indexed_by(mut self, method: Index) -> Self {
        (self.index, self.method) = (true, method);
        self
    }

    /// The same with unique values.
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// The same, ranked by this metric.
    #[must_use]
    pub fn ranked(mut self, metric: Metric) -> Self {
        self.metric = Some(metric);
        self
    }

    /// The same with a default for older rows.
    #[must_use]
    pub fn defaulted(mut self, default: fn() -> Value) -> Self {
        self.default = Some(default);
        self
    }

    fn field(&self) -> FieldSchema {
        let name: &'static str = leak(self.name.clone());
        let place = PlacementSchema {
            backend: "",
            placement: self.placement,
            copy: false,
            index: self.index.then_some(self.method),
            unique: self.unique,
            metric: self.metric,
        };
        FieldSchema {
            placements: Box::leak(Box::new([place])),
            default: self.default,
            ..FieldSchema::new(name, self.logical, self.nullable)
        }
    }

    /// An entity of these fields. Schemas live as long as the program, as the derive's do.
    pub fn entity(name: &str, specs: &[Spec]) -> EntitySchema {
        let fields: Vec<FieldSchema> = specs.iter().map(Spec::field).collect();
        EntitySchema::new(leak(name.to_owned()), Box::leak(fields.into_boxed_slice()))
    }
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// The logical types that stand for a class.
pub fn logicals(class: &str) -> Vec<LogicalType> {
    match class {
        "Id" => vec![LogicalType::Id],
        "Ref" => vec![LogicalType::Ref("other")],
        "Bool" => vec![LogicalType::Bool],
        "Int" => vec![LogicalType::INT, LogicalType::Int { min: -128, max: 127 }],
        "Float" => vec![LogicalType::Float],
        "Decimal" => vec![LogicalType::DECIMAL, LogicalType::Decimal { precision: 12, scale: 2 }],
        "Text" => vec![LogicalType::Text { max: 255 }, LogicalType::TEXT],
        "Time" => vec![LogicalType::Timestamp, LogicalType::Date, LogicalType::Duration],
        "Uuid" => vec![LogicalType::Uuid],
        "Category" => vec![LogicalType::Category(&["red", "Red", "green", "it's", "blau-grün"])],
        "Bytes" => vec![LogicalType::Bytes],
        "Json" => vec![LogicalType::Json],
        "List" => vec![
            LogicalType::List(&LogicalType::TEXT),
            LogicalType::List(&LogicalType::INT),
            LogicalType::List(&LogicalType::Float),
            LogicalType::List(&LogicalType::Uuid),
        ],
        "Vector" => vec![LogicalType::Vector(4)],
        _ => Vec::new(),
    }
}

/// Every field that a kind of backend stores, of one class or (with `None`) of all: each type in each placement;
/// nullable, nullable with an index, and never null.
pub fn specs_of(kind: &str, class: Option<&str>) -> Vec<Spec> {
    let mut specs = Vec::new();
    let Some(backend) = TABLE.iter().find(|rows| rows.backend == kind) else { return specs };
    for row in backend.rows {
        for name in row.classes.iter().filter(|name| class.is_none_or(|class| class == **name)) {
            for logical in logicals(name) {
                let mut add = |nullable: bool, index: bool, metric: Option<Metric>| {
                    let name = format!("{}{}", name.to_lowercase(), specs.len());
                    let spec = Spec { nullable, index, metric, ..Spec::new(name, logical, row.placement) };
                    specs.push(spec);
                };
                if row.placement == Placement::VectorIndex {
                    backend.metrics.iter().for_each(|metric| add(true, false, Some(*metric)));
                    backend.metrics.iter().for_each(|metric| add(false, true, Some(*metric)));
                } else {
                    add(true, false, None);
                    add(true, orders(&logical), None);
                    add(false, false, None);
                }
            }
        }
    }
    specs
}

/// Whether an index on such a field means something everywhere.
fn orders(logical: &LogicalType) -> bool {
    // Long text and what has no order cannot be indexed by every engine.
    !matches!(
        logical,
        LogicalType::Bytes | LogicalType::Json | LogicalType::List(_) | LogicalType::Vector(_) | LogicalType::Text { max: 256.. }
    )
}
