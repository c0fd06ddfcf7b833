//! Sorting rows and writing them as segments of a rowset.

use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::fs::{Fs, SyncMode, TableLayout};
use crate::id::{RowsetId, SegmentName, TabletId};
use crate::rowset::sort::SortedRows;
use crate::schema::TableSchema;
use crate::segment::write_segment_from;
use crate::segment_meta::SegmentMeta;

/// Rows gathered and encoded at a time, and bytes of them, about.
const BATCH_ROWS: usize = 8192;
const BATCH_BYTES: usize = 16 << 20;

/// Writes the segments of one rowset of one tablet, numbered from 0.
pub struct RowsetWriter {
    fs: Fs,
    table: TableLayout,
    tablet: TabletId,
    rowset: RowsetId,
    schema: Arc<TableSchema>,
    clock: Clock,
    next_number: u32,
    segments: Vec<Arc<SegmentMeta>>,
}

impl RowsetWriter {
    /// For a fresh `rowset` id. The partition directory must exist.
    pub fn new(
        fs: &Fs,
        table: &TableLayout,
        tablet: TabletId,
        rowset: RowsetId,
        schema: &Arc<TableSchema>,
        clock: &Clock,
    ) -> RowsetWriter {
        RowsetWriter {
            fs: fs.clone(),
            table: table.clone(),
            tablet,
            rowset,
            schema: schema.clone(),
            clock: clock.clone(),
            next_number: 0,
            segments: Vec::new(),
        }
    }

    /// Numbers the segments from here on: for a rowset that several threads write.
    pub fn starting_at(mut self, number: u32) -> RowsetWriter {
        self.next_number = number;
        self
    }

    /// Sorts the rows by the sort key and writes them as one segment; nothing for no rows. After an error the partial
    /// file is removed as far as possible, and its number is not used again.
    pub fn write_sorted(&mut self, batches: Vec<RecordBatch>, sync: SyncMode) -> Result<()> {
        let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let batch_rows = BATCH_BYTES / (bytes / rows.max(1)).max(1);
        let sorted = SortedRows::new(&batches, &self.schema, batch_rows.clamp(1, BATCH_ROWS))?;
        if sorted.row_count() == 0 {
            return Ok(());
        }
        let TabletId { partition, bucket } = self.tablet;
        let number = self.next_number;
        let Some(after) = number.checked_add(1) else {
            return Err(Error::invalid(format!("rowset {} of tablet {} is full", self.rowset, self.tablet)));
        };
        self.next_number = after;
        let name = SegmentName { partition, bucket, rowset: self.rowset, number };
        let path = self.table.segment(&name);
        let segment = write_segment_from(&self.fs, &path, name, &self.schema, &self.clock, sync, |writer| {
            sorted.into_iter().try_for_each(|batch| writer.write(&batch?))
        })?;
        self.segments.push(Arc::new(segment));
        Ok(())
    }

    /// The segments written.
    pub fn finish(self) -> Vec<Arc<SegmentMeta>> {
        self.segments
    }
}
