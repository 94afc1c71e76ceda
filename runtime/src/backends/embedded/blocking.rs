//! Long work off an async caller's thread.
//!
//! Short statements run where they are called: a hop to another thread costs ten times what they do. What takes
//! milliseconds would hold up the other tasks of a runtime's thread instead.

use crate::driver::Reply;
use crate::error::{Error, ErrorKind, Result, Status};

/// Runs work on a thread of the runtime that is there for it; outside of a runtime, here and now.
pub(crate) fn run<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Reply<'static, T> {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return Reply::ready(work()) };
    Reply::later(async move {
        runtime.spawn_blocking(work).await.unwrap_or_else(|cause| {
            let why = "the work was stopped with its runtime before it was done";
            Err(Error::new(ErrorKind::Unavailable, why).with_status(Status::Unknown).caused_by(cause))
        })
    })
}
