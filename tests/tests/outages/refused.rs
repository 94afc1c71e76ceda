//! A server that takes no more connections to a database: told at once where a driver connects, after the time that a connection may
//! take where its pool waits for one, and over when a connection is given back.

use std::time::{Duration, Instant};

use heavenbase::backends::{Connect, PgVector};
use heavenbase::driver::WriteMode;
use heavenbase::{Error, ErrorKind, Status};
use heavenbase_tests::store::{Store, number};
use sqlx::{Connection, Executor, PgConnection};

use crate::Outcome;
use crate::engines::rows;

const ACQUIRE: Duration = Duration::from_secs(2);

fn refused(said: &str, error: Option<Error>) -> Outcome {
    let error = error.ok_or_else(|| format!("{said}: a connection"))?;
    assert_eq!((error.kind(), error.status()), (ErrorKind::Unavailable, Status::Temporary), "{said}: {error:?}");
    assert!(!format!("{error:?} {error}").contains("heavenbase:heavenbase"), "{said}: a credential: {error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_more_connections_is_temporary_and_in_time() -> Outcome {
    let Ok(address) = std::env::var("HEAVENBASE_TEST_PGVECTOR") else {
        eprintln!("not run: HEAVENBASE_TEST_PGVECTOR is not set");
        return Ok(());
    };
    let (server, _) = address.rsplit_once('/').ok_or("no database in the address")?;
    let name = format!("hb_few_{}", std::process::id());
    let mut owner = PgConnection::connect(&address).await?;
    // The role is no superuser, whom no limit holds.
    let gone = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    for text in [gone.clone(), format!("CREATE DATABASE {name} CONNECTION LIMIT 1")] {
        owner.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(text))).await?;
    }
    let done = with_one(&format!("{server}/{name}")).await;
    owner.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(gone))).await?;
    done
}

/// What comes of one connection that a database takes.
async fn with_one(url: &str) -> Outcome {
    let to = || PgVector::url(url).max_connections(1).acquire_timeout(ACQUIRE);
    let driver = to().connect().await?;
    // The first connection may take the server a moment to give up.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let few = [
        number("number"),
        heavenbase_tests::data::Spec::new("text", heavenbase::types::LogicalType::TEXT, heavenbase::capability::Placement::InlineColumn),
    ];
    let store = Store::over(driver, "pgvector", &few).await?;
    store.upsert(1, &rows(4, 16, 1)).await?;
    // The pool holds the one there is.
    let start = Instant::now();
    refused("another driver", to().connect().await.err())?;
    assert!(start.elapsed() < ACQUIRE + Duration::from_secs(1), "{:?}", start.elapsed());
    // Two at once share it: the second waits, and is served.
    let (one, other) = tokio::join!(store.all(), store.all());
    assert_eq!((one?.len(), other?.len()), (4, 4));
    // Another session takes it while the pool has none.
    let pool = heavenbase_pool(&store)?;
    let held = pool.acquire().await?.detach();
    for said in ["a read", "a write", "health", "an ensure"] {
        let start = Instant::now();
        let error = match said {
            "a read" => store.all().await.err(),
            "a write" => store.write(WriteMode::Upsert, 2, &rows(4, 16, 2)).await.err(),
            "health" => store.driver.health().await.err(),
            _ => store.driver.ensure(&store.part).await.err(),
        };
        let took = start.elapsed();
        refused(said, error)?;
        assert!(took < ACQUIRE + Duration::from_secs(1), "{said}: {took:?}");
    }
    // It is given back, and everything goes on.
    held.close().await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    store.write(WriteMode::Upsert, 2, &rows(4, 16, 2)).await?;
    assert!(store.all().await?.versions.iter().all(|version| *version == 2));
    store.close().await?;
    pool.close().await;
    Ok(())
}

fn heavenbase_pool(store: &Store) -> Outcome<sqlx::PgPool> {
    let driver = store.driver.as_any().downcast_ref::<heavenbase::backends::postgres::PostgresDriver>().ok_or("another driver")?;
    Ok(driver.pool().clone())
}
