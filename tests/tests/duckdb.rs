//! What the behaviour suite cannot ask of DuckDB: files shared and locked, crashes, Parquet, tables that exist already.
#![cfg(feature = "duckdb")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use heavenbase::backends::duckdb::DuckDbDriver;
use heavenbase::backends::{Connect, DuckDb};
use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, Page, SubQuery, WriteBatch, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{Binding, EntitySchema, Part, Routing};
use heavenbase::types::{Decimal, Id, Json, LogicalType, Metric, Uuid, Value};
use heavenbase::{ErrorKind, Status};
use heavenbase_tests::data::Spec;

const SHORT: LogicalType = LogicalType::Text { max: 255 };

fn part(driver: &Arc<dyn Driver>, entity: EntitySchema) -> Arc<Part> {
    let binding = Binding { name: "main", kind: "duckdb", driver: driver.clone() };
    Routing::new(Box::leak(Box::new(entity)), &"shop".into(), "main", &[binding]).unwrap().parts[0].clone()
}

fn batch(mode: WriteMode, version: i64, rows: Vec<(String, Vec<Value>)>) -> Arc<WriteBatch> {
    let columns = (0..rows[0].1.len()).collect();
    let (ids, values): (Vec<Id>, Vec<Vec<Value>>) = rows.into_iter().map(|(id, values)| (Id::from(id), values)).unzip();
    Arc::new(WriteBatch { mode, version, ids, columns, values: values.into_iter().flatten().collect(), expected: Vec::new() })
}

async fn all(driver: &Arc<dyn Driver>, part: &Arc<Part>, query: SubQuery) -> Page {
    let mut stream = driver.open(part.clone(), Arc::new(query)).unwrap();
    let mut found = Page::default();
    while let Some(page) = stream.next_page().await.unwrap() {
        found.width = page.width;
        found.append(page);
    }
    found
}

fn own(driver: &Arc<dyn Driver>) -> &DuckDbDriver {
    driver.as_any().downcast_ref().unwrap()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn titles(driver: &Arc<dyn Driver>) -> Arc<Part> {
    part(driver, Spec::entity("item", &[Spec::new("title", SHORT, Placement::InlineColumn)]))
}

async fn open(path: &Path) -> heavenbase::Result<Arc<dyn Driver>> {
    DuckDb::file(path).connect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_is_opened_once_however_it_is_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("sub")).unwrap();
    let (plain, around) = (directory.path().join("a.duckdb"), directory.path().join("sub/../a.duckdb"));
    let first = open(&plain).await.unwrap();
    let second = open(&around).await.unwrap();
    let part = titles(&first);
    first.ensure(&part).await.unwrap();
    first.write(&part, batch(WriteMode::Insert, 1, vec![("a".into(), vec![text("x")])])).await.unwrap();
    assert_eq!(second.fetch_one(&part, &Id::from("a"), &[0]).await.unwrap().values, [text("x")]);
    let refused = DuckDb::file(&plain).threads(1).connect().await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::InvalidSchema);
    assert!(refused.to_string().contains("a.duckdb"), "{refused}");
    // Opened and closed by many at once: never twice at a time, never half closed.
    drop((first, second));
    let mut tasks = Vec::new();
    for task in 0..6i64 {
        let (plain, part) = (plain.clone(), part.clone());
        tasks.push(tokio::spawn(async move {
            for round in 0..8i64 {
                let driver = open(&plain).await.unwrap();
                let row = vec![(format!("t{task}r{round}"), vec![text("y")])];
                driver.write(&part, batch(WriteMode::Insert, 2 + round, row)).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let again = open(&plain).await.unwrap();
    assert_eq!(all(&again, &part, SubQuery::default()).await.len(), 49);
}

/// Run by the tests below as another process; by itself it does nothing.
#[tokio::test]
async fn another_process() {
    let Some(path) = std::env::var_os("HEAVENBASE_TEST_DUCKDB_CHILD") else { return };
    match open(Path::new(&path)).await {
        Err(error) => println!("REFUSED {:?} {:?} {error}", error.kind(), error.status()),
        Ok(driver) => {
            let part = titles(&driver);
            driver.ensure(&part).await.unwrap();
            let rows = (0..500).map(|n| (format!("r{n}"), vec![text("kept")])).collect();
            driver.write(&part, batch(WriteMode::Insert, 1, rows)).await.unwrap();
            driver.write(&part, batch(WriteMode::Upsert, 2, vec![("r7".into(), vec![text("newer")])])).await.unwrap();
            println!("WRITTEN");
            // Neither closed nor checkpointed.
            std::process::abort();
        }
    }
}

fn run_another(path: &Path) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let child = child.args(["--exact", "another_process", "--nocapture"]).env("HEAVENBASE_TEST_DUCKDB_CHILD", path);
    String::from_utf8_lossy(&child.output().unwrap().stdout).into_owned()
}

#[tokio::test]
async fn another_process_is_told_which_file_is_open() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("locked.duckdb");
    let driver = open(&path).await.unwrap();
    let said = run_another(&path);
    assert!(said.contains("REFUSED Unavailable Temporary") && said.contains("locked.duckdb"), "{said}");
    drop(driver);
    assert!(run_another(&path).contains("WRITTEN"));
}

#[tokio::test]
async fn what_was_written_survives_a_process_that_died() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("crashed.duckdb");
    assert!(run_another(&path).contains("WRITTEN"));
    let driver = open(&path).await.unwrap();
    let part = titles(&driver);
    assert!(!driver.ensure(&part).await.unwrap().created);
    assert_eq!(all(&driver, &part, SubQuery::default()).await.len(), 500);
    let row = driver.fetch_one(&part, &Id::from("r7"), &[0]).await.unwrap();
    assert_eq!((row.versions, row.values), (vec![2], vec![text("newer")]));
}

#[tokio::test]
async fn what_is_no_database_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    std::fs::write(&path, "just some notes, and long enough to be looked into by DuckDB: ".repeat(100)).unwrap();
    for (path, kind) in [
        (path, ErrorKind::Corrupt),
        (directory.path().join("no/such.duckdb"), ErrorKind::Storage),
        (directory.path().to_owned(), ErrorKind::Storage),
    ] {
        let error = open(&path).await.err().unwrap();
        assert_eq!((error.kind(), error.status()), (kind, Status::Permanent), "{error}");
        assert!(error.to_string().contains(&path.file_name().unwrap().to_string_lossy().into_owned()), "{error}");
    }
}

#[tokio::test]
async fn floats_keep_their_bits_through_compression() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("floats.duckdb");
    let part = {
        let driver = open(&path).await.unwrap();
        let part = part(&driver, Spec::entity("numbers", &[Spec::new("n", LogicalType::Float, Placement::InlineColumn)]));
        driver.ensure(&part).await.unwrap();
        let number = |n: usize| match n % 5 {
            0 => -0.0,
            1 => 0.0,
            2 => n as f64 / 10.0,
            3 => 5e-324,
            _ => f64::MAX,
        };
        let rows = (0..20_000).map(|n| (format!("r{n:05}"), vec![Value::Float(number(n))])).collect();
        driver.write(&part, batch(WriteMode::Insert, 1, rows)).await.unwrap();
        own(&driver).with_connection(|connection| connection.execute_batch("CHECKPOINT")).unwrap();
        part
    };
    let driver = open(&path).await.unwrap();
    let found = all(&driver, &part, SubQuery { columns: vec![0], ..SubQuery::default() }).await;
    let negative = found.values.iter().filter(|n| matches!(n, Value::Float(n) if *n == 0.0 && n.is_sign_negative())).count();
    assert_eq!((found.len(), negative), (20_000, 4_000));
}

#[tokio::test]
async fn an_entity_becomes_a_parquet_file() {
    let directory = tempfile::tempdir().unwrap();
    let driver = DuckDb::memory().connect().await.unwrap();
    let specs = [
        Spec::new("title", SHORT, Placement::InlineColumn),
        Spec::new("price", LogicalType::Decimal { precision: 12, scale: 2 }, Placement::InlineColumn),
        Spec::new("tags", LogicalType::List(&SHORT), Placement::InlineColumn),
        Spec::new("notes", LogicalType::Json, Placement::JsonField),
        Spec::new("key", LogicalType::Uuid, Placement::InlineColumn),
    ];
    let part = part(&driver, Spec::entity("it's \"an\" item", &specs));
    driver.ensure(&part).await.unwrap();
    let row = |n: i64| {
        let id = format!("r{n:03}");
        let tags = Value::List([text("it's"), text(&id)].into());
        let values = vec![
            if n % 7 == 0 { Value::Null } else { text(&format!("title {n}")) },
            Value::Decimal(Decimal::new(n * 25, 2)),
            tags,
            Value::Json(Box::new(serde_json::json!({ "n": n }))),
            Value::Uuid(Uuid::from_u128(n as u128)),
        ];
        (id, values)
    };
    driver.write(&part, batch(WriteMode::Insert, 1, (0..300).map(row).collect())).await.unwrap();
    let file = directory.path().join("it's; DROP TABLE x --.parquet");
    assert_eq!(own(&driver).export_parquet("shop", "it's \"an\" item", &file).await.unwrap(), 300);
    // Read back in another database, by the names of the fields and nothing else.
    let other = duckdb::Connection::open_in_memory().unwrap();
    let shown = file.to_str().unwrap();
    let names: Vec<String> = other
        .prepare("SELECT column_name FROM (DESCRIBE SELECT * FROM read_parquet(?))")
        .and_then(|mut described| described.query_map([shown], |row| row.get(0))?.collect())
        .unwrap();
    assert_eq!(names, ["object_id", "title", "price", "tags", "notes", "key"]);
    let sums: (i64, i64, f64, String, i64) = other
        .query_row(
            "SELECT count(*), count(title), CAST(sum(price) AS DOUBLE), any_value(tags[1]), \
             count(*) FILTER (CAST(notes->>'n' AS BIGINT) = CAST(substr(object_id, 2) AS BIGINT) AND tags[2] = object_id) \
             FROM read_parquet(?)",
            [shown],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
        )
        .unwrap();
    assert_eq!(sums, (300, 257, 0.25 * 44_850.0, "it's".to_owned(), 300));
    assert_eq!(own(&driver).export_parquet("shop", "nobody", &file).await.unwrap_err().kind(), ErrorKind::NotRegistered);
    let lost = directory.path().join("no/such/file.parquet");
    assert_eq!(own(&driver).export_parquet("shop", "it's \"an\" item", &lost).await.unwrap_err().kind(), ErrorKind::Storage);
}

#[tokio::test]
async fn long_texts_are_unique_by_their_digest() {
    let driver = DuckDb::memory().connect().await.unwrap();
    let long = LogicalType::Text { max: 65_535 };
    let part = part(&driver, Spec::entity("pages", &[Spec::new("body", long, Placement::InlineColumn).unique()]));
    driver.ensure(&part).await.unwrap();
    let body = |end: &str| text(&format!("{}{end}", "x".repeat(20_000)));
    let write = |mode, version, rows| driver.write(&part, batch(mode, version, rows));
    write(WriteMode::Insert, 1, vec![("a".into(), vec![body("1")]), ("b".into(), vec![body("2")])]).await.unwrap();
    for rows in [vec![("c".to_owned(), vec![body("1")])], vec![("c".to_owned(), vec![body("3")]), ("d".to_owned(), vec![body("1")])]] {
        let error = write(WriteMode::Upsert, 2, rows).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::UniqueViolation, Some("body")), "{error}");
        assert!(format!("{error:?}").len() < 500, "the error holds the value");
    }
    // Values that change places within one batch.
    write(WriteMode::Upsert, 3, vec![("a".into(), vec![body("2")]), ("b".into(), vec![body("1")])]).await.unwrap();
    assert_eq!(all(&driver, &part, SubQuery::default()).await.len(), 2);
}

#[tokio::test]
async fn errors_never_hold_what_was_stored() {
    let driver = DuckDb::memory().connect().await.unwrap();
    let specs = [Spec::new("code", SHORT, Placement::InlineColumn).unique(), Spec::new("n", LogicalType::INT, Placement::InlineColumn)];
    let part = part(&driver, Spec::entity("codes", &specs));
    driver.ensure(&part).await.unwrap();
    let row = |id: &str, n: i64| (id.to_owned(), vec![text("top-secret"), Value::Int(n)]);
    driver.write(&part, batch(WriteMode::Insert, 1, vec![row("a", 1)])).await.unwrap();
    for rows in [vec![row("b", 1)], vec![row("b", 1), row("c", 2)]] {
        let error = driver.write(&part, batch(WriteMode::Insert, 2, rows)).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::UniqueViolation, Some("code")));
        assert!(!format!("{error:?}").contains("top-secret"), "{error:?}");
    }
    let error = own(&driver).with_connection(|connection| connection.execute_batch("SELECT CAST('top-secret' AS INTEGER)")).unwrap_err();
    assert!(!format!("{error:?}").contains("top-secret"), "{error:?}");
}

#[tokio::test]
async fn a_transaction_left_open_is_rolled_back() {
    let driver = DuckDb::memory().connect().await.unwrap();
    let part = titles(&driver);
    driver.ensure(&part).await.unwrap();
    let left = own(&driver).with_connection(|connection| connection.execute_batch("BEGIN; CREATE TABLE mine (n INTEGER)")).unwrap_err();
    assert_eq!(left.kind(), ErrorKind::InvalidQuery);
    driver.write(&part, batch(WriteMode::Insert, 1, vec![("a".into(), vec![text("x")])])).await.unwrap();
    let gone = own(&driver).with_reader(|connection| connection.execute_batch("SELECT * FROM mine"));
    assert!(gone.is_err());
    let count = own(&driver).with_reader(|connection| connection.query_row("SELECT 40 + 2", [], |row| row.get::<_, i32>(0)));
    assert_eq!(count.unwrap(), 42);
}

#[tokio::test]
async fn searches_are_exact_and_in_doubles() {
    let driver = DuckDb::memory().connect().await.unwrap();
    let specs = [Spec::new("v", LogicalType::Vector(3), Placement::VectorIndex).ranked(Metric::Cosine)];
    let part = part(&driver, Spec::entity("vectors", &specs));
    driver.ensure(&part).await.unwrap();
    let rows = (0..5_000i32).map(|n| (format!("r{n:04}"), vec![Value::Vector([1.0, n as f32 * 1e-4, 0.5].into())])).collect();
    driver.write(&part, batch(WriteMode::Insert, 1, rows)).await.unwrap();
    let near = heavenbase::driver::NearQuery { column: 0, vector: [1.0, 0.1234, 0.5].into(), metric: Metric::Cosine, k: 3, exact: true };
    let found = all(&driver, &part, SubQuery { near: Some(near), ..SubQuery::default() }).await;
    let score = |n: i32| {
        let (a, b) = ([1.0f32, n as f32 * 1e-4, 0.5].map(f64::from), [1.0f32, 0.1234, 0.5].map(f64::from));
        let dot = |x: [f64; 3], y: [f64; 3]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let mut best: Vec<i32> = (0..5_000).collect();
    best.sort_by(|a, b| score(*b).total_cmp(&score(*a)));
    // Floats of 32 bits cannot tell these apart.
    assert_eq!(found.ids, [0, 1, 2].map(|i| Id::from(format!("r{:04}", best[i]))));
    assert!((found.scores[1] - score(best[1])).abs() < 1e-14, "{:?}", found.scores);
}

#[tokio::test]
async fn json_is_duckdbs_own_type_and_compares_by_kind() {
    let driver = DuckDb::memory().connect().await.unwrap();
    let part = part(&driver, Spec::entity("documents", &[Spec::new("j", LogicalType::Json, Placement::JsonField)]));
    driver.ensure(&part).await.unwrap();
    let json = |json: Json| vec![Value::Json(Box::new(json))];
    let documents =
        [serde_json::json!({ "a": 1 }), serde_json::json!({ "a": "1" }), serde_json::json!({ "a": true }), serde_json::json!({ "a": 1.0 })];
    let rows = documents.into_iter().enumerate().map(|(n, document)| (format!("r{n}"), json(document))).collect();
    driver.write(&part, batch(WriteMode::Insert, 1, rows)).await.unwrap();
    let one = Condition::Eq(Value::Json(Box::new(1.into())));
    let filter = Filter::Test(Test { target: heavenbase::filter::Target::Path(vec!["a".into()]), ..Test::new("j", one) });
    assert!(driver.plan(&part, &SubQuery { filter: filter.clone(), ..SubQuery::default() }).remainder.is_all());
    let found = all(&driver, &part, SubQuery { filter, ..SubQuery::default() }).await;
    assert_eq!(found.ids, ["r0", "r3"].map(Id::from));
    let table = part.table.clone();
    let raw = own(&driver).with_reader(|connection| {
        connection.query_row(&format!("SELECT count(*) FROM \"{table}\" WHERE j->>'a' = '1'"), [], |row| row.get::<_, i64>(0))
    });
    assert_eq!(raw.unwrap(), 2);
}
