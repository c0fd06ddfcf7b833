//! Writing a segment: Parquet with block checksums, digest, statistics and fingerprints made in the same pass.

use std::path::Path;

use arrow::array::RecordBatch;

use crate::clock::Clock;
use crate::error::Result;
use crate::fs::{Fs, SyncMode};
use crate::id::SegmentName;
use crate::schema::TableSchema;
use crate::segment_meta::SegmentMeta;

/// A segment being written under a name nobody has published yet.
pub struct SegmentWriter {}

impl SegmentWriter {
    /// Creates the file at `path`, which must not exist.
    pub fn create(
        _fs: &Fs,
        _path: &Path,
        _name: SegmentName,
        _schema: &TableSchema,
        _clock: &Clock,
    ) -> Result<SegmentWriter> {
        todo!()
    }

    /// Appends rows; columns as `TableSchema::to_arrow`, already in sort order.
    pub fn write(&mut self, _batch: &RecordBatch) -> Result<()> {
        todo!()
    }

    /// Memory held by open encoders, in bytes.
    pub fn memory_bytes(&self) -> usize {
        todo!()
    }

    /// Bytes that the finished file will have, about.
    pub fn size_bytes_estimate(&self) -> u64 {
        todo!()
    }

    /// Seals the file. The name still needs a sync of its directory, and with `SyncMode::Batch` the contents too.
    pub fn finish(self, _sync: SyncMode) -> Result<SegmentMeta> {
        todo!()
    }
}

/// Writes all batches (in sort order) as one segment; at least one row.
pub fn write_segment(
    _fs: &Fs,
    _path: &Path,
    _name: SegmentName,
    _schema: &TableSchema,
    _clock: &Clock,
    _batches: &[RecordBatch],
    _sync: SyncMode,
) -> Result<SegmentMeta> {
    todo!()
}
