//! Reads that are cut: they change nothing, so a driver tries again, and what it then says is temporary.

use heavenbase::{ErrorKind, Status};
use heavenbase_tests::peer::{Then, Way};

use crate::Outcome;
use crate::engines::{gone, running, whole};

const ROWS: usize = 300;
const WIDTH: usize = 400;
/// What a pool asks a connection that comes back, and the answer: so many bytes at most.
const QUESTION: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_cut_runs_again_or_says_that_it_may() -> Outcome {
    for engine in running() {
        let behind = engine.behind().await?;
        behind.put(ROWS, WIDTH, 1).await?;
        behind.store.all().await?;
        let traffic = behind.traffic(async { behind.store.all().await.map(drop) }).await?;
        let (mut again, mut refused) = (0, 0);
        let places: usize = if engine.commit.is_some() { 16 } else { 6 };
        for at in 0..places {
            for way in [Way::There, Way::Back] {
                let bytes = traffic.bytes(way) * at / places;
                for then in [Then::Carries, Then::Cut] {
                    let said = format!("{}, a read cut {way:?} after {bytes} of {}, then {then:?}", engine.name, traffic.bytes(way));
                    behind.settled().await;
                    behind.line.is_cut_after(way, bytes, then);
                    match (behind.store.all().await, then) {
                        (Ok(page), Then::Carries) => {
                            again += 1;
                            assert!(page.len() == ROWS && whole(&page), "{said}: {} rows", page.len());
                        }
                        (Err(error), Then::Cut) => {
                            refused += 1;
                            gone(&said, &error);
                            assert_eq!(error.status(), Status::Temporary, "{said}: {error:?}");
                        }
                        // The bytes counted hold what a pool asks a connection afterwards: the read itself was over.
                        (Ok(page), Then::Cut) => assert!(bytes + QUESTION >= traffic.bytes(way) && page.len() == ROWS, "{said}"),
                        (Err(error), Then::Carries) => panic!("{said}: {error:?}"),
                    }
                    behind.recovers(&said).await;
                    assert_eq!(behind.store.all().await?.len(), ROWS, "{said}: afterwards");
                }
            }
        }
        eprintln!("{}: {again} read again, {refused} refused", engine.name);
        assert!(again > 0 && refused > 0, "{}", engine.name);
        behind.calm.close().await?;
    }
    Ok(())
}

/// The line is cut while nobody asks anything: what the pool keeps is dead, and nobody hears of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_away_meanwhile_is_not_noticed() -> Outcome {
    for engine in running() {
        let behind = engine.behind().await?;
        for version in 1..4 {
            behind.put(4, 16, version * 2).await?;
            behind.line.cut();
            behind.line.is_mended();
            assert_eq!(behind.store.all().await?.len(), 4, "{}: a read", engine.name);
            behind.line.cut();
            behind.line.is_mended();
            behind.put(4, 16, version * 2 + 1).await?;
        }
        // And while it is away, everything says so at once.
        behind.line.cut();
        let start = std::time::Instant::now();
        for error in [behind.store.all().await.err(), behind.store.driver.health().await.err(), behind.put(4, 16, 99).await.err()] {
            let error = error.ok_or("an answer without a server")?;
            gone(engine.name, &error);
            assert_eq!(error.status(), Status::Temporary, "{}: {error:?}", engine.name);
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "{}: {:?}", engine.name, start.elapsed());
        behind.recovers(engine.name).await;
        assert_eq!(behind.version(engine.name).await?, 7, "{}", engine.name);
        behind.calm.close().await?;
    }
    Ok(())
}

/// A machine or a network that is gone closes no connection: whoever waits is told when a statement has had its time.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_is_given_up() -> Outcome {
    for engine in running() {
        let behind = engine.behind().await?;
        behind.put(4, 16, 1).await?;
        behind.line.falls_silent();
        let start = std::time::Instant::now();
        let (read, written) = tokio::join!(behind.store.all(), behind.put(4, 16, 2));
        for error in [read.err(), written.err()] {
            let error = error.ok_or("an answer without a server")?;
            // The one waits for its answer, the other perhaps for a connection.
            assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable), "{}: {error:?}", engine.name);
            assert_eq!(error.status(), Status::Temporary, "{}: {error:?}", engine.name);
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(45), "{}: {:?}", engine.name, start.elapsed());
        behind.recovers(engine.name).await;
        behind.put(4, 16, 3).await?;
        assert_eq!(behind.version(engine.name).await?, 3, "{}", engine.name);
        behind.calm.close().await?;
    }
    Ok(())
}
