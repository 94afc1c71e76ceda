//! Writing to tables of others: the last writer wins, columns without a field stay as they are.

use heavenbase::ErrorKind;
use heavenbase::prelude::*;

use super::engines::{Engine, Theirs, each};

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Theirs, table("main", "people of \"others\"#"))]
struct Person {
    #[id(column = "the.key", as = i64)]
    object_id: Id,
    #[text(max = 40)]
    name: String,
    #[store(name = "aGe")]
    age: Option<i32>,
}

const PEOPLE: &str = r##""main"."people of ""others""#""##;

fn person(id: &str, name: &str, age: impl Into<Option<i32>>) -> Person {
    Person { object_id: Id::from(id), name: name.into(), age: age.into() }
}

async fn rows(engine: &Engine) -> Vec<String> {
    let found = engine.sql(&format!(r##"SELECT "the.key", name, "aGe", extra FROM {PEOPLE} ORDER BY 1"##)).await;
    found.into_iter().map(|row| row.join("|")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_write_means_what_the_decision_says() {
    each(|engine| async move {
        engine
            .sql(&format!(
                r##"CREATE TABLE {PEOPLE} ("the.key" bigint NOT NULL PRIMARY KEY, name varchar(40) NOT NULL, "aGe" integer, extra text DEFAULT 'theirs');
INSERT INTO {PEOPLE} VALUES (1, 'Ann', 30, 'kept')"##
            ))
            .await;
        let before = engine.catalog().await;
        let ws = engine.open().await;
        ws.register::<Person>().await.unwrap();
        ws.register::<Person>().await.unwrap();
        assert_eq!(ws.insert(&person("2", "Bob", None)).await.unwrap(), "2");
        let refused = ws.insert(&person("1", "Eve", 1)).await.unwrap_err();
        assert_eq!((refused.kind(), refused.detail("id")), (ErrorKind::AlreadyExists, Some("1")), "{}: {refused}", engine.name);
        assert_eq!(rows(&engine).await, ["1|Ann|30|kept", "2|Bob|NULL|theirs"]);
        let batch = [person("1", "Ann B.", None), person("-3", "Cem'; DROP TABLE x; --", 5), person("10", "Dan", 6)];
        for _ in 0..2 {
            ws.upsert_many(&batch).await.unwrap();
            assert_eq!(rows(&engine).await, ["-3|Cem'; DROP TABLE x; --|5|theirs", "1|Ann B.|NULL|kept", "2|Bob|NULL|theirs", "10|Dan|6|theirs"]);
        }
        assert_eq!(ws.get::<Person>("-3").await.unwrap(), Some(batch[1].clone()));
        assert!(ws.update::<Person>("2", Person::AGE.set(41)).await.unwrap());
        for id in ["3", "002", "two"] {
            assert!(!ws.update::<Person>(id, Person::AGE.set(1)).await.unwrap(), "{id}");
            assert!(!ws.delete::<Person>(id).await.unwrap(), "{id}");
        }
        assert_eq!(ws.update_where(Person::AGE.ge(6), Person::NAME.set("old")).await.unwrap(), 2);
        assert_eq!(rows(&engine).await, ["-3|Cem'; DROP TABLE x; --|5|theirs", "1|Ann B.|NULL|kept", "2|old|41|theirs", "10|old|6|theirs"]);
        assert_eq!(ws.delete_many::<Person>(["10", "11", "x", "-3"].map(Id::from)).await.unwrap(), 2);
        assert_eq!(ws.delete_where(Person::NAME.eq("old")).await.unwrap(), 1);
        assert_eq!(rows(&engine).await, ["1|Ann B.|NULL|kept"]);
        for id in ["01", "one", "1.0", "9223372036854775808"] {
            let error = ws.upsert(&person(id, "x", None)).await.unwrap_err();
            assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidValue, Some("object_id")), "{id}");
        }
        let auto = Person { object_id: Id::auto(), ..person("1", "x", None) };
        assert_eq!(ws.insert(&auto).await.unwrap_err().kind(), ErrorKind::InvalidValue);
        // A batch with a mistake writes nothing.
        let clash = [person("50", "new", None), person("1", "taken", None)];
        assert_eq!(ws.insert_many(&clash).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(rows(&engine).await, ["1|Ann B.|NULL|kept"]);
        for error in [
            ws.drop::<Person>().await.unwrap_err(),
            ws.audit::<Person>().await.unwrap_err(),
            ws.repair::<Person>(heavenbase::workspace::Repair::default()).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        }
        assert_eq!(engine.catalog().await, before);
        assert_eq!(rows(&engine).await, ["1|Ann B.|NULL|kept"]);
    })
    .await;
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Theirs, table = "main.notes")]
struct Note {
    object_id: Id,
    text: String,
    at: Option<Timestamp>,
    body: Option<Json>,
    tags: Option<Vec<String>>,
    data: Option<Bytes>,
    size: Option<f64>,
    #[compute(length)]
    length: i64,
}

fn length(note: &Note) -> i64 {
    note.text.len() as i64
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_goes_there_and_back() {
    each(|engine| async move {
        let columns = if engine.is_sqlite() {
            "object_id TEXT NOT NULL PRIMARY KEY, text TEXT NOT NULL, at BIGINT, body TEXT, tags TEXT, data BLOB, size REAL, length INTEGER NOT NULL"
        } else {
            "object_id text PRIMARY KEY, text text NOT NULL, at timestamptz, body json, tags text[], data bytea, size float8, length bigint NOT NULL"
        };
        engine.sql(&format!("CREATE TABLE main.notes ({columns})")).await;
        let ws = engine.open().await;
        ws.register::<Note>().await.unwrap();
        let full = Note {
            object_id: Id::from("a b'\"; --"),
            text: "%_\\ '\";".into(),
            at: Some("2026-11-21T12:00:00.123456Z".parse().unwrap()),
            body: Some(serde_json::json!({"a": [1, 2.5, null], "b": "text"})),
            tags: Some(vec!["one".into(), "two, {3}".into()]),
            data: Some(Bytes(vec![0, 1, 255])),
            size: Some(-2.5),
            length: 0,
        };
        let empty =
            Note { object_id: Id::auto(), text: String::new(), at: None, body: None, tags: None, data: None, size: None, length: 0 };
        let id = ws.insert_many(&[full.clone(), empty.clone()]).await.unwrap().remove(1);
        let back = ws.get::<Note>(full.object_id.clone()).await.unwrap().unwrap();
        assert_eq!(back, Note { length: full.text.len() as i64, ..full.clone() }, "{}", engine.name);
        assert_eq!(ws.get::<Note>(id.clone()).await.unwrap().unwrap(), Note { object_id: id, ..empty });
        for (n, predicate) in [
            Note::AT.eq(full.at),
            Note::AT.gt("2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap()),
            Note::BODY.eq(full.body.clone()),
            Note::BODY.path(["b"]).eq("text"),
            Note::TAGS.has("two, {3}"),
            Note::TAGS.eq(full.tags.clone()),
            Note::DATA.eq(full.data.clone()),
            Note::SIZE.lt(0.0),
        ]
        .into_iter()
        .enumerate()
        {
            let ids = ws.query::<Note>().filter(predicate).ids().await.unwrap();
            assert_eq!(ids, std::slice::from_ref(&full.object_id), "{} {n}", engine.name);
        }
        let refused = ws.update::<Note>(full.object_id.clone(), Note::TEXT.set("other")).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
    })
    .await;
}
