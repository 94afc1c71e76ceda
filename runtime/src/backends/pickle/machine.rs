//! Reads a pickle as data. Only opcodes that build plain values are known here; whatever imports, calls or refers to
//! something outside is refused before anything is made of it.
//!
//! Our own and not serde-pickle's reader (which writes our files), because that one acts on some imports and calls,
//! recurses as deep as the file asks, and copies what the memo shares as often as the file asks.

use std::collections::HashMap;

use crate::backends::rows::Plain;

/// Why a pickle was not read, and at which byte. Never repeats what it holds.
#[derive(Debug, PartialEq)]
pub(crate) struct Refused {
    pub offset: usize,
    pub why: String,
}

/// Deepest nesting.
const DEPTH: usize = 128;
/// Values made in all, a byte of pickle and beside that: what the memo shares is made once for each use.
const VALUES_A_BYTE: usize = 16;
const VALUES: usize = 1 << 22;

/// The first pickle in these bytes, and where it ends.
pub(crate) fn load(bytes: &[u8]) -> Result<(Plain, usize), Refused> {
    let mut machine = Machine { bytes, at: 0, nodes: Vec::new(), stack: Vec::new(), marks: Vec::new(), memo: HashMap::new() };
    loop {
        let offset = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => {
                let mut budget = bytes.len().saturating_mul(VALUES_A_BYTE).saturating_add(VALUES);
                let plain = machine.plain(root, DEPTH, &mut budget).map_err(|why| Refused { offset, why })?;
                return Ok((plain, machine.at));
            }
            Err(why) => return Err(Refused { offset, why }),
        }
    }
}

/// A value under construction; containers name their members by number, so that the memo can share them.
enum Node {
    Plain(Plain),
    List(Vec<usize>),
    Dict(Vec<(usize, usize)>),
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<usize>,
    /// How long the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<u64, usize>,
}

const SHORT: &str = "the pickle ends too early";
const EMPTY: &str = "the pickle takes a value that it never made";

impl Machine<'_> {
    /// Runs one opcode; the root's number at the last.
    fn step(&mut self) -> Result<Option<usize>, String> {
        let code = self.take(1)?[0];
        match code {
            b'.' => return self.pop().map(Some),
            // PROTO, FRAME: how it was written, not what.
            0x80 => match self.take(1)?[0] {
                0..=5 => {}
                version => return Err(format!("pickle protocol {version} is not known: 0 to 5 are")),
            },
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            // The memo.
            b'p' => self.put_line()?,
            b'q' => self.put_number(1)?,
            b'r' => self.put_number(4)?,
            0x94 => self.put(self.memo.len() as u64)?,
            b'g' => {
                let key = self.line_number()?;
                self.get(key)?;
            }
            b'h' => {
                let key = self.number(1)?;
                self.get(key)?;
            }
            b'j' => {
                let key = self.number(4)?;
                self.get(key)?;
            }
            // Plain values.
            b'N' => self.push(Plain::None),
            0x88 => self.push(Plain::Bool(true)),
            0x89 => self.push(Plain::Bool(false)),
            b'I' => {
                let plain = match self.line()? {
                    "00" => Plain::Bool(false),
                    "01" => Plain::Bool(true),
                    digits => integer(digits.parse().ok())?,
                };
                self.push(plain);
            }
            b'L' => {
                let digits = self.line()?;
                let plain = integer(digits.strip_suffix('L').unwrap_or(digits).parse().ok())?;
                self.push(plain);
            }
            b'K' => {
                let n = self.number(1)?;
                self.push(Plain::Int(n as i64));
            }
            b'M' => {
                let n = self.number(2)?;
                self.push(Plain::Int(n as i64));
            }
            b'J' => {
                let n = self.number(4)? as u32;
                self.push(Plain::Int(i64::from(n.cast_signed())));
            }
            0x8a => self.long(1)?,
            0x8b => self.long(4)?,
            b'F' => {
                let n = self.line()?.parse().map_err(|_| "not a float")?;
                self.push(Plain::Float(n));
            }
            b'G' => {
                let mut bits = [0; 8];
                bits.copy_from_slice(self.take(8)?);
                self.push(Plain::Float(f64::from_be_bytes(bits)));
            }
            b'V' => {
                let plain = Plain::Text(raw_unicode(self.raw_line()?)?);
                self.push(plain);
            }
            0x8c => self.text(1)?,
            b'X' => self.text(4)?,
            0x8d => self.text(8)?,
            b'C' => self.binary(1)?,
            b'B' => self.binary(4)?,
            0x8e | 0x96 => self.binary(8)?,
            // Containers; a tuple is a list.
            b']' | b')' => self.push_node(Node::List(Vec::new())),
            b'}' => self.push_node(Node::Dict(Vec::new())),
            b'l' | b't' => {
                let items = self.pop_mark()?;
                self.push_node(Node::List(items));
            }
            0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let start = self.stack.len().checked_sub(count).ok_or(EMPTY)?;
                self.above_mark(start)?;
                let items = self.stack.split_off(start);
                self.push_node(Node::List(items));
            }
            b'd' => {
                let items = self.pop_mark()?;
                self.push_node(Node::Dict(Vec::new()));
                self.extend_dict(items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.extend_list(vec![item])?;
            }
            b'e' => {
                let items = self.pop_mark()?;
                self.extend_list(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend_dict(vec![key, value])?;
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.extend_dict(items)?;
            }
            other => return Err(refusal(other)),
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Result<&[u8], String> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len()).ok_or(SHORT)?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// A little-endian number of so many bytes.
    fn number(&mut self, width: usize) -> Result<u64, String> {
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(self.take(width)?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// What a length of so many bytes announces.
    fn counted(&mut self, width: usize) -> Result<&[u8], String> {
        let length = usize::try_from(self.number(width)?).map_err(|_| SHORT)?;
        self.take(length)
    }

    fn raw_line(&mut self) -> Result<&[u8], String> {
        let length = self.bytes[self.at..].iter().position(|b| *b == b'\n').ok_or(SHORT)?;
        let line = self.take(length + 1)?;
        Ok(&line[..length])
    }

    fn line(&mut self) -> Result<&str, String> {
        std::str::from_utf8(self.raw_line()?).map_err(|_| "not text".into())
    }

    fn line_number(&mut self) -> Result<u64, String> {
        self.line()?.parse().map_err(|_| "not a number".into())
    }

    fn text(&mut self, width: usize) -> Result<(), String> {
        let text = std::str::from_utf8(self.counted(width)?).map_err(|_| "text that is not UTF-8")?.to_owned();
        self.push(Plain::Text(text));
        Ok(())
    }

    fn binary(&mut self, width: usize) -> Result<(), String> {
        let bytes = self.counted(width)?.to_vec();
        self.push(Plain::Bytes(bytes));
        Ok(())
    }

    /// An integer in two's complement, least byte first.
    fn long(&mut self, width: usize) -> Result<(), String> {
        let digits = self.counted(width)?;
        let negative = digits.last().is_some_and(|b| b & 0x80 != 0);
        let mut bytes = [if negative { 0xff } else { 0 }; 16];
        let n = match bytes.get_mut(..digits.len()) {
            Some(low) => {
                low.copy_from_slice(digits);
                Some(i128::from_le_bytes(bytes))
            }
            None => None,
        };
        self.push(integer(n)?);
        Ok(())
    }

    fn push(&mut self, plain: Plain) {
        self.push_node(Node::Plain(plain));
    }

    fn push_node(&mut self, node: Node) {
        self.nodes.push(node);
        self.stack.push(self.nodes.len() - 1);
    }

    /// What lies below a mark is out of reach until the mark is taken.
    fn above_mark(&self, start: usize) -> Result<(), String> {
        if self.marks.last().is_some_and(|mark| start < *mark) { Err(EMPTY.into()) } else { Ok(()) }
    }

    fn pop(&mut self) -> Result<usize, String> {
        self.above_mark(self.stack.len().checked_sub(1).ok_or(EMPTY)?)?;
        self.stack.pop().ok_or_else(|| EMPTY.into())
    }

    fn top(&self) -> Result<usize, String> {
        self.above_mark(self.stack.len().checked_sub(1).ok_or(EMPTY)?)?;
        self.stack.last().copied().ok_or_else(|| EMPTY.into())
    }

    fn pop_mark(&mut self) -> Result<Vec<usize>, String> {
        let mark = self.marks.pop().ok_or(EMPTY)?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn put(&mut self, key: u64) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn put_line(&mut self) -> Result<(), String> {
        let key = self.line_number()?;
        self.put(key)
    }

    fn put_number(&mut self, width: usize) -> Result<(), String> {
        let key = self.number(width)?;
        self.put(key)
    }

    fn get(&mut self, key: u64) -> Result<(), String> {
        let node = *self.memo.get(&key).ok_or("the pickle refers to a value that it never kept")?;
        self.stack.push(node);
        Ok(())
    }

    fn extend_list(&mut self, items: Vec<usize>) -> Result<(), String> {
        let top = self.top()?;
        match &mut self.nodes[top] {
            Node::List(list) => {
                list.extend(items);
                Ok(())
            }
            _ => Err("an item for something that is no list".into()),
        }
    }

    fn extend_dict(&mut self, items: Vec<usize>) -> Result<(), String> {
        let top = self.top()?;
        if !items.len().is_multiple_of(2) {
            return Err("a key without a value".into());
        }
        match &mut self.nodes[top] {
            Node::Dict(dict) => {
                dict.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
                Ok(())
            }
            _ => Err("an entry for something that is no dict".into()),
        }
    }

    /// The value of a node, with what it shares made anew for each use. Depth and number are bounded, so a pickle that
    /// contains itself, or much of itself, ends here.
    fn plain(&self, node: usize, depth: usize, budget: &mut usize) -> Result<Plain, String> {
        *budget = budget.checked_sub(1).ok_or("the pickle repeats itself too often")?;
        let inner = depth.checked_sub(1).ok_or("the pickle is nested too deeply, or contains itself")?;
        match &self.nodes[node] {
            Node::Plain(plain) => {
                if let Plain::Text(text) = plain {
                    *budget = budget.checked_sub(text.len() / 8).ok_or("the pickle repeats itself too often")?;
                }
                if let Plain::Bytes(bytes) = plain {
                    *budget = budget.checked_sub(bytes.len() / 8).ok_or("the pickle repeats itself too often")?;
                }
                Ok(plain.clone())
            }
            Node::List(items) => Ok(Plain::List(items.iter().map(|item| self.plain(*item, inner, budget)).collect::<Result<_, _>>()?)),
            Node::Dict(entries) => {
                let entry = |(key, value): &(usize, usize)| match &self.nodes[*key] {
                    Node::Plain(Plain::Text(name)) => Ok((name.clone(), self.plain(*value, inner, budget)?)),
                    _ => Err("a dict whose keys are not all text".to_owned()),
                };
                // A key that comes again replaces the value, as in Python.
                let mut map: Vec<(String, Plain)> = Vec::with_capacity(entries.len());
                let mut places: HashMap<String, usize> = HashMap::new();
                for (name, value) in entries.iter().map(entry).collect::<Result<Vec<_>, _>>()? {
                    match places.get(&name) {
                        Some(place) => map[*place].1 = value,
                        None => {
                            places.insert(name.clone(), map.len());
                            map.push((name, value));
                        }
                    }
                }
                Ok(Plain::Map(map))
            }
        }
    }
}

fn integer(n: Option<i128>) -> Result<Plain, String> {
    let n = n.ok_or("an integer outside of 64 bits")?;
    match (i64::try_from(n), u64::try_from(n)) {
        (Ok(n), _) => Ok(Plain::Int(n)),
        (_, Ok(n)) => Ok(Plain::UInt(n)),
        _ => Err("an integer outside of 64 bits".into()),
    }
}

/// Text of protocol 0: Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
fn raw_unicode(line: &[u8]) -> Result<String, String> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((first, after)) = rest.split_first() {
        let width = match (first, after.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                text.push(char::from(*first));
                rest = after;
                continue;
            }
        };
        let digits = after.get(1..=width).and_then(|digits| std::str::from_utf8(digits).ok());
        let found = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        text.push(found.ok_or("text with an escape that is no character")?);
        rest = &after[1 + width..];
    }
    Ok(text)
}

/// Why an opcode is not run.
fn refusal(code: u8) -> String {
    let name = match code {
        b'c' => "GLOBAL",
        0x93 => "STACK_GLOBAL",
        b'R' => "REDUCE",
        b'b' => "BUILD",
        b'i' => "INST",
        b'o' => "OBJ",
        0x81 => "NEWOBJ",
        0x92 => "NEWOBJ_EX",
        0x82 => "EXT1",
        0x83 => "EXT2",
        0x84 => "EXT4",
        b'P' => "PERSID",
        b'Q' => "BINPERSID",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        0x8f..=0x91 => return "a set, which no field is".into(),
        b'S' | b'T' | b'U' => return "a byte string of Python 2: write it as text or bytes with Python 3".into(),
        other => return format!("0x{other:02x} is no pickle opcode"),
    };
    format!(
        "the pickle imports, calls or refers to something outside ({name}), which is never run: pickle plain data, bytes with protocol 3 or later"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_pickle::SerOptions;

    fn why(bytes: &[u8]) -> String {
        load(bytes).map(|(plain, _)| format!("{plain:?}")).unwrap_or_else(|e| format!("{}: {}", e.offset, e.why))
    }

    #[test]
    fn agrees_with_serde_pickle_on_what_it_writes() {
        let plain = Plain::Map(vec![
            ("int".into(), Plain::List([0, 1, -1, 255, 256, 65_536, i64::MIN, i64::MAX].map(Plain::Int).to_vec())),
            ("big".into(), Plain::UInt(u64::MAX)),
            ("float".into(), Plain::List([0.0, -0.0, 1e300, 5e-324].map(Plain::Float).to_vec())),
            ("text".into(), Plain::List(vec![Plain::Text(String::new()), Plain::Text("é\n🦀".repeat(100))])),
            ("bytes".into(), Plain::List(vec![Plain::Bytes(vec![]), Plain::Bytes(vec![0xff; 300])])),
            ("rest".into(), Plain::List(vec![Plain::None, Plain::Bool(true), Plain::Bool(false), Plain::Map(vec![])])),
        ]);
        let bytes = serde_pickle::to_vec(&plain, SerOptions::new()).unwrap_or_default();
        assert_eq!(load(&bytes), Ok((plain, bytes.len())));
    }

    #[test]
    fn whatever_imports_or_calls_is_refused() {
        for (bytes, name) in [
            (b"cos\nsystem\n(S'true'\ntR.".as_slice(), "(GLOBAL)"),
            (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "(STACK_GLOBAL)"),
            (b"(I1\nios\nsystem\n.", "(INST)"),
            (b"(I1\no.", "(OBJ)"),
            (b"]]R.", "(REDUCE)"),
            (b"]]b.", "(BUILD)"),
            (b"\x80\x02])\x81.", "(NEWOBJ)"),
            (b"\x80\x04])}\x92.", "(NEWOBJ_EX)"),
            (b"\x80\x02\x82\x01.", "(EXT1)"),
            (b"\x80\x02\x83\x01\x00.", "(EXT2)"),
            (b"\x80\x02\x84\x01\x00\x00\x00.", "(EXT4)"),
            (b"Pabc\n.", "(PERSID)"),
            (b"]Q.", "(BINPERSID)"),
            (b"\x80\x05\x97.", "(NEXT_BUFFER)"),
        ] {
            assert!(why(bytes).contains(name), "{name}: {}", why(bytes));
        }
    }

    #[test]
    fn hostile_pickles_end_in_an_error() {
        // Nested deeply; containing itself; doubling ten thousand times; long text used often.
        assert!(why(&[[b'N'].as_slice(), &[0x85; 100_000], b"."].concat()).contains("nested"));
        assert!(why(b"]q\x00h\x00a.").contains("contains itself"));
        let doubling: Vec<u8> = (0..10_000).flat_map(|_| *b"2\x86").collect();
        assert!(why(&[b"N".as_slice(), &doubling[..60], b"."].concat()).contains("repeats itself"));
        assert!(why(&[b"N".as_slice(), &doubling, b"."].concat()).contains("nested"));
        let long = [b"](X\x00\x00\x10\x00".as_slice(), &[b'x'; 1 << 20], b"q\x00", &b"h\x00".repeat(1 << 20), b"e."].concat();
        assert!(why(&long).contains("repeats itself"));
        for bytes in [
            b"".as_slice(),
            b".",
            b"a.",
            b"K",
            b"X\xff\xff\xff\x7fabc.",
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
            b"h\x07.",
            b"(.",
            b"]0.",
            b"K\x01(\x85.",
            b"t.",
            b"(K\x01d.",
            b"K\x01K\x02a.",
            b"}(K\x01K\x02u.",
            b"\xff",
            b"\x80\x09N.",
            b"Inine\n.",
            b"V\\ud800\n.",
            b"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.",
            b"\x8a\x20.",
        ] {
            assert!(load(bytes).is_err(), "{bytes:?}: {}", why(bytes));
        }
        // Any prefix and any flipped byte of a good one: an error or a value, never a panic.
        let good = serde_pickle::to_vec(
            &Plain::Map(vec![("a".into(), Plain::List(vec![Plain::Int(1), Plain::Text("x".into())]))]),
            SerOptions::new(),
        );
        let good = good.unwrap_or_default();
        for at in 0..good.len() {
            assert!(load(&good[..at]).is_err());
            for flip in 0..=255 {
                let mut bad = good.clone();
                bad[at] = flip;
                let _ = load(&bad);
            }
        }
    }
}
