//! What a program may get wrong, or do from many tasks at once, over the embedded backends.
#![cfg(all(feature = "sqlite", feature = "json", feature = "pickle", feature = "file"))]

use std::error::Error as Failure;

use heavenbase::prelude::*;
use heavenbase::workspace::Repair;
use heavenbase::{Error, ErrorKind};

#[derive(Layout)]
struct Store {
    #[layout(default)]
    main: Sqlite,
    memory: InMem,
    json: JsonFile,
    pickle: Pickle,
    files: FileStore,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Store)]
struct Note {
    object_id: Id,
    title: String,
    number: i64,
    weight: f64,
    in_main: Json,
    #[store(to = "memory")]
    in_memory: Json,
    #[store(to = "json")]
    in_json: Json,
    #[store(to = "pickle")]
    in_pickle: Json,
    #[store(to = "files")]
    in_files: Json,
}

fn note(id: &str, number: i64, json: Json) -> Note {
    Note {
        object_id: id.into(),
        title: format!("note {number}"),
        number,
        weight: 1.5,
        in_main: json.clone(),
        in_memory: json.clone(),
        in_json: json.clone(),
        in_pickle: json.clone(),
        in_files: json,
    }
}

async fn opened() -> Result<(Workspace<Store>, tempfile::TempDir), Box<dyn Failure>> {
    let directory = tempfile::tempdir()?;
    let at = |name: &str| directory.path().join(name);
    let workspace = Workspace::open(Store {
        main: Sqlite::file(at("main.db")),
        memory: InMem::new(),
        json: JsonFile::dir(at("json")),
        pickle: Pickle::dir(at("pickle")),
        files: FileStore::dir(at("files")),
    })
    .await?;
    workspace.register::<Note>().await?;
    Ok((workspace, directory))
}

/// Arrays within each other, this many.
fn nested(levels: usize) -> Json {
    (0..levels).fold(Json::from(1), |inner, level| if level % 2 == 0 { Json::from(vec![inner]) } else { serde_json::json!({ "k": inner }) })
}

#[tokio::test]
async fn operands_and_paths_that_mean_nothing_are_named() -> Result<(), Box<dyn Failure>> {
    let (workspace, directory) = opened().await?;
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = workspace.query::<Note>().filter(Note::WEIGHT.lt(number)).all().await.err().ok_or("compared")?;
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidQuery, Some("weight")));
        assert!(error.to_string().contains(&format!("compared with {number}, which is never stored")), "{error}");
    }
    let at = |name: &str| directory.path().join(name);
    for (main, json) in [("", "a"), (":memory:", "a"), ("a\0b", "a"), ("a.db", "")] {
        let main = if main == "a.db" { at(main) } else { main.into() };
        let json = if json.is_empty() { json.into() } else { at(json) };
        let store = Store {
            main: Sqlite::file(main.clone()),
            memory: InMem::new(),
            json: JsonFile::dir(json),
            pickle: Pickle::dir(at("p")),
            files: FileStore::dir(at("f")),
        };
        assert_eq!(Workspace::open(store).await.err().map(|error| error.kind()), Some(ErrorKind::InvalidSchema), "{main:?}");
    }
    Ok(())
}

#[tokio::test]
async fn json_is_nested_as_deep_as_it_can_be_read_back() -> Result<(), Box<dyn Failure>> {
    let (workspace, _directory) = opened().await?;
    let deepest = note("deepest", 1, nested(100));
    workspace.insert(&deepest).await?;
    assert_eq!(workspace.get::<Note>("deepest").await?, Some(deepest));
    for levels in [101, 128, 1000] {
        let error = workspace.upsert(&note("deeper", 2, nested(levels))).await.err().ok_or("written")?;
        assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidValue, Some("in_main")), "{levels} levels: {error}");
    }
    let patch = Note::IN_JSON.set(nested(101));
    let error = workspace.update::<Note>("deepest", patch).await.err().ok_or("changed")?;
    assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidValue, Some("in_json")), "{error}");
    assert_eq!(workspace.count::<Note>().await?, 1, "a refused row left something behind");
    Ok(())
}

/// A server handles requests in tasks that move between threads: what is awaited there has to be `Send`.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_runs_in_a_task() -> Result<(), Box<dyn Failure>> {
    let (workspace, _directory) = opened().await?;
    let ws = workspace.clone();
    let found = tokio::spawn(async move {
        ws.insert_many(&[note("a", 1, Json::Null), note("b", 2, Json::Null)]).await?;
        ws.upsert(&note("c", 3, Json::Null)).await?;
        ws.update::<Note>("c", Note::NUMBER.set(4)).await?;
        ws.update_where(Note::NUMBER.gt(3), Note::TITLE.set("last")).await?;
        ws.delete_where(Note::NUMBER.lt(2)).await?;
        ws.delete::<Note>("nobody").await?;
        ws.register::<Note>().await?;
        ws.audit::<Note>().await?;
        ws.repair::<Note>(Repair { dry_run: true, ..Repair::default() }).await?;
        let query = ws.query::<Note>().filter(Note::NUMBER.ge(0) & Note::IN_MEMORY.is_some()).order_by(Note::NUMBER.asc()).limit(5);
        let rows = query.all().await?;
        let mut stream = query.stream().await?;
        let mut streamed = Vec::new();
        while let Some(row) = stream.next().await? {
            streamed.push(row);
        }
        assert_eq!(rows, streamed);
        let page = query.page().await?;
        assert_eq!(page.rows, rows);
        query.explain_analyze().await?;
        query.first().await?;
        let numbers = ws.query::<Note>().filter(Note::TITLE.starts_with("n")).aggregate(COUNT).all().await?;
        Ok::<_, Error>((rows.iter().map(|row| row.number).collect::<Vec<_>>(), ws.count::<Note>().await?, numbers))
    })
    .await??;
    assert_eq!((found.0, found.1), (vec![2, 4], 2));
    Ok(())
}

#[tokio::test]
async fn a_cursor_is_refused_by_another_query_and_after_a_change() -> Result<(), Box<dyn Failure>> {
    let (workspace, _directory) = opened().await?;
    workspace.insert_many(&(0..4).map(|n| note(&n.to_string(), n, Json::Null)).collect::<Vec<_>>()).await?;
    let query = workspace.query::<Note>().order_by(Note::NUMBER.desc()).limit(2);
    let cursor = query.page().await?.next.ok_or("there are two more")?;
    let after: Vec<i64> = query.clone().page_after(cursor.clone()).all().await?.iter().map(|row| row.number).collect();
    assert_eq!(after, [1, 0]);
    let damaged = {
        let mut text = cursor.clone();
        let last = text.pop().ok_or("empty")?;
        text.push(if last == '0' { '1' } else { '0' });
        text
    };
    let bad = [
        (workspace.query::<Note>().order_by(Note::TITLE.asc()).limit(2), cursor.clone(), "another filter or order"),
        (query.clone(), damaged, "damaged"),
        (query.clone(), "é".repeat(8), "damaged"),
        (query.clone(), String::new(), "damaged"),
        (query.clone(), cursor_of_another_version(), "another version"),
    ];
    for (query, cursor, why) in bad {
        let error = query.page_after(cursor.clone()).all().await.err().ok_or("taken")?;
        assert_eq!(error.kind(), ErrorKind::InvalidQuery, "{error}");
        assert!(error.to_string().contains(why), "{cursor}: {error}");
    }
    Ok(())
}

/// A cursor that is whole, and of a shape that this version does not know.
fn cursor_of_another_version() -> String {
    let body = br#"{"version":2,"shard":7}"#;
    let hash = blake3::hash(body);
    body.iter().chain(&hash.as_bytes()[..4]).map(|byte| format!("{byte:02x}")).collect()
}
