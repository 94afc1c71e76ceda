//! Making a commit outlast a crash of the machine. Lance leaves that to the system, so the files of a commit are synced
//! here: those it speaks of before it takes place, its own after.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use lance::Dataset;
use lance::dataset::transaction::Operation;

use super::runtime;
use crate::backends::disk;
use crate::error::Result;

/// The files that a commit makes part of the dataset.
fn named(root: &Path, operation: &Operation) -> Vec<PathBuf> {
    let (new, updated): (&[_], &[_]) = match operation {
        Operation::Append { fragments } => (fragments, &[]),
        Operation::Delete { updated_fragments, .. } => (&[], updated_fragments),
        Operation::Update { new_fragments, updated_fragments, .. } => (new_fragments, updated_fragments),
        _ => (&[], &[]),
    };
    let data = new.iter().flat_map(|fragment| fragment.files.iter().map(|file| root.join("data").join(&file.path)));
    let deletions = updated.iter().filter_map(|fragment| {
        let file = fragment.deletion_file.as_ref()?;
        let name = format!("{}-{}-{}.{}", fragment.id, file.read_version, file.id, file.file_type.suffix());
        Some(root.join("_deletions").join(name))
    });
    data.chain(deletions).collect()
}

/// Syncs what a commit will speak of.
pub(super) async fn before(root: PathBuf, operation: &Operation) -> Result<()> {
    let files = named(&root, operation);
    runtime::blocking(move || {
        files.iter().try_for_each(|path| sync(path))?;
        let mut folders: Vec<&Path> = files.iter().filter_map(|path| path.parent()).collect();
        folders.sort_unstable();
        folders.dedup();
        folders.into_iter().try_for_each(disk::sync_directory)
    })
    .await
}

/// Syncs the head of the version that a commit made.
pub(super) async fn after(root: PathBuf, committed: &Dataset) -> Result<()> {
    let head = committed.manifest_location().path.filename().map(|name| root.join("_versions").join(name));
    runtime::blocking(move || {
        head.iter().try_for_each(|path| sync(path))?;
        disk::sync_directory(&root.join("_versions"))
    })
    .await
}

fn sync(path: &Path) -> Result<()> {
    match File::open(path).and_then(|file| file.sync_all()) {
        // Merged into another file meanwhile: whoever did that has what was in it.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|e| disk::io_error(e, "sync", path)),
    }
}
