use std::collections::HashMap;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::clock::Clock;
use super::{Inner, Workspace};
use crate::backends::Rehearsal;
use crate::error::{Error, ErrorKind, Result};
use crate::query::Layout;
use crate::schema::Binding;

/// What a workspace can be opened over: a layout, or the rehearsal of one.
pub trait OpenLayout: Send {
    /// The layout.
    type Layout: Layout;

    /// Connects its backends.
    ///
    /// # Errors
    /// What the first backend that cannot be reached says.
    fn bindings(self) -> impl Future<Output = Result<Vec<Binding>>> + Send;
}

impl<L: Layout> OpenLayout for L {
    type Layout = L;

    fn bindings(self) -> impl Future<Output = Result<Vec<Binding>>> + Send {
        self.connect()
    }
}

impl<L: Layout> OpenLayout for Rehearsal<L> {
    type Layout = L;

    fn bindings(self) -> impl Future<Output = Result<Vec<Binding>>> + Send {
        self.connect()
    }
}

impl<L: Layout> Workspace<L> {
    /// Opens the backends of a layout, or of its rehearsal, under the namespace `default`.
    ///
    /// # Errors
    /// What the first backend that cannot be reached says, with its name in the layout.
    pub async fn open<O: OpenLayout<Layout = L>>(layout: O) -> Result<Self> {
        Self::open_as("default", layout).await
    }

    /// Opens the backends under a namespace of its own: two namespaces on the same backends share nothing.
    ///
    /// # Errors
    /// As [`open`](Workspace::open); [`ErrorKind::InvalidSchema`] for an empty or overlong namespace.
    pub async fn open_as<O: OpenLayout<Layout = L>>(namespace: &str, layout: O) -> Result<Self> {
        if namespace.is_empty() || namespace.len() > 63 || namespace.chars().any(char::is_control) {
            return Err(
                Error::new(ErrorKind::InvalidSchema, "a namespace is 1 to 63 bytes without control characters").in_operation("open")
            );
        }
        let default = L::ENTRIES.iter().find(|e| e.default).or(L::ENTRIES.first()).map(|e| e.name);
        let default = default.ok_or_else(|| Error::new(ErrorKind::InvalidSchema, "the layout has no backend").in_operation("open"))?;
        let bindings = layout.bindings().await.map_err(|e| e.in_operation("open"))?;
        let inner = Inner {
            namespace: namespace.into(),
            bindings,
            default,
            entities: ArcSwap::from_pointee(HashMap::new()),
            registering: tokio::sync::Mutex::new(()),
            embedders: ArcSwap::default(),
            clock: Clock::new(),
        };
        Ok(Workspace { inner: Arc::new(inner), of: PhantomData })
    }

    /// Whether every backend answers: its name and what it said.
    pub async fn health(&self) -> Vec<(&'static str, Result<()>)> {
        let ask = |b: &Binding| {
            let (name, driver) = (b.name, b.driver.clone());
            async move { (name, driver.health().await.map_err(|e| e.on_backend(name).in_operation("health"))) }
        };
        futures_util::future::join_all(self.inner.bindings.iter().map(ask)).await
    }

    /// The driver under a backend's name, for the escape hatch of each backend (`Driver::as_any`).
    pub fn driver(&self, backend: &str) -> Option<Arc<dyn crate::driver::Driver>> {
        self.inner.bindings.iter().find(|b| b.name == backend).map(|b| b.driver.clone())
    }
}
