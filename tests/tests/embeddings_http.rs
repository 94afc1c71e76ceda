//! The embedder over HTTP, against peers that are right, busy, slow, or wrong.
#![cfg(feature = "embeddings_http")]
#![allow(clippy::expect_used)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use heavenbase::embedding::{Embedder, EmbeddingsHttp};
use heavenbase::prelude::*;
use heavenbase::{ErrorKind, Result, Status};
use heavenbase_tests::peer::{Answer, Request, serve};
use serde_json::{Value as Json, json};

/// The vector that the peer gives for a text.
fn vector(text: &str) -> Vec<f32> {
    // The order of the letters counts: texts that differ have vectors that differ.
    let weighed = text.bytes().zip(1u16..).map(|(byte, place)| f32::from(byte) * f32::from(place));
    vec![text.len() as f32, weighed.sum::<f32>() / 8.0, 1.0]
}

/// A peer that answers by `answer`, which gets how many requests there were before.
fn peer(answer: impl Fn(usize, &Request) -> Answer + Send + Sync + 'static) -> (EmbeddingsHttp, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let address = serve(move |request| answer(count.fetch_add(1, Ordering::SeqCst), request)).expect("a port");
    let config = EmbeddingsHttp::new(format!("http://{address}/v1"), "tiny", 3).key("s3cret").timeout(Duration::from_secs(4));
    (config, asked)
}

fn texts(request: &Request) -> Vec<String> {
    let body = request.json().expect("JSON");
    body["input"].as_array().expect("a list").iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

fn entry(index: usize, text: &str) -> Json {
    json!({ "object": "embedding", "index": index, "embedding": vector(text) })
}

fn right(request: &Request) -> Answer {
    // In another order: the index says which text it is.
    let data: Vec<Json> = texts(request).iter().enumerate().rev().map(|(index, text)| entry(index, text)).collect();
    Answer::json(200, &json!({ "object": "list", "data": data, "model": "tiny", "usage": { "total_tokens": 1 } }))
}

async fn ask(config: EmbeddingsHttp, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
    config.connect()?.embed(texts).await
}

#[tokio::test]
async fn what_is_sent_is_the_common_request_and_answers_are_put_in_order() -> Result<()> {
    let (config, _) = peer(|_, request| {
        let body = request.json().expect("JSON");
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/embeddings"));
        assert_eq!(request.header("authorization"), Some("Bearer s3cret"));
        assert_eq!((&body["model"], body.as_object().map(|b| b.len())), (&json!("tiny"), Some(2)));
        right(request)
    });
    assert!(!format!("{config:?}").contains("s3cret"));
    assert_eq!(ask(config, &["a", "bcd", "é\n\"x"]).await?, [vector("a"), vector("bcd"), vector("é\n\"x")]);
    let (config, _) = peer(|_, request| {
        assert_eq!(request.json().expect("JSON")["dimensions"], 3);
        right(request)
    });
    let client = config.shortened().connect()?;
    assert_eq!(client.model(), "tiny (3 numbers)");
    assert_eq!(client.embed(&["a"]).await?, [vector("a")]);
    Ok(())
}

#[tokio::test]
async fn an_answer_without_indexes_is_in_order_already() -> Result<()> {
    let (config, _) = peer(|_, request| {
        let data: Vec<Json> = texts(request).iter().map(|text| json!({ "embedding": vector(text) })).collect();
        Answer::json(200, &json!({ "data": data }))
    });
    assert_eq!(ask(config, &["a", "bc"]).await?, [vector("a"), vector("bc")]);
    Ok(())
}

#[tokio::test]
async fn a_busy_service_is_waited_for_as_long_as_it_says() -> Result<()> {
    let times = Arc::new(Mutex::new(Vec::new()));
    let noted = times.clone();
    let (config, asked) = peer(move |n, request| {
        noted.lock().expect("no panic").push(Instant::now());
        match n {
            0 => Answer { status: 429, headers: vec![("retry-after", "1".into())], ..Answer::default() },
            1 => Answer { status: 503, ..Answer::default() },
            2 => Answer { status: 500, ..Answer::default() },
            _ => right(request),
        }
    });
    assert_eq!(ask(config, &["a"]).await?, [vector("a")]);
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    let times = times.lock().expect("no panic");
    let waited = times[1] - times[0];
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
    assert!(waited < Duration::from_secs(2), "what it says is not doubled: {waited:?}");
    Ok(())
}

#[tokio::test]
async fn times_without_end_are_no_panic() -> Result<()> {
    for seconds in [u64::MAX, i64::MAX.unsigned_abs()] {
        for timeout in [Duration::from_secs(4), Duration::MAX] {
            let busy = move || Answer { status: 429, headers: vec![("retry-after", seconds.to_string())], ..Answer::default() };
            let (config, asked) = peer(move |_, _| busy());
            let error = ask(config.timeout(timeout), &["a"]).await.expect_err("busy");
            assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Temporary), "{seconds} s: {error}");
            assert_eq!(asked.load(Ordering::SeqCst), 1, "{seconds} s are more than there are");
        }
    }
    let (config, _) = peer(|n, request| if n == 0 { Answer::of(503, "") } else { right(request) });
    let client = config.timeout(Duration::MAX).connect()?;
    assert_eq!(client.embed(&["a"]).await?, [vector("a")]);
    assert_eq!(client.patience().deadline, Duration::MAX);
    Ok(())
}

#[tokio::test]
async fn a_service_that_stays_busy_or_fails_is_given_up_in_time() {
    let (config, asked) = peer(|_, _| Answer { status: 429, headers: vec![("retry-after", "60".into())], ..Answer::default() });
    let started = Instant::now();
    let error = ask(config, &["a"]).await.expect_err("busy");
    assert_eq!((error.kind(), error.status(), error.detail("status")), (ErrorKind::Unavailable, Status::Temporary, Some("429")));
    assert_eq!(asked.load(Ordering::SeqCst), 1, "sixty seconds are more than there are");
    assert!(started.elapsed() < Duration::from_secs(1));

    let body = json!({ "error": { "message": "the text 'private' is bad", "type": "server_error", "code": null } });
    let (config, asked) = peer(move |_, _| Answer::json(500, &body));
    let error = ask(config, &["private"]).await.expect_err("it fails");
    assert_eq!((error.kind(), error.status(), error.detail("code")), (ErrorKind::Backend, Status::Temporary, Some("server_error")));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert!(!format!("{error:?}").contains("private"));

    let (config, asked) = peer(|_, _| Answer { status: 401, ..Answer::default() });
    let error = ask(config, &["a"]).await.expect_err("refused");
    assert_eq!((error.kind(), error.status()), (ErrorKind::PermissionDenied, Status::Permanent));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(!format!("{error:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_slow_service_is_not_waited_for_longer_than_asked() {
    let (config, _) = peer(|_, request| {
        std::thread::sleep(Duration::from_secs(3));
        right(request)
    });
    let started = Instant::now();
    let error = ask(config.timeout(Duration::from_millis(300)), &["a"]).await.expect_err("slow");
    assert_eq!((error.kind(), error.status()), (ErrorKind::Timeout, Status::Temporary));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn answers_that_cannot_be_are_errors() {
    let wrong: [(&str, fn(&[String]) -> String); 6] = [
        ("garbage", |_| "<html>".to_owned()),
        ("half", |_| r#"{"data": [{"index": 0, "embedding": [1.0, "#.to_owned()),
        ("null numbers", |_| r#"{"data": [{"index": 0, "embedding": [1.0, null, 2.0]}, {"index": 1, "embedding": [1, 2, 3]}]}"#.to_owned()),
        ("fewer", |texts| json!({ "data": [entry(0, &texts[0])] }).to_string()),
        ("one twice", |texts| json!({ "data": [entry(0, &texts[0]), entry(0, &texts[1])] }).to_string()),
        ("out of range", |texts| json!({ "data": [entry(0, &texts[0]), entry(2, &texts[1])] }).to_string()),
    ];
    for (what, body) in wrong {
        let (config, asked) = peer(move |_, request| Answer { status: 200, body: body(&texts(request)), ..Answer::default() });
        let error = ask(config, &["a", "b"]).await.expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Backend, "{what}: {error}");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{what}");
    }
    let (config, asked) = peer(|n, request| if n == 0 { Answer::default() } else { right(request) });
    assert_eq!(ask(config, &["a"]).await.ok(), Some(vec![vector("a")]), "a closed connection is tried again");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    let nowhere = EmbeddingsHttp::new("http://127.0.0.1:9/v1", "tiny", 3).retries(1).timeout(Duration::from_secs(2));
    assert_eq!(ask(nowhere, &["a"]).await.expect_err("nobody is there").kind(), ErrorKind::Unavailable);
    assert_eq!(EmbeddingsHttp::new("ftp://x", "tiny", 3).connect().err().map(|e| e.kind()), Some(ErrorKind::InvalidSchema));
}

#[derive(Layout)]
struct Shop {
    main: InMem,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Shop)]
struct Product {
    object_id: Id,
    title: String,
    #[compute(embed, from(title))]
    #[store(metric = "l2")]
    meaning: Option<Vector<3>>,
}

#[tokio::test]
async fn a_workspace_embeds_over_http_in_batches() -> Result<()> {
    let (config, asked) = peer(|_, request| right(request));
    let ws = Workspace::open(Shop { main: InMem::new() }).await?.with_embedder("default", config.max_texts(40).connect()?);
    ws.register::<Product>().await?;
    let product = |n: usize| Product { object_id: Id::from(format!("p{n:03}")), title: format!("product {n}"), meaning: None };
    ws.upsert_many(&(0..100).map(product).collect::<Vec<_>>()).await?;
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let best = ws.query::<Product>().near_text(Product::MEANING, "product 42", 1).select((Product::TITLE, SCORE)).all().await?;
    assert_eq!(best, [("product 42".to_owned(), Score(0.0))]);

    let (short, _) = peer(|_, request| {
        let data: Vec<Json> = texts(request).iter().map(|_| json!({ "embedding": [1.0, 2.0] })).collect();
        Answer::json(200, &json!({ "data": data }))
    });
    let ws = ws.with_embedder("default", short.connect()?);
    ws.register::<Product>().await?;
    let error = ws.upsert(&Product { title: "other".into(), ..product(1) }).await.expect_err("two numbers");
    assert_eq!((error.kind(), error.field(), error.detail("embedder")), (ErrorKind::Backend, Some("meaning"), Some("tiny")));
    assert_eq!(ws.get::<Product>("p001").await?.map(|p| p.title), Some("product 1".to_owned()));
    Ok(())
}
