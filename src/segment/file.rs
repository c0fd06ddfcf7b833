//! The bytes of an open segment: nothing is given out before the blocks it lies in were checked.

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::digest::crc32;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{FileReader, Fs};
use crate::limits::{BLOCK_BYTES, SEGMENT_TAIL_BYTES_MAX};
use crate::segment::{Access, BlockTable, ReadCounters};
use crate::segment_meta::SegmentTail;

/// `PAR1` at the beginning of the file.
pub(super) const MAGIC_BYTES: u64 = 4;

/// The raw bytes of a segment file, unchecked but for the length.
pub(super) struct RawFile {
    pub path: PathBuf,
    pub size_bytes: u64,
    source: Source,
}

enum Source {
    Map(MapLater),
    Read(FileReader),
}

/// A file that is mapped once more than a little of it is read: making and dropping a map takes longer than reading a few pages
/// of a segment, which is all that looking up a row needs.
struct MapLater {
    file: FileReader,
    map: OnceLock<Bytes>,
    read_bytes: AtomicU64,
}

/// Bytes read so before a file is mapped.
const READ_BYTES_MAX: u64 = 512 << 10;

/// Some bytes of a file.
struct Piece {
    bytes: Bytes,
    /// The same bytes are in the same place the next time.
    is_mapped: bool,
}

/// The part of a segment that blocks cover.
pub(super) struct CheckedFile {
    raw: RawFile,
    tail: SegmentTail,
    blocks: Arc<BlockTable>,
    /// One bit for each block of a mapping that was checked. Positioned reads are checked every time, because the next
    /// one may come from the disk again.
    checked: Vec<AtomicU64>,
}

/// A [`CheckedFile`] as the Parquet decoder reads it for one scan.
#[derive(Clone)]
pub(super) struct ScanInput {
    pub file: Arc<CheckedFile>,
    pub counters: Arc<ReadCounters>,
    /// The first error of reading: the decoder keeps only its text, not its kind.
    pub error: Arc<Mutex<Option<Error>>>,
}

impl RawFile {
    /// Opens a file that must have `size_bytes`; a missing one is damage, because something published names it.
    pub fn open(fs: &Fs, path: &Path, size_bytes: u64, access: Access) -> Result<RawFile> {
        let file = fs.open(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => error.context("a segment is missing").with_kind(ErrorKind::Corrupt),
            _ => error,
        })?;
        let found = file.size_bytes();
        if found != size_bytes {
            return Err(Error::corrupt(format!(
                "segment {}: expected {size_bytes} bytes, found {found}",
                path.display()
            )));
        }
        let source = match access {
            Access::Map => Source::Map(MapLater { file, map: OnceLock::new(), read_bytes: AtomicU64::new(0) }),
            Access::Read => Source::Read(file),
        };
        Ok(RawFile { path: path.to_owned(), size_bytes, source })
    }

    /// The bytes of the tail, checked.
    pub fn tail_bytes(&self, tail: SegmentTail) -> Result<Bytes> {
        let wrong = |expected: String, found: String| {
            Error::corrupt(format!("segment {}: expected {expected}, found {found}", self.path.display()))
        };
        let offset = tail.offset;
        if offset < MAGIC_BYTES || offset >= self.size_bytes || self.size_bytes - offset > SEGMENT_TAIL_BYTES_MAX {
            return Err(wrong(
                format!("a tail of at most {SEGMENT_TAIL_BYTES_MAX} bytes within {} bytes", self.size_bytes),
                format!("a tail from offset {offset}"),
            ));
        }
        let bytes = self.piece(offset..self.size_bytes)?.bytes;
        let found = crc32(&bytes);
        if found != tail.crc32 {
            return Err(wrong(format!("tail CRC-32 {:08x}", tail.crc32), format!("{found:08x}")));
        }
        Ok(bytes)
    }

    /// Bytes within the file; the caller has checked the range against `size_bytes`.
    fn piece(&self, range: Range<u64>) -> Result<Piece> {
        assert!(range.start <= range.end && range.end <= self.size_bytes, "range within the file");
        let map = match &self.source {
            Source::Map(later) => later.map(range.end - range.start, self.size_bytes)?,
            Source::Read(_) => None,
        };
        if let Some(map) = map {
            return Ok(Piece { bytes: map.slice(range.start as usize..range.end as usize), is_mapped: true });
        }
        let (Source::Map(MapLater { file, .. }) | Source::Read(file)) = &self.source;
        let mut buffer = vec![0; (range.end - range.start) as usize];
        file.read_exact_at(range.start, &mut buffer)?;
        Ok(Piece { bytes: buffer.into(), is_mapped: false })
    }
}

impl MapLater {
    /// The map, if it is there or due when `more_bytes` are read.
    fn map(&self, more_bytes: u64, size_bytes: u64) -> Result<Option<&Bytes>> {
        if let Some(map) = self.map.get() {
            return Ok(Some(map));
        }
        let before = self.read_bytes.fetch_add(more_bytes, Ordering::Relaxed);
        if before.saturating_add(more_bytes) <= READ_BYTES_MAX {
            return Ok(None);
        }
        let map = self.file.map()?;
        // Nobody cuts a published file; if somebody did since it was opened, it is not mapped.
        Ok((map.len() as u64 == size_bytes).then(|| self.map.get_or_init(|| map)))
    }
}

impl CheckedFile {
    pub fn new(raw: RawFile, tail: SegmentTail, blocks: Arc<BlockTable>) -> CheckedFile {
        assert!(
            blocks.covered_bytes == tail.offset && tail.offset <= raw.size_bytes,
            "blocks end where the tail begins"
        );
        let words = match raw.source {
            Source::Map(_) => blocks.crc32.len().div_ceil(64),
            Source::Read(_) => 0,
        };
        CheckedFile { raw, tail, blocks, checked: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }

    pub fn path(&self) -> &Path {
        &self.raw.path
    }

    /// Length of the whole file in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.raw.size_bytes
    }

    /// Checked page indexes and footer.
    pub fn tail_bytes(&self) -> Result<Bytes> {
        self.raw.tail_bytes(self.tail)
    }

    pub fn covered_bytes(&self) -> u64 {
        self.blocks.covered_bytes
    }

    /// Checked bytes; a range that ends beyond the covered part is damage of whatever named it.
    pub fn bytes(&self, range: Range<u64>, counters: &ReadCounters) -> Result<Bytes> {
        if range.start > range.end || range.end > self.covered_bytes() {
            return Err(Error::corrupt(format!(
                "segment {}: expected a range within {} bytes of row groups, found {}..{}",
                self.path().display(),
                self.covered_bytes(),
                range.start,
                range.end
            )));
        }
        counters.bytes_read.fetch_add(range.end - range.start, Ordering::Relaxed);
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        // Whole blocks, so that each can be checked; of a mapping this copies nothing.
        let first = range.start / BLOCK_BYTES;
        let last = (range.end - 1) / BLOCK_BYTES;
        let begin = first * BLOCK_BYTES;
        let Piece { bytes: whole, is_mapped } =
            self.raw.piece(begin..((last + 1) * BLOCK_BYTES).min(self.covered_bytes()))?;
        for index in first..=last {
            let from = (index - first) * BLOCK_BYTES;
            let to = (from + BLOCK_BYTES).min(whole.len() as u64);
            self.check_block(index, &whole[from as usize..to as usize], is_mapped, counters)?;
        }
        Ok(whole.slice((range.start - begin) as usize..(range.end - begin) as usize))
    }

    fn check_block(&self, index: u64, bytes: &[u8], is_mapped: bool, counters: &ReadCounters) -> Result<()> {
        let bit = 1u64 << (index % 64);
        let word = self.checked.get((index / 64) as usize).filter(|_| is_mapped);
        if word.is_some_and(|word| word.load(Ordering::Acquire) & bit != 0) {
            return Ok(());
        }
        counters.blocks_checked.fetch_add(1, Ordering::Relaxed);
        let expected = self.blocks.crc32[index as usize];
        let found = crc32(bytes);
        if expected != found {
            return Err(Error::corrupt(format!(
                "segment {}: block {index} at offset {}: expected CRC-32 {expected:08x}, found {found:08x}",
                self.path().display(),
                index * BLOCK_BYTES
            )));
        }
        if let Some(word) = word {
            word.fetch_or(bit, Ordering::Release);
        }
        Ok(())
    }
}

impl ScanInput {
    pub fn new(file: &Arc<CheckedFile>, counters: &Arc<ReadCounters>) -> ScanInput {
        ScanInput { file: file.clone(), counters: counters.clone(), error: Arc::default() }
    }

    /// What went wrong: the error of reading if there was one, else damage that the decoder found.
    pub fn error_of(&self, decoder: impl std::error::Error + Send + Sync + 'static) -> Error {
        let read = self.error.lock().unwrap_or_else(PoisonError::into_inner).take();
        read.unwrap_or_else(|| {
            Error::corrupt(format!("segment {}: expected Parquet data, found: {decoder}", self.file.path().display()))
                .with_source(decoder)
        })
    }

    fn bytes(&self, range: Range<u64>) -> Result<Bytes, ParquetError> {
        self.file.bytes(range, &self.counters).map_err(|error| {
            let text = error.to_string();
            self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            ParquetError::General(text)
        })
    }
}

impl Length for ScanInput {
    fn len(&self) -> u64 {
        self.file.covered_bytes()
    }
}

impl ChunkReader for ScanInput {
    type T = BlockRead;

    fn get_read(&self, start: u64) -> Result<BlockRead, ParquetError> {
        Ok(BlockRead { input: self.clone(), offset: start, current: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.bytes(start..start.saturating_add(length as u64))
    }
}

/// Reads on from an offset, a block at a time: the decoder takes page headers from it, byte by byte.
pub(super) struct BlockRead {
    input: ScanInput,
    offset: u64,
    current: Bytes,
}

impl Read for BlockRead {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let end = self.input.file.covered_bytes();
        if self.current.is_empty() && self.offset < end {
            let block_end = ((self.offset / BLOCK_BYTES + 1) * BLOCK_BYTES).min(end);
            self.current = self.input.bytes(self.offset..block_end).map_err(std::io::Error::other)?;
            self.offset = block_end;
        }
        let taken = self.current.split_to(self.current.len().min(buffer.len()));
        buffer[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }
}
