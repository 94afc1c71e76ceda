//! Being written.
use std::sync::Arc;
use crate::driver::Driver;
use crate::error::{Error, ErrorKind, Result};
/// Being written.
#[derive(Debug, Default)]
pub struct Sqlite;
impl Sqlite {
    /// Being written.
    pub fn new() -> Self { Sqlite }
}
impl super::Connect for Sqlite {
    async fn connect(self) -> Result<Arc<dyn Driver>> { Err(Error::new(ErrorKind::Unsupported, "being written")) }
}
