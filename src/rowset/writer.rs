//! Sorting rows and writing them as segments of a rowset.

use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::clock::Clock;
use crate::error::Result;
use crate::fs::{Fs, SyncMode, TableLayout};
use crate::id::SegmentName;
use crate::rowset::sort::{Key, SortedRows};
use crate::schema::TableSchema;
use crate::segment::SegmentWriter;
use crate::segment_meta::SegmentMeta;

/// Rows gathered and encoded at a time, and bytes of them, about.
const BATCH_ROWS: usize = 8192;
const BATCH_BYTES: usize = 16 << 20;

/// Writes sorted segments of one tablet, one after the other. Rows that sort behind everything in the segment begun last
/// are appended to it.
pub struct RowsetWriter {
    fs: Fs,
    table: TableLayout,
    schema: Arc<TableSchema>,
    clock: Clock,
    sync: SyncMode,
    /// The segment begun last, and the key of its last row.
    open: Option<(SegmentWriter, Key)>,
}

impl RowsetWriter {
    /// For one tablet. The partition directory must exist.
    pub fn new(fs: &Fs, table: &TableLayout, schema: &Arc<TableSchema>, clock: &Clock, sync: SyncMode) -> RowsetWriter {
        RowsetWriter {
            fs: fs.clone(),
            table: table.clone(),
            schema: schema.clone(),
            clock: clock.clone(),
            sync,
            open: None,
        }
    }

    /// Sorts the rows by the sort key and writes them: to the open segment if they all sort behind its rows, else to a new
    /// one, for which `begin` gives a name never used before; then the segment that was open before is sealed and given.
    /// After an error the unsealed file is removed as far as possible.
    pub fn write(
        &mut self,
        batches: Vec<RecordBatch>,
        begin: impl FnOnce() -> Result<SegmentName>,
    ) -> Result<Option<Arc<SegmentMeta>>> {
        let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let batch_rows = (BATCH_BYTES / (bytes / rows.max(1)).max(1)).clamp(1, BATCH_ROWS);
        let sorted = SortedRows::new(&batches, &self.schema, batch_rows)?;
        let Some((first, last)) = sorted.ends()? else { return Ok(None) };
        let mut sealed = None;
        let mut writer = match self.open.take() {
            Some((writer, before)) if before.sorts_before(&first)? => writer,
            before => {
                if let Some((before, _)) = before {
                    sealed = Some(self.finish(before)?);
                }
                let name = begin()?;
                SegmentWriter::create(&self.fs, &self.table.segment(&name), name, &self.schema, &self.clock)?
            }
        };
        let written = sorted.into_iter().try_for_each(|batch| writer.write(&batch?));
        match written.and_then(|()| writer.end_row_group()) {
            Ok(()) => self.open = Some((writer, last)),
            Err(error) => {
                self.discard(writer.path());
                return Err(error);
            }
        }
        Ok(sealed)
    }

    /// Seals the open segment; `None` if nothing was written.
    pub fn seal(mut self) -> Result<Option<Arc<SegmentMeta>>> {
        self.open.take().map(|(writer, _)| self.finish(writer)).transpose()
    }

    fn finish(&self, writer: SegmentWriter) -> Result<Arc<SegmentMeta>> {
        let path = writer.path().to_owned();
        writer.finish(self.sync).map(Arc::new).inspect_err(|_| self.discard(&path))
    }

    fn discard(&self, path: &std::path::Path) {
        if let Err(error) = self.fs.remove_file(path) {
            // No log names it, so the collector takes it later.
            tracing::debug!(%error, "partial segment stays");
        }
    }
}
