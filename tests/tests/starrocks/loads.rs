//! Loads against a frontend and a backend of our own: what is sent, and every way in which it can go wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use heavenbase::capability::Placement;
use heavenbase::driver::{Driver, WriteMode};
use heavenbase::schema::Part;
use heavenbase::types::{LogicalType, Metric, Value};
use heavenbase::{ErrorKind, Status};
use heavenbase_tests::data::Spec;
use heavenbase_tests::peer::{Answer, How};
use heavenbase_tests::starrocks::Place;
use heavenbase_tests::starrocks::nodes::{Fault, Node, Nodes, loaded};
use serde_json::json;

use crate::common::{AUTHORIZATION, batch, part};

struct World {
    place: Place,
    nodes: Nodes,
    driver: Arc<dyn Driver>,
    part: Arc<Part>,
}

async fn world() -> Option<World> {
    let place = Place::make().await?;
    let nodes = Nodes::start(AUTHORIZATION, Some(place.pool.clone()));
    let driver = place.driver(Some(&nodes.frontend)).await;
    let specs = [
        Spec::new("title", LogicalType::TEXT, Placement::InlineColumn),
        Spec::new("price", LogicalType::Decimal { precision: 12, scale: 2 }, Placement::InlineColumn),
        Spec::new("spot", LogicalType::Vector(2), Placement::VectorIndex).ranked(Metric::L2),
    ];
    let part = part(&driver, &specs);
    driver.ensure(&part).await.unwrap();
    Some(World { place, nodes, driver, part })
}

fn row(id: &str, title: &str) -> (String, Vec<Value>) {
    let price = "1.5".parse().map(Value::Decimal).unwrap();
    (id.to_owned(), vec![Value::Text(title.to_owned()), price, Value::Vector([0.5f32, -2.0].into())])
}

impl World {
    async fn upsert(&self, version: i64, id: &str, title: &str) -> heavenbase::Result<heavenbase::driver::WriteReport> {
        let (id, values) = row(id, title);
        self.driver.write(&self.part, batch(WriteMode::Upsert, version, vec![(&id, values)])).await
    }

    async fn title(&self, id: &str) -> Option<String> {
        let page = self.driver.fetch(&self.part, &[id.into()], &[0]).await.unwrap();
        page.values.first().and_then(Value::as_text).map(str::to_owned)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_is_what_a_server_asks_for() {
    let Some(world) = world().await else { return };
    let long = "x".repeat(200);
    for id in ["a", long.as_str()] {
        assert_eq!(world.upsert(7, id, "it's \\ \u{1f600}\n").await.unwrap(), Default::default());
        let seen = world.nodes.seen();
        let [(Node::Frontend, asked), (Node::Backend, sent)] = seen.as_slice() else { panic!("{seen:?}") };
        assert!(asked.body().is_empty() && asked.target == sent.target.trim_end_matches('?'), "{asked:?}");
        assert_eq!(asked.header("label"), sent.header("label"));
        let rows = sent.json().unwrap();
        let object = rows[0].as_object().unwrap();
        assert_eq!((object["object_id"].as_str(), object["_hb_version"].as_i64()), (Some(id), Some(7)));
        assert_eq!((&object["title"], &object["price"]), (&json!("it's \\ \u{1f600}\n"), &json!("1.50")));
        assert!(object["_hb_key"].as_str().is_some_and(|key| key.len() <= 128));
        assert!(object.values().any(|value| *value == json!([0.5, -2.0])), "the vector is an array");
        assert_eq!(world.title(id).await.as_deref(), Some("it's \\ \u{1f600}\n"));
    }
    // Some columns of a row that is there.
    let patch = heavenbase::driver::WriteBatch {
        mode: WriteMode::Patch,
        version: 8,
        ids: vec!["a".into()],
        columns: vec![0],
        values: vec![Value::Text("new".into())],
        expected: vec![7],
    };
    world.driver.write(&world.part, patch.into()).await.unwrap();
    let seen = world.nodes.seen();
    let (_, sent) = seen.last().unwrap();
    assert_eq!(sent.header("partial_update"), Some("true"));
    assert_eq!(sent.header("columns"), Some("`_hb_key`,`object_id`,`_hb_version`,`title`"));
    let page = world.driver.fetch(&world.part, &["a".into()], &[0, 1]).await.unwrap();
    assert_eq!(page.values, [Value::Text("new".into()), "1.5".parse().map(Value::Decimal).unwrap()]);
    world.place.clear().await;
}

/// The rows that another process writes between our look and our load stay, and are reported.
#[tokio::test(flavor = "multi_thread")]
async fn a_newer_row_of_another_process_stays() {
    let Some(world) = world().await else { return };
    world.upsert(5, "a", "first").await.unwrap();
    let (pool, table) = (world.place.pool.clone(), world.part.table.clone());
    let handle = tokio::runtime::Handle::current();
    world.nodes.decide(move |node, _| {
        if node == Node::Backend {
            let text = format!("UPDATE `{table}` SET `_hb_version` = 9, `title` = 'theirs' WHERE `object_id` = 'a'");
            handle.block_on(sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&pool)).unwrap();
        }
        Fault::None
    });
    assert_eq!(world.upsert(7, "a", "ours").await.unwrap().stale, [(0, 9)]);
    assert_eq!(world.title("a").await.as_deref(), Some("theirs"));
    world.place.clear().await;
}

fn status(text: &str) -> Answer {
    Answer::json(200, &json!({ "Status": text, "Message": "Reason: the value 'secret' of column `x`. too many filtered rows" }))
}

fn redirect(to: &str) -> Answer {
    Answer { status: 307, headers: vec![("location", to.to_owned())], ..Answer::default() }
}

/// What a node can say instead, and what comes of it. Nothing is written, so nothing may be called written.
#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_has_a_kind_and_a_status() {
    use ErrorKind as K;
    use Node::{Backend, Frontend};
    use Status::{Permanent, Temporary, Unknown};
    let Some(world) = world().await else { return };
    let elsewhere = |path: &str| redirect(&format!("{}/{path}", world.nodes.backend));
    let filtered = |rows: usize| {
        let mut body: serde_json::Value = serde_json::from_str(&loaded("Success", 1).body).unwrap();
        body["NumberFilteredRows"] = rows.into();
        body["NumberLoadedRows"] = (1 - rows).into();
        Answer::json(200, &body)
    };
    let cases: Vec<(&str, Node, Answer, K, Status)> = vec![
        ("filtered rows", Backend, status("Fail"), K::InvalidValue, Permanent),
        ("refused by the frontend", Frontend, status("FAILED"), K::InvalidValue, Permanent),
        ("a row left out of a success", Backend, filtered(1), K::Backend, Unknown),
        ("another number of rows", Backend, loaded("Success", 2), K::Backend, Unknown),
        ("an unknown status", Backend, status("Whatever"), K::Backend, Unknown),
        ("no JSON", Backend, Answer::of(200, "<html>"), K::Backend, Unknown),
        ("JSON of something else", Backend, Answer::of(200, "[]"), K::Backend, Unknown),
        ("a success without a word", Backend, Answer::of(200, "{}"), K::Backend, Unknown),
        ("half an answer", Backend, loaded("Success", 1).sent(How::Half), K::Unavailable, Unknown),
        ("no HTTP", Backend, Answer::none().sent(How::Bytes(vec![0xff; 64])), K::Unavailable, Unknown),
        ("no answer", Backend, Answer::none(), K::Unavailable, Unknown),
        ("a backend that refuses us", Backend, Answer::of(401, ""), K::PermissionDenied, Permanent),
        ("a backend that fails", Backend, Answer::of(500, "secret"), K::Backend, Unknown),
        ("a second redirect", Backend, elsewhere("api/x/y/_stream_load"), K::Backend, Permanent),
        ("a frontend that refuses us", Frontend, Answer::of(401, ""), K::PermissionDenied, Permanent),
        ("no such address", Frontend, Answer::of(404, ""), K::Backend, Permanent),
        ("a success of the frontend", Frontend, Answer::of(200, "{}"), K::Backend, Permanent),
        ("garbage of the frontend", Frontend, Answer::of(200, "<html>"), K::Backend, Temporary),
        ("a redirect nowhere", Frontend, Answer::of(307, ""), K::Backend, Temporary),
        ("a redirect to no address", Frontend, redirect("::"), K::Backend, Temporary),
        ("a redirect to another protocol", Frontend, redirect("ftp://me:secret@host/api/a/b/_stream_load"), K::Backend, Temporary),
        ("a redirect to another path", Frontend, elsewhere("api/a/b/_other"), K::Backend, Permanent),
        ("a redirect to nobody", Frontend, redirect("http://127.0.0.1:9/api/a/b/_stream_load"), K::Unavailable, Temporary),
    ];
    for (name, at, answer, kind, known) in cases {
        world.nodes.decide(move |node, _| if node == at { Fault::Answers(answer.clone()) } else { Fault::None });
        let error = world.upsert(7, "a", "x").await.expect_err(name);
        assert_eq!((error.kind(), error.status()), (kind, known), "{name}: {error:?}");
        let said = format!("{error:?}");
        assert!(!said.contains("secret") && !said.contains("heavenbase:") && !said.contains("aGVhdm"), "{name}: {said}");
        let reached = world.nodes.seen().iter().any(|(node, _)| *node == Backend);
        assert!(at == Backend || !reached || name == "a redirect to another path", "{name}: the backend was asked");
        assert_eq!(world.title("a").await, None, "{name}");
    }
    world.nodes.decide(|_, _| Fault::None);
    assert_eq!(world.upsert(7, "a", "x").await.unwrap(), Default::default(), "the driver recovers");
    world.place.clear().await;
}

/// The load takes place, and the answer says something else, or nothing: its rows are looked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_load_whose_answer_was_lost_is_known_by_its_rows() {
    let Some(world) = world().await else { return };
    let answers = [
        Answer::none(),
        loaded("Success", 1).sent(How::Half),
        Answer::of(502, ""),
        Answer::of(200, "<html>"),
        loaded("Publish Timeout", 1),
        Answer::json(200, &json!({ "Status": "Label Already Exists", "ExistingJobStatus": "RUNNING" })),
        Answer::json(200, &json!({ "Status": "Fail", "Message": "[E1008]Reached timeout=1000ms" })),
    ];
    for (version, answer) in (10..).zip(answers) {
        let shown = format!("{answer:?}");
        world.nodes.decide(move |node, _| if node == Node::Backend { Fault::Lies(answer.clone()) } else { Fault::None });
        let title = format!("at {version}");
        assert_eq!(world.upsert(version, "a", &title).await.unwrap(), Default::default(), "{shown}");
        assert_eq!(world.title("a").await, Some(title), "{shown}");
    }
    world.place.clear().await;
}

/// A load that did not come through is sent again under its label; one that did is not done twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_load_is_sent_again_under_its_label() {
    let Some(world) = world().await else { return };
    let times = Arc::new(AtomicUsize::new(0));
    let count = times.clone();
    world.nodes.decide(move |node, _| match node {
        Node::Backend if count.fetch_add(1, Ordering::SeqCst) == 0 => Fault::Answers(Answer::none()),
        _ => Fault::None,
    });
    assert_eq!(world.upsert(7, "a", "x").await.unwrap(), Default::default());
    let labels: Vec<String> = world
        .nodes
        .seen()
        .iter()
        .filter(|(node, _)| *node == Node::Backend)
        .filter_map(|(_, r)| r.header("label").map(str::to_owned))
        .collect();
    assert!(labels.len() == 2 && labels[0] == labels[1], "{labels:?}");
    world.place.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_says_nothing_is_given_up() {
    let Some(place) = Place::make().await else { return };
    let nodes = Nodes::start(AUTHORIZATION, Some(place.pool.clone()));
    let starrocks =
        heavenbase::backends::StarRocks::url(place.url.clone()).stream_load(&nodes.frontend).statement_timeout(Duration::from_secs(2));
    let driver = heavenbase::backends::starrocks::over_another(starrocks, heavenbase_tests::starrocks::rewrite).await.unwrap();
    let part = part(&driver, &[Spec::new("title", LogicalType::TEXT, Placement::InlineColumn)]);
    driver.ensure(&part).await.unwrap();
    for (silent, known) in [(Node::Frontend, Status::Temporary), (Node::Backend, Status::Unknown)] {
        nodes.decide(move |node, _| {
            if node == silent { Fault::Answers(loaded("Success", 1).sent(How::Late(Duration::from_secs(6)))) } else { Fault::None }
        });
        let began = std::time::Instant::now();
        let error = driver.write(&part, batch(WriteMode::Upsert, 7, vec![("a", vec![Value::Null])])).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Timeout, known), "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    place.clear().await;
}
