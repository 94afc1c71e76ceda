use std::fs;
use std::path::{Path, PathBuf};

use heavenbase::ErrorKind;
use heavenbase::driver::{Aggregate, AggregateFunction, Measure, SubQuery, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::types::{Id, Value};

use crate::common::{ITEM, KINDS, Store, item, text};

/// The only file of rows in a part's directory.
fn only_file(directory: &Path, kind: &str) -> PathBuf {
    let part = directory.join(format!("space__item.{kind}"));
    let mut files = Vec::new();
    for entry in fs::read_dir(part).unwrap().map(|e| e.unwrap()) {
        if entry.file_name().to_string_lossy().starts_with("rows-") {
            files.push(entry.path());
        }
    }
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// Flips the bytes of `what` where it lies in a file.
fn spoil(file: &Path, what: &str) -> Vec<u8> {
    let mut bytes = fs::read(file).unwrap();
    let at = bytes.windows(what.len()).position(|w| w == what.as_bytes()).unwrap_or_else(|| panic!("no {what} in {}", file.display()));
    bytes[at..at + what.len()].fill(0xff);
    fs::write(file, &bytes).unwrap();
    bytes
}

async fn three(kind: &'static str, directory: &Path) -> Store {
    let store = Store::open(kind, directory, &ITEM).await;
    store.upsert(1, vec![item("a", 1), item("b", 2), item("c", 3)]).await;
    store
}

#[tokio::test]
async fn one_damaged_row_takes_nothing_else_down() {
    for kind in KINDS.into_iter().filter(|kind| *kind != "file") {
        let directory = tempfile::tempdir().unwrap();
        let store = three(kind, directory.path()).await;
        let file = only_file(directory.path(), kind);
        let spoilt = spoil(&file, "name of b");
        store.driver.refresh(&store.part).await.unwrap();

        for store in [store, Store::open(kind, directory.path(), &ITEM).await] {
            assert_eq!(store.get("a").await.unwrap().unwrap().1[1], Value::Int(1));
            assert_eq!(store.get("c").await.unwrap().unwrap().1[1], Value::Int(3));
            assert!(store.get("nope").await.unwrap().is_none());
            let error = store.get("b").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert_eq!(error.detail("file"), Some(file.to_str().unwrap()));
            assert!(!error.detail("place").unwrap().is_empty(), "{error}");
            assert!(!error.to_string().contains("name of"), "{error}");
            if kind == "json" {
                assert!(error.detail("place").unwrap().starts_with("line 3, column"), "{error}");
            }

            // A stream gives every row that can be read, then says what is missing.
            let (page, error) = store.run(SubQuery { columns: vec![1], ..SubQuery::default() }).await;
            assert_eq!(page.ids, [Id::from("a"), Id::from("c")]);
            assert_eq!(error.unwrap().kind(), ErrorKind::Corrupt);
            let but_b = Filter::from(Test::new("object_id", Condition::Ne(text("b"))));
            let (page, error) = store.run(SubQuery { filter: but_b.clone(), ..SubQuery::default() }).await;
            assert!(page.len() == 2 && error.is_none());
            let count = vec![Measure { function: AggregateFunction::Count, column: None }];
            let query = |filter| Aggregate { filter, ids: None, keys: vec![], measures: count.clone() };
            assert_eq!(store.driver.aggregate(&store.part, &query(Filter::all())).await.unwrap_err().kind(), ErrorKind::Corrupt);
            assert_eq!(store.driver.aggregate(&store.part, &query(but_b)).await.unwrap()[0].measures, [Value::Int(2)]);

            let error = store.write(WriteMode::Patch, 5, vec![item("b", 5)]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            let error = store.write(WriteMode::Insert, 5, vec![item("b", 5)]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        }

        // Other rows are written and merged; the damaged file stays as it is, and writing over the row mends it.
        let store = Store::open(kind, directory.path(), &ITEM).await;
        for n in 0..40 {
            store.upsert(10 + n, vec![item("d", n)]).await;
        }
        assert_eq!(fs::read(&file).unwrap(), spoilt);
        assert_eq!(Store::open(kind, directory.path(), &ITEM).await.get("b").await.unwrap_err().kind(), ErrorKind::Corrupt);
        store.upsert(60, vec![item("b", 60)]).await;
        for n in 0..20 {
            store.upsert(70 + n, vec![item("e", n)]).await;
        }
        for store in [store, Store::open(kind, directory.path(), &ITEM).await] {
            assert_eq!(store.get("b").await.unwrap().unwrap().1[1], Value::Int(60));
            assert_eq!(store.everything().await.len(), 5);
        }
        // Its bytes are still there, in place or aside.
        let aside = file.parent().unwrap().join("aside").join(file.file_name().unwrap());
        assert_eq!(fs::read(if aside.exists() { aside } else { file }).unwrap(), spoilt);
    }
}

#[tokio::test]
async fn a_damaged_row_can_be_deleted() {
    for kind in KINDS.into_iter().filter(|kind| *kind != "file") {
        let directory = tempfile::tempdir().unwrap();
        let store = three(kind, directory.path()).await;
        spoil(&only_file(directory.path(), kind), "name of b");
        store.driver.refresh(&store.part).await.unwrap();
        let report = store.write(WriteMode::Delete, 5, vec![item("b", 0)]).await.unwrap();
        assert!(report.missing.is_empty());
        for store in [store, Store::open(kind, directory.path(), &ITEM).await] {
            assert!(store.get("b").await.unwrap().is_none());
            assert_eq!(store.everything().await.len(), 2);
        }
    }
}

#[tokio::test]
async fn a_damaged_file_is_named_and_left_alone() {
    for kind in KINDS.into_iter().filter(|kind| *kind != "file") {
        let directory = tempfile::tempdir().unwrap();
        let store = three(kind, directory.path()).await;
        let file = only_file(directory.path(), kind);
        let whole = fs::read(&file).unwrap();
        for length in [0, 1, 20, whole.len() - 3] {
            fs::write(&file, &whole[..length]).unwrap();
            let error = store.driver.refresh(&store.part).await.unwrap_err();
            assert_eq!((error.kind(), error.detail("file")), (ErrorKind::Corrupt, file.to_str()), "{kind} {length}");
            assert!(error.detail("place").is_some());
            let error = store.write(WriteMode::Upsert, 9, vec![item("d", 1)]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
            let fresh = Store::connect(kind, directory.path(), &ITEM, "space").await.unwrap();
            assert_eq!(fresh.driver.ensure(&fresh.part).await.unwrap_err().kind(), ErrorKind::Corrupt);
            assert_eq!(fresh.get("a").await.unwrap_err().kind(), ErrorKind::Corrupt);
            assert_eq!(fs::read(&file).unwrap(), &whole[..length]);
            assert_eq!(only_file(directory.path(), kind), file);
        }
        // Restored, all is well without reopening.
        fs::write(&file, &whole).unwrap();
        store.driver.refresh(&store.part).await.unwrap();
        assert_eq!(store.everything().await.len(), 3);
    }
}

#[tokio::test]
async fn a_damaged_json_line_is_known_by_either_of_its_ids() {
    let directory = tempfile::tempdir().unwrap();
    let store = three("json", directory.path()).await;
    let file = only_file(directory.path(), "json");
    let whole = fs::read_to_string(&file).unwrap();
    // The id in front, the id behind, a lost line break, and both ids.
    let cases: [(&str, &str, &[&str]); 4] = [
        ("\"b\":{", "\u{1}b\":{", &["b"]),
        ("\"object_id\":\"b\"", "\"object_id\":\u{1}b\"", &["b"]),
        ("\"object_id\":\"b\"},\n", "\"object_id\":\"b\"", &["b", "c"]),
        ("\"b\":{", "\u{1}", &["b"]),
    ];
    for (from, to, damaged) in cases {
        fs::write(&file, whole.replacen(from, to, 1)).unwrap();
        store.driver.refresh(&store.part).await.unwrap();
        for id in ["a", "b", "c"] {
            let found = store.get(id).await;
            assert_eq!(found.is_err(), damaged.contains(&id), "{from:?} {id}: {found:?}");
        }
    }
    // With neither, an id that is not found may be the damaged one: nothing is said to be absent.
    fs::write(&file, whole.replacen("\"b\":{", "\u{1}", 1).replacen("\"object_id\":\"b\"", "\u{1}", 1)).unwrap();
    store.driver.refresh(&store.part).await.unwrap();
    assert!(store.get("a").await.unwrap().is_some() && store.get("c").await.unwrap().is_some());
    assert_eq!(store.get("b").await.unwrap_err().kind(), ErrorKind::Corrupt);
    let (page, error) = store.run(SubQuery::default()).await;
    assert!(page.len() == 2 && error.is_some());
}
