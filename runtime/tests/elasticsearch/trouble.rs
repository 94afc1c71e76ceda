//! Servers that are down, busy, slow, wrong or half done.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use heavenbase::backends::elasticsearch::Refresh;
use heavenbase::backends::{Connect, Elasticsearch};
use heavenbase::driver::{Driver, SubQuery, WriteMode};
use heavenbase::schema::EntitySchema;
use heavenbase::types::{LogicalType, Value};
use heavenbase::{Error, ErrorKind, RowOutcome, Status};

use crate::common::{INLINE, Store, field, lay_out};

static ITEMS: EntitySchema = EntitySchema::new("items", &[field("number", LogicalType::INT, INLINE)]);

/// A server whose every answer the test decides: it gets the number of the request and its text, and answers with
/// bytes, or with nothing and a closed connection.
struct Fake {
    address: String,
    asked: Arc<AtomicUsize>,
}

fn fake(answer: impl Fn(usize, &str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Fake {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let (count, answer) = (asked.clone(), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), count, answer) = (stream, count.clone(), answer.clone()) else { return };
            std::thread::spawn(move || {
                while let Some(request) = read_request(&mut stream) {
                    match answer(count.fetch_add(1, Ordering::SeqCst), &request) {
                        Some(bytes) if stream.write_all(&bytes).is_ok() => {}
                        _ => return,
                    }
                }
            });
        }
    });
    Fake { address, asked }
}

fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok());
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                return Some(text);
            }
        }
        match stream.read(&mut chunk) {
            Ok(n) if n > 0 => bytes.extend_from_slice(&chunk[..n]),
            _ => return None,
        }
    }
}

fn http(status: u16, body: &str) -> Option<Vec<u8>> {
    Some(format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

fn root() -> Option<Vec<u8>> {
    http(200, r#"{"version":{"number":"8.19.9"}}"#)
}

/// What the root says to who connects; `answer` is asked for everything else.
fn node(answer: impl Fn(usize, &str) -> Option<Vec<u8>> + Send + Sync + 'static) -> Fake {
    fake(move |n, request| if request.starts_with("GET / ") { root() } else { answer(n, request) })
}

fn config(address: &str) -> Elasticsearch {
    Elasticsearch::url(address).timeout(Duration::from_secs(2)).retries(2).refresh(Refresh::Immediate)
}

async fn store(fake: &Fake) -> Store {
    let driver: Arc<dyn Driver> = config(&fake.address).connect().await.unwrap();
    let part = lay_out(&driver, &ITEMS, &"space".into());
    Store { driver, part }
}

async fn connect_error(config: Elasticsearch) -> Error {
    config.connect().await.err().expect("no server is there")
}

#[tokio::test]
async fn a_server_that_is_down_is_unavailable_for_now() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = connect_error(config(&format!("http://user:hunter2@{free}"))).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Temporary), "{error:?}");
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn encryption_needs_no_provider_of_the_process_and_plain_text_fails_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let (sender, first) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut start) = (stream.unwrap(), [0]);
            stream.read_exact(&mut start).unwrap();
            stream.write_all(&http(400, "plain text, as a server without TLS answers").unwrap()).unwrap();
            sender.send(start[0]).unwrap();
        }
    });
    let error = connect_error(config(&address).basic("user", "hunter2")).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Temporary), "{error:?}");
    assert_eq!(first.recv().unwrap(), 0x16, "a handshake of TLS, and nothing in plain text");
}

#[tokio::test]
async fn a_server_that_hangs_up_is_unavailable_and_reads_are_tried_again() {
    let silent = fake(|_, _| None);
    let error = connect_error(config(&silent.address)).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Temporary), "{error:?}");
    assert!(silent.asked.load(Ordering::SeqCst) >= 3, "asked, and twice again");
    let hiccup = fake(|n, _| if n < 2 { None } else { root() });
    config(&hiccup.address).connect().await.unwrap();
}

#[tokio::test]
async fn garbage_is_the_backends_error() {
    for body in ["", "<html>", "[]", "{\"version\":", "{\"version\":{\"number\":7}}"] {
        let odd = fake(move |_, _| http(200, body));
        let error = connect_error(config(&odd.address)).await;
        assert_eq!(error.kind(), ErrorKind::Backend, "{error:?}");
    }
    let noise = fake(|_, _| Some(b"\x16\x03\x01 not http at all\r\n\r\n".to_vec()));
    let error = connect_error(config(&noise.address)).await;
    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Backend), "{error:?}");
    let old = fake(|_, _| http(200, r#"{"version":{"number":"7.17.0"}}"#));
    assert_eq!(connect_error(config(&old.address)).await.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_silent_server_runs_into_the_deadline() {
    let silent = fake(|_, _| {
        std::thread::sleep(Duration::from_secs(20));
        None
    });
    let start = Instant::now();
    let error = connect_error(config(&silent.address).timeout(Duration::from_millis(300))).await;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Timeout, Status::Temporary), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn refused_credentials_are_said_and_not_repeated() {
    let seen = Arc::new(notes::Seen::default());
    let notes = seen.clone();
    let strict = fake(move |_, request| {
        notes.add(request);
        http(401, r#"{"error":{"type":"security_exception","reason":"unable to authenticate user [hunter2] with hunter2"},"status":401}"#)
    });
    for config in [
        config(&strict.address).basic("user", "hunter2"),
        config(&strict.address).api_key("hunter2"),
        config(&strict.address).bearer("hunter2"),
    ] {
        assert!(!format!("{config:?}").contains("hunter2"));
        let error = connect_error(config).await;
        assert_eq!((error.kind(), error.status()), (ErrorKind::PermissionDenied, Status::Permanent), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    let seen = seen.lines("authorization:");
    assert_eq!(seen, ["authorization: Basic dXNlcjpodW50ZXIy", "authorization: ApiKey hunter2", "authorization: Bearer hunter2"]);
}

/// What the fake server saw.
mod notes {
    use std::sync::Mutex;

    #[derive(Default)]
    pub struct Seen(Mutex<Vec<String>>);

    impl Seen {
        pub fn add(&self, request: &str) {
            self.0.lock().unwrap().push(request.to_owned());
        }

        pub fn lines(&self, start: &str) -> Vec<String> {
            let all = self.0.lock().unwrap();
            all.iter()
                .flat_map(|request| request.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect::<Vec<_>>())
                .collect()
        }
    }
}

const TWO_ABSENT: &str = r#"{"docs":[{"_id":"a","found":false},{"_id":"b","found":false}]}"#;

fn two_rows() -> Vec<(String, Vec<Value>)> {
    vec![("a".into(), vec![Value::Int(424_242)]), ("b".into(), vec![Value::Int(424_242)])]
}

#[tokio::test]
async fn half_a_bulk_says_which_half() {
    let half = r#"{"errors":true,"items":[{"create":{"_id":"a","status":201,"_seq_no":1,"_primary_term":1}},{"create":{"_id":"b","status":400,"error":{"type":"document_parsing_exception","reason":"Preview of field's value: '424242'"}}}]}"#;
    let node = node(move |_, request| http(200, if request.contains("_mget") { TWO_ABSENT } else { half }));
    let error = store(&node).await.write(WriteMode::Upsert, 1, two_rows()).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidValue, Status::Unknown), "{error:?}");
    assert_eq!((error.detail("id"), error.detail("rows written")), (Some("b"), Some("1 of 2")), "{error:?}");
    let refused = RowOutcome::Refused("Elasticsearch cannot index a value of this row".into());
    assert!(error.rows().eq([("a", &RowOutcome::Done), ("b", &refused)]), "{:?}", error.rows().collect::<Vec<_>>());
    assert_eq!(error.detail("row"), None, "a place in this batch is none in the caller's rows: {error:?}");
    assert!(!format!("{error:?}").contains("424242"), "{error:?}");
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_a_row_it_pushed_back_is_written_later() {
    let one_busy = r#"{"items":[{"create":{"status":201,"_seq_no":1,"_primary_term":1}},{"create":{"status":429,"error":{"type":"es_rejected_execution_exception"}}}]}"#;
    let written = r#"{"items":[{"create":{"status":201,"_seq_no":2,"_primary_term":1}}]}"#;
    let bulks = AtomicUsize::new(0);
    let node = node(move |_, request| {
        if request.contains("_mget") {
            return http(200, if request.contains("\"a\"") { TWO_ABSENT } else { r#"{"docs":[{"_id":"b","found":false}]}"# });
        }
        match bulks.fetch_add(1, Ordering::SeqCst) {
            0 => http(429, r#"{"error":{"type":"es_rejected_execution_exception"}}"#),
            1 => http(200, one_busy),
            _ if request.contains("\"a\"") => None,
            _ => http(200, written),
        }
    });
    let report = store(&node).await.write(WriteMode::Upsert, 1, two_rows()).await.unwrap();
    assert_eq!(report, heavenbase::driver::WriteReport::default());
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_has_an_unknown_outcome_and_is_sent_once() {
    let bulks = Arc::new(AtomicUsize::new(0));
    for answer in [None, http(200, "{\"items\":["), http(200, r#"{"items":[]}"#), http(502, "bad gateway"), http(500, "{}")] {
        bulks.store(0, Ordering::SeqCst);
        let (count, shown) = (bulks.clone(), answer.as_ref().map(|a| String::from_utf8_lossy(a).into_owned()));
        let node = node(move |_, request| {
            if request.contains("_mget") {
                return http(200, TWO_ABSENT);
            }
            count.fetch_add(1, Ordering::SeqCst);
            answer.clone()
        });
        let error = store(&node).await.write(WriteMode::Upsert, 1, two_rows()).await.unwrap_err();
        assert_eq!(error.status(), Status::Unknown, "{shown:?}: {error:?}");
        assert_eq!(bulks.load(Ordering::SeqCst), 1, "{shown:?}");
    }
}

#[tokio::test]
async fn a_search_that_lacks_a_shard_is_no_answer() {
    for body in [
        r#"{"timed_out":true,"_shards":{"failed":0},"hits":{"hits":[]}}"#,
        r#"{"timed_out":false,"_shards":{"failed":1},"hits":{"hits":[]}}"#,
        r#"{"timed_out":false,"_shards":{"failed":0}}"#,
        "not json",
    ] {
        let node = node(move |_, _| http(200, body));
        let query = SubQuery { limit: Some(1), ..SubQuery::default() };
        let error = store(&node).await.run(query).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Backend), "{error:?}");
    }
    let value = r#"{"_shards":{"failed":0},"hits":{"hits":[{"fields":{"hb.id":["a"],"hb.version":[1],"f.number":["secret"]}}]}}"#;
    let version = r#"{"_shards":{"failed":0},"hits":{"hits":[{"fields":{"hb.id":["secret"],"f.number":[1]}}]}}"#;
    for (wrong, field) in [(value, Some("number")), (version, None)] {
        let node = node(move |_, _| http(200, wrong));
        let error = store(&node).await.run(SubQuery { columns: vec![0], limit: Some(1), ..SubQuery::default() }).await.unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Corrupt, field), "{error:?}");
        assert!(!format!("{error:?}").contains("secret"));
    }
}

#[tokio::test]
async fn dropping_a_query_closes_its_connection() {
    let (sender, closed) = std::sync::mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, sender) = (stream.unwrap(), sender.clone());
            std::thread::spawn(move || {
                while let Some(request) = read_request(&mut stream) {
                    if request.starts_with("GET / ") {
                        stream.write_all(&root().unwrap()).unwrap();
                        continue;
                    }
                    // No answer: the next read ends when the client hangs up.
                    assert!(read_request(&mut stream).is_none());
                    sender.send(()).unwrap();
                    return;
                }
            });
        }
    });
    let driver = config(&address).timeout(Duration::from_secs(30)).connect().await.unwrap();
    let part = lay_out(&driver, &ITEMS, &"space".into());
    let mut stream = driver.open(part, Arc::new(SubQuery { limit: Some(1), ..SubQuery::default() })).unwrap();
    tokio::time::timeout(Duration::from_millis(200), stream.next_page()).await.unwrap_err();
    drop(stream);
    let closed = tokio::task::spawn_blocking(move || closed.recv_timeout(Duration::from_secs(5))).await.unwrap();
    assert!(closed.is_ok(), "the server still holds the connection");
}
