use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::disk::{Stamp, remove_litter, stamp};
use super::manifest::Manifest;
use super::unique::UniqueIndex;
use super::write::changes;
use super::{Contents, Look, Place, Store, io_error};
use crate::driver::{Ensured, WriteBatch, WriteReport};
use crate::error::{Error, ErrorKind, Result};

/// One part in memory over its files.
pub(crate) struct Table<S: Store> {
    /// Where it lies.
    pub at: Place,
    store: Arc<S>,
    contents: ArcSwap<Contents>,
    /// The notes that `contents` knows of; none before the first look.
    seen: Mutex<Option<Stamp>>,
    /// Whether a commit of our own is noted and under way: the rows in memory are still the last committed ones.
    noting: AtomicBool,
    writer: Mutex<Writer<S::Disk>>,
}

/// What only writers, and readers that catch up, need.
struct Writer<D> {
    disk: D,
    unique: Option<UniqueIndex>,
    /// The manifest last checked, and what it says of which part this is.
    manifest: Option<Stamp>,
    made: String,
}

impl<S: Store> Table<S> {
    /// A part that is read when it is first asked for.
    pub fn new(at: Place, store: Arc<S>) -> Self {
        let writer = Writer { disk: S::Disk::default(), unique: None, manifest: None, made: String::new() };
        let contents = ArcSwap::from_pointee(Contents::default());
        Table { at, store, contents, seen: Mutex::new(None), noting: AtomicBool::new(false), writer: Mutex::new(writer) }
    }

    /// Creates the part or checks what is there, and reads it.
    pub fn ensure(&self) -> Result<Ensured> {
        super::create_directory(&self.at.directory)?;
        let mut writer = self.writer.lock();
        let _lock = self.at.lock(true)?;
        let ensured = Manifest::ensure(&self.at, S::KIND)?;
        remove_litter(&self.at.directory);
        self.catch_up_locked(&mut writer, Look::Noted)?;
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
        if self.noting.load(Ordering::Acquire) || *self.seen.lock() == Some(noted) {
            return Ok(self.contents.load_full());
        }
        self.catch_up(Look::Noted)
    }

    /// Reads what changed on disk.
    pub fn catch_up(&self, look: Look<'_>) -> Result<Arc<Contents>> {
        if self.at.noted().is_none() {
            return Err(self.gone());
        }
        let mut writer = self.writer.lock();
        let _lock = self.at.lock(false)?;
        self.catch_up_locked(&mut writer, look)?;
        Ok(self.contents.load_full())
    }

    fn catch_up_locked(&self, writer: &mut Writer<S::Disk>, look: Look<'_>) -> Result<()> {
        let noted = self.at.noted();
        let look = if self.is_another_part(writer)? { Look::Thorough } else { look };
        let mut contents = Contents::clone(&self.contents.load());
        if self.store.catch_up(&self.at, &mut writer.disk, &mut contents, look)? {
            writer.unique = None;
            self.contents.store(Arc::new(contents));
        }
        *self.seen.lock() = noted;
        Ok(())
    }

    /// Another process may have evolved or dropped the part, or dropped it and made it anew.
    fn is_another_part(&self, writer: &mut Writer<S::Disk>) -> Result<bool> {
        let stamp = stamp(&self.at.directory.join("manifest.json"))?;
        if stamp.is_some() && stamp == writer.manifest {
            return Ok(false);
        }
        let made = Manifest::check(&self.at, S::KIND)?;
        writer.manifest = stamp;
        Ok(std::mem::replace(&mut writer.made, made.clone()) != made)
    }

    /// Writes a batch: all that its guards let through, or nothing.
    pub fn write(&self, batch: &WriteBatch) -> Result<WriteReport> {
        if self.at.noted().is_none() {
            return Err(self.gone());
        }
        let part = &self.at.part;
        let mut writer = self.writer.lock();
        let mut lock = self.at.lock(true)?;
        self.catch_up_locked(&mut writer, Look::Rows(&batch.ids))?;
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
        // Noted first: should the disk be full even for that, nothing is written; and whoever reads the note in another
        // process waits for the lock, and then sees what became of the commit. In this process nobody waits: while
        // `noting`, the rows in memory are the last that were committed.
        let note = [begun_anew(&lock, &self.at)?, self.store.note(disk, &changes)].concat();
        self.noting.store(true, Ordering::Release);
        let noted = lock.write_all(&note).map_err(|e| io_error(e, "write", &self.at.lock_path()));
        let done = noted.and_then(|()| self.store.commit(&self.at, disk, &before, &after, &changes));
        if done.is_ok() {
            unique.apply(&before.rows, &changes);
            self.contents.store(Arc::new(after));
        }
        // After an error, whatever stands in the files is looked at before the next answer.
        *self.seen.lock() = if done.is_ok() { self.at.noted() } else { None };
        self.noting.store(false, Ordering::Release);
        done.map(|()| report)
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

/// Length of the lock file from which on it is begun anew.
const LONGEST: u64 = 1 << 20;

/// Empties a lock file that has grown long. What it then starts with occurs in no other, so that whoever knows the old one
/// sees that this is another, however long it has become.
fn begun_anew(lock: &fs::File, at: &Place) -> Result<Vec<u8>> {
    let failed = |e| io_error(e, "shorten", &at.lock_path());
    if lock.metadata().map_err(failed)?.len() < LONGEST {
        return Ok(Vec::new());
    }
    lock.set_len(0).map_err(failed)?;
    // And that all is to be looked at, for whoever looked when the old one was still empty.
    Ok(format!("\n#{}/\n*/\n", uuid::Uuid::now_v7()).into_bytes())
}
