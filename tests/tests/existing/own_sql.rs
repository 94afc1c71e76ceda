//! The way out: native connections, and SQL of the application's own into typed rows.

use heavenbase::ErrorKind;
use heavenbase::prelude::*;

use super::engines::{Engine, Theirs, each};

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

#[derive(Projection, Debug, PartialEq)]
#[projection(of = Thing)]
struct Title {
    title: String,
}

/// The text in the engine's own placeholders.
fn of(engine: &Engine, text: &'static str) -> &'static str {
    if !engine.is_sqlite() {
        return text;
    }
    let mut text = text.to_owned();
    for i in 1..10 {
        text = text.replace(&format!("${i}"), &format!("?{i}"));
    }
    Box::leak(text.into_boxed_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_give_typed_rows() {
    each(|engine| async move {
        let ws = engine.open().await;
        ws.register::<Thing>().await.unwrap();
        let at: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let hostile = "'; DROP TABLE \"default__raw_thing\"; --";
        for (id, title, count) in [("a", "one", Some(1)), ("b", hostile, None), ("c", "three", Some(3))] {
            ws.upsert(&Thing { object_id: id.into(), title: title.into(), count, at }).await.unwrap();
        }
        let table = ws.raw::<(String,)>("main", "SELECT physical FROM _hb_manifest").all().await.unwrap();
        let [(table,)] = table.as_slice() else { panic!("{table:?}") };
        let text =
            |text: &'static str| heavenbase::workspace::SqlText::composed(of(&engine, text).replace("TABLE", &format!("\"{table}\"")));
        let rows: Vec<(Id, String, Option<i64>)> = ws
            .raw("main", text("SELECT object_id, title, count FROM TABLE WHERE title <> $1 ORDER BY object_id"))
            .bind("one")
            .all()
            .await
            .unwrap();
        assert_eq!(rows, [("b".into(), hostile.into(), None), ("c".into(), "three".into(), Some(3))], "{}", engine.name);
        // By the names of a projection's fields, in any order and beside other columns.
        let cards: Vec<Card> = ws.raw(Theirs::MAIN, text("SELECT * FROM TABLE WHERE title = $1")).bind(hostile).all().await.unwrap();
        assert_eq!(cards, [Card { count: None, object_id: "b".into(), title: hostile.into() }]);
        let title: Title = ws.raw(Theirs::MAIN, text("SELECT title FROM TABLE WHERE count = $1")).bind(3).one().await.unwrap();
        assert_eq!(title, Title { title: "three".into() });
        // Moments as HeavenBase keeps them.
        let (found,) = ws.raw::<(Timestamp,)>("main", text("SELECT at FROM TABLE WHERE at = $1 LIMIT 1")).bind(at).one().await.unwrap();
        assert_eq!(found, at);
        let changed = ws.raw::<()>("main", text("UPDATE TABLE SET count = $2 WHERE count > $1")).bind(0).bind(9).execute().await.unwrap();
        assert_eq!(changed, 2);
        assert_eq!(ws.raw::<()>("main", text("DELETE FROM TABLE WHERE title = $1")).bind("nobody").execute().await.unwrap(), 0);
        assert_eq!(ws.query::<Thing>().filter(Thing::COUNT.eq(Some(9))).count().await.unwrap(), 2);
        // What does not fit names the column, or the value.
        type Case<'a> = (&'a str, heavenbase::Result<()>, &'a str, Option<&'a str>);
        let cases: Vec<Case<'_>> = vec![
            (
                "too many",
                ws.raw::<(String,)>("main", text("SELECT title, count FROM TABLE")).all().await.map(drop),
                "gives 2 columns (title, count), the row reads 1",
                None,
            ),
            (
                "too few, and no row",
                ws.raw::<(String, i64)>("main", text("SELECT title FROM TABLE WHERE 1 = 0")).all().await.map(drop),
                "gives 1 columns (title), the row reads 2",
                None,
            ),
            (
                "another type",
                ws.raw::<(String, i64)>("main", text("SELECT object_id, title FROM TABLE")).all().await.map(drop),
                "the column is text, and is read as int",
                Some("title"),
            ),
            (
                "a null",
                ws.raw::<(Id, i64)>("main", text("SELECT object_id, count FROM TABLE")).all().await.map(drop),
                "the column holds a null, and is read as int that is not optional",
                Some("count"),
            ),
            (
                "out of range",
                ws.raw::<(i8,)>("main", text("SELECT CAST(300 AS bigint) AS far")).all().await.map(drop),
                "the column gave a int, which is no i8",
                Some("far"),
            ),
            (
                "no column of the name",
                ws.raw::<Title>("main", text("SELECT count FROM TABLE")).all().await.map(drop),
                "gives no column of this name, it gives count",
                Some("title"),
            ),
            (
                "two columns of the name",
                ws.raw::<Title>("main", text("SELECT title, title FROM TABLE")).all().await.map(drop),
                "two columns of this name",
                Some("title"),
            ),
            (
                "a value too few",
                ws.raw::<()>("main", text("DELETE FROM TABLE WHERE title = $1")).execute().await.map(drop),
                "takes 1 values and 0 are bound",
                None,
            ),
            (
                "a value too many",
                ws.raw::<()>("main", text("DELETE FROM TABLE")).bind(1).execute().await.map(drop),
                "takes 0 values and 1 are bound",
                None,
            ),
            (
                "more than one",
                ws.raw::<(Id,)>("main", text("SELECT object_id FROM TABLE")).one().await.map(drop),
                "more than one row",
                None,
            ),
            ("no backend", ws.raw::<(Id,)>("mian", "SELECT 1").one().await.map(drop), "no backend of this name, it has: main", None),
        ];
        for (name, found, said, field) in cases {
            let error = found.expect_err(name);
            assert!(error.to_string().contains(said), "{}: {name}: {error}", engine.name);
            assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidQuery, field), "{}: {name}: {error}", engine.name);
        }
        let broken = ws.raw::<(i64,)>("main", "SELEKT 1").all().await.unwrap_err();
        assert!(matches!(broken.kind(), ErrorKind::InvalidQuery | ErrorKind::Backend), "{broken}");
        let two = ws.raw::<()>("main", text("DELETE FROM TABLE; DELETE FROM TABLE")).execute().await.unwrap_err();
        assert!(matches!(two.kind(), ErrorKind::InvalidQuery | ErrorKind::Backend), "{two}");
        assert_eq!(ws.count::<Thing>().await.unwrap(), 3, "{}: nothing was deleted", engine.name);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_every_type_are_bound_and_read() {
    each(|engine| async move {
        let ws = engine.open().await;
        let cast = |name: &str| if engine.is_sqlite() { String::new() } else { format!("::{name}") };
        let text = format!(
            "SELECT $1{}, $2{}, $3{}, $4{}, $5{}, $6{}, $7{}, $8{}",
            cast("boolean"),
            cast("bigint"),
            cast("float8"),
            cast("text"),
            cast("bytea"),
            cast("uuid"),
            cast("jsonb"),
            cast("text[]")
        );
        let text = if engine.is_sqlite() { text.replace('$', "?") } else { text };
        type Row = (bool, i64, f64, String, Bytes, Uuid, Json, Vec<String>);
        let row: Row = (
            true,
            i64::MIN,
            -0.5,
            "a'b\"c\\ü".into(),
            Bytes(vec![0, 255]),
            Uuid::from_u128(7),
            serde_json::json!({"a": [1, "two"]}),
            vec!["x,y".into(), "\"".into()],
        );
        let found: Row = ws
            .raw("main", heavenbase::workspace::SqlText::composed(text))
            .bind(row.0)
            .bind(row.1)
            .bind(row.2)
            .bind(row.3.clone())
            .bind(row.4.clone())
            .bind(row.5)
            .bind(row.6.clone())
            .bind(row.7.clone())
            .one()
            .await
            .unwrap();
        assert_eq!(found, row, "{}", engine.name);
        if engine.is_sqlite() {
            return;
        }
        // What the server takes decides how a value travels.
        let day: Date = "2026-11-21".parse().unwrap();
        let at: Timestamp = "2026-11-21T12:00:00.5Z".parse().unwrap();
        let found: (i64, Decimal, Timestamp, Date, Option<i64>, Vec<i64>, f64) = ws
            .raw("main", "SELECT $1::int2, $2::numeric * 2, $3::timestamptz, $4::date, $5::int4, $6::bigint[], $7::real")
            .bind(7)
            .bind("-12345.0675".parse::<Decimal>().unwrap())
            .bind(at)
            .bind(day)
            .bind(None::<i64>)
            .bind(vec![1i64, -2])
            .bind(0.25)
            .one()
            .await
            .unwrap();
        assert_eq!(found, (7, "-24690.135".parse().unwrap(), at, day, None, vec![1, -2], 0.25));
        for (wrong, said) in [
            (
                ws.raw::<(i64,)>("main", "SELECT $1::int2").bind(70_000i64).one().await,
                "the value 1 is bound as int, and the statement takes int2",
            ),
            (
                ws.raw::<(i64,)>("main", "SELECT 1 WHERE $1::uuid IS NOT NULL").bind("x").one().await,
                "bound as text(65535), and the statement takes uuid",
            ),
        ] {
            let error = wrong.unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    })
    .await;
}

#[derive(Layout)]
struct Two {
    #[layout(default)]
    main: Sqlite,
    memory: InMem,
}

#[tokio::test(flavor = "multi_thread")]
async fn native_connections_are_of_the_layouts_kinds() {
    let directory = tempfile::tempdir().unwrap();
    let ws = Workspace::open(Two { main: Sqlite::file(directory.path().join("a.db")), memory: InMem::new() }).await.unwrap();
    let one: i64 = ws.backend(Two::MAIN).unwrap().with_reader(|c| c.query_row("SELECT 1", [], |row| row.get(0))).unwrap();
    assert_eq!(one, 1);
    assert!(ws.backend_as::<Sqlite>("main").is_ok());
    assert_eq!(ws.backend_as::<Postgres>("main").unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(ws.backend_as::<Sqlite>("memory").unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(ws.backend_as::<Sqlite>("nothing").unwrap_err().kind(), ErrorKind::InvalidQuery);
    assert_eq!(ws.raw::<(i64,)>("memory", "SELECT 1").one().await.unwrap_err().kind(), ErrorKind::Unsupported);
    // A transaction that a statement begins would be the next one's too.
    assert_eq!(ws.raw::<()>(Two::MAIN, "BEGIN").execute().await.unwrap_err().kind(), ErrorKind::InvalidQuery);
    assert_eq!(ws.raw::<(i64,)>(Two::MAIN, "SELECT 1").one().await.unwrap(), (1,));
    let rehearsal = Workspace::open(Two::rehearsal()).await.unwrap();
    assert_eq!(rehearsal.backend(Two::MAIN).unwrap_err().kind(), ErrorKind::Unsupported);
    each(|engine| async move {
        let ws = engine.open().await;
        match engine.name {
            "postgres" => {
                let pool = ws.backend_as::<Postgres>("main").unwrap();
                let (one,): (i32,) = sqlx::query_as("SELECT 1").fetch_one(pool).await.unwrap();
                assert_eq!(one, 1);
                assert!(ws.backend_as::<PgVector>("main").is_err());
            }
            "pgvector" => assert!(ws.backend_as::<PgVector>("main").is_ok()),
            _ => {}
        }
    })
    .await;
}
