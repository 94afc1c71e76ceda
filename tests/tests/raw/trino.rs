//! Trino, in a catalog that is written. Runs where `HEAVENBASE_TEST_TRINO` says.

use heavenbase::ErrorKind;
use heavenbase::backends::{Trino, trino};
use heavenbase::prelude::*;
use heavenbase::workspace::SqlText;

use super::all_refused;

#[derive(Layout)]
struct Lake {
    #[layout(default)]
    main: Trino<trino::Iceberg>,
    shared: Trino<trino::ReadOnly>,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Lake, name = "raw_thing")]
struct Thing {
    object_id: Id,
    #[text(max = 255)]
    title: String,
    count: Option<i64>,
}

#[derive(Projection, Debug, PartialEq)]
#[projection(of = Thing)]
struct Card {
    count: Option<i64>,
    object_id: Id,
}

async fn open() -> Option<Workspace<Lake>> {
    let Ok(url) = std::env::var("HEAVENBASE_TEST_TRINO") else {
        assert!(std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_none(), "HEAVENBASE_TEST_TRINO is not set");
        eprintln!("not run: HEAVENBASE_TEST_TRINO is not set");
        return None;
    };
    let shared = Trino::url(url.replace("/iceberg/heavenbase", "/tpch/tiny"));
    let lake = Lake { main: Trino::url(url), shared };
    Some(Workspace::open_as(&heavenbase_tests::conformance::namespace(), lake).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_give_typed_rows() {
    let Some(ws) = open().await else { return };
    ws.register::<Thing>().await.unwrap();
    let hostile = "?'; DROP TABLE \"things\"; --\u{1f600}\0";
    let things = [("a", "one", Some(1)), ("b", hostile, None), ("c", "three", Some(3))].map(|(id, title, count)| Thing {
        object_id: id.into(),
        title: title.into(),
        count,
    });
    ws.upsert_many(&things).await.unwrap();
    let tables = "SELECT table_name, comment FROM system.metadata.table_comments WHERE catalog_name = 'iceberg' AND schema_name = ?";
    let tables: Vec<(String, Option<String>)> = ws.raw("main", tables).bind("heavenbase").all().await.unwrap();
    let namespace = format!("{ws:?}");
    let own = tables.iter().find(|(_, comment)| {
        let manifest: Option<Json> = comment.as_deref().and_then(|text| serde_json::from_str(text).ok());
        manifest.is_some_and(|m| m["entity"] == "raw_thing" && m["namespace"].as_str().is_some_and(|n| namespace.contains(n)))
    });
    let table = own.map(|(name, _)| name.clone()).expect("no table of ours");
    let text = |text: &str| SqlText::composed(text.replace("TABLE", &format!("\"{table}\"")));

    let select = "SELECT object_id, title, count FROM TABLE WHERE title <> ? ORDER BY object_id -- ?";
    let rows: Vec<(Id, String, Option<i64>)> = ws.raw(Lake::MAIN, text(select)).bind("one").all().await.unwrap();
    assert_eq!(rows, [("b".into(), hostile.into(), None), ("c".into(), "three".into(), Some(3))]);
    let cards: Vec<Card> = ws.raw("main", text("SELECT * FROM TABLE WHERE title = ?")).bind(hostile).all().await.unwrap();
    assert_eq!(cards, [Card { count: None, object_id: "b".into() }]);
    let changed = ws.raw::<()>("main", text("UPDATE TABLE SET count = ? WHERE count > ?")).bind(9).bind(0).execute().await.unwrap();
    assert_eq!(changed, 2);
    assert_eq!(ws.query::<Thing>().filter(Thing::COUNT.eq(Some(9))).count().await.unwrap(), 2);
    all_refused(
        "trino",
        vec![
            (
                ws.raw::<(String,)>("main", text("SELECT title, count FROM TABLE")).all().await.map(drop),
                "gives 2 columns (title, count)",
                None,
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
        ],
    );
    for (wrong, kind) in
        [("SELEC 1", ErrorKind::Backend), ("USE tpch.tiny", ErrorKind::Unsupported), ("SELECT 1; SELECT 2", ErrorKind::Backend)]
    {
        let error = ws.raw::<()>("main", SqlText::composed(wrong)).execute().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{wrong}: {error}");
    }
    ws.drop::<Thing>().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_are_bound_and_read() {
    let Some(ws) = open().await else { return };
    type Row = (bool, i64, f64, String, Bytes, Uuid, Option<i64>, Timestamp, Date, Decimal, Json, Vector<3>);
    let row: Row = (
        true,
        i64::MIN,
        -0.5,
        "a'b\"c\\\u{fc}\0".into(),
        Bytes(vec![0, 255]),
        Uuid::from_u128(7),
        None,
        "2026-11-21T12:00:00.000001Z".parse().unwrap(),
        Date::new(-44, 3, 15).unwrap(),
        "-12345.0675".parse().unwrap(),
        serde_json::json!({"a": [1, "two"]}),
        [1.0, -0.1, 3.0].into(),
    );
    let text = "SELECT ?, ?, ?, ?, ?, ?, CAST(? AS integer), ?, ?, ?, json_parse(?), CAST(? AS array(real))";
    let raw = ws.raw("main", text).bind(row.0).bind(row.1).bind(row.2).bind(row.3.clone()).bind(row.4.clone()).bind(row.5).bind(row.6);
    let found: Row = raw.bind(row.7).bind(row.8).bind(row.9).bind(row.10.clone()).bind(row.11.clone()).one().await.unwrap();
    assert_eq!(found, row);
    let many: Vec<(i64,)> = ws.raw("shared", "SELECT orderkey FROM orders WHERE totalprice > ? ORDER BY 1").bind(0.0).all().await.unwrap();
    assert_eq!((many.len(), many[0]), (15_000, (1,)));
    let lists: (Vec<String>, Option<String>) = ws.raw("shared", "SELECT ARRAY['a', 'b'], NULL").one().await.unwrap();
    assert_eq!(lists, (vec!["a".into(), "b".into()], None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_driver_is_handed_out() {
    let Some(ws) = open().await else { return };
    let mut answer = ws.backend(Lake::SHARED).unwrap().statement("SELECT count(*) FROM region").await.unwrap();
    assert_eq!(answer.next_rows().await.unwrap(), Some(vec![vec![Json::from(5)]]));
    assert!(ws.backend(Lake::MAIN).is_ok());
    assert_eq!(ws.backend_as::<Trino<trino::ReadOnly>>("main").err().map(|e| e.kind()), Some(ErrorKind::Unsupported));
}
