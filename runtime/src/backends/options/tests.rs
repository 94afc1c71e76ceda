#![allow(dead_code, unused_imports, unused_macros)]
use super::*;
use crate::backends::*;

fn described<B: Connect>(options: &str) -> Result<B> {
    LayoutOptions::parse(&format!(r#"{{ "one": {options} }}"#))?.backend("one")
}

/// Options of a kind are taken, also in the debugging form without what is secret; others are refused by name, and so are wrong types.
macro_rules! takes {
    ($test:ident, $feature:literal, $kind:ty, $options:literal) => {
        #[cfg(feature = $feature)]
        #[test]
        fn $test() {
            let config: $kind = described($options).unwrap_or_else(|e| panic!("{e}"));
            let shown = format!("{config:?}");
            assert!(!shown.contains("hunter"), "{shown}");
            let options: Json = serde_json::from_str($options).expect("it was taken");
            for name in options.as_object().expect("an object").keys().filter(|name| *name != "type") {
                // Each is known, for none is left over; and each is checked.
                let mut wrong = options.clone();
                wrong[name] = serde_json::json!([["hunter3"]]);
                let error = described::<$kind>(&wrong.to_string()).err().unwrap_or_else(|| panic!("{name} is not looked at"));
                assert!(error.message().contains(name.as_str()) && !error.to_string().contains("hunter3"), "{error}");
            }
            let mut unknown = options;
            unknown["hunt"] = 1.into();
            let error = described::<$kind>(&unknown.to_string()).expect_err("an unknown option");
            assert!(error.message().contains("\"hunt\"") && error.kind() == ErrorKind::InvalidSchema, "{error}");
        }
    };
}

takes!(
    postgres,
    "postgres",
    Postgres,
    r#"{ "type": "postgres", "url": "postgres://me:hunter2@host/shop", "max_connections": 3, "acquire_timeout_seconds": 1.5, "idle_timeout_seconds": 60, "statement_timeout_seconds": 0, "tls": "verify_full", "root_certificate": "Cargo.toml" }"#
);
takes!(
    pgvector,
    "pgvector",
    PgVector,
    r#"{ "type": "pgvector", "url": "postgres://me:hunter2@host/shop", "ef_search": 400, "probes": 20, "max_scan_tuples": 50000 }"#
);
takes!(mysql, "mysql", MySql, r#"{ "type": "mysql", "url": "mysql://me:hunter2@host/shop", "tls": "prefer" }"#);
takes!(oceanbase, "oceanbase", OceanBase, r#"{ "type": "oceanbase", "url": "mysql://me:hunter2@host/shop", "max_connections": 3 }"#);
takes!(mssql, "mssql", Mssql, r#"{ "type": "mssql", "url": "mssql://me:hunter2@host/shop", "tls": "require" }"#);
takes!(
    oracle,
    "oracle",
    Oracle,
    r#"{ "type": "oracle", "url": "oracle://me:hunter2@host/shop", "wallet": "/wallet", "wallet_password": "hunter4" }"#
);
takes!(
    starrocks,
    "starrocks",
    StarRocks,
    r#"{ "type": "starrocks", "url": "starrocks://me:hunter2@host/shop", "stream_load": "http://me:hunter4@host:8030", "buckets": 4, "replication_num": 1 }"#
);
takes!(
    trino,
    "trino",
    TrinoIceberg,
    r#"{ "type": "trino", "url": "trino://me@host/lake/shop", "user": "me", "password": "hunter2", "timeout_seconds": 20, "retries": 2, "source": "shop", "session_properties": { "query_max_run_time": "1m" } }"#
);
takes!(trino_token, "trino", TrinoReadOnly, r#"{ "type": "trino_read_only", "url": "trino://me@host/lake/shop", "bearer": "hunter2" }"#);
takes!(
    elasticsearch,
    "elasticsearch",
    Elasticsearch,
    r#"{ "type": "elasticsearch", "url": "http://host:9200", "user": "me", "password": "hunter2", "timeout_seconds": 2.5, "retries": 0, "refresh": "immediate", "shards": 2, "replicas": 0 }"#
);
takes!(
    elasticsearch_key,
    "elasticsearch",
    Elasticsearch,
    r#"{ "type": "elasticsearch", "url": "http://me:hunter2@host:9200", "api_key": "hunter2" }"#
);
takes!(
    elasticsearch_token,
    "elasticsearch",
    Elasticsearch,
    r#"{ "type": "elasticsearch", "url": "http://host:9200", "bearer": "hunter2" }"#
);
takes!(
    chroma,
    "chroma",
    Chroma,
    r#"{ "type": "chroma", "url": "http://host:8000", "token": "hunter2", "user": "me", "password": "hunter2", "timeout_seconds": 2, "retries": 1, "tenant": "t", "database": "d" }"#
);
takes!(
    milvus,
    "milvus",
    Milvus,
    r#"{ "type": "milvus", "url": "http://host:19530", "token": "hunter2", "user": "me", "password": "hunter2", "timeout_seconds": 2, "retries": 1, "database": "d", "consistency": "bounded" }"#
);
takes!(
    pinecone,
    "pinecone",
    Pinecone,
    r#"{ "type": "pinecone", "api_key": "hunter2", "control_plane": "https://host", "prefix": "p", "cloud": "gcp", "region": "r", "freshness": "eventual", "patience_seconds": 1, "doubt_seconds": 1, "timeout_seconds": 2, "retries": 1 }"#
);

#[cfg(feature = "postgres")]
#[test]
fn what_is_missing_or_no_choice_is_said() {
    let message = |options: &str| described::<Postgres>(options).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(message(r#"{ "type": "postgres" }"#).contains("\"url\" is missing"));
    assert!(message(r#"{ "type": "postgres", "url": "u", "tls": "none" }"#).contains("is one of: disable, prefer"));
    assert!(message(r#"{ "type": "postgres", "url": "u", "idle_timeout_seconds": -1 }"#).contains("no number of seconds"));
    assert!(message(r#"{ "type": "postgres", "url": "u", "root_certificate": "/nowhere.pem" }"#).contains("cannot be read"));
    assert!(message(r#"{ "type": "mysql", "url": "u" }"#).contains("\"type\" must be postgres"));
    let error = described::<Postgres>(r#"{ "type": "postgres", "url": "${HEAVENBASE_NO_SUCH_VARIABLE}" }"#).expect_err("not set");
    assert!(error.message().contains("HEAVENBASE_NO_SUCH_VARIABLE is not set"), "{error}");
}

#[cfg(feature = "elasticsearch")]
#[test]
fn a_user_comes_with_a_password() {
    let error = described::<Elasticsearch>(r#"{ "type": "elasticsearch", "url": "http://host", "user": "me" }"#).expect_err("half");
    assert!(error.message().contains("together"), "{error}");
}
