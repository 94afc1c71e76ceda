use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use super::format::{parse_row, read_if_there, row_path, rows_directory, side_files};
use super::journal::{self, remove_if_there};
use super::name::{id_of, name_of};
use crate::backends::rows::{
    Change, Contents, Damage, Look, Place, Row, Stamp, Store, TEMPORARY, create_directory, io_error, replace_file, stamp, sync_directory,
    sync_file, unsettled, write_file,
};
use crate::error::Result;
use crate::types::Id;

/// One file a row.
pub(super) struct RowFiles;

/// The files as they were when they were read.
#[derive(Default)]
pub(super) struct Files {
    loaded: bool,
    /// How far the notes in the lock file were read.
    read_to: u64,
    /// What the lock file starts with: another start is another file.
    start: Vec<u8>,
    /// By name, without the ending.
    known: HashMap<String, Known>,
    /// Whether there is a batch that is still to be carried out.
    pending: bool,
}

#[derive(Clone, PartialEq)]
struct Known {
    stamp: Stamp,
    id: Option<Id>,
}

/// The note that says: look at everything.
const EVERYTHING: &str = "*";
/// What ends a name in a note.
const NOTE_END: &str = "/";
/// Rows of a batch that are noted one by one, at most.
const MOST_NOTED: usize = 1000;
/// Where files go that held a damaged row, before it is written over.
const ASIDE: &str = "aside";

/// A row as its file holds it.
enum Found {
    Row(Row),
    Damaged(Option<Id>, Damage),
    Gone,
}

/// A look at one file: its name, its stamp, and what it holds.
type Seen = (String, Option<Stamp>, Found);

/// Reads the file of a name. The stamp is taken before, so that a later change is seen as one.
fn look_at(at: &Place, name: String) -> Result<Seen> {
    let path = row_path(at, &name);
    let stamp = stamp(&path)?;
    let found = match read_if_there(&path)? {
        None => Found::Gone,
        Some(text) => match parse_row(at, &name, id_of(&name).flatten(), &text) {
            Ok(row) => Found::Row(row),
            Err((id, damage)) => Found::Damaged(id, damage),
        },
    };
    Ok((name, stamp, found))
}

/// The names of all rows. A file with another name than a row's is not one.
fn names(at: &Place) -> Result<Vec<String>> {
    let directory = rows_directory(at);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(io_error(e, "read the directory", &directory)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| io_error(e, "read the directory", &directory))?;
        let name = entry.file_name().to_str().and_then(|name| name.strip_suffix(".json").map(str::to_owned));
        names.extend(name.filter(|name| !name.starts_with(TEMPORARY) && id_of(name).is_some()));
    }
    Ok(names)
}

/// The first bytes of the lock file: enough to hold what one that was begun anew starts with.
fn start_of(at: &Place) -> Result<Vec<u8>> {
    let path = at.lock_path();
    let mut start = Vec::with_capacity(64);
    let read = fs::File::open(&path).and_then(|file| file.take(64).read_to_end(&mut start));
    read.map(|_| start).map_err(|e| io_error(e, "read", &path))
}

impl Files {
    /// The names that other processes noted since the last look; none where all must be looked at. And how far the
    /// notes go now.
    fn noted(&self, at: &Place) -> Result<(Option<BTreeSet<String>>, u64)> {
        let path = at.lock_path();
        let failed = |e| io_error(e, "read", &path);
        let mut file = fs::File::open(&path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        if length < self.read_to || !self.loaded || !start_of(at)?.starts_with(&self.start) {
            return Ok((None, length));
        }
        let mut text = String::new();
        file.seek(SeekFrom::Start(self.read_to)).map_err(failed)?;
        let Ok(read) = file.take(length - self.read_to).read_to_string(&mut text) else { return Ok((None, length)) };
        // A line that a crash cut short does not end as names do: nobody knows which rows it meant.
        let names: Option<BTreeSet<String>> =
            text.lines().filter(|line| !line.is_empty()).map(|line| Some(line.strip_suffix(NOTE_END)?.to_owned())).collect();
        Ok((names.filter(|names| !names.contains(EVERYTHING)), self.read_to + read as u64))
    }

    /// Takes a look over into memory.
    fn take(&mut self, seen: Seen, contents: &mut Contents) {
        let (name, stamp, found) = seen;
        let before = self.known.remove(&name);
        let id = match found {
            Found::Row(row) => {
                let id = Id::from(row.id());
                contents.put(Arc::new(row));
                Some(id)
            }
            Found::Damaged(Some(id), damage) => {
                contents.damage(id.clone(), damage);
                Some(id)
            }
            Found::Damaged(None, damage) => {
                Arc::make_mut(&mut contents.nameless).push(damage);
                None
            }
            Found::Gone => {
                if let Some(id) = before.and_then(|known| known.id).or_else(|| id_of(&name).flatten()) {
                    contents.remove(&id);
                }
                return;
            }
        };
        if let Some(stamp) = stamp {
            self.known.insert(name, Known { stamp, id });
        }
    }
}

impl Store for RowFiles {
    const KIND: &'static str = "file";
    const ENGINE: &'static str = "one file a row, format 1";
    type Disk = Files;

    fn catch_up(&self, at: &Place, disk: &mut Files, contents: &mut Contents, look: Look<'_>) -> Result<bool> {
        let (noted, read_to) = disk.noted(at)?;
        let pending = journal::read(at)?;
        let mut seen = Vec::new();
        let thorough = look.is_thorough() || noted.is_none();
        if thorough {
            for name in names(at)? {
                seen.push(look_at(at, name)?);
            }
        } else {
            // Noted rows are read again whatever their stamps: two commits may fall into one tick of the clock.
            let noted = noted.unwrap_or_default();
            for name in noted.iter().filter(|name| id_of(name).is_some()) {
                seen.push(look_at(at, name.clone())?);
            }
            if let Look::Rows(ids) = look {
                for name in ids.iter().map(|id| name_of(id)).filter(|name| !noted.contains(name)) {
                    if stamp(&row_path(at, &name))? != disk.known.get(&name).map(|known| known.stamp) {
                        seen.push(look_at(at, name)?);
                    }
                }
            }
        }
        let changed = thorough || !seen.is_empty() || pending.is_some();
        if thorough {
            *contents = Contents::default();
            disk.known.clear();
        }
        seen.into_iter().for_each(|seen| disk.take(seen, contents));
        disk.pending = pending.is_some();
        if let Some(batch) = pending {
            journal::overlay(at, &batch, contents);
        }
        disk.read_to = read_to;
        disk.start = start_of(at)?;
        disk.loaded = true;
        Ok(changed)
    }

    fn commit(&self, at: &Place, disk: &mut Files, before: &Contents, _after: &Contents, changes: &[Change]) -> Result<()> {
        create_directory(&rows_directory(at))?;
        // What is noted by now is our own note; nobody else writes while we hold the lock.
        let noted = at.noted().map(|(_, length, _)| length);
        if let Some(batch) = journal::read(at)? {
            journal::carry_out(at, &batch)?;
        }
        let mut beside = false;
        for change in changes {
            if let Change::Put(row) = change {
                for side in side_files(at, row) {
                    beside = true;
                    if stamp(&side.path)?.is_none_or(|(_, length, _)| length != side.bytes.len() as u64) {
                        write_file(&at.directory, &side.path, side.bytes, true)?;
                    }
                }
            }
            set_aside(at, before, change.id())?;
        }
        if beside {
            sync_directory(&rows_directory(at))?;
        }
        let batch = journal::batch_of(at, changes)?;
        match batch.as_slice() {
            [(id, text)] => {
                let path = row_path(at, &name_of(id));
                match text {
                    Some(text) => write_file(&at.directory, &path, text.as_bytes(), true)?,
                    None => remove_if_there(&path)?,
                }
                sync_directory(&rows_directory(at)).map_err(unsettled)?;
            }
            _ => {
                journal::write(at, &batch)?;
                // The batch took place. What cannot be carried out now (a full disk) is read from the journal, and
                // carried out before the next write.
                if journal::carry_out(at, &batch).is_err() {
                    return Ok(());
                }
            }
        }
        for change in changes {
            let name = name_of(change.id());
            // Not knowing a stamp only means to look again.
            match (change, stamp(&row_path(at, &name)).ok().flatten()) {
                (Change::Put(row), Some(stamp)) => drop(disk.known.insert(name, Known { stamp, id: Some(Id::from(row.id())) })),
                _ => drop(disk.known.remove(&name)),
            }
            remove_old_side_files(at, before, change);
        }
        disk.read_to = noted.unwrap_or(disk.read_to);
        disk.start = start_of(at)?;
        Ok(())
    }

    fn note(&self, disk: &Files, changes: &[Change]) -> Vec<u8> {
        let names: Vec<String> = if disk.pending || changes.len() > MOST_NOTED {
            vec![EVERYTHING.to_owned()]
        } else {
            changes.iter().map(|change| name_of(change.id())).collect()
        };
        // A line break on both sides keeps a note apart from one that a crash cut short.
        names.iter().fold(String::from("\n"), |note, name| note + name + NOTE_END + "\n").into_bytes()
    }
}

/// Keeps the file of a row that could not be read, before it is written over.
fn set_aside(at: &Place, before: &Contents, id: &str) -> Result<()> {
    if before.rows.get(id).is_some() {
        return Ok(());
    }
    let name = name_of(id);
    let Some(bytes) = read_if_there(&row_path(at, &name))? else { return Ok(()) };
    let directory = at.directory.join(ASIDE);
    create_directory(&directory)?;
    let digest = blake3::hash(&bytes).to_hex();
    let kept = directory.join(format!("{name}.{}.json", &digest[..16]));
    replace_file(&kept, &bytes)?;
    sync_file(&kept)?;
    sync_directory(&directory)
}

/// Removes files of bytes that the row no longer names. What cannot be removed is only in the way of room.
fn remove_old_side_files(at: &Place, before: &Contents, change: &Change) {
    let Some(old) = before.rows.get(change.id()) else { return };
    let kept: Vec<_> = match change {
        Change::Put(row) => side_files(at, row).into_iter().map(|side| side.path).collect(),
        Change::Delete(_) => Vec::new(),
    };
    for side in side_files(at, old) {
        if !kept.contains(&side.path) {
            let _ = remove_if_there(&side.path);
        }
    }
}
