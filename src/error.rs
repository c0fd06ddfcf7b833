//! The one error type. `ErrorKind` answers what the caller can do; the message says what was attempted,
//! names the object and the rule, and gives both values where two things disagree.

use std::fmt;
use std::path::Path;

/// What every fallible call of this crate returns.
///
/// ```
/// fn rows(store: &steledb::Store) -> steledb::Result<u64> {
///     store.table("sales", "orders")?.scan().count()
/// }
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What the caller can do about an error.
///
/// ```
/// use steledb::{ErrorKind, Store};
/// match Store::open("/no/such/store") {
///     Ok(_) => unreachable!(),
///     Err(error) if error.is(ErrorKind::Conflict) => println!("another process writes it: {error}"),
///     Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The named object does not exist: check the name.
    NotFound,
    /// The named object exists already: choose another name or drop it first.
    AlreadyExists,
    /// The request breaks a rule that the message states: change the request.
    Invalid,
    /// Somebody else was faster, or a lock is held: read the new state and decide again.
    Conflict,
    /// Bytes are not what was written. The message names the file: restore it from a backup.
    Corrupt,
    /// A remote party did not answer: try again later.
    Unavailable,
    /// The operating system refused: the message and the source say what.
    Io,
    /// The bytes or the request need a newer version or a feature this build lacks.
    Unsupported,
    /// An earlier failure to make data durable stopped all writes: close the store and open it again.
    Poisoned,
    /// The caller cancelled the operation; nothing was published.
    Cancelled,
}

/// An error of SteleDB.
///
/// ```
/// use steledb::{Error, ErrorKind};
/// let error = Error::invalid("a table needs at least one column");
/// assert_eq!(error.kind(), ErrorKind::Invalid);
/// assert_eq!(error.to_string(), "a table needs at least one column");
/// ```
pub struct Error {
    // Boxed, so that `Result<T>` stays small on the hot paths.
    inner: Box<ErrorInner>,
}

struct ErrorInner {
    kind: ErrorKind,
    message: String,
    source: Option<Source>,
}

macro_rules! constructors {
    ($($(#[$doc:meta])* $name:ident => $kind:ident),* $(,)?) => {
        $($(#[$doc])* pub fn $name(message: impl Into<String>) -> Error { Error::new(ErrorKind::$kind, message) })*
    };
}

impl Error {
    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error { inner: Box::new(ErrorInner { kind, message: message.into(), source: None }) }
    }

    constructors! {
        /// See [`ErrorKind::NotFound`].
        not_found => NotFound,
        /// See [`ErrorKind::AlreadyExists`].
        already_exists => AlreadyExists,
        /// See [`ErrorKind::Invalid`].
        invalid => Invalid,
        /// See [`ErrorKind::Conflict`].
        conflict => Conflict,
        /// See [`ErrorKind::Corrupt`]; name the file and what was expected and found.
        corrupt => Corrupt,
        /// See [`ErrorKind::Unavailable`].
        unavailable => Unavailable,
        /// See [`ErrorKind::Unsupported`].
        unsupported => Unsupported,
        /// See [`ErrorKind::Poisoned`].
        poisoned => Poisoned,
        /// See [`ErrorKind::Cancelled`].
        cancelled => Cancelled,
    }

    /// An operating system error while doing `action` ("open", "sync", …) to `path`.
    pub fn io(action: &str, path: &Path, error: std::io::Error) -> Error {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::AlreadyExists => ErrorKind::AlreadyExists,
            _ => ErrorKind::Io,
        };
        Error::new(kind, format!("cannot {action} {}: {error}", path.display())).with_source(error)
    }

    /// Keeps what caused this error.
    pub fn with_source(mut self, source: impl Into<Source>) -> Error {
        self.inner.source = Some(source.into());
        self
    }

    /// Prefixes the message with what was attempted; kind and source stay.
    pub fn context(mut self, attempted: impl fmt::Display) -> Error {
        self.inner.message = format!("{attempted}: {}", self.inner.message);
        self
    }

    /// The same error under another kind, for a caller that knows better (a missing file of a manifest is damage).
    pub fn with_kind(mut self, kind: ErrorKind) -> Error {
        self.inner.kind = kind;
        self
    }

    /// What the caller can do.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Whether the error is of this kind.
    pub fn is(&self, kind: ErrorKind) -> bool {
        self.inner.kind == kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.inner.kind, self.inner.message)?;
        match &self.inner.source {
            Some(source) => write!(f, " (source: {source:?})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_keeps_kind_and_source() {
        let io = std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = Error::io("open", Path::new("a/b"), io).context("restore of table t");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().starts_with("restore of table t: cannot open a/b: "));
        assert!(std::error::Error::source(&error).is_some());
    }
}
