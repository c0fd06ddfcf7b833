//! Parquet files whose footers and pages are looked at before they are decoded: the `parquet` crate sets aside room for as many row
//! groups, bytes and values as they claim, whatever they have.

mod chunk;
mod headers;
#[cfg(test)]
mod tests;
mod thrift;
mod values;

pub use chunk::dictionary_text_bytes;
pub use headers::{check_footer, check_metadata, check_page_indexes, check_page_places, load_metadata};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, RowGroups, RowSelection};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;

use crate::checked_parquet::chunk::CheckedChunk;
use crate::checked_parquet::values::Values;

/// What is decoded of a file.
pub struct Wanted<'a> {
    /// The columns.
    pub levels: &'a FieldLevels,
    /// In this order.
    pub row_groups: Vec<usize>,
    /// Of the rows of these row groups; `None` = all.
    pub selection: Option<RowSelection>,
    /// Most rows of a batch.
    pub batch_rows: usize,
    /// Whether another program may have written it. Ours has no texts that begin as the one before (DELTA_BYTE_ARRAY), of which a few
    /// bytes can become very many, and only codecs that make what the page claims and need no memory beside it.
    pub is_foreign: bool,
}

/// All columns of a file.
pub fn all_columns(metadata: &ArrowReaderMetadata) -> Result<FieldLevels> {
    parquet_to_arrow_field_levels(metadata.parquet_schema(), ProjectionMask::all(), Some(metadata.schema().fields()))
}

/// Decodes what is wanted of a file. Where the metadata have the pages' places, pages without selected rows are not touched.
pub fn record_batches<T: ChunkReader + 'static>(
    file: T,
    metadata: &Arc<ParquetMetaData>,
    wanted: Wanted<'_>,
) -> Result<Batches> {
    let Wanted { levels, row_groups, selection, batch_rows, is_foreign } = wanted;
    let groups = CheckedRowGroups { file: Arc::new(file), metadata: metadata.clone(), row_groups, is_foreign };
    // Room is made for a whole batch.
    let batch_rows = batch_rows.min(groups.num_rows());
    let reader = caught(|| ParquetRecordBatchReader::try_new_with_row_groups(levels, &groups, batch_rows, selection))?;
    Ok(Batches(Some(reader)))
}

/// Decoded batches; none after an error.
pub struct Batches(Option<ParquetRecordBatchReader>);

impl Iterator for Batches {
    type Item = std::result::Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = self.0.take()?;
        let next = caught(|| reader.next().transpose()).transpose()?;
        self.0 = next.is_ok().then_some(reader);
        Some(next)
    }
}

/// The result of work with `parquet`, which panics on some files whose parts do not fit each other. Only forged ones do that. What
/// panicked must not be used again.
pub fn caught<T, E: From<ParquetError>>(work: impl FnOnce() -> std::result::Result<T, E>) -> std::result::Result<T, E> {
    let damaged = || ParquetError::General("its parts do not fit each other".to_owned());
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(damaged().into()))
}

/// Bytes that may be set aside for so many bytes of a file, whatever these are.
fn allowance(bytes: usize) -> u64 {
    const FREE_BYTES: u64 = 16 << 20;
    const TIMES: u64 = 64;
    FREE_BYTES.saturating_add(TIMES.saturating_mul(bytes as u64))
}

/// Takes a number of variable length from the beginning.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn error(text: impl Into<String>) -> ParquetError {
    ParquetError::General(text.into())
}

struct CheckedRowGroups<T: ChunkReader> {
    file: Arc<T>,
    metadata: Arc<ParquetMetaData>,
    row_groups: Vec<usize>,
    is_foreign: bool,
}

impl<T: ChunkReader + 'static> RowGroups for CheckedRowGroups<T> {
    fn num_rows(&self) -> usize {
        self.row_groups().fold(0, |rows, group| rows.saturating_add(usize::try_from(group.num_rows()).unwrap_or(0)))
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let (file, metadata, is_foreign) = (self.file.clone(), self.metadata.clone(), self.is_foreign);
        let row_groups = self.row_groups.clone().into_iter();
        Ok(Box::new(ColumnChunks { file, metadata, column, row_groups, is_foreign }))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(self.row_groups.iter().map(|index| self.metadata.row_group(*index)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

/// The pages of one column in each row group.
struct ColumnChunks<T: ChunkReader> {
    file: Arc<T>,
    metadata: Arc<ParquetMetaData>,
    column: usize,
    row_groups: std::vec::IntoIter<usize>,
    is_foreign: bool,
}

impl<T: ChunkReader + 'static> Iterator for ColumnChunks<T> {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.row_groups.next()?;
        let group = self.metadata.row_group(index);
        let chunk = group.column(self.column);
        let codec = chunk.compression();
        if !self.is_foreign && !is_frugal(codec) {
            return Some(Err(error(format!("no file of ours has the codec {codec}"))));
        }
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let of_group = self.metadata.offset_index().and_then(|groups| groups.get(index));
        let places = of_group.and_then(|columns| columns.get(self.column)).map(|column| column.page_locations.clone());
        let file = CheckedChunk::new(self.file.clone(), codec, places.is_some());
        let pages = SerializedPageReader::new(Arc::new(file), chunk, rows, places);
        let values = Values::new(group, chunk, self.is_foreign);
        Some(pages.map(|pages| Box::new(CheckedPages { pages, values }) as Box<dyn PageReader>))
    }
}

impl<T: ChunkReader + 'static> PageIterator for ColumnChunks<T> {}

/// Gzip and Brotli make more than a page claims, Brotli may want 1 GiB to remember what it repeats, and LZ4 is one of three formats.
fn is_frugal(codec: Compression) -> bool {
    use Compression::{LZ4_RAW, SNAPPY, UNCOMPRESSED, ZSTD};
    matches!(codec, UNCOMPRESSED | SNAPPY | LZ4_RAW | ZSTD(_))
}

/// The pages of a column chunk.
struct CheckedPages<T: ChunkReader> {
    pages: SerializedPageReader<CheckedChunk<T>>,
    values: Values,
}

impl<T: ChunkReader + 'static> PageReader for CheckedPages<T> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.as_ref().map_or(Ok(()), |page| self.values.check(page))?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

impl<T: ChunkReader + 'static> Iterator for CheckedPages<T> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
