//! Embeddings as computed fields: what is embedded when, by whom, and what an audit finds of it.
#![allow(clippy::expect_used)]

use std::sync::atomic::Ordering;
use std::time::Duration;

use heavenbase::embedding::Embedder;
use heavenbase::prelude::*;
use heavenbase::query::QuerySpec;
use heavenbase::workspace::{FindingKind, Repair};
use heavenbase::{Error, ErrorKind, Result, Status};
use heavenbase_tests::embedder::Letters;
use heavenbase_tests::instrumented::Instrumented;

#[derive(Layout)]
struct Shop {
    #[layout(default)]
    main: Instrumented,
    vectors: Instrumented,
    search: Instrumented,
}

/// Sources on one backend, the vector on another, a copy of it on a third.
#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Shop)]
struct Note {
    object_id: Id,
    title: String,
    body: Option<String>,
    rank: i64,
    #[compute(embed, from(title, body))]
    #[store(to = "vectors", metric = "l2")]
    #[store(to = "search", copy)]
    meaning: Option<Vector<6>>,
}

fn note(n: i64) -> Note {
    Note {
        object_id: Id::from(format!("n{n:04}")),
        title: format!("{} title", "a".repeat(n as usize % 7)),
        body: None,
        rank: n,
        meaning: None,
    }
}

fn embedded(text: &str) -> Option<Vector<6>> {
    Some(Vector::from(Letters::<6>::vector(text)))
}

async fn open(embedder: impl Embedder) -> Result<Workspace<Shop>> {
    let shop = Shop { main: Instrumented::new().0, vectors: Instrumented::new().0, search: Instrumented::new().0 };
    let ws = Workspace::open(shop).await?.with_embedder("default", embedder);
    ws.register::<Note>().await?;
    Ok(ws)
}

#[tokio::test]
async fn equal_texts_are_embedded_once_and_in_as_few_calls_as_the_embedder_takes() -> Result<()> {
    let letters = Letters::<6>::new("letters-1", 3);
    let asked = letters.asked.clone();
    let ws = open(letters).await?;
    // Seven texts that differ in twenty rows.
    let rows: Vec<Note> = (0..20).map(note).collect();
    ws.insert_many(&rows).await?;
    let calls = asked.taken();
    assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    for row in &rows {
        let stored = ws.get::<Note>(row.object_id.clone()).await?.expect("it is there");
        assert_eq!(stored, Note { meaning: embedded(&row.title), ..row.clone() });
    }

    // What did not change is not embedded again, in whatever row its text is.
    let mut again = rows.clone();
    again[3].title = again[4].title.clone();
    again[5].rank = 99;
    again[6].body = Some("new".into());
    ws.upsert_many(&again).await?;
    assert_eq!(asked.taken(), [["aaaaaa title\nnew"]]);
    assert_eq!(ws.get::<Note>("n0003").await?.and_then(|n| n.meaning), embedded("aaaa title"));
    assert_eq!(ws.get::<Note>("n0006").await?.and_then(|n| n.meaning), embedded("aaaaaa title\nnew"));
    assert!(ws.audit::<Note>().await?.is_clean());
    Ok(())
}

#[tokio::test]
async fn a_patch_embeds_again_where_a_source_changes_and_nowhere_else() -> Result<()> {
    let letters = Letters::<6>::new("letters-1", 100);
    let asked = letters.asked.clone();
    let ws = open(letters).await?;
    ws.insert_many(&(0..10).map(note).collect::<Vec<_>>()).await?;
    asked.taken();

    assert!(ws.update("n0001", Note::RANK.set(-1)).await?);
    assert!(asked.taken().is_empty(), "the rank is no source");
    assert!(ws.update("n0001", Note::BODY.set(Some("bb".to_owned()))).await?);
    assert_eq!(asked.taken(), [["a title\nbb"]]);
    assert_eq!(ws.get::<Note>("n0001").await?.and_then(|n| n.meaning), embedded("a title\nbb"));
    assert_eq!(ws.get::<Note>("n0001").await?.map(|n| n.rank), Some(-1));

    // By a condition: eight rows, seven texts, of which none is stored.
    assert_eq!(ws.update_where(Note::RANK.ge(2), Note::BODY.set("c")).await?, 8);
    assert_eq!(asked.taken().iter().map(Vec::len).collect::<Vec<_>>(), [7]);
    assert_eq!(ws.get::<Note>("n0009").await?.and_then(|n| n.meaning), embedded("aa title\nc"));
    // Back again: the vectors of before are gone, those of equal texts are stored.
    assert!(ws.update("n0009", Note::BODY.set("c")).await?);
    assert!(asked.taken().is_empty(), "the text did not change");
    let refused = ws.update("n0001", Note::MEANING.set(embedded("a"))).await.expect_err("computed");
    assert_eq!((refused.kind(), refused.field()), (ErrorKind::InvalidQuery, Some("meaning")));
    assert!(ws.audit::<Note>().await?.is_clean());
    Ok(())
}

#[tokio::test]
async fn a_query_by_text_asks_the_same_embedder() -> Result<()> {
    let letters = Letters::<6>::new("letters-1", 100);
    let asked = letters.asked.clone();
    let ws = open(letters).await?;
    ws.insert_many(&(0..7).map(note).collect::<Vec<_>>()).await?;
    asked.taken();
    let query = Query::<Note>::new().near_text(Note::MEANING, "aaaa title", 3);
    // A plain value: what comes back from JSON asks for the same.
    let json = serde_json::to_string(query.spec()).expect("it serialises");
    assert_eq!(serde_json::from_str::<QuerySpec>(&json).expect("and back"), *query.spec());
    let by_text = query.clone().select((Note::OBJECT_ID, SCORE)).on(&ws).all().await?;
    assert_eq!(asked.taken(), [["aaaa title"]]);
    let by_vector =
        ws.query::<Note>().near(Note::MEANING, &Letters::<6>::vector("aaaa title"), 3).select((Note::OBJECT_ID, SCORE)).all().await?;
    assert_eq!(by_text, by_vector);
    assert_eq!(by_text[0].0, "n0004");

    // On the copy, with a filter, counted, fused with another search: one call for both texts.
    let copy = ws.query::<Note>().filter(Note::RANK.lt(4)).near_text(Note::MEANING.on(Shop::SEARCH), "aaaa title", 2);
    assert_eq!(copy.ids().await?, ["n0003", "n0002"]);
    assert_eq!(copy.count().await?, 2);
    asked.taken();
    let fused = ws
        .query::<Note>()
        .hybrid([near_text(Note::MEANING, "aaaa title"), near_text(Note::MEANING, "a title"), near_text(Note::MEANING, "aaaa title")], 4);
    assert_eq!(fused.ids().await?.len(), 4);
    assert_eq!(asked.taken(), [["aaaa title", "a title"]]);

    // Explained without asking, and said.
    let explained = query.clone().on(&ws).explain()?;
    assert!(explained.strategy.starts_with("the text is embedded by `default` (letters-1) for meaning; "), "{explained}");
    assert!(asked.taken().is_empty());
    assert!(query.clone().on(&ws).explain_analyze().await?.rows == Some(3));

    // Wrong in itself: nobody is asked.
    asked.taken();
    let too_many = ws.query::<Note>().near_text(Note::MEANING, "a", 10_001).all().await.expect_err("k is bounded");
    assert_eq!(too_many.kind(), ErrorKind::LimitExceeded);
    let empty = ws.query::<Note>().near_text(Note::MEANING, " \n", 3).all().await.expect_err("nothing to embed");
    assert_eq!((empty.kind(), empty.field()), (ErrorKind::InvalidQuery, Some("meaning")));
    let mut spec = query.spec().clone();
    if let Some(heavenbase::query::SearchSpec::NearText { field, .. }) = &mut spec.search {
        field.name = "title".into();
    }
    let untyped = Query::<Note>::from_spec(spec).on(&ws).all().await.expect_err("no embedder");
    assert_eq!((untyped.kind(), untyped.field()), (ErrorKind::InvalidQuery, Some("title")));
    assert!(asked.taken().is_empty());
    Ok(())
}

#[tokio::test]
async fn nothing_to_embed_is_no_vector() -> Result<()> {
    let letters = Letters::<6>::new("letters-1", 100);
    let asked = letters.asked.clone();
    let ws = open(letters).await?;
    let blank = Note { title: " ".into(), body: None, ..note(1) };
    ws.upsert(&blank).await?;
    assert!(asked.taken().is_empty());
    assert_eq!(ws.get::<Note>("n0001").await?, Some(blank));
    assert_eq!(ws.query::<Note>().near_text(Note::MEANING, "a", 3).ids().await?.len(), 0);
    ws.update("n0001", Note::BODY.set("a")).await?;
    assert_eq!(ws.get::<Note>("n0001").await?.and_then(|n| n.meaning), embedded("a"));
    ws.update("n0001", Note::BODY.set(None::<String>)).await?;
    assert_eq!(ws.get::<Note>("n0001").await?.and_then(|n| n.meaning), None);
    assert!(ws.audit::<Note>().await?.is_clean());
    Ok(())
}

#[tokio::test]
async fn an_embedder_that_fails_leaves_nothing_written_and_is_asked_again_only_where_that_may_help() -> Result<()> {
    let letters = Letters::<6>::new("letters-1", 100);
    let asked = letters.asked.clone();
    let ws = open(letters).await?;
    let busy = || Error::new(ErrorKind::Unavailable, "busy");

    asked.fail(busy());
    ws.insert(&note(1)).await?;
    assert_eq!(asked.taken().len(), 2);

    (0..3).for_each(|_| asked.fail(busy()));
    let error = ws.insert_many(&[note(2), note(3)]).await.expect_err("three attempts");
    assert_eq!((error.kind(), error.status(), error.field()), (ErrorKind::Unavailable, Status::Temporary, Some("meaning")));
    assert_eq!((error.detail("attempts"), error.detail("embedder"), error.entity()), (Some("3"), Some("letters-1"), Some("note")));
    assert_eq!(asked.taken().len(), 3);

    asked.fail(Error::new(ErrorKind::PermissionDenied, "no"));
    let error = ws.update("n0001", Note::BODY.set("b")).await.expect_err("permanent");
    assert_eq!((error.kind(), asked.taken().len()), (ErrorKind::PermissionDenied, 1));
    assert_eq!(ws.count::<Note>().await?, 1);
    assert_eq!(ws.get::<Note>("n0001").await?.map(|n| n.body), Some(None));
    assert!(ws.audit::<Note>().await?.is_clean());

    let mut slow = Letters::<6>::new("letters-1", 100);
    slow.delay = Duration::from_secs(5);
    let ws = open(slow).await?;
    let started = std::time::Instant::now();
    let error = ws.insert(&note(1)).await.expect_err("too slow");
    assert_eq!((error.kind(), error.status()), (ErrorKind::Timeout, Status::Temporary));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    // A caller's own deadline is shorter.
    let own = tokio::time::timeout(Duration::from_millis(20), ws.insert(&note(1))).await;
    assert!(own.is_err());
    assert_eq!(ws.count::<Note>().await?, 0);
    Ok(())
}

/// An embedder whose answers are wrong in some way.
struct Wrong(&'static str);

impl Embedder for Wrong {
    fn model(&self) -> &str {
        self.0
    }

    fn dimensions(&self) -> usize {
        6
    }

    async fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
        let (count, numbers, number) = match self.0 {
            "fewer" => (texts.len() - 1, 6, 1.0),
            "shorter" => (texts.len(), 5, 1.0),
            _ => (texts.len(), 6, f32::NAN),
        };
        Ok(vec![vec![number; numbers]; count])
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_one_is_not_believed() -> Result<()> {
    for (wrong, says) in [
        ("fewer", "the embedder gave 1 vectors for 2 texts"),
        ("shorter", "the embedder gave a vector of 5 numbers, where it says that they have 6"),
        ("not finite", "the embedder gave a number that is not finite"),
    ] {
        let ws = open(Wrong(wrong)).await?;
        let error = ws.insert_many(&[note(1), note(2)]).await.expect_err(wrong);
        assert_eq!((error.kind(), error.message(), error.field()), (ErrorKind::Backend, says, Some("meaning")));
        assert_eq!(ws.count::<Note>().await?, 0);
    }
    Ok(())
}

#[tokio::test]
async fn a_missing_or_unfit_embedder_is_refused_at_register() -> Result<()> {
    let shop = || Shop { main: Instrumented::new().0, vectors: Instrumented::new().0, search: Instrumented::new().0 };
    let ws = Workspace::open(shop()).await?;
    let error = ws.register::<Note>().await.expect_err("no embedder");
    assert_eq!((error.kind(), error.field(), error.operation()), (ErrorKind::InvalidSchema, Some("meaning"), Some("register")));
    assert!(error.message().contains("with_embedder(\"default\", …)"), "{error}");
    let ws = ws.with_embedder("default", Letters::<7>::new("letters-1", 1));
    let error = ws.register::<Note>().await.expect_err("another size");
    assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidSchema, Some("meaning")));
    assert!(error.message().contains("Vector<7>"), "{error}");
    let ws = ws.with_embedder("default", Letters::<6>::new("letters-1", 1));
    ws.register::<Note>().await?;
    Ok(())
}

#[tokio::test]
async fn another_model_makes_every_vector_stale_until_it_is_rebuilt_or_repaired() -> Result<()> {
    let ws = open(Letters::<6>::new("letters-1", 100)).await?;
    ws.insert_many(&(0..50).map(note).collect::<Vec<_>>()).await?;
    // The same rows under another model: the workspace is the same, the entity registered again.
    let newer = Letters::<6>::new("letters-2", 5);
    let asked = newer.asked.clone();
    let ws = ws.with_embedder("default", newer);
    ws.register::<Note>().await?;
    let audit = ws.audit::<Note>().await?;
    assert_eq!((audit.rows, audit.findings.len()), (50, 50));
    assert!(audit.findings.iter().all(|f| f.kind == FindingKind::StaleEmbedding && f.backend == "vectors" && f.fields == ["meaning"]));
    let dry = ws.repair::<Note>(Repair { dry_run: true, ..Repair::default() }).await?;
    assert_eq!((dry.mended, asked.taken().len()), (audit.findings.clone(), 0));
    let repaired = ws.repair::<Note>(Repair::default()).await?;
    assert_eq!((repaired.mended, repaired.left.len()), (audit.findings, 0));
    assert_eq!(asked.taken().iter().map(Vec::len).collect::<Vec<_>>(), [5, 2], "seven texts");
    assert!(ws.audit::<Note>().await?.is_clean());

    let ws = ws.with_embedder("default", Letters::<6>::new("letters-3", 100));
    ws.register::<Note>().await?;
    let mut heard = Vec::new();
    assert_eq!(ws.rebuild::<Note>("vectors", |progress| heard.push((progress.rows, progress.of))).await?, 50);
    assert_eq!(heard, [(50, 50)]);
    assert!(ws.audit::<Note>().await?.is_clean());
    assert_eq!(ws.get::<Note>("n0004").await?.and_then(|n| n.meaning), embedded("aaaa title"));
    Ok(())
}

#[tokio::test]
async fn vectors_that_a_failure_lost_are_made_again() -> Result<()> {
    let (main, vectors, search) = (Instrumented::new(), Instrumented::new(), Instrumented::new());
    let letters = Letters::<6>::new("letters-1", 100);
    let asked = letters.asked.clone();
    let ws = Workspace::open(Shop { main: main.0, vectors: vectors.0, search: search.0 }).await?.with_embedder("default", letters);
    ws.register::<Note>().await?;
    ws.insert_many(&(0..5).map(note).collect::<Vec<_>>()).await?;
    vectors.1.refuse_writes.store(true, Ordering::SeqCst);
    let error = ws.upsert_many(&[note(8), Note { body: Some("b".into()), ..note(2) }]).await.expect_err("vectors are down");
    assert_eq!((error.kind(), error.status(), error.backend()), (ErrorKind::Unavailable, Status::Unknown, Some("vectors")));
    assert_eq!(error.detail("written on"), Some("main, search"));
    let error = ws.delete::<Note>("n0000").await.expect_err("vectors are down");
    assert_eq!(error.detail("deleted on"), Some("main, search"));
    vectors.1.refuse_writes.store(false, Ordering::SeqCst);
    let found: Vec<_> = ws.audit::<Note>().await?.findings.into_iter().map(|f| (f.kind, f.id.to_string(), f.backend)).collect();
    let at_vectors = |kind, id: &str| (kind, id.to_owned(), "vectors".to_owned());
    let expected = [
        at_vectors(FindingKind::VersionDisagrees, "n0002"),
        at_vectors(FindingKind::MissingPart, "n0008"),
        at_vectors(FindingKind::Orphan, "n0000"),
    ];
    assert_eq!(found[..2], expected[..2]);
    assert_eq!(found.last(), expected.last());
    asked.taken();
    let repaired = ws.repair::<Note>(Repair::default()).await?;
    assert_eq!(repaired.left, []);
    assert_eq!(asked.taken().concat().len(), 2, "what is stored elsewhere is a copy, not the truth");
    assert!(ws.audit::<Note>().await?.is_clean());
    assert_eq!(ws.get::<Note>("n0002").await?.and_then(|n| n.meaning), embedded("aa title\nb"));
    assert_eq!(ws.get::<Note>("n0008").await?.and_then(|n| n.meaning), embedded("a title"));
    Ok(())
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::*;

    #[derive(Layout)]
    struct Files {
        main: Sqlite,
    }

    /// All in one table, the vector not optional, a source that is computed itself.
    #[derive(Entity, Clone, Debug, PartialEq)]
    #[entity(layout = Files)]
    struct Page {
        object_id: Id,
        title: String,
        tags: Vec<String>,
        #[compute(label)]
        label: String,
        #[compute(embed = "letters", from(label))]
        #[store(metric = "dot")]
        meaning: Vector<6>,
        #[compute(embed = "wide", from(title))]
        other: Option<Vector<9>>,
    }

    fn label(page: &Page) -> String {
        format!("{} {}", page.title, page.tags.join(" "))
    }

    fn page(id: &str, title: &str, tags: &[&str]) -> Page {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Page { object_id: Id::from(id), title: title.into(), tags, label: String::new(), meaning: Vector::from([0.0; 6]), other: None }
    }

    #[tokio::test]
    async fn all_in_one_table_and_over_a_restart() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || async {
            let letters = (Letters::<6>::new("letters-1", 100), Letters::<9>::new("wide-1", 100));
            let asked = (letters.0.asked.clone(), letters.1.asked.clone());
            let ws = Workspace::open(Files { main: Sqlite::file(folder.path().join("pages.db")) }).await?;
            let ws = ws.with_embedder("letters", letters.0).with_embedder("wide", letters.1);
            ws.register::<Page>().await?;
            Ok::<_, Error>((ws, asked))
        };
        let (ws, asked) = open().await?;
        let rows = [page("p1", "ada", &["b", "c"]), page("p2", "bob", &[])];
        ws.upsert_many(&rows).await?;
        assert_eq!(
            (asked.0.taken(), asked.1.taken()),
            (vec![vec!["ada b c".into(), "bob ".into()]], vec![vec!["ada".into(), "bob".into()]])
        );
        drop(ws);

        let (ws, asked) = open().await?;
        ws.upsert_many(&rows).await?;
        assert_eq!((asked.0.taken().len(), asked.1.taken().len()), (0, 0), "the digests were stored");
        ws.update("p1", Page::TAGS.set(vec!["e".to_owned()])).await?;
        assert_eq!((asked.0.taken(), asked.1.taken().len()), (vec![vec!["ada e".to_owned()]], 0));
        let stored = ws.get::<Page>("p1").await?.expect("it is there");
        assert_eq!(stored.meaning, Vector::from(Letters::<6>::vector("ada e")));
        assert_eq!(stored.other, Some(Vector::from(Letters::<9>::vector("ada"))));
        assert_eq!(stored.label, "ada e");
        let blank = ws.upsert(&page("p3", "", &[])).await.expect_err("the vector is not optional");
        assert_eq!((blank.kind(), blank.field()), (ErrorKind::InvalidValue, Some("meaning")));
        assert_eq!(ws.query::<Page>().near_text(Page::OTHER, "bob", 1).select(Page::TITLE).all().await?, ["bob"]);

        // Changed behind the workspace's back.
        let table = rusqlite::Connection::open(folder.path().join("pages.db")).expect("opens");
        let changed = table.execute("UPDATE \"default__page\" SET \"title\" = 'eve' WHERE \"object_id\" = 'p2'", []).expect("updates");
        assert_eq!(changed, 1);
        let findings = ws.audit::<Page>().await?.findings;
        assert_eq!(findings.iter().map(|f| (f.kind, f.id.as_str())).collect::<Vec<_>>(), [(FindingKind::StaleEmbedding, "p2")]);
        assert_eq!(findings[0].fields, ["other"]);
        assert_eq!(ws.repair::<Page>(Repair::default()).await?.mended, findings);
        assert!(ws.audit::<Page>().await?.is_clean());
        assert_eq!(ws.get::<Page>("p2").await?.and_then(|p| p.other), Some(Vector::from(Letters::<9>::vector("eve"))));
        Ok(())
    }

    #[tokio::test]
    async fn a_rehearsal_embeds_too() -> Result<()> {
        let ws = Workspace::open(Files::rehearsal()).await?;
        let ws = ws.with_embedder("letters", Letters::<6>::new("letters-1", 9)).with_embedder("wide", Letters::<9>::new("wide-1", 9));
        ws.register::<Page>().await?;
        ws.insert_many(&[page("p1", "ada", &[]), page("p2", "bob", &[])]).await?;
        assert_eq!(ws.query::<Page>().near_text(Page::OTHER, "ada", 1).select(Page::TITLE).all().await?, ["ada"]);
        Ok(())
    }

    /// The same entity before it had a vector.
    #[derive(Entity, Clone, Debug, PartialEq)]
    #[entity(layout = Files, name = "entry")]
    struct Before {
        object_id: Id,
        title: String,
    }

    #[derive(Entity, Clone, Debug, PartialEq)]
    #[entity(layout = Files, name = "entry")]
    struct After {
        object_id: Id,
        title: String,
        #[compute(embed = "letters", from(title))]
        meaning: Option<Vector<6>>,
    }

    #[derive(Entity, Clone, Debug, PartialEq)]
    #[entity(layout = Files, name = "entry")]
    struct Given {
        object_id: Id,
        title: String,
        meaning: Option<Vector<6>>,
    }

    #[tokio::test]
    async fn a_vector_that_is_added_to_an_entity_is_filled_in_by_a_rebuild() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        let files = || Files { main: Sqlite::file(folder.path().join("pages.db")) };
        let ws = Workspace::open(files()).await?;
        ws.register::<Before>().await?;
        let rows: Vec<Before> = (0..3000).map(|n| Before { object_id: Id::from(format!("e{n:05}")), title: format!("{n:b}a") }).collect();
        ws.insert_many(&rows).await?;
        drop(ws);
        let letters = Letters::<6>::new("letters-1", 500);
        let asked = letters.asked.clone();
        let ws = Workspace::open(files()).await?.with_embedder("letters", letters);
        ws.register::<After>().await?;
        assert_eq!(ws.audit_each::<After>(|f| assert_eq!(f.kind, FindingKind::StaleEmbedding)).await?, 3000);
        // A failure on the way, in the second chunk: what is done stays, and is not done again.
        asked.pass(4);
        (0..3).for_each(|_| asked.fail(Error::new(ErrorKind::Unavailable, "busy")));
        let mut reached = 0;
        let error = ws.rebuild::<After>("main", |progress| reached = progress.rows).await.expect_err("the embedder is busy");
        assert_eq!((error.operation(), error.field(), reached), (Some("rebuild"), Some("meaning"), 1024));
        asked.taken();
        let mut heard = Vec::new();
        ws.rebuild::<After>("main", |progress| heard.push((progress.rows, progress.of))).await?;
        assert_eq!(heard, [(1024, 3000), (2048, 3000), (3000, 3000)]);
        assert_eq!(asked.taken().concat().len(), 3000 - 1024);
        assert!(ws.audit::<After>().await?.is_clean());
        assert_eq!(ws.query::<After>().near_text(After::MEANING, "a", 3000).count().await?, 3000);
        drop(ws);
        // The vectors cannot become the application's own without a word.
        let ws = Workspace::open(files()).await?;
        let error = ws.register::<Given>().await.expect_err("they are embedded");
        assert_eq!((error.kind(), error.field()), (ErrorKind::SchemaMismatch, Some("meaning")));
        assert!(error.message().contains("#[compute(embed"), "{error}");
        Ok(())
    }
}
