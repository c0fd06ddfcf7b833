//! A text file cut at ends of records into chunks that several threads parse. Files compressed with zstd are decompressed
//! on the way; they are told by their first bytes, which begin no text.

use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::fs::{FileReader, Fs};
use crate::load::place::TextLines;
use crate::load::row_counts::RowCounts;

/// Bytes read at a time and parsed into one batch. A batch is cut into a piece for each tablet, which should not be tiny.
pub const CHUNK_BYTES: usize = 16 << 20;
/// Longest record; a quote that is never closed is found by it.
pub const RECORD_BYTES_MAX: usize = 16 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// One file being read; chunks are taken under a lock and parsed outside it.
pub struct TextFile {
    path: Arc<Path>,
    size_bytes: u64,
    skip_lines: u64,
    lines_max: usize,
    row_counts: Arc<RowCounts>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    reader: Option<Reader>,
    /// What was read and not given yet: the begin of a record, if lines are not very short; after what was given.
    rest: Vec<u8>,
    given: usize,
    /// Line that the next chunk begins in, from 1; 0 = nothing was read yet.
    line: u64,
    chunks: u64,
    /// Bytes of the file that earlier chunks account for.
    told_bytes: u64,
    finished: bool,
}

/// Whole records of a file.
pub struct Chunk {
    /// Number in the file, from 0.
    pub number: u64,
    /// The records.
    pub text: Arc<TextLines>,
    /// Bytes of the file, compressed as they are, that it accounts for.
    pub input_bytes: u64,
}

/// Whole records that were read.
struct Records {
    bytes: Vec<u8>,
    /// Ends of lines in them.
    lines: u64,
    /// Whether nothing follows.
    is_last: bool,
}

/// How a format cuts its records.
pub trait Cut {
    /// The end of the last whole record of bytes that begin with a record.
    fn end_of_records(&self, bytes: &[u8]) -> Option<usize>;
    /// How many bytes at the begin of the file are no records; called once, with the first chunk.
    fn begin_of_records(&self, bytes: &[u8]) -> Result<usize>;
}

impl TextFile {
    /// Only looks at length and first bytes; the file is opened when its first chunk is taken. `skip_lines` lines at its
    /// begin are no records. A chunk has no more than about `lines_max` lines, unless one record has.
    pub fn new(fs: &Fs, path: &Path, skip_lines: u64, lines_max: usize) -> Result<TextFile> {
        let reader = fs.open(path)?;
        let mut magic = [0; 2];
        if reader.read_at(0, &mut magic)? == magic.len() && magic == GZIP_MAGIC {
            return Err(Error::unsupported(format!(
                "cannot load {}: it is compressed with gzip; decompress it first, or compress it with zstd, which is read \
                 as it is",
                path.display()
            )));
        }
        let (path, size_bytes) = (path.into(), reader.size_bytes());
        Ok(TextFile { path, size_bytes, skip_lines, lines_max, row_counts: Arc::default(), state: Mutex::default() })
    }

    /// Its path.
    pub fn path(&self) -> &Arc<Path> {
        &self.path
    }

    /// Length of the file.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// An error about one line.
    pub fn error(&self, line: u64, rule: impl std::fmt::Display) -> Error {
        Error::invalid(format!("cannot load {}, line {line}: {rule}", self.path.display()))
    }

    /// The next records, or `None` at the end.
    pub fn take_chunk(&self, fs: &Fs, cut: &impl Cut) -> Result<Option<Chunk>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.finished {
            return Ok(None);
        }
        // Whoever comes after an error finds the end.
        state.finished = true;
        let Some(Records { mut bytes, lines, is_last }) = self.read_records(fs, &mut state, cut)? else {
            return Ok(None);
        };
        let mut line = state.line;
        state.line += lines;
        if state.chunks == 0 {
            let begin = cut.begin_of_records(&bytes)?;
            line += count(&bytes[..begin], b'\n');
            bytes.drain(..begin);
        }
        state.finished = is_last;
        let number = state.chunks;
        state.chunks += 1;
        let read_bytes = state.reader.as_ref().map_or(self.size_bytes, Reader::position);
        let input_bytes = read_bytes - std::mem::replace(&mut state.told_bytes, read_bytes);
        if is_last {
            state.reader = None;
        }
        let rows = self.row_counts.next_chunk();
        Ok(Some(Chunk { number, text: Arc::new(TextLines { bytes, first_line: line, rows }), input_bytes }))
    }

    fn read_records(&self, fs: &Fs, state: &mut State, cut: &impl Cut) -> Result<Option<Records>> {
        if let Some(records) = self.take_short_records(state, cut) {
            return Ok(Some(records));
        }
        let mut skip_lines = 0;
        let is_first = state.line == 0;
        if is_first {
            state.reader = Some(Reader::open(fs, &self.path)?);
            (state.line, skip_lines) = (1, self.skip_lines);
        }
        let mut bytes = std::mem::take(&mut state.rest);
        bytes.drain(..std::mem::take(&mut state.given));
        let mut at_begin = is_first;
        loop {
            let Some(reader) = &mut state.reader else { return Ok(None) };
            let is_last = reader.append(&mut bytes).map_err(|error| self.unreadable(error))?;
            if std::mem::take(&mut at_begin) && bytes.starts_with(BYTE_ORDER_MARK) {
                bytes.drain(..BYTE_ORDER_MARK.len());
            }
            let mut begin = 0;
            while skip_lines > 0 && begin < bytes.len() {
                match bytes[begin..].iter().position(|byte| *byte == b'\n') {
                    Some(length) => {
                        (begin, skip_lines, state.line) = (begin + length + 1, skip_lines - 1, state.line + 1)
                    }
                    None => begin = bytes.len(),
                }
            }
            bytes.drain(..begin);
            let lines = count(&bytes, b'\n');
            if lines > self.lines_max as u64 {
                state.rest = bytes;
                if let Some(records) = self.take_short_records(state, cut) {
                    return Ok(Some(records));
                }
                bytes = std::mem::take(&mut state.rest);
            }
            let end = if is_last { Some(bytes.len()) } else { cut.end_of_records(&bytes) };
            if let Some(end) = end {
                state.rest = bytes.split_off(end);
                let lines = lines - count(&state.rest, b'\n');
                return Ok((!bytes.is_empty()).then_some(Records { bytes, lines, is_last }));
            }
            if bytes.len() > RECORD_BYTES_MAX {
                let rule = format!("a record is longer than {RECORD_BYTES_MAX} bytes");
                return Err(self.error(state.line, format!("{rule}; a quote is not closed, most likely")));
            }
        }
    }

    /// Of what was read and not given yet, if it has more lines than a chunk may have.
    fn take_short_records(&self, state: &mut State, cut: &impl Cut) -> Option<Records> {
        let bytes = &state.rest[state.given..];
        let mut lines_max = self.lines_max;
        let end = loop {
            let end = end_of_lines(bytes, lines_max)?;
            if let Some(end) = cut.end_of_records(&bytes[..end]) {
                break end;
            }
            // One record of more lines.
            lines_max = lines_max.saturating_mul(2);
        };
        let bytes = bytes[..end].to_vec();
        state.given += end;
        Some(Records { lines: count(&bytes, b'\n'), bytes, is_last: false })
    }

    fn unreadable(&self, error: std::io::Error) -> Error {
        match error.downcast::<Error>() {
            Ok(error) => error,
            Err(error) => Error::invalid(format!("cannot load {}: {error}", self.path.display())).with_source(error),
        }
    }
}

/// The begin of a text file after some lines, about so many bytes, decompressed, without a line that is cut.
#[cfg(feature = "cli")]
pub fn first_lines(fs: &Fs, path: &Path, skip_lines: u64, bytes_max: usize) -> Result<Vec<u8>> {
    let mut reader = Reader::open(fs, path)?;
    let mut bytes = Vec::new();
    let is_last = reader.append(&mut bytes).map_err(|error| Error::io("read", path, error))?;
    let lines = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    let mut ends = lines.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(position, _)| position + 1);
    let begin = match skip_lines.checked_sub(1) {
        Some(last) => ends.nth(last as usize).unwrap_or(lines.len()),
        None => 0,
    };
    let rest = &lines[begin..];
    let rest = &rest[..rest.len().min(bytes_max)];
    let end = match is_last && rest.len() < bytes_max {
        true => rest.len(),
        false => rest.iter().rposition(|byte| *byte == b'\n').map_or(rest.len(), |position| position + 1),
    };
    Ok(rest[..end].to_vec())
}

/// Reads a file on from its begin, as it is or decompressed.
enum Reader {
    Plain(Sequential),
    Zstd(Box<zstd::Decoder<'static, std::io::BufReader<Sequential>>>),
}

impl Reader {
    fn open(fs: &Fs, path: &Path) -> Result<Reader> {
        let file = fs.open(path)?;
        let mut magic = [0; 4];
        let read = file.read_at(0, &mut magic)?;
        let sequential = Sequential { file, offset: 0 };
        if read < magic.len() || magic != ZSTD_MAGIC {
            return Ok(Reader::Plain(sequential));
        }
        let decoder = zstd::Decoder::new(sequential).map_err(|error| Error::io("decompress", path, error))?;
        Ok(Reader::Zstd(Box::new(decoder)))
    }

    /// Appends up to a chunk; `true` at the end of the file.
    fn append(&mut self, bytes: &mut Vec<u8>) -> std::io::Result<bool> {
        let begin = bytes.len();
        let room = match self {
            // One more than there is, to see the end.
            Reader::Plain(file) => CHUNK_BYTES.min(file.bytes_left().saturating_add(1)),
            Reader::Zstd(_) => CHUNK_BYTES,
        };
        bytes.resize(begin + room, 0);
        let mut read = 0;
        while read < room {
            let rest = &mut bytes[begin + read..];
            let more = match self {
                Reader::Plain(file) => file.read(rest)?,
                Reader::Zstd(decoder) => decoder.read(rest)?,
            };
            if more == 0 {
                break;
            }
            read += more;
        }
        bytes.truncate(begin + read);
        Ok(read < room)
    }

    fn position(&self) -> u64 {
        match self {
            Reader::Plain(file) => file.offset,
            Reader::Zstd(decoder) => decoder.get_ref().get_ref().offset,
        }
    }
}

struct Sequential {
    file: FileReader,
    offset: u64,
}

impl Sequential {
    fn bytes_left(&self) -> usize {
        usize::try_from(self.file.size_bytes().saturating_sub(self.offset)).unwrap_or(usize::MAX)
    }
}

impl Read for Sequential {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(self.offset, buffer).map_err(std::io::Error::other)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// Behind so many lines, at least one, if there are more.
fn end_of_lines(bytes: &[u8], lines: usize) -> Option<usize> {
    let mut ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(position, _)| position + 1);
    ends.nth(lines.saturating_sub(1)).filter(|end| *end < bytes.len())
}

/// How often a byte occurs.
pub fn count(bytes: &[u8], wanted: u8) -> u64 {
    // Few enough for a sum in one byte, which is many times faster than a wider one.
    let in_part = |part: &[u8]| part.iter().map(|byte| u8::from(*byte == wanted)).sum::<u8>();
    bytes.chunks(255).map(|part| u64::from(in_part(part))).sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::fs::SimFs;

    /// Records are lines, the first one is no record.
    struct Lines;

    impl Cut for Lines {
        fn end_of_records(&self, bytes: &[u8]) -> Option<usize> {
            bytes.iter().rposition(|byte| *byte == b'\n').map(|position| position + 1)
        }
        fn begin_of_records(&self, bytes: &[u8]) -> Result<usize> {
            Ok(bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |position| position + 1))
        }
    }

    /// The records with the line that each chunk begins in.
    fn read(bytes: &[u8], skip_lines: u64) -> Result<(String, Vec<u64>)> {
        read_by(bytes, skip_lines, usize::MAX)
    }

    fn read_by(bytes: &[u8], skip_lines: u64, lines_max: usize) -> Result<(String, Vec<u64>)> {
        let (fs, path) = (SimFs::new().fs(), Path::new("/f"));
        fs.replace(path, bytes)?;
        let file = TextFile::new(&fs, path, skip_lines, lines_max)?;
        let (mut text, mut lines, mut told_bytes) = (String::new(), Vec::new(), 0);
        while let Some(chunk) = file.take_chunk(&fs, &Lines)? {
            text.push_str(std::str::from_utf8(&chunk.text.bytes).unwrap());
            lines.push(chunk.text.first_line);
            told_bytes += chunk.input_bytes;
        }
        assert!(told_bytes == bytes.len() as u64 || text.is_empty());
        Ok((text, lines))
    }

    #[test]
    fn lines_are_skipped_also_beyond_a_chunk_and_numbers_stay_right() {
        assert_eq!(read(b"\xef\xbb\xbfa\nb\nc\nd", 0).unwrap(), ("b\nc\nd".to_owned(), vec![2]));
        assert_eq!(read(b"a\nb\nc\nd", 2).unwrap(), ("d".to_owned(), vec![4]));
        assert_eq!(read(b"a\nb", 7).unwrap(), (String::new(), vec![]));
        let long = [vec![b'x'; 3 * CHUNK_BYTES], b"\nhead\n1\n2\n".to_vec()].concat();
        assert_eq!(read(&long, 1).unwrap(), ("1\n2\n".to_owned(), vec![3]));
    }

    #[test]
    fn a_chunk_of_short_lines_has_no_more_of_them_than_wanted() {
        let lines = |range: std::ops::Range<u64>| range.map(|number| format!("{number}\n")).collect::<String>();
        assert_eq!(read_by(lines(0..8).as_bytes(), 1, 3).unwrap(), (lines(2..8), vec![3, 5, 8]));
        assert_eq!(read_by(lines(0..7).as_bytes(), 0, 3).unwrap(), (lines(1..7), vec![2, 4, 7]));
        assert_eq!(read_by(b"head\na\n\nb", 0, 1).unwrap(), ("a\n\nb".to_owned(), vec![2, 2, 3, 4]));
        // Also beyond what is read at a time, and in little time.
        let all = lines(0..2_500_000);
        assert!(all.len() > CHUNK_BYTES);
        let (text, begins) = read_by(all.as_bytes(), 0, 10_000).unwrap();
        assert!(text == all[2..] && begins.len() <= 252, "{}", begins.len());
    }

    #[test]
    fn millions_of_lines_are_skipped_without_moving_the_rest_for_each() {
        let lines = 4 << 20;
        let text = [vec![b'\n'; lines], b"head\n1\n".to_vec()].concat();
        assert_eq!(read(&text, lines as u64).unwrap(), ("1\n".to_owned(), vec![lines as u64 + 2]));
    }

    #[test]
    fn zstd_is_decompressed_damage_named_and_gzip_refused() {
        let text: String = (0..CHUNK_BYTES / 20).map(|number| format!("{number:020}\n")).collect();
        let mut bytes = zstd::encode_all(text.as_bytes(), 1).unwrap();
        let (found, lines) = read(&bytes, 0).unwrap();
        assert!(found == text[21..] && lines.len() > 1);
        let error = read(&bytes[..bytes.len() / 2], 0).unwrap_err().to_string();
        assert!(error.starts_with("cannot load /f: "), "{error}");
        let middle = bytes.len() / 2;
        bytes[middle..middle + 100].fill(0);
        assert!(read(&bytes, 0).is_err());
        assert!(read(b"\x1f\x8b\x08\0", 0).unwrap_err().to_string().contains("gzip"));
    }
}
