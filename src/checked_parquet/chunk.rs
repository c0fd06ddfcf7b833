//! A file whose page headers are walked through and held against the pages' bytes, before `parquet` parses them and makes room for
//! what they claim to become.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use parquet::basic::Compression;
use parquet::errors::Result;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};

use crate::checked_parquet::headers::{PageSizes, page_sizes};
use crate::checked_parquet::{allowance, error};

/// Bytes of a page header read at first, times more if that is not all of it, and of one at most.
const HEADER_BYTES: usize = 512;
const HEADER_TIMES: usize = 8;
const HEADER_BYTES_MAX: usize = 16 << 20;
/// The most that a byte can become, by codec.
const LZ4_TIMES: u64 = 256;
const GZIP_TIMES: u64 = 1100;
/// Decompressed at once where bytes are counted.
const BUFFER_BYTES: usize = 64 << 10;
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

/// Bytes of a text in the dictionary of a column chunk, on average and with its length; `None` without a dictionary that says so.
pub fn dictionary_text_bytes<T: ChunkReader>(file: &T, chunk: &ColumnChunkMetaData) -> Option<u64> {
    let start = u64::try_from(chunk.dictionary_page_offset()?).ok()?;
    let (_, sizes) = read_header(file, start).ok()?;
    sizes.uncompressed.checked_div(sizes.dictionary_values)
}

/// Whether the page can become as many bytes as its header claims, and no more.
fn check(sizes: &PageSizes, page: &[u8], codec: Compression) -> Result<()> {
    if codec == Compression::UNCOMPRESSED || sizes.is_plain {
        return Ok(());
    }
    let (claimed, allowed) = (sizes.uncompressed, allowance(page.len()));
    let compressed = usize::try_from(sizes.levels).ok().and_then(|levels| page.get(levels..)).unwrap_or_default();
    let times = |times: u64| times.saturating_mul(page.len() as u64);
    let counted = |decoder: &mut dyn Read| sizes.levels.saturating_add(count(decoder, claimed));
    // These become what they become, whatever is claimed.
    let becomes = match codec {
        Compression::GZIP(_) if times(GZIP_TIMES) > allowed => counted(&mut MultiGzDecoder::new(compressed)),
        Compression::BROTLI(_) => counted(&mut brotli::Decompressor::new(compressed, BUFFER_BYTES)),
        Compression::LZ4 if times(LZ4_TIMES) > allowed => counted(&mut FrameDecoder::new(compressed)),
        _ => 0,
    };
    if becomes > claimed {
        return Err(error(format!("a page that claims to become {claimed} bytes becomes more")));
    }
    if claimed <= allowed {
        return Ok(());
    }
    let most = match codec {
        Compression::GZIP(_) | Compression::BROTLI(_) => becomes,
        Compression::LZ4 | Compression::LZ4_RAW => times(LZ4_TIMES),
        // A few bytes can become very many, and only doing it tells.
        Compression::ZSTD(_) => {
            let mut decoder = zstd::Decoder::with_buffer(compressed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            counted(&mut decoder)
        }
        // Snappy does not become as much as that.
        _ => allowed,
    };
    match claimed <= most {
        true => Ok(()),
        false => Err(error(format!(
            "a page of {} bytes claims to become {claimed} bytes, at most {most} are in it",
            page.len()
        ))),
    }
}

/// Bytes that are decompressed before the end or the first error, without keeping them; some more than the limit if there are more.
fn count(decoder: &mut dyn Read, limit: u64) -> u64 {
    let (mut buffer, mut counted) = (vec![0; BUFFER_BYTES], 0);
    while counted <= limit
        && let Ok(bytes @ 1..) = decoder.read(&mut buffer)
    {
        counted += bytes as u64;
    }
    counted
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_page_says_that_it_is_without_the_codec() {
        // Field 8, a structure; in it field 7, true or false.
        let is_plain = |header: &[u8]| page_sizes(header).unwrap().0.is_plain;
        assert!(is_plain(&[0x8c, 0x72, 0, 0]));
        assert!(!is_plain(&[0x8c, 0x71, 0, 0]));
        assert!(!is_plain(&[0x8c, 0, 0]));
        assert!(!is_plain(&[0]));
    }

    #[test]
    fn what_becomes_more_than_it_claims_is_refused() {
        const BYTES: usize = 24 << 20;
        let sizes = |bytes: usize| PageSizes { uncompressed: bytes as u64, ..PageSizes::default() };
        let zeros = vec![0; BYTES];
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&zeros).unwrap();
        let mut brotli = Vec::new();
        let parameters = brotli::enc::BrotliEncoderParams { quality: 1, ..Default::default() };
        brotli::BrotliCompress(&mut &zeros[..], &mut brotli, &parameters).unwrap();
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(&zeros).unwrap();
        let (gzip, lz4) = (gzip.finish().unwrap(), lz4.finish().unwrap());
        let codecs = [Compression::GZIP(Default::default()), Compression::BROTLI(Default::default()), Compression::LZ4];
        for (page, codec) in [gzip, brotli, lz4].into_iter().zip(codecs) {
            let told = |claimed: usize| check(&sizes(claimed), &page, codec);
            told(BYTES).unwrap();
            for claimed in [0, 1000, BYTES - 1] {
                let error = told(claimed).unwrap_err().to_string();
                assert!(error.contains(&format!("claims to become {claimed} bytes becomes more")), "{error}");
            }
            // A page without the codec may be what looks like one with it.
            check(&PageSizes { is_plain: true, ..sizes(page.len()) }, &page, codec).unwrap();
        }
    }
}
