//! Reading and durable changing of files. Each call carries its syncs, so that none can be forgotten where it is used.

use std::path::Path;

use bytes::Bytes;

use crate::error::Result;
use crate::fs::{Entry, FileReader, FileWriter, Fs, Put};

impl Fs {
    /// The whole file; an error of kind `Corrupt` if it is longer than `limit_bytes`, `NotFound` if missing.
    pub fn read(&self, _path: &Path, _limit_bytes: u64) -> Result<Vec<u8>> {
        todo!()
    }

    /// Opens a file for positioned reads (pread).
    pub fn open(&self, _path: &Path) -> Result<FileReader> {
        todo!()
    }

    /// The whole file as memory, mapped where the system can. An I/O error while it is read is SIGBUS: for scans only.
    pub fn map(&self, _path: &Path) -> Result<Bytes> {
        todo!()
    }

    /// Kind and size of a name, or `None` if it does not exist.
    pub fn entry(&self, _path: &Path) -> Result<Option<Entry>> {
        todo!()
    }

    /// The names of a directory, sorted.
    pub fn list(&self, _dir: &Path) -> Result<Vec<Entry>> {
        todo!()
    }

    /// Makes a directory durable under its parent; fine if it exists.
    pub fn create_dir(&self, _dir: &Path) -> Result<()> {
        todo!()
    }

    /// Makes a directory and all missing parents, each durable.
    pub fn create_dir_all(&self, _dir: &Path) -> Result<()> {
        todo!()
    }

    /// Creates a file that must not exist, for writing; not durable until [`FileWriter::finish`] and
    /// [`Fs::sync_dir`].
    pub fn create_file(&self, _path: &Path) -> Result<FileWriter> {
        todo!()
    }

    /// Put-if-absent, the commit primitive: writes `bytes` to `temporary` (in a staging directory of the same file
    /// system), syncs it, links it to `target`, syncs the directory of `target`, removes `temporary`. On an unknown
    /// outcome after the link the target is read back and compared.
    pub fn put_new(&self, _target: &Path, _temporary: &Path, _bytes: &[u8]) -> Result<Put> {
        todo!()
    }

    /// Replaces a file durably: temporary name beside it, sync, rename, sync of the directory.
    pub fn replace(&self, _target: &Path, _bytes: &[u8]) -> Result<()> {
        todo!()
    }

    /// A second name for a file; not durable until [`Fs::sync_dir`]. `AlreadyExists` if the name exists. EMLINK and
    /// EXDEV give an error that says so and names both files.
    pub fn link(&self, _from: &Path, _to: &Path) -> Result<()> {
        todo!()
    }

    /// Whether [`Fs::link`] failed because the file has too many names or lies on another file system; a copy helps.
    pub fn is_link_limit(_error: &crate::error::Error) -> bool {
        todo!()
    }

    /// Moves a finished directory or file to a name that must not exist, and syncs both parents.
    pub fn rename_new(&self, _from: &Path, _to: &Path) -> Result<()> {
        todo!()
    }

    /// Removes a file; fine if it does not exist. Durable only after [`Fs::sync_dir`].
    pub fn remove_file(&self, _path: &Path) -> Result<()> {
        todo!()
    }

    /// Removes a directory with everything in it, never following links; fine if it does not exist.
    pub fn remove_tree(&self, _dir: &Path) -> Result<()> {
        todo!()
    }

    /// Makes the names in a directory durable.
    pub fn sync_dir(&self, _dir: &Path) -> Result<()> {
        todo!()
    }

    /// Makes everything written so far on the file system of `path` durable; one call for a batch of files and
    /// directories.
    pub fn sync_all(&self, _path: &Path) -> Result<()> {
        todo!()
    }

    /// Bytes free for new files on the file system of `path`.
    pub fn free_bytes(&self, _path: &Path) -> Result<u64> {
        todo!()
    }

    /// The path with links and `..` resolved.
    pub fn canonical(&self, _path: &Path) -> Result<std::path::PathBuf> {
        todo!()
    }
}

impl FileWriter {
    /// Bytes written so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Where it is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the contents durable (`SyncMode::EachFile`) or leaves that to [`Fs::sync_all`]; the name needs
    /// [`Fs::sync_dir`] either way.
    pub fn finish(self, _mode: crate::fs::SyncMode) -> Result<()> {
        todo!()
    }
}

impl std::io::Write for FileWriter {
    fn write(&mut self, _bytes: &[u8]) -> std::io::Result<usize> {
        todo!()
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl FileReader {
    /// Length in bytes when it was opened.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// What was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fills `buffer` from `offset`; `Corrupt` if the file is too short.
    pub fn read_exact_at(&self, _offset: u64, _buffer: &mut [u8]) -> Result<()> {
        todo!()
    }

    /// Reads up to `buffer.len()` bytes at `offset`; 0 at the end.
    pub fn read_at(&self, _offset: u64, _buffer: &mut [u8]) -> Result<usize> {
        todo!()
    }
}
