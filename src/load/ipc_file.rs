//! Arrow IPC input, file and stream format: the messages of a file are found first, then read and decoded several at once.
//!
//! Arrow's decoder trusts lengths and enumerations that stand in the file, so everything it would trust is checked before
//! (`ipc_check`). In a stream a dictionary holds for the batches after it, in a file for all.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::convert::fb_to_schema;
use arrow::ipc::reader::{read_dictionary, read_footer_length, read_record_batch};
use arrow::ipc::{Block, Message, MessageHeader, root_as_footer, root_as_message};

use crate::error::{Error, Result};
use crate::fs::{FileReader, Fs};
use crate::load::convert::Converter;
use crate::load::defaults::Defaults;
use crate::load::ipc_check::{check_batch, check_schema, dictionary_type};
use crate::load::ipc_dictionaries::{DecodedDictionaries, Dictionaries, DictionaryMessages, Needed};
use crate::schema::TableSchema;

/// Longest message without its body, and longest footer.
const METADATA_BYTES_MAX: u64 = 64 << 20;
/// Longest body of a message, and of all dictionaries of a batch: a batch is in memory as a whole.
const BODY_BYTES_MAX: u64 = 1 << 30;
const MAGIC: &[u8; 6] = b"ARROW1";
const CONTINUATION: [u8; 4] = [0xff; 4];
/// The mark of a stream's end and what may fill it up.
const END_BYTES_MAX: usize = 64;
/// Length of the magic bytes at the end of a file and the footer's length before them.
const TRAILER_BYTES: u64 = 10;

const NOT_ARROW: &str = "it is no Arrow IPC file and no stream of it";

/// One input file.
pub struct IpcFile {
    /// Its path.
    pub path: Arc<Path>,
    /// Its columns against the table's.
    pub converter: Converter,
    reader: FileReader,
    found: Found,
}

/// What a file has.
struct Found {
    schema: SchemaRef,
    batches: Vec<Batch>,
    dictionaries: DictionaryMessages,
}

/// A record batch of it.
struct Batch {
    span: Span,
    first_row: u64,
    rows: u64,
    dictionaries: Arc<Needed>,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Its begin.
    pub offset: u64,
    /// With the length in front of it.
    metadata_bytes: u64,
    body_bytes: u64,
}

/// Why a file cannot be read, without its name.
type Rule<T> = Result<T, String>;

impl IpcFile {
    /// Finds the messages and matches the columns.
    pub fn open(
        fs: &Fs,
        path: &Path,
        schema: &Arc<TableSchema>,
        arrow: &SchemaRef,
        defaults: &Defaults,
    ) -> Result<IpcFile> {
        let messages = Messages { reader: fs.open(path)? };
        let refused = |rule: String| Error::invalid(format!("cannot load {}: {rule}", path.display()));
        let found = messages.find().map_err(refused)?;
        let converter = Converter::of_schema(schema, arrow, &found.schema, defaults, &path.display().to_string())?;
        Ok(IpcFile { path: path.into(), converter, reader: messages.reader, found })
    }

    /// For each batch its rows and bytes.
    pub fn sizes(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.found.batches.iter().map(|batch| (batch.rows, batch.span.metadata_bytes + batch.span.body_bytes))
    }

    /// Decodes a batch; with the number of its first row in the file, from 1. The dictionaries may be of any batch before.
    pub fn read(&self, index: usize, dictionaries: &mut DecodedDictionaries) -> Result<(RecordBatch, u64)> {
        let Found { schema, batches, dictionaries: all } = &self.found;
        let batch = &batches[index];
        let messages = Messages { reader: self.reader.clone() };
        let mut decode = || -> Rule<RecordBatch> {
            let metadata = messages.metadata(&batch.span)?;
            let message = message(&metadata)?;
            let header = message.header_as_record_batch().ok_or("a message is no record batch")?;
            let read = |span: &Span, bytes_max, decoded: &mut Dictionaries| {
                messages.read_dictionary(span, schema, bytes_max, decoded)
            };
            let dictionaries = dictionaries.bring_up(&self.path, (all, &batch.dictionaries), BODY_BYTES_MAX, read)?;
            let body = messages.body(&batch.span)?;
            check_batch(&header, schema.fields(), &body, BODY_BYTES_MAX)?;
            read_record_batch(&body, header, schema.clone(), dictionaries, None, &message.version()).map_err(damaged)
        };
        let decoded = decode().map_err(|rule| {
            Error::invalid(format!("cannot load {}, batch {}: {rule}", self.path.display(), index + 1))
        })?;
        Ok((decoded, batch.first_row))
    }
}

/// The columns of a file.
#[cfg(feature = "cli")]
pub fn ipc_schema(fs: &Fs, path: &Path) -> Result<SchemaRef> {
    let messages = Messages { reader: fs.open(path)? };
    let found = messages.find().map_err(|rule| Error::invalid(format!("cannot load {}: {rule}", path.display())))?;
    Ok(found.schema)
}

/// The messages of a file.
struct Messages {
    reader: FileReader,
}

impl Messages {
    fn find(&self) -> Rule<Found> {
        let mut begin = [0; MAGIC.len()];
        let is_file = self.reader.size_bytes() >= begin.len() as u64 && {
            self.read(0, &mut begin)?;
            begin == *MAGIC
        };
        if is_file { self.find_in_file() } else { self.find_in_stream() }
    }

    fn find_in_file(&self) -> Rule<Found> {
        let size = self.reader.size_bytes();
        let mut trailer = [0; TRAILER_BYTES as usize];
        let trailer_offset = size.checked_sub(TRAILER_BYTES).ok_or("it is cut off")?;
        self.read(trailer_offset, &mut trailer)?;
        let length = read_footer_length(trailer).map_err(|_| "it ends without an Arrow footer: it is cut off")? as u64;
        let offset = trailer_offset.checked_sub(length).filter(|_| length <= METADATA_BYTES_MAX);
        let offset = offset.ok_or_else(|| format!("a footer of {length} bytes is impossible"))?;
        let mut footer = vec![0; length as usize];
        self.read(offset, &mut footer)?;
        let footer = root_as_footer(&footer).map_err(|error| format!("its footer is damaged: {error}"))?;
        let schema = footer.schema().ok_or("its footer has no schema")?;
        check_schema(&schema)?;
        let schema = Arc::new(fb_to_schema(schema));
        let mut messages = Found::new(schema);
        for block in footer.dictionaries().into_iter().flatten() {
            let span = self.span(block)?;
            messages.add_dictionary(span, &message(&self.metadata(&span)?)?)?;
        }
        for block in footer.recordBatches().into_iter().flatten() {
            let span = self.span(block)?;
            messages.add_batch(span, &message(&self.metadata(&span)?)?)?;
        }
        Ok(messages)
    }

    fn find_in_stream(&self) -> Rule<Found> {
        let size = self.reader.size_bytes();
        let (mut offset, mut found) = (0, None);
        while offset < size {
            let Some(metadata_bytes) = self.next_metadata_bytes(offset)? else {
                self.check_end(offset)?;
                break;
            };
            // What begins with an impossible length is something else, most likely.
            let begin = self.checked(Span { offset, metadata_bytes, body_bytes: 0 });
            let mut span = begin.map_err(|rule| if offset == 0 { NOT_ARROW.to_owned() } else { rule })?;
            let metadata = self.metadata(&span)?;
            let message = message(&metadata)?;
            span.body_bytes = u64::try_from(message.bodyLength()).map_err(|_| "a body has a negative length")?;
            let span = self.checked(span)?;
            offset = span.offset + span.metadata_bytes + span.body_bytes;
            match (&mut found, message.header_type()) {
                (None, MessageHeader::Schema) => {
                    let header = message.header_as_schema().ok_or("its schema is damaged")?;
                    check_schema(&header)?;
                    found = Some(Found::new(Arc::new(fb_to_schema(header))));
                }
                (Some(found), MessageHeader::DictionaryBatch) => found.add_dictionary(span, &message)?,
                (Some(found), MessageHeader::RecordBatch) => found.add_batch(span, &message)?,
                (_, kind) => return Err(format!("a message of kind {kind:?} stands where none can be")),
            }
        }
        found.ok_or_else(|| NOT_ARROW.to_owned())
    }

    /// After the mark of the end, 4 or 8 bytes at this offset, there may be zeros, no other stream.
    fn check_end(&self, offset: u64) -> Rule<()> {
        let rest = self.reader.size_bytes() - offset;
        let mut bytes = [0; END_BYTES_MAX];
        let bytes = &mut bytes[..usize::try_from(rest).unwrap_or(usize::MAX).min(END_BYTES_MAX)];
        self.read(offset, bytes)?;
        let rest_is_zero = bytes.strip_prefix(&CONTINUATION).unwrap_or(bytes).iter().all(|byte| *byte == 0);
        match rest_is_zero && rest <= END_BYTES_MAX as u64 {
            true => Ok(()),
            false => {
                Err(format!("{rest} bytes follow the end of the stream at offset {offset}: load each stream by itself"))
            }
        }
    }

    /// Length of the next message of a stream without its body; none at the end of the stream.
    fn next_metadata_bytes(&self, offset: u64) -> Rule<Option<u64>> {
        let mut prefix = [0; 8];
        self.read(offset, &mut prefix[..4])?;
        let mut prefix_bytes = 4;
        if prefix[..4] == CONTINUATION {
            self.read(offset + 4, &mut prefix[4..])?;
            prefix_bytes = 8;
        }
        let length =
            [prefix[prefix_bytes - 4], prefix[prefix_bytes - 3], prefix[prefix_bytes - 2], prefix[prefix_bytes - 1]];
        match u64::from(u32::from_le_bytes(length)) {
            0 => Ok(None),
            length => Ok(Some(prefix_bytes as u64 + length)),
        }
    }

    /// Adds values to those decoded before; gives the bytes that they take, which may be more than `bytes_max` if they lie
    /// in the file as they are.
    fn read_dictionary(
        &self,
        span: &Span,
        schema: &SchemaRef,
        bytes_max: u64,
        dictionaries: &mut Dictionaries,
    ) -> Rule<u64> {
        let metadata = self.metadata(span)?;
        let message = message(&metadata)?;
        let header = message.header_as_dictionary_batch().ok_or("a message is no dictionary")?;
        let field = dictionary_type(schema, header.id())
            .ok_or_else(|| format!("no column has the dictionary {}", header.id()))?;
        let values = header.data().ok_or("a dictionary has no values")?;
        let body = self.body(span)?;
        let bytes = check_batch(&values, &[field].into(), &body, bytes_max)?;
        read_dictionary(&body, header, schema, dictionaries, &message.version()).map_err(damaged)?;
        Ok(bytes)
    }

    fn span(&self, block: &Block) -> Rule<Span> {
        let number = |number: i64| u64::try_from(number).map_err(|_| format!("{number} is no place in a file"));
        self.checked(Span {
            offset: number(block.offset())?,
            metadata_bytes: number(block.metaDataLength().into())?,
            body_bytes: number(block.bodyLength())?,
        })
    }

    /// Lengths come from the file: they are held against it before memory is set aside.
    fn checked(&self, span: Span) -> Rule<Span> {
        let Span { offset, metadata_bytes, body_bytes } = span;
        let end = offset.checked_add(metadata_bytes).and_then(|end| end.checked_add(body_bytes));
        if end.is_none_or(|end| end > self.reader.size_bytes()) {
            return Err(format!(
                "a message of {metadata_bytes} + {body_bytes} bytes at offset {offset} does not lie in a file of {} bytes: \
                 it is cut off or damaged",
                self.reader.size_bytes()
            ));
        }
        if metadata_bytes > METADATA_BYTES_MAX || body_bytes > BODY_BYTES_MAX {
            return Err(format!(
                "a message of {metadata_bytes} + {body_bytes} bytes is longer than {METADATA_BYTES_MAX} + \
                 {BODY_BYTES_MAX}: write the file with smaller batches"
            ));
        }
        Ok(span)
    }

    fn metadata(&self, span: &Span) -> Rule<Vec<u8>> {
        let mut bytes = vec![0; span.metadata_bytes as usize];
        self.read(span.offset, &mut bytes)?;
        Ok(bytes)
    }

    fn body(&self, span: &Span) -> Rule<Buffer> {
        let mut bytes = vec![0; span.body_bytes as usize];
        self.read(span.offset + span.metadata_bytes, &mut bytes)?;
        Ok(Buffer::from_vec(bytes))
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> Rule<()> {
        self.reader.read_exact_at(offset, bytes).map_err(|error| error.to_string())
    }
}

impl Found {
    fn new(schema: SchemaRef) -> Found {
        Found { schema, batches: Vec::new(), dictionaries: DictionaryMessages::default() }
    }

    fn add_batch(&mut self, span: Span, message: &Message<'_>) -> Rule<()> {
        let header = message.header_as_record_batch().ok_or("a message is no record batch")?;
        let rows = u64::try_from(header.length()).map_err(|_| "a batch has a negative number of rows")?;
        let first_row = self.batches.last().map_or(1, |batch| batch.first_row.saturating_add(batch.rows));
        self.batches.push(Batch { span, first_row, rows, dictionaries: self.dictionaries.needed() });
        Ok(())
    }

    fn add_dictionary(&mut self, span: Span, message: &Message<'_>) -> Rule<()> {
        let header = message.header_as_dictionary_batch().ok_or("a message is no dictionary")?;
        self.dictionaries.add(header.id(), header.isDelta(), span)
    }
}

/// The message after its length.
fn message(metadata: &[u8]) -> Rule<Message<'_>> {
    let prefix = if metadata.starts_with(&CONTINUATION) { 8 } else { 4 };
    let message = metadata.get(prefix..).ok_or("a message is cut off")?;
    root_as_message(message).map_err(|error| format!("a message is damaged: {error}"))
}

fn damaged(error: ArrowError) -> String {
    format!("it is damaged: {error}")
}

#[cfg(test)]
mod tests;
