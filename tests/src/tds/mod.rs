//! A small peer that speaks SQL Server's protocol (TDS 7.4) as far as a client needs it: prelogin without encryption, login,
//! batches, `sp_executesql`, rows, errors. It knows no SQL: a test says what it answers. FreeTDS and `python-tds` talk to it
//! too (`tests/tests/mssql`), so that it is not only our own client that it suits.

mod read;
mod write;

pub use read::Cell;
pub use write::{Column, Kind};

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a client asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// The statement.
    pub text: String,
    /// The values bound to it, in order.
    pub values: Vec<Cell>,
}

/// What the peer answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Rows.
    Rows(Vec<Column>, Vec<Vec<Cell>>),
    /// So many rows were changed.
    Done(u64),
    /// An error: number, class, words.
    Error(u32, u8, String),
    /// These bytes instead of an answer, then the end.
    Garbage(Vec<u8>),
    /// The head of an answer of rows, then the end.
    Broken,
    /// The end at once.
    Gone,
    /// Nothing, ever.
    Silent,
}

/// When garbage comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In the place of the answer to the prelogin.
    Prelogin,
    /// In the place of the answer to the login.
    Login,
}

/// What a peer does.
#[derive(Clone)]
pub struct Manners {
    /// Its answer to a statement.
    pub answer: Arc<dyn Fn(&Asked) -> Reply + Send + Sync>,
    /// The password that it takes.
    pub password: String,
    /// Garbage before any statement.
    pub garbage: Option<(Stage, Vec<u8>)>,
}

impl std::fmt::Debug for Manners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manners").field("garbage", &self.garbage).finish_non_exhaustive()
    }
}

/// A peer, listening until it is dropped.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    listening: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Peer {
    /// Listens on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub async fn start(manners: Manners) -> io::Result<Peer> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let heard = asked.clone();
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (manners, heard) = (manners.clone(), heard.clone());
                tokio::spawn(async move {
                    // A client that goes away is none of the peer's business.
                    let _ = serve(stream, &manners, &heard).await;
                });
            }
        });
        Ok(Peer { address, asked, listening })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

const PRELOGIN: u8 = 0x12;
const LOGIN: u8 = 0x10;
const BATCH: u8 = 0x01;
const CALL: u8 = 0x03;
const ATTENTION: u8 = 0x06;

/// A message: packets of one kind up to the one that ends it.
async fn message(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut body = Vec::new();
    loop {
        let mut head = [0; 8];
        stream.read_exact(&mut head).await?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let from = body.len();
        body.resize(from + length.saturating_sub(8), 0);
        stream.read_exact(&mut body[from..]).await?;
        if head[1] & 1 == 1 {
            return Ok((head[0], body));
        }
    }
}

async fn send(stream: &mut TcpStream, body: &[u8], whole: bool) -> io::Result<()> {
    let mut pieces = body.chunks(4_000).peekable();
    while let Some(piece) = pieces.next() {
        let length = u16::try_from(piece.len() + 8).map_err(io::Error::other)?.to_be_bytes();
        let ends = u8::from(whole && pieces.peek().is_none());
        stream.write_all(&[4, ends, length[0], length[1], 0, 0, 1, 0]).await?;
        stream.write_all(piece).await?;
    }
    stream.flush().await
}

async fn serve(mut stream: TcpStream, manners: &Manners, heard: &Mutex<Vec<Asked>>) -> io::Result<()> {
    loop {
        let (kind, body) = message(&mut stream).await?;
        match (kind, &manners.garbage) {
            (PRELOGIN, Some((Stage::Prelogin, bytes))) | (LOGIN, Some((Stage::Login, bytes))) => {
                stream.write_all(bytes).await?;
                return stream.shutdown().await;
            }
            (PRELOGIN, _) => send(&mut stream, &write::prelogin(), true).await?,
            (LOGIN, _) if read::password(&body).as_deref() == Some(manners.password.as_str()) => {
                send(&mut stream, &write::welcome(), true).await?;
            }
            (LOGIN, _) => {
                let mut answer = write::error(18_456, 14, "Login failed for user 'sa'.");
                answer.extend(write::done(0xfd, 2, 0));
                send(&mut stream, &answer, true).await?;
                return stream.shutdown().await;
            }
            (ATTENTION, _) => send(&mut stream, &write::done(0xfd, 0x20, 0), true).await?,
            (BATCH | CALL, _) => {
                let asked = if kind == BATCH { read::batch(&body) } else { read::call(&body) };
                let Some(asked) = asked else {
                    let mut answer = write::error(4_002, 16, "The incoming stream is incorrect.");
                    answer.extend(write::done(0xfd, 2, 0));
                    send(&mut stream, &answer, true).await?;
                    continue;
                };
                let reply = (manners.answer)(&asked);
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
                let end = if kind == BATCH { 0xfd } else { 0xfe };
                let mut answer = write::transaction(&asked.text);
                match reply {
                    Reply::Rows(columns, rows) => {
                        answer.extend(write::rows(&columns, &rows));
                        answer.extend(write::done(end, 0x10, rows.len() as u64));
                    }
                    Reply::Done(changed) => answer.extend(write::done(end, 0x10, changed)),
                    Reply::Error(number, class, words) => {
                        answer.extend(write::error(number, class, &words));
                        answer.extend(write::done(end, 2, 0));
                    }
                    Reply::Garbage(bytes) => {
                        stream.write_all(&bytes).await?;
                        return stream.shutdown().await;
                    }
                    Reply::Broken => {
                        let column = Column::new("a", Kind::Whole);
                        send(&mut stream, &write::rows(&[column], &[vec![Cell::Whole(1)]]), false).await?;
                        return stream.shutdown().await;
                    }
                    Reply::Gone => return stream.shutdown().await,
                    Reply::Silent => std::future::pending().await,
                }
                send(&mut stream, &answer, true).await?;
            }
            _ => return stream.shutdown().await,
        }
    }
}
