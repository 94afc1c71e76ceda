//! What is Pinecone's own, on a peer that speaks its interface: writes that are readable later, limits, zero vectors, long
//! ids; and that Pinecone's own client for Python takes the peer for Pinecone.
#![cfg(feature = "pinecone")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use heavenbase::backends::pinecone::Freshness;
use heavenbase::backends::{Connect, Pinecone};
use heavenbase::capability::Placement;
use heavenbase::driver::{NearQuery, SubQuery, WriteBatch, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::Index;
use heavenbase::types::{Id, LogicalType, Metric, Value};
use heavenbase::{ErrorKind, Status};
use heavenbase_tests::data::Spec;
use heavenbase_tests::peer::{Act, Answer, How, Request};
use heavenbase_tests::pinecone::{Manner, Peer};
use heavenbase_tests::random::Random;
use heavenbase_tests::store::{Store, collect, lay_out, namespace, number, random_vector, upsert, vector};
use serde_json::{Value as Json, json};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn config(peer: &Peer) -> Pinecone {
    Pinecone::api_key("hunter2").control_plane(peer.url.clone()).prefix("test")
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_thousand_rows_come_back_as_thirty_thousand() -> Outcome {
    const ROWS: usize = 30_000;
    let peer = Peer::start(Manner::default())?;
    let driver = config(&peer).connect().await?;
    let part = Arc::new(lay_out(&driver, "pinecone", &namespace(), &[number("number"), vector("near", 4, Metric::L2)])?);
    driver.ensure(&part).await?;
    let mut random = Random::new(7);
    let mut rows: Vec<(Id, Vec<Value>)> = (0..ROWS)
        .map(|n| (Id::from(format!("row {n}")), vec![Value::Int(n as i64), Value::Vector(random_vector(&mut random, 4))]))
        .collect();
    random.shuffle(&mut rows);
    for chunk in rows.chunks(driver.description().max_batch) {
        driver.write(&part, upsert(1, chunk.to_vec(), 2)).await?;
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let found = collect(&driver, &part, SubQuery { columns: vec![0, 1], ..SubQuery::default() }).await?;
    assert!(found.ids.iter().eq(rows.iter().map(|row| &row.0)), "{} rows, or out of order", found.len());
    assert!((0..ROWS).all(|i| found.row(i) == rows[i].1), "values differ");
    // More hits than an answer may hold, with what stands beside them.
    let below: Filter = Test::new("number", Condition::Lt(Value::Int(20_000))).into();
    let near = NearQuery { column: 1, vector: [0.1; 4].into(), metric: Metric::L2, k: 10_000, exact: false };
    let found = collect(&driver, &part, SubQuery { filter: below, columns: vec![0, 1], near: Some(near), ..SubQuery::default() }).await?;
    assert_eq!(found.len(), 10_000);
    assert!(found.values.iter().step_by(2).all(|value| matches!(value, Value::Int(n) if *n < 20_000)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_this_connections_writes_and_no_longer_than_it_may() -> Outcome {
    for log_headers in [true, false] {
        let peer = Peer::start(Manner { delay: Duration::from_millis(300), log_headers })?;
        let driver = config(&peer).connect().await?;
        let part = Arc::new(lay_out(&driver, "pinecone", &namespace(), &[number("number"), vector("near", 2, Metric::Dot)])?);
        driver.ensure(&part).await?;
        let row = |n: i64| (Id::from("a"), vec![Value::Int(n), Value::Vector([1.0, 0.0].into())]);
        for round in 1..4 {
            driver.write(&part, upsert(round, vec![row(round)], 2)).await?;
            let found = collect(&driver, &part, SubQuery { columns: vec![0], ..SubQuery::default() }).await?;
            assert_eq!(found.values, [Value::Int(round)], "headers {log_headers}");
        }
        // The guard by version sees them too, though nobody read in between.
        driver.write(&part, upsert(9, vec![row(9)], 2)).await?;
        let report = driver.write(&part, upsert(8, vec![row(8)], 2)).await?;
        assert_eq!(report.stale, [(0, 9)], "headers {log_headers}");

        let eventual = config(&peer).freshness(Freshness::Eventual).connect().await?;
        eventual.write(&part, upsert(10, vec![row(10)], 2)).await?;
        let found = collect(&eventual, &part, SubQuery { columns: vec![0], ..SubQuery::default() }).await?;
        assert_eq!(found.values, [Value::Int(9)], "an eventual read waits");
        eventual.refresh(&part).await?;
        let found = collect(&eventual, &part, SubQuery { columns: vec![0], ..SubQuery::default() }).await?;
        assert_eq!(found.values, [Value::Int(10)], "refresh does not wait");
    }
    let peer = Peer::start(Manner { delay: Duration::from_millis(400), ..Manner::default() })?;
    let hasty = config(&peer).patience(Duration::from_millis(2_000)).connect().await?;
    let part = Arc::new(lay_out(&hasty, "pinecone", &namespace(), &[number("number")])?);
    hasty.ensure(&part).await?;
    let hasty = config(&peer).patience(Duration::from_millis(60)).connect().await?;
    hasty.write(&part, upsert(1, vec![("a".into(), vec![Value::Int(1)])], 1)).await?;
    let start = Instant::now();
    let error = collect(&hasty, &part, SubQuery::default()).await.err().ok_or("no error")?;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Timeout, Status::Temporary), "{error:?}");
    assert!(start.elapsed() < Duration::from_millis(350), "{:?}", start.elapsed());
    Ok(())
}

/// A write that failed without an answer may have taken place: reads look for it a moment, and take what is there then.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_nobody_knows_of_is_looked_for_and_no_longer_than_said() -> Outcome {
    const DELAY: Duration = Duration::from_millis(250);
    const DOUBT: Duration = Duration::from_millis(700);
    let slack = Duration::from_millis(400);
    for log_headers in [true, false] {
        let peer = Peer::start(Manner { delay: DELAY, log_headers })?;
        let driver = config(&peer).doubt(DOUBT).connect().await?;
        let part = Arc::new(lay_out(&driver, "pinecone", &namespace(), &[number("number"), vector("near", 2, Metric::Dot)])?);
        driver.ensure(&part).await?;
        let row = |n: i64| vec![(Id::from("a"), vec![Value::Int(n), Value::Vector([1.0, 0.0].into())])];
        let read = || collect(&driver, &part, SubQuery { columns: vec![0], ..SubQuery::default() });
        let gone = || WriteBatch {
            mode: WriteMode::Delete,
            version: 9,
            ids: vec!["a".into()],
            columns: Vec::new(),
            values: Vec::new(),
            expected: Vec::new(),
        };
        let fails = |act: Act| {
            peer.trouble().is(move |request| {
                if request.method == "POST" && request.path().starts_with("/vectors/") && !request.path().ends_with("_metadata") {
                    act.clone()
                } else {
                    Act::Pass
                }
            })
        };
        // It took place: it is found once it is readable, by reads, and by the guard of a write.
        driver.write(&part, upsert(1, row(1), 2)).await?;
        fails(Act::Lose);
        let error = driver.write(&part, upsert(2, row(2), 2)).await.err().ok_or("written")?;
        assert_eq!(error.status(), Status::Unknown, "{error:?}");
        peer.trouble().is_over();
        assert_eq!(read().await?.values, [Value::Int(2)], "headers {log_headers}");
        fails(Act::Lose);
        assert!(driver.write(&part, upsert(4, row(4), 2)).await.is_err());
        peer.trouble().is_over();
        let report = driver.write(&part, upsert(3, row(3), 2)).await?;
        assert_eq!(report.stale, [(0, 4)], "headers {log_headers}");
        // It did not: rows are read as they are, after the doubt and at once from then on.
        for (what, answer) in [("closed", Answer::none()), ("failed", Answer::of(500, "")), ("a page", Answer::of(200, "<html>"))] {
            fails(Act::Answer(answer));
            let error = driver.write(&part, upsert(5, row(5), 2)).await.err().ok_or("written")?;
            assert_eq!(error.status(), Status::Unknown, "{what}: {error:?}");
            peer.trouble().is_over();
            // What is known to be written is readable, so `refresh` has nothing to wait for.
            let start = Instant::now();
            driver.refresh(&part).await?;
            assert!(start.elapsed() < DOUBT / 2, "{what}: refresh waits, {:?}", start.elapsed());
            assert_eq!(read().await?.values, [Value::Int(4)], "{what}");
            assert!(start.elapsed() < DOUBT + slack, "{what}: {:?}", start.elapsed());
            let start = Instant::now();
            assert_eq!(read().await?.values, [Value::Int(4)], "{what}");
            assert!(start.elapsed() < DOUBT / 2, "{what}: the second read waits, {:?}", start.elapsed());
        }
        // A delete is one, too.
        fails(Act::Lose);
        assert!(driver.write(&part, Arc::new(gone())).await.is_err());
        peer.trouble().is_over();
        assert!(read().await?.is_empty(), "headers {log_headers}: the deleted row is read");
        // A confirmed write ends the doubt, and is waited for as ever.
        fails(Act::Answer(Answer::none()));
        assert!(driver.write(&part, upsert(10, row(10), 2)).await.is_err());
        peer.trouble().is_over();
        driver.write(&part, upsert(11, row(11), 2)).await?;
        assert_eq!(read().await?.values, [Value::Int(11)], "headers {log_headers}");
        // Dropping waits for no doubt.
        fails(Act::Answer(Answer::none()));
        assert!(driver.write(&part, upsert(12, row(12), 2)).await.is_err());
        peer.trouble().is_over();
        let start = Instant::now();
        assert!(driver.drop_part(&part).await?);
        assert!(start.elapsed() < DOUBT + DELAY + slack, "{:?}", start.elapsed());
    }
    Ok(())
}

/// Another writer's later version shows that ours came, where the service gives no numbers.
#[tokio::test(flavor = "multi_thread")]
async fn another_writers_later_version_is_enough() -> Outcome {
    let peer = Peer::start(Manner { delay: Duration::from_millis(50), log_headers: false })?;
    let patient = || config(&peer).patience(Duration::from_secs(3));
    let (one, other) = (patient().connect().await?, patient().connect().await?);
    let part = Arc::new(lay_out(&one, "pinecone", &namespace(), &[number("number")])?);
    one.ensure(&part).await?;
    let row = |n: i64| vec![(Id::from("a"), vec![Value::Int(n)])];
    one.write(&part, upsert(9, row(9), 1)).await?;
    tokio::time::sleep(Duration::from_millis(100)).await;
    other.write(&part, upsert(10, row(10), 1)).await?;
    other.refresh(&part).await?;
    let found = collect(&one, &part, SubQuery { columns: vec![0], ..SubQuery::default() }).await?;
    assert_eq!(found.values, [Value::Int(10)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_are_ours_zero_vectors_and_long_ids_are_kept() -> Outcome {
    let peer = Peer::start(Manner::default())?;
    let driver = config(&peer).connect().await?;
    let specs = [vector("l2", 3, Metric::L2), vector("dot", 3, Metric::Dot), vector("cosine", 3, Metric::Cosine)];
    let part = Arc::new(lay_out(&driver, "pinecone", &namespace(), &specs)?);
    driver.ensure(&part).await?;
    let mut random = Random::new(3);
    let mut rows: Vec<(Id, Vec<Value>)> = (0..40)
        .map(|n| {
            let mut place = || Value::Vector(random_vector(&mut random, 3));
            (Id::from(format!("{n} \u{e9}%#&+/{}", "\u{1f600}".repeat(n))), vec![place(), place(), place()])
        })
        .collect();
    rows[3].1[0] = Value::Vector([0.0; 3].into());
    rows[4].1[1] = Value::Vector([0.0; 3].into());
    rows[5].1[2] = Value::Null;
    driver.write(&part, upsert(1, rows.clone(), 3)).await?;
    for (id, values) in &rows {
        let page = driver.fetch_one(&part, id, &[0, 1, 2]).await?;
        assert_eq!(page.row(0), values.as_slice(), "{id:?}");
    }
    for (column, metric) in [(0, Metric::L2), (1, Metric::Dot), (2, Metric::Cosine)] {
        for target in [random_vector(&mut random, 3), [0.0, 0.0, 0.0].into()] {
            if metric == Metric::Cosine && target.iter().all(|n| *n == 0.0) {
                continue;
            }
            for k in [5, 1_000] {
                let near = NearQuery { column, vector: target.clone(), metric, k, exact: false };
                let found = collect(&driver, &part, SubQuery { columns: vec![column], near: Some(near), ..SubQuery::default() }).await?;
                let there = rows.iter().filter(|row| !row.1[column].is_null()).count();
                assert_eq!(found.len(), there.min(k), "{metric}");
                for (at, value) in found.values.iter().enumerate() {
                    let own = metric.score(&target, value.as_vector().ok_or("no vector")?);
                    assert!((own - found.scores[at]).abs() < 1e-5, "{metric}: {own} is told as {}", found.scores[at]);
                }
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_pinecone_cannot_keep_is_refused_before_anything_is_written() -> Outcome {
    let peer = Peer::start(Manner::default())?;
    let driver = config(&peer).connect().await?;
    let text = Spec::new("text", LogicalType::Text { max: 100_000 }, Placement::InlineColumn);
    let part = Arc::new(lay_out(&driver, "pinecone", &namespace(), &[text.clone(), vector("near", 2, Metric::L2)])?);
    driver.ensure(&part).await?;
    let row = |id: &str, length: usize| (Id::from(id), vec![Value::Text("x".repeat(length)), Value::Null]);
    let error = driver.write(&part, upsert(1, vec![row("short", 10), row("long", 50_000)], 2)).await.err().ok_or("no error")?;
    assert_eq!((error.kind(), error.detail("id")), (ErrorKind::LimitExceeded, Some("long")), "{error:?}");
    assert!(error.message().contains("40000"), "{error}");
    assert!(collect(&driver, &part, SubQuery::default()).await?.is_empty(), "some of the batch was written");
    // Batches are cut by bytes: 1,000 rows of 30 KB are 15 writes and more.
    let rows = (0..300).map(|n| row(&format!("{n}"), 30_000)).collect();
    driver.write(&part, upsert(1, rows, 2)).await?;
    assert_eq!(collect(&driver, &part, SubQuery::default()).await?.len(), 300);

    let near = NearQuery { column: 1, vector: [1.0, 0.0].into(), metric: Metric::L2, k: 10_001, exact: false };
    let error = collect(&driver, &part, SubQuery { near: Some(near), ..SubQuery::default() }).await.err().ok_or("no error")?;
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    let unique = Arc::new(lay_out(&driver, "pinecone", &namespace(), &[text.clone().unique()])?);
    assert_eq!(driver.ensure(&unique).await.err().ok_or("no error")?.kind(), ErrorKind::InvalidSchema);
    let mut indexed = lay_out(&driver, "pinecone", &namespace(), &[vector("near", 2, Metric::L2)])?;
    indexed.columns[0].index = Some(Index { method: "hnsw", parameters: &[] });
    let error = driver.ensure(&Arc::new(indexed)).await.err().ok_or("no error")?;
    assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidSchema, Some("near")));
    for prefix in ["", "Big", "a_b", "much-too-long-for-a-prefix", "-a"] {
        let error = config(&peer).prefix(prefix).connect().await.err().ok_or("no error")?;
        assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{prefix}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn times_without_end_are_no_panic() -> Outcome {
    let peer = Peer::start(Manner { log_headers: false, ..Manner::default() })?;
    let driver = config(&peer).timeout(Duration::MAX).patience(Duration::MAX).doubt(Duration::MAX).connect().await?;
    let part = Arc::new(lay_out(&driver, "pinecone", &namespace(), &[number("number")])?);
    driver.ensure(&part).await?;
    let row = |n: i64| vec![(Id::from("a"), vec![Value::Int(n)])];
    driver.write(&part, upsert(1, row(1), 1)).await?;
    // A write that took place, and of which nobody says so: it is looked for.
    peer.trouble().is(|request| if request.path().ends_with("/upsert") { Act::Lose } else { Act::Pass });
    let error = driver.write(&part, upsert(2, row(2), 1)).await.err().ok_or("written")?;
    assert_eq!(error.status(), Status::Unknown, "{error:?}");
    peer.trouble().is_over();
    let found = collect(&driver, &part, SubQuery { columns: vec![0], ..SubQuery::default() }).await?;
    assert_eq!(found.values, [Value::Int(2)]);
    assert!(driver.drop_part(&part).await?);
    Ok(())
}

/// An index that is deleted and made again lies elsewhere: its old host knows nothing of it, or is not there any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_was_made_again_elsewhere_is_found_there() -> Outcome {
    for answers in [true, false] {
        for registered in [true, false] {
            let said = format!("the old host answers: {answers}, registered again: {registered}");
            let peer = Peer::start(Manner::default())?;
            let connect = || config(&peer).retries(1).patience(Duration::from_secs(3)).connect();
            let (driver, other) = (connect().await?, connect().await?);
            let part = Arc::new(lay_out(&driver, "pinecone", &namespace(), &[number("number"), vector("near", 2, Metric::Dot)])?);
            driver.ensure(&part).await?;
            let row = |id: &str, n: i64| (Id::from(id), vec![Value::Int(n), Value::Vector([1.0, 0.0].into())]);
            // The old index's log is longer than the new one's will be.
            for n in 1..9 {
                driver.write(&part, upsert(n, vec![row("a", n)], 2)).await?;
            }
            let old: Vec<String> = peer.indexes().iter().filter_map(|index| peer.delete(index)).collect();
            assert_eq!(old.len(), 2, "{said}");
            if !answers {
                peer.trouble().is(move |request| match request.header("host") {
                    Some(host) if old.iter().any(|old| old == host) => Act::Answer(Answer::none()),
                    _ => Act::Pass,
                });
            }
            other.ensure(&part).await?;
            other.write(&part, upsert(20, vec![row("b", 20)], 2)).await?;
            other.refresh(&part).await?;
            if registered {
                driver.ensure(&part).await?;
            } else if !answers {
                // Nobody answers where it was: that is all there is to know, and it is looked for by what comes next.
                let error = collect(&driver, &part, SubQuery::default()).await.err().ok_or("an answer")?;
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            }
            let found = collect(&driver, &part, SubQuery { columns: vec![0], ..SubQuery::default() }).await?;
            assert_eq!((found.ids, found.values), (vec!["b".into()], vec![Value::Int(20)]), "{said}");
            driver.write(&part, upsert(21, vec![row("c", 21)], 2)).await?;
            let near = NearQuery { column: 1, vector: [1.0, 0.0].into(), metric: Metric::Dot, k: 5, exact: false };
            let found = collect(&driver, &part, SubQuery { near: Some(near), ..SubQuery::default() }).await?;
            assert_eq!(found.ids, ["b", "c"].map(Id::from), "{said}");
            assert!(driver.drop_part(&part).await?, "{said}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_gone_is_said_to_be_and_not_taken_for_empty() -> Outcome {
    let peer = Peer::start(Manner::default())?;
    let driver = config(&peer).connect().await?;
    let part = Arc::new(lay_out(&driver, "pinecone", &namespace(), &[number("number"), vector("near", 2, Metric::Dot)])?);
    driver.ensure(&part).await?;
    driver.write(&part, upsert(1, vec![("a".into(), vec![Value::Int(1), Value::Null])], 2)).await?;
    driver.refresh(&part).await?;
    peer.delete("test-2-dotproduct").ok_or("no such index")?;
    let read = || collect(&driver, &part, SubQuery { columns: vec![0], ..SubQuery::default() });
    assert_eq!(read().await.err().ok_or("an empty answer")?.kind(), ErrorKind::NotRegistered);
    let error = driver.ensure(&part).await.err().ok_or("nothing is missed")?;
    assert_eq!(error.kind(), ErrorKind::NotRegistered, "{error:?}");
    Ok(())
}

/// Three rows by distance, and what makes the peer answer a path by these in turn.
async fn three_rows(peer: &Peer) -> Result<Store, Box<dyn std::error::Error>> {
    let store = Store::open(config(peer), &[number("number"), vector("near", 2, Metric::L2)]).await?;
    let row = |n: i64| (Id::from(format!("{n}")), vec![Value::Int(n), Value::Vector([n as f32, 1.0].into())]);
    store.upsert(1, &(0..3).map(row).collect::<Vec<_>>()).await?;
    Ok(store)
}

fn says(peer: &Peer, path: &'static str, answers: Vec<Json>) {
    let count = AtomicUsize::new(0);
    peer.trouble().is(move |request| {
        // What waits for the last write asks for one.
        let waits = request.json().is_ok_and(|body| body["topK"] == 1);
        match request.path() == path && !waits {
            true => Act::Answer(Answer::json(200, &answers[count.fetch_add(1, Ordering::SeqCst) % answers.len()])),
            false => Act::Pass,
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_whose_pages_come_again_is_not_over() -> Outcome {
    let peer = Peer::start(Manner::default())?;
    let store = three_rows(&peer).await?;
    let page = |next: &str| json!({ "vectors": {}, "pagination": { "next": next } });
    for pages in [vec![page("a")], vec![page("a"), page("b")]] {
        says(&peer, "/vectors/fetch_by_metadata", pages);
        let error = tokio::time::timeout(Duration::from_secs(10), store.all()).await?.err().ok_or("an end")?;
        assert_eq!((error.kind(), error.status()), (ErrorKind::Backend, Status::Permanent), "{error:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_without_its_vector_is_not_as_near_as_can_be() -> Outcome {
    let peer = Peer::start(Manner::default())?;
    let store = three_rows(&peer).await?;
    let near = || store.near(1, &[5.0, 5.0], 1, false, Filter::all());
    for values in [None, Some(&[][..]), Some(&[5.0]), Some(&[5.0, 5.0, 5.0])] {
        let mut hit = json!({ "id": "0", "score": 9.0, "metadata": { "_hb_version": "1" } });
        if let Some(values) = values {
            hit["values"] = values.into();
        }
        says(&peer, "/query", vec![json!({ "matches": [hit] })]);
        let error = near().await.err().ok_or_else(|| format!("a hit, {values:?}"))?;
        assert_eq!((error.kind(), error.status()), (ErrorKind::Backend, Status::Permanent), "{values:?}: {error:?}");
    }
    peer.trouble().is_over();
    assert_eq!(near().await?.ids, [Id::from("2")]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_whose_answer_is_too_large_are_asked_for_in_smaller_numbers() -> Outcome {
    let peer = Peer::start(Manner::default())?;
    let driver = config(&peer).connect().await?;
    let part = Arc::new(lay_out(&driver, "pinecone", &namespace(), &[number("number")])?);
    driver.ensure(&part).await?;
    let row = |n: i64| (Id::from(format!("{n:03}")), vec![Value::Int(n)]);
    driver.write(&part, upsert(1, (0..200).map(row).collect(), 1)).await?;
    driver.refresh(&part).await?;
    let at_most = |most: usize| {
        peer.trouble().is(move |request| match request.query("ids").len() {
            asked if asked > most => Act::Answer(Answer::none().sent(How::endless())),
            _ => Act::Pass,
        });
    };
    let ids: Vec<Id> = (0..200).map(|n| Id::from(format!("{n:03}"))).collect();
    for most in [199, 30, 1] {
        at_most(most);
        let found = driver.fetch(&part, &ids, &[0]).await?;
        assert_eq!((found.ids, found.values), (ids.clone(), (0..200).map(Value::Int).collect::<Vec<_>>()), "at most {most}");
    }
    at_most(0);
    assert_eq!(driver.fetch(&part, &ids, &[0]).await.err().ok_or("an answer")?.kind(), ErrorKind::LimitExceeded);
    Ok(())
}

/// Pinecone's own client, over the same operations.
#[test]
fn pinecones_own_client_takes_the_peer_for_pinecone() -> Outcome {
    let Ok(library) = std::env::var("HEAVENBASE_TEST_PINECONE_CLIENT") else {
        eprintln!("not run: HEAVENBASE_TEST_PINECONE_CLIENT is not set (a directory with the package `pinecone` from PyPI)");
        return Ok(());
    };
    let peer = Peer::start(Manner::default())?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/pinecone_client.py");
    let output = std::process::Command::new("python3").arg(script).arg(&peer.url).env("PYTHONPATH", library).output()?;
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprint!("{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

/// Every request to an index is also sent to Prism, which judges it by Pinecone's OpenAPI document.
#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_in_the_published_contract() -> Outcome {
    let Ok(contract) = std::env::var("HEAVENBASE_TEST_PINECONE_CONTRACT") else {
        eprintln!("not run: HEAVENBASE_TEST_PINECONE_CONTRACT is not set (Prism over Pinecone's OpenAPI document)");
        return Ok(());
    };
    let peer = Peer::start(Manner::default())?;
    let judged = Arc::new(std::sync::Mutex::new(std::collections::BTreeMap::<String, Vec<String>>::new()));
    let judgements = judged.clone();
    let host = contract.trim_start_matches("http://").to_owned();
    peer.trouble().is(move |request| {
        if !request.path().starts_with("/indexes") {
            let (verdict, path) = (judge(&host, request).unwrap_or_else(|| "no answer".into()), request.path());
            let kind = format!("{} {}", request.method, if path.starts_with("/namespaces/") { "/namespaces/{}" } else { &path });
            if let Ok(mut judged) = judgements.lock() {
                judged.entry(kind).or_default().push(verdict);
            }
        }
        Act::Pass
    });
    let driver = config(&peer).connect().await?;
    let specs = [
        number("number"),
        vector("near", 3, Metric::Cosine),
        vector("far", 4, Metric::L2),
        Spec::new("text", LogicalType::TEXT, Placement::InlineColumn),
    ];
    let part = Arc::new(lay_out(&driver, "pinecone", &namespace(), &specs)?);
    driver.ensure(&part).await?;
    let row = |n: i64| {
        let place = |length: usize| Value::Vector(vec![0.5; length].into());
        (Id::from(format!("{n} \u{e9}")), vec![Value::Int(n), place(3), if n % 2 == 0 { Value::Null } else { place(4) }, Value::Null])
    };
    driver.write(&part, upsert(1, (0..30).map(row).collect(), 4)).await?;
    for filter in [
        Filter::all(),
        Test::new("number", Condition::Between(Value::Int(3), Value::Int(1 << 60))).into(),
        Filter::Not(Box::new(Test::new("text", Condition::In(vec![Value::Text("a".into()), Value::Null])).into())),
    ] {
        for near in [None, Some((1, 3, Metric::Cosine)), Some((2, 4, Metric::L2))] {
            let near =
                near.map(|(column, length, metric)| NearQuery { column, vector: vec![0.1; length].into(), metric, k: 200, exact: false });
            collect(&driver, &part, SubQuery { filter: filter.clone(), columns: vec![0, 1, 2, 3], near, ..SubQuery::default() }).await?;
        }
    }
    let gone = WriteBatch {
        mode: WriteMode::Delete,
        version: 2,
        ids: vec!["1 \u{e9}".into()],
        columns: Vec::new(),
        values: Vec::new(),
        expected: Vec::new(),
    };
    driver.write(&part, Arc::new(gone)).await?;
    driver.refresh(&part).await?;
    assert!(driver.drop_part(&part).await?);
    let judged = judged.lock().map_err(|_| "poisoned")?;
    let wrong: Vec<_> =
        judged.iter().flat_map(|(kind, verdicts)| verdicts.iter().map(move |v| (kind, v))).filter(|(_, v)| *v != "200").collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let kinds: Vec<&str> = judged.keys().map(String::as_str).collect();
    let all = [
        "DELETE /namespaces/{}",
        "GET /namespaces/{}",
        "GET /vectors/fetch",
        "POST /query",
        "POST /vectors/delete",
        "POST /vectors/fetch_by_metadata",
        "POST /vectors/upsert",
    ];
    assert_eq!(kinds, all);
    Ok(())
}

/// What Prism makes of a request: the status, and the fault where it finds one.
fn judge(host: &str, request: &Request) -> Option<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(host).ok()?;
    let mut head =
        format!("{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\naccept: application/json\r\n", request.method, request.target);
    for name in ["api-key", "x-pinecone-api-version", "content-type"] {
        if let Some(value) = request.header(name) {
            head += &format!("{name}: {value}\r\n");
        }
    }
    head += &format!("content-length: {}\r\n\r\n", request.body().len());
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(request.body()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let status = answer.split_whitespace().nth(1)?.to_owned();
    let fault = answer.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("sl-violations:").map(str::to_owned));
    Some(match fault {
        Some(fault) => format!("{status}: {fault}"),
        None => status,
    })
}
