//! A file whose page headers are held against the pages' bytes, before `parquet` makes room for what these claim to become.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use crate::checked_parquet::headers::{PageSizes, page_sizes};

/// Room that may be made for a page whatever it has, and times its compressed bytes.
const FREE_BYTES: u64 = 16 << 20;
const FREE_TIMES: u64 = 64;
/// The most that a byte can become, by codec.
const SNAPPY_TIMES: u64 = 64;
const LZ4_TIMES: u64 = 256;
const GZIP_TIMES: u64 = 1100;
/// 2 to this power bytes are kept of what was decompressed while Zstandard goes on, at most.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// The file as the reader of one column chunk sees it, whose pages are compressed.
pub(super) struct CheckedChunk<T> {
    file: Arc<T>,
    codec: Compression,
    /// Pages are read whole, header and all; else each header is read on before its page.
    has_places: bool,
    /// The header that was read last.
    header: Arc<Mutex<Vec<u8>>>,
}

impl<T> CheckedChunk<T> {
    pub fn new(file: Arc<T>, codec: Compression, has_places: bool) -> CheckedChunk<T> {
        CheckedChunk { file, codec, has_places, header: Arc::default() }
    }
}

impl<T: ChunkReader> Length for CheckedChunk<T> {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl<T: ChunkReader> ChunkReader for CheckedChunk<T> {
    type T = HeaderRead<T::T>;

    fn get_read(&self, start: u64) -> Result<HeaderRead<T::T>> {
        let header = (self.codec != Compression::UNCOMPRESSED).then(|| self.header.clone());
        Ok(HeaderRead { read: self.file.get_read(start)?, header, has_begun: false })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.file.get_bytes(start, length)?;
        if self.codec == Compression::UNCOMPRESSED {
            return Ok(bytes);
        }
        if self.has_places {
            let (sizes, page) = page_sizes(&bytes)?;
            check(&sizes, page, self.codec)?;
        } else {
            let header = self.header.lock().unwrap_or_else(PoisonError::into_inner);
            check(&page_sizes(&header)?.0, &bytes, self.codec)?;
        }
        Ok(bytes)
    }
}

/// Keeps what is read of a header. A reader of which nothing is read has none: the header before it still counts.
pub(super) struct HeaderRead<R> {
    read: R,
    header: Option<Arc<Mutex<Vec<u8>>>>,
    has_begun: bool,
}

impl<R: Read> Read for HeaderRead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.read.read(buffer)?;
        if let Some(header) = &self.header {
            let mut header = header.lock().unwrap_or_else(PoisonError::into_inner);
            if !self.has_begun {
                header.clear();
            }
            header.extend_from_slice(&buffer[..count]);
        }
        self.has_begun = true;
        Ok(count)
    }
}

/// Whether the page can become as many bytes as its header claims.
fn check(sizes: &PageSizes, page: &[u8], codec: Compression) -> Result<()> {
    let times = |times: u64| times.saturating_mul(page.len() as u64);
    let claimed = sizes.uncompressed;
    if claimed <= FREE_BYTES.saturating_add(times(FREE_TIMES)) {
        return Ok(());
    }
    let most = match codec {
        Compression::SNAPPY => times(SNAPPY_TIMES),
        Compression::LZ4 | Compression::LZ4_RAW => times(LZ4_TIMES),
        Compression::GZIP(_) => times(GZIP_TIMES),
        // A few bytes can become very many, and only doing it tells.
        Compression::ZSTD(_) => {
            let levels = usize::try_from(sizes.levels).unwrap_or(usize::MAX);
            let compressed = page.get(levels..).unwrap_or_default();
            sizes.levels.saturating_add(decompressed_bytes(compressed, claimed)?)
        }
        _ => 0,
    };
    match claimed <= most {
        true => Ok(()),
        false => Err(ParquetError::General(format!(
            "a page of {} bytes claims to become {claimed} bytes, at most {most} are in it",
            page.len()
        ))),
    }
}

/// Counted without keeping them, up to a limit.
fn decompressed_bytes(compressed: &[u8], limit: u64) -> Result<u64> {
    let mut decoder = zstd::Decoder::with_buffer(compressed)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(std::io::copy(&mut decoder.take(limit), &mut std::io::sink())?)
}
