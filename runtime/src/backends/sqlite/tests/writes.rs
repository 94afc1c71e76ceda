//! What writes change, report and refuse; aggregation; words and items in step with their rows.

use super::*;
use crate::error::ErrorKind;
use crate::filter::{Condition, Filter, Test};

fn people() -> Arc<Part> {
    let unique = Column { unique: true, ..column("email", LogicalType::TEXT, Placement::InlineColumn) };
    let age = Column {
        index: Some(crate::schema::Index { method: "", parameters: &[] }),
        ..column("age", LogicalType::INT, Placement::InlineColumn)
    };
    part_of(
        "people",
        vec![
            unique,
            age,
            column("bio", LogicalType::TEXT, Placement::InvertedIndex),
            column("tags", TEXT_LIST, Placement::SideTable),
            column("weight", LogicalType::Float, Placement::InlineColumn),
        ],
    )
}

fn person(mode: WriteMode, version: i64, id: &str, email: &str, age: i64) -> WriteBatch {
    WriteBatch {
        mode,
        version,
        ids: vec![id.into()],
        columns: vec![0, 1, 2, 3, 4],
        values: vec![
            Value::Text(email.into()),
            Value::Int(age),
            Value::Text(format!("likes {email}")),
            texts(&[email, "all"]),
            Value::Float(age as f64),
        ],
        expected: Vec::new(),
    }
}

fn joined(mut batches: Vec<WriteBatch>) -> WriteBatch {
    let mut all = batches.remove(0);
    for batch in batches {
        all.ids.extend(batch.ids);
        all.values.extend(batch.values);
    }
    all
}

fn write(driver: &SqliteDriver, part: &Arc<Part>, batch: WriteBatch) -> crate::Result<WriteReport> {
    now(driver.write(part, Arc::new(batch)))
}

fn found(driver: &SqliteDriver, part: &Arc<Part>, field: &'static str, condition: Condition) -> Vec<String> {
    ids(driver, part, SubQuery { filter: Test::new(field, condition).into(), ..SubQuery::default() })
}

fn has(driver: &SqliteDriver, part: &Arc<Part>, tag: &str) -> Vec<String> {
    found(driver, part, "tags", Condition::Has(Value::Text(tag.into())))
}

fn matches(driver: &SqliteDriver, part: &Arc<Part>, words: &str) -> Vec<String> {
    found(driver, part, "bio", Condition::Matches(words.into()))
}

#[test]
fn an_older_or_equal_version_never_replaces_a_row() {
    let (driver, part) = (memory(), people());
    now(driver.ensure(&part)).unwrap();
    assert_eq!(write(&driver, &part, person(WriteMode::Upsert, 5, "a", "x", 1)).unwrap(), WriteReport::default());
    let stale = WriteReport { stale: vec![(0, 5)], missing: vec![] };
    assert_eq!(write(&driver, &part, person(WriteMode::Upsert, 5, "a", "y", 2)).unwrap(), stale);
    assert_eq!(write(&driver, &part, person(WriteMode::Upsert, 4, "a", "y", 2)).unwrap(), stale);
    assert_eq!(write(&driver, &part, person(WriteMode::Patch, 5, "a", "y", 2)).unwrap(), stale);
    let mut delete = WriteBatch { columns: vec![], values: vec![], ..person(WriteMode::Delete, 5, "a", "", 0) };
    assert_eq!(write(&driver, &part, delete.clone()).unwrap(), stale);
    assert_eq!(has(&driver, &part, "x"), ["a"]);
    assert!(has(&driver, &part, "y").is_empty() && matches(&driver, &part, "y").is_empty());
    delete.version = 6;
    assert_eq!(write(&driver, &part, delete.clone()).unwrap(), WriteReport::default());
    assert_eq!(write(&driver, &part, delete).unwrap(), WriteReport { stale: vec![], missing: vec![0] });
    assert!(has(&driver, &part, "x").is_empty() && matches(&driver, &part, "x").is_empty());
}

#[test]
fn a_patch_changes_its_columns_only_and_keeps_to_the_expected_version() {
    let (driver, part) = (memory(), people());
    now(driver.ensure(&part)).unwrap();
    write(&driver, &part, person(WriteMode::Insert, 1, "a", "x", 1)).unwrap();
    let patch = |version, expected: Vec<i64>, id: &str| WriteBatch {
        mode: WriteMode::Patch,
        version,
        ids: vec![id.into()],
        columns: vec![1, 3],
        values: vec![Value::Null, texts(&["new"])],
        expected,
    };
    assert_eq!(write(&driver, &part, patch(9, vec![8], "a")).unwrap().stale, [(0, 1)]);
    assert_eq!(write(&driver, &part, patch(9, vec![1], "a")).unwrap(), WriteReport::default());
    assert_eq!(write(&driver, &part, patch(10, vec![], "none")).unwrap().missing, [0]);
    let page = now(driver.fetch_one(&part, &"a".into(), &[0, 1, 3])).unwrap();
    assert_eq!((page.versions.as_slice(), page.row(0)), (&[9][..], &[Value::Text("x".into()), Value::Null, texts(&["new"])][..]));
    assert_eq!(
        (has(&driver, &part, "new"), has(&driver, &part, "x"), matches(&driver, &part, "x")),
        (vec!["a".into()], vec![], vec!["a".into()])
    );
}

#[test]
fn conflicts_name_the_id_or_the_field_and_leave_nothing_written() {
    let (driver, part) = (memory(), people());
    now(driver.ensure(&part)).unwrap();
    write(&driver, &part, person(WriteMode::Insert, 1, "b", "x", 1)).unwrap();
    let exists = joined(vec![person(WriteMode::Insert, 2, "a", "new", 1), person(WriteMode::Insert, 2, "b", "other", 1)]);
    let error = write(&driver, &part, exists).unwrap_err();
    assert_eq!((error.kind(), error.detail("id"), error.field()), (ErrorKind::AlreadyExists, Some("b"), Some("object_id")));
    let taken = joined(vec![person(WriteMode::Upsert, 2, "a", "new", 1), person(WriteMode::Upsert, 2, "c", "x", 1)]);
    let error = write(&driver, &part, taken).unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::UniqueViolation, Some("email")));
    assert!(!format!("{error:?}").contains("likes"), "{error:?}");
    assert_eq!(ids(&driver, &part, SubQuery::default()), ["b"]);
    assert!(matches(&driver, &part, "new").is_empty() && has(&driver, &part, "new").is_empty());
    // The connection is not left inside a transaction.
    write(&driver, &part, joined(vec![person(WriteMode::Insert, 3, "d", "d", 1), person(WriteMode::Insert, 3, "e", "e", 1)])).unwrap();
}

#[test]
fn two_rows_of_a_batch_may_swap_what_is_unique() {
    let (driver, part) = (memory(), people());
    now(driver.ensure(&part)).unwrap();
    let put = |version, id: &str, email: &str| person(WriteMode::Upsert, version, id, email, 1);
    write(&driver, &part, joined(vec![put(1, "a", "a@x"), put(1, "b", "b@x"), put(9, "c", "c@x")])).unwrap();
    let report = write(&driver, &part, joined(vec![put(2, "a", "b@x"), put(2, "b", "a@x")])).unwrap();
    assert!(report.stale.is_empty() && report.missing.is_empty(), "{report:?}");
    assert_eq!(found(&driver, &part, "email", Condition::Eq(Value::Text("b@x".into()))), ["a"]);
    assert_eq!(found(&driver, &part, "email", Condition::Eq(Value::Text("a@x".into()))), ["b"]);
    assert_eq!((has(&driver, &part, "b@x"), matches(&driver, &part, "b@x")), (vec!["a".to_owned()], vec!["a".to_owned()]));
    // A value that a row outside of the batch holds is refused, and so is one that two rows ask for; nothing is written.
    for bad in [vec![put(3, "a", "a@x"), put(3, "b", "c@x")], vec![put(3, "a", "n@x"), put(3, "b", "n@x")]] {
        assert_eq!(write(&driver, &part, joined(bad)).unwrap_err().kind(), ErrorKind::UniqueViolation);
        assert_eq!(found(&driver, &part, "email", Condition::Eq(Value::Text("b@x".into()))), ["a"]);
    }
}

#[test]
fn aggregates_are_exact_and_know_nulls() {
    let (driver, part) = (memory(), every_type());
    now(driver.ensure(&part)).unwrap();
    let measures = |column| {
        use AggregateFunction::*;
        [Count, CountDistinct, Sum, Avg, Min, Max].map(|function| Measure { function, column: Some(column) }).to_vec()
    };
    let everything = |keys: Vec<usize>, column| Aggregate { filter: Filter::all(), ids: None, keys, measures: measures(column) };
    let empty = now(driver.aggregate(&part, &everything(vec![], 1))).unwrap();
    assert_eq!(
        empty,
        [Group { keys: vec![], measures: vec![Value::Int(0), Value::Int(0), Value::Null, Value::Null, Value::Null, Value::Null] }]
    );
    assert!(now(driver.aggregate(&part, &everything(vec![0], 1))).unwrap().is_empty());
    let batch = rows_of(&part);
    write(&driver, &part, batch.clone()).unwrap();
    for key in [0, 2, 4, 11] {
        for column in [1, 2] {
            let mut wanted: Vec<(Vec<u8>, Vec<Total>)> = Vec::new();
            for row in 0..batch.len() {
                let mut group = Vec::new();
                canonical_key(&batch.row(row)[key], &mut group);
                let at = wanted.iter().position(|(k, _)| *k == group).unwrap_or_else(|| {
                    wanted.push((group, measures(column).iter().map(|m| Total::new(m.function)).collect()));
                    wanted.len() - 1
                });
                wanted[at].1.iter_mut().for_each(|total| total.add(Some(&batch.row(row)[column])).unwrap());
            }
            let found = match now(driver.aggregate(&part, &everything(vec![key], column))) {
                Ok(found) => found,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
                    assert!(wanted.into_iter().any(|(_, totals)| totals.into_iter().any(|t| t.finish().is_err())));
                    continue;
                }
            };
            assert_eq!(found.len(), wanted.len());
            for group in found {
                let mut name = Vec::new();
                canonical_key(&group.keys[0], &mut name);
                let (_, totals) = wanted.iter().find(|(k, _)| *k == name).unwrap();
                let totals: Vec<Value> = totals.iter().cloned().map(|t| t.finish().unwrap()).collect();
                for (found, wanted) in group.measures.iter().zip(&totals) {
                    match (found, wanted) {
                        (Value::Float(x), Value::Float(y)) => assert!((x - y).abs() <= y.abs() * 1e-12, "{x} {y}"),
                        _ => assert_eq!(found, wanted),
                    }
                }
            }
        }
    }
    // Beyond 64 bits on the way, within them at the end.
    let there_and_back = part_of("sums", vec![column("n", LogicalType::INT, Placement::InlineColumn)]);
    now(driver.ensure(&there_and_back)).unwrap();
    let sum = Aggregate { measures: vec![Measure { function: AggregateFunction::Sum, column: Some(0) }], ..everything(vec![], 0) };
    let numbers = |version, values: &[i64]| WriteBatch {
        mode: WriteMode::Upsert,
        version,
        ids: (0..values.len()).map(|i| Id::from(format!("{i}"))).collect(),
        columns: vec![0],
        values: values.iter().map(|n| Value::Int(*n)).collect(),
        expected: vec![],
    };
    write(&driver, &there_and_back, numbers(1, &[i64::MAX, 5, -5, -1])).unwrap();
    assert_eq!(now(driver.aggregate(&there_and_back, &sum)).unwrap()[0].measures, [Value::Int(i64::MAX - 1)]);
    write(&driver, &there_and_back, numbers(2, &[i64::MAX, 5, -4, 0])).unwrap();
    assert_eq!(now(driver.aggregate(&there_and_back, &sum)).unwrap_err().kind(), ErrorKind::LimitExceeded);
}

#[test]
fn hostile_names_reach_no_statement_unquoted() {
    let driver = memory();
    let names = ["a\"b", "drop table x;--", "back`tick", "percent%_\\", "bracket]", "select", "'", "üñí", "?1 :x $y @z"];
    let columns = names.map(|name| Column { unique: true, ..column(name, LogicalType::TEXT, Placement::InlineColumn) }).to_vec();
    let mut columns: Vec<Column> = columns;
    columns.push(Column { physical: "w\"'; --".into(), ..column("words", LogicalType::TEXT, Placement::InvertedIndex) });
    columns.push(Column { physical: "l\"'; --".into(), ..column("list", TEXT_LIST, Placement::SideTable) });
    let part = part_of("hostile", columns);
    let part = Arc::new(Part { table: "t\"; DROP TABLE _hb_manifest; --".into(), ..(*part).clone() });
    assert!(now(driver.ensure(&part)).unwrap().created);
    assert!(!now(driver.ensure(&part)).unwrap().created);
    let hostile = "x'); DROP TABLE \"t\"; -- %_\\ ` \0";
    let mut values = vec![Value::Text(hostile.into()); names.len() + 1];
    values.push(texts(&[hostile]));
    let row = WriteBatch {
        mode: WriteMode::Insert,
        version: 1,
        ids: vec![hostile.trim_end_matches('\0').into()],
        columns: (0..names.len() + 2).collect(),
        values,
        expected: vec![],
    };
    write(&driver, &part, row.clone()).unwrap();
    for name in names {
        for condition in [
            Condition::Eq(Value::Text(hostile.into())),
            Condition::Contains(hostile.into()),
            Condition::Like("x'); DROP TABLE \"t\"; -- \\%\\_\\\\ ` _".into()),
            Condition::Regex("^x'\\); DROP".into()),
        ] {
            assert_eq!(found(&driver, &part, name, condition).len(), 1, "{name}");
        }
    }
    assert_eq!(found(&driver, &part, "list", Condition::Has(Value::Text(hostile.into()))).len(), 1);
    assert_eq!(found(&driver, &part, "words", Condition::Matches("drop \" OR table".into())).len(), 0);
    assert_eq!(found(&driver, &part, "words", Condition::Matches("DROP table".into())).len(), 1);
    let again = WriteBatch { ids: vec!["other".into()], ..row };
    // Every column is violated: SQLite names the one it meets first.
    let error = write(&driver, &part, again).unwrap_err();
    assert!(error.kind() == ErrorKind::UniqueViolation && error.field().is_some_and(|f| names.contains(&f)), "{error:?}");
    assert!(now(driver.drop_part(&part)).unwrap());
    assert!(!now(driver.drop_part(&part)).unwrap());
    let left: i64 = driver.with_reader(|c| c.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))).unwrap();
    assert_eq!(left, 1, "the manifest is all that stays");
}

#[test]
fn vectors_follow_their_rows() {
    let driver = memory();
    let part = part_of(
        "vectors",
        vec![column("n", LogicalType::INT, Placement::InlineColumn), column("v", LogicalType::Vector(2), Placement::VectorIndex)],
    );
    now(driver.ensure(&part)).unwrap();
    let vector = |x: f32, y: f32| Value::Vector([x, y].into());
    let put = |mode, version, id: &str, columns: Vec<usize>, values| {
        write(&driver, &part, WriteBatch { mode, version, ids: vec![id.into()], columns, values, expected: vec![] }).unwrap()
    };
    put(WriteMode::Upsert, 2, "a", vec![0, 1], vec![Value::Int(1), vector(1.0, 0.0)]);
    put(WriteMode::Upsert, 2, "b", vec![0, 1], vec![Value::Int(2), vector(0.0, 1.0)]);
    put(WriteMode::Upsert, 2, "c", vec![0, 1], vec![Value::Int(3), Value::Null]);
    let nearest = |filter: Filter| {
        let near = NearQuery { column: 1, vector: [1.0, 0.1].into(), metric: Metric::Cosine, k: 9, exact: true };
        ids(&driver, &part, SubQuery { near: Some(near), filter, ..SubQuery::default() })
    };
    let all = || nearest(Filter::all());
    assert_eq!(all(), ["a", "b"]);
    // A row that stays because it is newer keeps its vector.
    assert_eq!(put(WriteMode::Upsert, 1, "a", vec![0, 1], vec![Value::Int(9), vector(-1.0, 0.0)]).stale, [(0, 2)]);
    assert_eq!(all(), ["a", "b"]);
    put(WriteMode::Patch, 3, "a", vec![1], vec![vector(-1.0, 0.0)]);
    assert_eq!(all(), ["b", "a"]);
    put(WriteMode::Patch, 4, "c", vec![1], vec![vector(1.0, 0.1)]);
    put(WriteMode::Patch, 4, "b", vec![0], vec![Value::Null]);
    assert_eq!(all(), ["c", "b", "a"]);
    assert_eq!(nearest(Test::new("n", Condition::IsNull).into()), ["b"]);
    assert_eq!(found(&driver, &part, "v", Condition::IsSome), ["a", "b", "c"]);
    put(WriteMode::Patch, 5, "a", vec![1], vec![Value::Null]);
    put(WriteMode::Delete, 5, "b", vec![], vec![]);
    assert_eq!(all(), ["c"]);
    assert_eq!(now(driver.fetch_one(&part, &"a".into(), &[1, 0])).unwrap().values, [Value::Null, Value::Int(1)]);
    assert_eq!(found(&driver, &part, "v", Condition::IsNull), ["a"]);
    let left: i64 = driver.with_reader(|c| c.query_row("SELECT count(*) FROM test__vectors__v__vectors", [], |r| r.get(0))).unwrap();
    assert_eq!(left, 1);
    assert!(now(driver.drop_part(&part)).unwrap());
    let left: i64 = driver.with_reader(|c| c.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))).unwrap();
    assert_eq!(left, 1);
}
