//! What is Elasticsearch's own: rows that are read from doc values, and from the document where those do not give them back.
#![cfg(feature = "elasticsearch")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use heavenbase::backends::Connect;
use heavenbase::backends::elasticsearch::{Elasticsearch, Refresh};
use heavenbase::capability::Placement;
use heavenbase::driver::{NearQuery, OrderKey, Page, SortKey, SubQuery};
use heavenbase::filter::{Condition, Filter};
use heavenbase::schema::Index;
use heavenbase::types::{Date, Duration, Id, LogicalType, Metric, Timestamp, Uuid, Value};
use heavenbase::{ErrorKind, Status};
use heavenbase_tests::data::Spec;
use heavenbase_tests::peer::{Act, Answer, How, Request, Trouble, relay};
use heavenbase_tests::random::Random;
use heavenbase_tests::store::{Row, Store, int, lay_out, nearest, nearest_ids, number, random_vector, test, vector};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const ROWS: usize = 200;
const TALL: LogicalType = LogicalType::Text { max: 40_000 };
/// Positions of the columns: those that doc values give back, texts that may be long, and the others.
const GIVEN: std::ops::Range<usize> = 0..11;
const TITLE: usize = 9;
const WORDS: usize = 10;
const LONG: usize = 11;
const SOURCE: usize = 12;
const NEAR: usize = 14;

/// Searches that were asked, by what their rows are read from.
#[derive(Clone, Default)]
struct Asked {
    doc_values: Arc<AtomicUsize>,
    source: Arc<AtomicUsize>,
    /// How many rows were asked for by searches of vectors, and how many by the others.
    nearest: Arc<AtomicUsize>,
    given: Arc<AtomicUsize>,
    /// Points in time that were opened.
    points: Arc<AtomicUsize>,
    wrong: Arc<Mutex<Vec<String>>>,
}

impl Asked {
    fn hears(&self, request: &Request) {
        if request.path().ends_with("_pit") && request.method == "POST" {
            self.points.fetch_add(1, Ordering::SeqCst);
        }
        if !request.path().ends_with("_search") {
            return;
        }
        let Ok(body) = request.json() else { return };
        let of_fields = body["docvalue_fields"].is_array();
        // Rows are read in one way, whatever was asked before.
        let clean =
            if of_fields { body["stored_fields"] == "_none_" && body["_source"] == false } else { body.get("stored_fields").is_none() };
        if !clean {
            self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(body.to_string());
        }
        if of_fields { &self.doc_values } else { &self.source }.fetch_add(1, Ordering::SeqCst);
        let size = body["size"].as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or_default();
        if body["knn"].is_object() { &self.nearest } else { &self.given }.fetch_add(size, Ordering::SeqCst);
    }

    /// Rows asked for by searches of vectors, and by others, since this was last asked.
    fn rows(&self) -> (usize, usize) {
        (self.nearest.swap(0, Ordering::SeqCst), self.given.swap(0, Ordering::SeqCst))
    }

    /// Searches from doc values and from documents since this was last asked.
    fn so_far(&self) -> (usize, usize) {
        assert_eq!(*self.wrong.lock().unwrap_or_else(PoisonError::into_inner), Vec::<String>::new());
        (self.doc_values.swap(0, Ordering::SeqCst), self.source.swap(0, Ordering::SeqCst))
    }
}

fn specs() -> Vec<Spec> {
    use LogicalType as T;
    let inline = |name: &str, logical| Spec::new(name, logical, Placement::InlineColumn);
    vec![
        number("number"),
        inline("flag", T::Bool),
        inline("made", T::Timestamp),
        inline("day", T::Date),
        inline("span", T::Duration),
        inline("other", T::Id),
        inline("parent", T::Ref("other")),
        inline("colour", T::Category(&["red", "it's"])),
        inline("key", T::Uuid),
        inline("title", T::TEXT),
        Spec::new("words", T::TEXT, Placement::InvertedIndex),
        inline("long", TALL),
        inline("price", T::Float),
        inline("cost", T::DECIMAL),
        vector("near", 8, Metric::Cosine),
    ]
}

/// Texts around the length from which on doc values hold the beginning alone.
fn long_text(n: usize) -> Value {
    let text = |length: usize, c: char| format!("{n:03}{}", c.to_string().repeat(length - 3));
    // The first ones are short: what comes later is not told by them.
    let kind = if n < 40 { 4 + n % 2 * 3 } else { n % 8 };
    match kind {
        0 => Value::Text(text(7_999, 'a')),
        1 => Value::Text(text(8_000, 'é')),
        2 => Value::Text(text(8_001, '😀')),
        3 => Value::Text(text(20_000, 'z')),
        4 => Value::Text(format!("short {n}\u{1}")),
        5 => Value::Text(format!("{}\u{1}", text(7_999, 'b'))),
        // The same term as any longer text that begins so.
        6 => Value::Text(format!("{}\u{1}", text(8_000, 'c'))),
        _ => Value::Null,
    }
}

/// Rows in the order of their ids. A row has each value or a null.
fn rows() -> Result<Vec<Row>, Box<dyn std::error::Error>> {
    let mut random = Random::new(3);
    let mut rows = Vec::new();
    for n in 0..ROWS {
        let whole = i64::try_from(n)?;
        let text = |text: &str| Value::Text(text.to_owned());
        let mut values = vec![
            Value::Int([i64::MIN, i64::MAX, 9_007_199_254_740_993, whole][n % 4]),
            Value::Bool(n.is_multiple_of(2)),
            Value::Timestamp(Timestamp::from_micros(1_700_000_000_123_456 - whole * 86_400_000_001)?),
            Value::Date(Date::from_days(i32::try_from(n)? * 40 - 4_000)?),
            Value::Duration(Duration::from_micros(i64::MAX - whole)),
            text(&format!("Id {n}")),
            text(&format!("é/{n}")),
            text(["red", "it's"][n % 2]),
            Value::Uuid(Uuid::from_u128(u128::MAX - n as u128)),
            text(["", " ", "\u{1}", "A", "a", "\"quoted\" \\ \n"][n % 6]),
            text(["one two", "the one", "two", ""][n % 4]),
            long_text(n),
            Value::Float([-0.0, 0.1, f64::MAX][n % 3]),
            Value::Decimal(format!("{n}.50").parse()?),
            Value::Vector(random_vector(&mut random, 8)),
        ];
        // Every column is null in some rows, and one row has nothing at all.
        for (column, value) in values.iter_mut().enumerate().skip(1) {
            if n == 17 || (n + column).is_multiple_of(9) {
                *value = Value::Null;
            }
        }
        rows.push((Id::from(format!("{n:04}")), values));
    }
    Ok(rows)
}

/// A part with its rows, and what is heard of its searches.
struct Filled {
    store: Store,
    asked: Asked,
    url: String,
}

impl Filled {
    /// The same part through a new connection, which has read short texts and nothing else of a column.
    async fn again(&self, column: usize) -> Result<Store, Box<dyn std::error::Error>> {
        let store = self.store.through(Elasticsearch::url(&self.url).connect().await?);
        let short = || SubQuery { columns: vec![column], limit: Some(20), ..SubQuery::default() };
        self.asked.so_far();
        store.select(short()).await?;
        assert_eq!(self.asked.so_far(), (0, 1), "how long texts are is not known");
        store.select(short()).await?;
        assert_eq!(self.asked.so_far(), (1, 0), "short texts are read from doc values");
        Ok(store)
    }
}

fn address() -> Option<String> {
    let address = std::env::var("HEAVENBASE_TEST_ELASTICSEARCH").ok();
    if address.is_none() {
        assert!(std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_none(), "no Elasticsearch, and nothing may be skipped");
        eprintln!("not run: HEAVENBASE_TEST_ELASTICSEARCH is not set");
    }
    address
}

/// Nothing where there is no server.
async fn filled(specs: &[Spec], rows: &[Row]) -> Result<Option<Filled>, Box<dyn std::error::Error>> {
    let Some(address) = address() else { return Ok(None) };
    let (asked, trouble) = (Asked::default(), Trouble::default());
    let ears = asked.clone();
    trouble.is(move |request| {
        ears.hears(request);
        Act::Pass
    });
    let url = relay(&address, trouble)?;
    let store = Store::open(Elasticsearch::url(&url).refresh(Refresh::BeforeSearch), specs).await?;
    store.upsert(7, rows).await?;
    asked.so_far();
    asked.rows();
    Ok(Some(Filled { store, asked, url }))
}

fn is_so(found: &Page, expected: &[&Row], columns: &[usize], why: &str) {
    assert!(found.ids.iter().eq(expected.iter().map(|row| &row.0)), "{why}: {:?}", found.ids);
    assert!(found.versions.iter().all(|version| *version == 7), "{why}: {:?}", found.versions);
    for (at, row) in expected.iter().enumerate() {
        for (value, column) in found.row(at).iter().zip(columns) {
            assert!(same(value, &row.1[*column]), "{why}: column {column} of {} is {:.60}", row.0, format!("{value:?}"));
        }
        assert_eq!(found.row(at).len(), columns.len(), "{why}");
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_from_doc_values_are_the_rows_that_were_written() -> Outcome {
    let rows = rows()?;
    let Some(filled) = filled(&specs(), &rows).await? else { return Ok(()) };
    let (store, asked) = (filled.again(LONG).await?, &filled.asked);
    let all: Vec<&Row> = rows.iter().collect();
    let pages = |columns: &[usize], page_rows| SubQuery { columns: columns.to_vec(), page_rows, ..SubQuery::default() };
    let given: Vec<usize> = GIVEN.collect();
    for columns in given.iter().map(std::slice::from_ref).chain([&[][..], &given]) {
        // The length of a text is not known before one was read.
        if let [TITLE | WORDS] = columns {
            is_so(&store.select(pages(columns, ROWS + 1)).await?, &all, columns, "the first time");
            assert!(asked.so_far().1 > 0);
        }
        is_so(&store.select(pages(columns, 7)).await?, &all, columns, "what doc values give back");
        let (doc_values, source) = asked.so_far();
        assert!(doc_values > 3 && source == 0, "columns {columns:?}: {doc_values} searches of doc values, {source} of documents");
    }
    for columns in [&[SOURCE][..], &[0, SOURCE + 1], &[NEAR]] {
        is_so(&store.select(pages(columns, 7)).await?, &all, columns, "what they do not");
        assert_eq!(asked.so_far().0, 0, "columns {columns:?}");
    }
    let many: Vec<usize> = [0].repeat(17);
    is_so(&store.select(pages(&many, 7)).await?, &all, &many, "too many columns");
    assert_eq!(asked.so_far().0, 0);

    // In one page: a single search, one more when a text is long, and none of doc values when texts are known to be.
    for (columns, searches) in [(&[0, TITLE][..], (1, 0)), (&[0, LONG], (1, 1)), (&[0, LONG], (0, 1))] {
        let query = SubQuery { limit: Some(ROWS), ..pages(columns, ROWS) };
        is_so(&store.select(query).await?, &all, columns, "one page");
        assert_eq!(asked.so_far(), searches, "columns {columns:?}");
    }
    // The column of an order is read too, and not given.
    let store = filled.again(LONG).await?;
    let descending = |key| OrderKey { key, descending: true };
    let query = SubQuery { order: vec![descending(SortKey::Column(LONG)), descending(SortKey::Id)], limit: Some(60), ..pages(&[0], 7) };
    let mut expected = all.clone();
    let place = |row: &Row| row.1[LONG].as_text().map(str::to_owned);
    expected.sort_by(|a, b| place(b).cmp(&place(a)).then_with(|| b.0.cmp(&a.0)));
    is_so(&store.select(query).await?, &expected[..60], &[0], "by a text");
    // The short ones come first, and fill pages.
    let (doc_values, source) = asked.so_far();
    assert!(doc_values > 1 && source > 0, "{doc_values} searches of doc values, {source} of documents");
    let numbers = test("number", Condition::Eq(Value::Int(i64::MAX)));
    let query = SubQuery { filter: numbers, order: vec![descending(SortKey::Id)], offset: 3, limit: Some(20), ..pages(&given, 7) };
    let expected: Vec<&Row> = rows.iter().rev().filter(|row| row.1[0] == Value::Int(i64::MAX)).skip(3).take(20).collect();
    is_so(&store.select(query).await?, &expected, &given, "filtered");
    // Its titles were not read before.
    assert_eq!(asked.so_far().1, 1);
    store.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn few_rows_take_one_request_and_many_one_point_in_time() -> Outcome {
    // On both sides of the 256 that are asked for first.
    for (count, searches, points) in [(0, 1, 0), (255, 1, 0), (256, 2, 1), (257, 2, 1), (700, 3, 1)] {
        let rows: Vec<Row> = (0..count).map(|n| (Id::from(format!("{n:04}")), vec![Value::Int(n)])).collect();
        let Some(filled) = filled(&[number("number")], &rows).await? else { return Ok(()) };
        let query = SubQuery { columns: vec![0], page_rows: 400, ..SubQuery::default() };
        is_so(&filled.store.select(query).await?, &rows.iter().collect::<Vec<_>>(), &[0], "all");
        assert_eq!(filled.asked.so_far(), (searches, 0), "{count} rows");
        assert_eq!(filled.asked.points.load(Ordering::SeqCst), points, "{count} rows");
        // A limit that one page holds is one request whatever there is.
        let query = SubQuery { columns: vec![0], page_rows: 400, limit: Some(300), ..SubQuery::default() };
        assert_eq!(filled.store.select(query).await?.len(), rows.len().min(300));
        assert_eq!(filled.asked.so_far(), (1, 0), "{count} rows");
        filled.store.close().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn long_texts_are_never_given_cut() -> Outcome {
    let rows = rows()?;
    let Some(filled) = filled(&specs(), &rows).await? else { return Ok(()) };
    let (all, asked) = (rows.iter().collect::<Vec<&Row>>(), &filled.asked);
    // Pages of one row too: a long text is met late, and behind a position.
    for page_rows in [1, 2, 7, 50, ROWS + 1] {
        for columns in [&[LONG][..], &[3, LONG, 1]] {
            let store = filled.again(LONG).await?;
            let query = SubQuery { columns: columns.to_vec(), page_rows, ..SubQuery::default() };
            is_so(&store.select(query).await?, &all, columns, "long texts");
            let (doc_values, source) = asked.so_far();
            assert!(
                (1..=7).contains(&doc_values) && source > 0,
                "pages of {page_rows}: {doc_values} searches of doc values, {source} of documents"
            );
        }
    }
    // Where none of those that match is long, none is read twice. A text that ends with the mark is whole as long as it is short.
    let store = filled.again(LONG).await?;
    let short = test("long", Condition::StartsWith("short".to_owned()));
    let expected: Vec<&Row> = rows.iter().filter(|row| row.1[LONG].as_text().is_some_and(|text| text.starts_with("short"))).collect();
    assert!(expected.len() > 10);
    let query = SubQuery { filter: short, columns: vec![LONG], page_rows: 7, ..SubQuery::default() };
    is_so(&store.select(query).await?, &expected, &[LONG], "short texts");
    assert_eq!(asked.so_far().1, 0);
    for n in [42, 46, 50, 51] {
        assert!(rows[n].1[LONG].as_text().is_some_and(|text| text.len() > 8_000));
        let equal = test("long", Condition::Eq(rows[n].1[LONG].clone()));
        let expected: Vec<&Row> = rows.iter().filter(|row| !row.1[LONG].is_null() && row.1[LONG] == rows[n].1[LONG]).collect();
        let query = SubQuery { filter: equal, columns: vec![LONG], ..SubQuery::default() };
        is_so(&store.select(query).await?, &expected, &[LONG], "by a long text");
    }
    store.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_rows_are_read_in_the_same_way() -> Outcome {
    let rows = rows()?;
    let indexed = Spec { index: true, method: Index { method: "hnsw", parameters: &[] }, ..vector("near", 8, Metric::Cosine) };
    let specs: Vec<Spec> = specs().into_iter().take(NEAR).chain([indexed]).collect();
    let mut random = Random::new(5);
    for specs in [&self::specs(), &specs] {
        let Some(filled) = filled(specs, &rows).await? else { return Ok(()) };
        let (store, asked) = (filled.again(LONG).await?, &filled.asked);
        let given: Vec<usize> = GIVEN.filter(|column| ![TITLE, WORDS].contains(column)).collect();
        for columns in [&[][..], &given, &[LONG], &[TITLE], &[TITLE, 0], &[SOURCE, 0], &[NEAR]] {
            let target = random_vector(&mut random, 8);
            let near = NearQuery { column: NEAR, vector: target.clone(), metric: Metric::Cosine, k: 10, exact: true };
            let found = store.select(SubQuery { columns: columns.to_vec(), near: Some(near), ..SubQuery::default() }).await?;
            let expected = nearest(&rows, NEAR, &target, Metric::Cosine, 10, |_| true);
            let of_id = |id: &Id| rows.iter().find(|row| row.0 == *id);
            let expected_rows: Vec<&Row> = expected.iter().filter_map(|(id, _)| of_id(id)).collect();
            is_so(&found, &expected_rows, columns, "nearest");
            assert!(found.scores.iter().zip(&expected).all(|(told, (_, score))| (told - score).abs() < 1e-5));
            // Long texts are among the ten and what is asked beside them; no two scores are close.
            let searches = match columns {
                [LONG] => (1, 1),
                [TITLE] => (0, 1),
                [SOURCE, ..] | [NEAR] => (0, 1),
                _ => (1, 0),
            };
            assert_eq!(asked.so_far(), searches, "columns {columns:?}");
        }
        store.close().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_among_given_ids_is_exact() -> Outcome {
    const MANY: usize = 3_000;
    let mut random = Random::new(9);
    // A graph that finds little of what is there.
    let poor = Index { method: "hnsw", parameters: &[("m", 2), ("ef_construction", 2), ("ef", 1)] };
    let specs = [number("number"), Spec { index: true, method: poor, ..vector("near", 12, Metric::L2) }];
    let row =
        |n: usize, random: &mut Random| (Id::from(format!("{n:05}")), vec![Value::Int(n as i64), Value::Vector(random_vector(random, 12))]);
    let rows: Vec<Row> = (0..MANY).map(|n| row(n, &mut random)).collect();
    let Some(Filled { store, .. }) = filled(&specs, &rows).await? else { return Ok(()) };
    let ids: Arc<[Id]> = rows.iter().filter(|row| int(&row.1) % 3 != 0).map(|row| row.0.clone()).collect();
    let mut lost = 0;
    for _ in 0..10 {
        let target = random_vector(&mut random, 12);
        let among = nearest_ids(&rows, 1, &target, Metric::L2, 10, |row| int(row) % 3 != 0);
        let near = |ids| SubQuery {
            ids,
            near: Some(NearQuery { column: 1, vector: target.clone(), metric: Metric::L2, k: 10, exact: false }),
            filter: Filter::all(),
            ..SubQuery::default()
        };
        assert_eq!(store.select(near(Some(ids.clone()))).await?.ids, among);
        lost += usize::from(store.select(near(None)).await?.ids != nearest_ids(&rows, 1, &target, Metric::L2, 10, |_| true));
    }
    assert!(lost > 0, "the graph found all: nothing is shown");
    store.close().await?;
    Ok(())
}

/// Vectors at cosines of a target that fall by 0.004 from row to row, but where `close` says by how much less.
fn falling(target: &[f32], count: usize, close: impl Fn(usize) -> Option<f64>) -> Vec<Value> {
    let mut random = Random::new(11);
    let unit = |numbers: Vec<f64>| {
        let length = numbers.iter().map(|x| x * x).sum::<f64>().sqrt();
        numbers.into_iter().map(|x| x / length).collect::<Vec<f64>>()
    };
    let target = unit(target.iter().map(|x| f64::from(*x)).collect());
    let mut cosine = 0.95;
    let mut vectors: Vec<Value> = Vec::new();
    for at in 0..count {
        let fall = close(at);
        cosine -= fall.unwrap_or(0.004);
        if fall == Some(0.0) {
            vectors.extend(vectors.last().cloned());
            continue;
        }
        let other: Vec<f64> = random_vector(&mut random, target.len()).iter().map(|x| f64::from(*x)).collect();
        let along = other.iter().zip(&target).map(|(x, y)| x * y).sum::<f64>();
        let across = unit(other.iter().zip(&target).map(|(x, y)| x - along * y).collect());
        let sine = (1.0 - cosine * cosine).sqrt();
        vectors.push(Value::Vector(target.iter().zip(&across).map(|(x, y)| (cosine * x + sine * y) as f32).collect()));
    }
    vectors
}

fn nearest_is_so(found: &Page, rows: &[Row], column: usize, target: &[f32], k: usize) {
    let expected = nearest(rows, column, target, Metric::Cosine, k, |_| true);
    assert!(found.ids.iter().eq(expected.iter().map(|(id, _)| *id)), "k = {k}, column {column}: {:?} for {expected:?}", found.ids);
    assert!(found.scores.iter().zip(&expected).all(|(told, (_, score))| (told - score).abs() < 1e-5), "k = {k}, column {column}");
}

/// Rows whose places the server's scores leave open are few, and the vectors of those alone are read.
#[tokio::test(flavor = "multi_thread")]
async fn close_rows_alone_are_read_again() -> Outcome {
    const MANY: usize = 200;
    let target = random_vector(&mut Random::new(10), 24);
    let some = falling(&target, MANY, |at| match at {
        1 | 2 | 51..55 => Some(0.0),
        4 => Some(3e-7),
        100 | 101 => Some(4e-8),
        _ => None,
    });
    let all = falling(&target, MANY, |at| (at > 0).then_some(0.0));
    let rows = some.into_iter().zip(all).enumerate();
    let mut rows: Vec<Row> =
        rows.map(|(n, (some, all))| (Id::from(format!("{:03}", n * 77 % MANY)), vec![Value::Int(1), some, all])).collect();
    let hnsw = Spec { index: true, method: Index { method: "hnsw", parameters: &[] }, ..vector("near", 24, Metric::Cosine) };
    for near in [vector("near", 24, Metric::Cosine), hnsw] {
        let Some(Filled { store, asked, url }) = filled(&[number("number"), near, vector("same", 24, Metric::Cosine)], &rows).await? else {
            return Ok(());
        };
        for (k, again) in [(1, 3), (5, 5), (100, 13)] {
            nearest_is_so(&store.near(1, &target, k, true, Filter::all()).await?, &rows, 1, &target, k);
            assert_eq!(asked.rows(), (k + k / 8 + 16, again), "k = {k}");
            nearest_is_so(&store.near(2, &target, k, true, Filter::all()).await?, &rows, 2, &target, k);
            assert_eq!(asked.rows().1, 0, "all are close");
        }
        // Three of 17 rows are in doubt, and nothing is found of them; then one of them is written before it is read.
        let (heard, hears) = std::sync::mpsc::channel();
        let (go, goes) = std::sync::mpsc::channel::<()>();
        let (goes, times) = (Mutex::new(goes), AtomicUsize::new(0));
        let trouble = Trouble::default();
        trouble.is(move |request| match request.json() {
            Ok(body) if request.path().ends_with("_search") && body.get("knn").is_none() => match times.fetch_add(1, Ordering::SeqCst) {
                0 => Act::Answer(Answer::json(200, &serde_json::json!({ "_shards": { "failed": 0 }, "hits": { "hits": [] } }))),
                1 => {
                    let said = heard.send(()).is_ok() && goes.lock().unwrap_or_else(PoisonError::into_inner).recv().is_ok();
                    assert!(said, "the test waits");
                    Act::Pass
                }
                _ => Act::Pass,
            },
            _ => Act::Pass,
        });
        let other = store.through(Elasticsearch::url(relay(&url, trouble)?).connect().await?);
        nearest_is_so(&other.near(1, &target, 1, true, Filter::all()).await?, &rows, 1, &target, 1);
        assert_eq!(asked.rows(), (2 * 17, 0), "all are asked again");
        let before = rows.clone();
        rows[1].1[1] = Value::Vector(target.iter().map(|x| -x).collect());
        let written = async {
            tokio::task::spawn_blocking(move || hears.recv_timeout(std::time::Duration::from_secs(60))).await??;
            store.upsert(8, &rows[1..2]).await?;
            assert_eq!(
                store.near(1, &target, 3, true, Filter::all()).await?.ids,
                nearest_ids(&rows, 1, &target, Metric::Cosine, 3, |_| true)
            );
            asked.rows();
            go.send(())?;
            Outcome::Ok(())
        };
        let (found, done) = tokio::join!(other.near(1, &target, 1, true, Filter::all()), written);
        done?;
        nearest_is_so(&found?, &rows, 1, &target, 1);
        assert_eq!(asked.rows(), (17, 3), "the row is not what it was, and all are asked again");
        rows = before;
        other.close().await?;
    }
    Ok(())
}

/// Long rows on the real node, through a relay that lets no more than so many come at once; and how many searches asked for.
struct Long {
    store: Store,
    rows: Vec<Row>,
    most: Arc<AtomicUsize>,
    sizes: Arc<Mutex<Vec<usize>>>,
}

async fn long_rows(count: usize, length: usize) -> Result<Option<Long>, Box<dyn std::error::Error>> {
    let Some(address) = address() else { return Ok(None) };
    let (trouble, most, sizes) = (Trouble::default(), Arc::new(AtomicUsize::new(usize::MAX)), Arc::new(Mutex::new(Vec::new())));
    let (limit, asked) = (most.clone(), sizes.clone());
    trouble.is(move |request| {
        let Ok(body) = request.json() else { return Act::Pass };
        let size = body["docs"].as_array().map(Vec::len).or(body["size"].as_u64().and_then(|size| usize::try_from(size).ok()));
        asked.lock().unwrap_or_else(PoisonError::into_inner).extend(size);
        if size > Some(limit.load(Ordering::SeqCst)) { Act::Answer(Answer::none().sent(How::endless())) } else { Act::Pass }
    });
    let text = Spec::new("text", LogicalType::Text { max: 100_000 }, Placement::InlineColumn);
    let specs = [number("number"), text, vector("near", 4, Metric::L2)];
    let store = Store::open(Elasticsearch::url(relay(&address, trouble)?).refresh(Refresh::BeforeSearch), &specs).await?;
    let text = |n: usize| Value::Text(format!("{n:05}{}", "x".repeat(length)));
    let near = |n: usize| Value::Vector([n as f32, 1.0, 0.0, 0.0].into());
    let rows: Vec<Row> = (0..count).map(|n| (Id::from(format!("{n:05}")), vec![Value::Int(n as i64), text(n), near(n)])).collect();
    store.upsert(7, &rows).await?;
    let long = Long { store, rows, most, sizes };
    long.asked();
    Ok(Some(long))
}

impl Long {
    /// How many rows each request asked for since this was last asked.
    fn asked(&self) -> Vec<usize> {
        std::mem::take(&mut self.sizes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// As the workspace asks where all rows are gathered.
fn gathered(limit: Option<usize>) -> SubQuery {
    SubQuery { columns: vec![0, 1], page_rows: 65_536, limit, ..SubQuery::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_long_rows_are_as_small_as_the_rows_are_long() -> Outcome {
    let Some(long) = long_rows(700, 80_000).await? else { return Ok(()) };
    let all: Vec<&Row> = long.rows.iter().collect();
    is_so(&long.store.select(gathered(None)).await?, &all, &[0, 1], "all");
    let asked = long.asked();
    // 8 MB a page are 104 rows, and the first 256 are asked for before their length is known.
    assert!(asked.iter().all(|rows| *rows <= 256) && asked.iter().filter(|rows| **rows > 110).count() <= 1, "{asked:?}");
    long.store.close().await?;
    // Short rows come in one page still.
    let Some(short) = long_rows(700, 10).await? else { return Ok(()) };
    is_so(&short.store.select(gathered(None)).await?, &short.rows.iter().collect::<Vec<_>>(), &[0, 1], "all");
    assert!(short.asked().len() <= 3);
    short.store.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_large_is_asked_for_in_pieces() -> Outcome {
    let Some(long) = long_rows(600, 100).await? else { return Ok(()) };
    let (all, ids): (Vec<&Row>, Vec<Id>) = (long.rows.iter().collect(), long.rows.iter().map(|row| row.0.clone()).collect());
    for most in [300, 60, 1] {
        long.most.store(most, Ordering::SeqCst);
        // One row at a time takes its time.
        let rows = if most == 1 { &all[..20] } else { &all[..] };
        let some = (most == 1).then_some(20);
        is_so(&long.store.select(gathered(some)).await?, rows, &[0, 1], "pages");
        is_so(&long.store.select(gathered(Some(rows.len()))).await?, rows, &[0, 1], "one page");
        let found = long.store.driver.fetch(&long.store.part, &ids[..rows.len()], &[0, 1]).await?;
        is_so(&found, rows, &[0, 1], "by id");
    }
    long.most.store(20, Ordering::SeqCst);
    let target = [33.0, 1.0, 0.0, 0.0];
    let near = long.store.near(2, &target, 10, true, Filter::all()).await?;
    assert_eq!(near.ids, nearest_ids(&long.rows, 2, &target, Metric::L2, 10, |_| true), "the nearest");
    // What is too large alone stays an error, and is not asked for again and again.
    long.most.store(0, Ordering::SeqCst);
    long.asked();
    for (what, error) in [
        ("pages", long.store.select(gathered(None)).await.err()),
        ("by id", long.store.driver.fetch(&long.store.part, &ids, &[0, 1]).await.err()),
    ] {
        let error = error.ok_or_else(|| format!("{what}: rows"))?;
        assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{what}: {error:?}");
        assert!(long.asked().len() <= 20, "{what}");
    }
    long.most.store(usize::MAX, Ordering::SeqCst);
    long.store.close().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_too_busy_to_fill_a_new_field_is_given_up_in_time() -> Outcome {
    let Some(address) = address() else { return Ok(()) };
    let store = Store::open(Elasticsearch::url(&address).refresh(Refresh::BeforeSearch), &[number("number")]).await?;
    let rows: Vec<Row> = (0..700).map(|n| (Id::from(format!("{n:04}")), vec![Value::Int(n)])).collect();
    store.upsert(7, &rows).await?;
    // Rows of more than one request, of which the node takes none, or one in a while, or some.
    let (trouble, bulks) = (Trouble::default(), Arc::new(AtomicUsize::new(0)));
    let driver = Elasticsearch::url(relay(&address, trouble.clone())?).timeout(std::time::Duration::from_secs(2)).connect().await?;
    let specs = [number("number"), number("rank").defaulted(|| Value::Int(7)), number("stock").defaulted(|| Value::Int(8))];
    let newer = Arc::new(lay_out(&driver, "elasticsearch", &store.part.namespace, &specs)?);
    for (status, kind) in [(429, ErrorKind::Unavailable), (503, ErrorKind::Unavailable), (409, ErrorKind::Conflict)] {
        bulks.store(0, Ordering::SeqCst);
        let count = bulks.clone();
        trouble.is(move |request| {
            if !request.path().ends_with("/_bulk") {
                return Act::Pass;
            }
            count.fetch_add(1, Ordering::SeqCst);
            let lines = request.body().iter().filter(|byte| **byte == b'\n').count();
            let item = serde_json::json!({ "index": { "status": status } });
            Act::Answer(Answer::json(200, &serde_json::json!({ "items": vec![item; lines / 2] })))
        });
        let ensured = tokio::time::timeout(std::time::Duration::from_secs(20), driver.ensure(&newer)).await;
        let error = ensured.map_err(|_| format!("{status}: without end"))?.err().ok_or("it took place")?;
        assert_eq!((error.kind(), error.status(), error.field()), (kind, Status::Temporary, Some("rank")), "{error:?}");
        assert!((2..20).contains(&bulks.load(Ordering::SeqCst)), "{status}: {bulks:?} requests");
    }
    // A node that takes some rows and is busy in between gets on.
    bulks.store(0, Ordering::SeqCst);
    let count = bulks.clone();
    trouble.is(move |request| match request.path().ends_with("/_bulk") && count.fetch_add(1, Ordering::SeqCst) % 2 == 0 {
        true => {
            let lines = request.body().iter().filter(|byte| **byte == b'\n').count();
            Act::Answer(Answer::json(
                200,
                &serde_json::json!({ "items": vec![serde_json::json!({ "index": { "status": 429 } }); lines / 2] }),
            ))
        }
        false => Act::Pass,
    });
    assert_eq!(driver.ensure(&newer).await?.added, ["rank", "stock"]);
    let filled = Store { driver: driver.clone(), part: newer };
    let found = filled.select(SubQuery { columns: vec![1, 2], ..SubQuery::default() }).await?;
    assert!(found.len() == 700 && (0..700).all(|row| found.row(row) == [Value::Int(7), Value::Int(8)]));
    filled.close().await?;
    Ok(())
}
