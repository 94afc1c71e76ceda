//! What is Chroma's own: many rows, its approximate index under filters, rows without vectors, deletes while pages are read,
//! writes cut short, and servers that are none, slow, or give up in the middle.
#![cfg(feature = "chroma")]

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use heavenbase::backends::{Chroma, Connect};
use heavenbase::capability::Placement;
use heavenbase::driver::{
    Aggregate, AggregateFunction, Driver, Group, Measure, NearQuery, Page, Position, SubQuery, WriteBatch, WriteMode,
};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::schema::{Binding, Column, Index, Part, Routing};
use heavenbase::types::{Id, LogicalType, Metric, Value};
use heavenbase::{ErrorKind, Status};
use heavenbase_tests::data::Spec;
use heavenbase_tests::random::Random;

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn server() -> Option<String> {
    let address = std::env::var("HEAVENBASE_TEST_CHROMA").ok();
    if address.is_none() {
        eprintln!("not run: HEAVENBASE_TEST_CHROMA is not set");
    }
    address
}

fn namespace(name: &str) -> Arc<str> {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    format!("c{:x}x{:x}{name}", std::process::id(), nanos % 0xffff_ffff).into()
}

fn lay_out(driver: &Arc<dyn Driver>, namespace: &Arc<str>, specs: &[Spec]) -> heavenbase::Result<Part> {
    let entity = Box::leak(Box::new(Spec::entity("thing", specs)));
    let binding = Binding { name: "main", kind: "chroma", driver: driver.clone() };
    Ok((*Routing::new(entity, namespace, "main", &[binding])?.parts[0]).clone())
}

fn number() -> Spec {
    Spec::new("number", LogicalType::INT, Placement::InlineColumn).required()
}

fn vector(name: &str, length: u32, metric: Metric) -> Spec {
    Spec::new(name, LogicalType::Vector(length), Placement::VectorIndex).ranked(metric)
}

fn with_index(mut part: Part, name: &str, index: Index) -> Arc<Part> {
    let set = |c: Column| if c.name == name { Column { index: Some(index), ..c } } else { c };
    part.columns = part.columns.into_iter().map(set).collect();
    Arc::new(part)
}

fn batch(mode: WriteMode, version: i64, rows: Vec<(Id, Vec<Value>)>, width: usize) -> Arc<WriteBatch> {
    let (ids, values): (Vec<Id>, Vec<Vec<Value>>) = rows.into_iter().unzip();
    let values = values.into_iter().flatten().collect();
    Arc::new(WriteBatch { mode, version, ids, columns: (0..width).collect(), values, expected: Vec::new() })
}

fn upsert(version: i64, rows: Vec<(Id, Vec<Value>)>, width: usize) -> Arc<WriteBatch> {
    batch(WriteMode::Upsert, version, rows, width)
}

fn delete(version: i64, ids: Vec<Id>) -> Arc<WriteBatch> {
    batch(WriteMode::Delete, version, ids.into_iter().map(|id| (id, Vec::new())).collect(), 0)
}

async fn collect(driver: &Arc<dyn Driver>, part: &Arc<Part>, query: SubQuery) -> heavenbase::Result<Page> {
    let plan = driver.plan(part, &query);
    assert!(plan.remainder.is_all() && plan.near && plan.limit, "not taken: {:?}", plan.remainder);
    let mut stream = driver.open(part.clone(), Arc::new(query.clone()))?;
    let mut whole = Page::new(query.columns.len());
    while let Some(page) = stream.next_page().await? {
        whole.append(page);
    }
    Ok(whole)
}

fn random_vector(random: &mut Random, length: usize) -> Arc<[f32]> {
    (0..length).map(|_| (random.unit() * 2.0 - 1.0) as f32).collect()
}

/// The ids of the `k` nearest rows whose number is wanted.
fn nearest(rows: &[(Id, Vec<Value>)], target: &[f32], metric: Metric, k: usize, wanted: impl Fn(i64) -> bool) -> Vec<Id> {
    let matches = |values: &[Value]| matches!(values[0], Value::Int(n) if wanted(n));
    let mut scored: Vec<(f64, &Id)> = rows
        .iter()
        .filter(|(_, values)| matches(values))
        .filter_map(|(id, values)| values.iter().find_map(Value::as_vector).map(|v| (metric.score(target, v), id)))
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.into_iter().take(k).map(|(_, id)| id.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_thousand_rows_come_back_as_thirty_thousand() -> Outcome {
    const ROWS: usize = 30_000;
    let Some(address) = server() else { return Ok(()) };
    let driver = Chroma::url(address).connect().await?;
    let part = Arc::new(lay_out(&driver, &namespace("many"), &[number(), vector("near", 8, Metric::L2)])?);
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
        assert_eq!(found.ids, nearest(&rows, &target, Metric::L2, k, |n| n < 25_000), "k {k}");
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
        let part = lay_out(&driver, &namespace("index"), &[number(), vector("near", 12, metric)])?;
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
                let expected = nearest(&rows, &target, metric, k, |n| matches == ROWS || chosen.contains(&n));
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
    let part = Arc::new(lay_out(&driver, &namespace("two"), &specs)?);
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
    let specs = [number(), vector("a", 2, Metric::L2).required(), vector("b", 2, Metric::L2).required()];
    let part = Arc::new(lay_out(&driver, &namespace("torn"), &specs)?);
    driver.ensure(&part).await?;
    let place = |x: f32| Value::Vector([x, 0.0].into());
    let row = |n: i64, b: f32| (Id::from(format!("{n}")), vec![Value::Int(n), place(n as f32), place(b)]);
    driver.write(&part, upsert(1, (0..10).map(|n| row(n, n as f32)).collect(), 3)).await?;
    // The second vector's collection is changed alone, as a write leaves it that stops before the first.
    let through = relay(&address, |number, request| match request.contains("/upsert ") {
        true if number == 1 => Relayed::Forward,
        true => Relayed::Drop,
        false => Relayed::Forward,
    })?;
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

/// What a relay does with a request.
enum Relayed {
    Forward,
    /// Closes the connection without an answer.
    Drop,
    Answer(&'static str),
    /// Never answers.
    Hold,
}

/// A server in between, which decides on each request by its head and how many like it came. Gives its address.
fn relay(target: &str, decide: impl Fn(usize, &str) -> Relayed + Send + Sync + 'static) -> std::io::Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    let target = target.trim_start_matches("http://").to_owned();
    let counts = Arc::new(std::sync::Mutex::new(std::collections::HashMap::<String, usize>::new()));
    let decide = Arc::new(decide);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (target, counts, decide) = (target.clone(), counts.clone(), decide.clone());
            std::thread::spawn(move || relay_connection(stream, &target, &counts, &*decide));
        }
    });
    Ok(address)
}

fn relay_connection(
    mut stream: std::net::TcpStream,
    target: &str,
    counts: &std::sync::Mutex<std::collections::HashMap<String, usize>>,
    decide: &dyn Fn(usize, &str) -> Relayed,
) -> Option<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 65_536];
    let whole = loop {
        if let Some(end) = request.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
            let length: usize = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
            if request.len() >= end + 4 + length {
                break head;
            }
        }
        match stream.read(&mut buffer).ok()? {
            0 => return None,
            read => request.extend_from_slice(&buffer[..read]),
        }
    };
    let line = whole.lines().next()?.to_owned();
    let kind = line.rsplit('/').nth(1)?.to_owned();
    let number = {
        let mut counts = counts.lock().ok()?;
        let count = counts.entry(kind).or_default();
        *count += 1;
        *count
    };
    match decide(number, &line) {
        Relayed::Forward => {
            let mut upstream = std::net::TcpStream::connect(target).ok()?;
            let text = request.windows(4).position(|w| w == b"\r\n\r\n")?;
            upstream.write_all(&request[..text]).ok()?;
            upstream.write_all(b"\r\nconnection: close").ok()?;
            upstream.write_all(&request[text..]).ok()?;
            let mut answer = Vec::new();
            upstream.read_to_end(&mut answer).ok()?;
            stream.write_all(&answer).ok()
        }
        Relayed::Drop => None,
        Relayed::Answer(text) => stream.write_all(text.as_bytes()).ok(),
        Relayed::Hold => {
            std::thread::sleep(Duration::from_secs(20));
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_trouble_is_a_typed_error_in_time() -> Outcome {
    let Some(address) = server() else { return Ok(()) };
    let driver = Chroma::url(address.clone()).connect().await?;
    let part = Arc::new(lay_out(&driver, &namespace("trouble"), &[number(), vector("near", 2, Metric::L2)])?);
    driver.ensure(&part).await?;
    let row = || (Id::from("a"), vec![Value::Int(1), Value::Null]);
    const BUSY: &str = "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    const GARBAGE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\n{\"ids\":";
    const SHORT: &str = "HTTP/1.1 200 OK\r\ncontent-length: 34\r\nconnection: close\r\n\r\n{\"ids\":[\"a\",\"b\"],\"metadatas\":[{}]}";
    const UPSTREAM: &str = "HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let through = async |what: &'static str, hold: bool| -> Result<Arc<dyn Driver>, Box<dyn std::error::Error>> {
        let url = relay(&address, move |_, line| match line.contains("/get ") || line.contains("/upsert ") {
            true if hold => Relayed::Hold,
            true => Relayed::Answer(what),
            false => Relayed::Forward,
        })?;
        Ok(Chroma::url(url).retries(2).timeout(Duration::from_secs(2)).connect().await?)
    };
    let cases =
        [(BUSY, ErrorKind::Unavailable), (GARBAGE, ErrorKind::Backend), (SHORT, ErrorKind::Backend), (UPSTREAM, ErrorKind::Unavailable)];
    for (answer, kind) in cases {
        let error = collect(&through(answer, false).await?, &part, SubQuery::default()).await.err().ok_or("no error")?;
        assert_eq!(error.kind(), kind, "{error:?}");
    }
    let start = Instant::now();
    let slow = through("", true).await?;
    let error = collect(&slow, &part, SubQuery::default()).await.err().ok_or("no error")?;
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    // A temporary failure goes by: the write is made, once.
    let url =
        relay(&address, |number, line| if line.contains("/upsert ") && number < 3 { Relayed::Answer(BUSY) } else { Relayed::Forward })?;
    let patient = Chroma::url(url).connect().await?;
    patient.write(&part, upsert(1, vec![row()], 2)).await?;
    assert_eq!(collect(&driver, &part, SubQuery::default()).await?.ids, [Id::from("a")]);
    // A write without an answer may have taken place.
    let url = relay(&address, |_, line| if line.contains("/upsert ") { Relayed::Drop } else { Relayed::Forward })?;
    let lost = Chroma::url(url).connect().await?;
    let error = lost.write(&part, upsert(2, vec![row()], 2)).await.err().ok_or("no error")?;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Unknown), "{error:?}");
    driver.drop_part(&part).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_chroma_is_an_error_and_no_panic() -> Outcome {
    let connect = |url: String| Chroma::url(url).token("hunter2").retries(1).timeout(Duration::from_secs(5)).connect();
    for answer in
        [&b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"[..], &[0xff; 4096], b"", b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n"]
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten().take(20) {
                let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(answer);
            }
        });
        let error = connect(format!("http://{address}")).await.err().ok_or("no error")?;
        let kinds = [ErrorKind::Unavailable, ErrorKind::Backend, ErrorKind::Timeout, ErrorKind::NotRegistered];
        assert!(kinds.contains(&error.kind()), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
    let error = connect("http://127.0.0.1:1".into()).await.err().ok_or("no error")?;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Temporary));
    for wrong in ["", "127.0.0.1:8000", "ftp://host", "http://ho st"] {
        let error = connect(wrong.into()).await.err().ok_or("no error")?;
        assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{wrong}");
    }
    let Some(address) = server() else { return Ok(()) };
    let error = Chroma::url(address).database("no_such_database").connect().await.err().ok_or("no error")?;
    assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_beyond_the_servers_bounds_is_left_to_the_caller() -> Outcome {
    let Some(address) = server() else { return Ok(()) };
    let driver = Chroma::url(address).connect().await?;
    let part = Arc::new(lay_out(&driver, &namespace("bounds"), &[number(), vector("near", 2, Metric::L2)])?);
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
    let part = lay_out(&driver, &namespace("index"), &[number(), vector("near", 4, Metric::Cosine)])?;
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
