use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use heavenbase::driver::{WriteBatch, WriteMode};
use heavenbase::types::{Id, Value};

use crate::common::{ITEM, KINDS, Store, item};

const CHILD: &str = "HEAVENBASE_TEST_FILES_CHILD";
const ROWS: i64 = 40;

/// What a child process does: rows of its own, and a counter that all share, read and written back under its version.
async fn work(kind: &'static str, directory: &Path, name: &str) {
    let store = Store::open(kind, directory, &ITEM).await;
    for n in 0..ROWS {
        store.upsert(1, vec![item(&format!("{name}-{n}"), n)]).await;
        loop {
            let (version, values) = store.get("counter").await.unwrap().unwrap();
            let Value::Int(count) = values[1] else { panic!() };
            let batch = WriteBatch {
                mode: WriteMode::Patch,
                version: version + 1,
                ids: vec![Id::from("counter")],
                columns: vec![1],
                values: vec![Value::Int(count + 1)],
                expected: vec![version],
            };
            if store.driver.write(&store.part, Arc::new(batch)).await.unwrap().stale.is_empty() {
                break;
            }
        }
    }
}

/// Not a test of its own: what the test below starts as another process.
#[tokio::test]
async fn child() {
    let Ok(task) = std::env::var(CHILD) else { return };
    if let Some(task) = task.strip_prefix("batches|") {
        return write_batches(task).await;
    }
    let mut words = task.split('|');
    let (kind, directory, name) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    let kind = KINDS.into_iter().find(|k| *k == kind).unwrap();
    work(kind, Path::new(directory), name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_and_two_workspaces_lose_nothing() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(kind, directory.path(), &ITEM).await;
        store.upsert(1, vec![item("counter", 0)]).await;
        let start = |name: &str| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "processes::child", "--nocapture"])
                .env(CHILD, format!("{kind}|{}|{name}", directory.path().display()))
                .spawn()
                .unwrap()
        };
        let children = [start("p"), start("q")];
        // And two workspaces in this process beside them.
        let here = directory.path().to_owned();
        let other = tokio::spawn(async move { work(kind, &here, "r").await });
        work(kind, directory.path(), "s").await;
        other.await.unwrap();
        for mut child in children {
            assert!(child.wait().unwrap().success(), "{kind}");
        }
        // The store that was opened first sees all of it, without being told.
        for store in [store, Store::open(kind, directory.path(), &ITEM).await] {
            assert_eq!(store.everything().await.len() as i64, 1 + 4 * ROWS, "{kind}");
            assert_eq!(store.get("counter").await.unwrap().unwrap().1[1], Value::Int(4 * ROWS), "{kind}");
            for name in ["p", "q", "r", "s"] {
                for n in 0..ROWS {
                    assert!(store.get(&format!("{name}-{n}")).await.unwrap().is_some());
                }
            }
        }
    }
}

#[tokio::test]
async fn a_read_sees_the_commit_of_another_workspace() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let one = Store::open(kind, directory.path(), &ITEM).await;
        let two = Store::open(kind, directory.path(), &ITEM).await;
        for n in 0..30 {
            one.upsert(n + 1, vec![item("a", n)]).await;
            assert_eq!(two.get("a").await.unwrap().unwrap().1[1], Value::Int(n), "{kind}");
        }
        one.write(WriteMode::Delete, 40, vec![item("a", 0)]).await.unwrap();
        assert!(two.get("a").await.unwrap().is_none());
        one.driver.drop_part(&one.part).await.unwrap();
        assert_eq!(two.get("a").await.unwrap_err().kind(), heavenbase::ErrorKind::NotRegistered);
        // Made anew with as many commits as before, it is another part.
        one.driver.ensure(&one.part).await.unwrap();
        for n in 0..31 {
            one.upsert(n + 1, vec![item("b", n)]).await;
        }
        assert_eq!(two.everything().await.ids, [Id::from("b")], "{kind}");
        two.upsert(100, vec![item("c", 1)]).await;
        assert_eq!(one.everything().await.ids, ["b", "c"].map(Id::from), "{kind}");
    }
}

/// Writes batches of twenty rows that all hold the same number, until it is killed. Says when the first is written.
#[allow(clippy::print_stdout)]
async fn write_batches(task: &str) {
    let (kind, directory) = task.split_once('|').unwrap();
    let kind = KINDS.into_iter().find(|k| *k == kind).unwrap();
    let store = Store::open(kind, Path::new(directory), &ITEM).await;
    let first = store.get("00").await.unwrap().map_or(1, |(version, _)| version + 1);
    for n in first.. {
        store.upsert(n, (0..20).map(|row| item(&format!("{row:02}"), n)).collect()).await;
        if n == first {
            println!("begins");
        }
    }
}

#[tokio::test]
async fn a_killed_writer_leaves_a_batch_whole_or_absent() {
    use std::io::{BufRead, BufReader};
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let mut last = 0;
        for round in 0..12u64 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "processes::child", "--nocapture"])
                .env(CHILD, format!("batches|{kind}|{}", directory.path().display()))
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            assert!(lines.map_while(Result::ok).any(|line| line.contains("begins")));
            std::thread::sleep(std::time::Duration::from_micros(20_000 + round * 7_300));
            child.kill().unwrap();
            child.wait().unwrap();
            let store = Store::open(kind, directory.path(), &ITEM).await;
            let page = store.everything().await;
            assert_eq!(page.len(), 20, "{kind}");
            let number = page.versions[0];
            assert!(page.versions.iter().all(|version| *version == number), "{kind}: {:?}", page.versions);
            assert!((0..20).all(|row| page.row(row)[1] == Value::Int(number)), "{kind}");
            assert!(number >= last, "{kind}: {number} after {last}");
            last = number;
        }
        assert!(last >= 12, "{kind}: the writers got nothing done");
    }
}

/// A lock file that has grown long is begun anew. Whoever knows the old one sees that, also when the new one has become
/// longer than the old one was.
#[tokio::test]
async fn a_lock_file_stays_short_and_nobody_misses_a_commit() {
    for kind in KINDS {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (Store::open(kind, directory.path(), &ITEM).await, Store::open(kind, directory.path(), &ITEM).await);
        one.upsert(1, vec![item("a", 1), item("b", 1)]).await;
        assert_eq!(other.get("a").await.unwrap().unwrap().0, 1);
        let lock = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path().join("lock"))
            .find(|path| path.exists())
            .unwrap();
        // As many commits would have left it.
        let notes = "\nx/\n".repeat((1 << 20) / 4);
        std::io::Write::write_all(&mut std::fs::OpenOptions::new().append(true).open(&lock).unwrap(), notes.as_bytes()).unwrap();
        assert_eq!(other.get("b").await.unwrap().unwrap().0, 1);
        one.upsert(2, vec![item("a", 2)]).await;
        let length = std::fs::metadata(&lock).unwrap().len();
        assert!(length < 1000, "{kind}: {length} bytes of notes are left");
        // Longer than what `other` has read of the old one.
        std::io::Write::write_all(&mut std::fs::OpenOptions::new().append(true).open(&lock).unwrap(), notes.as_bytes()).unwrap();
        std::io::Write::write_all(&mut std::fs::OpenOptions::new().append(true).open(&lock).unwrap(), b"\nx/\n").unwrap();
        assert_eq!(other.get("a").await.unwrap().unwrap().0, 2, "{kind}: a commit was missed");
        other.upsert(3, vec![item("b", 3)]).await;
        assert_eq!(one.get("b").await.unwrap().unwrap().0, 3, "{kind}: a commit was missed");
    }
}
