//! CSV input: the records of a text file, parsed straight into typed columns.
//!
//! RFC 4180 with any one-byte separator and quote; lines end with LF or CRLF; a UTF-8 byte order mark is skipped. A field
//! is quoted as a whole or not at all, so that the end of a record can be told by counting quotes. A quoted field is
//! never NULL, and in a column declared NOT NULL no empty field is. Lines without any byte are skipped, except in a table of one column, where they are an empty field.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};

use crate::error::{Error, Result};
use crate::fs::Fs;
use crate::load::convert::match_columns;
use crate::load::csv_options::CsvOptions;
use crate::load::csv_records::{FieldEnd, Records};
use crate::load::misfit::Misfit;
use crate::load::pieces::rows_at_once;
use crate::load::place::{Place, RecordStart};
use crate::load::rejects::Rejects;
use crate::load::rules;
use crate::load::text::{TextColumn, TextFormats};
use crate::load::text_file::{Chunk, Cut, TextFile, count};
use crate::schema::TableSchema;

const NOT_TEXT: &str = "it is not UTF-8; convert the file first";

/// One file being read.
pub struct CsvFile {
    file: TextFile,
    reading: CsvReading,
}

/// What parsing a file needs.
struct CsvReading {
    options: CsvOptions,
    formats: TextFormats,
    schema: Arc<TableSchema>,
    path: Arc<Path>,
    /// For each field its column in the table; known once the first chunk was taken.
    columns: OnceLock<Vec<usize>>,
}

impl CsvFile {
    /// Only looks at the length; the file is opened when its first chunk is taken.
    pub fn new(fs: &Fs, path: &Path, schema: &Arc<TableSchema>, options: &CsvOptions) -> Result<CsvFile> {
        let file = TextFile::new(fs, path, options.skip_lines, rows_at_once(schema))?;
        if file.size_bytes() == 0 && options.header {
            // What an export that failed leaves is not taken for one without rows.
            return Err(Error::invalid(format!(
                "cannot load {}: it is empty, expected a first line that names the columns; leave the file out, or load \
                 it without a header",
                path.display()
            )));
        }
        let formats = TextFormats::new(options.date_format.as_deref(), options.datetime_format.as_deref())?;
        let reading = CsvReading {
            options: options.clone(),
            formats,
            schema: schema.clone(),
            path: file.path().clone(),
            columns: OnceLock::new(),
        };
        Ok(CsvFile { file, reading })
    }

    /// Length of the file.
    pub fn size_bytes(&self) -> u64 {
        self.file.size_bytes()
    }

    /// The next records, or `None` at the end.
    pub fn take_chunk(&self, fs: &Fs) -> Result<Option<Chunk>> {
        self.file.take_chunk(fs, &self.reading)
    }

    /// Parses a chunk; the batch has the table's columns that the file has. The place names the line of each row.
    pub fn parse(&self, chunk: &Chunk, rejects: &Rejects) -> Result<(RecordBatch, Place)> {
        let CsvReading { formats, schema, columns, .. } = &self.reading;
        let columns = columns.get().map_or(&[][..], Vec::as_slice);
        let bytes = &chunk.text.bytes;
        let text = as_text(bytes);
        let is_text = matches!(text, Cow::Borrowed(_));
        let mut records = Records::new(&text, chunk.text.first_line, self.reading.options.dialect());
        let rows_about = bytes.len() / (columns.len() * 8).max(16);
        let mut builders: Vec<TextColumn> = columns
            .iter()
            .map(|column| TextColumn::new(&schema.columns[*column].data_type, rows_about).with_formats(formats))
            .collect();
        let mut starts = Vec::with_capacity(rows_about);
        let mut misfits = Vec::new();
        while records.skip_empty_lines(columns.len() > 1) {
            let row = starts.len();
            let lines = (records.line() - chunk.text.first_line) as u32;
            let begin = records.position();
            starts.push(RecordStart { lines, offset: begin as u32 });
            let mut misfit = self.reading.parse_record(&mut records, row, columns, &mut builders)?;
            if !is_text && std::str::from_utf8(&bytes[begin..records.position()]).is_err() {
                misfit = Some(Misfit::of_row(row, NOT_TEXT));
            }
            if let Some(misfit) = misfit {
                // The row stays until all are there, so that the columns keep their length.
                builders.iter_mut().filter(|builder| builder.len() == row).for_each(TextColumn::push_null);
                misfits.push(misfit);
            }
        }
        let rows = starts.len();
        chunk.text.rows.tell(rows);
        let arrays = builders.into_iter().map(TextColumn::finish).collect::<Vec<_>>();
        let fields = columns
            .iter()
            .zip(&arrays)
            .map(|(column, array)| Field::new(schema.columns[*column].name.as_str(), array.data_type().clone(), true));
        let fields = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(fields, arrays, &options)
            .map_err(|error| self.file.error(chunk.text.first_line, error))?;
        rejects.leave_out(batch, Place::Lines(self.file.path().clone(), starts, chunk.text.clone()), misfits)
    }
}

impl CsvReading {
    /// Parses one record; a misfit, and the rest of it is skipped, if it does not fit.
    fn parse_record(
        &self,
        records: &mut Records<'_>,
        row: usize,
        columns: &[usize],
        builders: &mut [TextColumn],
    ) -> Result<Option<Misfit>> {
        let line = records.line();
        let expected = builders.len();
        let wrong_count = |found: usize, more: &str| {
            Misfit::of_row(row, format!("expected {expected} fields and found {found}{more}"))
        };
        for (index, (builder, column)) in builders.iter_mut().zip(columns).enumerate() {
            let Some(field) = records.next_field().map_err(|rule| self.error(line, rule))? else {
                return Ok(Some(wrong_count(index, "")));
            };
            let column = &self.schema.columns[*column];
            let last = index + 1 == expected;
            let may_be_null = !field.quoted && (column.nullable || !self.options.null_text.is_empty());
            let misfit = if may_be_null && field.text == self.options.null_text {
                builder.push_null();
                (!column.nullable).then(|| rules::null_of(row, column))
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

    /// The columns of a file by their names, or all in table order.
    fn match_names(&self, names: &[String]) -> Result<Vec<usize>> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match_columns(&self.schema, &names, &self.path.display().to_string())
    }

    fn error(&self, line: u64, rule: impl std::fmt::Display) -> Error {
        Error::invalid(format!("cannot load {}, line {line}: {rule}", self.path.display()))
    }
}

impl Cut for CsvReading {
    fn end_of_records(&self, bytes: &[u8]) -> Option<usize> {
        let dialect = self.options.dialect();
        // The byte that stands for no quote may well be in bytes that are not checked to be text yet.
        if self.options.quote.is_none() {
            return bytes.iter().rposition(|byte| *byte == b'\n').map(|position| position + 1);
        }
        if dialect.escape == dialect.quote {
            return end_by_quotes(bytes, dialect.quote);
        }
        let (mut quoted, mut escaped, mut end) = (false, false, None);
        for (position, byte) in bytes.iter().enumerate() {
            if std::mem::take(&mut escaped) {
                continue;
            }
            if quoted && *byte == dialect.escape {
                escaped = true;
            } else if *byte == dialect.quote {
                quoted = !quoted;
            } else if *byte == b'\n' && !quoted {
                end = Some(position + 1);
            }
        }
        end
    }

    /// Finds the columns and skips the header.
    fn begin_of_records(&self, bytes: &[u8]) -> Result<usize> {
        let (mut names, mut begin) = (Vec::new(), 0);
        if self.options.header {
            let text = as_text(bytes);
            let line = self.options.skip_lines + 1;
            let mut records = Records::new(&text, line, self.options.dialect());
            while let Some(field) = records.next_field().map_err(|rule| self.error(records.line(), rule))? {
                names.push(field.text.into_owned());
                if field.end == FieldEnd::Record {
                    break;
                }
            }
            begin = records.position();
            std::str::from_utf8(&bytes[..begin]).map_err(|_| self.error(line, NOT_TEXT))?;
        }
        let columns = match (&self.options.columns, self.options.header) {
            (Some(names), _) => self.match_names(names)?,
            (None, true) => self.match_names(&names)?,
            (None, false) => (0..self.schema.columns.len()).collect(),
        };
        // Called once for a file.
        let _ = self.columns.set(columns);
        Ok(begin)
    }
}

/// Where bytes are no UTF-8 there is a character for each that is no separator, quote or end of a line, so that records and
/// fields stay in their place.
fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for part in bytes.utf8_chunks() {
        text.push_str(part.valid());
        text.extend(part.invalid().iter().map(|_| '\0'));
    }
    Cow::Owned(text)
}

/// Where only doubled quotes stand for quotes, every quote opens or closes, and their number tells how the bytes end.
fn end_by_quotes(bytes: &[u8], quote: u8) -> Option<usize> {
    let mut quoted = count(bytes, quote) % 2 == 1;
    let end = bytes.iter().rposition(|byte| {
        quoted ^= *byte == quote;
        *byte == b'\n' && !quoted
    });
    end.map(|position| position + 1)
}

#[cfg(test)]
mod tests;
