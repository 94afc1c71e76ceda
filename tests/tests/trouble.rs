//! Services that are down, slow, busy, wrong, or gone in the middle: the same on every driver over HTTP, and over gRPC. What a
//! caller sees is a typed error in time, with a status that is true, and the same batch written again makes it good.
#![cfg(any(feature = "elasticsearch", feature = "chroma", feature = "pinecone", feature = "milvus"))]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use heavenbase::driver::{Driver, SubQuery, WriteMode};
use heavenbase::types::{Id, LogicalType, Metric, Value};
use heavenbase::{ErrorKind, Status};
use heavenbase_tests::data::Spec;
use heavenbase_tests::peer::{Act, Answer, How, Trouble};
use heavenbase_tests::store::{Row, Store, number, vector};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// What an operation may take, and how often a request is tried again.
const DEADLINE: Duration = Duration::from_millis(1_500);
const RETRIES: u32 = 2;
/// How long a driver whose reads lag looks for what may have been written.
#[cfg(feature = "pinecone")]
const DOUBT: Duration = Duration::from_millis(300);
const SECRET: &str = "hunter2";

/// A driver with what may go wrong between it and its service, and one without.
struct Service {
    name: &'static str,
    /// Through which trouble comes.
    store: Store,
    /// The same part, undisturbed.
    calm: Store,
    trouble: Trouble,
    /// Where rows are written.
    writes: &'static str,
}

fn specs() -> Vec<Spec> {
    let text = Spec::new("text", LogicalType::Text { max: 100_000 }, heavenbase::capability::Placement::InlineColumn);
    vec![number("number"), text, vector("near", 2, Metric::L2)]
}

fn row(n: i64, text: usize) -> Row {
    (Id::from(format!("r{n:04}")), vec![Value::Int(n), Value::Text("x".repeat(text)), Value::Vector([1.0, n as f32].into())])
}

fn address(variable: &str) -> Option<String> {
    let address = std::env::var(variable).ok();
    if address.is_none() {
        eprintln!("not run: {variable} is not set");
    }
    address
}

/// Every service over HTTP that is there, with so much time for an operation.
async fn services(deadline: Duration) -> Outcome<Vec<Service>> {
    use heavenbase::backends::Connect;
    let mut services = Vec::new();
    let mut add = async |name: &'static str, calm: Arc<dyn Driver>, driver: Arc<dyn Driver>, trouble, writes| -> Outcome {
        let calm = Store::over(calm, name, &specs()).await?;
        services.push(Service { name, store: calm.through(driver), calm, trouble, writes });
        Ok(())
    };
    #[cfg(feature = "elasticsearch")]
    if let Some(address) = address("HEAVENBASE_TEST_ELASTICSEARCH") {
        use heavenbase::backends::elasticsearch::{Elasticsearch, Refresh};
        let trouble = Trouble::default();
        let calm = Elasticsearch::url(&address).refresh(Refresh::Immediate).connect().await?;
        let through = Elasticsearch::url(heavenbase_tests::peer::relay(&address, trouble.clone())?).basic("user", SECRET);
        let through = through.refresh(Refresh::Immediate).retries(RETRIES).timeout(deadline).connect().await?;
        add("elasticsearch", calm, through, trouble, "_bulk").await?;
    }
    #[cfg(feature = "chroma")]
    if let Some(address) = address("HEAVENBASE_TEST_CHROMA") {
        use heavenbase::backends::Chroma;
        let trouble = Trouble::default();
        let calm = Chroma::url(&address).connect().await?;
        let through = Chroma::url(heavenbase_tests::peer::relay(&address, trouble.clone())?).token(SECRET);
        let through = through.retries(RETRIES).timeout(deadline).connect().await?;
        add("chroma", calm, through, trouble, "/upsert").await?;
    }
    #[cfg(feature = "pinecone")]
    {
        use heavenbase::backends::Pinecone;
        let peer = heavenbase_tests::pinecone::Peer::start(heavenbase_tests::pinecone::Manner::default())?;
        let to = || Pinecone::api_key(SECRET).control_plane(peer.url.clone()).doubt(DOUBT);
        let (calm, through) = (to().connect().await?, to().retries(RETRIES).timeout(deadline).connect().await?);
        add("pinecone", calm, through, peer.trouble().clone(), "/vectors/upsert").await?;
    }
    let _ = &mut add;
    Ok(services)
}

/// Does something, and says how long it took and how often the service was asked.
async fn timed<T>(service: &Service, work: impl Future<Output = T>) -> (T, Duration, usize) {
    service.trouble.asked();
    let start = Instant::now();
    let done = work.await;
    (done, start.elapsed(), service.trouble.asked())
}

/// What goes wrong: its name, what is answered, and what a read then says.
fn wrongs() -> Vec<(&'static str, Answer, &'static [ErrorKind])> {
    const AWAY: &[ErrorKind] = &[ErrorKind::Unavailable];
    const WRONG: &[ErrorKind] = &[ErrorKind::Backend];
    let secret = format!("{{\"error\":{{\"type\":\"x\",\"reason\":\"{SECRET}\"}},\"message\":\"{SECRET}\"}}");
    vec![
        ("busy", Answer::of(429, ""), AWAY),
        ("busy for long", Answer { headers: vec![("retry-after", "3600".into())], ..Answer::of(429, "") }, AWAY),
        ("unavailable", Answer::of(503, ""), AWAY),
        ("a bad gateway", Answer::of(502, "<html>"), AWAY),
        ("failed", Answer::of(500, secret.clone()), WRONG),
        ("refused", Answer::of(401, secret.clone()), &[ErrorKind::PermissionDenied]),
        ("forbidden", Answer::of(403, secret), &[ErrorKind::PermissionDenied]),
        ("cut JSON", Answer::of(200, "{\"ids\":"), WRONG),
        ("another JSON", Answer::of(200, "[1,2]"), WRONG),
        ("a page of HTML", Answer::of(200, "<html><body>hunter2</body></html>"), WRONG),
        ("an empty answer", Answer::of(200, ""), WRONG),
        ("moved", Answer { headers: vec![("location", "http://127.0.0.1:9/".into())], ..Answer::of(302, "") }, WRONG),
        ("half an answer", Answer::of(200, "{\"ids\":[\"a\",\"b\"]}").sent(How::Half), AWAY),
        ("no answer", Answer::none(), AWAY),
        ("noise", Answer::none().sent(How::Bytes(vec![0xff; 512])), AWAY),
        ("too late", Answer::of(200, "{}").sent(How::Late(Duration::from_secs(6))), &[ErrorKind::Timeout]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_in_trouble_is_a_typed_error_in_time() -> Outcome {
    for service in services(DEADLINE).await? {
        let rows: Vec<Row> = (0..5).map(|n| row(n, 3)).collect();
        service.calm.upsert(1, &rows).await?;
        for (what, answer, kinds) in wrongs() {
            let said = format!("{}, {what}", service.name);
            let patience = matches!(what, "busy" | "unavailable" | "no answer");
            service.trouble.is(move |_| Act::Answer(answer.clone()));
            let (done, took, asked) = timed(&service, service.store.all()).await;
            let error = done.err().ok_or_else(|| format!("{said}: an answer"))?;
            assert!(kinds.contains(&error.kind()), "{said}: {error:?}");
            assert_ne!(error.status(), Status::Unknown, "{said}: a read changes nothing: {error:?}");
            assert!(took < DEADLINE + Duration::from_millis(700), "{said}: {took:?}");
            let tries = 1 + RETRIES as usize;
            // One more may be a point in time that an earlier read gives back.
            assert!(asked >= if patience { tries } else { 1 } && asked <= tries + 1, "{said}: asked {asked} times");
            assert!(!format!("{error:?}").contains(SECRET), "{said}: {error:?}");
            // It goes by, and nothing of it stays.
            service.trouble.is_over();
            assert_eq!(service.store.all().await?.len(), rows.len(), "{said}: afterwards");
        }
        // A temporary failure is not even seen.
        let count = AtomicUsize::new(0);
        let busy = move || if count.fetch_add(1, Ordering::SeqCst) < RETRIES as usize { Some(Answer::of(429, "")) } else { None };
        service.trouble.is(move |_| busy().map_or(Act::Pass, Act::Answer));
        assert_eq!(service.store.all().await?.len(), rows.len(), "{}", service.name);
        service.trouble.is_over();
        service.calm.close().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_in_trouble_says_whether_it_may_have_happened_and_is_made_again() -> Outcome {
    for service in services(DEADLINE).await? {
        let (name, writes) = (service.name, service.writes);
        let mut version = 0;
        for (what, answer, kinds) in wrongs() {
            let said = format!("{name}, {what}");
            version += 1;
            let rows: Vec<Row> = (0..4).map(|n| row(n + version, 3)).collect();
            let sent = Arc::new(AtomicUsize::new(0));
            let count = sent.clone();
            let instead = answer.clone();
            service.trouble.is(move |request| match request.path().ends_with(writes) {
                true => {
                    count.fetch_add(1, Ordering::SeqCst);
                    Act::Answer(instead.clone())
                }
                false => Act::Pass,
            });
            let (done, took, _) = timed(&service, service.store.write(WriteMode::Upsert, version, &rows)).await;
            let error = done.err().ok_or_else(|| format!("{said}: written"))?;
            assert!(kinds.contains(&error.kind()) || matches!(error.kind(), ErrorKind::Backend | ErrorKind::Conflict), "{said}: {error:?}");
            assert!(took < DEADLINE + Duration::from_millis(700), "{said}: {took:?}");
            assert!(!format!("{error:?}").contains(SECRET), "{said}: {error:?}");
            // What certainly changed nothing says so; what nobody knows does not.
            let never = matches!(answer.status, 401 | 403 | 429 | 302);
            assert_eq!(error.status() == Status::Unknown, !never, "{said}: {error:?}");
            if !never && name == "elasticsearch" {
                assert_eq!(sent.load(Ordering::SeqCst), 1, "{said}: a write that may have happened is sent once");
            }
            service.trouble.is_over();
            // Nothing waits for what never came: rows are read as they were.
            let (there, took, _) = timed(&service, service.store.all()).await;
            assert!(took < DEADLINE, "{said}: a read afterwards took {took:?}");
            assert!(there?.versions.iter().all(|found| *found < version), "{said}: written nevertheless");
            let (refreshed, took, _) = timed(&service, service.store.driver.refresh(&service.store.part)).await;
            refreshed?;
            assert!(took < DEADLINE, "{said}: a refresh afterwards took {took:?}");
            let report = service.store.write(WriteMode::Upsert, version, &rows).await?;
            assert!(report.stale.is_empty() && report.missing.is_empty(), "{said}: {report:?}");
            // Where reads lag behind writes, another reader sees them after a while.
            let ids: Vec<Id> = rows.iter().map(|row| row.0.clone()).collect();
            let mut there = service.calm.driver.fetch(&service.calm.part, &ids, &[0]).await?;
            for _ in 0..100 {
                if there.len() == rows.len() && there.versions.iter().all(|found| *found == version) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                there = service.calm.driver.fetch(&service.calm.part, &ids, &[0]).await?;
            }
            assert_eq!((there.len(), there.versions.iter().all(|v| *v == version)), (rows.len(), true), "{said}");
        }
        // The answer is lost after the rows were written: nobody knows, and writing again changes nothing.
        version += 1;
        let rows: Vec<Row> = (0..4).map(|n| row(n, 9)).collect();
        service.trouble.is(move |request| if request.path().ends_with(writes) { Act::Lose } else { Act::Pass });
        let error = service.store.write(WriteMode::Upsert, version, &rows).await.err().ok_or("written")?;
        assert_eq!(error.status(), Status::Unknown, "{name}: {error:?}");
        service.trouble.is_over();
        service.store.driver.refresh(&service.store.part).await?;
        // They are found, though nobody said so.
        let there =
            service.store.driver.fetch(&service.store.part, &rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>(), &[0]).await?;
        assert!(there.len() == rows.len() && there.versions.iter().all(|found| *found == version), "{name}: {:?}", there.versions);
        service.store.write(WriteMode::Upsert, version, &rows).await?;
        let all = service.calm.select(SubQuery { columns: vec![0, 1, 2], ..SubQuery::default() }).await?;
        for (id, values) in &rows {
            let at = all.ids.iter().position(|found| found == id).ok_or("a row is gone")?;
            assert_eq!((all.row(at), all.versions[at]), (values.as_slice(), version), "{name}");
        }
        service.calm.close().await?;
    }
    Ok(())
}

/// A batch of several requests, of which one fails for good: the error says that some rows are written, the rows that are there
/// are whole, and the same batch makes the rest good.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_batch_is_said_and_made_good() -> Outcome {
    for service in services(Duration::from_secs(30)).await? {
        let (name, writes) = (service.name, service.writes);
        // More bytes than one request of any of them takes.
        let rows: Vec<Row> = (0..600).map(|n| row(n, 30_000)).collect();
        let (count, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, tried) = (count.clone(), sent.clone());
        service.trouble.is(move |request| {
            if !request.path().ends_with(writes) {
                return Act::Pass;
            }
            tried.fetch_add(1, Ordering::SeqCst);
            if counted.fetch_add(1, Ordering::SeqCst) == 1 { Act::Answer(Answer::none()) } else { Act::Pass }
        });
        let patient = service.store.write(WriteMode::Upsert, 1, &rows).await;
        service.trouble.is_over();
        if sent.load(Ordering::SeqCst) < 2 {
            return Err(format!("{name}: the batch went in one request").into());
        }
        let there = service.calm.all().await?;
        let error = match patient {
            // Written again where that does no harm.
            Ok(_) => {
                assert_eq!(there.len(), rows.len(), "{name}");
                service.calm.close().await?;
                continue;
            }
            Err(error) => error,
        };
        assert_eq!(error.status(), Status::Unknown, "{name}: {error:?}");
        assert!(error.detail("rows written").or(error.detail("written")).is_some(), "{name}: {error:?}");
        assert!(!there.is_empty() && there.len() < rows.len(), "{name}: {} rows", there.len());
        assert!((0..there.len()).all(|at| rows.iter().any(|row| row.0 == there.ids[at] && row.1 == there.row(at))), "{name}: a torn row");
        service.calm.write(WriteMode::Upsert, 1, &rows).await?;
        service.calm.driver.refresh(&service.calm.part).await?;
        assert_eq!(service.calm.all().await?.len(), rows.len(), "{name}");
        service.calm.close().await?;
    }
    Ok(())
}

/// What is no such service at all, or nobody.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_none_of_them_is_an_error_and_no_panic() -> Outcome {
    use heavenbase::backends::Connect;
    type Connecting = heavenbase_tests::backends::Opening;
    let connects: &[(&str, fn(String) -> Connecting)] = &[
        #[cfg(feature = "elasticsearch")]
        ("elasticsearch", |url| {
            Box::pin(heavenbase::backends::Elasticsearch::url(url).api_key(SECRET).retries(1).timeout(DEADLINE).connect())
        }),
        #[cfg(feature = "chroma")]
        ("chroma", |url| Box::pin(heavenbase::backends::Chroma::url(url).token(SECRET).retries(1).timeout(DEADLINE).connect())),
        #[cfg(feature = "pinecone")]
        ("pinecone", |url| {
            Box::pin(heavenbase::backends::Pinecone::api_key(SECRET).control_plane(url).retries(1).timeout(DEADLINE).connect())
        }),
        #[cfg(feature = "milvus")]
        ("milvus", |url| Box::pin(heavenbase::backends::Milvus::url(url).token(SECRET).retries(1).timeout(DEADLINE).connect())),
    ];
    let kinds = [ErrorKind::Unavailable, ErrorKind::Backend, ErrorKind::Timeout, ErrorKind::NotRegistered, ErrorKind::PermissionDenied];
    let bytes = |bytes: &[u8]| Answer::none().sent(How::Bytes(bytes.to_vec()));
    let settings = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64";
    for (name, connect) in connects {
        let others = [
            Answer::of(200, "hi"),
            Answer::of(404, ""),
            Answer::of(403, SECRET),
            Answer::none(),
            Answer::of(200, "{}").sent(How::Late(Duration::from_secs(5))),
            bytes(&[0xff; 4096]),
            bytes(settings),
        ];
        for answer in others {
            let (said, start) = (format!("{name}: {answer:?}"), Instant::now());
            let error = connect(heavenbase_tests::peer::says(answer)?).await.err().ok_or_else(|| format!("{said}: connected"))?;
            assert!(kinds.contains(&error.kind()), "{said}: {error:?}");
            assert!(!format!("{error:?}").contains(SECRET), "{said}: {error:?}");
            assert!(start.elapsed() < DEADLINE * 2, "{said}: {:?}", start.elapsed());
        }
        let error = connect(heavenbase_tests::peer::nobody()?).await.err().ok_or("connected to nobody")?;
        assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Temporary), "{name}: {error:?}");
        for wrong in ["", "127.0.0.1:8000", "ftp://host", "http://ho st"] {
            let error = connect(wrong.into()).await.err().ok_or("connected")?;
            assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{name}: {wrong}");
        }
    }
    Ok(())
}

/// Milvus speaks gRPC: what is between it and the driver is a line that is cut, silent or noisy.
#[cfg(feature = "milvus")]
#[tokio::test(flavor = "multi_thread")]
async fn a_line_to_milvus_that_fails_is_told_and_mended() -> Outcome {
    use heavenbase::backends::{Connect, Milvus};
    use heavenbase_tests::peer::Line;
    for variable in ["HEAVENBASE_TEST_MILVUS", "HEAVENBASE_TEST_MILVUS_LITE"] {
        let Some(address) = address(variable) else { continue };
        let calm = Store::open(Milvus::url(&address), &specs()).await?;
        let line = Line::to(&address)?;
        let through = Milvus::url(format!("http://{}", line.address)).token(SECRET).retries(RETRIES).timeout(DEADLINE).connect().await?;
        let store = calm.through(through);
        store.upsert(1, &(0..5).map(|n| row(n, 3)).collect::<Vec<_>>()).await?;
        let mut version = 1;
        for (what, kind) in [("cut", ErrorKind::Unavailable), ("noisy", ErrorKind::Unavailable), ("silent", ErrorKind::Timeout)] {
            let said = format!("{variable}, {what}");
            let happens = || match what {
                "cut" => line.cut(),
                "noisy" => line.gets_noisy(),
                _ => line.falls_silent(),
            };
            happens();
            line.connections();
            let start = Instant::now();
            let error = store.all().await.err().ok_or_else(|| format!("{said}: an answer"))?;
            assert!(error.kind() == kind || error.kind() == ErrorKind::Backend, "{said}: {error:?}");
            assert_ne!(error.status(), Status::Unknown, "{said}: {error:?}");
            assert!(start.elapsed() < DEADLINE + Duration::from_secs(1), "{said}: {:?}", start.elapsed());
            assert!(line.connections() <= 2 * (1 + RETRIES as usize), "{said}: without bound");
            assert!(!format!("{error:?}").contains(SECRET), "{said}: {error:?}");
            line.is_mended();
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(store.all().await?.len(), 5, "{said}");
            // Within a write.
            version += 1;
            let rows: Vec<Row> = (0..5).map(|n| row(n, version as usize)).collect();
            happens();
            let error = store.write(WriteMode::Upsert, version, &rows).await.err().ok_or_else(|| format!("{said}: written"))?;
            assert!(error.kind() == kind || error.kind() == ErrorKind::Backend, "{said}: {error:?}");
            line.is_mended();
            tokio::time::sleep(Duration::from_millis(100)).await;
            store.write(WriteMode::Upsert, version, &rows).await?;
            let all = calm.all().await?;
            assert!(all.versions.iter().all(|v| *v == version) && (0..5).all(|at| all.row(at) == rows[at].1), "{said}");
        }
        calm.close().await?;
    }
    Ok(())
}
