//! Reading what was planned.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::error::Result;
use crate::id::ColumnId;
use crate::predicate::BoundPredicate;
use crate::scan::{ScanCounters, ScanUnit};
use crate::segment::{
    Access, ROW_GROUP_ROWS, ReadCounters, SegmentMeta, SegmentPart, SegmentReader, SegmentScan, SegmentScanOptions,
};
use crate::store::Store;
use crate::table::TableVersion;

/// Bytes of a segment below which it is not worth a second thread.
const UNIT_BYTES: u64 = 1 << 20;
/// Whatever the table log says about its rows.
const UNITS_OF_SEGMENT_MAX: u64 = 1024;

/// What all units of a scan share.
pub(super) struct Shared {
    pub store: Store,
    /// The pin: its segments stay while the scan lives.
    pub version: Arc<TableVersion>,
    /// "scan of table d.t", for errors.
    pub what: String,
    pub schema: SchemaRef,
    pub projection: Vec<ColumnId>,
    pub predicate: Option<BoundPredicate>,
    pub limit: Option<u64>,
    pub batch_rows: usize,
    pub text_views: bool,
    pub access: Access,
    pub planned: ScanCounters,
    pub read: Arc<ReadCounters>,
    pub rows: AtomicU64,
}

impl Shared {
    /// What was looked at so far.
    pub fn counters(&self) -> ScanCounters {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ScanCounters {
            row_groups: get(&self.read.row_groups),
            row_groups_pruned: get(&self.read.row_groups_pruned),
            pages: get(&self.read.pages),
            pages_pruned: get(&self.read.pages_pruned),
            rows_read: get(&self.read.rows_read),
            rows: get(&self.rows),
            bytes_read: get(&self.read.bytes_read),
            blocks_checked: get(&self.read.blocks_checked),
            ..self.planned.clone()
        }
    }
}

/// A segment of a scan.
pub(super) struct ScanSegment {
    pub meta: Arc<SegmentMeta>,
    /// Open as long as one of its units runs, so that they share its checked footer and blocks.
    reader: Mutex<Weak<SegmentReader>>,
}

impl ScanSegment {
    fn open(&self, shared: &Shared) -> Result<Arc<SegmentReader>> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = reader.upgrade() {
            return Ok(reader);
        }
        let path = shared.version.layout.segment(&self.meta.name);
        let fs = &shared.store.inner.environment.fs;
        let opened = SegmentReader::open(fs, &path, &self.meta, &shared.version.schema, shared.access)?;
        *reader = Arc::downgrade(&opened);
        Ok(opened)
    }
}

impl ScanUnit {
    /// The units of a segment in order: as many as it has row groups, as far as the table log tells.
    pub(super) fn of(shared: &Arc<Shared>, meta: Arc<SegmentMeta>) -> impl Iterator<Item = ScanUnit> + use<> {
        let row_groups = meta.rows.div_ceil(ROW_GROUP_ROWS as u64);
        let units = row_groups.min(meta.size_bytes.div_ceil(UNIT_BYTES)).clamp(1, UNITS_OF_SEGMENT_MAX);
        let segment = Arc::new(ScanSegment { meta, reader: Mutex::default() });
        let shared = shared.clone();
        (0..units).map(move |index| ScanUnit {
            shared: shared.clone(),
            segment: segment.clone(),
            part: SegmentPart { index, of: units },
        })
    }
}

/// The batches of one unit.
pub(crate) struct UnitBatches {
    shared: Arc<Shared>,
    scan: SegmentScan,
}

impl UnitBatches {
    /// Opens the segment, to give at most `limit` rows, which a further predicate keeps too.
    pub(super) fn open(unit: &ScanUnit, limit: Option<u64>, further: Option<&BoundPredicate>) -> Result<UnitBatches> {
        let shared = &unit.shared;
        let predicate = match (&shared.predicate, further) {
            (Some(predicate), Some(further)) => Some(predicate.and(further)),
            (predicate, further) => predicate.as_ref().or(further).cloned(),
        };
        let options = SegmentScanOptions {
            projection: shared.projection.clone(),
            predicate,
            limit,
            batch_rows: shared.batch_rows,
            text_views: shared.text_views,
            counters: shared.read.clone(),
        };
        let opened = unit.segment.open(shared);
        let scan = opened
            .and_then(|reader| reader.scan_part(options, unit.part))
            .map_err(|error| error.context(&shared.what))?;
        Ok(UnitBatches { shared: shared.clone(), scan })
    }
}

impl Iterator for UnitBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        let batch = self.scan.next()?;
        if let Ok(batch) = &batch {
            self.shared.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        }
        Some(batch.map_err(|error| error.context(&self.shared.what)))
    }
}

/// Runs all units: without a limit in parallel, with one in order until it is reached, so that the same rows come out
/// each time. `consume` gets the position of the unit.
pub(super) fn run_units(
    shared: &Shared,
    units: &[ScanUnit],
    consume: impl Fn(usize, RecordBatch) -> Result<()> + Send + Sync,
) -> Result<()> {
    let pool = &shared.store.inner.environment.pool;
    let Some(limit) = shared.limit else {
        let numbered = units.iter().enumerate().collect();
        let run = |(index, unit): (usize, &ScanUnit)| unit.run()?.try_for_each(|batch| consume(index, batch?));
        return pool.map(numbered, run).map(drop);
    };
    pool.install(|| {
        let mut remaining = limit;
        for (index, unit) in units.iter().enumerate() {
            if remaining == 0 {
                break;
            }
            for batch in UnitBatches::open(unit, Some(remaining), None)? {
                let batch = batch?;
                remaining -= batch.num_rows() as u64;
                consume(index, batch)?;
            }
        }
        Ok(())
    })
}
