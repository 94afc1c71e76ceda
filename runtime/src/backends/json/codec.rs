use std::path::Path;

use crate::backends::rows::{Codec, Damage, Decoded, Plain, Row, corrupt, read_document, row_from_plain, row_to_plain, without_bytes};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{ID_COLUMN, Part};
use crate::types::Id;

/// Segments as JSON documents: a first line, one row a line, a last line. Any other layout of the same document is
/// read too; only then a damaged spot takes the whole file down, because the rows' ends are not known.
pub(crate) struct JsonCodec;

const FIRST: &str = "{\"format\":1,\"deleted\":";
const FIRST_END: &str = ",\"rows\":{";
const LAST: &str = "}}";

impl Codec for JsonCodec {
    const KIND: &'static str = "json";
    const ENGINE: &'static str = "JSON files, format 1";
    const EXTENSION: &'static str = "json";

    fn encode(part: &Part, rows: &mut dyn Iterator<Item = &Row>, deleted: &[&str]) -> Result<Vec<u8>> {
        let failed = |e: serde_json::Error| Error::new(ErrorKind::Internal, "a row could not be written as JSON").caused_by(e);
        let mut text = FIRST.as_bytes().to_vec();
        serde_json::to_writer(&mut text, deleted).map_err(failed)?;
        text.extend_from_slice(FIRST_END.as_bytes());
        let mut first = true;
        for row in rows {
            text.extend_from_slice(if std::mem::take(&mut first) { b"\n" } else { b",\n" });
            serde_json::to_writer(&mut text, row.id()).map_err(failed)?;
            text.push(b':');
            serde_json::to_writer(&mut text, &without_bytes(row_to_plain(part, row))).map_err(failed)?;
        }
        text.push(b'\n');
        text.extend_from_slice(LAST.as_bytes());
        text.push(b'\n');
        Ok(text)
    }

    fn decode(part: &Part, file: &Path, bytes: &[u8]) -> Result<Decoded> {
        match lines(bytes) {
            Some((first, rows)) => decode_lines(part, file, first, rows),
            None => decode_whole(part, file, bytes),
        }
    }
}

/// The first line and those of rows, when a file is laid out as `encode` does it.
fn lines(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|b| *b == b'\n')?;
    let first = &bytes[..end];
    let is_first = first.starts_with(FIRST.as_bytes()) && first.ends_with(FIRST_END.as_bytes());
    let rows = bytes[end + 1..].strip_suffix(b"}}\n")?;
    (is_first && (rows.is_empty() || rows.ends_with(b"\n"))).then_some((first, rows))
}

fn decode_lines(part: &Part, file: &Path, first: &[u8], rows: &[u8]) -> Result<Decoded> {
    let mut decoded = Decoded::default();
    let whole = [first, LAST.as_bytes()].concat();
    let head =
        serde_json::from_slice::<Plain>(&whole).map_err(|e| corrupt(file, format_args!("line 1, column {}", e.column()), syntax(&e)))?;
    read_document(part, file, head, &mut decoded)?;
    for (number, line) in rows.split(|b| *b == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        let (id, wrong) = match read_line(part, line) {
            Ok(row) => {
                decoded.rows.push(row);
                continue;
            }
            Err(wrong) => (first_id(line), wrong),
        };
        let (column, why) = wrong;
        let damage = Damage { file: file.display().to_string(), place: format!("line {}, column {column}", number + 2), why };
        // A line that lost its end and ran into the next one hides two rows.
        let other = last_id(line).filter(|last| id.as_ref() != Some(last));
        if id.is_none() && other.is_none() {
            decoded.damaged.push((None, damage));
            continue;
        }
        decoded.damaged.extend(id.into_iter().chain(other).map(|id| (Some(id), damage.clone())));
    }
    Ok(decoded)
}

/// A row of one line: `"id":{…},` — or the column where it goes wrong, and why.
fn read_line(part: &Part, line: &[u8]) -> Result<Row, (usize, String)> {
    let line = line.strip_suffix(b",").unwrap_or(line);
    let mut parser = serde_json::Deserializer::from_slice(line).into_iter::<String>();
    let id = match parser.next() {
        Some(Ok(id)) => id,
        Some(Err(e)) => return Err((e.column(), "not a row: it does not start with an id".into())),
        None => return Err((1, "an empty line".into())),
    };
    let start = parser.byte_offset();
    let Some(rest) = line[start..].strip_prefix(b":") else { return Err((start + 1, "no colon after the id".into())) };
    let plain: Plain = serde_json::from_slice(rest).map_err(|e| (start + 1 + e.column(), syntax(&e)))?;
    row_from_plain(part, &id, plain).map_err(|why| (1, why))
}

/// What is wrong with JSON text, without repeating any of it.
fn syntax(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "the JSON text ends too early".into(),
        Category::Io | Category::Syntax | Category::Data => "not JSON".into(),
    }
}

/// The id at the start of a damaged line.
fn first_id(line: &[u8]) -> Option<Id> {
    let mut parser = serde_json::Deserializer::from_slice(line).into_iter::<String>();
    let id = Id::from(parser.next()?.ok()?);
    (line.get(parser.byte_offset()) == Some(&b':') && id.check().is_ok()).then_some(id)
}

/// The id at the end of a damaged line.
fn last_id(line: &[u8]) -> Option<Id> {
    let line = line.strip_suffix(b",").unwrap_or(line).strip_suffix(b"}")?;
    let key = format!("\"{ID_COLUMN}\":");
    let at = line.windows(key.len()).rposition(|window| window == key.as_bytes())?;
    let id = Id::from(serde_json::from_slice::<String>(&line[at + key.len()..]).ok()?);
    id.check().is_ok().then_some(id)
}

fn decode_whole(part: &Part, file: &Path, bytes: &[u8]) -> Result<Decoded> {
    let document: Plain =
        serde_json::from_slice(bytes).map_err(|e| corrupt(file, format_args!("line {}, column {}", e.line(), e.column()), syntax(&e)))?;
    let mut decoded = Decoded::default();
    read_document(part, file, document, &mut decoded)?;
    Ok(decoded)
}
