//! Services in trouble: a server of one's own that answers as a test says, a relay in front of a real one, and a line that is
//! cut. One room for the tests of every driver over a network.

mod grpc;
mod http;
mod line;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use grpc::{Said, serve_grpc};
pub use http::{Answer, How, Request, serve};
pub use line::{Line, Then, Traffic, Way};

/// What happens to a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// The service answers it.
    Pass,
    /// The service runs it, and its answer is lost.
    Lose,
    /// This is the answer, and the service hears nothing of it.
    Answer(Answer),
}

type Decision = dyn Fn(&Request) -> Act + Send + Sync;

/// Decides on requests before a service does, and counts them. Nothing happens at first.
#[derive(Clone, Default)]
pub struct Trouble {
    decision: Arc<Mutex<Option<Arc<Decision>>>>,
    asked: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trouble").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl Trouble {
    /// From now on this decides.
    pub fn is(&self, decision: impl Fn(&Request) -> Act + Send + Sync + 'static) {
        *self.decision.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(decision));
    }

    /// From now on nothing happens.
    pub fn is_over(&self) {
        *self.decision.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Requests since this was last asked.
    pub fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }

    /// What happens to a request.
    pub fn decide(&self, request: &Request) -> Act {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let decision = self.decision.lock().unwrap_or_else(PoisonError::into_inner).clone();
        decision.map_or(Act::Pass, |decision| decision(request))
    }
}

/// A server between a driver and a real one, which may make trouble. Gives its address.
///
/// # Errors
/// When no port can be had.
pub fn relay(target: &str, trouble: Trouble) -> std::io::Result<String> {
    let host = target.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let passed = move |request: &Request| request.ask(&host).map_or_else(Answer::none, |bytes| Answer::none().sent(How::Bytes(bytes)));
    let address = serve(move |request| match trouble.decide(request) {
        Act::Pass => passed(request),
        Act::Lose => {
            passed(request);
            Answer::none()
        }
        Act::Answer(answer) => answer,
    })?;
    Ok(format!("http://{address}"))
}

/// A server that says this to everybody, whatever is asked; gives its address.
///
/// # Errors
/// When no port can be had.
pub fn says(answer: Answer) -> std::io::Result<String> {
    Ok(format!("http://{}", serve(move |_| answer.clone())?))
}

/// An address of loopback where nobody listens.
///
/// # Errors
/// When no port can be had.
pub fn nobody() -> std::io::Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("http://{}", listener.local_addr()?))
}
