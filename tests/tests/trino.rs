//! What the behaviour suite cannot ask of Trino: tables that exist, in a catalog that is only read; statements cancelled
//! and killed. Runs where `HEAVENBASE_TEST_TRINO` says, a server with the catalogs `iceberg`, `memory`, `tpch`.
#![cfg(feature = "trino")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use heavenbase::backends::trino::{self, TrinoDriver};
use heavenbase::backends::{Connect, Trino, TrinoIceberg, TrinoReadOnly};
use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, WriteBatch, WriteMode};
use heavenbase::prelude::*;
use heavenbase::schema::{Binding, EntitySchema, Part, Routing};
use heavenbase::types::{Date, Json, LogicalType, Value};
use heavenbase::{ErrorKind, Result, Status};
use heavenbase_tests::conformance::DriverSetup;
use heavenbase_tests::data::Spec;

const SHORT: LogicalType = LogicalType::Text { max: 255 };

fn address() -> Option<String> {
    let found = std::env::var("HEAVENBASE_TEST_TRINO").ok();
    if found.is_none() {
        eprintln!("not run: HEAVENBASE_TEST_TRINO is not set");
    }
    found
}

/// The address with another catalog and schema.
fn at(address: &str, path: &str) -> String {
    let host = address.rsplitn(3, '/').nth(2).unwrap();
    format!("{host}/{path}")
}

fn unique(what: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{what}x{:x}x{:x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn rows(driver: &dyn Driver, text: &str) -> Vec<Vec<Json>> {
    let mut answer = driver.as_any().downcast_ref::<TrinoDriver>().unwrap().statement(text).await.unwrap();
    let mut rows = Vec::new();
    while let Some(mut more) = answer.next_rows().await.unwrap() {
        rows.append(&mut more);
    }
    rows
}

#[derive(Layout)]
struct Lake {
    main: Trino<trino::ReadOnly>,
}

/// A table that HeavenBase did not create.
#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Lake, table = "tpch.tiny.orders", read_only)]
struct Order {
    #[id(column = "orderkey", as = i64)]
    object_id: Id,
    custkey: i64,
    #[text(max = 1)]
    orderstatus: String,
    totalprice: f64,
    orderdate: Date,
    #[text(max = 15)]
    orderpriority: String,
    #[text(max = 15)]
    clerk: String,
    shippriority: i32,
    #[text(max = 79)]
    comment: String,
}

/// All orders, read without any of what the tests ask for.
async fn all_orders(address: &str) -> Vec<Order> {
    let driver = TrinoReadOnly::url(address).connect().await.unwrap();
    let text =
        "SELECT orderkey, custkey, orderstatus, totalprice, orderdate, orderpriority, clerk, shippriority, comment FROM tpch.tiny.orders";
    let found = rows(&*driver, text).await;
    let text = |cell: &Json| cell.as_str().unwrap().to_owned();
    let order = |row: Vec<Json>| Order {
        object_id: Id::from(row[0].as_i64().unwrap().to_string()),
        custkey: row[1].as_i64().unwrap(),
        orderstatus: text(&row[2]),
        totalprice: row[3].as_f64().unwrap(),
        orderdate: text(&row[4]).parse().unwrap(),
        orderpriority: text(&row[5]),
        clerk: text(&row[6]),
        shippriority: row[7].as_i64().unwrap() as i32,
        comment: text(&row[8]),
    };
    found.into_iter().map(order).collect()
}

#[tokio::test]
async fn a_table_of_another_catalog_answers_filters_order_limit_and_groups() -> Result<()> {
    let Some(address) = address() else { return Ok(()) };
    let address = at(&address, "tpch/tiny");
    let mut all = all_orders(&address).await;
    all.sort_by(|a, b| a.object_id.as_str().as_bytes().cmp(b.object_id.as_str().as_bytes()));
    assert_eq!(all.len(), 15_000);
    let ws = Workspace::open(Lake { main: Trino::url(&address) }).await?;
    ws.register::<Order>().await?;

    // Every row, in the order of ids.
    assert!(ws.query::<Order>().all().await? == all, "all rows by id");
    assert_eq!(ws.query::<Order>().count().await?, 15_000);

    // By id; ids that no key has are of no row.
    assert_eq!(ws.get::<Order>("7").await?.as_ref(), all.iter().find(|o| o.object_id == "7"));
    for nobody in ["8", "07", "+7", "seven", "7 "] {
        assert_eq!(ws.get::<Order>(nobody).await?, None, "{nobody}");
    }

    // Filters of each type.
    let day = Date::new(1995, 6, 17)?;
    type Holds = Box<dyn Fn(&Order) -> bool>;
    let filters: Vec<(&str, Predicate<Order>, Holds)> = vec![
        ("float", Order::TOTALPRICE.lt(1_500.5), Box::new(|o| o.totalprice < 1_500.5)),
        ("int", Order::CUSTKEY.in_list([370, 781, -1]), Box::new(|o| [370, 781].contains(&o.custkey))),
        (
            "text",
            Order::ORDERPRIORITY.eq("1-URGENT") & Order::ORDERSTATUS.ne("O"),
            Box::new(|o| o.orderpriority == "1-URGENT" && o.orderstatus != "O"),
        ),
        ("date", Order::ORDERDATE.eq(day), Box::new(move |o| o.orderdate == day)),
        (
            "dates",
            Order::ORDERDATE.ge(day) & Order::CLERK.starts_with("Clerk#00000009"),
            Box::new(move |o| o.orderdate >= day && o.clerk.starts_with("Clerk#00000009")),
        ),
        ("substring", Order::COMMENT.contains("ironic, final"), Box::new(|o| o.comment.contains("ironic, final"))),
        ("ignoring case", Order::COMMENT.icontains("IRONIC, FINAL"), Box::new(|o| o.comment.to_lowercase().contains("ironic, final"))),
        (
            "like",
            Order::CLERK.like("Clerk#0000000_1"),
            Box::new(|o| o.clerk.len() == 15 && o.clerk.starts_with("Clerk#0000000") && o.clerk.ends_with('1')),
        ),
        (
            "either",
            Order::TOTALPRICE.gt(450_000.0) | !Order::ORDERSTATUS.in_list(["O", "F"]) & Order::CUSTKEY.lt(50),
            Box::new(|o| o.totalprice > 450_000.0 || !["O", "F"].contains(&o.orderstatus.as_str()) && o.custkey < 50),
        ),
        ("id", Order::OBJECT_ID.lt("1001"), Box::new(|o| o.object_id.as_str() < "1001")),
    ];
    for (name, filter, holds) in filters {
        let expected: Vec<Order> = all.iter().filter(|o| holds(o)).cloned().collect();
        assert!(!expected.is_empty() && expected.len() < 5_000, "{name} tells nothing: {} rows", expected.len());
        assert_eq!(ws.query::<Order>().filter(filter.clone()).all().await?, expected, "{name}");
        assert_eq!(ws.query::<Order>().filter(filter).count().await?, expected.len() as u64, "{name}");
    }

    // Order, limit and offset; ties by id.
    let mut sorted = all.clone();
    sorted.sort_by(|a, b| b.orderdate.cmp(&a.orderdate).then_with(|| a.clerk.cmp(&b.clerk)));
    let page = ws.query::<Order>().order_by(Order::ORDERDATE.desc()).order_by(Order::CLERK.asc()).limit(40).offset(25);
    let explained = page.explain()?.to_string();
    assert!(explained.contains("LIMIT 65"), "{explained}");
    assert_eq!(page.all().await?, sorted[25..65]);

    // Groups.
    let mut groups: BTreeMap<String, (i64, f64, Date)> = BTreeMap::new();
    for order in all.iter().filter(|o| o.totalprice > 100_000.0) {
        let group = groups.entry(order.orderstatus.clone()).or_insert((0, 0.0, order.orderdate));
        group.0 += 1;
        group.1 += order.totalprice;
        group.2 = group.2.min(order.orderdate);
    }
    let found = ws
        .query::<Order>()
        .filter(Order::TOTALPRICE.gt(100_000.0))
        .group_by(Order::ORDERSTATUS, (COUNT, Order::TOTALPRICE.sum(), Order::ORDERDATE.min()))
        .all()
        .await?;
    assert_eq!(found.len(), groups.len());
    for (status, (number, total, first)) in found {
        let expected = &groups[&status];
        assert_eq!((number, first), (expected.0, Some(expected.2)), "{status}");
        assert!((total.unwrap_or_default() - expected.1).abs() < 1e-6 * expected.1, "{status}: {total:?}");
    }
    Ok(())
}

/// The same entity without `totalprice` as it is.
#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Lake, table = "tpch.tiny.orders", read_only)]
struct Wrong {
    #[id(column = "orderkey", as = i64)]
    object_id: Id,
    totalprice: i64,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Lake, table = "tpch.tiny.orders", read_only)]
struct Absent {
    #[id(column = "orderkey", as = i64)]
    object_id: Id,
    nothing: Option<i64>,
}

#[tokio::test]
async fn what_does_not_fit_is_refused_when_it_is_registered() -> Result<()> {
    let Some(address) = address() else { return Ok(()) };
    let ws = Workspace::open(Lake { main: Trino::url(at(&address, "tpch/tiny")) }).await?;
    for (found, named) in [(ws.register::<Wrong>().await, "totalprice"), (ws.register::<Absent>().await, "nothing")] {
        let error = found.err().unwrap();
        assert_eq!((error.kind(), error.field()), (ErrorKind::SchemaMismatch, Some(named)), "{error}");
    }
    // A catalog that cannot do what its kind says is refused when it is opened, and so is one that is not there.
    for path in ["memory/default", "tpch/tiny", "nope/heavenbase", "iceberg/nope"] {
        let refused = TrinoIceberg::url(at(&address, path)).connect().await.err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::InvalidSchema, "{path}: {refused}");
    }
    Ok(())
}

#[tokio::test]
async fn tables_that_exist_answer_as_the_reference() {
    let Some(address) = address() else { return };
    // Statements take a tenth of a second here: a twentieth of the repetitions, of every operation on every sort of field.
    let writer = DriverSetup::new("trino", TrinoIceberg::url(&address).connect().await.unwrap());
    let reader = DriverSetup::new("trino_read_only", TrinoReadOnly::url(at(&address, "tpch/tiny")).connect().await.unwrap());
    let [writer, reader] = [writer, reader].map(|setup| DriverSetup { rounds: 5, ..setup });
    if let Err(why) = heavenbase_tests::conformance::existing(writer, reader, &["iceberg", "heavenbase"]).await {
        panic!("{why}");
    }
}

fn part(driver: &Arc<dyn Driver>, entity: EntitySchema) -> Arc<Part> {
    let binding = Binding { name: "main", kind: "trino", driver: driver.clone() };
    Routing::new(Box::leak(Box::new(entity)), &unique("tr").into(), "main", &[binding]).unwrap().parts[0].clone()
}

fn batch(mode: WriteMode, version: i64, ids: &[&str], text: &str) -> Arc<WriteBatch> {
    let values = ids.iter().map(|_| Value::Text(text.to_owned())).collect();
    Arc::new(WriteBatch {
        mode,
        version,
        ids: ids.iter().map(|id| Id::from(*id)).collect(),
        columns: vec![0],
        values,
        expected: Vec::new(),
    })
}

#[tokio::test]
async fn a_stream_that_is_dropped_is_cancelled_on_the_server() {
    let Some(address) = address() else { return };
    let source = unique("dropped");
    let driver = TrinoReadOnly::url(at(&address, "tpch/sf1")).source(&source).connect().await.unwrap();
    let trino = driver.as_any().downcast_ref::<TrinoDriver>().unwrap();
    let mut answer = trino.statement("SELECT * FROM tpch.sf1.lineitem").await.unwrap();
    assert!(!answer.next_rows().await.unwrap().unwrap().is_empty());
    drop(answer);
    let other = TrinoReadOnly::url(at(&address, "tpch/tiny")).connect().await.unwrap();
    let state = format!("SELECT state FROM system.runtime.queries WHERE source = '{source}' AND query LIKE '%lineitem'");
    for _ in 0..100 {
        if rows(&*other, &state).await == [[Json::from("FAILED")]] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the statement runs on: {:?}", rows(&*other, &state).await);
}

#[tokio::test]
async fn refusals_say_why_and_hold_no_values() {
    let Some(address) = address() else { return };
    let driver = TrinoIceberg::url(&address).connect().await.unwrap();
    let trino = driver.as_any().downcast_ref::<TrinoDriver>().unwrap();
    for (text, kind) in [
        ("SET SESSION query_max_run_time = '1m'", ErrorKind::Unsupported),
        ("USE tpch.tiny", ErrorKind::Unsupported),
        ("START TRANSACTION", ErrorKind::Unsupported),
        ("SELEC 'hunter2'", ErrorKind::Backend),
        ("SELECT CAST('hunter2' AS bigint)", ErrorKind::Backend),
        ("SELECT * FROM hunter2", ErrorKind::SchemaMismatch),
    ] {
        let outcome = async {
            while trino.statement(text).await?.next_rows().await?.is_some() {}
            Ok(())
        }
        .await;
        let error: heavenbase::Error = outcome.err().unwrap_or_else(|| panic!("{text} is not refused"));
        assert_eq!((error.kind(), error.status()), (kind, Status::Permanent), "{text}: {error:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let part = part(&driver, Spec::entity("long", &[Spec::new("title", LogicalType::TEXT, Placement::InlineColumn)]));
    driver.ensure(&part).await.unwrap();
    let long = "x".repeat(1_000_001);
    let error = driver.write(&part, batch(WriteMode::Upsert, 1, &["a"], &long)).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
    // Rows that one statement has no room for go in several, and an insert is whole or not at all all the same.
    let half = "y".repeat(500_000);
    driver.write(&part, batch(WriteMode::Upsert, 1, &["c"], "there")).await.unwrap();
    let error = driver.write(&part, batch(WriteMode::Insert, 2, &["a", "b", "c"], &half)).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    driver.write(&part, batch(WriteMode::Insert, 3, &["a", "b"], &half)).await.unwrap();
    let page = driver.fetch(&part, &["a".into(), "b".into(), "c".into()], &[0]).await.unwrap();
    assert_eq!(page.versions, [3, 3, 1]);
    assert_eq!(page.values[1], Value::Text(half));
    assert!(driver.drop_part(&part).await.unwrap());
}

#[tokio::test]
async fn a_statement_that_is_killed_says_so() {
    let Some(address) = address() else { return };
    let source = unique("killed");
    let driver = TrinoReadOnly::url(at(&address, "tpch/sf1")).source(&source).connect().await.unwrap();
    let other = TrinoReadOnly::url(at(&address, "tpch/tiny")).connect().await.unwrap();
    let trino = driver.as_any().downcast_ref::<TrinoDriver>().unwrap();
    let mut answer = trino.statement("SELECT count(*) FROM tpch.sf1.lineitem a CROSS JOIN tpch.sf1.lineitem b").await.unwrap();
    let killing = async {
        let running = format!("SELECT query_id FROM system.runtime.queries WHERE source = '{source}' AND state = 'RUNNING'");
        for _ in 0..200 {
            if let Some(Json::String(id)) = rows(&*other, &running).await.first().map(|row| row[0].clone()) {
                rows(&*other, &format!("CALL system.runtime.kill_query(query_id => '{id}', message => 'test')")).await;
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the statement never ran");
    };
    let (ended, ()) = tokio::join!(answer.next_rows(), killing);
    let error = ended.err().unwrap();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Temporary), "{error:?}");
    let nobody = TrinoIceberg::url("trino://me@127.0.0.1:9/iceberg/heavenbase").retries(1).connect().await.err().unwrap();
    assert_eq!((nobody.kind(), nobody.status()), (ErrorKind::Unavailable, Status::Temporary), "{nobody:?}");
}

#[tokio::test]
async fn writers_of_two_connections_meet_and_none_is_lost() {
    let Some(address) = address() else { return };
    let drivers = [TrinoIceberg::url(&address).connect().await.unwrap(), TrinoIceberg::url(&address).connect().await.unwrap()];
    let part = part(&drivers[0], Spec::entity("meeting", &[Spec::new("title", SHORT, Placement::InlineColumn)]));
    drivers[0].ensure(&part).await.unwrap();
    let writes = drivers.iter().enumerate().map(|(at, driver)| {
        let (driver, part) = (driver.clone(), part.clone());
        tokio::spawn(async move {
            for round in 0..4_i64 {
                let version = round * 2 + at as i64 + 1;
                let own = format!("own{at}x{round}");
                driver.write(&part, batch(WriteMode::Upsert, version, &["shared", &own], &format!("v{version}"))).await.unwrap();
            }
        })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap();
    }
    let found = rows(&*drivers[0], &format!("SELECT object_id, count(*), max(title) FROM \"{}\" GROUP BY 1 ORDER BY 1", part.table)).await;
    assert_eq!(found.len(), 9, "{found:?}");
    assert!(found.iter().all(|row| row[1] == 1), "a row is there twice: {found:?}");
    assert_eq!(found[8], [Json::from("shared"), Json::from(1), Json::from("v8")]);
    // Two inserts of one id: one wins, the other is told.
    let inserts = drivers.iter().map(|driver| driver.write(&part, batch(WriteMode::Insert, 20, &["once"], "x")));
    let outcomes: Vec<_> = futures_all(inserts.collect()).await;
    let refused: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert_eq!(refused.iter().map(heavenbase::Error::kind).collect::<Vec<_>>(), [ErrorKind::AlreadyExists]);
    assert!(drivers[0].drop_part(&part).await.unwrap());
}

/// Waits for all, side by side.
async fn futures_all<F: Future<Output = T> + Unpin, T>(futures: Vec<F>) -> Vec<T> {
    let mut waiting: Vec<(F, Option<T>)> = futures.into_iter().map(|future| (future, None)).collect();
    std::future::poll_fn(|context| {
        for (future, done) in waiting.iter_mut().filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(value) = std::pin::Pin::new(future).poll(context) {
                *done = Some(value);
            }
        }
        if waiting.iter().all(|(_, done)| done.is_some()) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, done)| done).collect()
}
