//! Being written.
use std::sync::Arc;
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};
/// Being written.
#[derive(Debug, Default)]
pub struct JsonFile;
impl JsonFile {
    /// Being written.
    pub fn new() -> Self { JsonFile }
}
impl super::Connect for JsonFile {
    async fn connect(self) -> Result<Arc<dyn Driver>> { Err(Error::new(ErrorKind::Unsupported, "being written")) }
}
