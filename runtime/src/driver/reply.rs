use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::Result;

/// A driver's answer: ready at once (embedded, no allocation) or later (network).
pub enum Reply<'a, T> {
    /// The answer, taken when polled.
    Ready(Option<Result<T>>),
    /// An answer under way.
    Later(Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>),
}

impl<'a, T> Reply<'a, T> {
    /// An answer that is here.
    pub fn ready(answer: Result<T>) -> Self {
        Reply::Ready(Some(answer))
    }

    /// An answer that will come.
    pub fn later(answer: impl Future<Output = Result<T>> + Send + 'a) -> Self {
        Reply::Later(Box::pin(answer))
    }
}

// No field is ever pinned in place: the future is boxed.
impl<T> Unpin for Reply<'_, T> {}

impl<T> Future for Reply<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Reply::Ready(answer) => match answer.take() {
                Some(answer) => Poll::Ready(answer),
                // Polled again after it was ready: futures may panic here, this one stays silent.
                None => Poll::Pending,
            },
            Reply::Later(future) => future.as_mut().poll(context),
        }
    }
}

impl<T> std::fmt::Debug for Reply<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Reply::Ready(_) => "Reply::Ready",
            Reply::Later(_) => "Reply::Later",
        })
    }
}
