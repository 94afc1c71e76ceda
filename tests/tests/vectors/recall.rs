use std::sync::Arc;
use std::time::{Duration, Instant};

use heavenbase::backends::{Connect, InMem, Sqlite};
use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, NearQuery, SubQuery, WriteBatch, WriteMode};
use heavenbase::exec::{self, Context};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::plan::{Plan, Target as Planned};
use heavenbase::query::{FieldRef, QuerySpec, SearchSpec};
use heavenbase::schema::{Binding, EntitySchema, FieldSchema, Index, Part, PlacementSchema, Routing};
use heavenbase::types::{Id, LogicalType, Metric, Value};
use heavenbase_tests::backends::{Place, Tested};
use heavenbase_tests::random::Random;

use crate::Outcome;
use crate::data::{ANCHORS, Data, LENGTH, Target, data};

/// What an approximate search must find of the ten nearest, over all queries of one filter.
const LEAST: f64 = 0.95;
const K: usize = 10;
/// Two scores this close are one: their order is left to chance by 32 bits.
const TIE: f64 = 1e-6;
const PERCENT: [f64; 5] = [50.0, 10.0, 1.0, 0.1, 0.01];

/// An index to search by.
#[derive(Clone, Copy)]
pub struct Variant {
    pub name: &'static str,
    index: Option<Index>,
    /// How many queries are made; the made-up vectors take an eighth of them.
    queries: usize,
}

/// The indexes of a kind, chosen as an attribute would.
pub fn variants(kind: &str) -> Vec<Variant> {
    let none = |queries| Variant { name: "plain", index: None, queries };
    let with = |name, method, parameters, queries| Variant { name, index: Some(Index { method, parameters }), queries };
    match kind {
        "inmem" | "sqlite" => vec![none(120)],
        "duckdb" => vec![none(60)],
        "json" | "pickle" => vec![none(10)],
        "pgvector" => vec![
            none(20),
            with("hnsw", "hnsw", &[("m", 16), ("ef_construction", 64)], 20),
            with("hnsw_half", "hnsw", &[("half", 1)], 10),
            with("ivfflat", "ivfflat", &[("lists", 100)], 20),
        ],
        "lance" => vec![
            none(10),
            with("ivf_pq", "ivf_pq", &[], 10),
            with("ivf_sq", "ivf_sq", &[], 10),
            with("ivf_flat", "ivf_flat", &[], 10),
            with("hnsw", "hnsw", &[], 10),
        ],
        "milvus" => vec![none(8), with("hnsw", "hnsw", &[], 8), with("ivf_flat", "ivf_flat", &[("nlist", 128)], 8)],
        "elasticsearch" => vec![none(16), with("hnsw", "hnsw", &[("m", 16), ("ef_construction", 100)], 16)],
        "oceanbase" => vec![none(10)],
        // Every row that is compared travels with its vector, as JSON.
        "pinecone" => vec![none(4)],
        _ => vec![none(16)],
    }
}

/// Where the fields that are filtered by lie, as seen from the search.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Where {
    /// On the one backend that has everything.
    Alone,
    /// Beside the vector, on a backend that does not own the rows.
    Beside,
    /// On SQLite, which owns the rows.
    Sqlite,
    /// In memory.
    Memory,
}

struct World {
    target: Arc<Planned>,
    searched: Arc<Part>,
    driver: Arc<dyn Driver>,
}

/// Ids that order as the rows' numbers.
fn id(row: usize) -> Id {
    Id::from(format!("r{row:06}"))
}

const NAMES: [&str; ANCHORS + 1] = ["near0", "near1", "any"];

fn place(backend: &'static str, placement: Placement, copy: bool) -> PlacementSchema {
    PlacementSchema { backend, placement, copy, index: None, unique: false, metric: None }
}

impl World {
    /// The vectors on the backend under test, with copies of the numbers; the numbers on SQLite, which owns, and in memory.
    async fn open(tested: Tested, place_of: Place, index: Option<Index>) -> Outcome<World> {
        let driver = (tested.open)(place_of).await?;
        let plain = Some(Index { method: "", parameters: &[] });
        let placed: &'static [PlacementSchema] = Box::leak(Box::new([
            PlacementSchema { index: plain, ..place("sql", Placement::InlineColumn, false) },
            place("memory", Placement::InlineColumn, true),
            PlacementSchema { index: plain.filter(|_| tested.kind == "pgvector"), ..place("vectors", Placement::InlineColumn, true) },
        ]));
        let vector = PlacementSchema { index, metric: Some(Metric::Cosine), ..place("vectors", Placement::VectorIndex, false) };
        let mut fields: Vec<FieldSchema> = Vec::new();
        for name in NAMES {
            fields.push(FieldSchema { placements: placed, ..FieldSchema::new(name, LogicalType::INT, false) });
        }
        let placements: &'static [PlacementSchema] = Box::leak(Box::new([vector]));
        fields.push(FieldSchema { placements, ..FieldSchema::new("embedding", LogicalType::Vector(LENGTH as u32), false) });
        let mut entity = EntitySchema::new("gloss", Box::leak(fields.into_boxed_slice()));
        entity.owner = Some("sql");
        let bindings = [
            Binding { name: "sql", kind: "sqlite", driver: Sqlite::memory().connect().await? },
            Binding { name: "memory", kind: "inmem", driver: InMem::new().connect().await? },
            Binding { name: "vectors", kind: tested.kind, driver: driver.clone() },
        ];
        let namespace = heavenbase_tests::conformance::namespace().into();
        let routing = Routing::new(Box::leak(Box::new(entity)), &namespace, "sql", &bindings)?;
        let of = |part: &Arc<Part>| bindings.iter().find(|b| b.name == part.backend).map(|b| b.driver.clone());
        let drivers: Vec<_> = routing.parts.iter().filter_map(of).collect();
        let searched = routing.parts.iter().find(|part| part.backend == "vectors").cloned().ok_or("no part")?;
        Ok(World { target: Arc::new(Planned::new(routing, drivers)), searched, driver })
    }

    async fn fill(&self, data: &Data) -> Outcome {
        let rows = data.vectors.len();
        // An index that learns from the rows that are there is made over them.
        let learns = self.searched.kind == "pgvector";
        for (part, driver) in self.target.routing.parts.iter().zip(&self.target.drivers) {
            let bare = || {
                Arc::new(Part {
                    columns: part.columns.iter().cloned().map(|c| heavenbase::schema::Column { index: None, ..c }).collect(),
                    ..(**part).clone()
                })
            };
            driver.ensure(&if learns { bare() } else { part.clone() }).await?;
            for chunk in (0..rows).collect::<Vec<_>>().chunks(driver.description().max_batch.min(2_000)) {
                let value = |row: usize, name: &str| match name {
                    "any" => Value::Int(data.any[row]),
                    "near0" => Value::Int(data.near[0][row]),
                    "near1" => Value::Int(data.near[1][row]),
                    _ => Value::Vector(data.vectors[row].clone()),
                };
                let values = chunk.iter().flat_map(|row| part.columns.iter().map(move |column| value(*row, column.name))).collect();
                let ids = chunk.iter().map(|row| id(*row)).collect();
                let columns = (0..part.columns.len()).collect();
                let batch = WriteBatch { mode: WriteMode::Upsert, version: 1, ids, columns, values, expected: Vec::new() };
                driver.write(part, Arc::new(batch)).await?;
            }
            if learns {
                driver.ensure(part).await?;
            }
            driver.refresh(part).await?;
        }
        settle(&self.driver, &self.searched).await
    }

    async fn search(&self, place: Where, target: &Target, filter: Filter, exact: bool) -> Outcome<(Vec<Id>, Vec<f64>)> {
        if place == Where::Alone {
            let column = self.searched.column("embedding").ok_or("no vector")?.0;
            let near = NearQuery { column, vector: target.vector.clone(), metric: Metric::Cosine, k: K, exact };
            let query = SubQuery { filter, near: Some(near), ..SubQuery::default() };
            let plan = self.driver.plan(&self.searched, &query);
            assert!(plan.near && plan.remainder.is_all(), "not taken whole: {:?}", plan.remainder);
            let mut stream = self.driver.open(self.searched.clone(), Arc::new(query))?;
            let (mut ids, mut scores) = (Vec::new(), Vec::new());
            while let Some(page) = stream.next_page().await? {
                ids.extend(page.ids);
                scores.extend(page.scores);
            }
            return Ok((ids, scores));
        }
        let field = FieldRef { name: "embedding".into(), on: None, scan: false };
        let search = SearchSpec::Near { field, vector: target.vector.to_vec(), k: K };
        let spec = QuerySpec { filter, search: Some(search), exact, select: Some(Vec::new()), ..QuerySpec::default() };
        let context = Context::new(Arc::new(Plan::new(&spec, &self.target)?), self.target.clone());
        let page = exec::search::run(&context).await?.0;
        Ok((page.ids, page.scores))
    }

    async fn close(self) -> Outcome {
        self.driver.drop_part(&self.searched).await?;
        Ok(())
    }
}

/// How long an index may take to be built.
#[cfg(feature = "milvus")]
const PATIENCE: Duration = Duration::from_secs(900);

/// Waits until indexes that are built beside the writes are built.
async fn settle(driver: &Arc<dyn Driver>, part: &Arc<Part>) -> Outcome {
    let _ = (driver, part);
    #[cfg(feature = "milvus")]
    if let Some(own) = driver.as_any().downcast_ref::<heavenbase::backends::milvus::MilvusDriver>() {
        own.flush(part).await?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        // The server builds an index when it thinks best, minutes later; the embedded one has it at once, and does not tell.
        let (start, builds) = (Instant::now(), part.columns.iter().any(|column| column.name == "embedding" && column.index.is_some()));
        while builds && !driver.description().engine.contains("lite") && !own.is_indexed(part, "embedding").await {
            if start.elapsed() > PATIENCE {
                eprintln!("the index was not built within {PATIENCE:?}: rows are compared instead");
                break;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }
    #[cfg(feature = "lance")]
    if let Some(own) = driver.as_any().downcast_ref::<heavenbase::backends::lance::LanceDriver>() {
        own.maintain(part).await?;
    }
    #[cfg(feature = "pgvector")]
    if part.kind == "pgvector" {
        use heavenbase::driver::{RawColumns, RawStatement};
        let statement = RawStatement { text: format!("ANALYZE \"{}\"", part.table), values: Vec::new(), wanted: RawColumns::None };
        driver.raw(&statement).await?;
    }
    Ok(())
}

/// Recall, row counts and scores over every selectivity, correlation and place of the filter.
pub async fn measure(tested: Tested, variant: Variant) -> Outcome {
    let data = data()?;
    let rows = data.vectors.len();
    let percent: usize = heavenbase_tests::running::rounds();
    let queries = variant.queries * percent / 100 / if data.source == "made-up" { 8 } else { 1 };
    let mut random = Random::named(heavenbase_tests::random::seed(), &format!("recall {} {}", tested.name, variant.name));
    let targets = data.targets(queries.max(2), &mut random);
    let place = Place::new(tested.variable)?;
    let world = World::open(tested, place.clone(), variant.index).await?;
    let start = Instant::now();
    world.fill(data).await?;
    let (filled, start) = (start.elapsed(), Instant::now());
    let (mut cases, mut worst, mut failed) = (0, 1.0f64, Vec::new());
    let mut took = [Duration::ZERO; 4];
    let mut count = [0u32; 4];
    for percent in PERCENT {
        let matching = ((rows as f64 * percent / 100.0).round() as usize).max(1);
        for correlation in ["positive", "none", "negative"] {
            for (at, place) in [Where::Alone, Where::Beside, Where::Sqlite, Where::Memory].into_iter().enumerate() {
                for exact in [false, true] {
                    let (mut found, mut wanted) = (0, 0);
                    for target in &targets {
                        let (name, column) =
                            if correlation == "none" { ("any", &data.any) } else { (NAMES[target.anchor], &data.near[target.anchor]) };
                        let holds = |row: usize| match correlation {
                            "negative" => column[row] >= (rows - matching) as i64,
                            _ => column[row] < matching as i64,
                        };
                        let condition = match correlation {
                            "negative" => Condition::Ge(Value::Int((rows - matching) as i64)),
                            _ => Condition::Lt(Value::Int(matching as i64)),
                        };
                        let mut test = Test::new(name, condition);
                        test.on = match place {
                            Where::Alone | Where::Sqlite => None,
                            Where::Beside => Some("vectors".into()),
                            Where::Memory => Some("memory".into()),
                        };
                        let began = Instant::now();
                        let (ids, scores) = world.search(place, target, test.into(), exact).await?;
                        took[at] += began.elapsed();
                        count[at] += 1;
                        cases += 1;
                        let best: Vec<usize> = target.best.iter().copied().filter(|row| holds(*row)).take(K).collect();
                        let said =
                            || format!("{} {}: {percent}% {correlation}, filter {place:?}, exact {exact}", tested.name, variant.name);
                        assert_eq!(ids.len(), best.len(), "{}: rows", said());
                        let edge = best.last().map_or(f64::INFINITY, |row| target.scores[*row]) - TIE;
                        for (at, (id, score)) in ids.iter().zip(&scores).enumerate() {
                            let row: usize = id[1..].parse()?;
                            assert!(holds(row), "{}: {id} does not match", said());
                            assert!(!ids[..at].contains(id), "{}: {id} comes twice", said());
                            assert!((score - target.scores[row]).abs() < 1e-5, "{}: {score} for {}", said(), target.scores[row]);
                            found += usize::from(target.scores[row] >= edge);
                        }
                        assert!(scores.is_sorted_by(|a, b| a >= b), "{}: not in order", said());
                        wanted += best.len();
                    }
                    let recall = found as f64 / wanted as f64;
                    worst = worst.min(recall);
                    if recall < if exact { 1.0 } else { LEAST } {
                        failed.push(format!("{percent}% {correlation}, filter {place:?}, exact {exact}: {recall:.3}"));
                    }
                }
            }
        }
    }
    let mean = |at: usize| took[at] / count[at].max(1);
    eprintln!(
        "{} {} over {rows} {}: filled in {filled:.1?}, {cases} cases in {:.1?}, lowest recall@{K} {worst:.3}; a search alone {:.1?}, beside {:.1?}, filter on sqlite {:.1?}, in memory {:.1?}",
        tested.name,
        variant.name,
        data.source,
        start.elapsed(),
        mean(0),
        mean(1),
        mean(2),
        mean(3)
    );
    world.close().await?;
    if failed.is_empty() { Ok(()) } else { Err(format!("recall@{K} too low:\n  {}", failed.join("\n  ")).into()) }
}
