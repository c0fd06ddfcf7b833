//! Row groups of a Parquet file whose pages are looked at before they are decoded: the `parquet` crate sets aside room for as many
//! values as the header of a dictionary claims, whatever its page has.

use std::sync::Arc;

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader, RowGroups, RowSelection};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::basic::Type;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescriptor;

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
) -> Result<ParquetRecordBatchReader> {
    let Wanted { levels, row_groups, selection, batch_rows } = wanted;
    let groups = CheckedRowGroups { file: Arc::new(file), metadata: metadata.clone(), row_groups };
    // Room is made for a whole batch.
    let batch_rows = batch_rows.min(groups.num_rows());
    ParquetRecordBatchReader::try_new_with_row_groups(levels, &groups, batch_rows, selection)
}

struct CheckedRowGroups<T: ChunkReader> {
    file: Arc<T>,
    metadata: Arc<ParquetMetaData>,
    row_groups: Vec<usize>,
}

impl<T: ChunkReader + 'static> RowGroups for CheckedRowGroups<T> {
    fn num_rows(&self) -> usize {
        self.row_groups().fold(0, |rows, group| rows.saturating_add(usize::try_from(group.num_rows()).unwrap_or(0)))
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let (file, metadata) = (self.file.clone(), self.metadata.clone());
        Ok(Box::new(ColumnChunks { file, metadata, column, row_groups: self.row_groups.clone().into_iter() }))
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
}

impl<T: ChunkReader + 'static> Iterator for ColumnChunks<T> {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.row_groups.next()?;
        let group = self.metadata.row_group(index);
        let chunk = group.column(self.column);
        let rows = usize::try_from(group.num_rows()).unwrap_or(0);
        let of_group = self.metadata.offset_index().and_then(|groups| groups.get(index));
        let places = of_group.and_then(|columns| columns.get(self.column)).map(|column| column.page_locations.clone());
        let pages = SerializedPageReader::new(self.file.clone(), chunk, rows, places);
        let value_bytes = least_bytes(chunk.column_descr());
        Some(pages.map(|pages| Box::new(CheckedPages { pages, value_bytes }) as Box<dyn PageReader>))
    }
}

impl<T: ChunkReader + 'static> PageIterator for ColumnChunks<T> {}

/// The pages of a column chunk.
struct CheckedPages<T: ChunkReader> {
    pages: SerializedPageReader<T>,
    value_bytes: usize,
}

impl<T: ChunkReader + 'static> PageReader for CheckedPages<T> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.as_ref().map_or(Ok(()), |page| check(page, self.value_bytes))?;
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

fn check(page: &Page, value_bytes: usize) -> Result<()> {
    let Page::DictionaryPage { buf, num_values, .. } = page else { return Ok(()) };
    match (*num_values as usize).checked_mul(value_bytes) {
        Some(bytes) if bytes <= buf.len() => Ok(()),
        _ => Err(ParquetError::General(format!(
            "a dictionary of {num_values} values of at least {value_bytes} bytes has {} bytes",
            buf.len()
        ))),
    }
}

/// Of a value in a dictionary, whose encoding is always PLAIN.
fn least_bytes(column: &ColumnDescriptor) -> usize {
    match column.physical_type() {
        Type::BOOLEAN => 1,
        // A byte array has its length before it.
        Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        Type::FIXED_LEN_BYTE_ARRAY => usize::try_from(column.type_length()).unwrap_or(0).max(1),
    }
}
