use std::fmt;
use std::sync::Arc;

use heavenbase::backends::{Connect, InMem};
use heavenbase::capability::table::TABLE;
use heavenbase::capability::{Operation, Placement, Support, questions};
use heavenbase::driver::{WriteBatch, WriteMode};
use heavenbase::plan::Target;
use heavenbase::schema::{Binding, EntitySchema, FieldSchema, Index, Part, PlacementSchema, Routing};
use heavenbase::types::{Id, LogicalType, Metric, Value};
use heavenbase::{Error, ErrorKind, Result};

use crate::backends::{Place, Tested};
use crate::data::{self, Manners};
use crate::random::Random;
use crate::reference::Table;

/// The drivers, the rows, and the placements of the entity that hold them.
pub struct World {
    bindings: Vec<Binding>,
    /// Kept as long as the drivers live.
    _places: Vec<Place>,
    /// The whole entity as one part of the reference: no driver has it.
    pub whole: Arc<Part>,
    /// The rows.
    pub table: Table,
    /// What was written, batch by batch.
    history: Vec<WriteBatch>,
    /// The placements.
    pub placed: Vec<Placed>,
    /// A namespace that nobody else uses: servers are shared.
    namespace: Arc<str>,
    /// What all of the drivers keep.
    manners: Manners,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "World({:?}, {} rows)", self.bindings, self.table.rows.len())
    }
}

/// The entity over some of the backends.
pub struct Placed {
    /// What plans are made for.
    pub target: Arc<Target>,
}

impl fmt::Display for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.target.routing.parts {
            let columns = part.columns.iter().map(|c| format!("{} as {}{}", c.name, c.placement, if c.copy { " (copy)" } else { "" }));
            write!(f, "\n    {}{}: {}", part.backend, if part.owner { " (owner)" } else { "" }, columns.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const WORDS: LogicalType = LogicalType::Text { max: 2000 };
const FIELDS: &[(&str, LogicalType, bool, Option<Metric>)] = &[
    ("number", LogicalType::INT, true, None),
    ("rank", LogicalType::Int { min: -128, max: 127 }, false, None),
    ("price", LogicalType::Float, true, None),
    ("amount", LogicalType::Decimal { precision: 12, scale: 2 }, true, None),
    ("title", LogicalType::Text { max: 255 }, true, None),
    ("body", WORDS, false, None),
    ("flag", LogicalType::Bool, true, None),
    ("colour", LogicalType::Category(&["red", "Red", "green", "it's", "blau-gr\u{fc}n"]), false, None),
    ("moment", LogicalType::Timestamp, true, None),
    ("day", LogicalType::Date, false, None),
    ("token", LogicalType::Uuid, true, None),
    ("other", LogicalType::Ref("other"), true, None),
    ("payload", LogicalType::Json, true, None),
    ("tags", LogicalType::List(&LogicalType::TEXT), true, None),
    ("sizes", LogicalType::List(&LogicalType::INT), false, None),
    ("dot", LogicalType::Vector(4), true, Some(Metric::Dot)),
    ("near", LogicalType::Vector(4), false, Some(Metric::L2)),
    ("angle", LogicalType::Vector(4), true, Some(Metric::Cosine)),
];

/// The drivers that every other one is paired with.
pub const BESIDE: &[&str] = &["inmem", "sqlite_file"];

/// Fields that some placements have an index of, so that their sizes are known before they are read.
const INDEXED: &[&str] = &["number", "rank", "price", "title", "moment", "day", "token"];
const INDEX: Index = Index { method: "", parameters: &[] };

/// Whether a kind stores a field in a placement that does all that may be asked of it.
fn placements(kind: &str, logical: &LogicalType, metric: Option<Metric>) -> Vec<Placement> {
    let Some(backend) = TABLE.iter().find(|rows| rows.backend == kind) else { return Vec::new() };
    let stores = backend.rows.iter().filter(|row| row.classes.contains(&logical.class())).map(|row| row.placement);
    stores
        .filter(|placement| match metric {
            Some(metric) => {
                backend.metrics.contains(&metric) && questions::support(kind, Operation::Near, "Vector", *placement) == Support::Native
            }
            None => true,
        })
        .collect()
}

fn field(name: &'static str, logical: LogicalType, nullable: bool, placements: Vec<PlacementSchema>) -> FieldSchema {
    let placements = Box::leak(placements.into_boxed_slice());
    FieldSchema { placements, ..FieldSchema::new(name, logical, nullable) }
}

fn placement(backend: &'static str, placement: Placement, metric: Option<Metric>, copy: bool) -> PlacementSchema {
    PlacementSchema { backend, placement, copy, index: None, unique: false, metric }
}

impl World {
    /// Opens one of each embedded backend (two of sqlite), and makes up the rows.
    ///
    /// # Errors
    /// What the backends say.
    pub async fn new(random: &mut Random) -> Result<World> {
        let (mut bindings, mut places) = (Vec::new(), Vec::new());
        for tested in crate::backends::all().into_iter().filter(|tested| tested.variable.is_none()) {
            let place = Place::new(None).map_err(|cause| Error::new(ErrorKind::Storage, "no directory").caused_by(cause))?;
            let driver = (tested.open)(place.clone()).await?;
            bindings.push(Binding { name: tested.name, kind: tested.kind, driver });
            places.push(place);
        }
        Self::over(random, bindings, places).await
    }

    /// One backend, and memory and SQLite to lie beside it.
    ///
    /// # Errors
    /// What the backends say.
    pub async fn beside(random: &mut Random, tested: &Tested) -> Result<World> {
        let (mut bindings, mut places) = (Vec::new(), Vec::new());
        let others = crate::backends::all().into_iter().filter(|other| BESIDE.contains(&other.name));
        for tested in std::iter::once(*tested).chain(others) {
            let place = Place::new(tested.variable).map_err(|cause| Error::new(ErrorKind::Storage, "no directory").caused_by(cause))?;
            let driver = (tested.open)(place.clone()).await?;
            bindings.push(Binding { name: tested.name, kind: tested.kind, driver });
            places.push(place);
        }
        Self::keeping(random, bindings, places, tested.manners).await
    }

    /// The same over these drivers, which keep everything.
    ///
    /// # Errors
    /// What the backends say.
    pub async fn over(random: &mut Random, bindings: Vec<Binding>, places: Vec<Place>) -> Result<World> {
        Self::keeping(random, bindings, places, Manners::default()).await
    }

    /// The same over these drivers, with rows such as all of them keep.
    async fn keeping(random: &mut Random, bindings: Vec<Binding>, places: Vec<Place>, manners: Manners) -> Result<World> {
        let reference = Binding { name: "reference", kind: "inmem", driver: InMem::new().connect().await? };
        let fields: Vec<FieldSchema> = FIELDS
            .iter()
            .map(|(name, logical, nullable, metric)| {
                let place = placements("inmem", logical, *metric)[0];
                field(name, *logical, *nullable, vec![placement("reference", place, *metric, false)])
            })
            .collect();
        let entity = Box::leak(Box::new(EntitySchema::new("thing", Box::leak(fields.into_boxed_slice()))));
        let whole = Routing::new(entity, &"split".into(), "reference", &[reference])?.parts[0].clone();
        let mut world = World {
            bindings,
            _places: places,
            whole,
            table: Table::default(),
            history: Vec::new(),
            placed: Vec::new(),
            namespace: crate::conformance::namespace().into(),
            manners,
        };
        world.make_up(random);
        Ok(world)
    }

    fn make_up(&mut self, random: &mut Random) {
        let mut ids: Vec<Id> = (0..70).map(|number| data::id(random, number)).collect();
        random.shuffle(&mut ids);
        for (version, range) in [(1, 0..40), (2, 30..70), (3, 20..35)] {
            self.write(random, WriteMode::Upsert, version, ids[range].to_vec());
        }
        self.write(random, WriteMode::Delete, 4, ids[60..65].to_vec());
        self.write(random, WriteMode::Upsert, 5, ids[62..64].to_vec());
    }

    fn write(&mut self, random: &mut Random, mode: WriteMode, version: i64, ids: Vec<Id>) {
        let columns: Vec<usize> = if mode == WriteMode::Delete { Vec::new() } else { (0..FIELDS.len()).collect() };
        let values = ids.iter().flat_map(|_| columns.clone()).map(|at| self.value(random, at)).collect();
        let batch = WriteBatch { mode, version, ids, columns, values, expected: Vec::new() };
        if let Err(kind) = self.table.write(&self.whole, &batch) {
            unreachable!("made-up rows violate nothing: {kind:?}");
        }
        self.history.push(batch);
    }

    fn value(&self, random: &mut Random, at: usize) -> Value {
        let column = &self.whole.columns[at];
        if column.nullable && random.chance(20) {
            return Value::Null;
        }
        match (column.logical, column.metric) {
            // Eighths add up exactly in every order of addition: ties are ties everywhere.
            (LogicalType::Vector(length), _) => {
                let mut numbers: Vec<f32> = (0..length).map(|_| (random.below(9) as f32 - 4.0) / 8.0).collect();
                numbers[0] += if numbers.iter().all(|n| *n == 0.0) { 1.0 } else { 0.0 };
                Value::Vector(numbers.into())
            }
            (logical, metric) => data::value(random, &logical, metric, self.manners),
        }
    }

    /// Lays the entity out once more: over some of the backends, all on one SQLite at first, then all in memory.
    ///
    /// # Errors
    /// What the backends say.
    pub async fn place(&mut self, random: &mut Random, number: usize) -> Result<()> {
        let mut chosen: Vec<&Binding> = self.bindings.iter().collect();
        random.shuffle(&mut chosen);
        match number {
            0 | 1 => {
                let kind = ["sqlite", "inmem"][number];
                let one: Vec<&Binding> = chosen.iter().filter(|binding| binding.kind == kind).take(1).copied().collect();
                chosen = if one.is_empty() { chosen } else { one };
            }
            _ => chosen.truncate(2 + random.below(3)),
        }
        let chosen: Vec<&str> = chosen.into_iter().map(|binding| binding.name).collect();
        self.place_on(random, number, &chosen).await
    }

    /// Lays the entity out over these backends (what none of them can do goes to memory), writes the rows, and here and
    /// there rows that the owner does not have.
    ///
    /// # Errors
    /// What the backends say.
    pub async fn place_on(&mut self, random: &mut Random, number: usize, on: &[&str]) -> Result<()> {
        let mut chosen: Vec<&Binding> = self.bindings.iter().filter(|binding| on.contains(&binding.name)).collect();
        let mut fields = Vec::new();
        for (name, logical, nullable, metric) in FIELDS {
            let mut places: Vec<PlacementSchema> = Vec::new();
            random.shuffle(&mut chosen);
            for binding in &chosen {
                let able = placements(binding.kind, logical, *metric);
                if !able.is_empty() && (places.is_empty() || random.chance(10)) {
                    let place = placement(binding.name, *random.pick(&able), *metric, !places.is_empty());
                    let sorts = place.placement == Placement::InlineColumn && INDEXED.contains(name);
                    places.push(PlacementSchema { index: (sorts && random.chance(50)).then_some(INDEX), ..place });
                }
            }
            if places.is_empty() {
                // None of them can: memory can, which is always there.
                let memory = self.bindings.iter().find(|binding| binding.kind == "inmem").map_or("inmem", |binding| binding.name);
                let able = placements("inmem", logical, *metric);
                places.push(placement(memory, *random.pick(&able), *metric, false));
            }
            fields.push(field(name, *logical, *nullable, places));
        }
        let mut entity = EntitySchema::new(Box::leak(format!("thing{number}").into_boxed_str()), Box::leak(fields.into_boxed_slice()));
        let owner = random.pick(&chosen).name;
        entity.owner = Some(owner);
        let routing = Routing::new(Box::leak(Box::new(entity)), &self.namespace, owner, &self.bindings)?;
        let driver_of =
            |part: &Part| self.bindings.iter().find(|binding| binding.name == part.backend).map(|binding| binding.driver.clone());
        let drivers: Vec<_> = routing.parts.iter().filter_map(|part| driver_of(part)).collect();
        for (part, driver) in routing.parts.iter().zip(&drivers) {
            driver.ensure(part).await?;
            for batch in &self.history {
                driver.write(part, Arc::new(of_part(part, batch))).await?;
            }
            if !part.owner && random.chance(50) {
                let orphans = WriteBatch { ids: (0..3).map(|n| Id::from(format!("orphan{n}"))).collect(), ..self.history[0].clone() };
                let values = orphans.values[..3 * FIELDS.len()].to_vec();
                driver.write(part, Arc::new(of_part(part, &WriteBatch { values, ..orphans }))).await?;
            }
            driver.refresh(part).await?;
        }
        self.placed.push(Placed { target: Arc::new(Target::new(routing, drivers)) });
        Ok(())
    }
}

impl World {
    /// Drops every placement: for drivers that outlive the world.
    ///
    /// # Errors
    /// What the backends say.
    pub async fn clear(&mut self) -> Result<()> {
        for placed in self.placed.drain(..) {
            for (part, driver) in placed.target.routing.parts.iter().zip(&placed.target.drivers) {
                driver.drop_part(part).await?;
            }
        }
        Ok(())
    }
}

/// What one part gets of a batch of whole rows.
fn of_part(part: &Part, batch: &WriteBatch) -> WriteBatch {
    if batch.mode == WriteMode::Delete {
        return batch.clone();
    }
    let values = (0..batch.len()).flat_map(|row| part.columns.iter().map(move |column| batch.row(row)[column.field].clone())).collect();
    WriteBatch { columns: (0..part.columns.len()).collect(), values, ..batch.clone() }
}
