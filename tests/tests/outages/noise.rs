//! Servers whose answers are no protocol, or nearly one: noise, messages that are shorter than they say, and answers of a real
//! server of which a byte is changed on the way. No panic comes out, nobody waits longer than a statement may take, and a row that
//! a batch was to write is old where the error says that nothing was changed.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use heavenbase::driver::{RawColumn, RawColumns, RawStatement, WriteMode};
use heavenbase::types::{LogicalType, Value};
use heavenbase::{Error, ErrorKind, Status};
use heavenbase_tests::peer::Way;
use heavenbase_tests::random::Random;

use crate::Outcome;
use crate::engines::{Behind, Engine, rows, running};

/// A statement's time, and what a driver waits beyond it.
const PATIENCE: Duration = Duration::from_secs(5 + 5 + 3);
/// Lines at once, each with a session or two.
const TOGETHER: usize = 14;

/// An engine that speaks Postgres' protocol, which these messages are of: one is as good as the other.
fn spoken() -> Option<Engine> {
    running().into_iter().rfind(|engine| matches!(engine.name, "postgres" | "pgvector"))
}

/// An error of no particular kind, that tells no secret.
fn typed(said: &str, error: &Error) {
    let kinds = [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Corrupt, ErrorKind::Backend, ErrorKind::LimitExceeded];
    assert!(kinds.contains(&error.kind()), "{said}: {error:?}");
    assert!(!format!("{error:?} {error}").contains("heavenbase:heavenbase"), "{said}: a credential: {error:?}");
}

/// A server that answers whatever it hears with these bytes.
fn says(bytes: Vec<u8>) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let bytes = bytes.clone();
            std::thread::spawn(move || {
                let mut heard = [0; 4096];
                while matches!(stream.read(&mut heard), Ok(1..)) && stream.write_all(&bytes).is_ok() {}
            });
        }
    });
    Ok(address)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_speaks_no_protocol_is_an_error_and_no_panic() -> Outcome {
    // Messages of Postgres' that end before they begin, or hold less than they say.
    let short = |kind: u8, length: u32, rest: &[u8]| [&[kind][..], &length.to_be_bytes(), rest].concat();
    let mut said: Vec<Vec<u8>> = vec![vec![0xff; 512], vec![0; 512], b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), b"N".to_vec()];
    for kind in *b"RSKZTDCE1N" {
        said.extend([short(kind, 0, &[]), short(kind, 3, &[]), short(kind, 4, &[]), short(kind, 6, &[0, 9]), short(kind, 8, &[0xff; 4])]);
    }
    let mut random = Random::new(11);
    said.extend((0..40).map(|n| (0..8 + n * 7).map(|_| random.below(256) as u8).collect()));
    let Some(engine) = spoken() else { return Ok(()) };
    for said in said.chunks(16) {
        let each: Vec<_> = said.iter().map(|bytes| tokio::spawn(spoken_to(engine, bytes.clone()))).collect();
        for done in each {
            done.await??;
        }
    }
    // And one that was a server, and is none any more.
    let behind = engine.behind().await?;
    behind.put(4, 16, 1).await?;
    behind.line.gets_noisy();
    let start = Instant::now();
    for error in [behind.store.all().await.err(), behind.put(4, 16, 2).await.err(), behind.store.driver.health().await.err()] {
        let error = error.ok_or("an answer of noise")?;
        typed(engine.name, &error);
        assert_eq!(error.status(), Status::Temporary, "{}: {error:?}", engine.name);
    }
    assert!(start.elapsed() < PATIENCE * 3, "{}: {:?}", engine.name, start.elapsed());
    behind.recovers(engine.name).await;
    behind.put(4, 16, 3).await?;
    assert_eq!(behind.version(engine.name).await?, 3, "{}", engine.name);
    behind.calm.close().await?;
    Ok(())
}

async fn spoken_to(engine: Engine, bytes: Vec<u8>) -> Result<(), String> {
    let said = format!("{}: {:?}", engine.name, &bytes[..bytes.len().min(24)]);
    let start = Instant::now();
    let peer = says(bytes).map_err(|error| error.to_string())?;
    let error = engine.connects(format!("postgres://heavenbase:heavenbase@{peer}/heavenbase")).await.err();
    let error = error.ok_or_else(|| format!("{said}: connected"))?;
    assert!(start.elapsed() < PATIENCE, "{said}: {:?}", start.elapsed());
    assert_ne!(error.status(), Status::Unknown, "{said}: {error:?}");
    assert!(!format!("{error:?} {error}").contains("heavenbase:heavenbase"), "{said}: a credential: {error:?}");
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Read,
    Write,
    Ensure,
    Raw,
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_which_a_byte_is_changed_is_no_panic_and_no_hang() -> Outcome {
    let Some(engine) = spoken() else { return Ok(()) };
    for work in [Work::Read, Work::Write, Work::Ensure, Work::Raw] {
        let behind = engine.behind().await?;
        does(&behind, work, 2).await?;
        let bytes = behind.traffic(async { does(&behind, work, 4).await }).await?.bytes(Way::Back);
        behind.calm.close().await?;
        // Lengths lie at the beginning of messages: the first bytes each, then some.
        let first = if work == Work::Ensure { 2 } else { 6 };
        let places: Vec<usize> = (0..bytes.min(first)).chain((first..bytes).step_by((bytes / 8).max(1))).collect();
        // What makes parts holds a lock of the whole database, and whoever waits for it has a limit.
        for places in places.chunks(if work == Work::Ensure { 1 } else { TOGETHER }) {
            let each: Vec<_> = places.iter().map(|&at| tokio::spawn(changed(engine, work, at))).collect();
            for done in each {
                // A panic of the task is one of the driver.
                done.await?.map_err(|why| format!("{}: {work:?}: {why}", engine.name))?;
            }
        }
    }
    Ok(())
}

async fn does(behind: &Behind, work: Work, version: i64) -> heavenbase::Result<()> {
    match work {
        Work::Read => behind.store.all().await.map(drop),
        Work::Write => behind.store.write(WriteMode::Upsert, version, &rows(4, 16, version)).await.map(drop),
        Work::Ensure => behind.store.driver.ensure(&behind.store.part).await.map(drop),
        Work::Raw => {
            let column = |logical| RawColumn { logical, nullable: false };
            let wanted = RawColumns::InOrder(vec![column(LogicalType::TEXT), column(LogicalType::INT)]);
            let statement = RawStatement { text: "SELECT 'some text', 7".to_owned(), values: Vec::new(), wanted };
            behind.store.driver.raw(&statement).await.map(drop)
        }
    }
}

async fn changed(engine: Engine, work: Work, at: usize) -> Result<(), String> {
    let text = |error: Box<dyn std::error::Error>| error.to_string();
    let behind = engine.behind().await.map_err(text)?;
    let ours = |error: Error| format!("{at}: {error:?}");
    behind.put(4, 16, 1).await.map_err(ours)?;
    let mut version = 1;
    for bits in if work == Work::Ensure { &[0x01_u8][..] } else { &[0xff, 0x01] } {
        let said = format!("{}, {work:?}, byte {at} by {bits:x}", engine.name);
        version += 1;
        behind.line.changes(Way::Back, at, *bits);
        let start = Instant::now();
        let done = does(&behind, work, version).await;
        if start.elapsed() > PATIENCE {
            return Err(format!("{said}: {:?}", start.elapsed()));
        }
        behind.line.is_mended();
        if let Err(error) = &done {
            if !matches!(error.kind(), ErrorKind::SchemaMismatch | ErrorKind::Conflict | ErrorKind::InvalidQuery) {
                typed(&said, error);
            }
            if work == Work::Read && error.status() == Status::Unknown {
                return Err(format!("{said}: a read changes nothing: {error:?}"));
            }
            if work == Work::Write && error.status() != Status::Unknown {
                let there = behind.calm.all().await.map_err(ours)?;
                if there.versions.contains(&version) {
                    return Err(format!("{said}: written, and the error says no: {error:?}"));
                }
            }
        }
        // The driver works on.
        behind.recovers(&said).await;
        version += 1;
        behind.put(4, 16, version).await.map_err(ours)?;
        let there = behind.store.all().await.map_err(ours)?;
        if there.len() != 4 || there.row(0)[0] != Value::Int(version) {
            return Err(format!("{said}: other rows afterwards"));
        }
    }
    behind.calm.close().await.map_err(ours)
}
