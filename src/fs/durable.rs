//! Reading and durable changing of files. Each call carries its syncs, so that none can be forgotten where it is used.
//!
//! Once a sync has failed, the system may have dropped the unwritten bytes and report success next time. So the first
//! failure poisons the handle and all its clones: every later change is refused, reads go on.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use crate::fs::{Entry, EntryKind, FileReader, FileWriter, Fs, Put};

/// Shorter files are cheaper to gather in the page cache.
const DIRECT_BYTES_MIN: u64 = 16 << 10;

impl Fs {
    /// The whole file; an error of kind `Corrupt` if it is longer than `limit_bytes`, `NotFound` if missing.
    pub fn read(&self, path: &Path, limit_bytes: u64) -> Result<Vec<u8>> {
        let file = self.open(path)?;
        let too_long = || {
            Error::corrupt(format!(
                "{} has {} bytes: at most {limit_bytes} are expected",
                path.display(),
                file.size_bytes
            ))
        };
        if file.size_bytes > limit_bytes {
            return Err(too_long());
        }
        let mut bytes = vec![0; usize::try_from(file.size_bytes).map_err(|_| too_long())?];
        file.read_exact_at(0, &mut bytes)?;
        Ok(bytes)
    }

    /// Opens a file for positioned reads (pread).
    pub fn open(&self, path: &Path) -> Result<FileReader> {
        let open = || {
            let file = self.backend.open(path)?;
            let size_bytes = file.size_bytes()?;
            Ok(FileReader { file: file.into(), path: path.into(), size_bytes })
        };
        open().map_err(|error| Error::io("open", path, error))
    }

    /// The whole file as memory, mapped where the system can. An I/O error while it is read is SIGBUS: for scans only.
    pub fn map(&self, path: &Path) -> Result<Bytes> {
        self.open(path)?.map()
    }

    /// Kind and size of a name, or `None` if it does not exist.
    pub fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        match self.backend.metadata(path) {
            Ok(entry) => Ok(Some(entry)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("look at", path, error)),
        }
    }

    /// The names of a directory, sorted.
    pub fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        let mut entries = self.backend.list(dir).map_err(|error| Error::io("list", dir, error))?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Makes a directory durable under its parent; fine if it exists.
    pub fn create_dir(&self, dir: &Path) -> Result<()> {
        self.create_dir_in_batch(dir)?;
        // Also if it existed: whoever made it may have died before the sync.
        self.sync_dir(parent(dir))
    }

    /// Makes a directory, fine if it exists; durable after [`Fs::sync_dir`] of its parent or [`Fs::sync_all`].
    pub fn create_dir_in_batch(&self, dir: &Path) -> Result<()> {
        self.refuse_if_poisoned("create", dir)?;
        match self.backend.create_dir(dir) {
            Ok(()) => Ok(()),
            Err(error) => {
                let exists = error.kind() == std::io::ErrorKind::AlreadyExists;
                match exists && self.entry(dir)?.is_some_and(|entry| entry.kind == EntryKind::Directory) {
                    true => Ok(()),
                    false => Err(Error::io("create directory", dir, error)),
                }
            }
        }
    }

    /// Makes a directory and all missing parents, each durable.
    pub fn create_dir_all(&self, dir: &Path) -> Result<()> {
        if dir.as_os_str().is_empty() {
            return Err(Error::invalid("the path of a directory to make is empty"));
        }
        let missing = |dir: &Path| Ok::<bool, Error>(self.entry(dir)?.is_none());
        let mut dirs = vec![dir];
        while missing(parent(dirs[dirs.len() - 1]))? {
            dirs.push(parent(dirs[dirs.len() - 1]));
        }
        dirs.into_iter().rev().try_for_each(|dir| self.create_dir(dir))
    }

    /// Creates a file that must not exist, for writing; not durable until [`FileWriter::finish`] and
    /// [`Fs::sync_dir`].
    pub fn create_file(&self, path: &Path) -> Result<FileWriter> {
        self.refuse_if_poisoned("create", path)?;
        let file = self.backend.create_new(path).map_err(|error| Error::io("create", path, error))?;
        Ok(FileWriter::new(file, path.to_owned(), self.poisoned.clone()))
    }

    /// As [`Fs::create_file`], for a file of about `size_bytes` that nobody will read soon. Where the file system can do it,
    /// its bytes go to the disk as they are written, unless they are few, without filling the page cache, so that a sync is
    /// short.
    pub fn create_file_direct(&self, path: &Path, size_bytes: u64) -> Result<FileWriter> {
        if size_bytes < DIRECT_BYTES_MIN {
            return self.create_file(path);
        }
        self.refuse_if_poisoned("create", path)?;
        let file = self.backend.create_new_direct(path).map_err(|error| Error::io("create", path, error))?;
        Ok(FileWriter::direct(file, path.to_owned(), self.poisoned.clone(), size_bytes))
    }

    /// Put-if-absent, the commit primitive: writes `bytes` to `temporary` (in a staging directory of the same file
    /// system), syncs it, links it to `target`, syncs the directory of `target`, removes `temporary`. On an unknown
    /// outcome after the link the target is read back and compared.
    pub fn put_new(&self, target: &Path, temporary: &Path, bytes: &[u8]) -> Result<Put> {
        self.write_synced(temporary, bytes)?;
        let put = match self.backend.link(temporary, target) {
            Ok(()) => Put::Created,
            // A network file system that repeats a request whose answer was lost meets the name that it made itself.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => match self.is_same(temporary, target)? {
                true => Put::Created,
                false => Put::Exists,
            },
            // The link may have happened although its answer was lost, as on a network file system.
            Err(_) if self.read(target, bytes.len() as u64).is_ok_and(|found| found == bytes) => Put::Created,
            Err(error) => {
                self.discard(temporary);
                return Err(link_error(temporary, target, error));
            }
        };
        // A rival's name is synced too: the caller will act on what it found there, so it must not vanish in a crash.
        self.sync_dir(parent(target))?;
        // The commit stands whether or not this succeeds; staging is emptied when the store is opened.
        self.discard(temporary);
        Ok(put)
    }

    /// Replaces a file durably: temporary name beside it, sync, rename, sync of the directory.
    pub fn replace(&self, target: &Path, bytes: &[u8]) -> Result<()> {
        self.refuse_if_poisoned("replace", target)?;
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(".replacing");
        let temporary = target.with_file_name(name);
        // A left-over of a replacement that died.
        self.remove_file(&temporary)?;
        self.write_synced(&temporary, bytes)?;
        if let Err(error) = self.backend.rename(&temporary, target, true) {
            self.discard(&temporary);
            return Err(Error::io("replace", target, error));
        }
        self.sync_dir(parent(target))
    }

    /// A second name for a file; not durable until [`Fs::sync_dir`]. `AlreadyExists` if the name exists. EMLINK and
    /// EXDEV give an error that says so and names both files.
    pub fn link(&self, from: &Path, to: &Path) -> Result<()> {
        self.refuse_if_poisoned("link", to)?;
        self.backend.link(from, to).map_err(|error| link_error(from, to, error))
    }

    /// As [`Fs::link`] for names of one directory in another one. At the first name that fails it stops and gives the
    /// index of it with the error; those before it are linked.
    pub fn link_names(&self, from: &Path, to: &Path, names: &[String]) -> std::result::Result<(), (usize, Error)> {
        self.refuse_if_poisoned("link", to).map_err(|error| (0, error))?;
        let (linked, result) = self.backend.link_names(from, to, names);
        result.map_err(|error| match names.get(linked) {
            Some(name) => (linked, link_error(&from.join(name), &to.join(name), error)),
            None => (linked, link_error(from, to, error)),
        })
    }

    /// Whether [`Fs::link`] failed because the file has too many names or lies on another file system; a copy helps.
    pub fn is_link_limit(error: &Error) -> bool {
        std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<std::io::Error>())
            .is_some_and(|error| link_limit(error).is_some())
    }

    /// Whether a call failed because nothing can be written there: by this process (EROFS, EACCES, EPERM) or by anybody, as
    /// the disk or the quota is full (ENOSPC, EDQUOT).
    pub fn is_write_refused(error: &Error) -> bool {
        use std::io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>()).is_some_and(
            |error| matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | StorageFull | QuotaExceeded),
        )
    }

    /// Moves a finished file to a name that must not exist, as one of a batch: durable after [`Fs::sync_dir`] of the
    /// directory of the name, or [`Fs::sync_all`].
    pub fn rename_new_in_batch(&self, from: &Path, to: &Path) -> Result<()> {
        self.refuse_if_poisoned("rename", from)?;
        let renamed = self.backend.rename(from, to, false);
        renamed.map_err(|error| Error::io(&format!("rename {} to", from.display()), to, error))
    }

    /// Moves a finished directory or file to a name that must not exist, and syncs both parents.
    pub fn rename_new(&self, from: &Path, to: &Path) -> Result<()> {
        self.rename_new_in_batch(from, to)?;
        // The new name first: after a crash in between there may be two names, but never none.
        self.sync_dir(parent(to))?;
        if parent(from) != parent(to) {
            self.sync_dir(parent(from))?;
        }
        Ok(())
    }

    /// Removes a file; fine if it does not exist. Durable only after [`Fs::sync_dir`].
    pub fn remove_file(&self, path: &Path) -> Result<()> {
        self.refuse_if_poisoned("remove", path)?;
        missing_is_fine(self.backend.remove_file(path)).map_err(|error| Error::io("remove", path, error))
    }

    /// Removes a directory with everything in it, never following links; fine if it does not exist. Durable only after
    /// [`Fs::sync_dir`] of its parent.
    pub fn remove_tree(&self, dir: &Path) -> Result<()> {
        self.refuse_if_poisoned("remove", dir)?;
        match self.entry(dir)? {
            None => return Ok(()),
            Some(entry) if entry.kind != EntryKind::Directory => return self.remove_file(dir),
            Some(_) => {}
        }
        let entries = match self.list(dir) {
            Err(error) if error.is(ErrorKind::NotFound) => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let path = dir.join(&entry.name);
            match entry.kind {
                EntryKind::Directory => self.remove_tree(&path)?,
                EntryKind::File | EntryKind::Other => self.remove_file(&path)?,
            }
        }
        missing_is_fine(self.backend.remove_dir(dir)).map_err(|error| Error::io("remove directory", dir, error))
    }

    /// Makes the names in a directory durable.
    pub fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.refuse_if_poisoned("sync", dir)?;
        self.backend.sync_dir(dir).map_err(|error| self.poison("sync directory", dir, error))
    }

    /// Makes everything written so far on the file system of `path` durable; one call for a batch of files and
    /// directories. `path` is a directory.
    pub fn sync_all(&self, path: &Path) -> Result<()> {
        // One at a time: of a failure only one is told, and another thread's sync could succeed before that one has poisoned
        // the handle.
        let _syncing = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        self.refuse_if_poisoned("sync", path)?;
        let synced = match &self.watched {
            Some(watched) => watched.sync_all(path),
            None => self.backend.watch(path).and_then(|dir| dir.sync_all(path)),
        };
        synced.map_err(|error| self.poison("sync the file system of", path, error))
    }

    /// Bytes free for new files on the file system of `path`.
    pub fn free_bytes(&self, path: &Path) -> Result<u64> {
        self.backend.free_bytes(path).map_err(|error| Error::io("ask for the free space of", path, error))
    }

    /// The path with links and `..` resolved.
    pub fn canonical(&self, path: &Path) -> Result<PathBuf> {
        self.backend.canonical(path).map_err(|error| Error::io("resolve", path, error))
    }

    /// The same of a path whose last parts need not exist; of those `..` is an error.
    pub fn canonical_place(&self, path: &Path) -> Result<PathBuf> {
        match (self.canonical(path), path.file_name()) {
            (Err(error), Some(name)) if error.is(ErrorKind::NotFound) => {
                Ok(self.canonical_place(parent(path))?.join(name))
            }
            (result, _) => result,
        }
    }

    /// Whether two names stand for one file; no if one of them is missing.
    fn is_same(&self, one: &Path, other: &Path) -> Result<bool> {
        match self.backend.is_same(one, other) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            result => result.map_err(|error| Error::io("look at", other, error)),
        }
    }

    /// A new file whose bytes, but not whose name, are durable; removed again if that fails.
    fn write_synced(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.refuse_if_poisoned("create", path)?;
        let mut file = self.backend.create_new(path).map_err(|error| Error::io("create", path, error))?;
        if let Err(error) = file.append(bytes) {
            self.discard(path);
            return Err(Error::io("write", path, error));
        }
        file.sync().map_err(|error| self.poison("sync", path, error))
    }

    /// Removes a temporary file. It is garbage that nothing names, so a failure is not worth an error.
    fn discard(&self, temporary: &Path) {
        let _ = self.backend.remove_file(temporary);
    }

    fn refuse_if_poisoned(&self, action: &str, path: &Path) -> Result<()> {
        match self.poisoned.load(Ordering::SeqCst) {
            true => Err(poisoned(action, path)),
            false => Ok(()),
        }
    }

    fn poison(&self, action: &str, path: &Path, error: std::io::Error) -> Error {
        self.poisoned.store(true, Ordering::SeqCst);
        Error::io(action, path, error)
    }
}

pub(super) fn poisoned(action: &str, path: &Path) -> Error {
    Error::poisoned(format!(
        "cannot {action} {}: an earlier sync failed, so nobody knows what is durable: close the store and open it again",
        path.display()
    ))
}

fn missing_is_fine(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// The directory that holds the name; `.` for a bare name.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

fn link_limit(error: &std::io::Error) -> Option<&'static str> {
    match rustix::io::Errno::from_io_error(error)? {
        rustix::io::Errno::MLINK => Some("the file has as many names as its file system allows"),
        rustix::io::Errno::XDEV => Some("the two lie on different file systems"),
        _ => None,
    }
}

pub(super) fn link_error(from: &Path, to: &Path, error: std::io::Error) -> Error {
    match link_limit(&error) {
        Some(limit) => {
            let message = format!("cannot link {} to {}: {limit}", from.display(), to.display());
            Error::new(ErrorKind::Io, message).with_source(error)
        }
        None => Error::io(&format!("link {} to", from.display()), to, error),
    }
}
