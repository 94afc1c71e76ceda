use std::path::Path;

use serde_pickle::SerOptions;

use super::machine::load;
use crate::backends::rows::{Codec, Damage, Decoded, Plain, Row, corrupt, read_document, row_from_plain, row_to_plain};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Part;

/// Segments as pickles, protocol 3, one after the other: first a dict `{"format": 1, "deleted": [id], "lengths": {id:
/// bytes}}`, then a dict a row, in the order of `lengths`. What other programs write as one dict with `rows` is read
/// too.
pub(crate) struct PickleCodec;

/// The entry of the first dict that says how long the pickle of each row is: a damaged one is found by it, and cannot
/// hide where the next begins.
const LENGTHS: &str = "lengths";

impl Codec for PickleCodec {
    const KIND: &'static str = "pickle";
    const ENGINE: &'static str = "Python pickles, format 1";
    const EXTENSION: &'static str = "pickle";

    fn encode(part: &Part, rows: &mut dyn Iterator<Item = &Row>, deleted: &[&str]) -> Result<Vec<u8>> {
        let (mut pickles, mut lengths) = (Vec::new(), Vec::new());
        for row in rows {
            let pickle = dump(&row_to_plain(part, row))?;
            lengths.push((row.id().to_owned(), Plain::Int(pickle.len() as i64)));
            pickles.extend_from_slice(&pickle);
        }
        let deleted = deleted.iter().map(|id| Plain::Text((*id).to_owned())).collect();
        let mut bytes = dump(&Plain::Map(vec![
            ("format".into(), Plain::Int(1)),
            ("deleted".into(), Plain::List(deleted)),
            (LENGTHS.into(), Plain::Map(lengths)),
        ]))?;
        bytes.append(&mut pickles);
        Ok(bytes)
    }

    fn decode(part: &Part, file: &Path, bytes: &[u8]) -> Result<Decoded> {
        let (head, end) = load(bytes).map_err(|e| corrupt(file, format_args!("byte {}", e.offset), e.why))?;
        let mut head = head.into_map().map_err(|why| corrupt(file, "byte 0", why))?;
        let lengths = head.iter().position(|(name, _)| name == LENGTHS).map(|at| head.remove(at).1);
        let lengths = lengths.map_or_else(|| Ok(Vec::new()), Plain::into_map).map_err(|why| corrupt(file, "byte 0", why))?;
        let mut decoded = Decoded::default();
        read_document(part, file, Plain::Map(head), &mut decoded)?;
        let mut pieces = Vec::with_capacity(lengths.len());
        let mut start = end;
        for (id, length) in lengths {
            let stop = match length {
                Plain::Int(length) => usize::try_from(length).ok().and_then(|length| start.checked_add(length)),
                _ => None,
            };
            let stop = stop.filter(|stop| *stop <= bytes.len());
            let stop = stop.ok_or_else(|| corrupt(file, format_args!("byte {start}"), "the file ends before the rows it announces"))?;
            pieces.push((id, start, stop));
            start = stop;
        }
        if start != bytes.len() {
            return Err(corrupt(file, format_args!("byte {start}"), "there is more in the file than the rows it announces"));
        }
        for (id, start, stop) in pieces {
            match row(part, &id, &bytes[start..stop]) {
                Ok(row) => decoded.rows.push(row),
                Err((offset, why)) => {
                    let place = format!("byte {}", start + offset);
                    decoded.damaged.push((Some(id.into()), Damage { file: file.display().to_string(), place, why }));
                }
            }
        }
        Ok(decoded)
    }
}

fn row(part: &Part, id: &str, pickle: &[u8]) -> Result<Row, (usize, String)> {
    let (plain, end) = load(pickle).map_err(|e| (e.offset, e.why))?;
    if end != pickle.len() {
        return Err((end, "the row's pickle ends too early".into()));
    }
    row_from_plain(part, id, plain).map_err(|why| (0, why))
}

fn dump(plain: &Plain) -> Result<Vec<u8>> {
    serde_pickle::to_vec(plain, SerOptions::new()).map_err(|_| Error::new(ErrorKind::Internal, "a row could not be written as a pickle"))
}
