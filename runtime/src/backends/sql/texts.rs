use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use parking_lot::RwLock;

use super::{Dialect, select};
use crate::error::Result;
use crate::schema::Part;

/// Most texts kept; beyond, the cache starts anew.
const MOST: usize = 1_024;

/// The texts that look up one row by its id, by part and columns, each built once: for a driver's
/// [`fetch_one`](crate::driver::Driver::fetch_one).
#[derive(Default)]
pub(crate) struct LookUpTexts {
    texts: RwLock<HashMap<u64, Text>>,
    hasher: RandomState,
}

/// The part is kept, so that its address stays its own.
struct Text {
    part: Arc<Part>,
    columns: Vec<usize>,
    text: Arc<str>,
}

impl LookUpTexts {
    /// The text for a part and these columns.
    pub fn of(&self, dialect: &dyn Dialect, part: &Arc<Part>, columns: &[usize]) -> Result<Arc<str>> {
        let key = self.hasher.hash_one((Arc::as_ptr(part) as usize, columns));
        if let Some(found) = self.texts.read().get(&key)
            && Arc::ptr_eq(&found.part, part)
            && found.columns == columns
        {
            return Ok(found.text.clone());
        }
        let text: Arc<str> = select::fetch_one(dialect, part, columns)?.into();
        let mut texts = self.texts.write();
        if texts.len() >= MOST {
            texts.clear();
        }
        texts.insert(key, Text { part: part.clone(), columns: columns.to_vec(), text: text.clone() });
        Ok(text)
    }

    /// Forgets the texts of a part.
    pub fn forget(&self, part: &Arc<Part>) {
        self.texts.write().retain(|_, text| !Arc::ptr_eq(&text.part, part));
    }
}
