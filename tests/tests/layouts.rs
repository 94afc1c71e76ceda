//! Layouts that are described as data, opened on the servers that there are.
#![allow(unused_macros, unused_imports)]

use heavenbase::Result;
use heavenbase::backends::LayoutOptions;
use heavenbase::prelude::*;

macro_rules! opens {
    ($test:ident, $feature:literal, $kind:ty, $variable:literal, $options:literal) => {
        #[cfg(feature = $feature)]
        mod $test {
            use super::*;

            #[derive(Layout)]
            struct Described {
                main: $kind,
            }

            #[derive(Entity, Clone, Debug, PartialEq)]
            #[entity(layout = Described)]
            struct Note {
                object_id: Id,
                rank: i64,
            }

            #[tokio::test]
            async fn opens_as_described() -> Result<()> {
                if !std::env::var($variable).is_ok_and(|address| !address.is_empty()) {
                    assert!(std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_none(), "{} is not set, and nothing may be skipped", $variable);
                    eprintln!("not run: {} is not set", $variable);
                    return Ok(());
                }
                // The address comes from the environment, as credentials do.
                let options = LayoutOptions::parse($options)?;
                let ws = Workspace::open_as(&heavenbase_tests::conformance::namespace(), Described::from_options(&options)?).await?;
                ws.register::<Note>().await?;
                let note = Note { object_id: Id::from("n1"), rank: 7 };
                ws.upsert(&note).await?;
                assert_eq!(ws.get::<Note>("n1").await?, Some(note));
                assert!(ws.drop::<Note>().await?);
                Ok(())
            }
        }
    };
}

opens!(
    postgres,
    "postgres",
    Postgres,
    "HEAVENBASE_TEST_POSTGRES",
    r#"{ "main": { "type": "postgres", "url": "${HEAVENBASE_TEST_POSTGRES}", "max_connections": 2, "statement_timeout_seconds": 20 } }"#
);
opens!(
    pgvector,
    "pgvector",
    PgVector,
    "HEAVENBASE_TEST_PGVECTOR",
    r#"{ "main": { "type": "pgvector", "url": "${HEAVENBASE_TEST_PGVECTOR}", "ef_search": 300, "tls": "prefer" } }"#
);
opens!(
    mysql,
    "mysql",
    MySql,
    "HEAVENBASE_TEST_MYSQL",
    r#"{ "main": { "type": "mysql", "url": "${HEAVENBASE_TEST_MYSQL}", "acquire_timeout_seconds": 10 } }"#
);
opens!(
    oceanbase,
    "oceanbase",
    OceanBase,
    "HEAVENBASE_TEST_OCEANBASE",
    r#"{ "main": { "type": "oceanbase", "url": "${HEAVENBASE_TEST_OCEANBASE}" } }"#
);
opens!(
    elasticsearch,
    "elasticsearch",
    Elasticsearch,
    "HEAVENBASE_TEST_ELASTICSEARCH",
    r#"{ "main": { "type": "elasticsearch", "url": "${HEAVENBASE_TEST_ELASTICSEARCH}", "refresh": "before_search", "replicas": 0, "timeout_seconds": 20 } }"#
);
opens!(
    chroma,
    "chroma",
    Chroma,
    "HEAVENBASE_TEST_CHROMA",
    r#"{ "main": { "type": "chroma", "url": "${HEAVENBASE_TEST_CHROMA}", "retries": 1 } }"#
);
opens!(
    milvus,
    "milvus",
    Milvus,
    "HEAVENBASE_TEST_MILVUS",
    r#"{ "main": { "type": "milvus", "url": "${HEAVENBASE_TEST_MILVUS}", "consistency": "strong" } }"#
);
opens!(
    trino,
    "trino",
    heavenbase::backends::TrinoIceberg,
    "HEAVENBASE_TEST_TRINO",
    r#"{ "main": { "type": "trino", "url": "${HEAVENBASE_TEST_TRINO}", "session_properties": { "query_max_run_time": "2m" } } }"#
);
