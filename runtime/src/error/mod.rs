//! The one error type: what kind, whether a retry helps, where it happened, and the way out.
//!
//! A message never holds a bound value or a credential. [`Error::kind`] is a closed list a program can match on,
//! [`Error::status`] says what is known of the outcome.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as a list that a program can match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value does not fit its field: too long, not finite, out of range, a null where none may be.
    InvalidValue,
    /// A query, cursor, option or identifier that makes no sense or does not fit where it is used.
    InvalidQuery,
    /// A layout, configuration or entity description that cannot work.
    InvalidSchema,
    /// What is stored under these names is not what the entity says, and cannot be evolved into it.
    SchemaMismatch,
    /// The entity is not registered in this workspace.
    NotRegistered,
    /// `insert` met an id that is already there.
    AlreadyExists,
    /// A unique field or group already holds this value in another row.
    UniqueViolation,
    /// Another writer got in between and the operation's guard refused.
    Conflict,
    /// The parts of a row on several backends do not belong together.
    FracturedRow,
    /// The backend cannot do this, and no other way was allowed.
    Unsupported,
    /// A declared bound was reached: a limit of the backend, of memory, of `k`.
    LimitExceeded,
    /// What is stored cannot be read: a damaged file, a value of the wrong type.
    Corrupt,
    /// The backend could not be reached or went away.
    Unavailable,
    /// The deadline passed.
    Timeout,
    /// The backend refused these credentials or this operation for this user.
    PermissionDenied,
    /// No room left, or a path that is not writable.
    Storage,
    /// The backend answered with an error of its own that is none of the above.
    Backend,
    /// A defect in HeavenBase itself: please report it.
    Internal,
}

/// What is known of the outcome, so that a caller knows whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing was changed, and the same call will fail again.
    Permanent,
    /// Nothing was changed, and the same call may succeed later.
    Temporary,
    /// It is not known whether the change took place.
    Unknown,
}

/// What became of one row of a call whose write failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowOutcome {
    /// It is written, or removed, wherever it belongs.
    Done,
    /// It is as it was.
    NotDone,
    /// A backend refused it, and says why. Where that is not the owner, the owner has the row.
    Refused(String),
    /// It may be written, or on some backends: do it again.
    Unknown,
}

/// An error of any operation. Small (one pointer), cheap to return.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    status: Status,
    message: Cow<'static, str>,
    operation: Option<&'static str>,
    backend: Option<String>,
    entity: Option<String>,
    field: Option<String>,
    context: Vec<(&'static str, String)>,
    rows: Vec<(String, RowOutcome)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A permanent error of `kind`; the message says what is wrong and the way out.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let status = match kind {
            ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Conflict => Status::Temporary,
            _ => Status::Permanent,
        };
        Error(Box::new(Inner {
            kind,
            status,
            message: message.into(),
            operation: None,
            backend: None,
            entity: None,
            field: None,
            context: Vec::new(),
            rows: Vec::new(),
            source: None,
        }))
    }

    /// The same error with another status.
    #[must_use]
    pub fn with_status(mut self, status: Status) -> Self {
        self.0.status = status;
        self
    }

    /// Names the operation, unless an inner layer already did.
    #[must_use]
    pub fn in_operation(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Names the backend by its name in the layout, unless already named.
    #[must_use]
    pub fn on_backend(mut self, backend: impl Into<String>) -> Self {
        self.0.backend.get_or_insert_with(|| backend.into());
        self
    }

    /// Names the entity, unless already named.
    #[must_use]
    pub fn of_entity(mut self, entity: impl Into<String>) -> Self {
        self.0.entity.get_or_insert_with(|| entity.into());
        self
    }

    /// Names the field, unless already named.
    #[must_use]
    pub fn at_field(mut self, field: impl Into<String>) -> Self {
        self.0.field.get_or_insert_with(|| field.into());
        self
    }

    /// Adds a named detail. Never pass a bound value or a credential.
    #[must_use]
    pub fn with(mut self, key: &'static str, detail: impl fmt::Display) -> Self {
        self.0.context.push((key, detail.to_string()));
        self
    }

    /// Says what became of each row of a batch, by its id. Never pass a bound value in a reason.
    #[must_use]
    pub fn with_rows(mut self, rows: Vec<(String, RowOutcome)>) -> Self {
        self.0.rows = rows;
        self
    }

    /// Keeps the error that caused this one. Its text must be free of bound values and credentials.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is known of the outcome.
    pub fn status(&self) -> Status {
        self.0.status
    }

    /// The message alone, without the names around it.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The operation, as the method a user called.
    pub fn operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The backend's name in the layout.
    pub fn backend(&self) -> Option<&str> {
        self.0.backend.as_deref()
    }

    /// The entity's name.
    pub fn entity(&self) -> Option<&str> {
        self.0.entity.as_deref()
    }

    /// The field's name.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// What became of each row of a write that failed, by its id, in the order of the call. Empty where nothing was tried: the error
    /// was found before the first byte was written, or it is of no write.
    ///
    /// ```
    /// # use heavenbase::RowOutcome;
    /// fn again(error: &heavenbase::Error) -> Vec<&str> {
    ///     error.rows().filter(|(_, outcome)| **outcome != RowOutcome::Done).map(|(id, _)| id).collect()
    /// }
    /// ```
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (&str, &RowOutcome)> {
        self.0.rows.iter().map(|(id, outcome)| (id.as_str(), outcome))
    }

    /// The detail under `key`, if there is one.
    pub fn detail(&self, key: &str) -> Option<&str> {
        self.0.context.iter().find(|(k, _)| *k == key).map(|(_, v)| v.as_str())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        if let Some(operation) = inner.operation {
            write!(f, "{operation}: ")?;
        }
        match (&inner.entity, &inner.field) {
            (Some(entity), Some(field)) => write!(f, "{entity}.{field}: ")?,
            (Some(entity), None) => write!(f, "{entity}: ")?,
            (None, Some(field)) => write!(f, "{field}: ")?,
            (None, None) => {}
        }
        f.write_str(&inner.message)?;
        let mut open = false;
        let mut part = |f: &mut fmt::Formatter<'_>, key: &str, value: &str| {
            let lead = if std::mem::replace(&mut open, true) { ", " } else { " (" };
            write!(f, "{lead}{key}: {value}")
        };
        if let Some(backend) = &inner.backend {
            part(f, "backend", backend)?;
        }
        for (key, value) in &inner.context {
            part(f, key, value)?;
        }
        if inner.status == Status::Unknown {
            part(f, "outcome", "unknown")?;
        }
        if open { f.write_str(")") } else { Ok(()) }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}: {self}", self.0.kind, self.0.status)?;
        let mut source = self.source();
        while let Some(cause) = source {
            write!(f, "\n  caused by: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|s| s as _)
    }
}
