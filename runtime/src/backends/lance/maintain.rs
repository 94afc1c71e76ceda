//! Upkeep: small files are merged, indexes built and brought up to date, old versions removed.
//!
//! Every write makes a file and a version. Files of similar size are merged when there are too many of them, so that a
//! row is copied a logarithmic number of times. What was written since an index was built is searched beside it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lance::Dataset;
use lance::dataset::cleanup::CleanupPolicyBuilder;
use lance::dataset::optimize::{CompactionOptions, compact_files};
use lance::index::DatasetIndexExt;
use lance_index::optimize::OptimizeOptions;

use super::index::{self, Parameters, Wanted};
use super::store::Store;
use super::{failure, runtime};
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
        || dataset.version_id().is_multiple_of(8) && (has_holes(dataset) || index::wanted(part).iter().any(|w| w.pays(rows(dataset), store.config.index_rows)))
}

/// After a write: does what is due, beside the caller, once at a time.
pub(super) fn after_write(store: &Arc<Store>, part: &Arc<Part>) {
    let due = store.config.upkeep && store.last_seen(part).is_some_and(|dataset| is_due(store, part, &dataset));
    if !due {
        return;
    }
    let busy = store.upkeep(part);
    if busy.swap(true, Ordering::AcqRel) {
        return;
    }
    let (store, part) = (store.clone(), part.clone());
    runtime::beside(async move {
        // What fails here fails again, visibly, in `maintain`; no write depends on it.
        let _ = run(&store, &part).await;
        busy.store(false, Ordering::Release);
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

async fn build(store: &Arc<Store>, part: &Arc<Part>) -> Result<()> {
    for wanted in index::wanted(part) {
        let Some(dataset) = store.find(part).await? else { return Ok(()) };
        let rows = rows(&dataset);
        if !wanted.pays(rows, store.config.index_rows) {
            continue;
        }
        let mut dataset = (*dataset).clone();
        match indexed(&mut dataset, &wanted, rows).await {
            Ok(false) => {}
            Ok(true) => {
                // Others may have committed meanwhile: the next read looks for the newest.
                store.forget(part);
            }
            // Somebody else builds it too, or merged the files under it.
            Err(e) if failure::is_conflict(&e) || failure::is_gone(&e) => store.forget(part),
            Err(e) => return Err(failure::error(e).with("index", &wanted.column)),
        }
    }
    Ok(())
}

/// Builds an index, or adds what it lacks; says whether anything was done.
async fn indexed(dataset: &mut Dataset, wanted: &Wanted, rows: usize) -> lance::Result<bool> {
    let parts = dataset.load_indices_by_name(&wanted.name).await?;
    if parts.is_empty() {
        let (kind, parameters) = wanted.build(rows);
        let name = Some(wanted.name.clone());
        let columns = [wanted.column.as_str()];
        match &parameters {
            Parameters::Values(parameters) => dataset.create_index(&columns, kind, name, parameters, true).await?,
            Parameters::Vectors(parameters) => dataset.create_index(&columns, kind, name, parameters, true).await?,
        };
        return Ok(true);
    }
    let covered = |fragment: u64| {
        let fragment = u32::try_from(fragment).unwrap_or(u32::MAX);
        parts.iter().any(|part| part.fragment_bitmap.as_ref().is_some_and(|bitmap| bitmap.contains(fragment)))
    };
    let lacking: usize =
        dataset.fragments().iter().filter(|f| !covered(f.id)).map(|fragment| fragment.physical_rows.unwrap_or_default()).sum();
    if lacking < (rows / 10).max(1_000) {
        return Ok(false);
    }
    let options = if lacking * 2 > rows {
        // Most rows are new: the old index was trained on too little.
        OptimizeOptions::retrain()
    } else if parts.len() > MOST_DELTAS {
        OptimizeOptions::merge(parts.len())
    } else {
        OptimizeOptions::append()
    };
    dataset.optimize_indices(&options.index_names(vec![wanted.name.clone()])).await?;
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
