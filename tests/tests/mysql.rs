//! What the behaviour suite cannot ask of MariaDB, MySQL and OceanBase: a server that goes away, what they cannot keep, limits,
//! tables of others, vector indexes. Runs where `HEAVENBASE_TEST_MYSQL`, `HEAVENBASE_TEST_MYSQL9` and
//! `HEAVENBASE_TEST_OCEANBASE` say.
#![cfg(feature = "mysql")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use heavenbase::backends::mysql::{MySqlDriver, Tls};
use heavenbase::backends::{Connect, MySql};
use heavenbase::capability::Placement;
use heavenbase::driver::{Aggregate, AggregateFunction, Driver, Measure, OrderKey, Page, SortKey, SubQuery, WriteBatch, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{Binding, EntitySchema, ExistingTable, KeyKind, Part, Routing};
use heavenbase::types::{Id, LogicalType, Value};
use heavenbase::{ErrorKind, Status};
use heavenbase_tests::data::Spec;
use heavenbase_tests::random::Random;
use sqlx::{AssertSqlSafe, MySqlPool, Row};

const SHORT: LogicalType = LogicalType::Text { max: 255 };

/// One of the servers that are there.
#[derive(Clone)]
struct Server {
    kind: &'static str,
    address: String,
}

fn servers() -> Vec<Server> {
    let mut all = Vec::new();
    let mut known = vec![("mysql", "HEAVENBASE_TEST_MYSQL"), ("mysql", "HEAVENBASE_TEST_MYSQL9")];
    if cfg!(feature = "oceanbase") {
        known.push(("oceanbase", "HEAVENBASE_TEST_OCEANBASE"));
    }
    for (kind, variable) in known {
        match std::env::var(variable) {
            Ok(address) => all.push(Server { kind, address }),
            Err(_) => eprintln!("not run: {variable} is not set"),
        }
    }
    all
}

impl Server {
    async fn try_open(&self, address: &str, change: impl Fn(MySql) -> MySql) -> heavenbase::Result<Arc<dyn Driver>> {
        #[cfg(feature = "oceanbase")]
        if self.kind == "oceanbase" {
            return heavenbase::backends::OceanBase::url(address).connect().await;
        }
        change(MySql::url(address)).connect().await
    }

    async fn open(&self) -> Arc<dyn Driver> {
        self.try_open(&self.address, |config| config).await.unwrap()
    }

    /// The address with another database.
    fn database(&self, name: &str) -> String {
        let (before, _) = self.address.rsplit_once('/').unwrap();
        format!("{before}/{name}")
    }
}

fn unique(what: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{what}x{:x}x{:x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn pool(driver: &Arc<dyn Driver>) -> MySqlPool {
    driver.as_any().downcast_ref::<MySqlDriver>().unwrap().pool().clone()
}

async fn sql(pool: &MySqlPool, text: impl Into<String>) {
    sqlx::raw_sql(AssertSqlSafe(text.into())).execute(pool).await.unwrap();
}

fn part(driver: &Arc<dyn Driver>, kind: &'static str, entity: EntitySchema) -> Arc<Part> {
    let binding = Binding { name: "main", kind, driver: driver.clone() };
    Routing::new(Box::leak(Box::new(entity)), &unique("my").into(), "main", &[binding]).unwrap().parts[0].clone()
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

fn ids(page: &Page) -> Vec<&str> {
    page.ids.iter().map(Id::as_str).collect()
}

fn rows(n: usize) -> Vec<(String, Vec<Value>)> {
    (0..n).map(|i| (format!("r{i:05}"), vec![text("x")])).collect()
}

/// A driver in a database of its own, by which its sessions can be told apart, and one beside it.
struct Pair {
    database: String,
    driver: Arc<dyn Driver>,
    other: MySqlPool,
    part: Arc<Part>,
}

impl Pair {
    async fn new(server: &Server) -> Pair {
        let database = unique("hbkill");
        let other = pool(&server.open().await);
        sql(&other, format!("CREATE DATABASE {database}")).await;
        let driver = server.try_open(&server.database(&database), |config| config).await.unwrap();
        let part = part(&driver, server.kind, Spec::entity("killed", &[Spec::new("title", SHORT, Placement::InlineColumn)]));
        driver.ensure(&part).await.unwrap();
        Pair { database, driver, other, part }
    }

    /// The sessions of the driver, or those of them that are at work.
    async fn sessions(&self, busy: bool) -> Vec<u64> {
        let text = "SELECT CAST(id AS UNSIGNED), CAST(command AS CHAR) FROM information_schema.processlist WHERE db = ?";
        // MySQL fails here while another session runs a statement with characters that its catalog cannot show.
        let mut rows = sqlx::query(text).bind(&self.database).fetch_all(&self.other).await;
        for _ in 0..100 {
            if rows.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            rows = sqlx::query(text).bind(&self.database).fetch_all(&self.other).await;
        }
        let rows = rows.unwrap();
        let found = rows.iter().filter(|row| !busy || row.get::<String, _>(1) != "Sleep");
        found.map(|row| row.get::<u64, _>(0)).collect()
    }

    async fn busy(&self) -> Vec<u64> {
        for _ in 0..500 {
            let found = self.sessions(true).await;
            if !found.is_empty() {
                // It is at work; let it come to the lock.
                tokio::time::sleep(Duration::from_millis(200)).await;
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no session came to work");
    }

    /// Ends sessions, and waits until they are gone.
    async fn kill(&self) -> usize {
        let found = self.sessions(false).await;
        for id in &found {
            // One that has gone by itself is no failure.
            let _ = sqlx::raw_sql(AssertSqlSafe(format!("KILL {id}"))).execute(&self.other).await;
        }
        for _ in 0..500 {
            if !self.sessions(false).await.iter().any(|id| found.contains(id)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        found.len()
    }

    async fn count(&self) -> usize {
        all(&self.driver, &self.part, SubQuery::default()).await.len()
    }

    async fn done(self) {
        assert!(self.driver.drop_part(&self.part).await.unwrap());
        sql(&self.other, format!("DROP DATABASE {}", self.database)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_session_is_replaced() {
    for server in servers() {
        let pair = Pair::new(&server).await;
        for version in 1..4 {
            pair.driver.write(&pair.part, batch(WriteMode::Upsert, version, vec![("a".into(), vec![text("x")])])).await.unwrap();
            assert!(pair.kill().await > 0);
            assert_eq!(pair.driver.fetch_one(&pair.part, &Id::from("a"), &[0]).await.unwrap().versions, [version]);
            assert!(pair.kill().await > 0);
        }
        pair.driver.write(&pair.part, batch(WriteMode::Upsert, 9, vec![("b".into(), vec![text("x")])])).await.unwrap();
        assert_eq!(pair.count().await, 2);
        assert!(pair.kill().await > 0);
        assert!(!pair.driver.ensure(&pair.part).await.unwrap().created);
        pair.done().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_within_a_statement_nothing_changed() {
    for server in servers() {
        let pair = Pair::new(&server).await;
        pair.driver.write(&pair.part, batch(WriteMode::Upsert, 1, rows(1))).await.unwrap();
        for query_only in [false, true] {
            let mut lock = pair.other.begin().await.unwrap();
            let held = format!("UPDATE `{}`.`{}` SET title = 'held' WHERE object_id = 'r00000'", pair.database, pair.part.table);
            sqlx::query(AssertSqlSafe(held)).execute(&mut *lock).await.unwrap();
            let (driver, part) = (pair.driver.clone(), pair.part.clone());
            let writing = tokio::spawn(async move { driver.write(&part, batch(WriteMode::Upsert, 2, rows(500))).await });
            let busy = pair.busy().await;
            if query_only {
                for id in busy {
                    sql(&pair.other, format!("KILL QUERY {id}")).await;
                }
            } else {
                assert!(pair.kill().await > 0);
            }
            let error = writing.await.unwrap().unwrap_err();
            let kind = if query_only { ErrorKind::Timeout } else { ErrorKind::Unavailable };
            assert_eq!((error.kind(), error.status()), (kind, Status::Temporary), "{}: {error:?}", server.kind);
            lock.rollback().await.unwrap();
            assert_eq!(pair.count().await, 1, "the killed batch left a row");
        }
        pair.driver.write(&pair.part, batch(WriteMode::Upsert, 2, rows(500))).await.unwrap();
        assert_eq!(pair.count().await, 500);
        pair.done().await;
    }
}

/// What stands between a client and the server, and cuts the line when it sees some text.
#[derive(Clone)]
struct Proxy {
    address: String,
    /// What to look for, and whether the server still gets it.
    cut: Arc<Mutex<Option<(&'static str, bool)>>>,
}

impl Proxy {
    fn new(server: &Server) -> Proxy {
        let (credentials, rest) = server.address.rsplit_once('@').unwrap();
        let (target, database) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("{credentials}@{}/{database}", listener.local_addr().unwrap());
        let cut = Arc::new(Mutex::new(None));
        let (target, wanted) = (target.to_owned(), cut.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&target) else { return };
                Proxy::join(client, server, wanted.clone());
            }
        });
        Proxy { address, cut }
    }

    fn join(client: TcpStream, server: TcpStream, cut: Arc<Mutex<Option<(&'static str, bool)>>>) {
        let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        let (mut from, mut to) = (client, server);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                let mut wanted = cut.lock().unwrap();
                let seen = wanted.is_some_and(|(text, _)| buffer[..length].windows(text.len()).any(|w| w == text.as_bytes()));
                let forward = if seen { wanted.take().is_some_and(|(_, forward)| forward) } else { true };
                drop(wanted);
                if seen {
                    // What is forwarded is carried out; its answer comes to nobody.
                    let _ = from.shutdown(Shutdown::Both);
                }
                if forward && to.write_all(&buffer[..length]).is_err() || seen {
                    std::thread::sleep(Duration::from_millis(300));
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
        });
    }

    fn cut_at(&self, text: &'static str, forward: bool) {
        *self.cut.lock().unwrap() = Some((text, forward));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_cut_before_the_commit_and_within_it() {
    for server in servers() {
        let proxy = Proxy::new(&server);
        let driver = server.try_open(&proxy.address, |config| config.tls(Tls::Disable)).await.unwrap();
        let part = part(&driver, server.kind, Spec::entity("cut", &[Spec::new("title", SHORT, Placement::InlineColumn)]));
        driver.ensure(&part).await.unwrap();
        let one = |id: &str, version| batch(WriteMode::Upsert, version, vec![(id.to_owned(), vec![text("x")])]);
        proxy.cut_at("INSERT INTO", true);
        let error = driver.write(&part, one("a", 1)).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Temporary), "{}: {error:?}", server.kind);
        assert_eq!(all(&driver, &part, SubQuery::default()).await.len(), 0);
        for (id, forward) in [("b", false), ("c", true)] {
            // With the command's byte: a new session says READ COMMITTED.
            proxy.cut_at("\u{3}COMMIT", forward);
            let error = driver.write(&part, one(id, 2)).await.unwrap_err();
            assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Unknown), "{}: {error:?}", server.kind);
        }
        // The server may still be at the commit that it was sent.
        for _ in 0..100 {
            if !all(&driver, &part, SubQuery::default()).await.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(ids(&all(&driver, &part, SubQuery::default()).await), ["c"], "{}", server.kind);
        // Sent again, the batches take place once.
        for id in ["b", "c"] {
            let report = driver.write(&part, one(id, 2)).await.unwrap();
            assert_eq!(report.stale.len(), usize::from(id == "c"));
        }
        // A read whose line is cut runs again by itself; so does a transaction that was not begun.
        proxy.cut_at("SELECT t.", true);
        assert_eq!(all(&driver, &part, SubQuery::default()).await.len(), 2);
        proxy.cut_at("BEGIN", false);
        driver.write(&part, one("d", 3)).await.unwrap();
        driver.drop_part(&part).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_the_same_rows_wait_for_each_other() {
    for server in servers() {
        let driver = server.open().await;
        let specs =
            [Spec::new("n", LogicalType::INT, Placement::InlineColumn), Spec::new("tags", LogicalType::List(&SHORT), Placement::SideTable)];
        let part = part(&driver, server.kind, Spec::entity("contended", &specs));
        driver.ensure(&part).await.unwrap();
        let mut tasks = Vec::new();
        for writer in 0..6i64 {
            let (driver, part) = (driver.clone(), part.clone());
            tasks.push(tokio::spawn(async move {
                for round in 0..15i64 {
                    let version = round * 6 + writer + 1;
                    let row = |i: i64| {
                        (
                            format!("r{:02}", (i * 7 + writer) % 20),
                            vec![Value::Int(version), Value::List(Box::from([text(&format!("t{version}"))]))],
                        )
                    };
                    driver.write(&part, batch(WriteMode::Upsert, version, (0..20).map(row).collect())).await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let page = all(&driver, &part, SubQuery { columns: vec![0, 1], ..SubQuery::default() }).await;
        assert_eq!(page.len(), 20);
        for row in 0..page.len() {
            assert_eq!(page.row(row), [Value::Int(90), Value::List(Box::from([text("t90")]))], "{}", server.kind);
        }
        let query = SubQuery { filter: Test::new("tags", Condition::Has(text("t90"))).into(), ..SubQuery::default() };
        assert_eq!(all(&driver, &part, query).await.len(), 20);
        let query = SubQuery { filter: Test::new("tags", Condition::Has(text("t89"))).into(), ..SubQuery::default() };
        assert_eq!(all(&driver, &part, query).await.len(), 0, "items of a row that was replaced stayed");
        driver.drop_part(&part).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_to_connect_say_why_and_no_secret() {
    for server in servers() {
        let secret = "s3cr3t-word";
        let (_, place) = server.address.rsplit_once('@').unwrap();
        let (host, _) = place.split_once('/').unwrap();
        for (url, kind) in [
            (format!("mysql://heavenbase:{secret}@{place}"), ErrorKind::PermissionDenied),
            (format!("mysql://someone:{secret}@127.0.0.1:9/none"), ErrorKind::Unavailable),
            (server.database("is_not_there"), ErrorKind::InvalidSchema),
            (format!("mysql://x:{secret}@host:notaport/db"), ErrorKind::InvalidSchema),
            (format!("mysql://x:{secret}@{host}"), ErrorKind::InvalidSchema),
        ] {
            assert!(!format!("{:?}", MySql::url(&url)).contains(secret));
            let error = server.try_open(&url, |config| config.acquire_timeout(Duration::from_secs(5))).await.err().expect("connects");
            assert_eq!(error.kind(), kind, "{} {error:?}", server.kind);
            assert!(!format!("{error:?} {error}").contains(secret), "{error:?}");
        }
        let driver = server.open().await;
        let modes: Vec<(String,)> = sqlx::query_as("SELECT CAST(@@sql_mode AS CHAR)").fetch_all(&pool(&driver)).await.unwrap();
        assert!(modes[0].0.contains("STRICT_ALL_TABLES"), "{modes:?}");
    }
    // The server stops what takes too long.
    for server in servers().into_iter().filter(|server| server.kind == "mysql") {
        let pair = Pair::new(&server).await;
        let address = server.database(&pair.database);
        let quick = MySql::url(address).statement_timeout(Duration::from_millis(300)).connect().await.unwrap();
        pair.driver.write(&pair.part, batch(WriteMode::Upsert, 1, rows(1))).await.unwrap();
        let mut lock = pair.other.begin().await.unwrap();
        let held = format!("UPDATE `{}`.`{}` SET title = 'held'", pair.database, pair.part.table);
        sqlx::query(AssertSqlSafe(held)).execute(&mut *lock).await.unwrap();
        let error = quick.write(&pair.part, batch(WriteMode::Upsert, 2, rows(1))).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Timeout, Status::Temporary), "{error:?}");
        lock.rollback().await.unwrap();
        pair.done().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_kind_is_refused() {
    #[cfg(feature = "oceanbase")]
    for server in servers().into_iter().filter(|server| server.kind == "mysql") {
        let error = heavenbase::backends::OceanBase::url(server.address).connect().await.err().expect("connects");
        assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_is_refused_and_what_is_long_is_kept() {
    for server in servers() {
        let driver = server.open().await;
        let specs = [
            Spec::new("note", LogicalType::TEXT, Placement::InlineColumn).indexed(),
            Spec::new("code", LogicalType::TEXT, Placement::InlineColumn).unique(),
            Spec::new("body", LogicalType::TEXT, Placement::InvertedIndex),
            Spec::new("doc", LogicalType::Json, Placement::JsonField),
            Spec::new("data", LogicalType::Bytes, Placement::InlineColumn),
        ];
        let part = part(&driver, server.kind, Spec::entity("limits", &specs));
        driver.ensure(&part).await.unwrap();
        let nothing = || vec![Value::Null; 5];
        let one = |id: &str, row: Vec<Value>| batch(WriteMode::Upsert, 1, vec![("ok".into(), nothing()), (id.to_owned(), row)]);
        // Deeper than the server's functions look.
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let json = |text: &str| Value::Json(Box::new(serde_json::from_str(text).unwrap()));
        let mut row = nothing();
        row[3] = json(&nested(120));
        let error = driver.write(&part, one("deep", row)).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidValue, Some("doc")), "{error:?}");
        // Larger than a packet.
        let mut row = nothing();
        row[4] = Value::Bytes(vec![7; 80_000_000].into());
        let error = driver.write(&part, one("large", row)).await.unwrap_err();
        assert_eq!((error.kind(), error.detail("id")), (ErrorKind::LimitExceeded, Some("large")), "{error:?}");
        assert_eq!(all(&driver, &part, SubQuery::default()).await.len(), 0);
        // Larger together than a packet: several statements, one transaction.
        let large = |i: usize| {
            (format!("l{i}"), vec![Value::Null, Value::Null, Value::Null, json(&nested(30)), Value::Bytes(vec![i as u8; 5_000_000].into())])
        };
        driver.write(&part, batch(WriteMode::Insert, 1, (0..16).map(large).collect())).await.unwrap();
        let page = driver.fetch(&part, &[Id::from("l7")], &[3, 4]).await.unwrap();
        assert_eq!(page.row(0), [json(&nested(30)), Value::Bytes(vec![7; 5_000_000].into())]);
        driver.write(&part, batch(WriteMode::Delete, 2, (0..16).map(|i| (format!("l{i}"), vec![])).collect())).await.unwrap();

        let long: String = (0..65_000u32).map(|i| char::from_u32(0x4e00 + i % 20_000).unwrap()).collect();
        let word = "w".repeat(60_000);
        let row = |code: &str| vec![text(&long), text(&format!("{long}{code}")), text(&format!("a {word} z")), Value::Null, Value::Null];
        driver.write(&part, batch(WriteMode::Insert, 1, vec![("a".into(), row("1")), ("b".into(), row("2"))])).await.unwrap();
        let error = driver.write(&part, batch(WriteMode::Upsert, 2, vec![("c".into(), row("1"))])).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::UniqueViolation, Some("code")), "{error:?}");
        let error = driver.write(&part, batch(WriteMode::Insert, 2, vec![("b".into(), row("3"))])).await.unwrap_err();
        assert_eq!((error.kind(), error.detail("id")), (ErrorKind::AlreadyExists, Some("b")), "{error:?}");
        // Rows of one batch may swap what is unique.
        driver.write(&part, batch(WriteMode::Upsert, 3, vec![("a".into(), row("2")), ("b".into(), row("1"))])).await.unwrap();
        for condition in [Condition::Matches(format!("Z {word}")), Condition::Phrase(format!("A {word} Z"))] {
            let query = SubQuery { filter: Test::new("body", condition).into(), ..SubQuery::default() };
            assert_eq!(all(&driver, &part, query).await.len(), 2);
        }
        let query = SubQuery { filter: Test::new("note", Condition::Eq(text(&long))).into(), ..SubQuery::default() };
        assert_eq!(all(&driver, &part, query).await.len(), 2);
        driver.drop_part(&part).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_texts_sort_and_group_to_their_end() {
    for server in servers() {
        let driver = server.open().await;
        let longer = LogicalType::Text { max: 200_000 };
        let specs =
            [Spec::new("t", LogicalType::TEXT, Placement::InlineColumn).required(), Spec::new("u", longer, Placement::InlineColumn)];
        let part = part(&driver, server.kind, Spec::entity("sorted", &specs));
        driver.ensure(&part).await.unwrap();
        let prefix = "\u{65e5}".repeat(60_000);
        let rows = (0..8).map(|i| (format!("r{i}"), vec![text(&format!("{prefix}{}", (i * 5) % 8 / 2)), Value::Null])).collect();
        driver.write(&part, batch(WriteMode::Insert, 1, rows)).await.unwrap();
        let order = |column: usize| vec![OrderKey { key: SortKey::Column(column), descending: true }];
        let query = SubQuery { order: order(0), page_rows: 3, ..SubQuery::default() };
        // 0 5 2 7 4 1 6 3 halved is 0 2 1 3 2 0 3 1.
        assert_eq!(ids(&all(&driver, &part, query).await), ["r3", "r6", "r1", "r4", "r2", "r7", "r0", "r5"], "{}", server.kind);
        let count = |function, column| Measure { function, column };
        let measures = vec![count(AggregateFunction::Count, None)];
        let wanted = Aggregate { filter: Filter::all(), ids: None, keys: vec![0], measures };
        let groups = driver.aggregate(&part, &wanted).await.unwrap();
        assert_eq!(groups.len(), 4, "{}", server.kind);
        let distinct = vec![count(AggregateFunction::CountDistinct, Some(0)), count(AggregateFunction::Max, Some(0))];
        let groups = driver.aggregate(&part, &Aggregate { keys: Vec::new(), measures: distinct, ..wanted }).await.unwrap();
        assert_eq!(groups[0].measures, [Value::Int(4), text(&format!("{prefix}3"))], "{}", server.kind);
        // What is longer than the server compares is handed back.
        let plan = driver.plan(&part, &SubQuery { order: order(1), limit: Some(3), ..SubQuery::default() });
        assert!(!plan.order && !plan.limit, "{plan:?}");
        driver.drop_part(&part).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_wide_columns_fit_a_row() {
    for server in servers() {
        let driver = server.open().await;
        let mut specs: Vec<Spec> = (0..150).map(|i| Spec::new(format!("f{i}"), SHORT, Placement::InlineColumn)).collect();
        specs[149].index = true;
        let mut entity = Spec::entity("wide", &specs);
        entity.indexes = &[&["f1", "f2", "f3", "f4", "f5"]];
        entity.uniques = &[&["f6", "f7", "f8", "f9"], &["f10"]];
        let part = part(&driver, server.kind, entity);
        driver.ensure(&part).await.unwrap();
        let row = |i: usize| {
            (
                format!("r{i}"),
                (0..150)
                    .map(|f| text(&"\u{1f600}".repeat(if f < 10 { 255 } else { 60 }).replacen('\u{1f600}', &format!("{i}"), 1)))
                    .collect(),
            )
        };
        driver.write(&part, batch(WriteMode::Insert, 1, (0..3).map(row).collect())).await.unwrap();
        let (_, values): (String, Vec<Value>) = row(1);
        let page = driver.fetch(&part, &[Id::from("r1")], &(0..150).collect::<Vec<_>>()).await.unwrap();
        assert_eq!(page.row(0), values.as_slice());
        let error = driver.write(&part, batch(WriteMode::Insert, 2, vec![("again".into(), values)])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UniqueViolation, "{error:?}");
        assert!(!driver.ensure(&part).await.unwrap().created);
        driver.drop_part(&part).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_words_are_counted_and_too_many_tests_left_to_the_planner() {
    for server in servers() {
        let driver = server.open().await;
        let specs =
            [Spec::new("body", LogicalType::TEXT, Placement::InvertedIndex), Spec::new("n", LogicalType::INT, Placement::InlineColumn)];
        let part = part(&driver, server.kind, Spec::entity("words", &specs));
        driver.ensure(&part).await.unwrap();
        let words = |n: usize| (0..n).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ");
        let many = (0..3).map(|i| (format!("r{i}"), vec![text(&words(30 + i * 20)), Value::Int(i as i64)])).collect();
        driver.write(&part, batch(WriteMode::Insert, 1, many)).await.unwrap();
        for condition in [2, 6, 7, 45].into_iter().flat_map(|n| [Condition::Matches(words(n)), Condition::Phrase(words(n))]) {
            let found =
                if matches!(&condition, Condition::Matches(text) | Condition::Phrase(text) if text.ends_with("w44")) { 1 } else { 0 };
            let query = SubQuery { filter: Test::new("body", condition.clone()).into(), ..SubQuery::default() };
            assert!(driver.plan(&part, &query).remainder.is_all());
            assert_eq!(ids(&all(&driver, &part, query).await), ["r0", "r1", "r2"][found..], "{} {condition:?}", server.kind);
        }
        let apart = Condition::Phrase(format!("{} w0", words(8)));
        let query = SubQuery { filter: Test::new("body", apart).into(), ..SubQuery::default() };
        assert_eq!(all(&driver, &part, query).await.len(), 0);
        let number: Filter = Test::new("n", Condition::Ge(Value::Int(1))).into();
        let one = |i: usize| -> Filter { Test::new("body", Condition::Matches(format!("w{i}"))).into() };
        let fits = Filter::And((0..24).map(one).collect());
        let plan = driver.plan(&part, &SubQuery { filter: fits.clone(), ..SubQuery::default() });
        assert!(plan.remainder.is_all());
        assert_eq!(all(&driver, &part, SubQuery { filter: fits, ..SubQuery::default() }).await.len(), 3);
        let filter = Filter::And((0..25).map(one).chain([number.clone()]).collect());
        let plan = driver.plan(&part, &SubQuery { filter, limit: Some(1), ..SubQuery::default() });
        assert_eq!((plan.taken, plan.limit), (number, false));
        driver.drop_part(&part).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_left_half_made_is_made_anew() {
    for server in servers() {
        let driver = server.open().await;
        let pool = pool(&driver);
        let specs =
            [Spec::new("body", LogicalType::TEXT, Placement::InvertedIndex), Spec::new("n", LogicalType::INT, Placement::InlineColumn)];
        let part = part(&driver, server.kind, Spec::entity("crashed", &specs));
        driver.ensure(&part).await.unwrap();
        // As it is after the tables were made and before the manifest said so.
        let mark = format!("REPLACE INTO _hb_manifest (physical, manifest) VALUES ('unfinished {}', '{{}}')", part.table);
        let forget = format!("DELETE FROM _hb_manifest WHERE physical = '{}'", part.table);
        sql(&pool, &mark).await;
        sql(&pool, &forget).await;
        assert!(driver.ensure(&part).await.unwrap().created);
        driver.write(&part, batch(WriteMode::Insert, 1, vec![("a".into(), vec![text("one two"), Value::Int(1)])])).await.unwrap();
        // A table without a mark is somebody's.
        sql(&pool, &forget).await;
        assert_eq!(driver.ensure(&part).await.unwrap_err().kind(), ErrorKind::SchemaMismatch);
        assert_eq!(all(&driver, &part, SubQuery::default()).await.len(), 1);
        sql(&pool, &mark).await;
        assert!(!driver.drop_part(&part).await.unwrap());
        // Columns that came in before the manifest said so are made anew.
        driver.ensure(&part).await.unwrap();
        driver.write(&part, batch(WriteMode::Insert, 1, vec![("a".into(), vec![text("one two"), Value::Int(1)])])).await.unwrap();
        let mut wider = specs.to_vec();
        wider.push(Spec::new("later", LogicalType::Json, Placement::JsonField));
        wider.push(Spec::new("seven", LogicalType::INT, Placement::InlineColumn).required().defaulted(|| Value::Int(7)));
        let entity: &'static EntitySchema = Box::leak(Box::new(Spec::entity("crashed", &wider)));
        let binding = Binding { name: "main", kind: server.kind, driver: driver.clone() };
        let wider = Routing::new(entity, &part.namespace, "main", &[binding]).unwrap().parts[0].clone();
        sql(&pool, format!("ALTER TABLE `{}` ADD COLUMN seven VARCHAR(10)", part.table)).await;
        assert_eq!(driver.ensure(&wider).await.unwrap().added, ["later", "seven"]);
        assert_eq!(driver.fetch(&wider, &[Id::from("a")], &[1, 2, 3]).await.unwrap().row(0), [Value::Int(1), Value::Null, Value::Int(7)]);
        driver.drop_part(&wider).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_hostile_values() {
    const PIECES: &[&str] = &[
        "'",
        "\"",
        "`",
        ";",
        "--",
        "\0",
        "%",
        "_",
        "\\",
        "|",
        "/*",
        "*/",
        "#",
        "?",
        "\n",
        "\r",
        "\u{1a}",
        " ",
        "DROP TABLE canary",
        "\u{1f600}",
        ",",
        "[",
        "]",
        "{",
        "$",
        ".",
        "a",
        "0",
    ];
    for server in servers() {
        let driver = server.open().await;
        let pool = pool(&driver);
        let canary = unique("canary");
        sql(&pool, format!("CREATE TABLE {canary} (n INT)")).await;
        sql(&pool, format!("INSERT INTO {canary} VALUES (42)")).await;
        let specs = [
            Spec::new("it's; `a` \"name\" -- ?", SHORT, Placement::InlineColumn),
            Spec::new("doc", LogicalType::Json, Placement::JsonField),
            Spec::new("tags", LogicalType::List(&SHORT), Placement::InlineColumn),
            Spec::new("data", LogicalType::Bytes, Placement::InlineColumn),
        ];
        let part = part(&driver, server.kind, Spec::entity("hostile'; DROP TABLE canary; -- `", &specs));
        driver.ensure(&part).await.unwrap();
        let mut random = Random::new(11);
        let mut made = std::collections::BTreeSet::new();
        while made.len() < 5_000 {
            let length = 1 + random.below(9);
            made.insert((0..length).map(|_| *random.pick(PIECES)).collect::<String>());
        }
        let values: Vec<String> = made.into_iter().collect();
        let row = |(i, value): (usize, &String)| {
            let json = Value::Json(Box::new(serde_json::json!({ "k": value })));
            (
                format!("r{i:04}"),
                vec![text(value), json, Value::List(Box::from([text(value), text("x")])), Value::Bytes(value.as_bytes().into())],
            )
        };
        let rows: Vec<_> = values.iter().enumerate().map(row).collect();
        driver.write(&part, batch(WriteMode::Insert, 1, rows.clone())).await.unwrap();
        let page = all(&driver, &part, SubQuery { columns: vec![0, 1, 2, 3], ..SubQuery::default() }).await;
        assert_eq!(page.len(), values.len());
        for (i, (id, row)) in rows.iter().enumerate() {
            assert_eq!((page.ids[i].as_str(), page.row(i)), (id.as_str(), row.as_slice()), "{}", server.kind);
        }
        for (i, value) in values.iter().enumerate().step_by(50) {
            let tests = [
                Test::new(part.columns[0].name, Condition::Eq(text(value))),
                Test::new("tags", Condition::Has(text(value))),
                Test {
                    target: heavenbase::filter::Target::Path(vec!["k".into()]),
                    ..Test::new("doc", Condition::Eq(rows[i].1[1].as_json_k()))
                },
            ];
            for test in tests {
                let query = SubQuery { filter: test.clone().into(), ..SubQuery::default() };
                assert_eq!(ids(&all(&driver, &part, query).await), [rows[i].0.as_str()], "{} {test:?}", server.kind);
            }
        }
        let left: (i64,) =
            sqlx::query_as(AssertSqlSafe(format!("SELECT CAST(SUM(n) AS SIGNED) FROM {canary}"))).fetch_one(&pool).await.unwrap();
        assert_eq!(left.0, 42);
        sql(&pool, format!("DROP TABLE {canary}")).await;
        driver.drop_part(&part).await.unwrap();
    }
}

trait AsJson {
    fn as_json_k(&self) -> Value;
}

impl AsJson for Value {
    fn as_json_k(&self) -> Value {
        match self {
            Value::Json(json) => Value::Json(Box::new(json["k"].clone())),
            other => other.clone(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_others_keeps_its_types_and_compares_by_bytes() {
    for server in servers() {
        let driver = server.open().await;
        let table = unique("theirs");
        let pool = pool(&driver);
        sql(
            &pool,
            format!("CREATE TABLE {table} (`key` VARCHAR(40) PRIMARY KEY, name VARCHAR(255), n BIGINT, at DATETIME(6), day DATE, real_ DOUBLE, code VARCHAR(20) UNIQUE)"),
        )
        .await;
        let values = "('a', 'apple', 1, '2026-01-01 00:00:00', '2026-01-01', 0.5, 'x'), ('B', 'Banana', 2, NULL, NULL, NULL, 'y')";
        sql(&pool, format!("INSERT INTO {table} VALUES {values}")).await;
        let inline = |name: &str, logical| Spec::new(name, logical, Placement::InlineColumn);
        let specs = [
            inline("name", SHORT),
            inline("n", LogicalType::INT),
            inline("at", LogicalType::Timestamp),
            inline("day", LogicalType::Date),
            inline("real_", LogicalType::Float),
        ];
        let mut entity = Spec::entity("theirs", &specs);
        let name: &'static str = Box::leak(table.clone().into_boxed_str());
        entity.existing = Some(ExistingTable { key: "key", ..ExistingTable::at(Box::leak(Box::new([name]))) });
        let part = part(&driver, server.kind, entity);
        driver.ensure(&part).await.unwrap();
        let at: heavenbase::types::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let before: heavenbase::types::Timestamp = "-000400-01-01T00:00:00Z".parse().unwrap();
        let day: heavenbase::types::Date = "2026-01-01".parse().unwrap();
        let whole = SubQuery { columns: vec![0, 1, 2, 3, 4], ..SubQuery::default() };
        let row = vec![text("apple"), Value::Int(1), Value::Timestamp(at), Value::Date(day), Value::Float(0.5)];
        let page = driver.fetch(&part, &[Id::from("a")], &whole.columns).await.unwrap();
        assert_eq!(page.row(0), row.as_slice());
        assert!(driver.fetch_one(&part, &Id::from("A"), &[0]).await.unwrap().is_empty());
        for (field, condition, found) in [
            ("name", Condition::Lt(text("a")), "B"),
            ("at", Condition::Ge(Value::Timestamp(at)), "a"),
            ("at", Condition::Gt(Value::Timestamp(before)), "a"),
            ("day", Condition::Eq(Value::Date(day)), "a"),
            ("day", Condition::In(vec![Value::Date(day), Value::Null]), "a B"),
            ("n", Condition::In(vec![Value::Int(2)]), "B"),
            ("name", Condition::Eq(text("banana")), ""),
            ("name", Condition::IContains("BAN".into()), "B"),
            ("name", Condition::Contains("ban".into()), ""),
        ] {
            let query = SubQuery { filter: Test::new(field, condition.clone()).into(), ..whole.clone() };
            let page = all(&driver, &part, query).await;
            let mut ids = ids(&page);
            ids.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(ids.join(" "), found, "{} {field} {condition:?}", server.kind);
        }
        let ordered = all(&driver, &part, SubQuery { page_rows: 1, ..whole.clone() }).await;
        assert_eq!(ids(&ordered), ["B", "a"], "{}", server.kind);
        driver.write(&part, batch(WriteMode::Upsert, 1, vec![("c".into(), row.clone()), ("a".into(), row.clone())])).await.unwrap();
        assert_eq!(driver.fetch(&part, &[Id::from("c")], &whole.columns).await.unwrap().row(0), row.as_slice());
        let mut early = row.clone();
        early[2] = Value::Timestamp(before);
        let error = driver.write(&part, batch(WriteMode::Upsert, 1, vec![("d".into(), early)])).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidValue, Some("at")), "{error:?}");
        assert!(!driver.drop_part(&part).await.unwrap(), "a mapped table is not ours to drop");
        sql(&pool, format!("DROP TABLE {table}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_others_are_numbers_and_uuids() {
    for server in servers() {
        let driver = server.open().await;
        let pool = pool(&driver);
        let inline = |name: &str, logical| Spec::new(name, logical, Placement::InlineColumn);
        let mapped = |table: &str, kind: KeyKind, specs: &[Spec]| {
            let mut entity = Spec::entity("keyed", specs);
            let path: &'static [&'static str] =
                Box::leak(table.split('.').map(|name| -> &'static str { Box::leak(name.to_owned().into_boxed_str()) }).collect());
            entity.existing = Some(ExistingTable { key: "k", kind, ..ExistingTable::at(path) });
            part(&driver, server.kind, entity)
        };
        let database = server.address.rsplit_once('/').unwrap().1.to_owned();
        let table = unique("numbers");
        sql(&pool, format!("CREATE TABLE {table} (k BIGINT PRIMARY KEY, v VARCHAR(255))")).await;
        let numbers = mapped(&format!("{database}.{table}"), KeyKind::Int, &[inline("v", SHORT)]);
        driver.ensure(&numbers).await.unwrap();
        let rows = ["2", "10", "-3"].map(|id| (id.to_owned(), vec![text(id)]));
        driver.write(&numbers, batch(WriteMode::Upsert, 1, rows.to_vec())).await.unwrap();
        driver.write(&numbers, batch(WriteMode::Upsert, 1, rows.to_vec())).await.unwrap();
        let found = all(&driver, &numbers, SubQuery { columns: vec![0], page_rows: 1, ..SubQuery::default() }).await;
        assert_eq!((ids(&found), found.row(0)), (vec!["-3", "10", "2"], &[text("-3")][..]), "{}", server.kind);
        assert_eq!(ids(&driver.fetch(&numbers, &[Id::from("2"), Id::from("02"), Id::from("-3")], &[]).await.unwrap()), ["2", "-3"]);
        let query = SubQuery { filter: Test::new("object_id", Condition::StartsWith("1".into())).into(), ..SubQuery::default() };
        assert_eq!(ids(&all(&driver, &numbers, query).await), ["10"]);
        let error = driver.write(&numbers, batch(WriteMode::Upsert, 1, vec![("02".into(), vec![Value::Null])])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error:?}");
        let report = driver
            .write(&numbers, batch(WriteMode::Delete, 1, vec![("02".into(), vec![]), ("2".into(), vec![]), ("7".into(), vec![])]))
            .await
            .unwrap();
        assert_eq!((report.missing, report.stale), (vec![0, 2], vec![]));
        // What the catalog says otherwise is refused with what it says.
        for (specs, field) in [
            (vec![inline("w", SHORT)], "w"),
            (vec![inline("v", LogicalType::INT)], "v"),
            (vec![inline("v", SHORT).required()], "v"),
            (vec![inline("v", LogicalType::Text { max: 256 })], "v"),
        ] {
            let error = driver.ensure(&mapped(&table, KeyKind::Int, &specs)).await.unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::SchemaMismatch, Some(field)), "{error:?}");
        }
        for (path, kind) in [(table.clone(), KeyKind::Uuid), (format!("{table}x"), KeyKind::Int), (format!("a.b.{table}"), KeyKind::Int)] {
            let error = driver.ensure(&mapped(&path, kind, &[])).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{error:?}");
        }
        sql(&pool, format!("DROP TABLE {table}")).await;
        let table = unique("uuids");
        sql(&pool, format!("CREATE TABLE {table} (k BINARY(16) PRIMARY KEY, n INT NOT NULL)")).await;
        let uuids = mapped(&table, KeyKind::Uuid, &[inline("n", LogicalType::Int { min: 0, max: 100 }).required()]);
        driver.ensure(&uuids).await.unwrap();
        let names = ["ffffffff-0000-4000-8000-000000000001", "01234567-89ab-cdef-0123-456789abcdef"];
        driver.write(&uuids, batch(WriteMode::Insert, 1, names.map(|id| (id.to_owned(), vec![Value::Int(5)])).to_vec())).await.unwrap();
        assert_eq!(ids(&all(&driver, &uuids, SubQuery { page_rows: 1, ..SubQuery::default() }).await), [names[1], names[0]]);
        let query = SubQuery { filter: Test::new("object_id", Condition::Contains("ab-cdef".into())).into(), ..SubQuery::default() };
        assert_eq!(ids(&all(&driver, &uuids, query).await), [names[1]]);
        let query =
            SubQuery { filter: Test::new("object_id", Condition::In(vec![text(names[0]), text("x")])).into(), ..SubQuery::default() };
        assert_eq!(ids(&all(&driver, &uuids, query).await), [names[0]]);
        sql(&pool, format!("DROP TABLE {table}")).await;
    }
}

#[cfg(feature = "oceanbase")]
mod vectors {
    use super::*;
    use heavenbase::driver::NearQuery;
    use heavenbase::schema::{FieldSchema, Index, PlacementSchema};
    use heavenbase::types::Metric;

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
        let Some(server) = servers().into_iter().find(|server| server.kind == "oceanbase") else { return };
        let driver = server.open().await;
        let kinds = [("hnsw", &[("m", 16), ("ef_construction", 200), ("ef_search", 100)][..]), ("hnsw", &[]), ("", &[])];
        for (i, (method, parameters)) in kinds.into_iter().enumerate() {
            let metric = [Metric::Cosine, Metric::L2, Metric::Dot][i];
            let part = part(&driver, server.kind, entity(metric, Index { method, parameters }));
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
            let target: Arc<[f32]> = (0..LENGTH).map(|_| (random.unit() * 2.0 - 1.0) as f32).collect();
            let best = |below: usize, k: usize| -> Vec<String> {
                let mut scored: Vec<(f64, usize)> =
                    (0..below).filter(|n| n % 10 != 9).map(|n| (metric.score(&target, &vectors[n]), n)).collect();
                scored.sort_by(|a, b| b.0.total_cmp(&a.0));
                scored.iter().take(k).map(|(_, n)| format!("r{n:05}")).collect()
            };
            let near = |below: usize, k: usize, exact: bool| SubQuery {
                filter: if below < ROWS { Test::new("n", Condition::Lt(Value::Int(below as i64))).into() } else { Filter::all() },
                near: Some(NearQuery { column: 1, vector: target.clone(), metric, k, exact }),
                ..SubQuery::default()
            };
            let plan = driver.plan(&part, &near(ROWS, 10, false)).text;
            assert!(plan.contains("by the vector index") && plan.contains("APPROXIMATE"), "{plan}");
            // The server itself says that it takes the index.
            let literal = serde_json::to_string(&target.to_vec()).unwrap();
            let select = plan.split(" -- ").next().unwrap().replace("LIMIT ?", "LIMIT 10").replace('?', &format!("'{literal}'"));
            let explained = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN {select}"))).fetch_all(&pool(&driver)).await.unwrap();
            let explained: String = explained.iter().map(|row| row.get::<String, _>(0) + "\n").collect();
            assert!(explained.contains("VECTOR INDEX"), "{explained}");
            let wanted = best(ROWS, 10);
            let found = all(&driver, &part, near(ROWS, 10, false)).await;
            let hits = found.ids.iter().filter(|id| wanted.iter().any(|w| w == id.as_str())).count();
            println!("{method} {parameters:?} {metric}: recall@10 {hits}/10");
            assert_eq!(found.len(), 10);
            assert!(hits >= 7, "{method}: {hits} of 10");
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
        let part = part(&driver, server.kind, entity(Metric::L2, Index { method: "hnsw", parameters: &[("lists", 3)] }));
        assert_eq!(driver.ensure(&part).await.unwrap_err().kind(), ErrorKind::InvalidSchema);
        assert!(driver.ensure(&part).await.is_err(), "what was refused left something behind");
    }
}

/// Figures, not a test: `cargo test … --test mysql -- --ignored --nocapture measure`. Rounds are interleaved; the least of each
/// side counts, since the machine is busy.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures"]
async fn measure() {
    for server in servers() {
        let driver = server.open().await;
        let specs = [
            Spec::new("title", SHORT, Placement::InlineColumn).required(),
            Spec::new("price", LogicalType::Float, Placement::InlineColumn).required().indexed(),
            Spec::new("n", LogicalType::INT, Placement::InlineColumn).required(),
        ];
        let part = part(&driver, server.kind, Spec::entity("measured", &specs));
        driver.ensure(&part).await.unwrap();
        let pool = pool(&driver);
        let table = &part.table;
        let rows = |from: usize, n: usize| {
            let row =
                |i: usize| (format!("r{i:06}"), vec![text(&format!("title {i}")), Value::Float((i % 1000) as f64), Value::Int(i as i64)]);
            (from..from + n).map(row).collect::<Vec<_>>()
        };
        for chunk in 0..6 {
            driver.write(&part, batch(WriteMode::Upsert, 1, rows(chunk * 5000, 5000))).await.unwrap();
        }
        let places = vec!["(?, ?, ?, ?, ?)"; 2000].join(", ");
        let raw = format!(
            "INSERT INTO `{table}` (object_id, _hb_version, title, price, n) VALUES {places} ON DUPLICATE KEY UPDATE \
             _hb_version = VALUES(_hb_version), title = VALUES(title), price = VALUES(price), n = VALUES(n)"
        );
        let mut least = [Duration::MAX; 2];
        for round in 0..7i64 {
            let ours = batch(WriteMode::Upsert, 10 + round * 2, rows(0, 2000));
            let start = Instant::now();
            driver.write(&part, ours).await.unwrap();
            least[0] = least[0].min(start.elapsed());
            let start = Instant::now();
            let mut query = sqlx::query(AssertSqlSafe(raw.clone())).persistent(false);
            for i in 0..2000usize {
                query =
                    query.bind(format!("r{i:06}")).bind(11 + round * 2).bind(format!("title {i}")).bind((i % 1000) as f64).bind(i as i64);
            }
            let mut transaction = pool.begin().await.unwrap();
            query.execute(&mut *transaction).await.unwrap();
            transaction.commit().await.unwrap();
            least[1] = least[1].min(start.elapsed());
        }
        println!(
            "{}: upsert of 2,000 rows {:?}, sqlx {:?}: speed {:.2}",
            server.kind,
            least[0],
            least[1],
            least[1].as_secs_f64() / least[0].as_secs_f64()
        );
        let get = format!("SELECT object_id, _hb_version, title, price, n FROM `{table}` WHERE object_id = ?");
        let filter = format!("SELECT object_id, _hb_version, title FROM `{table}` WHERE price < ? AND n < ? ORDER BY object_id LIMIT 100");
        let (mut gets, mut filters) = ([Duration::MAX; 2], [Duration::MAX; 2]);
        let conditions = [("price", Condition::Lt(Value::Float(10.0))), ("n", Condition::Lt(Value::Int(20_000)))];
        let wanted = Filter::And(conditions.into_iter().map(|(field, condition)| Test::new(field, condition).into()).collect());
        let wanted = SubQuery { filter: wanted, columns: vec![0], limit: Some(100), ..SubQuery::default() };
        for _ in 0..40 {
            let start = Instant::now();
            for i in 0..50 {
                assert_eq!(driver.fetch_one(&part, &Id::from(format!("r{i:06}")), &[0, 1, 2]).await.unwrap().len(), 1);
            }
            gets[0] = gets[0].min(start.elapsed() / 50);
            let start = Instant::now();
            for i in 0..50 {
                let row = sqlx::query(AssertSqlSafe(get.clone())).bind(format!("r{i:06}")).fetch_all(&pool).await.unwrap().remove(0);
                let _: (Vec<u8>, i64, Vec<u8>, f64, i64) = (row.get(0), row.get(1), row.get_unchecked(2), row.get(3), row.get(4));
            }
            gets[1] = gets[1].min(start.elapsed() / 50);
            let start = Instant::now();
            for _ in 0..5 {
                assert_eq!(all(&driver, &part, wanted.clone()).await.len(), 100);
            }
            filters[0] = filters[0].min(start.elapsed() / 5);
            let start = Instant::now();
            for _ in 0..5 {
                let rows = sqlx::query(AssertSqlSafe(filter.clone())).bind(10.0f64).bind(20_000i64).fetch_all(&pool).await.unwrap();
                let read: Vec<(Vec<u8>, i64, Vec<u8>)> =
                    rows.iter().map(|row| (row.get_unchecked(0), row.get(1), row.get_unchecked(2))).collect();
                assert_eq!(read.len(), 100);
            }
            filters[1] = filters[1].min(start.elapsed() / 5);
        }
        let ratio = |pair: [Duration; 2]| pair[0].as_secs_f64() / pair[1].as_secs_f64();
        println!("{}: point get {:?}, sqlx {:?}: {:.2}", server.kind, gets[0], gets[1], ratio(gets));
        println!("{}: filtered, 100 of 200 rows {:?}, sqlx {:?}: {:.2}", server.kind, filters[0], filters[1], ratio(filters));
        driver.drop_part(&part).await.unwrap();
    }
}
