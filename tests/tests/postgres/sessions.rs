//! Sessions that end, statements that are stopped.

use std::time::Duration;

use heavenbase::backends::{Connect, Postgres};
use heavenbase::driver::WriteMode;
use heavenbase::types::Id;
use heavenbase::{ErrorKind, Status};
use sqlx::AssertSqlSafe;

use super::common::{Pair, address, batch, text, unique};

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
async fn times_without_end_are_no_panic() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES") else { return };
    let always = Duration::MAX;
    let driver = Postgres::url(address).acquire_timeout(always).idle_timeout(always).statement_timeout(always).connect().await.unwrap();
    driver.health().await.unwrap();
    // As far as the server counts.
    let limit: String = sqlx::query_scalar("SHOW statement_timeout").fetch_one(&super::common::pool(&driver)).await.unwrap();
    assert_eq!(limit, "24d");
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
async fn a_statement_that_nobody_waits_for_is_stopped() {
    let Some(address) = address("HEAVENBASE_TEST_POSTGRES") else { return };
    let pair = Pair::new(&address).await;
    let mut lock = pair.other.begin().await.unwrap();
    let lock_text = format!("LOCK TABLE \"{}\" IN ACCESS EXCLUSIVE MODE", pair.part.table);
    sqlx::query(AssertSqlSafe(lock_text)).execute(&mut *lock).await.unwrap();
    let waiting = {
        let (driver, part) = (pair.driver.clone(), pair.part.clone());
        tokio::spawn(async move { driver.fetch_one(&part, &Id::from("a"), &[0]).await })
    };
    pair.until("wait_event_type = 'Lock'").await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    // The lock is still held, and the statement timeout is a minute: the session ends because its reader is gone.
    let text = "SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'";
    let begun = std::time::Instant::now();
    while !sqlx::query(text).bind(&pair.name).fetch_all(&pair.other).await.unwrap().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(15), "the server still works on it");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    lock.rollback().await.unwrap();
    // The pool gave its place to another connection.
    assert_eq!(pair.rows().await, 0);
    pair.done().await;
}
