//! What the peer says, byte by byte.

use super::read::Cell;

/// A column of an answer.
#[derive(Clone, Debug)]
pub struct Column {
    name: String,
    kind: Kind,
}

impl Column {
    /// A column with a name.
    pub fn new(name: &str, kind: Kind) -> Self {
        Column { name: name.to_owned(), kind }
    }
}

/// A type of the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `BIGINT`
    Whole,
    /// `FLOAT(53)`
    Float,
    /// `BIT`
    Bit,
    /// `NVARCHAR(4000)`
    Text,
    /// `NVARCHAR(MAX)`
    LongText,
    /// `VARBINARY(8000)`
    Bytes,
    /// `VARBINARY(MAX)`
    LongBytes,
    /// `DECIMAL(38, n)`
    Decimal(u8),
    /// `UNIQUEIDENTIFIER`
    Uuid,
    /// `DATE`
    Date,
    /// `DATETIME2(6)`
    Moment,
}

const COLLATION: [u8; 5] = [0x09, 0x04, 0xd0, 0x00, 0x34];

fn counted(text: &str, into: &mut Vec<u8>) {
    let units: Vec<u16> = text.encode_utf16().collect();
    into.push(units.len() as u8);
    units.iter().for_each(|unit| into.extend(unit.to_le_bytes()));
}

/// A token whose length stands before it.
fn token(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend((body.len() as u16).to_le_bytes());
    bytes.extend(body);
    bytes
}

/// Version 15, no encryption, no instance, thread, no several results at once.
pub(super) fn prelogin() -> Vec<u8> {
    let options: [(u8, &[u8]); 5] = [(0, &[15, 0, 0x07, 0xd0, 0, 0]), (1, &[2]), (2, &[0]), (3, &[]), (4, &[0])];
    let mut place = options.len() * 5 + 1;
    let (mut heads, mut bodies): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
    for (number, body) in options {
        heads.push(number);
        heads.extend((place as u16).to_be_bytes());
        heads.extend((body.len() as u16).to_be_bytes());
        bodies.extend(body);
        place += body.len();
    }
    heads.push(0xff);
    heads.extend(bodies);
    heads
}

/// The answer to a login that is taken.
pub(super) fn welcome() -> Vec<u8> {
    let mut packet = vec![4];
    counted("4096", &mut packet);
    counted("4096", &mut packet);
    let mut bytes = token(0xe3, &packet);
    let mut acknowledged = vec![1, 0x74, 0, 0, 4];
    counted("Microsoft SQL Server", &mut acknowledged);
    acknowledged.extend([15, 0, 0x07, 0xd0]);
    bytes.extend(token(0xad, &acknowledged));
    bytes.extend(done(0xfd, 0, 0));
    bytes
}

/// What a server says of a transaction that begins or ends.
pub(super) fn transaction(text: &str) -> Vec<u8> {
    let number = [7, 0, 0, 0, 1, 0, 0, 0];
    let mut body = Vec::new();
    if text.starts_with("BEGIN TRANSACTION") {
        body.extend([8, 8]);
        body.extend(number);
        body.push(0);
    } else if text.starts_with("COMMIT") || text.ends_with("ROLLBACK TRANSACTION") {
        body.extend([if text.starts_with("COMMIT") { 9 } else { 10 }, 0, 8]);
        body.extend(number);
    } else {
        return body;
    }
    token(0xe3, &body)
}

/// The end of an answer.
pub(super) fn done(kind: u8, status: u16, rows: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if kind == 0xfe {
        // What a procedure returns.
        bytes.extend([0x79, 0, 0, 0, 0]);
    }
    bytes.push(kind);
    bytes.extend(status.to_le_bytes());
    bytes.extend([0xc1, 0]);
    bytes.extend(rows.to_le_bytes());
    bytes
}

/// An error.
pub(super) fn error(number: u32, class: u8, words: &str) -> Vec<u8> {
    let mut body = number.to_le_bytes().to_vec();
    body.extend([1, class]);
    let units: Vec<u16> = words.encode_utf16().collect();
    body.extend((units.len() as u16).to_le_bytes());
    units.iter().for_each(|unit| body.extend(unit.to_le_bytes()));
    counted("peer", &mut body);
    counted("", &mut body);
    body.extend(1u32.to_le_bytes());
    token(0xaa, &body)
}

/// Columns and rows.
pub(super) fn rows(columns: &[Column], rows: &[Vec<Cell>]) -> Vec<u8> {
    let mut bytes = vec![0x81];
    bytes.extend((columns.len() as u16).to_le_bytes());
    for column in columns {
        // Whose own type it is (nobody's), and that it may be null.
        bytes.extend([0, 0, 0, 0, 1, 0]);
        match column.kind {
            Kind::Whole => bytes.extend([0x26, 8]),
            Kind::Float => bytes.extend([0x6d, 8]),
            Kind::Bit => bytes.extend([0x68, 1]),
            Kind::Text | Kind::LongText => {
                bytes.extend(if column.kind == Kind::Text { [0xe7, 0x40, 0x1f] } else { [0xe7, 0xff, 0xff] });
                bytes.extend(COLLATION);
            }
            Kind::Bytes => bytes.extend([0xa5, 0x40, 0x1f]),
            Kind::LongBytes => bytes.extend([0xa5, 0xff, 0xff]),
            Kind::Decimal(scale) => bytes.extend([0x6c, 17, 38, scale]),
            Kind::Uuid => bytes.extend([0x24, 16]),
            Kind::Date => bytes.push(0x28),
            Kind::Moment => bytes.extend([0x2a, 6]),
        }
        counted(&column.name, &mut bytes);
    }
    for row in rows {
        bytes.push(0xd1);
        columns.iter().zip(row).for_each(|(column, cell)| value(column.kind, cell, &mut bytes));
    }
    bytes
}

fn value(kind: Kind, cell: &Cell, bytes: &mut Vec<u8>) {
    let units = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let short = |body: &[u8], bytes: &mut Vec<u8>| {
        bytes.extend((body.len() as u16).to_le_bytes());
        bytes.extend(body);
    };
    let long = |body: &[u8], bytes: &mut Vec<u8>| {
        bytes.extend((body.len() as u64).to_le_bytes());
        for piece in body.chunks(1_000) {
            bytes.extend((piece.len() as u32).to_le_bytes());
            bytes.extend(piece);
        }
        bytes.extend([0; 4]);
    };
    match (kind, cell) {
        (Kind::Text | Kind::Bytes, Cell::Null) => bytes.extend([0xff, 0xff]),
        (Kind::LongText | Kind::LongBytes, Cell::Null) => bytes.extend([0xff; 8]),
        (_, Cell::Null) => bytes.push(0),
        (Kind::Bit, Cell::Bit(b)) => bytes.extend([1, u8::from(*b)]),
        (_, Cell::Whole(n)) => {
            bytes.push(8);
            bytes.extend(n.to_le_bytes());
        }
        (_, Cell::Float(n)) => {
            bytes.push(8);
            bytes.extend(n.to_le_bytes());
        }
        (Kind::LongText, Cell::Text(text)) => long(&units(text), bytes),
        (_, Cell::Text(text)) => short(&units(text), bytes),
        (Kind::LongBytes, Cell::Bytes(body)) => long(body, bytes),
        (Kind::Date | Kind::Moment | Kind::Uuid, Cell::Bytes(body)) => {
            bytes.push(body.len() as u8);
            bytes.extend(body);
        }
        (_, Cell::Bytes(body)) => short(body, bytes),
        (_, Cell::Decimal(mantissa, _)) => {
            bytes.extend([17, u8::from(*mantissa >= 0)]);
            bytes.extend(mantissa.unsigned_abs().to_le_bytes());
        }
        (_, Cell::Bit(b)) => bytes.extend([1, u8::from(*b)]),
    }
}
