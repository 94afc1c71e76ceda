//! The workspace over two backends: who is asked, what a failed write leaves, what readers see, how fast many are served.

use std::sync::atomic::Ordering;
use std::time::Instant;

use heavenbase::plan::Purpose;
use heavenbase::prelude::*;
use heavenbase::workspace::{FindingKind, Repair};
use heavenbase::{ErrorKind, Result, RowOutcome, Status};
use heavenbase_tests::instrumented::Instrumented;

#[derive(Layout)]
struct Two {
    #[layout(default)]
    main: Instrumented,
    side: Instrumented,
}

#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Two)]
struct Item {
    object_id: Id,
    #[store(to = "main", index)]
    rank: i64,
    #[store(to = "main")]
    #[store(to = "side", copy, index)]
    title: String,
    #[store(to = "side")]
    note: Option<String>,
}

fn item(n: i64) -> Item {
    Item { object_id: Id::from(format!("i{n:05}")), rank: n, title: format!("title {n}"), note: (n % 2 == 0).then(|| format!("note {n}")) }
}

type Controls = std::sync::Arc<heavenbase_tests::instrumented::Controls>;

async fn open() -> Result<(Workspace<Two>, Controls, Controls)> {
    let ((main, main_controls), (side, side_controls)) = (Instrumented::new(), Instrumented::new());
    let ws = Workspace::open(Two { main, side }).await?;
    ws.register::<Item>().await?;
    Ok((ws, main_controls, side_controls))
}

#[tokio::test]
async fn only_the_backends_that_are_needed_are_asked() -> Result<()> {
    let (ws, main, side) = open().await?;
    ws.upsert_many(&(0..100).map(item).collect::<Vec<_>>()).await?;
    main.taken();
    side.taken();

    let rows = ws.query::<Item>().filter(Item::RANK.lt(10)).select((Item::RANK, Item::TITLE)).all().await?;
    assert_eq!((rows.len(), side.taken()), (10, 0), "nothing of `side` is wanted");
    assert!(main.taken() >= 1);

    let notes = ws.query::<Item>().filter(Item::NOTE.eq("note 8")).select(Item::NOTE).all().await?;
    assert_eq!(notes, [Some("note 8".to_owned())]);
    assert_eq!(main.taken(), 1, "one check that the row is one");
    side.taken();

    assert!(ws.exists::<Item>("i00001").await?);
    assert_eq!(ws.count::<Item>().await?, 100);
    assert_eq!(side.taken(), 0);
    Ok(())
}

#[tokio::test]
async fn the_smallest_side_is_read_and_every_rung_is_explained() -> Result<()> {
    let (ws, main, side) = open().await?;
    ws.upsert_many(&(0..40_000).map(item).collect::<Vec<_>>()).await?;
    let counted = |explained: &heavenbase::plan::Explain, backend: &str, purpose: Purpose| {
        let step = explained.steps.iter().find(|s| s.backend == backend && s.purpose == purpose);
        step.and_then(|s| s.counters.clone()).unwrap_or_default()
    };
    main.taken();
    side.taken();

    // Three ids of one side; the 20,000 of the other are counted at most, and never read.
    let few = ws.query::<Item>().filter(Item::NOTE.is_some() & Item::RANK.lt(3)).select(Item::OBJECT_ID);
    let explained = few.explain_analyze().await?;
    assert_eq!(explained.rows, Some(2), "{explained}");
    // The end of a stream is asked for too.
    assert_eq!((main.taken(), side.taken()), (3, 3), "an estimate of each, one side read, its ids pushed\n{explained}");
    assert_eq!(counted(&explained, "main", Purpose::Filter).rows, 3, "{explained}");
    let probe = counted(&explained, "side", Purpose::Probe);
    assert_eq!((probe.ids_pushed, probe.rows, probe.rung.as_deref()), (3, 2, Some("list")), "{explained}");
    assert_eq!(counted(&explained, "main", Purpose::Estimate).round_trips, 1, "{explained}");

    // Sides of like size: both are read.
    let like = ws.query::<Item>().filter(Item::NOTE.is_some() & Item::RANK.lt(30_000)).select(Item::OBJECT_ID);
    let explained = like.explain_analyze().await?;
    assert_eq!(explained.rows, Some(15_000), "{explained}");
    assert_eq!(counted(&explained, "side", Purpose::Filter).rung.as_deref(), Some("merge"), "{explained}");
    assert_eq!(counted(&explained, "side", Purpose::Probe).round_trips, 0, "{explained}");

    // Too many to be gathered, and few beside the other side: chunk after chunk.
    let chunks = ws.query::<Item>().filter(Item::NOTE.ne("nothing") & Item::RANK.lt(10_000)).select(Item::OBJECT_ID);
    let explained = chunks.explain_analyze().await?;
    assert_eq!(explained.rows, Some(10_000), "{explained}");
    let probe = counted(&explained, "side", Purpose::Probe);
    assert_eq!((probe.ids_pushed, probe.rung.as_deref()), (10_000, Some("chunks")), "{explained}");
    assert_eq!(counted(&explained, "side", Purpose::Filter).rows, 0, "{explained}");
    Ok(())
}

#[tokio::test]
async fn an_order_that_meets_nothing_is_given_up() -> Result<()> {
    let (ws, main, _) = open().await?;
    let late = |n: i64| Item { title: if n < 39_000 { "early" } else { "late" }.into(), ..item(n) };
    ws.upsert_many(&(0..40_000).map(late).collect::<Vec<_>>()).await?;
    main.taken();
    // The rows with this title are the last of the order: too many to be gathered at once, never met by walking.
    let rows = ws.query::<Item>().filter(Item::TITLE.on(Two::SIDE).eq("late")).order_by(Item::RANK.asc()).limit(5);
    let explained = rows.explain_analyze().await?;
    let walked = explained.steps.iter().filter(|s| s.backend == "main" && s.purpose == Purpose::Order);
    let walked: u64 = walked.filter_map(|s| s.counters.as_ref().map(|c| c.rows)).sum();
    assert!((1..10_000).contains(&walked), "{walked} rows walked\n{explained}");
    let ranks: Vec<i64> = rows.all().await?.into_iter().map(|item| item.rank).collect();
    assert_eq!(ranks, [39_000, 39_001, 39_002, 39_003, 39_004]);
    // Some are met early, the others not: what was given before is not given again.
    let rows = ws.query::<Item>().filter(Item::TITLE.on(Two::SIDE).eq("late") | Item::RANK.in_list([7, 900]));
    let ranks: Vec<i64> = rows.order_by(Item::RANK.asc()).limit(4).all().await?.into_iter().map(|item| item.rank).collect();
    assert_eq!(ranks, [7, 900, 39_000, 39_001]);
    Ok(())
}

#[tokio::test]
async fn a_write_that_fails_half_way_is_reported_found_and_mended() -> Result<()> {
    let (ws, _, side) = open().await?;
    ws.upsert(&item(1)).await?;
    side.refuse_writes.store(true, Ordering::SeqCst);
    let changed = Item { note: Some("new".into()), ..item(1) };
    let error = ws.upsert(&changed).await.expect_err("the side refuses");
    assert_eq!((error.kind(), error.status(), error.backend()), (ErrorKind::Unavailable, Status::Unknown, Some("side")));
    let error = ws.insert(&item(2)).await.expect_err("the side refuses");
    assert_eq!(error.status(), Status::Unknown);
    side.refuse_writes.store(false, Ordering::SeqCst);

    // Never a mixture: the row is reported, not handed out.
    let error = ws.get::<Item>("i00001").await.expect_err("the parts are of two versions");
    assert_eq!((error.kind(), error.detail("id")), (ErrorKind::FracturedRow, Some("i00001")));
    let kinds: Vec<FindingKind> = ws.audit::<Item>().await?.findings.iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [FindingKind::VersionDisagrees, FindingKind::MissingPart]);
    let repaired = ws.repair::<Item>(Repair::default()).await?;
    assert_eq!((repaired.mended.len(), repaired.left.len()), (0, 2), "values that are lost are not invented");

    ws.upsert(&changed).await?;
    ws.upsert(&item(2)).await?;
    assert_eq!(ws.get::<Item>("i00001").await?, Some(changed));
    assert!(ws.audit::<Item>().await?.is_clean());
    Ok(())
}

#[tokio::test]
async fn an_error_says_what_became_of_every_row() -> Result<()> {
    use RowOutcome::{Done, NotDone, Unknown};
    let ((main, owner), (side, other)) = (Instrumented::new(), Instrumented::new());
    let ws = Workspace::open(Two { main: main.batches_of(3), side }).await?;
    ws.register::<Item>().await?;
    let outcomes = |error: &heavenbase::Error| -> Vec<RowOutcome> {
        let rows: Vec<(&str, &RowOutcome)> = error.rows().collect();
        assert!(rows.iter().enumerate().all(|(n, (id, _))| *id == format!("i{n:05}")), "{rows:?}");
        rows.into_iter().map(|(_, outcome)| outcome.clone()).collect()
    };
    let rows: Vec<Item> = (0..8).map(item).collect();
    // The owner refuses the second batch.
    owner.refused().insert("i00004".into());
    let error = ws.insert_many(&rows).await.expect_err("a row is refused");
    assert_eq!(outcomes(&error), [vec![Done; 3].as_slice(), &[NotDone, NotDone, NotDone, NotDone, NotDone]].concat());
    assert_eq!((error.kind(), error.status()), (ErrorKind::InvalidValue, Status::Unknown), "three rows are there");
    assert_eq!(ws.count::<Item>().await?, 3);
    // Another backend refuses it: the owner has those rows.
    owner.refused().clear();
    other.refused().insert("i00004".into());
    let error = ws.upsert_many(&rows).await.expect_err("a row is refused");
    assert_eq!(outcomes(&error), [vec![Done; 3].as_slice(), &[Unknown, Unknown, Unknown, NotDone, NotDone]].concat());
    assert_eq!(error.status(), Status::Unknown);
    other.refused().clear();
    // What is not done is done again.
    let again: Vec<Item> =
        rows.iter().zip(error.rows()).filter(|(_, (_, outcome))| **outcome != Done).map(|(row, _)| row.clone()).collect();
    ws.upsert_many(&again).await?;
    assert_eq!(ws.query::<Item>().all().await?, rows);
    // Updates and deletes too.
    owner.refused().insert("i00007".into());
    let error = ws.update_where(Item::RANK.ge(0), Item::TITLE.set("new")).await.expect_err("a row is refused");
    assert_eq!(outcomes(&error), [vec![Done; 6].as_slice(), &[NotDone, NotDone]].concat());
    let error = ws.delete_where(Item::RANK.ge(0)).await.expect_err("a row is refused");
    assert_eq!(outcomes(&error), [vec![Done; 6].as_slice(), &[NotDone, NotDone]].concat());
    assert_eq!(ws.query::<Item>().select(Item::RANK).all().await?, [6, 7]);
    // Found before anything was tried.
    let error = ws.insert_many(&[item(1), item(1)]).await.expect_err("an id twice");
    assert_eq!((error.rows().len(), error.status()), (0, Status::Permanent));
    Ok(())
}

#[tokio::test]
async fn orphans_are_never_returned_and_are_removed() -> Result<()> {
    let (ws, _, side) = open().await?;
    ws.upsert_many(&(0..10).map(item).collect::<Vec<_>>()).await?;
    side.refuse_writes.store(true, Ordering::SeqCst);
    let error = ws.delete::<Item>("i00004").await.expect_err("the side refuses");
    assert_eq!(error.status(), Status::Unknown);
    side.refuse_writes.store(false, Ordering::SeqCst);

    let notes = ws.query::<Item>().filter(Item::NOTE.is_some()).select(Item::NOTE).all().await?;
    assert_eq!(notes.len(), 4);
    assert_eq!(ws.query::<Item>().filter(Item::NOTE.is_some()).count().await?, 4);
    assert_eq!(ws.query::<Item>().filter(Item::NOTE.is_some()).limit(3).ids().await?.len(), 3);
    let findings = ws.audit::<Item>().await?.findings;
    assert_eq!(findings.iter().map(|f| (f.kind, f.id.as_str())).collect::<Vec<_>>(), [(FindingKind::Orphan, "i00004")]);
    let dry = ws.repair::<Item>(Repair { dry_run: true, ..Repair::default() }).await?;
    assert_eq!(dry.mended, findings);
    assert_eq!(ws.audit::<Item>().await?.findings, findings, "a dry run changes nothing");
    assert_eq!(ws.repair::<Item>(Repair::default()).await?.mended, findings);
    assert!(ws.audit::<Item>().await?.is_clean());
    Ok(())
}

#[tokio::test]
async fn a_copy_is_searched_by_its_handle_and_rebuilt_from_the_truth() -> Result<()> {
    let (ws, ..) = open().await?;
    ws.upsert_many(&(0..10).map(item).collect::<Vec<_>>()).await?;
    let copy = Item::TITLE.on(Two::SIDE);
    assert_eq!(ws.query::<Item>().filter(copy.matches("title 7")).ids().await?, [Id::from("i00007")]);
    ws.update("i00007", Item::TITLE.set("other")).await?;
    assert_eq!(ws.query::<Item>().filter(copy.matches("other")).ids().await?, [Id::from("i00007")]);
    let mut heard = 0;
    assert_eq!(ws.rebuild::<Item>("side", |progress| heard = progress.rows).await?, 10);
    assert_eq!(heard, 10);
    assert!(ws.audit::<Item>().await?.is_clean());
    assert_eq!(ws.rebuild::<Item>("main", |_| {}).await.expect_err("no copy there").kind(), ErrorKind::InvalidQuery);
    Ok(())
}

/// The side holds nothing but a copy.
#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Two)]
struct Copied {
    object_id: Id,
    #[store(to = "main")]
    #[store(to = "side", copy)]
    title: String,
}

fn copied(n: i64, title: &str) -> Copied {
    Copied { object_id: Id::from(format!("c{n:05}")), title: title.to_owned() }
}

#[tokio::test]
async fn a_rebuild_leaves_what_a_faster_writer_wrote_meanwhile() -> Result<()> {
    let (ws, _, side) = open().await?;
    ws.register::<Copied>().await?;
    ws.upsert_many(&(0..10).map(|n| copied(n, "before")).collect::<Vec<_>>()).await?;
    // The rebuild has read the truth, and waits for what the side has, when a writer comes.
    side.delay_millis.store(300, Ordering::SeqCst);
    let rebuilt = tokio::spawn({
        let ws = ws.clone();
        async move { ws.rebuild::<Copied>("side", |_| {}).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    side.delay_millis.store(0, Ordering::SeqCst);
    ws.upsert(&copied(4, "after")).await?;
    assert!(!rebuilt.is_finished(), "the writer was faster");
    assert_eq!(rebuilt.await.expect("it ends")?, 10);
    assert!(ws.audit::<Copied>().await?.is_clean(), "{:?}", ws.audit::<Copied>().await?);
    assert_eq!(ws.query::<Copied>().filter(Copied::TITLE.on(Two::SIDE).eq("after")).ids().await?, [Id::from("c00004")]);
    Ok(())
}

#[tokio::test]
async fn damaged_rows_of_a_copy_are_found_and_made_again() -> Result<()> {
    let (ws, main, side) = open().await?;
    ws.register::<Copied>().await?;
    ws.upsert_many(&(0..1500).map(|n| copied(n, "title")).collect::<Vec<_>>()).await?;
    side.damaged().extend(["c00007", "c00008", "c01300"].map(str::to_owned));
    let findings = ws.audit::<Copied>().await?.findings;
    let found: Vec<_> = findings.iter().map(|f| (f.kind, f.backend.as_str(), f.id.as_str())).collect();
    assert_eq!(found, ["c00007", "c00008", "c01300"].map(|id| (FindingKind::Unreadable, "side", id)));
    let repaired = ws.repair::<Copied>(Repair::default()).await?;
    assert_eq!((repaired.mended, repaired.left), (findings, Vec::new()));
    assert!(ws.audit::<Copied>().await?.is_clean());
    side.damaged().extend(["c00000".to_owned(), "c01499".to_owned()]);
    assert_eq!(ws.rebuild::<Copied>("side", |_| {}).await?, 1500);
    assert!(ws.audit::<Copied>().await?.is_clean());

    // The truth is nowhere else: it is left, and so is what follows from it.
    main.damaged().insert("c00003".to_owned());
    side.damaged().insert("c00004".to_owned());
    let repaired = ws.repair::<Copied>(Repair::default()).await?;
    let ids = |findings: &[heavenbase::workspace::Finding]| findings.iter().map(|f| f.id.to_string()).collect::<Vec<_>>();
    assert_eq!((ids(&repaired.mended), ids(&repaired.left)), (vec!["c00004".to_owned()], vec!["c00003".to_owned()]));
    assert_eq!(repaired.left[0].backend, "main");
    Ok(())
}

/// The filter lies elsewhere than the vector.
#[derive(Entity, Clone, Debug, PartialEq)]
#[entity(layout = Two)]
struct Place {
    object_id: Id,
    #[store(to = "main", index)]
    rank: i64,
    #[store(to = "side", metric = "l2")]
    at: Vector<2>,
}

#[tokio::test]
async fn hits_whose_rough_scores_are_close_are_looked_at_again() -> Result<()> {
    let (ws, _, side) = open().await?;
    ws.register::<Place>().await?;
    // Distances of 0.0002 from one to the next, five rows at each: rough scores are off by up to 0.0005.
    let place = |n: i64| -> Result<Place> {
        let step = (n * 7_919 % 3_000) / 5;
        Ok(Place { object_id: Id::from(format!("p{n:05}")), rank: n % 100, at: Vector::try_from(vec![step as f32 * 0.0002, 0.0])? })
    };
    ws.upsert_many(&(0..3_000).map(place).collect::<Result<Vec<_>>>()?).await?;
    let target = Vector::<2>::try_from(vec![-1.0, 0.0])?;
    for (below, k) in [(50, 10), (80, 1), (20, 25), (95, 60)] {
        let search = || ws.query::<Place>().filter(Place::RANK.lt(below)).near(Place::AT, &target, k).select((Place::OBJECT_ID, SCORE));
        side.rough.store(false, Ordering::SeqCst);
        let exact = search().all().await?;
        side.rough.store(true, Ordering::SeqCst);
        side.rough_searches.store(0, Ordering::SeqCst);
        assert_eq!(search().all().await?, exact, "{k} of the ranks below {below}");
        assert!(side.rough_searches.load(Ordering::SeqCst) > 0, "it was rough");
    }
    Ok(())
}

#[tokio::test]
async fn pages_concatenate_and_cursors_are_checked() -> Result<()> {
    let (ws, ..) = open().await?;
    ws.upsert_many(&(0..25).map(|n| Item { rank: n % 4, ..item(n) }).collect::<Vec<_>>()).await?;
    let query = ws.query::<Item>().filter(Item::TITLE.contains("title")).order_by(Item::RANK.desc()).limit(7);
    let (mut paged, mut cursor) = (Vec::new(), None);
    loop {
        let page = match cursor.take() {
            Some(cursor) => query.clone().page_after(cursor).page().await?,
            None => query.page().await?,
        };
        paged.extend(page.rows);
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(paged, query.clone().limit(100).all().await?);
    assert_eq!(paged.len(), 25);

    let cursor = query.page().await?.next.expect("there is more");
    let other = ws.query::<Item>().order_by(Item::RANK.asc()).page_after(cursor.clone()).page().await;
    assert_eq!(other.expect_err("another order").kind(), ErrorKind::InvalidQuery);
    let mut damaged = cursor;
    damaged.replace_range(10..11, if damaged.as_bytes()[10] == b'0' { "1" } else { "0" });
    for wrong in [damaged.as_str(), "", "zz", "ü", "00"] {
        let refused = query.clone().page_after(wrong).all().await;
        assert_eq!(refused.expect_err("not a cursor").kind(), ErrorKind::InvalidQuery, "{wrong:?}");
    }
    Ok(())
}

#[tokio::test]
async fn concurrent_updates_of_one_row_lose_nothing() -> Result<()> {
    let (ws, ..) = open().await?;
    ws.upsert(&item(1)).await?;
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let ws = ws.clone();
            tokio::spawn(async move {
                for round in 0..20 {
                    let patch = if n % 2 == 0 { Item::RANK.set(n * 100 + round) } else { Item::NOTE.set(format!("{n} {round}")) };
                    assert!(ws.update("i00001", patch).await?);
                }
                Ok::<(), heavenbase::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic")?;
    }
    let row = ws.get::<Item>("i00001").await?.expect("it is there");
    assert_eq!(row.rank % 100, 19);
    assert!(row.note.is_some_and(|n| n.ends_with(" 19")));
    assert!(ws.audit::<Item>().await?.is_clean());
    Ok(())
}

#[tokio::test]
async fn a_patch_waits_for_the_writer_before_and_loses_nothing_of_it() -> Result<()> {
    let (ws, _, side) = open().await?;
    ws.insert(&item(1)).await?;
    for round in 0..20i64 {
        // The first writer is slow on the side: there the second one would be earlier.
        side.delay_millis.store(20, Ordering::SeqCst);
        let slow = {
            let (ws, note) = (ws.clone(), format!("by the first {round}"));
            let first = Item { note: Some(note), rank: -1, ..item(1) };
            tokio::spawn(async move {
                match round % 2 {
                    0 => ws.upsert(&first).await.map(drop),
                    _ => ws.update("i00001", Item::NOTE.set(first.note.unwrap_or_default())).await.map(drop),
                }
            })
        };
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        side.delay_millis.store(0, Ordering::SeqCst);
        assert!(ws.update("i00001", Item::RANK.set(round)).await?);
        slow.await.expect("no panic")?;
        let row = ws.get::<Item>("i00001").await?.expect("it is there");
        assert_eq!((row.rank, row.note), (round, Some(format!("by the first {round}"))));
    }
    assert!(ws.audit::<Item>().await?.is_clean());
    Ok(())
}

#[tokio::test]
async fn a_patch_does_not_hide_that_a_part_is_behind() -> Result<()> {
    let (ws, _, side) = open().await?;
    ws.insert(&item(2)).await?;
    side.refuse_writes.store(true, Ordering::SeqCst);
    let changed = Item { note: Some("new".into()), ..item(2) };
    assert!(ws.upsert(&changed).await.is_err());
    side.refuse_writes.store(false, Ordering::SeqCst);
    let error = ws.update("i00002", Item::RANK.set(7)).await.expect_err("the side does not have the note");
    assert_eq!((error.kind(), error.status(), error.backend()), (ErrorKind::FracturedRow, Status::Unknown, Some("side")));
    assert_eq!(ws.audit::<Item>().await?.findings.len(), 1, "and it is still seen");
    ws.upsert(&changed).await?;
    assert!(ws.update("i00002", Item::RANK.set(7)).await?);
    assert_eq!(ws.get::<Item>("i00002").await?, Some(Item { rank: 7, ..changed }));
    assert!(!ws.update("nobody", Item::RANK.set(7)).await?);
    Ok(())
}

#[test]
fn four_threads_do_four_times_the_work_and_a_slow_workspace_delays_no_other() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (ws, main, side) = open().await.expect("opens");
        ws.upsert_many(&(0..100).map(item).collect::<Vec<_>>()).await.expect("writes");
        let (other, ..) = open().await.expect("opens");
        other.upsert(&item(1)).await.expect("writes");
        main.delay_millis.store(20, Ordering::SeqCst);
        side.delay_millis.store(20, Ordering::SeqCst);
        let work = |ws: Workspace<Two>| async move {
            for n in 0..10 {
                ws.get::<Item>(format!("i{n:05}")).await.expect("reads");
            }
        };
        let started = Instant::now();
        work(ws.clone()).await;
        let one = started.elapsed();
        let started = Instant::now();
        let tasks: Vec<_> = (0..4).map(|_| tokio::spawn(work(ws.clone()))).collect();
        let quick = Instant::now();
        other.get::<Item>("i00001").await.expect("reads");
        let quick = quick.elapsed();
        for task in tasks {
            task.await.expect("no panic");
        }
        let four = started.elapsed();
        // No lock is held while a backend is waited for: ten waits in a row are the floor for one and for four alike.
        assert!(four < one * 2, "one thread took {one:?}, four took {four:?}");
        assert!(quick < one / 2, "another workspace waited {quick:?}");
    });
}

#[tokio::test]
async fn bad_batches_write_nothing() -> Result<()> {
    let (ws, ..) = open().await?;
    let twice = ws.upsert_many(&[item(1), item(1)]).await.expect_err("an id twice");
    assert_eq!((twice.kind(), twice.detail("row")), (ErrorKind::InvalidValue, Some("1")));
    let long = Item { title: "x".repeat(70_000), ..item(2) };
    let error = ws.upsert_many(&[item(1), long]).await.expect_err("too long");
    assert_eq!((error.kind(), error.field()), (ErrorKind::InvalidValue, Some("title")));
    let control = Item { object_id: Id::from("a\nb"), ..item(3) };
    assert_eq!(ws.insert(&control).await.expect_err("no such id").field(), Some("object_id"));
    assert_eq!(ws.count::<Item>().await?, 0);
    ws.insert(&item(1)).await?;
    assert_eq!(ws.insert_many(&[item(5), item(1)]).await.expect_err("taken").kind(), ErrorKind::AlreadyExists);
    assert_eq!(ws.count::<Item>().await?, 1);
    assert!(!ws.update("nobody", Item::RANK.set(1)).await?);
    assert!(!ws.delete::<Item>("nobody").await?);
    Ok(())
}
