//! A driver of the list as a backend of a layout: for tests that go through the workspace on every driver.

use std::sync::Arc;

use heavenbase::Result;
use heavenbase::backends::{Connect, InMem};
use heavenbase::capability::{Backend, Ranks, Runs, Stores, Writes};
use heavenbase::driver::Driver;

use crate::backends::{Place, Tested};

/// A driver of the list, at a place. It compiles with what memory can do; what its own kind can do is asked at run time.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Which one.
    pub tested: Tested,
    /// Where.
    pub place: Place,
}

impl Chosen {
    /// The driver, at a new place of its own.
    ///
    /// # Errors
    /// When no directory can be made.
    pub fn new(tested: Tested) -> std::io::Result<Chosen> {
        Ok(Chosen { tested, place: Place::new(tested.variable)? })
    }
}

impl Backend for Chosen {
    const KINDS: &'static [&'static str] = InMem::KINDS;
}

impl<O, C, P> Runs<O, C, P> for Chosen where InMem: Runs<O, C, P> {}
impl<C, P> Stores<C, P> for Chosen where InMem: Stores<C, P> {}
impl Writes for Chosen {}
impl<M> Ranks<M> for Chosen where InMem: Ranks<M> {}

impl Connect for Chosen {
    fn kind(&self) -> &'static str {
        self.tested.kind
    }

    async fn connect(self) -> Result<Arc<dyn Driver>> {
        (self.tested.open)(self.place).await
    }
}
