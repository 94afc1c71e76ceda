//! What the behaviour suite cannot ask of Postgres: a server that goes away, patterns, what it cannot keep, its indexes.
//! Runs where `HEAVENBASE_TEST_POSTGRES` and `HEAVENBASE_TEST_PGVECTOR` say.
#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use heavenbase::backends::postgres::PostgresDriver;
use heavenbase::backends::{Connect, Postgres};
use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, Page, SubQuery, WriteBatch, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{Binding, EntitySchema, Part, Routing};
use heavenbase::types::{Id, LogicalType, Value};
use heavenbase::{ErrorKind, Status};
use heavenbase_tests::data::Spec;
use sqlx::{AssertSqlSafe, PgPool};

const SHORT: LogicalType = LogicalType::Text { max: 255 };

fn address(variable: &str) -> Option<String> {
    let found = std::env::var(variable).ok();
    if found.is_none() {
        eprintln!("not run: {variable} is not set");
    }
    found
}

fn unique(what: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{what}x{:x}x{:x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn pool(driver: &Arc<dyn Driver>) -> PgPool {
    driver.as_any().downcast_ref::<PostgresDriver>().unwrap().pool().clone()
}

fn part(driver: &Arc<dyn Driver>, kind: &'static str, entity: EntitySchema) -> Arc<Part> {
    let binding = Binding { name: "main", kind, driver: driver.clone() };
    Routing::new(Box::leak(Box::new(entity)), &unique("pg").into(), "main", &[binding]).unwrap().parts[0].clone()
}

fn batch(mode: WriteMode, version: i64, rows: Vec<(String, Vec<Value>)>) -> Arc<WriteBatch> {
    let columns = (0..rows[0].1.len()).collect();
    let (ids, values): (Vec<Id>, Vec<Vec<Value>>) = rows.into_iter().map(|(id, values)| (Id::from(id), values)).unzip();
    Arc::new(WriteBatch { mode, version, ids, columns, values: values.into_iter().flatten().collect(), expected: Vec::new() })
}

async fn all(driver: &Arc<dyn Driver>, part: &Arc<Part>, query: SubQuery) -> Page {
    let mut stream = driver.open(part.clone(), Arc::new(query)).unwrap();
    let mut found: Option<Page> = None;
    while let Some(page) = stream.next_page().await.unwrap() {
        match &mut found {
            None => found = Some(page),
            Some(found) => found.append(page),
        }
    }
    found.unwrap_or_default()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A driver whose sessions can be told apart, and one beside it.
struct Pair {
    name: String,
    driver: Arc<dyn Driver>,
    other: PgPool,
    part: Arc<Part>,
}

impl Pair {
    async fn new(address: &str) -> Pair {
        let name = unique("hbkill");
        let mark = if address.contains('?') { '&' } else { '?' };
        let driver = Postgres::url(format!("{address}{mark}application_name={name}")).connect().await.unwrap();
        let other = pool(&Postgres::url(address).connect().await.unwrap());
        let part = part(&driver, "postgres", Spec::entity("killed", &[Spec::new("title", SHORT, Placement::InlineColumn)]));
        driver.ensure(&part).await.unwrap();
        Pair { name, driver, other, part }
    }

    /// Ends the sessions, and waits until they are gone: one that is still going would be met by the next request.
    async fn kill(&self) -> usize {
        let text = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1";
        sqlx::query(text).bind(&self.name).fetch_all(&self.other).await.unwrap().len()
    }

    async fn until(&self, what: &'static str) {
        let text = format!("SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND {what}");
        for _ in 0..500 {
            let found = sqlx::query(AssertSqlSafe(text.clone())).bind(&self.name).fetch_all(&self.other).await.unwrap();
            if !found.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no session came to {what}");
    }

    async fn rows(&self) -> usize {
        all(&self.driver, &self.part, SubQuery::default()).await.len()
    }

    async fn done(self) {
        assert!(self.driver.drop_part(&self.part).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_session_is_replaced() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES") else { return };
    let pair = Pair::new(&address).await;
    for version in 1..4 {
        pair.driver.write(&pair.part, batch(WriteMode::Upsert, version, vec![("a".into(), vec![text("x")])])).await.unwrap();
        assert!(pair.kill().await > 0);
        assert_eq!(pair.driver.fetch_one(&pair.part, &Id::from("a"), &[0]).await.unwrap().versions, [version]);
        assert!(pair.kill().await > 0);
    }
    pair.driver.write(&pair.part, batch(WriteMode::Upsert, 9, vec![("b".into(), vec![text("x")])])).await.unwrap();
    assert_eq!(pair.rows().await, 2);
    pair.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_within_a_statement_nothing_changed() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES") else { return };
    let pair = Pair::new(&address).await;
    let mut lock = pair.other.begin().await.unwrap();
    let lock_text = format!("LOCK TABLE \"{}\" IN ACCESS EXCLUSIVE MODE", pair.part.table);
    sqlx::query(AssertSqlSafe(lock_text)).execute(&mut *lock).await.unwrap();
    let rows = |n: usize| (0..n).map(|i| (format!("r{i:05}"), vec![text("x")])).collect::<Vec<_>>();
    let (driver, part) = (pair.driver.clone(), pair.part.clone());
    let writing = tokio::spawn(async move { driver.write(&part, batch(WriteMode::Upsert, 1, rows(1000))).await });
    pair.until("wait_event_type = 'Lock'").await;
    assert!(pair.kill().await > 0);
    let error = writing.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Temporary), "{error:?}");
    // A read that is killed runs again by itself.
    let (driver, part) = (pair.driver.clone(), pair.part.clone());
    let reading = tokio::spawn(async move { driver.fetch_one(&part, &Id::from("r00001"), &[0]).await });
    pair.until("wait_event_type = 'Lock'").await;
    assert!(pair.kill().await > 0);
    lock.rollback().await.unwrap();
    assert!(reading.await.unwrap().unwrap().is_empty(), "the killed batch left a row");
    assert_eq!(pair.rows().await, 0);
    pair.driver.write(&pair.part, batch(WriteMode::Upsert, 1, rows(1000))).await.unwrap();
    assert_eq!(pair.rows().await, 1000);
    pair.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_within_the_commit_the_outcome_is_unknown() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES") else { return };
    let pair = Pair::new(&address).await;
    let slow = unique("hbslow");
    let texts = [
        format!("CREATE FUNCTION {slow}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(20); RETURN NULL; END $$"),
        format!(
            "CREATE CONSTRAINT TRIGGER {slow} AFTER INSERT ON \"{}\" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {slow}()",
            pair.part.table
        ),
    ];
    for text in texts {
        sqlx::query(AssertSqlSafe(text)).execute(&pair.other).await.unwrap();
    }
    let (driver, part) = (pair.driver.clone(), pair.part.clone());
    let writing = tokio::spawn(async move { driver.write(&part, batch(WriteMode::Upsert, 1, vec![("a".into(), vec![text("x")])])).await });
    pair.until("wait_event = 'PgSleep'").await;
    assert!(pair.kill().await > 0);
    let error = writing.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Unknown), "{error:?}");
    let drop = format!("DROP FUNCTION {slow}() CASCADE");
    sqlx::query(AssertSqlSafe(drop)).execute(&pair.other).await.unwrap();
    pair.driver.write(&pair.part, batch(WriteMode::Upsert, 1, vec![("a".into(), vec![text("x")])])).await.unwrap();
    assert_eq!(pair.rows().await, 1);
    pair.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_to_connect_say_why_and_no_secret() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES") else { return };
    let secret = "s3cr3t-word";
    let wrong = address.replacen(":heavenbase@", &format!(":{secret}@"), 1);
    let gone = format!("postgres://someone:{secret}@127.0.0.1:9/none");
    let missing = format!("{}_is_not_there", address);
    for (url, kind) in [
        (wrong, ErrorKind::PermissionDenied),
        (gone, ErrorKind::Unavailable),
        (missing, ErrorKind::InvalidSchema),
        (format!("postgres://x:{secret}@host:notaport/db"), ErrorKind::InvalidSchema),
    ] {
        let config = Postgres::url(url).acquire_timeout(Duration::from_secs(5));
        assert!(!format!("{config:?}").contains(secret));
        let error = config.connect().await.err().expect("connects");
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(!format!("{error:?} {error}").contains(secret), "{error:?}");
    }
    // The server stops what takes too long.
    let pair = Pair::new(&address).await;
    let quick = Postgres::url(address).statement_timeout(Duration::from_millis(200)).connect().await.unwrap();
    let mut lock = pair.other.begin().await.unwrap();
    let lock_text = format!("LOCK TABLE \"{}\" IN ACCESS EXCLUSIVE MODE", pair.part.table);
    sqlx::query(AssertSqlSafe(lock_text)).execute(&mut *lock).await.unwrap();
    let error = quick.fetch_one(&pair.part, &Id::from("a"), &[0]).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Timeout, Status::Temporary), "{error:?}");
    lock.rollback().await.unwrap();
    pair.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_postgres_cannot_keep_is_refused_and_what_is_long_is_kept() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES") else { return };
    let driver = Postgres::url(address).connect().await.unwrap();
    let specs = [
        Spec::new("note", LogicalType::TEXT, Placement::InlineColumn).indexed(),
        Spec::new("code", LogicalType::TEXT, Placement::InlineColumn).unique(),
        Spec::new("body", LogicalType::TEXT, Placement::InvertedIndex),
        Spec::new("doc", LogicalType::Json, Placement::JsonField),
        Spec::new("tags", LogicalType::List(&SHORT), Placement::InlineColumn).indexed(),
    ];
    let part = part(&driver, "postgres", Spec::entity("limits", &specs));
    driver.ensure(&part).await.unwrap();
    let json = |text: &str| Value::Json(Box::new(serde_json::from_str(text).unwrap()));
    let nothing = || vec![Value::Null; 5];
    for (i, value) in [
        (0, text("a\0b")),
        (2, text("\0")),
        (3, json(r#"{"a": ["\u0000"]}"#)),
        (3, json(r#"{"\u0000": 1}"#)),
        (4, Value::List(Box::from([text("ok"), text("\0")]))),
    ] {
        let mut row = nothing();
        row[i] = value;
        let error = driver.write(&part, batch(WriteMode::Upsert, 1, vec![("ok".into(), nothing()), ("no".into(), row)])).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidValue, Some(part.columns[i].name)), "{error:?}");
    }
    assert_eq!(all(&driver, &part, SubQuery::default()).await.len(), 0);
    let long: String = (0..65_000u32).map(|i| char::from_u32(0x4e00 + i % 20_000).unwrap()).collect();
    let word = "w".repeat(60_000);
    let row = |code: &str| vec![text(&long), text(&format!("{long}{code}")), text(&format!("a {word} z")), Value::Null, Value::Null];
    driver.write(&part, batch(WriteMode::Insert, 1, vec![("a".into(), row("1")), ("b".into(), row("2"))])).await.unwrap();
    let error = driver.write(&part, batch(WriteMode::Upsert, 2, vec![("c".into(), row("1"))])).await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::UniqueViolation, Some("code")), "{error:?}");
    let error = driver.write(&part, batch(WriteMode::Insert, 2, vec![("b".into(), row("3"))])).await.unwrap_err();
    assert_eq!((error.kind(), error.detail("id")), (ErrorKind::AlreadyExists, Some("b")), "{error:?}");
    for condition in [Condition::Matches(format!("Z {word}")), Condition::Phrase(format!("A {word} Z"))] {
        let query = SubQuery { filter: Test::new("body", condition).into(), ..SubQuery::default() };
        assert_eq!(all(&driver, &part, query).await.len(), 2);
    }
    let query = SubQuery { filter: Test::new("note", Condition::Eq(text(&long))).into(), ..SubQuery::default() };
    assert_eq!(all(&driver, &part, query).await.len(), 2);
    driver.drop_part(&part).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_taken_match_what_rust_matches() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES") else { return };
    let driver = Postgres::url(address).connect().await.unwrap();
    let part = part(&driver, "postgres", Spec::entity("patterns", &[Spec::new("t", SHORT, Placement::InlineColumn).required()]));
    driver.ensure(&part).await.unwrap();
    let texts = [
        "",
        "a",
        "ab",
        "abc",
        "aab",
        "b",
        "A",
        "ABC",
        "a\nb",
        "\n",
        "a b",
        "a.b",
        "a*b",
        "[x]",
        "x-y",
        "^",
        "$",
        "\\",
        "a\\b",
        "{2}",
        "aa",
        "aaaa",
        "12",
        "１２",
        "é",
        "É",
        "e\u{301}",
        "ß",
        "ẞ",
        "SS",
        "ſ",
        "s",
        "K",
        "\u{212a}",
        "k",
        "😀",
        "😀😀",
        "日本",
        "\u{10ffff}",
        "\u{1}",
        "\u{7f}",
        "***:a",
        "***=a",
        "(?i)a",
        "tab\t",
        "#c",
        "a#b",
        "  ",
    ];
    let rows = texts.iter().enumerate().map(|(i, t)| (format!("{i:03}"), vec![text(t)])).collect();
    driver.write(&part, batch(WriteMode::Insert, 1, rows)).await.unwrap();
    let patterns = [
        "",
        "a",
        "^a",
        "b$",
        "^$",
        "^a.b$",
        "(?s)^a.b$",
        "a|b",
        "a|",
        "|a",
        "(?:)",
        "(a|)(b|)$",
        "^(?:ab|a)*$",
        "a+",
        "a{2}",
        "^a{2,3}$",
        "a{2,}",
        "a*?b",
        "[a-c]",
        "[^a-z]",
        r"\.",
        r"\*",
        r"\[x\]",
        "[x-]",
        r"[\]\[]",
        r"\\",
        r"\$",
        r"^\^",
        r"\{2\}",
        r"(?-u:\d)",
        r"\pL",
        "(?i)k",
        "(?i)ß",
        "(?i)ss",
        "(?i)É",
        "[😀-😂]",
        "^.$",
        "^..$",
        "日|é",
        r"\x{10ffff}",
        r"[\x00-\x1f]",
        r"\x01",
        r"\***:a",
        r"\(\?i\)a",
        r"\t",
        "#",
        "(?x) a # b",
        "^ +$",
        "(a(b(c)?)?)?$",
        "^(a|ab)(c|bcd)?$",
        r"\A\z",
        "[[:alpha:]]",
        "[^\\n]",
        "(?:a|b){1,3}c",
        "((((a))))",
        r"\s",
        r"\S",
        r"\w",
        r"\d",
        r"\bx",
    ];
    let mut native = 0;
    for pattern in patterns {
        let rust = regex::Regex::new(pattern).unwrap();
        let query = SubQuery { filter: Filter::from(Test::new("t", Condition::Regex(pattern.to_owned()))), ..SubQuery::default() };
        if !driver.plan(&part, &query).remainder.is_all() {
            println!("left to the planner: {pattern}");
            continue;
        }
        native += 1;
        let expected: Vec<String> = texts.iter().enumerate().filter(|(_, t)| rust.is_match(t)).map(|(i, _)| format!("{i:03}")).collect();
        let found: Vec<String> = all(&driver, &part, query).await.ids.iter().map(|id| id.as_str().to_owned()).collect();
        assert_eq!(found, expected, "{pattern:?}");
    }
    assert!(native > 45, "only {native} patterns ran natively");
    driver.drop_part(&part).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_others_keeps_its_types_and_compares_by_bytes() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES") else { return };
    let driver = Postgres::url(address).connect().await.unwrap();
    let table = unique("theirs");
    let pool = pool(&driver);
    let texts = [
        format!("CREATE TABLE {table} (key varchar(40) PRIMARY KEY, name varchar(80), n integer, at timestamptz, day date, real real)"),
        format!(
            "INSERT INTO {table} VALUES ('a', 'apple', 1, '2026-01-01T00:00:00Z', '2026-01-01', 0.5), ('B', 'Banana', 2, NULL, NULL, NULL)"
        ),
    ];
    for text in texts {
        sqlx::query(AssertSqlSafe(text)).execute(&pool).await.unwrap();
    }
    let inline = |name: &str, logical| Spec::new(name, logical, Placement::InlineColumn);
    let specs = [
        inline("name", SHORT),
        inline("n", LogicalType::INT),
        inline("at", LogicalType::Timestamp),
        inline("day", LogicalType::Date),
        inline("real", LogicalType::Float),
    ];
    let mut entity = Spec::entity("theirs", &specs);
    let name: &'static str = Box::leak(table.clone().into_boxed_str());
    entity.existing = Some(ExistingTable { key: "key", ..ExistingTable::at(Box::leak(Box::new([name]))) });
    let part = part(&driver, "postgres", entity);
    driver.ensure(&part).await.unwrap();
    let at: heavenbase::types::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let day: heavenbase::types::Date = "2026-01-01".parse().unwrap();
    let whole = SubQuery { columns: vec![0, 1, 2, 3, 4], ..SubQuery::default() };
    let row = vec![text("apple"), Value::Int(1), Value::Timestamp(at), Value::Date(day), Value::Float(0.5)];
    let page = driver.fetch(&part, &[Id::from("a")], &whole.columns).await.unwrap();
    assert_eq!(page.row(0), row.as_slice());
    for (field, condition, found) in [
        ("name", Condition::Lt(text("a")), "B"),
        ("at", Condition::Ge(Value::Timestamp(at)), "a"),
        ("day", Condition::Eq(Value::Date(day)), "a"),
        ("n", Condition::In(vec![Value::Int(2)]), "B"),
        ("name", Condition::IContains("BAN".into()), "B"),
    ] {
        let query = SubQuery { filter: Test::new(field, condition.clone()).into(), ..whole.clone() };
        assert_eq!(all(&driver, &part, query).await.ids, [Id::from(found)], "{field} {condition:?}");
    }
    driver.write(&part, batch(WriteMode::Upsert, 1, vec![("c".into(), row.clone()), ("a".into(), row.clone())])).await.unwrap();
    assert_eq!(driver.fetch(&part, &[Id::from("c")], &whole.columns).await.unwrap().row(0), row.as_slice());
    assert!(!driver.drop_part(&part).await.unwrap(), "a mapped table is not ours to drop");
    sqlx::query(AssertSqlSafe(format!("DROP TABLE {table}"))).execute(&pool).await.unwrap();
}

#[cfg(feature = "pgvector")]
mod vectors {
    use super::*;
    use heavenbase::backends::PgVector;
    use heavenbase::driver::NearQuery;
    use heavenbase::schema::{FieldSchema, Index, PlacementSchema};
    use heavenbase::types::Metric;
    use heavenbase_tests::random::Random;

    const ROWS: usize = 2_000;
    const LENGTH: usize = 16;

    fn entity(metric: Metric, index: Index) -> EntitySchema {
        let place = |placement, index, metric| -> &'static [PlacementSchema] {
            Box::leak(Box::new([PlacementSchema { backend: "", placement, copy: false, index, unique: false, metric }]))
        };
        let fields = [
            FieldSchema { placements: place(Placement::InlineColumn, None, None), ..FieldSchema::new("n", LogicalType::INT, false) },
            FieldSchema {
                placements: place(Placement::VectorIndex, Some(index), Some(metric)),
                ..FieldSchema::new("v", LogicalType::Vector(LENGTH as u32), true)
            },
        ];
        EntitySchema::new("near", Box::leak(Box::new(fields)))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_index_is_used_and_never_returns_too_few() {
        let Some(address) = address("HEAVENBASE_TEST_PGVECTOR") else { return };
        let driver = PgVector::url(address).max_scan_tuples(400).connect().await.unwrap();
        let kinds =
            [("hnsw", &[("m", 16), ("ef_construction", 64)][..]), ("hnsw", &[("half", 1)]), ("ivfflat", &[("lists", 20)]), ("", &[])];
        for (i, (method, parameters)) in kinds.into_iter().enumerate() {
            let metric = [Metric::Cosine, Metric::L2, Metric::Dot, Metric::Cosine][i];
            let part = part(&driver, "pgvector", entity(metric, Index { method, parameters }));
            driver.ensure(&part).await.unwrap();
            let mut random = Random::new(7);
            let mut vectors = Vec::new();
            let mut rows = Vec::new();
            for n in 0..ROWS {
                let v: Arc<[f32]> = (0..LENGTH).map(|_| (random.unit() * 2.0 - 1.0) as f32).collect();
                let value = if n % 10 == 9 { Value::Null } else { Value::Vector(v.clone()) };
                rows.push((format!("r{n:05}"), vec![Value::Int(n as i64), value]));
                vectors.push(v);
            }
            driver.write(&part, batch(WriteMode::Insert, 1, rows)).await.unwrap();
            sqlx::query(AssertSqlSafe(format!("ANALYZE \"{}\"", part.table))).execute(&pool(&driver)).await.unwrap();
            let target: Arc<[f32]> = (0..LENGTH).map(|_| (random.unit() * 2.0 - 1.0) as f32).collect();
            let best = |below: usize, k: usize| -> Vec<String> {
                let mut scored: Vec<(f64, usize)> =
                    (0..below).filter(|n| n % 10 != 9).map(|n| (metric.score(&target, &vectors[n]), n)).collect();
                scored.sort_by(|a, b| b.0.total_cmp(&a.0));
                scored.iter().take(k).map(|(_, n)| format!("r{n:05}")).collect()
            };
            let near = |below: usize, k: usize, exact: bool| SubQuery {
                filter: Test::new("n", Condition::Lt(Value::Int(below as i64))).into(),
                near: Some(NearQuery { column: 1, vector: target.clone(), metric, k, exact }),
                ..SubQuery::default()
            };
            let plan = driver.plan(&part, &SubQuery { filter: Filter::all(), ..near(ROWS, 10, false) }).text;
            assert!(plan.contains("by the vector index"), "{plan}");
            let select = plan.split(" -- ").next().unwrap().replace("$1", "$1::text").replace("$2", "$2::text").replace("$3", "10");
            let literal = format!("{target:?}");
            let explained: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(format!("EXPLAIN {select}")))
                .bind(&literal)
                .bind(&literal)
                .fetch_all(&pool(&driver))
                .await
                .unwrap();
            let explained: String = explained.into_iter().map(|(line,)| line + "\n").collect();
            assert!(explained.contains("Index Scan using"), "{explained}");
            // All of it: what is found is mostly the nearest. Exactly: all of the nearest.
            let wanted = best(ROWS, 10);
            let found = all(&driver, &part, near(ROWS, 10, false)).await;
            let hits = found.ids.iter().filter(|id| wanted.iter().any(|w| w == id.as_str())).count();
            println!("{method} {parameters:?} {metric}: recall@10 {hits}/10");
            assert_eq!(found.len(), 10);
            // An ivfflat index built over no rows has chosen its lists at random.
            let least = if method == "ivfflat" { 3 } else { 7 };
            assert!(hits >= least, "{method}: {hits} of 10");
            assert!(found.scores.is_sorted_by(|a, b| a >= b));
            let ids = |page: &Page| page.ids.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>();
            assert_eq!(ids(&all(&driver, &part, near(ROWS, 10, true)).await), wanted);
            // Few rows match, far from the target: all of them come, and in order.
            for (below, k) in [(25, 50), (3, 10), (0, 5), (300, 200)] {
                let wanted = best(below, k);
                let found = all(&driver, &part, near(below, k, false)).await;
                assert_eq!(found.len(), wanted.len(), "{method}: below {below}, k {k}");
                if found.len() < k {
                    assert_eq!(ids(&found), wanted);
                }
            }
            driver.drop_part(&part).await.unwrap();
        }
        let part = part(&driver, "pgvector", entity(Metric::L2, Index { method: "hnsw", parameters: &[("lists", 3)] }));
        assert_eq!(driver.ensure(&part).await.unwrap_err().kind(), ErrorKind::InvalidSchema);
    }
}

/// Figures, not a test: `cargo test … --test postgres -- --ignored --nocapture measure`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures"]
async fn measure() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES") else { return };
    let driver = Postgres::url(&address).connect().await.unwrap();
    let specs = [
        Spec::new("title", SHORT, Placement::InlineColumn).required(),
        Spec::new("price", LogicalType::Float, Placement::InlineColumn).required().indexed(),
        Spec::new("n", LogicalType::INT, Placement::InlineColumn).required(),
    ];
    let part = part(&driver, "postgres", Spec::entity("measured", &specs));
    driver.ensure(&part).await.unwrap();
    let pool = pool(&driver);
    let table = &part.table;
    let rows = |from: usize, n: usize| {
        let row = |i: usize| (format!("r{i:06}"), vec![text(&format!("title {i}")), Value::Float((i % 1000) as f64), Value::Int(i as i64)]);
        (from..from + n).map(row).collect::<Vec<_>>()
    };
    let start = Instant::now();
    for chunk in 0..6 {
        driver.write(&part, batch(WriteMode::Upsert, 1, rows(chunk * 5000, 5000))).await.unwrap();
    }
    println!("upsert 30,000 new rows in batches of 5,000: {:?}", start.elapsed());
    let start = Instant::now();
    driver.write(&part, batch(WriteMode::Upsert, 2, rows(0, 5000))).await.unwrap();
    println!("upsert 5,000 rows over old ones: {:?}", start.elapsed());
    let raw = format!(
        "INSERT INTO \"{table}\" (object_id, _hb_version, title, price, n) SELECT u.i, 3, u.t, u.p, u.n FROM UNNEST($1::text[], $2::text[], \
         $3::float8[], $4::bigint[]) AS u(i, t, p, n) ON CONFLICT (object_id) DO UPDATE SET _hb_version = excluded._hb_version, title = \
         excluded.title, price = excluded.price, n = excluded.n"
    );
    let (ids, titles): (Vec<String>, Vec<String>) = (0..5000).map(|i| (format!("r{i:06}"), format!("title {i}"))).unzip();
    let (prices, numbers): (Vec<f64>, Vec<i64>) = (0..5000).map(|i| ((i % 1000) as f64, i as i64)).unzip();
    let start = Instant::now();
    let insert = sqlx::query(AssertSqlSafe(raw)).bind(&ids).bind(&titles).bind(&prices).bind(&numbers);
    insert.execute(&pool).await.unwrap();
    println!("  raw sqlx, no guard, no transaction: {:?}", start.elapsed());
    let get = format!("SELECT object_id, _hb_version, title, price, n FROM \"{table}\" WHERE object_id = $1");
    let filter = format!("SELECT object_id, title FROM \"{table}\" WHERE price < $1 AND n < $2 ORDER BY object_id LIMIT 100");
    for round in 0..2 {
        let start = Instant::now();
        for i in 0..1000 {
            assert_eq!(driver.fetch_one(&part, &Id::from(format!("r{i:06}")), &[0, 1, 2]).await.unwrap().len(), 1);
        }
        println!("point get ({round}): {:?}", start.elapsed() / 1000);
        let start = Instant::now();
        for i in 0..1000 {
            let query = sqlx::query(AssertSqlSafe(get.clone())).bind(format!("r{i:06}"));
            assert_eq!(query.fetch_all(&pool).await.unwrap().len(), 1);
        }
        println!("  raw sqlx: {:?}", start.elapsed() / 1000);
        let conditions = [("price", Condition::Lt(Value::Float(10.0))), ("n", Condition::Lt(Value::Int(20_000)))];
        let wanted = Filter::And(conditions.into_iter().map(|(field, condition)| Test::new(field, condition).into()).collect());
        let wanted = SubQuery { filter: wanted, columns: vec![0], limit: Some(100), ..SubQuery::default() };
        let start = Instant::now();
        for _ in 0..200 {
            assert_eq!(all(&driver, &part, wanted.clone()).await.len(), 100);
        }
        println!("filtered, 100 of 200 rows ({round}): {:?}", start.elapsed() / 200);
        let start = Instant::now();
        for _ in 0..200 {
            let query = sqlx::query(AssertSqlSafe(filter.clone())).bind(10.0f64).bind(20_000i64);
            assert_eq!(query.fetch_all(&pool).await.unwrap().len(), 100);
        }
        println!("  raw sqlx: {:?}", start.elapsed() / 200);
    }
    let start = Instant::now();
    for version in 10..110 {
        driver.write(&part, batch(WriteMode::Upsert, version, rows(7, 1))).await.unwrap();
    }
    println!("upsert of one row: {:?}", start.elapsed() / 100);
    driver.drop_part(&part).await.unwrap();
}
