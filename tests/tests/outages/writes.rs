//! Batches that are cut: before, within and after the commit.

use heavenbase::Status;
use heavenbase::driver::WriteMode;
use heavenbase_tests::peer::{Then, Way};
use heavenbase_tests::store::Row;

use crate::Outcome;
use crate::engines::{Behind, Engine, gone, rows, running};

const ROWS: usize = 40;
const WIDTH: usize = 240;
/// Places within the statements at which a batch is cut.
const PLACES: usize = 16;
/// Bytes on either side of the commit at which it is cut: each.
const WITHIN: usize = 12;

/// What came of the cuts.
#[derive(Debug, Default)]
struct Seen {
    temporary: usize,
    /// The outcome was unknown, and the old rows are there.
    unknown_old: usize,
    /// The outcome was unknown, and the new rows are there.
    unknown_new: usize,
    /// The batch was written all the same.
    written: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_whole_or_not_there_wherever_its_line_is_cut() -> Outcome {
    for engine in running().into_iter().filter(|engine| engine.commit.is_some()) {
        let behind = engine.behind().await?;
        let (mut version, mut seen) = (1, Seen::default());
        for (mode, places) in [(WriteMode::Upsert, PLACES), (WriteMode::Patch, PLACES / 4), (WriteMode::Delete, PLACES / 4)] {
            scan(&engine, &behind, mode, places, &mut version, &mut seen).await?;
        }
        eprintln!("{}: {seen:?}", engine.name);
        assert!(seen.temporary > 0 && seen.unknown_old > 0 && seen.unknown_new > 0, "{}: {seen:?}", engine.name);
        behind.calm.close().await?;
    }
    Ok(())
}

/// Cuts a batch of a mode at so many places before its commit, and at every byte around it.
async fn scan(engine: &Engine, behind: &Behind, mode: WriteMode, places: usize, version: &mut i64, seen: &mut Seen) -> Outcome {
    let next = |version: &mut i64| {
        *version += 1;
        *version
    };
    // Prepared and warm, so that the same batch is the same bytes each time.
    for _ in 0..2 {
        behind.put(ROWS, WIDTH, next(version)).await?;
        write(behind, mode, next(version)).await?;
    }
    behind.put(ROWS, WIDTH, next(version)).await?;
    let new = next(version);
    let traffic = behind.traffic(async { write(behind, mode, new).await }).await?;
    let commit = engine.commit.unwrap_or_default();
    let before = traffic.before(commit).ok_or("no commit is seen on the line")?;
    let (there, back) = (before.bytes(Way::There), before.bytes(Way::Back));
    let step = |bytes: usize, at: usize| bytes * at / places;
    let statements = (0..places).flat_map(|at| [(Way::There, step(there, at)), (Way::Back, step(back, at))]);
    let around =
        (0..WITHIN).flat_map(|more| [(Way::There, there + more), (Way::Back, back + more), (Way::Back, back.saturating_sub(more + 1))]);
    for (way, bytes) in statements.chain(around) {
        behind.put(ROWS, WIDTH, next(version)).await?;
        behind.settled().await;
        let old = *version;
        let new = next(version);
        let said = format!("{}, {mode:?} cut {way:?} after {bytes} of {there} and {back}", engine.name);
        behind.line.listens();
        behind.line.is_cut_after(way, bytes, Then::Cut);
        let outcome = write(behind, mode, new).await;
        // Before the commit is sent nothing can have happened; from then on the caller cannot know. (Asked of the line, since a
        // batch that met another session's lock prepares its statements anew, which is more bytes.)
        let committing = behind.line.heard().before(commit).is_some();
        behind.line.is_mended();
        // The server had the whole commit: it ends it, whoever listens.
        let certain = committing && way == Way::Back;
        let is_new = certain && comes(behind, mode, new, &format!("{said}: {outcome:?}")).await?;
        let found = state(behind, mode, new, old, &said).await?;
        match outcome {
            Ok(()) => {
                seen.written += 1;
                assert_eq!(found, State::New, "{said}");
            }
            Err(error) => {
                gone(&said, &error);
                assert_eq!(error.status(), if committing { Status::Unknown } else { Status::Temporary }, "{said}: {error:?}");
                assert_eq!(found == State::New, is_new, "{said}: {error:?}");
                match (committing, found) {
                    (false, _) => seen.temporary += 1,
                    (true, State::Old) => seen.unknown_old += 1,
                    (true, State::New) => seen.unknown_new += 1,
                }
            }
        }
        behind.recovers(&said).await;
        // What was lost is written again.
        write(behind, mode, next(version)).await?;
        assert_eq!(state(behind, mode, *version, old, &said).await?, State::New, "{said}: written again");
    }
    Ok(())
}

/// Which rows are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Old,
    New,
}

fn batch(mode: WriteMode, version: i64) -> Vec<Row> {
    rows(ROWS, WIDTH, version).into_iter().map(|(id, values)| (id, if mode == WriteMode::Delete { Vec::new() } else { values })).collect()
}

async fn write(behind: &Behind, mode: WriteMode, version: i64) -> heavenbase::Result<()> {
    behind.store.write(mode, version, &batch(mode, version)).await.map(drop)
}

/// Old or new; anything else is torn.
async fn state(behind: &Behind, mode: WriteMode, new: i64, old: i64, said: &str) -> Outcome<State> {
    let found = behind.version(said).await?;
    let gone = behind.calm.all().await?.is_empty();
    match (mode, gone) {
        (WriteMode::Delete, true) => Ok(State::New),
        (_, false) if found == new => Ok(State::New),
        (_, false) if found == old => Ok(State::Old),
        _ => Err(format!("{said}: version {found} where {old} or {new} belongs").into()),
    }
}

/// Whether a commit that the server has comes about: a disk that is busy takes its time.
async fn comes(behind: &Behind, mode: WriteMode, new: i64, said: &str) -> Outcome<bool> {
    for _ in 0..1_000 {
        let there = behind.calm.all().await?;
        let done = if mode == WriteMode::Delete { there.is_empty() } else { there.versions.first() == Some(&new) };
        if done {
            return Ok(true);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    Err(format!("{said}: the server had the commit and did not carry it out").into())
}

/// A statement of Trino's is a transaction, and runs from its first page on: cut before, nothing is written; cut afterwards, the
/// driver looks for its rows once the line is back, or does not know.
#[tokio::test(flavor = "multi_thread")]
async fn a_merge_is_whole_or_not_there_wherever_its_line_is_cut() -> Outcome {
    for engine in running().into_iter().filter(|engine| engine.commit.is_none()) {
        let behind = engine.behind().await?;
        behind.put(ROWS, WIDTH, 1).await?;
        let traffic = behind.traffic(behind.put(ROWS, WIDTH, 2)).await?;
        let (there, back) = (traffic.bytes(Way::There), traffic.bytes(Way::Back));
        let (mut version, mut temporary, mut unknown, mut written) = (2, 0, 0, 0);
        for at in 0..8 {
            for (way, bytes, then) in
                [(Way::There, there * at / 8, Then::Cut), (Way::Back, back * at / 8, Then::Cut), (Way::Back, back * at / 8, Then::Carries)]
            {
                let old = behind.version("before").await?;
                version += 1;
                let said = format!("{}, cut {way:?} after {bytes} of {there} and {back}, then {then:?}", engine.name);
                behind.line.is_cut_after(way, bytes, then);
                let outcome = behind.put(ROWS, WIDTH, version).await;
                behind.line.is_mended();
                let found = behind.version(&said).await?;
                match &outcome {
                    Ok(()) => written += 1,
                    Err(error) => gone(&said, error),
                }
                match outcome.map_err(|error| error.status()) {
                    Ok(()) => assert_eq!(found, version, "{said}"),
                    Err(Status::Temporary) => {
                        temporary += 1;
                        assert_eq!(found, old, "{said}");
                    }
                    Err(Status::Unknown) => {
                        unknown += 1;
                        assert!(found == old || found == version, "{said}: {found}");
                    }
                    Err(status) => panic!("{said}: {status:?}"),
                }
                behind.recovers(&said).await;
                version += 1;
                behind.put(ROWS, WIDTH, version).await?;
                assert_eq!(behind.version(&said).await?, version, "{said}: written again");
            }
        }
        eprintln!("{}: {temporary} temporary, {unknown} unknown, {written} written", engine.name);
        assert!(temporary > 0 && unknown > 0 && written > 0, "{}", engine.name);
        behind.calm.close().await?;
    }
    Ok(())
}
