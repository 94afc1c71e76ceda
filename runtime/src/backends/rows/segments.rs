//! Rows in segment files `rows-<from>-<to>.<ext>`: each commit is one new file, written whole or not at all; files are
//! merged as they grow in number. `docs/decisions/0010-files-as-segments.md` has the reasons.

use std::fs;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::disk::unsettled;
use super::merge::merge;
use super::{Change, Contents, Damage, Look, Place, Plain, Row, Store, corrupt, io_error, replace_file, row_from_plain, sync_directory};
use crate::error::Result;
use crate::schema::Part;
use crate::types::Id;

/// A file format for segments.
pub(crate) trait Codec: Send + Sync + 'static {
    /// The kind in the capability table.
    const KIND: &'static str;
    /// What `Description::engine` says.
    const ENGINE: &'static str;
    /// The files' ending.
    const EXTENSION: &'static str;

    /// A segment of these rows and removals.
    fn encode(part: &Part, rows: &mut dyn Iterator<Item = &Row>, deleted: &[&str]) -> Result<Vec<u8>>;

    /// Reads a segment; a damaged row is part of the answer.
    ///
    /// # Errors
    /// [`Corrupt`](crate::ErrorKind::Corrupt) when it is no segment at all.
    fn decode(part: &Part, file: &Path, bytes: &[u8]) -> Result<Decoded>;
}

/// What a segment says.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub rows: Vec<Row>,
    pub deleted: Vec<Id>,
    pub damaged: Vec<(Option<Id>, Damage)>,
}

/// The store of segments in one format.
pub(crate) struct Segments<C>(PhantomData<fn() -> C>);

impl<C> Segments<C> {
    pub fn new() -> Self {
        Segments(PhantomData)
    }
}

/// The segments that memory knows, oldest first.
#[derive(Default)]
pub(crate) struct Known {
    pub segments: Vec<Segment>,
}

/// One file: the commits `from` to `to`.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub from: u64,
    pub to: u64,
    pub bytes: u64,
    pub modified: SystemTime,
    pub path: PathBuf,
    /// The ids it speaks of; left empty for the first segment, which is only ever merged whole.
    pub ids: Arc<[Id]>,
    /// The ids of its damaged rows, where they can be read.
    pub damaged: Arc<[Option<Id>]>,
}

impl Segment {
    fn is_same_file(&self, other: &Segment) -> bool {
        (self.from, self.to, self.bytes, self.modified) == (other.from, other.to, other.bytes, other.modified)
    }

    /// Whether one of its damaged rows was not written over since.
    pub fn is_damaged(&self, contents: &Contents) -> bool {
        self.damaged.iter().any(|id| id.as_ref().is_none_or(|id| contents.damaged.contains_key(id)))
    }
}

/// The name of the file of these commits.
pub(crate) fn segment_path(directory: &Path, from: u64, to: u64, extension: &str) -> PathBuf {
    directory.join(format!("rows-{from:010}-{to:010}.{extension}"))
}

/// What a file is, when its name is that of a segment.
pub(crate) fn look_at(path: PathBuf, extension: &str) -> Result<Option<Segment>> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let range = name.strip_prefix("rows-").and_then(|rest| rest.strip_suffix(extension)?.strip_suffix('.')?.split_once('-'));
    let Some((Ok(from), Ok(to))) = range.map(|(from, to)| (from.parse(), to.parse())) else { return Ok(None) };
    let found = fs::metadata(&path).map_err(|e| io_error(e, "look at", &path))?;
    let modified = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(Some(Segment { from, to, bytes: found.len(), modified, path, ids: Arc::new([]), damaged: Arc::new([]) }))
}

/// The segments of a directory, oldest first; those that a merge replaced before it could remove them left out.
fn list(directory: &Path, extension: &str) -> Result<Vec<Segment>> {
    let entries = fs::read_dir(directory).map_err(|e| io_error(e, "read the directory", directory))?;
    let mut found: Vec<Segment> = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| io_error(e, "read the directory", directory))?;
        found.extend(look_at(entry.path(), extension)?);
    }
    // The widest of those that start together first: what ends within it was merged into it.
    found.sort_by_key(|segment| (segment.from, std::cmp::Reverse(segment.to)));
    let mut end = 0;
    found.retain(|segment| {
        let is_new = segment.to > end;
        end = end.max(segment.to);
        is_new
    });
    Ok(found)
}

impl<C: Codec> Store for Segments<C> {
    const KIND: &'static str = C::KIND;
    const ENGINE: &'static str = C::ENGINE;
    type Disk = Known;

    fn catch_up(&self, at: &Place, disk: &mut Known, contents: &mut Contents, look: Look<'_>) -> Result<bool> {
        let thorough = look.is_thorough();
        let mut found = list(&at.directory, C::EXTENSION)?;
        let known = &disk.segments;
        let grown = known.len() <= found.len() && known.iter().zip(&found).all(|(a, b)| a.is_same_file(b));
        if grown && known.len() == found.len() && !thorough {
            return Ok(false);
        }
        let keep = if grown && !thorough { known.len() } else { 0 };
        let mut next = if keep > 0 { contents.clone() } else { Contents::default() };
        for (position, segment) in found.iter_mut().enumerate() {
            if position < keep {
                *segment = known[position].clone();
                continue;
            }
            let bytes = fs::read(&segment.path).map_err(|e| io_error(e, "read", &segment.path))?;
            let decoded = C::decode(&at.part, &segment.path, &bytes)?;
            if position > 0 {
                let rows = decoded.rows.iter().map(|row| Id::from(row.id()));
                let damaged = decoded.damaged.iter().filter_map(|(id, _)| id.clone());
                segment.ids = rows.chain(decoded.deleted.iter().cloned()).chain(damaged).collect();
            }
            segment.damaged = decoded.damaged.iter().map(|(id, _)| id.clone()).collect();
            take(decoded, &mut next);
        }
        *contents = next;
        disk.segments = found;
        Ok(true)
    }

    fn commit(&self, at: &Place, disk: &mut Known, _before: &Contents, after: &Contents, changes: &[Change]) -> Result<()> {
        let number = disk.segments.last().map_or(0, |last| last.to) + 1;
        let path = segment_path(&at.directory, number, number, C::EXTENSION);
        let mut rows = changes.iter().filter_map(|change| match change {
            Change::Put(row) => Some(&**row),
            Change::Delete(_) => None,
        });
        let deleted: Vec<&str> = changes.iter().filter(|change| matches!(change, Change::Delete(_))).map(Change::id).collect();
        let bytes = C::encode(&at.part, &mut rows, &deleted)?;
        replace_file(&path, &bytes)?;
        sync_directory(&at.directory).map_err(unsettled)?;
        if let Some(mut segment) = look_at(path, C::EXTENSION).map_err(unsettled)? {
            if number > 1 {
                segment.ids = changes.iter().map(|change| Id::from(change.id())).collect();
            }
            disk.segments.push(segment);
        }
        // The commit is durable. A merge that fails leaves files that are read as they are, and is tried again.
        let _ = merge::<C>(at, disk, after);
        Ok(())
    }
}

/// Applies a segment to what came before it.
fn take(decoded: Decoded, contents: &mut Contents) {
    decoded.deleted.iter().for_each(|id| contents.remove(id));
    decoded.rows.into_iter().for_each(|row| contents.put(Arc::new(row)));
    for (id, damage) in decoded.damaged {
        match id {
            Some(id) => contents.damage(id, damage),
            None => Arc::make_mut(&mut contents.nameless).push(damage),
        }
    }
}

/// Reads a whole segment document: `{"format": 1, "deleted": [id], "rows": {id: row}}`; all but the rows may be left
/// away. This is also what other programs may write.
pub(crate) fn read_document(part: &Part, file: &Path, document: Plain, decoded: &mut Decoded) -> Result<()> {
    let wrong = |why: String| corrupt(file, "the document", why);
    for (name, plain) in document.into_map().map_err(wrong)? {
        match (name.as_str(), plain) {
            ("format", Plain::Int(1)) => {}
            ("format", _) => return Err(wrong("not format 1: written by a newer version?".into())),
            ("deleted", plain) => {
                for item in plain.into_list().map_err(wrong)? {
                    let Plain::Text(id) = item else { return Err(wrong("`deleted` is a list of ids".into())) };
                    decoded.deleted.push(id.into());
                }
            }
            ("rows", plain) => {
                for (id, plain) in plain.into_map().map_err(wrong)? {
                    match row_from_plain(part, &id, plain) {
                        Ok(row) => decoded.rows.push(row),
                        Err(why) => {
                            let damage = Damage { file: file.display().to_string(), place: "an entry of `rows`".into(), why };
                            decoded.damaged.push((Some(id.into()), damage));
                        }
                    }
                }
            }
            (other, _) => return Err(wrong(format!("`{other}` does not belong in a segment"))),
        }
    }
    Ok(())
}
