use std::sync::Arc;

use heavenbase::ErrorKind;
use heavenbase::driver::{SubQuery, WriteBatch, WriteMode};
use heavenbase::schema::{EntitySchema, FieldSchema};
use heavenbase::types::{Id, LogicalType, Value};

use crate::common::{EVERYTHING, ITEM, KINDS, Store, assert_same, edges, field, item, text};

#[tokio::test]
async fn values_at_the_edges_come_back_bit_by_bit() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &EVERYTHING).await;
        store.upsert(7, edges()).await;
        // Once from memory, once from the files.
        for store in [store, Store::open(kind, directory.path(), &EVERYTHING).await] {
            for (id, values) in edges() {
                let (version, found) = store.get(&id).await.unwrap().unwrap();
                assert_eq!(version, 7);
                assert_same(&found, &values, &format!("{kind} {id}"));
            }
            let page = store.everything().await;
            let mut ids: Vec<String> = edges().into_iter().map(|(id, _)| id).collect();
            ids.sort();
            assert!(page.ids.iter().map(Id::as_str).eq(ids.iter().map(String::as_str)), "{kind}");
        }
    }
}

#[tokio::test]
async fn guards_hold_and_a_batch_is_all_or_nothing() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &ITEM).await;
        store.write(WriteMode::Insert, 10, vec![item("a", 1), item("b", 2)]).await.unwrap();

        let error = store.write(WriteMode::Insert, 11, vec![item("c", 3), item("a", 9)]).await.unwrap_err();
        assert_eq!((error.kind(), error.detail("object_id")), (ErrorKind::AlreadyExists, Some("a")));
        assert!(store.get("c").await.unwrap().is_none());

        // The same batch again changes nothing; an older one neither.
        let report = store.write(WriteMode::Upsert, 10, vec![item("a", 5), item("d", 4)]).await.unwrap();
        assert_eq!((report.stale, report.missing), (vec![(0, 10)], vec![]));
        assert_eq!(store.get("a").await.unwrap().unwrap().1[1], Value::Int(1));
        assert!(store.get("d").await.unwrap().is_some());

        let patch = |version, expected| WriteBatch {
            mode: WriteMode::Patch,
            version,
            ids: vec![Id::from("a"), Id::from("gone")],
            columns: vec![1],
            values: vec![Value::Int(100), Value::Int(100)],
            expected,
        };
        let report = store.driver.write(&store.part, Arc::new(patch(20, vec![9, 9]))).await.unwrap();
        assert_eq!((report.stale, report.missing), (vec![(0, 10)], vec![1]));
        let report = store.driver.write(&store.part, Arc::new(patch(20, vec![10, 10]))).await.unwrap();
        assert_eq!((report.stale, report.missing), (vec![], vec![1]));
        assert_eq!(store.get("a").await.unwrap().unwrap(), (20, vec![text("name of a"), Value::Int(100)]));

        let report = store.write(WriteMode::Delete, 19, vec![item("a", 0), item("b", 0), item("gone", 0)]).await.unwrap();
        assert_eq!((report.stale, report.missing), (vec![(0, 20)], vec![2]));
        for store in [store.clone(), Store::open(kind, directory.path(), &ITEM).await] {
            assert_eq!(store.everything().await.ids, [Id::from("a"), Id::from("d")], "{kind}");
        }
    }
}

#[tokio::test]
async fn a_unique_value_is_held_by_one_row() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &ITEM).await;
        let named = |id: &str, name: Value| (id.to_owned(), vec![name, Value::Int(0)]);
        store.upsert(1, vec![named("a", text("x")), named("b", text("y")), named("n", Value::Null), named("m", Value::Null)]).await;
        for rows in [vec![named("c", text("x"))], vec![named("c", text("z")), named("d", text("z"))]] {
            let error = store.write(WriteMode::Upsert, 2, rows).await.unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::UniqueViolation, Some("name")));
            assert!(!format!("{error:?}").contains("\"x\""), "{error:?}");
        }
        assert_eq!(store.everything().await.len(), 4);
        // Two rows may swap in one batch, and a value is free again once its row is gone.
        store.upsert(3, vec![named("a", text("y")), named("b", text("x"))]).await;
        store.write(WriteMode::Delete, 4, vec![named("a", Value::Null)]).await.unwrap();
        store.upsert(5, vec![named("c", text("y"))]).await;
        let error = store.write(WriteMode::Upsert, 6, vec![named("d", text("y"))]).await.unwrap_err();
        assert_eq!((error.kind(), error.detail("held_by")), (ErrorKind::UniqueViolation, Some("c")));
    }
}

#[tokio::test]
async fn many_commits_leave_few_files_and_every_row() {
    for kind in KINDS.into_iter().filter(|kind| *kind != "file") {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &ITEM).await;
        store.upsert(1, (0..2_000).map(|n| item(&format!("base{n:05}"), n)).collect()).await;
        for n in 0..150i64 {
            store.upsert(n + 2, vec![item(&format!("row{}", n % 40), n)]).await;
            if n % 10 == 0 {
                store.write(WriteMode::Delete, n + 2, vec![item(&format!("base{n:05}"), 0)]).await.unwrap();
            }
        }
        let files = std::fs::read_dir(directory.path().join(format!("space__item.{kind}"))).unwrap().count();
        assert!(files <= 18, "{kind}: {files} files");
        for store in [store, Store::open(kind, directory.path(), &ITEM).await] {
            assert_eq!(store.everything().await.len(), 2_000 - 15 + 40);
            for n in 110..150 {
                let (version, values) = store.get(&format!("row{}", n % 40)).await.unwrap().unwrap();
                assert_eq!((version, &values[1]), (n + 2, &Value::Int(n)));
            }
            assert!(store.get("base00010").await.unwrap().is_none());
        }
    }
}

const WITH_NOTE: &[FieldSchema] = &[
    ITEM.fields[0],
    ITEM.fields[1],
    field("note", LogicalType::TEXT, ITEM.fields[1].placements),
    FieldSchema { default: Some(|| Value::Int(42)), nullable: false, ..field("grade", LogicalType::INT, ITEM.fields[1].placements) },
];
static EVOLVED: EntitySchema = EntitySchema::new("item", WITH_NOTE);
const OTHER: FieldSchema = field("number", LogicalType::TEXT, ITEM.fields[1].placements);
const MUST: FieldSchema = FieldSchema { nullable: false, ..field("must", LogicalType::TEXT, ITEM.fields[1].placements) };
const OTHER_FIELDS: &[FieldSchema] = &[ITEM.fields[0], OTHER];
const FEWER_FIELDS: &[FieldSchema] = &[ITEM.fields[0]];
const NEEDY_FIELDS: &[FieldSchema] = &[ITEM.fields[0], ITEM.fields[1], MUST];
static OTHER_TYPE: EntitySchema = EntitySchema::new("item", OTHER_FIELDS);
static WITHOUT: EntitySchema = EntitySchema::new("item", FEWER_FIELDS);
static NEEDY: EntitySchema = EntitySchema::new("item", NEEDY_FIELDS);

#[tokio::test]
async fn new_fields_are_added_and_other_differences_refused() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let old = Store::open(kind, directory.path(), &ITEM).await;
        old.upsert(1, vec![item("a", 1)]).await;
        for (entity, names) in [(&OTHER_TYPE, "number"), (&WITHOUT, "number"), (&NEEDY, "must")] {
            let store = Store::connect(kind, directory.path(), entity, "space").await.unwrap();
            let error = store.driver.ensure(&store.part).await.unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::SchemaMismatch, Some(names)), "{error:?}");
        }
        let new = Store::connect(kind, directory.path(), &EVOLVED, "space").await.unwrap();
        let ensured = new.driver.ensure(&new.part).await.unwrap();
        assert_eq!((ensured.created, ensured.added), (false, vec!["note".to_owned(), "grade".to_owned()]));
        let row = vec![text("name of a"), Value::Int(1), Value::Null, Value::Int(42)];
        assert_eq!(new.get("a").await.unwrap().unwrap().1, row);
        assert!(!new.driver.ensure(&new.part).await.unwrap().created);
        // A program that does not know the new fields may not write, for it would lose them.
        let error = old.write(WriteMode::Upsert, 2, vec![item("a", 2)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaMismatch, "{error:?}");
    }
}

#[tokio::test]
async fn namespaces_share_nothing_and_a_drop_takes_its_own_part_only() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let one = Store::open(kind, directory.path(), &ITEM).await;
        let two = Store::connect(kind, directory.path(), &ITEM, "SPACE").await.unwrap();
        two.driver.ensure(&two.part).await.unwrap();
        assert_ne!(one.part.table, two.part.table);
        one.upsert(1, vec![item("a", 1)]).await;
        assert!(two.get("a").await.unwrap().is_none());
        two.upsert(1, vec![item("b", 1)]).await;
        assert!(one.driver.drop_part(&one.part).await.unwrap());
        assert!(!one.driver.drop_part(&one.part).await.unwrap());
        assert_eq!(one.get("a").await.unwrap_err().kind(), ErrorKind::NotRegistered);
        assert_eq!(two.everything().await.ids, [Id::from("b")]);
        assert!(one.driver.ensure(&one.part).await.unwrap().created);
        assert!(one.everything().await.is_empty());
    }
}

#[tokio::test]
async fn a_stream_sees_the_rows_as_they_were_when_it_was_opened() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &ITEM).await;
        store.upsert(1, (0..50).map(|n| item(&format!("{n:03}"), n)).collect()).await;
        let query = SubQuery { columns: vec![1], page_rows: 10, ..SubQuery::default() };
        let mut stream = store.driver.open(store.part.clone(), Arc::new(query)).unwrap();
        let mut seen = stream.next_page().await.unwrap().unwrap();
        store.upsert(2, (0..60).map(|n| item(&format!("{n:03}"), -n)).collect()).await;
        while let Some(page) = stream.next_page().await.unwrap() {
            seen.append(page);
        }
        assert_eq!(seen.values, (0..50).map(Value::Int).collect::<Vec<_>>(), "{kind}");
        assert_eq!(store.everything().await.len(), 60);
    }
}

/// Not a test: prints what writes and reads cost here, when asked to.
#[tokio::test]
async fn measure() {
    if std::env::var_os("HEAVENBASE_TEST_MEASURE").is_none() {
        return;
    }
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &ITEM).await;
        let timed = |what: &str, start: std::time::Instant, times: u32| println!("{kind} {what}: {:?}", start.elapsed() / times);
        let start = std::time::Instant::now();
        store.upsert(1, (0..1_000).map(|n| item(&format!("base{n:06}"), n)).collect()).await;
        timed("upsert of 1000 rows", start, 1);
        let start = std::time::Instant::now();
        for n in 0..100i64 {
            store.upsert(n + 2, vec![item("one", n)]).await;
        }
        timed("upsert of one row", start, 100);
        if kind != "file" {
            store.upsert(200, (0..100_000).map(|n| item(&format!("base{n:06}"), n)).collect()).await;
            let start = std::time::Instant::now();
            for n in 0..100i64 {
                store.upsert(n + 300, vec![item("one", n)]).await;
            }
            timed("upsert of one row beside 100000", start, 100);
        }
        let start = std::time::Instant::now();
        for _ in 0..10_000 {
            assert!(store.get("base000500").await.unwrap().is_some());
        }
        timed("get", start, 10_000);
        let start = std::time::Instant::now();
        let again = Store::open(kind, directory.path(), &ITEM).await;
        timed(&format!("open {} rows", again.driver.plan(&again.part, &SubQuery::default()).text.split(' ').nth(3).unwrap()), start, 1);
    }
}
