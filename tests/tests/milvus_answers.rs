//! Answers of Milvus that are gRPC and messages of its, and wrong: a peer gives them. None of them is a panic, a row that is not
//! there, no rows where there may be some, or a write that is taken for done; what an error says of the outcome is true.
#![cfg(feature = "milvus")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use heavenbase::backends::{Connect, Milvus};
use heavenbase::capability::Placement;
use heavenbase::driver::{Aggregate, AggregateFunction, Measure, WriteMode};
use heavenbase::filter::{Condition, Filter, Test};
use heavenbase::types::{Id, LogicalType, Metric, Value};
use heavenbase::{Error, ErrorKind, Status};
use heavenbase_tests::data::Spec;
use heavenbase_tests::peer::{Line, Said, Then, Way, serve_grpc};
use heavenbase_tests::store::{Row, Store, number, vector};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const DEADLINE: Duration = Duration::from_millis(1_500);
const SECRET: &str = "hunter2";

/// A message field of bytes.
fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![tag << 3 | 2];
    varint(bytes.len() as u64, &mut field);
    [field, bytes.to_vec()].concat()
}

/// A message field of a number.
fn count(tag: u8, number: i64) -> Vec<u8> {
    let mut field = vec![tag << 3];
    varint(number as u64, &mut field);
    field
}

fn varint(mut number: u64, into: &mut Vec<u8>) {
    while number > 127 {
        into.push(number as u8 | 128);
        number >>= 7;
    }
    into.push(number as u8);
}

/// A status of these codes with a text that repeats what nobody is to see.
fn status(code: i64, old: i64) -> Vec<u8> {
    field(1, &[count(1, old), field(2, SECRET.as_bytes()), count(3, code)].concat())
}

/// A field of an answer whose scalars lie at a tag: 1 truth values, 2 numbers of 32 bits, 3 of 64, 6 texts.
fn scalars(name: &str, tag: u8, array: &[u8]) -> Vec<u8> {
    [field(2, name.as_bytes()), field(3, &field(tag, array))].concat()
}

fn numbers(name: &str, numbers: &[i64]) -> Vec<u8> {
    let mut packed = Vec::new();
    numbers.iter().for_each(|number| varint(*number as u64, &mut packed));
    scalars(name, 3, &field(1, &packed))
}

fn texts(name: &str, texts: &[&str]) -> Vec<u8> {
    scalars(name, 6, &texts.iter().flat_map(|text| field(1, text.as_bytes())).collect::<Vec<u8>>())
}

fn flags(name: &str, flags: &[u8]) -> Vec<u8> {
    scalars(name, 1, &field(1, flags))
}

fn floats(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn vectors(name: &str, length: i64, numbers: &[f32]) -> Vec<u8> {
    [field(2, name.as_bytes()), field(4, &[count(1, length), field(2, &field(1, &floats(numbers)))].concat())].concat()
}

/// The answer to a query: a status, and fields at tag 2.
fn rows(fields: &[Vec<u8>]) -> Said {
    Said::Message([field(1, &[]), fields.iter().flat_map(|one| field(2, one)).collect()].concat())
}

/// The answer to a search: fields at tag 3, scores, ids.
fn hits(fields: &[Vec<u8>], scores: &[f32], ids: Vec<u8>) -> Said {
    let data: Vec<u8> = fields.iter().flat_map(|one| field(3, one)).collect();
    Said::Message([field(1, &[]), field(2, &[data, field(4, &floats(scores)), field(5, &ids)].concat())].concat())
}

fn text_ids(ids: &[&str]) -> Vec<u8> {
    field(2, &ids.iter().flat_map(|id| field(1, id.as_bytes())).collect::<Vec<u8>>())
}

/// What a call wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Version,
    Rows,
    Count,
    Search,
    Write,
    Segments,
}

impl Call {
    fn of(message: &[u8]) -> Call {
        let holds = |word: &str| message.windows(word.len()).any(|some| some == word.as_bytes());
        match message {
            [] => Call::Version,
            _ if holds("anns_field") => Call::Search,
            _ if holds("count(*)") => Call::Count,
            _ if holds("reduce_stop_for_best") => Call::Rows,
            _ if holds("_hb_version") || holds("object_id in") => Call::Write,
            _ => Call::Segments,
        }
    }
}

/// A store of this driver before a peer, and what the peer says where it does not say what it should.
struct Peer {
    store: Store,
    says: Arc<Mutex<Box<dyn FnMut(Call) -> Option<Said> + Send>>>,
    asked: Arc<AtomicUsize>,
}

impl Peer {
    async fn start(metric: Metric, deadline: Duration) -> Outcome<Peer> {
        let says: Arc<Mutex<Box<dyn FnMut(Call) -> Option<Said> + Send>>> = Arc::new(Mutex::new(Box::new(|_| None)));
        let (asked, said) = (Arc::new(AtomicUsize::new(0)), says.clone());
        let counted = asked.clone();
        let address = serve_grpc(move |message| {
            let call = Call::of(message);
            counted.fetch_add(1, Ordering::SeqCst);
            let wrong = said.lock().unwrap_or_else(PoisonError::into_inner)(call);
            wrong.unwrap_or_else(|| right(call))
        })?;
        let driver = Milvus::url(address).token(SECRET).retries(2).timeout(deadline).connect().await?;
        let text = Spec::new("text", LogicalType::Text { max: 100_000 }, Placement::InlineColumn);
        let store = Store::planned(driver, "milvus", &[number("number"), text, vector("near", 2, metric)])?;
        Ok(Peer { store, says, asked })
    }

    fn is(&self, says: impl FnMut(Call) -> Option<Said> + Send + 'static) {
        *self.says.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(says);
        self.asked.store(0, Ordering::SeqCst);
    }

    /// Says this to one kind of call.
    fn says(&self, to: Call, said: Said) {
        self.is(move |call| (call == to).then(|| said.clone()));
    }

    async fn read(&self) -> heavenbase::Result<usize> {
        self.store.all().await.map(|page| page.len())
    }

    async fn counted(&self) -> heavenbase::Result<Value> {
        let measures = vec![Measure { function: AggregateFunction::Count, column: None }];
        let query = Aggregate { filter: Filter::all(), ids: None, keys: Vec::new(), measures };
        let groups = self.store.driver.aggregate(&self.store.part, &query).await?;
        Ok(groups[0].measures[0].clone())
    }

    async fn search(&self) -> heavenbase::Result<Vec<(Id, f64)>> {
        let page = self.store.near(2, &[0.0, 1.0], 2, false, Filter::all()).await?;
        Ok(page.ids.iter().cloned().zip(page.scores.iter().copied()).collect())
    }
}

/// Two rows.
const IDS: &[&str] = &["a", "b"];

fn fields() -> Vec<Vec<u8>> {
    vec![
        texts("object_id", IDS),
        numbers("_hb_version", &[1, 1]),
        numbers("number", &[1, 2]),
        flags("_hb_has_number", &[1, 1]),
        texts("text", &["x", "y"]),
        flags("_hb_has_text", &[1, 0]),
        vectors("near", 2, &[1.0, 0.0, 0.0, 1.0]),
        flags("_hb_has_near", &[1, 1]),
        [field(2, b"_hb_more"), field(3, &field(8, &[field(1, &field(6, &[])), field(1, &field(6, &[]))].concat()))].concat(),
    ]
}

/// The fields with another in the place of the one of its name.
fn with(name: &str, other: Vec<u8>) -> Vec<Vec<u8>> {
    let name = field(2, name.as_bytes());
    fields().into_iter().map(|one| if one.starts_with(&name) { other.clone() } else { one }).collect()
}

/// What a server says.
fn right(call: Call) -> Said {
    match call {
        Call::Version => Said::Message([field(1, &[]), field(2, b"v2.3.5")].concat()),
        Call::Rows => rows(&fields()),
        Call::Count => rows(&[numbers("count(*)", &[2])]),
        Call::Search => hits(&[numbers("_hb_version", &[1, 1]), vectors("near", 2, &[1.0, 0.0, 0.0, 1.0])], &[0.0, 1.0], text_ids(IDS)),
        Call::Write | Call::Segments => Said::Message(field(1, &[])),
    }
}

/// What is wrong whatever is asked: its name, the answer, the kind, and the status of a read and of a write.
fn wrongs() -> Vec<(&'static str, Said, ErrorKind, Status, Status)> {
    use ErrorKind::{Backend, LimitExceeded, NotRegistered, PermissionDenied, Storage, Timeout, Unavailable};
    use Status::{Permanent, Temporary, Unknown};
    let of = |code, old| Said::Message(status(code, old));
    let framed = |length: u32, rest: &[u8]| Said::Framed([&[0][..], &length.to_be_bytes(), rest].concat());
    vec![
        ("an empty message", Said::Message(Vec::new()), Backend, Temporary, Unknown),
        ("a limited rate", of(8, 49), Unavailable, Temporary, Temporary),
        ("a limited rate of old", of(0, 49), Unavailable, Temporary, Temporary),
        ("no memory", of(3, 52), Storage, Permanent, Permanent),
        ("a failure inside", of(5, 1), Backend, Temporary, Unknown),
        ("an unexpected error", of(65_535, 1), Backend, Permanent, Unknown),
        ("an unexpected error of old", of(0, 1), Backend, Permanent, Unknown),
        ("a wrong parameter", of(1_100, 5), Backend, Permanent, Permanent),
        ("a code of nobody", of(i64::from(i32::MIN), 0), Backend, Permanent, Unknown),
        ("a deadline inside", of(10_001, 1), Timeout, Temporary, Unknown),
        ("no collection", of(100, 4), NotRegistered, Permanent, Permanent),
        ("no permission", of(1_401, 3), PermissionDenied, Permanent, Permanent),
        ("no message", Said::Framed(Vec::new()), Backend, Temporary, Unknown),
        ("half a message", framed(9, b"half"), Backend, Temporary, Unknown),
        ("a length of 4 GB", framed(u32::MAX, b"x"), LimitExceeded, Permanent, Unknown),
        ("a compressed message", Said::Framed(vec![1, 0, 0, 0, 1, 9]), Backend, Temporary, Unknown),
        ("no protobuf", Said::Message(vec![0xff; 64]), Backend, Temporary, Unknown),
        ("a field of another type", Said::Message(count(1, 7)), Backend, Temporary, Unknown),
        ("a length beyond the end", Said::Message(vec![0x0a, 0xff, 0xff, 0xff, 0x7f]), Backend, Temporary, Unknown),
        ("a rate by gRPC", Said::Code(8, SECRET), Unavailable, Temporary, Temporary),
        ("unavailable", Said::Code(14, SECRET), Unavailable, Temporary, Unknown),
        ("an argument by gRPC", Said::Code(3, SECRET), Backend, Temporary, Unknown),
        ("a code of gRPC that is none", Said::Code(99, SECRET), Backend, Temporary, Unknown),
        ("no answer", Said::Nothing, Timeout, Temporary, Unknown),
        ("hung up", Said::Gone, Unavailable, Temporary, Unknown),
    ]
}

fn is(said: &str, error: Option<Error>, kind: ErrorKind, status: Status) -> Outcome {
    let error = error.ok_or_else(|| format!("{said}: taken"))?;
    assert_eq!(error.kind(), kind, "{said}: {error:?}");
    assert_eq!(error.status(), status, "{said}: {error:?}");
    assert!(!format!("{error:?} {error}").contains(SECRET), "{said}: {error:?}");
    Ok(())
}

fn row(n: i64, text: usize) -> Row {
    (Id::from(format!("r{n:04}")), vec![Value::Int(n), Value::Text("x".repeat(text)), Value::Vector([1.0, n as f32].into())])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_answer_is_an_error_whose_status_is_true() -> Outcome {
    let peer = Peer::start(Metric::L2, DEADLINE).await?;
    assert_eq!(peer.read().await?, 2);
    assert_eq!(peer.counted().await?, Value::Int(2));
    assert_eq!(peer.search().await?.len(), 2);
    let batch: Vec<Row> = (0..3).map(|n| row(n, 3)).collect();
    peer.store.write(WriteMode::Upsert, 2, &batch).await?;
    for (what, said, kind, reads, writes) in wrongs() {
        let start = Instant::now();
        peer.says(Call::Rows, said.clone());
        is(&format!("a read, {what}"), peer.read().await.err(), kind, reads)?;
        is(&format!("before a write, {what}"), peer.store.write(WriteMode::Upsert, 2, &batch).await.err(), kind, reads)?;
        peer.says(Call::Count, said.clone());
        is(&format!("a count, {what}"), peer.counted().await.err(), kind, reads)?;
        peer.says(Call::Write, said.clone());
        is(&format!("a write, {what}"), peer.store.write(WriteMode::Upsert, 2, &batch).await.err(), kind, writes)?;
        peer.says(Call::Version, said.clone());
        is(&format!("health, {what}"), peer.store.driver.health().await.err(), kind, reads)?;
        assert!(start.elapsed() < 5 * (DEADLINE + Duration::from_millis(300)), "{what}: {:?}", start.elapsed());
        // A search that is too large compares all rows; what else is wrong is said.
        peer.says(Call::Search, said);
        match kind {
            ErrorKind::LimitExceeded => assert_eq!(peer.search().await?.len(), 2, "{what}"),
            _ => is(&format!("a search, {what}"), peer.search().await.err(), kind, reads)?,
        }
        peer.is(|_| None);
        assert_eq!((peer.read().await?, peer.search().await?.len()), (2, 2), "{what}: afterwards");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_do_not_fit_together_are_corrupt() -> Outcome {
    let peer = Peer::start(Metric::L2, DEADLINE).await?;
    let without = |name: &str| with(name, texts("another", IDS));
    let list = |name: &str, tag| scalars(name, tag, &field(1, &[1, 2]));
    for (what, wrong) in [
        ("three ids", with("object_id", texts("object_id", &["a", "b", "c"]))),
        ("one id", with("object_id", texts("object_id", &["a"]))),
        ("no ids", without("object_id")),
        ("ids of numbers", with("object_id", numbers("object_id", &[1, 2]))),
        ("ids of 32 bits alone", vec![list("object_id", 2)]),
        ("no versions", without("_hb_version")),
        ("versions of texts", with("_hb_version", texts("_hb_version", IDS))),
        ("numbers of texts", with("number", texts("number", IDS))),
        ("numbers of 32 bits", with("number", list("number", 2))),
        ("numbers as bytes", with("number", list("number", 7))),
        ("numbers of a type that nobody knows", with("number", list("number", 15))),
        ("one number", with("number", numbers("number", &[1]))),
        ("flags of numbers", with("_hb_has_text", numbers("_hb_has_text", &[1, 0]))),
        ("no flags", without("_hb_has_text")),
        ("longer vectors", with("near", vectors("near", 3, &[0.0; 6]))),
        ("vectors of no length", with("near", vectors("near", 0, &[0.0, 1.0]))),
        ("vectors of a negative length", with("near", vectors("near", i64::MIN, &[0.0, 1.0]))),
        ("endless vectors", with("near", vectors("near", i64::MAX, &[0.0, 1.0]))),
        ("half a vector more", with("near", vectors("near", 2, &[0.0, 1.0, 0.0, 1.0, 1.0]))),
        ("a vector of no number", with("near", vectors("near", 2, &[0.0, f32::NAN, 0.0, 1.0]))),
        ("an endless vector", with("near", vectors("near", 2, &[0.0, f32::INFINITY, 0.0, 1.0]))),
        ("texts for vectors", with("near", texts("near", IDS))),
    ] {
        peer.says(Call::Rows, rows(&wrong));
        is(what, peer.read().await.err(), ErrorKind::Corrupt, Status::Permanent)?;
    }
    for (what, wrong) in [
        ("no count", Vec::new()),
        ("a negative count", vec![numbers("count(*)", &[-5])]),
        ("a count in words", vec![texts("count(*)", &["2"])]),
        ("an empty count", vec![numbers("count(*)", &[])]),
    ] {
        peer.says(Call::Count, rows(&wrong));
        is(what, peer.counted().await.err(), ErrorKind::Corrupt, Status::Permanent)?;
    }
    // No rows are no error.
    peer.says(Call::Rows, rows(&[]));
    assert_eq!(peer.read().await?, 0);
    Ok(())
}

/// A server that gives the same page whatever it is asked after would be read for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_begins_anew_is_not_read_for_ever() -> Outcome {
    let peer = Peer::start(Metric::L2, DEADLINE).await?;
    let many: Vec<String> = (0..5_000).map(|n| format!("{n:05}")).collect();
    let ids: Vec<&str> = many.iter().map(String::as_str).collect();
    let same = rows(&[texts("object_id", &ids), numbers("_hb_version", &vec![1; ids.len()])]);
    peer.says(Call::Rows, same);
    let read = tokio::time::timeout(Duration::from_secs(20), peer.store.select(heavenbase::driver::SubQuery::default())).await;
    is("the same again", read?.err(), ErrorKind::Corrupt, Status::Permanent)
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_that_do_not_fit_together_are_corrupt_and_no_number_is_best() -> Outcome {
    let version = || numbers("_hb_version", &[1, 1]);
    for metric in [Metric::L2, Metric::Cosine] {
        let peer = Peer::start(metric, DEADLINE).await?;
        let told = metric == Metric::Cosine;
        let near = |numbers: &[f32]| vectors("near", 2, numbers);
        let good = near(&[1.0, 0.0, 0.0, 1.0]);
        let int_ids = field(1, &field(1, &[1, 2]));
        let mut wrong = vec![
            ("ids of numbers", hits(&[version(), good.clone()], &[0.0, 1.0], int_ids.clone())),
            ("ids of numbers alone", hits(&[], &[], int_ids)),
            ("fewer ids", hits(&[version(), good.clone()], &[0.0, 1.0], text_ids(&["a"]))),
            ("no ids", hits(&[version(), good.clone()], &[0.0, 1.0], Vec::new())),
            ("no versions", hits(std::slice::from_ref(&good), &[0.0, 1.0], text_ids(IDS))),
        ];
        if told {
            wrong.push(("fewer scores", hits(&[version()], &[1.0], text_ids(IDS))));
            wrong.push(("more scores", hits(&[version()], &[1.0, 0.0, 0.5], text_ids(IDS))));
        } else {
            wrong.push(("no vectors", hits(&[version()], &[0.0, 1.0], text_ids(IDS))));
            wrong.push(("longer vectors", hits(&[version(), vectors("near", 3, &[0.0; 6])], &[0.0, 1.0], text_ids(IDS))));
            wrong.push(("vectors of no number", hits(&[version(), near(&[f32::NAN, 0.0, 0.0, 1.0])], &[0.0, 1.0], text_ids(IDS))));
        }
        for (what, said) in wrong {
            peer.says(Call::Search, said);
            is(&format!("{metric:?}, {what}"), peer.search().await.err(), ErrorKind::Corrupt, Status::Permanent)?;
        }
        // What a score that is no number is worth, the vectors tell.
        for scores in [[f32::NAN, 1.0], [f32::INFINITY, 1.0], [f32::NEG_INFINITY, f32::NAN]] {
            let good = good.clone();
            peer.is(move |call| (call == Call::Search).then(|| hits(&[version(), good.clone()], &scores, text_ids(IDS))));
            let found = peer.search().await?;
            assert!(found[0].0.as_str() == "b" && found.iter().all(|hit| hit.1.is_finite()), "{metric:?}, {scores:?}: {found:?}");
        }
        // A search that found nothing of what is there is not believed.
        peer.says(Call::Search, hits(&[], &[], Vec::new()));
        assert_eq!(peer.search().await?.len(), 2, "{metric:?}");
        // Segments of no or of endless rows: only whether the index is asked hangs on them.
        for rows in [i64::MIN, -1, i64::MAX] {
            let segment = field(2, &[count(5, rows), count(7, 1)].concat());
            peer.says(Call::Segments, Said::Message([field(1, &[]), segment.clone(), segment].concat()));
            let driver = peer.store.driver.as_any().downcast_ref::<heavenbase::backends::milvus::MilvusDriver>().ok_or("another driver")?;
            driver.is_indexed(&peer.store.part, "near").await;
            peer.store.near(2, &[0.0, 1.0], 2, false, Test::new("number", Condition::Eq(Value::Int(1))).into()).await?;
        }
    }
    Ok(())
}

/// A batch of several requests, of which a later one is refused: whatever that one says of itself, the first ones took place.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_which_a_later_request_is_refused_may_have_taken_place() -> Outcome {
    let peer = Peer::start(Metric::L2, Duration::from_secs(60)).await?;
    let large: Vec<Row> = (0..600).map(|n| row(n, 30_000)).collect();
    for (what, said, kind, _, writes) in wrongs().into_iter().filter(|wrong| !matches!(wrong.1, Said::Nothing)) {
        for refused in 0..3 {
            let (said, mut writing) = (said.clone(), 0);
            peer.is(move |call| {
                writing += usize::from(call == Call::Write);
                (call == Call::Write && writing > refused).then(|| said.clone())
            });
            let error = peer.store.write(WriteMode::Upsert, 2, &large).await.err();
            let status = if refused == 0 { writes } else { Status::Unknown };
            is(&format!("request {refused}, {what}"), error, kind, status)?;
        }
    }
    // One that says itself that it left rows out.
    let partly = [field(1, &[]), field(4, &[1])].concat();
    peer.says(Call::Write, Said::Message(partly));
    let error = peer.store.write(WriteMode::Upsert, 2, &large[..3]).await.err();
    is("half a bulk", error, ErrorKind::Backend, Status::Unknown)
}

/// The same with a real server: the line is cut within the batch, and the batch written again is whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_line_is_cut_between_its_requests_is_made_good() -> Outcome {
    let Ok(address) = std::env::var("HEAVENBASE_TEST_MILVUS") else {
        eprintln!("not run: HEAVENBASE_TEST_MILVUS is not set");
        return Ok(());
    };
    let text = Spec::new("text", LogicalType::Text { max: 100_000 }, Placement::InlineColumn);
    let calm = Store::open(Milvus::url(&address), &[number("number"), text, vector("near", 2, Metric::L2)]).await?;
    let line = Line::to(&address)?;
    let through = Milvus::url(format!("http://{}", line.address)).token(SECRET).retries(2).timeout(Duration::from_secs(10));
    let store = calm.through(through.connect().await?);
    let batch: Vec<Row> = (0..600).map(|n| row(n, 30_000)).collect();
    line.listens();
    store.write(WriteMode::Upsert, 1, &batch).await?;
    let sent = line.heard().bytes(Way::There);
    for (version, part) in [(2, 50), (3, 75), (4, 95)] {
        line.is_cut_after(Way::There, sent * part / 100, Then::Cut);
        let start = Instant::now();
        let error = store.write(WriteMode::Upsert, version, &batch).await.err();
        is(&format!("cut after {part} of 100"), error, ErrorKind::Unavailable, Status::Unknown)?;
        assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
        let there = calm.all().await?;
        let new = there.versions.iter().filter(|found| **found == version).count();
        assert!(there.len() == batch.len() && new > 0 && new < batch.len(), "{part}: {new} of {}", there.len());
        line.is_mended();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let report = store.write(WriteMode::Upsert, version, &batch).await?;
        // Those that the first time wrote are met again.
        assert!(report.missing.is_empty() && report.stale.iter().all(|stale| stale.1 == version), "{part}: {report:?}");
        let there = calm.all().await?;
        assert!(there.versions.iter().all(|found| *found == version), "{part}: half a batch stays");
        assert!((0..batch.len()).all(|at| there.row(at) == batch[at].1), "{part}: other values");
    }
    calm.close().await?;
    Ok(())
}
