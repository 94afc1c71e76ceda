use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::name::name_of;
use crate::backends::rows::{Damage, Place, Plain, Row, io_error, row_from_plain, row_to_plain, without_bytes};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::ID_COLUMN;
use crate::types::{Id, LogicalType, Value};

/// Bytes beyond this lie in a file of their own.
const INLINE_BYTES: usize = 4096;
/// The key that names a file of bytes.
const FILE: &str = "$file";

/// The directory of the rows.
pub(super) fn rows_directory(at: &Place) -> PathBuf {
    at.directory.join("rows")
}

/// The file of a row's name.
pub(super) fn row_path(at: &Place, name: &str) -> PathBuf {
    rows_directory(at).join(format!("{name}.json"))
}

/// Bytes in a file of their own: its name says whose they are and what they are, so it is never written over.
pub(super) struct SideFile<'a> {
    pub path: PathBuf,
    pub bytes: &'a [u8],
}

fn side_name(row: &Row, column: &str, bytes: &[u8]) -> String {
    format!("{}.{column}.{}.bin", name_of(row.id()), &blake3::hash(bytes).to_hex()[..16])
}

/// The files of bytes that belong to a row.
pub(super) fn side_files<'a>(at: &Place, row: &'a Row) -> Vec<SideFile<'a>> {
    let columns = at.part.columns.iter().zip(row.columns());
    let long = columns.filter_map(|(column, value)| match value {
        Value::Bytes(bytes) if bytes.len() > INLINE_BYTES => {
            Some(SideFile { path: rows_directory(at).join(side_name(row, &column.physical, bytes)), bytes })
        }
        _ => None,
    });
    long.collect()
}

/// A row as text: one field a line, long bytes by the name of their file.
pub(super) fn row_text(at: &Place, row: &Row) -> Result<String> {
    let failed = |e: serde_json::Error| Error::new(ErrorKind::Internal, "a row could not be written as JSON").caused_by(e);
    let Plain::Map(mut entries) = row_to_plain(&at.part, row) else {
        return Err(Error::new(ErrorKind::Internal, "a row is no map"));
    };
    for (name, plain) in &mut entries {
        if let Plain::Bytes(bytes) = plain
            && bytes.len() > INLINE_BYTES
        {
            let file = Plain::Text(side_name(row, name, bytes));
            *plain = Plain::Map(vec![(FILE.into(), file), ("bytes".into(), Plain::Int(bytes.len() as i64))]);
        }
    }
    // The id in front, for whoever opens the file.
    entries.rotate_right(1);
    let mut text = String::from("{");
    for (at, (name, plain)) in entries.into_iter().enumerate() {
        text.push_str(if at == 0 { "\n  " } else { ",\n  " });
        text.push_str(&serde_json::to_string(&name).map_err(failed)?);
        text.push_str(": ");
        text.push_str(&serde_json::to_string(&without_bytes(plain)).map_err(failed)?);
    }
    text.push_str("\n}\n");
    Ok(text)
}

/// Reads a row's text back; `id` is what its file name spells.
pub(super) fn parse_row(at: &Place, name: &str, id: Option<Id>, text: &[u8]) -> std::result::Result<Row, (Option<Id>, Damage)> {
    let path = row_path(at, name);
    let damage = |place: String, why: String| Damage { file: path.display().to_string(), place, why };
    let mut plain = match serde_json::from_slice::<Plain>(text) {
        Ok(plain) => plain,
        Err(e) => {
            let why = if e.is_eof() { "the JSON text ends too early" } else { "not JSON" };
            let id = id.or_else(|| salvage_id(name, text));
            return Err((id, damage(format!("line {}, column {}", e.line(), e.column()), why.into())));
        }
    };
    let id = id.or_else(|| match &plain {
        Plain::Map(entries) => entries.iter().find_map(|(key, value)| match value {
            Plain::Text(id) if key == ID_COLUMN && name_of(id) == name => Some(Id::from(id.as_str())),
            _ => None,
        }),
        _ => None,
    });
    let Some(id) = id else {
        return Err((None, damage("object_id".into(), "the file's name is not that of the object_id in it".into())));
    };
    let wrong = |why: String| (Some(id.clone()), damage("line 1".into(), why));
    read_side_files(at, name, &mut plain).map_err(wrong)?;
    row_from_plain(&at.part, &id, plain).map_err(wrong)
}

/// The id in a damaged file whose name does not spell it.
fn salvage_id(name: &str, text: &[u8]) -> Option<Id> {
    let key = format!("\"{ID_COLUMN}\": ");
    let at = text.windows(key.len()).position(|window| window == key.as_bytes())?;
    let id = serde_json::Deserializer::from_slice(&text[at + key.len()..]).into_iter::<String>().next()?.ok()?;
    (name_of(&id) == name).then(|| Id::from(id))
}

/// Puts the bytes in the place of the names of their files.
fn read_side_files(at: &Place, name: &str, plain: &mut Plain) -> std::result::Result<(), String> {
    let Plain::Map(entries) = plain else { return Ok(()) };
    for (field, plain) in entries {
        let is_bytes = at.part.columns.iter().any(|column| column.physical == *field && column.logical == LogicalType::Bytes);
        let Plain::Map(reference) = plain else { continue };
        if !is_bytes {
            continue;
        }
        let file = reference.iter().find_map(|(key, value)| match value {
            Plain::Text(file) if key == FILE => Some(file),
            _ => None,
        });
        // A file of this very row, nowhere else: a name is not a way out of the directory.
        let file = file.filter(|file| file.starts_with(&format!("{name}.")) && !file.contains(['/', '\\']));
        let file = file.ok_or_else(|| format!("field `{field}`: does not name a file of bytes that belongs to the row"))?;
        let length = reference.iter().find_map(|(key, value)| match value {
            Plain::Int(length) if key == "bytes" => Some(*length),
            _ => None,
        });
        let bytes = read_if_there(&rows_directory(at).join(file)).map_err(|e| e.to_string())?;
        let bytes = bytes.ok_or_else(|| format!("field `{field}`: its file of bytes is missing"))?;
        if length.is_some_and(|length| length != bytes.len() as i64) {
            return Err(format!("field `{field}`: its file of bytes has another length"));
        }
        *plain = Plain::Bytes(bytes);
    }
    Ok(())
}

/// What a file holds; none where there is none.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io_error(e, "read", path)),
    }
}
