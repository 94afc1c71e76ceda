//! The datasets of one directory: finding the newest version, the writers' turns, the lock between processes.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use lance::Dataset;
use lance::dataset::builder::DatasetBuilder;
use lance::deps::datafusion::logical_expr::Expr;
use lance::session::Session;
use parking_lot::Mutex;

use super::config::Lance;
use super::failure;
use super::{runtime, shape};
use crate::backends::disk;
use crate::driver::Manifest;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;

/// Bytes that indexes and file heads may take in memory.
const INDEX_CACHE: usize = 512 << 20;
const METADATA_CACHE: usize = 128 << 20;

/// How many counts of a version are remembered.
const MOST_COUNTS: usize = 32;

/// One part's dataset as this driver knows it.
#[derive(Default)]
struct Known {
    /// The newest version that was seen.
    dataset: Option<Arc<Dataset>>,
    /// Writers of this driver take turns here, so that they do not all stand at the lock file.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// How many rows of that version satisfy a condition: the last that were counted.
    counts: Vec<(Expr, i64)>,
    /// Whether upkeep runs already.
    upkeep: Arc<std::sync::atomic::AtomicBool>,
}

/// The datasets under one directory.
pub(super) struct Store {
    pub config: Lance,
    session: Arc<Session>,
    known: Mutex<HashMap<String, Known>>,
}

/// The right to change a dataset. It ends when it is dropped.
pub(super) struct Turn {
    _lock: File,
    _turn: tokio::sync::OwnedMutexGuard<()>,
}

impl Store {
    pub(super) fn new(config: Lance) -> Arc<Self> {
        let session = Arc::new(Session::new(INDEX_CACHE, METADATA_CACHE, Arc::default()));
        Arc::new(Store { config, session, known: Mutex::default() })
    }

    /// What datasets share.
    pub(super) fn session(&self) -> Arc<Session> {
        self.session.clone()
    }

    /// Where a part's dataset lies.
    pub(super) fn path(&self, part: &Part) -> PathBuf {
        self.config.directory.join(format!("{}.lance", part.table))
    }

    /// The same as Lance wants it.
    pub(super) fn uri(&self, part: &Part) -> Result<String> {
        let path = std::path::absolute(self.path(part)).map_err(|e| disk::io_error(e, "find", &self.config.directory))?;
        path.into_os_string().into_string().map_err(|_| {
            Error::new(ErrorKind::InvalidSchema, "the directory's path is not Unicode: Lance cannot open it, choose another one")
        })
    }

    /// The newest version of a part's dataset; `None` where there is none.
    pub(super) async fn find(&self, part: &Part) -> Result<Option<Arc<Dataset>>> {
        let found = match self.last_seen(part) {
            Some(dataset) => match dataset.latest_manifest().await {
                Ok((_, location)) if location.version == dataset.version_id() && location.e_tag == dataset.manifest_location().e_tag => {
                    return Ok(Some(dataset));
                }
                Ok(_) => {
                    let mut newer = (*dataset).clone();
                    match newer.checkout_latest().await {
                        Ok(()) => Ok(newer),
                        // Between the look and this the dataset was dropped and made anew.
                        Err(_) => self.load(part).await?,
                    }
                }
                Err(_) => self.load(part).await?,
            },
            None => self.load(part).await?,
        };
        match found {
            Ok(dataset) => Ok(Some(self.keep(part, dataset))),
            Err(e) if failure::is_gone(&e) => {
                self.forget(part);
                Ok(None)
            }
            Err(e) => Err(failure::error(e)),
        }
    }

    async fn load(&self, part: &Part) -> Result<lance::Result<Dataset>> {
        let uri = self.uri(part)?;
        Ok(DatasetBuilder::from_uri(&uri).with_session(self.session.clone()).load().await)
    }

    /// The newest version of a part's dataset.
    ///
    /// # Errors
    /// [`ErrorKind::SchemaMismatch`] when there is none.
    pub(super) async fn open(&self, part: &Part) -> Result<Arc<Dataset>> {
        self.find(part).await?.ok_or_else(|| {
            let why = "there is no dataset of the entity, or it was dropped meanwhile: register the entity again";
            Error::new(ErrorKind::SchemaMismatch, why).of_entity(part.entity.name)
        })
    }

    /// Remembers a version, and hands it back.
    pub(super) fn keep(&self, part: &Part, dataset: Dataset) -> Arc<Dataset> {
        let dataset = Arc::new(dataset);
        let mut all = self.known.lock();
        let known = all.entry(part.table.clone()).or_default();
        known.dataset = Some(dataset.clone());
        known.counts.clear();
        dataset
    }

    /// How many rows of a version satisfy a condition, if that was counted while it is the newest.
    pub(super) fn counted(&self, part: &Part, dataset: &Arc<Dataset>, condition: &Expr) -> Option<i64> {
        let all = self.known.lock();
        let known = all.get(&part.table).filter(|known| known.dataset.as_ref().is_some_and(|newest| Arc::ptr_eq(newest, dataset)))?;
        known.counts.iter().find(|(counted, _)| counted == condition).map(|(_, rows)| *rows)
    }

    /// Remembers such a count.
    pub(super) fn note_count(&self, part: &Part, dataset: &Arc<Dataset>, condition: Expr, rows: i64) {
        let mut all = self.known.lock();
        let Some(known) = all.get_mut(&part.table) else { return };
        if known.dataset.as_ref().is_some_and(|newest| Arc::ptr_eq(newest, dataset)) {
            if known.counts.len() >= MOST_COUNTS {
                known.counts.remove(0);
            }
            known.counts.push((condition, rows));
        }
    }

    /// The newest version that this driver has seen.
    pub(super) fn last_seen(&self, part: &Part) -> Option<Arc<Dataset>> {
        self.known.lock().get(&part.table).and_then(|known| known.dataset.clone())
    }

    /// Whether the version that a dataset stands for was cleaned away: then whatever failed in reading it failed of that.
    pub(super) fn is_cleaned(&self, part: &Part, dataset: &Dataset) -> bool {
        let name = dataset.manifest_location().path.filename();
        name.is_some_and(|name| !self.path(part).join("_versions").join(name).exists())
    }

    /// Forgets what was seen of a dataset.
    pub(super) fn forget(&self, part: &Part) {
        if let Some(known) = self.known.lock().get_mut(&part.table) {
            known.dataset = None;
            known.counts.clear();
        }
    }

    /// Waits for the turn to change a part, in this process and among all.
    pub(super) async fn turn(&self, part: &Part) -> Result<Turn> {
        let turn = self.known.lock().entry(part.table.clone()).or_default().turn.clone();
        let turn = turn.lock_owned().await;
        let path = self.config.directory.join(format!("{}.lock", part.table));
        let lock = runtime::blocking(move || disk::lock_file(&path, true)).await?;
        Ok(Turn { _lock: lock, _turn: turn })
    }

    /// The mark of upkeep under way.
    pub(super) fn upkeep(&self, part: &Part) -> Arc<std::sync::atomic::AtomicBool> {
        self.known.lock().entry(part.table.clone()).or_default().upkeep.clone()
    }
}

/// What was written into a dataset when it was made.
///
/// # Errors
/// [`ErrorKind::SchemaMismatch`] when something else made it.
pub(super) fn manifest_of(dataset: &Dataset) -> Result<Manifest> {
    let text = dataset.schema().metadata.get(shape::MANIFEST);
    text.and_then(|text| Manifest::from_json(text).ok()).ok_or_else(|| {
        let why = "a dataset of this name was made by something else: choose another directory, namespace or entity name";
        Error::new(ErrorKind::SchemaMismatch, why)
    })
}
