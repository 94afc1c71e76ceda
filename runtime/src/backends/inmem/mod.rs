//! Being written.
use std::sync::Arc;
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};
/// Being written.
#[derive(Debug, Default)]
pub struct InMem;
impl InMem {
    /// Being written.
    pub fn new() -> Self { InMem }
}
impl super::Connect for InMem {
    async fn connect(self) -> Result<Arc<dyn Driver>> { Err(Error::new(ErrorKind::Unsupported, "being written")) }
}
