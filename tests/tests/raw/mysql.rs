//! The way out on the MySQL family: the pool, and SQL of the application's own into typed rows. Runs where the services
//! are: `HEAVENBASE_TEST_MYSQL`, `HEAVENBASE_TEST_MYSQL9`, `HEAVENBASE_TEST_OCEANBASE`.

use heavenbase::ErrorKind;
use heavenbase::prelude::*;
use heavenbase::workspace::SqlText;

#[derive(Layout)]
struct Theirs {
    main: OneOf<(MySql, OceanBase)>,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Theirs, name = "raw_thing")]
struct Thing {
    object_id: Id,
    #[text(max = 255)]
    title: String,
    count: Option<i64>,
    at: Timestamp,
}

#[derive(Projection, Debug, PartialEq)]
#[projection(of = Thing)]
struct Card {
    count: Option<i64>,
    object_id: Id,
    title: String,
}

/// A workspace of its own on each server that runs, with the server's name.
async fn servers() -> Vec<(&'static str, Workspace<Theirs>)> {
    let mut servers = Vec::new();
    for variable in ["HEAVENBASE_TEST_MYSQL", "HEAVENBASE_TEST_MYSQL9", "HEAVENBASE_TEST_OCEANBASE"] {
        let Ok(url) = std::env::var(variable) else {
            assert!(std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_none(), "{variable} is not set");
            eprintln!("not run: {variable} is not set");
            continue;
        };
        let main = if variable.ends_with("OCEANBASE") { OneOf::new(OceanBase::url(url)) } else { OneOf::new(MySql::url(url)) };
        let ws = Workspace::open_as(&heavenbase_tests::conformance::namespace(), Theirs { main }).await.unwrap();
        servers.push((variable, ws));
    }
    servers
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_give_typed_rows() {
    for (server, ws) in servers().await {
        ws.register::<Thing>().await.unwrap();
        let at: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let hostile = "'; DROP TABLE `things`; --";
        for (id, title, count) in [("a", "one", Some(1)), ("b", hostile, None), ("c", "three", Some(3))] {
            ws.upsert(&Thing { object_id: id.into(), title: title.into(), count, at }).await.unwrap();
        }
        let tables: Vec<(String, String)> = ws.raw("main", "SELECT physical, manifest FROM _hb_manifest").all().await.unwrap();
        let namespace = format!("{ws:?}");
        let own = tables.iter().find(|(_, manifest)| {
            let json: Json = serde_json::from_str(manifest).unwrap();
            json["entity"] == "raw_thing" && namespace.contains(json["namespace"].as_str().unwrap())
        });
        let table = &own.unwrap_or_else(|| panic!("{server}: no table of ours among {tables:?}")).0;
        let text = |text: &str| SqlText::composed(text.replace("TABLE", &format!("`{table}`")));

        let rows: Vec<(Id, String, Option<i64>)> = ws
            .raw("main", text("SELECT object_id, title, count FROM TABLE WHERE title <> ? ORDER BY object_id"))
            .bind("one")
            .all()
            .await
            .unwrap();
        assert_eq!(rows, [("b".into(), hostile.into(), None), ("c".into(), "three".into(), Some(3))], "{server}");
        let cards: Vec<Card> = ws.raw(Theirs::MAIN, text("SELECT * FROM TABLE WHERE title = ?")).bind(hostile).all().await.unwrap();
        assert_eq!(cards, [Card { count: None, object_id: "b".into(), title: hostile.into() }], "{server}");
        let (found,) = ws.raw::<(Timestamp,)>("main", text("SELECT at FROM TABLE WHERE at = ? LIMIT 1")).bind(at).one().await.unwrap();
        assert_eq!(found, at, "{server}");
        let changed = ws.raw::<()>("main", text("UPDATE TABLE SET count = ? WHERE count > ?")).bind(9).bind(0).execute().await.unwrap();
        assert_eq!(changed, 2, "{server}");
        assert_eq!(ws.query::<Thing>().filter(Thing::COUNT.eq(Some(9))).count().await.unwrap(), 2, "{server}");

        let cases = vec![
            (
                ws.raw::<(String,)>("main", text("SELECT title, count FROM TABLE")).all().await.map(drop),
                "gives 2 columns (title, count)",
                None,
            ),
            (
                ws.raw::<(Id, i64)>("main", text("SELECT object_id, title FROM TABLE")).all().await.map(drop),
                "is read as int",
                Some("title"),
            ),
            (
                ws.raw::<(Id, i64)>("main", text("SELECT object_id, title FROM TABLE WHERE 1 = 0")).all().await.map(drop),
                "is read as int",
                Some("title"),
            ),
            (
                ws.raw::<(Id, i64)>("main", text("SELECT object_id, count FROM TABLE")).all().await.map(drop),
                "the column holds a null",
                Some("count"),
            ),
            (ws.raw::<(i8,)>("main", "SELECT 300 AS far").all().await.map(drop), "which is no i8", Some("far")),
            (
                ws.raw::<()>("main", text("DELETE FROM TABLE WHERE title = ?")).execute().await.map(drop),
                "takes 1 values and 0 are bound",
                None,
            ),
            (ws.raw::<()>("main", text("DELETE FROM TABLE")).bind(1).execute().await.map(drop), "takes 0 values and 1 are bound", None),
        ];
        super::all_refused(server, cases);
        let two = ws.raw::<()>("main", text("DELETE FROM TABLE; DELETE FROM TABLE")).execute().await.unwrap_err();
        assert_eq!(two.kind(), ErrorKind::Backend, "{server}: {two}");
        assert_eq!(ws.count::<Thing>().await.unwrap(), 3, "{server}: nothing was deleted");

        // Definitions run too, and the server's own types are read.
        let own = format!("raw_{}", heavenbase_tests::conformance::namespace());
        let own = |text: &str| SqlText::composed(text.replace("OWN", &own));
        ws.raw::<()>("main", own("CREATE TABLE OWN (t DATETIME(6), d DATE, n DECIMAL(20, 4), j JSON, f FLOAT, u BIGINT UNSIGNED)"))
            .execute()
            .await
            .unwrap();
        let day: Date = "2026-11-21".parse().unwrap();
        let insert = "INSERT INTO OWN VALUES ('2026-11-21 12:00:00', '2026-11-21', ?, ?, 0.25, 18446744073709551615)";
        let json = serde_json::json!({"a": [1, "two"]});
        ws.raw::<()>("main", own(insert)).bind("-12345.0675".parse::<Decimal>().unwrap()).bind(json.clone()).execute().await.unwrap();
        let (t, d, n, j, f): (Timestamp, Date, Decimal, Json, f64) =
            ws.raw("main", own("SELECT t, d, n, j, f FROM OWN")).one().await.unwrap();
        assert_eq!((t, d, n, j, f), (at, day, "-12345.0675".parse().unwrap(), json, 0.25), "{server}");
        let far = ws.raw::<(i64,)>("main", own("SELECT u FROM OWN")).one().await.unwrap_err();
        assert_eq!(far.kind(), ErrorKind::InvalidQuery, "{server}: {far}");
        ws.raw::<()>("main", own("DROP TABLE OWN")).execute().await.unwrap();
        ws.drop::<Thing>().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_are_bound_and_read() {
    for (server, ws) in servers().await {
        type Row = (bool, i64, f64, String, Bytes, Uuid, Option<i64>);
        let row: Row = (true, i64::MIN, -0.5, "a'b\"c\\\u{fc}".into(), Bytes(vec![0, 255]), Uuid::from_u128(7), None);
        // What a bare placeholder gives is the server's choice.
        let text = "SELECT CAST(? AS SIGNED), CAST(? AS SIGNED), CAST(? AS DOUBLE), CAST(? AS CHAR), CAST(? AS BINARY), CAST(? AS BINARY), \
                    CAST(? AS SIGNED)";
        let raw = ws.raw("main", text).bind(row.0).bind(row.1).bind(row.2);
        let found: Row = raw.bind(row.3.clone()).bind(row.4.clone()).bind(row.5).bind(row.6).one().await.unwrap();
        assert_eq!(found, row, "{server}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_is_handed_out() {
    for (server, ws) in servers().await {
        let (own, other) = (ws.backend_as::<MySql>("main"), ws.backend_as::<OceanBase>("main"));
        let pool = if server.ends_with("OCEANBASE") {
            assert_eq!(own.unwrap_err().kind(), ErrorKind::Unsupported);
            other.unwrap()
        } else {
            assert_eq!(other.unwrap_err().kind(), ErrorKind::Unsupported);
            own.unwrap()
        };
        let (one,): (i64,) = sqlx::query_as("SELECT 1").fetch_one(pool).await.unwrap();
        assert_eq!(one, 1, "{server}");
    }
}
