use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use heavenbase::backends::Lance;
use heavenbase::driver::{SubQuery, WriteBatch, WriteMode};
use heavenbase::types::{Id, Metric, Value};

use crate::common::{Outcome, Store, number, vector};

const CHILD: &str = "HEAVENBASE_TEST_LANCE_CHILD";
const ROWS: i64 = 12;

async fn open(directory: &Path) -> Outcome<Store> {
    // Versions go as soon as they are written over: nobody may need them.
    let backend = Lance::dir(directory).keep_versions(std::time::Duration::ZERO).index_from(20);
    Store::open(backend, &[number("n"), vector("v", 4, Metric::L2)], &[]).await
}

fn row(id: &str, n: i64) -> (Id, Vec<Value>) {
    (Id::from(id), vec![Value::Int(n), Value::Vector([n as f32, 1.0, 2.0, 3.0].into())])
}

async fn counter(store: &Store) -> heavenbase::Result<(i64, i64)> {
    let page = store.driver.fetch(&store.part, &[Id::from("counter")], &[0]).await?;
    let Value::Int(count) = page.row(0)[0] else { panic!("{page:?}") };
    Ok((page.versions[0], count))
}

/// Rows of its own, and a counter that all share, read and written back under its version.
async fn work(directory: &Path, name: &str) -> Outcome {
    let store = open(directory).await?;
    for n in 0..ROWS {
        store.upsert(1, vec![row(&format!("{name}-{n}"), n)]).await?;
        loop {
            let (version, count) = counter(&store).await?;
            let batch = WriteBatch {
                mode: WriteMode::Patch,
                version: version + 1,
                ids: vec![Id::from("counter")],
                columns: vec![0],
                values: vec![Value::Int(count + 1)],
                expected: vec![version],
            };
            if store.driver.write(&store.part, Arc::new(batch)).await?.stale.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

/// Not a test of its own: what the test below starts as another process.
#[tokio::test(flavor = "multi_thread")]
async fn child() -> Outcome {
    let Ok(task) = std::env::var(CHILD) else { return Ok(()) };
    let (directory, name) = task.split_once('|').ok_or("a task without a name")?;
    work(Path::new(directory), name).await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_and_two_workspaces_lose_nothing() -> Outcome {
    let directory = tempfile::tempdir()?;
    let store = open(directory.path()).await?;
    store.upsert(1, vec![row("counter", 0)]).await?;
    let start = |name: &str| {
        let task = format!("{}|{name}", directory.path().display());
        Command::new(std::env::current_exe()?).args(["--exact", "processes::child", "--nocapture"]).env(CHILD, task).spawn()
    };
    let children = [start("p")?, start("q")?];
    let here = directory.path().to_owned();
    let other = tokio::spawn(async move { work(&here, "r").await.map_err(|e| e.to_string()) });
    work(directory.path(), "s").await?;
    other.await??;
    for mut child in children {
        assert!(child.wait()?.success());
    }
    // The store that was opened first sees all of it, without being told.
    for store in [store, open(directory.path()).await?] {
        let all = store.select(SubQuery { columns: vec![0, 1], ..SubQuery::default() }).await?;
        assert_eq!(all.len() as i64, 1 + 4 * ROWS);
        assert_eq!(counter(&store).await?.1, 4 * ROWS);
    }
    Ok(())
}

/// A dataset that another workspace drops and makes anew is read anew, not from what was remembered.
#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_dropped_elsewhere_is_not_remembered() -> Outcome {
    let directory = tempfile::tempdir()?;
    let (one, two) = (open(directory.path()).await?, open(directory.path()).await?);
    one.upsert(1, (0..5).map(|n| row(&format!("a{n}"), n)).collect()).await?;
    assert_eq!(two.select(SubQuery::default()).await?.len(), 5);
    assert!(one.driver.drop_part(&one.part).await?);
    let error = two.select(SubQuery { columns: vec![0], ..SubQuery::default() }).await.err().ok_or("a dropped dataset answers")?;
    assert_eq!(error.kind(), heavenbase::ErrorKind::SchemaMismatch, "{error:?}");
    one.driver.ensure(&one.part).await?;
    one.upsert(1, vec![row("b", 7)]).await?;
    assert_eq!(two.select(SubQuery { columns: vec![0], ..SubQuery::default() }).await?.ids, [Id::from("b")]);
    Ok(())
}
