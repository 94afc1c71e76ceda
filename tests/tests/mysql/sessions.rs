//! Sessions that end, writers that meet, connections that cannot be made.

use std::time::Duration;

use heavenbase::backends::{Connect, MySql};
use heavenbase::capability::Placement;
use heavenbase::driver::{RawColumns, RawStatement, SubQuery, WriteMode};
use heavenbase::filter::{Condition, Test};
use heavenbase::types::{Id, LogicalType, Value};
use heavenbase::{ErrorKind, Status};
use heavenbase_tests::data::Spec;
use sqlx::AssertSqlSafe;

use super::common::{Pair, SHORT, all, batch, part, pool, rows, servers, sql, text};

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

/// OceanBase has no lock that a read would wait for.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_whose_session_is_killed_runs_again() {
    for server in servers().into_iter().filter(|server| server.kind == "mysql") {
        let pair = Pair::new(&server).await;
        pair.driver.write(&pair.part, batch(WriteMode::Upsert, 1, rows(50))).await.unwrap();
        let mut lock = pair.other.acquire().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("LOCK TABLES `{}`.`{}` WRITE", pair.database, pair.part.table)))
            .execute(&mut *lock)
            .await
            .unwrap();
        let (driver, part) = (pair.driver.clone(), pair.part.clone());
        let reading = tokio::spawn(async move { all(&driver, &part, SubQuery::default()).await.len() });
        let busy = pair.busy().await;
        assert!(pair.kill().await > 0);
        assert!(!pair.busy().await.iter().any(|id| busy.contains(id)), "the session lives");
        sqlx::raw_sql("UNLOCK TABLES").execute(&mut *lock).await.unwrap();
        assert_eq!(reading.await.unwrap(), 50);
        pair.done().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_nobody_waits_for_is_stopped() {
    for server in servers() {
        let pair = Pair::new(&server).await;
        // Far less than the statement takes, and than its time limit.
        let patience = Duration::from_secs(10);
        for raw in [true, false] {
            if !raw && server.kind == "oceanbase" {
                continue;
            }
            let mut lock = pair.other.acquire().await.unwrap();
            if !raw {
                let held = format!("LOCK TABLES `{}`.`{}` WRITE", pair.database, pair.part.table);
                sqlx::raw_sql(AssertSqlSafe(held)).execute(&mut *lock).await.unwrap();
            }
            let (driver, part) = (pair.driver.clone(), pair.part.clone());
            let waiting = tokio::spawn(async move {
                if raw {
                    let text = "SELECT SLEEP(40)".to_owned();
                    let _ = driver.raw(&RawStatement { text, values: Vec::new(), wanted: RawColumns::None }).await;
                } else {
                    let _ = driver.fetch_one(&part, &Id::from("a"), &[0]).await;
                }
            });
            let busy = pair.busy().await;
            waiting.abort();
            assert!(waiting.await.unwrap_err().is_cancelled());
            let begun = std::time::Instant::now();
            while pair.sessions(true).await.iter().any(|id| busy.contains(id)) {
                assert!(begun.elapsed() < patience, "{}: the server still works on it", server.kind);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            if !raw {
                sqlx::raw_sql("UNLOCK TABLES").execute(&mut *lock).await.unwrap();
            }
            // The pool gave its place to another connection.
            assert_eq!(pair.count().await, 0);
        }
        pair.done().await;
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
