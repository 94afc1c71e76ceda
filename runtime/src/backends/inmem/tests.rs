//! The driver against a model: a map of rows, [`Program`] for filters, plain sorting for orders.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::InMem;
use crate::backends::Connect;
use crate::capability::Placement;
use crate::driver::{
    Aggregate, AggregateFunction, Driver, Measure, NearQuery, OrderKey, Page, Position, SortKey, SubQuery, Total, WriteBatch, WriteMode,
};
use crate::error::{ErrorKind, Result};
use crate::filter::{Condition, Filter, Program, Segment, Target, Test};
use crate::schema::{Column, EntitySchema, Index, Part};
use crate::types::{Date, Decimal, Id, LogicalType, Metric, Timestamp, Uuid, Value, canonical_key, sort_order};

static ENTITY: EntitySchema =
    EntitySchema { uniques: &[&["group", "rank"]], indexes: &[&["group", "price"]], ..EntitySchema::new("thing", &[]) };
static COLOURS: [&str; 3] = ["red", "green", "blue"];
const DIMENSION: usize = 24;

fn column(name: &'static str, logical: LogicalType, placement: Placement, index: bool) -> Column {
    let index = index.then_some(Index { method: "", parameters: &[] });
    let metric = matches!(logical, LogicalType::Vector(_)).then_some(Metric::Cosine);
    let physical = name.to_owned();
    Column { field: 0, name, physical, logical, nullable: true, placement, copy: false, index, unique: false, metric, default: None }
}

fn part() -> Part {
    use Placement::{InlineColumn, InvertedIndex, JsonField, VectorIndex};
    let columns = vec![
        column("title", LogicalType::TEXT, InlineColumn, true),
        column("price", LogicalType::Float, InlineColumn, true),
        column("count", LogicalType::INT, InlineColumn, false),
        column("colour", LogicalType::Category(&COLOURS), InlineColumn, true),
        column("body", LogicalType::TEXT, InvertedIndex, false),
        column("tags", LogicalType::List(&LogicalType::TEXT), InlineColumn, false),
        column("payload", LogicalType::Json, JsonField, false),
        column("made", LogicalType::Timestamp, InlineColumn, true),
        column("day", LogicalType::Date, InlineColumn, false),
        column("cost", LogicalType::DECIMAL, InlineColumn, true),
        column("flag", LogicalType::Bool, InlineColumn, false),
        column("key", LogicalType::Uuid, InlineColumn, false),
        column("embedding", LogicalType::Vector(DIMENSION as u32), VectorIndex, false),
        column("group", LogicalType::INT, InlineColumn, false),
        column("rank", LogicalType::INT, InlineColumn, false),
    ];
    let columns = columns.into_iter().enumerate().map(|(field, column)| Column { field, ..column }).collect();
    Part { entity: &ENTITY, namespace: "test".into(), backend: "main", kind: "inmem", owner: true, table: "test__thing".into(), columns }
}

/// A small generator: the same numbers every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn text(&mut self) -> String {
        const WORDS: [&str; 8] = ["Desk", "oak", "OAK", "größe", "100%", "a_b", "chair", ""];
        (0..1 + self.below(4)).map(|_| WORDS[self.below(8) as usize]).collect::<Vec<_>>().join(" ")
    }

    fn value(&mut self, column: &Column) -> Value {
        if self.below(6) == 0 {
            return Value::Null;
        }
        match column.name {
            "title" | "body" => Value::Text(self.text()),
            "price" => Value::Float([-0.0, 0.0, -1.5, 2.25, 1e300, 7.0][self.below(6) as usize]),
            "count" => Value::Int([i64::MIN, -3, 0, 5, 6, i64::MAX][self.below(6) as usize]),
            "colour" => Value::Text(COLOURS[self.below(3) as usize].to_owned()),
            "tags" => Value::List((0..self.below(3)).map(|_| Value::Text(self.text())).collect()),
            "payload" => Value::Json(Box::new(serde_json::json!({"b": [self.text(), 1.5], "a": self.below(3)}))),
            "made" => Value::Timestamp(Timestamp::from_micros(self.below(5) as i64 - 2).unwrap_or(Timestamp::MIN)),
            "day" => Value::Date(Date::from_days(self.below(5) as i32 - 2).unwrap_or(Date::of(Timestamp::MIN))),
            "cost" => Value::Decimal(Decimal::new(self.below(7) as i64 * 10 - 30, self.below(3) as u32)),
            "flag" => Value::Bool(self.below(2) == 0),
            "key" => Value::Uuid(Uuid::from_u128(u128::from(self.below(4)) << 100)),
            "embedding" => Value::Vector((0..DIMENSION).map(|_| self.below(5) as f32 - 1.9).collect()),
            "group" => Value::Int(self.below(3) as i64),
            _ => Value::Int(self.below(1 << 30) as i64),
        }
    }

    fn condition(&mut self, column: &Column) -> Condition {
        let ordered = !matches!(column.name, "tags" | "payload" | "embedding");
        match self.below(if column.logical == LogicalType::TEXT { 19 } else { 11 }) {
            0 => Condition::Eq(self.value(column)),
            1 => Condition::Ne(self.value(column)),
            2 => Condition::IsNull,
            3 => Condition::IsSome,
            4 => Condition::In((0..self.below(3)).map(|_| self.value(column)).collect()),
            5 => Condition::NotIn((0..self.below(3)).map(|_| self.value(column)).collect()),
            6 if ordered => Condition::Lt(self.value(column)),
            7 if ordered => Condition::Le(self.value(column)),
            8 if ordered => Condition::Gt(self.value(column)),
            9 if ordered => Condition::Ge(self.value(column)),
            10 if ordered => Condition::Between(self.value(column), self.value(column)),
            11 => Condition::Contains(self.text()),
            12 => Condition::StartsWith(self.text()),
            13 => Condition::EndsWith(self.text()),
            14 => Condition::IContains(self.text()),
            15 => Condition::Like(format!("%{}_%", self.text().replace('%', "\\%"))),
            16 => Condition::Regex("(?i)oak|[0-9]+".into()),
            17 => Condition::Matches(self.text()),
            18 => Condition::Phrase(self.text()),
            _ => Condition::Eq(self.value(column)),
        }
    }

    fn inside(&mut self) -> Test {
        let texts = |random: &mut Self| (0..random.below(3)).map(|_| Value::Text(random.text())).collect();
        let json = |random: &mut Self| Value::Json(Box::new(serde_json::json!([0, 1, 1.5, "oak", null])[random.below(5) as usize].clone()));
        let path = |path: Vec<Segment>, condition| Test { target: Target::Path(path), ..Test::new("payload", condition) };
        match self.below(9) {
            0 => Test { target: Target::Length, ..Test::new("tags", Condition::Gt(Value::Int(self.below(3) as i64))) },
            1 => Test { target: Target::Length, ..Test::new("tags", Condition::Ne(Value::Int(self.below(3) as i64))) },
            2 => Test::new("tags", Condition::Has(Value::Text(self.text()))),
            3 => Test::new("tags", Condition::HasAny(texts(self))),
            4 => Test::new("tags", Condition::HasAll(texts(self))),
            5 => path(vec!["a".into()], Condition::Eq(json(self))),
            6 => path(vec!["a".into()], Condition::Lt(json(self))),
            7 => path(vec!["b".into(), 0u32.into()], Condition::Contains("oak".into())),
            _ => path(vec!["b".into(), (self.below(3) as u32).into()], Condition::Ne(json(self))),
        }
    }

    fn filter(&mut self, part: &Part, ids: u64, depth: u32) -> Filter {
        let parts = |random: &mut Self| (0..random.below(4)).map(|_| random.filter(part, ids, depth - 1)).collect();
        match self.below(if depth == 0 { 5 } else { 9 }) {
            0 => Test::new("object_id", Condition::Ge(Value::Text(format!("id{}", self.below(ids))))).into(),
            1 => Test::new("object_id", Condition::In((0..3).map(|_| Value::Text(format!("id{}", self.below(ids)))).collect())).into(),
            2 => self.inside().into(),
            5 => Filter::And(parts(self)),
            6 => Filter::Or(parts(self)),
            7 => Filter::Not(Box::new(self.filter(part, ids, depth - 1))),
            _ => {
                let column = &part.columns[self.below(13) as usize];
                let condition = self.condition(column);
                Test::new(column.name, condition).into()
            }
        }
    }
}

type Model = BTreeMap<String, (i64, Vec<Value>)>;

async fn collect(driver: &dyn Driver, part: &Arc<Part>, query: SubQuery) -> Result<Page> {
    let mut stream = driver.open(part.clone(), Arc::new(query))?;
    let mut pages: Option<Page> = None;
    while let Some(page) = stream.next_page().await? {
        match &mut pages {
            Some(pages) => pages.append(page),
            None => pages = Some(page),
        }
    }
    Ok(pages.unwrap_or_default())
}

fn matching<'a>(model: &'a Model, part: &Part, filter: &Filter, ids: Option<&[Id]>) -> Vec<(&'a String, &'a Vec<Value>)> {
    let position = |field: &str| if field == "object_id" { Some(part.columns.len()) } else { part.column(field).map(|(at, _)| at) };
    let program = Program::new(filter, &position).expect("the filter is sound");
    let holds = |id: &String, values: &Vec<Value>| {
        let id_value = Value::Text(id.clone());
        ids.is_none_or(|ids| ids.iter().any(|other| other.as_str() == id))
            && program.holds(&|at| values.get(at).unwrap_or(if at == part.columns.len() { &id_value } else { &Value::Null }))
    };
    // The value of the id lives as long as the closure's call: so does the answer.
    model.iter().filter(|(id, (_, values))| holds(id, values)).map(|(id, (_, values))| (id, values)).collect()
}

fn in_order(keys: &[OrderKey], a: (&str, &[Value]), b: (&str, &[Value])) -> Ordering {
    let by_key = |key: &OrderKey| match key.key {
        SortKey::Column(column) => sort_order(&a.1[column], &b.1[column], key.descending),
        SortKey::Id if key.descending => b.0.cmp(a.0),
        SortKey::Id => a.0.cmp(b.0),
    };
    keys.iter().map(by_key).find(|order| order.is_ne()).unwrap_or_else(|| a.0.cmp(b.0))
}

async fn change(random: &mut Random, driver: &dyn Driver, part: &Arc<Part>, model: &mut Model, version: i64, ids: u64) {
    let mut chosen: Vec<u64> = (0..1 + random.below(300)).map(|_| random.below(ids)).collect();
    chosen.sort_unstable();
    chosen.dedup();
    let mode = [WriteMode::Upsert, WriteMode::Upsert, WriteMode::Patch, WriteMode::Delete][random.below(4) as usize];
    let columns: Vec<usize> = match mode {
        WriteMode::Delete => Vec::new(),
        WriteMode::Patch => (0..part.columns.len()).filter(|_| random.below(3) == 0).collect(),
        _ => (0..part.columns.len()).collect(),
    };
    let ids: Vec<Id> = chosen.iter().map(|id| Id::from(format!("id{id}"))).collect();
    let values: Vec<Value> = ids.iter().flat_map(|_| columns.iter()).map(|column| random.value(&part.columns[*column])).collect();
    let batch = WriteBatch { mode, version, ids: ids.clone(), columns: columns.clone(), values, expected: Vec::new() };
    let report = driver.write(part, Arc::new(batch.clone())).await.expect("the batch is sound");
    assert!(report.stale.is_empty());
    for (position, id) in ids.iter().enumerate() {
        let known = model.contains_key(id.as_str());
        assert_eq!(report.missing.contains(&position), !known && matches!(mode, WriteMode::Patch | WriteMode::Delete));
        match mode {
            WriteMode::Delete => drop(model.remove(id.as_str())),
            WriteMode::Patch if !known => {}
            _ => {
                let row = model.entry(id.to_string()).or_insert_with(|| (0, vec![Value::Null; part.columns.len()]));
                row.0 = version;
                columns.iter().zip(batch.row(position)).for_each(|(column, value)| row.1[*column] = value.clone());
            }
        }
    }
    // The same batch again changes nothing: every row is at this version or gone.
    let again = driver.write(part, Arc::new(batch)).await.expect("the batch is sound");
    let expected = if mode == WriteMode::Delete { (0, ids.len()) } else { (ids.len() - report.missing.len(), report.missing.len()) };
    assert_eq!((again.stale.len(), again.missing.len()), expected);
}

async fn ask(random: &mut Random, driver: &dyn Driver, part: &Arc<Part>, model: &Model, ids: u64) {
    let filter = random.filter(part, ids, 2);
    let mut some_ids: Vec<Id> = (0..random.below(50)).map(|_| Id::from(format!("id{}", random.below(ids)))).collect();
    some_ids.sort();
    some_ids.dedup();
    let restricted: Option<Arc<[Id]>> = (random.below(4) == 0).then(|| some_ids.into());
    let expected = matching(model, part, &filter, restricted.as_deref());
    let all: Vec<usize> = (0..part.columns.len()).collect();
    let base = SubQuery { filter: filter.clone(), ids: restricted, columns: all, page_rows: 7, ..SubQuery::default() };

    let order: Vec<OrderKey> = (0..random.below(3))
        .map(|_| {
            let column = [0, 1, 2, 3, 7, 8, 9, 10, 11, 13][random.below(10) as usize];
            let key = if random.below(8) == 0 { SortKey::Id } else { SortKey::Column(column) };
            OrderKey { key, descending: random.below(2) == 0 }
        })
        .collect();
    let mut sorted = expected.clone();
    sorted.sort_by(|a, b| in_order(&order, (a.0, a.1), (b.0, b.1)));
    let after = (random.below(3) == 0 && !sorted.is_empty()).then(|| {
        let (id, values) = sorted[random.below(sorted.len() as u64) as usize];
        let key = |key: &OrderKey| match key.key {
            SortKey::Column(column) => values[column].clone(),
            SortKey::Id => Value::Text(id.clone()),
        };
        // A row that was there when the position was taken may be gone: an id that no row has.
        let id = if random.below(4) == 0 { format!("{id} gone") } else { id.clone() };
        Position { keys: order.iter().map(key).collect(), id: Id::from(id) }
    });
    if let Some(after) = &after {
        let key = |values: &[Value], id: &str, at: usize| match order[at].key {
            SortKey::Column(column) => values[column].clone(),
            SortKey::Id => Value::Text(id.to_owned()),
        };
        sorted.retain(|(id, values)| {
            let by_key = |at: usize| sort_order(&key(values, id, at), &after.keys[at], order[at].descending);
            (0..order.len()).map(by_key).find(|order| order.is_ne()).unwrap_or_else(|| id.as_str().cmp(&after.id)).is_gt()
        });
    }
    let (limit, offset) = ((random.below(2) == 0).then(|| random.below(20) as usize), random.below(3) as usize);
    let query = SubQuery { order: order.clone(), after, limit, offset, ..base.clone() };
    let sorted: Vec<_> = sorted.into_iter().skip(offset).take(limit.unwrap_or(usize::MAX)).collect();
    let page = collect(driver, part, query.clone()).await.expect("the query is sound");
    let found: Vec<&str> = page.ids.iter().map(Id::as_str).collect();
    assert_eq!(found, sorted.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), "{query:?}");
    for (row, (id, values)) in sorted.iter().enumerate() {
        assert_eq!(page.row(row), values.as_slice());
        assert_eq!(page.versions[row], model[id.as_str()].0);
    }

    let vector: Arc<[f32]> = (0..DIMENSION).map(|_| random.below(7) as f32 - 2.9).collect();
    let metric = [Metric::Cosine, Metric::L2, Metric::Dot][random.below(3) as usize];
    let k = 1 + random.below(12) as usize;
    let near = NearQuery { column: 12, vector: vector.clone(), metric, k, exact: true };
    let page = collect(driver, part, SubQuery { near: Some(near), ..base.clone() }).await.expect("the query is sound");
    let mut scored: Vec<(f64, &str)> =
        expected.iter().filter_map(|(id, values)| Some((metric.score(&vector, values[12].as_vector()?), id.as_str()))).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.truncate(k);
    assert_eq!(page.ids.iter().map(Id::as_str).collect::<Vec<_>>(), scored.iter().map(|(_, id)| *id).collect::<Vec<_>>());
    assert_eq!(page.scores, scored.iter().map(|(score, _)| *score).collect::<Vec<_>>());

    let keys: Vec<usize> = (0..random.below(3)).map(|_| [0, 1, 2, 3, 9, 10, 13][random.below(7) as usize]).collect();
    let functions = [AggregateFunction::Count, AggregateFunction::CountDistinct, AggregateFunction::Min, AggregateFunction::Max];
    let mut measures = vec![Measure { function: AggregateFunction::Count, column: None }];
    measures.extend((0..4).map(|_| Measure { function: functions[random.below(4) as usize], column: Some(random.below(4) as usize) }));
    measures.push(Measure { function: AggregateFunction::Sum, column: Some(9) });
    measures.push(Measure { function: AggregateFunction::Avg, column: Some(13) });
    let mut groups: BTreeMap<Vec<u8>, Vec<Total>> = BTreeMap::new();
    let fresh = || measures.iter().map(|measure| Total::new(measure.function)).collect::<Vec<_>>();
    if keys.is_empty() {
        groups.insert(Vec::new(), fresh());
    }
    for (_, values) in &expected {
        let mut key = Vec::new();
        keys.iter().for_each(|column| canonical_key(&values[*column], &mut key));
        for (measure, total) in measures.iter().zip(groups.entry(key).or_insert_with(fresh)) {
            total.add(measure.column.map(|column| &values[column])).expect("no overflow");
        }
    }
    let query = Aggregate { filter, ids: base.ids.clone(), keys, measures };
    let found = driver.aggregate(part, &query).await.expect("the aggregation is sound");
    assert_eq!(found.len(), groups.len());
    for group in found {
        let mut key = Vec::new();
        group.keys.iter().for_each(|value| canonical_key(value, &mut key));
        let totals = groups.remove(&key).expect("a group that the model has");
        let expected: Vec<Value> = totals.into_iter().map(|total| total.finish().expect("no overflow")).collect();
        assert_eq!(group.measures, expected);
    }
}

#[tokio::test]
async fn whatever_is_written_and_asked_the_model_answers_the_same() {
    let driver = InMem::new().connect().await.expect("memory connects");
    let part = Arc::new(part());
    assert!(driver.ensure(&part).await.expect("a new part").created);
    assert!(!driver.ensure(&part).await.expect("a known part").created);
    let (mut random, mut model, mut most) = (Random(7), Model::new(), 0);
    for round in 0..60 {
        let ids = 3000;
        change(&mut random, &*driver, &part, &mut model, round + 1, ids).await;
        most = most.max(model.len());
        for _ in 0..12 {
            ask(&mut random, &*driver, &part, &model, ids).await;
        }
        let some: Vec<Id> = (0..30).map(|_| Id::from(format!("id{}", random.below(ids)))).collect();
        let page = driver.fetch(&part, &some, &[4, 1]).await.expect("rows");
        let known: Vec<&Id> = some.iter().filter(|id| model.contains_key(id.as_str())).collect();
        assert!(page.ids.iter().eq(known.iter().copied()));
        for (row, id) in known.iter().enumerate() {
            let values = &model[id.as_str()].1;
            assert_eq!(page.row(row), [values[4].clone(), values[1].clone()]);
        }
    }
    assert!(most > 1024, "more than one chunk was in play");
    assert!(driver.drop_part(&part).await.expect("dropped"));
    assert!(!driver.drop_part(&part).await.expect("gone already"));
    assert_eq!(driver.fetch(&part, &[Id::from("id1")], &[]).await.expect_err("dropped").kind(), ErrorKind::NotRegistered);
}

fn row(id: &str, group: i64, rank: Value) -> WriteBatch {
    let mut values = vec![Value::Null; 15];
    values[13] = Value::Int(group);
    values[14] = rank;
    WriteBatch { mode: WriteMode::Upsert, version: 5, ids: vec![id.into()], columns: (0..15).collect(), values, expected: Vec::new() }
}

fn both(mut a: WriteBatch, mut b: WriteBatch) -> WriteBatch {
    a.ids.append(&mut b.ids);
    a.values.append(&mut b.values);
    a
}

#[tokio::test]
async fn a_group_is_unique_nulls_apart_and_a_failing_batch_leaves_nothing() {
    let driver = InMem::new().connect().await.expect("memory connects");
    let part = Arc::new(part());
    driver.ensure(&part).await.expect("a new part");
    let write = |batch: WriteBatch| driver.write(&part, Arc::new(batch));
    write(row("a", 1, Value::Int(1))).await.expect("the first");
    write(row("b", 1, Value::Null)).await.expect("a null is like no other");
    write(row("c", 1, Value::Null)).await.expect("not even like another null");
    let failed = write(both(row("d", 2, Value::Int(1)), row("e", 1, Value::Int(1)))).await.expect_err("taken by a");
    assert_eq!((failed.kind(), failed.field()), (ErrorKind::UniqueViolation, Some("group")));
    write(both(row("f", 3, Value::Int(1)), row("g", 3, Value::Int(1)))).await.expect_err("taken by each other");
    assert_eq!(collect(&*driver, &part, SubQuery::default()).await.expect("rows").ids, ["a", "b", "c"]);
    let mut swap = both(row("a", 1, Value::Null), row("b", 1, Value::Int(1)));
    swap.version = 6;
    write(swap.clone()).await.expect("unique once the whole batch is written");
    let report = write(swap).await.expect("the same again");
    assert_eq!(report.stale, [(0, 6), (1, 6)]);
    let mut patch =
        WriteBatch { mode: WriteMode::Patch, columns: vec![14], values: vec![Value::Int(1)], version: 7, ..row("c", 0, Value::Null) };
    assert_eq!(write(patch.clone()).await.expect_err("b has it").kind(), ErrorKind::UniqueViolation);
    patch.expected = vec![4];
    assert_eq!(write(patch).await.expect("only reported").stale, [(0, 5)]);
    let insert = WriteBatch { mode: WriteMode::Insert, ..row("a", 9, Value::Null) };
    assert_eq!(write(insert).await.expect_err("it is there").kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn a_stream_sees_one_moment_and_clones_share_their_rows() {
    let memory = InMem::new();
    let (one, two) = (memory.clone().connect().await.expect("connects"), memory.connect().await.expect("connects"));
    let part = Arc::new(part());
    one.ensure(&part).await.expect("a new part");
    assert!(!two.ensure(&part).await.expect("the same part").created);
    let ids: Vec<Id> = (0..5000).map(|n| Id::from(format!("{n:05}"))).collect();
    let values = ids.iter().flat_map(|_| [Value::Int(1)]).collect();
    let batch = WriteBatch { mode: WriteMode::Insert, version: 1, ids, columns: vec![2], values, expected: Vec::new() };
    one.write(&part, Arc::new(batch.clone())).await.expect("written");
    let query = SubQuery { columns: vec![2], page_rows: 10, ..SubQuery::default() };
    let mut stream = two.open(part.clone(), Arc::new(query)).expect("opened");
    let first = stream.next_page().await.expect("a page").expect("rows");
    assert!(first.len() == 10 && first.values.iter().all(|value| *value == Value::Int(1)));
    let changed = WriteBatch { mode: WriteMode::Upsert, version: 2, values: vec![Value::Int(2); 5000], ..batch.clone() };
    one.write(&part, Arc::new(changed)).await.expect("written");
    one.write(&part, Arc::new(WriteBatch { mode: WriteMode::Delete, version: 3, columns: vec![], values: vec![], ..batch }))
        .await
        .expect("deleted");
    let mut rows = first.len();
    while let Some(page) = stream.next_page().await.expect("a page") {
        assert!(page.values.iter().all(|value| *value == Value::Int(1)), "as it was when the stream was opened");
        rows += page.len();
    }
    assert_eq!(rows, 5000);
    assert!(collect(&*two, &part, SubQuery::default()).await.expect("rows").is_empty());
}

#[tokio::test]
async fn a_part_grows_by_new_fields_and_refuses_every_other_difference() {
    let driver = InMem::shared("growth").connect().await.expect("connects");
    let old = Arc::new(part());
    driver.ensure(&old).await.expect("a new part");
    driver.write(&old, Arc::new(row("a", 1, Value::Int(1)))).await.expect("written");
    let mut grown = part();
    let added = column("added", LogicalType::INT, Placement::InlineColumn, true);
    grown.columns.insert(0, Column { nullable: false, default: Some(|| Value::Int(42)), ..added.clone() });
    grown.columns.push(column("note", LogicalType::TEXT, Placement::InvertedIndex, false));
    let other = InMem::shared("growth").connect().await.expect("connects");
    let grown = Arc::new(grown);
    assert_eq!(other.ensure(&grown).await.expect("two new fields").added, ["added", "note"]);
    let page = other.fetch_one(&grown, &"a".into(), &[0, 15, 16]).await.expect("the row");
    assert_eq!(page.row(0), [Value::Int(42), Value::Int(1), Value::Null]);
    driver.write(&old, Arc::new(WriteBatch { version: 6, ..row("a", 2, Value::Null) })).await.expect("the old form still writes");
    assert_eq!(other.fetch_one(&grown, &"a".into(), &[0, 14]).await.expect("the row").row(0), [Value::Int(42), Value::Int(2)]);

    driver.write(&old, Arc::new(row("b", 2, Value::Null))).await.expect("and adds");
    assert_eq!(other.fetch_one(&grown, &"b".into(), &[0]).await.expect("the row").row(0), [Value::Int(42)]);

    let differs = |change: &dyn Fn(&mut Part)| {
        let mut part = (*grown).clone();
        change(&mut part);
        Arc::new(part)
    };
    for part in [
        differs(&|part| part.columns[0].logical = LogicalType::Float),
        differs(&|part| part.columns[2].nullable = false),
        differs(&|part| part.columns[5].placement = Placement::InlineColumn),
        differs(&|part| drop(part.columns.pop())),
        differs(&|part| part.namespace = "elsewhere".into()),
        differs(&|part| {
            part.columns.push(Column { nullable: false, ..column("required", LogicalType::INT, Placement::InlineColumn, false) })
        }),
    ] {
        assert_eq!(other.ensure(&part).await.expect_err("it differs").kind(), ErrorKind::SchemaMismatch);
    }
}
