//! Writing a segment: Parquet with block checksums, digest, statistics and fingerprints made in the same pass.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::clock::Clock;
use crate::delta::encode_stats;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{Fs, SyncMode};
use crate::id::{ColumnId, SegmentName};
use crate::limits::SEGMENT_TAIL_BYTES_MAX;
use crate::schema::{ColumnFingerprints, TableSchema, fingerprint_batch};
use crate::segment::blocks::BLOCKS_KEY;
use crate::segment::sink::ChecksummedFile;
use crate::segment::zone_map::ZoneMap;
use crate::segment_meta::SegmentMeta;

/// How rows are grouped; constant outside of tests.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Rows of a row group: what a scan prunes and decodes at a time, and what a writer keeps encoded in memory.
    pub row_group_rows: usize,
    /// Rows of a page at most: what the page index prunes.
    pub page_rows: usize,
}

const SHAPE: Shape = Shape { row_group_rows: 256 << 10, page_rows: 20_000 };
/// Encoded bytes of a row group, for tables with wide rows.
pub const ROW_GROUP_BYTES: usize = 128 << 20;
/// Encoded bytes of a page before compression, about.
const PAGE_BYTES: usize = 256 << 10;
/// Values encoded between two looks at the size of a page.
const WRITE_BATCH_ROWS: usize = 1024;
/// Bytes of a value that page and row group bounds keep.
const BOUND_BYTES: usize = 64;
const ZSTD_LEVEL: i32 = 1;

/// A segment being written under a name nobody has published yet.
pub struct SegmentWriter {
    name: SegmentName,
    path: PathBuf,
    schema: TableSchema,
    arrow_schema: SchemaRef,
    ids: Vec<ColumnId>,
    clock: Clock,
    writer: ArrowWriter<ChecksummedFile>,
    zone_map: ZoneMap,
    fingerprints: ColumnFingerprints,
    rows: u64,
}

impl SegmentWriter {
    /// Creates the file at `path`, which must not exist.
    pub fn create(
        fs: &Fs,
        path: &Path,
        name: SegmentName,
        schema: &TableSchema,
        clock: &Clock,
    ) -> Result<SegmentWriter> {
        SegmentWriter::create_shaped(fs, path, name, schema, clock, SHAPE)
    }

    /// As `create`, with other sizes of row groups and pages.
    pub(super) fn create_shaped(
        fs: &Fs,
        path: &Path,
        name: SegmentName,
        schema: &TableSchema,
        clock: &Clock,
        shape: Shape,
    ) -> Result<SegmentWriter> {
        let arrow_schema = schema.to_arrow();
        // The Arrow schema is not embedded: every type comes back from its Parquet type, and foreign readers shall
        // see what we see.
        let options =
            ArrowWriterOptions::new().with_properties(properties(schema, shape)?).with_skip_arrow_metadata(true);
        let sink = ChecksummedFile::new(fs.create_file(path)?);
        let writer = ArrowWriter::try_new_with_options(sink, arrow_schema.clone(), options)
            .map_err(|error| write_error(path, error))?;
        Ok(SegmentWriter {
            name,
            path: path.to_owned(),
            schema: schema.clone(),
            arrow_schema,
            ids: schema.columns.iter().map(|column| column.id).collect(),
            clock: clock.clone(),
            writer,
            zone_map: ZoneMap::new(schema),
            fingerprints: ColumnFingerprints::default(),
            rows: 0,
        })
    }

    /// Appends rows; columns as `TableSchema::to_arrow`, already in sort order.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        // Made anew with our schema, which checks types and NULLs of NOT NULL columns.
        let batch = RecordBatch::try_new(self.arrow_schema.clone(), batch.columns().to_vec()).map_err(|error| {
            Error::invalid(format!("rows for {} do not fit the table: {error}", self.path.display())).with_source(error)
        })?;
        self.zone_map.update(&batch);
        self.fingerprints.add(&fingerprint_batch(&batch, &self.ids)?);
        self.rows += batch.num_rows() as u64;
        self.writer.write(&batch).map_err(|error| write_error(&self.path, error))
    }

    /// Seals the file. The name still needs a sync of its directory, and with `SyncMode::Batch` the contents too.
    pub fn finish(mut self, sync: SyncMode) -> Result<SegmentMeta> {
        if self.rows == 0 {
            return Err(Error::invalid(format!("segment {} has no rows: write at least one", self.path.display())));
        }
        let path = self.path;
        // The row groups end here; page indexes and footer follow when the writer is finished. The Parquet writer
        // buffers, so what it holds has to reach the sink first.
        self.writer.flush().map_err(|error| write_error(&path, error))?;
        self.writer.sync().map_err(|error| Error::io("write", &path, error))?;
        let blocks = self.writer.inner_mut().end_row_groups();
        self.writer.append_key_value_metadata(KeyValue::new(BLOCKS_KEY.to_owned(), blocks.encode()));
        self.writer.finish().map_err(|error| write_error(&path, error))?;
        let checksums = self.writer.inner_mut().finish(sync)?;

        let tail_bytes = checksums.size_bytes - checksums.tail.offset;
        if tail_bytes > SEGMENT_TAIL_BYTES_MAX {
            return Err(Error::invalid(format!(
                "the footer of segment {} would have {tail_bytes} bytes, at most {SEGMENT_TAIL_BYTES_MAX}: write fewer \
                 rows into a segment",
                path.display()
            )));
        }
        assert_eq!(self.fingerprints.rows, self.rows, "every row is in the fingerprints");
        Ok(SegmentMeta {
            name: self.name,
            size_bytes: checksums.size_bytes,
            rows: self.rows,
            digest: checksums.digest,
            tail: checksums.tail,
            fingerprints: self.fingerprints,
            sealed_ms: self.clock.now_ms(),
            stats: encode_stats(&self.zone_map.finish(), &self.schema).into(),
        })
    }
}

/// Writes all batches (in sort order) as one segment; at least one row. After an error the partial file is removed as
/// far as possible.
#[cfg(test)]
pub fn write_segment(
    fs: &Fs,
    path: &Path,
    name: SegmentName,
    schema: &TableSchema,
    clock: &Clock,
    batches: &[RecordBatch],
    sync: SyncMode,
) -> Result<SegmentMeta> {
    write_segment_from(fs, path, name, schema, clock, sync, |writer| {
        batches.iter().try_for_each(|batch| writer.write(batch))
    })
}

/// As [`write_segment`], with the rows given one after another by `fill`.
pub fn write_segment_from(
    fs: &Fs,
    path: &Path,
    name: SegmentName,
    schema: &TableSchema,
    clock: &Clock,
    sync: SyncMode,
    fill: impl FnOnce(&mut SegmentWriter) -> Result<()>,
) -> Result<SegmentMeta> {
    let mut writer = SegmentWriter::create(fs, path, name, schema, clock)?;
    let result = fill(&mut writer).and_then(|()| writer.finish(sync));
    if result.is_err()
        && let Err(error) = fs.remove_file(path)
    {
        // No log names it, so the collector takes it later.
        tracing::debug!(%error, "partial segment stays");
    }
    result
}

fn properties(schema: &TableSchema, shape: Shape) -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(ZSTD_LEVEL)
        .map_err(|error| Error::invalid(format!("zstd level {ZSTD_LEVEL}")).with_source(error))?;
    let sorting = schema.sort_key.iter().filter_map(|id| schema.index_of(*id)).map(|index| SortingColumn {
        column_idx: index as i32,
        descending: false,
        nulls_first: true,
    });
    let sorting: Vec<SortingColumn> = sorting.collect();
    Ok(WriterProperties::builder()
        .set_created_by(concat!("stele ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_dictionary_enabled(true)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(shape.row_group_rows))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_data_page_row_count_limit(shape.page_rows)
        // The limits of a page are looked at after each so many values.
        .set_write_batch_size(shape.page_rows.min(WRITE_BATCH_ROWS))
        .set_column_index_truncate_length(Some(BOUND_BYTES))
        .set_statistics_truncate_length(Some(BOUND_BYTES))
        .set_bloom_filter_enabled(false)
        .set_sorting_columns((!sorting.is_empty()).then_some(sorting))
        .build())
}

/// The Parquet writer fails only with what the file below it said, or where we break a rule of its own.
fn write_error(path: &Path, error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(error) => Error::io("write", path, *error),
            Err(source) => Error::new(ErrorKind::Io, format!("cannot write {}: {source}", path.display())),
        },
        other => Error::new(ErrorKind::Io, format!("cannot write {}", path.display())).with_source(other),
    }
}
