use std::time::Duration;

use heavenbase::ErrorKind;
use heavenbase::backends::Lance;
use heavenbase::driver::SubQuery;
use heavenbase::schema::Index;
use heavenbase::types::{Id, Metric, Value};
use heavenbase_tests::random::Random;

use crate::common::{Outcome, Store, files, number, random_vector, vector};

fn row(n: i64, vector: Value) -> (Id, Vec<Value>) {
    (Id::from(format!("r{:04}", n % 40)), vec![Value::Int(n), vector])
}

/// Hundreds of small writes leave few files and versions, and every row as it was written last.
#[tokio::test(flavor = "multi_thread")]
async fn small_writes_are_merged_and_old_versions_go() -> Outcome {
    let directory = tempfile::tempdir()?;
    let backend = Lance::dir(directory.path()).keep_versions(Duration::ZERO);
    let store = Store::open(backend, &[number("n"), vector("v", 4, Metric::L2)], &[]).await?;
    let mut random = Random::new(1);
    let start = std::time::Instant::now();
    for n in 0..200 {
        store.upsert(n + 1, vec![row(n, Value::Vector(random_vector(&mut random, 4)))]).await?;
    }
    eprintln!("200 writes of one row in {:?}", start.elapsed());
    store.lance().maintain(&store.part).await?;
    let (data, versions) = (files(directory.path(), "data"), files(directory.path(), "_versions"));
    assert!(data < 60 && versions < 30, "{data} files, {versions} versions after 200 writes");
    let all = store.select(SubQuery { columns: vec![0], ..SubQuery::default() }).await?;
    assert_eq!(all.len(), 40);
    assert!((0..40).all(|n| all.row(n) == [Value::Int(160 + n as i64)]), "{all:?}");
    Ok(())
}

/// An index that Lance does not have is refused by name before anything is made.
#[tokio::test]
async fn unknown_indexes_are_refused() -> Outcome {
    let refused = [
        (Index { method: "annoy", parameters: &[] }, "annoy"),
        (Index { method: "ivf_pq", parameters: &[("lists", 3)] }, "lists"),
        (Index { method: "ivf_pq", parameters: &[("sub_vectors", 3)] }, "sub_vectors"),
        (Index { method: "hnsw", parameters: &[("m", 0)] }, "m"),
    ];
    for (index, named) in refused {
        let directory = tempfile::tempdir()?;
        let answer = Store::open(Lance::dir(directory.path()), &[vector("v", 4, Metric::L2)], &[("v", index)]).await;
        let Err(error) = answer else { panic!("{index:?} is taken") };
        let error = error.downcast::<heavenbase::Error>()?;
        assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{error}");
        assert!(error.to_string().contains(named) && error.field() == Some("v"), "{error}");
        assert_eq!(std::fs::read_dir(directory.path())?.count(), 0, "something was made for {index:?}");
    }
    Ok(())
}

/// A read whose version another driver cleans away goes on with the newest one after the last row that it gave: every row comes
/// once. Whatever Lance makes of files that are gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_goes_on_when_its_version_is_cleaned_away() -> Outcome {
    const ROWS: i64 = 3_000;
    let directory = tempfile::tempdir()?;
    let specs = [number("n"), vector("v", 16, Metric::L2)];
    let reader = Store::open(Lance::dir(directory.path()).upkeep(false), &specs, &[]).await?;
    let mut random = Random::new(4);
    let mut rows = |add: i64| -> Vec<(Id, Vec<Value>)> {
        (0..ROWS)
            .map(|n| (Id::from(format!("r{n:05}")), vec![Value::Int(n + add), Value::Vector(random_vector(&mut random, 16))]))
            .collect()
    };
    reader.upsert(1, rows(0)).await?;
    let query = SubQuery { columns: vec![0, 1], page_rows: 64, ..SubQuery::default() };
    let mut stream = reader.driver.open(reader.part.clone(), std::sync::Arc::new(query))?;
    let mut seen: Vec<(Id, Value)> = Vec::new();
    let mut take = |page: heavenbase::driver::Page| {
        (0..page.len()).for_each(|at| seen.push((page.ids[at].clone(), page.row(at)[0].clone())));
    };
    take(stream.next_page().await?.ok_or("no page")?);
    let other = Store::open(Lance::dir(directory.path()).keep_versions(Duration::ZERO), &specs, &[]).await?;
    other.upsert(2, rows(10_000)).await?;
    other.lance().maintain(&other.part).await?;
    let cleaned = files(directory.path(), "_versions");
    while let Some(page) = stream.next_page().await? {
        take(page);
    }
    let expected: Vec<Id> = (0..ROWS).map(|n| Id::from(format!("r{n:05}"))).collect();
    assert!(seen.iter().map(|row| &row.0).eq(expected.iter()), "{} rows, or other ones", seen.len());
    let newer = seen.iter().filter(|(_, n)| matches!(n, Value::Int(n) if *n >= 10_000)).count();
    eprintln!("{cleaned} versions left; {newer} of {ROWS} rows from the newer one");
    // And so do the short ways: by id, a search, from a driver that remembers the version that is gone.
    assert_eq!(reader.near(1, &[0.1; 16], Metric::L2, 5, true, heavenbase::filter::Filter::all()).await?.len(), 5);
    Ok(())
}
