//! A file whose page headers are walked through and held against the pages' bytes, before `parquet` parses them and makes room for
//! what they claim to become.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use parquet::basic::Compression;
use parquet::errors::Result;
use parquet::file::reader::{ChunkReader, Length};

use crate::checked_parquet::headers::{PageSizes, page_sizes};
use crate::checked_parquet::{allowance, error};

/// Bytes of a page header read at first, times more if that is not all of it, and of one at most.
const HEADER_BYTES: usize = 512;
const HEADER_TIMES: usize = 8;
const HEADER_BYTES_MAX: usize = 16 << 20;
/// The most that a byte can become, by codec. Of Brotli there is no such number; no sound page is known that becomes more.
const SNAPPY_TIMES: u64 = 64;
const LZ4_TIMES: u64 = 256;
const GZIP_TIMES: u64 = 1100;
const BROTLI_TIMES: u64 = 4096;
/// 2 to this power bytes are kept of what was decompressed while Zstandard goes on, at most.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// The file as the reader of one column chunk sees it.
pub(super) struct CheckedChunk<T> {
    file: Arc<T>,
    codec: Compression,
    /// Pages are read whole, header and all; else each header is read on before its page.
    has_places: bool,
    /// As the header says that was read last.
    sizes: Arc<Mutex<PageSizes>>,
}

impl<T> CheckedChunk<T> {
    pub fn new(file: Arc<T>, codec: Compression, has_places: bool) -> CheckedChunk<T> {
        CheckedChunk { file, codec, has_places, sizes: Arc::default() }
    }
}

impl<T: ChunkReader> Length for CheckedChunk<T> {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl<T: ChunkReader> ChunkReader for CheckedChunk<T> {
    type T = HeaderRead<T>;

    fn get_read(&self, start: u64) -> Result<HeaderRead<T>> {
        Ok(HeaderRead { file: self.file.clone(), start, header: None, sizes: self.sizes.clone() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let bytes = self.file.get_bytes(start, length)?;
        let (sizes, page) = match self.has_places {
            true => page_sizes(&bytes)?,
            false => (*self.sizes.lock().unwrap_or_else(PoisonError::into_inner), &bytes[..]),
        };
        check(&sizes, page, self.codec)?;
        Ok(bytes)
    }
}

/// Reads a page header when something is read of it: the one before it counts until then.
pub(super) struct HeaderRead<T> {
    file: Arc<T>,
    start: u64,
    header: Option<Bytes>,
    sizes: Arc<Mutex<PageSizes>>,
}

impl<T: ChunkReader> Read for HeaderRead<T> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.header.is_none() {
            let (header, sizes) = read_header(&*self.file, self.start).map_err(std::io::Error::other)?;
            *self.sizes.lock().unwrap_or_else(PoisonError::into_inner) = sizes;
            self.header = Some(header);
        }
        let Some(left) = &mut self.header else { return Ok(0) };
        let count = buffer.len().min(left.len());
        left.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}

/// The bytes of a page header, and what it says.
fn read_header<T: ChunkReader>(file: &T, start: u64) -> Result<(Bytes, PageSizes)> {
    let mut read = file.get_read(start)?;
    let (mut bytes, mut wanted) = (Vec::new(), HEADER_BYTES);
    loop {
        read.by_ref().take((wanted - bytes.len()) as u64).read_to_end(&mut bytes)?;
        match page_sizes(&bytes) {
            Ok((sizes, rest)) => {
                let length = bytes.len() - rest.len();
                bytes.truncate(length);
                return Ok((bytes.into(), sizes));
            }
            // It may go on.
            Err(_) if bytes.len() == wanted && wanted < HEADER_BYTES_MAX => wanted *= HEADER_TIMES,
            Err(error) => return Err(error),
        }
    }
}

/// Whether the page can become as many bytes as its header claims.
fn check(sizes: &PageSizes, page: &[u8], codec: Compression) -> Result<()> {
    let claimed = sizes.uncompressed;
    if codec == Compression::UNCOMPRESSED || claimed <= allowance(page.len()) {
        return Ok(());
    }
    let times = |times: u64| times.saturating_mul(page.len() as u64);
    let most = match codec {
        Compression::SNAPPY => times(SNAPPY_TIMES),
        Compression::LZ4 | Compression::LZ4_RAW => times(LZ4_TIMES),
        Compression::GZIP(_) => times(GZIP_TIMES),
        Compression::BROTLI(_) => times(BROTLI_TIMES),
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
        false => Err(error(format!(
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
