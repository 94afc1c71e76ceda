use std::fs;
use std::path::{Path, PathBuf};

use heavenbase::ErrorKind;
use heavenbase::driver::{SubQuery, WriteMode};
use heavenbase::types::{Id, Value};

use crate::common::{EVERYTHING, ITEM, Store, item, text};

fn rows(directory: &Path, entity: &str) -> PathBuf {
    directory.join(format!("space__{entity}.file")).join("rows")
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_damaged_file_is_one_rows_and_its_bytes_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open("file", directory.path(), &ITEM).await;
    let long = "L".repeat(200);
    store.upsert(1, vec![item("a", 1), item("b", 2), item("c", 3), item(&long, 4)]).await;
    let file = rows(directory.path(), "item").join("b.json");
    let whole = fs::read_to_string(&file).unwrap();
    for spoilt in
        ["", "{", &whole[..whole.len() / 2], &whole.replace("name of b", "\u{1}"), "[]", "{\"number\": \"secret\"}", "{\"stray\": 1}"]
    {
        fs::write(&file, spoilt).unwrap();
        store.driver.refresh(&store.part).await.unwrap();
        for store in [&store, &Store::open("file", directory.path(), &ITEM).await] {
            let error = store.get("b").await.unwrap_err();
            assert_eq!((error.kind(), error.detail("file")), (ErrorKind::Corrupt, file.to_str()), "{spoilt:?}");
            assert!(error.detail("place").unwrap().starts_with("line ") && !error.to_string().contains("secret"), "{error}");
            assert!(store.get("a").await.unwrap().is_some() && store.get("nope").await.unwrap().is_none());
            let (page, error) = store.run(SubQuery::default()).await;
            assert!(page.len() == 3 && error.unwrap().kind() == ErrorKind::Corrupt);
        }
    }
    assert_eq!(store.write(WriteMode::Patch, 9, vec![item("b", 9)]).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(store.write(WriteMode::Insert, 9, vec![item("b", 9)]).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    store.upsert(9, vec![item("b", 9)]).await;
    // A long name does not spell its id: the file does, as long as that line is whole.
    let name = files(&rows(directory.path(), "item")).into_iter().find(|name| name.contains('~')).unwrap();
    let file = rows(directory.path(), "item").join(name);
    let whole = fs::read_to_string(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 10]).unwrap();
    store.driver.refresh(&store.part).await.unwrap();
    assert_eq!(store.get(&long).await.unwrap_err().detail("object_id"), Some(long.as_str()));
    assert!(store.get("nope").await.unwrap().is_none());
    store.write(WriteMode::Delete, 10, vec![item(&long, 0)]).await.unwrap();
    for store in [store, Store::open("file", directory.path(), &ITEM).await] {
        assert_eq!(store.everything().await.ids, ["a", "b", "c"].map(Id::from));
        assert_eq!(store.get("b").await.unwrap().unwrap().1[1], Value::Int(9));
    }
    let aside = rows(directory.path(), "item").parent().unwrap().join("aside");
    let kept: Vec<_> = files(&aside).iter().map(|name| fs::read_to_string(aside.join(name)).unwrap()).collect();
    assert!(kept.len() == 2 && kept.contains(&"{\"stray\": 1}".to_owned()) && kept.iter().any(|text| whole.starts_with(text)));
}

#[tokio::test]
async fn long_bytes_lie_beside_the_row_and_go_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open("file", directory.path(), &EVERYTHING).await;
    let rows = rows(directory.path(), "everything");
    let blob = |fill: u8, length: usize| {
        let mut row = vec![Value::Null; 15];
        row[5] = Value::Bytes(vec![fill; length].into());
        row
    };
    store.upsert(1, vec![("A/b".into(), blob(1, 4096)), ("c".into(), blob(2, 4097)), ("d".into(), blob(3, 100_000))]).await;
    let sides = |rows: &Path| files(rows).into_iter().filter(|name| name.ends_with(".bin")).collect::<Vec<_>>();
    assert_eq!(sides(&rows).len(), 2);
    assert_eq!(fs::read(rows.join(&sides(&rows)[1])).unwrap(), vec![3; 100_000]);
    assert!(rows.join("%41%2fb.json").exists());
    for store in [&store, &Store::open("file", directory.path(), &EVERYTHING).await] {
        assert_eq!(store.get("d").await.unwrap().unwrap().1, blob(3, 100_000));
    }
    store.upsert(2, vec![("d".into(), blob(4, 50_000))]).await;
    store.write(WriteMode::Delete, 2, vec![("c".into(), vec![])]).await.unwrap();
    assert_eq!(sides(&rows).len(), 1);
    // A side file that is gone or short is damage of its row; one elsewhere is not read at all.
    let side = rows.join(&sides(&rows)[0]);
    let row = fs::read_to_string(rows.join("d.json")).unwrap();
    fs::write(&side, "short").unwrap();
    store.driver.refresh(&store.part).await.unwrap();
    assert!(store.get("d").await.unwrap_err().to_string().contains("another length"));
    fs::remove_file(&side).unwrap();
    store.driver.refresh(&store.part).await.unwrap();
    assert!(store.get("d").await.unwrap_err().to_string().contains("missing"));
    for elsewhere in ["/etc/hostname", "d./../../manifest.json"] {
        fs::write(rows.join("d.json"), row.replace(&sides_name(&side), elsewhere)).unwrap();
        store.driver.refresh(&store.part).await.unwrap();
        assert!(store.get("d").await.unwrap_err().to_string().contains("does not name"), "{elsewhere}");
    }
    assert!(store.get("A/b").await.unwrap().is_some());
}

fn sides_name(side: &Path) -> String {
    side.file_name().unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_batch_that_a_crash_interrupted_is_carried_out() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open("file", directory.path(), &ITEM).await;
    store.upsert(1, vec![item("a", 1), item("b", 2), item("c", 3)]).await;
    let rows = rows(directory.path(), "item");
    let journal = rows.parent().unwrap().join("batch.json");
    let changed = fs::read_to_string(rows.join("a.json")).unwrap().replace("\"number\": 1", "\"number\": 100");
    let new = changed.replace("\"a\"", "\"new\"").replace("name of a", "name of new");
    let batch = serde_json::json!([["a", changed], ["b", null], ["new", new]]);
    fs::write(&journal, batch.to_string()).unwrap();
    let check = async |store: &Store| {
        assert_eq!(store.everything().await.ids, ["a", "c", "new"].map(Id::from));
        assert_eq!(store.get("a").await.unwrap().unwrap().1[1], Value::Int(100));
    };
    let other = Store::open("file", directory.path(), &ITEM).await;
    check(&other).await;
    assert!(rows.join("b.json").exists());
    // The first writer carries it out; whoever had read before is told.
    other.upsert(5, vec![item("d", 4)]).await;
    assert!(!journal.exists() && !rows.join("b.json").exists() && rows.join("new.json").exists());
    other.write(WriteMode::Delete, 6, vec![item("d", 0)]).await.unwrap();
    check(&store).await;
    check(&Store::open("file", directory.path(), &ITEM).await).await;
    // A journal that cannot be read stops everything, and stays.
    fs::write(&journal, "[[\"a\", ").unwrap();
    let error = store.write(WriteMode::Upsert, 7, vec![item("e", 1)]).await.unwrap_err();
    assert_eq!((error.kind(), error.detail("file")), (ErrorKind::Corrupt, journal.to_str()));
    assert_eq!(fs::read_to_string(&journal).unwrap(), "[[\"a\", ");
}

#[tokio::test]
async fn an_edit_by_hand_is_not_written_over_unseen() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open("file", directory.path(), &ITEM).await;
    store.upsert(1, vec![item("a", 1), item("b", 2)]).await;
    let file = rows(directory.path(), "item").join("a.json");
    let edited = fs::read_to_string(&file).unwrap().replace("\"_hb_version\": 1", "\"_hb_version\": 50");
    fs::write(&file, edited).unwrap();
    // Not refreshed: the writer looks at the file that it is about to replace.
    let report = store.write(WriteMode::Upsert, 20, vec![item("a", 7)]).await.unwrap();
    assert_eq!(report.stale, [(0, 50)]);
    // Edits of other rows, new and removed files are seen after a refresh; what is no row is left alone.
    fs::write(rows(directory.path(), "item").join("hand.json"), "{\"name\": \"by hand\"}").unwrap();
    fs::write(rows(directory.path(), "item").join("README.json"), "not a row").unwrap();
    fs::remove_file(rows(directory.path(), "item").join("b.json")).unwrap();
    store.driver.refresh(&store.part).await.unwrap();
    assert_eq!(store.everything().await.ids, ["a", "hand"].map(Id::from));
    assert_eq!(store.get("hand").await.unwrap().unwrap(), (0, vec![text("by hand"), Value::Null]));
}
