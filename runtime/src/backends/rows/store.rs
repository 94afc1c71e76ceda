use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Place, Row, RowMap};
use crate::error::{Error, ErrorKind, Result};
use crate::types::Id;

/// A row that cannot be read: where it is, and why.
#[derive(Clone, Debug)]
pub(crate) struct Damage {
    /// The file.
    pub file: String,
    /// Where in the file: `line 12, column 40`, `byte 310`.
    pub place: String,
    /// What is wrong, without a stored value.
    pub why: String,
}

impl Damage {
    /// The damage as an error; the way out is to write or delete the row, or to mend the file.
    pub fn error(&self, id: Option<&str>) -> Error {
        let message = match id {
            Some(_) => "a stored row is damaged: write or delete it (its bytes are kept aside), or mend the file and refresh",
            None => "a stored row is damaged and its id cannot be read: mend the file and refresh",
        };
        let error = Error::new(ErrorKind::Corrupt, message).with("file", &self.file).with("place", &self.place).with("cause", &self.why);
        match id {
            Some(id) => error.with("object_id", id),
            None => error,
        }
    }
}

/// A whole file that cannot be read. Nothing writes to it until it is mended.
pub(crate) fn corrupt(file: &Path, place: impl std::fmt::Display, why: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Corrupt, "a stored file is damaged and was left as it is: mend or restore it, then refresh")
        .with("file", file.display())
        .with("place", place)
        .with("cause", why)
}

/// What a store holds. A copy is cheap and stays as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    /// The rows that can be read.
    pub rows: RowMap,
    /// Damaged rows whose id is known; none of them is in `rows`.
    pub damaged: Arc<BTreeMap<Id, Damage>>,
    /// Damaged rows whose id is not known.
    pub nameless: Arc<Vec<Damage>>,
}

impl Contents {
    /// Adds or replaces a row; a damaged one of its id is mended by it.
    pub fn put(&mut self, row: Arc<Row>) {
        self.mend(row.id());
        self.rows.insert(row);
    }

    /// Removes a row, damaged or not.
    pub fn remove(&mut self, id: &str) {
        self.mend(id);
        self.rows.remove(id);
    }

    /// Takes note that a row is damaged: an older form of it, if there is one, no longer counts.
    pub fn damage(&mut self, id: Id, damage: Damage) {
        self.rows.remove(&id);
        Arc::make_mut(&mut self.damaged).insert(id, damage);
    }

    fn mend(&mut self, id: &str) {
        if self.damaged.contains_key(id) {
            Arc::make_mut(&mut self.damaged).remove(id);
        }
    }

    /// Applies one change.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(row) => self.put(row.clone()),
            Change::Delete(id) => self.remove(id),
        }
    }
}

/// One change of a batch.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A row, new or replaced.
    Put(Arc<Row>),
    /// A row that goes.
    Delete(Id),
}

impl Change {
    /// The row's id.
    pub fn id(&self) -> &str {
        match self {
            Change::Put(row) => row.id(),
            Change::Delete(id) => id,
        }
    }
}

/// How rows lie on disk. All methods are called under the lock between processes.
pub(crate) trait Store: Send + Sync + 'static {
    /// The kind in the capability table, which is also the ending of a part's directory.
    const KIND: &'static str;
    /// What `Description::engine` says.
    const ENGINE: &'static str;
    /// What is known of the files, to find out what changed.
    type Disk: Send + Default + 'static;

    /// Brings `contents` up to date with the files; `disk` is what they were when `contents` was read (the default
    /// before the first time). Answers whether anything changed. On an error both stay as they are.
    fn catch_up(&self, at: &Place, disk: &mut Self::Disk, contents: &mut Contents, look: Look<'_>) -> Result<bool>;

    /// Makes changes durable, all of them or none. `before` is what `catch_up` gave, `after` has the changes applied.
    fn commit(&self, at: &Place, disk: &mut Self::Disk, before: &Contents, after: &Contents, changes: &[Change]) -> Result<()>;

    /// What other processes need to know of a commit beyond its taking place: appended to the lock file before it.
    fn note(&self, disk: &Self::Disk, changes: &[Change]) -> Vec<u8> {
        let _ = (disk, changes);
        vec![b'.']
    }
}

/// How closely to look for changes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look<'a> {
    /// For what other processes noted.
    Noted,
    /// And at the files of these rows, which are about to be written.
    #[cfg_attr(not(feature = "file"), expect(dead_code, reason = "segments look at all of their files anyway"))]
    Rows(&'a [Id]),
    /// At everything, trusting no short cut.
    Thorough,
}

impl Look<'_> {
    /// Whether no short cut is to be trusted.
    pub fn is_thorough(self) -> bool {
        matches!(self, Look::Thorough)
    }
}
