use std::collections::BTreeSet;
use std::fs;

use super::segments::{Codec, Known, Segment, look_at, segment_path};
use super::{Contents, Place, create_directory, io_error, replace_file, sync_directory};
use crate::error::Result;

/// Segments that a part has, at most (more only where damage stands in the way).
const MOST: usize = 16;
/// Where files go that held a damaged row, once it was written over.
const ASIDE: &str = "aside";

/// From which segment on to merge all into one: every segment not larger than all younger ones together goes along, so
/// that a row is rewritten a logarithmic number of times.
fn first_to_merge(segments: &[Segment], contents: &Contents) -> Option<usize> {
    if segments.len() <= MOST {
        return None;
    }
    // A file with a damaged row is not rewritten, nor does what is younger move before it.
    let start = segments.iter().rposition(|segment| segment.is_damaged(contents)).map_or(0, |at| at + 1);
    let last = segments.len().checked_sub(2)?;
    let mut younger = 0;
    let mut first = last;
    for at in (start..segments.len()).rev() {
        if at <= last && segments[at].bytes <= younger {
            first = at;
        }
        younger += segments[at].bytes;
    }
    (first >= start).then_some(first)
}

/// Merges the youngest segments when there are too many.
pub(crate) fn merge<C: Codec>(at: &Place, disk: &mut Known, contents: &Contents) -> Result<()> {
    let Some(first) = first_to_merge(&disk.segments, contents) else { return Ok(()) };
    let merged = &disk.segments[first..];
    let (from, to) = (merged[0].from, merged[merged.len() - 1].to);
    let ids: BTreeSet<&str> = merged.iter().flat_map(|segment| segment.ids.iter()).map(|id| id.as_str()).collect();
    let bytes = if first == 0 {
        // Nothing is older: removals have done their work.
        C::encode(&at.part, &mut contents.rows.iter().map(|row| &**row), &[])?
    } else {
        let mut rows = ids.iter().filter_map(|id| contents.rows.get(id)).map(|row| &**row);
        let deleted: Vec<&str> = ids.iter().copied().filter(|id| contents.rows.get(id).is_none()).collect();
        C::encode(&at.part, &mut rows, &deleted)?
    };
    let path = segment_path(&at.directory, from, to, C::EXTENSION);
    replace_file(&path, &bytes)?;
    sync_directory(&at.directory)?;
    let new = look_at(path.clone(), C::EXTENSION)?
        .map(|segment| Segment { ids: if first == 0 { [].into() } else { ids.into_iter().map(Into::into).collect() }, ..segment });
    let old: Vec<Segment> = disk.segments.splice(first.., new).collect();
    for segment in old.into_iter().filter(|segment| segment.path != path) {
        if segment.damaged.is_empty() {
            fs::remove_file(&segment.path).map_err(|e| io_error(e, "remove", &segment.path))?;
        } else {
            set_aside(at, &segment)?;
        }
    }
    Ok(())
}

/// Keeps a file that held a damaged row.
fn set_aside(at: &Place, segment: &Segment) -> Result<()> {
    let directory = at.directory.join(ASIDE);
    create_directory(&directory)?;
    let Some(name) = segment.path.file_name() else { return Ok(()) };
    fs::rename(&segment.path, directory.join(name)).map_err(|e| io_error(e, "set aside", &segment.path))
}
