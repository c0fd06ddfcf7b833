//! How the values of a segment become bytes: encodings, codec, sizes of row groups and pages. What was measured to choose
//! them is in `docs/architecture.md`, "Encodings".

use arrow::datatypes::Schema;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding, Type as PhysicalType, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};

use crate::schema::TableSchema;

/// How rows are grouped; constant outside of tests.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Rows of a row group: what a scan prunes and decodes at a time, and what a writer keeps encoded in memory.
    pub row_group_rows: usize,
    /// Rows of a page at most: what the page index prunes.
    pub page_rows: usize,
}

/// Rows of a row group of a table whose rows are not wide.
pub const ROW_GROUP_ROWS: usize = 256 << 10;
pub(super) const SHAPE: Shape = Shape { row_group_rows: ROW_GROUP_ROWS, page_rows: 20_000 };
/// Encoded bytes of a row group, for tables with wide rows.
pub const ROW_GROUP_BYTES: usize = 128 << 20;
/// Encoded bytes of a page before compression, about.
const PAGE_BYTES: usize = 256 << 10;
/// Values encoded between two looks at the size of a page and of a dictionary.
const WRITE_BATCH_ROWS: usize = 1024;
/// Bytes of a value that page and row group bounds keep.
const BOUND_BYTES: usize = 64;
/// Above it a dictionary of numbers costs more than it saves: the rest of the column chunk is encoded as differences.
const NUMBER_DICTIONARY_BYTES: usize = 16 << 10;
/// The same of texts, whose values are longer.
const TEXT_DICTIONARY_BYTES: usize = 128 << 10;
const ZSTD_LEVEL: i32 = 1;

/// How the Parquet writer is set up for a table. Each column chunk begins with a dictionary and goes on without one when
/// that grows too large:
///
/// - integers, dates, times, decimals of at most 18 digits: as differences, packed to as few bits as a run of 32 needs
///   (DELTA_BINARY_PACKED), without a codec, which would find nothing more and has to be undone at every scan;
/// - texts and binaries: all lengths, then all bytes (DELTA_LENGTH_BYTE_ARRAY), Zstandard;
/// - all others: plain, Zstandard.
pub(super) fn properties(
    schema: &TableSchema,
    arrow_schema: &Schema,
    shape: Shape,
) -> Result<WriterProperties, ParquetError> {
    let leaves = schema.first_leaves();
    let sorting = schema.sort_key.iter().filter_map(|id| schema.index_of(*id)).map(|index| SortingColumn {
        column_idx: leaves[index] as i32,
        descending: false,
        nulls_first: true,
    });
    let sorting: Vec<SortingColumn> = sorting.collect();
    let builder = WriterProperties::builder()
        .set_created_by(concat!("stele ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_dictionary_enabled(true)
        .set_dictionary_page_size_limit(NUMBER_DICTIONARY_BYTES)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(shape.row_group_rows))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_data_page_row_count_limit(shape.page_rows)
        .set_write_batch_size(shape.page_rows.min(WRITE_BATCH_ROWS))
        .set_column_index_truncate_length(Some(BOUND_BYTES))
        .set_statistics_truncate_length(Some(BOUND_BYTES))
        .set_bloom_filter_enabled(false)
        .set_sorting_columns((!sorting.is_empty()).then_some(sorting));
    Ok(encodings(builder, arrow_schema)?.build())
}

/// Sets what differs from column to column; the leaves are those that the writer will have.
fn encodings(
    mut builder: WriterPropertiesBuilder,
    arrow_schema: &Schema,
) -> Result<WriterPropertiesBuilder, ParquetError> {
    for leaf in ArrowSchemaConverter::new().convert(arrow_schema)?.columns() {
        let path = || leaf.path().clone();
        builder = match leaf.physical_type() {
            PhysicalType::INT32 | PhysicalType::INT64 => builder
                .set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED)
                .set_column_compression(path(), Compression::UNCOMPRESSED),
            PhysicalType::BYTE_ARRAY => builder
                .set_column_encoding(path(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
                .set_column_dictionary_page_size_limit(path(), TEXT_DICTIONARY_BYTES),
            _ => builder,
        };
    }
    Ok(builder)
}
