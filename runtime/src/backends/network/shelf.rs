//! Connections of clients that have no pool of their own: no more at once than are allowed, kept for the next who needs one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::settings::{PoolSettings, TRUSTED};
use crate::error::{Error, ErrorKind, Result, Status};

/// Where idle connections lie.
pub(crate) struct Shelf<C> {
    /// How long to wait for a connection.
    pub(crate) acquire: Duration,
    idle_limit: Duration,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<(C, Instant)>>,
}

impl<C> Shelf<C> {
    pub(crate) fn new(settings: &PoolSettings) -> Self {
        Shelf {
            acquire: settings.acquire_timeout,
            idle_limit: settings.idle_timeout,
            permits: Arc::new(Semaphore::new(settings.max_connections.max(1) as usize)),
            idle: Mutex::default(),
        }
    }

    /// Leave to have a connection, for as long as it is held.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when none comes free in time.
    pub(crate) async fn permit(&self) -> Result<OwnedSemaphorePermit> {
        let busy = || {
            let why = "no connection was free in time: raise max_connections, or keep fewer statements under way";
            Error::new(ErrorKind::Unavailable, why).with_status(Status::Temporary)
        };
        timeout(self.acquire, self.permits.clone().acquire_owned()).await.map_err(|_| busy())?.map_err(|_| busy())
    }

    /// An idle connection, if there is one, and whether it was used just now; else it is asked whether it lives.
    pub(crate) fn take(&self) -> Option<(C, bool)> {
        loop {
            let (connection, since) = self.idle.lock().pop()?;
            let idle = since.elapsed();
            if idle <= self.idle_limit {
                return Some((connection, idle < TRUSTED));
            }
        }
    }

    /// Keeps a connection for the next.
    pub(crate) fn put(&self, connection: C) {
        self.idle.lock().push((connection, Instant::now()));
    }
}
