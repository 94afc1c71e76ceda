//! Changes, and waiting until they are readable.

use std::time::{Duration, Instant};

use serde_json::json;

use super::api::refused;
use super::fresh::{Doubt, Mark, Place, Sign};
use super::store::Namespaces;
use crate::backends::http::{Method, Safety};
use crate::driver::deadline_after;
use crate::error::{Error, ErrorKind, Result, Status};
use crate::schema::VERSION_COLUMN;
use crate::types::Json;

/// The first pause between two looks for what was written; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

impl Namespaces {
    /// Sends a write, and notes what will say that it is readable.
    pub(super) async fn change(&self, place: &Place, path: &str, body: &Json, mark: Mark) -> Result<()> {
        let outcome = match self.send(place, Method::POST, path, Some(body), Safety::Once).await {
            Ok(answer) if !answer.is_success() => Err(refused(&answer)),
            Ok(answer) => answer.confirmed().map(|()| answer),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(answer) => {
                let log = answer.header("x-pinecone-request-lsn").and_then(|text| text.parse().ok());
                self.api.unseen.note(place, log.map_or(Sign::Record(mark), Sign::Log));
                Ok(())
            }
            Err(error) => {
                if error.status() == Status::Unknown {
                    self.api.unseen.doubt(place, Doubt { mark, until: deadline_after(self.doubt) });
                }
                Err(error)
            }
        }
    }

    pub(super) async fn upsert(&self, place: &Place, vectors: &[Json], last: Mark) -> Result<()> {
        self.change(place, "vectors/upsert", &json!({ "namespace": place.1, "vectors": vectors }), last).await
    }

    /// Waits until the last write to a namespace is readable.
    pub(super) async fn wait(&self, place: &Place) -> Result<()> {
        let deadline = deadline_after(self.patience);
        let mut pause = FIRST_PAUSE;
        while let Some(sign) = self.api.unseen.known(place) {
            if self.is_seen(place, &sign).await? {
                self.api.unseen.seen(place, &sign);
                continue;
            }
            if deadline_after(pause) > deadline {
                let why = "what was written is not readable yet: try again, have more patience, or read with Freshness::Eventual";
                return Err(Error::new(ErrorKind::Timeout, why).with_status(Status::Temporary));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
        Ok(())
    }

    /// Looks for a write that may have taken place, until it is there or is not looked for any more.
    pub(super) async fn look(&self, place: &Place) -> Result<()> {
        let mut pause = FIRST_PAUSE;
        while let Some(doubt) = self.api.unseen.doubtful(place) {
            let left = doubt.until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.shows(place, &doubt.mark).await? {
                self.api.unseen.decided(place, &doubt);
                continue;
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
        Ok(())
    }

    async fn is_seen(&self, place: &Place, sign: &Sign) -> Result<bool> {
        match sign {
            Sign::Log(log) => {
                let length: usize = place.0.rsplit('-').nth(1).and_then(|n| n.parse().ok()).unwrap_or(1);
                let mut vector = vec![0.0f32; length];
                vector[0] = 1.0;
                let body = json!({ "namespace": place.1, "vector": vector, "topK": 1 });
                let answer = match self.ask(place, "query", &body).await {
                    Err(error) if error.kind() == ErrorKind::NotRegistered => return Ok(false),
                    other => other?,
                };
                Ok(answer.header("x-pinecone-max-indexed-lsn").and_then(|text| text.parse::<u64>().ok()).is_some_and(|seen| seen >= *log))
            }
            Sign::Record(mark) => self.shows(place, mark).await,
        }
    }

    async fn shows(&self, place: &Place, mark: &Mark) -> Result<bool> {
        let found = self.fetch(place, std::slice::from_ref(&mark.key)).await?;
        let stored = found.first().map(|vector| vector.metadata.as_ref().and_then(|m| m.get(VERSION_COLUMN)?.as_str()).unwrap_or_default());
        Ok(mark.is(stored))
    }
}
