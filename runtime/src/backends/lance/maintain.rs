//! Upkeep: small files are merged, indexes built and brought up to date, old versions removed.
//!
//! Every write makes a file and a version. Files of similar size are merged when there are too many of them, so that a
//! row is copied a logarithmic number of times. What was written since an index was built is searched beside it. An index
//! that the entity no longer asks for as it was built is built anew, or dropped.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lance::Dataset;
use lance::dataset::cleanup::CleanupPolicyBuilder;
use lance::dataset::optimize::{CompactionOptions, compact_files};
use lance::index::DatasetIndexExt;
use lance_index::optimize::OptimizeOptions;

use super::built::{self, Built};
use super::failure::{self, Ours};
use super::index::{self, Parameters, Wanted};
use super::runtime;
use super::store::Store;
use crate::error::Result;
use crate::schema::Part;

/// So many files of one size are merged.
const MOST_FILES: usize = 24;
/// What counts as one size: fewer rows than this.
const TIERS: [usize; 3] = [1_024, 32_768, 1_048_576];
/// The share of deleted rows from which on a file is written anew.
const DELETED: f32 = 0.2;
/// Old versions are looked for once in so many versions.
const CLEAN_EVERY: u64 = 64;
/// Longer than this, about a century, no version is kept: the calendar ends.
const LONGEST: Duration = Duration::from_secs(3_000_000_000);
/// So many parts of an index are merged.
const MOST_DELTAS: usize = 6;

/// What has to be done for a version, as far as its head tells.
fn is_due(store: &Store, part: &Part, dataset: &Dataset) -> bool {
    tier(dataset).is_some()
        || dataset.version_id().is_multiple_of(CLEAN_EVERY)
        || dataset.version_id().is_multiple_of(8)
            && (has_holes(dataset) || index::wanted(part).iter().any(|w| w.pays(rows(dataset), store.config.index_rows)))
}

/// After a write: does what is due, beside the caller, once at a time.
pub(super) fn after_write(store: &Arc<Store>, part: &Arc<Part>) {
    if store.config.upkeep && store.last_seen(part).is_some_and(|dataset| is_due(store, part, &dataset)) {
        begin(store, part);
    }
}

/// After the entity was declared: where it asks for other indexes than are there, does what is due. A program that only
/// reads would search without an index for ever.
pub(super) async fn after_ensure(store: &Arc<Store>, part: &Arc<Part>) {
    // Looking may fail where the next read fails as well: the entity is declared all the same.
    if store.config.upkeep && is_behind(store, part).await.unwrap_or(false) {
        begin(store, part);
    }
}

async fn is_behind(store: &Store, part: &Part) -> Result<bool> {
    let Some(dataset) = store.find(part).await? else { return Ok(false) };
    let (wanted, rows) = (index::wanted(part), rows(&dataset));
    let built = built::of(&dataset).await.ours()?;
    let lacks = |wanted: &Wanted| wanted.pays(rows, store.config.index_rows) && !built::has(&built, wanted);
    Ok(wanted.iter().any(lacks) || !unwanted(store, part, &built, &wanted, rows).is_empty())
}

fn begin(store: &Arc<Store>, part: &Arc<Part>) {
    let mark = store.upkeep(part);
    let (store, part) = (store.clone(), part.clone());
    once(mark, async move {
        // What fails here fails again, visibly, in `maintain`; no write depends on it.
        let _ = run(&store, &part).await;
    });
}

/// Taken away however the work ends, also by a panic: otherwise there would be no upkeep any more.
struct Mark(Arc<AtomicBool>);

impl Drop for Mark {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Starts something that nobody waits for, unless the mark says that it runs already.
fn once(mark: Arc<AtomicBool>, work: impl Future<Output = ()> + Send + 'static) {
    if mark.swap(true, Ordering::AcqRel) {
        return;
    }
    let mark = Mark(mark);
    runtime::beside(async move {
        let _mark = mark;
        work.await;
    });
}

fn rows(dataset: &Dataset) -> usize {
    dataset.fragments().iter().map(|fragment| fragment.physical_rows.unwrap_or_default()).sum()
}

/// The size of which there are too many files.
fn tier(dataset: &Dataset) -> Option<usize> {
    let below = |size: usize| dataset.fragments().iter().filter(|f| f.physical_rows.is_some_and(|rows| rows < size)).count();
    TIERS.into_iter().find(|size| below(*size) > MOST_FILES)
}

/// Merges, indexes and cleans what is due.
///
/// # Errors
/// What Lance says; what was done until then stays.
pub(super) async fn run(store: &Arc<Store>, part: &Arc<Part>) -> Result<()> {
    merge(store, part).await?;
    build(store, part).await?;
    clean(store, part).await
}

async fn merge(store: &Arc<Store>, part: &Arc<Part>) -> Result<()> {
    let Some(dataset) = store.find(part).await? else { return Ok(()) };
    if tier(&dataset).is_none() && !has_holes(&dataset) {
        return Ok(());
    }
    // Merging and replacing rows of one file exclude each other.
    let _turn = store.turn(part).await?;
    let Some(dataset) = store.find(part).await? else { return Ok(()) };
    let mut dataset = (*dataset).clone();
    let options = CompactionOptions {
        target_rows_per_fragment: tier(&dataset).unwrap_or(TIERS[0]),
        materialize_deletions: true,
        materialize_deletions_threshold: DELETED,
        num_threads: Some(1),
        ..CompactionOptions::default()
    };
    match compact_files(&mut dataset, options, None).await {
        Ok(_) => {
            store.keep(part, dataset);
            Ok(())
        }
        Err(e) if failure::is_conflict(&e) => Ok(()),
        Err(e) => Err(failure::error(e)),
    }
}

fn has_holes(dataset: &Dataset) -> bool {
    dataset.fragments().iter().any(|fragment| {
        let deleted = fragment.deletion_file.as_ref().and_then(|file| file.num_deleted_rows).unwrap_or_default();
        let rows = fragment.physical_rows.unwrap_or_default();
        rows > 0 && deleted as f32 / rows as f32 > DELETED
    })
}

/// The names of our indexes that have to go: nothing asks for them, or for something else that does not pay.
fn unwanted(store: &Store, part: &Part, built: &[Built], wanted: &[Wanted], rows: usize) -> Vec<String> {
    let stays = |wanted: &&Wanted| wanted.pays(rows, store.config.index_rows) || built::has(built, wanted);
    built::others(built, part, &wanted.iter().filter(stays).collect::<Vec<_>>())
}

async fn build(store: &Arc<Store>, part: &Arc<Part>) -> Result<()> {
    let wanted = index::wanted(part);
    let Some(dataset) = store.find(part).await? else { return Ok(()) };
    let built = built::of(&dataset).await.ours()?;
    for name in unwanted(store, part, &built, &wanted, rows(&dataset)) {
        let mut dataset = (*dataset).clone();
        done(store, part, &name, dataset.drop_index(&name).await.map(|()| true))?;
    }
    for wanted in wanted {
        let Some(dataset) = store.find(part).await? else { return Ok(()) };
        let rows = rows(&dataset);
        if wanted.pays(rows, store.config.index_rows) {
            let mut dataset = (*dataset).clone();
            done(store, part, &wanted.name, indexed(&mut dataset, &wanted, rows).await)?;
        }
    }
    Ok(())
}

/// What came of an index; `true` where something was done.
fn done(store: &Store, part: &Part, name: &str, outcome: lance::Result<bool>) -> Result<()> {
    match outcome {
        Ok(false) => {}
        // Others may have committed meanwhile: the next read looks for the newest.
        Ok(true) => store.forget(part),
        // Somebody else builds it too, or merged the files under it.
        Err(e) if failure::is_conflict(&e) || failure::is_gone(&e) => store.forget(part),
        Err(e) => return Err(failure::error(e).with("index", name)),
    }
    Ok(())
}

/// Builds an index, or adds what it lacks; says whether anything was done.
async fn indexed(dataset: &mut Dataset, wanted: &Wanted, rows: usize) -> lance::Result<bool> {
    if !built::has(&built::of(dataset).await?, wanted) {
        return made(dataset, wanted, rows).await;
    }
    let parts = dataset.load_indices_by_name(&wanted.name).await?;
    let covered = |fragment: u64| {
        let fragment = u32::try_from(fragment).unwrap_or(u32::MAX);
        parts.iter().any(|part| part.fragment_bitmap.as_ref().is_some_and(|bitmap| bitmap.contains(fragment)))
    };
    let lacking: usize =
        dataset.fragments().iter().filter(|f| !covered(f.id)).map(|fragment| fragment.physical_rows.unwrap_or_default()).sum();
    if lacking < (rows / 10).max(1_000) {
        return Ok(false);
    }
    if lacking * 2 > rows {
        // Most rows are new: the old index was trained on too little. (Lance's own way would not keep the number of lists.)
        return made(dataset, wanted, rows).await;
    }
    let options = if parts.len() > MOST_DELTAS { OptimizeOptions::merge(parts.len()) } else { OptimizeOptions::append() };
    dataset.optimize_indices(&options.index_names(vec![wanted.name.clone()])).await?;
    Ok(true)
}

/// Builds an index over all rows, in the place of the one of its name: one commit takes that away and puts this there.
async fn made(dataset: &mut Dataset, wanted: &Wanted, rows: usize) -> lance::Result<bool> {
    let (kind, parameters) = wanted.build(rows);
    let name = Some(wanted.name.clone());
    let columns = [wanted.column.as_str()];
    match &parameters {
        Parameters::Values(parameters) => dataset.create_index(&columns, kind, name, parameters, true).await?,
        Parameters::Vectors(parameters) => dataset.create_index(&columns, kind, name, parameters, true).await?,
    };
    Ok(true)
}

async fn clean(store: &Arc<Store>, part: &Arc<Part>) -> Result<()> {
    let Some(dataset) = store.find(part).await? else { return Ok(()) };
    // Files that no version names may belong to a write under way: they stay until they are a week old.
    let before = dataset.version().timestamp - store.config.keep_versions.min(LONGEST);
    let policy = CleanupPolicyBuilder::default().before_timestamp(before).error_if_tagged_old_versions(false).build();
    match dataset.cleanup_with_policy(policy).await {
        Ok(_) => Ok(()),
        // Another process cleans at the same time.
        Err(e) if failure::is_gone(&e) => Ok(()),
        Err(e) => Err(failure::error(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upkeep that panics leaves the way free for the next one.
    #[test]
    fn a_panic_takes_the_mark_away() {
        let mark = Arc::new(AtomicBool::new(false));
        once(mark.clone(), async { panic!("as upkeep might") });
        let start = std::time::Instant::now();
        while mark.load(Ordering::Acquire) {
            assert!(start.elapsed() < Duration::from_secs(30), "the mark stays");
            std::thread::sleep(Duration::from_millis(5));
        }
        let ran = Arc::new(AtomicBool::new(false));
        let seen = ran.clone();
        once(mark, async move { seen.store(true, Ordering::Release) });
        while !ran.load(Ordering::Acquire) {
            assert!(start.elapsed() < Duration::from_secs(30), "it does not run again");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// While it runs it is not begun a second time.
    #[test]
    fn it_runs_once_at_a_time() {
        let mark = Arc::new(AtomicBool::new(true));
        once(mark.clone(), async { panic!("begun a second time") });
        assert!(mark.load(Ordering::Acquire), "the mark of what runs was taken away");
    }
}
