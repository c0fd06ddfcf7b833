//! The footer of a segment: parsed from a tail whose checksum was right, then held against the table log and schema.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::checked_parquet::{caught, check_footer, check_metadata, check_page_indexes, check_page_places};
use crate::error::{Error, Result};
use crate::schema::{TableSchema, with_text_views};
use crate::segment::BlockTable;
use crate::segment::blocks::BLOCKS_KEY;
use crate::segment::file::{CheckedFile, MAGIC_BYTES, RawFile};
use crate::segment_meta::SegmentMeta;

/// A parsed footer.
pub(super) struct Footer {
    pub arrow: ArrowReaderMetadata,
    pub blocks: Arc<BlockTable>,
    /// Whether `arrow` has the page indexes.
    has_page_index: bool,
    /// The columns that were decoded last.
    decoded: Mutex<Vec<DecodedColumns>>,
    /// The schema that the columns were last held against, and its Arrow form.
    fits: Mutex<Option<(Arc<TableSchema>, SchemaRef)>>,
}

/// Columns as a decoder needs them.
struct DecodedColumns {
    positions: Vec<usize>,
    text_views: bool,
    levels: Arc<FieldLevels>,
}

/// A scan has those of its predicate, those asked for, and both; several scans may read a segment.
const DECODED_COLUMNS_MAX: usize = 6;

impl Footer {
    fn new(arrow: ArrowReaderMetadata, blocks: Arc<BlockTable>, has_page_index: bool) -> Footer {
        Footer { arrow, blocks, has_page_index, decoded: Mutex::default(), fits: Mutex::default() }
    }

    /// Reads and checks the tail, and parses what is in it without the page indexes.
    pub fn read(raw: &RawFile, meta: &SegmentMeta) -> Result<Footer> {
        let path = raw.path.as_path();
        let tail = raw.tail_bytes(meta.tail)?;
        let offset = meta.tail.offset;
        let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
        let parsed = check_footer(&tail).and_then(|()| {
            caught(|| {
                reader.try_parse_sized(&tail, raw.size_bytes)?;
                reader.finish()
            })
        });
        let metadata = parsed.map_err(|error| parquet_error(path, error))?;
        check_metadata(&metadata, offset).map_err(|error| parquet_error(path, error))?;
        check_rows(path, &metadata, meta)?;
        check_ranges(path, &metadata, offset)?;
        let blocks = block_table(path, &metadata, offset)?;
        let arrow = caught(|| to_arrow(metadata)).map_err(|error| parquet_error(path, error))?;
        Ok(Footer::new(arrow, Arc::new(blocks), false))
    }

    /// The same with the page indexes, which only a predicate needs; they are in the tail, which is checked again. `None` if this
    /// one has them.
    pub fn read_page_index(&self, file: &CheckedFile) -> Result<Option<Footer>> {
        if self.has_page_index {
            return Ok(None);
        }
        let tail = file.tail_bytes()?;
        let mut reader = ParquetMetaDataReader::new_with_metadata(ParquetMetaData::clone(self.arrow.metadata()))
            .with_page_index_policy(PageIndexPolicy::Optional);
        let parsed = check_page_indexes(self.arrow.metadata(), &tail, file.size_bytes()).and_then(|()| {
            caught(|| {
                reader.read_page_indexes_sized(&tail, file.size_bytes())?;
                let metadata = reader.finish()?;
                check_page_places(&metadata)?;
                to_arrow(metadata)
            })
        });
        let arrow = parsed.map_err(|error| parquet_error(file.path(), error))?;
        Ok(Some(Footer::new(arrow, self.blocks.clone(), true)))
    }

    /// The Arrow form of a schema that the columns are those of; else an error.
    pub fn check_columns(&self, path: &Path, schema: &Arc<TableSchema>) -> Result<SchemaRef> {
        let mut fits = self.fits.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, arrow)) = &*fits
            && Arc::ptr_eq(known, schema)
        {
            return Ok(arrow.clone());
        }
        check_columns(path, &self.arrow, schema)?;
        let arrow = schema.to_arrow();
        *fits = Some((schema.clone(), arrow.clone()));
        Ok(arrow)
    }

    /// The columns at these positions for a decoder that gives text as views, or as it is. The last few are kept: who looks up
    /// rows decodes the same columns of many row groups.
    pub fn levels(&self, positions: &[usize], text_views: bool) -> std::result::Result<Arc<FieldLevels>, ParquetError> {
        let mut known = self.decoded.lock().unwrap_or_else(PoisonError::into_inner);
        let is_asked = |known: &&DecodedColumns| known.positions == positions && known.text_views == text_views;
        if let Some(DecodedColumns { levels, .. }) = known.iter().find(is_asked) {
            return Ok(levels.clone());
        }
        let parquet = self.arrow.parquet_schema();
        let mask = ProjectionMask::roots(parquet, positions.iter().copied());
        let arrow = if text_views { with_text_views(self.arrow.schema()) } else { self.arrow.schema().clone() };
        let levels = Arc::new(parquet_to_arrow_field_levels(parquet, mask, Some(arrow.fields()))?);
        if known.len() == DECODED_COLUMNS_MAX {
            known.remove(0);
        }
        known.push(DecodedColumns { positions: positions.to_vec(), text_views, levels: levels.clone() });
        Ok(levels)
    }

    /// Bytes in memory, about.
    pub fn memory_bytes(&self) -> usize {
        /// Schemas, as Arrow and its decoder have them, and what holds it all together.
        const SCHEMA_BYTES_OF_COLUMN: usize = 1024;
        let columns = self.arrow.schema().fields().len() * SCHEMA_BYTES_OF_COLUMN;
        self.arrow.metadata().memory_size() + self.blocks.crc32.len() * size_of::<u32>() + columns
    }
}

fn to_arrow(metadata: ParquetMetaData) -> std::result::Result<ArrowReaderMetadata, ParquetError> {
    ArrowReaderMetadata::try_new(Arc::new(metadata), ArrowReaderOptions::new().with_skip_arrow_metadata(true))
}

fn check_rows(path: &Path, metadata: &ParquetMetaData, meta: &SegmentMeta) -> Result<()> {
    let in_file = metadata.file_metadata().num_rows();
    let in_groups = metadata.row_groups().iter().try_fold(0i64, |sum, group| match group.num_rows() {
        rows if rows > 0 => sum.checked_add(rows),
        _ => None,
    });
    if in_groups != Some(in_file) || u64::try_from(in_file).ok() != Some(meta.rows) || meta.rows == 0 {
        return Err(corrupt(
            path,
            format!("{} rows", meta.rows),
            format!("{in_file} in the footer, {in_groups:?} in its row groups"),
        ));
    }
    Ok(())
}

/// Every column chunk lies in the part that blocks cover.
fn check_ranges(path: &Path, metadata: &ParquetMetaData, covered_bytes: u64) -> Result<()> {
    for chunk in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        let range = chunk_range(chunk);
        if !range.is_some_and(|(start, end)| MAGIC_BYTES <= start && start <= end && end <= covered_bytes) {
            return Err(corrupt(
                path,
                format!("column chunks within {MAGIC_BYTES}..{covered_bytes}"),
                format!("{range:?} for {}", chunk.column_path()),
            ));
        }
    }
    Ok(())
}

/// Where a column chunk begins and ends. As `ColumnChunkMetaData::byte_range`, which panics on negative numbers.
pub(crate) fn chunk_range(chunk: &ColumnChunkMetaData) -> Option<(u64, u64)> {
    let start = u64::try_from(chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset())).ok()?;
    let size = u64::try_from(chunk.compressed_size()).ok()?;
    Some((start, start.checked_add(size)?))
}

fn block_table(path: &Path, metadata: &ParquetMetaData, covered_bytes: u64) -> Result<BlockTable> {
    let entries = metadata.file_metadata().key_value_metadata();
    let text = entries.into_iter().flatten().find(|entry| entry.key == BLOCKS_KEY);
    let text = text.and_then(|entry| entry.value.as_deref());
    let Some(text) = text else {
        return Err(corrupt(path, format!("{BLOCKS_KEY} in the metadata"), "none".to_owned()));
    };
    BlockTable::decode(text, covered_bytes).map_err(|error| error.context(format!("segment {}", path.display())))
}

/// The columns are those of the table, in order, by id, name, type and nullability.
fn check_columns(path: &Path, arrow: &ArrowReaderMetadata, schema: &TableSchema) -> Result<()> {
    let roots = arrow.parquet_schema().root_schema().get_fields();
    let fields = arrow.schema().fields();
    let leaves: usize = schema.columns.iter().map(|column| column.data_type.leaf_count()).sum();
    let as_many = roots.len() == schema.columns.len() && fields.len() == roots.len();
    if !as_many || arrow.parquet_schema().num_columns() != leaves {
        return Err(corrupt(path, format!("{} columns", schema.columns.len()), format!("{}", roots.len())));
    }
    for ((root, field), column) in roots.iter().zip(fields).zip(&schema.columns) {
        let info = root.get_basic_info();
        let id = info.has_id().then(|| info.id());
        let same = id.and_then(|id| u32::try_from(id).ok()) == Some(column.id.get())
            && field.name() == column.name.as_str()
            && *field.data_type() == column.data_type.to_arrow()
            && field.is_nullable() == column.nullable;
        if !same {
            let null = |nullable| if nullable { "NULL" } else { "NOT NULL" };
            return Err(corrupt(
                path,
                format!("column {} {} {} {}", column.id, column.name, column.data_type, null(column.nullable)),
                format!("{id:?} {} {} {}", field.name(), field.data_type(), null(field.is_nullable())),
            ));
        }
    }
    Ok(())
}

fn corrupt(path: &Path, expected: String, found: String) -> Error {
    Error::corrupt(format!("segment {}: expected {expected}, found {found}", path.display()))
}

/// The bytes were what the log says, so this is a segment that another program wrote, or a fault of ours.
pub(super) fn parquet_error(path: &Path, error: ParquetError) -> Error {
    Error::corrupt(format!("segment {}: expected a Parquet footer, found: {error}", path.display())).with_source(error)
}
