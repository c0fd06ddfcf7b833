//! One open file: a writer that gathers small writes, a reader without a cursor.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::fs::buffer::Buffer;
use crate::fs::{BackendFile, FileReader, FileWriter, SyncMode, durable};

/// Writes are gathered up to this many bytes, and whole files are read in pieces of as many.
const BUFFER_BYTES: usize = 1 << 20;

impl FileWriter {
    pub(super) fn new(file: Box<dyn BackendFile>, path: PathBuf, poisoned: Arc<AtomicBool>) -> FileWriter {
        let buffer = Buffer::growing(BUFFER_BYTES);
        FileWriter { file, path, poisoned, buffer, is_broken: false, size_bytes: 0 }
    }

    /// Of a file of about that size whose aligned writes go past the page cache.
    pub(super) fn direct(
        file: Box<dyn BackendFile>,
        path: PathBuf,
        poisoned: Arc<AtomicBool>,
        size_bytes: u64,
    ) -> FileWriter {
        let limit = usize::try_from(size_bytes).map_or(BUFFER_BYTES, |size| size.min(BUFFER_BYTES));
        FileWriter { buffer: Buffer::aligned(limit), ..FileWriter::new(file, path, poisoned) }
    }

    /// Bytes written so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Where it is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends all of `source`, and shows each piece to `look` on the way. The bytes are copied no more often than the
    /// system calls do it.
    pub fn copy_from(&mut self, source: &FileReader, mut look: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut offset = 0;
        while offset < source.size_bytes {
            let left = usize::try_from(source.size_bytes - offset).unwrap_or(usize::MAX);
            let count = left.min(self.buffer.free());
            let room = self.buffer.room(count);
            source.read_exact_at(offset, room)?;
            look(room)?;
            self.take_in(count).map_err(|error| Error::io("write", &self.path, error))?;
            offset += count as u64;
        }
        Ok(())
    }

    /// Makes the contents durable (`SyncMode::EachFile`) or leaves that to [`super::Fs::sync_all`]; the name needs
    /// [`super::Fs::sync_dir`] either way.
    pub fn finish(mut self, mode: SyncMode) -> Result<()> {
        if self.poisoned.load(Ordering::SeqCst) {
            return Err(durable::poisoned("finish", &self.path));
        }
        self.append_gathered().map_err(|error| Error::io("write", &self.path, error))?;
        match mode {
            SyncMode::Batch => Ok(()),
            SyncMode::EachFile => self.file.sync().map_err(|error| {
                self.poisoned.store(true, Ordering::SeqCst);
                Error::io("sync", &self.path, error)
            }),
        }
    }

    /// Hands over to the system what is gathered in memory, and frees that, for an ordinary file that is not written to for a
    /// while.
    pub fn write_out(&mut self) -> std::io::Result<()> {
        self.append_gathered()?;
        self.buffer = Buffer::growing(BUFFER_BYTES);
        Ok(())
    }

    /// The buffer is never left full, so that there is always room.
    fn take_in(&mut self, count: usize) -> std::io::Result<()> {
        self.buffer.take_in(count);
        self.size_bytes += count as u64;
        if self.buffer.free() > 0 { Ok(()) } else { self.append_gathered() }
    }

    fn append_gathered(&mut self) -> std::io::Result<()> {
        if self.is_broken {
            return Err(std::io::Error::other("an earlier write to this file failed"));
        }
        if self.buffer.gathered().is_empty() {
            return Ok(());
        }
        self.file.append(self.buffer.gathered()).inspect_err(|_| self.is_broken = true)?;
        self.buffer.clear();
        Ok(())
    }
}

impl Write for FileWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.is_broken {
            return Err(std::io::Error::other("an earlier write to this file failed"));
        }
        let count = bytes.len().min(self.buffer.free());
        self.buffer.room(count).copy_from_slice(&bytes[..count]);
        self.take_in(count)?;
        Ok(count)
    }

    /// Does nothing: an unfinished file is garbage, so there is no reason to write it earlier than needed.
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

    /// The whole file as memory, which stays valid when the file is removed.
    pub fn map(&self) -> Result<Bytes> {
        self.file.map().map_err(|error| Error::io("map", &self.path, error))
    }

    /// Fills `buffer` from `offset`; `Corrupt` if the file is too short.
    pub fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            let position = offset.checked_add(filled as u64);
            let read = match position {
                Some(position) => self.read_at(position, &mut buffer[filled..])?,
                None => 0,
            };
            if read == 0 {
                return Err(Error::corrupt(format!(
                    "{} is too short: expected {} bytes at offset {offset}, found {filled}",
                    self.path.display(),
                    buffer.len()
                )));
            }
            filled += read;
        }
        Ok(())
    }

    /// Hands the whole file to `consume` in pieces of at most 1 MiB, in order; `Corrupt` if it became shorter.
    pub fn for_each_piece(&self, mut consume: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let piece_bytes = |left: u64| usize::try_from(left).map_or(BUFFER_BYTES, |left| left.min(BUFFER_BYTES));
        let mut buffer = vec![0; piece_bytes(self.size_bytes)];
        let mut offset = 0;
        while offset < self.size_bytes {
            let piece = &mut buffer[..piece_bytes(self.size_bytes - offset)];
            self.read_exact_at(offset, piece)?;
            consume(piece)?;
            offset += piece.len() as u64;
        }
        Ok(())
    }

    /// Reads up to `buffer.len()` bytes at `offset`; 0 at the end.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.file.read_at(offset, buffer).map_err(|error| Error::io("read", &self.path, error))
    }
}
