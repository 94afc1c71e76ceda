//! Asking an embedder: in batches, with patience, and not believing what it answers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::{Embedder, Patience};
use crate::driver::{deadline_after, jittered};
use crate::error::{Error, ErrorKind, Result, Status};

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Vec<Vec<f32>>>> + Send + 'a>>;

/// An [`Embedder`] whose type is forgotten.
pub(crate) trait AnyEmbedder: Send + Sync {
    fn model(&self) -> &str;
    fn dimensions(&self) -> usize;
    fn max_texts(&self) -> usize;
    fn patience(&self) -> Patience;
    fn embed<'a>(&'a self, texts: &'a [&'a str]) -> Answer<'a>;
}

impl<E: Embedder> AnyEmbedder for E {
    fn model(&self) -> &str {
        Embedder::model(self)
    }

    fn dimensions(&self) -> usize {
        Embedder::dimensions(self)
    }

    fn max_texts(&self) -> usize {
        Embedder::max_texts(self)
    }

    fn patience(&self) -> Patience {
        Embedder::patience(self)
    }

    fn embed<'a>(&'a self, texts: &'a [&'a str]) -> Answer<'a> {
        Box::pin(Embedder::embed(self, texts))
    }
}

/// The vectors of some texts that differ, in their order.
///
/// # Errors
/// What the embedder says at last; [`ErrorKind::Timeout`]; [`ErrorKind::Backend`] for an answer that cannot be one.
pub(crate) async fn ask(embedder: &dyn AnyEmbedder, texts: &[&str]) -> Result<Vec<Arc<[f32]>>> {
    let named = |e: Error| e.with("embedder", embedder.model());
    let mut vectors = Vec::with_capacity(texts.len());
    for batch in texts.chunks(embedder.max_texts().max(1)) {
        let answer = patiently(embedder, batch).await.map_err(named)?;
        check(&answer, batch.len(), embedder.dimensions()).map_err(named)?;
        vectors.extend(answer.into_iter().map(Arc::from));
    }
    Ok(vectors)
}

/// One batch, tried again while the failure is temporary and there is time.
async fn patiently(embedder: &dyn AnyEmbedder, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
    let Patience { attempts, mut pause, deadline } = embedder.patience();
    let end = deadline_after(deadline);
    let mut attempt = 1;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let error = match within(left, embedder.embed(texts)).await {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) => error,
            None => return Err(late(deadline, attempt)),
        };
        if error.status() != Status::Temporary || attempt >= attempts {
            return Err(error.with("attempts", attempt));
        }
        let wait = jittered(pause);
        if deadline_after(wait) >= end {
            return Err(error.with("attempts", attempt));
        }
        tokio::time::sleep(wait).await;
        pause = pause.saturating_mul(2);
        attempt += 1;
    }
}

fn late(deadline: Duration, attempt: u32) -> Error {
    let why = format!("the embedder gave no answer within {deadline:?}: give it more with `Embedder::patience`, or fewer texts a call");
    Error::new(ErrorKind::Timeout, why).with("attempts", attempt)
}

/// The answer, if it comes in time. One that is there at once needs no clock.
async fn within(left: Duration, mut answer: Answer<'_>) -> Option<Result<Vec<Vec<f32>>>> {
    let at_once = std::future::poll_fn(|context: &mut Context<'_>| Poll::Ready(answer.as_mut().poll(context))).await;
    match at_once {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => tokio::time::timeout(left, answer).await.ok(),
    }
}

fn check(answer: &[Vec<f32>], texts: usize, dimensions: usize) -> Result<()> {
    let wrong = |why: String| Err(Error::new(ErrorKind::Backend, why));
    if answer.len() != texts {
        return wrong(format!("the embedder gave {} vectors for {texts} texts", answer.len()));
    }
    if let Some(vector) = answer.iter().find(|vector| vector.len() != dimensions) {
        return wrong(format!("the embedder gave a vector of {} numbers, where it says that they have {dimensions}", vector.len()));
    }
    if answer.iter().flatten().any(|number| !number.is_finite()) {
        return wrong("the embedder gave a number that is not finite".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails once, and has all the time there is.
    struct Patient(std::sync::atomic::AtomicBool);

    impl Embedder for Patient {
        fn model(&self) -> &str {
            "patient"
        }

        fn dimensions(&self) -> usize {
            1
        }

        fn patience(&self) -> Patience {
            Patience { attempts: u32::MAX, pause: Duration::MAX, deadline: Duration::MAX }
        }

        async fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>> {
            let failed = self.0.swap(true, std::sync::atomic::Ordering::SeqCst);
            if failed { Ok(vec![vec![1.0]; texts.len()]) } else { Err(Error::new(ErrorKind::Unavailable, "not yet")) }
        }
    }

    #[tokio::test]
    async fn patience_without_end_is_no_panic() {
        let error = ask(&Patient(false.into()), &["a"]).await.err();
        assert_eq!(error.map(|e| e.kind()), Some(ErrorKind::Unavailable), "the pause never ends");
        let vectors = ask(&Patient(true.into()), &["a"]).await.ok();
        assert_eq!(vectors.map(|v| v.len()), Some(1));
    }
}
