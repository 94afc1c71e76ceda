use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A line between a driver and a server that carries bytes of whatever protocol, until it is cut.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where the driver connects to: host and port.
    pub address: String,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    manner: AtomicU8,
    /// Connections so far.
    connections: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
    /// What may still pass before the line is cut, if it is to be.
    allowed: Mutex<Option<Allowed>>,
    /// The byte that comes out changed, if one is to.
    changed: Mutex<Option<Changed>>,
    /// What was sent since somebody asked for it.
    heard: Mutex<Option<Traffic>>,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the driver to the server.
    There,
    /// From the server to the driver.
    Back,
}

/// What comes after a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing: no connection lives until the line is mended.
    Cut,
    /// New connections, as if nothing had been.
    Carries,
}

#[derive(Clone, Copy, Debug)]
struct Allowed {
    way: Way,
    bytes: usize,
    then: Then,
}

#[derive(Clone, Copy, Debug)]
struct Changed {
    way: Way,
    after: usize,
    bits: u8,
}

/// What was sent over a line, in order; of the piece at which it is cut also what did not arrive.
#[derive(Clone, Debug, Default)]
pub struct Traffic(Vec<(Way, Vec<u8>)>);

impl Traffic {
    /// How many bytes went a way.
    pub fn bytes(&self, way: Way) -> usize {
        self.0.iter().filter(|(went, _)| *went == way).map(|(_, bytes)| bytes.len()).sum()
    }

    /// What passed before the last message to the server that holds these bytes began, as one piece on the line; that message
    /// is the first of what is left out.
    pub fn before(&self, message: &[u8]) -> Option<Traffic> {
        let holds = |(way, bytes): &(Way, Vec<u8>)| *way == Way::There && bytes.windows(message.len()).any(|some| some == message);
        self.0.iter().rposition(holds).map(|at| Traffic(self.0[..at].to_vec()))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const CARRIES: u8 = 0;
const CUT: u8 = 1;
const SILENT: u8 = 2;
const NOISY: u8 = 3;

impl Line {
    /// A line to a server: host and port, or an address with a scheme before them.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn to(target: &str) -> std::io::Result<Line> {
        let target = target.rsplit("://").next().unwrap_or(target).trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let line = Line { address, state: Arc::default() };
        let state = line.state.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                state.connections.fetch_add(1, Ordering::SeqCst);
                connect(near, &target, &state);
            }
        });
        Ok(line)
    }

    /// A line to the server in a URL, and the URL with the line in the server's place.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn within(url: &str) -> std::io::Result<(Line, String)> {
        let begin = url.rfind('@').or(url.find("://").map(|at| at + 2)).map_or(0, |at| at + 1);
        let end = url[begin..].find(['/', '?']).map_or(url.len(), |at| begin + at);
        let line = Line::to(&url[begin..end])?;
        let through = format!("{}{}{}", &url[..begin], line.address, &url[end..]);
        Ok((line, through))
    }

    /// Lets so many bytes more go a way, and is cut when another wants to pass: so that after no byte at all the first one is
    /// lost, and after all bytes of a request its answer.
    pub fn is_cut_after(&self, way: Way, bytes: usize, then: Then) {
        *locked(&self.state.allowed) = Some(Allowed { way, bytes, then });
    }

    /// Changes bits of one byte: the one that comes after so many, a way.
    pub fn changes(&self, way: Way, after: usize, bits: u8) {
        *locked(&self.state.changed) = Some(Changed { way, after, bits });
    }

    /// Remembers what is sent from now on.
    pub fn listens(&self) {
        *locked(&self.state.heard) = Some(Traffic::default());
    }

    /// What was sent since it began to listen; it listens no more.
    pub fn heard(&self) -> Traffic {
        locked(&self.state.heard).take().unwrap_or_default()
    }

    /// Connections since this was last asked.
    pub fn connections(&self) -> usize {
        self.state.connections.swap(0, Ordering::SeqCst)
    }

    /// Closes what is open, and every connection from now on.
    pub fn cut(&self) {
        self.becomes(CUT);
        self.hang_up();
    }

    /// Carries nothing from now on, and closes nothing.
    pub fn falls_silent(&self) {
        self.becomes(SILENT);
    }

    /// Closes what is open, and answers from now on with what no protocol is.
    pub fn gets_noisy(&self) {
        self.becomes(NOISY);
        self.hang_up();
    }

    /// Carries again. What was open is closed, for some of it may be lost.
    pub fn is_mended(&self) {
        self.becomes(CARRIES);
        self.hang_up();
    }

    fn becomes(&self, manner: u8) {
        *locked(&self.state.allowed) = None;
        *locked(&self.state.changed) = None;
        self.state.manner.store(manner, Ordering::SeqCst);
    }

    fn hang_up(&self) {
        self.state.hang_up();
    }
}

impl State {
    fn hang_up(&self) {
        let open = std::mem::take(&mut *locked(&self.open));
        open.into_iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }

    fn change(&self, way: Way, bytes: &mut [u8]) {
        let mut changed = locked(&self.changed);
        if let Some(of) = changed.as_mut().filter(|of| of.way == way) {
            match bytes.get_mut(of.after) {
                Some(byte) => {
                    *byte ^= of.bits;
                    *changed = None;
                }
                None => of.after -= bytes.len(),
            }
        }
    }

    /// How many of these bytes may pass, and whether the line is cut behind them.
    fn lets_pass(&self, way: Way, bytes: usize) -> (usize, bool) {
        let mut allowed = locked(&self.allowed);
        match &mut *allowed {
            Some(left) if left.way == way && left.bytes < bytes => {
                let (pass, then) = (left.bytes, left.then);
                *allowed = None;
                if then == Then::Cut {
                    self.manner.store(CUT, Ordering::SeqCst);
                }
                (pass, true)
            }
            Some(left) if left.way == way => {
                left.bytes -= bytes;
                (bytes, false)
            }
            _ => (bytes, false),
        }
    }
}

fn connect(mut near: TcpStream, target: &str, state: &Arc<State>) -> Option<()> {
    let note = |stream: &TcpStream| locked(&state.open).extend(stream.try_clone());
    note(&near);
    match state.manner.load(Ordering::SeqCst) {
        CUT => return near.shutdown(Shutdown::Both).ok(),
        NOISY => {
            near.write_all(&[0xff; 512]).ok()?;
            return near.shutdown(Shutdown::Both).ok();
        }
        _ => {}
    }
    let far = TcpStream::connect(target).ok()?;
    note(&far);
    near.set_nodelay(true).ok()?;
    far.set_nodelay(true).ok()?;
    for (way, from, to) in [(Way::There, near.try_clone().ok()?, far.try_clone().ok()?), (Way::Back, far, near)] {
        let state = state.clone();
        std::thread::spawn(move || carry(way, from, to, &state));
    }
    Some(())
}

fn carry(way: Way, mut from: TcpStream, mut to: TcpStream, state: &State) {
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if state.manner.load(Ordering::SeqCst) == SILENT {
            continue;
        }
        state.change(way, &mut buffer[..read]);
        let (pass, cut) = state.lets_pass(way, read);
        if let Some(heard) = &mut *locked(&state.heard) {
            heard.0.push((way, buffer[..read].to_vec()));
        }
        if to.write_all(&buffer[..pass]).is_err() || cut {
            break;
        }
    }
    if state.manner.load(Ordering::SeqCst) == CUT {
        state.hang_up();
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
