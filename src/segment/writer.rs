//! Writing a segment: Parquet with block checksums, digest, statistics and fingerprints made in the same pass.

use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;

use crate::clock::Clock;
use crate::delta::encode_stats;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{Fs, SyncMode};
use crate::id::{ColumnId, Name, SegmentName};
use crate::limits::{ROW_VALUES_MAX, SEGMENT_TAIL_BYTES_MAX};
use crate::schema::{ColumnFingerprints, TableSchema, fingerprint_batch};
use crate::segment::blocks::BLOCKS_KEY;
use crate::segment::encoding::{SHAPE, Shape, properties};
use crate::segment::sink::ChecksummedFile;
use crate::segment::zone_map::ZoneMap;
use crate::segment_meta::{SegmentMeta, SegmentSummary};

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
    pub fn create_shaped(
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
        let properties = properties(schema, &arrow_schema, shape).map_err(|error| write_error(path, error))?;
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
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
        for (column, array) in self.schema.columns.iter().zip(batch.columns()) {
            check_rows(&self.path, &column.name, array)?;
        }
        self.zone_map.update(&batch);
        self.fingerprints.add(&fingerprint_batch(&batch, &self.ids)?);
        self.rows += batch.num_rows() as u64;
        self.writer.write(&batch).map_err(|error| write_error(&self.path, error))
    }

    /// Ends the row group, so that nothing of it stays in memory until more rows come.
    pub fn end_row_group(&mut self) -> Result<()> {
        self.writer.flush().map_err(|error| write_error(&self.path, error))?;
        self.writer.sync().map_err(|error| Error::io("write", &self.path, error))?;
        self.writer.inner_mut().write_out().map_err(|error| Error::io("write", &self.path, error))
    }

    /// Where it is written.
    pub fn path(&self) -> &Path {
        &self.path
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
            sealed_ms: self.clock.now_ms(),
            summary: SegmentSummary::new(
                &self.fingerprints.columns,
                &encode_stats(&self.zone_map.finish(), &self.schema),
            ),
        })
    }
}

/// No row has more values of a column than is read again.
fn check_rows(path: &Path, column: &Name, array: &ArrayRef) -> Result<()> {
    let is_long = |array: &dyn Array| values_at_most(array) > ROW_VALUES_MAX;
    match is_long(array) && (0..array.len()).any(|row| is_long(&array.slice(row, 1))) {
        false => Ok(()),
        true => Err(Error::invalid(format!(
            "rows for {}: column {column} has a row of more than {ROW_VALUES_MAX} values: split its lists",
            path.display()
        ))),
    }
}

/// Values of one leaf that the rows have, or some more: an empty list counts as one.
fn values_at_most(array: &dyn Array) -> u64 {
    let of_entries = |entries: &dyn Array, offsets: &[i32]| {
        let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
        values_at_most(&entries.slice(first, last - first))
    };
    let within = match array.data_type() {
        DataType::List(_) => of_entries(array.as_list::<i32>().values(), array.as_list::<i32>().value_offsets()),
        DataType::Map(..) => of_entries(array.as_map().entries(), array.as_map().value_offsets()),
        DataType::Struct(_) => array.as_struct().columns().iter().map(|field| values_at_most(field)).max().unwrap_or(0),
        _ => 0,
    };
    within.saturating_add(array.len() as u64)
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
    let mut writer = SegmentWriter::create(fs, path, name, schema, clock)?;
    let written = batches.iter().try_for_each(|batch| writer.write(batch));
    let result = written.and_then(|()| writer.finish(sync));
    if result.is_err()
        && let Err(error) = fs.remove_file(path)
    {
        tracing::debug!(%error, "partial segment stays");
    }
    result
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
