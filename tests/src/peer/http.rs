//! As much of HTTP/1.1 as clients need: kept connections, bodies of known length and in chunks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;

/// A request, read to its end.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A header by its small name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The path, decoded.
    pub fn path(&self) -> String {
        decoded(self.target.split('?').next().unwrap_or_default())
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The values of a parameter, decoded.
    pub fn query(&self, name: &str) -> Vec<String> {
        let query = self.target.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(n, _)| *n == name).map(|(_, value)| decoded(&value.replace('+', " "))).collect()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> serde_json::Result<Json> {
        serde_json::from_slice(&self.body)
    }

    /// The request as it goes to another server, which is asked to close the connection after its answer.
    fn forwarded(&self, host: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", self.method, self.target);
        let dropped = ["host", "connection", "content-length", "transfer-encoding"];
        self.headers.iter().filter(|(name, _)| !dropped.contains(&name.as_str())).for_each(|(n, v)| head += &format!("{n}: {v}\r\n"));
        head += &format!("content-length: {}\r\n\r\n", self.body.len());
        [head.into_bytes(), self.body.clone()].concat()
    }

    /// What another server answers, byte for byte; nothing when it cannot be asked.
    pub fn ask(&self, host: &str) -> Option<Vec<u8>> {
        let mut upstream = TcpStream::connect(host).ok()?;
        upstream.write_all(&self.forwarded(host)).ok()?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer).ok()?;
        // Not every server says that it closes, and who keeps the connection would find it closed.
        let line = answer.windows(2).position(|two| two == b"\r\n")? + 2;
        answer.splice(line..line, *b"connection: close\r\n");
        Some(answer)
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = (first == b'%').then(|| tail.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()));
        match code.flatten() {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An answer, or what comes instead of one.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status code; 0 closes the connection instead.
    pub status: u16,
    /// The body.
    pub body: String,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// How it is sent.
    pub how: How,
}

/// How an answer is sent.
#[derive(Clone, Debug, Default)]
pub enum How {
    /// Wholly.
    #[default]
    Whole,
    /// Half of the body, then the connection is closed.
    Half,
    /// After so long.
    Late(Duration),
    /// Not as HTTP: these bytes, then the connection is closed.
    Bytes(Vec<u8>),
}

impl How {
    /// As the beginning of more than any driver reads at once.
    #[must_use]
    pub fn endless() -> How {
        How::Bytes(b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n{".to_vec())
    }
}

impl Answer {
    /// An answer of JSON.
    pub fn json(status: u16, body: &Json) -> Answer {
        Answer { status, body: body.to_string(), ..Answer::default() }
    }

    /// An answer of a status with a text.
    pub fn of(status: u16, body: impl Into<String>) -> Answer {
        Answer { status, body: body.into(), ..Answer::default() }
    }

    /// No answer: the connection is closed.
    pub fn none() -> Answer {
        Answer::default()
    }

    /// The same, sent in another way.
    #[must_use]
    pub fn sent(self, how: How) -> Answer {
        Answer { how, ..self }
    }
}

/// Serves on a free port of loopback, one thread a connection; gives the address.
pub fn serve(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let answer: Arc<dyn Fn(&Request) -> Answer + Send + Sync> = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || connection(stream, &*answer));
        }
    });
    Ok(address)
}

fn connection(stream: TcpStream, answer: &dyn Fn(&Request) -> Answer) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let request = read(&mut reader)?;
        let Answer { status, body, headers, how } = answer(&request);
        if let How::Bytes(bytes) = how {
            writer.write_all(&bytes).ok()?;
            return None;
        }
        if let How::Late(pause) = how {
            std::thread::sleep(pause);
        }
        if status == 0 {
            return None;
        }
        let mut head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        let whole = format!("{head}\r\n{body}").into_bytes();
        if matches!(how, How::Half) {
            writer.write_all(&whole[..whole.len() - body.len().div_ceil(2)]).ok()?;
            return None;
        }
        writer.write_all(&whole).ok()?;
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, target, headers, body: Vec::new() };
    if request.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            request.body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    } else {
        let length = request.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
        request.body = vec![0; length];
        reader.read_exact(&mut request.body).ok()?;
    }
    Some(request)
}
