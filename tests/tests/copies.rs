//! Copies: a text that is true in SQL and searched elsewhere, through every way of writing, and what becomes of it when its
//! backend fails, is emptied, or is changed behind our back.
#![cfg(feature = "sqlite")]
#![allow(clippy::expect_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use heavenbase::driver::{Driver, WriteBatch, WriteMode};
use heavenbase::prelude::*;
use heavenbase::schema::{Binding, Part, Routing};
use heavenbase::types::{Value, words};
use heavenbase::workspace::{Finding, FindingKind, Repair};
use heavenbase::{ErrorKind, Result};

/// What lies on the backend of copies, behind the workspace's back.
struct Behind {
    driver: Arc<dyn Driver>,
    part: Arc<Part>,
}

impl Behind {
    fn of<L: Layout, E: Entity<Layout = L>>(ws: &Workspace<L>, namespace: &str, kind: &'static str) -> Result<Behind> {
        let bindings: Vec<Binding> =
            L::ENTRIES.iter().filter_map(|entry| Some(Binding { name: entry.name, kind, driver: ws.driver(entry.name)? })).collect();
        let routing = Routing::new(E::SCHEMA, &namespace.into(), "main", &bindings)?;
        let part = routing.parts.iter().find(|part| part.backend == "search").expect("there are copies").clone();
        Ok(Behind { driver: ws.driver("search").expect("it is in the layout"), part })
    }

    async fn write(&self, mode: WriteMode, version: i64, id: &str, text: &str) -> Result<()> {
        let (columns, values): (Vec<usize>, Vec<Value>) = match mode {
            WriteMode::Delete => Default::default(),
            _ => (vec![0], vec![Value::Text(text.into())]),
        };
        let batch = WriteBatch { mode, version, ids: vec![Id::from(id)], columns, values, expected: Vec::new() };
        let report = self.driver.write(&self.part, Arc::new(batch)).await?;
        assert_eq!(report, Default::default(), "{id}");
        Ok(())
    }

    async fn version(&self, id: &str) -> Result<i64> {
        Ok(self.driver.fetch(&self.part, &[Id::from(id)], &[]).await?.versions.first().copied().unwrap_or_default())
    }
}

fn kinds(findings: &[Finding]) -> BTreeSet<(String, String)> {
    findings.iter().map(|f| (f.id.to_string(), format!("{:?} {} {:?}", f.kind, f.backend, f.fields))).collect()
}

const VOCABULARY: [&str; 8] = ["oak", "Desk", "größe", "lamp", "x1", "red", "İstanbul", "of"];

fn text(n: usize) -> String {
    (0..n % 5 + 1).map(|k| VOCABULARY[(n * 7 + k * 3) % VOCABULARY.len()]).collect::<Vec<_>>().join(" ")
}

macro_rules! suite {
    ($module:ident, $layout:ident, $kind:ty, $name:literal, $open:expr) => {
        mod $module {
            use super::*;

            #[derive(Layout)]
            pub struct $layout {
                #[layout(default)]
                main: Sqlite,
                search: $kind,
            }

            /// The search holds nothing but copies.
            #[derive(Entity, Clone, Debug, PartialEq)]
            #[entity(layout = $layout)]
            pub struct Article {
                object_id: Id,
                #[store(to = "main")]
                #[store(to = "search", as = InvertedIndex, copy)]
                body: String,
                rank: i64,
            }

            fn article(n: usize) -> Article {
                Article { object_id: Id::from(format!("a{n:05}")), body: text(n), rank: n as i64 }
            }

            async fn open() -> Result<Option<(Workspace<$layout>, Behind)>> {
                let Some(search) = $open else { return Ok(None) };
                let namespace = heavenbase_tests::conformance::namespace();
                let ws = Workspace::open_as(&namespace, $layout { main: Sqlite::memory(), search }).await?;
                ws.register::<Article>().await?;
                let behind = Behind::of::<_, Article>(&ws, &namespace, $name)?;
                Ok(Some((ws, behind)))
            }

            /// What the copy finds is what the truth says, word by word.
            async fn agrees(ws: &Workspace<$layout>, after: &str) -> Result<()> {
                ws.refresh::<Article>().await?;
                let rows = ws.query::<Article>().all().await?;
                for word in VOCABULARY {
                    let wanted: Vec<String> = words(word).collect();
                    let holds = |row: &&Article| wanted.iter().all(|word| words(&row.body).any(|w| w == *word));
                    let truth: Vec<Id> = rows.iter().filter(holds).map(|row| row.object_id.clone()).collect();
                    let found = ws.query::<Article>().filter(Article::BODY.on($layout::SEARCH).matches(word)).ids().await?;
                    assert_eq!(found, truth, "{word} after {after}");
                }
                assert_eq!(ws.audit::<Article>().await?.findings, [], "after {after}");
                Ok(())
            }

            #[tokio::test]
            async fn every_way_of_writing_keeps_them() -> Result<()> {
                let Some((ws, _)) = open().await? else { return Ok(()) };
                ws.insert(&article(0)).await?;
                ws.insert_many(&(1..60).map(article).collect::<Vec<_>>()).await?;
                agrees(&ws, "insert").await?;
                ws.upsert(&Article { body: text(77), ..article(3) }).await?;
                ws.upsert_many(&(40..90).map(|n| Article { body: text(n + 1), ..article(n) }).collect::<Vec<_>>()).await?;
                agrees(&ws, "upsert").await?;
                assert!(ws.update("a00005", Article::BODY.set("İstanbul lamp")).await?);
                assert!(ws.update("a00006", Article::RANK.set(1000)).await?);
                assert_eq!(ws.update_where(Article::RANK.lt(4), Article::BODY.set("größe")).await?, 4);
                agrees(&ws, "update").await?;
                assert!(ws.delete::<Article>("a00005").await?);
                assert_eq!(ws.delete_many::<Article>([Id::from("a00001"), Id::from("nobody")]).await?, 1);
                assert!(ws.delete_where(Article::BODY.on($layout::SEARCH).matches("oak")).await? > 5);
                agrees(&ws, "delete").await
            }

            #[tokio::test]
            async fn an_emptied_backend_is_filled_again() -> Result<()> {
                let Some((ws, behind)) = open().await? else { return Ok(()) };
                // Some in one batch, some with a version of their own.
                ws.insert_many(&(0..1500).map(article).collect::<Vec<_>>()).await?;
                for n in 1500..1530 {
                    ws.insert(&article(n)).await?;
                }
                assert!(behind.driver.drop_part(&behind.part).await?);
                ws.register::<Article>().await?;
                let mut missing = 0;
                let rows = ws.audit_each::<Article>(|f| missing += u64::from(f.kind == FindingKind::MissingPart && f.backend == "search"));
                assert_eq!((rows.await?, missing), (1530, 1530));
                let dry = ws.repair::<Article>(Repair { dry_run: true, ..Repair::default() }).await?;
                assert_eq!((dry.mended.len(), dry.left.len()), (1530, 0));
                assert_eq!(behind.version("a00000").await?, 0, "a dry run writes nothing");

                let mut heard = Vec::new();
                assert_eq!(ws.rebuild::<Article>("search", |progress| heard.push((progress.rows, progress.of))).await?, 1530);
                assert_eq!(heard, [(1024, 1530), (1530, 1530)]);
                agrees(&ws, "rebuild").await?;
                // Again: nothing to do, nothing done.
                let before = behind.version("a00000").await?;
                assert_eq!(ws.rebuild::<Article>("search", |_| {}).await?, 1530);
                assert_eq!(behind.version("a00000").await?, before);
                let truth = ws.query::<Article>().count().await?;
                assert_eq!(truth, 1530);
                assert_eq!(ws.rebuild::<Article>("main", |_| {}).await.expect_err("no copy there").kind(), ErrorKind::InvalidQuery);
                Ok(())
            }

            #[tokio::test]
            async fn what_is_stale_missing_behind_or_orphaned_is_found_and_mended() -> Result<()> {
                let Some((ws, behind)) = open().await? else { return Ok(()) };
                ws.insert_many(&(0..20).map(article).collect::<Vec<_>>()).await?;
                let version = behind.version("a00000").await?;
                let newer = version + 5000;
                // Missing; behind; ahead; stale at the same version; an orphan.
                behind.write(WriteMode::Delete, newer, "a00003", "").await?;
                for (id, at) in [("a00004", version - 7), ("a00005", newer), ("a00006", version)] {
                    behind.write(WriteMode::Delete, newer, id, "").await?;
                    behind.write(WriteMode::Upsert, at, id, "of").await?;
                }
                behind.write(WriteMode::Upsert, newer, "b1", "of").await?;
                ws.refresh::<Article>().await?;
                let findings = ws.audit::<Article>().await?.findings;
                let expected = [
                    ("a00003", "MissingPart search []"),
                    ("a00004", "VersionDisagrees search []"),
                    ("a00005", "VersionDisagrees search []"),
                    ("a00006", "StaleCopy search [\"body\"]"),
                    ("b1", "Orphan search []"),
                ];
                assert_eq!(kinds(&findings), expected.map(|(id, kind)| (id.to_owned(), kind.to_owned())).into());
                let dry = ws.repair::<Article>(Repair { dry_run: true, ..Repair::default() }).await?;
                assert_eq!((kinds(&dry.mended), dry.left.len()), (kinds(&findings), 0));
                assert_eq!(kinds(&ws.audit::<Article>().await?.findings), kinds(&findings), "a dry run changes nothing");
                let mended = ws.repair::<Article>(Repair::default()).await?;
                assert_eq!((kinds(&mended.mended), mended.left.len()), (kinds(&findings), 0));
                agrees(&ws, "repair").await?;
                assert_eq!(ws.repair::<Article>(Repair::default()).await?, Default::default(), "nothing is left");
                // The truth was touched nowhere.
                assert_eq!(ws.query::<Article>().all().await?, (0..20).map(article).collect::<Vec<_>>());
                // And rows can be written as before.
                ws.upsert_many(&(0..20).map(|n| Article { body: text(n + 3), ..article(n) }).collect::<Vec<_>>()).await?;
                agrees(&ws, "writing again").await
            }

            /// The search holds a copy beside what is true there.
            #[derive(Entity, Clone, Debug, PartialEq)]
            #[entity(layout = $layout)]
            pub struct Mixed {
                object_id: Id,
                #[store(to = "main")]
                #[store(to = "search", as = InvertedIndex, copy)]
                body: String,
                #[store(to = "search")]
                note: Option<String>,
            }

            #[tokio::test]
            async fn a_copy_beside_true_fields_is_mended_and_they_are_kept() -> Result<()> {
                let Some(search) = $open else { return Ok(()) };
                let namespace = heavenbase_tests::conformance::namespace();
                let ws = Workspace::open_as(&namespace, $layout { main: Sqlite::memory(), search }).await?;
                ws.register::<Mixed>().await?;
                let behind = Behind::of::<_, Mixed>(&ws, &namespace, $name)?;
                let row = |n: usize| Mixed { object_id: Id::from(format!("m{n}")), body: text(n), note: Some(format!("note {n}")) };
                ws.insert_many(&(0..5).map(row).collect::<Vec<_>>()).await?;
                let (id, version) = (Id::from("m2"), behind.version("m2").await?);
                // The version that the owner has, with another text.
                let all = |version, text: &str| WriteBatch {
                    mode: WriteMode::Upsert,
                    version,
                    ids: vec![id.clone()],
                    columns: vec![0, 1],
                    values: vec![Value::Text(text.into()), Value::Text("note 2".into())],
                    expected: Vec::new(),
                };
                behind.write(WriteMode::Delete, version + 1, "m2", "").await?;
                behind.driver.write(&behind.part, Arc::new(all(version, "stale"))).await?;
                // And a row that the backend lost: its note is nowhere else.
                behind.write(WriteMode::Delete, version + 1, "m3", "").await?;
                ws.refresh::<Mixed>().await?;
                let findings = ws.audit::<Mixed>().await?.findings;
                let expected = [("m2", "StaleCopy search [\"body\"]"), ("m3", "MissingPart search []")];
                assert_eq!(kinds(&findings), expected.map(|(id, kind)| (id.to_owned(), kind.to_owned())).into());
                let repaired = ws.repair::<Mixed>(Repair::default()).await?;
                assert_eq!((repaired.mended.len(), repaired.left.len()), (1, 1));
                let error = ws.rebuild::<Mixed>("search", |_| {}).await.expect_err("a row is torn");
                assert_eq!((error.kind(), error.detail("id"), error.backend()), (ErrorKind::FracturedRow, Some("m3"), Some("search")));
                ws.upsert(&row(3)).await?;
                assert_eq!(ws.rebuild::<Mixed>("search", |_| {}).await?, 5);
                ws.refresh::<Mixed>().await?;
                assert_eq!(ws.query::<Mixed>().all().await?, (0..5).map(row).collect::<Vec<_>>());
                assert_eq!(ws.audit::<Mixed>().await?.findings, []);
                Ok(())
            }
        }
    };
}

suite!(memory, OverMemory, InMem, "inmem", Some(InMem::new()));

/// The real node, if there is one.
#[cfg(feature = "elasticsearch")]
fn node() -> Option<Elasticsearch> {
    let address = std::env::var("HEAVENBASE_TEST_ELASTICSEARCH").ok().filter(|address| !address.is_empty());
    if address.is_none() {
        assert!(std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_none(), "no Elasticsearch, and nothing may be skipped");
        eprintln!("not run: HEAVENBASE_TEST_ELASTICSEARCH is not set");
    }
    address.map(Elasticsearch::url)
}

#[cfg(feature = "elasticsearch")]
suite!(elasticsearch, OverElasticsearch, Elasticsearch, "elasticsearch", node());
