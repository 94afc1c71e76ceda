//! The connection: the text protocol's cells, literals as a server reads them, errors, servers that go away or are others.

use std::time::Duration;

use heavenbase::backends::StarRocks;
use heavenbase::backends::starrocks::over_another;
use heavenbase::backends::{Connect, Native};
use heavenbase::capability::Placement;
use heavenbase::driver::{RawColumn, RawColumns, RawStatement, WriteMode};
use heavenbase::types::{LogicalType, Timestamp, Value};
use heavenbase::{ErrorKind, Status};
use heavenbase_tests::data::Spec;
use heavenbase_tests::peer::Line;
use heavenbase_tests::starrocks::{Place, rewrite};

use crate::common::{batch, part};

fn raw(text: &str, values: Vec<(LogicalType, Value)>, wanted: &[(LogicalType, bool)]) -> RawStatement {
    let columns = wanted.iter().map(|(logical, nullable)| RawColumn { logical: *logical, nullable: *nullable }).collect();
    RawStatement { text: text.to_owned(), values, wanted: RawColumns::InOrder(columns) }
}

/// The servers that speak the protocol, as far as they are here.
fn servers() -> Vec<(&'static str, String)> {
    let of = |name: &'static str| std::env::var(name).ok().map(|url| (name, url));
    ["HEAVENBASE_TEST_MYSQL", "HEAVENBASE_TEST_OCEANBASE"].into_iter().filter_map(of).collect()
}

/// A rewriter for servers that lack MariaDB's settings: those of the session are left as they are.
fn plainly(text: &str) -> std::borrow::Cow<'_, str> {
    match text {
        "SELECT CURRENT_VERSION(), @@max_allowed_packet" => "SELECT '3.3.0', @@max_allowed_packet".into(),
        text if text.starts_with("SET query_timeout") => "SET time_zone = '+00:00'".into(),
        text => text.into(),
    }
}

/// Texts of every character class and every pair of hostile pieces come back as they were written as literals.
#[tokio::test(flavor = "multi_thread")]
async fn literals_are_read_as_they_are_meant() {
    let pieces = [
        "",
        "'",
        "\\",
        "\\'",
        "\0",
        "\n",
        "%",
        "_",
        "\\%",
        "\\_",
        "\\n",
        "\\0",
        "\"",
        "`",
        ";",
        "--",
        "/*",
        "?",
        "\u{1a}",
        "é",
        "\u{1f600}",
        "''",
    ];
    for (server, url) in servers() {
        let driver = over_another(StarRocks::url(url), plainly).await.unwrap();
        let mut texts: Vec<String> = pieces.iter().flat_map(|a| pieces.iter().map(move |b| format!("{a}{b}"))).collect();
        texts.extend(
            (0..=0x2ff).chain(0x2000..=0x206f).chain([0xfeff, 0xffff, 0x10ffff]).filter_map(char::from_u32).map(|c| format!("a{c}'\\{c}")),
        );
        for some in texts.chunks(100) {
            let text = format!("SELECT {}", vec!["?"; some.len()].join(", "));
            let values = some.iter().map(|text| (LogicalType::TEXT, Value::Text(text.clone()))).collect();
            let answer = driver.raw(&raw(&text, values, &vec![(LogicalType::TEXT, false); some.len()])).await.unwrap();
            let found: Vec<&str> = answer.rows[0].iter().filter_map(Value::as_text).collect();
            assert_eq!(found, some, "{server}");
        }
        println!("{server}: {} texts", texts.len());
    }
}

/// What the decoder reads, from columns of every type that the servers have.
#[tokio::test(flavor = "multi_thread")]
async fn every_type_is_read_from_text() {
    for (server, url) in servers() {
        let driver = over_another(StarRocks::url(url), plainly).await.unwrap();
        let at: Timestamp = "2026-11-21T06:30:00.000001Z".parse().unwrap();
        let day = "2026-11-21".parse().map(Value::Date).unwrap();
        let bytes = Value::Bytes(Box::from([0u8, 255, 10]));
        let table = format!("sr_{}", heavenbase_tests::conformance::namespace());
        let run = async |text: &str| {
            let statement = RawStatement { text: text.replace("OWN", &table), values: Vec::new(), wanted: RawColumns::None };
            driver.raw(&statement).await.unwrap_or_else(|e| panic!("{server}: {text}: {e:?}")).changed
        };
        run("CREATE TABLE OWN (i BIGINT, s TINYINT, f DOUBLE, d DECIMAL(28, 4), t DATETIME(6), y DATE, v VARCHAR(100), b VARBINARY(10), j JSON, n BIGINT)").await;
        let changed = run("INSERT INTO OWN VALUES (-9223372036854775807 - 1, 1, 2.5e-310, CAST('-12345.0675' AS DECIMAL(28, 4)), '2026-11-21 06:30:00.000001', '2026-11-21', 'it''s', x'00FF0A', '{\"a\": [1]}', NULL)").await;
        assert_eq!(changed, 1, "{server}");
        let wanted = [
            (LogicalType::INT, false),
            (LogicalType::Bool, false),
            (LogicalType::Float, false),
            (LogicalType::Decimal { precision: 28, scale: 4 }, false),
            (LogicalType::Timestamp, false),
            (LogicalType::Date, false),
            (LogicalType::TEXT, false),
            (LogicalType::Bytes, false),
            (LogicalType::Json, false),
            (LogicalType::INT, true),
        ];
        let all = format!("SELECT * FROM {table} WHERE v = ? AND i < ?");
        let bound = vec![(LogicalType::TEXT, Value::Text("it's".into())), (LogicalType::INT, Value::Int(-1))];
        let answer = driver.raw(&raw(&all, bound.clone(), &wanted)).await.unwrap();
        let expected = [
            Value::Int(i64::MIN),
            Value::Bool(true),
            Value::Float(2.5e-310),
            "-12345.0675".parse().map(Value::Decimal).unwrap(),
            Value::Timestamp(at),
            day,
            Value::Text("it's".into()),
            bytes,
            Value::Json(Box::new(serde_json::json!({"a": [1]}))),
            Value::Null,
        ];
        assert_eq!(answer.rows, [expected], "{server}");
        assert_eq!(answer.names, ["i", "s", "f", "d", "t", "y", "v", "b", "j", "n"], "{server}");

        let refused = async |text: &str, values: Vec<(LogicalType, Value)>, wanted: &[(LogicalType, bool)]| {
            driver.raw(&raw(&text.replace("OWN", &table), values, wanted)).await.unwrap_err()
        };
        for (error, said) in [
            (refused("SELECT v FROM OWN", vec![], &[(LogicalType::INT, false)]).await, "is read as int"),
            (refused("SELECT n FROM OWN", vec![], &[(LogicalType::INT, false)]).await, "holds a null"),
            (refused("SELECT v, i FROM OWN", vec![], &[(LogicalType::INT, false)]).await, "gives 2 columns"),
            (refused("SELECT ? FROM OWN", vec![], &[(LogicalType::INT, false)]).await, "takes 1 values and 0 are bound"),
            (refused("DELETE FROM OWN; DELETE FROM OWN", vec![], &[]).await, "more than one statement"),
        ] {
            assert!(error.kind() == ErrorKind::InvalidQuery && error.to_string().contains(said), "{server}: {error:?}");
        }
        let error = refused("SELECT * FROM OWN WHERE nobody = ?", vec![(LogicalType::TEXT, Value::Text("hunter2".into()))], &[]).await;
        assert!(!format!("{error:?}").contains("hunter2"), "{server}: {error:?}");
        run("DROP TABLE OWN").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_is_told_from_starrocks() {
    for (server, url) in servers() {
        let error = StarRocks::url(url).connect().await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSchema, "{server}: {error:?}");
        assert!(error.to_string().contains("another server"), "{server}: {error}");
    }
    fn old(text: &str) -> std::borrow::Cow<'_, str> {
        if text.starts_with("SELECT CURRENT_VERSION()") { "SELECT '3.1.2-a', 1024".into() } else { text.into() }
    }
    if let Ok(url) = std::env::var("HEAVENBASE_TEST_MYSQL") {
        let error = over_another(StarRocks::url(url), old).await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_connect_says_why_and_no_secret() {
    let Some(place) = Place::make().await else { return };
    let wrong = place.url.replacen("heavenbase:heavenbase@", "heavenbase:hunter2@", 1).replacen("mysql://", "starrocks://", 1);
    let nobody = heavenbase_tests::peer::nobody().unwrap().replace("http://", "starrocks://me:hunter2@");
    for (url, kind) in [
        (wrong, ErrorKind::PermissionDenied),
        (format!("{nobody}/shop"), ErrorKind::Unavailable),
        ("starrocks://me:hunter2@host:9030".to_owned(), ErrorKind::InvalidSchema),
    ] {
        let error = StarRocks::url(url).connect().await.map(drop).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
    place.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_leaves_a_typed_error_and_a_pool_that_recovers() {
    let Some(place) = Place::make().await else { return };
    let server = place.url.rsplit_once('@').map_or("", |(_, host)| host).split('/').next().unwrap_or_default();
    let line = Line::to(server).unwrap();
    let database = place.url.rsplit_once('/').map_or("", |(_, name)| name);
    let url = format!("mysql://heavenbase:heavenbase@{}/{database}", line.address);
    let starrocks =
        StarRocks::url(url).acquire_timeout(Duration::from_secs(2)).statement_timeout(Duration::from_secs(1)).max_connections(3);
    let driver = over_another(starrocks, rewrite).await.unwrap();
    let part = part(&driver, &[Spec::new("n", LogicalType::INT, Placement::InlineColumn)]);
    driver.ensure(&part).await.unwrap();
    let write = |version: i64| driver.write(&part, batch(WriteMode::Upsert, version, vec![("a", vec![Value::Int(version)])]));
    write(1).await.unwrap();
    for (name, trouble) in [("cut", Line::cut as fn(&Line)), ("noisy", Line::gets_noisy)] {
        trouble(&line);
        let error = driver.health().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}: {error:?}");
        let error = write(2).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Temporary), "{name}: {error:?}");
        line.is_mended();
        driver.health().await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
    }
    // One that says nothing is given up, and the connection is not used again.
    let began = std::time::Instant::now();
    line.falls_silent();
    let error = driver.health().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    line.is_mended();
    driver.health().await.unwrap();
    write(3).await.unwrap();
    place.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_is_handed_out() {
    let Some(place) = Place::make().await else { return };
    let driver = place.driver(None).await;
    let pool = StarRocks::handle(&*driver).expect("it has a pool");
    let one: i64 = sqlx::query_scalar("SELECT 1").fetch_one(pool).await.unwrap();
    assert_eq!(one, 1);
    place.clear().await;
}
