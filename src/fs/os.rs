//! The operating system's files.

use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, OFlags, RenameFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use crate::fs::buffer::ALIGNMENT;
use crate::fs::{Backend, BackendFile, Entry, EntryKind, WatchedDir, mmap};

pub(super) struct OsBackend;

/// The kernel tells a failed write-back once to every descriptor that was open when it happened. So who has to know keeps
/// one of its own.
struct OsDir(File);

struct OsFile {
    file: File,
    /// Whether writes go past the page cache, and where the next one goes then.
    direct: bool,
    end: u64,
}

impl Backend for OsBackend {
    fn create_new(&self, path: &Path) -> Result<Box<dyn BackendFile>> {
        // O_EXCL also refuses a symbolic link as last component.
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Box::new(OsFile::new(file)))
    }

    fn create_new_direct(&self, path: &Path) -> Result<Box<dyn BackendFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        // Set on the open file, so that a file system that refuses it leaves no file behind that blocks a second try.
        let direct = fcntl_getfl(&file).and_then(|flags| fcntl_setfl(&file, flags | OFlags::DIRECT)).is_ok();
        Ok(Box::new(OsFile { direct, ..OsFile::new(file) }))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn BackendFile>> {
        // Without O_NONBLOCK the opening of a named pipe would wait for a writer; regular files ignore it.
        let file = OpenOptions::new().read(true).custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK)).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
        }
        Ok(Box::new(OsFile::new(file)))
    }

    fn metadata(&self, path: &Path) -> Result<Entry> {
        let metadata = path.symlink_metadata()?;
        Ok(entry(path.file_name().unwrap_or_default(), &metadata))
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for found in dir.read_dir()? {
            let found = found?;
            match found.metadata() {
                Ok(metadata) => entries.push(entry(&found.file_name(), &metadata)),
                // It was removed while we were reading the directory.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir(dir)
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::hard_link(from, to)
    }

    fn link_names(&self, from: &Path, to: &Path, names: &[String]) -> (usize, Result<()>) {
        // Names are looked up from open directories: with long paths the way there costs more than the link.
        let (from, to) = match (open_dir(from), open_dir(to)) {
            (Ok(from), Ok(to)) => (from, to),
            (Err(error), _) | (_, Err(error)) => return (0, Err(error)),
        };
        for (linked, name) in names.iter().enumerate() {
            if let Err(error) = rustix::fs::linkat(&from, name, &to, name, AtFlags::empty()) {
                return (linked, Err(error.into()));
            }
        }
        (names.len(), Ok(()))
    }

    fn is_same(&self, one: &Path, other: &Path) -> Result<bool> {
        let (one, other) = (one.symlink_metadata()?, other.symlink_metadata()?);
        Ok(one.dev() == other.dev() && one.ino() == other.ino())
    }

    fn rename(&self, from: &Path, to: &Path, replace: bool) -> Result<()> {
        if replace {
            return std::fs::rename(from, to);
        }
        match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS) => rename_new_in_steps(from, to),
            result => Ok(result?),
        }
    }

    fn remove_file(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        std::fs::remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        open_dir(dir)?.sync_all()
    }

    fn watch(&self, dir: &Path) -> Result<Arc<dyn WatchedDir>> {
        Ok(Arc::new(OsDir(open_dir(dir)?)))
    }

    fn free_bytes(&self, path: &Path) -> Result<u64> {
        let space = rustix::fs::statvfs(path)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    fn lock(&self, path: &Path, exclusive: bool) -> Result<Option<Box<dyn Send + Sync>>> {
        lock(path, exclusive, OpenOptions::new().read(true).write(true).create(true).truncate(false))
    }

    fn lock_existing(&self, path: &Path, exclusive: bool) -> Result<Option<Box<dyn Send + Sync>>> {
        // Some network file systems want the right to write for an exclusive lock; the file may be another user's.
        match lock(path, exclusive, OpenOptions::new().read(true).write(exclusive)) {
            Err(error) if exclusive && error.kind() == ErrorKind::PermissionDenied => {
                lock(path, exclusive, OpenOptions::new().read(true))
            }
            locked => locked,
        }
    }

    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        path.canonicalize()
    }
}

impl WatchedDir for OsDir {
    fn sync_all(&self, path: &Path) -> Result<()> {
        if self.0.metadata()?.dev() != path.metadata()?.dev() {
            return Err(Error::other("another file system was mounted there since it was opened"));
        }
        Ok(rustix::fs::syncfs(&self.0)?)
    }
}

/// A locked file. Closing it is not enough to release the lock: a child process that another thread is just starting has a
/// copy of the descriptor until it runs its own program, and with it the lock.
struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "a lock is released only when its file is closed everywhere");
        }
    }
}

impl OsFile {
    fn new(file: File) -> OsFile {
        OsFile { file, direct: false, end: 0 }
    }

    /// From here on through the page cache: for the end of a file, which has any length, and where the disk refuses.
    fn write_indirectly(&mut self) -> Result<()> {
        self.direct = false;
        Ok(fcntl_setfl(&self.file, fcntl_getfl(&self.file)? - OFlags::DIRECT)?)
    }

    /// Writes what of `bytes` can go past the page cache; gives how many of them that were.
    fn append_directly(&mut self, bytes: &[u8]) -> Result<usize> {
        let whole = bytes.len() - bytes.len() % ALIGNMENT;
        let mut written = 0;
        while written < whole {
            match self.file.write_at(&bytes[written..whole], self.end) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    written += count;
                    self.end += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The file system takes the flag but not the write, or wants it aligned to more.
                Err(error) if error.kind() == ErrorKind::InvalidInput => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }
}

impl BackendFile for OsFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let mut rest = bytes;
        if self.direct {
            rest = &bytes[self.append_directly(bytes)?..];
            if rest.is_empty() {
                return Ok(());
            }
            self.write_indirectly()?;
        }
        self.file.write_all_at(rest, self.end)?;
        self.end += rest.len() as u64;
        Ok(())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        // Offsets come from bytes on disk. The system calls those invalid that no file can reach; to us they are merely
        // behind the end.
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > i64::MAX as u64) {
            return Ok(0);
        }
        loop {
            match self.file.read_at(buffer, offset) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn size_bytes(&self) -> Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_all()
    }

    fn map(&self) -> Result<bytes::Bytes> {
        mmap::map(&self.file)
    }
}

/// For file systems without RENAME_NOREPLACE. A file is linked first, which never overwrites; a directory can at most
/// replace an empty one, should somebody make it between the check and the rename.
fn rename_new_in_steps(from: &Path, to: &Path) -> Result<()> {
    if !from.symlink_metadata()?.is_dir() {
        std::fs::hard_link(from, to)?;
        return std::fs::remove_file(from);
    }
    match to.symlink_metadata() {
        Ok(_) => Err(Errno::EXIST.into()),
        Err(error) if error.kind() == ErrorKind::NotFound => std::fs::rename(from, to),
        Err(error) => Err(error),
    }
}

fn lock(path: &Path, exclusive: bool, options: &mut OpenOptions) -> Result<Option<Box<dyn Send + Sync>>> {
    options.custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK));
    loop {
        let file = options.open(path)?;
        match if exclusive { file.try_lock() } else { file.try_lock_shared() } {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Somebody may have removed the file between our opening and our locking of it. A lock on a file without a name
        // excludes nobody, so we start again.
        if is_same_file(&file, path)? {
            return Ok(Some(Box::new(Locked(file))));
        }
    }
}

fn open_dir(dir: &Path) -> Result<File> {
    OpenOptions::new().read(true).custom_flags(flags(OFlags::DIRECTORY)).open(dir)
}

fn flags(flags: OFlags) -> i32 {
    flags.bits().cast_signed()
}

fn is_same_file(file: &File, path: &Path) -> Result<bool> {
    let opened = file.metadata()?;
    match path.symlink_metadata() {
        Ok(named) => Ok(named.dev() == opened.dev() && named.ino() == opened.ino()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn entry(name: &OsStr, metadata: &Metadata) -> Entry {
    // We make UTF-8 names only; a foreign name is reported as something that readers refuse.
    let (name, kind) = match name.to_str() {
        None => (name.to_string_lossy().into_owned(), EntryKind::Other),
        Some(name) if metadata.is_file() => (name.to_owned(), EntryKind::File),
        Some(name) if metadata.is_dir() => (name.to_owned(), EntryKind::Directory),
        Some(name) => (name.to_owned(), EntryKind::Other),
    };
    let size_bytes = if kind == EntryKind::File { metadata.len() } else { 0 };
    Entry { name, kind, size_bytes }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::fs::Fs;

    #[test]
    fn rename_in_steps_moves_but_never_overwrites() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["dir", "empty"] {
            std::fs::create_dir(path(name)).unwrap();
        }
        for name in ["file", "other"] {
            std::fs::write(path(name), name).unwrap();
        }
        for (from, to) in [("file", "other"), ("file", "empty"), ("dir", "empty"), ("dir", "file")] {
            let error = rename_new_in_steps(&path(from), &path(to)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{from} to {to}");
        }
        rename_new_in_steps(&path("file"), &path("dir/moved")).unwrap();
        rename_new_in_steps(&path("dir"), &path("renamed")).unwrap();
        assert_eq!(std::fs::read(path("renamed/moved")).unwrap(), b"file");
        assert!(!path("dir").exists() && !path("file").exists());
    }

    #[test]
    fn a_watched_directory_is_open_as_long_as_its_handle() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let open = || {
            let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
            descriptors.filter_map(|entry| entry.unwrap().path().read_link().ok()).filter(|path| *path == root).count()
        };
        let fs = Fs::os();
        let watching = fs.watching(&root).unwrap();
        let (clone, other) = (watching.clone(), watching.watching(&root).unwrap());
        assert_eq!(open(), 2, "handles of their own have descriptors of their own");
        drop((watching, other));
        assert_eq!(open(), 1);
        clone.sync_all(&root).unwrap();
        drop(clone);
        assert_eq!(open(), 0);
    }

    #[test]
    fn a_directory_on_another_file_system_is_not_synced_by_mistake() {
        let watched = OsBackend.watch(Path::new("/proc")).unwrap();
        assert!(watched.sync_all(Path::new("/")).unwrap_err().to_string().contains("another file system"));
    }

    #[test]
    fn lock_is_released_although_a_starting_child_still_has_the_descriptor() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        let file = File::create(&path).unwrap();
        let of_child = file.try_clone().unwrap();
        file.lock().unwrap();
        drop(Locked(file));
        File::open(&path).unwrap().try_lock().unwrap();
        drop(of_child);
    }
}
