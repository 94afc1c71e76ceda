//! Where Lance runs: threads of its own, so that it works from any caller's runtime and never on the caller's thread.

use std::future::Future;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use crate::error::{Error, ErrorKind, Result, Status};

/// Lance's futures are deep, and deeper without optimisation.
const STACK: usize = 8 << 20;

/// The threads, started when first needed and kept: a runtime must not be dropped inside another.
fn handle() -> Result<&'static Handle> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let started = RUNTIME.get_or_init(|| {
        let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(threads).thread_stack_size(STACK).thread_name("heavenbase-lance").enable_all();
        builder.build().map_err(|e| e.to_string())
    });
    match started {
        Ok(runtime) => Ok(runtime.handle()),
        Err(why) => Err(Error::new(ErrorKind::Storage, format!("no threads can be started for Lance: {why}"))),
    }
}

/// Work under way, given up when nobody waits for it any more.
struct Waiting<T>(JoinHandle<T>);

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs something that only reads: given up together with the caller.
pub(super) async fn read<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let mut waiting = Waiting(handle()?.spawn(work));
    match (&mut waiting.0).await {
        Ok(answer) => answer,
        Err(lost) => Err(broken(&lost)),
    }
}

/// Runs something that changes what is stored: it goes on to its end also when the caller no longer waits.
pub(super) async fn change<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    match handle()?.spawn(work).await {
        Ok(answer) => answer,
        Err(lost) => Err(broken(&lost).with_status(Status::Unknown)),
    }
}

/// Starts something that nobody waits for.
pub(super) fn beside(work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(handle) = handle() {
        drop(handle.spawn(work));
    }
}

/// Runs something that waits for files: not on the threads that drive everything else.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    handle()?.spawn_blocking(work).await.unwrap_or_else(|lost| Err(broken(&lost)))
}

fn broken(lost: &tokio::task::JoinError) -> Error {
    let why = if lost.is_panic() { "Lance broke off in the middle: please report this" } else { "the work was given up: the program ends" };
    Error::new(if lost.is_panic() { ErrorKind::Internal } else { ErrorKind::Unavailable }, why)
}
