//! Being written.
use std::sync::Arc;
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};
/// Being written.
#[derive(Debug, Default)]
pub struct FileStore;
impl FileStore {
    /// Being written.
    pub fn new() -> Self { FileStore }
}
impl super::Connect for FileStore {
    async fn connect(self) -> Result<Arc<dyn Driver>> { Err(Error::new(ErrorKind::Unsupported, "being written")) }
}
