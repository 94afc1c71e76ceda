//! Files as the embedded backends handle them: locks between processes, whole replacement, errors with the path.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::error::{Error, ErrorKind, Result, Status};

/// How long a writer waits for another.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for the lock of a file, alone (to write; the file is created when it is not there) or beside other readers.
/// It is held until the file is closed.
///
/// # Errors
/// [`ErrorKind::Timeout`] when another process keeps it for a minute.
pub(crate) fn lock_file(path: &Path, alone: bool) -> Result<File> {
    let opened = match OpenOptions::new().read(true).append(true).create(alone).open(path) {
        // Whoever may only read takes the lock on a handle for reading.
        Err(e) if !alone && e.kind() == io::ErrorKind::PermissionDenied => File::open(path),
        other => other,
    };
    let file = opened.map_err(|e| io_error(e, "open the lock file", path))?;
    let start = Instant::now();
    let mut pause = Duration::from_micros(50);
    loop {
        match if alone { file.try_lock() } else { file.try_lock_shared() } {
            Ok(()) if is_still_there(&file, path) => return Ok(file),
            // Dropped and made anew while we waited: take the lock that stands there now.
            Ok(()) => return lock_file(path, alone),
            Err(TryLockError::Error(e)) => return Err(io_error(e, "lock", path)),
            Err(TryLockError::WouldBlock) if start.elapsed() > PATIENCE => {
                return Err(Error::new(ErrorKind::Timeout, "another process has kept the lock file locked for a minute: try again")
                    .with("file", path.display()));
            }
            Err(TryLockError::WouldBlock) => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_millis(5));
            }
        }
    }
}

/// What tells whether a file was changed or replaced: its time, length and number.
pub(crate) type Stamp = (SystemTime, u64, u64);

/// The stamp of a file; none where there is none.
pub(crate) fn stamp(path: &Path) -> Result<Option<Stamp>> {
    match fs::metadata(path) {
        Ok(found) => Ok(Some((found.modified().unwrap_or(SystemTime::UNIX_EPOCH), found.len(), number(&found)))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_error(e, "look at", path)),
    }
}

/// The number a file system knows a file by, where it tells.
fn number(found: &fs::Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::ino(found);
    #[cfg(not(unix))]
    {
        let _ = found;
        0
    }
}

/// Whether a path still leads to the file that was opened.
fn is_still_there(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let number = |m: fs::Metadata| (m.dev(), m.ino());
        file.metadata().ok().map(number) == fs::metadata(path).ok().map(number)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// An error of the file system as one of ours. The path is named, nothing of what was written.
pub(crate) fn io_error(error: io::Error, action: &str, path: &Path) -> Error {
    use io::ErrorKind as Io;
    let (kind, why) = match error.kind() {
        Io::PermissionDenied => (ErrorKind::PermissionDenied, "not permitted: give this user the right to read and write there"),
        Io::ReadOnlyFilesystem => (ErrorKind::PermissionDenied, "the file system is mounted for reading only"),
        Io::StorageFull | Io::QuotaExceeded => (ErrorKind::Storage, "no room left: free some and try again"),
        Io::FileTooLarge => (ErrorKind::Storage, "the file would be larger than this process or file system allows"),
        Io::NotADirectory | Io::AlreadyExists => (ErrorKind::Storage, "a file stands where a directory is needed: choose another path"),
        Io::NotFound => (ErrorKind::Storage, "the path does not exist, or was removed meanwhile"),
        _ => (ErrorKind::Storage, "the file system refused"),
    };
    Error::new(kind, format!("cannot {action}: {why}")).with("path", path.display()).caused_by(error)
}

/// Creates a directory and those above it.
pub(crate) fn create_directory(path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Err(Error::new(ErrorKind::InvalidSchema, "the directory's path is empty: name a directory, or `.` for the current one"));
    }
    fs::create_dir_all(path).map_err(|e| io_error(e, "create the directory", path))
}

/// Makes names that were added or replaced in a directory durable.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    // Windows has no such call, and needs none.
    if cfg!(unix) { File::open(path).and_then(|d| d.sync_all()).map_err(|e| io_error(e, "sync the directory", path)) } else { Ok(()) }
}

/// The beginning of the names of files that are being written; whatever a crash left under one is removed later.
pub(crate) const TEMPORARY: &str = ".writing-";

/// Replaces a file wholly or not at all: written beside it, synced, renamed over it. The directory is synced by the
/// caller, once for all files of a batch.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> Result<()> {
    write_file(path.parent().unwrap_or(Path::new(".")), path, bytes, true)
}

/// The same by way of a directory of the caller's choice, on the same file system; not synced where the caller keeps
/// the bytes elsewhere until it has synced the file itself.
pub(crate) fn write_file(by_way_of: &Path, path: &Path, bytes: &[u8], sync: bool) -> Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let beside = by_way_of.join(format!("{TEMPORARY}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        if sync { file.sync_all() } else { Ok(()) }
    });
    let replaced =
        written.map_err(|e| io_error(e, "write", path)).and_then(|()| fs::rename(&beside, path).map_err(|e| io_error(e, "replace", path)));
    if replaced.is_err() {
        // What stands under the final name is untouched; the rest is litter.
        let _ = fs::remove_file(&beside);
    }
    replaced
}

/// Makes what a file holds durable.
#[cfg(feature = "file")]
pub(crate) fn sync_file(path: &Path) -> Result<()> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|e| io_error(e, "sync", path))
}

/// An error after a file took its final name: the change may or may not outlast a crash.
pub(crate) fn unsettled(error: Error) -> Error {
    error.with_status(Status::Unknown)
}

/// Removes what crashes left behind of files being written. Only under the lock.
pub(crate) fn remove_litter(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The options of a backend that keeps its files in a directory.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Directory {
    pub(crate) directory: std::path::PathBuf,
}
