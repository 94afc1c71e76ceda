use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::disk::remove_litter;
use super::manifest::Manifest;
use super::unique::UniqueIndex;
use super::write::changes;
use super::{Contents, Place, Store, io_error};
use crate::driver::{Ensured, WriteBatch, WriteReport};
use crate::error::{Error, ErrorKind, Result};

/// One part in memory over its files.
pub(crate) struct Table<S: Store> {
    /// Where it lies.
    pub at: Place,
    store: Arc<S>,
    contents: ArcSwap<Contents>,
    /// How many noted bytes `contents` knows of.
    seen: AtomicU64,
    /// Whether there was a first look.
    loaded: AtomicBool,
    writer: Mutex<Writer<S::Disk>>,
}

/// What only writers, and readers that catch up, need.
struct Writer<D> {
    disk: D,
    unique: Option<UniqueIndex>,
    /// The manifest last checked, by time and length.
    manifest: Option<(SystemTime, u64)>,
}

impl<S: Store> Table<S> {
    /// A part that is read when it is first asked for.
    pub fn new(at: Place, store: Arc<S>) -> Self {
        let writer = Writer { disk: S::Disk::default(), unique: None, manifest: None };
        let contents = ArcSwap::from_pointee(Contents::default());
        Table { at, store, contents, seen: AtomicU64::new(0), loaded: AtomicBool::new(false), writer: Mutex::new(writer) }
    }

    /// Creates the part or checks what is there, and reads it.
    pub fn ensure(&self) -> Result<Ensured> {
        super::create_directory(&self.at.directory)?;
        let mut writer = self.writer.lock();
        let _lock = self.at.lock(true)?;
        let ensured = Manifest::ensure(&self.at, S::KIND)?;
        remove_litter(&self.at.directory);
        self.catch_up_locked(&mut writer, false)?;
        Ok(ensured)
    }

    /// How many rows were there when last looked; without looking.
    pub fn last_len(&self) -> usize {
        self.contents.load().rows.len()
    }

    /// The rows as the last commit left them, of whichever process. Waits for no writer unless another process
    /// committed since the last look.
    pub fn read(&self) -> Result<Arc<Contents>> {
        let Some(noted) = self.at.noted() else { return Err(self.gone()) };
        // The writer raises `seen` before it notes a commit: less than seen is its own commit, which is in memory.
        if noted <= self.seen.load(Ordering::Acquire) && self.loaded.load(Ordering::Acquire) {
            return Ok(self.contents.load_full());
        }
        self.catch_up(false)
    }

    /// Reads what changed on disk; everything again when `thorough`.
    pub fn catch_up(&self, thorough: bool) -> Result<Arc<Contents>> {
        if self.at.noted().is_none() {
            return Err(self.gone());
        }
        let mut writer = self.writer.lock();
        let _lock = self.at.lock(false)?;
        self.catch_up_locked(&mut writer, thorough)?;
        Ok(self.contents.load_full())
    }

    fn catch_up_locked(&self, writer: &mut Writer<S::Disk>, thorough: bool) -> Result<()> {
        let noted = self.at.noted().unwrap_or_default();
        self.check_manifest(writer)?;
        let mut contents = Contents::clone(&self.contents.load());
        if self.store.catch_up(&self.at, &mut writer.disk, &mut contents, thorough)? {
            writer.unique = None;
            self.contents.store(Arc::new(contents));
        }
        self.seen.store(noted, Ordering::Release);
        self.loaded.store(true, Ordering::Release);
        Ok(())
    }

    /// Another process may have evolved or dropped the part.
    fn check_manifest(&self, writer: &mut Writer<S::Disk>) -> Result<()> {
        let found = fs::metadata(self.at.directory.join("manifest.json")).ok();
        let stamp = found.and_then(|m| Some((m.modified().ok()?, m.len())));
        if stamp.is_none() || stamp != writer.manifest {
            Manifest::check(&self.at, S::KIND)?;
            writer.manifest = stamp;
        }
        Ok(())
    }

    /// Writes a batch: all that its guards let through, or nothing.
    pub fn write(&self, batch: &WriteBatch) -> Result<WriteReport> {
        if self.at.noted().is_none() {
            return Err(self.gone());
        }
        let part = &self.at.part;
        let mut writer = self.writer.lock();
        let mut lock = self.at.lock(true)?;
        self.catch_up_locked(&mut writer, false)?;
        let before = self.contents.load_full();
        let (changes, report) = changes(part, &before, batch)?;
        if changes.is_empty() {
            return Ok(report);
        }
        let Writer { disk, unique, .. } = &mut *writer;
        let unique = unique.get_or_insert_with(|| UniqueIndex::new(part, &before.rows));
        unique.check(part, &changes)?;
        let mut after = Contents::clone(&before);
        changes.iter().for_each(|change| after.apply(change));
        self.store.commit(&self.at, disk, &before, &after, &changes)?;
        unique.apply(&before.rows, &changes);
        self.contents.store(Arc::new(after));
        let note = self.store.note(&changes);
        self.seen.fetch_add(note.len() as u64, Ordering::AcqRel);
        // Should the note fail on a full disk, readers in other processes learn of the commit with the next one; the
        // rows are durable, and writers look at the files themselves.
        let _ = lock.write_all(&note);
        Ok(report)
    }

    /// Drops the part with all its files, and says whether it was there.
    pub fn drop_part(&self) -> Result<bool> {
        if self.at.noted().is_none() {
            return Ok(false);
        }
        let _writer = self.writer.lock();
        let _lock = self.at.lock(true)?;
        let Some(found) = Manifest::read(&self.at)? else { return Ok(false) };
        found.same_owner(&self.at, S::KIND)?;
        let parent = self.at.directory.parent().unwrap_or(&self.at.directory);
        // The name goes first, at once: a crash cannot leave half a part under it.
        let aside = parent.join(format!("{}dropped-{}", super::disk::TEMPORARY, uuid::Uuid::now_v7()));
        fs::rename(&self.at.directory, &aside).map_err(|e| io_error(e, "drop", &self.at.directory))?;
        super::sync_directory(parent)?;
        fs::remove_dir_all(&aside).map_err(|e| io_error(e, "remove", &aside))?;
        Ok(true)
    }

    fn gone(&self) -> Error {
        Error::new(ErrorKind::NotRegistered, "nothing is stored here, or it was dropped: register the entity first")
            .of_entity(self.at.part.entity.name)
            .with("directory", self.at.directory.display())
    }
}
