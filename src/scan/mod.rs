//! Scan: from a pinned version to batches. Partitions, buckets, segments, row groups and pages that the predicate rules
//! out are not read; what is read was checked.

mod plan;
mod run;

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::Result;
use crate::id::Version;
use crate::predicate::Predicate;
use crate::segment::Access;
use crate::store::Table;
use crate::table::TableVersion;

/// A scan being described.
#[derive(Clone)]
pub struct ScanBuilder {}

/// A planned scan: what is left to read after pruning.
pub struct Scan {}

/// One piece of a scan that one thread can run: a segment.
pub struct ScanUnit {}

/// What a scan looked at; complete when all units have run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanCounters {
    /// Partitions of the version and how many were ruled out.
    pub partitions: u64,
    /// See `partitions`.
    pub partitions_pruned: u64,
    /// Tablets of the partitions left and how many were ruled out.
    pub tablets: u64,
    /// See `tablets`.
    pub tablets_pruned: u64,
    /// Segments of the tablets left and how many were ruled out.
    pub segments: u64,
    /// See `segments`.
    pub segments_pruned: u64,
    /// Row groups of the segments read and how many were ruled out.
    pub row_groups: u64,
    /// See `row_groups`.
    pub row_groups_pruned: u64,
    /// Pages of predicate columns and how many were ruled out.
    pub pages: u64,
    /// See `pages`.
    pub pages_pruned: u64,
    /// Rows decoded, before the predicate.
    pub rows_read: u64,
    /// Rows given out.
    pub rows: u64,
    /// Bytes of segments touched.
    pub bytes_read: u64,
    /// Blocks whose checksum was checked.
    pub blocks_checked: u64,
}

impl Table {
    /// Describes a scan of the current version.
    pub fn scan(&self) -> ScanBuilder {
        todo!()
    }
}

impl ScanBuilder {
    /// A scan of a version held elsewhere (a snapshot, a backup check).
    pub(crate) fn of(_store: &crate::store::Store, _version: Arc<TableVersion>) -> ScanBuilder {
        todo!()
    }
    /// Only these columns, in this order.
    pub fn columns<S: AsRef<str>>(self, _columns: &[S]) -> ScanBuilder {
        todo!()
    }
    /// Only rows for which this is true.
    pub fn filter(self, _predicate: Predicate) -> ScanBuilder {
        todo!()
    }
    /// At most so many rows.
    pub fn limit(self, _rows: u64) -> ScanBuilder {
        todo!()
    }
    /// An older version.
    pub fn at_version(self, _version: Version) -> ScanBuilder {
        todo!()
    }
    /// Rows of a batch at most; 8192 by default.
    pub fn batch_rows(self, _rows: usize) -> ScanBuilder {
        todo!()
    }
    /// How bytes are reached; mapped by default.
    pub fn access(self, _access: Access) -> ScanBuilder {
        todo!()
    }
    /// Prunes and plans.
    pub fn plan(self) -> Result<Scan> {
        todo!()
    }
    /// Plans, reads in parallel and gives all batches in order of partition, tablet, segment.
    pub fn collect(self) -> Result<Vec<RecordBatch>> {
        todo!()
    }
    /// Plans and counts the matching rows, from metadata alone where no predicate asks for more.
    pub fn count(self) -> Result<u64> {
        todo!()
    }
}

impl Scan {
    /// The schema of the batches.
    pub fn schema(&self) -> SchemaRef {
        todo!()
    }
    /// The pieces, to be run by the caller on any threads, each in order.
    pub fn units(&self) -> &[ScanUnit] {
        todo!()
    }
    /// Runs all units on the store's threads and hands each batch to `consume`, from several threads at once.
    pub fn for_each(&self, _consume: impl Fn(RecordBatch) -> Result<()> + Send + Sync) -> Result<()> {
        todo!()
    }
    /// What was looked at so far.
    pub fn counters(&self) -> ScanCounters {
        todo!()
    }
}

impl ScanUnit {
    /// The batches of this piece in order.
    pub fn run(&self) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>> {
        todo!()
    }
}
