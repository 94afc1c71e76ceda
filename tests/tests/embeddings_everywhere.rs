//! Embeddings on every backend that stores vectors: the digest lies beside the vector and comes back with it.
#![allow(clippy::expect_used)]

use heavenbase::Result;
#[cfg(feature = "trino")]
use heavenbase::backends::TrinoIceberg;
use heavenbase::prelude::*;
use heavenbase::workspace::{FindingKind, Repair};
use heavenbase_tests::embedder::Letters;

macro_rules! on {
    ($module:ident, $kind:ident, $open:expr $(, $scan:ident as $place:tt)?) => {
        mod $module {
            use super::*;

            #[derive(Layout)]
            struct Split {
                #[layout(default)]
                main: InMem,
                vectors: $kind,
            }

            /// The vector elsewhere.
            #[derive(Entity, Clone, Debug, PartialEq)]
            #[entity(layout = Split)]
            struct Note {
                object_id: Id,
                title: String,
                body: Option<String>,
                #[compute(embed, from(title, body))]
                #[store(to = "vectors" $(, as = $place)?)]
                meaning: Option<Vector<8>>,
            }

            scenario!(split, Split, Note, |backend| Split { main: InMem::new(), vectors: backend }, "vectors", $open $(, $scan)?);
        }
    };
}

/// The same with everything in one place, on some of them: what differs is that the backend owns the rows, and each costs the
/// compiler as much again.
macro_rules! alone_on {
    ($module:ident, $kind:ident, $open:expr) => {
        mod $module {
            use super::*;

            #[derive(Layout)]
            struct Whole {
                only: $kind,
            }

            /// Everything in one place.
            #[derive(Entity, Clone, Debug, PartialEq)]
            #[entity(layout = Whole, name = "note")]
            struct Alone {
                object_id: Id,
                title: String,
                body: Option<String>,
                #[compute(embed, from(title, body))]
                meaning: Option<Vector<8>>,
            }

            scenario!(whole, Whole, Alone, |backend| Whole { only: backend }, "only", $open);
        }
    };
}

macro_rules! scenario {
    ($name:ident, $layout:ident, $entity:ident, |$backend:ident| $made:expr, $vectors:literal, $open:expr $(, $scan:ident)?) => {
        #[tokio::test]
        async fn $name() -> Result<()> {
            let Some($backend) = $open else { return Ok(()) };
            let letters = Letters::<8>::new("letters-1", 16);
            let asked = letters.asked.clone();
            let ws = Workspace::open_as(&heavenbase_tests::conformance::namespace(), $made).await?.with_embedder("default", letters);
            ws.register::<$entity>().await?;
            let row = |n: usize| $entity {
                object_id: Id::from(format!("n{n:03}")),
                title: ["ab", "bcc", "def g", "ha"][n % 4].repeat(n / 4 + 1),
                body: (n % 3 == 0).then(|| "aé\u{1F600}".to_owned()),
                meaning: None,
            };
            let with_vector = |row: &$entity| {
                let text = row.body.iter().fold(row.title.clone(), |text, body| format!("{text}\n{body}"));
                $entity { meaning: (!row.title.is_empty()).then(|| Vector::from(Letters::<8>::vector(&text))), ..row.clone() }
            };
            let mut rows: Vec<$entity> = (0..40).map(row).collect();
            rows[39] = $entity { title: String::new(), body: None, ..row(39) };
            ws.insert_many(&rows).await?;
            assert_eq!(asked.taken().iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 7]);
            ws.refresh::<$entity>().await?;
            assert_eq!(ws.query::<$entity>().all().await?, rows.iter().map(with_vector).collect::<Vec<_>>());

            ws.upsert_many(&rows).await?;
            assert!(asked.taken().is_empty(), "the digests were stored");
            rows[7].body = Some("aaaa".into());
            assert!(ws.update("n007", $entity::BODY.set("aaaa")).await?);
            assert_eq!(asked.taken().concat().len(), 1);
            ws.refresh::<$entity>().await?;
            assert_eq!(ws.get::<$entity>("n007").await?, Some(with_vector(&rows[7])));
            let text = format!("{}\naaaa", rows[7].title);
            // Where the backend does not search itself, the field says that it is read through.
            let meaning = || $entity::MEANING$(.$scan())?;
            let best = ws.query::<$entity>().near_text(meaning(), text, 1).ids().await?;
            assert_eq!(best, ["n007"]);
            let found = ws.query::<$entity>().near_text(meaning(), "a bc", 100).select(($entity::OBJECT_ID, SCORE)).all().await?;
            assert_eq!(found.len(), 39, "a row has no vector");
            let asked_for = Letters::<8>::vector("a bc");
            for (id, score) in found {
                let row = rows.iter().find(|row| row.object_id == id).map(with_vector).expect("a row of ours");
                let vector = row.meaning.expect("a row with a vector");
                let own = cosine(&asked_for, vector.as_ref());
                assert!((own - score.0).abs() < 1e-5, "{id:?}: {} for {own}", score.0);
            }
            assert!(ws.audit::<$entity>().await?.is_clean());

            let newer = Letters::<8>::new("letters-2", 100);
            let asked = newer.asked.clone();
            let ws = ws.with_embedder("default", newer);
            ws.register::<$entity>().await?;
            let findings = ws.audit::<$entity>().await?.findings;
            assert!(findings.len() == 39 && findings.iter().all(|f| f.kind == FindingKind::StaleEmbedding && f.backend == $vectors));
            let repaired = ws.repair::<$entity>(Repair::default()).await?;
            assert_eq!((repaired.mended.len(), repaired.left.len(), asked.taken().concat().len()), (39, 0, 39));
            ws.refresh::<$entity>().await?;
            assert!(ws.audit::<$entity>().await?.is_clean());
            assert_eq!(ws.query::<$entity>().all().await?, rows.iter().map(with_vector).collect::<Vec<_>>());
            assert!(ws.drop::<$entity>().await?);
            Ok(())
        }
    };
}

/// The score as `docs/semantics.md` defines it.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// Where a server is, if one is.
#[allow(dead_code, reason = "not every selection of features has a server")]
fn at<B>(variable: &str, connect: impl FnOnce(String) -> B) -> Option<B> {
    let address = std::env::var(variable).ok().filter(|address| !address.is_empty());
    if address.is_none() {
        assert!(std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_none(), "{variable} is not set, and nothing may be skipped");
        eprintln!("not run: {variable} is not set");
    }
    address.map(connect)
}

/// A directory that stays as long as the program.
#[allow(dead_code, reason = "not every selection of features has files")]
fn directory() -> std::path::PathBuf {
    tempfile::tempdir().expect("a directory").keep()
}

on!(inmem, InMem, Some(InMem::new()));
alone_on!(inmem_alone, InMem, Some(InMem::new()));
#[cfg(feature = "sqlite")]
on!(sqlite, Sqlite, Some(Sqlite::memory()));
#[cfg(feature = "sqlite")]
alone_on!(sqlite_alone, Sqlite, Some(Sqlite::memory()));
#[cfg(feature = "duckdb")]
on!(duckdb, DuckDb, Some(DuckDb::memory()));
#[cfg(feature = "lance")]
on!(lance, Lance, Some(Lance::dir(directory())));
#[cfg(feature = "pgvector")]
on!(pgvector, PgVector, at("HEAVENBASE_TEST_PGVECTOR", PgVector::url));
#[cfg(feature = "elasticsearch")]
on!(elasticsearch, Elasticsearch, at("HEAVENBASE_TEST_ELASTICSEARCH", Elasticsearch::url));
#[cfg(feature = "chroma")]
on!(chroma, Chroma, at("HEAVENBASE_TEST_CHROMA", Chroma::url));
#[cfg(feature = "milvus")]
on!(milvus, Milvus, at("HEAVENBASE_TEST_MILVUS", Milvus::url));
#[cfg(feature = "pinecone")]
on!(pinecone, Pinecone, Some(heavenbase_tests::pinecone::client_of(&directory())));
#[cfg(feature = "chroma")]
alone_on!(chroma_alone, Chroma, at("HEAVENBASE_TEST_CHROMA", Chroma::url));
#[cfg(feature = "postgres")]
on!(postgres, Postgres, at("HEAVENBASE_TEST_POSTGRES", Postgres::url), scan as InlineColumn);
#[cfg(feature = "mysql")]
on!(mariadb, MySql, at("HEAVENBASE_TEST_MYSQL", MySql::url), scan as InlineColumn);
#[cfg(feature = "mysql")]
on!(mysql, MySql, at("HEAVENBASE_TEST_MYSQL9", MySql::url), scan as InlineColumn);
#[cfg(feature = "oceanbase")]
on!(oceanbase, OceanBase, at("HEAVENBASE_TEST_OCEANBASE", OceanBase::url));
#[cfg(feature = "trino")]
on!(trino, TrinoIceberg, at("HEAVENBASE_TEST_TRINO", TrinoIceberg::url));
