//! CSV input: a file is cut at ends of records into chunks, which several threads parse straight into typed columns.
//!
//! RFC 4180 with any one-byte separator and quote; lines end with LF or CRLF; a UTF-8 byte order mark is skipped. A field
//! is quoted as a whole or not at all, so that the end of a record can be told by counting quotes. A quoted field is
//! never NULL. Lines without any byte are skipped, except in a table of one column, where they are an empty field.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};

use crate::error::{Error, Result};
use crate::fs::{FileReader, Fs};
use crate::load::convert::match_columns;
use crate::load::csv_records::{FieldEnd, Records};
use crate::load::misfit::Misfit;
use crate::load::place::{Place, TextLines};
use crate::load::rejects::Rejects;
use crate::load::rules;
use crate::load::text::TextColumn;
use crate::schema::TableSchema;

/// Bytes read at a time and parsed into one batch.
const CHUNK_BYTES: usize = 2 << 20;
/// Longest record; a quote that is never closed is found by it.
const RECORD_BYTES_MAX: usize = 16 << 20;

/// How CSV files are read.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// use steledb::load::{CsvOptions, LoadOptions, LoadSource};
/// let path = dir.path().join("orders.csv");
/// std::fs::write(&path, "id\n1\n2\n")?;
/// let semicolons = CsvOptions { separator: b';', ..CsvOptions::default() };
/// orders.load(LoadSource::Csv(vec![path], semicolons), &LoadOptions::default())?;
/// assert_eq!(orders.scan().count()?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// Whether the first line of each file names the columns; without it they come in table order.
    pub header: bool,
    /// Separator, one byte.
    pub separator: u8,
    /// Quote, one byte; doubled inside quotes.
    pub quote: u8,
    /// Text that means NULL where the column allows it; an unquoted empty field by default.
    pub null_text: String,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions { header: true, separator: b',', quote: b'"', null_text: String::new() }
    }
}

impl CsvOptions {
    /// Separator and quote must be different ASCII characters that end no line.
    pub(crate) fn check(&self) -> Result<()> {
        let usable = |byte: u8| byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0);
        if usable(self.separator) && usable(self.quote) && self.separator != self.quote {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "CSV separator {:?} and quote {:?} must be two different ASCII characters and no line ends",
            char::from(self.separator),
            char::from(self.quote)
        )))
    }
}

/// One file being read; chunks are taken under a lock and parsed outside it.
pub struct CsvFile {
    options: CsvOptions,
    schema: Arc<TableSchema>,
    path: Arc<Path>,
    size_bytes: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    reader: Option<FileReader>,
    offset: u64,
    /// The begin of a record whose end was not read yet.
    rest: Vec<u8>,
    /// Line that the next chunk begins in, from 1; 0 = nothing was read yet.
    line: u64,
    chunks: u64,
    /// For each field its column in the table.
    columns: Arc<[usize]>,
    finished: bool,
}

/// Whole records of a file.
pub struct CsvChunk {
    /// Number in the file.
    pub number: u64,
    text: Arc<TextLines>,
    columns: Arc<[usize]>,
}

impl CsvChunk {
    /// Bytes of the file.
    pub fn size_bytes(&self) -> u64 {
        self.text.bytes.len() as u64
    }
}

impl CsvFile {
    /// Only looks at the length; the file is opened when its first chunk is taken.
    pub fn new(fs: &Fs, path: &Path, schema: &Arc<TableSchema>, options: &CsvOptions) -> Result<CsvFile> {
        let size_bytes = fs.open(path)?.size_bytes();
        if size_bytes == 0 && options.header {
            // What an export that failed leaves is not taken for one without rows.
            return Err(Error::invalid(format!(
                "cannot load {}: it is empty, expected a first line that names the columns; leave the file out, or load \
                 it without a header",
                path.display()
            )));
        }
        Ok(CsvFile {
            options: options.clone(),
            schema: schema.clone(),
            path: path.into(),
            size_bytes,
            state: Mutex::default(),
        })
    }

    /// Length of the file.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The next records, or `None` at the end.
    pub fn take_chunk(&self, fs: &Fs) -> Result<Option<CsvChunk>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.finished {
            return Ok(None);
        }
        let Some((mut bytes, mut line)) = self.read_records(fs, &mut state)? else {
            return Ok(None);
        };
        if state.chunks == 0 {
            let begin = self.read_header(&bytes, &mut state)?;
            line += count(&bytes[..begin], b'\n');
            bytes.drain(..begin);
        }
        let number = state.chunks;
        state.chunks += 1;
        let text = Arc::new(TextLines { bytes, first_line: line });
        Ok(Some(CsvChunk { number, text, columns: state.columns.clone() }))
    }

    fn read_records(&self, fs: &Fs, state: &mut State) -> Result<Option<(Vec<u8>, u64)>> {
        if state.line == 0 {
            state.reader = Some(fs.open(&self.path)?);
            state.line = 1;
        }
        let Some(reader) = &state.reader else { return Ok(None) };
        let mut bytes = std::mem::take(&mut state.rest);
        loop {
            let begin = bytes.len();
            bytes.resize(begin + CHUNK_BYTES, 0);
            let mut read = 0;
            while read < CHUNK_BYTES {
                match reader.read_at(state.offset, &mut bytes[begin + read..])? {
                    0 => break,
                    more => {
                        read += more;
                        state.offset += more as u64;
                    }
                }
            }
            bytes.truncate(begin + read);
            let end = if read < CHUNK_BYTES { Some(bytes.len()) } else { end_of_records(&bytes, self.options.quote) };
            if let Some(end) = end {
                if read < CHUNK_BYTES {
                    state.finished = true;
                    state.reader = None;
                }
                state.rest = bytes.split_off(end);
                let line = state.line;
                state.line += count(&bytes, b'\n');
                return Ok((!bytes.is_empty()).then_some((bytes, line)));
            }
            if bytes.len() > RECORD_BYTES_MAX {
                return Err(self.error(
                    state.line,
                    format!("a record is longer than {RECORD_BYTES_MAX} bytes; a quote is not closed, most likely"),
                ));
            }
        }
    }

    /// Finds the columns and gives the bytes to skip.
    fn read_header(&self, bytes: &[u8], state: &mut State) -> Result<usize> {
        const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
        let skip = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        if !self.options.header {
            state.columns = (0..self.schema.columns.len()).collect();
            return Ok(skip);
        }
        let mut records = self.records(&bytes[skip..], 1)?;
        let mut names = Vec::new();
        while let Some(field) = records.next_field().map_err(|rule| self.error(1, rule))? {
            names.push(field.text.into_owned());
            if field.end == FieldEnd::Record {
                break;
            }
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        state.columns = match_columns(&self.schema, &names, &self.path.display().to_string())?.into();
        Ok(skip + records.position())
    }

    /// Parses a chunk; the batch has the table's columns that the file has. The place names the line of each row.
    pub fn parse(&self, chunk: &CsvChunk, rejects: &Rejects) -> Result<(RecordBatch, Place)> {
        let mut records = self.records(&chunk.text.bytes, chunk.text.first_line)?;
        let rows_about = chunk.text.bytes.len() / (chunk.columns.len() * 8).max(16);
        let mut builders: Vec<TextColumn> = chunk
            .columns
            .iter()
            .map(|column| TextColumn::new(self.schema.columns[*column].data_type, rows_about))
            .collect();
        let mut lines = Vec::with_capacity(rows_about);
        let mut misfits = Vec::new();
        while records.skip_empty_lines(chunk.columns.len() > 1) {
            let row = lines.len();
            lines.push(records.line());
            if let Some(misfit) = self.parse_record(&mut records, row, chunk, &mut builders)? {
                // The row stays until all are there, so that the columns keep their length.
                builders.iter_mut().filter(|builder| builder.len() == row).for_each(TextColumn::push_null);
                misfits.push(misfit);
            }
        }
        let rows = lines.len();
        let columns = builders.into_iter().map(TextColumn::finish).collect::<Vec<_>>();
        let fields = chunk.columns.iter().zip(&columns).map(|(column, array)| {
            Field::new(self.schema.columns[*column].name.as_str(), array.data_type().clone(), true)
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema, columns, &options)
            .map_err(|error| self.error(chunk.text.first_line, error.to_string()))?;
        rejects.leave_out(batch, Place::Lines(self.path.clone(), lines, chunk.text.clone()), misfits)
    }

    /// Parses one record; a misfit, and the rest of it is skipped, if it does not fit.
    fn parse_record(
        &self,
        records: &mut Records<'_>,
        row: usize,
        chunk: &CsvChunk,
        builders: &mut [TextColumn],
    ) -> Result<Option<Misfit>> {
        let line = records.line();
        let expected = builders.len();
        let wrong_count = |found: usize, more: &str| {
            Misfit::of_row(row, format!("expected {expected} fields and found {found}{more}"))
        };
        for (index, (builder, column)) in builders.iter_mut().zip(chunk.columns.iter()).enumerate() {
            let Some(field) = records.next_field().map_err(|rule| self.error(line, rule))? else {
                return Ok(Some(wrong_count(index, "")));
            };
            let column = &self.schema.columns[*column];
            let last = index + 1 == expected;
            let misfit = if !field.quoted && column.nullable && field.text == self.options.null_text {
                builder.push_null();
                None
            } else if !builder.push(&field.text) {
                Some(rules::misfit_of(&field.text, row, column))
            } else {
                None
            };
            let misfit = misfit.or_else(|| match field.end {
                FieldEnd::Record if !last => Some(wrong_count(index + 1, "")),
                FieldEnd::Separator if last => Some(wrong_count(expected, " or more")),
                _ => None,
            });
            if misfit.is_some() {
                if field.end == FieldEnd::Separator {
                    records.skip_record().map_err(|rule| self.error(line, rule))?;
                }
                return Ok(misfit);
            }
        }
        Ok(None)
    }

    fn records<'a>(&self, bytes: &'a [u8], line: u64) -> Result<Records<'a>> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Records::new(text, line, self.options.separator, self.options.quote)),
            Err(error) => {
                let line = line + count(&bytes[..error.valid_up_to()], b'\n');
                Err(self.error(line, "it is not UTF-8; convert the file first".to_owned()))
            }
        }
    }

    fn error(&self, line: u64, rule: String) -> Error {
        Error::invalid(format!("cannot load {}, line {line}: {rule}", self.path.display()))
    }
}

/// The end of the last whole record.
fn end_of_records(bytes: &[u8], quote: u8) -> Option<usize> {
    if count(bytes, quote) == 0 {
        return bytes.iter().rposition(|byte| *byte == b'\n').map(|position| position + 1);
    }
    let (mut quoted, mut end) = (false, None);
    for (position, byte) in bytes.iter().enumerate() {
        if *byte == quote {
            quoted = !quoted;
        } else if *byte == b'\n' && !quoted {
            end = Some(position + 1);
        }
    }
    end
}

fn count(bytes: &[u8], wanted: u8) -> u64 {
    bytes.iter().filter(|byte| **byte == wanted).count() as u64
}

#[cfg(test)]
mod tests;
