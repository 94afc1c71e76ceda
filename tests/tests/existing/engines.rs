//! The engines, each with a database of the test's own and a way to run raw SQL in it.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use heavenbase::prelude::*;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};

/// One database that may be of each kind: the same entities run on all.
#[derive(Layout)]
pub struct Theirs {
    main: OneOf<(Sqlite, Postgres, PgVector)>,
}

/// An engine under test.
#[derive(Clone)]
pub struct Engine {
    pub name: &'static str,
    place: Place,
}

#[derive(Clone)]
enum Place {
    File(Arc<tempfile::TempDir>),
    Server(String),
}

impl Engine {
    pub fn is_sqlite(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    /// A workspace over the database.
    pub async fn open(&self) -> Workspace<Theirs> {
        let main = match &self.place {
            Place::File(directory) => OneOf::new(Sqlite::file(directory.path().join("theirs.db"))),
            Place::Server(url) if self.name == "pgvector" => OneOf::new(PgVector::url(url)),
            Place::Server(url) => OneOf::new(Postgres::url(url)),
        };
        Workspace::open(Theirs { main }).await.unwrap()
    }

    /// Runs statements; gives the rows of the last as text.
    pub async fn sql(&self, text: &str) -> Vec<Vec<String>> {
        match &self.place {
            Place::File(directory) => {
                let connection = rusqlite::Connection::open(directory.path().join("theirs.db")).unwrap();
                let (before, last) = text.trim_end_matches(';').rsplit_once(";\n").unwrap_or(("", text));
                connection.execute_batch(before).unwrap();
                let mut statement = connection.prepare(last).unwrap_or_else(|e| panic!("{e}: {last}"));
                let width = statement.column_count();
                let mut rows = statement.raw_query();
                let mut found = Vec::new();
                while let Some(row) = rows.next().unwrap_or_else(|e| panic!("{e}: {last}")) {
                    found.push((0..width).map(|i| shown(row.get_ref(i).unwrap())).collect());
                }
                found
            }
            Place::Server(url) => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                let mut rows = Vec::new();
                for statement in text.split(";\n") {
                    let found = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).fetch_all(&mut connection).await;
                    rows = found.unwrap_or_else(|e| panic!("{e}: {statement}"));
                }
                let text = |row: &sqlx::postgres::PgRow, i: usize| {
                    row.try_get_raw(i).ok().and_then(|raw| raw.as_str().ok().map(str::to_owned)).unwrap_or_else(|| "NULL".into())
                };
                rows.iter().map(|row| (0..row.len()).map(|i| text(row, i)).collect()).collect()
            }
        }
    }

    /// What the catalog says of everything in `main`: what `register` must leave as it is.
    pub async fn catalog(&self) -> Vec<Vec<String>> {
        self.sql(if self.is_sqlite() {
            "SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2"
        } else {
            "SELECT c.relname::text, c.relkind::text, COALESCE(a.attname::text, ''), COALESCE(a.atttypid::regtype::text, ''), \
             COALESCE(a.attnotnull::text, '') FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 \
             WHERE c.relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('main', 'public')) ORDER BY 1, 2, a.attnum"
        })
        .await
    }
}

fn shown(value: rusqlite::types::ValueRef<'_>) -> String {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(n) => n.to_string(),
        ValueRef::Real(n) => n.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => format!("{bytes:?}"),
    }
}

/// Runs a test on every engine that is there, each in an empty database with a schema `main`.
pub async fn each<F: Future<Output = ()>>(test: impl Fn(Engine) -> F) {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    test(Engine { name: "sqlite", place: Place::File(directory) }).await;
    for (name, variable) in [("postgres", "HEAVENBASE_TEST_POSTGRES"), ("pgvector", "HEAVENBASE_TEST_PGVECTOR")] {
        let Ok(address) = std::env::var(variable) else {
            assert!(std::env::var_os("HEAVENBASE_TEST_REQUIRED").is_none(), "{variable} is not set, and nothing may be skipped");
            eprintln!("not run on {name}: {variable} is not set");
            continue;
        };
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let database = format!("hb_existing_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let options: PgConnectOptions = address.parse().unwrap();
        let mut server = options.connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {database}"))).execute(&mut server).await.unwrap();
        let url = options.database(&database).to_url_lossy().to_string();
        let engine = Engine { name, place: Place::Server(url) };
        engine.sql("CREATE SCHEMA main").await;
        test(engine).await;
        sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {database} WITH (FORCE)"))).execute(&mut server).await.unwrap();
    }
}
