//! Reading a segment: length and tail checked before anything is parsed, each block once before its bytes are used.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::error::Result;
use crate::fs::Fs;
use crate::id::ColumnId;
use crate::predicate::BoundPredicate;
use crate::schema::TableSchema;
use crate::segment::ReadCounters;
use crate::segment_meta::SegmentMeta;

/// How the bytes are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Memory-mapped: fastest; an I/O error of the disk ends the process.
    #[default]
    Map,
    /// Positioned reads: an I/O error is an error.
    Read,
}

/// An open segment; `Send + Sync`, shared by the scans of it.
pub struct SegmentReader {}

/// What to read of a segment.
#[derive(Clone)]
pub struct SegmentScanOptions {
    /// Columns to give, in this order.
    pub projection: Vec<ColumnId>,
    /// Rows to give; `None` = all.
    pub predicate: Option<BoundPredicate>,
    /// Stop after so many rows.
    pub limit: Option<u64>,
    /// Rows of a batch at most.
    pub batch_rows: usize,
    /// Where reading is counted.
    pub counters: Arc<ReadCounters>,
}

/// The batches of one segment in row order.
pub struct SegmentScan {}

impl SegmentReader {
    /// Opens a published segment. `Corrupt`, naming the file, if length, tail or footer are not what `meta` and
    /// `schema` say.
    pub fn open(
        _fs: &Fs,
        _path: &Path,
        _meta: &SegmentMeta,
        _schema: &TableSchema,
        _access: Access,
    ) -> Result<Arc<SegmentReader>> {
        todo!()
    }

    /// Reads it. Row groups and pages that the predicate rules out are skipped; the predicate is then applied, so
    /// exactly the matching rows come out.
    pub fn scan(self: &Arc<Self>, _options: SegmentScanOptions) -> Result<SegmentScan> {
        todo!()
    }

    /// Checks every block without decoding; for `verify`.
    pub fn check_blocks(&self) -> Result<()> {
        todo!()
    }
}

impl Iterator for SegmentScan {
    type Item = Result<RecordBatch>;
    fn next(&mut self) -> Option<Result<RecordBatch>> {
        todo!()
    }
}
