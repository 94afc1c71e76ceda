//! A batch of several rows is one file first, `batch.json`: once that stands, the batch took place. Then the rows'
//! files are written, and it goes. What a crash left of it is read as if it had been carried out, and carried out by
//! the next writer.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::format::{parse_row, read_if_there, row_path, row_text, rows_directory};
use super::name::name_of;
use crate::backends::rows::{Change, Contents, Place, corrupt, io_error, replace_file, sync_directory, sync_file, unsettled, write_file};
use crate::error::{Error, ErrorKind, Result};
use crate::types::Id;

fn path(at: &Place) -> PathBuf {
    at.directory.join("batch.json")
}

/// A batch as it stands in the journal: the text of each row's file, or none where it goes.
pub(super) type Batch = Vec<(Id, Option<String>)>;

/// The batch that these changes are.
pub(super) fn batch_of(at: &Place, changes: &[Change]) -> Result<Batch> {
    let entry = |change: &Change| match change {
        Change::Put(row) => Ok((Id::from(row.id()), Some(row_text(at, row)?))),
        Change::Delete(id) => Ok((id.clone(), None)),
    };
    changes.iter().map(entry).collect()
}

/// Writes the journal: from here on the batch takes place.
pub(super) fn write(at: &Place, batch: &Batch) -> Result<()> {
    let text =
        serde_json::to_vec(batch).map_err(|e| Error::new(ErrorKind::Internal, "a batch could not be written as JSON").caused_by(e))?;
    replace_file(&path(at), &text)?;
    sync_directory(&at.directory).map_err(unsettled)
}

/// The journal that is there, if there is one.
pub(super) fn read(at: &Place) -> Result<Option<Batch>> {
    let path = path(at);
    let Some(text) = read_if_there(&path)? else { return Ok(None) };
    let batch = serde_json::from_slice(&text)
        .map_err(|e| corrupt(&path, format_args!("line {}, column {}", e.line(), e.column()), "not the journal of a batch"))?;
    Ok(Some(batch))
}

/// Applies a batch to rows in memory.
pub(super) fn overlay(at: &Place, batch: &Batch, contents: &mut Contents) {
    for (id, text) in batch {
        let Some(text) = text else {
            contents.remove(id);
            continue;
        };
        match parse_row(at, &name_of(id), Some(id.clone()), text.as_bytes()) {
            Ok(row) => contents.put(row.into()),
            Err((_, damage)) => contents.damage(id.clone(), damage),
        }
    }
}

/// Carries a batch out and removes the journal once all files are durable.
pub(super) fn carry_out(at: &Place, batch: &Batch) -> Result<()> {
    let mut written = Vec::with_capacity(batch.len());
    for (id, text) in batch {
        let row = row_path(at, &name_of(id));
        match text {
            Some(text) => {
                write_file(&at.directory, &row, text.as_bytes(), false)?;
                written.push(row);
            }
            None => remove_if_there(&row)?,
        }
    }
    sync_all(&written)?;
    sync_directory(&rows_directory(at))?;
    remove_if_there(&path(at))
}

/// Threads that wait for the disk, at most: file systems gather what waits at the same time into one write.
const WAITING: usize = 32;

/// Makes files durable, many at once.
fn sync_all(files: &[PathBuf]) -> Result<()> {
    let share = files.len().div_ceil(WAITING).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = files.chunks(share).map(|files| scope.spawn(|| files.iter().try_for_each(|file| sync_file(file)))).collect();
        let lost = |_| Err(Error::new(ErrorKind::Internal, "a thread that waited for the disk was lost"));
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(lost))
    })
}

/// Removes a file that may be gone already.
pub(super) fn remove_if_there(path: &std::path::Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_error(e, "remove", path)),
        _ => Ok(()),
    }
}
