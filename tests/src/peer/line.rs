use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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
        self.state.manner.store(manner, Ordering::SeqCst);
    }

    fn hang_up(&self) {
        let open = std::mem::take(&mut *self.state.open.lock().unwrap_or_else(PoisonError::into_inner));
        open.into_iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }
}

fn connect(mut near: TcpStream, target: &str, state: &Arc<State>) -> Option<()> {
    let note = |stream: &TcpStream| {
        let open = &mut *state.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.extend(stream.try_clone());
    };
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
    for (from, to) in [(near.try_clone().ok()?, far.try_clone().ok()?), (far, near)] {
        let state = state.clone();
        std::thread::spawn(move || carry(from, to, &state));
    }
    Some(())
}

fn carry(mut from: TcpStream, mut to: TcpStream, state: &State) {
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if state.manner.load(Ordering::SeqCst) == SILENT {
            continue;
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
