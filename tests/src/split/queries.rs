//! Random queries as data, pages by cursor, and simpler forms of a query.

use heavenbase::capability::{Operation, Support, questions};
use heavenbase::driver::{AggregateFunction, Position};
use heavenbase::exec::{Context, position_of};
use heavenbase::filter::{Condition, Filter};
use heavenbase::plan::{Plan, encode_cursor};
use heavenbase::query::{AggregateSpec, FieldRef, HavingSpec, MeasureSpec, OrderSpec, QuerySpec, SearchSpec};
use heavenbase::schema::ID_COLUMN;
use heavenbase::types::{Id, LogicalType, Value};

use super::answer::{Answer, difference, expected, run};
use super::{Placed, World};
use crate::data::{self, Manners};
use crate::random::Random;

fn reference(name: &str) -> FieldRef {
    FieldRef { name: name.to_owned().into(), on: None, scan: false }
}

/// The fields on which an operation means something.
fn fields(world: &World, operation: Operation) -> Vec<&'static str> {
    let able = |column: &&heavenbase::schema::Column| {
        questions::support("inmem", operation, column.logical.class(), column.placement) == Support::Native
    };
    world.whole.columns.iter().filter(able).map(|column| column.name).collect()
}

fn some_fields(random: &mut Random, world: &World, operation: Operation, most: usize) -> Vec<FieldRef> {
    let mut names = fields(world, operation);
    random.shuffle(&mut names);
    names.truncate(random.below(most + 1));
    names.into_iter().map(reference).collect()
}

fn filter(random: &mut Random, world: &World) -> Filter {
    let depth = random.below(4);
    match random.below(10) {
        0 => Filter::all(),
        // A conjunction over several fields is what splits.
        1..=6 => Filter::And(
            (0..1 + random.below(4)).map(|_| data::filter(random, &world.whole, &world.table, depth.min(1), Manners::default())).collect(),
        ),
        _ => data::filter(random, &world.whole, &world.table, depth, Manners::default()),
    }
}

/// A random query over the whole entity. Nothing in it knows where the fields lie.
pub fn query(random: &mut Random, world: &World) -> QuerySpec {
    let mut spec = QuerySpec { filter: filter(random, world), scan: true, ..QuerySpec::default() };
    match random.below(10) {
        0..=5 => {
            if random.chance(60) {
                spec.order = order(random, world);
            }
            bounds(random, &mut spec);
            select(random, world, &mut spec);
        }
        6 | 7 => {
            spec.search = Some(search(random, world));
            spec.exact = true;
            bounds(random, &mut spec);
            select(random, world, &mut spec);
        }
        _ => spec.aggregate = Some(aggregate(random, world)),
    }
    spec
}

fn order(random: &mut Random, world: &World) -> Vec<OrderSpec> {
    let mut keys = some_fields(random, world, Operation::Sort, 3);
    if random.chance(10) {
        keys.push(reference(ID_COLUMN));
    }
    keys.into_iter().map(|field| OrderSpec { field, descending: random.chance(50) }).collect()
}

fn bounds(random: &mut Random, spec: &mut QuerySpec) {
    if random.chance(50) {
        spec.limit = Some(random.below(25));
    }
    if random.chance(30) {
        spec.offset = random.below(20);
    }
}

fn select(random: &mut Random, world: &World, spec: &mut QuerySpec) {
    if random.chance(70) {
        let mut names: Vec<&str> = world.whole.columns.iter().map(|column| column.name).collect();
        names.push(ID_COLUMN);
        random.shuffle(&mut names);
        names.truncate(random.below(5));
        spec.select = Some(names.into_iter().map(reference).collect());
    }
}

fn near(random: &mut Random, names: &[&'static str]) -> SearchSpec {
    let mut vector: Vec<f32> = (0..4).map(|_| (random.below(9) as f32 - 4.0) / 8.0).collect();
    if vector.iter().all(|n| *n == 0.0) {
        vector[0] = 1.0;
    }
    SearchSpec::Near { field: reference(names[random.below(names.len())]), vector, k: *random.pick(&[1, 3, 10, 40, 200]) }
}

fn matching(random: &mut Random) -> SearchSpec {
    let text = *random.pick(&["alpha", "Alpha beta", "desk", "red desk", "a", "stra\u{df}e", "caf\u{e9}", "can't", "3.14 beta", "zebra"]);
    SearchSpec::Matches {
        field: reference(if random.chance(60) { "body" } else { "title" }),
        text: text.to_owned(),
        k: *random.pick(&[1, 3, 10, 40, 200]),
    }
}

fn search(random: &mut Random, world: &World) -> SearchSpec {
    let vectors = fields(world, Operation::Near);
    match random.below(4) {
        0 | 1 => near(random, &vectors),
        2 => matching(random),
        // Ranks must not hang on the last bit of a cosine.
        _ => {
            let searches =
                (0..1 + random.below(3)).map(|_| if random.chance(50) { near(random, &["dot", "near"]) } else { matching(random) });
            SearchSpec::Hybrid { searches: searches.collect(), k: *random.pick(&[1, 5, 30]) }
        }
    }
}

fn measure(random: &mut Random, world: &World, functions: &[(AggregateFunction, Operation)]) -> MeasureSpec {
    let (function, operation) = *random.pick(functions);
    let names = fields(world, operation);
    if function == AggregateFunction::Count && random.chance(50) {
        return MeasureSpec { function, field: None };
    }
    MeasureSpec { function, field: Some(reference(names[random.below(names.len())])) }
}

fn aggregate(random: &mut Random, world: &World) -> AggregateSpec {
    use AggregateFunction::{Avg, Count, CountDistinct, Max, Min, Sum};
    let exact = [(Count, Operation::IsNull), (CountDistinct, Operation::GroupBy), (Min, Operation::MinMax), (Max, Operation::MinMax)];
    let all = [exact.as_slice(), &[(Sum, Operation::Sum), (Avg, Operation::Sum)]].concat();
    let having = random.chance(30).then(|| {
        // Conditions only on what is exact: a mean at the edge may fall on either side.
        let tested = measure(random, world, &exact);
        let operand = match (&tested.function, &tested.field) {
            (Min | Max, Some(field)) => {
                let rows: Vec<Value> = world.table.rows.values().map(|row| row.value(&world.whole, &field.name)).collect();
                random.pick(&rows).clone()
            }
            _ => Value::Int(random.below(6) as i64),
        };
        let test = HavingSpec::Test(tested, if random.chance(50) { Condition::Ge(operand) } else { Condition::Ne(operand) });
        if random.chance(30) { HavingSpec::Not(Box::new(test)) } else { test }
    });
    AggregateSpec {
        keys: some_fields(random, world, Operation::GroupBy, 2),
        measures: (0..1 + random.below(3)).map(|_| measure(random, world, &all)).collect(),
        having,
    }
}

/// Reads a query page after page by cursor; the pages join to the whole.
///
/// # Errors
/// With the difference.
pub async fn paged(random: &mut Random, world: &World, placed: &Placed) -> Result<(), String> {
    let whole = QuerySpec {
        filter: filter(random, world),
        order: order(random, world),
        scan: true,
        select: Some(Vec::new()),
        ..QuerySpec::default()
    };
    let size = 1 + random.below(20);
    let mut spec = QuerySpec { limit: Some(size), ..whole.clone() };
    let mut all = Vec::new();
    let fail = |why: String| format!("{why}\n  query: {}\n  placement: {placed}", serde_json::to_string(&whole).unwrap_or_default());
    loop {
        let rows = match run(placed, &spec, super::bounds(random)).await {
            Answer::Rows(rows) => rows,
            other => return Err(fail(format!("a page is {other:?}"))),
        };
        let full = rows.len() == size;
        all.extend(rows);
        let Some(last) = all.last().filter(|_| full && all.len() <= world.table.rows.len()) else { break };
        let cursor = async {
            let id = Id::from(last.id.as_str());
            let plan = Plan::new(&spec, &placed.target)?;
            let keys = position_of(&Context::new(plan.into(), placed.target.clone()), &id).await?;
            encode_cursor(placed.target.routing.entity.name, &spec, Position { keys, id })
        };
        spec.after = Some(cursor.await.map_err(|error| fail(format!("no cursor: {error:?}")))?);
    }
    match difference(world, &whole, &expected(world, &whole), &Answer::Rows(all)) {
        Some(why) => Err(fail(format!("pages of {size} do not join to the whole: {why}"))),
        None => Ok(()),
    }
}

/// Simpler forms of a query, for cutting down one that fails.
pub fn simpler(spec: &QuerySpec) -> Vec<QuerySpec> {
    let mut simpler = Vec::new();
    let children: Vec<Filter> = match &spec.filter {
        Filter::And(parts) | Filter::Or(parts) => {
            let mut children = parts.clone();
            for left_out in 0..parts.len() {
                let mut fewer = parts.clone();
                fewer.remove(left_out);
                children.push(if matches!(spec.filter, Filter::And(_)) { Filter::And(fewer) } else { Filter::Or(fewer) });
            }
            children
        }
        Filter::Not(inner) => vec![(**inner).clone()],
        Filter::Test(_) => vec![Filter::all()],
    };
    simpler.extend(children.into_iter().map(|filter| QuerySpec { filter, ..spec.clone() }));
    if spec.limit.is_some() || spec.offset > 0 {
        simpler.push(QuerySpec { limit: None, offset: 0, ..spec.clone() });
    }
    if !spec.order.is_empty() {
        simpler.push(QuerySpec { order: spec.order[1..].to_vec(), ..spec.clone() });
    }
    if spec.select.as_ref().is_some_and(|fields| !fields.is_empty()) {
        simpler.push(QuerySpec { select: Some(Vec::new()), ..spec.clone() });
    }
    if let Some(SearchSpec::Hybrid { searches, k }) = &spec.search
        && searches.len() > 1
    {
        for left_out in 0..searches.len() {
            let mut fewer = searches.clone();
            fewer.remove(left_out);
            simpler.push(QuerySpec { search: Some(SearchSpec::Hybrid { searches: fewer, k: *k }), ..spec.clone() });
        }
    }
    if let Some(aggregate) = &spec.aggregate {
        if aggregate.having.is_some() {
            simpler.push(QuerySpec { aggregate: Some(AggregateSpec { having: None, ..aggregate.clone() }), ..spec.clone() });
        }
        if aggregate.measures.len() > 1 {
            for measure in &aggregate.measures {
                simpler.push(QuerySpec {
                    aggregate: Some(AggregateSpec { measures: vec![measure.clone()], ..aggregate.clone() }),
                    ..spec.clone()
                });
            }
        }
        if !aggregate.keys.is_empty() {
            simpler.push(QuerySpec {
                aggregate: Some(AggregateSpec { keys: aggregate.keys[1..].to_vec(), ..aggregate.clone() }),
                ..spec.clone()
            });
        }
    }
    simpler.retain(|candidate| candidate != spec);
    simpler
}

/// Whether a field's scores may differ in the last bits between engines.
pub fn rounded(world: &World, field: &FieldRef) -> bool {
    world.whole.column(&field.name).is_some_and(|(_, column)| {
        matches!(column.logical, LogicalType::Vector(_)) && column.metric == Some(heavenbase::types::Metric::Cosine)
    })
}
