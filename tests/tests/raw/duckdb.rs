//! DuckDB: in memory and in a file.

use heavenbase::ErrorKind;
use heavenbase::prelude::*;
use heavenbase::workspace::SqlText;

use super::all_refused;

#[derive(Layout)]
struct Theirs {
    main: DuckDb,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Theirs, name = "raw_thing")]
struct Thing {
    object_id: Id,
    #[text(max = 255)]
    title: String,
    count: Option<i64>,
    tags: Vec<String>,
    seen: Timestamp,
}

#[derive(Projection, Debug, PartialEq)]
#[projection(of = Thing)]
struct Card {
    count: Option<i64>,
    object_id: Id,
    tags: Vec<String>,
}

/// A workspace with three things, and their table.
async fn things(main: DuckDb) -> (Workspace<Theirs>, String) {
    let ws = Workspace::open(Theirs { main }).await.unwrap();
    ws.register::<Thing>().await.unwrap();
    let seen: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
    for (id, title, count) in [("a", "one", Some(1)), ("b", "'; DROP TABLE things; --", None), ("c", "three", Some(3))] {
        let tags = vec![format!("{id},\""), String::new()];
        ws.upsert(&Thing { object_id: id.into(), title: title.into(), count, tags, seen }).await.unwrap();
    }
    let table: (String,) = ws.raw(Theirs::MAIN, "SELECT physical FROM _hb_manifest").one().await.unwrap();
    (ws, table.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_give_typed_rows() {
    let directory = tempfile::tempdir().unwrap();
    for main in [DuckDb::memory(), DuckDb::file(directory.path().join("raw.duckdb"))] {
        let (ws, table) = things(main).await;
        let text = |text: &str| SqlText::composed(text.replace("TABLE", &format!("\"{table}\"")));
        let hostile = "'; DROP TABLE things; --";
        let select = "SELECT object_id, title, count FROM TABLE WHERE title <> ? ORDER BY object_id";
        let rows: Vec<(Id, String, Option<i64>)> = ws.raw(Theirs::MAIN, text(select)).bind("one").all().await.unwrap();
        assert_eq!(rows, [("b".into(), hostile.into(), None), ("c".into(), "three".into(), Some(3))]);
        let cards: Vec<Card> = ws.raw("main", text("SELECT * FROM TABLE WHERE title = $1")).bind(hostile).all().await.unwrap();
        assert_eq!(cards, [Card { count: None, object_id: "b".into(), tags: vec!["b,\"".into(), String::new()] }]);
        let changed = ws.raw::<()>("main", text("UPDATE TABLE SET count = ? WHERE count > ?")).bind(9).bind(0).execute().await.unwrap();
        assert_eq!(changed, 2);
        assert_eq!(ws.query::<Thing>().filter(Thing::COUNT.eq(Some(9))).count().await.unwrap(), 2);
        let returned: Vec<(Id,)> =
            ws.raw("main", text("UPDATE TABLE SET count = 10 WHERE count = 9 RETURNING object_id")).all().await.unwrap();
        assert_eq!(returned.len(), 2);

        all_refused(
            "duckdb",
            vec![
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
                    ws.raw::<(i64,)>("main", "SELECT 18446744073709551615::UBIGINT AS far").all().await.map(drop),
                    "is read as int",
                    Some("far"),
                ),
                (ws.raw::<(Date,)>("main", "SELECT INTERVAL 1 DAY AS span").all().await.map(drop), "is read as date", Some("span")),
                (
                    ws.raw::<()>("main", text("DELETE FROM TABLE WHERE title = ?")).execute().await.map(drop),
                    "takes 1 values and 0 are bound",
                    None,
                ),
                (ws.raw::<()>("main", text("DELETE FROM TABLE")).bind(1).execute().await.map(drop), "takes 0 values and 1 are bound", None),
                (ws.raw::<()>("main", text("DELETE FROM TABLE; SELECT 1")).execute().await.map(drop), "several statements", None),
                (ws.raw::<()>("main", "BEGIN").execute().await.map(drop), "a transaction by itself", None),
                (ws.raw::<()>("main", "COMMIT").execute().await.map(drop), "a transaction by itself", None),
                (ws.raw::<()>("main", "SELEC 1").execute().await.map(drop), "does not take the statement", None),
                // What is written is undone where its rows are read as what they are not.
                (
                    ws.raw::<(i64,)>("main", text("DELETE FROM TABLE RETURNING title")).all().await.map(drop),
                    "is read as int",
                    Some("title"),
                ),
            ],
        );
        assert_eq!(ws.count::<Thing>().await.unwrap(), 3, "nothing was deleted");
        let clash = ws.raw::<()>("main", text("INSERT INTO TABLE SELECT * FROM TABLE")).execute().await.unwrap_err();
        assert!(!format!("{clash:?}").contains("three"), "a stored value: {clash:?}");
        ws.upsert(&ws.get::<Thing>("a").await.unwrap().unwrap()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_are_bound_and_read() {
    let ws = Workspace::open(Theirs { main: DuckDb::memory() }).await.unwrap();
    type Row = (bool, i64, f64, String, Bytes, Uuid, Option<i64>, Timestamp, Date, Decimal, Json, Vector<3>);
    let row: Row = (
        true,
        i64::MIN,
        -0.5,
        "a'b\"c\\\u{fc}".into(),
        Bytes(vec![0, 255]),
        Uuid::from_u128(7),
        None,
        "2026-11-21T12:00:00.000001Z".parse().unwrap(),
        Date::new(-44, 3, 15).unwrap(),
        "-12345.0675".parse().unwrap(),
        serde_json::json!({"a": [1, "two"]}),
        [1.0, -0.1, 3.0].into(),
    );
    let text = "SELECT ?::BOOLEAN, ?::BIGINT, ?::DOUBLE, ?::VARCHAR, ?::BLOB, ?::UUID, ?::INTEGER, ?::TIMESTAMP, ?::DATE, \
                ?::DECIMAL(20, 4), ?::JSON, ?::FLOAT[3]";
    let raw = ws.raw("main", text).bind(row.0).bind(row.1).bind(row.2).bind(row.3.clone()).bind(row.4.clone()).bind(row.5).bind(row.6);
    let found: Row = raw.bind(row.7).bind(row.8).bind(row.9).bind(row.10.clone()).bind(row.11.clone()).one().await.unwrap();
    assert_eq!(found, row);
    // Narrower types of the engine's own, moments with a zone, lists, names of an ENUM, no rows.
    let text = "SELECT 1::UTINYINT, 2::HUGEINT, 0.5::FLOAT, TIMESTAMPTZ '2026-11-21 13:00:00+01', ['a', 'b'], 'x'::ENUM ('x', 'y')";
    let (small, huge, float, moment, list, name): (i64, i64, f64, Timestamp, Vec<String>, String) =
        ws.raw("main", text).one().await.unwrap();
    assert_eq!((small, huge, float, list.join(""), name.as_str()), (1, 2, 0.5, "ab".to_owned(), "x"));
    assert_eq!(moment, "2026-11-21T12:00:00Z".parse().unwrap());
    let many: Vec<(i64,)> = ws.raw("main", "SELECT * FROM range(5000)").all().await.unwrap();
    assert!(many.iter().enumerate().all(|(at, row)| row.0 == at as i64) && many.len() == 5_000);
}

/// Those that only read run beside a write that takes its time; others wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_does_not_wait_for_a_writer() {
    let (ws, table) = things(DuckDb::memory()).await;
    let (held, release) = (std::sync::Arc::new(tokio::sync::Notify::new()), std::sync::mpsc::channel::<()>());
    let writer = {
        let (ws, held) = (ws.clone(), held.clone());
        tokio::task::spawn_blocking(move || {
            ws.backend(Theirs::MAIN).unwrap().with_connection(|_| {
                held.notify_one();
                let _ = release.1.recv();
                Ok(())
            })
        })
    };
    held.notified().await;
    let count = SqlText::composed(format!("SELECT count(*) FROM \"{table}\""));
    assert_eq!(ws.raw::<(i64,)>("main", count).one().await.unwrap(), (3,));
    let delete = ws.raw::<()>("main", SqlText::composed(format!("DELETE FROM \"{table}\""))).execute();
    let waiting = tokio::time::timeout(std::time::Duration::from_millis(200), delete).await;
    assert!(waiting.is_err(), "wrote beside another writer");
    release.0.send(()).unwrap();
    writer.await.unwrap().unwrap();
    assert_eq!(ws.backend_as::<DuckDb>("main").map(|_| ()).map_err(|e| e.kind()), Ok(()));
    let rehearsal = Workspace::open(Theirs::rehearsal()).await.unwrap();
    assert_eq!(rehearsal.backend(Theirs::MAIN).err().map(|e| e.kind()), Some(ErrorKind::Unsupported));
}
