//! A server of gRPC as small as can be: it reads no headers, so a call is known by what its message holds.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// What is said to a call.
#[derive(Clone, Debug)]
pub enum Said {
    /// A message, and that all went well.
    Message(Vec<u8>),
    /// A message's bytes as they lie on the line, whatever they claim to be, and that all went well.
    Framed(Vec<u8>),
    /// No message, but a code and a text.
    Code(u8, &'static str),
    /// Nothing, ever.
    Nothing,
    /// The connection is closed.
    Gone,
}

type Answering = dyn Fn(&[u8]) -> Said + Send + Sync;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
/// Longest frame that a client takes which says nothing of it.
const FRAME: usize = 16_384;

/// Serves on a free port of loopback, one thread a connection; gives the address.
///
/// # Errors
/// When no port can be had.
pub fn serve_grpc(answer: impl Fn(&[u8]) -> Said + Send + Sync + 'static) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    let answer: Arc<Answering> = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || connection(stream, &*answer));
        }
    });
    Ok(address)
}

fn connection(mut stream: TcpStream, answer: &Answering) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).ok()?;
    // As much as a client may send at once: a window of a stream, and that of the connection.
    frame(&mut stream, SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff])?;
    frame(&mut stream, WINDOW, 0, 0, &[0x7f, 0xff, 0, 0])?;
    let mut messages: HashMap<u32, Vec<u8>> = HashMap::new();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (kind, flags) = (head[3], head[4]);
        let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).ok()?;
        match kind {
            SETTINGS if flags & ACK == 0 => frame(&mut stream, SETTINGS, ACK, 0, &[])?,
            PING if flags & ACK == 0 => frame(&mut stream, PING, ACK, 0, &payload)?,
            DATA => messages.entry(id).or_default().extend(payload),
            _ => {}
        }
        if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
            let message = messages.remove(&id).unwrap_or_default();
            // Before it: whether it is compressed, and its length.
            respond(&mut stream, id, answer(message.get(5..).unwrap_or_default()))?;
        }
    }
}

fn respond(stream: &mut TcpStream, id: u32, said: Said) -> Option<()> {
    let mut head = vec![0x88];
    header(&mut head, "content-type", "application/grpc");
    let framed = match said {
        Said::Nothing => return Some(()),
        Said::Gone => return None,
        Said::Code(code, text) => {
            header(&mut head, "grpc-status", &code.to_string());
            header(&mut head, "grpc-message", text);
            return frame(stream, HEADERS, END_HEADERS | END_STREAM, id, &head);
        }
        Said::Framed(framed) => framed,
        Said::Message(message) => {
            let length = u32::try_from(message.len()).ok()?;
            [&[0][..], &length.to_be_bytes(), &message].concat()
        }
    };
    frame(stream, HEADERS, END_HEADERS, id, &head)?;
    for piece in framed.chunks(FRAME) {
        frame(stream, DATA, 0, id, piece)?;
    }
    let mut trailer = Vec::new();
    header(&mut trailer, "grpc-status", "0");
    frame(stream, HEADERS, END_HEADERS | END_STREAM, id, &trailer)
}

/// A header that no table remembers, in plain letters.
fn header(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    for text in [name, value] {
        block.push(text.len() as u8);
        block.extend(text.as_bytes());
    }
}

fn frame(stream: &mut TcpStream, kind: u8, flags: u8, id: u32, payload: &[u8]) -> Option<()> {
    let length = u32::try_from(payload.len()).ok()?.to_be_bytes();
    let head = [&length[1..], &[kind, flags], &id.to_be_bytes()].concat();
    stream.write_all(&[head, payload.to_vec()].concat()).ok()
}
