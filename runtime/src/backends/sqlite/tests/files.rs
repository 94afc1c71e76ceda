//! Files: two drivers over one, damage, what cannot be opened, and how a part evolves.

use super::*;
use crate::error::{ErrorKind, Status};

fn counters() -> Arc<Part> {
    part_of("counters", vec![column("n", LogicalType::INT, Placement::InlineColumn)])
}

fn rows(version: i64, ids: impl IntoIterator<Item = String>) -> Arc<WriteBatch> {
    let ids: Vec<Id> = ids.into_iter().map(Id::from).collect();
    let values = ids.iter().map(|_| Value::Int(version)).collect();
    Arc::new(WriteBatch { mode: WriteMode::Upsert, version, ids, columns: vec![0], values, expected: vec![] })
}

/// Where a child process finds its file; see below.
const CHILD: &str = "HEAVENBASE_TEST_SQLITE_CHILD";

fn write_rounds(path: &Path, writer: &str) {
    let driver = SqliteDriver::open(Sqlite::file(path).synchronous(super::super::Synchronous::Normal)).unwrap();
    let part = counters();
    now(driver.ensure(&part)).unwrap();
    for round in 0..25 {
        let mine = (0..3).map(|i| format!("{writer}-{round}-{i}"));
        now(driver.write(&part, rows(1, mine))).unwrap();
        now(driver.write(&part, rows(round + 1, ["shared".to_owned()]))).unwrap();
    }
}

/// What each child process of the next test runs; nothing when it is run as a test of its own.
#[test]
fn child_of_two_processes() {
    if let Some(path) = std::env::var_os(CHILD) {
        write_rounds(Path::new(&path), &std::process::id().to_string());
    }
}

#[test]
fn processes_and_drivers_over_one_file_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shared.db");
    let child = || {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "backends::sqlite::tests::files::child_of_two_processes"]).env(CHILD, &path);
        command.stdout(std::process::Stdio::null()).spawn().unwrap()
    };
    let mut children = [child(), child()];
    std::thread::scope(|scope| {
        for writer in ["first", "second"] {
            // Each thread has a driver of its own: connections that know nothing of each other.
            let path = &path;
            scope.spawn(move || write_rounds(path, writer));
        }
    });
    children.iter_mut().for_each(|child| assert!(child.wait().unwrap().success()));
    let (driver, part) = (file(&path), counters());
    assert!(!now(driver.ensure(&part)).unwrap().created);
    assert_eq!(ids(&driver, &part, SubQuery::default()).len(), 4 * 25 * 3 + 1);
    let shared = now(driver.fetch_one(&part, &"shared".into(), &[0])).unwrap();
    assert_eq!((shared.versions[0], &shared.values[0]), (25, &Value::Int(25)));
}

#[test]
fn a_locked_database_is_unavailable_for_now() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("locked.db");
    let (holder, part) = (file(&path), counters());
    now(holder.ensure(&part)).unwrap();
    let waiting = SqliteDriver::open(Sqlite::file(&path).busy_timeout(std::time::Duration::from_millis(20))).unwrap();
    holder
        .with_connection(|connection| {
            connection.execute_batch("BEGIN IMMEDIATE")?;
            for batch in [rows(1, ["a".to_owned()]), rows(1, ["a".to_owned(), "b".to_owned()])] {
                let error = now(waiting.write(&part, batch)).unwrap_err();
                assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Temporary));
            }
            // Reading goes on beside the other's write.
            assert!(ids(&waiting, &part, SubQuery::default()).is_empty());
            connection.execute_batch("ROLLBACK")
        })
        .unwrap();
    now(waiting.write(&part, rows(1, ["a".to_owned()]))).unwrap();
}

#[test]
fn a_file_that_cannot_be_used_says_how() {
    let directory = tempfile::tempdir().unwrap();
    let open = |path: &Path| SqliteDriver::open(Sqlite::file(path)).map(|_| ()).unwrap_err();
    let error = open(&directory.path().join("absent/shop.db"));
    assert_eq!((error.kind(), error.status()), (ErrorKind::Storage, Status::Permanent));
    assert_eq!(open(directory.path()).kind(), ErrorKind::Storage);
    let other = directory.path().join("other.db");
    std::fs::write(&other, "this is a text file, and longer than the header of a database is: no one opens it by mistake").unwrap();
    let error = open(&other);
    assert_eq!((error.kind(), error.detail("path")), (ErrorKind::Corrupt, other.to_str()));
    // SQLite takes the first two for databases that are gone with their connection, and each connection for another one.
    for no_file in ["", ":memory:", "a\0b"] {
        assert_eq!(open(Path::new(no_file)).kind(), ErrorKind::InvalidSchema, "{no_file:?}");
    }
}

#[test]
fn damage_is_corrupt_and_a_full_disk_is_storage() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    let part = counters();
    {
        let driver = file(&path);
        now(driver.ensure(&part)).unwrap();
        now(driver.write(&part, rows(1, (0..5_000).map(|i| format!("id-{i:05}"))))).unwrap();
        driver.with_connection(|c| c.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))).unwrap();
        // A limit on pages stands in for a disk that is full: SQLite reports both the same way.
        driver.with_connection(|c| c.query_row("PRAGMA max_page_count = 1", [], |_| Ok(()))).unwrap();
        let error = now(driver.write(&part, rows(2, (0..5_000).map(|i| format!("more-{i:05}"))))).unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Storage, Status::Temporary));
        assert_eq!(ids(&driver, &part, SubQuery::default()).len(), 5_000);
    }
    let mut bytes = std::fs::read(&path).unwrap();
    let length = bytes.len();
    bytes[8_192..length].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let driver = file(&path);
    let mut stream = driver.open(part.clone(), Arc::new(SubQuery { columns: vec![0], ..SubQuery::default() })).unwrap();
    assert_eq!(now(stream.next_page()).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_stored_value_of_another_type_is_corrupt_and_names_its_field() {
    let (driver, part) = (memory(), part_of("odd", vec![column("when", LogicalType::Float, Placement::InlineColumn)]));
    now(driver.ensure(&part)).unwrap();
    driver.with_connection(|c| c.execute(&format!("INSERT INTO \"{}\" VALUES ('a', 1, 'text')", part.table), [])).unwrap();
    let error = now(driver.fetch_one(&part, &"a".into(), &[0])).unwrap_err();
    assert_eq!((error.kind(), error.field(), error.entity()), (ErrorKind::Corrupt, Some("when"), Some("odd")));
}

#[test]
fn a_part_evolves_by_new_fields_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.db");
    let base = column("title", LogicalType::TEXT, Placement::InlineColumn);
    let with = |more: Vec<Column>| part_of("shop", std::iter::once(base.clone()).chain(more).collect());
    let first = with(vec![]);
    let driver = file(&path);
    assert_eq!(now(driver.ensure(&first)).unwrap(), Ensured { created: true, ..Ensured::default() });
    assert_eq!(now(driver.ensure(&first)).unwrap(), Ensured::default());
    let title = Value::Text("old".into());
    let row = WriteBatch {
        mode: WriteMode::Insert,
        version: 1,
        ids: vec!["a".into()],
        columns: vec![0],
        values: vec![title.clone()],
        expected: vec![],
    };
    now(driver.write(&first, Arc::new(row))).unwrap();

    let grown = with(vec![
        column("note", LogicalType::TEXT, Placement::InlineColumn),
        Column { nullable: false, default: Some(|| Value::Float(-0.0)), ..column("price", LogicalType::Float, Placement::InlineColumn) },
        Column { default: Some(|| Value::Text("Brand new".into())), ..column("body", LogicalType::TEXT, Placement::InvertedIndex) },
        Column { default: Some(|| texts(&["x", "y"])), ..column("tags", TEXT_LIST, Placement::SideTable) },
    ]);
    // Another driver, which has the file open already, adds them.
    let other = file(&path);
    assert_eq!(now(other.ensure(&grown)).unwrap().added, ["note", "price", "body", "tags"]);
    let page = now(driver.fetch_one(&grown, &"a".into(), &[0, 1, 2, 3, 4])).unwrap();
    assert_eq!(page.values, [title, Value::Null, Value::Float(-0.0), Value::Text("Brand new".into()), texts(&["x", "y"])]);
    use crate::filter::{Condition, Test};
    let filtered = |field: &'static str, condition| {
        ids(&driver, &grown, SubQuery { filter: Test::new(field, condition).into(), ..SubQuery::default() })
    };
    assert_eq!(filtered("body", Condition::Matches("NEW".into())), ["a"]);
    assert_eq!(filtered("tags", Condition::Has(Value::Text("y".into()))), ["a"]);

    let refused = |part: Arc<Part>, field: &str| {
        let error = now(driver.ensure(&part)).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::SchemaMismatch, Some(field)), "{error}");
    };
    refused(first.clone(), "note");
    let change = |change: &dyn Fn(&mut Vec<Column>)| {
        let mut columns = grown.columns.clone();
        change(&mut columns);
        part_of("shop", columns)
    };
    refused(change(&|c| c[0].logical = LogicalType::Text { max: 10 }), "title");
    refused(change(&|c| c[0].nullable = false), "title");
    refused(change(&|c| c[3].placement = Placement::InlineColumn), "body");
    refused(change(&|c| c.push(Column { nullable: false, ..column("must", LogicalType::INT, Placement::InlineColumn) })), "must");
    let stranger = part_of("stranger", vec![base.clone()]);
    let stranger = Arc::new(Part { table: first.table.clone(), ..(*stranger).clone() });
    for result in [now(driver.ensure(&stranger)).map(drop), now(driver.drop_part(&stranger)).map(drop)] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::SchemaMismatch);
    }
    driver.with_connection(|c| c.execute_batch("CREATE TABLE \"test__mine\" (x)")).unwrap();
    assert_eq!(now(driver.ensure(&part_of("mine", vec![base.clone()]))).unwrap_err().kind(), ErrorKind::SchemaMismatch);
    assert!(now(driver.drop_part(&grown)).unwrap());
    assert_eq!(now(driver.ensure(&first)).unwrap(), Ensured { created: true, ..Ensured::default() });
}

#[test]
fn a_mapped_table_is_read_and_written_and_left_as_it_is() {
    let driver = memory();
    driver
        .with_connection(|c| {
            c.execute_batch(
                "CREATE TABLE people (name TEXT, id VARCHAR NOT NULL PRIMARY KEY, age INT); INSERT INTO people VALUES ('Ann', 'a', 30)",
            )
        })
        .unwrap();
    let schema: &'static EntitySchema = Box::leak(Box::new(EntitySchema {
        existing: Some(ExistingTable { key: "id", ..ExistingTable::at(&["people"]) }),
        ..EntitySchema::new("person", &[])
    }));
    let age = column("age", LogicalType::INT, Placement::InlineColumn);
    let part = Arc::new(Part { entity: schema, table: "people".into(), ..(*part_of("person", vec![age])).clone() });
    assert_eq!(now(driver.ensure(&part)).unwrap(), Ensured::default());
    assert_eq!(now(driver.fetch_one(&part, &"a".into(), &[0])).unwrap().values, [Value::Int(30)]);
    now(driver.write(&part, rows(7, ["a".to_owned(), "b".to_owned()]))).unwrap();
    let page = pages(&driver, &part, SubQuery { columns: vec![0], ..SubQuery::default() });
    assert_eq!((page.versions, page.values), (vec![0, 0], vec![Value::Int(7), Value::Int(7)]));
    assert!(!now(driver.drop_part(&part)).unwrap());
    let name: String = driver.with_reader(|c| c.query_row("SELECT name FROM people WHERE id = 'a'", [], |r| r.get(0))).unwrap();
    assert_eq!(name, "Ann");
    let lacking = Arc::new(Part { columns: vec![column("height", LogicalType::INT, Placement::InlineColumn)], ..(*part).clone() });
    assert_eq!(now(driver.ensure(&lacking)).unwrap_err().field(), Some("height"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_batch_leaves_the_callers_thread_and_is_written() {
    let (driver, part) = (memory(), counters());
    driver.ensure(&part).await.unwrap();
    let batch = rows(1, (0..2_000).map(|i| format!("id-{i:05}")));
    let reply = driver.write(&part, batch);
    assert!(matches!(reply, Reply::Later(_)));
    assert_eq!(reply.await.unwrap(), WriteReport::default());
    let page = pages(&driver, &part, SubQuery { page_rows: 100, ..SubQuery::default() });
    assert_eq!((page.len(), page.ids.is_sorted()), (2_000, true));
}

#[test]
fn a_transaction_left_open_by_native_code_is_rolled_back_and_told() {
    let (driver, part) = (memory(), counters());
    now(driver.ensure(&part)).unwrap();
    let left = driver.with_connection(|c| c.execute_batch(&format!("BEGIN; INSERT INTO \"{}\" VALUES ('x', 1, 1)", part.table)));
    assert_eq!(left.unwrap_err().kind(), ErrorKind::InvalidQuery);
    now(driver.write(&part, rows(1, ["a".to_owned(), "b".to_owned()]))).unwrap();
    assert_eq!(ids(&driver, &part, SubQuery::default()), ["a", "b"]);
}

#[test]
fn a_reader_of_a_file_only_reads() {
    let directory = tempfile::tempdir().unwrap();
    let (driver, part) = (file(&directory.path().join("shop.db")), counters());
    now(driver.ensure(&part)).unwrap();
    now(driver.write(&part, rows(1, ["a".to_owned()]))).unwrap();
    let refused = driver.with_reader(|c| c.execute_batch(&format!("DELETE FROM \"{}\"", part.table)));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Storage);
    assert_eq!(ids(&driver, &part, SubQuery::default()), ["a"]);
}
