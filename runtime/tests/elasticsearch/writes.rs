use std::sync::Arc;
use std::time::Instant;

use heavenbase::backends::elasticsearch::Refresh;
use heavenbase::backends::{Connect, Elasticsearch};
use heavenbase::driver::{SubQuery, WriteBatch, WriteMode, WriteReport};
use heavenbase::schema::EntitySchema;
use heavenbase::types::{Id, LogicalType, Value};
use heavenbase::{ErrorKind, RowOutcome, Status};

use crate::common::{COSINE, INLINE, PATIENCE, Store, address, field, lay_out, namespace, text};

static ITEMS: EntitySchema =
    EntitySchema::new("items", &[field("name", LogicalType::TEXT, INLINE), field("number", LogicalType::INT, INLINE)]);
static DIRECTIONS: EntitySchema = EntitySchema::new("directions", &[field("way", LogicalType::Vector(3), COSINE)]);

fn item(id: &str, name: &str, number: i64) -> (String, Vec<Value>) {
    (id.to_owned(), vec![text(name), Value::Int(number)])
}

#[tokio::test]
async fn a_row_that_the_server_refuses_is_named_and_the_others_are_written() {
    let Some(store) = Store::open("a_refused_row", &DIRECTIONS).await else { return };
    let way = |x: f32| vec![Value::Vector(vec![x, 0.0, 0.0].into())];
    // The server refuses to index a vector without a direction under cosine.
    let rows = vec![("a".into(), way(1.0)), ("b".into(), way(0.0)), ("c".into(), way(2.0))];
    let error = store.write(WriteMode::Upsert, 1, rows).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidValue, Status::Unknown), "{error:?}");
    assert_eq!((error.detail("id"), error.detail("rows written")), (Some("b"), Some("2 of 3")), "{error:?}");
    let refused = RowOutcome::Refused("Elasticsearch cannot index a value of this row".into());
    assert!(
        error.rows().eq([("a", &RowOutcome::Done), ("b", &refused), ("c", &RowOutcome::Done)]),
        "{:?}",
        error.rows().collect::<Vec<_>>()
    );
    let found = store.run(SubQuery::default()).await.unwrap();
    assert_eq!(found.ids.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["a", "c"]);
    // Alone, nothing at all was written.
    let error = store.write(WriteMode::Upsert, 2, vec![("b".into(), way(0.0))]).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidValue, Status::Permanent), "{error:?}");
    // And the batch can be written again once it is right.
    let rows = vec![("a".into(), way(1.0)), ("b".into(), way(3.0)), ("c".into(), way(2.0))];
    assert_eq!(store.write(WriteMode::Upsert, 1, rows).await.unwrap(), WriteReport { stale: vec![(0, 1), (2, 1)], missing: vec![] });
    assert_eq!(store.run(SubQuery::default()).await.unwrap().len(), 3);
    store.close().await;
}

#[tokio::test]
async fn writers_of_one_row_leave_the_newest_whoever_is_quicker() {
    let Some(store) = Store::open("many_writers", &ITEMS).await else { return };
    let mut tasks = Vec::new();
    for version in 1..=24_i64 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let rows = ["a", "b", "c"].map(|id| item(id, &format!("by {version}"), version));
            store.write(WriteMode::Upsert, version, rows.into()).await
        }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    for id in ["a", "b", "c"] {
        assert_eq!(store.get(id).await.unwrap(), (24, vec![text("by 24"), Value::Int(24)]));
    }
    store.close().await;
}

#[tokio::test]
async fn of_two_inserts_of_one_id_one_wins_and_the_other_leaves_nothing() {
    let Some(store) = Store::open("two_inserts", &ITEMS).await else { return };
    for round in 0..10 {
        let insert = |who: i64| {
            let store = store.clone();
            // Each has rows of its own around the one they share.
            let rows = [format!("{round}-{who}-x"), format!("{round}-shared"), format!("{round}-{who}-y")].map(|id| item(&id, "new", who));
            tokio::spawn(async move { store.write(WriteMode::Insert, round + 1, rows.into()).await })
        };
        let (one, two) = (insert(1), insert(2));
        let outcomes = [one.await.unwrap(), two.await.unwrap()];
        let winners: Vec<usize> = (0..2).filter(|who| outcomes[*who].is_ok()).collect();
        assert!(winners.len() <= 1, "both inserted the same id");
        for (who, outcome) in outcomes.iter().enumerate() {
            for side in ["x", "y"] {
                let there = store.get(&format!("{round}-{}-{side}", who + 1)).await.is_some();
                assert_eq!(there, winners.contains(&who), "round {round}, writer {who}: {outcome:?}");
            }
            if let Err(error) = outcome {
                assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error:?}");
            }
        }
    }
    store.close().await;
}

#[tokio::test]
async fn every_refresh_lets_a_writer_read_its_own_rows() {
    let Some(address) = address("every_refresh") else { return };
    for refresh in [Refresh::WaitFor, Refresh::Immediate, Refresh::BeforeSearch] {
        let driver = Elasticsearch::url(&address).refresh(refresh).timeout(PATIENCE).connect().await.unwrap();
        let part = lay_out(&driver, &ITEMS, &namespace());
        driver.ensure(&part).await.unwrap();
        let store = Store { driver, part };
        let start = Instant::now();
        for version in 1..=3 {
            store.upsert(version, vec![item("a", "x", version), item(&format!("n{version}"), "x", version)]).await;
            let found = store.run(SubQuery { columns: vec![1], ..SubQuery::default() }).await.unwrap();
            assert_eq!(found.len(), version as usize + 1, "{refresh:?}");
            assert_eq!(found.row(0)[0], Value::Int(version), "{refresh:?}");
        }
        println!("{refresh:?}: three writes, each read back: {:?}", start.elapsed());
        store.close().await;
    }
}

#[tokio::test]
async fn a_batch_larger_than_one_request_is_written_whole() {
    let Some(store) = Store::open("a_large_batch", &ITEMS).await else { return };
    let body = "0123456789".repeat(6_000);
    let rows: Vec<_> = (0..400).map(|n| item(&format!("r{n:03}"), &body, n)).collect();
    store.upsert(1, rows).await;
    let found = store.run(SubQuery { columns: vec![0, 1], ..SubQuery::default() }).await.unwrap();
    assert_eq!(found.len(), 400);
    assert!((0..400).all(|row| found.row(row)[0] == text(body.as_str())));
    store.close().await;
}

#[tokio::test]
async fn ids_are_bytes_and_any_text() {
    let Some(store) = Store::open("ids_are_bytes", &ITEMS).await else { return };
    let long = "é".repeat(127);
    let mut ids =
        vec!["a", "A", "é", "e\u{301}", "a/b", "..", "?x=1", "#", "%2e", "\"", "\\", "😀", " x", "_all", "*", long.as_str(), "1", "01"];
    store.upsert(1, ids.iter().map(|id| item(id, id, 1)).collect()).await;
    ids.sort_unstable();
    let found = store.run(SubQuery { page_rows: 2, ..SubQuery::default() }).await.unwrap();
    assert_eq!(found.ids.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ids, "in the order of bytes");
    for id in &ids {
        assert_eq!(store.get(id).await.unwrap().1[0], text(*id));
    }
    let wanted: Vec<Id> = ["😀", "not there", "*", "a"].map(Id::from).into();
    let page = store.driver.fetch(&store.part, &wanted, &[0]).await.unwrap();
    assert_eq!(page.ids.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["😀", "*", "a"], "in the order asked for");
    let report = store.write(WriteMode::Delete, 2, vec![("*".into(), vec![]), ("gone".into(), vec![])]).await.unwrap();
    assert_eq!(report.missing, [1]);
    assert_eq!(store.run(SubQuery::default()).await.unwrap().len(), ids.len() - 1, "`*` deletes one row");
    store.close().await;
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_checks_what_it_saw() {
    let Some(store) = Store::open("a_patch", &ITEMS).await else { return };
    store.upsert(5, vec![item("a", "one", 1), item("b", "two", 2)]).await;
    let patch = |version, expected: Vec<i64>| WriteBatch {
        mode: WriteMode::Patch,
        version,
        ids: ["a", "b", "c"].map(Id::from).into(),
        columns: vec![1],
        values: vec![Value::Int(10), Value::Null, Value::Int(30)],
        expected,
    };
    let report = store.driver.write(&store.part, Arc::new(patch(6, vec![5, 4, 5]))).await.unwrap();
    assert_eq!(report, WriteReport { stale: vec![(1, 5)], missing: vec![2] });
    assert_eq!(store.get("a").await.unwrap(), (6, vec![text("one"), Value::Int(10)]));
    assert_eq!(store.get("b").await.unwrap(), (5, vec![text("two"), Value::Int(2)]));
    let report = store.driver.write(&store.part, Arc::new(patch(6, vec![]))).await.unwrap();
    assert_eq!(report, WriteReport { stale: vec![(0, 6)], missing: vec![2] });
    assert_eq!(store.get("b").await.unwrap(), (6, vec![text("two"), Value::Null]));
    store.close().await;
}

#[tokio::test]
async fn a_slow_reader_keeps_its_place() {
    let Some(store) = Store::open("a_slow_reader", &ITEMS).await else { return };
    store.upsert(1, (0..50).map(|n| item(&format!("r{n:02}"), "x", n)).collect()).await;
    let query = SubQuery { page_rows: 10, columns: vec![1], ..SubQuery::default() };
    let mut stream = store.driver.open(store.part.clone(), Arc::new(query)).unwrap();
    let mut seen = stream.next_page().await.unwrap().unwrap().len();
    // The point in time is lost, as after a long pause or a restart; and rows change meanwhile.
    store.raw("POST", &format!("{}/_close", store.part.table), None).await.unwrap();
    store.raw("POST", &format!("{}/_open?wait_for_active_shards=1", store.part.table), None).await.unwrap();
    store.upsert(2, vec![item("r05", "behind", 0), item("r99", "ahead", 0)]).await;
    while let Some(page) = stream.next_page().await.unwrap() {
        assert!(page.ids.iter().all(|id| id.as_str() >= "r10"), "on from where it was");
        seen += page.len();
    }
    assert!((50..=51).contains(&seen), "{seen}");
    store.close().await;
}

#[tokio::test]
async fn what_a_reader_held_on_the_server_is_given_back() {
    let Some(store) = Store::open("given_back", &ITEMS).await else { return };
    store.upsert(1, (0..50).map(|n| item(&format!("r{n:02}"), "x", n)).collect()).await;
    let held = || async {
        let stats = store.raw("GET", &format!("{}/_stats/search", store.part.table), None).await.unwrap();
        stats["_all"]["total"]["search"]["open_contexts"].as_u64().unwrap()
    };
    let query = Arc::new(SubQuery { page_rows: 10, ..SubQuery::default() });
    let mut stopped = store.driver.open(store.part.clone(), query.clone()).unwrap();
    stopped.next_page().await.unwrap().unwrap();
    let mut read = store.driver.open(store.part.clone(), query).unwrap();
    while read.next_page().await.unwrap().is_some() {}
    assert!(held().await >= 1, "a reader under way holds a point in time");
    drop(stopped);
    for _ in 0..100 {
        if held().await == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(held().await, 0);
    store.close().await;
}
