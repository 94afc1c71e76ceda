//! What a client says, as far as the peer understands it.

use super::Asked;

/// A value on the wire.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Null, of any type.
    Null,
    /// A truth value.
    Bit(bool),
    /// A whole number.
    Whole(i64),
    /// A float.
    Float(f64),
    /// Text.
    Text(String),
    /// Bytes; dates and UUIDs too.
    Bytes(Vec<u8>),
    /// A number and how many of its digits stand behind the point.
    Decimal(i128, u8),
}

/// Bytes that are taken from the front.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, number: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(number)?;
        self.0 = rest;
        Some(taken)
    }

    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.number::<1>().map(|[byte]| byte)
    }

    fn short(&mut self) -> Option<usize> {
        self.number().map(|bytes| usize::from(u16::from_le_bytes(bytes)))
    }

    fn long(&mut self) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.number()?)).ok()
    }

    /// A value that comes in pieces; `None` within for null.
    fn pieces(&mut self) -> Option<Option<Vec<u8>>> {
        if u64::from_le_bytes(self.number()?) == u64::MAX {
            return Some(None);
        }
        let mut whole = Vec::new();
        loop {
            match self.long()? {
                0 => return Some(Some(whole)),
                length => whole.extend(self.take(length)?),
            }
        }
    }
}

fn utf16(bytes: &[u8]) -> Option<String> {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    String::from_utf16(&units).ok()
}

/// The password of a login, which is hidden by a swap of half bytes.
pub(super) fn password(login: &[u8]) -> Option<String> {
    let at = |place: usize| login.get(place..place + 2).map(|two| usize::from(u16::from_le_bytes([two[0], two[1]])));
    let (from, units) = (at(44)?, at(46)?);
    let hidden = login.get(from..from + units * 2)?;
    let plain: Vec<u8> = hidden.iter().map(|byte| (byte ^ 0xa5).rotate_left(4)).collect();
    utf16(&plain)
}

/// What stands before every request: how long it is itself is its first number.
fn without_head<'b>(body: &'b [u8]) -> Option<Bytes<'b>> {
    let length = Bytes(body).long()?;
    Some(Bytes(body.get(length..)?))
}

/// A batch of statements as text.
pub(super) fn batch(body: &[u8]) -> Option<Asked> {
    Some(Asked { text: utf16(without_head(body)?.0)?, values: Vec::new() })
}

/// A call of `sp_executesql`: the statement, the types of its values, the values.
pub(super) fn call(body: &[u8]) -> Option<Asked> {
    let mut bytes = without_head(body)?;
    match bytes.short()? {
        0xffff => match bytes.short()? {
            10 => {}
            _ => return None,
        },
        units => {
            bytes.take(units * 2)?;
        }
    }
    bytes.short()?;
    let mut values = Vec::new();
    while !bytes.0.is_empty() {
        let units = usize::from(bytes.byte()?);
        bytes.take(units * 2)?;
        bytes.byte()?;
        values.push(value(&mut bytes)?);
    }
    let mut values = values.into_iter();
    let Some(Cell::Text(text)) = values.next() else { return None };
    values.next();
    Some(Asked { text, values: values.collect() })
}

fn value(bytes: &mut Bytes<'_>) -> Option<Cell> {
    let kind = bytes.byte()?;
    Some(match kind {
        // Whole numbers, truth values, floats: how long the type is, how long the value.
        0x26 | 0x68 | 0x6d | 0x24 => {
            bytes.byte()?;
            let length = usize::from(bytes.byte()?);
            let body = bytes.take(length)?;
            match (kind, body) {
                (_, []) => Cell::Null,
                (0x68, [bit]) => Cell::Bit(*bit != 0),
                (0x24, body) => Cell::Bytes(body.to_vec()),
                (0x6d, body) => match body.len() {
                    4 => Cell::Float(f64::from(f32::from_le_bytes(body.try_into().ok()?))),
                    _ => Cell::Float(f64::from_le_bytes(body.try_into().ok()?)),
                },
                (_, body) => {
                    let sign = if body.len() > 1 && body.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
                    let mut whole = [sign; 8];
                    whole.get_mut(..body.len())?.copy_from_slice(body);
                    Cell::Whole(i64::from_le_bytes(whole))
                }
            }
        }
        // A null of no type.
        0x1f => Cell::Null,
        // Fixed lengths, as some clients send them.
        0x38 => Cell::Whole(i64::from(i32::from_le_bytes(bytes.number()?))),
        0x7f => Cell::Whole(i64::from_le_bytes(bytes.number()?)),
        0x3e => Cell::Float(f64::from_le_bytes(bytes.number()?)),
        0x32 => Cell::Bit(bytes.byte()? != 0),
        0xe7 | 0xa5 => {
            let most = bytes.short()?;
            if kind == 0xe7 {
                bytes.take(5)?;
            }
            let body = if most == 0xffff {
                bytes.pieces()?
            } else {
                match bytes.short()? {
                    0xffff => None,
                    length => Some(bytes.take(length)?.to_vec()),
                }
            };
            match (kind, body) {
                (_, None) => Cell::Null,
                (0xe7, Some(body)) => Cell::Text(utf16(&body)?),
                (_, Some(body)) => Cell::Bytes(body),
            }
        }
        0x6c | 0x6a => {
            let [_, _, scale] = bytes.number()?;
            let length = usize::from(bytes.byte()?);
            match bytes.take(length)? {
                [] => Cell::Null,
                [sign, rest @ ..] => {
                    let mut mantissa = [0; 16];
                    mantissa.get_mut(..rest.len())?.copy_from_slice(rest);
                    let mantissa = i128::from_le_bytes(mantissa);
                    Cell::Decimal(if *sign == 0 { -mantissa } else { mantissa }, scale)
                }
            }
        }
        _ => return None,
    })
}
