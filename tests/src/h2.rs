//! H2 in place of a server that no test machine has: a driver's sessions over it. `tests/engines/lib/Stand.java` is the other
//! side.

use heavenbase::backends::sql::Statement;
use heavenbase::backends::sql::session::{Answer, Phase, Running, Session, Sessions};
use heavenbase::types::{Decimal, Value};
use heavenbase::{Error, ErrorKind, Result, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What H2's own number of an error, with its words, is on the server that it stands in for.
pub type Meaning = fn(i32, &str) -> Error;

/// Where the stand-in is, and what it stands in for.
#[derive(Clone, Debug)]
pub struct H2 {
    /// Host and port.
    pub address: String,
    /// The database, in memory, which all sessions share.
    pub database: String,
    /// H2's mode.
    pub mode: &'static str,
    /// Statements that make the database ready, once.
    pub ready: &'static str,
    /// A statement as H2 takes it.
    pub said: fn(&str) -> String,
    /// What its errors mean.
    pub meaning: Meaning,
    /// Whether a decimal without a fraction is one nevertheless, and no whole number.
    pub decimals: bool,
}

fn broken(cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the stand-in is gone").with_status(Status::Temporary).caused_by(cause)
}

fn put(text: &[u8], into: &mut Vec<u8>) {
    into.extend((text.len() as u32).to_be_bytes());
    into.extend(text);
}

fn put_value(value: &Value, into: &mut Vec<u8>) {
    match value {
        Value::Int(n) => {
            into.push(1);
            into.extend(n.to_be_bytes());
        }
        Value::Float(n) => {
            into.push(2);
            into.extend(n.to_bits().to_be_bytes());
        }
        Value::Text(text) => {
            into.push(3);
            put(text.as_bytes(), into);
        }
        Value::Bytes(bytes) => {
            into.push(4);
            put(bytes, into);
        }
        Value::Bool(b) => into.extend([6, u8::from(*b)]),
        Value::Decimal(n) => {
            into.push(5);
            put(n.to_string().as_bytes(), into);
        }
        _ => into.push(0),
    }
}

/// The pieces of an answer.
struct Pieces<'a>(&'a [u8], bool);

impl<'a> Pieces<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (piece, rest) = self.0.split_at(length);
        self.0 = rest;
        piece
    }

    fn number<const N: usize>(&mut self) -> [u8; N] {
        self.take(N).try_into().unwrap_or([0; N])
    }

    fn length(&mut self) -> usize {
        u32::from_be_bytes(self.number()) as usize
    }

    fn text(&mut self) -> String {
        let length = self.length();
        String::from_utf8_lossy(self.take(length)).into_owned()
    }

    fn value(&mut self) -> Value {
        match self.number::<1>()[0] {
            1 => Value::Int(i64::from_be_bytes(self.number())),
            2 => Value::Float(f64::from_bits(u64::from_be_bytes(self.number()))),
            3 => Value::Text(self.text()),
            4 => {
                let length = self.length();
                Value::Bytes(self.take(length).into())
            }
            5 => {
                let text = self.text();
                let short = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
                match (short.parse(), Decimal::from_str_exact(short)) {
                    (Ok(whole), _) if !self.1 => Value::Int(whole),
                    (_, Ok(number)) => Value::Decimal(number),
                    _ => Value::Text(text),
                }
            }
            6 => Value::Bool(self.number() == [1]),
            _ => Value::Null,
        }
    }
}

/// One connection.
struct Stand {
    stream: TcpStream,
    of: H2,
}

impl Stand {
    async fn new(of: H2) -> Result<Self> {
        let mut stream = TcpStream::connect(&of.address).await.map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        let mut frame = Vec::new();
        [of.database.as_str(), of.mode, of.ready].iter().for_each(|text| put(text.as_bytes(), &mut frame));
        stream.write_all(&frame).await.map_err(broken)?;
        Ok(Stand { stream, of })
    }

    async fn ask(&mut self, text: &str, rows: &[Vec<Value>]) -> Result<Answer> {
        let mut frame = Vec::new();
        put((self.of.said)(text).as_bytes(), &mut frame);
        frame.extend((rows.len() as u32).to_be_bytes());
        frame.extend((rows.first().map_or(0, Vec::len) as u32).to_be_bytes());
        let mut values = Vec::new();
        rows.iter().flatten().for_each(|value| put_value(value, &mut values));
        put(&values, &mut frame);
        self.stream.write_all(&frame).await.map_err(broken)?;
        if self.stream.read_u8().await.map_err(broken)? != 0 {
            let code = self.stream.read_i32().await.map_err(broken)?;
            let words = self.bytes().await?;
            return Err((self.of.meaning)(code, &String::from_utf8_lossy(&words)).with("statement", text));
        }
        let answer = self.bytes().await?;
        let mut pieces = Pieces(&answer, self.of.decimals);
        let changed = u64::from_be_bytes(pieces.number());
        let (rows, columns) = (pieces.length(), pieces.length());
        let rows = (0..rows).map(|_| (0..columns).map(|_| pieces.value()).collect()).collect();
        Ok(Answer { rows, changed })
    }

    async fn bytes(&mut self) -> Result<Vec<u8>> {
        let length = self.stream.read_u32().await.map_err(broken)?;
        let mut bytes = vec![0; length as usize];
        self.stream.read_exact(&mut bytes).await.map_err(broken)?;
        Ok(bytes)
    }
}

impl Sessions for H2 {
    fn session(&self, _: Phase) -> Running<'_, Box<dyn Session>> {
        Box::pin(async move {
            let session: Box<dyn Session> = Box::new(Stand::new(self.clone()).await?);
            Ok(session)
        })
    }
}

impl Session for Stand {
    fn run<'s>(&'s mut self, statement: &'s Statement, _: Phase) -> Running<'s, Answer> {
        Box::pin(async move { self.ask(&statement.text, std::slice::from_ref(&statement.values)).await })
    }

    fn run_each<'s>(&'s mut self, text: &'s str, rows: Vec<Vec<Value>>, _: Phase) -> Running<'s, u64> {
        Box::pin(async move { self.ask(text, &rows).await.map(|answer| answer.changed) })
    }
}
