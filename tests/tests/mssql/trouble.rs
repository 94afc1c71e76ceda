//! Errors, and a peer that goes away, says nothing, or speaks of something else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use heavenbase::backends::Connect;
use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, WriteMode};
use heavenbase::types::{LogicalType, Value};
use heavenbase::{ErrorKind, Status};
use heavenbase_tests::data::Spec;
use heavenbase_tests::random::Random;
use heavenbase_tests::tds::{Cell, Column, Kind, Manners, Peer, Reply, Stage};

use crate::common::{PASSWORD, batch, ids, open, part, peer, to, usual};

fn number() -> Spec {
    Spec::new("n", LogicalType::INT, Placement::InlineColumn).required().unique()
}

fn one(version: i64) -> Arc<heavenbase::driver::WriteBatch> {
    batch(WriteMode::Upsert, version, vec![("a", vec![Value::Int(1)])])
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_the_server_have_kinds() {
    use ErrorKind as K;
    let cases = [
        (1205, 13, K::Conflict, Status::Temporary),
        (3960, 16, K::Conflict, Status::Temporary),
        (1222, 16, K::Timeout, Status::Temporary),
        (701, 17, K::LimitExceeded, Status::Temporary),
        (9002, 17, K::Storage, Status::Temporary),
        (8115, 16, K::LimitExceeded, Status::Permanent),
        (229, 14, K::PermissionDenied, Status::Permanent),
        (208, 16, K::SchemaMismatch, Status::Permanent),
        (547, 16, K::InvalidValue, Status::Permanent),
        (515, 16, K::InvalidValue, Status::Permanent),
        (2628, 16, K::InvalidValue, Status::Permanent),
        (102, 15, K::Backend, Status::Permanent),
        (596, 21, K::Unavailable, Status::Temporary),
        (99_999, 16, K::Backend, Status::Permanent),
    ];
    for (number, class, kind, status) in cases {
        let words = "String or binary data: 'the secret value'.".to_owned();
        let peer = peer(move |asked| (asked.text == "SELECT 1").then(|| Reply::Error(number, class, words.clone()))).await;
        let driver = open(&peer).await;
        let error = driver.health().await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, status), "{number}: {error:?}");
        assert_eq!(error.detail("number"), Some(number.to_string().as_str()));
        let shown = matches!(number, 208 | 229 | 102);
        assert_eq!(format!("{error:?}").contains("secret"), shown, "{number} repeats the server's words, or does not");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clash_names_the_field_or_the_id() {
    let part_of = |driver: &Arc<dyn Driver>| part(driver, &[number()]);
    let words =
        "Cannot insert duplicate key row in object 'dbo.t' with unique index 'shop__thing__n__unique'. The duplicate key value is (1).";
    let peer = peer(move |asked| match asked.text.split(' ').next() {
        Some("MERGE" | "INSERT") => Some(Reply::Error(2601, 14, words.to_owned())),
        _ => None,
    })
    .await;
    let driver = open(&peer).await;
    let part = part_of(&driver);
    let error = driver.write(&part, one(2)).await.unwrap_err();
    assert_eq!((error.kind(), error.field()), (ErrorKind::UniqueViolation, Some("n")), "{error:?}");
    let insert = batch(WriteMode::Insert, 2, vec![("a", vec![Value::Int(1)])]);
    assert_eq!(driver.write(&part, insert.clone()).await.unwrap_err().kind(), ErrorKind::UniqueViolation);
    // The id is there: that counts first.
    let there = crate::common::peer(move |asked| match asked.text.as_str() {
        text if text.starts_with("INSERT") => Some(Reply::Error(2627, 14, words.to_owned())),
        text if text.starts_with("SELECT t.") => {
            let columns = vec![Column::new("object_id", Kind::Bytes), Column::new("_hb_version", Kind::Whole)];
            Some(Reply::Rows(columns, vec![vec![Cell::Bytes(b"a".to_vec()), Cell::Whole(1)]]))
        }
        _ => None,
    })
    .await;
    let driver = open(&there).await;
    let error = driver.write(&part_of(&driver), insert).await.unwrap_err();
    assert_eq!((error.kind(), error.detail("id")), (ErrorKind::AlreadyExists, Some("a")));
    let texts: Vec<String> = there.asked().into_iter().map(|asked| asked.text).collect();
    assert!(texts.iter().any(|text| text.ends_with("ROLLBACK TRANSACTION")), "{texts:?}");
}

/// A deadlock is tried again, and one that does not end is reported.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_tried_again() {
    let times = Arc::new(AtomicUsize::new(0));
    let count = times.clone();
    let peer = peer(move |asked| {
        asked.text.starts_with("MERGE").then(|| match count.fetch_add(1, Ordering::SeqCst) {
            0..3 => Reply::Error(1205, 13, "deadlock".to_owned()),
            _ => ids(&["a"]),
        })
    })
    .await;
    let driver = open(&peer).await;
    driver.write(&part(&driver, &[number()]), one(2)).await.unwrap();
    assert_eq!(times.load(Ordering::SeqCst), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_and_not_repeated() {
    let peer = Peer::start(Manners { answer: Arc::new(usual), password: "another".to_owned(), garbage: None }).await.unwrap();
    let error = to(&peer).connect().await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let text = format!("{error:?}{:?}", to(&peer));
    assert!(!text.contains(PASSWORD) && !text.contains("s3cr"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_server_is_refused() {
    for (version, level) in [("14.0.1000.1", 150), ("16.0.1000.6", 120)] {
        let row = vec![Cell::Text(version.to_owned()), Cell::Whole(level)];
        let peer = peer(move |asked| {
            let columns = vec![Column::new("", Kind::Text), Column::new("", Kind::Whole)];
            asked.text.starts_with("SELECT CAST(SERVERPROPERTY").then(|| Reply::Rows(columns, vec![row.clone()]))
        })
        .await;
        assert_eq!(to(&peer).connect().await.map(drop).unwrap_err().kind(), ErrorKind::InvalidSchema);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_goes_away_leaves_a_typed_error_and_a_pool_that_recovers() {
    // Where it goes away, for how many times, and what is known of a write then.
    let cases = [
        ("SELECT 1", Reply::Gone, 1, None),
        ("SELECT 1", Reply::Broken, 1, None),
        ("SELECT 1", Reply::Gone, 1_000, Some(Status::Temporary)),
        ("BEGIN", Reply::Gone, 1_000, Some(Status::Temporary)),
        ("MERGE", Reply::Gone, 1, None),
        ("MERGE", Reply::Broken, 1, None),
        ("MERGE", Reply::Gone, 1_000, Some(Status::Temporary)),
        ("COMMIT", Reply::Gone, 1, Some(Status::Unknown)),
        ("COMMIT", Reply::Broken, 1, Some(Status::Unknown)),
    ];
    for (place, how, times, expected) in cases {
        let left = Arc::new(AtomicUsize::new(times));
        let (count, end) = (left.clone(), how.clone());
        let peer = peer(move |asked| {
            let again =
                asked.text.starts_with(place) && count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
            if again { Some(end.clone()) } else { asked.text.starts_with("MERGE").then(|| ids(&["a"])) }
        })
        .await;
        let driver = open(&peer).await;
        let part = part(&driver, &[number()]);
        let outcome = if place == "SELECT 1" { driver.health().await } else { driver.write(&part, one(2)).await.map(drop) };
        match (outcome, expected) {
            (Ok(()), None) => {}
            (Err(error), Some(status)) => {
                assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, status), "{place} {how:?}: {error:?}");
            }
            (outcome, _) => panic!("{place} {how:?} {times} times: {outcome:?}"),
        }
        left.store(0, Ordering::SeqCst);
        driver.health().await.unwrap();
        driver.write(&part, one(3)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_says_nothing_is_given_up() {
    let silent = Arc::new(AtomicUsize::new(1));
    let count = silent.clone();
    let peer = peer(move |asked| (asked.text == "SELECT 1" && count.load(Ordering::SeqCst) > 0).then_some(Reply::Silent)).await;
    let driver = to(&peer).statement_timeout(Duration::from_millis(200)).max_connections(1).connect().await.unwrap();
    let error = driver.health().await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Timeout, Status::Temporary), "{error:?}");
    // A read that nobody waits for any more takes its connection with it.
    let dropped = tokio::time::timeout(Duration::from_millis(50), driver.health()).await;
    assert!(dropped.is_err());
    silent.store(0, Ordering::SeqCst);
    driver.health().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_serves_many() {
    let peer = peer(|_| None).await;
    let driver = to(&peer).max_connections(1).connect().await.unwrap();
    let all: Vec<_> = (0..50)
        .map(|_| {
            let driver = driver.clone();
            tokio::spawn(async move { driver.health().await })
        })
        .collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    let made = peer.asked().iter().filter(|asked| asked.text.starts_with("SET LANGUAGE")).count();
    assert_eq!(made, 1, "connections made");
}

/// Bytes of any sort in the place of each answer: an error, and never a panic or a wait without end.
#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_an_error() {
    let mut random = Random::new(heavenbase_tests::random::seed());
    let mut kinds = std::collections::BTreeMap::new();
    // Most of a round is waiting: many go at once.
    for many in (0..300).collect::<Vec<_>>().chunks(50) {
        let mut rounds = tokio::task::JoinSet::new();
        for &round in many {
            let length = random.next() as usize % 200;
            let mut bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
            if round % 2 == 0 {
                // A packet that is whole, and holds tokens that are none, or a known one cut short.
                let token = [0x81, 0xd1, 0xaa, 0xad, 0xe3, 0xfd, 0xd2, 0x79, 0xae, 0xff][random.next() as usize % 10];
                let size = (bytes.len() as u16 + 9).to_be_bytes();
                bytes = [&[4, 1, size[0], size[1], 0, 0, 1, 0, token], &bytes[..]].concat();
            }
            rounds.spawn(garbage(round, bytes));
        }
        while let Some(outcome) = rounds.join_next().await {
            *kinds.entry(outcome.expect("no round panics")).or_insert(0) += 1;
        }
    }
    println!("{kinds:?}");
    let wrong = kinds.keys().find(|(_, kind)| !["Unavailable", "Timeout", "Backend", "Ok"].contains(&kind.as_str()));
    assert_eq!(wrong, None);
    assert!(kinds.iter().filter(|((_, kind), _)| kind == "Unavailable").map(|(_, times)| times).sum::<i32>() > 150);
}

/// A peer that answers so to a login or to a statement: whether it was a login, and what the driver made of it.
async fn garbage(round: usize, bytes: Vec<u8>) -> (bool, String) {
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, garbage) = (asked.clone(), bytes.clone());
    let answer = move |it: &heavenbase_tests::tds::Asked| {
        if it.text == "SELECT 1" && count.fetch_add(1, Ordering::SeqCst) < 100 { Reply::Garbage(garbage.clone()) } else { usual(it) }
    };
    let stage = match round % 6 {
        0 | 1 => Some(Stage::Prelogin),
        2 | 3 => Some(Stage::Login),
        _ => None,
    };
    let garbage = stage.map(|stage| (stage, bytes));
    let peer = Peer::start(Manners { answer: Arc::new(answer), password: PASSWORD.to_owned(), garbage }).await.unwrap();
    let work = async {
        let driver = to(&peer).acquire_timeout(Duration::from_secs(2)).statement_timeout(Duration::from_secs(2)).connect().await?;
        let outcome = driver.health().await;
        // Another connection speaks well.
        asked.store(100, Ordering::SeqCst);
        driver.health().await.expect("the pool recovers");
        outcome
    };
    let outcome = tokio::time::timeout(Duration::from_secs(60), work).await.expect("no wait without end");
    // What happens to be an answer is one.
    let kind = outcome.map_or_else(|error| format!("{:?}", error.kind()), |()| "Ok".to_owned());
    (stage.is_some(), kind)
}
