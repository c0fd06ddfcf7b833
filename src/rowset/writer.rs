//! Sorting rows and writing them as segments of a rowset.

use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::clock::Clock;
use crate::error::Result;
use crate::fs::{Fs, SyncMode, TableLayout};
use crate::id::{RowsetId, TabletId};
use crate::schema::TableSchema;
use crate::segment_meta::SegmentMeta;

/// Writes the segments of one rowset of one tablet, numbered from 0.
pub struct RowsetWriter {}

impl RowsetWriter {
    /// For a fresh `rowset` id. The partition directory must exist.
    pub fn new(
        _fs: &Fs,
        _table: &TableLayout,
        _tablet: TabletId,
        _rowset: RowsetId,
        _schema: &Arc<TableSchema>,
        _clock: &Clock,
    ) -> RowsetWriter {
        todo!()
    }

    /// Sorts the rows by the sort key and writes them as one segment; nothing for no rows.
    pub fn write_sorted(&mut self, _batches: Vec<RecordBatch>, _sync: SyncMode) -> Result<()> {
        todo!()
    }

    /// The segments written.
    pub fn finish(self) -> Vec<Arc<SegmentMeta>> {
        todo!()
    }
}

/// All rows in the order of the sort key (NULLs first, ascending, stable), in batches of at most `batch_rows`.
pub fn sort_batches(_batches: &[RecordBatch], _schema: &TableSchema, _batch_rows: usize) -> Result<Vec<RecordBatch>> {
    todo!()
}
