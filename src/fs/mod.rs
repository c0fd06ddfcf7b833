//! The only module that names the operating system's files. Everything above calls [`Fs`], whose two kinds are the
//! operating system and an in-memory file system that knows what was synced and fails on request.
//!
//! Not here: what the files mean. Invariants: no call overwrites a file except [`Fs::replace`]; a call that is said to
//! be durable has synced file and directory when it returns; a failed sync poisons the handle (I2, I3).

mod buffer;
mod durable;
mod fault;
mod file;
mod layout;
mod lock;
mod locked_dir;
mod mmap;
mod os;
mod sim;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::error::{Error, Result};
use crate::sync::Mutex;

pub use fault::{Fault, FaultPlan};
pub use layout::TableLayout;
pub(crate) use layout::{LogFileName, StoreLayout, parse_catalog_name, parse_job_state_name};
pub use lock::LockFile;
pub(crate) use locked_dir::{LockedDir, LockedDirs};
pub use sim::SimFs;

/// A file system; cheap to clone. A failed sync poisons all clones: writes are refused until a new handle is made.
///
/// ```
/// use steledb::fs::Fs;
/// # let dir = tempfile::tempdir().unwrap();
/// let fs = Fs::os();
/// let path = dir.path().join("settings");
/// fs.replace(&path, b"first")?;
/// fs.replace(&path, b"second")?; // durable, and never half-written
/// assert_eq!(fs.read(&path, 100)?, b"second");
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Clone)]
pub struct Fs {
    backend: Arc<dyn Backend>,
    poisoned: Arc<AtomicBool>,
    /// Held while a whole file system is synced, until a failure has poisoned the handle.
    syncing: Arc<Mutex<()>>,
    /// The file system that this handle syncs.
    watched: Option<Arc<dyn WatchedDir>>,
}

/// What a name in a directory is.
///
/// ```
/// use std::path::Path;
/// use steledb::fs::{EntryKind, SimFs};
/// let fs = SimFs::new().fs();
/// fs.replace(Path::new("/file"), b"bytes")?;
/// let entry = &fs.list(Path::new("/"))?[0];
/// assert_eq!((entry.name.as_str(), entry.kind, entry.size_bytes), ("file", EntryKind::File, 5));
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name, without the directory.
    pub name: String,
    /// Regular file, directory, or something we never make (symbolic link, socket).
    pub kind: EntryKind,
    /// Length of a regular file in bytes, else 0.
    pub size_bytes: u64,
}

/// The kind of an [`Entry`].
///
/// ```
/// use std::path::Path;
/// use steledb::fs::{EntryKind, SimFs};
/// let fs = SimFs::new().fs();
/// fs.create_dir(Path::new("/dir"))?;
/// assert_eq!(fs.entry(Path::new("/dir"))?.map(|entry| entry.kind), Some(EntryKind::Directory));
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Anything else; readers refuse it.
    Other,
}

/// Whether a put-if-absent made the file.
///
/// ```
/// use std::path::Path;
/// use steledb::fs::{Put, SimFs};
/// let fs = SimFs::new().fs();
/// let put = |bytes| fs.put_new(Path::new("/name"), Path::new("/temporary"), bytes);
/// assert_eq!(put(b"first")?, Put::Created);
/// assert_eq!(put(b"second")?, Put::Exists);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Put {
    /// The file is ours and durable.
    Created,
    /// The name was there before; nothing changed.
    Exists,
}

/// A file that is copied is synced on its own from this size on, in bytes: then nobody waits for what other programs write,
/// which one sync of the file system, cheaper for many small files, does.
pub(crate) const LARGE_BYTES_MIN: u64 = 1 << 20;

/// Which parts of a batch of new files are made durable how.
///
/// ```
/// use std::path::Path;
/// use steledb::fs::{SimFs, SyncMode};
/// let fs = SimFs::new().fs();
/// for name in ["/a", "/b", "/c"] {
///     fs.create_file(Path::new(name))?.finish(SyncMode::Batch)?;
/// }
/// fs.sync_all(Path::new("/"))?; // all three at once
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncMode {
    /// fsync of each file as it is finished.
    EachFile,
    /// The caller syncs the whole file system once with [`Fs::sync_all`] before metadata names the files.
    Batch,
}

/// A file being written; made by [`Fs::create_file`]. Dropped unfinished, it stays as garbage under its (staging) name.
///
/// ```
/// use std::io::Write;
/// use std::path::Path;
/// use steledb::fs::{SimFs, SyncMode};
/// let fs = SimFs::new().fs();
/// let mut file = fs.create_file(Path::new("/file"))?;
/// file.write_all(b"bytes")?;
/// file.finish(SyncMode::EachFile)?;
/// fs.sync_dir(Path::new("/"))?;
/// assert_eq!(fs.read(Path::new("/file"), 100)?, b"bytes");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileWriter {
    file: Box<dyn BackendFile>,
    path: PathBuf,
    poisoned: Arc<AtomicBool>,
    /// Bytes not yet given to `file`, so that few operations reach it.
    buffer: buffer::Buffer,
    /// An append failed: nobody knows how many bytes the file took, so it must never be finished.
    is_broken: bool,
    size_bytes: u64,
}

/// A file open for positioned reads; `Send + Sync`, never moves a cursor.
///
/// ```
/// use std::path::Path;
/// use steledb::fs::SimFs;
/// let fs = SimFs::new().fs();
/// fs.replace(Path::new("/file"), b"some bytes")?;
/// let file = fs.open(Path::new("/file"))?;
/// assert_eq!(file.size_bytes(), 10);
/// let mut piece = [0; 5];
/// file.read_exact_at(5, &mut piece)?;
/// assert_eq!(&piece, b"bytes");
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Clone)]
pub struct FileReader {
    file: Arc<dyn BackendFile>,
    path: Arc<Path>,
    size_bytes: u64,
}

/// What a file system must be able to do. One call = one operation that can fail; nothing here is durable until a
/// `sync_*` call. Paths are made by `layout` or given by the user as a root, never read from a file.
pub(crate) trait Backend: Send + Sync + 'static {
    /// Creates a file that must not exist, for writing.
    fn create_new(&self, path: &Path) -> std::io::Result<Box<dyn BackendFile>>;
    /// As [`Backend::create_new`], for a large file that nobody will read soon: bytes that are appended aligned go past the
    /// page cache where the file system can do that.
    fn create_new_direct(&self, path: &Path) -> std::io::Result<Box<dyn BackendFile>>;
    /// Opens a regular file for reading; refuses a symbolic link as last component.
    fn open(&self, path: &Path) -> std::io::Result<Box<dyn BackendFile>>;
    /// Kind and size of a name; does not follow a symbolic link.
    fn metadata(&self, path: &Path) -> std::io::Result<Entry>;
    /// The names of a directory in no order.
    fn list(&self, dir: &Path) -> std::io::Result<Vec<Entry>>;
    /// Makes one directory.
    fn create_dir(&self, dir: &Path) -> std::io::Result<()>;
    /// A second name for a file; fails if the name exists.
    fn link(&self, from: &Path, to: &Path) -> std::io::Result<()>;
    /// Links these names of one directory into another, in order, until one fails; gives how many were linked.
    fn link_names(&self, from: &Path, to: &Path, names: &[String]) -> (usize, std::io::Result<()>);
    /// Whether two names stand for one file.
    fn is_same(&self, one: &Path, other: &Path) -> std::io::Result<bool>;
    /// Renames; replaces an existing file only if `replace`.
    fn rename(&self, from: &Path, to: &Path, replace: bool) -> std::io::Result<()>;
    /// Removes a name of a file.
    fn remove_file(&self, path: &Path) -> std::io::Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, dir: &Path) -> std::io::Result<()>;
    /// Makes the names of a directory durable.
    fn sync_dir(&self, dir: &Path) -> std::io::Result<()>;
    /// Opens a directory, to sync the file system that it lies on.
    fn watch(&self, dir: &Path) -> std::io::Result<Arc<dyn WatchedDir>>;
    /// Bytes free for new files.
    fn free_bytes(&self, path: &Path) -> std::io::Result<u64>;
    /// Takes an advisory lock on a file (made if missing); `Ok(None)` if somebody else has it. Exclusive or shared.
    fn lock(&self, path: &Path, exclusive: bool) -> std::io::Result<Option<Box<dyn Send + Sync>>>;
    /// As [`Backend::lock`] of a file that must exist; a shared lock needs no right to write.
    fn lock_existing(&self, path: &Path, exclusive: bool) -> std::io::Result<Option<Box<dyn Send + Sync>>>;
    /// The path with links and `..` resolved, for comparing roots.
    fn canonical(&self, path: &Path) -> std::io::Result<PathBuf>;
}

/// An open directory of a [`Backend`]. Each is told once of every failed write-back since it was opened, whoever else was.
pub(crate) trait WatchedDir: Send + Sync {
    /// Makes everything on its file system durable (`syncfs`); an error if `path` lies on another one by now.
    fn sync_all(&self, path: &Path) -> std::io::Result<()>;
}

/// An open file of a [`Backend`].
pub(crate) trait BackendFile: Send + Sync {
    /// Appends all of `bytes`.
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()>;
    /// Reads up to `buffer.len()` bytes at `offset`; 0 at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize>;
    /// Length in bytes.
    fn size_bytes(&self) -> std::io::Result<u64>;
    /// Makes the contents durable.
    fn sync(&self) -> std::io::Result<()>;
    /// The whole file as memory, mapped where the system can.
    fn map(&self) -> std::io::Result<bytes::Bytes>;
}

impl Fs {
    /// The operating system's files.
    pub fn os() -> Fs {
        Fs::with_backend(Arc::new(os::OsBackend))
    }

    /// Another handle of the same files: a failed sync of one does not poison the other. For a repository, which may lie
    /// on another disk than the store.
    pub(crate) fn independent(&self) -> Fs {
        Fs::with_backend(self.backend.clone())
    }

    /// As [`Fs::independent`], for what lies below `root`, a directory: no failed write-back there goes unnoticed by
    /// [`Fs::sync_all`] from now on, also one that another handle or process was told of first. The directory stays open as
    /// long as the handle and its clones live.
    pub(crate) fn watching(&self, root: &Path) -> Result<Fs> {
        let watched = self.backend.watch(root).map_err(|error| Error::io("open", root, error))?;
        Ok(Fs { watched: Some(watched), ..self.independent() })
    }

    pub(crate) fn with_backend(backend: Arc<dyn Backend>) -> Fs {
        Fs { backend, poisoned: Arc::default(), syncing: Arc::default(), watched: None }
    }
}
