//! What is Chroma's own: many rows, its approximate index under filters, rows without vectors, deletes while pages are read,
//! writes cut short. What servers in trouble do stands in `trouble.rs`.
#![cfg(feature = "chroma")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use heavenbase::backends::{Chroma, Connect};
use heavenbase::capability::Placement;
use heavenbase::driver::{Aggregate, AggregateFunction, Group, Measure, NearQuery, Position, SubQuery};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{Binding, Index};
use heavenbase::types::{Id, LogicalType, Metric, Value};
use heavenbase::{ErrorKind, Status};
use heavenbase_tests::data::Spec;
use heavenbase_tests::peer::{Act, Answer, How, Trouble, relay, serve};
use heavenbase_tests::random::Random;
use heavenbase_tests::store::{
    Store, collect, delete, int, lay_out, namespace, nearest_ids, number, random_vector, upsert, vector, with_index,
};
use serde_json::{Value as Json, json};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Whether a record's keys are in the ranges of a filter, which is all that it asks for here.
fn is_within(filter: &Json, metadata: &Json) -> bool {
    let Some((key, test)) = filter.as_object().and_then(|map| map.iter().next()) else { return true };
    let bound = |operator: &str| test[operator].as_i64().zip(metadata[key].as_i64());
    match test.as_array() {
        Some(all) => all.iter().all(|filter| is_within(filter, metadata)),
        None => bound("$gte").is_none_or(|(bound, key)| key >= bound) && bound("$lte").is_none_or(|(bound, key)| key <= bound),
    }
}

/// As much of Chroma as keeps rows and gives them back: all, or by id. An answer of more than so many rows is too large to read,
/// and so is every search's.
fn small(most: Arc<AtomicUsize>) -> std::io::Result<String> {
    let (made, records) = (Mutex::new(json!(null)), Mutex::new(BTreeMap::<String, (Json, Json)>::new()));
    let too_large = || Answer::none().sent(How::endless());
    let address = serve(move |request| {
        let (path, body) = (request.path(), request.json().unwrap_or_default());
        let (mut made, mut records) =
            (made.lock().unwrap_or_else(PoisonError::into_inner), records.lock().unwrap_or_else(PoisonError::into_inner));
        let list = |key: &str| body[key].as_array().cloned().unwrap_or_default();
        match (request.method.as_str(), path.rsplit('/').next().unwrap_or_default()) {
            ("GET", "version") => Answer::json(200, &json!("1.5.9")),
            ("GET", "pre-flight-checks") => Answer::json(200, &json!({ "max_batch_size": 1_000 })),
            ("POST", "collections") => {
                *made = json!({ "id": "c", "metadata": body["metadata"], "configuration_json": body["configuration"] });
                Answer::json(200, &made)
            }
            ("GET", _) if path.contains("/collections/") && made.is_null() => Answer::of(404, "{}"),
            ("GET", _) => Answer::json(200, &made),
            ("POST", "upsert") => {
                let more = list("ids").into_iter().zip(list("embeddings").into_iter().zip(list("metadatas")));
                records.extend(more.map(|(id, record)| (id.as_str().unwrap_or_default().to_owned(), record)));
                Answer::json(200, &json!({}))
            }
            ("POST", "get") => {
                let wanted = |id: &String| body["ids"].as_array().is_none_or(|ids| ids.iter().any(|wanted| wanted == id.as_str()));
                let limit = body["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
                let ids: Vec<&String> =
                    records.keys().filter(|id| wanted(id) && is_within(&body["where"], &records[*id].1)).take(limit).collect();
                let shown = |key: &str| list("include").iter().any(|name| name == key);
                if shown("metadatas") && ids.len() > most.load(Ordering::SeqCst) {
                    return too_large();
                }
                let mut answer = json!({ "ids": ids });
                if shown("metadatas") {
                    answer["metadatas"] = ids.iter().map(|id| records[*id].1.clone()).collect();
                }
                if shown("embeddings") {
                    answer["embeddings"] = ids.iter().map(|id| records[*id].0.clone()).collect();
                }
                Answer::json(200, &answer)
            }
            _ => too_large(),
        }
    })?;
    Ok(format!("http://{address}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_large_is_asked_for_in_pieces() -> Outcome {
    let most = Arc::new(AtomicUsize::new(usize::MAX));
    let store = Store::open(Chroma::url(small(most.clone())?), &[number("number"), vector("near", 2, Metric::L2).required()]).await?;
    let row = |n: i64| (Id::from(format!("{n:03}")), vec![Value::Int(n), Value::Vector([n as f32, 0.0].into())]);
    let rows: Vec<(Id, Vec<Value>)> = (0..150).map(row).collect();
    store.upsert(1, &rows).await?;
    let ids: Vec<Id> = rows.iter().map(|row| row.0.clone()).collect();
    for limit in [149, 20, 1] {
        most.store(limit, Ordering::SeqCst);
        for columns in [&[0][..], &[0, 1]] {
            let walked = store.select(SubQuery { columns: columns.to_vec(), ..SubQuery::default() }).await?;
            let fetched = store.driver.fetch(&store.part, &ids, columns).await?;
            for found in [walked, fetched] {
                assert_eq!(found.ids, ids, "at most {limit}");
                assert!((0..150).all(|at| found.row(at) == &rows[at].1[..columns.len()]), "at most {limit}");
            }
        }
        let near = store.near(1, &[7.2, 0.0], 3, false, Filter::all()).await?;
        assert_eq!(near.ids, ["007", "008", "006"].map(Id::from), "at most {limit}");
    }
    most.store(0, Ordering::SeqCst);
    assert_eq!(store.all().await.err().ok_or("rows")?.kind(), ErrorKind::LimitExceeded);
    Ok(())
}

fn server() -> Option<String> {
    let address = std::env::var("HEAVENBASE_TEST_CHROMA").ok();
    if address.is_none() {
        eprintln!("not run: HEAVENBASE_TEST_CHROMA is not set");
    }
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_thousand_rows_come_back_as_thirty_thousand() -> Outcome {
    const ROWS: usize = 30_000;
    let Some(address) = server() else { return Ok(()) };
    let driver = Chroma::url(address).connect().await?;
    let part = Arc::new(lay_out(&driver, "chroma", &namespace(), &[number("number"), vector("near", 8, Metric::L2)])?);
    driver.ensure(&part).await?;
    let mut random = Random::new(7);
    let mut rows: Vec<(Id, Vec<Value>)> = (0..ROWS)
        .map(|n| (Id::from(format!("row {n}")), vec![Value::Int(n as i64), Value::Vector(random_vector(&mut random, 8))]))
        .collect();
    random.shuffle(&mut rows);
    let start = Instant::now();
    for chunk in rows.chunks(driver.description().max_batch) {
        driver.write(&part, upsert(1, chunk.to_vec(), 2)).await?;
    }
    let written = start.elapsed();
    rows.sort_by(|a, b| a.0.cmp(&b.0));

    let start = Instant::now();
    let found = collect(&driver, &part, SubQuery { columns: vec![0, 1], ..SubQuery::default() }).await?;
    let read = start.elapsed();
    assert!(found.ids.iter().eq(rows.iter().map(|row| &row.0)), "{} rows, or out of order", found.len());
    assert!((0..ROWS).all(|i| found.row(i) == rows[i].1), "values differ");
    let page = collect(&driver, &part, SubQuery { offset: 20_000, limit: Some(3), ..SubQuery::default() }).await?;
    assert!(page.ids.iter().eq(rows[20_000..20_003].iter().map(|row| &row.0)), "{:?}", page.ids);
    let after = Some(Position { keys: Vec::new(), id: rows[29_000].0.clone() });
    assert_eq!(collect(&driver, &part, SubQuery { after, ..SubQuery::default() }).await?.len(), 999);

    let below: Filter = Test::new("number", Condition::Lt(Value::Int(25_000))).into();
    let measures = vec![Measure { function: AggregateFunction::Count, column: None }];
    let counted = Aggregate { filter: below.clone(), ids: None, keys: Vec::new(), measures };
    assert!(driver.plans_aggregate(&part, &counted));
    let count = driver.aggregate(&part, &counted).await?;
    assert_eq!(count, vec![Group { keys: Vec::new(), measures: vec![Value::Int(25_000)] }]);

    let start = Instant::now();
    for k in [10, 10_000] {
        let target = random_vector(&mut random, 8);
        let near = NearQuery { column: 1, vector: target.clone(), metric: Metric::L2, k, exact: true };
        let found = collect(&driver, &part, SubQuery { filter: below.clone(), near: Some(near), ..SubQuery::default() }).await?;
        assert_eq!(found.ids, nearest_ids(&rows, 1, &target, Metric::L2, k, |row| int(row) < 25_000), "k {k}");
    }
    eprintln!("{ROWS} rows written in {written:?}, read in {read:?}, 2 exact searches in {:?}", start.elapsed());

    // Rows that go while pages are read take no other row along.
    let mut stream = driver.open(part.clone(), Arc::new(SubQuery::default()))?;
    let mut seen: Vec<Id> = stream.next_page().await?.map(|page| page.ids).unwrap_or_default();
    let gone: Vec<Id> = rows[..seen.len()].iter().chain(&rows[15_000..15_500]).map(|row| row.0.clone()).collect();
    driver.write(&part, delete(2, gone.clone())).await?;
    while let Some(page) = stream.next_page().await? {
        seen.extend(page.ids);
    }
    let kept = |id: &&Id| !rows[15_000..15_500].iter().any(|row| row.0 == **id);
    assert!(seen.iter().eq(rows.iter().map(|row| &row.0).filter(kept)), "{} rows", seen.len());
    driver.drop_part(&part).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_approximate_index_under_a_filter_gives_all_there_are() -> Outcome {
    const ROWS: usize = 3_000;
    let Some(address) = server() else { return Ok(()) };
    let driver = Chroma::url(address).connect().await?;
    let parameters: &'static [(&str, i64)] = &[("m", 4), ("ef_construction", 20), ("ef", 5)];
    for metric in [Metric::Cosine, Metric::L2, Metric::Dot] {
        let part = lay_out(&driver, "chroma", &namespace(), &[number("number"), vector("near", 12, metric)])?;
        let part = with_index(part, "near", Index { method: "hnsw", parameters });
        driver.ensure(&part).await?;
        let mut random = Random::new(11);
        // Every third row has no vector.
        let vector =
            |n: usize, random: &mut Random| if n.is_multiple_of(3) { Value::Null } else { Value::Vector(random_vector(random, 12)) };
        let rows: Vec<(Id, Vec<Value>)> =
            (0..ROWS).map(|n| (Id::from(format!("{n:05}")), vec![Value::Int(n as i64), vector(n, &mut random)])).collect();
        for chunk in rows.chunks(1_000) {
            driver.write(&part, upsert(1, chunk.to_vec(), 2)).await?;
        }
        for (matches, k) in [(0, 5), (1, 5), (7, 5), (7, 50), (40, 26), (40, 27), (ROWS, 10), (ROWS, ROWS)] {
            for exact in [false, true] {
                let target = random_vector(&mut random, 12);
                let near = NearQuery { column: 1, vector: target.clone(), metric, k, exact };
                // Spread over the rows, so that a walk through the graph meets few of them.
                let chosen: Vec<i64> = (0..matches).map(|i| (i * (ROWS / matches.max(1))) as i64).collect();
                let wanted = chosen.iter().map(|n| Value::Int(*n)).collect();
                let filter: Filter = if matches == ROWS { Filter::all() } else { Test::new("number", Condition::In(wanted)).into() };
                let query = SubQuery { filter, columns: vec![1], near: Some(near), ..SubQuery::default() };
                let found = collect(&driver, &part, query).await?;
                let expected = nearest_ids(&rows, 1, &target, metric, k, |row| matches == ROWS || chosen.contains(&int(row)));
                assert_eq!(found.len(), expected.len(), "{metric}, {matches} matches, k {k}, exact {exact}");
                for (at, value) in found.values.iter().enumerate() {
                    let own = metric.score(&target, value.as_vector().ok_or("a hit without a vector")?);
                    assert!((own - found.scores[at]).abs() <= 1e-5 * (1.0 + own.abs()), "{metric}: {own} is told as {}", found.scores[at]);
                }
                assert!(found.scores.is_sorted_by(|a, b| a >= b));
                if exact {
                    assert_eq!(found.ids, expected, "{metric}, {matches} matches, k {k}");
                }
            }
        }
        driver.drop_part(&part).await?;
    }
    Ok(())
}

/// Everything on Chroma, and split with memory (and SQLite, where it is compiled in), against the reference.
#[tokio::test(flavor = "multi_thread")]
async fn splits_with_other_backends_answer_as_the_reference() -> Outcome {
    let Some(address) = server() else { return Ok(()) };
    let percent: usize = std::env::var("HEAVENBASE_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let seed = heavenbase_tests::random::seed();
    let mut random = Random::named(seed, "chroma splits");
    #[allow(unused_mut, reason = "SQLite joins where it is compiled in")]
    let mut bindings = vec![
        Binding { name: "chroma", kind: "chroma", driver: Chroma::url(address).connect().await? },
        Binding { name: "inmem", kind: "inmem", driver: heavenbase::backends::InMem::new().connect().await? },
    ];
    #[cfg(feature = "sqlite")]
    bindings.push(Binding { name: "sqlite", kind: "sqlite", driver: heavenbase::backends::Sqlite::memory().connect().await? });
    let world = heavenbase_tests::split::World::over(&mut random, bindings, Vec::new()).await?;
    let pairs = heavenbase_tests::split::compare_in(world, random, seed, 6, (100 * percent / 100).max(1)).await?;
    eprintln!("{pairs} pairs of query and placement agree (seed {seed})");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_vectors_nulls_json_and_bytes_come_back_as_they_were() -> Outcome {
    let Some(address) = server() else { return Ok(()) };
    let driver = Chroma::url(address).connect().await?;
    let inline = |name: &str, logical| Spec::new(name, logical, Placement::InlineColumn);
    let specs = [
        vector("a", 3, Metric::Cosine),
        vector("b", 5, Metric::Dot),
        Spec::new("json", LogicalType::Json, Placement::JsonField),
        inline("bytes", LogicalType::Bytes),
        inline("list", LogicalType::List(&LogicalType::TEXT)),
    ];
    let part = Arc::new(lay_out(&driver, "chroma", &namespace(), &specs)?);
    driver.ensure(&part).await?;
    let a = Value::Vector([0.1, -0.7, 1e-7].into());
    let b = Value::Vector([3.4e37, 0.0, -0.0, 1.0, -2.5].into());
    let json = Value::Json(Box::new(serde_json::json!({ "k": [1, 1.5, null, "x\0y"] })));
    let bytes = Value::Bytes(Box::from([0, 255, 39]));
    let list = Value::List(["", "x", "x"].map(|t| Value::Text(t.into())).into());
    let rows = vec![
        (Id::from("all"), vec![a.clone(), b.clone(), json.clone(), bytes.clone(), list]),
        (Id::from("no a"), vec![Value::Null, b.clone(), Value::Null, Value::Null, Value::List(Box::default())]),
        (Id::from("no b"), vec![a, Value::Null, json, bytes, Value::Null]),
        (Id::from("none"), vec![Value::Null; 5]),
    ];
    let columns: Vec<usize> = (0..5).collect();
    let check = async |rows: &[(Id, Vec<Value>)]| -> Outcome {
        let found = collect(&driver, &part, SubQuery { columns: columns.clone(), ..SubQuery::default() }).await?;
        assert_eq!(found.len(), rows.len());
        for (at, (id, values)) in rows.iter().enumerate() {
            assert_eq!((&found.ids[at], found.row(at)), (id, values.as_slice()));
        }
        for (column, length, metric) in [(0, 3, Metric::Cosine), (1, 5, Metric::Dot)] {
            let near = NearQuery { column, vector: vec![0.5; length].into(), metric, k: 10, exact: false };
            let hits = collect(&driver, &part, SubQuery { near: Some(near), ..SubQuery::default() }).await?;
            let expected = rows.iter().filter(|(_, values)| !values[column].is_null()).count();
            assert_eq!(hits.len(), expected, "column {column}");
        }
        Ok(())
    };
    driver.write(&part, upsert(1, rows.clone(), 5)).await?;
    check(&rows).await?;
    // Values go and come: nothing of the older row is left.
    let mut turned = rows.clone();
    turned.iter_mut().for_each(|row| row.1 = vec![Value::Null; 5]);
    turned[3].1 = rows[0].1.clone();
    driver.write(&part, upsert(2, turned.clone(), 5)).await?;
    check(&turned).await?;
    driver.drop_part(&part).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_cut_short_is_not_seen_and_is_made_again() -> Outcome {
    let Some(address) = server() else { return Ok(()) };
    let driver = Chroma::url(address.clone()).connect().await?;
    let specs = [number("number"), vector("a", 2, Metric::L2).required(), vector("b", 2, Metric::L2).required()];
    let part = Arc::new(lay_out(&driver, "chroma", &namespace(), &specs)?);
    driver.ensure(&part).await?;
    let place = |x: f32| Value::Vector([x, 0.0].into());
    let row = |n: i64, b: f32| (Id::from(format!("{n}")), vec![Value::Int(n), place(n as f32), place(b)]);
    driver.write(&part, upsert(1, (0..10).map(|n| row(n, n as f32)).collect(), 3)).await?;
    // The second vector's collection is changed alone, as a write leaves it that stops before the first.
    let (trouble, writes) = (Trouble::default(), AtomicUsize::new(0));
    trouble.is(move |request| match request.path().ends_with("/upsert") && writes.fetch_add(1, Ordering::SeqCst) > 0 {
        true => Act::Answer(Answer::none()),
        false => Act::Pass,
    });
    let through = relay(&address, trouble)?;
    let cut = Chroma::url(through).retries(0).connect().await?;
    let error = cut.write(&part, upsert(2, vec![row(9, 0.1)], 3)).await.err().ok_or("no error")?;
    assert_eq!(error.status(), Status::Unknown, "{error:?}");
    assert_eq!(error.detail("written"), Some("some of the batch"), "{error:?}");

    let near = NearQuery { column: 2, vector: [0.0, 0.0].into(), metric: Metric::L2, k: 2, exact: false };
    let query = SubQuery { near: Some(near), columns: vec![2], ..SubQuery::default() };
    let found = collect(&driver, &part, query.clone()).await?;
    assert_eq!(found.ids, ["0", "1"].map(Id::from), "half a write is seen");
    driver.write(&part, upsert(2, vec![row(9, 0.1)], 3)).await?;
    let found = collect(&driver, &part, query).await?;
    assert_eq!(found.ids, ["0", "9"].map(Id::from), "the write made again is not seen");
    assert_eq!(found.versions, [1, 2]);
    driver.drop_part(&part).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_named() -> Outcome {
    let Some(address) = server() else { return Ok(()) };
    let error = Chroma::url(address).database("no_such_database").connect().await.err().ok_or("no error")?;
    assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_beyond_the_servers_bounds_is_left_to_the_caller() -> Outcome {
    let Some(address) = server() else { return Ok(()) };
    let driver = Chroma::url(address).connect().await?;
    let part = Arc::new(lay_out(&driver, "chroma", &namespace(), &[number("number"), vector("near", 2, Metric::L2)])?);
    driver.ensure(&part).await?;
    let row = |n: i64| (Id::from(format!("{n:04}")), vec![Value::Int(n), Value::Null]);
    driver.write(&part, upsert(1, (0..300).map(row).collect(), 2)).await?;
    let equal = |n: i64| -> Filter { Test::new("number", Condition::Eq(Value::Int(n))).into() };
    for tests in [200, 5_000] {
        let filter = Filter::Or((0..tests).map(equal).collect());
        let plan = driver.plan(&part, &SubQuery { filter: filter.clone(), ..SubQuery::default() });
        assert_eq!(plan.remainder.is_all(), tests == 200);
        let found = collect(&driver, &part, SubQuery { filter: plan.taken, ..SubQuery::default() }).await?;
        assert_eq!(found.len(), if tests == 200 { 200 } else { 300 });
    }
    let nested = (0..100).fold(equal(7), |inner, n| if n % 2 == 0 { inner.or(equal(n)) } else { inner.and(equal(7)) });
    let plan = driver.plan(&part, &SubQuery { filter: nested, ..SubQuery::default() });
    collect(&driver, &part, SubQuery { filter: plan.taken, ..SubQuery::default() }).await?;
    driver.drop_part(&part).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_changed_where_it_can_be_and_else_refused() -> Outcome {
    let Some(address) = server() else { return Ok(()) };
    let driver = Chroma::url(address).connect().await?;
    let part = lay_out(&driver, "chroma", &namespace(), &[number("number"), vector("near", 4, Metric::Cosine)])?;
    for (method, parameters) in [("btree", &[][..]), ("hnsw", &[("nlist", 3)]), ("hnsw", &[("m", 0)])] {
        let wrong = with_index(part.clone(), "near", Index { method, parameters });
        let error = driver.ensure(&wrong).await.err().ok_or("no error")?;
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidSchema, Some("near")), "{method}");
    }
    let made = with_index(part.clone(), "near", Index { method: "hnsw", parameters: &[("m", 8), ("ef", 50)] });
    assert!(driver.ensure(&made).await?.created);
    for parameters in [&[("m", 8), ("ef", 70)][..], &[]] {
        driver.ensure(&with_index(part.clone(), "near", Index { method: "", parameters })).await?;
    }
    let other = with_index(part.clone(), "near", Index { method: "hnsw", parameters: &[("m", 12)] });
    assert_eq!(driver.ensure(&other).await.err().ok_or("no error")?.kind(), ErrorKind::SchemaMismatch);
    driver.drop_part(&made).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_are_changed_beside_each_other() -> Outcome {
    let Some(address) = server() else { return Ok(()) };
    let driver = Arc::new(Chroma::url(address).retries(12).connect().await?);
    let change = |_| {
        let driver = driver.clone();
        async move {
            let part = lay_out(&driver, "chroma", &namespace(), &[number("number"), vector("near", 4, Metric::Cosine)])?;
            let index = |ef: &'static [(&'static str, i64)]| with_index(part.clone(), "near", Index { method: "hnsw", parameters: ef });
            let made = index(&[("ef", 50)]);
            driver.ensure(&made).await?;
            // Without trying again, four of ten such changes failed: the server's database is locked for a moment.
            for n in 0..20 {
                driver.ensure(&index(if n % 2 == 0 { &[("ef", 70)] } else { &[("ef", 60)] })).await?;
            }
            driver.drop_part(&made).await?;
            Ok::<(), heavenbase::Error>(())
        }
    };
    let changes: Vec<_> = (0..6).map(|n| tokio::spawn(change(n))).collect();
    for changed in changes {
        changed.await??;
    }
    Ok(())
}
