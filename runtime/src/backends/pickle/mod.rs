//! Being written.
use std::sync::Arc;
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};
/// Being written.
#[derive(Debug, Default)]
pub struct Pickle;
impl Pickle {
    /// Being written.
    pub fn new() -> Self { Pickle }
}
impl super::Connect for Pickle {
    async fn connect(self) -> Result<Arc<dyn Driver>> { Err(Error::new(ErrorKind::Unsupported, "being written")) }
}
